"""What of an executed notebook's outputs is kept: only what is the same tomorrow."""

import base64
import io

from nbformat.notebooknode import NotebookNode
from PIL import Image  # matplotlib needs Pillow, so it is always there

from .errors import CourseError
from .project import Lesson

KEPT_TYPES = ("text/plain", "text/html", "text/markdown", "image/png")


def clean(notebook: NotebookNode, lesson: Lesson, *, for_storage: bool) -> None:
    """Drops progress bars and gives every picture its alternative text, in place.

    With `for_storage` the outputs of cells marked `machine` go too, pictures take fewer bytes, and what must
    not be stored is refused.

    Raises:
        CourseError: (`for_storage`) a cell writes to stderr, or its pictures and alt texts differ in number.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        keys = cell.metadata.get("course", {})
        where = f"solutions/{lesson.source.name} (cell {number})"
        cell.outputs = [o for o in cell.outputs if o.get("metadata", {}).get("course") != "progress"]
        if for_storage and "machine" in keys:
            cell.outputs = []
        for output in cell.outputs:
            if for_storage and output.output_type == "stream" and output.name == "stderr":
                text = output.text.strip()[:200]
                raise CourseError(f"{where} writes to stderr: {text!r}. Mend what it warns of.")
            if "data" in output:
                output.data = {kind: value for kind, value in output.data.items() if kind in KEPT_TYPES}
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        texts = [text.strip() for text in keys.get("alt", "").split(" | ") if text.strip()]
        if for_storage and len(pictures) != len(texts):
            raise CourseError(
                f"{where} draws {len(pictures)} picture(s) and has {len(texts)} alt text(s): "
                'add alt="what the picture shows" to its header, " | " between several.'
            )
        for picture, text in zip(pictures, texts, strict=False):
            picture.metadata["image/png"] = {"alt": text}
            if for_storage:
                picture.data["image/png"] = small_picture(picture.data["image/png"])


def picture_alt(output: NotebookNode) -> str:
    """A picture's alternative text."""
    return output.metadata.get("image/png", {}).get("alt", "")


def small_picture(png: str) -> str:
    """A picture (PNG, base64) with at most 256 colours: half the bytes, and hardly a visible difference."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    smaller = base64.b64encode(file.getvalue()).decode()
    return min(smaller, png, key=len)
