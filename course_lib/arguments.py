"""Checks of arguments: each raises a ValueError that says what was received and what is allowed."""

from collections.abc import Iterable, Sequence
from math import isfinite
from numbers import Real

from .errors import unknown

__all__ = ["is_size", "large_enough", "number", "one_of", "rate", "whole_number", "whole_numbers"]


def one_of(argument: str, received: object, allowed: Iterable[object]) -> None:
    """Raise a ValueError with the closest name unless `received` is one of the allowed values.

    >>> one_of("pooling", "average", ["avg", "max", None])
    Traceback (most recent call last):
    ...
    ValueError: Unknown pooling: 'average'. Did you mean 'avg'? Allowed: 'avg', 'max', None.
    """
    allowed = list(allowed)
    if received not in allowed:
        raise unknown(argument, received, allowed)


def whole_number(argument: str, received: object, minimum: int = 1) -> None:
    """Raise a ValueError unless `received` is a whole number of at least `minimum`.

    >>> whole_number("growth_rate", 1.5)
    Traceback (most recent call last):
    ...
    ValueError: growth_rate must be a whole number, at least 1. Received: 1.5.
    """
    if not is_size(received, minimum):
        raise ValueError(f"{argument} must be a whole number, at least {minimum}. Received: {received!r}.")


def whole_numbers(argument: str, received: object, count: int | None = None, least: int = 1) -> None:
    """Raise a ValueError unless `received` is a tuple (or list) of whole numbers >= 1.

    Args:
        count: how many of them; None: any number from `least` on.
        least: 0 where an empty tuple is allowed.

    >>> whole_numbers("widths", (64, 128), count=4)
    Traceback (most recent call last):
    ...
    ValueError: widths must be a tuple of 4 whole numbers, each at least 1. Received: (64, 128).
    """
    right = isinstance(received, (tuple, list)) and len(received) >= least and all(map(is_size, received))
    if not right or count not in (None, len(received)):
        many = count or ("one or more" if least else "zero or more")
        raise ValueError(
            f"{argument} must be a tuple of {many} whole numbers, each at least 1. Received: {received!r}."
        )


def number(argument: str, received: object, *, above: float = 0.0, at_most: float | None = None) -> None:
    """Raise a ValueError unless `received` is a finite number with above < received <= at_most.

    >>> number("alpha", "1.0")
    Traceback (most recent call last):
    ...
    ValueError: alpha must be a number above 0. Received: '1.0'.
    """
    right = isinstance(received, Real) and not isinstance(received, bool) and isfinite(received)
    if not right or received <= above or (at_most is not None and received > at_most):
        end = "" if at_most is None else f", at most {at_most:g}"
        raise ValueError(f"{argument} must be a number above {above:g}{end}. Received: {received!r}.")


def rate(argument: str, received: object) -> None:
    """Raise a ValueError unless `received` is a share: 0 <= received < 1.

    >>> rate("drop_path_rate", 20)
    Traceback (most recent call last):
    ...
    ValueError: drop_path_rate must be a number from 0 to below 1. Received: 20.
    """
    right = isinstance(received, Real) and not isinstance(received, bool)
    if not right or not 0 <= received < 1:
        raise ValueError(f"{argument} must be a number from 0 to below 1. Received: {received!r}.")


def large_enough(shape: Sequence[int | None], smallest: int, hint: str = "") -> None:
    """Raise a ValueError if height or width of a shape `(height, width, channels)` is known to be smaller.

    >>> large_enough((32, 20, 3), 21, "Use strides=1.")
    Traceback (most recent call last):
    ...
    ValueError: An input of (32, 20, 3) is too small: height and width must be at least 21. Use strides=1.
    """
    if any(size is not None and size < smallest for size in shape[:2]):
        raise ValueError(
            f"An input of {tuple(shape)} is too small: height and width must be at least {smallest}. "
            f"{hint}".rstrip()
        )


def is_size(value: object, minimum: int = 1) -> bool:
    """Whether `value` is a whole number of at least `minimum`.

    >>> is_size(3), is_size(0), is_size(3.0), is_size(True)
    (True, False, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum
