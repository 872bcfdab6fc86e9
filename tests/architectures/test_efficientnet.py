import keras
import numpy as np
import pytest
from counting import assert_same_outputs, counts, shapes, unallocated

from course_lib.accounting import totals
from course_lib.architectures import efficientnet
from course_lib.architectures.efficientnet import VARIANTS, EfficientNet, EfficientNetB0, compound_scaling

# params_total, params_trainable, MACs: layer arithmetic from table 1 and the authors' factors. B0's MACs are
# also those on record in the RegNet authors' library.
COUNTS = {
    "B0": (5_330_564, 5_288_548, 385_814_752),
    "B1": (7_856_232, 7_794_184, 686_802_832),
    "B2": (9_177_562, 9_109_994, 993_561_872),
    "B4": (19_466_816, 19_341_616, 4_393_771_024),
    "B6": (43_265_136, 43_040_704, 19_067_593_536),
    "B7": (66_658_680, 66_347_960, 37_745_884_192),
}
PUBLISHED_MILLIONS = {"B3": 12, "B5": 30}  # table 2, where the layer arithmetic has not been done

# Filters of stages 2 to 8 and of the head, and sizes of the maps.
STAGES = {
    "B0": ([16, 24, 40, 80, 112, 192, 320, 1280], [112, 56, 28, 14, 14, 7, 7, 7]),
    "B1": ([16, 24, 40, 80, 112, 192, 320, 1280], [120, 60, 30, 15, 15, 8, 8, 8]),
    "B2": ([16, 24, 48, 88, 120, 208, 352, 1408], [130, 65, 33, 17, 17, 9, 9, 9]),
    "B4": ([24, 32, 56, 112, 160, 272, 448, 1792], [190, 95, 48, 24, 24, 12, 12, 12]),
    "B6": ([32, 40, 72, 144, 200, 344, 576, 2304], [264, 132, 66, 33, 33, 17, 17, 17]),
    "B7": ([32, 48, 80, 160, 224, 384, 640, 2560], [300, 150, 75, 38, 38, 19, 19, 19]),
}


def builder(name):
    return getattr(efficientnet, f"EfficientNet{name}")


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_shapes(name):
    model = unallocated(builder(name))
    found = totals(model)
    assert (found.params, found.trainable_params, found.macs) == COUNTS[name]
    depth = VARIANTS[name][1]
    ends = [f"stage{i}_block{int(np.ceil(depth * n))}_out" for i, n in enumerate((1, 2, 2, 3, 3, 4, 1), 1)]
    expected = [(size, size, filters) for filters, size in zip(*STAGES[name], strict=True)]
    assert shapes(model, *ends, "head_swish") == expected


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_counts_of_the_twin_where_there_is_no_arithmetic(name):
    twin = unallocated(getattr(keras.applications, f"EfficientNet{name}"), weights=None)
    expected = totals(twin)
    # The twin's Normalization holds 7 more numbers: mean and variance of three channels and a counter.
    found = counts(builder(name))
    assert found == (expected.params - 7, expected.trainable_params, expected.macs)
    assert found[1] / 1e6 == pytest.approx(PUBLISHED_MILLIONS[name], rel=0.03)


def test_the_twin_gives_the_same_outputs():
    # The twin divides its images by 255; its Normalization does nothing before it is adapted.
    images = np.random.default_rng(1).uniform(0, 255, (2, 64, 32, 3)).astype("float32")
    arguments = {"input_shape": (64, 32, 3), "classes": 7, "classifier_activation": None}
    twin = keras.applications.EfficientNetB0(weights=None, **arguments)
    assert_same_outputs(EfficientNetB0(**arguments), twin, images, before=lambda x: x / 255)


def test_the_compound_rule_doubles_the_cost_with_each_step():
    cost = [width**2 * depth * size**2 for width, depth, size in map(compound_scaling, range(4))]
    assert np.allclose(np.array(cost[1:]) / cost[:-1], 1.2 * 1.1**2 * 1.15**2)
    for name, phi in {"B0": 0, "B1": 0.5, "B2": 1, "B3": 2}.items():
        assert np.allclose(compound_scaling(phi), VARIANTS[name][:3], rtol=0.05), name


def test_a_scaled_network():
    model = unallocated(EfficientNet, width=0.5, depth=0.5, stem_strides=1, input_shape=(32, 32, 3))
    ends = ["stem_swish", "stage1_block1_out", "stage4_block2_out", "stage7_block1_out", "head_swish"]
    assert shapes(model, *ends) == [(32, 32, 16), (32, 32, 8), (4, 4, 40), (2, 2, 160), (2, 2, 640)]


def test_the_last_stages_drop_their_blocks_most():
    model = unallocated(EfficientNetB0)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop")]
    assert rates == sorted(rates)
    assert len(rates) == 9  # blocks with a sum
    assert rates[-1] == pytest.approx(0.2 * 15 / 16)
    assert model.get_layer("head_dropout").rate == 0.2


def test_no_two_layers_start_with_the_same_weights():
    model = EfficientNet(width=0.1, depth=0.5, input_shape=(32, 32, 3), classes=10)
    kernels = [np.array(weight) for weight in model.trainable_weights if len(weight.shape) > 1]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


def test_any_size_without_the_classifier():
    model = unallocated(EfficientNetB0, input_shape=(None, None, 3), include_top=False)
    assert model.output.shape == (None, None, None, 1280)


def test_a_variant_gives_way_to_the_tensor_and_to_another_dropout():
    model = unallocated(builder("B2"), input_tensor=keras.Input((64, 64, 3)), dropout=0.0)
    assert model.input.shape == (None, 64, 64, 3)
    assert "head_dropout" not in [layer.name for layer in model.layers]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0}, "width must be a number above 0"),
        ({"depth": "1.1"}, "depth must be a number above 0"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"drop_path_rate": 2}, "drop_path_rate must be"),
        ({"stem_strides": 0}, "stem_strides must be"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        EfficientNet(**arguments)
