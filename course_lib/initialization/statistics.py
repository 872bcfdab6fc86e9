"""How large activations and gradients are, layer by layer: measured on arrays and models, and in closed form.

The stack of the lecture is h[0] = x and h[l] = phi(h[l-1] @ W[l]), without biases. A gradient arrives at the
last h and flows back. `std` is the standard deviation over all units and examples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from ..errors import unknown
from ..visualization import input_gradient
from .schemes import kernel_layers

# name: (activation of the input sum, slope of the activation at its output)
_ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "linear": (lambda a: a, np.ones_like),
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0).astype(h.dtype)),
}
SATURATED = 0.99  # |tanh| from here on: the slope is below 2 %


@dataclass(frozen=True)
class LayerStatistics:
    """One layer: its activations, the gradient that arrives at them, and the gradient of its weights.

    `slope` is the mean of the activation's own gradient (the slides' "local gradient"). `gradient` is the
    root mean square of dL/dh over units and examples, `weight` that of the weights, `weight_gradient` that
    of dL/dW over the weights. What was not asked for is None.
    """

    layer: str
    mean: float
    std: float
    zeros: float  # share of activations that are exactly 0
    saturated: float  # share with |h| above 0.99
    slope: float | None = None
    gradient: float | None = None
    weight: float | None = None
    weight_gradient: float | None = None


def _known(activation: str) -> tuple[Callable, Callable]:
    if activation not in _ACTIVATIONS:
        raise unknown("activation", activation, _ACTIVATIONS)
    return _ACTIVATIONS[activation]


def propagate(
    x: np.ndarray, weights: Sequence[np.ndarray], activation: str = "tanh", *, scale: float = 1.0
) -> list[np.ndarray]:
    """The activations of every layer of a stack without biases, the input first.

    Args:
        x: input `(N, D)`.
        weights: matrices `(D_in, D_out)`.
        activation: "tanh", "relu" or "linear".
        scale: every matrix is multiplied by this: one draw with standard deviation 1 serves all others.

    Raises:
        ValueError: an unknown activation, or a matrix that does not fit the layer before.

    >>> [h.tolist() for h in propagate(np.ones((1, 2)), [np.eye(2), -np.eye(2)], "relu", scale=3)]
    [[[1.0, 1.0]], [[3.0, 3.0]], [[0.0, 0.0]]]
    """
    phi, _ = _known(activation)
    hs = [np.asarray(x)]
    for number, w in enumerate(weights, 1):
        if w.ndim != 2 or len(w) != hs[-1].shape[1]:
            raise ValueError(f"Matrix {number} has shape {w.shape}; ({hs[-1].shape[1]}, units) is needed.")
        hs.append(phi((hs[-1] * np.asarray(scale, w.dtype)) @ w))
    return hs


def backpropagate(
    hs: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    gradient: np.ndarray,
    activation: str = "tanh",
    *,
    scale: float = 1.0,
) -> list[np.ndarray]:
    """The gradient of every activation, dL/dh, the input's first: as long as `hs`.

    Args:
        hs: what `propagate` returned for the same weights, activation and scale.
        weights: matrices `(D_in, D_out)`.
        gradient: dL/dh of the last layer, `(N, D)`.
        activation: "tanh", "relu" or "linear".
        scale: as for `propagate`.

    Raises:
        ValueError: an unknown activation.

    >>> weights = [np.eye(2), np.diag([2.0, -1.0])]
    >>> hs = propagate(np.ones((1, 2)), weights, "relu")
    >>> backpropagate(hs, weights, np.ones((1, 2)), "relu")[0].tolist()
    [[2.0, 0.0]]
    """
    _, slope = _known(activation)
    gradients = [np.asarray(gradient)]
    for h, w in zip(hs[:0:-1], weights[::-1], strict=True):
        gradients.append((gradients[-1] * slope(h) * np.asarray(scale, w.dtype)) @ w.T)
    return gradients[::-1]


def statistics(
    hs: Sequence[np.ndarray], gradients: Sequence[np.ndarray] | None = None, activation: str = "tanh"
) -> list[LayerStatistics]:
    """Statistics of every layer of a stack, without the input.

    The norm of dL/dW = hᵀ·(dL/dh · slope) needs no such matrix: it follows from the two (N, N) matrices of
    inner products.

    Args:
        hs: from `propagate`.
        gradients: from `backpropagate`, or None.
        activation: "tanh", "relu" or "linear".

    >>> rows = statistics([np.ones((1, 2)), np.array([[0.0, 2.0]])], activation="relu")
    >>> rows[0].layer, rows[0].std, rows[0].zeros, rows[0].slope
    ('1', 1.0, 0.5, 0.5)
    """
    _, slope_of = _known(activation)
    rows = []
    for k in range(1, len(hs)):
        row = _of_activations(str(k), hs[k])
        slope = slope_of(hs[k])
        row["slope"] = float(slope.mean(dtype="float64"))
        if gradients is not None:
            before, delta = hs[k - 1].astype("float64"), (gradients[k] * slope).astype("float64")
            square = np.sum((before @ before.T) * (delta @ delta.T))
            row["gradient"] = _rms(gradients[k])
            row["weight_gradient"] = math.sqrt(max(square, 0) / (before.shape[1] * delta.shape[1]))
        rows.append(LayerStatistics(**row))
    return rows


def _rms(values: np.ndarray) -> float:
    return math.sqrt(np.mean(np.square(values, dtype="float64")))


def _of_activations(layer: str, h: np.ndarray) -> dict:
    h = np.asarray(h, "float64")
    return {
        "layer": layer,
        "mean": float(h.mean()),
        "std": float(h.std()),
        "zeros": float(np.mean(h == 0)),
        "saturated": float(np.mean(np.abs(h) > SATURATED)),
    }


# --- closed form -----------------------------------------------------------------------------------------

_Z = np.linspace(-9, 9, 7201)  # the normal distribution as a fine sum: also for steep tanh
_DENSITY = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()


def _moments(activation: str, size: float) -> dict[str, float]:
    """Means over a ~ N(0, size²) of the activation, its square, its slope and the slope's square."""
    if activation == "relu":  # all in closed form
        return {"mean": size / math.sqrt(2 * math.pi), "square": size**2 / 2, "slope": 0.5, "slope2": 0.5}
    if activation == "linear":
        return {"mean": 0.0, "square": size**2, "slope": 1.0, "slope2": 1.0}
    h = np.tanh(size * _Z)  # tanh: an integral in one dimension
    slope = 1 - h**2
    return {
        "mean": 0.0,
        "square": float(_DENSITY @ h**2),
        "slope": float(_DENSITY @ slope),
        "slope2": float(_DENSITY @ slope**2),
    }


def _saturated(activation: str, size: float) -> float:
    if size == 0:
        return 0.0
    edge = math.atanh(SATURATED) if activation == "tanh" else SATURATED
    sides = 1 if activation == "relu" else 2
    return sides / 2 * math.erfc(edge / size / math.sqrt(2))


def expected_statistics(
    activation: str,
    *,
    weight_std: float,
    width: int,
    depth: int,
    input_rms: float = 1.0,
    gradient: float = 1.0,
    batch: int = 1,
) -> list[LayerStatistics]:
    """What `statistics` will measure, without drawing a single weight: right for wide layers.

    In a wide layer the input sum of a unit is normal with mean 0 and second moment
    `width · weight_std² · E[h²]`. What comes out of the activation follows by an integral over the normal
    distribution, which ReLU and the identity solve; likewise backward, with the mean square of the slope.

    Args:
        activation: "tanh", "relu" or "linear".
        weight_std: standard deviation of the weights (mean 0).
        width: units of every layer.
        depth: number of layers.
        input_rms: root mean square of the input.
        gradient: root mean square of dL/dh at the last layer.
        batch: examples whose weight gradients add up.

    Returns:
        One row a layer, the first layer first.

    Raises:
        ValueError: an unknown activation.

    >>> rows = expected_statistics("relu", weight_std=(2 / 4096) ** 0.5, width=4096, depth=6)
    >>> round(rows[0].std, 3), round(rows[5].std, 3), rows[5].gradient, round(rows[0].gradient, 3)
    (0.826, 0.826, 1.0, 1.0)
    """
    _known(activation)
    forward = width * weight_std**2  # factor of the second moment in the matrix product
    square, rows, moments, squares = input_rms**2, [], [], []
    for _ in range(depth):
        size = math.sqrt(forward * square)
        squares.append(square)
        moments.append(_moments(activation, size) | {"size": size})
        square = moments[-1]["square"]
    for k in reversed(range(depth)):
        m = moments[k]
        delta = gradient * math.sqrt(m["slope2"])
        rows.append(
            LayerStatistics(
                layer=str(k + 1),
                mean=m["mean"],
                std=math.sqrt(max(m["square"] - m["mean"] ** 2, 0)),
                zeros=0.5 if activation == "relu" else 0.0,
                saturated=_saturated(activation, m["size"]),
                slope=m["slope"],
                gradient=gradient,
                weight_gradient=math.sqrt(batch * squares[k]) * delta,
            )
        )
        gradient = delta * math.sqrt(forward)
    return rows[::-1]


def factors(
    activation: str, *, weight_std: float, fan_in: int, fan_out: int | None = None, rms: float = 0.0
) -> tuple[float, float]:
    """By what one layer multiplies the size of activations (forward) and of gradients (backward).

    Args:
        activation: "tanh", "relu" or "linear".
        weight_std: standard deviation of the weights (mean 0).
        fan_in: inputs that a unit adds up.
        fan_out: units that an input reaches; None: as many.
        rms: root mean square of the layer's input; matters for tanh only. 0: very small, tanh is a line.

    Returns:
        Two numbers.

    Raises:
        ValueError: an unknown activation.

    >>> [round(factor, 4) for factor in factors("relu", weight_std=(1 / 4096) ** 0.5, fan_in=4096)]
    [0.7071, 0.7071]
    """
    _known(activation)
    rms = rms or 1e-9
    size = math.sqrt(fan_in) * weight_std * rms
    m = _moments(activation, size)
    return math.sqrt(m["square"]) / rms, math.sqrt((fan_out or fan_in) * m["slope2"]) * weight_std


# --- Keras models ----------------------------------------------------------------------------------------


def weight_gradients(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, *, training: bool = False
) -> list[np.ndarray]:
    """The gradient of the mean cross-entropy for each trainable weight, in the order of the model.

    Args:
        model: a built model whose output is logits `(N, classes)`.
        images: `(N, ...)` as the model takes them.
        labels: classes, integers `(N,)`.
        training: True for the gradient of a training step: BatchNormalization uses the images' own
            statistics, and dropout drops. The model stays as it is: moving statistics do not move.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    >>> weight_gradients(model, np.ones((1, 2)), np.array([0]))[1].tolist()
    [-0.5, 0.5]
    """
    labels = np.asarray(labels)

    def loss(logits):
        return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    return gradients_of(model, images, loss, training=training)


def gradients_of(
    model: keras.Model, images: np.ndarray, loss: Callable, *, training: bool = False
) -> list[np.ndarray]:
    """The gradient of `loss(model(images))` for each trainable weight; the model stays as it is.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> gradients_of(model, np.array([[1.0, 3.0]]), ops.sum)[0].tolist()
    [[1.0], [3.0]]
    """
    shapes = [tuple(v.shape) for v in model.trainable_variables]
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1].tolist()
    fixed = [ops.convert_to_tensor(v) for v in model.non_trainable_variables]
    images = ops.convert_to_tensor(np.asarray(images, "float32"))

    def of(flat):  # all weights in one row: so one gradient with respect to one tensor gives all
        rows = ops.split(flat, ends) if ends else [flat]  # TensorFlow cannot split at no place
        parts = [ops.reshape(row, shape) for row, shape in zip(rows, shapes, strict=True)]
        return loss(model.stateless_call(parts, fixed, images, training=training)[0])

    flat = np.concatenate([ops.convert_to_numpy(v).ravel() for v in model.trainable_variables])
    _, gradient = input_gradient(of, flat)
    return [part.reshape(s) for part, s in zip(np.split(gradient, ends), shapes, strict=True)]


def model_statistics(
    model: keras.Model, images: np.ndarray, labels: np.ndarray | None = None
) -> list[LayerStatistics]:
    """Activations of every dense and convolutional layer of a model, and with labels its weight gradient.

    Args:
        model: a built model.
        images: `(N, ...)` as the model takes them, at most a few hundred.
        labels: classes, integers `(N,)`; then the output must be logits.

    Returns:
        One row a layer. An activation that is a layer of its own is not part of it.

    >>> dense = keras.layers.Dense(3, kernel_initializer="ones", name="fc")
    >>> model = keras.Sequential([keras.Input((2,)), dense])
    >>> model_statistics(model, np.ones((4, 2)))[0].mean
    2.0
    """
    layers = kernel_layers(model)
    outputs = keras.Model(model.inputs[0], [layer.output for layer in layers])(images, training=False)
    gradient = {}
    if labels is not None:
        paths = [v.path for v in model.trainable_variables]
        gradient = dict(zip(paths, weight_gradients(model, images, labels), strict=True))
    rows = []
    for layer, h in zip(layers, outputs if len(layers) > 1 else [outputs], strict=True):
        row = _of_activations(layer.name, ops.convert_to_numpy(h))
        row["weight"] = _rms(ops.convert_to_numpy(layer.kernel))
        if layer.kernel.path in gradient:
            row["weight_gradient"] = _rms(gradient[layer.kernel.path])
        rows.append(LayerStatistics(**row))
    return rows
