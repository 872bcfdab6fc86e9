"""Reads a notebook whatever program saved it, and however large its outputs are."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

LARGE = 8_000_000  # bytes; a larger file is parsed by a process that may fail
MOST = 300_000_000
MEMORY = 4_000_000_000  # bytes of address space for that process
SECONDS = 60
MOST_CELLS, MOST_SOURCE = 3000, 400_000  # cells; characters of one cell


class Unreadable(Exception):
    """No notebook; the text says why."""


@dataclass
class Cell:
    """What grading needs of a cell."""

    kind: str  # "code" or "markdown" (a raw cell counts as markdown)
    source: str
    id: str = ""
    nbgrader: dict = field(default_factory=dict)
    lesson: str = ""


@dataclass
class Notebook:
    """A student's cells, and what was odd about the file."""

    cells: list[Cell]
    lesson: str = ""  # as its metadata say
    notes: list[str] = field(default_factory=list)


def read(data: bytes) -> Notebook:
    """The notebook in these bytes: nbformat 3 or 4, any Unicode encoding.

    Raises:
        Unreadable: it is empty, too large, not JSON, or not a notebook.
    """
    if not data.strip():
        raise Unreadable("the file is empty")
    if len(data) > MOST:
        raise Unreadable(f"the file is larger than {MOST / 1e6:.0f} MB")
    notes: list[str] = []
    if len(data) > LARGE:
        data = _without_outputs(data)
        notes.append("The file is very large; its outputs were left out.")
    return _notebook(_parse(data, notes), notes)


def _parse(data: bytes, notes: list[str]) -> object:
    encodings = ["utf-8"]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        encodings = ["utf-16", "utf-16-le", "utf-16-be"]
    elif data.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    for encoding in [*encodings, "cp1252", "latin-1"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError, MemoryError):
            raise Unreadable(_why(text)) from None
        if encoding != "utf-8":
            notes.append(f"The file was encoded as {encoding}, not as UTF-8.")
        return parsed
    raise Unreadable("the file is not text")


def _why(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if "<html" in start or "<!doctype" in start:
        return "the file is a web page (HTML), not a notebook: save it as .ipynb"
    if start.startswith(("{", "[")):
        return "the file is damaged: it begins like a notebook, but is not valid JSON"
    return "the file is not a notebook (not JSON)"


def _notebook(parsed: object, notes: list[str]) -> Notebook:
    if not isinstance(parsed, dict):
        raise Unreadable("the file is JSON, but not a notebook")
    cells = parsed.get("cells")
    if cells is None and isinstance(sheets := parsed.get("worksheets"), list):
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells", [])]
        notes.append("The file is in a format of before 2014.")
    if not isinstance(cells, list):
        raise Unreadable("the file is JSON, but not a notebook")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"the notebook has more than {MOST_CELLS} cells")
    metadata = parsed.get("metadata")
    course = metadata.get("course") if isinstance(metadata, dict) else None
    lesson = str(course.get("lesson", "")) if isinstance(course, dict) else ""
    return Notebook([_cell(cell, notes) for cell in cells if isinstance(cell, dict)], lesson, notes)


def _cell(cell: Mapping, notes: list[str]) -> Cell:
    kind = "code" if cell.get("cell_type") == "code" else "markdown"
    source = cell.get("source", cell.get("input", ""))
    source = "".join(map(str, source)) if isinstance(source, list) else str(source)
    if len(source) > MOST_SOURCE:
        notes.append(f"A cell of {len(source):,} characters was left out.")
        source = ""
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    nbgrader = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    own = cell.get("id") or metadata.get("id") or ""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    source = source.encode("utf-8", "replace").decode()  # a lone surrogate cannot be stored
    return Cell(kind, source, str(own)[:100], dict(nbgrader))


_SHRINK = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
notebook = json.loads(sys.stdin.buffer.read())
cells = notebook.get("cells") if isinstance(notebook, dict) else None
for cell in cells if isinstance(cells, list) else []:
    if isinstance(cell, dict):
        cell["outputs"] = []
        cell.pop("attachments", None)
json.dump(notebook, sys.stdout)
"""


def _without_outputs(data: bytes) -> bytes:
    """The notebook without its outputs, parsed by a process whose memory is limited."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _SHRINK], input=data, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise Unreadable("the file is very large, and reading it took too long") from None
    if done.returncode or len(done.stdout) > LARGE:
        raise Unreadable("the file is very large and is not a notebook that can be read")
    return done.stdout
