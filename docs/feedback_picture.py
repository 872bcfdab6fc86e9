"""Draws the README's picture of a feedback page: `python docs/feedback_picture.py` (needs Chromium).

Grades an invented lesson 3, in which one answer forgets the biases, and photographs part of the page.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from course_tools.grading.run import grade
from course_tools.project import Project

LESSON = "03_lenet5"
ANSWERS = {
    "count_c3": (
        "def count_c3(table, size=5):\n"
        '    """Number of trained parameters of a partly connected convolution."""\n'
        "    return int(table.sum()) * size * size"
    ),
    "rbf_scores": (
        "def rbf_scores(features, targets):\n"
        '    """Minus the squared distance of each feature vector (N, D) to each target (classes, D)."""\n'
        "    return -((features[:, None] - targets[None]) ** 2).sum(axis=2)"
    ),
}
WIDTH, HEIGHT = 1000, 3000
BLOCK = '<div class="exercise">'


def main() -> None:
    project = Project()
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not browser:
        raise SystemExit("Install Chromium to draw the picture.")
    notebook = json.loads((project.root / f"notebooks/{LESSON}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = ANSWERS.get(cell["id"], cell["source"])
    target = project.root / "docs" / "pictures" / "feedback.png"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "in" / f"Anna Example_{LESSON}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        grade(folder / "in", project, out=folder / "out")
        page = folder / "out" / "feedback" / "Anna Example.html"
        head, *blocks = page.read_text(encoding="utf-8").split(BLOCK)
        shown = [block for block in blocks if any(f">{name}<" in block for name in ANSWERS)]
        page.write_text(BLOCK.join([head, *shown]), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += [f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={folder / 'page.png'}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(folder / "page.png") as picture:
            colours = picture.convert("RGB")
            white = Image.new("RGB", colours.size, "white")
            bottom = ImageChops.difference(colours, white).getbbox()[3] + 20
            colours = colours.crop((0, 0, WIDTH, bottom)).quantize(64, dither=Image.Dither.NONE)
            colours.save(target, optimize=True)
    print(target.relative_to(project.root))


if __name__ == "__main__":
    main()
