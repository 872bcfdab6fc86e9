import keras
import numpy as np
import pytest
from counting import counts, shapes, unallocated, weight_layers

from course_lib.architectures.squeezenet import SqueezeNet, SqueezeNet1_1, SqueezeNetSmall

# Parameters (all trainable) and MACs by layer arithmetic from the paper's table 1 and the authors' files.
# With one class less the last layer has 512 + 1 weights less: the 727,626 of the SimpNet authors' test.
COUNTS = [
    (SqueezeNet, {}, 1_248_424, 818_924_576),
    (SqueezeNet1_1, {}, 1_235_496, 349_151_936),
    (SqueezeNet, {"bypass": "simple"}, 1_248_424, 818_924_576),
    (SqueezeNet1_1, {"input_shape": (227, 227, 3)}, 1_235_496, 387_747_520),
    (SqueezeNet1_1, {"classes": 10}, 1_235_496 - 990 * 513, 349_151_936 - 13 * 13 * 512 * 990),
]

# Table 1: output side, input maps, squeeze, expand 1x1, expand 3x3.
FIRES = [
    (54, 96, 16, 64, 64),
    (54, 128, 16, 64, 64),
    (54, 128, 32, 128, 128),
    (27, 256, 32, 128, 128),
    (27, 256, 48, 192, 192),
    (27, 384, 48, 192, 192),
    (27, 384, 64, 256, 256),
    (13, 512, 64, 256, 256),
]


@pytest.mark.parametrize(("builder", "arguments", "params", "macs"), COUNTS)
def test_counts(builder, arguments, params, macs):
    assert counts(builder, **arguments) == (params, params, macs)
    assert weight_layers(unallocated(builder, **arguments)) == 18  # a fire module is two layers


def test_counts_follow_from_the_paper_s_table():
    params, macs = (7 * 7 * 3 + 1) * 96 + 513 * 1000, 109**2 * 7 * 7 * 3 * 96 + 13**2 * 512 * 1000
    for side, maps, squeeze, one, three in FIRES:
        weights = maps * squeeze + squeeze * one + 9 * squeeze * three
        params += weights + squeeze + one + three
        macs += side**2 * weights
    assert (params, macs) == COUNTS[0][2:]


def test_a_complex_bypass_costs_four_convolutions():
    # A 1x1 convolution with bias around fire2, fire4, fire6 and fire8, where the number of maps changes.
    convolutions = [(54, 96, 128), (54, 128, 256), (27, 256, 384), (27, 384, 512)]
    params = sum((maps + 1) * filters for _, maps, filters in convolutions)
    macs = sum(side**2 * maps * filters for side, maps, filters in convolutions)
    expected = (1_248_424 + params, 1_248_424 + params, 818_924_576 + macs)
    assert counts(SqueezeNet, bypass="complex") == expected


@pytest.mark.parametrize(("bypass", "blocks"), [(None, ""), ("simple", "3579"), ("complex", "23456789")])
def test_where_the_bypasses_are(bypass, blocks):
    names = {layer.name for layer in unallocated(SqueezeNet, bypass=bypass).layers}
    assert {name for name in names if name.endswith("_add")} == {f"fire{i}_add" for i in blocks}


def test_stage_shapes():
    names = ("conv1", "pool1", "fire4_out", "pool4", "fire8_out", "pool8", "fire9_out", "conv10", "head_pool")
    assert shapes(unallocated(SqueezeNet), *names) == [
        (109, 109, 96),
        (54, 54, 96),
        (54, 54, 256),
        (27, 27, 256),
        (27, 27, 512),
        (13, 13, 512),
        (13, 13, 512),
        (13, 13, 1000),
        (1000,),
    ]
    names = ("conv1", "pool1", "fire3_out", "pool3", "fire5_out", "pool5", "fire9_out", "conv10")
    assert shapes(unallocated(SqueezeNet1_1), *names) == [
        (111, 111, 64),
        (55, 55, 64),
        (55, 55, 128),
        (27, 27, 128),
        (27, 27, 256),
        (13, 13, 256),
        (13, 13, 512),
        (13, 13, 1000),
    ]
    paper = unallocated(SqueezeNet, input_shape=(227, 227, 3))
    assert [shape[0] for shape in shapes(paper, "conv1", "pool1", "pool4", "pool8")] == [111, 55, 27, 13]


@pytest.mark.parametrize("block", [2, 3])
def test_a_bypass_adds_what_the_block_received(block):
    model = SqueezeNetSmall(bypass="complex", width=0.25)
    for part in ("expand1x1", "expand3x3"):  # the block itself puts out nothing
        layer = model.get_layer(f"fire{block}_{part}")
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    received = model.get_layer("pool1" if block == 2 else f"fire{block - 1}_add").output
    outputs = [model.get_layer(f"fire{block}_add").output, received]
    image = np.random.default_rng(0).random((1, 32, 32, 3), "float32")
    found, x = keras.Model(model.input, outputs)(image)
    if block == 2:  # the number of maps changes
        x = model.get_layer("fire2_bypass")(x)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(x), rtol=1e-5)


def test_squeeze_ratio_and_width():
    model = unallocated(SqueezeNet, squeeze_ratio=0.5, width=0.5)
    assert shapes(model, "conv1", "fire2_squeeze", "fire2_out") == [
        (109, 109, 48),
        (54, 54, 32),
        (54, 54, 64),
    ]


@pytest.mark.parametrize(
    ("builder", "smallest"), [(SqueezeNet, 21), (SqueezeNet1_1, 17), (SqueezeNetSmall, 10)]
)
def test_image_sizes(builder, smallest):
    model = unallocated(builder, input_shape=(smallest, smallest, 3), include_top=False)
    assert model.output_shape == (None, 1, 1, 512)
    with pytest.raises(ValueError, match=f"too small.*at least {smallest}"):
        builder(input_shape=(smallest - 1, 300, 3))
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output_shape == (None, None, None, 512)


def test_small_images():
    sides = [shape[0] for shape in shapes(unallocated(SqueezeNetSmall), "conv1", "pool1", "pool3", "pool5")]
    assert sides == [30, 15, 7, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"version": "1.2"}, "Unknown version: '1.2'"),
        ({"version": 1.0}, "Unknown version: 1.0"),
        ({"bypass": "simpel"}, "Unknown bypass: 'simpel'. Did you mean 'simple'"),
        ({"squeeze_ratio": 2}, "squeeze_ratio must be a number above 0, at most 1"),
        ({"width": 0}, "width must be a number above 0"),
        ({"stem_strides": 1.5}, "stem_strides must be a whole number"),
        ({"dropout": -0.5}, "dropout must be a number"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        SqueezeNet(**arguments)
