"""Published weights for our builders: copied from the `keras.applications` network of the same architecture.

The two graphs differ in details: names, the order of branches, a bias in front of a normalization, its
epsilon. `copy_twin_weights` matches layer with layer by where they stand in the graph, and folds what
differs, so that both networks give the same outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..accounting.graph import Call, trace
from ..errors import unknown

__all__ = ["TWINS", "Twin", "copy_twin_weights", "load_imagenet", "make_twin", "preprocess"]


@dataclass(frozen=True)
class Twin:
    """A network of `keras.applications`, and what its images look like.

    `mode` is that of `keras.applications.imagenet_utils.preprocess_input`: "caffe" (blue, green, red, each
    minus its mean), "tf" (-1 to 1) or "torch" (minus the mean, over the standard deviation). EfficientNet's
    twin does the last one inside its graph.
    """

    name: str
    mode: str


TWINS: dict[str, Twin] = {
    "VGG16": Twin("VGG16", "caffe"),
    "VGG19": Twin("VGG19", "caffe"),
    **{f"ResNet{depth}": Twin(f"ResNet{depth}", "caffe") for depth in (50, 101, 152)},
    **{f"DenseNet{depth}": Twin(f"DenseNet{depth}", "torch") for depth in (121, 169, 201)},
    "MobileNet": Twin("MobileNet", "tf"),
    "MobileNetV2": Twin("MobileNetV2", "tf"),
    "NASNetMobile": Twin("NASNetMobile", "tf"),
    "NASNetLarge": Twin("NASNetLarge", "tf"),
    **{f"EfficientNetB{size}": Twin(f"EfficientNetB{size}", "torch") for size in range(8)},
}
SAME_IN_ANY_ORDER = ("Add", "Multiply", "Average", "Maximum")  # layers whose inputs can be exchanged
NOT_COPIED = ("Normalization",)  # EfficientNet's twin prepares its images inside; our `preprocess` does it


def load_imagenet(model: keras.Model) -> None:
    """Give a model the weights that `keras.applications` publishes for its architecture, in place.

    Needs the internet once; Keras keeps the file in its own cache.

    Args:
        model: made by a builder that `TWINS` names, with 1,000 classes or without the classifier.

    Raises:
        ValueError: a network without published weights or with another classifier, or the weights cannot be
            fetched. The model is then as it was.
    """
    name, twin, _ = _twin_of(model)
    with_top = _with_top(model)
    if with_top and model.output_shape[-1] != 1000:
        raise ValueError(
            f"The published weights are for 1,000 classes, the model has {model.output_shape[-1]}. "
            f"Build {name} with include_top=False and put your own classifier behind it."
        )
    try:
        published = make_twin(model, weights="imagenet")
    except Exception as error:  # Keras raises a plain Exception when a file cannot be fetched
        if "URL fetch failure" not in str(error):
            raise ValueError(f"keras.applications.{twin.name} has no such weights: {error}") from error
        raise ValueError(
            f"The ImageNet weights of {twin.name} are not on this machine and could not be fetched. Connect "
            "to the internet and try again, or copy the file from another machine's folder ~/.keras/models. "
            f"Keras says: {error}"
        ) from None
    copy_twin_weights(model, published)


def make_twin(model: keras.Model, *, weights: str | None = None, **more) -> keras.Model:
    """The `keras.applications` network of the model's architecture, input size and kind of end.

    `more` goes to its builder, such as `classifier_activation=None`.

    Raises:
        ValueError: a network that `TWINS` does not name.
    """
    _, twin, arguments = _twin_of(model)
    arguments = {key: value for key, value in arguments.items() if key == "alpha"}
    return getattr(keras.applications, twin.name)(
        include_top=_with_top(model),
        weights=weights,
        input_shape=tuple(model.input_shape[1:]),
        **arguments,
        **more,
    )


def preprocess(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a model with copied ImageNet weights takes, for images `(N, H, W, 3)` in [0, 1].

    Raises:
        ValueError: other images, or a network without published weights.

    >>> from course_lib.architectures import build
    >>> model = build("VGG16", include_top=False, input_shape=(32, 32, 3))
    >>> [round(float(x), 2) for x in preprocess(model, np.ones((1, 32, 32, 3)))[0, 0, 0]]  # blue, green, red
    [151.06, 138.22, 131.32]
    """
    images = np.asarray(images, "float32")
    if images.ndim != 4 or images.shape[-1] != 3 or images.min() < 0 or images.max() > 1:
        raise ValueError(
            "images must be (N, height, width, 3) with values from 0 to 1. Received: "
            f"{images.shape}, values from {images.min(initial=0):g} to {images.max(initial=0):g}."
        )
    mode = _twin_of(model)[1].mode
    return keras.applications.imagenet_utils.preprocess_input(images * 255.0, "channels_last", mode)


def copy_twin_weights(model: keras.Model, twin: keras.Model) -> None:
    """Copy all weights of `twin` into `model`, in place, so that both give the same outputs at inference.

    A bias in front of a BatchNormalization that our convolution lacks moves into its mean; another epsilon
    moves into its variance. A dense layer takes the weights of a 1x1 convolution. Kernels, strides and sizes
    of the maps are compared (MobileNet's twin treats the border otherwise, so there the image's sides must be
    multiples of 32); activations are not.

    Args:
        model: the network that gets the weights.
        twin: a network of the same architecture; layer names and the order of branches may differ.

    Raises:
        ValueError: the two are different architectures; the text names the first layers that differ. The
            model is then as it was.

    >>> model, twin = (keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]) for _ in range(2))
    >>> copy_twin_weights(model, twin)
    >>> np.array_equal(model.get_weights()[0], twin.get_weights()[0])
    True
    """
    ours, theirs = _parts(model), _parts(twin)
    values: list[tuple[Any, np.ndarray]] = []
    pending = 0.0  # the bias of a convolution that has none in our network
    for mine, other in zip(ours, theirs, strict=False):
        if mine.signature != other.signature:
            raise _different(f"{mine.layer.name} {mine.signature}", f"{other.layer.name} {other.signature}")
        if mine.signature[0] == "norm":
            values += _norm_values(mine.layer, other.layer, pending)
            pending = 0.0
        elif np.any(pending):
            raise _different(f"no bias before {mine.layer.name}", "a bias, and no normalization behind it")
        else:
            values.append((mine.kernel, np.reshape(other.kernel, mine.kernel.shape)))
            bias = 0.0 if other.bias is None else np.array(other.bias)
            if mine.bias is None:
                pending = bias
            else:
                values.append((mine.bias, np.broadcast_to(bias, mine.bias.shape)))
    if len(ours) != len(theirs) or np.any(pending):
        raise _different(f"{len(ours)} layers with weights", f"{len(theirs)}")
    for variable, value in values:
        variable.assign(value)


def _norm_values(mine, other, bias) -> list[tuple[Any, np.ndarray]]:
    """What our BatchNormalization takes from the other one, in front of which `bias` was added."""
    size = mine.moving_mean.shape
    gamma = np.ones(size) if other.gamma is None else np.array(other.gamma)
    beta = np.zeros(size) if other.beta is None else np.array(other.beta)
    variance = np.array(other.moving_variance) + other.epsilon - mine.epsilon
    if (variance < 0).any():
        raise ValueError(f"{other.name}: its variance is below the epsilon of {mine.name}, {mine.epsilon:g}.")
    if mine.gamma is None or mine.beta is None:
        raise ValueError(f"{mine.name} has no scale or no centre, so it cannot take those of {other.name}.")
    return [
        (mine.gamma, gamma),
        (mine.beta, beta),
        (mine.moving_mean, np.array(other.moving_mean) - bias),
        (mine.moving_variance, variance),
    ]


@dataclass(frozen=True)
class _Part:
    """A layer with weights, or half of a separable convolution. Equal signatures: weights can be copied."""

    signature: tuple
    layer: Any
    kernel: Any = None
    bias: Any = None


def _parts_of(call: Call) -> list[_Part]:
    layer, kind = call.layer, call.kind
    if kind in NOT_COPIED or not getattr(layer, "weights", None):
        return []
    if kind == "BatchNormalization":
        return [_Part(("norm", tuple(layer.moving_mean.shape)), layer)]
    # Height and width of the maps: strided convolutions may treat the border in two ways.
    maps = tuple(n for n in call.outputs[0].shape[1:-1] if n != 1)
    strides = max(np.ravel(getattr(layer, "strides", 1)))
    if kind == "SeparableConv2D":
        depthwise, pointwise = layer.depthwise_kernel, layer.pointwise_kernel
        return [
            _Part(("depthwise", tuple(depthwise.shape), strides, maps), layer, depthwise),
            _Part(("conv", tuple(pointwise.shape[2:]), 1, maps), layer, pointwise, layer.bias),
        ]
    if kind not in ("Conv2D", "GroupedConv2D", "DepthwiseConv2D", "Dense"):
        raise ValueError(f"Layer {layer.name!r} is a {kind}; weights of that kind cannot be copied.")
    shape = tuple(layer.kernel.shape)
    while len(shape) > 2 and shape[0] == 1:  # a 1x1 convolution and a dense layer are the same
        shape = shape[1:]
    name = "depthwise" if kind == "DepthwiseConv2D" else "conv"
    return [_Part((name, shape, strides, maps), layer, layer.kernel, layer.bias)]


def _parts(model: keras.Model) -> list[_Part]:
    """All layers with weights, in an order that depends on the architecture only.

    From the output back to the input; where inputs can be exchanged, as in a sum, the order is that of a
    fingerprint of everything behind them.
    """
    size = tuple(64 if n is None else n for n in model.input_shape[1:])
    calls = trace(model, input_shape=size if None in model.input_shape[1:] else None)
    made_by = {id(tensor): number for number, call in enumerate(calls) for tensor in call.outputs}
    prints, order = [], []
    for call in calls:
        before = [made_by[id(tensor)] for tensor in call.inputs]
        if call.kind in SAME_IN_ANY_ORDER:
            before = sorted(before, key=lambda number: prints[number])
        own = tuple(part.signature for part in _parts_of(call))
        merged = call.kind if len(before) > 1 else ""
        inputs = tuple(prints[number] for number in before)
        # A layer without weights and with one input (an activation, a padding) leaves no mark.
        prints.append(inputs[0] if len(inputs) == 1 and not own else hash((merged, own, inputs)))
        order.append(before)
    used = {number for before in order for number in before}
    ends = [number for number in range(len(calls)) if number not in used]
    return [part for number in _backwards(ends, order) for part in _parts_of(calls[number])]


def _backwards(ends: list[int], inputs: list[list[int]]) -> Iterator[int]:
    """Every call once, each after all that stands before it (depth first, without recursion)."""
    done: set[int] = set()
    stack = [(number, False) for number in reversed(ends)]
    while stack:
        number, ready = stack.pop()
        if number in done:
            continue
        if ready:
            done.add(number)
            yield number
        else:
            stack.append((number, True))
            stack += [(before, False) for before in reversed(inputs[number])]


def _twin_of(model: keras.Model) -> tuple[str, Twin, dict]:
    name, arguments = getattr(model, "built_with", (model.name, {}))
    if not hasattr(model, "built_with"):
        raise ValueError(
            f"The model {name!r} was not made by a builder of this kit, or it was cloned or loaded since, "
            "and no longer knows its architecture. Build it anew and give it the weights: "
            "new.set_weights(model.get_weights())."
        )
    if name not in TWINS:
        raise unknown("architecture with a twin in keras.applications", name, TWINS)
    return name, TWINS[name], arguments


def _with_top(model: keras.Model) -> bool:
    return model.layers[-1].name == "output"


def _different(ours: str, theirs: str) -> ValueError:
    return ValueError(f"The two networks are different architectures. Ours: {ours}. The twin: {theirs}.")
