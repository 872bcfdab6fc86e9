import keras
import numpy as np
import pytest
from counting import assert_same_outputs, counts, shapes, unallocated, weight_layers

from course_lib.accounting import layer_costs
from course_lib.architectures.mobilenet import V2_ROWS, MobileNet, MobileNetV2

# params_total, params_trainable and MACs by layer arithmetic from the papers' tables.
COUNTS = {1.0: (4_253_864, 4_231_976, 568_740_352), 0.5: (1_342_536, 1_331_592, 149_497_088)}
COUNTS[0.25] = (475_544, 470_072, 41_030_272)
COUNTS_V2 = (3_538_984, 3_504_872, 300_774_272)

# The paper's table 1: strides and output maps of the 13 separable convolutions.
TABLE_1 = [(1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * 5, (2, 1024), (1, 1024)]


def from_table(alpha, size=224):
    """params_total, params_trainable, MACs; four numbers of each normalization, two of them trained."""
    maps, size = int(32 * alpha), size // 2
    weights, norms, macs = 27 * maps, maps, size**2 * 27 * maps
    for strides, filters in TABLE_1:
        filters, size = int(filters * alpha), size // strides
        kernels = 9 * maps + maps * filters
        weights, norms, macs = weights + kernels, norms + maps + filters, macs + size**2 * kernels
        maps = filters
    dense = 1000 * maps
    return weights + 4 * norms + dense + 1000, weights + 2 * norms + dense + 1000, macs + dense


@pytest.mark.parametrize("alpha", [1.0, 0.75, 0.5, 0.25])
def test_counts(alpha):
    assert from_table(alpha) == COUNTS.get(alpha, from_table(alpha))
    assert counts(MobileNet, alpha=alpha) == from_table(alpha)


@pytest.mark.parametrize(("alpha", "published"), [(1.0, 4.2), (0.75, 2.6), (0.5, 1.3), (0.25, 0.5)])
def test_the_published_parameters_in_millions(alpha, published):
    assert round(from_table(alpha)[1] / 1e6, 1) == published  # the paper's table 6


@pytest.mark.parametrize(("size", "published"), [(224, 569), (192, 418), (160, 290), (128, 186)])
def test_the_published_macs_in_millions(size, published):
    found = counts(MobileNet, input_shape=(size, size, 3))
    assert found == from_table(1.0, size)
    assert abs(found[2] / 1e6 - published) < 1  # the paper's table 7


def test_counts_v2():
    assert counts(MobileNetV2) == COUNTS_V2


@pytest.mark.parametrize("alpha", [0.35, 0.5, 0.75, 1.3, 1.4])
def test_counts_of_other_widths_are_the_twin_s(alpha):
    twin = unallocated(keras.applications.MobileNetV2, weights=None, alpha=alpha)
    assert unallocated(MobileNetV2, alpha=alpha).count_params() == twin.count_params()


def test_weight_layers():
    assert weight_layers(unallocated(MobileNet)) == 28
    assert weight_layers(unallocated(MobileNetV2)) == 53


def test_stage_shapes():
    sizes = [(112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 1024)]
    ends = [f"stage{i}_block{depth}_out" for i, depth in enumerate((1, 2, 2, 6, 2), 1)]
    assert shapes(unallocated(MobileNet), "stem_relu6", *ends) == [(112, 112, 32), *sizes]


def test_stage_shapes_v2():
    sizes = [(112, 112, 16), (56, 56, 24), (28, 28, 32), (14, 14, 64), (14, 14, 96), (7, 7, 160), (7, 7, 320)]
    ends = [f"stage{i}_block{row[2]}_out" for i, row in enumerate(V2_ROWS, 1)]
    found = shapes(unallocated(MobileNetV2), "stem_relu6", *ends, "head_relu6")
    assert found == [(112, 112, 32), *sizes, (7, 7, 1280)]


def test_blocks_add_where_the_shape_stays():
    sums = [layer.name for layer in unallocated(MobileNetV2).layers if isinstance(layer, keras.layers.Add)]
    repeated = [f"stage{i}_block{j}_add" for i, row in enumerate(V2_ROWS, 1) for j in range(2, row[2] + 1)]
    assert sums == repeated


def test_a_separable_convolution_costs_an_eighth_of_a_full_one():
    rows = {row.name: row.macs for row in layer_costs(unallocated(MobileNet))}
    found = rows["stage4_block2_depthwise"] + rows["stage4_block2_pointwise"]
    full = 14 * 14 * 9 * 512 * 512
    assert found / full == 1 / 512 + 1 / 9


@pytest.mark.parametrize(
    ("builder", "twin", "arguments"),
    [
        (MobileNet, keras.applications.MobileNet, {"alpha": 0.25, "classes": 7}),
        (MobileNetV2, keras.applications.MobileNetV2, {"alpha": 0.35, "include_top": False}),
    ],
    ids=["v1", "v2"],
)
def test_the_twin_gives_the_same_outputs(builder, twin, arguments):
    arguments |= {"input_shape": (64, 32, 3), "classifier_activation": None}
    twin = twin(weights=None, **arguments)
    images = np.random.default_rng(1).random((2, 64, 32, 3), "float32")
    assert_same_outputs(builder(**arguments), twin, images)


def test_a_depthwise_filter_starts_as_one_that_sees_9_values():
    model = MobileNet(depths=(1, 1), widths=(512, 512), input_shape=(32, 32, 3), classes=10)
    kernel = np.array(model.get_layer("stage2_block1_depthwise").kernel)
    assert kernel.std() == pytest.approx(np.sqrt(2 / 9), rel=0.05)  # 4608 numbers


def test_small_images_keep_more_positions():
    model = unallocated(MobileNet, stem_strides=1, input_shape=(32, 32, 3), classes=10)
    assert shapes(model, "stage1_block1_out", "stage5_block2_out") == [(32, 32, 64), (2, 2, 1024)]


@pytest.mark.parametrize("builder", [MobileNet, MobileNetV2])
def test_any_size_without_the_classifier(builder):
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output.shape[1:3] == (None, None)


@pytest.mark.parametrize(
    ("builder", "arguments", "words"),
    [
        (MobileNet, {"alpha": 0}, "alpha must be a number above 0. Received: 0"),
        (MobileNet, {"alpha": "0.5"}, "alpha must be a number"),
        (MobileNet, {"depths": (1, 2)}, "widths must be a tuple of 2 whole numbers"),
        (MobileNet, {"activation": "swish"}, "Unknown activation: 'swish'"),
        (MobileNet, {"dropout": 1}, "dropout must be"),
        (MobileNet, {"stem_strides": 0}, "stem_strides must be"),
        (MobileNetV2, {"alpha": -1}, "alpha must be a number above 0"),
        (MobileNetV2, {"rows": 7}, "rows must be .*Received: 7"),
        (
            MobileNetV2,
            {"rows": ((1, 16, 1),)},
            r"\(expand_ratio, filters, depth, strides\) must be a tuple of 4",
        ),
        (MobileNetV2, {"dropout": -0.5}, "dropout must be"),
        (MobileNetV2, {"stem_strides": 1.5}, "stem_strides must be"),
    ],
)
def test_errors(builder, arguments, words):
    with pytest.raises(ValueError, match=words):
        builder(**arguments)
