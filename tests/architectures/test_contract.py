"""What every builder keeps: run on one tiny network of each family, and on all builders without weights."""

import inspect

import keras
import numpy as np
import pytest
from contract import gradients, pictures, raised_by_the_library, random_arguments
from counting import unallocated
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tiny import TINY

from course_lib.architectures import ARCHITECTURES

RANDOM = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(params=TINY)
def family(request):
    return TINY[request.param]


def outputs(model):
    """Shapes of all outputs, without the batch axis."""
    return [tuple(tensor.shape[1:]) for tensor in model.outputs]


def test_each_family_has_a_tiny_network():
    modules = {inspect.unwrap(builder).__module__.split(".")[-1] for builder in ARCHITECTURES.values()}
    assert modules <= set(TINY)


def test_scores_at_initialization_and_gradients(family):
    unreached = None
    for seed in range(3):  # in a layer of one or two filters ReLU can be off for all images: then once more
        keras.utils.set_random_seed(seed)
        model = family(classifier_activation=None)
        images = pictures(model)
        scores = np.array(model(images, training=False))
        assert scores.shape == (8, model.output_shape[-1])
        assert np.isfinite(scores).all()
        assert np.ptp(scores, axis=0).max() > 0  # the image matters
        found = gradients(model, images)
        assert len(found) == len(model.trainable_weights) > 0
        assert all(grad is not None and np.isfinite(grad).all() for grad in found.values())
        zero = {name for name, grad in found.items() if not np.any(grad)}
        unreached = zero if unreached is None else unreached & zero
        if not unreached:
            break
    assert unreached == set()


def test_saved_and_loaded(family, tmp_path):
    model = family()
    images = pictures(model, 2)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    expected = np.array(model(images, training=False))
    assert np.array_equal(np.array(copy(images, training=False)), expected)
    model.save_weights(tmp_path / "some.weights.h5")
    again = family(weights=tmp_path / "some.weights.h5")
    assert np.array_equal(np.array(again(images, training=False)), expected)


def test_without_the_classifier(family):
    (features,) = outputs(unallocated(family, include_top=False))
    assert len(features) == 3
    for pooling in ("avg", "max"):
        assert outputs(unallocated(family, include_top=False, pooling=pooling)) == [features[-1:]]


def test_open_image_size_without_the_classifier(family):
    channels = unallocated(family).input_shape[-1]
    features = unallocated(family, include_top=False).output_shape[-1]
    open_size = unallocated(family, include_top=False, input_shape=(None, None, channels))
    assert outputs(open_size) == [(None, None, features)]


def test_own_classes(family):
    model = unallocated(family, classes=7, name="mine")
    assert outputs(model)[0] == (7,)
    assert model.name == "mine"


def test_on_the_callers_tensor(family):
    image = keras.Input(unallocated(family).input_shape[1:], name="image")
    model = unallocated(family, input_tensor=keras.ops.multiply(image, 2.0), input_shape=None)
    assert model.inputs == [image]


def test_half_precision(family):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = family(classifier_activation=None)
        scores = model(pictures(model, 2), training=False)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[-2].output.dtype == "bfloat16"
    assert keras.backend.standardize_dtype(scores.dtype) == "float32", "8 bits are too few for the loss"
    assert np.isfinite(keras.ops.convert_to_numpy(scores)).all()
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in model.trainable_weights} == {
        "float32"
    }


def model_or_helpful_error(builder, arguments):
    try:
        model = unallocated(builder, **arguments)
    except ValueError as error:
        assert raised_by_the_library(error), f"{arguments}: {error}"
        assert len(str(error)) > 30
        return
    shape = outputs(model)[0]
    assert all(size is None or size > 0 for size in shape)
    if arguments.get("include_top", True):
        default = inspect.signature(builder).parameters["classes"].default
        assert shape == (arguments.get("classes", default),)
    else:
        assert len(shape) == (1 if arguments.get("pooling") else 3)


@pytest.mark.parametrize("name", TINY)
@settings(RANDOM, max_examples=20)
@given(data=st.data())
def test_any_arguments_of_a_family(name, data):
    model_or_helpful_error(TINY[name], data.draw(random_arguments(TINY[name])))


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(RANDOM, max_examples=3)
@given(data=st.data())
def test_any_arguments_of_an_architecture(name, data):
    model_or_helpful_error(ARCHITECTURES[name], data.draw(random_arguments(ARCHITECTURES[name])))
