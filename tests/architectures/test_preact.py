import keras
import numpy as np
import pytest
from arithmetic import preact
from counting import counts, randomize, shapes, unallocated, weight_layers
from keras import layers

from course_lib.accounting.graph import trace
from course_lib.architectures.preact import ORDERS, PreActResNet, PreActResNet164
from course_lib.architectures.resnet import CifarResNet

# Figure 4 of the paper, (a) to (e), from x_l to x_(l+1), as drawn.
FIGURE_4 = {
    "original": "weight BN ReLU weight BN addition ReLU",
    "bn_after_addition": "weight BN ReLU weight addition BN ReLU",
    "relu_before_addition": "weight BN ReLU weight BN ReLU addition",
    "relu_only_preactivation": "ReLU weight BN ReLU weight BN addition",
    "full_preactivation": "BN ReLU weight BN ReLU weight addition",
}
DRAWN = {"Conv2D": "weight", "BatchNormalization": "BN", "Activation": "ReLU", "Add": "addition"}


def test_counts():
    # By layer arithmetic; the paper's table 4 says 1.7M.
    assert counts(PreActResNet164) == (1_727_482, 1_703_258, 247_646_720) == preact(18, "bottleneck")
    assert weight_layers(unallocated(PreActResNet164)) == 164


def test_counts_of_the_other_networks_of_the_paper():
    assert counts(PreActResNet, depth=110, block="basic") == preact(18, "basic")
    params, trainable, macs = counts(PreActResNet, depth=1001)
    assert (params, trainable, macs) == preact(111, "bottleneck")
    norms = params - trainable  # as many means and variances as gammas and betas
    assert round((trainable - norms) / 1e6, 1) == 10.2  # table 4 of the paper: 10.2M, so without them


def test_the_authors_stride():
    # In their Torch code the first 1x1 convolution strides: twice it meets a quarter of the positions.
    less = 64 * 32 * (32**2 - 16**2) + 128 * 64 * (16**2 - 8**2)
    params, trainable, macs = counts(PreActResNet164)
    assert counts(PreActResNet164, stride_on="1x1") == (params, trainable, macs - less)


def test_stage_shapes():
    model = unallocated(PreActResNet164)
    ends = [f"stage{i}_block18_add" for i in (1, 2, 3)]
    expected = [(32, 32, 16), (32, 32, 64), (16, 16, 128), (8, 8, 256), (8, 8, 256)]
    assert shapes(model, "stem", *ends, "head_relu") == expected


@pytest.mark.parametrize("order", FIGURE_4)
def test_orders(order):
    assert list(ORDERS) == list(FIGURE_4)
    model = unallocated(PreActResNet, depth=14, block="basic", order=order)
    kinds = [DRAWN[call.kind] for call in trace(model) if call.name.startswith("stage1_block2_")]
    assert kinds == FIGURE_4[order].split()


@pytest.mark.parametrize("order", FIGURE_4)
def test_all_orders_have_the_same_work(order):
    assert counts(PreActResNet, depth=20, order=order)[2] == counts(PreActResNet, depth=20)[2]
    assert unallocated(PreActResNet, depth=20, order=order).output_shape == (None, 10)


def test_original_is_the_residual_network_of_2015():
    ours = PreActResNet(depth=14, block="basic", order="original")
    same = CifarResNet(depth=14, shortcut="B")
    assert [w.shape for w in sorted_weights(ours)] == [w.shape for w in sorted_weights(same)]
    randomize(same)
    for a, b in zip(sorted_weights(ours), sorted_weights(same), strict=True):
        a.assign(b)
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    assert np.allclose(np.array(ours(images)), np.array(same(images)), atol=1e-5)


def sorted_weights(model):
    return sorted(model.weights, key=lambda weight: weight.path)


@pytest.mark.parametrize("order", ["relu_only_preactivation", "full_preactivation"])
def test_the_sum_is_a_free_way_through_a_stage(order):
    """With the last convolution of each branch at 0, a stage gives the first block's shortcut, unchanged."""
    model = PreActResNet(depth=14, block="basic", order=order)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and layer.name.endswith("_conv2"):
            layer.kernel.assign(layer.kernel * 0)
    first = model.get_layer("stage1_block1_conv1").input  # the activation stands before both paths
    ends = [first, *(model.get_layer(f"stage1_block{j}_add").output for j in (1, 2))]
    values = keras.Model(model.input, ends)(np.random.default_rng(0).normal(size=(2, 32, 32, 3)))
    for value in values[1:]:
        assert np.allclose(np.array(value), np.array(values[0]))


@pytest.mark.parametrize("order", FIGURE_4)
def test_the_classifier_sees_activated_maps(order):
    model = PreActResNet(depth=11, order=order, include_top=False)
    features = np.array(model(np.random.default_rng(0).normal(size=(2, 32, 32, 3))))
    assert features.min() >= 0 or order == "relu_before_addition"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"order": "preactivation"}, "Unknown order: 'preactivation'. Did you mean 'full_preactivation'"),
        ({"block": "wide"}, "Unknown block: 'wide'"),
        ({"depth": 110, "block": "bottleneck", "stride_on": "2x2"}, "Unknown stride_on"),
        ({"depth": 100}, r"depth must be 9n \+ 2 with n at least 1: 11, 20, 29"),
        ({"depth": 163, "block": "basic"}, r"depth must be 6n \+ 2"),
        ({"se_ratio": "high"}, "se_ratio must be a number from 0 to below 1. Received: 'high'"),
        ({"drop_path_rate": -0.1}, "drop_path_rate must be a number"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        unallocated(PreActResNet, **arguments)
