"""Lottery tickets: layers with a mask, pruning by magnitude, and the way back to the first weights."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from .. import arguments


class _Masked:
    """What both masked layers have in common: a mask, which is stored with the weights."""

    def build(self, input_shape):
        super().build(input_shape)
        self.mask = self.add_weight(name="mask", shape=self.kernel.shape, initializer="ones", trainable=False)

    def save_own_variables(self, store):
        # All variables. The method of a dense layer or a convolution would leave the mask out.
        keras.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.Layer.load_own_variables(self, store)


@keras.saving.register_keras_serializable("course_lib")
class MaskedDense(_Masked, keras.layers.Dense):
    """A dense layer whose weights are multiplied by a mask of zeros and ones, all ones at first."""

    def call(self, inputs, training=None):
        x = ops.matmul(inputs, self.kernel * self.mask)
        x = x + self.bias if self.use_bias else x
        return self.activation(x) if self.activation is not None else x


@keras.saving.register_keras_serializable("course_lib")
class MaskedConv2D(_Masked, keras.layers.Conv2D):
    """A convolution whose weights are multiplied by a mask of zeros and ones, all ones at first."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * self.mask)


def masked_layers(model: keras.Model) -> list[MaskedDense | MaskedConv2D]:
    """The layers that have a mask.

    Raises:
        ValueError: there is none.

    >>> [layer.name for layer in masked_layers(keras.Sequential([MaskedDense(2, name="a")]))]
    ['a']
    """
    found = [layer for layer in model.layers if isinstance(layer, (MaskedDense, MaskedConv2D))]
    if not found:
        raise ValueError(f"The model {model.name!r} has no MaskedDense or MaskedConv2D: nothing to prune.")
    return found


def prune(model: keras.Model, rate: float, *, last: float | None = None) -> float:
    """Set the masks of the smallest weights that are left to zero, in each masked layer.

    Args:
        model: a trained model with `MaskedDense` or `MaskedConv2D` layers; its masks change.
        rate: which share of the weights still there goes, 0.2 as in the paper.
        last: another share for the last masked layer; the paper takes half the rate there.

    Returns:
        The share of weights that are left, of all masked layers together.

    Raises:
        ValueError: a rate outside of 0 to 1, or no masked layer.

    >>> model = keras.Sequential([keras.Input((2,)), MaskedDense(2)])
    >>> model.layers[0].set_weights([np.array([[0.1, -3.0], [2.0, -0.5]]), np.zeros(2), np.ones((2, 2))])
    >>> prune(model, 0.5)
    0.5
    >>> model.layers[0].mask.numpy().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    last = rate if last is None else last
    arguments.rate("rate", rate)
    arguments.rate("last", last)
    layers, kept, total = masked_layers(model), 0, 0
    for layer in layers:
        mask = ops.convert_to_numpy(layer.mask).copy()
        alive = np.flatnonzero(mask)
        size = np.abs(ops.convert_to_numpy(layer.kernel)).ravel()[alive]
        go = round((last if layer is layers[-1] else rate) * len(alive))
        mask.ravel()[alive[np.argsort(size, kind="stable")[:go]]] = 0
        layer.mask.assign(mask)
        kept, total = kept + len(alive) - go, total + mask.size
    return kept / total


def rewind(model: keras.Model, weights: Sequence[np.ndarray]) -> None:
    """Give a model's trainable weights these values, and let its optimizer forget what it has seen.

    One compiled model can so be trained again and again, from any start, without being traced anew. Masks and
    other weights that are not trained stay as they are.

    Args:
        model: a built model; compiled or not.
        weights: as many arrays as the model has trainable weights:
            `[w.numpy() for w in model.trainable_variables]` at the time to come back to.

    Raises:
        ValueError: another number of arrays, or a wrong shape.

    >>> model = keras.Sequential([keras.Input((2,)), MaskedDense(1, use_bias=False)])
    >>> rewind(model, [np.array([[1.0], [2.0]])])
    >>> float(model(np.ones((1, 2)))[0, 0])
    3.0
    """
    variables = model.trainable_variables
    got, needed = [np.shape(w) for w in weights], [tuple(v.shape) for v in variables]
    if got != needed:
        raise ValueError(f"The model has trainable weights of shapes {needed}, received {got}.")
    for variable, value in zip(variables, weights, strict=True):
        variable.assign(value)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or not optimizer.built:
        return
    fresh = type(optimizer).from_config(optimizer.get_config())
    fresh.build(variables)  # not every state begins at zero: Adagrad's, Nadam's
    for variable, first in zip(optimizer.variables, fresh.variables, strict=True):
        if variable.name not in ("learning_rate", "part_rates"):  # settings, not a state
            variable.assign(first)
