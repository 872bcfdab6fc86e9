"""All hostile submissions in one batch with ten honest ones: each gets its outcome, and nothing else suffers.

Where bubblewrap works, the whole batch is graded inside the sandbox, and the part that tests the limits again
without it. Where it does not, the whole batch is graded without it.
"""

import contextlib
import csv
import hashlib
import io
import socket
import tempfile
from pathlib import Path

import psutil
import pytest
from hostile import CASES, CHEATS, STOPPED
from rich.console import Console
from submissions import LESSON, POINTS, before, code, filled, put, right, solutions

from course_tools.grading import run, sandbox
from course_tools.grading.limits import Limits
from course_tools.project import Project

PROJECT = Project()
MODES = ["open"] if sandbox.works() else ["sandbox", "open"]
LIMITS = Limits(cell_seconds=8, memory=1.6e9)
OPEN = {
    "sys_exit",
    "asks_for_input",
    "deletes_its_folder",
    "patches_the_checks",
    "writes_grades",
    "starts_threads",
}
OPEN |= {"leaves_a_process", "forges_a_verdict", "zip_bomb", "two_hundred_megabytes"}
WRONG = {"count_c3": "def count_c3(table, size=5):\n    return 0"}
HELPER = {"count_c3": solutions()["count_c3"].replace("table.shape[1]", "columns_of(table)")}
HONEST = {  # name -> (notebook, marks)
    **{f"right in {name}": (filled(right(name)), {name: points}) for name, points in POINTS.items()},
    "all right": (filled(right()), POINTS),
    "nothing": (filled({}), {}),
    "one wrong": (filled(right() | WRONG), POINTS | {"count_c3": 0}),
    "own cell": (before(filled(HELPER), "count_c3", code("def columns_of(t):\n    return t.shape[1]")),
                 {"count_c3": 2}),
}  # fmt: skip


class Batch:
    """A graded batch and what the world around it looked like, before and after."""

    def __init__(self, mode: str, folder: Path):
        self.mode, self.outside, self.out = mode, folder / "outside", folder / "out"
        self.cases = CASES if mode == MODES[0] else [*STOPPED, *(case for case in CASES if case.name in OPEN)]
        submissions = folder / "in"
        put(self.outside / "victim.txt", "untouched")
        for case in self.cases:
            case.make(submissions / case.name)
        for name, (notebook, _) in HONEST.items():
            put(submissions / name / f"{LESSON}.ipynb", notebook)
        listener = socket.create_server(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
        words = {b"{out}": self.out, b"{outside}": self.outside, b"{root}": PROJECT.root, b"{port}": port}
        for path in [submissions / case.name / f"{LESSON}.ipynb" for case in CHEATS if case in self.cases]:
            content = path.read_bytes()
            for word, value in words.items():
                content = content.replace(word, str(value).encode())
            path.write_bytes(content)
        watched = [submissions, self.outside, PROJECT.root / f"solutions/{LESSON}.py"]
        watched += [PROJECT.root / "course_lib/checks.py", PROJECT.root / "course_tools/grading"]
        self.before, console = hashes(watched), Console(file=io.StringIO())
        tempfile.tempdir = tempfile.mkdtemp(dir="/tmp")  # short: paths of unix sockets have a limit
        self.temporary = Path(tempfile.tempdir)
        try:
            closed = mode == "sandbox"
            run.grade(
                submissions,
                PROJECT,
                out=self.out,
                jobs=2 if closed else 1,  # without the sandbox all that run at a time are suspected
                limits=LIMITS,
                closed=closed,
                console=console,
            )
        finally:
            tempfile.tempdir = None
        self.after = hashes(watched)
        listener.settimeout(0.1)
        try:
            listener.accept()
            self.called = True
        except TimeoutError:
            self.called = False
        listener.close()
        with open(self.out / "grades.csv", newline="", encoding="utf-8") as file:
            self.rows = {row["student"]: row for row in csv.DictReader(file)}


def hashes(folders: list[Path]) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in ([folder] if folder.is_file() else sorted(folder.rglob("*")))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module", params=MODES)
def batch(request, tmp_path_factory) -> Batch:
    return Batch(request.param, tmp_path_factory.mktemp(request.param))


def test_there_are_enough_cases():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 40


def test_every_hostile_submission_gets_its_outcome(batch):
    wrong = []
    for case in batch.cases:
        row = batch.rows[case.name]
        got = (row["status"], row["count_c3"], row["rbf_scores"])
        expected = (case.status, case.count_c3, case.rbf_scores)
        if got != expected and not (batch.mode == "open" and got[0] == "suspicious" == case.status):
            wrong.append(f"{case.name}: {got}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_a_cheat_scores_nothing_or_is_reported(batch):
    for case in set(batch.cases) & set(CHEATS):
        row = batch.rows[case.name]
        assert row["status"] == "suspicious" or row["count_c3"] in ("0", ""), case.name


def test_honest_submissions_get_exactly_their_marks(batch):
    for name, (_, marks) in HONEST.items():
        row = batch.rows[name]
        expected = {exercise: str(marks.get(exercise, 0)) for exercise in POINTS}
        assert {exercise: row[exercise] for exercise in POINTS} == expected, name
        assert (row["score"], row["maximum"]) == (str(sum(marks.values())), "13"), name
        assert row["status"] == "graded", name


def test_nothing_is_left_running(batch):
    words = ("grading/inside/server.py", "time.sleep(600)")
    this = psutil.Process()
    others = {process.pid for process in this.parent().children()} - {this.pid}  # they run beside this one
    left = []
    for process in psutil.process_iter(["cmdline", "create_time"]):
        line = " ".join(process.info["cmdline"] or ())
        if any(word in line for word in words) and process.info["create_time"] > STARTED:
            with contextlib.suppress(psutil.NoSuchProcess):
                if others.isdisjoint(parent.pid for parent in process.parents()):
                    left.append(line[:200])
    assert not left
    assert not psutil.Process().children(recursive=True)


def test_no_file_outside_has_changed(batch):
    changed = {
        str(path) for path in batch.before | batch.after if batch.before.get(path) != batch.after.get(path)
    }
    if batch.mode == "sandbox":
        assert not changed
        assert not batch.called, "the network was reached"
    else:  # seen, not prevented
        assert changed <= {str(batch.outside / "victim.txt")}
        assert batch.rows["writes_grades"]["status"] == "suspicious"
    assert not list(batch.temporary.iterdir())


STARTED = psutil.Process().create_time()
