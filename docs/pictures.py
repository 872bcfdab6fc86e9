"""Makes the README's pictures: `python docs/pictures.py`.

Most come from the built lessons, found by the beginning of their alternative text, so that they are what a
lesson really drew. `cifar10.png` is drawn here, from data/measured/cifar10.csv and data/published.csv.
"""

import base64
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat

import course_lib
from course_lib import claims
from course_lib.plotting import COLORS

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {  # file in docs/pictures -> lesson, beginning of the alternative text
    "lenet5.png": ("00_start_here", "LeNet-5 as a row of boxes"),
    "atlas.png": ("00_start_here", "A chart of networks"),
    "filters.png": ("01_convolution", "Six pictures of a temple"),
    "printing.png": ("03_lenet5", "Three rows of ten pictures"),
    "starts.png": ("06_initialization", "Training loss by epoch for nine starts"),
    "degradation.png": ("09_resnet", "Two panels of training loss over the epochs"),
    "resnet20.png": ("09_resnet", "Two panels over the 80 epochs"),
}


def picture(lesson: str, beginning: str) -> bytes:
    """The PNG of the one picture in the lesson whose alternative text begins so."""
    notebook = nbformat.read(ROOT / "solutions" / f"{lesson}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [
        output.data["image/png"]
        for output in outputs
        if output.get("metadata", {}).get("image/png", {}).get("alt", "").startswith(beginning)
    ]
    if len(found) != 1:
        raise SystemExit(f"{lesson}: {len(found)} pictures begin with {beginning!r}; name exactly one.")
    return base64.b64decode(found[0])


def beside_the_papers(path: Path) -> None:
    """Draws the error on CIFAR-10 that was measured beside the published one, a line for each network."""
    with open(ROOT / "data" / "measured" / "cifar10.csv", newline="", encoding="utf-8") as file:
        measured = {row["network"]: row for row in csv.DictReader(file)}
    families = ("ResNet", "WRN")
    published = [
        row for row in claims.published() if row["cifar10_error"] and row["name"].startswith(families)
    ]
    rows = [row for row in published if row["params"] and row["name"] == row["builder"]]
    rows.sort(key=lambda row: row["params"])
    with plt.style.context(Path(course_lib.__file__).with_name("course.mplstyle")):
        figure, ax = plt.subplots(figsize=(8, 0.6 + 0.38 * len(rows)))
        errors = [row["cifar10_error"] for row in rows]
        ax.plot(errors, range(len(rows)), "o", color=COLORS["blue"], label="published")
        mine = {line: measured[row["name"]] for line, row in enumerate(rows) if row["name"] in measured}
        own = [float(row["error"]) for row in mine.values()]
        ax.plot(own, list(mine), "D", color=COLORS["vermillion"], label="measured with this kit")
        for (line, row), error in zip(mine.items(), own, strict=True):
            ax.plot([errors[line], error], [line, line], color="#B3B3B3", zorder=0)
            told = f"{row['epochs']} of {row['paper_epochs']} epochs; {row['source'].partition(', ')[2]}"
            ax.text(error, line - 0.2, f"{error} %: {told}", ha="right", va="bottom", fontsize=9)
        ax.set_yticks(range(len(rows)), [f"{row['name']}, {row['params'] / 1e6:.2g} M" for row in rows])
        ax.set(
            ylim=(len(rows) - 0.5, -0.9), xlim=(0, None), xlabel="error on the test images of CIFAR-10 (%)"
        )
        ax.legend(loc="lower right")
        figure.savefig(path)
        plt.close(figure)


if __name__ == "__main__":
    for name, place in PICTURES.items():
        (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
        (ROOT / "docs" / "pictures" / name).write_bytes(picture(*place))
        print(f"docs/pictures/{name}")
    beside_the_papers(ROOT / "docs" / "pictures" / "cifar10.png")
    print("docs/pictures/cifar10.png")
