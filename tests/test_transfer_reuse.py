"""Codes, new heads, frozen stages and rates by part, against what plain Keras and NumPy give."""

import keras
import numpy as np
import pytest
from keras import layers

from course_lib import transfer, visualization


def network(norm: bool = False) -> keras.Model:
    """Two stages and a head, `(N, 6, 6, 1)` to `(N, 3)`."""
    keras.utils.set_random_seed(1)
    middle = [layers.BatchNormalization(name="stage2_norm", momentum=0.5)] if norm else []
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(2, 3, activation="tanh", name="stage1_block1_conv"),
            layers.Conv2D(2, 3, activation="tanh", name="stage1_block2_conv"),
            layers.Conv2D(2, 1, activation="tanh", name="stage2_block1_conv"),
            *middle,
            layers.Flatten(name="flatten"),
            layers.Dense(3, activation="softmax", name="output"),
        ]
    )


def batch(count: int = 10) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=(count, 6, 6, 1)).astype("float32"), random.integers(0, 3, count)


def values(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights by layer and name, such as "output/kernel"."""
    names = ["/".join(variable.path.split("/")[-2:]) for variable in model.weights]
    return dict(zip(names, model.get_weights(), strict=True))


def step(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps: int = 1) -> None:
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    images, labels = batch()
    model.fit(images, labels, batch_size=len(images), epochs=steps, verbose=0, shuffle=False)


# --- codes ------------------------------------------------------------------------------------------------


def test_codes_are_the_layers_values_in_one_row():
    model, (images, _) = network(), batch()
    part = keras.Model(model.inputs[0], model.get_layer("stage1_block1_conv").output)
    expected = keras.ops.convert_to_numpy(part(images)).reshape(10, 4 * 4 * 2)
    assert np.array_equal(transfer.codes(model, images, "stage1_block1_conv"), expected)


def test_several_layers_and_several_batches(monkeypatch):
    monkeypatch.setattr(visualization, "BATCH", 4)
    model, (images, _) = network(), batch()
    both = transfer.codes(model, images, ["stage2_block1_conv", "output"])
    assert list(both) == ["stage2_block1_conv", "output"]
    assert np.allclose(both["output"], model.predict(images, verbose=0), atol=1e-6)
    assert both["stage2_block1_conv"].shape == (10, 8)


def test_codes_of_an_unknown_layer():
    with pytest.raises(ValueError, match="Did you mean 'output'"):
        transfer.codes(network(), batch()[0], "outputs")


# --- new head ---------------------------------------------------------------------------------------------


def test_new_head_copies_all_but_the_last_layer_and_shares_nothing():
    old = network()
    before = values(old)
    new = transfer.new_head(old, 7, seed=0)
    assert new.output_shape == (None, 7)
    copied = dict(zip(before, new.get_weights(), strict=True))
    assert all(np.array_equal(copied[path], before[path]) for path in before if "output" not in path)
    for variable in new.weights:
        variable.assign(variable + 1)
    assert all(np.array_equal(value, before[path]) for path, value in values(old).items())


def test_new_head_is_repeated_by_its_seed():
    old = network()
    first, again, other = (transfer.new_head(old, 4, seed=seed).get_weights()[-2] for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_new_head_computes_in_float32_in_mixed_precision_too():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        new = transfer.new_head(network(), 4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert new.output.dtype == "float32" and new.layers[-2].compute_dtype == "bfloat16"


def test_new_head_needs_classes():
    with pytest.raises(ValueError, match="classes must be a whole number, at least 1. Received: 0"):
        transfer.new_head(network(), 0)


def test_new_head_needs_a_dense_end():
    with pytest.raises(ValueError, match="is a Flatten"):
        transfer.new_head(keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(name="end")]), 2)


# --- freezing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "trained"),
    [
        (None, ["stage1_block1_conv", "stage1_block2_conv", "stage2_block1_conv", "output"]),
        ("stage1_block1_conv", ["stage1_block2_conv", "stage2_block1_conv", "output"]),
        ("stage1", ["stage2_block1_conv", "output"]),
        ("flatten", ["output"]),
        ("output", []),
    ],
)
def test_freeze_up_to_a_part_or_a_layer(until, trained):
    model = network()
    transfer.freeze(model, "output")  # what was frozen before does not matter
    transfer.freeze(model, until)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == trained


def test_freeze_names_what_can_be_frozen():
    with pytest.raises(ValueError, match="Did you mean 'stage2'"):
        transfer.freeze(network(), "stage3")


def test_frozen_weights_and_statistics_stay_when_the_rest_is_trained():
    model = network(norm=True)
    transfer.freeze(model, "stage2")
    before = values(model)
    step(model, keras.optimizers.SGD(0.1))
    moved = [path for path, value in values(model).items() if not np.array_equal(value, before[path])]
    assert moved and all("output" in path for path in moved)


def test_part_table_counts_what_is_trained():
    model = network(norm=True)
    transfer.freeze(model, "stage1")
    rows = transfer.part_table(model).rows
    assert [row["part"] for row in rows] == ["stage1", "stage2", "output", "all"]
    assert [row["parameters"] for row in rows] == [20 + 38, 6 + 8, 27, 99]
    assert [row["trained"] for row in rows] == [0, 6 + 4, 27, 37]
    assert rows[1]["normalized by"] == "statistics of the batch"
    transfer.freeze(model, "stage2")
    assert transfer.part_table(model).rows[1]["normalized by"] == "moving statistics"


# --- rates by part ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(0.1),
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.Adam(0.01),
        lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    ],
    ids=["SGD", "momentum", "Adam", "AdamW", "schedule"],
)
def test_each_part_moves_by_its_share(make):
    plain, parted = network(), network()
    start = values(plain)
    step(plain, make())
    step(parted, transfer.part_rates(make(), parted, {"stage1": 0.1, "stage2_block1_conv": 0.0}))
    full, shared = values(plain), values(parted)
    for path in start:
        share = 0.1 if "stage1" in path else 0.0 if "stage2" in path else 1.0
        step_taken, expected = shared[path] - start[path], share * (full[path] - start[path])
        assert np.allclose(step_taken, expected, atol=1e-7), path
    assert np.abs(full["output/kernel"] - start["output/kernel"]).max() > 1e-4


def test_shares_of_one_and_zero_are_exact():
    plain, parted = network(), network()
    step(plain, keras.optimizers.Adam(0.01), steps=4)
    step(parted, transfer.part_rates(keras.optimizers.Adam(0.01), parted, {}), steps=4)
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), parted.get_weights(), strict=True))
    frozen = network()
    start = values(frozen)
    step(frozen, transfer.part_rates(keras.optimizers.Adam(0.01), frozen, {"stage1": 0}), steps=4)
    assert all(
        np.array_equal(value, start[path]) for path, value in values(frozen).items() if "stage1" in path
    )


def test_momentum_over_several_steps_is_that_of_a_smaller_rate():
    """With a constant gradient a share of 0.1 and a rate of a tenth are the same."""
    inputs = keras.Input((1,))
    sizes = []
    for rate, share in ((0.1, 0.5), (0.05, 1.0)):
        model = keras.Model(
            inputs, layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="a")(inputs)
        )
        optimizer = keras.optimizers.SGD(rate, momentum=0.9)
        model.compile(transfer.part_rates(optimizer, model, {"a": share}), lambda y, p: -p)
        model.fit(np.ones((1, 1)), np.ones((1, 1)), epochs=5, verbose=0)
        sizes.append(model.get_weights()[0].item())
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-5) and sizes[0] > 0.5


def test_rates_can_be_changed_without_compiling_again():
    model = network()
    optimizer = transfer.part_rates(keras.optimizers.SGD(0.1), model, {"stage1": 0, "stage2": 0, "output": 0})
    start = values(model)
    step(model, optimizer)
    assert all(np.array_equal(value, start[path]) for path, value in values(model).items())
    optimizer.set_rates({"stage1": 0})
    images, labels = batch()
    model.fit(images, labels, batch_size=len(images), verbose=0)
    moved = {
        path.split("/")[0] for path, value in values(model).items() if not np.array_equal(value, start[path])
    }
    assert "output" in moved and not any(name.startswith("stage1") for name in moved)


def test_the_layer_decides_over_its_part_and_one_rate_rules_all():
    plain, parted = network(), network()
    start = values(plain)
    step(plain, keras.optimizers.SGD(0.1))
    optimizer = transfer.part_rates(
        keras.optimizers.SGD(0.1), parted, {"stage1_block2_conv": 0.5, "stage1": 0.1}
    )
    optimizer.learning_rate = 0.05
    step(parted, optimizer)
    full, shared = values(plain), values(parted)
    for layer, share in (("stage1_block1_conv", 0.1), ("stage1_block2_conv", 0.5), ("output", 1.0)):
        path = f"{layer}/kernel"
        assert optimizer.rates[layer] == share
        assert np.allclose(shared[path] - start[path], 0.5 * share * (full[path] - start[path]), atol=1e-7)


@pytest.mark.parametrize(
    ("rates", "message"), [({"stage9": 0.1}, "Unknown part or layer"), ({"stage1": -1}, "from 0 on")]
)
def test_rates_that_make_no_sense(rates, message):
    with pytest.raises(ValueError, match=message):
        transfer.part_rates(keras.optimizers.SGD(0.1), network(), rates)
