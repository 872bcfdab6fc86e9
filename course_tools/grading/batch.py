"""A whole class: its submissions are graded side by side, and each result is stored at once."""

import contextlib
import hashlib
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..errors import CourseError
from ..project import Project
from . import answers, beside, code, collect, gradebook, names, notebook, repair, results, scan
from .beside import Beside
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
    found = _with_lessons(whole, found)
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
            for future in [pool.submit(work, one) for one in found]:
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
    result = Result(
        one.student, one.lesson, "", notes=list(one.notes), tampered=list(one.doubts), closed=whole.closed
    )
    graded = None
    try:
        student, near = _read(whole, one, result)
        if earlier := _earlier(whole, one, result):
            result = earlier
        else:
            graded = _grade(whole, result, student, near, server)
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


def _read(whole: Class, one: Submission, result: Result) -> tuple[notebook.Notebook, Beside]:
    """The submission's notebook and the files beside it; sets the result's key."""
    if one.problem:
        raise notebook.Unreadable(one.problem)
    try:
        data = one.read()
        near = one.beside()
    except OSError as error:
        raise notebook.Unreadable(f"it cannot be read: {error.strerror}") from None
    student = notebook.read(data)
    if not one.lesson:
        raise notebook.Unreadable(f"neither name nor content of {one.origin} tells another lesson")
    parts = [collect.digest(data), *(f"{name} {collect.digest(near.files[name])}" for name in near.files)]
    parts += [whole.releases[result.lesson].digest, str(results.VERSION)]
    parts += [repr(whole.limits), str(whole.closed), whole.library]
    result.key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return student, near


def _earlier(whole: Class, one: Submission, result: Result) -> Result | None:
    """The result of an earlier run, if nothing has changed since and the gradebook has it."""
    earlier = results.load(whole.out, result.student, result.lesson, result.key)
    if not earlier or not gradebook.path(whole.out, result.student, result.lesson).exists():
        return None
    earlier.notes = [*result.notes, *(note for note in earlier.notes if note not in result.notes)]
    earlier.tampered = [*result.tampered, *(t for t in earlier.tampered if t not in result.tampered)]
    return earlier


def _grade(
    whole: Class, result: Result, student: notebook.Notebook, near: Beside, server: Server
) -> NotebookNode:
    """Fills the result; returns the executed notebook."""
    release = whole.releases[result.lesson]
    repaired = repair.repair(student, release)
    result.notes += repaired.notes
    repaired.files = near.files
    result.tampered += repaired.tampered + _modules(student, near, release)
    text = "\n".join(cell.source for cell in student.cells if cell.kind == "code")
    result.notes += [
        f"The file {names.readable(name)} was not given to the code: {reason}."
        for name, reason in near.left.items()
        if Path(name).name in text
    ]
    begin = time.monotonic()
    result.outcomes = answers.grade(repaired, release, server)
    result.seconds = round(time.monotonic() - begin, 2)
    for exercise in release.exercises:
        text = repaired.answers[exercise.name]
        if exercise.written and text.strip() != exercise.stub.strip():
            result.written[exercise.name] = text
    return repaired.notebook


def _modules(student: notebook.Notebook, near: Beside, release: Release) -> list[str]:
    """What a teacher should look at in the student's own modules that the notebook, or one of them, names."""
    modules = {Path(name): code.text(content) for name, content in near.files.items() if name.endswith(".py")}
    waiting, named = ["\n".join(cell.source for cell in student.cells if cell.kind == "code")], set()
    while waiting:
        text = waiting.pop()
        new = {p for p in modules.keys() - named if p.stem in text or p.parts[0] in text}
        named |= new
        waiting += [modules[path] for path in new]
    own = beside.modules(near.files)
    return [
        f"{names.readable(path.as_posix())} {reason}"
        for path in sorted(named)
        for reason in scan.reasons(modules[path], release.code, release.imported, frozenset(), own)
    ]


def _with_lessons(whole: Class, found: list[Submission]) -> list[Submission]:
    """Looks into files whose names tell no lesson: one counts where no readable file has a telling name."""
    named = {(one.student, one.lesson): one for one in found if one.lesson}
    rest = []
    for one in found:
        if one.lesson:
            continue
        with contextlib.suppress(Exception):  # then it tells none, which `_read` says
            lesson = "" if one.problem else repair.lesson_of(notebook.read(one.read()), whole.releases)
            key = (one.student, lesson)
            if key in named:
                named[key] = _with_problem(named[key])
            if lesson and (key not in named or named[key].problem):
                note = f"The file's name, {one.origin}, does not tell the lesson; its content does."
                one = replace(one, lesson=lesson, notes=(note, *one.notes))
        rest.append(one)
    return collect.newest([*named.values(), *rest])


def _with_problem(one: Submission) -> Submission:
    """The same, and why it cannot be read, if it cannot."""
    if one.problem:
        return one
    try:
        notebook.read(one.read())
    except notebook.Unreadable as reason:
        return replace(one, problem=str(reason))
    return one


def _store(whole: Class, one: Submission, result: Result, graded: NotebookNode | None) -> None:
    """Puts the marks into gradebook and file, one submission at a time."""
    if graded is not None:
        if whole.witness:  # of two that ran at a time, both are reported
            changed = map(names.readable, whole.witness.changed()[:5])
            result.tampered += [f"while it ran, {name} was changed" for name in changed]
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
