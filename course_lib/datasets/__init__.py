"""Images for the lessons: two embedded data sets, two downloaded ones, and two photographs.

| name | images | from |
| --- | --- | --- |
| `digits` | 1,797 real digits, 8x8x1 | scikit-learn: no download |
| `shapes` | ten shapes (or ten textures), colour, any size | generated: no download |
| `mnist` | 70,000 real digits, 28x28x1 | `keras.datasets`, kept in the cache |
| `cifar10` | 60,000 real photographs, 32x32x3 | `keras.datasets`, kept in the cache |
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..errors import unknown
from . import cache, shapes
from .cache import DatasetDamaged, DatasetUnavailable
from .sampling import pad, resize, stratified_order

__all__ = [
    "Boxes",
    "Dataset",
    "DatasetDamaged",
    "DatasetUnavailable",
    "Split",
    "available",
    "load",
    "photographs",
    "resize",
]

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_DIGITS = tuple("0123456789")
_NAMES = ("digits", "shapes", "mnist", "cifar10")


class Split(NamedTuple):
    """Images float32 (N, H, W, C) in [0, 1] and their labels int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __repr__(self) -> str:
        return f"Split(images {self.images.shape}, labels {self.labels.shape})"


class Boxes(NamedTuple):
    """The object's box in each image of each split: int64 (N, 4), pixels: top, left, bottom, right.

    `image[top:bottom, left:right]` is the smallest part that holds the whole object, hidden parts too.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Three splits that share no image, the names of the classes, and where the images come from."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    name: str
    boxes: Boxes | None = None

    def __repr__(self) -> str:
        counts = [f"{len(part.labels):,} {key}" for key, part in self._splits().items()]
        size = "x".join(map(str, self.train.images.shape[1:]))
        return (
            f"Dataset {self.name!r}: {', '.join(counts)} images of {size}, {len(self.class_names)} classes.\n"
            f"Source: {self.source}."
        )

    def _splits(self) -> dict[str, Split]:
        return {"training": self.train, "validation": self.validation, "test": self.test}


def load(
    name: str, *, size: int | None = None, samples: int | None = None, seed: int = 0, **options: Any
) -> Dataset:
    """A data set by name, split into training, validation and test images.

    Args:
        name: "digits", "shapes", "mnist" or "cifar10".
        size: height and width in pixels; None keeps the data set's own size (8, 32, 28 and 32).
            `digits` and `cifar10` are resized (bilinear, anti-aliased when they become smaller). A larger
            `mnist` gets a black border, as LeNet-5 takes it (28 to 32: every pixel kept); a smaller one is
            resized. `shapes` are drawn at this size: the same scenes, more pixels.
        samples: number of training images; None takes all (`shapes`: 3,000). Classes keep their proportion,
            and a smaller sample is part of a larger one. Validation and test images stay the same.
        seed: chooses the images of each split (`shapes`: draws the images).
        options: for `shapes` only.
            `domain`: "shapes" (default) or "textures", a second set of ten classes for the study of transfer.
            `classes`: names of the classes wanted; a label is the position in this list.
            `boxes=True`: the object's true boxes as `Dataset.boxes`.
            Amounts from 0 to 1, with their usual values: `pose` 0.5 (how far an object is moved, turned and
            scaled), `texture` 0.5 (strength of the pattern behind it), `occlusion` 0.0 (a band hides up to
            this share of its diameter), `noise` 0.05 (standard deviation), `contrast` 0.5 (difference in
            lightness between object and ground). "textures" take pose, noise and contrast.

    Returns:
        A `Dataset`. Its training / validation / test parts hold 1,200 / 297 / 300 images for `digits`,
        3,000 / 500 / 1,000 for `shapes`, 55,000 / 5,000 / 10,000 for `mnist` and 45,000 / 5,000 / 10,000 for
        `cifar10`. Validation images come from the official training part; the official test part is kept
        whole and in order.

    Raises:
        ValueError: a name, option or number that is not allowed.
        DatasetUnavailable: `mnist` or `cifar10` is not in the cache and cannot be downloaded.
        DatasetDamaged: the file in the cache is not the one recorded; it was set aside.

    >>> load("shapes", samples=100, classes=["circle", "star"])
    Dataset 'shapes': 100 training, 500 validation, 1,000 test images of 32x32x3, 2 classes.
    Source: generated (shapes, version 1).
    >>> images, labels = load("digits").train
    >>> images.shape, labels.shape
    ((1200, 8, 8, 1), (1200,))
    """
    if name not in _NAMES:
        raise unknown("data set", name, _NAMES)
    size = None if size is None else _integer("size", size, 4, 1024)
    seed = _integer("seed", seed, 0, 2**32 - 1)
    if name == "shapes":
        return _shapes(size or 32, samples, seed, **options)
    if options:
        raise ValueError(
            f"The data set {name!r} takes no {next(iter(options))!r}: only 'shapes' has options."
        )
    if name == "digits":
        return _digits(size, samples, seed)
    return _downloaded(name, size, samples, seed)


def available() -> dict[str, str]:
    """What is at hand, by name: which data sets need no download. Loads and verifies nothing.

    >>> available()["digits"]
    'embedded'
    """
    cached = {
        name: f"cached: {cache.npz_path(name)}" if cache.npz_path(name).is_file() else "not downloaded"
        for name in cache.SHAPES
    }
    return {"digits": "embedded", "shapes": "generated", "photographs": "embedded", **cached}


def photographs() -> dict[str, np.ndarray]:
    """Two real colour photographs, "china" (a temple) and "flower": float32 (427, 640, 3) in [0, 1].

    They come with scikit-learn (Creative Commons BY 2.0; photographers: danielbuechele, vultilion).

    >>> photographs()["china"].shape
    (427, 640, 3)
    """
    from sklearn.datasets import load_sample_image

    return {key: load_sample_image(f"{key}.jpg").astype("float32") / 255 for key in ("china", "flower")}


def _digits(size: int | None, samples: int | None, seed: int) -> Dataset:
    from sklearn.datasets import load_digits

    stored = load_digits()
    images = (stored.images[..., None] / 16).astype("float32")  # (1797, 8, 8, 1), 17 grey levels
    labels = stored.target.astype("int64")
    order = stratified_order(labels, seed)
    parts = _sample(order[597:], labels, samples, seed), order[300:597], order[:300]
    images = images if size is None else resize(images, size)
    splits = (Split(images[part], labels[part]) for part in parts)
    return Dataset(*splits, _DIGITS, "scikit-learn digits", "digits")


def _downloaded(name: str, size: int | None, samples: int | None, seed: int) -> Dataset:
    arrays, source = cache.read(name)
    labels, validation = arrays["y_train"], 5_000
    order = stratified_order(labels, seed)
    train = _sample(order[validation:], labels, samples, seed)

    def split(part: str, chosen: np.ndarray | slice) -> Split:
        images = arrays[f"x_{part}"][chosen]
        images = images.reshape(*images.shape[:3], -1).astype("float32")  # gives MNIST its channel axis
        images /= 255
        if size not in (None, images.shape[1]):
            images = pad(images, size) if name == "mnist" and size > images.shape[1] else resize(images, size)
        return Split(images, arrays[f"y_{part}"][chosen].astype("int64"))

    splits = split("train", train), split("train", order[:validation]), split("test", slice(None))
    return Dataset(*splits, _CIFAR10 if name == "cifar10" else _DIGITS, source, name)


def _shapes(
    size: int,
    samples: int | None,
    seed: int,
    *,
    domain: str = "shapes",
    classes: Sequence[str] | None = None,
    boxes: bool = False,
    **amounts: float,
) -> Dataset:
    if domain not in shapes.CLASSES:
        raise unknown("domain", domain, shapes.CLASSES)
    names = _classes(domain, classes)
    if boxes and domain == "textures":
        raise ValueError("A texture fills its image and has no box: boxes=True needs domain='shapes'.")
    for key, amount in amounts.items():
        if key not in shapes.OPTIONS[domain]:
            raise unknown(
                f"option of {domain!r}", key, [*shapes.OPTIONS[domain], "domain", "classes", "boxes"]
            )
        if not isinstance(amount, Real) or not 0 <= amount <= 1:
            raise ValueError(f"{key} must be a number from 0 to 1, but is {amount!r}.")
    samples = 3_000 if samples is None else _integer("samples", samples, len(names), 1_000_000)
    amounts = {**shapes.OPTIONS[domain], **amounts}
    drawn = [
        shapes.generate(count, domain=domain, classes=names, size=size, seed=seed, split=split, **amounts)
        for split, count in enumerate((samples, 500, 1_000))
    ]
    splits = (Split(images, labels) for images, labels, _ in drawn)
    source = f"generated ({domain}, version {shapes.VERSION})"
    return Dataset(*splits, names, source, "shapes", Boxes(*(box for *_, box in drawn)) if boxes else None)


def _classes(domain: str, wanted: Sequence[str] | None) -> tuple[str, ...]:
    allowed = shapes.CLASSES[domain]
    names = allowed if wanted is None else (wanted,) if isinstance(wanted, str) else tuple(wanted)
    for name in names:
        if name not in allowed:
            raise unknown(f"class of {domain!r}", name, allowed)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"classes must be two or more different names, but is {names!r}.")
    return names


def _sample(train: np.ndarray, labels: np.ndarray, samples: int | None, seed: int) -> np.ndarray:
    """The indices of the training images in their own stratified order, or the first `samples` of them."""
    classes = len(np.unique(labels))
    samples = len(train) if samples is None else _integer("samples", samples, classes, len(train))
    return train[stratified_order(labels[train], seed)[:samples]]


def _integer(name: str, value: object, low: int, high: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"{name} must be a whole number from {low:,} to {high:,}, but is {value!r}.")
    return number
