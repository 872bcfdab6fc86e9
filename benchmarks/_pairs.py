"""Side-by-side timing: interleaved pairs, the median ratio and its interval."""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from course_lib.session import report

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Ratio:
    """How many times faster `ours` is than `other`: the median over pairs, with a 95 % bootstrap interval."""

    ours: float  # median seconds
    other: float
    middle: float
    low: float
    high: float

    def cells(self) -> str:
        verdict = "slower" if self.high < 0.95 else "faster" if self.low > 1.05 else "the same"
        ratio = f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"
        return " | ".join([_seconds(self.ours), _seconds(self.other), ratio, verdict])


HEAD = "| what | ours | the other | ratio (other / ours) | ours is |\n| --- | --- | --- | --- | --- |"


def compare(
    ours: Callable[[], object], other: Callable[[], object], pairs: int = 10, warm_up: int = 1
) -> Ratio:
    """Times both, one after the other in turn, so that other load on the machine meets both alike."""
    for _ in range(warm_up):
        ours(), other()
    times = np.empty((pairs, 2))
    for number in range(pairs):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        for side in order:
            begin = time.perf_counter()
            (ours, other)[side]()
            times[number, side] = time.perf_counter() - begin
    ratios = times[:, 1] / times[:, 0]
    draws = np.random.default_rng(0).choice(ratios, (2000, pairs))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return Ratio(*np.median(times, axis=0), np.median(ratios), low, high)


def write(name: str, title: str, lines: list[str]) -> None:
    """Writes benchmarks/results/NAME.md with the machine, and prints it."""
    machine = report()
    where = machine.gpus[0] if machine.gpus else f"{machine.cores} CPU cores, no GPU"
    versions = ", ".join(f"{package} {version}" for package, version in machine.packages.items())
    head = [
        f"# {title}",
        "",
        f"Measured by `benchmarks/{name}.py` on {date.today().isoformat()}: {where}, {machine.platform}, "
        f"Python {platform.python_version()}, backend {machine.backend}, {versions}.",
        "",
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def _seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
