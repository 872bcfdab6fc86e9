import pytest
from counting import counts, shapes, unallocated, weight_layers
from keras import layers

from course_lib.architectures.simpnet import SimpleNet, SimpNet

# Total and trainable parameters and MACs, counted from the authors' published Caffe files.
COUNTS = [
    (SimpNet, "slim-300k", 302_316, 300_964, 97_439_364),
    (SimpNet, "slim-1m", 1_003_770, 1_001_296, 346_926_300),
    (SimpNet, "5m", 5_483_769, 5_478_223, 1_270_310_112),
    (SimpNet, "8.9m", 8_909_727, 8_902_729, 1_996_079_856),
    (SimpleNet, "slim-310k", 312_682, 311_594, 55_788_160),
    (SimpleNet, "slim-460k", 457_014, 455_862, 75_241_960),
    (SimpleNet, "5m", 5_497_226, 5_493_258, 652_151_296),
]


@pytest.mark.parametrize(("builder", "variant", "total", "trainable", "macs"), COUNTS)
def test_counts(builder, variant, total, trainable, macs):
    assert counts(builder, variant=variant) == (total, trainable, macs)
    assert weight_layers(unallocated(builder, variant=variant)) == 14  # the papers do not count the last one


def test_counts_of_the_600k_variant_follow_from_the_authors_file():
    # num_output of conv1 to conv12 in the file, all 3x3; bias, BatchNorm's mean and variance, Scale's two.
    filters = [40, 60, 60, 60, 72, 73, 73, 73, 75, 81, 82, 90, 120]
    sides = [32] * 5 + [16] * 5 + [8] * 3
    params, macs, maps = 0, 0, 3
    for n, side in zip(filters, sides, strict=True):
        params += 9 * maps * n + n + 4 * n
        macs += side**2 * 9 * maps * n
        maps = n
    params += (maps + 1) * 10
    macs += maps * 10
    assert counts(SimpNet, variant="slim-600k") == (params, params - 2 * sum(filters), macs)
    assert 590_000 < params - 2 * sum(filters) < 610_000  # as its name says


def test_stage_shapes():
    model = unallocated(SimpNet)
    names = [f"stage{i}_block{depth}_conv" for i, depth in enumerate((5, 5, 3), 1)]
    assert shapes(model, *names) == [(32, 32, 192), (16, 16, 288), (8, 8, 432)]
    assert shapes(model, "stage1_pool", "stage2_pool", "head_pool") == [(16, 16, 192), (8, 8, 288), (432,)]
    model = unallocated(SimpleNet)
    names = [f"stage{i}_block{depth}_conv" for i, depth in enumerate((4, 3, 2, 3, 1), 1)]
    sizes = [(32, 32, 128), (16, 16, 256), (8, 8, 256), (4, 4, 256), (2, 2, 256)]
    assert shapes(model, *names) == sizes
    pools = [f"stage{i}_pool" for i in range(1, 5)]
    assert shapes(model, *pools) == [(16, 16, 128), (8, 8, 256), (4, 4, 256), (2, 2, 256)]


def dropouts(model):
    """Rates in the order of the model, those of SAF pooling marked by a minus."""
    return [
        layer.rate if isinstance(layer, layers.Dropout) else -layer.rate
        for layer in model.layers
        if hasattr(layer, "rate")
    ]


def test_dropout_rates_are_those_of_the_authors_files():
    assert dropouts(unallocated(SimpNet)) == [0.2] * 4 + [-0.2] + [0.2] * 4 + [-0.3] + [0.3] * 2 + [0.3]
    slim = dropouts(unallocated(SimpNet, variant="slim-1m"))
    assert [r for r in slim if r] == [-0.1, -0.2, 0.2]
    assert not any(dropouts(unallocated(SimpNet, variant="slim-300k")))
    assert dropouts(unallocated(SimpleNet)) == [0.2] * 12
    assert {abs(r) for r in dropouts(unallocated(SimpNet, dropout=0.4))} == {0.4}
    assert not any(dropouts(unallocated(SimpleNet, dropout=0)))


def test_the_seventh_convolution_of_simplenet_is_pooled_before_its_normalization():
    names = [layer.name for layer in unallocated(SimpleNet).layers]
    at = names.index("stage2_block3_conv")
    assert names[at : at + 4] == [
        "stage2_block3_conv",
        "stage2_pool",
        "stage2_block3_conv_bn",
        "stage2_block3_conv_relu",
    ]
    normalized = [name for name in names if name.endswith("_bn")]
    assert len(normalized) == 10


@pytest.mark.parametrize(("builder", "smallest"), [(SimpNet, 4), (SimpleNet, 16)])
def test_image_sizes(builder, smallest):
    assert unallocated(builder, input_shape=(smallest, smallest, 1)).output_shape == (None, 10)
    with pytest.raises(ValueError, match=f"at least {smallest}"):
        builder(input_shape=(smallest, smallest - 1, 3))
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output_shape == (None, None, None, 432 if builder is SimpNet else 256)


@pytest.mark.parametrize("builder", [SimpNet, SimpleNet])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variant": "slim"}, "Unknown variant: 'slim'.*Allowed: 'slim-3"),
        ({"widths": (8,) * 12}, "widths must be a tuple of 13 whole numbers"),
        ({"dropout": 1}, "dropout must be a number from 0 to below 1"),
    ],
)
def test_errors(builder, arguments, words):
    with pytest.raises(ValueError, match=words):
        builder(**arguments)
