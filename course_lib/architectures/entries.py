"""What is published of each architecture: paper, year, results, and where the lectures name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache

from ..claims import published

__all__ = ["Entry", "entries"]


@dataclass(frozen=True)
class Entry:
    """An architecture of `data/published.csv`.

    `name` is the builder with the arguments that are not its defaults; `lecture` the section that names it,
    if one does. `params` counts what is trained, `macs` are those of one image of `input_size`, `(H, W, C)`;
    both are None for a builder of networks of many sizes. `errors` are percentages by the column's name, such
    as "imagenet_top5_error", and `note` tells how they were measured.
    """

    name: str
    builder: str
    arguments: Mapping[str, object] = field(hash=False)
    family: str
    year: int
    paper: str
    lecture: str
    dataset: str
    input_size: tuple[int, int, int]
    params: int | None
    macs: int | None
    errors: Mapping[str, float] = field(hash=False)
    note: str


@cache
def entries() -> tuple[Entry, ...]:
    """All published architectures that have a builder, in the order of the lectures.

    >>> entries()[0].name, entries()[0].year, entries()[0].lecture
    ('LeNet5', 1998, 'lecture5_architectures: LeNet-5')
    """
    own = {item.name for item in fields(Entry)} - {"errors", "note"}
    return tuple(
        Entry(
            **{key: row[key] for key in own},
            errors={key: row[key] for key in row if key.endswith("_error") and row[key] is not None},
            note=row["result_note"],
        )
        for row in published()
        if row["builder"]
    )


def same_arguments(chosen: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Whether two sets of arguments say the same, in any order; lists equal tuples, and 1 equals 1.0.

    >>> same_arguments({"depths": (3, 4), "groups": 2}, {"groups": 2.0, "depths": [3, 4]})
    True
    """
    return _lists_as_tuples(chosen) == _lists_as_tuples(others)


def _lists_as_tuples(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _lists_as_tuples(one) for key, one in value.items()}
    return tuple(map(_lists_as_tuples, value)) if isinstance(value, (list, tuple)) else value
