"""Training with a progress bar, and its history as a table. Runs unchanged on every Keras backend.

`pretrained` loads a network that the kit has trained.
"""

from collections.abc import Sequence

import keras
import numpy as np

from . import devices
from .errors import unknown
from .progress import ProgressLine
from .tables import Table
from .weights import card, pretrained

__all__ = ["History", "card", "evaluate", "fit", "pretrained"]

_FIRST = ("loss", "accuracy", "val_loss", "val_accuracy")  # these columns stand first in a history


class History:
    """The losses and metrics of a training run, one row an epoch.

    Args:
        rows: one dictionary an epoch, with "epoch" counted from 1.
        label: name of the run.

    >>> run = History([{"epoch": 1, "loss": 0.8}, {"epoch": 2, "loss": 0.5}])
    >>> run["loss"]
    array([0.8, 0.5])
    >>> run.final
    {'epoch': 2, 'loss': 0.5}
    """

    def __init__(self, rows: Sequence[dict[str, float]], label: str = ""):
        self.rows = [dict(row) for row in rows]
        self.label = label

    @property
    def metrics(self) -> list[str]:
        """Names of what was recorded, such as "loss" and "val_accuracy"."""
        names = list(dict.fromkeys(name for row in self.rows for name in row if name != "epoch"))
        return [name for name in _FIRST if name in names] + [name for name in names if name not in _FIRST]

    @property
    def final(self) -> dict[str, float]:
        """The row of the last epoch."""
        return self.rows[-1]

    def table(self) -> Table:
        """All epochs as a table."""
        return Table(self.rows, ["epoch", *self.metrics], caption=self.label)

    def __getitem__(self, metric: str) -> np.ndarray:
        """One metric as an array with a value for each epoch; NaN where it was not recorded."""
        if metric not in ["epoch", *self.metrics]:
            raise unknown("metric", metric, self.metrics)
        return np.array([row.get(metric, np.nan) for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.final.items() if name != "epoch")
        return f"<History of {len(self)} epochs: {values}>"


def fit(
    model: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    epochs: int,
    batch_size: int = 64,
    label: str = "",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: bool = True,
    seed: int | None = None,
) -> History:
    """Train a compiled model and return the history; a bar shows progress and the newest metrics.

    Args:
        model: compiled by the caller: `model.compile(optimizer=..., loss=..., metrics=["accuracy"])`.
        train: images `(N, H, W, C)` and labels `(N,)`, such as `dataset.train`.
        validation: the same, measured at the end of each epoch.
        epochs: passes through the training images.
        batch_size: images in one step.
        label: name of the run, shown in the bar and above the table. Default: the model's name.
        callbacks: further Keras callbacks.
        progress: False shows no bar.
        seed: of the order of the batches. First weights, and the seed of each dropout, are drawn when a model
            is built, so call `keras.utils.set_random_seed` before building to repeat those too.

    Returns:
        The history: `history["loss"]`, `history.final`, `history.table()`.

    Raises:
        ValueError: a model that is not compiled, images or labels of a wrong shape, a bad number of epochs.

    >>> from keras import layers
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    >>> model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> images, labels = np.zeros((6, 8, 8, 1), "float32"), np.array([0, 1, 0, 1, 0, 1])
    >>> fit(model, (images, labels), epochs=2, seed=0)["loss"].round(3)
    array([0.693, 0.693])
    """
    _require_compiled(model)
    _require_positive(epochs=epochs, batch_size=batch_size)
    images, labels = _checked(model, train, "train")
    devices.require_equal_shares(len(images), batch_size, "training images")
    if validation is not None:
        validation = _checked(model, validation, "validation")
        devices.require_equal_shares(len(validation[0]), batch_size, "validation images")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    label = label or model.name
    _create_variables(model, images[:1], labels[:1])
    recorder = _Recorder(epochs, -(-len(images) // batch_size), label, progress)
    try:
        model.fit(
            images,
            labels,
            validation_data=validation,
            epochs=epochs,
            batch_size=batch_size,
            verbose=0,
            callbacks=[*callbacks, recorder],  # last, so that it sees what the others add to the logs
        )
    finally:
        recorder.close()
    return History(recorder.rows, label)


def evaluate(
    model: keras.Model, split: tuple[np.ndarray, np.ndarray], batch_size: int = 256
) -> dict[str, float]:
    """Loss and metrics of a compiled model on images and labels, such as `dataset.test`.

    Returns:
        For example `{"loss": 0.08, "accuracy": 0.97}`.

    Raises:
        ValueError: a model that is not compiled, images or labels of a wrong shape.

    >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    >>> model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> round(evaluate(model, (np.ones((4, 8)), np.array([0, 1, 0, 1])))["loss"], 3)
    0.693
    """
    _require_compiled(model)
    _require_positive(batch_size=batch_size)
    images, labels = _checked(model, split, "split")
    devices.require_equal_shares(len(images), batch_size)
    logs = model.evaluate(images, labels, batch_size=batch_size, verbose=0, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


class _Recorder(keras.callbacks.Callback):
    """Collects the rows of the history and moves the bar."""

    def __init__(self, epochs: int, steps: int, label: str, visible: bool):
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._epochs, self._steps = epochs, steps
        self._line = ProgressLine(label, epochs * steps) if visible else None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        done = len(self.rows) * self._steps + batch + 1
        self._show(done, len(self.rows) + 1, logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append({"epoch": epoch + 1} | {name: float(value) for name, value in (logs or {}).items()})
        self._show(len(self.rows) * self._steps, len(self.rows), logs)

    def _show(self, done: int, epoch: int, logs: dict | None) -> None:
        if self._line:
            values = [f"{name} {float(value):.3g}" for name, value in (logs or {}).items()]
            self._line.update(done, " · ".join([f"epoch {epoch}/{self._epochs}", *values]))

    def close(self) -> None:
        if self._line:
            self._line.close()


def _create_variables(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> None:
    """Creates those of optimizer and metrics before the first step.

    TensorFlow traces a step that creates variables a second time, a good part of a short training's
    time. `keras.Model.fit` sees to that on JAX only.
    """
    if keras.backend.backend() != "tensorflow" or devices.sharing() > 1 or model.run_eagerly:
        return
    model.compute_metrics(images, labels, model(images))
    model.reset_metrics()
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _require_compiled(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise ValueError(f"model is a {type(model).__name__}; a keras.Model is needed.")
    if not model.compiled:
        raise ValueError(
            f"The model {model.name!r} is not compiled. First call model.compile(optimizer=..., loss=..., "
            'metrics=["accuracy"]).'
        )


def _require_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} is {value!r}; a whole number from 1 on is needed.")


def _checked(
    model: keras.Model, split: tuple[np.ndarray, np.ndarray], name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels as arrays, after a test that they fit each other and the model's input."""
    try:
        images, labels = split
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a pair (images, labels), not a {type(split).__name__}.") from None
    images, labels = np.asarray(images), np.asarray(labels)
    if not len(images) or len(images) != len(labels):
        raise ValueError(
            f"{name} has {len(images)} images and {len(labels)} labels; each image needs one label."
        )
    wanted = _input_shape(model)
    fits = wanted is None or (
        images.ndim == len(wanted)
        and all(size in (None, have) for size, have in zip(wanted[1:], images.shape[1:], strict=True))
    )
    if not fits:
        hint = ""
        if images.ndim == len(wanted) - 1:
            hint = " The channel axis is missing: images[..., None] adds it."
        sizes = ", ".join("any" if size is None else str(size) for size in wanted[1:])
        raise ValueError(
            f"The images of {name} have the shape {images.shape}, "
            f"but the model {model.name!r} takes (N, {sizes}).{hint}"
        )
    return images, labels


def _input_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """Shape of the model's only input, or None where Keras does not know it yet."""
    shape = getattr(model, "input_shape", None)
    return shape if isinstance(shape, tuple) and all(s is None or isinstance(s, int) for s in shape) else None
