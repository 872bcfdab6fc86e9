"""Student and lesson from the names that people and learning systems give to files and folders."""

import re
import unicodedata
from collections.abc import Iterable

MOODLE = re.compile(r"^(?P<student>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<rest>.*)$", re.IGNORECASE)
CANVAS = re.compile(r"^(?P<student>[^_]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<file>\d{3,})_(?P<rest>.+)$")
COPY = re.compile(  # "03_lenet5 (1)", "03_lenet5-1", "03_lenet5-Copy1", "03_lenet5 - Copy"
    r"(\s*[-_ ]?\(\d+\)|-\d{1,2}|[-_ ]+(copy|kopie|copie|copia)[-_ ]?\(?\d*\)?|[-_ ](final|v\d+|neu|new))+$",
    re.IGNORECASE,
)
COPY_BEFORE = re.compile(r"^(copy of|kopie von|copie de|copia de)[ _]+", re.IGNORECASE)


def split(stem: str, lessons: Iterable[str]) -> tuple[str, str, str]:
    """Student, lesson and identity number that a file's or folder's name tells; "" for what it does not.

    >>> split("mueller_anna_03_lenet5 (1)", ["03_lenet5"])
    ('mueller_anna', '03_lenet5', '')
    >>> split("Anna Müller_4711_assignsubmission_file_03_lenet5", ["03_lenet5"])
    ('Anna Müller', '03_lenet5', '4711')
    >>> split("annamueller_LATE_4711_99812_03_lenet5-1", ["03_lenet5"])
    ('annamueller', '03_lenet5', '4711')
    >>> split("Anna Müller", ["03_lenet5"])
    ('', '', '')
    """
    for system in (MOODLE, CANVAS):
        if found := system.match(stem):
            return found["student"].strip(), split(found["rest"], lessons)[1], found["id"]
    plain = COPY_BEFORE.sub("", COPY.sub("", stem.strip())).strip()
    normal = re.sub(r"[-\s.]+", "_", plain).casefold()
    for lesson in sorted(lessons, key=len, reverse=True):
        if normal == lesson:
            return "", lesson, ""
        if normal.endswith(f"_{lesson}"):
            return plain[: len(plain) - len(lesson)].strip(" _-."), lesson, ""
    return "", "", ""


def released(stem: str) -> bool:
    """Whether a folder is one of the students' zip, which tells nothing of the student."""
    return bool(re.fullmatch(r"notebooks|convnet-course-.*", stem.strip(), re.IGNORECASE))


def readable(name: str) -> str:
    """A file's name that can be written down: what is not UTF-8 is read as an old Windows name.

    >>> readable("Anna Müller"), readable("Anna M\\udcfcller")
    ('Anna Müller', 'Anna Müller')
    """
    try:
        return name.encode("utf-8").decode("utf-8")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def is_late(stem: str) -> bool:
    """Whether Canvas marked the file as late."""
    found = CANVAS.match(stem)
    return bool(found and found["late"])


def safe(student: str) -> str:
    """A student's name as it may stand in paths and tables: no separators, no spreadsheet formula.

    >>> safe("=HYPERLINK(x)"), safe("../../root"), safe("Anna Müller")
    ('_HYPERLINK(x)', '__.._root', 'Anna Müller')
    """
    student = unicodedata.normalize("NFC", student)  # macOS writes "ü" as two characters
    plain = re.sub(r"[^\w .,'()@+-]", "_", student, flags=re.UNICODE).strip()
    plain = plain.encode()[:160].decode("utf-8", "ignore").strip()  # a file's name may have 255 bytes
    return re.sub(r"^[.=+@-]+", "_", plain) or "_"
