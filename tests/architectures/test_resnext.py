from arithmetic import resnet
from counting import counts, shapes, unallocated, weight_layers

from course_lib.architectures.resnext import ResNeXt50, ResNeXt101
from course_lib.layers import GroupedConv2D

OWN = {"stride_on": "3x3", "widen": 2, "groups": 32}


def test_counts():
    # Layer arithmetic from the paper's table 1; torchvision's number of trainable ones is the same.
    expected = (25_097_128, 25_028_904, 4_230_479_872)
    assert counts(ResNeXt50) == expected == resnet((3, 4, 6, 3), "bottleneck", **OWN)
    assert weight_layers(unallocated(ResNeXt50)) == 50


def test_counts_by_arithmetic_alone():
    assert counts(ResNeXt101) == resnet((3, 4, 23, 3), "bottleneck", **OWN)
    assert weight_layers(unallocated(ResNeXt101)) == 101


def test_stage_shapes():
    ends = [f"stage{i}_block{depth}_out" for i, depth in enumerate((3, 4, 6, 3), start=1)]
    expected = [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
    assert shapes(unallocated(ResNeXt50), *ends) == expected


def test_32_groups_of_4_filters():
    """Table 1: 128, 256, 512 and 1024 filters in 32 groups, so 4, 8, 16 and 32 maps a filter."""
    model = unallocated(ResNeXt50)
    found = [layer for layer in model.layers if isinstance(layer, GroupedConv2D)]
    assert len(found) == 16
    assert {layer.groups for layer in found} == {32}
    kernels = [model.get_layer(f"stage{i}_block1_conv2").kernel.shape for i in (1, 2, 3, 4)]
    assert kernels == [(3, 3, 4, 128), (3, 3, 8, 256), (3, 3, 16, 512), (3, 3, 32, 1024)]
    assert model.get_layer("stage2_block1_conv2").strides == (2, 2)
