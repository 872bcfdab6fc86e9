import keras
import numpy as np
import pytest
from keras import ops

from course_lib.accounting import layer_costs, receptive_field, totals
from course_lib.architectures.lenet import C3_TABLE, LeNet5, LeNet5Original, digit_targets, lenet_map_loss

BOTH = pytest.mark.parametrize("builder", [LeNet5, LeNet5Original])
RNG = np.random.default_rng(0)


def images(count=2, size=32):
    return RNG.normal(size=(count, size, size, 1)).astype("float32")


# The slide's table and the paper's section II.B, by layer: volume, parameters, MACs.
SLIDE = {
    "C1": ((28, 28, 6), 156, 117_600),
    "S2": ((14, 14, 6), 0, 0),
    "C3": ((10, 10, 16), 2_416, 240_000),
    "S4": ((5, 5, 16), 0, 0),
    "C5": ((1, 1, 120), 48_120, 48_000),
    "F6": ((84,), 10_164, 10_080),
    "output": ((10,), 850, 840),
}
PAPER = SLIDE | {
    "S2": ((14, 14, 6), 12, 0),
    "C3": ((10, 10, 16), 1_516, 150_000),
    "S4": ((5, 5, 16), 32, 0),
    "output": ((10,), 840, 0),
}


@pytest.mark.parametrize(("builder", "table"), [(LeNet5, SLIDE), (LeNet5Original, PAPER)])
def test_every_row_of_the_table(builder, table):
    rows = {row.name: row for row in layer_costs(builder())}
    assert {name: (rows[name].output_shape, rows[name].params, rows[name].macs) for name in table} == table


def test_totals():
    slide, paper = totals(LeNet5()), totals(LeNet5Original())
    assert (slide.params, slide.trainable_params, slide.macs) == (61_706, 61_706, 416_520)
    assert (paper.params, paper.trainable_params, paper.macs) == (60_840, 60_000, 325_680)


def test_the_receptive_field_of_c5_is_the_whole_image():
    fields = [receptive_field(LeNet5(), name).size for name in ("C1", "S2", "C3", "S4", "C5")]
    assert fields == [5, 6, 14, 16, 32]
    assert [receptive_field(LeNet5Original(), name).size for name in ("C1", "S2", "C3", "S4", "C5")] == fields


def test_the_table_of_c3_is_that_of_the_paper():
    """Section II.B: three neighbours, four neighbours, four that are not, all; neighbours go round."""
    neighbours = [{(i + k) % 6 for k in range(count)} for count in (3, 4) for i in range(6)]
    apart = [{i, i + 1, (i + 3) % 6, (i + 4) % 6} for i in range(3)]
    rows = C3_TABLE.split()
    columns = [{i for i in range(6) if rows[i][j] == "#"} for j in range(16)]
    assert columns[:12] == neighbours and columns[15] == set(range(6))
    assert sorted(map(sorted, columns[12:15])) == sorted(map(sorted, apart))
    assert sum(map(len, columns)) == 60
    kernel = ops.convert_to_numpy(LeNet5Original().get_layer("C3").kernel)
    assert [set(np.flatnonzero(kernel[..., j].any(axis=(0, 1)))) for j in range(16)] == columns


def test_the_digits_are_ten_pictures_that_differ():
    pictures = digit_targets().reshape(10, 12, 7)
    assert set(np.unique(pictures)) == {-1, 1}
    different = (pictures[:, None] != pictures[None]).sum(axis=(2, 3))
    assert different[~np.eye(10, dtype=bool)].min() >= 10
    assert different[3, 8] < different[0, 1]  # similar digits, similar targets
    assert (pictures[0] == pictures[0][:, ::-1]).all() and (pictures[8] == pictures[8][::-1]).all()


@BOTH
def test_every_trainable_weight_learns(builder):
    model = builder()
    loss = lenet_map_loss if builder is LeNet5Original else "sparse_categorical_crossentropy"
    model.compile("sgd", loss)
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    model.train_on_batch(images(20), np.arange(20) % 10)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        new = ops.convert_to_numpy(weight)
        assert np.isfinite(new).all() and (new != old).any(), weight.path


@BOTH
def test_it_learns_the_ten_drawn_digits(builder):
    """The target pictures themselves, enlarged to 24x28 pixels, in a frame."""
    keras.utils.set_random_seed(0)
    drawn = digit_targets().reshape(10, 12, 7, 1).repeat(2, axis=1).repeat(4, axis=2)
    drawn = np.pad(drawn, ((0, 0), (4, 4), (2, 2), (0, 0)), constant_values=-1).astype("float32")
    model = builder()
    loss = lenet_map_loss if builder is LeNet5Original else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    model.fit(drawn, np.arange(10), epochs=40, batch_size=10, verbose=0)
    assert model.evaluate(drawn, np.arange(10), verbose=0)[1] == 1.0


@BOTH
def test_a_saved_model_comes_back(builder, tmp_path):
    model = builder()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = images()
    np.testing.assert_array_equal(ops.convert_to_numpy(again(x)), ops.convert_to_numpy(model(x)))


@BOTH
def test_weights_from_a_file(builder, tmp_path):
    model = builder()
    path = tmp_path / "lenet.weights.h5"
    model.save_weights(path)
    x = images()
    loaded = ops.convert_to_numpy(builder(weights=str(path))(x))
    np.testing.assert_array_equal(loaded, ops.convert_to_numpy(model(x)))


@BOTH
def test_the_same_seed_gives_the_same_network(builder):
    x, outputs = images(), []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        outputs.append(ops.convert_to_numpy(builder()(x)))
    assert (outputs[0] == outputs[1]).all() and (outputs[0] != outputs[2]).any()


@BOTH
def test_without_the_classifier(builder):
    model = builder(include_top=False, input_shape=(None, None, 3))
    assert model.output_shape == (None, None, None, 120) and model.layers[-1].name == "C5"
    for pooling in ("avg", "max"):
        pooled = builder(include_top=False, input_shape=(40, 36, 3), pooling=pooling)
        assert pooled.output_shape == (None, 120)
    assert builder(include_top=False, input_shape=(40, 36, 3)).output_shape == (None, 3, 2, 120)


@BOTH
def test_larger_images_and_other_classes(builder):
    model = builder(input_shape=(36, 40, 3), classes=4, name="mine")
    assert (model.output_shape, model.name) == ((None, 4), "mine")
    assert model.get_layer("C5").output.shape == (None, 2, 3, 120)


@BOTH
def test_on_a_tensor_the_graph_stays_flat(builder):
    image = keras.Input((32, 32, 1), name="photo")
    model = builder(input_tensor=keras.layers.Rescaling(2.0, offset=-1.0, name="rescale")(image))
    assert [layer.name for layer in model.layers][:3] == ["photo", "rescale", "C1"]
    assert model.input_shape == (None, 32, 32, 1)


def test_variants_of_the_slide():
    relu = LeNet5(activation="relu", subsampling="max")
    assert relu.get_layer("C3").activation is keras.activations.relu
    assert isinstance(relu.get_layer("S2"), keras.layers.MaxPooling2D)
    assert isinstance(LeNet5().get_layer("S2"), keras.layers.AveragePooling2D)
    assert LeNet5().get_layer("F6").activation is keras.activations.tanh
    assert (ops.convert_to_numpy(relu(images())).sum(axis=-1).round(5) == 1).all()


def test_outputs_of_the_original():
    x = images()
    keras.utils.set_random_seed(3)
    scores = ops.convert_to_numpy(LeNet5Original()(x))
    keras.utils.set_random_seed(3)
    probabilities = ops.convert_to_numpy(LeNet5Original(classifier_activation="softmax")(x))
    assert (scores < 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    assert (scores.argmax(axis=-1) == probabilities.argmax(axis=-1)).all()
    dense = LeNet5Original(output="dense")
    assert totals(dense).trainable_params == 60_850


@pytest.mark.parametrize("j", [0.1, 1.0, 50.0])
def test_the_loss_is_equation_9(j):
    distances = RNG.uniform(0, 90, (6, 10)).astype("float32")
    labels = np.array([3, 1, 4, 1, 5, 9])
    right = distances[np.arange(6), labels]
    expected = right + np.log(np.exp(-j) + np.exp(-distances.astype("float64")).sum(axis=-1))
    for y_true in (labels, labels[:, None]):
        np.testing.assert_allclose(
            ops.convert_to_numpy(lenet_map_loss(y_true, -distances, j)), expected, rtol=1e-4
        )


def test_the_loss_with_a_large_j_is_the_cross_entropy():
    scores, labels = -RNG.uniform(0, 20, (6, 10)).astype("float32"), np.arange(6)
    crossentropy = keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True)
    found = ops.convert_to_numpy(lenet_map_loss(labels, scores, j=1e6))
    np.testing.assert_allclose(found, ops.convert_to_numpy(crossentropy), atol=1e-4)


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (LeNet5, {"activation": "thanh"}, "Unknown activation: 'thanh'. Did you mean 'tanh'"),
        (LeNet5, {"subsampling": "avg"}, "Unknown subsampling: 'avg'"),
        (LeNet5Original, {"output": "softmax"}, "Unknown output: 'softmax'. Allowed: 'rbf', 'dense'"),
        (LeNet5Original, {"classes": 26}, "10 digits only. Received: classes=26. Use output='dense'"),
        (LeNet5, {"input_shape": (28, 28, 1)}, "at least 32. Pad the 28x28 digits of MNIST with 2 pixels"),
        (LeNet5, {"input_shape": (None, None, 1)}, "needs a known height and width.*include_top=False"),
    ],
)
def test_what_lenet_refuses(builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        builder(**arguments)
