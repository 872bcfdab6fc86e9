"""Depth: how many layers with weights an image passes on the longest way through a model."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from .costs import types
from .graph import Call, trace

# Layers with weights that papers do not count.
NOT_COUNTED = types(
    "BatchNormalization LayerNormalization GroupNormalization RMSNormalization Normalization PReLU"
)


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
