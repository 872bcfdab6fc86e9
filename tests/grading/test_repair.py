"""Reading and repairing: answers return to the released skeleton, whatever a program or a student did."""

import copy
import json
import time
from types import SimpleNamespace

import pytest
from submissions import LESSON, before, cell, code, data, filled, released, right, solutions

from course_tools.grading import answers, notebook, repair, scan
from course_tools.grading import code as code_module
from course_tools.grading import released as release_module
from course_tools.grading.kernels import Dead
from course_tools.grading.limits import Limits
from course_tools.project import Project

PROJECT = Project()
RELEASE = release_module.load(PROJECT.find([LESSON])[0], PROJECT)


def mended(made: dict) -> repair.Repaired:
    return repair.repair(notebook.read(data(made)), RELEASE)


def test_an_untouched_notebook_needs_no_repair():
    result = mended(released())
    assert (result.notes, result.tampered) == ([], [])
    assert [c.source for c in result.notebook.cells] == [c.source for c in RELEASE.notebook.cells]


def test_a_solution_of_the_repository_needs_no_repair():
    made = json.loads((PROJECT.root / "solutions" / f"{LESSON}.ipynb").read_text(encoding="utf-8"))
    assert (mended(made).notes, mended(made).tampered) == ([], [])


def as_colab(made: dict) -> dict:
    for number, each in enumerate(made["cells"]):
        each["metadata"] |= {"id": f"Xy{number}_abc", "colab": {"base_uri": "x"}, "outputId": "y"}
        each.pop("id")
    return made | {"metadata": made["metadata"] | {"colab": {"provenance": []}, "accelerator": "GPU"}}


def as_code(made: dict) -> dict:
    for each in made["cells"]:
        each["metadata"]["vscode"] = {"languageId": "python"}
        each["source"] = each["source"] if isinstance(each["source"], str) else "".join(each["source"])
    return made


def as_old(made: dict) -> dict:
    for each in made["cells"]:
        each.pop("id")
    return made | {"nbformat_minor": 4}


@pytest.mark.parametrize("program", [as_colab, as_code, as_old])
def test_what_other_programs_save(program):
    result = mended(program(filled(right())))
    assert result.answers == solutions()
    assert not result.tampered and not result.notes


def test_without_any_label_answers_are_known_by_their_functions():
    made = as_old(filled(right()))
    for each in made["cells"]:
        each["metadata"] = {}
    result = mended(made)
    assert result.answers == solutions()
    assert not result.tampered and all("was missing and was put back" in note for note in result.notes)


def test_a_changed_and_a_missing_check():
    made = filled(right())
    cell(made, "count_c3_check")["source"] = "print('passed')"
    made["cells"].remove(cell(made, "subsample_check"))
    result = mended(made)
    assert result.notes == [
        "The check of count_c3 was changed; the original was used.",
        "The check of subsample was missing; the original was put back.",
    ]
    original = {c.id: c.source for c in RELEASE.notebook.cells}
    assert {c.id: c.source for c in result.notebook.cells if c.id.endswith("_check")} == {
        key: text for key, text in original.items() if key.endswith("_check")
    }


@pytest.mark.parametrize("last", ["right", "wrong"])
def test_of_a_duplicated_cell_the_last_counts(last):
    made = filled(right())
    double = copy.deepcopy(cell(made, "count_c3"))
    wrong = "def count_c3(table, size=5):\n    return 0"
    (cell(made, "count_c3") if last == "right" else double)["source"] = wrong
    place = made["cells"].index(cell(made, "count_c3"))
    made["cells"].insert(place + 1, double)
    result = mended(made)
    assert result.answers["count_c3"] == (solutions()["count_c3"] if last == "right" else wrong)
    assert result.notes == ["The answer cell of count_c3 stood there 2 times; the last counts."]


def parts(made: dict, key: str, *sources: str) -> dict:
    """The notebook with a cell split as JupyterLab does it: every part keeps the label, one the id."""
    place = made["cells"].index(cell(made, key))
    made["cells"][place : place + 1] = [
        cell(made, key) | {"source": source} | ({"id": f"part{number}"} if number else {})
        for number, source in enumerate(sources)
    ]
    return made


HELPER = "def helper(table):\n    return int(np.sum(table))"
ANSWER = "def count_c3(table, size=5):\n    return helper(table) * size**2 + table.shape[1]"


@pytest.mark.parametrize("sources", [(HELPER, ANSWER), (ANSWER, HELPER), (HELPER, ANSWER, "count_c3(table)")])
def test_a_split_answer_keeps_all_of_its_parts(sources):
    result = mended(parts(filled({}), "count_c3", *sources))
    assert result.answers["count_c3"] == ANSWER and not result.notes and not result.tampered
    kept = [c.source for c in result.notebook.cells if c.source in sources]
    assert sorted(kept) == sorted(sources)
    exercise = next(e for e in RELEASE.automatic if e.name == "count_c3")
    assert HELPER in answers.needed(exercise, result, RELEASE)[0]


def test_an_answer_of_two_functions_may_be_split_between_them():
    lesson = PROJECT.find(["01_convolution"])[0]
    release = release_module.load(lesson, PROJECT)
    whole = solutions("01_convolution")["max_pool"]
    first, second = whole.split("\n\n\n")
    made = parts(filled({}, "01_convolution"), "max_pool", first, second)
    result = repair.repair(notebook.read(data(made)), release)
    assert result.answers["max_pool"] == f"{first}\n\n{second}"
    assert result.notes == ["The answer to max_pool stood in 2 cells; they were read as one."]
    assert [c.source for c in result.notebook.cells].count(second) == 0


def test_a_cell_between_answer_and_check_is_run_with_a_name_of_the_story():
    story = {"count_c3": "def count_c3(table, size=5):\n    return helper(table) + 0 * by_hand_total"}
    exercise = next(e for e in RELEASE.automatic if e.name == "count_c3")
    made = before(filled(story), "count_c3_check", code(HELPER))
    texts, whole = answers.needed(exercise, mended(made), RELEASE)
    assert whole and HELPER in texts and story["count_c3"] not in texts


def test_a_missing_answer_and_one_in_another_cell():
    made = filled(right())
    made["cells"].remove(cell(made, "rbf_scores"))
    made = before(made, "count_c3_check", code(solutions()["count_c3"]))
    cell(made, "count_c3")["source"] = cell(released(), "count_c3")["source"]
    result = mended(made)
    assert result.answers["count_c3"] == solutions()["count_c3"]
    assert result.answers["rbf_scores"] == "".join(cell(released(), "rbf_scores")["source"])
    assert "answer cell of rbf_scores was missing" in " ".join(result.notes)


def test_own_cells_stay_in_place_and_changed_ones_are_kept():
    made = before(filled(right()), "count_c3", code("helper = 3"), code("%timeit helper"))
    for each in made["cells"]:
        if "my_guess_layer" in "".join(each["source"]) and each["cell_type"] == "code":
            each["source"] = "my_guess_layer = 'C5'"
            break
    sources = [c.source for c in mended(made).notebook.cells]
    place = sources.index(solutions()["count_c3"])
    assert sources[place - 2 : place] == ["helper = 3", "%timeit helper"]
    assert "my_guess_layer = 'C5'" in sources and len(sources) == len(released()["cells"]) + 2


@pytest.mark.parametrize(("key", "change"), [
    ("count_c3_check", {"points": 200}), ("count_c3_check", {"grade": False}), ("count_c3", {"locked": True}),
    ("why_c5", {"points": 50}),
])  # fmt: skip
def test_a_changed_label_is_reported(key, change):
    made = filled(right())
    cell(made, key)["metadata"]["nbgrader"] |= change
    result = mended(made)
    assert len(result.tampered) == 1 and key in result.tampered[0]
    assert {c.id: c.metadata.get("nbgrader") for c in result.notebook.cells} == {
        c.id: c.metadata.get("nbgrader") for c in RELEASE.notebook.cells
    } | {c.id: None for c in result.notebook.cells if "added" in c.metadata.get("course", {})}


def test_another_courses_notebook_is_refused():
    other = {"cells": [code("import pandas as pd"), code("def f(x):\n    return x")], "metadata": {}}
    with pytest.raises(notebook.Unreadable, match="no exercise of 03_lenet5"):
        mended(other)
    assert repair.lesson_of(notebook.read(data(other)), {LESSON: RELEASE}) == ""
    assert repair.lesson_of(notebook.read(data(released())), {LESSON: RELEASE}) == LESSON


@pytest.mark.parametrize(("content", "why"), [
    (b"", "empty"), (b"   ", "empty"), (b"PK\x03\x04 no notebook", "not JSON"), (b"[1, 2]", "not a notebook"),
    (b"<!DOCTYPE html><html>", "web page"), (b'{"cells": [', "damaged"), (b'{"cells": 3}', "not a notebook"),
    (b"[" * 200_000, "damaged"), (b"\xff\xfe\x00\x00\x80", "not JSON"),
])  # fmt: skip
def test_what_is_no_notebook(content, why):
    with pytest.raises(notebook.Unreadable, match=why):
        notebook.read(content)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings(encoding):
    made = {"cells": [code("# a filter of Zoë's")], "metadata": {}, "nbformat": 4}
    read = notebook.read(json.dumps(made, ensure_ascii=False).encode(encoding))
    assert read.cells[0].source == "# a filter of Zoë's" and "encoded as" in read.notes[0]


def test_a_notebook_of_40_mb_is_read_and_one_of_a_million_lists_is_not():
    made = filled(right("count_c3"))
    made["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 40_000_000}]
    assert mended(made).answers["count_c3"] == solutions()["count_c3"]
    with pytest.raises(notebook.Unreadable, match="very large"):
        notebook.read(b"[" + b"{},[]," * 2_000_000 + b"0]")


def need(name: str, made: dict) -> tuple[list[str], bool]:
    exercise = next(e for e in RELEASE.automatic if e.name == name)
    return answers.needed(exercise, mended(made), RELEASE)


def test_an_answer_that_is_stopped_in_its_second_run_has_no_verdict(monkeypatch):
    made = mended(filled({"count_c3": "def count_c3(table, size=5):\n    return later(table)"}))
    runs = []

    def run(before, exercise, repaired, release, server, deadline, cell, outcome):
        runs.append(before)
        if len(runs) == 2:
            raise Dead("it ran for more than 60 s")
        outcome.error = "Your cell stopped with NameError: name 'later' is not defined"
        return {"state": "failed", "hint": "", "hidden": False, "missing": "later"}

    monkeypatch.setattr(answers, "_run", run)
    outcome = next(
        o for o in answers.grade(made, RELEASE, SimpleNamespace(limits=Limits())) if o.name == "count_c3"
    )
    assert (len(runs), outcome.state, outcome.score, outcome.error) == (2, "stopped", None, "")
    assert outcome.hint == "Your code was stopped: it ran for more than 60 s."


def test_only_the_cells_that_an_answer_needs_are_run():
    assert need("count_c3", filled(right())) == ([], False)
    answer = {"count_c3": "def count_c3(table, size=5):\n    return helper(table)"}
    helper, other = "def helper(table):\n    return scale", "scale = 2"
    made = before(filled(answer), "lenet_images", code(other), code("unused = 1"), code(helper))
    assert need("count_c3", made) == ([other, helper], False)
    story = {"count_c3": "def count_c3(table, size=5):\n    return len(by_hand)"}
    texts, whole = need("count_c3", filled(story))
    assert whole and any("by_hand = [" in text for text in texts)
    reused = {"rbf_scores": "def rbf_scores(features, targets):\n    return count_c3(features)"}
    assert need("rbf_scores", filled(reused | right("count_c3"))) == ([solutions()["count_c3"]], False)


def test_a_local_name_is_no_reason_to_look():
    answer = "def f(x):\n    check, np = 1, 2\n    return check + np"
    assert scan.reasons(answer, "", frozenset({"np", "check"}), frozenset({"np", "check"})) == []


def test_right_answers_give_no_reason_to_look():
    for exercise in RELEASE.automatic:
        imported = RELEASE.imported
        assert scan.reasons(solutions()[exercise.name], exercise.stub, imported, imported) == []


@pytest.mark.parametrize(("line", "reason"), [
    ("import inspect", "imports inspect"),
    ("from course_lib.checks import Check", "imports from course_lib.checks"),
    ("np.testing.assert_allclose = print", "replaces a part of np"), ("check = print", "another meaning"),
    ("eval('1')", "calls eval"), ("x = getattr(y, '__globals__')", "uses __globals__"),
    ("class A:\n    def __eq__(self, other): return True", "uses __eq__"),
    ("get_ipython()", "uses get_ipython"),
    ("import guard", "imports guard"), ("import _signal", "imports _signal"), ("vars()['x']", "calls vars"),
    ("from sys import modules as m", "uses modules"),
    ("g = getattr(f, '__se' + 'lf__')", "puts a name together"),
    ("match e:\n    case object(__traceback__=t): pass", "uses __traceback__"),
    ("np.__dict__['sum'] = print", "uses __dict__"),
])  # fmt: skip
def test_reasons_to_look(line, reason):
    found = scan.reasons(line, "", frozenset({"np", "check"}), frozenset({"check"}))
    assert any(reason in text for text in found), found


def test_a_thousand_special_lines_take_no_time():
    source = "\n".join(f"x{number} = %pwd" for number in range(2000))
    begin = time.monotonic()
    assert code_module.names(source) == (frozenset(), frozenset())  # IPython's own rewriting takes 20 s
    assert time.monotonic() - begin < 2
    assert scan.reasons(source, "", frozenset(), frozenset()) == ["cannot be read for the report"]
    assert scan.reasons("def f(x)\n    return 1", "", frozenset(), frozenset()) == []


@pytest.mark.parametrize("line", ["/f x", ",f x", ";f x", ">>> /f x", "f?", "\f!ls"])
def test_a_thousand_lines_that_only_ipython_reads_take_no_time(line):
    begin = time.monotonic()
    assert code_module.too_special(f"{line}\n" * 1000)
    assert time.monotonic() - begin < 2
    assert not code_module.too_special(f"{line}\n") and not code_module.too_special("x = 1\n" * 10_000)


def test_a_few_special_lines_are_read_as_ipython_reads_them():
    assert code_module.python("/f x") == "f(x)\n"
    assert code_module.names("files = !ls\n%time y = 2\n/f x")[0] == {"files"}


def test_a_module_is_read_in_its_own_encoding():
    text = code_module.text(b"# coding: utf-7\n+AGkAbQBwAG8AcgB0- gc\n")
    assert scan.reasons(text, "", frozenset(), frozenset()) == ["imports gc"]


def test_a_module_called_like_the_guards_is_reported_unless_it_is_the_students_own():
    answer, nothing = "import kernel, server\nfrom kernel import f", frozenset()
    assert scan.reasons(answer, "", nothing, nothing) == [
        "imports kernel",
        "imports server",
        "imports from kernel",
    ]
    assert scan.reasons(answer, "", nothing, nothing, frozenset({"kernel", "server", "gc"})) == []
    assert scan.reasons("import gc", "", nothing, nothing, frozenset({"gc"})) == ["imports gc"]
    assert scan.reasons("from .kernel import f", "", nothing, nothing) == []
