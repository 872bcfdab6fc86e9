import keras
import numpy as np
import pytest
from counting import counts, shapes, unallocated, weight_layers

from course_lib.accounting import totals
from course_lib.architectures.googlenet import (
    GoogLeNet,
    GoogLeNetSmall,
    inception_block,
    naive_inception_block,
)


def test_counts():
    # Layer arithmetic from the paper's table 1, with biases.
    assert counts(GoogLeNet) == (6_998_552, 6_998_552, 1_582_671_872)
    assert counts(GoogLeNet, auxiliary=True) == (13_378_280, 13_378_280, 1_591_044_096)


def test_22_layers_with_weights_of_58():
    model = unallocated(GoogLeNet)
    assert weight_layers(model) == 22
    assert sum(len(layer.weights) == 2 for layer in model.layers) == 58
    assert weight_layers(unallocated(GoogLeNet, auxiliary=True)) == 22


def test_stage_shapes():
    sizes = {
        "stem_conv1": (112, 112, 64),
        "stem_pool1": (56, 56, 64),
        "stem_conv2": (56, 56, 192),
        "stem_pool2": (28, 28, 192),
        "inception3a_out": (28, 28, 256),
        "inception3b_out": (28, 28, 480),
        "pool4": (14, 14, 480),
        "inception4a_out": (14, 14, 512),
        "inception4b_out": (14, 14, 512),
        "inception4c_out": (14, 14, 512),
        "inception4d_out": (14, 14, 528),
        "inception4e_out": (14, 14, 832),
        "pool5": (7, 7, 832),
        "inception5a_out": (7, 7, 832),
        "inception5b_out": (7, 7, 1024),
        "head_pool": (1024,),
        "output": (1000,),
    }
    assert shapes(unallocated(GoogLeNet), *sizes) == list(sizes.values())


def test_the_auxiliary_heads_of_section_5():
    model = unallocated(GoogLeNet, auxiliary=True)
    assert shapes(model, "aux1_pool", "aux2_pool") == [(4, 4, 512), (4, 4, 528)]
    assert shapes(model, "aux1_conv", "aux2_fc", "aux2_output") == [(4, 4, 128), (1024,), (1000,)]
    assert [output.shape[-1] for output in model.outputs] == [1000, 1000, 1000]
    rates = [model.get_layer(name).rate for name in ("head_dropout", "aux1_dropout", "aux2_dropout")]
    assert rates == [0.4, 0.7, 0.7]


def one_block(block, *filters):
    image = keras.Input((28, 28, 256))
    return keras.Model(image, block(image, *filters, name="block"))


def test_the_arithmetic_of_the_lecture():
    # 28x28x256, with 128, 192 and 96 filters; the reductions have 64 filters each.
    naive = one_block(naive_inception_block, 128, 192, 96)
    assert naive.output.shape == (None, 28, 28, 128 + 192 + 96 + 256)
    assert totals(naive).macs == 28 * 28 * 256 * (128 + 9 * 192 + 25 * 96) == 854_196_224
    block = one_block(inception_block, 128, 64, 192, 64, 96, 64)
    assert block.output.shape == (None, 28, 28, 128 + 192 + 96 + 64)
    assert totals(block).macs == 271_351_808


def test_both_blocks_see_5x5_pixels_at_most():
    # All weights 1, no bias: on an image of ones a branch counts what it sees, and zeros stand outside.
    model = one_block(naive_inception_block, 1, 1, 1)
    for layer in model.layers[1:]:
        if layer.weights:
            layer.set_weights([np.ones_like(layer.get_weights()[0]), np.zeros(1)])
    output = np.array(model(np.ones((1, 28, 28, 256), "float32")))[0, :, :, :4]
    assert output[14, 14].tolist() == [256, 9 * 256, 25 * 256, 1]
    assert output[0, 0].tolist() == [256, 4 * 256, 9 * 256, 1]


def test_small_images():
    model = GoogLeNetSmall(width=0.1, auxiliary=True)
    outputs = model.predict(np.zeros((2, 32, 32, 3)), verbose=0)
    assert [output.shape for output in outputs] == [(2, 10)] * 3
    names = ("inception3b_out", "inception4e_out", "inception5b_out")
    assert [shape[:2] for shape in shapes(model, *names)] == [(32, 32), (16, 16), (8, 8)]


def test_any_size_without_the_classifier():
    model = unallocated(GoogLeNet, input_shape=(None, None, 3), include_top=False)
    assert model.output.shape == (None, None, None, 1024)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"auxiliary": "yes"}, "Unknown auxiliary: 'yes'"),
        ({"stem": "cifar10"}, "Unknown stem: 'cifar10'"),
        ({"width": 0}, "width must be .*0"),
        ({"auxiliary": True, "include_top": False}, "Use only one of the two"),
        ({"auxiliary": True, "input_shape": (64, 64, 3)}, "4x4.*larger images"),
        ({"auxiliary": True, "input_shape": (None, None, 3)}, "known size"),
        ({"input_shape": (4, 4, 3)}, "too small"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        GoogLeNet(**arguments)


def test_the_smallest_images_with_auxiliary_heads():
    unallocated(GoogLeNet, auxiliary=True, input_shape=(65, 65, 3))
    unallocated(GoogLeNet, auxiliary=True, stem="small", input_shape=(17, 17, 3))
