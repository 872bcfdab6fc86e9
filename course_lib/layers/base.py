"""What the layers share."""

from collections.abc import Sequence

import keras
from keras import ops


class FreeLayer(keras.Layer):
    """A layer that keeps the shape and costs no MACs: what most layers here are."""

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def macs(self, input_shape, output_shape) -> int:
        """Zero: neither a convolution nor a dense layer."""
        return 0


def pair(argument: str, value: int | Sequence[int]) -> tuple[int, int]:
    """`(height, width)` from one number or two; a ValueError unless they are whole and at least 1.

    >>> pair("pool_size", 3), pair("pool_size", (2, 1))
    ((3, 3), (2, 1))
    """
    two = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(two) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in two):
        raise ValueError(
            f"{argument} must be a whole number, at least 1, or two of them. Received: {value!r}."
        )
    return two


def share(argument: str, value: float) -> float:
    """The value, if 0 <= value < 1; otherwise a ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{argument} must be a number from 0 to below 1. Received: {value!r}.")
    return float(value)


def widened(x):
    """float16 and bfloat16 as float32, so that squares and sums of squares neither overflow nor get lost."""
    return ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) in HALF else x


HALF = ("float16", "bfloat16")
