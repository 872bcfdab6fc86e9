"""Run a lesson's checks on answers written in a test: `Lesson("03_lenet5").state("count_c3", "def ...")`."""

import ast
import contextlib
import io
import linecache
import os
import re
import textwrap
from functools import cache
from pathlib import Path

import pytest

from course_lib import checks

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
_REGION = re.compile("### BEGIN SOLUTION.*?### END SOLUTION", re.DOTALL)
_HIDDEN = re.compile(r"^ *### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*$", re.DOTALL | re.MULTILINE)


class Lesson:
    """The exercises of a lesson, and what their checks say of answers planted in their place.

    Args:
        name: file name of the lesson without ending.
    """

    def __init__(self, name: str):
        self.name = name

    @property
    def exercises(self) -> list[str]:
        """Names of the exercises in code, in the lesson's order."""
        keys = [keys for keys, _ in _cells(SOLUTIONS / f"{self.name}.py")]
        return list(dict.fromkeys(k["exercise"] for k in keys if "exercise" in k))

    def solution(self, exercise: str) -> str:
        """The lesson's own answer."""
        return _cell(self.name, "exercise", exercise)

    def stub(self, exercise: str) -> str:
        """What the student finds: the answer is not there yet."""
        return _REGION.sub("raise NotImplementedError", self.solution(exercise))

    def changed(self, exercise: str, old: str, new: str, count: int = -1) -> str:
        """The lesson's own answer with one thing changed, everywhere or in the first `count` places."""
        answer = self.solution(exercise)
        assert old in answer, "the text to be replaced is not in the lesson's answer any more"
        return answer.replace(old, new, count)

    def body(self, exercise: str, lines: str) -> str:
        """The lesson's function with these lines as its body."""
        head = re.search(r"^def .*?:$", self.solution(exercise), re.DOTALL | re.MULTILINE)[0]
        return f"{head}\n{textwrap.indent(lines, '    ')}"

    def state(self, exercise: str, answer: str) -> str:
        """What grading says of an answer, hidden tests included: "passed", "failed" or "unanswered".

        Args:
            answer: source text that stands in the place of the exercise cell.
        """
        cell, namespace = _cell(self.name, "check", exercise), _answered(self.name, answer)
        try:
            _run(cell, namespace, raising=True)
        except NotImplementedError:
            return "unanswered"
        except Exception:
            return "failed"
        return "passed"

    def transcript(self, exercise: str, answer: str) -> str:
        """What a student with this answer reads under the check cell, which has no hidden tests there."""
        visible = _HIDDEN.sub("", _cell(self.name, "check", exercise))
        return _run(visible, _answered(self.name, answer), raising=False)

    def assert_passes(self, exercise: str, answer: str) -> None:
        """A right answer, however it is written."""
        assert self.state(exercise, answer) == "passed", self.transcript(exercise, answer)

    def assert_hinted(self, exercise: str, answer: str, words: str) -> None:
        """The answer fails, and the student reads these words."""
        assert self.state(exercise, answer) == "failed"
        assert words.lower() in self.transcript(exercise, answer).lower()

    def assert_only_hidden_tests_fail(self, exercise: str, answer: str) -> None:
        """The student reads "passed", and grading says otherwise."""
        assert self.state(exercise, answer) == "failed"
        assert "✔ passed" in self.transcript(exercise, answer), "the visible check sees it: name its hint"

    def assert_refused(self, exercise: str, right: str, wrong: str, words: str) -> None:
        """With `wrong` for `right` the lesson's answer fails with these words; "": in hidden tests only."""
        answer = self.changed(exercise, right, wrong, count=1)
        if words:
            self.assert_hinted(exercise, answer, words)
        else:
            self.assert_only_hidden_tests_fail(exercise, answer)


def cases(wrong: dict[str, list[tuple[str, str, str, str]]]) -> list:
    """Parameters for `assert_refused`, from exercise -> rows of (what is wrong, right, wrong, words)."""
    rows = ((exercise, row) for exercise, found in wrong.items() for row in found)
    return [pytest.param(exercise, *row[1:], id=f"{exercise}: {row[0]}") for exercise, row in rows]


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
