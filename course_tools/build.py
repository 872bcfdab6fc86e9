"""`course build`: a source becomes the executed solution and the student's notebook."""

import contextlib
import hashlib
import importlib.metadata
import logging
import platform
import re
import threading
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode

from . import header, outputs, source
from .errors import CourseError
from .execute import Result, execute
from .files import write_all
from .measure import with_bands_of
from .project import Lesson, Project

MAX_BYTES = 1_000_000  # of a built notebook: a code-hosting page still shows it
CODE_STUB = "# Write your answer here, in place of the next line.\nraise NotImplementedError"
TEXT_STUB = "*Write your answer here.*"
PACKAGES = ("keras", "tensorflow", "jax", "numpy", "matplotlib", "scikit-learn")
_GRADEBOOK = threading.Lock()  # lessons built side by side share one SQLite file


def build(
    lesson: Lesson, project: Project, *, measure: bool = False, on_cell: Callable | None = None
) -> Result:
    """Executes the lesson's source and writes `solutions/NAME.ipynb` and `notebooks/NAME.ipynb`.

    With `measure`, reading and run time go to data/measured/times.csv first; the header shows them. The
    bands in data/measured/NAME.csv become those of the source.

    Raises:
        CourseError: a rule is broken, a cell raises, a finding leaves its band. Nothing is written then.
    """
    notebook = source.read(lesson, project)
    result = execute(lesson, notebook, on_cell=on_cell)
    if result.error:
        raise CourseError(result.error)
    if result.outside:
        rows = (f"{name} = {result.findings[name]['value']:g}" for name in result.outside)
        raise CourseError(
            f"{lesson.name}: outside the band: {', '.join(rows)}. "
            f"Run `course measure {lesson.number:02d} --seeds 5` and set the band from its rows."
        )
    if missing := set(source.exercises(notebook)) - set(result.checks):
        raise CourseError(f"{lesson.name}: these checks did not report: {', '.join(sorted(missing))}.")
    outputs.clean(notebook, lesson, for_storage=True)
    if measure:
        header.write_times(notebook, result.seconds, lesson, project)
    notebook = header.with_header(notebook, lesson, project)
    notebook.metadata = _metadata(lesson, project)
    student = student_version(notebook, lesson, project)
    texts = {lesson.solution: _text(notebook), lesson.notebook: _text(student)}
    for path, text in texts.items():
        if (size := len(text.encode())) > MAX_BYTES:
            raise CourseError(
                f"{path.name} would have {size / 1e6:.2f} MB, over {MAX_BYTES / 1e6:.0f} MB: "
                "draw fewer or smaller pictures."
            )
    write_all(texts | with_bands_of(result, project))
    return result


def stale(project: Project, *, strict: bool = False) -> list[str]:
    """Built notebooks that are missing or older than their source; `strict`: than library or pins, too."""
    problems = []
    for lesson in project.lessons:
        current = hashes(lesson, project)
        for path in (lesson.solution, lesson.notebook):
            name = f"{path.parent.name}/{path.name}"
            if not path.exists():
                problems.append(f"{name} is not built: run `course build {lesson.number:02d}`.")
                continue
            built = nbformat.read(path, as_version=4)
            stored = built.metadata.get("course", {})
            keys = current if strict else ("source_sha256",)
            old = [key.removesuffix("_sha256") for key in keys if stored.get(key) != current[key]]
            if header.facts(lesson, project) not in built.cells[0].source:
                old.append("header")
            if old:
                what = ", ".join(old)
                problems.append(f"{name} is older than its {what}: run `course build {lesson.number:02d}`.")
    return problems


def student_version(
    notebook: NotebookNode, lesson: Lesson, project: Project, *, gradebook: Path | None = None
) -> NotebookNode:
    """The notebook without answers, hidden tests and outputs, made by nbgrader's own preprocessors.

    On the way the hidden tests go into the gradebook, `build/gradebook.db` unless another file is named.
    """
    from nbgrader import preprocessors as nbg
    from nbgrader.api import Gradebook
    from traitlets.config import Config

    file = gradebook or project.build / "gradebook.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    database = f"sqlite:///{file}"
    with Gradebook(database) as opened:
        opened.update_or_create_assignment(lesson.name)
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    exporter = NotebookExporter(config=config, default_preprocessors=[])
    for step in (
        nbg.LockCells,
        nbg.ClearSolutions,
        nbg.ClearOutput,
        nbg.CheckCellMetadata,
        nbg.ComputeChecksums,
        nbg.SaveCells,  # before the hidden tests are cut: the gradebook keeps them
        nbg.ClearHiddenTests,
        nbg.ComputeChecksums,
        nbg.CheckCellMetadata,
    ):
        exporter.register_preprocessor(step(parent=exporter, config=config), enabled=True)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    resources = {
        "nbgrader": {"notebook": lesson.name, "assignment": lesson.name, "student": ".", "db_url": database}
    }
    with _GRADEBOOK:
        text, _ = exporter.from_notebook_node(notebook, resources=resources)
    student = nbformat.reads(text, as_version=4)
    for before, cell in zip(notebook.cells, student.cells, strict=True):
        cell.id = before.id
    if leaked := re.search("BEGIN SOLUTION|HIDDEN TESTS", text):
        raise CourseError(f"{lesson.name}: the student version would still hold {leaked[0]!r}.")
    return student


def _metadata(lesson: Lesson, project: Project) -> dict:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        for package in (name, "tensorflow-cpu") if name == "tensorflow" else (name,):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(package)
    return {
        "course": {"lesson": lesson.name, **hashes(lesson, project), "versions": versions},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def hashes(lesson: Lesson, project: Project) -> dict[str, str]:
    """SHA-256 of what a built notebook depends on."""
    library = hashlib.sha256()
    for path in sorted((project.root / "course_lib").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            library.update(path.relative_to(project.root).as_posix().encode() + b"\0" + _content(path))
    return {
        "source_sha256": hashlib.sha256(_content(lesson.source)).hexdigest(),
        "library_sha256": library.hexdigest(),
        "requirements_sha256": hashlib.sha256(_content(project.root / "requirements.txt")).hexdigest(),
    }


def _content(path: Path) -> bytes:
    """The file's bytes with Unix line ends, so that a checkout on Windows has the same hash."""
    return path.read_bytes().replace(b"\r\n", b"\n")


def _text(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"
