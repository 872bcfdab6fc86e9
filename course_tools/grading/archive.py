"""Reads zip files that strangers made: in memory, never unpacked, with limits."""

import contextlib
import functools
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

MOST_MEMBERS = 20_000
MOST_BYTES = 300_000_000  # of one member
MOST_TOTAL = 3_000_000_000  # of one archive, unpacked
MOST_NESTED = 1_000_000_000  # of the zips in it, which are kept in memory
MOST_RATIO = 200  # unpacked to packed; notebooks with pictures reach 10, text 50
DEPTH = 3  # a download that holds students' zips


@dataclass(frozen=True)
class Member:
    """One file of an archive that may be read, or why it may not."""

    parts: tuple[str, ...]  # folders and name
    time: datetime | None
    read: Callable[[], bytes] = bytes  # unpacks it: what is not needed at once takes no memory
    problem: str = ""
    size: int = 0


class Budget:
    """What may still be unpacked of an archive and of those inside it."""

    def __init__(self):
        self.total, self.nested = MOST_TOTAL, MOST_NESTED

    def allows(self, size: int, nested: bool) -> bool:
        self.total -= size
        self.nested -= size if nested else 0
        return min(self.total, self.nested) >= 0


def members(
    data: bytes, wanted: tuple[str, ...], budget: Budget, folder: tuple[str, ...] = ()
) -> Iterator[Member]:
    """The files whose names end in `wanted` ("" for all); a problem has no content, and none is raised.

    Args:
        data: the zip file.
        wanted: endings of names, in lower case.
        budget: what may be unpacked; only files that are looked at count.
        folder: the folder of the zip file to look into; () is all of it.
    """
    try:
        packed = zipfile.ZipFile(io.BytesIO(data))  # stays open: members are read later
        yield from _members(packed, wanted, budget, folder)
    except Exception as error:  # zipfile raises many kinds on broken files
        yield Member((), None, problem=f"the zip file cannot be read: {type(error).__name__}")


def _members(
    packed: zipfile.ZipFile, wanted: tuple[str, ...], budget: Budget, folder: tuple[str, ...]
) -> Iterator[Member]:
    entries = packed.infolist()
    if len(entries) > MOST_MEMBERS:
        yield Member((), None, problem=f"the zip file holds more than {MOST_MEMBERS:,} files")
        return
    for entry in entries:
        name = _name(entry).replace("\\", "/")
        parts = PurePosixPath(name).parts
        if entry.is_dir() or not name.lower().endswith(wanted):
            continue
        if hidden(parts) or parts[: len(folder)] != folder:
            continue
        if name.startswith("/") or ".." in parts or parts[0][1:2] == ":":
            yield Member(parts[-1:], None, problem="its path in the zip file leads out of it")
            continue
        if entry.external_attr >> 28 == 0o12:
            yield Member(parts, None, problem="it is a symbolic link")
            continue
        ratio = entry.file_size / max(1, entry.compress_size)
        if (
            entry.file_size > MOST_BYTES
            or (entry.file_size > 5e6 and ratio > MOST_RATIO)
            or not budget.allows(entry.file_size, name.lower().endswith(".zip"))
        ):
            yield Member(parts, None, problem="it is too large when unpacked (a zip bomb?)")
            continue
        try:
            _look(packed, entry)
        except Exception as error:
            yield Member(parts, None, problem=f"it cannot be unpacked: {type(error).__name__}")
            continue
        yield Member(parts, _time(entry), functools.partial(_read, packed, entry), size=entry.file_size)


def _name(entry: zipfile.ZipInfo) -> str:
    """The entry's name; macOS writes UTF-8 without saying so, which `zipfile` reads as cp437."""
    if not entry.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            return entry.filename.encode("cp437").decode("utf-8")
    return entry.filename


def _time(entry: zipfile.ZipInfo) -> datetime | None:
    """The entry's time; None where the program that packed it wrote none."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime(*entry.date_time).astimezone()
    return None


def _look(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Unpacks an entry without keeping it: raises where it is damaged, or larger than declared."""
    left = entry.file_size
    with packed.open(entry) as file:
        while part := file.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise zipfile.BadZipFile


def _read(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with packed.open(entry) as file:
        return file.read(entry.file_size)


def hidden(parts: tuple[str, ...]) -> bool:
    """Whether a path is a program's own: macOS' copies, Jupyter's checkpoints, hidden files."""
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts)
