"""Filters, feature maps and gradients against arithmetic by hand; confusions against plain counting."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib import visualization
from course_lib.visualization import confusion_matrix, feature_maps, filters, input_gradient, most_confused


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((7, 6, 2)),
            layers.Conv2D(3, (3, 2), activation="relu", name="conv"),
            layers.Dropout(0.9, name="dropout"),
            layers.Flatten(name="flatten"),
            layers.Dense(4, activation="softmax", name="output"),
        ],
        name="tiny",
    )


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(5, 7, 6, 2)).astype("float32")


def convolution_by_loops(images, kernel, bias):
    h, w, _, c_out = kernel.shape
    n, height, width, _ = images.shape
    out = np.zeros((n, height - h + 1, width - w + 1, c_out))
    for image, row, column, channel in np.ndindex(out.shape):
        window = images[image, row : row + h, column : column + w]
        out[image, row, column, channel] = (window * kernel[..., channel]).sum() + bias[channel]
    return out


def test_filters_are_the_layers_weights_and_a_copy(model):
    kernel = model.get_layer("conv").get_weights()[0]
    found = filters(model, "conv")
    np.testing.assert_array_equal(found, kernel)
    found[:] = 0
    np.testing.assert_array_equal(filters(model, model.get_layer("conv")), kernel)


def test_feature_maps_are_the_convolution_and_its_relu(model, images):
    kernel, bias = model.get_layer("conv").get_weights()
    expected = np.maximum(convolution_by_loops(images, kernel, bias), 0)
    np.testing.assert_allclose(feature_maps(model, images, "conv"), expected, atol=1e-5)


def test_feature_maps_are_those_of_inference(model, images):
    np.testing.assert_array_equal(feature_maps(model, images, "dropout"), feature_maps(model, images, "conv"))


def test_feature_maps_of_the_last_layer_are_the_prediction(model, images):
    np.testing.assert_allclose(
        feature_maps(model, images, "output"), model.predict(images, verbose=0), atol=1e-6
    )


def test_feature_maps_do_not_depend_on_the_batches(model, images, monkeypatch):
    whole = feature_maps(model, images, "conv")
    monkeypatch.setattr(visualization, "BATCH", 2)
    np.testing.assert_allclose(feature_maps(model, images, "conv"), whole, atol=1e-6)


def test_feature_maps_of_a_functional_model_with_two_branches():
    image = keras.Input((4, 4, 1))
    doubled = layers.Rescaling(2.0, name="double")(image)
    model = keras.Model(image, layers.Add(name="sum")([image, doubled]))
    x = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    np.testing.assert_allclose(feature_maps(model, x, "sum"), 3 * x)


def test_a_misspelt_layer_names_the_closest(model, images):
    for call in (lambda: filters(model, "conf"), lambda: feature_maps(model, images, "conf")):
        with pytest.raises(ValueError, match="Did you mean 'conv'"):
            call()


def test_a_layer_without_filters_names_those_that_have(model):
    with pytest.raises(ValueError, match=r"'output' \(Dense\) has no filters.*Layers that have: 'conv'"):
        filters(model, "output")


def test_one_image_without_batch_axis_is_refused_with_the_remedy(model, images):
    with pytest.raises(ValueError, match=r"images\[None\]"):
        feature_maps(model, images[0], "conv")
    with pytest.raises(ValueError, match=r"\(None, 7, 6, 2\)"):
        feature_maps(model, images[:, :, :5], "conv")


def test_input_gradient_agrees_with_finite_differences(model, images):
    x = images[:1]

    def score(x):
        return ops.log(model(x, training=False)[0, 2])

    value, gradient = input_gradient(score, x)
    assert value == pytest.approx(np.log(model.predict(x, verbose=0)[0, 2]), abs=1e-5)
    assert gradient.shape == x.shape
    step = 1e-2
    for index in [(0, 0, 0, 0), (0, 3, 2, 1), (0, 6, 5, 0), (0, 2, 4, 1)]:
        moved = np.zeros_like(x)
        moved[index] = step
        slope = (float(score(x + moved)) - float(score(x - moved))) / (2 * step)
        assert gradient[index] == pytest.approx(slope, abs=2e-3)


def test_input_gradient_of_whole_numbers():
    value, gradient = input_gradient(lambda x: ops.sum(x * x * x), np.array([1, 2]))
    assert value == 9
    np.testing.assert_allclose(gradient, [3, 12])


def test_input_gradient_wants_one_number():
    with pytest.raises(ValueError, match=r"one number, received shape \(2,\)"):
        input_gradient(lambda x: x * x, np.ones(2, "float32"))


def test_input_gradient_says_when_the_value_does_not_follow_from_x():
    with pytest.raises(ValueError, match="does not follow from x"):
        input_gradient(lambda x: ops.sum(2.0 * ops.convert_to_tensor(np.array(x))), np.ones(2, "float32"))


def test_confusion_matrix_counts():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    matrix = confusion_matrix(labels, predictions, 5)
    assert matrix.shape == (5, 5)
    for true, said in np.ndindex(5, 5):
        pairs = zip(labels, predictions, strict=True)
        assert matrix[true, said] == sum(pair == (true, said) for pair in pairs)


def test_confusion_matrix_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="argmax"):
        confusion_matrix(np.array([0, 1]), np.eye(2), 2)
    with pytest.raises(ValueError, match="2 labels but 3 predictions"):
        confusion_matrix(np.array([0, 1]), np.array([0, 1, 1]), 2)
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.1 for 2 classes, received 0\.\.2"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)


def test_most_confused_are_the_surest_mistakes_in_order():
    probabilities = np.array([[0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9], [0.3, 0.3, 0.4]])
    labels = np.array([1, 0, 2, 0])  # wrong: 0 with 0.6, 1 with 0.8, 3 with 0.4
    assert most_confused(labels, probabilities, 10).tolist() == [1, 0, 3]
    assert most_confused(labels, probabilities, 2).tolist() == [1, 0]
    assert most_confused(np.array([0, 1, 2, 2]), probabilities).tolist() == []


def test_most_confused_refuses_classes_for_probabilities():
    with pytest.raises(ValueError, match=r"shape \(2, classes\)"):
        most_confused(np.array([0, 1]), np.array([0, 1]))
