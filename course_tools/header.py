"""The lines below a lesson's title: reading and run time, the lessons around it, the Colab badge."""

import copy
import platform
from datetime import date
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from .files import csv_text, read_csv, write_all
from .project import Lesson, Project

WORDS_PER_MINUTE, CODE_LINES_PER_MINUTE = 150, 30  # reading, not in one's first language
COLUMNS = ("lesson", "profile", "run_seconds", "reading_minutes", "cores", "machine", "python", "date")
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"


def with_header(notebook: NotebookNode, lesson: Lesson, project: Project) -> NotebookNode:
    """A copy of the notebook with the facts below its title."""
    notebook = copy.deepcopy(notebook)
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{facts(lesson, project)}\n\n{rest.lstrip()}"
    return notebook


def facts(lesson: Lesson, project: Project) -> str:
    """The line below the title."""
    parts = [_times(lesson, project)]
    place = project.lessons.index(lesson)
    if place > 0:
        parts.append(f"previous: {_link(project.lessons[place - 1])}")
    if place + 1 < len(project.lessons):
        parts.append(f"next: {_link(project.lessons[place + 1])}")
    if address := project.settings.get("repository", "").rstrip("/"):
        branch = project.settings.get("branch", "main")
        page = f"{address.removeprefix('https://github.com/')}/blob/{branch}/notebooks/{lesson.name}.ipynb"
        parts.append(f"{BADGE}(https://colab.research.google.com/github/{page})")
    return " · ".join(parts)


def write_times(notebook: NotebookNode, seconds: float, lesson: Lesson, project: Project) -> None:
    """Replaces the lesson's row (quick profile) of data/measured/times.csv."""
    from course_lib.session import report

    machine = report()
    row = {
        "lesson": lesson.name,
        "profile": "quick",
        "run_seconds": round(seconds),
        "reading_minutes": reading_minutes(notebook),
        "cores": machine.cores,
        "machine": machine.gpus[0] if machine.gpus else "CPU",
        "python": platform.python_version(),
        "date": date.today().isoformat(),
    }
    path = _path(project)
    rows = [r for r in read_csv(path) if (r["lesson"], r["profile"]) != (lesson.name, "quick")]
    write_all({path: csv_text(COLUMNS, sorted([*rows, row], key=lambda r: (r["lesson"], r["profile"])))})


def reading_minutes(notebook: NotebookNode) -> int:
    """Minutes to read the text and the code once, from the counts of words and code lines."""
    words = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "markdown")
    code = [
        c for c in notebook.cells if c.cell_type == "code" and "setup" not in c.metadata.get("course", {})
    ]
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    return max(1, round(words / WORDS_PER_MINUTE + lines / CODE_LINES_PER_MINUTE))


def _path(project: Project) -> Path:
    return project.measured / "times.csv"


def _times(lesson: Lesson, project: Project) -> str:
    for row in read_csv(_path(project)):
        if (row["lesson"], row["profile"]) == (lesson.name, "quick"):
            where = f"{row['cores']} CPU cores" if row["machine"] == "CPU" else row["machine"]
            return (
                f"Reading {row['reading_minutes']} min · run {row['run_seconds']} s (quick profile, {where})"
            )
    return "Reading and run time: not measured"


def _link(lesson: Lesson) -> str:
    return f"[{lesson.number} · {lesson.title}]({lesson.name}.ipynb)"
