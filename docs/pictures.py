"""Takes the README's pictures from the built lessons: `python docs/pictures.py`.

A picture is found by the beginning of its alternative text, so the README shows what a lesson really drew.
"""

import base64
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {  # file in docs/pictures -> lesson, beginning of the alternative text
    "lenet5.png": ("00_start_here", "LeNet-5 as a row of boxes"),
    "atlas.png": ("00_start_here", "A chart of networks"),
    "filters.png": ("01_convolution", "Six pictures of a temple"),
    "printing.png": ("03_lenet5", "Three rows of ten pictures"),
    "starts.png": ("06_initialization", "Training loss by epoch for nine starts"),
    "degradation.png": ("09_resnet", "Two panels of training loss over the epochs"),
    "resnet20.png": ("09_resnet", "Two panels over the 36 epochs"),
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


if __name__ == "__main__":
    for name, place in PICTURES.items():
        (ROOT / "docs" / "pictures").mkdir(exist_ok=True)
        (ROOT / "docs" / "pictures" / name).write_bytes(picture(*place))
        print(f"docs/pictures/{name}")
