"""Run a lesson's check on an answer written in a test: `state("03_lenet5", "count_c3", "def ...")`."""

import ast
import contextlib
import io
import linecache
import os
import re
import textwrap
from functools import cache
from pathlib import Path

from course_lib import checks

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
_HIDDEN = re.compile(r"^ *### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*$", re.DOTALL | re.MULTILINE)


def state(lesson: str, exercise: str, answer: str) -> str:
    """What grading says of an answer, hidden tests included: "passed", "failed" or "unanswered".

    Args:
        lesson: file name of the lesson without ending.
        exercise: name of the exercise.
        answer: source text that stands in the place of the exercise cell.
    """
    cell, namespace = _cell(lesson, "check", exercise), _answered(lesson, answer)
    try:
        _run(cell, namespace, raising=True)
    except NotImplementedError:
        return "unanswered"
    except Exception:
        return "failed"
    return "passed"


def transcript(lesson: str, exercise: str, answer: str) -> str:
    """What a student with this answer reads under the check cell, which has no hidden tests there."""
    visible = _HIDDEN.sub("", _cell(lesson, "check", exercise))
    return _run(visible, _answered(lesson, answer), raising=False)


def solution(lesson: str, exercise: str) -> str:
    """The lesson's own answer: a test can plant a mistake with `solution(...).replace("+ bias", "")`."""
    return _cell(lesson, "exercise", exercise)


def _answered(lesson: str, answer: str) -> dict:
    namespace = {"__name__": "__main__"}
    _run(_imports(lesson), namespace, raising=False)
    _run(textwrap.dedent(answer), namespace, raising=False)
    return namespace


def _run(source: str, namespace: dict, *, raising: bool) -> str:
    name = f"<planted {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # messages quote the line
    printed, before = io.StringIO(), checks._RAISE
    log = os.environ.pop("COURSE_CHECK_LOG", None)
    checks._RAISE = raising
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, name, "exec"), namespace)
    finally:
        checks._RAISE = before
        if log is not None:
            os.environ["COURSE_CHECK_LOG"] = log
    return printed.getvalue()


@cache
def _cells(path: Path) -> list[tuple[dict[str, str], str]]:
    """The code cells of a lesson: the keys of the header line and the source."""
    parts = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    cells = zip(parts[::2], parts[1::2], strict=True)
    return [
        (dict(re.findall(r'(\w+)="([^"]*)"', head)), body) for head, body in cells if "[markdown]" not in head
    ]


def _cell(lesson: str, kind: str, exercise: str) -> str:
    found = [body for keys, body in _cells(SOLUTIONS / f"{lesson}.py") if keys.get(kind) == exercise]
    if not found:
        raise ValueError(f"{lesson} has no code cell with {kind}={exercise!r}.")
    return "\n".join(found)


@cache
def _imports(lesson: str) -> str:
    trees = (ast.parse(body) for _, body in _cells(SOLUTIONS / f"{lesson}.py"))
    nodes = (node for tree in trees for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)))
    return "\n".join(map(ast.unparse, nodes))
