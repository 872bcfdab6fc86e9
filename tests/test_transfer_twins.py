"""Weights copied from a `keras.applications` twin: the same logits, whatever differs inside the graphs.

The twin gets random weights, biases and moving statistics, so that every one of them has to arrive. Here one
twin a family, at small sizes; with COURSE_ALL_TWINS=1 (the weekly workflow) all of them, at the standard size
and at another one, with and without the classifier.
"""

import os

import keras
import numpy as np
import pytest

from course_lib import architectures, transfer

EVERYTHING = os.environ.get("COURSE_ALL_TWINS") == "1"
FAMILIES = {
    "VGG16": 32,
    "ResNet50": 64,
    "DenseNet121": 64,
    "MobileNetV2": 64,
    "NASNetMobile": 64,
    "EfficientNetB0": 64,
}
SIZES = {"NASNetLarge": 331} | {
    f"EfficientNetB{n}": s for n, s in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
}
ALPHAS = {"MobileNet": (0.25, 0.5, 0.75, 1.0), "MobileNetV2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)}


def cases():
    if not EVERYTHING:  # with the classifier; VGG's needs 224x224, so it is left to the weekly run
        return [(name, size, name != "VGG16", {}) for name, size in FAMILIES.items()]
    return [
        (name, size, top, {"alpha": alpha} if alpha else {})
        for name in transfer.TWINS
        for alpha in ALPHAS.get(name, (None,))
        for size in (SIZES.get(name, 224), 160)
        for top in (True, False)
        if not (top and name.startswith("VGG") and size != 224)
    ]


def randomize(model: keras.Model, seed: int = 0) -> None:
    """Random biases, scales and moving statistics; the kernels keep their random start."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        value = np.array(variable)
        if variable.path.endswith(("variance", "gamma")):
            variable.assign(generator.uniform(0.5, 1.5, value.shape))
        elif value.ndim == 1 and value.dtype.kind == "f":
            variable.assign(generator.normal(0, 0.1, value.shape))


def twins(name: str, size: int, top: bool, **arguments) -> tuple[keras.Model, keras.Model]:
    """Our network and its twin with random weights, both without softmax."""
    shape, end = (size, size, 3), {"classifier_activation": None} if top else {}
    model = architectures.build(name, include_top=top, input_shape=shape, **end, **arguments)
    twin = transfer.make_twin(model, **end)
    for layer in twin.layers:
        if isinstance(layer, keras.layers.Normalization):  # inside EfficientNet's twin; compare behind it
            layer.mean, layer.variance = np.zeros((1, 1, 1, 3), "float32"), np.ones((1, 1, 1, 3), "float32")
    randomize(twin)
    return model, twin


@pytest.mark.parametrize(("name", "size", "top", "arguments"), cases())
def test_the_copy_gives_the_twin_s_outputs(name, size, top, arguments):
    model, twin = twins(name, size, top, **arguments)
    transfer.copy_twin_weights(model, twin)
    images = np.random.default_rng(1).random((1, size, size, 3), dtype="float32")
    scale = 255.0 if name.startswith("EfficientNet") else 1.0  # its twin divides by 255 first
    ours = keras.ops.convert_to_numpy(model(images, training=False))
    theirs = keras.ops.convert_to_numpy(twin(images * scale, training=False))
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def test_different_architectures_are_refused_and_nothing_is_copied():
    model = architectures.build("MobileNetV2", include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    before = [np.array(w) for w in model.weights]
    other = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.5
    )
    with pytest.raises(ValueError, match="different architectures"):
        transfer.copy_twin_weights(model, other)
    shorter = keras.Model(model.input, model.layers[-4].output)
    with pytest.raises(ValueError, match="different architectures"):
        transfer.copy_twin_weights(shorter, model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


def test_borders_that_are_treated_otherwise_are_refused():
    """Keras pads its strided convolutions below and to the right only: 25 rows become 12, not 13."""
    model = architectures.build("MobileNet", include_top=False, input_shape=(200, 200, 3), alpha=0.25)
    with pytest.raises(ValueError, match=r"different architectures.*\(13, 13\).*\(12, 12\)"):
        transfer.copy_twin_weights(model, transfer.make_twin(model))


def test_a_clone_does_not_know_its_architecture():
    model = architectures.build("MobileNet", include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    with pytest.raises(ValueError, match="cloned or loaded since"):
        transfer.preprocess(keras.models.clone_model(model), np.zeros((1, 32, 32, 3)))


def test_without_internet_the_error_says_what_to_do_and_the_model_stays(monkeypatch):
    model = architectures.build("MobileNetV2", include_top=False, input_shape=(96, 96, 3), alpha=0.35)
    before = [np.array(w) for w in model.weights]

    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- name not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", unreachable)
    with pytest.raises(ValueError, match="Connect to the internet and try again"):
        transfer.load_imagenet(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


def test_weights_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="twin in keras.applications: 'LeNet5'"):
        transfer.load_imagenet(architectures.build("LeNet5"))
    with pytest.raises(ValueError, match="1,000 classes, the model has 7"):
        transfer.load_imagenet(
            architectures.build("MobileNetV2", classes=7, input_shape=(32, 32, 3), alpha=0.35)
        )


@pytest.mark.parametrize(
    ("name", "expected"),  # a pixel (red 1, green 0.5, blue 0) by the published rules
    [
        ("VGG16", (0 - 103.939, 127.5 - 116.779, 255 - 123.68)),
        ("MobileNetV2", (1, 0, -1)),
        ("DenseNet121", ((1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0 - 0.406) / 0.225)),
    ],
)
def test_preprocess_follows_the_published_rule(name, expected):
    model = architectures.build(name, include_top=False, input_shape=(32, 32, 3))
    pixel = np.array([[[[1.0, 0.5, 0.0]]]])
    assert np.allclose(transfer.preprocess(model, pixel)[0, 0, 0], expected, atol=1e-4)
    assert pixel[0, 0, 0].tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="values from 0 to 1"):
        transfer.preprocess(model, pixel * 255)
