"""Depth: the layers with weights on the longest way through a model, and the volumes along that way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import keras
from keras import layers

from .costs import Totals, costs_of, sum_of, types
from .fields import ReceptiveField, fields_of
from .graph import Call, Shape, trace

# Layers with weights that papers do not count.
NOT_COUNTED = types(
    "BatchNormalization LayerNormalization GroupNormalization RMSNormalization Normalization PReLU"
)

# What these put out is no volume of its own: the values they got, or a frame of zeros around them.
REARRANGING = types("Flatten Reshape ZeroPadding*")


def weight_layers(model: keras.Model, *, input_shape: Sequence[int] | None = None) -> int:
    """The depth of a model as papers count it: the layers with weights on the longest way, norms left out.

    A gate, as in squeeze and excitation, does not make the way longer, and neither does the convolution of a
    shortcut: the way through the block has more layers. A separable convolution counts as one layer.

    Args:
        model: a built functional or Sequential model.
        input_shape: as in `layer_costs`.

    Raises:
        ValueError: a model without a graph, or an unknown image size.

    >>> three = [layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(10)]
    >>> weight_layers(keras.Sequential([keras.Input((8, 8, 3)), *three]))
    2
    """
    calls = trace(model, input_shape)
    return final_depth(calls, depths_of(calls))


def silhouette(model: keras.Model, *, input_shape: Sequence[int] | None = None) -> list[Shape]:
    """The largest volume behind 0, 1, 2, ... weight layers, `(H, W, C)`: a model's shape at a glance.

    A vector of C values is `(1, 1, C)`. Arguments and errors as in `weight_layers`.

    >>> stack = [layers.Conv2D(8, 3, padding="same"), layers.Flatten(), layers.Dense(10)]
    >>> silhouette(keras.Sequential([keras.Input((8, 8, 3)), *stack]))
    [(8, 8, 3), (8, 8, 8), (1, 1, 10)]
    """
    calls = trace(model, input_shape)
    return silhouette_of(calls, depths_of(calls))


@dataclass(frozen=True)
class Overview:
    """A model in a few numbers. `receptive_field` is that of the last maps; None if they have none."""

    totals: Totals
    weight_layers: int
    receptive_field: ReceptiveField | None
    silhouette: list[Shape]


def overview(model: keras.Model, *, input_shape: Sequence[int] | None = None) -> Overview:
    """Costs, depth, receptive field of the last maps, and silhouette, from one walk through the graph.

    The last maps are the deepest volume with more than one position, as a rule before they are pooled.
    Arguments as in `layer_costs`, which also tells the errors.

    >>> stack = [layers.Conv2D(8, 3), layers.GlobalAveragePooling2D(), layers.Dense(10)]
    >>> seen = overview(keras.Sequential([keras.Input((8, 8, 3)), *stack]))
    >>> seen.totals.params, seen.weight_layers, seen.receptive_field.size
    (314, 2, 3)
    """
    calls = trace(model, input_shape)
    depths = depths_of(calls)
    maps = [
        (depth, order, field)
        for order, (call, depth, field) in enumerate(zip(calls, depths, fields_of(calls), strict=True))
        if len(call.output_shape) > 1 and max(call.output_shape[:-1]) > 1
    ]
    _, _, field = max(maps, default=(0, 0, ""), key=lambda entry: entry[:2])
    return Overview(
        sum_of(costs_of(calls)),
        final_depth(calls, depths),
        None if isinstance(field, str) else field,
        silhouette_of(calls, depths),
    )


def silhouette_of(calls: list[Call], depths: list[int]) -> list[Shape]:
    """The largest volume at each depth of the longest way."""
    largest: dict[int, Shape] = {}
    for call, depth in zip(calls, depths, strict=True):
        shape = (1,) * (3 - len(call.output_shape)) + call.output_shape
        if prod(shape) > prod(largest.get(depth, (0,))) and not isinstance(call.layer, REARRANGING):
            largest[depth] = shape
    return [largest[depth] for depth in range(final_depth(calls, depths) + 1)]


def final_depth(calls: list[Call], depths: list[int]) -> int:
    """The largest depth where nothing follows: at the outputs of the model."""
    used = {id(x) for call in calls for x in call.inputs}
    return max(d for call, d in zip(calls, depths, strict=True) if not used & set(map(id, call.outputs)))


def depths_of(calls: list[Call]) -> list[int]:
    """How many layers with weights lie before and at each call."""
    known: dict[int, int] = {}  # by tensor
    result = []
    for call in calls:
        before = [known[id(x)] for x in call.inputs] or [0]
        meet = min if isinstance(call.layer, layers.Multiply) else max
        result.append(meet(before) + _has_weights(call))
        known |= {id(x): result[-1] for x in call.outputs}
    return result


def _has_weights(call: Call) -> bool:
    return bool(getattr(call.layer, "weights", [])) and not isinstance(call.layer, NOT_COUNTED)
