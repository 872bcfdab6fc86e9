"""Fixup: residual networks that train without normalization."""

from collections.abc import Sequence

import keras
import numpy as np

from ..errors import unknown
from ..layers.base import FreeLayer
from .schemes import Random, draw, kernel_layers


@keras.saving.register_keras_serializable("course_lib")
class ScalarBias(FreeLayer):
    """Adds one trained number, 0 at first. Fixup has one before each convolution and each activation."""

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, x):
        return x + self.bias


@keras.saving.register_keras_serializable("course_lib")
class ScalarScale(FreeLayer):
    """Multiplies by one trained number, 1 at first. Fixup has one at the end of each residual branch."""

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, x):
        return x * self.scale


def fixup(
    model: keras.Model, branches: Sequence[Sequence[str]], *, head: str | None = None, rng: Random = 0
) -> None:
    """He's weights, made small in the residual branches so that no branch adds much at first.

    With L branches of m weight layers each: the last layer of each branch starts at zero, the others at
    He's standard deviation times L^(-1/(2m-2)), the classifier at zero, everything else by He.
    One step of training then changes the network's output by about the same amount whatever its depth.

    Reference: H. Zhang, Y. Dauphin, T. Ma, 2019, arXiv:1901.09321.

    Args:
        model: a residual network without normalization; changed in place. Biases become zero, the scalars
            of `ScalarBias` and `ScalarScale` 0 and 1.
        branches: for each residual branch the names of its weight layers, the first one first.
        head: name of the classifier's layer; None: there is none.
        rng: a NumPy generator, or the seed of a new one.

    Raises:
        ValueError: a name that is no weight layer of the model, or a branch of fewer than two layers.

    >>> x = image = keras.Input((8,))
    >>> y = keras.layers.Dense(8, "relu", name="a")(x)
    >>> x = keras.layers.add([x, keras.layers.Dense(8, name="b")(y)])
    >>> model = keras.Model(image, x)
    >>> fixup(model, [["a", "b"]])
    >>> bool(np.all(model(np.ones((1, 8))) == 1))  # at first the branch adds nothing
    True
    """
    rng = np.random.default_rng(rng)
    names = [layer.name for layer in kernel_layers(model)]
    for name in [name for branch in branches for name in branch] + ([head] if head else []):
        if name not in names:
            raise unknown("weight layer", name, names)
    factor = dict.fromkeys(names, 1.0)
    for branch in branches:
        if len(branch) < 2:
            raise ValueError(f"The branch {list(branch)} has fewer than two weight layers.")
        factor |= dict.fromkeys(branch, len(branches) ** (-1 / (2 * len(branch) - 2)))
        factor[branch[-1]] = 0.0
    if head:
        factor[head] = 0.0
    for layer in model.layers:
        if layer.name in factor:
            layer.kernel.assign(factor[layer.name] * draw(layer.kernel.shape, "he", rng=rng))
            if layer.use_bias:
                layer.bias.assign(np.zeros(layer.bias.shape))
        elif isinstance(layer, ScalarBias):
            layer.bias.assign(0.0)
        elif isinstance(layer, ScalarScale):
            layer.scale.assign(1.0)
