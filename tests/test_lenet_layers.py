"""The layers of LeNet-5 against loops in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from course_lib.layers import FanInUniform, PartialConv2D, RBFOutput, TrainableSubsampling, scaled_tanh
from course_lib.visualization import input_gradient

RNG = np.random.default_rng(0)
TABLE = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 0]])  # 3 maps in, 4 maps out, 7 kernels


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def noise(*shape):
    return RNG.normal(size=shape).astype("float32")


def partial(activation=None):
    layer = PartialConv2D(TABLE, 3, activation=activation)
    layer.build((None, 7, 6, 3))
    layer.bias.assign(noise(4))
    return layer


def test_partial_convolution_by_loops():
    layer, images = partial("tanh"), noise(2, 7, 6, 3)
    kernels, bias = numpy(layer.kernels), numpy(layer.bias)
    assert kernels.shape == (3, 3, 7)
    expected = np.zeros((2, 5, 4, 4))
    for n, y, x, out in np.ndindex(expected.shape):
        expected[n, y, x, out] = bias[out]
        for number, (source, target) in enumerate(zip(*np.nonzero(TABLE), strict=True)):
            if target == out:
                window = images[n, y : y + 3, x : x + 3, source]
                expected[n, y, x, out] += np.sum(window * kernels[:, :, number])
    np.testing.assert_allclose(numpy(layer(images)), np.tanh(expected), atol=1e-5)


def test_partial_convolution_is_a_convolution_whose_other_kernels_are_zero():
    layer, images = partial(), noise(2, 7, 6, 3)
    full = keras.layers.Conv2D(4, 3)
    full.build((None, 7, 6, 3))
    kernel = numpy(layer.kernel)
    assert ((kernel != 0).any(axis=(0, 1)) == TABLE).all()
    full.set_weights([kernel, numpy(layer.bias)])
    np.testing.assert_allclose(numpy(layer(images)), numpy(full(images)), atol=1e-5)
    gradients = [
        numpy(input_gradient(lambda x, f=f: ops.sum(ops.square(f(x))), images)[1]) for f in (layer, full)
    ]
    np.testing.assert_allclose(*gradients, atol=1e-4)


def test_partial_convolution_trains_its_kernels_only():
    layer = PartialConv2D(TABLE, 3, name="c3")
    model = keras.Sequential([keras.Input((7, 6, 3)), layer])
    assert model.count_params() == 7 * 9 + 4 and model.output_shape == (None, 5, 4, 4)
    model.compile("sgd", "mse")
    before = numpy(layer.kernel)
    model.train_on_batch(noise(4, 7, 6, 3), noise(4, 5, 4, 4))
    changed = (numpy(layer.kernel) != before).any(axis=(0, 1))
    assert (changed == TABLE).all()


def test_partial_convolution_starts_within_the_bounds_of_the_paper():
    layer = PartialConv2D(np.ones((6, 200)), 5)
    layer.build((None, 14, 14, 6))
    weights = numpy(layer.kernels)  # 150 inputs each
    assert abs(weights).max() <= 2.4 / 150
    np.testing.assert_allclose(weights.std(), 2.4 / 150 / np.sqrt(3), rtol=0.02)
    few = PartialConv2D([[1]] + [[0]] * 5, 5)
    few.build((None, 14, 14, 6))
    assert 2.4 / 150 < abs(numpy(few.kernels)).max() <= 2.4 / 25


@pytest.mark.parametrize("table", [[1, 0], [[1, 2]], [[1, 0], [1, 0]]])
def test_partial_convolution_refuses_a_table(table):
    with pytest.raises(ValueError, match="connections must be a table .* Received"):
        PartialConv2D(table, 3)


def test_partial_convolution_refuses_other_maps():
    with pytest.raises(ValueError, match="'c3' is for 3 input maps, but the input has 5"):
        PartialConv2D(TABLE, 3, name="c3").build((None, 7, 6, 5))


def test_subsampling_by_loops():
    layer, images = TrainableSubsampling(activation=scaled_tanh), noise(2, 7, 6, 3)
    layer.build(images.shape)
    coefficient, bias = noise(3), noise(3)
    layer.coefficient.assign(coefficient)
    layer.bias.assign(bias)
    sums = np.zeros((2, 3, 3, 3))
    for y, x in np.ndindex(3, 3):  # the seventh row does not fit
        sums[:, y, x] = images[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum(axis=(1, 2))
    expected = 1.7159 * np.tanh(2 / 3 * (sums * coefficient + bias))
    np.testing.assert_allclose(numpy(layer(images)), expected, atol=1e-5)


def test_subsampling_starts_as_average_pooling():
    images = noise(2, 9, 6, 3)
    found = numpy(TrainableSubsampling(3)(images))
    np.testing.assert_allclose(found, numpy(keras.layers.AveragePooling2D(3)(images)), atol=1e-6)


def test_rbf_scores_are_minus_the_squared_distances():
    targets, features = np.sign(noise(4, 9)), noise(5, 9)
    expected = -((features[:, None] - targets[None]) ** 2).sum(axis=-1)
    np.testing.assert_allclose(numpy(RBFOutput(targets)(features)), expected, atol=1e-4)
    probabilities = np.exp(expected) / np.exp(expected).sum(axis=-1, keepdims=True)
    found = numpy(RBFOutput(targets, activation="softmax")(features))
    np.testing.assert_allclose(found, probabilities, atol=1e-4)


def test_rbf_targets_are_not_trained():
    targets = np.sign(noise(4, 9))
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(9), RBFOutput(targets)])
    model.compile("sgd", "mse")
    model.train_on_batch(noise(8, 6), noise(8, 4))
    assert (numpy(model.layers[-1].targets) == targets).all()
    assert (model.layers[-1].count_params(), len(model.layers[-1].trainable_weights)) == (36, 0)


def test_rbf_refuses():
    with pytest.raises(ValueError, match=r"targets must have the shape \(classes, features\)"):
        RBFOutput([1, -1])
    with pytest.raises(
        ValueError, match=r"'out' have 2 features, but the input has 5\. Put a Dense layer with 2"
    ):
        RBFOutput([[1, -1]], name="out").build((None, 5))


def test_scaled_tanh_passes_through_one_and_bends_most_there():
    np.testing.assert_allclose(numpy(scaled_tanh(np.array([-1.0, 1.0]))), [-1, 1], atol=1e-4)
    x = np.arange(0, 3, 0.05)
    bend = abs(np.diff(numpy(scaled_tanh(x.astype("float32"))), 2))
    assert abs(x[1:-1][bend.argmax()] - 1) < 0.06


def test_fan_in_uniform():
    weights = numpy(FanInUniform()((5, 5, 6, 100)))
    assert abs(weights).max() <= 2.4 / 150
    np.testing.assert_allclose(weights.std(), 2.4 / 150 / np.sqrt(3), rtol=0.02)
    assert abs(numpy(FanInUniform(scale=1.0)((120, 84)))).max() <= 1 / 120


def test_layers_come_back_from_their_configuration():
    layers = [PartialConv2D(TABLE, 3, activation=scaled_tanh), TrainableSubsampling(activation="tanh")]
    last = [keras.layers.Flatten(), keras.layers.Dense(9, kernel_initializer=FanInUniform(1.5))]
    model = keras.Sequential([keras.Input((7, 6, 3)), *layers, *last, RBFOutput(np.sign(noise(4, 9)))])
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    images = noise(2, 7, 6, 3)
    np.testing.assert_array_equal(numpy(again(images)), numpy(model(images)))


def test_sizes_may_be_open():
    image = keras.Input((None, None, 3))
    x = TrainableSubsampling()(PartialConv2D(TABLE, 3)(image))
    assert x.shape == (None, None, None, 4)
    assert numpy(keras.Model(image, x)(noise(1, 12, 9, 3))).shape == (1, 5, 3, 4)
