"""`course train`: the recipe is followed, and an interrupted run ends like an uninterrupted one."""

import csv
import io
import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from course_lib import datasets, weights
from course_tools import train as train_module
from course_tools.cli import app
from course_tools.errors import CourseError
from course_tools.project import Project
from course_tools.train import train

RECIPE = """
network = "LeNet5"

[data]
size = 32
samples = 96

[training]
epochs = 3
batch_size = 32
seed = 4
optimizer = { class_name = "SGD", config = { learning_rate = 0.1, momentum = 0.9 } }
rate = { kind = "steps", at = [2], factor = 0.1 }
augmentation = { padding = 2, flip = false }
"""

# All that the next epoch may depend on: moving statistics, dropout, Adam's averages, the falling of a loss.
EVERYTHING = """
network = "MobileNet"

[arguments]
depths = [1, 1]
widths = [8, 16]
stem_strides = 1
dropout = 0.3

[data]
samples = 96

[training]
epochs = 3
batch_size = 32
seed = 4
optimizer = { class_name = "Adam", config = { learning_rate = 0.01 } }
rate = { kind = "plateau", metric = "val_loss", patience = 1, factor = 0.1 }
augmentation = { padding = 1, flip = true }
"""


class Interrupted(Exception):
    pass


@pytest.fixture
def project(tmp_path) -> Project:
    (tmp_path / "data" / "recipes").mkdir(parents=True)
    (tmp_path / "data" / "recipes" / "lenet5-digits.toml").write_text(RECIPE)
    return Project(tmp_path)


def interrupt_after(number: int, begun: list | None = None):
    def stop(epoch: int) -> None:
        if begun is not None:
            begun.append(epoch)
        if epoch == number:
            raise Interrupted

    return stop


@pytest.mark.parametrize("text", [RECIPE, EVERYTHING], ids=["plain", "everything"])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(project, tmp_path, text):
    (tmp_path / "data" / "recipes" / "lenet5-digits.toml").write_text(text)
    whole = train("lenet5", "digits", project)
    assert (tmp_path / "data" / "weights" / "lenet5-digits.npz").is_file()
    begun = []
    for epoch in (1, 2):
        with pytest.raises(Interrupted):
            train("lenet5", "digits", project, on_epoch=interrupt_after(epoch, begun))
    resumed = train("lenet5", "digits", project, on_epoch=begun.append)
    assert begun == [1, 2, 3], "each epoch was trained once"
    assert resumed["sha256"] == whole["sha256"]
    assert resumed["history"] == whole["history"]
    assert not (tmp_path / "build" / "train" / "lenet5-digits.npz").exists()


@pytest.mark.parametrize("damage", [lambda content: content[:2000], lambda content: b""])
def test_a_state_that_cannot_be_read_is_no_state(project, tmp_path, damage):
    with pytest.raises(Interrupted):
        train("lenet5", "digits", project, on_epoch=interrupt_after(1))
    state = tmp_path / "build" / "train" / "lenet5-digits.npz"
    state.write_bytes(damage(state.read_bytes()))
    begun = []
    train("lenet5", "digits", project, on_epoch=begun.append)
    assert begun == [1, 2, 3]


def test_a_state_of_another_builder_is_not_overwritten_unasked(project, tmp_path):
    with pytest.raises(Interrupted):
        train("lenet5", "digits", project, on_epoch=interrupt_after(1))
    state = tmp_path / "build" / "train" / "lenet5-digits.npz"
    state.write_bytes(other := wider(state.read_bytes()))
    with pytest.raises(CourseError, match="1 epochs of a run with another recipe.*--restart"):
        train("lenet5", "digits", project)
    assert state.read_bytes() == other


def wider(content: bytes) -> bytes:
    """The state with another shape of its last array."""
    with np.load(io.BytesIO(content)) as stored:
        arrays = dict(stored)
    last = max((name for name in arrays if name.startswith("v")), key=lambda name: int(name[1:]))
    arrays[last] = np.zeros((2, 3))
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_what_is_stored(project, tmp_path, monkeypatch):
    card = train("LeNet5", "digits", project)
    stored = json.loads((tmp_path / "data" / "weights" / "lenet5-digits.json").read_text())
    assert stored == json.loads(json.dumps(card, default=list))
    assert [row["rate"] for row in card["history"]] == pytest.approx([0.1, 0.1, 0.01])
    assert card["history"][-1]["loss"] < card["history"][0]["loss"]
    assert card["source"] == "scikit-learn digits" and "keras" in card["versions"]
    with open(project.measured / "weights.csv", newline="") as file:
        [row] = csv.DictReader(file)
    assert row["name"] == "lenet5-digits" and float(row["test_accuracy"]) == card["results"]["test_accuracy"]
    monkeypatch.setattr(weights, "data_path", lambda *parts: tmp_path.joinpath("data", *parts))
    model = weights.pretrained("lenet5-digits")
    assert [layer.name for layer in model.layers[:3]] == ["image", "normalize", "C1"]  # no augmentation
    assert np.abs(weights.probe(model) - card["probe"]).max() < 1e-6


BESIDE_THE_PAPER = """
network = "ResNet20"
paper_epochs = 164
store_weights = false

[training]
epochs = 1
batch_size = 16
optimizer = { class_name = "SGD", config = { learning_rate = 0.1 } }
precision = "mixed_bfloat16"
"""


def test_a_network_of_a_paper_stands_beside_it_and_need_not_be_stored(project, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    few = datasets.Split(rng.random((16, 32, 32, 3), dtype="float32"), np.arange(16) % 10)
    names = tuple("abcdefghij")
    images = datasets.Dataset(few, few, few, names, "random numbers", "cifar10")
    monkeypatch.setattr(datasets, "load", lambda name, **options: images)
    (tmp_path / "data" / "recipes" / "resnet20-cifar10.toml").write_text(BESIDE_THE_PAPER)
    card = train("resnet20", "cifar10", project)
    assert not (tmp_path / "data" / "weights").exists() and not (project.measured / "weights.csv").exists()
    assert json.loads((project.measured / "resnet20-cifar10.json").read_text())["results"] == card["results"]
    with open(project.measured / "cifar10.csv", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["parameters"], row["paper_error"]) == ("269722", "8.75")
    assert (row["epochs"], row["paper_epochs"], row["schedule"]) == ("1", "164", "shortened")
    assert row["precision"] == "mixed_bfloat16" and row["source"] == "random numbers"
    assert float(row["error"]) == pytest.approx(100 * (1 - card["results"]["test_accuracy"]), abs=0.01)
    assert keras.config.dtype_policy().name == "float32", "results are computed in full"


def test_weights_too_large_to_ship_are_refused_before_the_first_epoch(project, monkeypatch):
    monkeypatch.setattr(train_module, "LARGEST", 100_000)
    begun = []
    with pytest.raises(CourseError, match="at most 100,000 are shipped. With `store_weights = false`"):
        train("lenet5", "digits", project, on_epoch=begun.append)
    assert begun == []


def test_another_recipe_does_not_go_on_with_the_state_of_the_old_one(project, tmp_path):
    with pytest.raises(Interrupted):
        train("lenet5", "digits", project, on_epoch=interrupt_after(2))
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("seed = 4", "seed = 5"))
    with pytest.raises(CourseError, match="2 epochs of a run with another recipe.*--restart"):
        train("lenet5", "digits", project, recipe=other)
    begun = []
    noted = tmp_path / "noted.toml"
    noted.write_text(RECIPE + '\n[note]\nsource = "words change nothing"\n')
    train("lenet5", "digits", project, recipe=noted, on_epoch=begun.append)
    assert begun == [3]


def test_restart_begins_anew(project):
    with pytest.raises(Interrupted):
        train("lenet5", "digits", project, on_epoch=interrupt_after(2))
    begun = []
    train("lenet5", "digits", project, restart=True, on_epoch=begun.append)
    assert begun == [1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LeNet5", "LeNet6", "Did you mean 'LeNet5'"),
        ("size = 32", "size = 8", "at least 32"),
        ("epochs = 3", "epochs = 0", "epochs must be a whole number"),
        ('class_name = "SGD"', 'class_name = "SDG"', "SDG"),
    ],
)
def test_recipes_that_cannot_be_followed(project, tmp_path, old, new, message):
    (tmp_path / "data" / "recipes" / "lenet5-digits.toml").write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(CourseError, match=message):
        train("lenet5", "digits", project)
    assert not (tmp_path / "data" / "weights").exists()


def test_images_that_are_not_at_hand_are_not_called_a_fault_of_the_recipe(project, monkeypatch):
    def unavailable(name, **options):
        raise datasets.DatasetUnavailable("CIFAR-10 is not in the cache")

    monkeypatch.setattr(datasets, "load", unavailable)
    with pytest.raises(CourseError, match="^CIFAR-10 is not in the cache"):
        train("lenet5", "digits", project)


def test_an_unknown_recipe_gets_the_closest_name(project):
    with pytest.raises(CourseError, match="Did you mean 'lenet5-digits'"):
        train("lenet", "digits", project)


def test_the_command_is_there():
    result = CliRunner().invoke(app, ["train", "--help"])
    assert result.exit_code == 0 and "recipe" in result.output
