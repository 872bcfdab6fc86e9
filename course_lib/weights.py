"""The networks that the kit has trained: built again from their cards, with verified weights, offline.

`data/weights/NAME.json` is a network's card: how it is built and was trained, what it reached, and the hash
of `NAME.npz`, its weights in float16. `course train` writes both.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from .architectures import ARCHITECTURES
from .architectures.stack import StackNet
from .datasets import shapes
from .errors import unknown
from .layers import PadCropFlip
from .paths import data_path

__all__ = [
    "BUILDERS",
    "WeightsDamaged",
    "available",
    "build_network",
    "card",
    "digest",
    "pack",
    "pretrained",
    "probe",
    "unpack",
]

BUILDERS = {**ARCHITECTURES, "StackNet": StackNet}


class WeightsDamaged(ValueError):
    """A weights file is missing, or it is not the one that its card describes."""


def available() -> list[str]:
    """Names of the networks that `pretrained` can load.

    >>> "stacknet-shapes" in available()
    True
    """
    return sorted(path.stem for path in data_path("weights").glob("*.json"))


def card(name: str) -> dict[str, Any]:
    """What is known of a trained network: recipe, history, results, image source, versions, machine.

    Args:
        name: such as "stacknet-shapes".

    Raises:
        ValueError: no such network, with the closest name.

    >>> card("stacknet-shapes")["network"]
    'StackNet'
    """
    if name not in available():
        raise unknown("trained network", name, available())
    return json.loads(data_path("weights", f"{name}.json").read_text(encoding="utf-8"))


def pretrained(name: str) -> keras.Model:
    """A network that the kit has trained. It takes a Dataset's images in [0, 1] as they are.

    The normalization of the images is the network's first layer, "normalize". Nothing is downloaded: the
    weights lie in the kit, and their hash is verified.

    Args:
        name: such as "stacknet-shapes"; `available()` lists all.

    Returns:
        The model, not compiled. Its classes are `card(name)["class_names"]`.

    Raises:
        ValueError: no such network.
        WeightsDamaged: the file of weights is missing or was altered.

    >>> pretrained("stacknet-shapes").input_shape
    (None, 16, 16, 3)
    """
    facts = card(name)
    path = data_path("weights", f"{name}.npz")
    model = build_network(
        facts["network"],
        facts["arguments"],
        input_shape=facts["input_shape"],
        classes=len(facts["class_names"]),
        mean=facts["mean"],
        deviation=facts["deviation"],
        name=name,
    )
    model.set_weights(unpack(_verified(path, facts["sha256"])))
    return model


def build_network(
    network: str,
    arguments: Mapping[str, Any],
    *,
    input_shape: Sequence[int],
    classes: int,
    mean: Sequence[float],
    deviation: Sequence[float],
    augmentation: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> keras.Model:
    """A builder's network behind a layer that normalizes images in [0, 1], in one flat graph.

    Args:
        network: a builder's name, one of `BUILDERS`.
        arguments: the builder's own arguments.
        input_shape: `(H, W, C)`.
        classes: number of classes.
        mean, deviation: of each channel of the training images.
        augmentation: arguments of `PadCropFlip`, which then follows the normalization; it has no weights.
        name: of the model.

    Raises:
        ValueError: an unknown builder, or arguments that it refuses.

    >>> model = build_network("LeNet5", {}, input_shape=(32, 32, 1), classes=10, mean=[0.1], deviation=[0.3])
    >>> [layer.name for layer in model.layers[:3]]
    ['image', 'normalize', 'C1']
    """
    if network not in BUILDERS:
        raise unknown("network", network, BUILDERS)
    image = keras.Input(tuple(input_shape), name="image")
    mean, deviation = np.asarray(mean, "float64"), np.asarray(deviation, "float64")
    scale, offset = (1 / deviation).tolist(), (-mean / deviation).tolist()
    x = keras.layers.Rescaling(scale, offset, name="normalize")(image)
    if augmentation is not None:
        x = PadCropFlip(**augmentation, name="augment")(x)
    more = {} if name is None else {"name": name}
    return BUILDERS[network](input_tensor=x, classes=classes, **arguments, **more)


def pack(model: keras.Model) -> bytes:
    """The model's weights as the bytes of an .npz file, rounded to float16.

    Raises:
        ValueError: a weight that float16 cannot hold (not finite, or above 65,504).

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.set_weights([np.array([[0.1]])])
    >>> unpack(pack(model))
    [array([[0.09997559]], dtype=float32)]
    """
    arrays = {}
    for number, variable in enumerate(model.weights):
        value = keras.ops.convert_to_numpy(variable)
        with np.errstate(over="ignore"):
            half = value.astype("float16")
        if not np.isfinite(half).all():
            raise ValueError(f"The weights {variable.path} hold values that float16 cannot hold.")
        arrays[f"{number:03d} {variable.path.replace('/', ' ')}"] = half
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # its time stamps are fixed: equal weights, equal bytes
    return file.getvalue()


def unpack(packed: bytes) -> list[np.ndarray]:
    """The arrays of `pack` as float32, in the order of `model.weights`."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        return [stored[name].astype("float32") for name in stored.files]


def probe(model: keras.Model) -> np.ndarray:
    """The model's outputs for eight generated images, to six digits; the card holds those at training.

    >>> np.abs(probe(pretrained("stacknet-shapes")) - card("stacknet-shapes")["probe"]).max() < 1e-3
    np.True_
    """
    _, height, _, channels = model.input_shape
    images, *_ = shapes.generate(
        8, domain="shapes", classes=shapes.SHAPES, size=height, seed=0, split=2, **shapes.OPTIONS["shapes"]
    )
    images = images if channels == 3 else images.mean(axis=-1, keepdims=True)
    return model.predict(images, verbose=0).astype("float64").round(6)


def digest(packed: bytes) -> str:
    """SHA-256 of the file's bytes.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(packed).hexdigest()


def _verified(path: Path, expected: str) -> bytes:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise WeightsDamaged(f"The weights {path} cannot be read: {error.strerror}. {_MEND}") from None
    if digest(packed) != expected:
        raise WeightsDamaged(f"The weights {path} are not those that their card describes. {_MEND}")
    return packed


_MEND = "Get the kit's folder data/weights anew, or train the network again with `course train`."
