"""Tools to hold a builder to its contract: gradients on any backend, and random arguments."""

import inspect
import math
import traceback
from pathlib import Path

import keras
import numpy as np
from hypothesis import strategies as st

import course_lib


class Recorder(keras.optimizers.SGD):
    """An optimizer that keeps the gradients it is given: numbers, on every backend, with run_eagerly."""

    def apply(self, grads, trainable_variables=None):
        self.gradients = [None if grad is None else np.array(grad) for grad in grads]
        return super().apply(grads, trainable_variables)


def gradients(model, images):
    """name -> gradient of a cross entropy, for each trainable weight of a model that gives raw scores."""
    labels = np.arange(len(images)) % model.output_shape[-1]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(Recorder(1e-3), loss, run_eagerly=True)
    model.train_on_batch(images, labels)
    names = [weight.path for weight in model.trainable_weights]
    return dict(zip(names, model.optimizer.gradients, strict=True))


def pictures(model, count=8):
    """Random images of the model's input size, centred on 0."""
    return np.random.default_rng(0).normal(size=(count, *model.input_shape[1:])).astype("float32")


# Random arguments. `ODD` is what hardly any argument takes; a sensible value is drawn nine times as often.
# Numbers stay small, for a network's size grows with them.
ODD = st.sampled_from(
    ["", "nonsense", 0, -1, 2.5, math.nan, math.inf, True, None, (), (0,), ("a",), {}, [[]], b"x"]
)
SIZES = st.sampled_from([1, 7, 31, 32, 33, 64, 75, 224, 230])
WORDS = [
    "A",
    "B",
    "D",
    "1x1",
    "3x3",
    "basic",
    "bottleneck",
    "simple",
    "complex",
    "average",
    "max",
    "relu",
    "dense",
]
SENSIBLE = {
    "include_top": st.booleans(),
    "weights": st.sampled_from([None, None, None, "missing.weights.h5"]),
    "input_shape": st.none() | st.tuples(SIZES | st.none(), SIZES | st.none(), st.integers(1, 4)),
    "input_tensor": st.none() | st.tuples(SIZES, SIZES, st.just(3)).map(keras.Input),
    "pooling": st.sampled_from([None, "avg", "max"]),
    "classes": st.integers(1, 20),
    "classifier_activation": st.sampled_from(["softmax", "sigmoid", None, keras.ops.tanh]),
    "name": st.sampled_from(["own", "with space"]),
}


def own_values(parameter):
    """Sensible values for an argument of a family's own: its default, and others of the same type."""
    like = {
        bool: st.booleans(),
        int: st.integers(1, 40) | st.sampled_from([8, 10, 11, 14, 16, 20]),  # depths: 6n + 2, 9n + 2
        float: st.floats(0, 2, allow_nan=False) | st.sampled_from([0.25, 0.5, 1, 1.4]),
        str: st.sampled_from(WORDS),
        type(None): st.sampled_from(WORDS),
        tuple: st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple),
    }
    return st.just(parameter.default) | like.get(type(parameter.default), st.nothing())


@st.composite
def random_arguments(draw, builder):
    """Some of a builder's arguments with random values, most of them sensible."""
    parameters = inspect.signature(builder).parameters
    arguments = {}
    for name in draw(st.lists(st.sampled_from(list(parameters)), unique=True, max_size=6)):
        sensible = SENSIBLE[name] if name in SENSIBLE else own_values(parameters[name])
        arguments[name] = draw(ODD if draw(st.integers(0, 9)) == 9 else sensible)
    if isinstance(arguments.get("input_tensor"), keras.KerasTensor):
        arguments["input_shape"] = None  # together they nearly always disagree
    return arguments


def raised_by_the_library(error):
    """Whether the innermost frame of an error is the library's own, not Keras' or Python's."""
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    return Path(last).is_relative_to(Path(course_lib.__file__).parent)
