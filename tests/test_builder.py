"""Builders: a variant is its base with other defaults, and wrong arguments are named."""

import inspect

import numpy as np
import pytest
from keras import layers

from course_lib.architectures import LeNet5
from course_lib.arguments import whole_number
from course_lib.builder import builder, variant


@builder((8, 8, 1), classes=2)
def Small(args, image, *, width: int = 4, depth: int = 1):
    whole_number("width", width)
    return args.head(layers.Conv2D(width, 3, name="conv")(image))


def test_a_variant_keeps_arguments_with_new_defaults():
    wide = variant(Small, "Wide", "With 16 filters.", depth=2, classes=5, defaults={"width": 16})
    parameters = inspect.signature(wide).parameters
    assert "depth" not in parameters
    assert (parameters["width"].default, parameters["classes"].default) == (16, 5)
    assert wide().get_layer("conv").filters == 16
    assert wide(width=3).get_layer("conv").filters == 3
    assert wide().output_shape == (None, 5)
    with pytest.raises(ValueError, match="Unknown argument of Small: 'widht'. Did you mean 'width'"):
        variant(Small, "Wide", "", defaults={"widht": 16})
    with pytest.raises(ValueError, match="Unknown argument of Wide: 'depth'"):
        wide(depth=3)


def test_numpy_numbers_are_numbers():
    labels = np.array([0, 2, 1])
    model = LeNet5(classes=labels.max() + 1)
    assert model.output_shape == (None, 3) and type(model.layers[-1].get_config()["units"]) is int
    with pytest.raises(ValueError, match="classes must be a whole number, at least 1. Received: 0"):
        LeNet5(classes=np.int64(0))
