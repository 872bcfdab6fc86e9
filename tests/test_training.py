"""Training: the history is what Keras reports, the seed repeats a run, wrong input is explained."""

import keras
import numpy as np
import pytest
from keras import layers

from course_lib import progress, training
from course_lib.training import History, evaluate, fit


def blobs(count=120, seed=0):
    """Two classes of 4x4 images that a linear classifier separates: bright on the left or the right."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    images = random.normal(0, 0.3, (count, 4, 4, 1))
    images[:, :, :2] += 1 - labels[:, None, None, None]
    images[:, :, 2:] += labels[:, None, None, None]
    return images.astype("float32"), labels.astype("int64")


def network(compiled=True, input_shape=(4, 4, 1)):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(2)], name="linear")
    if compiled:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.3), loss, metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def trained():
    model, validation = network(), blobs(50, seed=1)
    return model, validation, fit(model, blobs(), validation, epochs=4, batch_size=32, label="blobs", seed=0)


def test_history_has_a_row_an_epoch_and_the_loss_falls(trained):
    _, _, history = trained
    assert [row["epoch"] for row in history.rows] == [1, 2, 3, 4]
    assert history.metrics == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history.final["accuracy"] > 0.95
    assert len(history) == 4 and "4 epochs" in repr(history)


def test_final_values_are_those_of_an_evaluation_by_hand(trained):
    model, (images, labels), history = trained
    logits = images.reshape(len(images), -1) @ model.get_weights()[0] + model.get_weights()[1]
    picked = logits[np.arange(len(labels)), labels]
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - picked)
    result = evaluate(model, (images, labels), batch_size=16)
    assert result == {
        "loss": pytest.approx(loss, rel=1e-4),
        "accuracy": pytest.approx(np.mean(logits.argmax(axis=1) == labels)),
    }
    assert history.final["val_loss"] == pytest.approx(loss, rel=1e-4)


def test_table_has_all_columns(trained):
    table = trained[2].table()
    assert table.caption == "blobs"
    assert list(table.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


def test_seed_repeats_the_run(trained):
    again = fit(network(), blobs(), blobs(50, seed=1), epochs=4, batch_size=32, seed=0)
    assert np.array_equal(again["loss"], trained[2]["loss"])
    other = fit(network(), blobs(), epochs=4, batch_size=32, seed=5)
    assert not np.array_equal(other["loss"], again["loss"])


def test_a_step_is_traced_once_and_learns_what_keras_alone_learns(monkeypatch):
    alone, ours, traces = network(), network(), []
    step = ours.train_step
    monkeypatch.setattr(ours, "train_step", lambda *given: traces.append(1) or step(*given))
    keras.utils.set_random_seed(0)
    expected = alone.fit(*blobs(96), batch_size=32, epochs=3, verbose=0).history
    history = fit(ours, blobs(96), epochs=3, batch_size=32, seed=0)
    assert len(traces) == 1
    assert [*history["loss"]] == expected["loss"] and [*history["accuracy"]] == expected["accuracy"]


def test_a_model_without_an_optimizer_needs_no_variables_of_one():
    """Keras allows it where the model has a train_step of its own."""
    model = network(compiled=False)
    model.compile(optimizer=None, loss=None)
    before = len(model.variables)
    training._create_variables(model, *blobs(1))
    assert model.optimizer is None and len(model.variables) == before


def test_callbacks_run_and_early_stopping_shortens_the_history():
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=100)
    assert len(fit(network(), blobs(), epochs=5, callbacks=[stop])) == 2


def test_nothing_is_printed(capsys):
    fit(network(), blobs(), epochs=1)
    assert capsys.readouterr() == ("", "")


def test_bar_shows_epoch_and_newest_metrics(monkeypatch):
    updates, closed = [], []
    monkeypatch.setattr(
        progress.ProgressLine, "update", lambda line, done, note: updates.append((done, note))
    )
    monkeypatch.setattr(progress.ProgressLine, "close", lambda line: closed.append((line.label, line.total)))
    history = fit(network(), blobs(), blobs(50), epochs=2, batch_size=50)
    assert [done for done, _ in updates] == [1, 2, 3, 3, 4, 5, 6, 6]  # 3 steps, then the epoch's end
    assert updates[0][1].startswith("epoch 1/2 · ") and "loss 0." in updates[0][1]
    assert f"val_loss {history.final['val_loss']:.3g}" in updates[-1][1]
    assert closed == [("linear", 6)]
    fit(network(), blobs(), epochs=1, progress=False)
    assert len(updates) == 8


def test_bar_is_closed_when_training_fails(monkeypatch):
    closed = []
    monkeypatch.setattr(progress.ProgressLine, "close", lambda line: closed.append(line.label))

    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        fit(network(), blobs(), epochs=1, callbacks=[Fail()])
    assert closed == ["linear"]


def test_history_names_an_unknown_metric():
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4, "learning_rate": 0.1}])
    assert history["learning_rate"].tolist() == pytest.approx([np.nan, 0.1], nan_ok=True)
    assert history["epoch"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="Did you mean 'loss'"):
        history["los"]


@pytest.mark.parametrize("run", [lambda *a: fit(*a, epochs=1), evaluate])
def test_model_must_be_compiled(run):
    with pytest.raises(ValueError, match="'linear' is not compiled. First call model.compile"):
        run(network(compiled=False), blobs())
    with pytest.raises(ValueError, match="model is a function; a keras.Model is needed"):
        run(network, blobs())


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            (np.zeros((5, 4, 4)), np.zeros(5)),
            r"\(5, 4, 4\).*takes \(N, 4, 4, 1\). The channel axis is missing",
        ),
        ((np.zeros((5, 4, 5, 1)), np.zeros(5)), r"train have the shape \(5, 4, 5, 1\).*takes \(N, 4, 4, 1\)"),
        ((np.zeros((5, 4, 4, 1)), np.zeros(4)), "5 images and 4 labels"),
        ((np.zeros((0, 4, 4, 1)), np.zeros(0)), "0 images and 0 labels"),
        ((np.zeros((5, 4, 4, 1)),), "must be a pair"),
        (None, "must be a pair"),
    ],
)
def test_wrong_shapes_are_explained(split, message):
    with pytest.raises(ValueError, match=message):
        fit(network(), split, epochs=1)


def test_wrong_validation_is_named():
    with pytest.raises(ValueError, match="images of validation have the shape"):
        fit(network(), blobs(), (np.zeros((5, 8, 8, 1)), np.zeros(5)), epochs=1)


def test_any_image_size_is_taken_where_the_model_takes_any():
    model = keras.Sequential([keras.Input((None, None, 1)), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, (np.zeros((5, 7, 9, 1), "float32"), np.zeros(5, "int64")), epochs=1)
    with pytest.raises(ValueError, match=r"takes \(N, any, any, 1\)"):
        fit(model, (np.zeros((5, 7, 9, 3), "float32"), np.zeros(5, "int64")), epochs=1)


def test_a_model_that_is_not_built_yet_is_built_by_the_first_batch():
    model = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert len(fit(model, blobs(), epochs=1)) == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_epochs_and_batch_size_must_be_whole_numbers(value):
    with pytest.raises(ValueError, match="epochs is .* whole number"):
        fit(network(), blobs(), epochs=value)
    with pytest.raises(ValueError, match="batch_size is .* whole number"):
        fit(network(), blobs(), epochs=1, batch_size=value)
