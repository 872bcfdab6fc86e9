"""Loading the data sets beside other ways to the same arrays.

    .venv/bin/python benchmarks/loading.py      two minutes on two cores

MNIST and CIFAR-10 only where the cache (`data/cache` or `$COURSE_DATA`) has them: nothing is downloaded.
Every file was read before, so the disk's speed is not measured. Writes benchmarks/results/loading.md.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from _pairs import HEAD, compare, options, write

from course_lib import datasets
from course_lib.datasets import cache

Arrays = list[np.ndarray]
NOTE = """`load` also chooses the validation images in proportion, and compares the SHA-256 of MNIST's and
CIFAR-10's arrays with the record; `numpy.load` does neither. Shapes are drawn anew by each `load`: nothing is
stored."""


def ours(name: str, **asked) -> Callable[[], Arrays]:
    """A function that loads a data set and returns the images of its three splits."""

    def run() -> Arrays:
        found = datasets.load(name, **asked)
        return [found.train.images, found.validation.images, found.test.images]

    return run


def sklearns(size: int | None = None) -> Arrays:
    """Digits as scikit-learn's user would load them: as many images in each split, classes in proportion."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16).astype("float32")
    if size:
        import keras

        images = np.asarray(keras.ops.image.resize(images, (size, size), antialias=True))
    rest, test, labels, _ = train_test_split(images, labels, test_size=300, stratify=labels, random_state=0)
    train, validation = train_test_split(rest, test_size=297, stratify=labels, random_state=0)
    return [train, validation, test]


def stored(path: Path) -> Arrays:
    """The images of a .npz file, scaled to [0, 1]; MNIST's and CIFAR's training part is cut in two."""
    with np.load(path) as file:
        if "x_train" not in file:
            return [file[name] for name in file.files]
        arrays = [file["x_train"], file["x_test"]]
        labels = file["y_train"], file["y_test"]
    train, test = (array.reshape(*array.shape[:3], -1).astype("float32") / 255 for array in arrays)
    assert len(labels[0]) == len(train)  # they are read as well, as `load` does
    return [train[5_000:], train[:5_000], test]


def pictures(folder: Path) -> Arrays:
    """A folder of PNG files for each split and class, read by Keras, as most courses would."""
    import keras

    found = []
    for split in sorted(folder.iterdir()):
        data = keras.utils.image_dataset_from_directory(
            split, image_size=(32, 32), shuffle=False, batch_size=500, verbose=False
        )
        found.append(np.concatenate([images.numpy() for images, _ in data]) / 255)
    return found


def save_pictures(found: datasets.Dataset, folder: Path) -> None:
    """Writes a data set as PNG files: FOLDER/SPLIT/CLASS/NUMBER.png."""
    from matplotlib.image import imsave

    for number, split in enumerate((found.train, found.validation, found.test)):
        for place, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
            path = folder / str(number) / str(label) / f"{place:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            imsave(path, image)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(arguments)
    rows = []

    def add(what: str, one: Callable, other: Callable, count: int) -> None:
        rows.append(f"| {what} | {count:,} | {compare(one, other, chosen.pairs).cells()} |")
        print(rows[-1], flush=True)

    add("digits: scikit-learn's `load_digits`, `train_test_split`", ours("digits"), sklearns, 1_797)
    add(
        "digits at 32x32: the same and `keras.ops.image.resize`",
        ours("digits", size=32),
        lambda: sklearns(32),
        1_797,
    )
    with tempfile.TemporaryDirectory() as name:
        path, folder = Path(name) / "shapes.npz", Path(name) / "png"
        np.savez(path, *ours("shapes")())
        save_pictures(datasets.load("shapes"), folder)
        add("shapes: `numpy.load` of the finished arrays", ours("shapes"), lambda: stored(path), 4_500)
        what = "shapes: `keras.utils.image_dataset_from_directory` of PNG files"
        add(what, ours("shapes"), lambda: pictures(folder), 4_500)
    for name, count in (("mnist", 70_000), ("cifar10", 60_000)):
        path = cache.npz_path(name)
        if path.is_file():
            add(f"{cache.TITLES[name]}: `numpy.load`", ours(name), lambda path=path: stored(path), count)
        else:
            rows.append(f"| {cache.TITLES[name]}: not in the cache, not measured | {count:,} | | | | |")
    top = HEAD.replace("| what |", "| what, and the other |  images |").replace("| --- |", "| --- | --- |", 1)
    write("loading", "Loading the data sets", [top, *rows, "", NOTE], chosen.results)


if __name__ == "__main__":
    main()
