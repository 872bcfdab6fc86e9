"""`course train`: trains a network by its recipe and stores its weights, its card and its history.

A network whose paper tells its error on CIFAR-10 gets a row beside it in data/measured/cifar10.csv. One too
large to ship (`store_weights = false`) leaves its card in data/measured and no weights.

After every epoch the state is written to build/train/NAME.npz. A run that was interrupted goes on from there
and ends with the same weights, where two whole runs do (on a processor): the order of the images depends on
the seed and the epoch alone, and the state holds the optimizer's variables and the random seeds of dropout
and augmentation. Everything is computed in float32 unless the recipe says mixed_bfloat16; results always are.
"""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from course_lib import claims, datasets, devices, weights
from course_lib.accounting import totals
from course_lib.errors import unknown
from course_lib.progress import ProgressLine

from . import recipe as recipes
from .errors import CourseError
from .files import csv_text, read_csv, write_all
from .origin import origin
from .project import Project

LARGEST = 1_500_000  # bytes of a weights file
COLUMNS = (
    "name", "network", "dataset", "parameters", "epochs", "test_accuracy", "test_loss", "seconds", "bytes",
    "source", "versions", "machine", "date",
)  # fmt: skip
BESIDE_PAPERS = (
    "name", "network", "parameters", "epochs", "paper_epochs", "schedule", "error", "paper_error",
    "precision", "seconds", "source", "versions", "machine", "date",
)  # fmt: skip


@dataclass
class Run:
    """A training under way: what is written after each epoch."""

    model: keras.Model
    rows: list[dict[str, float]]
    seconds: float = 0.0

    def variables(self) -> list[keras.Variable]:
        """Everything that the next epoch depends on."""
        return [*self.model.variables, *self.model.optimizer.variables]


def train(
    network: str,
    data: str,
    project: Project,
    *,
    recipe: Path | None = None,
    restart: bool = False,
    console: Console | None = None,
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> dict[str, Any]:
    """Trains `network` on `data` and writes data/weights/NAME.npz, NAME.json and data/measured/weights.csv.

    (See the module for what else is written, and what is when the recipe stores no weights.)

    Args:
        network: the first half of the recipe's name, such as "stacknet".
        data: the second half, a data set of `datasets.load`.
        recipe: another recipe's file.
        restart: begin anew even where an interrupted run could go on.
        on_epoch: called with the number of epochs done after each of them.

    Returns:
        The card.

    Raises:
        CourseError: no such recipe, one that cannot be followed, a state of another run, or weights that are
            too large.
    """
    console = console or Console()
    name = f"{network.lower()}-{data}"
    chosen = recipes.read(recipe or _recipe_path(name, project))
    try:
        images = datasets.load(data, **chosen.data)
        run = _start(name, chosen, images)
    except (datasets.DatasetUnavailable, datasets.DatasetDamaged) as error:
        raise CourseError(str(error)) from None
    except (TypeError, ValueError) as error:
        raise CourseError(f"the recipe of {name} cannot be followed: {error}") from None
    if chosen.store_weights and (size := len(weights.pack(run.model))) > LARGEST:
        raise CourseError(
            f"{name}: {size:,} bytes of weights; at most {LARGEST:,} are shipped. With "
            "`store_weights = false` in its recipe it is trained, too, and only its results are stored."
        )
    state = project.build / "train" / f"{name}.npz"
    print_of_run = _fingerprint(chosen, images)
    if not restart and _resume(run, state, print_of_run):
        console.print(f"{name}: going on after epoch {len(run.rows)}.", highlight=False)
    _epochs(run, name, chosen, images, lambda: _save(run, state, print_of_run), on_epoch)
    card, packed = _finished(name, run, chosen, images)
    written = _files(card, packed, project) | _beside_the_paper(card, chosen, run.model, project)
    write_all(written)
    state.unlink(missing_ok=True)
    console.print(
        f"[green]✔[/] {next(iter(written)).relative_to(project.root)}, test accuracy "
        f"{card['results']['test_accuracy']:.4f} after {len(run.rows)} epochs ({run.seconds:.0f} s)",
        highlight=False,
    )
    return card


def _recipe_path(name: str, project: Project) -> Path:
    folder = project.root / "data" / "recipes"
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(found.stem for found in folder.glob("*.toml"))
        raise CourseError(f"{unknown('recipe', name, known)} They lie in data/recipes.")
    return path


def _start(name: str, recipe: recipes.Recipe, images: datasets.Dataset, precision: str | None = None) -> Run:
    """The network with its first weights, in the recipe's precision where no other is given."""
    devices.set_precision(precision or recipe.training.precision)
    keras.utils.set_random_seed(recipe.training.seed)
    model = weights.build_network(
        recipe.network,
        recipe.arguments,
        input_shape=images.train.images.shape[1:],
        classes=len(images.class_names),
        **_normalization(images),
        augmentation=recipe.training.augmentation,
        name=name,
    )
    model.compile(
        keras.optimizers.get(json.loads(json.dumps(recipe.training.optimizer))),  # a copy: Keras changes it
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.optimizer.build(model.trainable_variables)
    return Run(model, [])


def _normalization(images: datasets.Dataset) -> dict[str, list[float]]:
    """Mean and standard deviation of each channel of the training images, to six digits."""
    train = images.train.images
    mean, deviation = train.mean(axis=(0, 1, 2), dtype="float64"), train.std(axis=(0, 1, 2), dtype="float64")
    return {"mean": mean.round(6).tolist(), "deviation": deviation.round(6).tolist()}


def _epochs(run: Run, name: str, recipe, images, save: Callable, on_epoch: Callable[[int], None]) -> None:
    training, model = recipe.training, run.model
    count, size = len(images.train.images), training.batch_size
    steps = -(-count // size)
    first_rate = training.optimizer["config"]["learning_rate"]
    with ProgressLine(name, training.epochs * steps) as line:
        while (done := len(run.rows)) < training.epochs:
            begun = time.monotonic()
            factor = recipes.rate_factor(training.rate, training.epochs, run.rows)
            model.optimizer.learning_rate = first_rate * factor
            order = np.random.default_rng([training.seed, done]).permutation(count)

            def show(batch: int, logs: dict, done=done) -> None:
                note = f"epoch {done + 1}/{training.epochs} · loss {logs['loss']:.3g}"
                line.update(done * steps + batch + 1, note)

            logs = model.fit(
                images.train.images[order],
                images.train.labels[order],
                batch_size=size,
                shuffle=False,
                verbose=0,
                validation_data=images.validation,
                validation_batch_size=256,
                callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=show)],
            ).history
            row = {key: round(float(values[0]), 6) for key, values in logs.items()}
            run.rows.append({"epoch": done + 1, "rate": first_rate * factor} | row)
            run.seconds += time.monotonic() - begun
            save()
            on_epoch(done + 1)


# --- an interrupted run ----------------------------------------------------------------------------------


def _fingerprint(recipe: recipes.Recipe, images: datasets.Dataset) -> str:
    """A hash of the recipe, the images and the versions that compute."""
    change_no_weight = ("note", "paper_epochs", "store_weights")
    facts = recipe.as_dict() | dict.fromkeys(change_no_weight)
    content = [facts, images.source, images.train.images.shape, origin()["versions"]]
    return hashlib.sha256(json.dumps(content, default=list).encode()).hexdigest()


def _save(run: Run, path: Path, fingerprint: str) -> None:
    arrays = {f"v{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(run.variables())}
    facts = {"fingerprint": fingerprint, "rows": run.rows, "seconds": run.seconds}
    file = io.BytesIO()
    np.savez(file, facts=json.dumps(facts), **arrays)
    write_all({path: file.getvalue()})


def _resume(run: Run, path: Path, fingerprint: str) -> bool:
    """Take up the state of an interrupted run; False where there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            values = [stored[f"v{i}"] for i in range(len(stored.files) - 1)]
        mark, rows, seconds = facts["fingerprint"], facts["rows"], facts["seconds"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False
    variables = run.variables()
    if mark != fingerprint or [tuple(v.shape) for v in variables] != [value.shape for value in values]:
        raise CourseError(
            f"{path} holds {len(rows)} epochs of a run with another recipe, other images, other versions or "
            "another builder. Undo the change to go on with it; --restart begins anew and overwrites it."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    run.rows, run.seconds = rows, seconds
    return True


# --- the result ------------------------------------------------------------------------------------------


def _finished(name: str, run: Run, recipe: recipes.Recipe, images) -> tuple[dict[str, Any], bytes | None]:
    """The card and the packed weights. Results are in float32, and those of the rounded weights if stored."""
    if recipe.training.precision != "float32":
        exact = _start(name, recipe, images, "float32").model
        exact.set_weights(run.model.get_weights())
        run.model = exact
    packed, stored = None, {}
    if recipe.store_weights:
        packed = weights.pack(run.model)
        run.model.set_weights(weights.unpack(packed))
        stored = {"sha256": weights.digest(packed), "probe": weights.probe(run.model).tolist()}
    results = {}
    for part in ("validation", "test"):
        logs = run.model.evaluate(*getattr(images, part), batch_size=256, verbose=0, return_dict=True)
        results |= {f"{part}_{key}": round(float(value), 6) for key, value in logs.items()}
    card = {
        "name": name,
        "network": recipe.network,
        "arguments": recipe.arguments,
        "input_shape": images.train.images.shape[1:],
        "class_names": images.class_names,
        **_normalization(images),
        "parameters": run.model.count_params(),
        **stored,
        "results": results,
        "dataset": {"name": images.name, **recipe.data},
        "source": images.source,
        "training": recipe.as_dict()["training"],
        "history": run.rows,
        "seconds": round(run.seconds, 1),
        **origin(),
    }
    return card, packed


def _files(card: dict[str, Any], packed: bytes | None, project: Project) -> dict[Path, str | bytes]:
    """The weights with their card and their row of weights.csv, or the card alone: path -> content."""
    name, text = card["name"], json.dumps(card, indent=1, default=list) + "\n"
    if packed is None:
        return {project.measured / f"{name}.json": text}
    folder = project.root / "data" / "weights"
    row = {
        "epochs": len(card["history"]),
        "bytes": len(packed),
        **card["results"],
        **card,
        "dataset": card["dataset"]["name"],
    }
    table = project.measured / "weights.csv"
    return {
        folder / f"{name}.npz": packed,
        folder / f"{name}.json": text,
        table: _with_row(table, COLUMNS, row),
    }


def _beside_the_paper(
    card: dict[str, Any], recipe: recipes.Recipe, model: keras.Model, project: Project
) -> dict[Path, str]:
    """The table cifar10.csv with this run's row; {} where there is no published error to compare with."""
    found = [row for row in claims.published() if row["name"] == recipe.network and row["cifar10_error"]]
    if card["dataset"]["name"] != "cifar10" or recipe.arguments or not found:
        return {}
    epochs = len(card["history"])
    row = card | {
        "parameters": totals(model).trainable_params,
        "epochs": epochs,
        "paper_epochs": recipe.paper_epochs,
        "schedule": "shortened" if recipe.paper_epochs and epochs < recipe.paper_epochs else "whole",
        "error": f"{100 * (1 - card['results']['test_accuracy']):.2f}",
        "paper_error": found[0]["cifar10_error"],
        "precision": recipe.training.precision,
    }
    table = project.measured / "cifar10.csv"
    return {table: _with_row(table, BESIDE_PAPERS, row)}


def _with_row(table: Path, columns: Sequence[str], row: dict[str, Any]) -> str:
    """The text of a table with this row in the place of the one of the same name."""
    rows = [
        *(old for old in read_csv(table) if old["name"] != row["name"]),
        {key: row[key] for key in columns},
    ]
    return csv_text(columns, sorted(rows, key=lambda one: one["name"]))
