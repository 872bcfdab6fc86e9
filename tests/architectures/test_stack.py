"""StackNet: parameters and MACs by arithmetic, and the names that transfer relies on."""

import pytest

from course_lib import transfer
from course_lib.accounting import totals
from course_lib.architectures.stack import StackNet


def test_counts_are_those_of_arithmetic():
    model = StackNet()
    convolutions = [(3, 16, 16), (16, 16, 16), (16, 32, 8), (32, 32, 8), (32, 64, 4), (64, 64, 4)]
    params = sum(f * (9 * c + 1) for c, f, _ in convolutions) + 128 * (256 + 1) + 10 * (128 + 1)
    macs = sum(9 * c * f * side**2 for c, f, side in convolutions) + 128 * 256 + 10 * 128
    assert (totals(model).params, totals(model).macs) == (params, macs)
    assert f"{params:,}" in StackNet.__doc__ and f"{macs:,}" in StackNet.__doc__


def test_parts_are_the_stages():
    assert list(transfer.parts(StackNet())) == ["stage1", "stage2", "stage3", "fc1", "output"]


def test_other_sizes():
    model = StackNet(widths=((4,), (6, 8)), hidden=(), input_shape=(8, 12, 1), classes=3)
    assert model.get_layer("stage2_pool").output.shape == (None, 2, 3, 8)
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": ((4, 0),)}, "each stage of widths"),
        ({"hidden": (0,)}, "hidden"),
        ({"hidden": None}, "hidden must be a tuple of zero or more whole numbers"),
        ({"input_shape": (4, 4, 3)}, "too small"),
        ({"width": ((4,),)}, "Did you mean 'widths'"),
    ],
)
def test_arguments_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        StackNet(**arguments)
