"""Receptive fields: from the input to the output, what part of the image each unit of a layer can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import keras
from keras import layers

from ..errors import unknown
from .costs import macs_of, types
from .graph import Call, Shape, trace


@dataclass(frozen=True)
class ReceptiveField:
    """The part of the input that one unit of a layer can see.

    Along each axis unit number i sees the `size` pixels that begin at `offset + i * stride`. A negative
    offset means that the first unit begins in the padding. Stride 0: every unit sees the whole image.
    Each of the three is a number where height and width agree, otherwise the pair (height, width).
    """

    size: int | Shape
    stride: int | Shape
    offset: int | Shape


def receptive_field(
    model: keras.Model, layer_name: str, *, input_shape: Sequence[int] | None = None
) -> ReceptiveField:
    """The part of the input that one unit of a layer can see: size, stride and offset in pixels.

    Where branches meet, the field covers those of all branches. Normalization counts as working position by
    position.

    Args:
        model: a built functional or Sequential model.
        layer_name: a layer of it; `outer/inner` for one inside a nested model.
        input_shape: as in `layer_costs`.

    Raises:
        ValueError: an unknown layer, or one whose units have no field of one size and stride (branches of
            different strides meet, or an upsampling or reshaping layer comes before); as `layer_costs`
            besides.

    >>> three = [layers.Conv2D(8, 3, name=f"c{i}") for i in (1, 2, 3)]
    >>> receptive_field(keras.Sequential([keras.Input((32, 32, 3)), *three]), "c3")
    ReceptiveField(size=7, stride=1, offset=0)
    """
    calls = trace(model, input_shape)
    names = dict.fromkeys(call.name for call in calls)
    if layer_name not in names:
        raise unknown(f"layer of model {model.name!r}", layer_name, names)
    found = {field for call, field in zip(calls, fields_of(calls), strict=True) if call.name == layer_name}
    if len(found) > 1:
        raise ValueError(f"Layer {layer_name!r} is called several times and does not always see the same.")
    field = found.pop()
    if isinstance(field, str):
        raise ValueError(f"Layer {layer_name!r} has no receptive field of one size and stride: {field}.")
    return field


def fields_of(calls: list[Call]) -> list[ReceptiveField | str]:
    """The field of each call's output, or the reason why it has none."""
    image = calls[0].output_shape[:-1]  # height and width; nothing if the input is a vector
    known: dict[int, Field | str] = {}  # by tensor
    result = []
    for call in calls:
        if call.layer is None:
            same = image and call.output_shape[:-1] == image
            field = (Axis(1, 1, 0),) * len(image) if same else "the inputs are not images of one size"
        else:
            macs_of(call)  # raises if nobody has described this layer
            field = _join(call, [known[id(x)] for x in call.inputs])
            if not isinstance(field, str) and not _is_whole(field):
                field = _step(call, field, image)
        known |= {id(x): field for x in call.outputs}
        result.append(field if isinstance(field, str) else _both_axes(field))
    return result


@dataclass(frozen=True, order=True)
class Axis:
    """The field along one axis of the image."""

    size: int
    stride: int
    offset: int

    def slide(self, window: int, stride: int, padding: int) -> Axis:
        """The field after a window of positions that lie `self.stride` pixels apart."""
        size = self.size + (window - 1) * self.stride
        return Axis(size, self.stride * stride, self.offset - padding * self.stride)


Field = tuple[Axis, ...]


def _both_axes(field: Field) -> ReceptiveField:
    columns = zip(*map(astuple, field), strict=True)
    return ReceptiveField(*(column[0] if len(set(column)) == 1 else column for column in columns))


def _whole(image: Shape) -> Field:
    return tuple(Axis(size, 0, 0) for size in image)


def _is_whole(field: Field) -> bool:
    return all(axis.stride == 0 for axis in field)


def _join(call: Call, incoming: list[Field | str]) -> Field | str:
    """Where branches meet, a unit sees what it sees through any of them."""
    for field in incoming:
        if not isinstance(field, str) and _is_whole(field):
            return field
    for field in incoming:
        if isinstance(field, str):
            return field
    joined = []
    for branches in zip(*incoming, strict=True):
        strides = sorted({axis.stride for axis in branches})
        if len(strides) > 1:
            return f"at {call.name!r} branches of different strides meet, {strides}"
        first = min(axis.offset for axis in branches)
        end = max(axis.offset + axis.size for axis in branches)
        joined.append(Axis(end - first, strides[0], first))
    return tuple(joined)


GLOBAL_POOLING = types("GlobalMaxPooling* GlobalAveragePooling*")
PADDING, CROPPING = types("ZeroPadding*"), types("Cropping*")
MOVING = types("Conv*Transpose UpSampling* Resizing Permute Reshape RepeatVector")
MOVING_OPERATIONS = ("Transpose", "Flip", "Reshape")


def _step(call: Call, field: Field, image: Shape) -> Field | str:
    """The field after a layer, from the field before it."""
    layer = call.layer
    if isinstance(layer, GLOBAL_POOLING) or (isinstance(layer, layers.Dense) and len(call.input_shape) == 1):
        return _whole(image)
    if isinstance(layer, MOVING) or call.kind in MOVING_OPERATIONS:
        return f"{call.name!r} ({call.kind}) moves or enlarges the positions"
    if isinstance(layer, PADDING):
        pads = _each(layer.padding, field)
        return tuple(axis.slide(1, 1, _first(pad)) for axis, pad in zip(field, pads, strict=True))
    if isinstance(layer, CROPPING):
        crops = _each(layer.cropping, field)
        return tuple(axis.slide(1, 1, -_first(crop)) for axis, crop in zip(field, crops, strict=True))
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window:
        return _slide(call, field, window)
    if isinstance(layer, layers.Flatten) or call.output_shape[:-1] == call.input_shape[:-1]:
        return field
    return f"{call.name!r} ({call.kind}) changes the positions in a way of its own"


def _slide(call: Call, field: Field, window: int | Sequence[int]) -> Field:
    layer = call.layer
    steps = _each(layer.strides or window, field)
    rates = _each(getattr(layer, "dilation_rate", 1), field)
    result = []
    for i, (axis, k, step, rate) in enumerate(zip(field, _each(window, field), steps, rates, strict=True)):
        k = (k - 1) * rate + 1  # with the holes of the dilation
        padding = 0
        if layer.padding == "same":  # as much as is needed, the larger half at the end
            needed = (call.output_shape[i] - 1) * step + k - call.input_shape[i]
            padding = max(needed, 0) // 2
        elif layer.padding == "causal":
            padding = k - 1
        result.append(axis.slide(k, step, padding))
    return tuple(result)


def _each(value: int | Sequence, field: Field) -> Sequence:
    """One value for each axis. Keras keeps the margins of a one-dimensional layer as a plain pair."""
    if isinstance(value, int):
        return (value,) * len(field)
    return value if len(value) == len(field) else (value,)


def _first(margin: int | Sequence[int]) -> int:
    return margin if isinstance(margin, int) else margin[0]
