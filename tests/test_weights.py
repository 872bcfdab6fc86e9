"""The kit's trained networks: verified, rebuilt with the outputs and the accuracy that their cards state."""

import shutil
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from course_lib import datasets, training, weights
from course_lib.accounting import totals
from course_lib.paths import data_path
from course_tools.recipe import read

# Networks whose test images need no download, or were downloaded.
MEASURABLE = [
    name
    for name in weights.available()
    if datasets.available()[weights.card(name)["dataset"]["name"]] != "not downloaded"
]


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of data/weights that a test may damage."""
    shutil.copytree(data_path("weights"), tmp_path / "weights")
    monkeypatch.setattr(weights, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    return tmp_path / "weights"


@pytest.mark.parametrize("name", weights.available())
def test_outputs_are_those_at_training(name):
    model, card = training.pretrained(name), weights.card(name)
    assert np.abs(weights.probe(model) - card["probe"]).max() < 1e-3
    assert model.count_params() == card["parameters"]
    assert data_path("weights", f"{name}.npz").stat().st_size < 1_500_000


@pytest.mark.parametrize("name", MEASURABLE)
def test_accuracy_is_that_of_the_card(name):
    """On all test images."""
    model, card = training.pretrained(name), weights.card(name)
    options = dict(card["dataset"])
    data = options.pop("name")
    loaded = datasets.load(data, **options)
    answers = model.predict(loaded.test.images, batch_size=256, verbose=0).argmax(axis=1)
    near = 0.002 if loaded.source == card["source"] else 0.02  # CIFAR-10 has a copy that was re-coded as JPEG
    accuracy = np.mean(answers == loaded.test.labels)
    assert accuracy == pytest.approx(card["results"]["test_accuracy"], abs=near)


def test_accuracies_are_measured_where_the_images_are_at_hand_and_the_others_are_named():
    """Not at hand? `datasets.load("mnist")` or `load("cifar10")`, once."""
    if others := sorted({*weights.available()} - {*MEASURABLE}):
        warnings.warn(
            f"images not downloaded: accuracy not measured again of {', '.join(others)}", stacklevel=1
        )
    assert {"lenet5-digits", "stacknet-shapes"} <= {*MEASURABLE}, "their images need no download"


def test_the_source_of_lesson_19_has_learned_its_shapes():
    assert weights.card("stacknet-shapes")["results"]["test_accuracy"] > 0.8


def test_lenet5_reads_strangers_digits_at_the_size_of_mnists_and_not_much_larger():
    """What lesson 03 shows in 5.6."""
    model, read = training.pretrained("lenet5-mnist"), {}
    for size in (20, 32):
        images, labels = datasets.load("digits", size=size).train
        margin = (32 - size) // 2
        images = np.pad(images, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
        read[size] = np.mean(model.predict(images, batch_size=256, verbose=0).argmax(axis=1) == labels)
    assert read[20] > 0.8 and read[32] < 0.5


def test_it_takes_images_from_0_to_1_and_normalizes_them():
    model, card = training.pretrained("stacknet-shapes"), weights.card("stacknet-shapes")
    image = np.random.default_rng(0).random((1, 16, 16, 3)).astype("float32")
    first = keras.Model(model.inputs[0], model.get_layer("normalize").output)
    expected = (image - np.array(card["mean"])) / np.array(card["deviation"])
    assert np.allclose(keras.ops.convert_to_numpy(first(image)), expected, atol=1e-4)


def test_altered_weights_are_refused(copied):
    path = copied / "stacknet-shapes.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(weights.WeightsDamaged, match="not those that their card describes"):
        weights.pretrained("stacknet-shapes")


def test_missing_weights_are_named(copied):
    (copied / "stacknet-shapes.npz").unlink()
    with pytest.raises(weights.WeightsDamaged, match="cannot be read"):
        weights.pretrained("stacknet-shapes")


def test_an_unknown_name_gets_the_closest_one():
    with pytest.raises(ValueError, match="Did you mean 'stacknet-shapes'"):
        training.pretrained("stacknet-shape")
    with pytest.raises(ValueError, match="Unknown trained network"):
        weights.card("../published")


def test_an_unknown_builder_is_named():
    with pytest.raises(ValueError, match="Did you mean 'StackNet'"):
        weights.build_network(
            "StackNett", {}, input_shape=(32, 32, 3), classes=10, mean=[0] * 3, deviation=[1] * 3
        )


def test_pack_rounds_to_float16_and_equal_weights_give_equal_bytes():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a")])
    model.set_weights([np.array([[1, 2], [3, 1 / 3], [5, 6]]), np.array([0.1, -7])])
    packed = weights.pack(model)
    assert packed == weights.pack(model)
    kernel, bias = weights.unpack(packed)
    assert kernel.dtype == np.float32 and kernel[1, 1] == np.float16(1 / 3) and bias[1] == -7


@pytest.mark.parametrize("value", [1e5, np.nan])
def test_weights_that_float16_cannot_hold_are_refused(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="a")])
    model.set_weights([np.array([[value]]), np.zeros(1)])
    with pytest.raises(ValueError, match="float16 cannot hold"):
        weights.pack(model)


@pytest.mark.parametrize("name", weights.available())
def test_the_readme_states_what_the_card_says(name):
    lines = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").splitlines()
    [cells] = [line.split("|") for line in lines if line.startswith(f"| `{name}`")]
    _, _, images, parameters, error, *_ = (cell.strip() for cell in cells)
    card, stated = weights.card(name), error.partition(" %")[0]
    assert stated == f"{100 * (1 - card['results']['test_accuracy']):.{len(stated.partition('.')[2])}f}"
    assert parameters == f"{totals(training.pretrained(name)).trainable_params:,}"
    if "epochs" in images:
        assert f"{len(card['history'])} epochs" in images


@pytest.mark.parametrize("name", weights.available())
def test_the_recipe_makes_this_network(name):
    """Its card came from the recipe in the repository, and not from another one."""
    path = Path(__file__).parents[1] / "data" / "recipes" / f"{name}.toml"
    recipe, card = read(path).as_dict(), weights.card(name)
    assert {key: card[key] for key in ("network", "arguments")} == {
        key: recipe[key] for key in ("network", "arguments")
    }
    assert card["dataset"] == {"name": name.rpartition("-")[2]} | recipe["data"]
    older = {"precision": "float32"}  # of cards from before recipes could choose it
    assert older | card["training"] == recipe["training"]


@pytest.mark.parametrize("name", weights.available())
def test_cards_are_complete(name):
    card = weights.card(name)
    assert card["name"] == name and len(card["history"]) == card["training"]["epochs"]
    assert all(card[key] for key in ("source", "versions", "machine", "date", "class_names"))
