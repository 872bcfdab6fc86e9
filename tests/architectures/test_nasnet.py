import keras
import numpy as np
import pytest
from counting import counts, randomize, shapes, unallocated

from course_lib.accounting import receptive_field
from course_lib.architectures.nasnet import NASNet, NASNetCifar, NASNetLarge, NASNetMobile
from course_lib.architectures.nasnet_cells import NORMAL, REDUCTION, Cell, nasnet_cell
from course_lib.transfer import copy_twin_weights

# params_total, params_trainable, MACs of the network in keras.applications; a separable convolution's kernels
# are counted at the output size. The paper: 5.3 M and 564 M; 88.9 M and 23.8 G.
COUNTS = {
    NASNetMobile: (5_326_716, 5_289_978, 563_638_816),
    NASNetLarge: (88_949_818, 88_753_150, 23_783_414_658),
}


@pytest.mark.parametrize("builder", COUNTS, ids=lambda b: b.__name__)
def test_counts(builder):
    assert counts(builder) == COUNTS[builder]


def test_the_published_size_of_the_cifar_network():
    assert counts(NASNetCifar)[1] / 1e6 == pytest.approx(3.3, rel=0.03)  # the paper's table 1


def test_stage_shapes():
    ends = ["stem", "stem_block1_out", "stem_block2_out", "stage1_block4_out", "stage2_block5_out"]
    sizes = [(111, 111, 32), (56, 56, 44), (28, 28, 88), (28, 28, 264), (14, 14, 528), (7, 7, 1056)]
    assert shapes(unallocated(NASNetMobile), *ends, "stage3_block5_out") == sizes
    ends = ["stem", "stem_block1_out", "stem_block2_out", "stage1_block6_out", "stage2_block7_out"]
    sizes = [(165, 165, 96), (83, 83, 168), (42, 42, 336), (42, 42, 1008), (21, 21, 2016), (11, 11, 4032)]
    assert shapes(unallocated(NASNetLarge), *ends, "stage3_block7_out") == sizes


def test_the_same_layers_as_the_twin_first_come_out():
    # Layers of the first reduction cell, with the shapes of the twin's.
    names = ["stem_block1_left1_1", "stem_block1_left1_2_bn", "stem_block1_right1_1_relu", "stem_block1_add1"]
    expected = [(56, 56, 11), (56, 56, 11), (111, 111, 32), (56, 56, 11)]
    assert shapes(unallocated(NASNetMobile), *names) == expected


def test_a_cell_is_what_its_table_says():
    x, p = keras.Input((16, 16, 12)), keras.Input((16, 16, 20))
    model = keras.Model([x, p], nasnet_cell(x, p, NORMAL, 4, name="cell"))
    windows = {
        layer.name.removeprefix("cell_"): layer.kernel_size[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.SeparableConv2D)
    }
    blocks = {"left1": 5, "right1": 3, "left2": 5, "right2": 3, "left5": 3}
    assert windows == {f"{place}_{n}": window for place, window in blocks.items() for n in (1, 2)}
    pooled = [layer.name for layer in model.layers if isinstance(layer, keras.layers.AveragePooling2D)]
    assert sorted(pooled) == ["cell_left3_average", "cell_left4_average", "cell_right4_average"]
    reduced = keras.Model([x, p], nasnet_cell(x, p, REDUCTION, 4, strides=2, name="cell"))
    assert reduced.output.shape == (None, 8, 8, 16)
    kinds = [layer.operation for layer in reduced.layers if hasattr(layer, "operation")]
    assert sorted(kinds) == ["average", "max", "max"]


def test_a_cell_of_ones_own():
    cell = Cell(blocks=((("max", 3, "h"), ("identity", 1, "p")),), output=(1, "h"))
    x = keras.Input((8, 8, 3))
    assert nasnet_cell(x, x, cell, 6, name="cell").shape == (None, 8, 8, 12)
    wrong = Cell(blocks=((("maximum", 3, "h"), ("identity", 1, "p")),), output=(1,))
    with pytest.raises(ValueError, match="Unknown operation of a cell: 'maximum'.*'max'"):
        nasnet_cell(x, x, wrong, 6, name="cell")


def test_the_twin_gives_the_same_outputs():
    arguments = {"input_shape": (64, 33, 3), "include_top": False, "pooling": "avg"}
    twin = keras.applications.NASNetMobile(weights=None, **arguments)
    randomize(twin)
    ours = NASNetMobile(**arguments)
    copy_twin_weights(ours, twin)
    images = np.random.default_rng(1).normal(size=(2, 64, 33, 3)).astype("float32")
    expected = np.array(twin(images, training=False))
    assert np.abs(np.array(ours(images, training=False)) - expected).max() <= 1e-4 * np.abs(expected).max()


def test_open_sizes_give_what_known_sizes_give():
    arguments = {"depth": 1, "penultimate_filters": 96, "stem_filters": 8, "include_top": False}
    known = NASNet(input_shape=(65, 46, 3), **arguments)
    model = NASNet(input_shape=(None, None, 3), **arguments)
    model.set_weights(known.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 65, 46, 3)).astype("float32")
    assert np.allclose(model.predict(images, verbose=0), known.predict(images, verbose=0), atol=1e-5)


def test_the_receptive_field_is_known():
    model = unallocated(NASNetMobile)
    assert receptive_field(model, "stem_block1_out").stride == 4
    assert receptive_field(model, "stage3_block5_out").stride == 32


def test_the_cell_after_a_reduction_skips_its_input():
    def source(**arguments):
        model = unallocated(NASNet, depth=2, penultimate_filters=96, stem="small", **arguments)
        return model.get_layer("stage2_block2_p_relu").input._keras_history.operation.name

    assert source(skip_reduction_input=False) == "stage1_block2_out"
    assert source(skip_reduction_input=True) == "stage1_block1_out"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"depth": 0}, "depth must be a whole number"),
        ({"penultimate_filters": 1000}, "multiple of 96.*1000"),
        ({"penultimate_filters": "768"}, "penultimate_filters must be a whole number"),
        ({"stem_filters": 1.5}, "stem_filters must be"),
        ({"skip_reduction_input": "no"}, "Unknown skip_reduction_input"),
        ({"stem": "cifar"}, "Unknown stem: 'cifar'"),
        ({"input_shape": (31, 64, 3)}, "too small"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        NASNet(**arguments)
