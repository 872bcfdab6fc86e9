"""The other files of a student's own folder, which an answer may read: data, or a module of their own."""

import os
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from . import archive
from .inside.audit import COMPILED

MOST_FILES, MOST_BYTES, MOST_DEPTH = 50, 10_000_000, 3  # together; a file's own folders
NOT_GIVEN = (".ipynb", ".zip")
MOST_SEEN = 2000  # entries of a folder that are looked at


@dataclass
class Beside:
    """Files by their path in the notebook's folder; and why others are not given."""

    files: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def of_folder(folder: Path) -> Beside:
    """What lies in a folder beside a notebook, and in the folders in it that hold no notebook."""
    entries = []
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder).parts
        folders[:] = sorted(folders) if len(here) < MOST_DEPTH else []
        for name in sorted(names):
            path = Path(place, name)
            about = path.lstat()
            plain = stat.S_ISREG(about.st_mode)
            entries.append(((*here, name), about.st_size, path.read_bytes if plain else None))
        if len(entries) > MOST_SEEN:
            break
    return _chosen(entries)


def of_zip(data: bytes, folder: tuple[str, ...]) -> Beside:
    """The same of a folder in a zip file."""
    entries = []
    for member in archive.members(data, ("",), archive.Budget(), folder):
        inner = member.parts[len(folder) :]
        if member.parts[: len(folder)] == folder and inner:  # a problem may have other parts
            entries.append((inner, member.size, None if member.problem else member.read))
    return _chosen(entries)


def _chosen(entries: Iterable[tuple[tuple[str, ...], int, Callable[[], bytes] | None]]) -> Beside:
    entries = [entry for entry in entries if not archive.hidden(entry[0])]
    others = {parts[0] for parts, _, _ in entries if len(parts) > 1 and parts[-1].lower().endswith(NOT_GIVEN)}
    found, total = Beside(), 0
    for parts, size, read in entries:
        if parts[0] in others or parts[-1].lower().endswith(NOT_GIVEN) or len(parts) > MOST_DEPTH:
            continue
        if "__pycache__" in parts[:-1]:  # Python's own copies of the modules beside it
            continue
        name = "/".join(parts)
        if read is None:
            found.left[name] = "it is a link or damaged"
        elif name.lower().endswith(COMPILED):
            found.left[name] = "it is compiled code"
        elif _shadows(parts):
            found.left[name] = "it has the name of a library"
        elif len(found.files) >= MOST_FILES or total + size > MOST_BYTES:
            found.left[name] = f"only {MOST_FILES} files with {MOST_BYTES / 1e6:.0f} MB together are given"
        else:
            total += size
            found.files[name] = read()
    return found


def _shadows(parts: tuple[str, ...]) -> bool:
    """Whether Python would import it, or what lies in its folder, instead of a library."""
    top = parts[0].split(".")[0]
    if len(parts) == 1 and not parts[0].endswith(".py"):
        return False
    spec = PathFinder.find_spec(top)
    return top in sys.stdlib_module_names or bool(spec and spec.origin)


def modules(files: Iterable[str]) -> frozenset[str]:
    """The names under which Python imports these files, or folders with such files."""
    return frozenset(name.split("/")[0].removesuffix(".py") for name in files if name.endswith(".py"))


def nothing() -> Beside:
    """Where the folder is not one student's own."""
    return Beside()
