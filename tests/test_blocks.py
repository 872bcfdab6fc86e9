import functools

import keras
import numpy as np
import pytest

from course_lib import blocks
from course_lib.blocks import add_branch, conv, conv_norm_act, norm_act, shortcut_path, stage, stages
from course_lib.layers import DropPath, GroupedConv2D


def model_of(block, shape=(8, 8, 4)):
    image = keras.Input(shape)
    return keras.Model(image, block(image))


def kinds(model):
    return [type(layer).__name__ for layer in model.layers[1:]]


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_padding_on_both_sides(kernel, size):
    """Like Caffe and Torch: kernel // 2 rows of zeros on each side, then every second position."""
    model = model_of(lambda x: conv(x, 5, kernel, strides=2, padding="both", name="c"), (size, size, 3))
    image = np.random.default_rng(0).normal(size=(1, size, size, 3)).astype("float32")
    margin = kernel // 2
    padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::2, ::2]
    expected = np.einsum("nhwcij,ijco->nhwo", windows, np.array(model.get_layer("c").kernel))
    assert np.array(model(image)) == pytest.approx(expected, abs=1e-4)
    same = model_of(lambda x: conv(x, 5, kernel, strides=2, name="c"), (size, size, 3))
    assert same.output_shape == model.output_shape


def test_kinds_of_convolution():
    assert kinds(model_of(lambda x: conv(x, 8, 3, padding="both", name="c"))) == [
        "Conv2D"
    ]  # stride 1: no pad
    assert kinds(model_of(lambda x: conv(x, None, 3, name="c"))) == ["DepthwiseConv2D"]
    assert isinstance(model_of(lambda x: conv(x, 8, 3, groups=2, name="c")).layers[1], GroupedConv2D)
    with pytest.raises(ValueError, match="Unknown padding: 'full'"):
        conv(keras.Input((8, 8, 3)), 8, 3, padding="full", name="c")


def test_names_and_normalization():
    model = model_of(
        lambda x: conv_norm_act(x, 8, 3, norm=blocks.TENSORFLOW_NORM, activation="swish", name="a")
    )
    assert [layer.name for layer in model.layers[1:]] == ["a", "a_bn", "a_swish"]
    assert (model.get_layer("a_bn").epsilon, model.get_layer("a_bn").momentum) == (1e-3, 0.99)
    assert model.get_layer("a").use_bias is False
    assert kinds(model_of(lambda x: norm_act(x, None, name="a"))) == ["BatchNormalization"]
    assert kinds(model_of(lambda x: norm_act(x, norm=None, name="a"))) == ["Activation"]


def test_end_of_a_branch():
    def block(x, **own):
        return add_branch(shortcut_path(x, 4, 1, option="B", name="b"), x, name="b", **own)

    assert kinds(model_of(block)) == ["Add"]
    model = model_of(functools.partial(block, se_ratio=0.5, drop_rate=0.1))
    assert kinds(model)[-3:] == ["Multiply", "DropPath", "Add"]
    assert model.get_layer("b_se_reduce").filters == 2
    dropped = [layer.rate for layer in model.layers if isinstance(layer, DropPath)]
    assert dropped == [0.1]


def test_only_the_first_block_of_a_stage_strides():
    seen = []

    def block(x, filters, *, strides, name, drop_rate=None):
        seen.append((name, filters, strides, drop_rate))
        return x

    stage(None, block, 3, 8, strides=2, name="s")
    assert seen == [("s_block1", 8, 2, None), ("s_block2", 8, 1, None), ("s_block3", 8, 1, None)]
    seen.clear()
    stages(None, block, (1, 2), (8, 16), drop_path_rate=0.3)
    assert [row[:3] for row in seen] == [
        ("stage1_block1", 8, 1),
        ("stage2_block1", 16, 2),
        ("stage2_block2", 16, 1),
    ]
    assert [row[3] for row in seen] == pytest.approx([0.1, 0.2, 0.3])
    seen.clear()
    stage(None, block, 2, 8, first=lambda x, filters, **own: "first", name="s")
    assert [name for name, *_ in seen] == ["s_block2"]
