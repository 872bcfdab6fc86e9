"""Writing files so that a failure leaves nothing half-written."""

import contextlib
import csv
import errno
import io
import os
from collections.abc import Iterable
from pathlib import Path

from .errors import CourseError


def write_all(texts: dict[Path, str | bytes]) -> None:
    """Writes all files or none: first aside, then by renaming.

    Raises:
        CourseError: a folder cannot be written or the disk is full.
    """
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}.new") for path in texts}
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():  # renaming would notice it only after other files were replaced
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            content = text if isinstance(text, bytes) else text.encode("utf-8")  # \n stays \n everywhere
            aside[path].write_bytes(content)
        for path, temporary in aside.items():
            os.replace(temporary, path)
    except OSError as error:
        raise CourseError(
            f"cannot write {error.filename or path}: {error.strerror}. "
            "Make the folder writable or free some space."
        ) from None
    finally:
        for temporary in aside.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def read_csv(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows; none when the file does not exist."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def csv_text(columns: Iterable[str], rows: Iterable[dict]) -> str:
    """A CSV file's text, with Unix line ends."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
