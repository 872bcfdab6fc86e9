"""What transfer learning does with a trained network: codes, a new head, frozen stages, a rate for each part.

A *part* is what layer names have before their first underscore: `stage1_block2_conv` belongs to the part
"stage1", `fc1` and `output` are parts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import ops

from ..arguments import whole_number
from ..builder import output_dtype
from ..errors import unknown
from ..tables import Table
from ..visualization import layer_outputs

__all__ = ["codes", "freeze", "new_head", "part_rates", "part_table", "parts"]


def codes(
    model: keras.Model, images: np.ndarray, layers: str | Sequence[str]
) -> np.ndarray | dict[str, np.ndarray]:
    """CNN codes: a layer's output for each image, as one long vector.

    Take a layer whose output has been through its ReLU, since that is what the next layer was trained on:
    the convolution where the activation is part of it, else the activation layer behind it.

    Args:
        model: a functional or Sequential model.
        images: `(N, H, W, C)`, as the model takes them.
        layers: the name of a layer; or several, whose codes are computed in one go.

    Returns:
        `(N, D)`, D the number of values that the layer puts out; for several layers a dictionary by name.

    Raises:
        ValueError: a layer that the model does not have, or images that do not fit it.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 5, name="c1")])
    >>> codes(model, np.zeros((3, 8, 8, 1)), "c1").shape
    (3, 64)
    """
    names = [layers] if isinstance(layers, str) else list(layers)
    outputs = layer_outputs(model, images, names)
    result = {name: values.reshape(len(values), -1) for name, values in zip(names, outputs, strict=True)}
    return result[layers] if isinstance(layers, str) else result


def new_head(model: keras.Model, classes: int, *, seed: int | None = None) -> keras.Model:
    """A copy of a classifier with a fresh last layer for other classes; all other weights are copied.

    Args:
        model: functional or Sequential, its last layer dense (with or without softmax).
        classes: number of the new classes.
        seed: of the new layer's weights.

    Returns:
        A new model; the old one shares nothing with it. The new layer is called "output" and ends in softmax.

    Raises:
        ValueError: a model that does not end in a dense layer, or no number of classes.

    >>> old = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5), keras.layers.Dense(3)])
    >>> new_head(old, 7).output_shape
    (None, 7)
    """
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense):
        raise ValueError(
            f"The model's last layer, {last.name!r}, is a {type(last).__name__}. A dense layer is needed."
        )
    whole_number("classes", classes)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    start = keras.initializers.GlorotUniform(seed=seed)
    options = {"kernel_initializer": start, "dtype": output_dtype(), "name": "output"}
    head = keras.layers.Dense(classes, "softmax", **options)
    return keras.Model(copy.inputs[0], head(copy.layers[-1].input), name=model.name)


def parts(model: keras.Model) -> dict[str, list[keras.Layer]]:
    """The layers with weights by part, in the order of the network.

    >>> from course_lib.architectures import build
    >>> list(parts(build("LeNet5")))
    ['C1', 'C3', 'C5', 'F6', 'output']
    """
    found: dict[str, list[keras.Layer]] = {}
    for layer in model.layers:
        if layer.weights:
            found.setdefault(_part(layer), []).append(layer)
    return found


def freeze(model: keras.Model, until: str | None) -> None:
    """Stop the training of everything up to and including a part, or a layer; what follows is trained.

    A frozen BatchNormalization works as at inference: with its moving statistics, which stay as they are.
    Compile the model afterwards: Keras fixes what is trained when a model is compiled.

    Args:
        until: the last part or layer to be frozen; None trains everything.

    Raises:
        ValueError: no part and no layer has this name.

    >>> from course_lib.architectures import build
    >>> model = build("LeNet5")
    >>> freeze(model, "C5")
    >>> [layer.name for layer in model.layers if layer.trainable_weights]
    ['F6', 'output']
    """
    last = -1
    if until is not None:
        places = [i for i, layer in enumerate(model.layers) if until in (layer.name, _part(layer))]
        if not places:
            names = dict.fromkeys(name for layer in model.layers for name in (_part(layer), layer.name))
            raise unknown(f"part or layer of model {model.name!r}", until, names)
        last = places[-1]
    for i, layer in enumerate(model.layers):
        layer.trainable = i > last


def part_rates(
    optimizer: keras.optimizers.Optimizer, model: keras.Model, rates: Mapping[str, float]
) -> keras.optimizers.Optimizer:
    """The optimizer, with a factor on the learning rate of some parts: 0.1 for a tenth, 0 for no step at all.

    Each step is taken as always and then shortened to its share, so that it works with every optimizer,
    with schedules and with every backend. One learning rate stays in charge of all parts.
    `optimizer.set_rates(...)` changes the factors later, without compiling again.

    A factor of 0 keeps the weights, but a BatchNormalization goes on to use and to gather the statistics of
    the batches: `freeze` stops that, too. Keras can neither save nor clone a model that was compiled with
    this optimizer: save its weights, and clone it before.

    Args:
        optimizer: gives its kind and its settings; it is not changed.
        model: whose parts are meant, with `trainable` set as it will be trained.
        rates: factors by part or layer; 1 for all that is not named.

    Returns:
        A new optimizer for `model.compile`.

    Raises:
        ValueError: no part or layer with weights has this name, or a negative factor.

    >>> from course_lib.architectures import build
    >>> model = build("LeNet5")
    >>> optimizer = part_rates(keras.optimizers.SGD(0.1), model, {"C1": 0.1, "C3": 0.1})
    >>> optimizer.rates["C1"], optimizer.rates["output"]
    (0.1, 1.0)
    """
    kind = type(optimizer)
    parted = type(f"PartRates{kind.__name__}", (_PartRates, kind), {}).from_config(optimizer.get_config())
    parted.build(model.trainable_variables)
    parted.follow(model)
    parted.set_rates(rates)
    return parted


class _PartRates:
    """Put in front of an optimizer's class: takes its step, then goes back some of the way."""

    def build(self, variables) -> None:
        super().build(variables)
        self._places = {id(variable): i for i, variable in enumerate(variables)}
        self._factors = self.add_variable((len(variables),), "ones", name="part_rates")

    def follow(self, model: keras.Model) -> None:
        """Take the names of the parts and layers from a model; the longer name decides."""
        self._names = {}  # name of a part or layer -> places of its variables
        for layer in model.layers:
            places = [self._places[id(v)] for v in layer.trainable_variables]
            for name in {_part(layer), layer.name} if places else ():
                self._names[name] = [*self._names.get(name, ()), *places]
        self._layers = [layer.name for layer in model.layers]

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Set the factors, by part or layer; all that is not named gets 1."""
        factors = np.ones(len(self._places), "float32")
        for name, factor in sorted(rates.items(), key=lambda item: item[0] in self._layers):  # parts first
            if name not in self._names:
                raise unknown("part or layer with trained weights", name, self._names)
            if not factor >= 0:
                raise ValueError(f"The rate of {name!r} must be a factor from 0 on. Received: {factor!r}.")
            factors[self._names[name]] = factor
        self._factors.assign(factors)

    @property
    def rates(self) -> dict[str, float]:
        """The factor of each part and layer (of its first weights, where a part has several)."""
        factors = ops.convert_to_numpy(self._factors)
        return {name: round(float(factors[places[0]]), 6) for name, places in self._names.items()}

    def apply(self, grads, trainable_variables=None):
        variables = list(self._trainable_variables if trainable_variables is None else trainable_variables)
        before = [ops.copy(variable) for variable in variables]  # a view would follow the step
        result = super().apply(grads, trainable_variables)
        for variable, old in zip(variables, before, strict=True):
            share = ops.cast(self._factors[self._places[id(variable)]], variable.dtype)
            variable.assign(share * variable + (1 - share) * old)  # exact for the shares 0 and 1
        return result


def part_table(model: keras.Model) -> Table:
    """What will be trained: each part's layers, parameters, and how its BatchNormalizations work.

    >>> from course_lib.architectures import build
    >>> model = build("LeNet5")
    >>> freeze(model, "C3")
    >>> [row["trained"] for row in part_table(model).rows]
    [0, 0, 48120, 10164, 850, 59134]
    """
    rows = []
    for name, layers in parts(model).items():
        norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        modes = {"statistics of the batch" if layer.trainable else "moving statistics" for layer in norms}
        rows.append(
            {
                "part": name,
                "layers": len(layers),
                "parameters": sum(layer.count_params() for layer in layers),
                "trained": sum(int(np.prod(v.shape)) for layer in layers for v in layer.trainable_variables),
                "normalized by": ", ".join(sorted(modes)) or None,
            }
        )
    total = {key: sum(row[key] for row in rows) for key in ("layers", "parameters", "trained")}
    columns = ["part", "layers", "parameters", "trained"]
    if any(row["normalized by"] for row in rows):
        columns.append("normalized by")
    return Table([*rows, {"part": "all"} | total], columns)


def _part(layer: keras.Layer) -> str:
    return layer.name.partition("_")[0]
