"""Reads zip files that strangers made: in memory, never unpacked, with limits."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

MOST_MEMBERS = 20_000
MOST_BYTES = 300_000_000  # of one member
MOST_TOTAL = 3_000_000_000  # of one archive, unpacked
MOST_RATIO = 200  # unpacked to packed; notebooks with pictures reach 10, text 50
DEPTH = 3  # a download that holds students' zips


@dataclass(frozen=True)
class Member:
    """One file of an archive that may be read, or why it may not."""

    parts: tuple[str, ...]  # folders and name
    time: datetime | None
    data: bytes = b""
    problem: str = ""


def members(data: bytes, wanted: tuple[str, ...]) -> Iterator[Member]:
    """The files whose names end in `wanted`; a problem has empty data, and none is ever raised."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield from _members(packed, wanted)
    except Exception as error:  # zipfile raises many kinds on broken files
        yield Member((), None, problem=f"the zip file cannot be read: {type(error).__name__}")


def _members(packed: zipfile.ZipFile, wanted: tuple[str, ...]) -> Iterator[Member]:
    entries = packed.infolist()
    if len(entries) > MOST_MEMBERS:
        yield Member((), None, problem=f"the zip file holds more than {MOST_MEMBERS:,} files")
        return
    total = 0
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        if entry.is_dir() or not name.lower().endswith(wanted):
            continue
        if hidden(parts):
            continue
        if name.startswith("/") or ".." in parts or ":" in parts[0]:
            yield Member(parts[-1:], None, problem="its path in the zip file leads out of it")
            continue
        if entry.external_attr >> 28 == 0o12:
            yield Member(parts, None, problem="it is a symbolic link")
            continue
        total += entry.file_size
        ratio = entry.file_size / max(1, entry.compress_size)
        if (
            entry.file_size > MOST_BYTES
            or total > MOST_TOTAL
            or (entry.file_size > 5e6 and ratio > MOST_RATIO)
        ):
            yield Member(parts, None, problem="it is too large when unpacked (a zip bomb?)")
            continue
        try:
            with packed.open(entry) as file:
                content = file.read(entry.file_size + 1)  # what is declared, whatever the archive then holds
            if len(content) > entry.file_size:
                raise zipfile.BadZipFile
            time = datetime(*entry.date_time).astimezone()
        except Exception as error:
            yield Member(parts, None, problem=f"it cannot be unpacked: {type(error).__name__}")
            continue
        yield Member(parts, time, content)


def hidden(parts: tuple[str, ...]) -> bool:
    """Whether a path is a program's own: macOS' copies, Jupyter's checkpoints, hidden files."""
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts)
