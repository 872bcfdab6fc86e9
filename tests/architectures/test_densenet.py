import keras
import numpy as np
import pytest
from counting import assert_same_outputs, counts, shapes, unallocated, weight_layers

from course_lib.architectures import densenet
from course_lib.architectures.densenet import CifarDenseNet, DenseNet, DenseNet121

# builder, arguments, weight layers: params_total, params_trainable, MACs by layer arithmetic from the paper.
COUNTS = {
    ("DenseNet121", (), 121): (8_062_504, 7_978_856, 2_834_161_664),
    ("DenseNet169", (), 169): (14_307_880, 14_149_480, 3_359_843_328),
    ("DenseNet201", (), 201): (20_242_984, 20_013_928, 4_291_365_888),
    ("DenseNet264", (), 265): None,
    ("DenseNet40", (), 40): (1_037_818, 1_019_722, 264_812_928),
    ("DenseNet100", (), 100): (7_096_858, 6_979_642, 1_769_516_448),
    ("DenseNet100", (("growth_rate", 24),), 100): None,
    ("DenseNetBC100", (), 100): None,
    ("DenseNetBC190", (), 190): (25_881_390, 25_624_430, 9_301_945_740),
}
# Trainable parameters counted by others where the list has none: by layer arithmetic (264; L = 100, k = 24)
# and in a library of published networks (BC100).
TRAINABLE_ELSEWHERE = {"DenseNet264": 33_337_704, "DenseNet100": 27_249_082, "DenseNetBC100": 769_162}

# Table 1 and section 3: layers of the dense blocks, k, bottleneck, compression, maps of the stem.
PAPER = {
    "DenseNet121": ((6, 12, 24, 16), 32, True, 0.5, 64),
    "DenseNet169": ((6, 12, 32, 32), 32, True, 0.5, 64),
    "DenseNet201": ((6, 12, 48, 32), 32, True, 0.5, 64),
    "DenseNet264": ((6, 12, 64, 48), 32, True, 0.5, 64),
    "DenseNet40": ((12, 12, 12), 12, False, 1.0, 16),
    "DenseNet100": ((32, 32, 32), 12, False, 1.0, 16),
    "DenseNetBC100": ((16, 16, 16), 12, True, 0.5, 24),
    "DenseNetBC190": ((31, 31, 31), 40, True, 0.5, 80),
}


def from_paper(name, growth_rate=None):
    """params_total, params_trainable, MACs, and (size, maps) at the end of each stage."""
    depths, k, bottleneck, theta, maps = PAPER[name]
    k = growth_rate or k
    imagenet = len(depths) == 4
    size, norms = (56, maps) if imagenet else (32, 0)  # no normalization in the small stem
    weights = (49 if imagenet else 9) * 3 * maps
    macs, ends = (112 if imagenet else 32) ** 2 * weights, []
    for stage, depth in enumerate(depths):
        if stage:
            kernel, norms = maps * int(theta * maps), norms + maps
            weights, macs = weights + kernel, macs + size**2 * kernel
            maps, size = int(theta * maps), size // 2
        for _ in range(depth):
            kernel = maps * 4 * k + 9 * 4 * k * k if bottleneck else 9 * maps * k
            norms += maps + (4 * k if bottleneck else 0)
            weights, macs, maps = weights + kernel, macs + size**2 * kernel, maps + k
        ends.append((size, size, maps))
    norms, classes = norms + maps, 1000 if imagenet else 10
    dense = maps * classes
    return (weights + 4 * norms + dense + classes, weights + 2 * norms + dense + classes, macs + dense), ends


@pytest.mark.parametrize(("name", "arguments", "depth"), COUNTS)
def test_counts_and_shapes(name, arguments, depth):
    expected, ends = from_paper(name, **dict(arguments))
    assert COUNTS[name, arguments, depth] in (expected, None)
    if COUNTS[name, arguments, depth] is None:
        assert expected[1] == TRAINABLE_ELSEWHERE[name]
    builder = getattr(densenet, name)
    assert counts(builder, **dict(arguments)) == expected
    model = unallocated(builder, **dict(arguments))
    assert weight_layers(model) == depth
    assert shapes(model, *(f"stage{i}_block{n}_out" for i, n in enumerate(PAPER[name][0], 1))) == ends


def test_transitions_and_stem():
    names = ["stem_relu", "stem_pool", "transition1_pool", "transition2_pool", "transition3_pool"]
    sizes = [(112, 112, 64), (56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]
    assert shapes(unallocated(DenseNet121), *names) == sizes


def test_a_layer_sees_all_layers_before_it():
    model = unallocated(CifarDenseNet, depth=16)  # 4 layers a stage
    inputs = [model.get_layer(f"stage1_block{j}_pre2_bn").input.shape[-1] for j in range(1, 5)]
    assert inputs == [16, 28, 40, 52]
    ways = sum(len(model.get_layer(f"stage1_block{j}_out").input) - 1 for j in range(1, 5))
    assert ways == 4  # new maps; each is joined to all that came before, so 4 * 5 / 2 connections


def test_the_twin_gives_the_same_outputs():
    arguments = {"input_shape": (64, 32, 3), "include_top": False, "pooling": "avg"}
    twin = keras.applications.DenseNet121(weights=None, **arguments)
    images = np.random.default_rng(1).normal(size=(2, 64, 32, 3)).astype("float32")
    assert_same_outputs(DenseNet121(**arguments), twin, images)


def test_dropout_follows_each_convolution():
    model = unallocated(CifarDenseNet, depth=10, dropout=0.2)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in model.layers) == 3 * 2 + 2


@pytest.mark.parametrize("builder", [DenseNet121, CifarDenseNet])
def test_any_size_without_the_classifier(builder):
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output.shape[1:3] == (None, None)


@pytest.mark.parametrize(
    ("builder", "arguments", "words"),
    [
        (DenseNet, {"depths": (6, 0)}, "depths must be"),
        (DenseNet, {"growth_rate": 0}, "growth_rate must be a whole number"),
        (DenseNet, {"compression": 1.5}, "compression must be a number above 0, at most 1"),
        (DenseNet, {"dropout": 1.0}, "dropout must be"),
        (DenseNet, {"input_shape": (28, 28, 3)}, "too small.*DenseNet40"),
        (DenseNet, {"depths": (1,) * 5, "input_shape": (32, 32, 3)}, "too small: transition4 .*1x1"),
        (CifarDenseNet, {"depth": 41}, r"depth must be 3n \+ 4.*Received: 41"),
        (CifarDenseNet, {"depth": 103, "bottleneck": True}, r"depth must be 6n \+ 4"),
        (CifarDenseNet, {"bottleneck": "yes"}, "Unknown bottleneck"),
        (CifarDenseNet, {"growth_rate": 12.0}, "growth_rate must be"),
        (CifarDenseNet, {"compression": 0}, "compression must be"),
        (CifarDenseNet, {"input_shape": (3, 3, 3)}, "too small"),
    ],
)
def test_errors(builder, arguments, words):
    with pytest.raises(ValueError, match=words):
        builder(**arguments)
