"""MNIST and CIFAR-10: downloaded once through `keras.datasets`, recorded, and verified at every load.

The cache holds `NAME.npz` (uint8 arrays `x_train y_train x_test y_test`) and, after a download, `NAME.json`
with the SHA-256 of each array's bytes. A file is loaded only when its arrays equal that record or a
development copy that `data/development_copies.json` names. Every file is written aside and renamed.
"""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..paths import cache_path, data_path

# Shape of each array; all are uint8.
SHAPES = {
    "mnist": {
        "x_train": (60_000, 28, 28),
        "y_train": (60_000,),
        "x_test": (10_000, 28, 28),
        "y_test": (10_000,),
    },
    "cifar10": {
        "x_train": (50_000, 32, 32, 3),
        "y_train": (50_000,),
        "x_test": (10_000, 32, 32, 3),
        "y_test": (10_000,),
    },
}
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
_PATIENCE = 5.0  # seconds without an answer after which a download is given up


class DatasetUnavailable(ValueError):
    """The data set is not in the cache and cannot be downloaded or read."""


class DatasetDamaged(ValueError):
    """The cached file is truncated or altered; it was set aside."""


def read(name: str) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of "mnist" or "cifar10" and their source; downloads them when they are not in the cache.

    Raises:
        DatasetUnavailable: not in the cache, and the download failed.
        DatasetDamaged: the file in the cache is not what was recorded. It is renamed, never loaded.
    """
    path = npz_path(name)
    if not path.is_file():
        _fetch(name, path)
    try:
        with path.open("rb") as file:
            arrays, problem = _parse(file, name)
    except OSError as error:
        raise DatasetUnavailable(f"The file {path} cannot be read: {error}. {_alternatives(name)}") from error
    if not problem:
        found = digests(arrays)
        for known, source in _known(name, path):
            if found == known:
                return arrays, source
        problem = f"its arrays are not those recorded in {record_path(name).name}, nor a development copy's"
    raise DatasetDamaged(
        f"The cached file {path} was not loaded: {problem}. {_set_aside(path)} "
        f"Load the data set again to download it anew. {_alternatives(name)}"
    )


def npz_path(name: str) -> Path:
    """Where the cache keeps the data set's arrays."""
    return cache_path() / f"{name}.npz"


def record_path(name: str) -> Path:
    """Where the cache keeps the record of the download."""
    return cache_path() / f"{name}.json"


def digests(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """SHA-256 of each array's bytes in C order.

    >>> digests({"x": np.zeros(0, "uint8")})["x"][:8]
    'e3b0c442'
    """
    flat = {key: np.ascontiguousarray(array).reshape(-1) for key, array in arrays.items()}
    return {key: hashlib.sha256(array).hexdigest() for key, array in flat.items()}


def _parse(file: BinaryIO, name: str) -> tuple[dict[str, np.ndarray], str]:
    """The arrays in an open .npz file, and what is wrong with them ("" when nothing is)."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        return {}, f"it is no complete .npz file ({type(error).__name__}: {error})"
    return arrays, _misfit(arrays, name)


def _misfit(arrays: dict[str, np.ndarray], name: str) -> str:
    """What distinguishes the arrays' names, types and shapes from the data set's ("" when nothing does)."""
    wanted = {key: ("uint8", shape) for key, shape in SHAPES[name].items()}
    found = {key: (str(array.dtype), array.shape) for key, array in arrays.items()}
    return "" if found == wanted else f"it holds {found} instead of {wanted}"


def _known(name: str, path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Digests that are accepted, each with the source that it proves."""
    try:
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        yield record["sha256"], f"{TITLES[name]}, official (keras.datasets, archive verified)"
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no record, or none that can be read: then only a development copy is accepted
    copies = json.loads(data_path("development_copies.json").read_text(encoding="utf-8"))
    yield copies[name]["sha256"], f"{TITLES[name]}, development copy ({copies[name]['difference']})"


def _fetch(name: str, path: Path) -> None:
    """Download the data set and write its arrays and their record into the cache."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_aside(path) as file:  # opened first: a read-only folder shows before the long download
            arrays = _download(name)
            np.savez(file, **arrays)
            with write_aside(path.with_suffix(".json")) as record:
                text = {"origin": f"keras.datasets.{name}.load_data()", "sha256": digests(arrays)}
                record.write(json.dumps(text, indent=1).encode())
    except OSError as error:
        raise DatasetUnavailable(
            f"{TITLES[name]} cannot be kept in the cache {path.parent}: {error}. {_alternatives(name)}"
        ) from error


def _download(name: str) -> dict[str, np.ndarray]:
    """The official arrays, from `keras.datasets`, which verifies its archive's SHA-256."""
    import keras

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a plain Exception without internet
        reason = str(error).strip() or type(error).__name__
        raise DatasetUnavailable(
            f"{TITLES[name]} is not in the cache ({npz_path(name)}) and could not be downloaded: {reason}. "
            f"{_alternatives(name)}"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    y_train, y_test = y_train.reshape(-1), y_test.reshape(-1)  # CIFAR-10's are (N, 1)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    for key in ("x_train", "x_test"):
        if arrays[key].shape[1:] == (3, 32, 32):  # Keras is set to channels_first
            arrays[key] = arrays[key].transpose(0, 2, 3, 1)
    arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    if problem := _misfit(arrays, name):
        raise DatasetUnavailable(f"keras.datasets gave another {TITLES[name]} than expected: {problem}.")
    return arrays


def _alternatives(name: str) -> str:
    return (
        "Without internet: load('digits') and load('shapes') need no download; or copy "
        f"{name}.npz and {name}.json from another computer's cache into {npz_path(name).parent} "
        "(the environment variable COURSE_DATA chooses another folder)."
    )


@contextmanager
def write_aside(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under `path` only when the block ends well; otherwise nothing is left of it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _set_aside(path: Path) -> str:
    """Rename a damaged file to the first free `*.damaged` name, and say so."""
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{number}.damaged")
    try:
        path.replace(aside)
    except OSError as error:
        return f"It could not be set aside ({error}): remove it."
    return f"It was set aside as {aside.name}."
