"""Precision, and several devices: training on two virtual processors equals training on one.

Devices are fixed once a backend runs, so each case has a Python of its own, on the backend of this run:
TensorFlow in `make test`, JAX in `make test-jax`.
"""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from course_lib import devices

TOGETHER = """
import json
from contextlib import nullcontext
import keras, numpy as np
from keras import layers
from course_lib import devices, training

devices.split_cpu(2)
rng = np.random.default_rng(0)
images, labels = rng.random((37, 8, 8, 1), dtype="float32"), rng.integers(0, 3, 37)

def network(normalize):
    keras.utils.set_random_seed(1)
    norm = [layers.BatchNormalization()] if normalize else []
    net = [layers.Conv2D(4, 3), *norm, layers.ReLU(), layers.Flatten(), layers.Dropout(0.0), layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *net])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    return model

def train(scope, count=36, normalize=False):
    with scope as number:
        model = network(normalize)
        data = images[:count], labels[:count]
        steps = []
        counter = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
        own = {"callbacks": [counter], "seed": 2, "progress": False}
        run = training.fit(model, data, data, epochs=3, batch_size=8, **own)
        scores = model.predict(images[:count], batch_size=8, verbose=0)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    return number, {key: list(run[key]) for key in run.metrics}, scores, weights, model, len(steps)

def gap(one, two):
    return max(float(np.abs(np.subtract(one[1][key], two[1][key])).max()) for key in one[1])

def refusal(action):
    try:
        with devices.data_parallel():
            action()
    except ValueError as error:
        return str(error)

def plain_fit():
    network(False).fit(images, labels, batch_size=8, verbose=0)

one, two = train(nullcontext()), train(devices.data_parallel())
value = two[4].weights[0].value
places = len(value.values) if keras.backend.backend() == "tensorflow" else len(value.sharding.device_set)
normalized = [train(scope, normalize=True) for scope in (nullcontext(), devices.data_parallel())]
print(json.dumps({
    "devices": two[0],
    "places": places,
    "steps": two[5],
    "fall": one[1]["loss"][0] - one[1]["loss"][-1],
    "gap": gap(one, two),
    "weights": float(np.abs(one[3] - two[3]).max()),
    "scores": float(np.abs(one[2] - two[2]).max()),
    "normalized": gap(*normalized),
    "refused by fit": refusal(lambda: train(nullcontext(), count=37)),
    "refused by model.fit": refusal(plain_fit),
}))
"""


def python(code: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def together() -> dict:
    done = python(TOGETHER)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_both_devices_hold_the_weights(together):
    assert together["devices"] == together["places"] == 2


def test_losses_of_all_epochs_equal_one_devices_with_a_smaller_last_batch(together):
    assert together["steps"] == 3 * 5, "36 images in batches of 8, the last of 4"
    assert together["fall"] > 0.03, "it learns, so a wrong gradient shows"
    assert together["gap"] < 1e-5
    assert together["weights"] < 1e-5 and together["scores"] < 1e-5


def test_batch_statistics_are_the_whole_batchs_on_jax_and_a_parts_on_tensorflow(together):
    if keras.backend.backend() == "jax":
        assert together["normalized"] < 1e-4
    else:
        assert together["normalized"] > 1e-4, "docs/devices.md says that they differ: correct it"


def test_a_batch_that_cannot_be_shared_equally_is_refused_before_it_trains_on_another_loss(together):
    assert together["refused by fit"].startswith("37 training images in batches of 8: a batch of 5 cannot be")
    assert "shared equally by 2 devices" in together["refused by model.fit"]


ALONE = """
import json, os
import keras, numpy as np
from contextlib import nullcontext
from course_lib import devices

own, many = json.loads(os.environ["OWN"])  # this process, of how many
if many > 1:
    keras.distribution.initialize(os.environ["ADDRESS"], many, own)
rng = np.random.default_rng(0)
images, labels = rng.random((32, 6), dtype="float32"), rng.integers(0, 3, 32)
with devices.data_parallel() if many > 1 else nullcontext():
    keras.utils.set_random_seed(1)
    net = [keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *net])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    part = {"batch_size": 8 // many, "epochs": 2, "shuffle": False, "verbose": 0}
    print(json.dumps(model.fit(images[own::many], labels[own::many], **part).history["loss"]))
"""


if keras.backend.backend() == "jax":  # Keras' fit fails in TensorFlow's strategy: docs/devices.md

    def test_two_processes_have_the_losses_of_one():
        """As docs/devices.md describes it for several machines; 8 images a step, 4 in each process."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"

        def start(own: int, many: int) -> subprocess.Popen:
            environment = os.environ | {"OWN": json.dumps([own, many]), "ADDRESS": address}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            return subprocess.Popen([sys.executable, "-c", ALONE], env=environment, **pipes)

        running = [start(0, 1), start(0, 2), start(1, 2)]
        ended = [process.communicate(timeout=180) for process in running]
        assert all(process.returncode == 0 for process in running), ended
        alone, *both = (json.loads(out.splitlines()[-1]) for out, _ in ended)
        assert alone[1] < alone[0]
        np.testing.assert_allclose(both, [alone, alone], atol=1e-5)


def test_one_device_shares_with_nobody():
    with devices.data_parallel() as count:
        assert count == len(devices.available())
        devices.require_equal_shares(12, batch_size=8 * count)


def test_devices_cannot_be_split_once_the_backend_runs():
    done = python("import keras\nkeras.ops.ones(1) + 1\nfrom course_lib import devices; devices.split_cpu(3)")
    assert "RuntimeError" in done.stderr and "Restart the kernel" in done.stderr
    with pytest.raises(ValueError, match="count must be a whole number, at least 1. Received: 0"):
        devices.split_cpu(0)


def test_other_backends_are_refused_for_several_devices(monkeypatch):
    monkeypatch.setattr(devices, "load_backend", lambda: "torch")
    with pytest.raises(ValueError, match="need the backend 'tensorflow' or 'jax'"), devices.data_parallel():
        pass


@pytest.fixture
def policy():
    yield
    devices.set_precision("float32")


def test_float32_switches_off_the_rounding_of_factors_on_a_gpu(policy):
    def exact():
        if keras.backend.backend() == "jax":
            import jax

            return jax.config.jax_default_matmul_precision == "highest"
        import tensorflow as tf

        return not tf.config.experimental.tensor_float_32_execution_enabled()

    devices.set_precision("mixed_bfloat16")
    assert not exact()
    devices.set_precision("float32")
    assert exact()


def test_auto_takes_bfloat16_only_where_a_gpu_has_it(monkeypatch, policy):
    monkeypatch.setattr(devices, "bfloat16", lambda: False)
    assert devices.set_precision("auto") == "float32" == keras.config.dtype_policy().name
    monkeypatch.setattr(devices, "bfloat16", lambda: True)
    assert devices.set_precision("auto") == "mixed_bfloat16" == keras.config.dtype_policy().name
    assert devices.set_precision("float32") == "float32"
    with pytest.raises(ValueError, match="Did you mean 'mixed_bfloat16'"):
        devices.set_precision("mixed_bfloat")


@pytest.mark.parametrize(
    ("text", "has_it"), [("7.5", False), ("8.0", True), ("10.0", True), ("gfx90a", False), ("", False)]
)
def test_compute_capability(text, has_it):
    assert (devices._capability(text) >= devices.AMPERE) == has_it


def test_a_network_in_mixed_precision_computes_in_bfloat16_and_keeps_float32_weights(policy):
    devices.set_precision("mixed_bfloat16")
    image = keras.Input((8, 8, 1))
    scores = layers.Dense(3)(layers.Flatten()(image))
    model = keras.Model(image, scores)
    assert scores.dtype == "bfloat16" and model.weights[0].dtype == "float32"
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = np.random.default_rng(0).random((8, 8, 8, 1), "float32"), np.arange(8) % 3
    losses = model.fit(images, labels, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] < 3


def test_processors_of_this_machine_are_no_accelerators():
    if all(name.startswith("cpu") for name in devices.available()):
        assert not devices.bfloat16()
