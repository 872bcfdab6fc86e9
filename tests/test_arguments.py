"""Checks of arguments: what passes, what is refused, and that the text names the argument."""

from functools import partial

import pytest

from course_lib.arguments import large_enough, number, rate, whole_number, whole_numbers


@pytest.mark.parametrize(
    ("check", "values", "fine"),
    [
        (whole_number, (1, 7), True),
        (whole_number, (0, -1, True, 1.0, "1", None, [1]), False),
        (whole_numbers, ((1,), [1, 2], (3, 3, 3)), True),
        (partial(whole_numbers, least=0), ((), [], (64,), [1, 2]), True),
        (partial(whole_numbers, least=0), (0, False, None, "", {}, (0,), (1, 2.0)), False),
        (whole_numbers, ((), 3, (1, 0), (1, 2.0), (True,), "12", None, {1: 2}), False),
        (number, (0.1, 1, 25), True),
        (number, (0, -0.1, float("nan"), float("inf"), "1", None, True, (1,)), False),
        (rate, (0, 0.0, 0.5, 0.999), True),
        (rate, (1, -0.1, 20, float("nan"), float("inf"), "0.5", None, True), False),
    ],
)
def test_numbers(check, values, fine):
    for received in values:
        if fine:
            check("argument", received)
        else:
            with pytest.raises(ValueError, match="^argument must be .*Received: "):
                check("argument", received)


def test_both_ends_of_a_range_count():
    number("share", 1, at_most=1)
    with pytest.raises(ValueError, match="share must be a number above 0, at most 1. Received: 1.01."):
        number("share", 1.01, at_most=1)
    whole_number("padding", 0, minimum=0)
    with pytest.raises(ValueError, match="padding must be a whole number, at least 3. Received: 2."):
        whole_number("padding", 2, minimum=3)


def test_an_open_size_is_large_enough():
    large_enough((None, 21, 1), 21)
    with pytest.raises(ValueError, match=r"\(None, 20, 64\) is too small"):
        large_enough((None, 20, 64), 21)
