"""nbgrader's gradebook: marks go in through its own engine, and its formgrader opens the written answers."""

import copy
import logging
import warnings
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from ..errors import CourseError
from ..files import write_all
from .released import Release
from .results import Outcome, Result

OURS = "# For nbgrader's formgrader"
CONFIG = f"""\
{OURS}: start JupyterLab in this folder, then open Nbgrader > Formgrader.
import pathlib

c = get_config()  # noqa: F821
c.CourseDirectory.root = str(pathlib.Path(__file__).resolve().parent)
c.CourseDirectory.course_id = ""
c.CourseDirectory.db_url = f"sqlite:///{{c.CourseDirectory.root}}/gradebook.db"
# What students wrote is shown without scripts, which would run with your rights in JupyterLab.
c.HTMLExporter.preprocessors = ["nbconvert.preprocessors.sanitize.SanitizeHTML"]
"""


def prepare(out: Path) -> None:
    """Writes what formgrader reads before it opens the gradebook; without one, nothing counts as graded.

    Raises:
        CourseError: `out` is a course of nbgrader's own, which must not be changed.
    """
    config = out / "nbgrader_config.py"
    if config.exists() and not config.read_text(encoding="utf-8", errors="replace").startswith(OURS):
        raise CourseError(f"{out} is another nbgrader course ({config.name}): name another --out.")
    if not (out / "gradebook.db").exists():
        for kept in (out / "results").glob("*/*.json"):  # never a folder that is not ours
            path(out, kept.parent.name, kept.stem).unlink(missing_ok=True)
    for name in ("source", "release", "submitted", "autograded"):
        (out / name).mkdir(parents=True, exist_ok=True)
    write_all({out / "nbgrader_config.py": CONFIG})


def path(out: Path, student: str, lesson: str) -> Path:
    """Where formgrader looks for a student's notebook."""
    return out / "autograded" / student / lesson / f"{lesson}.ipynb"


def record(result: Result, notebook: NotebookNode, release: Release, out: Path, time) -> None:
    """Puts a submission and its marks into the gradebook, and the notebook beside it.

    nbgrader's `SaveAutoGrades` reads the marks from the checks' outputs, as it does after its own run. Marks
    that a person gave stay.
    """
    from nbgrader.api import Gradebook
    from nbgrader.preprocessors import CheckCellMetadata, LimitOutput, SaveAutoGrades
    from sqlalchemy.exc import SAWarning

    logging.getLogger("traitlets").setLevel(logging.ERROR)
    try:
        nbformat.validate(notebook)
        nbformat.writes(notebook).encode()
    except Exception:  # a student's process can send any output
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
    warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own queries cause them
    notebook = with_outputs(notebook, {outcome.name: outcome for outcome in result.outcomes})
    name, database = release.name, f"sqlite:///{out / 'gradebook.db'}"
    with Gradebook(database) as opened:
        opened.update_or_create_student(result.student)
        stamp = {"timestamp": time.astimezone(UTC).replace(tzinfo=None)} if time else {}
        opened.update_or_create_submission(name, result.student, **stamp)
    resources = {
        "nbgrader": {"notebook": name, "assignment": name, "student": result.student, "db_url": database},
        "unique_key": name,
    }
    for step in (LimitOutput(), SaveAutoGrades(), CheckCellMetadata()):
        notebook, resources = step.preprocess(notebook, resources)
    write_all({path(out, result.student, name): nbformat.writes(notebook, version=4) + "\n"})


def with_outputs(notebook: NotebookNode, outcomes: dict[str, Outcome]) -> NotebookNode:
    """A copy whose check cells show their outcome: an error where the points are lost."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.metadata.get("course", {}).pop("changed", None)
        if cell.cell_type != "code":
            continue
        outcome = outcomes.get(cell.metadata.get("course", {}).get("check", ""))
        if outcome is None:
            if cell.id not in outcomes:
                cell.outputs, cell.execution_count = [], None
            continue
        if outcome.state == "passed":
            cell.outputs = [new_output("stream", name="stdout", text="✔ passed\n")]
        else:
            text = "… not answered yet" if outcome.state == "unanswered" else f"✘ {outcome.hint}"
            error = {"ename": "NotPassed", "evalue": text, "traceback": [text]}
            cell.outputs = [new_output("error", **error)]
    return notebook


@dataclass(frozen=True)
class Mark:
    """What the gradebook holds for a written answer."""

    waits: bool  # for a person
    score: float | None
    comment: str = ""


def written(out: Path) -> dict[tuple[str, str], dict[str, Mark]]:
    """The written answers' marks by student and lesson, then exercise."""
    from nbgrader.api import Gradebook

    found: dict[tuple[str, str], dict[str, Mark]] = {}
    if not (out / "gradebook.db").exists():
        return found
    with Gradebook(f"sqlite:///{out / 'gradebook.db'}") as opened:
        for assignment in opened.assignments:
            for submission in assignment.submissions:
                for notebook in submission.notebooks:
                    comments = {comment.name: comment.comment or "" for comment in notebook.comments}
                    found[submission.student.id, assignment.name] = {
                        grade.name: Mark(
                            grade.needs_manual_grade, grade.manual_score, comments.get(grade.name, "")
                        )
                        for grade in notebook.grades
                        if grade.cell.cell_type == "markdown"
                    }
    return found
