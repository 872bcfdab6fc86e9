import keras
import numpy as np
import pytest
from keras import layers

from course_lib import accounting
from course_lib.accounting import (
    cost_table,
    largest_batch,
    layer_costs,
    receptive_field,
    totals,
    training_memory,
)
from course_lib.accounting.costs import MACS
from course_lib.visualization import input_gradient

# Published or counted elsewhere: parameters; MACs of convolutions and dense layers.
# VGG16, ResNet50 v1 and MobileNetV2 by layer arithmetic from the papers' tables, EfficientNet-B0 from the
# record of the RegNet authors' library (385,825,092 with 10,340 bias additions), B7 by its Keras layers.
ORACLES = {
    "VGG16": (138_357_544, 15_470_264_320),
    "ResNet50": (25_636_712, 3_857_973_248),
    "MobileNetV2": (3_538_984, 300_774_272),
    "EfficientNetB0": (5_330_571, 385_814_752),
    "EfficientNetB7": (66_658_687, 37_745_884_192),
}


def unallocated(name, **arguments):
    """A model of keras.applications without memory for its weights."""
    with accounting.unallocated():
        return getattr(keras.applications, name)(weights=None, **arguments)


@pytest.mark.parametrize("name", ORACLES)
def test_totals_of_known_networks(name):
    found = totals(unallocated(name))
    assert (found.params, found.macs) == ORACLES[name]


def test_activations_of_vgg16_are_those_of_the_rows_of_the_lecture():
    assert totals(unallocated("VGG16")).activations == 15_237_608  # with the input image of 150,528


def test_trainable_parameters_leave_out_moving_statistics():
    found = totals(unallocated("MobileNetV2"))
    assert found.trainable_params == 3_504_872


# A layer without bias whose weights are all 1, on an image of ones: each output value is then the number of
# products that went into it, and their sum the number of multiply-adds, as long as no padding is involved.
COUNTED_BY_RUNNING = [
    ((9, 7, 4), layers.Conv2D(6, 3, use_bias=False, kernel_initializer="ones")),
    ((9, 8, 4), layers.Conv2D(6, (3, 2), strides=2, use_bias=False, kernel_initializer="ones")),
    ((9, 7, 4), layers.Conv2D(6, 3, dilation_rate=2, use_bias=False, kernel_initializer="ones")),
    ((9, 7, 4), layers.Conv2D(6, 3, groups=2, use_bias=False, kernel_initializer="ones")),
    ((12, 4), layers.Conv1D(6, 5, use_bias=False, kernel_initializer="ones")),
    ((5, 6, 7, 2), layers.Conv3D(3, 2, use_bias=False, kernel_initializer="ones")),
    ((9, 7, 4), layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, depthwise_initializer="ones")),
    ((5, 4, 3), layers.Conv2DTranspose(6, 3, strides=2, use_bias=False, kernel_initializer="ones")),
    ((11,), layers.Dense(5, use_bias=False, kernel_initializer="ones")),
    ((5, 4, 3), layers.Dense(6, use_bias=False, kernel_initializer="ones")),
]


@pytest.mark.parametrize(("shape", "layer"), COUNTED_BY_RUNNING, ids=lambda v: getattr(v, "name", str(v)))
def test_macs_are_the_products_that_a_layer_of_ones_adds(shape, layer):
    model = keras.Sequential([keras.Input(shape), layer])
    output = keras.ops.convert_to_numpy(model(np.ones((1, *shape), "float32")))
    assert totals(model).macs == output.sum()


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (layers.Conv2D(16, 5), 10 * 10 * 16 * 5 * 5 * 6),
        (layers.Conv2D(16, 5, padding="same"), 14 * 14 * 16 * 5 * 5 * 6),
        (layers.SeparableConv2D(16, 3, padding="same"), 14 * 14 * 6 * (3 * 3 + 16)),
        (layers.SeparableConv2D(16, 3, depth_multiplier=2), 12 * 12 * 12 * (3 * 3 + 16)),
        (layers.AveragePooling2D(2), 0),
        (layers.BatchNormalization(), 0),
        (layers.GlobalAveragePooling2D(), 0),
    ],
)
def test_macs_by_hand(layer, macs):
    assert totals(keras.Sequential([keras.Input((14, 14, 6)), layer])).macs == macs


def test_a_row_holds_what_the_layer_costs():
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(6, 5, padding="same", name="C1")])
    image, c1 = layer_costs(model)
    assert (image.name, image.kind, image.params, image.activations) == ("input", "InputLayer", 0, 784)
    assert (c1.name, c1.kind, c1.output_shape, c1.params) == ("C1", "Conv2D", (28, 28, 6), 156)
    assert (c1.macs, c1.activations) == (117_600, 4_704)


def test_a_frozen_layer_has_no_trainable_parameters():
    frozen = layers.Dense(3, trainable=False)
    model = keras.Sequential([keras.Input((4,)), frozen, layers.Dense(2)])
    assert (totals(model).params, totals(model).trainable_params) == (15 + 8, 8)


def test_what_only_renames_stores_nothing():
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.Flatten(), layers.Reshape((2, 16))])
    assert [row.activations for row in layer_costs(model)] == [32, 0, 0]


def shared_twice():
    conv = layers.Conv2D(3, 3, padding="same", name="shared")
    image = keras.Input((8, 8, 3))
    return keras.Model(image, conv(conv(image)))


def test_a_shared_layer_counts_its_calls_and_its_weights_once():
    first, second = layer_costs(shared_twice())[1:]
    assert (first.params, second.params) == (84, 0)
    assert first.macs == second.macs == 8 * 8 * 3 * 9 * 3
    assert totals(shared_twice()).params == shared_twice().count_params()


def test_a_call_outside_the_model_does_not_count():
    conv = layers.Conv2D(3, 3, name="conv")
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, conv(image))
    conv(keras.Input((16, 16, 3)))
    assert totals(model).macs == 6 * 6 * 3 * 9 * 3


def backbone(size):
    image = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 3, name="a")(image)
    return keras.Model(image, layers.Add(name="sum")([x, layers.Conv2D(4, 1, name="b")(x)]), name="backbone")


@pytest.mark.parametrize("size", [8, None])
def test_nested_models_are_entered(size):
    image = keras.Input((8, 8, 3))
    sequence = keras.Sequential([layers.Conv2D(2, 3, name="c"), layers.Flatten(name="flat")], name="tail")
    model = keras.Model(image, sequence(backbone(size)(image)))
    rows = {row.name: row for row in layer_costs(model)}
    assert list(rows) == ["input", "backbone/a", "backbone/b", "backbone/sum", "tail/c", "tail/flat"]
    assert rows["backbone/b"].output_shape == (6, 6, 4) and rows["tail/c"].macs == 4 * 4 * 2 * 9 * 4
    assert totals(model).params == model.count_params()
    assert receptive_field(model, "tail/c").size == 5


def test_a_nested_model_called_twice_counts_twice():
    inner = backbone(8)
    image = keras.Input((8, 8, 3))
    twice = keras.Model(image, layers.Concatenate()([inner(image), inner(image)]))
    assert totals(twice).macs == 2 * totals(inner).macs
    assert totals(twice).params == totals(inner).params


def test_operations_that_are_no_layers():
    image = keras.Input((8, 8, 3))
    x = keras.ops.relu(layers.Conv2D(3, 1)(image) + image)
    model = keras.Model(image, keras.ops.max_pool(x, 2, 2))
    assert [row.kind for row in layer_costs(model)] == ["InputLayer", "Conv2D", "Add", "Relu", "MaxPool"]
    assert receptive_field(model, layer_costs(model)[-1].name) == accounting.ReceptiveField(2, 2, 0)


class Unheard(layers.Layer):
    def call(self, x):
        return 2 * x

    def compute_output_shape(self, input_shape):  # else Keras traces `call`, which takes a second
        return input_shape


class Described(Unheard):
    def macs(self, input_shape, output_shape):
        return 7 * input_shape[0] * output_shape[-1]


def test_an_unknown_layer_is_named():
    model = keras.Sequential([keras.Input((4, 5, 3)), Unheard(name="strange")])
    for question in (totals, cost_table, lambda m: receptive_field(m, "strange")):
        with pytest.raises(ValueError, match=r"'strange' of type Unheard.*macs\(input_shape, output_shape\)"):
            question(model)


def test_a_layer_can_say_what_it_costs():
    assert totals(keras.Sequential([keras.Input((4, 5, 3)), Described()])).macs == 7 * 4 * 3


def test_a_rule_can_be_added(monkeypatch):
    monkeypatch.setitem(MACS, Unheard, lambda call: 11)
    assert totals(keras.Sequential([keras.Input((4, 5, 3)), Unheard()])).macs == 11


def test_an_open_size_has_to_be_given():
    model = backbone(None)
    with pytest.raises(ValueError, match=r"'backbone' takes images of any size.*input_shape=\(64, 64, 3\)"):
        totals(model)
    assert totals(model, input_shape=(8, 8, 3)) == totals(backbone(8))
    assert receptive_field(model, "sum", input_shape=(8, 8, 3)).size == 3
    assert training_memory(model, batch_size=1, input_shape=(8, 8, 3)).batch == 8 * 8 * 3 * 4


@pytest.mark.parametrize("shape", [(16, 16, 3), (8, 8), (8, 8, 4), (None, 8, 3), (8, 0, 3), ((8, 8, 3),) * 2])
def test_a_size_that_does_not_fit(shape):
    with pytest.raises(ValueError, match=r"input_shape does not fit model 'backbone'.*\(8, 8, 3\)"):
        totals(backbone(8), input_shape=shape)


def test_several_inputs():
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((4, 4, 3), name="right")
    pooled = [layers.GlobalAveragePooling2D()(x) for x in (left, right)]
    model = keras.Model([left, right], layers.Dense(2, name="out")(layers.Concatenate()(pooled)))
    rows = layer_costs(model)
    assert [row.name for row in rows[:2]] == ["left", "right"] and totals(model).macs == 12
    with pytest.raises(ValueError, match="not images of one size"):
        receptive_field(model, "right")


def test_models_without_a_graph():
    with pytest.raises(ValueError, match="has not been built"):
        totals(keras.Sequential([layers.Dense(3)]))

    class Free(keras.Model):
        def call(self, x):
            return x

    for nothing in (Free(), "vgg16"):
        with pytest.raises(ValueError, match="Only a model with a graph"):
            totals(nothing)


def test_counting_leaves_the_model_as_it_was():
    model = backbone(8)
    before = [len(layer._inbound_nodes) for layer in model.layers]
    totals(model)
    assert [len(layer._inbound_nodes) for layer in model.layers] == before


# Receptive fields


def ones(filters, size, **options):
    return layers.Conv2D(filters, size, use_bias=False, kernel_initializer="ones", **options)


def residual(x, stride=1):
    # 16 filters: with fewer, TensorFlow's gradient of a 1x1 convolution with stride 2 damages memory on a CPU
    # (oneDNN, seen in 2.19 and 2.21, where the last row is not read): wrong gradients, crashes.
    return layers.Add()([ones(16, 1, strides=stride)(x), ones(16, 3, padding="same", strides=stride)(x)])


def inception(x):
    pooled = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    wide = ones(2, (5, 1), padding="same")(x)
    return layers.Concatenate()([pooled, wide, ones(2, (1, 3), padding="same")(x)])


def off_centre(x):
    return layers.Add()([layers.Cropping2D(((0, 4), (1, 3)))(ones(2, 1)(x)), ones(2, 5)(x)])


def depthwise(x):
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, depthwise_initializer="ones")(x)
    return ones(3, 3)(x)


NETWORKS = {
    "valid": lambda x: ones(2, 3)(ones(2, 5)(x)),
    "same, stride 2": lambda x: ones(2, 3, strides=2, padding="same")(
        ones(2, 3, strides=2, padding="same")(x)
    ),
    "stride larger than the window": lambda x: ones(2, 2)(ones(2, 2, strides=3, padding="same")(x)),
    "padding by hand": lambda x: ones(2, 7, strides=2)(layers.ZeroPadding2D(((3, 2), (1, 4)))(x)),
    "pooling": lambda x: ones(2, 3)(layers.AveragePooling2D(3, 2)(ones(2, 3)(x))),
    "dilation": lambda x: ones(2, 3, dilation_rate=2)(ones(2, 3, dilation_rate=3, padding="same")(x)),
    "window of two sides": lambda x: ones(2, (1, 5), strides=(1, 2))(ones(2, (3, 1))(x)),
    "residual": lambda x: residual(residual(residual(x), stride=2)),
    "branches of two sides": lambda x: inception(inception(x)),
    "branches off centre": off_centre,
    "depthwise": depthwise,
    "a gate over the whole image": lambda x: layers.Multiply()(
        [x, layers.GlobalAveragePooling2D(keepdims=True)(ones(3, 3)(x))]
    ),
}


WITH_HOLES = ("stride larger than the window", "dilation")  # some pixels inside the field are not seen


@pytest.mark.parametrize("size", [24, 25])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_field_is_where_the_gradient_is(network, size):
    """All weights are positive, so a pixel has a gradient exactly where the unit sees it."""
    image = keras.Input((size, size, 3))
    model = keras.Model(image, layers.Activation("linear", name="end")(NETWORKS[network](image)))
    field = receptive_field(model, "end")
    pairs = [np.broadcast_to(value, 2) for value in (field.size, field.stride, field.offset)]
    for unit in (0, 2, model.output_shape[1] - 1):
        # unit (u, u), and its neighbour to the right so that an error in one axis does not hide in the other
        for row, column in {(unit, unit), (unit, min(unit + 1, model.output_shape[2] - 1))}:
            if column >= model.output_shape[2]:
                continue
            _, gradient = input_gradient(
                lambda x, r=row, c=column: keras.ops.sum(model(x)[0, r, c]),
                np.ones((1, size, size, 3), "float32"),
            )
            seen = keras.ops.convert_to_numpy(gradient)[0].sum(-1) > 0
            for axis, unit_index in ((0, row), (1, column)):
                wide, stride, offset = (int(pair[axis]) for pair in pairs)
                start = offset + unit_index * stride
                expected = range(max(start, 0), min(start + wide, size))
                found = np.flatnonzero(seen.any(axis=1 - axis)).tolist()
                if network not in WITH_HOLES:
                    assert found == list(expected)
                elif len(expected) == wide:  # no border cuts it
                    assert (found[0], found[-1]) == (expected[0], expected[-1])
                else:
                    assert set(found) < set(expected)


# Published tables of receptive fields: size, stride, padding (minus the offset).
FIELDS = {
    ("VGG16", "block5_pool"): (212, 32, 90),
    ("ResNet50", "conv5_block3_out"): (483, 32, None),
    ("InceptionV3", "mixed10"): (1311, 32, 618),
    ("MobileNet", "conv_pw_13_relu"): (315, 32, 126),
}


@pytest.mark.parametrize(("name", "layer"), FIELDS)
def test_fields_of_known_networks(name, layer):
    size, stride, padding = FIELDS[name, layer]
    found = receptive_field(unallocated(name), layer)
    assert (found.size, found.stride) == (size, stride)
    assert padding is None or found.offset == -padding


def test_after_global_pooling_or_a_dense_layer_all_is_seen():
    image = keras.Input((8, 10, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    pooled = layers.GlobalAveragePooling2D(name="pool")(x)
    flat = layers.Dense(2, name="dense")(layers.Flatten(name="flat")(x))
    model = keras.Model(image, layers.Concatenate(name="both")([pooled, flat]))
    for name in ("pool", "dense", "both"):
        assert receptive_field(model, name) == accounting.ReceptiveField((8, 10), 0, 0)
    assert receptive_field(model, "flat").size == 3  # a value of the list still sees its window only


def test_a_gate_over_the_whole_image_lets_every_unit_see_it():
    assert receptive_field(unallocated("EfficientNetB0"), "block1a_se_excite").stride == 0


def test_fields_that_do_not_exist():
    image = keras.Input((8, 8, 3))
    fine = layers.Conv2D(3, 3, padding="same", name="fine")(image)
    coarse = layers.Conv2D(3, 3, strides=2, padding="same", name="coarse")(image)
    wider = layers.UpSampling2D(name="wider")(coarse)
    column = layers.Conv2D(3, (8, 8), strides=2, name="one")(image)
    clash = layers.Add(name="clash")([fine, column])
    after = layers.Conv2D(2, 3, name="after")(layers.Concatenate(name="cat")([clash, wider]))
    model = keras.Model(image, after)
    with pytest.raises(ValueError, match=r"'clash' has no receptive field.*different strides meet, \[1, 2\]"):
        receptive_field(model, "clash")
    with pytest.raises(
        ValueError, match=r"'wider' has no receptive field.*\(UpSampling2D\) moves or enlarges"
    ):
        receptive_field(model, "wider")
    with pytest.raises(ValueError, match=r"'after' has no receptive field.*at 'clash'"):
        receptive_field(model, "after")
    with pytest.raises(ValueError, match=r"'fin'. Did you mean 'fine'"):
        receptive_field(model, "fin")
    with pytest.raises(ValueError, match="does not always see the same"):
        receptive_field(shared_twice(), "shared")
    assert [row["field"] for row in cost_table(model)][-2] is None  # the table still stands


# Memory


def small():
    x = [keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv"), layers.BatchNormalization(name="norm")]
    return keras.Sequential([*x, layers.Flatten(name="flat"), layers.Dense(2, name="out")])


def test_training_memory_by_hand():
    trainable = 4 * 28 + 2 * 4 + 2 * (6 * 6 * 4 + 1)  # convolution, scale and shift, dense
    activations = 6 * 6 * 4 + 6 * 6 * 4 + 2  # convolution, normalization, dense; flattening stores nothing
    found = training_memory(small(), batch_size=10, dtype="float64", optimizer_slots=2)
    assert found.parameters == 8 * (trainable + 2 * 4)  # and the moving statistics
    assert (found.gradients, found.optimizer) == (8 * trainable, 16 * trainable)
    assert found.activations == found.activation_gradients == 8 * 10 * activations
    assert found.batch == 8 * 10 * 192
    parts = found.parameters + found.gradients + found.optimizer + 2 * found.activations + found.batch
    assert found.total == parts


def test_half_precision_halves_everything():
    half, full = (training_memory(small(), batch_size=4, dtype=dtype) for dtype in ("bfloat16", "float32"))
    assert 2 * half.total == full.total


def test_three_volumes_of_vgg_and_their_gradients_take_77_megabytes():
    """The lecture's 72 MB: 9,633,792 values and as many gradients, 4 bytes each."""
    convs = [layers.Conv2D(64, 3, padding="same") for _ in range(3)]
    found = training_memory(keras.Sequential([keras.Input((224, 224, 3)), *convs]), batch_size=1)
    assert found.activations + found.activation_gradients == 77_070_336
    assert "38.54" in repr(found) and "36.75" in repr(found) and "<table" in found._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1. Received: 0"),
        ({"batch_size": 2.5}, "batch_size must be"),
        ({"batch_size": True}, "batch_size must be"),
        ({"batch_size": 1, "optimizer_slots": -1}, "optimizer_slots must be a whole number, at least 0"),
        ({"batch_size": 1, "dtype": "float23"}, "Unknown dtype: 'float23'. Did you mean 'float32'"),
    ],
)
def test_bad_questions_about_memory(arguments, message):
    with pytest.raises(ValueError, match=message):
        training_memory(small(), **arguments)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("slots", [0, 2])
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_largest_batch_just_fits(dtype, slots, batch):
    needed = training_memory(small(), batch_size=batch, dtype=dtype, optimizer_slots=slots).total
    options = {"dtype": dtype, "optimizer_slots": slots}
    assert largest_batch(small(), budget=needed, **options) == batch
    assert largest_batch(small(), budget=needed - 1, **options) == batch - 1
    assert largest_batch(small(), budget=float(needed), **options) == batch


def test_no_batch_fits_into_less_than_the_parameters():
    assert largest_batch(small(), budget=100) == 0


def test_vgg16_by_hand():
    """138,357,544 parameters three times; 15,087,080 activations twice and 150,528 pixels an image."""
    left = 12 * 2**30 - 4 * 3 * 138_357_544
    expected = left // (4 * (2 * 15_087_080 + 150_528))
    assert largest_batch(unallocated("VGG16"), budget=12 * 2**30) == expected == 92


def test_the_largest_batch_of_a_model_with_an_open_size():
    sizes = [largest_batch(backbone(None), budget=1e6, input_shape=(n, n, 3)) for n in (8, 16)]
    assert sizes[0] == largest_batch(backbone(8), budget=1e6) > sizes[1] > 0


@pytest.mark.parametrize("budget", [0, -1, True, None, "12 GB", float("nan"), float("inf")])
def test_a_budget_that_is_no_number_of_bytes(budget):
    with pytest.raises(ValueError, match=r"budget must be a positive number of bytes, such as 12 \* 2\*\*30"):
        largest_batch(small(), budget=budget)


def test_cost_table():
    table = cost_table(small(), dtype="float16", caption="A small network")
    rows = {row["layer"]: row for row in table}
    assert list(rows) == ["input", "conv", "norm", "flat", "out", "total"]
    assert rows["conv"]["output"] == "6x6x4" and rows["conv"]["memory [bytes]"] == 288
    assert (rows["conv"]["field"], rows["conv"]["stride"]) == (3, 1)
    assert (rows["out"]["field"], rows["out"]["stride"]) == (8, None)
    found = totals(small())
    assert (rows["total"]["parameters"], rows["total"]["MACs"]) == (found.params, found.macs)
    assert rows["total"]["memory [bytes]"] == 2 * found.activations
    assert repr(table).startswith("A small network")
    assert [row["field"] for row in cost_table(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))] == [
        None
    ] * 3


def test_weights_need_no_memory():
    allocated = small()
    with accounting.unallocated():
        light = small()
    assert layer_costs(light) == layer_costs(allocated)


def test_weights_get_no_memory_later_either():
    """Keras alone gives them their values as soon as something is built outside."""
    drawn = []

    def values(shape, dtype=None):
        drawn.append(tuple(shape))
        return keras.ops.zeros(shape, dtype)

    with accounting.unallocated():
        model = keras.Sequential([keras.Input((3,)), layers.Dense(4, kernel_initializer=values)])
    keras.Sequential([keras.Input((3,)), layers.Dense(5, kernel_initializer=values)])
    assert drawn == [(3, 5)]
    assert model.count_params() == 16
    with pytest.raises(KeyError), accounting.unallocated():
        layers.Dense(2, kernel_initializer=values).build((None, 3))
        raise KeyError("stopped half-way")
    keras.Input((3,)) + 1
    assert drawn == [(3, 5)]
