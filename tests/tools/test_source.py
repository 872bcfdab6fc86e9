"""A source becomes a notebook with standard metadata; broken rules are refused with place and remedy."""

import re

import nbformat
import pytest

from course_tools.errors import CourseError
from course_tools.project import Project
from course_tools.source import exercises, read

CHECK = """\
# %% check="square_of"
with check("square_of") as c:
    c.equal(int(square_of(3)), 9, hint="Multiply x by itself.")
### BEGIN HIDDEN TESTS
assert square_of(-2) == 4
### END HIDDEN TESTS
"""
BODY = "    ### BEGIN SOLUTION\n    return np.square(x)\n    ### END SOLUTION\n"


def read_first(project: Project):
    return read(project.lessons[0], project)


def test_short_keys_become_nbgrader_metadata(project):
    cells = {cell.id: cell for cell in read_first(project).cells}
    answer, test, essay = (cells[i].metadata.nbgrader for i in ("square_of", "square_of_check", "square_why"))
    assert (answer.solution, answer.grade, answer.locked) == (True, False, False)
    assert (test.solution, test.grade, test.locked, test.points) == (False, True, True, 2)
    assert (essay.solution, essay.grade, essay.points) == (True, True, 1)
    assert "points" not in answer


def test_nbgrader_accepts_the_metadata(project):
    from nbgrader.nbgraderformat import MetadataValidator

    notebook = read_first(project)
    for cell in notebook.cells:
        MetadataValidator().validate_cell(cell)
    nbformat.validate(notebook)


def test_trained_and_machine_cells_are_tagged_for_nbval(project):
    tagged = [c for c in read_first(project).cells if "nbval-ignore-output" in c.metadata.get("tags", [])]
    assert [sorted(c.metadata.course) for c in tagged] == [["machine", "setup"], ["alt", "trained"]]


def test_the_set_up_cell_is_filled_in(project):
    setup = read_first(project).cells[1].source
    assert "google.colab" in setup and "import course_lib" in setup


def test_points_by_exercise(project):
    assert exercises(read_first(project)) == {"square_of": 2}


def test_ids_do_not_depend_on_other_cells(project, change):
    before = [cell.id for cell in read_first(project).cells]
    after = [cell.id for cell in read_first(change("# ## Exercise: the square", "# ## The square")).cells]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_repeated_cells_get_ids_of_their_own(project, change):
    notebook = read_first(
        change(
            "# %% [markdown]\n# Why",
            "# %% [markdown]\n# Same\n\n# %% [markdown]\n# Same\n\n# %% [markdown]\n# Why",
        )
    )
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))


BROKEN = {
    "a check without an exercise": ('check="square_of"', 'check="squared_of"', "square_of"),
    "an exercise without a check": (CHECK, "", 'add a cell `# %% check="square_of"`'),
    "a duplicate exercise": (
        "# %% [markdown]\n# Why",
        f'# %% exercise="square_of"\ndef f(x):\n{BODY}\n# %% [markdown]\n# Why',
        "stands twice",
    ),
    "two checks": ("# %% [markdown]\n# Why", CHECK + "\n# %% [markdown]\n# Why", "two checks"),
    "a solution outside a function": (
        BODY,
        "    return 1\n### BEGIN SOLUTION\ny = 1\n### END SOLUTION\n",
        "outside a function",
    ),
    "an unclosed solution": ("    ### END SOLUTION\n", "", "BEGIN SOLUTION"),
    "an unknown key": (
        '# %% exercise="square_of" points=2',
        '# %% exercize="square_of" points=2',
        "Did you mean 'exercise='",
    ),
    "an unknown flag": ("# %% trained alt", "# %% traind alt", "Did you mean 'trained'"),
    "a bad name": ('exercise="square_why"', 'exercise="Square Why"', "lower-case"),
    "no points": ("points=2", "points=0", "above 0"),
    "not Python": ("    return np.square(x)", "    return np.square(x", "not Python"),
    "a name of the story": ("return np.square(x)", "return np.square(x) + steps", "uses steps"),
    "a value at a check's end": (
        "assert square_of(-2) == 4\n### END HIDDEN TESTS",
        "### END HIDDEN TESTS\nsquare_of(1)",
        "end a check with a statement",
    ),
    "a heading as code": (
        "# %% [markdown]\n# Why",
        "#\n# ## 2 · Why",
        "write `# %% [markdown]` above it",
    ),
    "no title": ("# # 1 · A small lesson", "# # A small lesson", "# 1 · Title"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rules_are_refused(name, change):
    old, new, expected = BROKEN[name]
    with pytest.raises(CourseError, match=re.escape(expected)):
        read_first(change(old, new))


def test_errors_name_file_line_and_cell(change):
    broken = change("# %% trained alt", "# %% traind alt")
    text = (broken.root / "solutions" / "01_small.py").read_text(encoding="utf-8")
    line = text[: text.index("# %% traind")].count("\n") + 1
    with pytest.raises(CourseError, match=rf"solutions/01_small\.py:{line} \(cell 4\)"):
        read_first(broken)


def test_a_misspelt_lesson_gets_the_closest_name(project):
    with pytest.raises(CourseError, match="Did you mean '01_small'"):
        project.find(["01_smal"])
    assert [lesson.name for lesson in project.find(["1"])] == ["01_small"]
