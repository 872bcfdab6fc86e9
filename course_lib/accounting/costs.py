"""Parameters, MACs and activations: one rule for each type of layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from math import prod

import keras
from keras import layers

from .graph import Call, Shape, trace


@dataclass(frozen=True)
class LayerCost:
    """What one call of a layer costs for one image. `output_shape` is without the batch axis: (28, 28, 6)."""

    name: str
    kind: str
    output_shape: Shape
    params: int
    trainable_params: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Totals:
    """The sums over a model's layers. `activations` includes the input image."""

    params: int
    trainable_params: int
    macs: int
    activations: int


def layer_costs(model: keras.Model, *, input_shape: Sequence[int] | None = None) -> list[LayerCost]:
    """What each layer of a model costs for one image, in the order of the graph, the input first.

    Args:
        model: a built functional or Sequential model.
        input_shape: `(H, W, C)` for a model whose height and width are open; a list of shapes if it has
            several inputs.

    Raises:
        ValueError: a layer without a rule, a model without a graph, or an unknown image size.

    >>> model = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(6, 5, name="c1")])
    >>> c1 = layer_costs(model)[1]
    >>> c1.name, c1.kind, c1.output_shape, c1.activations
    ('c1', 'Conv2D', (28, 28, 6), 4704)
    >>> c1.params, c1.macs  # 6 (5 * 5 * 3 + 1) and 28 * 28 * 6 * 5 * 5 * 3
    (456, 352800)
    """
    return costs_of(trace(model, input_shape))


def totals(model: keras.Model, *, input_shape: Sequence[int] | None = None) -> Totals:
    """Parameters, MACs and activations of a whole model for one image; arguments as in `layer_costs`.

    >>> totals(keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(10)]))
    Totals(params=30730, trainable_params=30730, macs=30720, activations=3082)
    """
    return sum_of(layer_costs(model, input_shape=input_shape))


def sum_of(rows: Sequence[LayerCost]) -> Totals:
    """The sums over some layers."""
    return Totals(*(sum(getattr(row, field.name) for row in rows) for field in fields(Totals)))


def costs_of(calls: list[Call]) -> list[LayerCost]:
    """One row for each call."""
    counted: set[int] = set()  # weights seen so far: a shared one counts once
    rows = []
    for call in calls:
        new = [weight for weight in getattr(call.layer, "weights", []) if id(weight) not in counted]
        counted.update(map(id, new))
        trainable = {id(weight) for weight in getattr(call.layer, "trainable_weights", [])}
        rows.append(
            LayerCost(
                name=call.name,
                kind=call.kind,
                output_shape=call.output_shape,
                params=sum(prod(weight.shape) for weight in new),
                trainable_params=sum(prod(weight.shape) for weight in new if id(weight) in trainable),
                macs=macs_of(call),
                activations=0 if call.kind in RENAMES else sum(prod(x.shape[1:]) for x in call.outputs),
            )
        )
    return rows


def macs_of(call: Call) -> int:
    """The MACs of one call: what the layer itself says, else the rule for its type, else an error."""
    layer = call.layer
    if hasattr(layer, "macs"):
        shapes = [tuple(x.shape[1:]) for x in call.inputs]
        return int(layer.macs(shapes[0] if len(shapes) == 1 else shapes, call.output_shape))
    if isinstance(layer, keras.Layer):
        for kind in type(layer).__mro__:  # a subclass of Conv2D costs what a Conv2D costs
            if kind in MACS:
                return MACS[kind](call)
    elif layer is None or call.kind in FREE_OPERATIONS:
        return 0
    raise ValueError(
        f"No rule says what layer {call.name!r} of type {call.kind} costs. Give its class a method "
        "macs(input_shape, output_shape) that returns the MACs of one image (shapes without the batch axis; "
        "0 if it neither convolves nor multiplies by a matrix)."
    )


def _channels(call: Call) -> int:
    return call.input_shape[-1 if call.layer.data_format == "channels_last" else 0]


def _conv(call: Call) -> int:
    """Each output value is a sum over the window and the input channels of its group."""
    return prod(call.output_shape) * prod(call.layer.kernel_size) * _channels(call) // call.layer.groups


def _depthwise(call: Call) -> int:
    """Each output value is a sum over the window in one channel."""
    return prod(call.output_shape) * prod(call.layer.kernel_size)


def _separable(call: Call) -> int:
    """A depthwise convolution, then a 1x1 convolution."""
    layer = call.layer
    positions = prod(call.output_shape) // layer.filters
    return positions * _channels(call) * layer.depth_multiplier * (prod(layer.kernel_size) + layer.filters)


def _transposed(call: Call) -> int:
    """Each input value meets the whole window of each output channel; what "same" crops away is included."""
    return prod(call.input_shape) * prod(call.layer.kernel_size) * call.layer.filters


def _dense(call: Call) -> int:
    """Each output value is a sum over the last axis: on a volume a dense layer is a 1x1 convolution."""
    return prod(call.output_shape) * call.input_shape[-1]


def _free(call: Call) -> int:
    return 0


def types(names: str) -> tuple[type, ...]:
    """The Keras layers of these names, `*` for 1D, 2D and 3D. What an older Keras lacks is left out."""
    full = [name.replace("*", axes) for name in names.split() for axes in ("1D", "2D", "3D")]
    return tuple(getattr(layers, name) for name in dict.fromkeys(full) if hasattr(layers, name))


# Layer type -> the rule for one call. A layer of another library: MACS[TheirLayer] = lambda call: ...
MACS: dict[type, Callable[[Call], int]] = {
    **dict.fromkeys(types("Conv*"), _conv),
    **dict.fromkeys(types("DepthwiseConv*"), _depthwise),
    **dict.fromkeys(types("SeparableConv*"), _separable),
    **dict.fromkeys(types("Conv*Transpose"), _transposed),
    **dict.fromkeys(types("Dense"), _dense),
    **dict.fromkeys(types("MaxPooling* AveragePooling* GlobalMaxPooling* GlobalAveragePooling*"), _free),
    **dict.fromkeys(types("InputLayer Identity Flatten Reshape Permute RepeatVector"), _free),
    **dict.fromkeys(types("ZeroPadding* Cropping* UpSampling*"), _free),
    **dict.fromkeys(types("Activation ReLU LeakyReLU PReLU ELU Softmax"), _free),
    **dict.fromkeys(types("BatchNormalization LayerNormalization GroupNormalization"), _free),
    **dict.fromkeys(types("RMSNormalization UnitNormalization ActivityRegularization"), _free),
    **dict.fromkeys(types("Dropout SpatialDropout* AlphaDropout GaussianDropout GaussianNoise"), _free),
    **dict.fromkeys(types("Add Subtract Multiply Average Maximum Minimum Concatenate"), _free),
    **dict.fromkeys(types("Rescaling Normalization Resizing CenterCrop RandomCrop RandomFlip"), _free),
    **dict.fromkeys(types("RandomTranslation RandomRotation RandomZoom RandomShear RandomErasing"), _free),
    **dict.fromkeys(types("RandomBrightness RandomContrast RandomHue RandomSaturation"), _free),
}

# Operations in a graph that are no layers, such as `x + y` or `keras.ops.relu(x)`, by their class's name.
# fmt: off
FREE_OPERATIONS = frozenset([
    "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Negative", "Absolute", "Square", "Sqrt",
    "Power", "Exp", "Log", "Maximum", "Minimum", "Clip",
    "Relu", "Relu6", "LeakyRelu", "Elu", "Gelu", "Silu", "Sigmoid", "HardSigmoid", "HardSilu",
    "Tanh", "Softplus", "Softmax", "LogSoftmax",
    "Mean", "Sum", "Max", "Min", "MaxPool", "AveragePool", "Pad", "Flip", "Cast",
    "Concatenate", "Stack", "Split", "GetItem", "Reshape", "Squeeze", "ExpandDims", "Transpose",
])
# fmt: on

# These put out the values that they received: nothing more is stored.
RENAMES = frozenset(["Identity", "Flatten", "Reshape", "Squeeze", "ExpandDims"])
