"""Schemes that need only the shape of a layer."""

import inspect
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np

from ..errors import unknown

Random = np.random.Generator | int  # a generator, or the seed of a new one


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs a unit adds up (fan-in), and how many units an input reaches (fan-out).

    Args:
        shape: of a dense kernel `(inputs, units)` or a convolution's `(height, width, channels, filters)`.

    Raises:
        ValueError: another number of axes, or a size that is not a whole number from 1 on.

    >>> fans((784, 100)), fans((3, 3, 64, 128))
    ((784, 100), (576, 1152))
    """
    shape = tuple(shape)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in shape)
    if len(shape) not in (2, 4) or not whole:
        raise ValueError(
            f"shape must be (inputs, units) or (height, width, channels, filters), received {shape}."
        )
    window = math.prod(shape[:-2])  # 1 for a dense layer
    return window * shape[-2], window * shape[-1]


def _constant(shape, rng, *, value: float = 0.05) -> np.ndarray:
    """All weights equal: every unit of a layer computes the same."""
    return np.full(shape, float(value))


def _normal(shape, rng, *, std: float = 0.01) -> np.ndarray:
    """Normal numbers of one standard deviation, whatever the layer's size."""
    return std * rng.standard_normal(shape)


def _xavier(shape, rng, *, form: str = "fan_in") -> np.ndarray:
    """Var = 1/fan-in (the lecture's form), or 2/(fan-in + fan-out) (`form="average"`, Glorot and Bengio)."""
    fan_in, fan_out = fans(shape)
    forms = {"fan_in": 1 / fan_in, "average": 2 / (fan_in + fan_out)}
    if form not in forms:
        raise unknown("form of xavier", form, forms)
    return math.sqrt(forms[form]) * rng.standard_normal(shape)


def _he(shape, rng) -> np.ndarray:
    """Var = 2/fan-in: ReLU throws half of the second moment away, the 2 brings it back."""
    return math.sqrt(2 / fans(shape)[0]) * rng.standard_normal(shape)


def _orthogonal(shape, rng, *, gain: float = 1.0) -> np.ndarray:
    """A random matrix (fan-in, units) with all singular values equal to `gain`."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # without this the matrices are not evenly distributed
    return gain * (q if rows >= columns else q.T).reshape(shape)


def _random_walk(shape, rng, *, activation: str = "relu") -> np.ndarray:
    """Var = g²/fan-in, with g so that the *logarithm* of the signal's size keeps its mean."""
    size = fans(shape)[0]
    gains = {
        "linear": math.exp(1 / (2 * size)),
        "relu": math.sqrt(2) * math.exp(1.2 / (max(size, 6) - 2.4)),
    }
    if activation not in gains:
        raise unknown("activation of random_walk", activation, gains)
    return gains[activation] / math.sqrt(size) * rng.standard_normal(shape)


SCHEMES: dict[str, Callable[..., np.ndarray]] = {
    "constant": _constant,
    "normal": _normal,
    "xavier": _xavier,
    "he": _he,
    "orthogonal": _orthogonal,
    "random_walk": _random_walk,
}


def draw(shape: Sequence[int], scheme: str, *, rng: Random = 0, **options) -> np.ndarray:
    """First weights for one layer.

    | scheme | standard deviation | options | from |
    | --- | --- | --- | --- |
    | constant | 0 | value=0.05 | the slide's question |
    | normal | std | std=0.01 | "small random numbers" |
    | xavier | sqrt(1/fan-in) | form="fan_in" or "average" | Glorot and Bengio 2010 |
    | he | sqrt(2/fan-in) | | He et al. 2015, arXiv:1502.01852 |
    | orthogonal | gain/sqrt(larger side) | gain=1.0 | Saxe et al. 2013, arXiv:1312.6120 |
    | random_walk | a little above he | activation="relu", "linear" | Sussillo, Abbott 2014, arXiv:1412.6558 |

    Args:
        shape: of a dense kernel `(inputs, units)` or a convolution's `(height, width, channels, filters)`.
        scheme: one of the names above.
        rng: a NumPy generator, or the seed of a new one.
        options: of the scheme.

    Returns:
        float32 array of this shape.

    Raises:
        ValueError: an unknown scheme, an option that it does not have, or a shape that is no kernel's.

    >>> draw((3, 3, 64, 128), "he").std().round(3), (2 / (3 * 3 * 64)) ** 0.5
    (np.float32(0.059), 0.05892556509887896)
    """
    if scheme not in SCHEMES:
        raise unknown("scheme", scheme, SCHEMES)
    function = SCHEMES[scheme]
    allowed = list(inspect.signature(function).parameters)[2:]
    for name in options:
        if name not in allowed:
            raise unknown(f"option of {scheme}", name, allowed)
    fans(shape)
    return function(tuple(shape), np.random.default_rng(rng), **options).astype("float32")


def kernel_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers with a kernel that this module can fill (dense and 2-D convolution), in the graph's order.

    Raises:
        ValueError: a layer with a kernel of another kind, such as a depthwise or separable convolution.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
    >>> [type(layer).__name__ for layer in kernel_layers(model)]
    ['Conv2D']
    """
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += kernel_layers(layer)
        elif isinstance(layer, (keras.layers.Dense, keras.layers.Conv2D)):
            found.append(layer)
        elif any(hasattr(layer, name) for name in ("kernel", "depthwise_kernel")):
            raise ValueError(f"Layer {layer.name!r} is a {type(layer).__name__}; only Dense and Conv2D here.")
    return found


def initialize(model: keras.Model, scheme: str, *, rng: Random = 0, **options) -> None:
    """Fill all dense and convolutional layers of a model by one scheme; their biases become zero.

    Args:
        model: a built model. Other weights, such as those of BatchNormalization, stay as they are.
        scheme: see `draw`.
        rng: a NumPy generator, or the seed of a new one.
        options: of the scheme.

    Raises:
        ValueError: as `draw` and `kernel_layers`.

    >>> model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(100), keras.layers.Dense(10)])
    >>> initialize(model, "normal", std=0.5)
    >>> float(np.std(model.layers[0].get_weights()[0]).round(2))
    0.5
    """
    rng = np.random.default_rng(rng)
    for layer in kernel_layers(model):
        layer.kernel.assign(draw(layer.kernel.shape, scheme, rng=rng, **options))
        if layer.use_bias:
            layer.bias.assign(np.zeros(layer.bias.shape))
