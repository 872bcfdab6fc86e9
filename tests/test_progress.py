"""The progress bar: what it shows, that it vanishes, and that a notebook with it can be compared."""

import io
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from course_lib import progress as module
from course_lib.progress import ProgressLine, progress


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


class Screen:
    """Records what is drawn."""

    def __init__(self):
        self.drawn = []

    def draw(self, label, done, total, text):
        self.drawn.append((label, done, total, text))

    def erase(self):
        self.drawn.append("erased")


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(module, "in_kernel", lambda: True)
    monkeypatch.setattr(module, "_Notebook", lambda: screen)
    return screen


def test_items_pass_through_unchanged(screen):
    assert list(progress((n for n in "abc"), "letters", total=3)) == ["a", "b", "c"]
    assert list(progress([], "nothing")) == []


def test_estimate_and_note(screen, clock):
    line = ProgressLine("train", 10)
    for done, seconds in [(1, 30), (2, 1), (6, 4)]:  # the first step is slow and does not spoil the estimate
        clock.now += seconds
        line.update(done, f"loss {done}")
    line.close()
    assert screen.drawn == [
        ("train", 0, 10, "0 s"),
        ("train", 1, 10, "30 s · about 4 min 30 s left · loss 1"),
        ("train", 2, 10, "31 s · about 8 s left · loss 2"),
        ("train", 6, 10, "35 s · about 4 s left · loss 6"),
        "erased",
    ]


def test_steps_that_come_too_fast_are_not_all_drawn(screen, clock):
    """The test moves the clock itself: 1,000 steps, of which every 20th or 21st is drawn, and the last."""
    with ProgressLine("fast", 1000) as line:
        for done in range(1, 1001):
            clock.now += 0.01
            line.update(done)
    steps = [row[1] for row in screen.drawn[:-1]]
    assert steps[0] == 0 and steps[-1] == 1000
    assert {after - before for before, after in zip(steps, steps[1:-1], strict=False)} <= {20, 21}


def test_unknown_total_has_no_estimate(screen, clock):
    for _ in progress(iter("ab"), "letters"):
        clock.now += 3
    assert screen.drawn[1:] == [("letters", 1, None, "3 s"), ("letters", 2, None, "6 s"), "erased"]


def test_erased_when_the_loop_breaks_or_fails(screen):
    for _ in progress(range(3), "break"):
        break
    assert screen.drawn[-1] == "erased"
    screen.drawn.clear()
    with pytest.raises(ZeroDivisionError):
        sum(1 // (n - 1) for n in progress(range(3), "fail"))
    assert screen.drawn[-1] == "erased"


def test_terminal_line_is_short_and_erased(monkeypatch, clock):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "60")
    for _ in progress(range(4), "squares"):
        clock.now += 2
    lines = stream.getvalue().split("\r")
    assert lines[1].startswith("squares [....................] 0/4 · 0 s")
    assert lines[3].startswith("squares [##########..........] 2/4 · 4 s · about 4 s left")
    assert max(map(len, lines)) < 60 and "\n" not in stream.getvalue()
    assert lines[-2].isspace() and lines[-1] == ""


def test_silent_without_terminal_or_kernel(capsys):
    list(progress(range(3), "quiet"))
    assert capsys.readouterr() == ("", "")


def test_ipython_is_not_imported():
    code = (
        "import sys; from course_lib.progress import progress; list(progress([1], 'x'));"
        "print('IPython' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "False\n"


def test_notebook_bar_is_escaped(monkeypatch):
    shown = []
    bar = module._Notebook.__new__(module._Notebook)
    monkeypatch.setattr(bar, "_show", shown.append, raising=False)
    bar.draw("a < b", 3, 10, "loss <1")
    assert shown == [
        '<div class="course-progress"><b>a &lt; b</b> '
        '<progress value="3" max="10" aria-label="a &lt; b"></progress> 3/10 · loss &lt;1</div>'
    ]


def test_notebook_run_compares_strictly_and_keeps_no_time(tmp_path):
    source = (
        "import time\nfrom course_lib.progress import progress\nprint('before')\n"
        "for n in progress(range(4), 'sleeping'):\n    time.sleep(0.1)\nprint('after', n)"
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("1 + 1")]
    )
    shown = []

    class Client(NotebookClient):
        def process_message(self, message, cell, index):
            shown.append(message["content"].get("data", {}).get("text/html", ""))
            return super().process_message(message, cell, index)

    Client(notebook, record_timing=False).execute()
    assert any("left" in text for text in shown)
    cell = notebook.cells[0]
    bars = [output for output in cell.outputs if output.get("metadata") == module.METADATA]
    assert [output.data for output in bars] == [{"text/html": ""}]

    cell.outputs = [output for output in cell.outputs if output not in bars]
    assert "".join(output.text for output in cell.outputs) == "before\nafter 3\n"
    assert not re.search(r"\d+ s\b", str(cell.outputs))
    path = tmp_path / "bar.ipynb"
    nbformat.write(notebook, path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-cell-timeout=60",
        "-p",
        "no:cacheprovider",
        str(path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout
