"""Finds the submissions in a folder or a zip file, under all the names that they come with."""

import contextlib
import hashlib
import os
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import CourseError
from . import archive, names
from .beside import Beside, nothing, of_folder, of_zip

ENDINGS = (".ipynb", ".zip")


@dataclass(frozen=True)
class Submission:
    """One student's file for one lesson."""

    student: str
    lesson: str  # "" when neither its name nor its content tells
    origin: str  # where it lay, for the teacher
    time: datetime | None
    read: Callable[[], bytes]
    problem: str = ""  # why it cannot be read
    number: str = ""  # the learning system's number of the student
    named: bool = False  # a name tells the student, and not only a folder around it
    marked_late: bool = False
    notes: tuple[str, ...] = field(default=())
    doubts: tuple[str, ...] = ()  # why a person should look whose it is
    folder: tuple[str, ...] = ()  # in which it lay
    beside: Callable[[], Beside] = nothing  # the other files in it, where it is the student's own


def collect(folder: Path, lessons: Iterable[str]) -> list[Submission]:
    """All submissions, one for each student and lesson: of several the newest.

    Args:
        folder: the folder, or a zip file as a learning system gives it.
        lessons: names of the known lessons.

    Raises:
        CourseError: there is no such folder, or no notebook in it.
    """
    if not folder.exists():
        raise CourseError(f"{folder} does not exist. Name the folder (or the zip file) with the submissions.")
    lessons = list(lessons)
    found = list(_file(folder, (), lessons) if folder.is_file() else _walk(folder, (), lessons, folder))
    if not found:
        raise CourseError(f"no notebook (.ipynb) and no zip file in {folder}.")
    found += _without_notebook(folder, found, lessons)
    return newest(_own_folders(_tell_apart(found)))


def _without_notebook(folder: Path, found: list[Submission], lessons: list[str]) -> Iterator[Submission]:
    """Students whom a learning system names, and of whom there is neither a notebook nor a zip file."""
    seen = {(one.student, one.number) for one in found}
    for parts in sorted(_files(folder)):
        student, _, number, _ = _who(tuple(map(names.readable, parts)), lessons, folder)
        if number and (student, number) not in seen and not archive.hidden(parts):
            seen.add((student, number))
            yield _problem(parts, lessons, folder, "neither a notebook (.ipynb) nor a zip file was handed in")


def _files(folder: Path) -> list[tuple[str, ...]]:
    """The paths of all files in a folder or a zip file; none where they cannot be listed."""
    if folder.is_dir():
        return [
            Path(at, name).relative_to(folder).parts for at, _, files in os.walk(folder) for name in files
        ]
    with contextlib.suppress(Exception), zipfile.ZipFile(folder) as packed:
        return [PurePosixPath(name).parts for name in packed.namelist() if not name.endswith("/")]
    return []


def _walk(folder: Path, parts: tuple[str, ...], lessons: list[str], root: Path) -> Iterator[Submission]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield _problem((*parts, "_"), lessons, root, f"its folder cannot be read: {error.strerror}")
        return
    for path in paths:
        inner = (*parts, path.name)
        if archive.hidden(inner[-1:]):
            continue
        if path.is_symlink():
            if path.name.lower().endswith(ENDINGS) or names.split(path.stem, lessons)[1] or not parts:
                yield _problem(inner, lessons, root, "it is a symbolic link, which is not followed")
        elif path.is_dir():
            yield from _walk(path, inner, lessons, root)
        elif path.is_file() and path.name.lower().endswith(ENDINGS):
            yield from _file(path, inner, lessons, root)


def _file(
    path: Path, parts: tuple[str, ...], lessons: list[str], root: Path | None = None
) -> Iterator[Submission]:
    parts, root = parts or (path.name,), root or path.with_suffix("")
    if path.stat().st_size > 10 * archive.MOST_BYTES:
        yield _problem(parts, lessons, root, "the file is larger than 3 GB")
    elif path.name.lower().endswith(".zip"):
        inner = parts if len(parts) > 1 or root.is_dir() else ()
        yield from _zip(path.read_bytes(), inner, lessons, root)
    else:
        time = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
        one = _one(parts, lessons, root, time, path.read_bytes)
        yield replace(one, beside=partial(of_folder, path.parent))


def _zip(
    data: bytes,
    parts: tuple[str, ...],
    lessons: list[str],
    root: Path,
    depth: int = 1,
    budget: archive.Budget | None = None,
):
    """The submissions in a zip file; the file that the command names (no parts) is the class's."""
    folders = (*parts[:-1], parts[-1][: -len(".zip")]) if parts else ()
    found: list[Submission] = []
    budget = budget or archive.Budget()
    for member in archive.members(data, ENDINGS, budget):
        inner = (*folders, *member.parts)
        if member.problem:
            found.append(_problem(inner or (f"{root.name}.zip",), lessons, root, member.problem))
        elif not inner[-1].lower().endswith(".zip"):
            one = _one(inner, lessons, root, member.time, member.read)
            found.append(replace(one, beside=partial(of_zip, data, member.parts[:-1])))
        elif depth < archive.DEPTH:
            own = budget if parts else None  # a student's bomb costs the class's other zips nothing
            found += _zip(member.read(), inner, lessons, root, depth + 1, own)
    if not found and parts:
        found.append(_problem(parts, lessons, root, "the zip file holds no notebook"))
    return _owned(found, folders, lessons, root) if parts else found


def _owned(found: list[Submission], folders: tuple[str, ...], lessons: list[str], root: Path):
    """One student's zip file is named like the student, or lies in the student's folder."""
    students = defaultdict(set)
    for one in found:
        students[one.lesson].add(one.student)
    if any(len(several) > 1 for several in students.values()):
        return found  # a whole class is in it
    owner = folders[:-1] if len(folders) > 1 else folders
    student = _who((*owner, "_"), lessons, root)[0]
    return [one if one.named else replace(one, student=student) for one in found]


def _one(parts: tuple[str, ...], lessons: list[str], root: Path, time: datetime | None, read) -> Submission:
    parts = tuple(map(names.readable, parts))
    student, lesson, number, named = _who(parts, lessons, root)
    late = any(names.is_late(part) for part in parts)
    origin = "/".join(parts)
    return Submission(student, lesson, origin, time, read, "", number, named, late, folder=parts[:-1])


def _problem(parts: tuple[str, ...], lessons: list[str], root: Path, problem: str) -> Submission:
    return replace(_one(parts, lessons, root, None, bytes), problem=problem)


def _who(parts: tuple[str, ...], lessons: list[str], root: Path) -> tuple[str, str, str, bool]:
    """Student, lesson and number, and whether a name tells the student: not only as the nearest folder."""
    stems = [Path(parts[-1]).stem, *reversed(parts[:-1])]  # the nearest first
    told = [names.split(stem.removesuffix(".ipynb"), lessons) for stem in stems]
    lesson = next((its_lesson for _, its_lesson, _ in told if its_lesson), "")
    # A learning system's own name stands outermost; what lies in it was named by the student.
    for student, _, number in [*(entry for entry in reversed(told) if entry[2]), *told]:
        if student:
            return names.safe(student), lesson, number, True
    folders = zip(stems[1:], told[1:], strict=True)
    folder = next((s for s, entry in folders if not entry[1] and not names.released(s)), "")
    return names.safe(folder or names.readable(root.resolve().name)), lesson, "", False


def _tell_apart(found: list[Submission]) -> list[Submission]:
    """Two students of one name get their numbers added."""
    numbers = defaultdict(set)
    for one in found:
        if one.number:
            numbers[one.student, one.lesson].add(one.number)
    double = {student for (student, _), several in numbers.items() if len(several) > 1}
    return [
        replace(one, student=f"{one.student} {one.number}") if one.student in double and one.number else one
        for one in found
    ]


def _own_folders(found: list[Submission]) -> list[Submission]:
    """Only in a folder that holds one student's work alone, the other files are that student's."""
    students = defaultdict(set)
    for one in found:
        for depth in range(len(one.folder) + 1):
            students[one.folder[:depth]].add(one.student)
    return [
        one if one.folder and len(students[one.folder]) == 1 else replace(one, beside=nothing)
        for one in found
    ]


def newest(found: list[Submission]) -> list[Submission]:
    """One submission for each student and lesson."""
    groups = defaultdict(list)
    for one in found:
        groups[one.student, one.lesson or one.origin].append(one)
    chosen = []
    for several in groups.values():
        readable = [one for one in several if not one.problem] or several
        best = max(readable, key=lambda one: (one.time.timestamp() if one.time else 0, one.origin))
        notes = tuple(
            f"{other.origin} was handed in, too"
            + (f"; {other.problem}." if other.problem else "; the newest file counts.")
            for other in several
            if other is not best
        )
        places = {one.number or one.folder[:1] for one in several}
        origins = ", ".join(sorted(one.origin for one in several))
        doubts = (f"files of this student lie in several folders ({origins})",) if len(places) > 1 else ()
        chosen.append(replace(best, notes=(*best.notes, *notes), doubts=doubts))
    return sorted(chosen, key=lambda one: (one.student, one.lesson))


def digest(data: bytes) -> str:
    """SHA-256 of a submission."""
    return hashlib.sha256(data).hexdigest()
