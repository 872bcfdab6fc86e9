"""`course grade` from end to end: fair marks, pages, a gradebook for formgrader, going on after a stop."""

import csv
import io
import json
import os
import re
import sqlite3

import pytest
from rich.console import Console
from submissions import LESSON, POINTS, before, code, filled, put, released, right, solutions

from course_tools.cli import app
from course_tools.errors import CourseError
from course_tools.grading import answers, gradebook, names, run, sandbox
from course_tools.grading.limits import Limits
from course_tools.project import Project

PROJECT = Project()
LESSONS = ["00_start_here", "01_convolution", "03_lenet5"]  # `course grade` itself takes all
if os.environ.get("COURSE_ALL_LESSONS"):
    LESSONS = [lesson.name for lesson in PROJECT.lessons]


def rows(out) -> dict[tuple[str, str], dict[str, str]]:
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return {(row["student"], row["lesson"]): row for row in csv.DictReader(file)}


def grade(folder, out, **options) -> tuple[run.Class, str]:
    said = io.StringIO()
    done = run.grade(folder, PROJECT, out=out, console=Console(file=said, width=200), **options)
    return done, said.getvalue()


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A small class, graded once: (folder, out, what was said)."""
    folder = tmp_path_factory.mktemp("class") / "handed in"
    for lesson in LESSONS:
        put(
            folder / "solutions" / f"{lesson}.ipynb",
            (PROJECT.root / f"solutions/{lesson}.ipynb").read_bytes(),
        )
        put(folder / "unfilled" / f"{lesson}.ipynb", released(lesson))
    wrong = {
        "count_c3": "def count_c3(table, size=5):\n    return 2416",
        "why_c5": "<script>alert(1)</script> " * 5,
    }
    story = {"subsample": solutions()["subsample"] + "\nstory = by_hand_total\n"}
    put(folder / "anna" / LESSON / f"{LESSON}.ipynb", filled(wrong | right("rbf_scores")))
    put(folder / f"ben_{LESSON}.ipynb", before(filled(story), "lenet_images", code("print('mine')")))
    for name in ("dora", "emil"):
        put(folder / name / f"{LESSON}.ipynb", filled(right("build_lenet5")))
    put(folder / "chris" / f"{LESSON}.ipynb", "not a notebook")
    out = folder.parent / "out"
    _, said = grade(folder, out, jobs=2)
    return folder, out, said


def test_every_solution_gets_full_marks_and_every_unfilled_notebook_zero(graded):
    table = rows(graded[1])
    for lesson in LESSONS:
        full, none = table["solutions", lesson], table["unfilled", lesson]
        assert full["score"] == full["maximum"] != "0" and full["status"] == "graded"
        assert none["score"] == "0" and none["maximum"] == full["maximum"] and none["status"] == "graded"


def test_the_rows_of_a_class(graded):
    table = rows(graded[1])
    anna, ben, chris = (table[name, LESSON] for name in ("anna", "ben", "chris"))
    assert {name: anna[name] for name in POINTS} == dict.fromkeys(POINTS, "0") | {"rbf_scores": "2"}
    assert (anna["score"], anna["maximum"], anna["written_pending"], anna["status"]) == (
        "2",
        "13",
        "1",
        "graded",
    )
    assert (ben["subsample"], ben["score"], ben["written_pending"], ben["status"]) == (
        "2",
        "2",
        "0",
        "graded",
    )
    assert (chris["score"], chris["count_c3"], chris["status"]) == ("", "", "unreadable")


def test_a_name_of_the_story_runs_the_whole_notebook(graded):
    assert rows(graded[1])["ben", LESSON]["subsample"] == "2"


def test_the_feedback_page(graded):
    page = (graded[1] / "feedback" / "anna.html").read_text(encoding="utf-8")
    assert "Count C3" in page and "connection table" in page  # what was asked
    assert "2416" in page  # the answer
    assert "✘ not passed" in page and "<script>" not in page and "&lt;script&gt;" in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    hidden = (PROJECT.root / f"solutions/{LESSON}.py").read_text(encoding="utf-8")
    for part in re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END", hidden, flags=re.DOTALL):
        for line in part.splitlines():
            assert len(line) < 20 or line.strip() not in page


def test_the_summary(graded):
    page = (graded[1] / "summary.html").read_text(encoding="utf-8")
    assert "1 unreadable" in page and "chris" in page
    assert "Identical long answers" in page and "dora, emil" in page


def test_nbgraders_gradebook_holds_the_marks_and_formgrader_finds_the_notebooks(graded):
    from nbgrader.api import Gradebook

    out = graded[1]
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}") as opened:
        submission = opened.find_submission(LESSON, "anna")
        assert (submission.code_score, submission.max_code_score) == (2, 13)
        assert submission.needs_manual_grade
        assert opened.find_submission(LESSON, "solutions").code_score == 13
    assert (out / "autograded" / "anna" / LESSON / f"{LESSON}.ipynb").exists()
    assert (out / "source" / LESSON / f"{LESSON}.ipynb").exists()  # formgrader lists the lessons found here
    assert "CourseDirectory.root" in (out / "nbgrader_config.py").read_text()
    assert sqlite3.connect(out / "gradebook.db").execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_mark_of_a_person_stays_and_reaches_table_and_page(graded):
    from nbgrader.api import Gradebook

    folder, out, _ = graded
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}") as opened:
        mark = opened.find_grade("why_c5", LESSON, LESSON, "anna")
        mark.manual_score, mark.needs_manual_grade = 1.5, False
        opened.find_comment("why_c5", LESSON, LESSON, "anna").manual_comment = "No scripts, please."
        opened.db.commit()
    done, said = grade(folder, out)
    assert done.again == sum(result.readable for result in done.results.values()) and "unchanged" in said
    assert rows(out)["anna", LESSON]["written_pending"] == "0"
    assert "1.5 of 2" in (page := (out / "feedback/anna.html").read_text(encoding="utf-8"))
    assert "No scripts, please." in page
    assert gradebook.written(out)["anna", LESSON]["why_c5"].score == 1.5


def test_only_what_changed_is_graded_again(tmp_path, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    put(folder / f"anna_{LESSON}.ipynb", filled(right("count_c3")))
    put(folder / f"ben_{LESSON}.ipynb", filled(right("count_c3")))
    whole, asked = answers.grade, []

    def fails_once(repaired, release, server):
        asked.append(repaired.answers["count_c3"])
        if len(asked) == 2:
            raise KeyboardInterrupt
        return whole(repaired, release, server)

    monkeypatch.setattr(answers, "grade", fails_once)
    with pytest.raises(KeyboardInterrupt):
        grade(folder, out)
    assert len(list((out / "results").rglob("*.json"))) == 1  # the mark already given is there
    done, _ = grade(folder, out)
    assert (len(asked), done.again) == (3, 1)
    assert [row["count_c3"] for row in rows(out).values()] == ["2", "2"]
    put(folder / f"ben_{LESSON}.ipynb", filled(right("rbf_scores")))
    done, _ = grade(folder, out)
    assert (len(asked), done.again) == (4, 1)
    assert (rows(out)["ben", LESSON]["count_c3"], rows(out)["ben", LESSON]["rbf_scores"]) == ("0", "2")


def test_late_and_missing(tmp_path):
    folder = tmp_path / "in"
    for name, lesson, time in (
        ("anna", LESSON, 1_000),
        ("anna", "00_start_here", 90_000),
        ("ben", LESSON, 90_000),
    ):
        os.utime(put(folder / name / f"{lesson}.ipynb", released(lesson)), (time, time))
    grade(folder, tmp_path / "out", due="1970-01-01 12:00")
    table = rows(tmp_path / "out")
    assert {key: row["late"] for key, row in table.items()} == {
        ("anna", LESSON): "no", ("anna", "00_start_here"): "yes", ("ben", LESSON): "yes",
        ("ben", "00_start_here"): "no",
    }  # fmt: skip
    missing = table["ben", "00_start_here"]
    assert (missing["status"], missing["score"], missing["maximum"]) == ("missing", "", "2")
    with pytest.raises(CourseError, match="is no time"):
        grade(folder, tmp_path / "out", due="tomorrow")


def test_lessons_can_be_chosen(tmp_path):
    for lesson in ("00_start_here", LESSON):
        put(tmp_path / "in" / "anna" / f"{lesson}.ipynb", released(lesson))
    grade(tmp_path / "in", tmp_path / "out", lessons=["00"])
    assert list(rows(tmp_path / "out")) == [("anna", "00_start_here")]
    _, said = grade(tmp_path / "in", tmp_path / "out", lessons=["03"])
    assert list(rows(tmp_path / "out")) == [("anna", LESSON)]
    assert "no longer 00_start_here, graded earlier" in said
    with pytest.raises(CourseError, match="no submission is for 01_convolution"):
        grade(tmp_path / "in", tmp_path / "out", lessons=["01"])
    with pytest.raises(CourseError, match="Unknown lesson"):
        grade(tmp_path / "in", tmp_path / "out", lessons=["77"])


def test_the_lesson_is_known_by_the_content(tmp_path):
    put(tmp_path / "in" / "anna" / "homework.ipynb", released())
    put(tmp_path / "in" / "ben" / "recipe.ipynb", json.dumps({"cells": [], "metadata": {}}))
    grade(tmp_path / "in", tmp_path / "out")
    table = rows(tmp_path / "out")
    assert table["anna", LESSON]["status"] == "repaired"
    assert table["ben", "unknown"]["status"] == "unreadable"


def test_a_readable_file_goes_before_an_unreadable_one_with_a_telling_name(tmp_path):
    folder = tmp_path / "in"
    put(folder / "anna" / f"{LESSON}.zip", b"PK\x03\x04 broken")
    put(folder / "ben" / f"{LESSON}.ipynb", "not a notebook")
    put(folder / "chris" / f"{LESSON}.ipynb", filled(right("count_c3")))
    put(folder / "dora" / f"{LESSON}.ipynb", "not a notebook")
    for name in ("anna", "ben", "chris"):
        put(folder / name / "homework.ipynb", filled(right("rbf_scores")))
    done, _ = grade(folder, tmp_path / "out", jobs=2)
    table = rows(tmp_path / "out")
    for name, why in (("anna", "the zip file cannot be read"), ("ben", "the file is not a notebook")):
        assert (table[name, LESSON]["rbf_scores"], table[name, LESSON]["status"]) == ("2", "repaired")
        [other] = [note for note in done.results[name, LESSON].notes if "handed in, too" in note]
        assert other.startswith(f"{name}/{LESSON}") and why in other
    assert (table["chris", LESSON]["count_c3"], table["chris", LESSON]["rbf_scores"]) == ("2", "0")
    assert table["dora", LESSON]["status"] == "unreadable"


def test_files_beside_a_notebook_are_given_to_its_code(tmp_path):
    lines = solutions()["count_c3"].split("\n")
    reads = "\n".join([*lines, "assert open('data/sizes.csv').read() == '96,5'", "from mine import one"])
    reads += "\nfrom kernel import one"
    folder = tmp_path / "in" / "anna" / LESSON
    put(folder / f"{LESSON}.ipynb", filled({"count_c3": reads}))
    put(folder / "data" / "sizes.csv", "96,5")
    put(folder / "mine.py", "import kernel\none = kernel.one\n")
    put(folder / "kernel.py", "from parts.third import one\n")
    put(folder / "parts" / "third.py", "import gc\none = 1\n")
    put(folder / "unused.py", "import gc\n")
    put(folder / "numpy.py", "raise SystemExit")
    done, _ = grade(tmp_path / "in", tmp_path / "out")
    row = rows(tmp_path / "out")["anna", LESSON]
    assert (row["count_c3"], row["status"]) == ("2", "suspicious")  # a module of a module imports gc
    assert done.results["anna", LESSON].suspicions == ["parts/third.py imports gc"]
    put(folder / "parts" / "third.py", "one = 1\n")  # another file is another submission
    done, _ = grade(tmp_path / "in", tmp_path / "out")
    assert (done.again, rows(tmp_path / "out")["anna", LESSON]["status"]) == (0, "graded")


def test_odd_names_and_several_files_of_one_student(tmp_path):
    folder, decomposed = tmp_path / "in", "Jo\u0308rg von A\u0308hren"
    put(folder / decomposed / f"{LESSON}.ipynb", filled(right("count_c3")))
    put(folder / "Jörg von Ähren_00_start_here.ipynb", released("00_start_here"))
    put(folder / "a:b;c" / f"{LESSON}.ipynb", {"cells": [], "metadata": {}, "nbformat": 4})
    for time, (name, made) in enumerate((("old", filled({})), ("new", filled(right("rbf_scores"))))):
        os.utime(put(folder / "ben" / f"{name}.ipynb", made), (time, time))
    done, _ = grade(folder, tmp_path / "out", jobs=2)
    table = rows(tmp_path / "out")
    assert table["Jörg von Ähren", LESSON]["score"] == "2"
    assert table["Jörg von Ähren", "00_start_here"]["status"] == "graded"
    assert table["a_b_c", LESSON]["status"] == "unreadable" and table["a_b_c", LESSON]["score"] == ""
    assert table["ben", LESSON]["score"] == "2"
    assert "ben/old.ipynb was handed in, too; the newest file counts." in done.results["ben", LESSON].notes
    assert (tmp_path / "out" / "feedback" / "Jörg von Ähren.html").exists()


def takes_any_bytes(folder) -> bool:
    """Whether a file's name may be other than UTF-8 here."""
    try:
        (folder / "\udcfc").touch()
    except OSError:
        return False
    (folder / "\udcfc").unlink()
    return True


def test_names_that_are_not_utf_8(tmp_path):
    """As an old zip program leaves them on Linux: bytes of another encoding. What comes out is what the same
    names in UTF-8 give; a file system that takes only those (macOS) gets those."""
    folder = tmp_path / "in"
    spelled = str if takes_any_bytes(tmp_path) else names.readable
    odd, other = folder / spelled("Anna M\udcfcller"), folder / spelled("\udcff")
    helper = "def one():\n    return 1\nimport gc\n"
    put(odd / f"{LESSON}.ipynb", filled({"count_c3": solutions()["count_c3"] + "\nimport tools"}))
    put(odd / spelled("gr\udcf6\udcdfe") / "tools.py", helper)
    put(odd / spelled("gr\udcf6\udcdfe.csv"), "1")
    put(folder / "Ben" / f"{LESSON}.ipynb", filled(right("count_c3")))
    put(other / f"{LESSON}.ipynb", "not a notebook")
    put(other / spelled("\udcfcbung.ipynb"), released("00_start_here"))
    done, _ = grade(folder, tmp_path / "out", jobs=2)
    table = rows(tmp_path / "out")
    assert (table["Ben", LESSON]["count_c3"], table["Ben", LESSON]["status"]) == ("2", "graded")
    assert table["Anna Müller", LESSON]["status"] == "suspicious"
    assert done.results["Anna Müller", LESSON].suspicions == ["größe/tools.py imports gc"]
    assert table["ÿ", LESSON]["status"] == "unreadable"
    assert (tmp_path / "out" / "feedback" / "Anna Müller.html").exists()
    assert "ÿ/übung.ipynb, does not tell" in done.results["ÿ", "00_start_here"].notes[0]


def test_more_jobs_than_cores_are_not_started(tmp_path, monkeypatch):
    """Of the cores that this process may use, which are fewer than the machine's under `taskset`."""
    monkeypatch.setattr(run, "cores", lambda: 3)
    put(tmp_path / "in" / f"anna_{LESSON}.ipynb", released())
    asked = []
    monkeypatch.setattr(run, "grade_all", lambda whole, found, jobs, due: asked.append(jobs))
    _, said = grade(tmp_path / "in", tmp_path / "out", jobs=999)
    assert asked == [3] and "999 jobs on 3 cores: 3 are used" in said


def test_a_folder_that_cannot_be_written_or_is_another_course(tmp_path):
    put(tmp_path / "in" / f"anna_{LESSON}.ipynb", released())
    put(tmp_path / "file", "")
    with pytest.raises(CourseError, match="cannot write into --out"):
        grade(tmp_path / "in", tmp_path / "file" / "out")
    put(tmp_path / "other" / "nbgrader_config.py", "c = get_config()\n")
    theirs = put(tmp_path / "other" / "autograded" / "anna" / "ps1" / "ps1.ipynb", "{}")
    with pytest.raises(CourseError, match="another nbgrader course"):
        grade(tmp_path / "in", tmp_path / "other")
    assert theirs.exists()
    with pytest.raises(CourseError, match="does not exist"):
        grade(tmp_path / "none", tmp_path / "out")


def test_formgrader_shows_no_script_of_a_student(tmp_path):
    from nbconvert.exporters import HTMLExporter
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
    from traitlets.config import PyFileConfigLoader

    gradebook.prepare(tmp_path)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(tmp_path)).load_config()
    shown = new_output("display_data", {"text/html": "<script>alert(1)</script><b>bold</b>"})
    cells = [new_markdown_cell("<img src=x onerror=alert(2)>"), new_code_cell("x", outputs=[shown])]
    page, _ = HTMLExporter(config=config).from_notebook_node(new_notebook(cells=cells))
    assert "<script>alert(1)" not in page and "<img src=x" not in page and "<b>bold</b>" in page


def test_out_inside_the_submissions_is_refused(tmp_path):
    put(tmp_path / f"anna_{LESSON}.ipynb", released())
    with pytest.raises(CourseError, match="lies inside"):
        grade(tmp_path, tmp_path / "grades")


def test_without_the_sandbox_there_is_one_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "works", lambda: "bubblewrap is not installed")
    for name in ("anna", "ben"):
        put(tmp_path / "in" / f"{name}_{LESSON}.ipynb", released())
    _, said = grade(tmp_path / "in", tmp_path / "out", limits=Limits(cell_seconds=20))
    assert said.count("not closed off: bubblewrap is not installed") == 1
    assert "Graded without the sandbox" in (tmp_path / "out" / "summary.html").read_text(encoding="utf-8")


def test_the_command():
    assert "grade" in {command.callback.__name__ for command in app.registered_commands}
