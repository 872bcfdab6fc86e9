import pytest
from arithmetic import preact, resnet
from counting import counts, shapes, unallocated, weight_layers
from keras import layers

from course_lib.architectures import wide_resnet as module
from course_lib.architectures.wide_resnet import WideResNet

# Parameters, trainable ones, MACs, by layer arithmetic from the paper's table 1; depth and width of the name.
COUNTS = {
    "WRN16_8": (10_968_570, 10_961_370, 1_548_145_664, 16, 8),
    "WRN28_10": (36_497_146, 36_479_194, 5_243_328_768, 28, 10),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    *expected, depth, width = COUNTS[name]
    builder = getattr(module, name)
    assert counts(builder) == tuple(expected) == preact((depth - 4) // 6, "basic", width)
    assert counts(WideResNet, depth=depth, width=width) == tuple(expected)
    # The paper's depth, 6n + 4, counts the 3 projections, beside the longest way, and not the classifier.
    assert weight_layers(unallocated(builder)) == depth - 3 + 1


def test_counts_by_arithmetic_alone():
    assert counts(module.WRN16_4) == preact(2, "basic", 4)
    # The paper's table 5 gives millions of parameters for these.
    for depth, width, millions in ((40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5), (40, 1, 0.6)):
        assert round(counts(WideResNet, depth=depth, width=width)[1] / 1e6, 1) == millions


def test_counts_for_imagenet():
    # Layer arithmetic; torchvision's number for wide_resnet50_2 is the same.
    expected = (68_951_464, 68_883_240, 11_398_021_120)
    assert counts(module.WRN50_2) == expected
    assert resnet((3, 4, 6, 3), "bottleneck", stride_on="3x3", widen=2) == expected
    assert weight_layers(unallocated(module.WRN50_2)) == 50


def test_stage_shapes():
    model = unallocated(module.WRN28_10)
    ends = [f"stage{i}_block4_add" for i in (1, 2, 3)]
    expected = [(32, 32, 16), (32, 32, 160), (16, 16, 320), (8, 8, 640)]
    assert shapes(model, "stem", *ends) == expected
    model = unallocated(module.WRN50_2)
    ends = [f"stage{i}_block{depth}_out" for i, depth in enumerate((3, 4, 6, 3), start=1)]
    expected = [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
    assert shapes(model, *ends, "stage4_block3_conv2") == [*expected, (7, 7, 1024)]


def test_dropout_stands_between_the_two_convolutions():
    model = unallocated(WideResNet, depth=10, width=1, dropout=0.3)
    found = [layer for layer in model.layers if isinstance(layer, layers.Dropout)]
    assert [layer.rate for layer in found] == [0.3] * 3
    assert model.get_layer("stage1_block1_conv2").input is found[0].output
    assert found[0].input is model.get_layer("stage1_block1_conv1_relu").output


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"depth": 20}, r"depth must be 6n \+ 4 with n at least 1: 10, 16, 22"),
        ({"width": 0}, "width must be a whole number, at least 1. Received: 0"),
        ({"width": 2.5}, "width must be a whole number"),
        ({"dropout": 30}, "dropout must be a number from 0 to below 1. Received: 30"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        unallocated(WideResNet, **arguments)


def test_the_stride_can_stand_where_resnet_has_it():
    model = unallocated(module.WRN50_2, stride_on="1x1")
    assert model.get_layer("stage2_block1_conv1").strides == (2, 2)
    assert counts(module.WRN50_2, stride_on="1x1") == resnet((3, 4, 6, 3), "bottleneck", widen=2)
