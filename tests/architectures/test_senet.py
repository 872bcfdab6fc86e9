import keras
import numpy as np
import pytest
from arithmetic import resnet
from counting import counts, shapes, unallocated, weight_layers

from course_lib.architectures.resnet import ResNet18, ResNet50, ResNet110
from course_lib.architectures.senet import SEResNet50, SEResNeXt50
from course_lib.blocks import squeeze_excite


def test_counts():
    # Layer arithmetic: ResNet-50, and in each block C * C/16 weights and biases there and back.
    expected = (28_141_144, 28_088_024, 3_860_488_192)
    assert counts(SEResNet50) == expected == resnet((3, 4, 6, 3), "bottleneck", se=16)
    assert weight_layers(unallocated(SEResNet50)) == 50 + 2 * 16  # the two small layers of each block


def test_counts_by_arithmetic_alone():
    own = {"stride_on": "3x3", "widen": 2, "groups": 32}
    assert counts(SEResNeXt50) == resnet((3, 4, 6, 3), "bottleneck", se=16, **own)
    assert counts(ResNet18, se_ratio=1 / 16) == resnet((2, 2, 2, 2), "basic", se=16)
    assert counts(ResNet50, se_ratio=1 / 8) == counts(SEResNet50, se_ratio=1 / 8)


def test_stage_shapes():
    ends = [f"stage{i}_block{depth}_out" for i, depth in enumerate((3, 4, 6, 3), start=1)]
    expected = [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
    for builder in (SEResNet50, SEResNeXt50):
        model = unallocated(builder)
        assert shapes(model, *ends) == expected
        assert shapes(model, "stage1_block1_se_reduce", "stage4_block3_se_reduce") == [
            (1, 1, 16),
            (1, 1, 128),
        ]


def test_a_few_units_are_left_in_narrow_stages():
    model = unallocated(ResNet110, se_ratio=1 / 16)
    assert model.get_layer("stage1_block1_se_reduce").output.shape[-1] == 1


def test_squeeze_and_excitation_against_numpy():
    """Equations 2 to 4: the mean of each map, two dense layers with ReLU and sigmoid, and the product."""
    x = keras.Input((6, 5, 8))
    model = keras.Model(x, squeeze_excite(x, 2, name="se"))
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (rng.normal(size=shape).astype("float32") for shape in ((8, 2), 2, (2, 8), 8))
    model.get_layer("se_reduce").set_weights([w1[None, None], b1])
    model.get_layer("se_expand").set_weights([w2[None, None], b2])
    maps = rng.normal(size=(3, 6, 5, 8)).astype("float32")
    z = maps.mean(axis=(1, 2))
    s = 1 / (1 + np.exp(-(np.maximum(z @ w1 + b1, 0) @ w2 + b2)))
    assert np.array(model(maps)) == pytest.approx(maps * s[:, None, None, :], abs=1e-5)
