import keras
import numpy as np
import pytest
from counting import counts, shapes, unallocated, weight_layers

from course_lib.accounting import receptive_field
from course_lib.architectures.alexnet import AlexNet, AlexNetSmall, ZFNet

# Parameters (all trainable) and MACs by layer arithmetic from the papers; the first is also what Caffe's
# bvlc_alexnet has.
COUNTS = [
    (AlexNet, {}, 60_965_224, 724_406_816),
    (AlexNet, {"groups": 1}, 62_378_344, 1_135_256_096),
    (ZFNet, {}, 62_357_608, 1_168_032_896),
    (ZFNet, {"middle": "b"}, 107_627_624, 2_476_704_896),
]


def from_table(convolutions, features, groups):
    """Rows of output side, kernel side, input maps, filters; groups in the convolutions 2, 4 and 5."""
    params = macs = 0
    for i, (side, kernel, maps, filters) in enumerate(convolutions):
        weights = kernel**2 * maps * filters // (groups if i in (1, 3, 4) else 1)
        params += weights + filters
        macs += side**2 * weights
    for wide, narrow in ((features, 4096), (4096, 4096), (4096, 1000)):
        params += (wide + 1) * narrow
        macs += wide * narrow
    return params, macs


def table(builder, groups=2, middle="a"):
    if builder is AlexNet:
        rows = [(55, 11, 3, 96), (27, 5, 96, 256), (13, 3, 256, 384), (13, 3, 384, 384), (13, 3, 384, 256)]
        return from_table(rows, 6 * 6 * 256, groups)
    a, b, c = {"a": (384, 384, 256), "b": (512, 1024, 512)}[middle]
    rows = [(110, 7, 3, 96), (26, 5, 96, 256), (13, 3, 256, a), (13, 3, a, b), (13, 3, b, c)]
    return from_table(rows, 6 * 6 * c, 1)


@pytest.mark.parametrize(("builder", "arguments", "params", "macs"), COUNTS)
def test_counts(builder, arguments, params, macs):
    assert table(builder, **arguments) == (params, macs)
    assert counts(builder, **arguments) == (params, params, macs)
    assert weight_layers(unallocated(builder, **arguments)) == 8


@pytest.mark.parametrize(
    ("builder", "arguments", "sizes"),
    [
        (AlexNet, {}, [(55, 96), (27, 96), (27, 256), (13, 256), (13, 384), (13, 384), (13, 256), (6, 256)]),
        (ZFNet, {}, [(110, 96), (55, 96), (26, 256), (13, 256), (13, 384), (13, 384), (13, 256), (6, 256)]),
        (
            ZFNet,
            {"middle": "b"},
            [(110, 96), (55, 96), (26, 256), (13, 256), (13, 512), (13, 1024), (13, 512), (6, 512)],
        ),
    ],
)
def test_stage_shapes(builder, arguments, sizes):
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
    model = unallocated(builder, **arguments)
    assert shapes(model, *names) == [(side, side, maps) for side, maps in sizes]
    assert shapes(model, "fc6", "fc7", "output") == [(4096,), (4096,), (1000,)]


def test_the_receptive_field_of_the_last_maps():
    # A window of k adds (k - 1) times the product of the steps before it: conv1, pool1, conv2, pool2, three
    # 3x3 convolutions, pool5.
    size = 11 + 2 * 4 + 4 * 8 + 2 * 8 + 3 * 2 * 16 + 2 * 16
    field = receptive_field(unallocated(AlexNet), "pool5")
    assert (field.size, field.stride) == (size, 32) == (195, 32)


def order(model):
    """Kinds of the layers of the first two stages."""
    names = [layer.name for layer in model.layers]
    return [name[:4] for name in names if name[-1] in "12" and name[:4] in ("conv", "norm", "pool")]


@pytest.mark.parametrize(
    ("builder", "arguments", "expected"),
    [
        (AlexNet, {}, "conv norm pool conv norm pool"),
        (AlexNet, {"norm": "after_pool"}, "conv pool norm conv pool norm"),
        (AlexNet, {"norm": None}, "conv pool conv pool"),
        (ZFNet, {}, "conv pool norm conv pool norm"),
    ],
)
def test_the_order_of_pooling_and_normalization(builder, arguments, expected):
    assert order(unallocated(builder, **arguments)) == expected.split()


def test_a_filter_of_conv2_sees_its_own_half_only():
    model = AlexNetSmall(hidden=(8,), norm=None)
    image = np.random.default_rng(0).random((1, 32, 32, 3), "float32")
    conv1, conv2 = model.get_layer("conv1"), model.get_layer("conv2")
    halves = keras.Model(model.input, conv2.output)
    before = halves.predict(image, verbose=0)
    kernel, bias = conv1.get_weights()
    conv1.set_weights([kernel, bias + np.repeat([0, 1], 24).astype("float32")])  # the second half shines
    after = halves.predict(image, verbose=0)
    np.testing.assert_array_equal(after[..., :64], before[..., :64])
    assert (after[..., 64:] != before[..., 64:]).any()


def test_images_of_224_with_padding_give_the_paper_s_volumes():
    model = unallocated(AlexNet, input_shape=(224, 224, 3), padding=2)
    assert shapes(model, "conv1", "pool5") == [(55, 55, 96), (6, 6, 256)]
    assert model.count_params() == 60_965_224
    with pytest.raises(ValueError, match="227x227, or padding=2"):
        AlexNet(input_shape=(224, 224, 3))


def test_the_slide_s_zfnet_is_much_larger():
    # AlexNet with nothing but the changes that the slide names: conv1 7x7/2, conv3-5 512, 1024, 512.
    arguments = {"kernel_size": 7, "strides": 2, "widths": (96, 256, 512, 1024, 512), "groups": 1}
    model = unallocated(AlexNet, **arguments)
    assert shapes(model, "pool5") == [(13, 13, 512)]
    assert model.count_params() == 386_548_840


def test_small_images():
    model = unallocated(AlexNetSmall)
    assert shapes(model, "conv1", "pool1", "pool2", "pool5") == [
        (32, 32, 48),
        (15, 15, 48),
        (7, 7, 128),
        (3, 3, 128),
    ]


@pytest.mark.parametrize(
    ("builder", "smallest", "arguments"),
    [(AlexNet, 67, {}), (AlexNetSmall, 15, {}), (AlexNetSmall, 19, {"padding": 0}), (ZFNet, 47, {})],
)
def test_the_smallest_image(builder, smallest, arguments):
    tops = {"include_top": False, **arguments}
    model = unallocated(builder, input_shape=(smallest, smallest + 1, 3), **tops)
    assert model.output_shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=f"too small.*at least {smallest}"):
        builder(input_shape=(smallest - 1, 300, 3), **tops)


@pytest.mark.parametrize("builder", [AlexNet, ZFNet])
def test_any_size_without_the_classifier(builder):
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output_shape == (None, None, None, 256)
    with pytest.raises(ValueError, match="known height and width"):
        builder(input_shape=(None, None, 3))


@pytest.mark.parametrize(
    ("builder", "arguments", "words"),
    [
        (AlexNet, {"groups": 5}, "groups must divide all widths. Received: groups=5"),
        (AlexNet, {"groups": 0}, "groups must be a whole number"),
        (AlexNet, {"norm": "before"}, "Unknown norm: 'before'. Did you mean 'before_pool'"),
        (AlexNet, {"activation": "tan"}, "Unknown activation: 'tan'. Did you mean 'tanh'"),
        (AlexNet, {"widths": (96, 256)}, "widths must be a tuple of 5 whole numbers"),
        (AlexNet, {"hidden": 4096}, "hidden must be a tuple of zero or more whole numbers"),
        (AlexNet, {"dropout": 1}, "dropout must be a number from 0 to below 1"),
        (AlexNet, {"hidden": 4096, "include_top": False}, "hidden must be a tuple of zero or more"),
        (AlexNet, {"strides": 0}, "strides must be a whole number"),
        (AlexNet, {"padding": -1}, "padding must be a whole number, at least 0"),
        (ZFNet, {"middle": "c"}, "Unknown middle: 'c'"),
        (ZFNet, {"dropout": None}, "dropout must be"),
    ],
)
def test_errors(builder, arguments, words):
    with pytest.raises(ValueError, match=words):
        builder(**arguments)
