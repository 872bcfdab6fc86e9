"""Recipes: what is missing or makes no sense is named, and the learning rate falls as the recipe says."""

import doctest

import pytest

from course_lib import weights
from course_tools import recipe as recipes
from course_tools.errors import CourseError
from course_tools.project import Project

TEXT = """
network = "LeNet5"

[data]
size = 32

[training]
epochs = 3
batch_size = 32
optimizer = { class_name = "SGD", config = { learning_rate = 0.1, momentum = 0.9 } }
rate = { kind = "steps", at = [2], factor = 0.1 }
"""
RATE = '{ kind = "steps", at = [2], factor = 0.1 }'


def read(tmp_path, text: str) -> recipes.Recipe:
    path = tmp_path / "lenet5-digits.toml"
    path.write_text(text, encoding="utf-8")
    return recipes.read(path)


def test_what_is_left_out_has_a_default(tmp_path):
    recipe = read(tmp_path, TEXT.replace(f"rate = {RATE}", ""))
    assert (recipe.network, recipe.data, recipe.arguments) == ("LeNet5", {"size": 32}, {})
    assert recipe.training.rate == {"kind": "constant"} and recipe.training.seed == 0
    assert recipe.as_dict()["training"]["epochs"] == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 3", "epochs = 0", "epochs must be a whole number"),
        ("epochs = 3", "epochs = true", "epochs must be a whole number"),
        ("epochs = 3", "epoch = 3", "Did you mean 'epochs'"),
        ("batch_size = 32", "", r"The \[training\] needs an entry 'batch_size'"),
        ("batch_size = 32", 'batch_size = 32\nseed = "a"', "seed must be a whole number"),
        ("batch_size = 32", 'batch_size = 32\nprecision = "bfloat16"', "Did you mean 'mixed_bfloat16'"),
        ('network = "LeNet5"', 'network = "LeNet5"\npaper_epochs = 0', "paper_epochs must be a whole number"),
        ('network = "LeNet5"', 'network = "LeNet5"\nstore_weights = "no"', "Unknown store_weights: 'no'"),
        ('network = "LeNet5"', "", "The recipe needs an entry 'network'"),
        ("[data]", "[dat]", "Did you mean 'data'"),
        (", factor = 0.1 }", " }", "takes at, factor"),
        ("steps", "step", "Did you mean 'steps'"),
        ("at = [2]", "at = 2", "at of the rate must be a tuple of one or more whole numbers"),
        ("factor = 0.1", "factor = 0", "factor of the rate must be a number above 0"),
        (RATE, '"constant"', "rate must be a table. Received: 'constant'"),
        (
            RATE,
            '{ kind = "plateau", metric = "accuracy", patience = 2, factor = 0.1 }',
            "Unknown metric of the rate: 'accuracy'",
        ),
        ('{ class_name = "SGD", config = { learning_rate = 0.1, momentum = 0.9 } }', '"SGD"', "a table"),
        ("learning_rate = 0.1,", "", "learning_rate"),
        ('class_name = "SGD", ', "", "a class_name and a config"),
        ("config = { learning_rate = 0.1, momentum = 0.9 }", 'config = "x"', "a class_name and a config"),
        ("[training]", "[training", "no TOML file"),
    ],
)
def test_recipes_that_make_no_sense(tmp_path, old, new, message):
    assert TEXT.count(old) == 1
    with pytest.raises(CourseError, match=message):
        read(tmp_path, TEXT.replace(old, new))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CourseError, match="cannot read the recipe .*none.toml"):
        recipes.read(tmp_path / "none.toml")


def test_the_examples_hold():
    found = doctest.testmod(recipes)
    assert found.attempted and not found.failed


def test_cosine_falls_to_nothing():
    factors = [recipes.rate_factor({"kind": "cosine"}, 4, [{}] * n) for n in range(5)]
    assert factors == pytest.approx([1, 0.853553, 0.5, 0.146447, 0], abs=1e-5)


def test_plateau_waits_again_after_each_fall():
    rows = [{"val_loss": loss} for loss in (1, 1, 1, 1, 1)]
    rate = {"kind": "plateau", "metric": "val_loss", "patience": 2, "factor": 0.5}
    assert [recipes.rate_factor(rate, 9, rows[:n]) for n in range(6)] == [1, 1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    "path", sorted((Project().root / "data" / "recipes").glob("*.toml")), ids=lambda p: p.stem
)
def test_the_kits_own_recipes_can_be_read(path):
    assert recipes.read(path).network in weights.BUILDERS
