"""`course grade` beside `nbgrader autograde`: the same submissions of lesson 3 in the same run.

    .venv/bin/python benchmarks/grading.py                   60 submissions, both (an hour on two cores)
    .venv/bin/python benchmarks/grading.py --nbgrader 6      nbgrader grades 6 of them (ten minutes); its
                                                             throughput does not depend on their number

Throughput in submissions a minute: `course grade --jobs 2` with its start, and `nbgrader autograde`, which
takes one after another (its TensorFlow uses both cores). Writes benchmarks/results/grading.md.
"""

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from _pairs import RESULTS, write

from course_tools import source
from course_tools.build import student_version
from course_tools.grading import sandbox
from course_tools.project import Project

LESSON = "03_lenet5"
PROJECT = Project()
NBGRADER = """
c = get_config()
c.CourseDirectory.course_id = ""
c.CourseDirectory.db_url = "sqlite:///gradebook.db"
c.Execute.timeout = 300
"""


def submissions(folder: Path, count: int) -> None:
    """`count` notebooks: of three students one has all right, one has two wrong, one has filled in two."""
    marks = re.compile(r" *### (BEGIN|END) SOLUTION\n?")
    solved = json.loads((PROJECT.root / f"solutions/{LESSON}.ipynb").read_text(encoding="utf-8"))
    right = {
        cell["id"]: marks.sub("", "".join(cell["source"]))
        for cell in solved["cells"]
        if "exercise" in cell["metadata"].get("course", {})
    }
    names = list(right)
    for number in range(count):
        notebook = json.loads((PROJECT.root / f"notebooks/{LESSON}.ipynb").read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            place = names.index(cell["id"]) if cell["id"] in names else -1
            turn = (number + place) % len(names)  # which exercises: other ones for each student
            if place < 0 or (number % 3 == 2 and turn > 1):
                continue
            wrong = number % 3 == 1 and turn < 2 and cell["cell_type"] == "code"
            cell["source"] = (
                right[cell["id"]].replace("return ", "return 1 + ", 1) if wrong else right[cell["id"]]
            )
        path = folder / f"student{number:02d}" / LESSON / f"{LESSON}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")


def ours(folder: Path, out: Path) -> tuple[float, dict[str, str]]:
    """Seconds, and each student's score."""
    course = Path(sys.executable).with_name("course")
    begin = time.perf_counter()
    subprocess.run([course, "grade", folder, "--out", out, "--jobs", "2"], check=True, cwd=PROJECT.root)
    seconds = time.perf_counter() - begin
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return seconds, {row["student"]: row["score"] for row in csv.DictReader(file)}


def nbgraders(folder: Path, course: Path, count: int) -> tuple[float, dict[str, str]]:
    """The same of nbgrader's command, in a folder as it wants it."""
    from nbgrader.api import Gradebook

    for path in sorted(folder.iterdir())[:count]:
        shutil.copytree(path, course / "submitted" / path.name)
    (course / "nbgrader_config.py").write_text(NBGRADER)
    lesson = PROJECT.find([LESSON])[0]
    student_version(source.read(lesson, PROJECT), lesson, PROJECT, gradebook=course / "gradebook.db")
    nbgrader = Path(sys.executable).with_name("nbgrader")
    begin = time.perf_counter()
    subprocess.run([nbgrader, "autograde", LESSON, "--create"], check=False, cwd=course)
    seconds = time.perf_counter() - begin
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        graded = gradebook.assignment_submissions(LESSON)
        return seconds, {one.student.id: f"{one.code_score:g}" for one in graded}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=60)
    parser.add_argument("--nbgrader", type=int, default=None, help="how many of them nbgrader grades; all")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the page")
    chosen = parser.parse_args()
    other = chosen.submissions if chosen.nbgrader is None else chosen.nbgrader
    with tempfile.TemporaryDirectory() as name:
        folder, course = Path(name) / "in", Path(name) / "nbgrader"
        course.mkdir()
        submissions(folder, chosen.submissions)
        seconds, marks = ours(folder, Path(name) / "out")
        its_seconds, its_marks = nbgraders(folder, course, other)
    if len(its_marks) < other:
        raise SystemExit(f"nbgrader graded {len(its_marks)} of {other} submissions, so it is not compared.")
    speed, its_speed = 60 * chosen.submissions / seconds, 60 * other / its_seconds
    same = sum(marks[student] == score for student, score in its_marks.items())
    whole = its_seconds * chosen.submissions / other
    scaled = f"{whole:.0f} s" + (", scaled" if other < chosen.submissions else "")
    lines = [
        f"| what | submissions | time | time for {chosen.submissions} | submissions a minute |",
        "| --- | --- | --- | --- | --- |",
        f"| `course grade --jobs 2` | {chosen.submissions} | {seconds:.0f} s | the same | {speed:.1f} |",
        f"| `nbgrader autograde` | {other} | {its_seconds:.0f} s | {scaled} | {its_speed:.1f} |",
        "",
        f"nbgrader {version('nbgrader')}; in `course grade` students' code was "
        f"{'not ' if sandbox.works() else ''}closed off. "
        "Of three students one has all right, one has two answers wrong, one has filled in two.",
        "nbgrader executes the whole notebook, its trainings too, one submission after the other. "
        "`course grade` runs only the cells that an answer needs, two submissions at a time, "
        "in kernels forked from one that has imported the libraries.",
        f"`course grade` grades {speed / its_speed:.1f} times as many in the same time. "
        f"Automatic points are the same for {same} of {other} students.",
    ]
    write("grading", f"Grading {chosen.submissions} submissions of {LESSON}", lines, chosen.results)


if __name__ == "__main__":
    main()
