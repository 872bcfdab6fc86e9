"""What holds for the builders of all families, and the catalogue."""

import inspect

import keras
import numpy as np
import pytest

from course_lib.architectures import ARCHITECTURES, build, list_architectures


@pytest.fixture(params=ARCHITECTURES)
def any_builder(request):
    return ARCHITECTURES[request.param]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "mean"}, "Unknown pooling: 'mean'. Allowed: 'avg', 'max', None"),
        ({"classes": "10"}, "classes must be a whole number, at least 1. Received: '10'"),
        ({"classes": 0}, "classes must be a whole number"),
        ({"include_top": "yes"}, "include_top must be True or False. Received: 'yes'"),
        ({"weights": "imagenet"}, "path of a local file. Received: 'imagenet'"),
        ({"classifier_activation": "sofmax"}, "classifier_activation: 'sofmax'. Did you mean 'softmax'"),
        ({"input_shape": (32, 32)}, r"input_shape must be \(height, width, channels\).*Received: \(32, 32\)"),
        ({"input_shape": (32, 32, None)}, "input_shape must be"),
        ({"input_shape": (2.5, 32, 3)}, "input_shape must be"),
        ({"input_tensor": np.zeros((1, 32, 32, 3))}, "input_tensor must be a Keras tensor"),
    ],
)
def test_bad_arguments_say_what_is_wrong(any_builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        any_builder(**arguments)


def test_a_tensor_and_another_shape(any_builder):
    with pytest.raises(ValueError, match="disagree. Give only one of them"):
        any_builder(input_tensor=keras.Input((256, 256, 3)), input_shape=(256, 256, 1))


def test_the_order_of_the_common_arguments(any_builder):
    names = list(inspect.signature(any_builder).parameters)
    common = "include_top weights input_tensor input_shape pooling classes classifier_activation name"
    assert names[:8] == common.split()
    kinds = {p.kind for p in inspect.signature(any_builder).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_the_catalogue():
    assert list_architectures()[:2] == ["LeNet5", "LeNet5Original"]
    assert list_architectures("LENET*") == ["LeNet5", "LeNet5Original"]
    assert list_architectures("transformer*") == []
    assert build("LeNet5", classes=4).output_shape == (None, 4)
    with pytest.raises(ValueError, match="Unknown architecture: 'LeNet-5'. Did you mean 'LeNet5'"):
        build("LeNet-5")
    with pytest.raises(ValueError, match="Unknown argument of LeNet5: 'class'. Did you mean 'classes'"):
        build("LeNet5", **{"class": 4})
