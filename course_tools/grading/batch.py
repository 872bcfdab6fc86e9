"""A whole class: its submissions are graded side by side, and each result is stored at once."""

import hashlib
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..errors import CourseError
from ..project import Project
from . import answers, collect, gradebook, notebook, repair, results
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


def grade_all(whole: Class, found: list[Submission], jobs: int, due: datetime | None) -> None:
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
