"""`course grade`: collects, grades, and writes everything."""

import contextlib
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

from rich.console import Console

from course_lib.session import cores

from ..build import hashes
from ..errors import CourseError
from ..project import Project
from . import collect, feedback, gradebook, released, results, sandbox, summary, table
from .batch import Class, grade_all
from .collect import Submission
from .limits import Limits
from .results import Result
from .witness import Witness


def grade(
    submissions: Path,
    project: Project,
    *,
    lessons: list[str] | None = None,
    out: Path,
    jobs: int = 1,
    due: str | None = None,
    limits: Limits | None = None,
    closed: bool | None = None,
    console: Console | None = None,
) -> Class:
    """Grades a folder (or zip file) of submissions into `out`; what was graded before is not graded again.

    Args:
        submissions: what students or a learning system handed over.
        lessons: only these lessons; None takes all.
        out: folder for grades.csv, the pages and the gradebook.
        jobs: submissions at a time; never more than the cores that may be used, since time limits would
            then strike honest answers.
        due: files newer than this (a time, or the end of a day) are marked late.
        limits: of time, memory, processes and output.
        closed: grade in the sandbox; None: where it works.

    Raises:
        CourseError: no submissions, unknown lessons, or `out` cannot be written.
    """
    console = console or Console()
    if sys.platform == "win32":
        raise CourseError(
            "grading needs Linux or macOS. On Windows, use WSL (the Windows Subsystem for Linux)."
        )
    if submissions.resolve() == out.resolve() or submissions.resolve() in out.resolve().parents:
        raise CourseError(f"--out {out} lies inside {submissions}: name a folder elsewhere.")
    if closed is None:
        closed = not (reason := sandbox.works())
        if not closed:
            console.print(
                f"[yellow]![/] Students' code is not closed off: {reason}. Time, memory, processes and "
                "output are limited, but it can read this computer's files. See docs/grading.md.",
                highlight=False,
            )
    if jobs > (most := cores()):
        console.print(f"[yellow]![/] {jobs} jobs on {most} cores: {most} are used.", highlight=False)
        jobs = most
    end = deadline(due) if due else None
    found = collect.collect(submissions, [lesson.name for lesson in project.lessons])
    whole = Class(project, out, limits or Limits(), closed, console, {})
    _load(whole, found, [lesson.name for lesson in project.find(lessons or [])])
    with _only_one(out):
        gradebook.prepare(out)
        for release in whole.releases.values():
            released.write_to_gradebook(release, project, out / "gradebook.db")
        if not closed:
            files = [f for r in whole.releases.values() for f in (r.lesson.source, r.lesson.notebook)]
            whole.witness = Witness([out, submissions, project.root / "course_lib", *files])
        grade_all(whole, [one for one in found if one.lesson in whole.releases or not one.lesson], jobs, end)
        rows = finish(whole)
    _say(whole, rows)
    return whole


def deadline(text: str) -> datetime:
    """The last moment that is not late; a day alone means its end.

    Raises:
        CourseError: the text is no time.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CourseError(
            f'--due {text!r} is no time. Write a day, "2026-11-20", or a time, "2026-11-20 18:00".'
        ) from None
    if len(text.strip()) <= 10:
        time = time.replace(hour=23, minute=59, second=59)
    return time.astimezone()


def _load(whole: Class, found: list[Submission], wanted: list[str]) -> None:
    """Loads the lessons that may be needed."""
    named = {one.lesson for one in found if one.lesson}
    unknown = not named or any(not one.lesson and not one.problem for one in found)
    chosen = [lesson for lesson in whole.project.lessons if lesson.name in wanted]
    if not unknown:  # else any lesson that is built may be meant
        chosen = [lesson for lesson in chosen if lesson.name in named]
    if not chosen:
        raise CourseError(f"no submission is for {', '.join(wanted)}.")
    for lesson in chosen:
        try:
            whole.releases[lesson.name] = released.load(lesson, whole.project)
        except CourseError:
            if lesson.name in named:
                raise
    whole.library = hashes(chosen[0], whole.project)["library_sha256"]


def finish(whole: Class) -> list[dict]:
    """Adds who is missing, and writes the table and the pages."""
    students = {student for student, _ in whole.results}
    lessons = {lesson for _, lesson in whole.results if lesson}
    for student in students:
        for lesson in lessons:
            if (student, lesson) not in whole.results and any(
                s == student and r.readable for (s, _), r in whole.results.items()
            ):
                whole.results[student, lesson] = Result(student, lesson, "", missing=True)
    releases = {name: release for name, release in whole.releases.items() if name in lessons}
    marks = gradebook.written(whole.out)
    made = table.rows(whole.results.values(), releases, marks, whole.late)
    table.write(made, releases, whole.out / "grades.csv")
    every = list(whole.results.values())
    feedback.write(every, releases, marks, whole.out)
    summary.write(every, releases, made, whole.out)
    return made


def _say(whole: Class, rows: list[dict]) -> None:
    """What to read now."""
    counts = Counter(row["status"] for row in rows)
    parts = [f"{counts[status]} {status}" for status in results.STATUSES if counts[status]]
    again = f" ({whole.again} unchanged since last time)" if whole.again else ""
    whole.console.print(f"[green]✔[/] {len(rows)} rows{again}: {', '.join(parts)}", highlight=False)
    for name in ("grades.csv", "summary.html", "feedback"):
        whole.console.print(f"  {whole.out / name}", highlight=False, soft_wrap=True, markup=False)
    stored = {path.stem for path in (whole.out / "results").glob("*/*.json")}
    if others := sorted(stored - {lesson or "unknown" for _, lesson in whole.results}):
        whole.console.print(
            f"[yellow]![/] These show this run only, and no longer {', '.join(others)}, graded earlier. "
            "Put all downloads into one folder and grade that, or give each lesson an --out of its own.",
            highlight=False,
        )


@contextlib.contextmanager
def _only_one(out: Path):
    """Two runs never grade into one folder at a time."""
    import fcntl

    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".lock").touch()
    except OSError as error:
        raise CourseError(f"cannot write into --out {out}: {error.strerror}. Name another folder.") from None
    with open(out / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CourseError(
                f"another `course grade` is writing into {out}: wait for it, or name another --out."
            ) from None
        yield
