"""`course atlas`: every architecture counted from its graph, as a table, as CSV and Markdown, and drawn.

No weights are allocated, so that networks of a hundred million parameters take no memory.
"""

import gc
import io
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .files import csv_text, write_all
from .project import Project

BATCH = 32  # images in the training step whose memory is given, in float32 with momentum
ERRORS = ("imagenet_top1_error", "imagenet_top5_error", "cifar10_error", "mnist_error")
COLUMNS = (
    "name", "builder", "family", "year", "dataset", "input_size", "params", "trainable_params", "macs",
    "activations", "training_memory", "receptive_field", "weight_layers", *ERRORS,
)  # fmt: skip
LEFT = ("name", "input")  # columns that begin on the left
CSV, MARKDOWN, PICTURE = "data/atlas.csv", "docs/atlas.md", "docs/pictures/architectures.png"
DPI = 130
ALT = (
    "Every network of the course as a silhouette, year by year. Blue steps upwards show how the maps shrink "
    "from layer to layer, orange steps downwards how their number grows, and the length is the depth: from "
    "LeNet-5 with 5 layers to DenseNet-264 with 265."
)
HEADS = {
    "name": "network",
    "year": "year",
    "input": "input",
    "params": "parameters",
    "macs": "MACs",
    "activations": "activations",
    "memory": "memory",
    "field": "field",
    "layers": "layers",
    "error": "error %",
}
TEXT = f"""\
# The atlas of the architectures

`course atlas` writes this page, `{CSV}` and the picture below. All figures but the last column are counted
from the network's graph, at the input size of its paper.

![{ALT}]({PICTURE.removeprefix("docs/")})

* **parameters**: those that are trained. Moving statistics of normalization and other fixed numbers come on
  top: column `params` of the CSV file.
* **MACs**: multiply-adds of one image in convolutions and dense layers.
* **activations**: values that the layers put out for one image.
* **memory**: of a training step with {BATCH} images, in GB (10^9 bytes): parameters, gradients, momentum,
  activations and their gradients, all in float32.
* **field**: the side of the receptive field of the last maps, in pixels of the image. It is larger than the
  image where windows reach into the padding; "image": squeeze and excitation lets each unit see all of it.
* **layers**: layers with weights on the longest way through the network. The names of the WRN for CIFAR-10
  count their three shortcuts, too, but not the dense layer; the name of DenseNet-264 is a slip of its paper.
* **error %**: as published, top-1 / top-5 on ImageNet, or of the test images of CIFAR-10 and MNIST.
  `data/README.md` says how they were measured, and which of them were looked up again.

"""


@dataclass(frozen=True)
class Network:
    """A row of the atlas, with the keys of `COLUMNS`, and the network's silhouette."""

    row: dict[str, object]
    silhouette: list[tuple[int, ...]]


def plan() -> list[tuple[str, object]]:
    """What the atlas holds, in the order of the catalogue: name and entry, variants behind their builder."""
    from course_lib.architectures import ARCHITECTURES, GENERAL, entry
    from course_lib.architectures.entries import entries

    chosen = []
    for name in ARCHITECTURES:
        if name not in GENERAL:
            first = entry(name)
            chosen.append((name, first))
            chosen += [(e.name, e) for e in entries() if e.builder == name and e is not first]
    return chosen


def count(name: str, entry) -> Network:
    """Builds one network without weights and counts it."""
    from course_lib import accounting
    from course_lib.architectures import build

    with accounting.unallocated():
        model = build(entry.builder, **entry.arguments)
    seen = accounting.overview(model)
    totals, field = seen.totals, seen.receptive_field
    row = {key: getattr(entry, key) for key in ("builder", "family", "year", "dataset")}
    row |= {
        "name": name,
        "input_size": "x".join(map(str, model.input_shape[1:])),
        "params": totals.params,
        "trainable_params": totals.trainable_params,
        "macs": totals.macs,
        "activations": totals.activations,
        "training_memory": accounting.training_memory(model, batch_size=BATCH).total,
        "receptive_field": field and (field.size if field.stride else "image"),
        "weight_layers": seen.weight_layers,
    }
    return Network(row | {key: entry.errors.get(key) for key in ERRORS}, seen.silhouette)


def percent(value: float | None) -> str:
    """At least one decimal; a dash for what is not known."""
    return "–" if value is None else f"{value:g}" if value % 1 else f"{value:.1f}"


def shown(row: dict[str, object], number: Callable[[float], str]) -> dict[str, str]:
    """A row as people read it, with the keys of `HEADS`; `number` writes parameters and MACs."""
    from course_lib.plotting.style import compact

    top1, top5, *others = (row[key] for key in ERRORS)
    if top1 is not None or top5 is not None:
        error = f"{percent(top1)} / {percent(top5)}"
    else:
        error = percent(next((value for value in others if value is not None), None))
    return {
        "name": str(row["name"]),
        "year": str(row["year"]),
        "input": str(row["input_size"]),
        "params": number(row["trainable_params"]),
        "macs": number(row["macs"]),
        "activations": compact(row["activations"]),
        "memory": f"{row['training_memory'] / 1e9:.2f}",
        "field": str(row["receptive_field"] or "–"),
        "layers": str(row["weight_layers"]),
        "error": error,
    }


def markdown(rows: list[dict[str, object]]) -> str:
    """The page `docs/atlas.md`, with exact counts."""
    lines = [
        "| " + " | ".join(HEADS.values()) + " |",
        "| " + " | ".join("---" if key in LEFT else "---:" for key in HEADS) + " |",
        *("| " + " | ".join(shown(row, "{:,}".format).values()) + " |" for row in rows),
    ]
    return TEXT + "\n".join(lines) + "\n"


def table(rows: list[dict[str, object]]) -> str:
    """The same for a terminal, with rounded counts."""
    from course_lib.plotting.style import compact
    from course_lib.tables import Table

    align = {key: "left" if key in LEFT else "right" for key in HEADS}
    return repr(Table([shown(row, compact) for row in rows], HEADS, align=align))


def picture(found: list[Network]) -> bytes:
    """All networks that are no variants of another one, by year, to one scale: a PNG file's bytes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from course_lib.plotting import silhouette_grid
    from course_lib.plotting.style import compact

    drawn = [
        {
            "name": row["name"],
            "group": row["year"],
            "caption": f"{compact(row['trainable_params'])} params\n{compact(row['macs'])} MACs",
            "silhouette": silhouette,
        }
        for row, silhouette in ((network.row, network.silhouette) for network in found)
        if row["name"] == row["builder"]
    ]
    drawn.sort(key=lambda row: row["group"])  # within a year in the order of the catalogue
    with plt.style.context("default"):
        figure = silhouette_grid(drawn, title="The architectures of the course", example="VGG16")
        file = io.BytesIO()
        try:
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        finally:
            plt.close(figure)
    return file.getvalue()


def count_all(on_each: Callable[[int, str], None] = lambda number, name: None) -> list[Network]:
    """Counts all of `plan()`; `on_each` gets the number and the name of each network before its turn.

    Meanwhile Python does not look for cycles of garbage: it would search the growing graphs again and again,
    a third of the time. The graphs of all networks together take half a gigabyte.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        found = []
        for number, (name, entry) in enumerate(plan()):
            on_each(number, name)
            found.append(count(name, entry))
        return found
    finally:
        if collecting:
            gc.enable()


def atlas(project: Project, *, write: bool = True, console: Console | None = None) -> list[Network]:
    """Counts all architectures, prints their table, and writes the CSV file, the page and the picture."""
    console = console or Console()
    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Keras starts", total=None)
        bar.update(task, total=len(plan()))
        found = count_all(lambda number, name: bar.update(task, description=name, completed=number))
    rows = [network.row for network in found]
    console.print(table(rows), highlight=False, soft_wrap=True, markup=False)
    if write:
        files = {CSV: csv_text(COLUMNS, rows), MARKDOWN: markdown(rows), PICTURE: picture(found)}
        write_all({project.root / name: content for name, content in files.items()})
        for name in files:
            console.print(f"[green]✔[/] {name}", highlight=False)
    return found
