"""What the lectures say beside what is true: the tables behind the "Check the lecture" sections.

`data/lecture_claims.csv` holds one row for each figure that can be checked, `data/published.csv` one row for
each architecture; `data/README.md` tells where both come from, and which topics belong to which lesson.
"""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache

from .errors import unknown
from .paths import data_path
from .tables import Table, format_value

VERDICTS = ("exact", "rounded", "wrong", "ambiguous")
_WORDS = {"wrong": "✘ wrong", "ambiguous": "it depends", "": "not verified"}


def topics() -> list[str]:
    """The topics that have claims, in the order of the file.

    >>> "LeNet-5" in topics()
    True
    """
    return list(dict.fromkeys(row["topic"] for row in _claims()))


def rows(topic: str) -> list[dict[str, str]]:
    """The claims of a topic, with the columns of `data/lecture_claims.csv`.

    Args:
        topic: its name; with a `*`, which stands for any letters, all topics that match.

    Raises:
        ValueError: an unknown topic, with the closest one.

    >>> [row["lecture_value"] for row in rows("FC on CIFAR-10")]
    ['3072']
    >>> len(rows("VGG*")) == len(rows("VGG")) + sum(len(rows(f"VGG{end}")) for end in (
    ...     " configurations", "-16 table", "-16 totals"))
    True
    """
    known = topics()
    chosen = [name for name in known if fnmatchcase(name, topic)] if "*" in topic else [topic]
    if not chosen or chosen[0] not in known:
        raise unknown("topic", topic, known)
    return [dict(row) for name in chosen for row in _claims() if row["topic"] == name]


def table(topic: str | Sequence[str], computed: Mapping[str, object] | None = None) -> Table:
    """What the lecture says on a topic, beside what was computed here and what is true, with a verdict.

    Args:
        topic: one topic, or several that are shown in one table; each as in `rows`.
        computed: dictionary from a claim's id to the value that the lesson computed: a number, a text, or a
            shape such as `(28, 28, 6)`. A value that is not the true one is marked. A row that stands for
            several places answers to the id of each of them.

    Raises:
        ValueError: an unknown topic, or an id that the topic does not have.

    >>> table("padding", {"l6-016": 1}).rows[0]["computed"]
    '1'
    """
    claims = [row for name in ([topic] if isinstance(topic, str) else topic) for row in rows(name)]
    found: dict[str, object] = {}  # by the row's own id
    for key, value in (computed or {}).items():
        answering = [row["id"] for row in claims if key in ids(row)]
        if not answering:
            raise unknown("claim", key, [name for row in claims for name in ids(row)])
        found |= dict.fromkeys(answering, value)
    shown = [
        {
            "what": row["quantity"],
            "lecture": row["lecture_value"],
            "computed": _marked(found[row["id"]], row["true_value"]) if row["id"] in found else None,
            "true": f"{row['true_value']} {row['unit']}".strip(),
            "verdict": _WORDS.get(row["verdict"], row["verdict"]),
            "why": row["note"],
        }
        for row in claims
    ]
    heads = {"what": "what", "lecture": "lecture says", "computed": "computed here"}
    heads |= {"true": "published / true", "verdict": "verdict", "why": "why"}
    if not found:
        del heads["computed"]
    return Table(shown, heads)


def ids(row: Mapping[str, str]) -> list[str]:
    """All places in the lectures that a row stands for: its own id first.

    >>> ids(rows("receptive field")[1])
    ['l5-064', 'l6-012', 'c9-043']
    """
    return [row["id"], *filter(None, row["also"].split(";"))]


def published() -> list[dict]:
    """The architectures with their counts and published results: the rows of `data/published.csv`.

    Counts are whole numbers, error rates percentages, `input_size` is a tuple (H, W, C), `arguments` are
    the builder's, `verified` is True, False or None (no result to verify). What is not known is None.

    >>> [row["params"] for row in published() if row["name"] == "LeNet5"]
    [61706]
    """
    verified = {"yes": True, "no": False}
    return [
        _parsed(row)
        | {"arguments": json.loads(row["arguments"] or "{}"), "verified": verified.get(row["verified"])}
        for row in _read("published.csv")
    ]


def atlas() -> list[dict]:
    """What `course atlas` counted from the Keras graphs of all architectures: the rows of `data/atlas.csv`.

    `params`, `macs` and `activations` (numbers kept for one image) are whole numbers, `training_memory` is in
    bytes, `receptive_field` in pixels, error rates are percentages. What is not known is None.

    >>> [row["weight_layers"] for row in atlas() if row["name"] == "VGG16"]
    [16]
    """
    return [_parsed(row) for row in _read("atlas.csv")]


def agrees(value: object, true: str) -> bool:
    """Whether a computed value is the true one, as precisely as the true one is written.

    >>> agrees(34944, "34,944"), agrees(6.671, "6.67%"), agrees((28, 28, 6), "28x28x6"), agrees(28, "32")
    (True, True, True, False)
    """
    text = value if isinstance(value, str) else format_value(value)
    exact, number = _number(true), _number(text if isinstance(value, str) else str(value))
    if exact is None or number is None:
        return _compact(text) == _compact(true)
    decimals = len(true.rstrip("% ").partition(".")[2])
    return abs(number - exact) <= 0.5 * 10**-decimals


def _marked(value: object, true: str) -> str:
    text = value if isinstance(value, str) else format_value(value)
    return text if agrees(value, true) else f"{text} ✘ NOT THE TRUE VALUE"


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", "").rstrip("% "))
    except ValueError:
        return None


def _compact(text: str) -> str:
    return re.sub(r"[\s,]", "", text).casefold()


COUNTS = (
    *("year", "params", "trainable_params", "macs", "activations", "training_memory"),
    *("receptive_field", "weight_layers"),
)


def _parsed(row: dict[str, str]) -> dict:
    """A row of an architectures' table with its numbers as numbers."""
    parsed: dict = dict(row)
    for key, text in row.items():
        if key in COUNTS:
            parsed[key] = int(text) if text.isdigit() else text or None
        elif key.endswith("_error"):
            parsed[key] = float(text) if text else None
    parsed["input_size"] = tuple(map(int, row["input_size"].split("x"))) if row["input_size"] else None
    return parsed


def _claims() -> tuple[dict[str, str], ...]:
    return _read("lecture_claims.csv")


@cache
def _read(name: str) -> tuple[dict[str, str], ...]:
    with data_path(name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))
