"""Running and measuring: every lesson runs, failures are reported after the rest, the pages say so."""

import csv
import re

import pytest
from rich.console import Console

from course_tools import report
from course_tools.cli import main
from course_tools.errors import CourseError
from course_tools.measure import measure
from course_tools.project import Project
from course_tools.run import run


@pytest.fixture
def console():
    return Console(record=True, width=120)


def second_lesson(project: Project, old: str, new: str) -> Project:
    """The project with a changed copy of its lesson before it."""
    text = (project.root / "solutions" / "01_small.py").read_text(encoding="utf-8")
    text = text.replace("# # 1 · A small lesson", "# # 0 · A broken lesson").replace("square_", "power_")
    assert text.count(old) == 1
    (project.root / "solutions" / "00_broken.py").write_text(text.replace(old, new), encoding="utf-8")
    return Project(project.root)


def test_brackets_in_an_error_are_shown_as_they_are(monkeypatch, capsys):
    def fails():
        raise CourseError("The [training] of a recipe ends in [/red].")

    monkeypatch.setattr("course_tools.cli.app", fails)
    with pytest.raises(SystemExit):
        main()
    assert "course: The [training] of a recipe ends in [/red]." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ax.plot([1, 2, 3])", "ax.plot([1, 2, 3])\nraise ValueError('[/] steep')", "ValueError: [/] steep"),
        ('steepness", 1.0', 'steepness", 2.5', "finding steepness = 2.5 left its band 0.9 … 1.1"),
    ],
)
def test_a_failing_lesson_is_reported_after_the_rest_ran(project, console, old, new, message):
    project = second_lesson(project, old, new)
    results = run(project.lessons, project, jobs=2, console=console)
    assert [result.ok for result in results] == [False, True]
    text = console.export_text()
    assert message in text
    assert re.search(r"01_small .* 1 of 1 .* 2 of 2", text)
    index = report.write(results, project, profile="quick")
    page = (index.parent / "00_broken.html").read_text(encoding="utf-8")
    assert "pill bad" in page


def test_the_pages_need_no_network_and_show_pictures_and_formulas(project, console):
    index = report.write(run(project.lessons, project, console=console), project, profile="quick")
    page = (index.parent / "01_small.html").read_text(encoding="utf-8")
    for text in (index.read_text(encoding="utf-8"), page):
        assert not re.search(r'(src|href)="(https?:)?//', text), (
            "a page would load something from the network"
        )
        assert 'alt="A rising line."' in text
    assert "<math" in page and "data:image/png;base64," in page
    assert "What is a square" in index.read_text(encoding="utf-8")
    assert not (project.root / "solutions" / "01_small.ipynb").exists(), "course run writes under build/ only"


def test_measure_stores_a_row_for_every_seed_and_thread_count(project, console):
    measure(project.lessons[0], project, seeds=2, threads=(1,), console=console)
    path = project.measured / "01_small.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [(r["finding"], r["seed"], r["threads"], r["value"]) for r in rows] == [
        ("steepness", "0", "1", "1"),
        ("steepness", "1", "1", "1"),
    ]
    assert all(r["versions"] and r["machine"] and r["band_low"] == "0.9" for r in rows)
    first = path.read_bytes()
    measure(project.lessons[0], project, seeds=2, threads=(1,), console=console)
    assert path.read_bytes() == first


def test_measure_refuses_what_it_cannot_do(project, change, console):
    with pytest.raises(CourseError, match="whole numbers from 1"):
        measure(project.lessons[0], project, seeds=0, console=console)
    without = change(
        'finding("steepness", 1.0, band=(0.9, 1.1), claim="it rises by one", verdict="confirms")', ""
    )
    with pytest.raises(CourseError, match="no finding"):
        measure(without.lessons[0], without, seeds=1, threads=(1,), console=console)


def test_the_command_line_prints_a_short_error_and_exits_with_2(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["course", "build", "99_nothing"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Unknown lesson: '99_nothing'" in said and "Traceback" not in said
