"""How fast the kit itself is on this machine: import, lessons, the whole test suite.

    .venv/bin/python benchmarks/kit.py             imports (a minute and a half on two cores)
    .venv/bin/python benchmarks/kit.py --lessons   every lesson as well, quick profile (seven minutes more)
    .venv/bin/python benchmarks/kit.py --suite     `make test` as well (a quarter of an hour more)

Writes benchmarks/results/kit.md. Nothing here is asserted in a test: times belong to a machine.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from _pairs import interleave, median, options, spread, write

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("course_lib", "numpy", "course_lib.datasets", "keras", "course_lib.architectures")


def run(command: Sequence[str]) -> float:
    """Seconds that a command takes."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def imports(pairs: int, modules: Sequence[str] = MODULES) -> list[str]:
    """What each import adds to Python's start: the difference to a bare start in the same round."""
    sides = [
        partial(run, [sys.executable, "-c", text]) for text in ("pass", *map("import {}".format, modules))
    ]
    times = interleave(sides, pairs)  # the warm-up leaves the bytecode behind
    rows = [f"| Python's start | {spread(times[:, 0])} |"]
    for module, column in zip(modules, times.T[1:], strict=True):
        middle, low, high = median(column - times[:, 0])
        rows.append(
            f"| `import {module}`, beyond Python's start | {middle:.3f} s ({low:.3f} to {high:.3f}) |"
        )
    return rows


def lessons() -> list[str]:
    from course_tools.project import Project
    from course_tools.run import run as run_lessons

    project = Project()
    return [
        f"| lesson {result.lesson.name}, quick profile, once | {result.seconds:.0f} s |"
        for result in run_lessons(project.lessons, project)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options(__doc__)
    parser.add_argument("--lessons", action="store_true", help="also run every lesson once")
    parser.add_argument("--suite", action="store_true", help="also run `make test` once")
    chosen = parser.parse_args(arguments)
    rows = imports(chosen.pairs)
    if chosen.lessons:
        rows += lessons()
    if chosen.suite:
        rows.append(f"| `make test`, after set-up, once | {run(['make', 'test']) / 60:.1f} min |")
    note = f"Medians of {chosen.pairs} rounds with their 95 % intervals. Keras brings its backend with it."
    write("kit", "The kit's own times", ["| what | time |", "| --- | --- |", *rows, "", note], chosen.results)


if __name__ == "__main__":
    main()
