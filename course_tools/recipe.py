"""Recipes: how `course train` trains a network. Each is a file data/recipes/NETWORK-DATA.toml.

    network = "ResNet20"                    # a builder of course_lib.weights.BUILDERS
    paper_epochs = 164                      # how long the paper trained it; may be left out
    store_weights = false                   # only results are stored: for networks that are too large to ship
    [arguments]                             # its own arguments; may be left out
    [data]                                  # arguments of datasets.load besides the name
    [training]
    epochs = 82
    batch_size = 128
    seed = 0                                # first weights, order of the images, dropout, augmentation
    optimizer = { class_name = "SGD", config = { learning_rate = 0.1, momentum = 0.9 } }   # as Keras has it
    rate = { kind = "steps", at = [41, 61], factor = 0.1 }
    augmentation = { padding = 4, flip = true }                                            # of PadCropFlip
    precision = "mixed_bfloat16"            # on a GPU; "float32" when left out
    [note]                                  # anything for the reader: source = "He et al. 2015, section 4.2"

`rate` tells how the learning rate falls:

    { kind = "constant" }
    { kind = "steps", at = [41, 61], factor = 0.1 }       times 0.1 after epoch 41, and again after epoch 61
    { kind = "plateau", metric = "val_loss", patience = 5, factor = 0.1 }    after 5 epochs without a new low
    { kind = "cosine" }                                   half a cosine down to 0
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from course_lib.arguments import number, one_of, whole_number, whole_numbers
from course_lib.errors import unknown

from .errors import CourseError

RATES = {
    "constant": set(),
    "steps": {"at", "factor"},
    "plateau": {"metric", "patience", "factor"},
    "cosine": set(),
}
CHECKS = {
    "at": whole_numbers,
    "factor": number,
    "metric": lambda name, value: one_of(name, value, ("loss", "val_loss")),
    "patience": whole_number,
}


@dataclass(frozen=True)
class Training:
    """The table [training] of a recipe."""

    epochs: int
    batch_size: int
    optimizer: Mapping[str, Any]
    rate: Mapping[str, Any] = field(default_factory=lambda: {"kind": "constant"})
    seed: int = 0
    augmentation: Mapping[str, Any] | None = None
    precision: str = "float32"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    network: str
    training: Training
    data: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    paper_epochs: int | None = None
    store_weights: bool = True
    note: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The recipe as nested dictionaries, with all defaults."""
        return asdict(self)


def read(path: Path) -> Recipe:
    """A recipe from its file.

    Raises:
        CourseError: no such file, no TOML, or an entry that is missing, unknown or makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"cannot read the recipe {path}: {error.strerror}.") from None
    except ValueError as error:
        raise CourseError(f"{path.name} is no TOML file: {error}") from None
    try:
        training = _table(Training, content.pop("training", {}), "[training]")
        _check(training)
        recipe = _table(Recipe, content | {"training": training}, "recipe")
        if recipe.paper_epochs is not None:
            whole_number("paper_epochs", recipe.paper_epochs)
        one_of("store_weights", recipe.store_weights, (True, False))
        return recipe
    except ValueError as error:
        raise CourseError(f"{path.name}: {error}") from None


def rate_factor(rate: Mapping[str, Any], epochs: int, rows: Sequence[Mapping[str, float]]) -> float:
    """The factor on the recipe's learning rate in the epoch after those of `rows`.

    It depends on the history alone, so that a run taken up again goes on as it would have.

    Args:
        rate: the recipe's `rate`.
        epochs: of the whole training.
        rows: the history so far, one dictionary an epoch.

    >>> rows = [{"val_loss": loss} for loss in (0.9, 0.5, 0.6, 0.7, 0.6)]
    >>> [rate_factor({"kind": "steps", "at": [2, 4], "factor": 0.1}, 6, rows[:n]) for n in (1, 2)]
    [1.0, 0.1]
    >>> plateau = {"kind": "plateau", "metric": "val_loss", "patience": 3, "factor": 0.5}
    >>> [rate_factor(plateau, 6, rows[:n]) for n in (4, 5)]
    [1.0, 0.5]
    """
    done = len(rows)
    if rate["kind"] == "steps":
        return float(rate["factor"] ** sum(done >= epoch for epoch in rate["at"]))
    if rate["kind"] == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done / epochs))
    if rate["kind"] == "plateau":
        factor, best, waited = 1.0, math.inf, 0
        for row in rows:
            waited = 0 if row[rate["metric"]] < best else waited + 1
            best = min(best, row[rate["metric"]])
            if waited == rate["patience"]:
                factor, waited = factor * rate["factor"], 0
        return factor
    return 1.0


def _table(kind: type, table: Mapping[str, Any], where: str):
    """The table as a `kind`, after a test that nothing is missing or unknown."""
    _require_table(where, table)
    for name in table:
        if name not in kind.__dataclass_fields__:
            raise unknown(f"entry of the {where}", name, kind.__dataclass_fields__)
    for entry in fields(kind):
        if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in table:
            raise ValueError(f"The {where} needs an entry {entry.name!r}.")
    return kind(**table)


def _require_table(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a table. Received: {value!r}.")


def _check(training: Training) -> None:
    whole_number("epochs", training.epochs)
    whole_number("batch_size", training.batch_size)
    whole_number("seed", training.seed, 0)
    one_of("precision", training.precision, ("float32", "mixed_bfloat16"))
    _require_table("optimizer", training.optimizer)
    _require_table("rate", training.rate)
    rate = dict(training.rate)
    kind = rate.pop("kind", None)
    if kind not in RATES:
        raise unknown("kind of rate", kind, RATES)
    if set(rate) != RATES[kind]:
        allowed = ", ".join(sorted(RATES[kind])) or "nothing else"
        raise ValueError(f"A rate of kind {kind!r} takes {allowed}. Received: {', '.join(sorted(rate))}.")
    for name, value in rate.items():
        CHECKS[name](f"{name} of the rate", value)
    config = training.optimizer.get("config")
    known = isinstance(training.optimizer.get("class_name"), str) and isinstance(config, Mapping)
    if not known or not isinstance(config.get("learning_rate"), float):
        raise ValueError("optimizer needs a class_name and a config with a learning_rate such as 0.1.")
