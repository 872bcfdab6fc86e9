import keras
import numpy as np
import pytest
from counting import assert_same_outputs, counts, shapes, unallocated, weight_layers

from course_lib.architectures import vgg
from course_lib.architectures.vgg import VGG, VGG11, VGG11LRN, VGG13, VGG16, VGG16C, VGG19, VGGSmall

# Parameters (all trainable) and MACs by layer arithmetic from the paper's table 1, and its weight layers.
# A-LRN is A with a layer that has no weights.
COUNTS = {
    VGG11: (132_863_336, 7_609_090_048, 11),
    VGG11LRN: (132_863_336, 7_609_090_048, 11),
    VGG13: (133_047_848, 11_308_466_176, 13),
    VGG16C: (133_638_952, 11_770_888_192, 16),
    VGG16: (138_357_544, 15_470_264_320, 16),
    VGG19: (143_667_240, 19_632_062_464, 19),
}

# Table 1 once more, column by column as printed: "conv3-64" is 3, 64.
TABLE_1 = {
    VGG11: "3-64 M 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    VGG11LRN: "3-64 M 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    VGG13: "3-64 3-64 M 3-128 3-128 M 3-256 3-256 M 3-512 3-512 M 3-512 3-512 M",
    VGG16C: "3-64 3-64 M 3-128 3-128 M 3-256 3-256 1-256 M 3-512 3-512 1-512 M 3-512 3-512 1-512 M",
    VGG16: "3-64 3-64 M 3-128 3-128 M 3-256 3-256 3-256 M 3-512 3-512 3-512 M 3-512 3-512 3-512 M",
    VGG19: "3-64 3-64 M 3-128 3-128 M 3-256 3-256 3-256 3-256 M 3-512 3-512 3-512 3-512 M"
    " 3-512 3-512 3-512 3-512 M",
}


def from_table(column):
    params = macs = 0
    size, maps = 224, 3
    for cell in column.split():
        if cell == "M":
            size //= 2
            continue
        kernel, width = map(int, cell.split("-"))
        params += (kernel * kernel * maps + 1) * width
        macs += size * size * kernel * kernel * maps * width
        maps = width
    for wide, narrow in ((size * size * maps, 4096), (4096, 4096), (4096, 1000)):
        params += (wide + 1) * narrow
        macs += wide * narrow
    return params, macs


@pytest.mark.parametrize("builder", COUNTS, ids=lambda b: b.__name__)
def test_counts(builder):
    params, macs, depth = COUNTS[builder]
    assert from_table(TABLE_1[builder]) == (params, macs)
    assert counts(builder) == (params, params, macs)
    assert weight_layers(unallocated(builder)) == depth


@pytest.mark.parametrize("builder", COUNTS, ids=lambda b: b.__name__)
def test_stage_shapes(builder):
    sizes = [(112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 512)]
    assert shapes(unallocated(builder), *(f"stage{i}_pool" for i in range(1, 6))) == sizes


def test_a_lrn_normalizes_the_first_maps():
    names = [layer.name for layer in unallocated(VGG11LRN).layers]
    assert names[1:4] == ["stage1_block1_conv", "stage1_lrn", "stage1_pool"]


def test_the_twin_gives_the_same_outputs():
    images = np.random.default_rng(1).random((2, 48, 32, 3), "float32")
    with_top = {"input_shape": (32, 32, 3), "classes": 7}
    without = {"input_shape": (48, 32, 3), "include_top": False}
    for arguments in (with_top, without):
        twin = keras.applications.VGG16(weights=None, classifier_activation=None, **arguments)
        ours = VGG16(classifier_activation=None, **arguments)
        assert_same_outputs(ours, twin, images[:, : arguments["input_shape"][0]])


def test_small_images():
    model = unallocated(VGGSmall, configuration="B", widths=(8, 16, 32, 32, 32))
    assert model.name == "vggsmall"
    assert shapes(model, "stage5_pool", "fc6", "fc7", "output") == [(1, 1, 32), (512,), (512,), (10,)]


def test_batch_norm_takes_the_place_of_the_bias():
    # A convolution loses a bias and gains gamma, beta, mean and variance for each of its 2,752 filters.
    convolutions = 64 + 128 + 2 * 256 + 4 * 512
    params, trainable, macs = counts(VGG11, batch_norm=True)
    assert (params, trainable) == (132_863_336 + 3 * convolutions, 132_863_336 + convolutions)
    assert macs == COUNTS[VGG11][1]


def test_any_size_without_the_classifier():
    assert unallocated(VGG16, input_shape=(None, None, 3), include_top=False).output.shape == (
        None,
        None,
        None,
        512,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"configuration": "F"}, "Unknown configuration: 'F'.*'A-LRN'"),
        ({"widths": (64, 128)}, "widths must be a tuple of 5 whole numbers.*(64, 128)"),
        ({"hidden": (4096, 0)}, "hidden must be .*(4096, 0)"),
        ({"hidden": 4096}, "hidden must be .*4096"),
        ({"dropout": 1.0}, "dropout must be .*1.0"),
        ({"batch_norm": "yes"}, "Unknown batch_norm: 'yes'"),
        ({"input_shape": (28, 28, 3)}, "too small.*32.*halves"),
        ({"input_shape": (None, None, 3)}, "known height and width"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        VGG(**arguments)


def test_the_table_has_the_columns_of_the_paper():
    assert list(vgg.CONFIGURATIONS) == ["A", "A-LRN", "B", "C", "D", "E"]
