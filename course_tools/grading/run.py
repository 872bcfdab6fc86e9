"""`course grade`: collects, repairs, grades side by side, and writes everything."""

import contextlib
import hashlib
import queue
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..build import _hashes
from ..errors import CourseError
from ..project import Project
from . import (
    answers,
    collect,
    feedback,
    gradebook,
    notebook,
    released,
    repair,
    results,
    sandbox,
    summary,
    table,
)
from .collect import Submission
from .limits import Limits
from .released import Release
from .results import Result
from .servers import Server
from .witness import Witness


@dataclass
class Class:
    """A whole run: what it grades with, and what has come out."""

    project: Project
    out: Path
    limits: Limits
    closed: bool
    console: Console
    releases: dict[str, Release]
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    late: set[tuple[str, str]] = field(default_factory=set)
    again: int = 0  # submissions whose earlier result is still right
    witness: Witness | None = None  # without the sandbox
    library: str = ""  # hash of course_lib
    stopped: bool = False  # what is still running counts no more
    lock: threading.Lock = field(default_factory=threading.Lock)


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
        jobs: submissions at a time.
        due: files newer than this (a time, or the end of a day) are marked late.
        limits: of time, memory, processes and output.
        closed: grade in the sandbox; None: where it works.

    Raises:
        CourseError: no submissions, unknown lessons, or `out` cannot be written.
    """
    console = console or Console()
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
    end = deadline(due) if due else None
    found = collect.collect(submissions, [lesson.name for lesson in project.lessons])
    whole = Class(project, out, limits or Limits(), closed, console, {})
    _prepare(whole, found, [lesson.name for lesson in project.find(lessons or [])])
    with _only_one(out):
        if not closed:
            parts = ("solutions", "notebooks", "course_lib", "course_tools")
            whole.witness = Witness([out, submissions, *(project.root / part for part in parts)])
        _grade_all(whole, [one for one in found if one.lesson in whole.releases or not one.lesson], jobs, end)
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


def _prepare(whole: Class, found: list[Submission], wanted: list[str]) -> None:
    """Loads the lessons that may be needed and puts them into the gradebook."""
    named = {one.lesson for one in found if one.lesson}
    unknown = any(not one.lesson for one in found)
    chosen = [lesson for lesson in whole.project.lessons if lesson.name in wanted]
    if unknown:  # any lesson that is built may be meant
        chosen = [lesson for lesson in chosen if lesson.name in named or lesson.notebook.exists()]
    else:
        chosen = [lesson for lesson in chosen if lesson.name in named]
    if not chosen:
        raise CourseError(f"no submission is for {', '.join(wanted)}.")
    whole.releases = {lesson.name: released.load(lesson, whole.project) for lesson in chosen}
    whole.library = _hashes(chosen[0], whole.project)["library_sha256"]
    gradebook.prepare(whole.out)
    for release in whole.releases.values():
        released.write_to_gradebook(release, whole.project, whole.out / "gradebook.db")


def _grade_all(whole: Class, found: list[Submission], jobs: int, due: datetime | None) -> None:
    """Grades what is new, `jobs` at a time, and stores each result at once."""
    imports = {name: release.imports for name, release in whole.releases.items()}
    servers: queue.SimpleQueue[Server] = queue.SimpleQueue()
    made = [Server(imports, whole.limits, closed=whole.closed) for _ in range(max(1, min(jobs, len(found))))]
    for server in made:
        servers.put(server)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=whole.console, transient=True) as bars:
        bar = bars.add_task("Submissions", total=len(found))

        def work(one: Submission) -> None:
            server = servers.get()
            try:
                _one(whole, one, server, due)
            finally:
                servers.put(server)
                bars.advance(bar)

        pool = ThreadPoolExecutor(max_workers=len(made))
        try:
            for named in (True, False):  # a file whose name tells its lesson goes before
                waiting = [pool.submit(work, one) for one in found if bool(one.lesson) == named]
                for future in waiting:
                    future.result()
        except BaseException:
            whole.stopped = True
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for server in made:
                server.close()
            pool.shutdown(wait=True)


def _one(whole: Class, one: Submission, server: Server, due: datetime | None) -> None:
    """Grades one submission, unless its result is there already, and stores the result."""
    result = Result(one.student, one.lesson, "", notes=list(one.notes), closed=whole.closed)
    graded = None
    try:
        student = _read(whole, one, result)
        if earlier := _earlier(whole, one, result):
            result = earlier
        else:
            graded = _grade(whole, result, student, server)
    except notebook.Unreadable as reason:
        result.problem = str(reason)
    except CourseError:
        raise
    except Exception as error:  # a fault of ours; the others must not suffer
        result.problem = f"the grader failed on it ({type(error).__name__}: {error}); please report this"
        result.key = ""  # the next run tries again
    with whole.lock:
        if whole.stopped:
            return
        _store(whole, one, result, graded)
        if one.marked_late or (due and one.time and one.time > due):
            whole.late.add((result.student, result.lesson))


def _read(whole: Class, one: Submission, result: Result) -> notebook.Notebook:
    """The submission's notebook; sets the result's lesson and key."""
    if one.problem:
        raise notebook.Unreadable(one.problem)
    try:
        data = one.read()
    except OSError as error:
        raise notebook.Unreadable(f"it cannot be read: {error.strerror}") from None
    student = notebook.read(data)
    if not one.lesson:
        lesson = repair.lesson_of(student, whole.releases)
        if not lesson or (one.student, lesson) in whole.results:
            raise notebook.Unreadable(f"neither name nor content of {one.origin} tells another lesson")
        result.lesson = lesson
        result.notes.append(f"The file's name, {one.origin}, does not tell the lesson; its content does.")
    parts = [collect.digest(data), whole.releases[result.lesson].digest, str(results.VERSION)]
    parts += [repr(whole.limits), str(whole.closed), whole.library]
    result.key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return student


def _earlier(whole: Class, one: Submission, result: Result) -> Result | None:
    """The result of an earlier run, if nothing has changed since and the gradebook has it."""
    earlier = results.load(whole.out, result.student, result.lesson, result.key)
    if not earlier or not gradebook.path(whole.out, result.student, result.lesson).exists():
        return None
    earlier.notes = [*result.notes, *(note for note in earlier.notes if note not in result.notes)]
    return earlier


def _grade(whole: Class, result: Result, student: notebook.Notebook, server: Server) -> NotebookNode:
    """Fills the result; returns the executed notebook."""
    release = whole.releases[result.lesson]
    repaired = repair.repair(student, release)
    result.notes += repaired.notes
    result.tampered = repaired.tampered
    begin = time.monotonic()
    result.outcomes = answers.grade(repaired, release, server)
    result.seconds = round(time.monotonic() - begin, 2)
    for exercise in release.exercises:
        text = repaired.answers[exercise.name]
        if exercise.written and text.strip() != exercise.stub.strip():
            result.written[exercise.name] = text
    return repaired.notebook


def _store(whole: Class, one: Submission, result: Result, graded: NotebookNode | None) -> None:
    """Puts the marks into gradebook and file, one submission at a time."""
    if graded is not None:
        if whole.witness:  # of two that ran at a time, both are reported
            result.tampered += [f"while it ran, {name} was changed" for name in whole.witness.changed()[:5]]
        gradebook.record(result, graded, whole.releases[result.lesson], whole.out, one.time)
    elif result.readable:
        whole.again += 1
    before = whole.results.get((result.student, result.lesson))
    if before and not result.lesson:  # several files of one student tell no lesson
        result.problem = f"{before.problem}; {result.problem}"
    results.save(result, whole.out)
    whole.results[result.student, result.lesson] = result
    if whole.witness:
        whole.witness.changed()  # our own writing


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
        whole.console.print(f"  {whole.out / name}", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _only_one(out: Path):
    """Two runs never grade into one folder at a time."""
    import fcntl

    out.mkdir(parents=True, exist_ok=True)
    with open(out / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CourseError(
                f"another `course grade` is writing into {out}: wait for it, or name another --out."
            ) from None
        yield
