"""Schemes that look at images before the first step of training."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from .schemes import Random, initialize, kernel_layers
from .statistics import gradients_of


def _layer_by_layer(
    model: keras.Model, images: np.ndarray, adjust: Callable[[keras.Layer, Callable], None]
) -> None:
    """Send images through a model once and let `adjust` change each weight layer before its turn.

    `adjust(layer, sums)` receives the layer and a function that computes its output before the activation,
    for what the layers before it, already changed, really put out.
    """
    layers = kernel_layers(model)

    def adjusting(layer, call):
        def call_adjusted(x, **kwargs):
            activation, layer.activation = layer.activation, keras.activations.linear
            try:
                adjust(layer, lambda: ops.convert_to_numpy(call(x)))
            finally:
                layer.activation = activation
            return call(x, **kwargs)

        return call_adjusted

    for layer in layers:
        layer.call = adjusting(layer, layer.call)
    try:
        model(np.asarray(images, "float32"), training=False)
    finally:
        for layer in layers:
            del layer.call  # the instance's: the class has its own


def lsuv(
    model: keras.Model, images: np.ndarray, *, rng: Random = 0, tolerance: float = 0.01, tries: int = 10
) -> list[dict]:
    """Layer-sequential unit variance: orthogonal weights, then each layer scaled until its output has std 1.

    The layers are taken one after the other, from the first to the last, so that each sees what the scaled
    layers before it really put out. What counts is the output before the activation.

    Reference: D. Mishkin and J. Matas, 2015, arXiv:1511.06422.

    Args:
        model: a built model; changed in place. Biases become zero.
        images: one batch `(N, ...)`; no labels are needed.
        rng: a NumPy generator, or the seed of a new one.
        tolerance: largest distance of the variance from 1.
        tries: at most so many scalings a layer. Without a bias one is enough.

    Returns:
        One dictionary a layer: "layer", "before" and "after" (standard deviations), "tries".

    Raises:
        ValueError: a layer puts out zeros only, so that no factor can help.

    >>> dense = [keras.layers.Dense(100, "relu"), keras.layers.Dense(10)]
    >>> model = keras.Sequential([keras.Input((64,)), *dense])
    >>> rows = lsuv(model, np.random.default_rng(0).uniform(size=(32, 64)))
    >>> [round(row["after"], 3) for row in rows]
    [1.0, 1.0]
    """
    rows = []

    def adjust(layer: keras.Layer, sums: Callable[[], np.ndarray]) -> None:
        std = before = float(sums().std())
        steps = 0
        while abs(std**2 - 1) > tolerance and steps < tries:
            if not std > 0:
                raise ValueError(
                    f"Layer {layer.name!r} puts out one value for every image (standard deviation {std:g}): "
                    "no factor makes that 1. Are the images empty?"
                )
            layer.kernel.assign(ops.convert_to_numpy(layer.kernel) / std)
            std, steps = float(sums().std()), steps + 1
        rows.append({"layer": layer.name, "before": before, "after": std, "tries": steps})

    initialize(model, "orthogonal", rng=rng)
    _layer_by_layer(model, images, adjust)
    return rows


def data_dependent(
    model: keras.Model, images: np.ndarray, *, rng: Random = 0, balance: bool = True
) -> list[dict]:
    """Every channel starts with mean 0 and std 1 on real images; then all layers learn at the same pace.

    Two steps. *Within layers*: normal weights, then the weights of each channel are divided by the standard
    deviation of its output, and its bias takes the mean away. *Between layers*: a layer's pace is the size of
    its weight gradient (for random numbers arriving at the output) over the size of its weights. Multiplying
    a layer's weights by s changes its pace by 1/s²: slow layers get smaller weights, fast ones larger. The
    factors multiply to 1, and the biases follow, so that a ReLU network computes what it computed before.

    Reference: P. Krähenbühl et al., 2015, arXiv:1511.06856, algorithms 1 and 2. The paper comes to equal
    paces in many small steps, which suits any network; in a chain with ReLU one step is exact.

    Args:
        model: a chain of dense and convolutional layers with ReLU; changed in place.
        images: one batch `(N, ...)`; no labels are needed.
        rng: a NumPy generator, or the seed of a new one.
        balance: False leaves the second step out.

    Returns:
        One dictionary a layer: "layer", "pace" (after the first step) and "factor" (of the second).

    Raises:
        ValueError: a layer without bias, or a channel that is the same for every image.

    >>> dense = [keras.layers.Dense(50, "relu"), keras.layers.Dense(10)]
    >>> model = keras.Sequential([keras.Input((64,)), *dense])
    >>> images = np.random.default_rng(0).uniform(size=(32, 64)).astype("float32")
    >>> _ = data_dependent(model, images, balance=False)
    >>> np.allclose(np.std(model(images), axis=0), 1, atol=1e-4)
    True
    """
    rng = np.random.default_rng(rng)
    layers = kernel_layers(model)
    if no_bias := [layer.name for layer in layers if not layer.use_bias]:
        raise ValueError(f"Layer {no_bias[0]!r} has no bias; this scheme sets one for each channel.")

    def adjust(layer: keras.Layer, sums: Callable[[], np.ndarray]) -> None:
        channels = sums().reshape(-1, layer.kernel.shape[-1])
        std = channels.std(axis=0)
        if not np.all(std > 0):
            raise ValueError(f"Layer {layer.name!r}: a channel has the same value everywhere. Empty images?")
        layer.kernel.assign(ops.convert_to_numpy(layer.kernel) / std)
        layer.bias.assign(-channels.mean(axis=0) / std)

    initialize(model, "normal", rng=rng, std=1.0)
    _layer_by_layer(model, images, adjust)
    pace = _paces(model, layers, images, rng)
    factors = np.sqrt(pace / np.exp(np.log(pace).mean())) if balance else np.ones(len(layers))
    for layer, factor, so_far in zip(layers, factors, np.cumprod(factors), strict=True):
        layer.kernel.assign(ops.convert_to_numpy(layer.kernel) * factor)
        layer.bias.assign(ops.convert_to_numpy(layer.bias) * so_far)
    pairs = zip(layers, pace.tolist(), factors.tolist(), strict=True)
    return [{"layer": layer.name, "pace": a, "factor": b} for layer, a, b in pairs]


def _paces(model, layers, images, rng) -> np.ndarray:
    """Size of the weight gradient over size of the weights, a number for each layer."""
    noise = rng.standard_normal((len(images), *model.output_shape[1:])).astype("float32")
    found = gradients_of(model, images, lambda out: ops.sum(out * noise) / len(images))
    norms = {v.path: np.linalg.norm(g) for v, g in zip(model.trainable_variables, found, strict=True)}
    return np.array(
        [norms[layer.kernel.path] / np.linalg.norm(ops.convert_to_numpy(layer.kernel)) for layer in layers]
    )
