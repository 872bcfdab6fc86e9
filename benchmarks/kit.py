"""How fast the kit itself is on this machine: import, lessons, the whole test suite.

    .venv/bin/python benchmarks/kit.py            import and lessons (about two minutes)
    .venv/bin/python benchmarks/kit.py --suite    `make test` as well

Writes benchmarks/results/kit.md. Nothing here is asserted in a test: times belong to a machine.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from _pairs import write

from course_tools.project import Project
from course_tools.run import run

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 15


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def import_time() -> tuple[float, float, float]:
    """Median, lower and upper quartile of what `import course_lib` adds to Python's start, in seconds."""
    bare, loaded = [sys.executable, "-c", "pass"], [sys.executable, "-c", "import course_lib"]
    seconds(loaded)  # once, so that the bytecode is there
    extra = []
    for _ in range(PAIRS):  # interleaved, so that other load meets both
        start = seconds(bare)
        extra.append(seconds(loaded) - start)
    low, middle, high = statistics.quantiles(extra, n=4)
    return middle, low, high


def main() -> None:
    project = Project()
    middle, low, high = import_time()
    rows = [
        (
            "`import course_lib`, beyond Python's start",
            f"{middle:.3f} s ({low:.3f} to {high:.3f}, {PAIRS} pairs)",
        )
    ]
    for result in run(project.lessons, project):
        rows.append((f"lesson {result.lesson.name}, quick profile", f"{result.seconds:.0f} s"))
    if "--suite" in sys.argv:
        rows.append(("`make test`, after set-up", f"{seconds(['make', 'test']) / 60:.1f} min"))
    table = [f"| {what} | {value} |" for what, value in rows]
    write("kit", "The kit's own times", ["| what | time |", "| --- | --- |", *table])


if __name__ == "__main__":
    main()
