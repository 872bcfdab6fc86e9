"""Makes submissions for the tests: the released notebook with answers written into it."""

import copy
import json
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LESSON = "03_lenet5"
POINTS = {
    "lenet_images": 1,
    "count_c3": 2,
    "rbf_scores": 2,
    "subsample": 2,
    "build_lenet5": 3,
    "modernize": 3,
}


@cache
def _read(folder: str, lesson: str) -> str:
    return (ROOT / folder / f"{lesson}.ipynb").read_text(encoding="utf-8")


def released(lesson: str = LESSON) -> dict:
    """The students' notebook."""
    return json.loads(_read("notebooks", lesson))


@cache
def solutions(lesson: str = LESSON) -> dict[str, str]:
    """The right answers by exercise, as a student would write them."""
    marks = re.compile(r" *### (BEGIN|END) SOLUTION\n?")
    return {
        cell["id"]: marks.sub("", "".join(cell["source"]))
        for cell in json.loads(_read("solutions", lesson))["cells"]
        if "exercise" in cell["metadata"].get("course", {})
    }


def cell(notebook: dict, key: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell.get("id") == key)


def filled(answers: dict[str, str], lesson: str = LESSON) -> dict:
    """The students' notebook with these answers."""
    notebook = released(lesson)
    for name, text in answers.items():
        cell(notebook, name)["source"] = text
    return notebook


def right(*names: str, lesson: str = LESSON) -> dict[str, str]:
    """The right answers of these exercises; of all when none is named."""
    return {name: text for name, text in solutions(lesson).items() if not names or name in names}


def code(source: str, **more) -> dict:
    """A code cell of the student's own."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    } | more


def before(notebook: dict, key: str, *cells: dict) -> dict:
    """A copy with cells put in front of another."""
    notebook = copy.deepcopy(notebook)
    place = next(i for i, c in enumerate(notebook["cells"]) if c.get("id") == key)
    notebook["cells"][place:place] = cells
    return notebook


def data(notebook: dict) -> bytes:
    return json.dumps(notebook).encode()


def put(path: Path, content: dict | bytes | str) -> Path:
    """Writes a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = data(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
