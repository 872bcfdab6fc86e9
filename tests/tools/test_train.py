"""`course train`: the recipe is followed, and an interrupted run ends like an uninterrupted one."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from course_lib import weights
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


class Interrupted(Exception):
    pass


@pytest.fixture
def project(tmp_path) -> Project:
    (tmp_path / "data" / "recipes").mkdir(parents=True)
    (tmp_path / "data" / "recipes" / "lenet5-digits.toml").write_text(RECIPE)
    return Project(tmp_path)


def interrupt_after(number: int):
    def stop(epoch: int) -> None:
        if epoch == number:
            raise Interrupted

    return stop


def test_an_interrupted_run_ends_like_an_uninterrupted_one(project, tmp_path):
    whole = train("lenet5", "digits", project)
    assert (tmp_path / "data" / "weights" / "lenet5-digits.npz").is_file()
    for epoch in (1, 2):
        with pytest.raises(Interrupted):
            train("lenet5", "digits", project, on_epoch=interrupt_after(epoch))
    resumed = train("lenet5", "digits", project)
    assert resumed["sha256"] == whole["sha256"]
    assert resumed["history"] == whole["history"]
    assert not (tmp_path / "build" / "train" / "lenet5-digits.npz").exists()


def test_a_state_that_does_not_fit_is_left_alone(project, tmp_path):
    """Cut off, or of another network since its builder changed: the run starts anew, from its seed."""
    whole = train("lenet5", "digits", project)
    for damage in (lambda content: content[:2000], lambda content: b"", wider):
        with pytest.raises(Interrupted):
            train("lenet5", "digits", project, on_epoch=interrupt_after(1))
        state = tmp_path / "build" / "train" / "lenet5-digits.npz"
        state.write_bytes(damage(state.read_bytes()))
        assert train("lenet5", "digits", project)["sha256"] == whole["sha256"]


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


def test_another_recipe_does_not_go_on_with_the_state_of_the_old_one(project, tmp_path):
    with pytest.raises(Interrupted):
        train("lenet5", "digits", project, on_epoch=interrupt_after(1))
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("seed = 4", "seed = 5"))
    begun = []
    train("lenet5", "digits", project, recipe=other, on_epoch=begun.append)
    assert begun == [1, 2, 3]


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


def test_an_unknown_recipe_gets_the_closest_name(project):
    with pytest.raises(CourseError, match="Did you mean 'lenet5-digits'"):
        train("lenet", "digits", project)


def test_the_command_is_there():
    result = CliRunner().invoke(app, ["train", "--help"])
    assert result.exit_code == 0 and "recipe" in result.output
