"""What the students were given: cells, stubs and checks of a lesson, with the hidden tests beside them."""

import ast
import builtins
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from .. import source
from ..build import student_version
from ..errors import CourseError
from ..files import write_all
from ..project import Lesson, Project

HIDDEN_BEGIN, HIDDEN_END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


@dataclass(frozen=True)
class Exercise:
    """One answer of a lesson, checked by code or read by a person."""

    name: str
    points: float
    written: bool
    stub: str  # what the students' notebook holds
    asked: str  # Markdown: the text before it
    defines: frozenset[str] = frozenset()  # names that the stub binds
    check: dict = field(default_factory=dict)  # as the guard wants it
    visible_check: str = ""


@dataclass(frozen=True)
class Release:
    """A lesson as handed out, and what is known beyond."""

    lesson: Lesson
    notebook: NotebookNode  # the students' version
    complete: NotebookNode  # the source's: solutions and hidden tests
    exercises: tuple[Exercise, ...]
    imports: str
    imported: frozenset[str]
    digest: str  # changes with everything that a mark depends on

    @property
    def name(self) -> str:
        return self.lesson.name

    @property
    def automatic(self) -> tuple[Exercise, ...]:
        return tuple(exercise for exercise in self.exercises if not exercise.written)

    @property
    def code(self) -> str:
        """All code that was handed out."""
        return "\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "code")

    @property
    def maximum(self) -> float:
        """Automatic points."""
        return sum(exercise.points for exercise in self.automatic)


def load(lesson: Lesson, project: Project) -> Release:
    """The release of `notebooks/NAME.ipynb`, with the checks of `solutions/NAME.py`.

    Raises:
        CourseError: the lesson is not built, or its source breaks a rule.
    """
    if not lesson.notebook.exists():
        raise CourseError(
            f"notebooks/{lesson.name}.ipynb is missing: run `course build {lesson.number:02d}`."
        )
    complete = source.read(lesson, project)
    complete.metadata = {}
    notebook = nbformat.read(lesson.notebook, as_version=4)
    imports = import_lines(complete)
    imported = frozenset(source.global_names(imports)[0])
    exercises = tuple(_exercises(notebook, complete, imported))
    texts = [imports, *(json.dumps([e.name, e.points, e.stub, e.check]) for e in exercises)]
    digest = hashlib.sha256("\0".join([*texts, *(c.source for c in notebook.cells)]).encode()).hexdigest()
    return Release(lesson, notebook, complete, exercises, imports, imported, digest)


def import_lines(notebook: NotebookNode) -> str:
    """All imports of a lesson that stand on a line of their own, the set-up cell's aside."""
    lines = ["import course_lib"]
    for cell in notebook.cells:
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("course", {}):
            nodes = ast.parse(cell.source).body
            lines += [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(dict.fromkeys(lines))


def _exercises(notebook: NotebookNode, complete: NotebookNode, imported: frozenset[str]):
    known = {cell.id: cell for cell in complete.cells}
    checks = {
        cell.metadata.course.check: cell
        for cell in complete.cells
        if "check" in cell.metadata.get("course", {})
    }
    for place, cell in enumerate(notebook.cells):
        name = cell.metadata.get("course", {}).get("exercise")
        if not name:
            continue
        if cell.id not in known:
            raise CourseError(f"exercise {name!r} is in the notebook, but not in its source: build it again.")
        asked = _asked(notebook.cells[:place])
        if cell.cell_type == "markdown":
            points = known[cell.id].metadata.nbgrader.points
            yield Exercise(name, float(points), True, cell.source, asked)
            continue
        check = checks[name]
        text, hidden = without_marks(check.source)
        bound, used = source.global_names(text)
        names = sorted(used - bound - imported - set(dir(builtins)))
        task = {"name": name, "source": text, "hidden": hidden, "names": names}
        lines = text.splitlines()
        visible = [
            line for number, line in enumerate(lines, 1) if not any(a <= number <= b for a, b in hidden)
        ]
        yield Exercise(
            name,
            float(check.metadata.nbgrader.points),
            False,
            cell.source,
            asked,
            frozenset(source.global_names(cell.source)[0]),
            task,
            "\n".join(visible).strip(),
        )


def without_marks(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A check's text with empty lines for the marks, and the first and last line of each hidden part.

    >>> without_marks("a\\n### BEGIN HIDDEN TESTS\\nb\\n### END HIDDEN TESTS")
    ('a\\n\\nb\\n', [(2, 4)])
    """
    lines, hidden, begin = text.split("\n"), [], 0
    for number, line in enumerate(lines, start=1):
        if HIDDEN_BEGIN in line:
            begin = number
        elif HIDDEN_END in line:
            hidden.append((begin, number))
            begin = 0
        else:
            continue
        lines[number - 1] = ""
    return "\n".join(lines), hidden + ([(begin, len(lines))] if begin else [])


def _asked(before: list[NotebookNode]) -> str:
    """The text cells right before an exercise, from the last heading on."""
    parts = []
    for cell in reversed(before):
        if cell.cell_type != "markdown" or "exercise" in cell.metadata.get("course", {}):
            break
        parts.append(cell.source)
        if re.search(r"^#{1,3} ", cell.source, flags=re.MULTILINE):
            break
    text = "\n\n".join(reversed(parts))
    headings = list(re.finditer(r"^#{1,4} ", text, flags=re.MULTILINE))
    return text[headings[-1].start() :] if headings else text


def write_to_gradebook(release: Release, project: Project, gradebook: Path) -> None:
    """Puts the lesson's cells into an nbgrader gradebook, and beside it what its formgrader lists.

    Raises:
        CourseError: exercises were added or taken away since submissions were graded into it.
    """
    try:
        student_version(release.complete.copy(), release.lesson, project, gradebook=gradebook)
    except RuntimeError as error:
        raise CourseError(
            f"{release.name} has other exercises than when {gradebook.name} was made ({error}). "
            "Grade into another folder: --out FOLDER."
        ) from None
    name = f"{release.name}/{release.name}.ipynb"
    texts = {"source": release.complete, "release": release.notebook}
    write_all({gradebook.parent / key / name: nbformat.writes(text) + "\n" for key, text in texts.items()})
