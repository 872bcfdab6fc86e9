"""What a trained network holds and does, as arrays: filters, feature maps, gradients, confusions.

Nothing is drawn here: `course_lib.plotting` draws what these functions return.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import keras
import numpy as np
from keras import ops

from .errors import unknown

__all__ = [
    "confusion_matrix",
    "feature_maps",
    "filters",
    "input_gradient",
    "layer_outputs",
    "most_confused",
]

BATCH = 256  # images that go through the network at once: bounds the memory


def _layer(model: keras.Model, layer: str | keras.Layer) -> keras.Layer:
    if isinstance(layer, keras.Layer):
        return layer
    names = [each.name for each in model.layers]
    if layer not in names:
        raise unknown(f"layer of model {model.name!r}", layer, names)
    return model.get_layer(layer)


def _kernel(layer: keras.Layer) -> np.ndarray | None:
    kernel = getattr(layer, "kernel", None)
    return ops.convert_to_numpy(kernel) if kernel is not None and len(kernel.shape) == 4 else None


def filters(model: keras.Model, layer: str | keras.Layer) -> np.ndarray:
    """The weights of a convolution: one small stack of images a filter.

    Args:
        model: a built model.
        layer: a convolution of it, or its name.

    Returns:
        Array `(height, width, channels_in, channels_out)`, a copy.

    Raises:
        ValueError: the model has no such layer, or the layer has no such weights.

    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 5, name="c1")])
    >>> filters(model, "c1").shape
    (5, 5, 3, 4)
    """
    found = _layer(model, layer)
    kernel = _kernel(found)
    if kernel is None:
        having = [each.name for each in model.layers if _kernel(each) is not None]
        raise ValueError(
            f"Layer {found.name!r} ({type(found).__name__}) has no filters (height, width, channels_in, "
            f"channels_out). Layers that have: {', '.join(map(repr, having)) or 'none'}."
        )
    return np.array(kernel)


def feature_maps(model: keras.Model, images: np.ndarray, layer: str | keras.Layer) -> np.ndarray:
    """What a layer puts out for some images, in inference mode.

    Args:
        model: a built model.
        images: array `(N, H, W, C)`, scaled as the model was trained on.
        layer: a layer of the model, or its name.

    Returns:
        Array `(N, H', W', C')`; `(N, units)` for a dense layer.

    Raises:
        ValueError: the model has no such layer, or the images' shape does not fit.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 5, name="c1")])
    >>> feature_maps(model, np.zeros((2, 8, 8, 1)), "c1").shape
    (2, 4, 4, 4)
    """
    return layer_outputs(model, images, [layer])[0]


def layer_outputs(
    model: keras.Model, images: np.ndarray, layers: Sequence[str | keras.Layer]
) -> list[np.ndarray]:
    """What several layers put out for some images, in inference mode, computed in one go.

    Args:
        model: a built model.
        images: array `(N, H, W, C)`, scaled as the model was trained on.
        layers: layers of the model, or their names.

    Returns:
        An array for each layer, `(N, ...)`.

    Raises:
        ValueError: the model has no such layer, or the images' shape does not fit.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 5, name="c1")])
    >>> model.add(keras.layers.Flatten(name="flatten"))
    >>> [output.shape for output in layer_outputs(model, np.zeros((2, 8, 8, 1)), ["c1", "flatten"])]
    [(2, 4, 4, 4), (2, 64)]
    """
    found = [_layer(model, layer) for layer in layers]
    images = np.asarray(images)
    expected = tuple(model.input_shape)
    fits = images.ndim == len(expected) and all(
        want in (None, have) for want, have in zip(expected, images.shape, strict=True)
    )
    if not fits:
        hint = " For one image: images[None]." if images.ndim == len(expected) - 1 else ""
        raise ValueError(f"Images of shape {images.shape} do not fit the model's input {expected}.{hint}")
    part = keras.Model(model.inputs[0], [layer.output for layer in found])
    batches = []
    for start in range(0, max(len(images), 1), BATCH):
        outputs = part(images[start : start + BATCH], training=False)
        batches.append([ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)])
    return [np.concatenate(outputs) for outputs in zip(*batches, strict=True)]


def input_gradient(fn: Callable, x: np.ndarray) -> tuple[float, np.ndarray]:
    """The value of `fn` at `x`, and how it changes with every entry of `x`.

    Args:
        fn: takes a tensor like `x`, returns one number (a scalar tensor). Made of `keras.ops` and layers;
            call models with `training=False` in it.
        x: array of any shape, for images `(N, H, W, C)`.

    Returns:
        The value, and the gradient: an array with the shape of `x`.

    Raises:
        ValueError: `fn` returns more than one number, or loses `x` on the way, as an array turned to NumPy
            does. (JAX gives a value made of something else than `x` the gradient 0.)

    >>> value, gradient = input_gradient(lambda x: ops.sum(x**2), np.array([1.0, 3.0]))
    >>> value, gradient.tolist()
    (10.0, [2.0, 6.0])
    """
    x = ops.convert_to_tensor(x)
    if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        x = ops.cast(x, keras.config.floatx())
    backend = keras.backend.backend()
    gradient = None
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = _scalar(fn(x))
        if tf.is_tensor(value):
            gradient = tape.gradient(value, x)
    elif backend == "jax":
        import jax

        with suppress(jax.errors.TracerArrayConversionError):
            value, gradient = jax.value_and_grad(lambda x: _scalar(fn(x)))(x)
    elif backend == "torch":
        import torch

        x = x.detach().clone().requires_grad_(True)
        value = _scalar(fn(x))
        if getattr(value, "requires_grad", False):
            (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
    else:
        raise unknown("backend", backend, ["tensorflow", "jax", "torch"])
    if gradient is None:
        raise ValueError(
            "The value does not follow from x. Build it inside fn from the tensor that fn receives, "
            "with keras.ops: an array turned to NumPy loses its gradient."
        )
    return float(value), ops.convert_to_numpy(gradient)


def _scalar(value):
    if tuple(value.shape):
        raise ValueError(
            f"fn must return one number, received shape {tuple(value.shape)}. "
            "Pick one entry, such as model(x)[0, 3], or take ops.sum(...)."
        )
    return value


def _classes(name: str, values: np.ndarray, classes: int | None = None) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        hint = " For probabilities: predictions.argmax(axis=1)." if values.ndim == 2 else ""
        raise ValueError(f"{name} must be whole numbers (N,), received {values.dtype} {values.shape}.{hint}")
    if classes is not None and values.size and not 0 <= values.min() <= values.max() < classes:
        raise ValueError(
            f"{name} must lie in 0..{classes - 1} for {classes} classes, "
            f"received {values.min()}..{values.max()}."
        )
    return values


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was predicted as each class (column).

    Args:
        labels: true classes, integers `(N,)`.
        predictions: predicted classes, integers `(N,)`.
        classes: the number of classes.

    Returns:
        Integer array `(classes, classes)`: its sum is N, its diagonal counts what is right.

    Raises:
        ValueError: not integers, of unequal length, or outside `0..classes - 1`.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    labels, predictions = _classes("labels", labels, classes), _classes("predictions", predictions, classes)
    if len(labels) != len(predictions):
        raise ValueError(f"{len(labels)} labels but {len(predictions)} predictions: give one for each image.")
    matrix = np.zeros((classes, classes), dtype="int64")
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def most_confused(labels: np.ndarray, probabilities: np.ndarray, n: int = 12) -> np.ndarray:
    """The images where the network was wrong and most sure of it, the surest first.

    Args:
        labels: true classes, integers `(N,)`.
        probabilities: array `(N, classes)`, what a softmax puts out.
        n: how many at most.

    Returns:
        Indices into `labels`, at most `n` (fewer when there are fewer mistakes).

    Raises:
        ValueError: shapes that do not fit each other.

    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> most_confused(np.array([1, 0, 1]), probabilities).tolist()
    [0, 1]
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or len(probabilities) != len(labels):
        raise ValueError(
            f"probabilities must have shape ({len(labels)}, classes), one row for each label, "
            f"received {probabilities.shape}."
        )
    labels = _classes("labels", labels, probabilities.shape[1])
    predictions = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    confidence = probabilities[wrong, predictions[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")][:n]
