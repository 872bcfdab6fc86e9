"""Side-by-side timing: everything in turn, round after round; medians with intervals; a page of results."""

import argparse
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import quantile_test

from course_lib.session import report

# Each network is traced once; TensorFlow warns of "retracing" all the same.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
RESULTS = Path(__file__).with_name("results")


def head(ours: str = "ours", other: str = "the other") -> str:
    """The first two lines of a table whose rows are `| what | {ratio.cells()} |`."""
    return (
        f"| what | {ours} | {other} | ratio ({other} / {ours}) | {ours} is |\n| --- | --- | --- | --- | --- |"
    )


HEAD = head()


def options(doc: str, pairs: int = 10) -> argparse.ArgumentParser:
    """What every script takes: `--pairs` and `--results`. `doc` is its docstring."""
    about, _, detail = doc.partition("\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=detail, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=pairs, metavar="N", help=f"rounds (default: {pairs})")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="FOLDER",
        help="where the page goes (default: beside)",
    )
    return parser


def interleave(
    sides: Sequence[Callable[[], object]],
    rounds: int = 10,
    warm_up: int = 1,
    on_round: Callable = lambda: None,
) -> np.ndarray:
    """Calls all sides in turn, so that other load on the machine meets all alike.

    Every other round goes backwards. `on_round` is called after each, outside the measured time.

    Returns:
        Seconds (rounds, sides).

    >>> interleave([lambda: 1, lambda: 2], rounds=3).shape
    (3, 2)
    """
    for _ in range(warm_up):
        for side in sides:
            side()
    times = np.empty((rounds, len(sides)))
    for number in range(rounds):
        for place in range(len(sides))[:: 1 if number % 2 == 0 else -1]:
            begin = time.perf_counter()
            sides[place]()
            times[number, place] = time.perf_counter() - begin
        on_round()
    return times


def median(values: Sequence[float]) -> tuple[float, float, float]:
    """The median and its 95 % interval: two of the sorted values, whatever the distribution.

    Of n values the interval is from the k-th smallest to the k-th largest, with the greatest k whose chance
    of missing the true median is at most 5 % (binomial). Below six values there is none: NaN.

    >>> tuple(map(float, median(range(1, 11))))
    (5.5, 2.0, 9.0)
    """
    interval = quantile_test(values, p=0.5).confidence_interval(0.95)
    return np.median(values), interval.low, interval.high


def gap(ours: np.ndarray, other: np.ndarray, least: float = 0.0) -> float:
    """Length of the difference, as a share of the length of `other` (or of `least`, where that is longer).

    >>> gap(np.array([3.0, 4.5]), np.array([3.0, 4.0])), gap(np.zeros(2), np.full(2, 1e-9), least=1.0) < 1e-8
    (0.1, True)
    >>> gap(np.array([np.nan, 4.0]), np.array([3.0, 4.0])) < 1
    False
    """
    return float(np.linalg.norm(ours - other) / max(np.linalg.norm(other), least))


@dataclass(frozen=True)
class Ratio:
    """How many times faster `ours` is than `other`: the median over pairs, with its 95 % interval."""

    ours: float  # median seconds
    other: float
    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: np.ndarray, other: np.ndarray) -> "Ratio":
        """From the seconds of each side in each round, (rounds,) each.

        >>> Ratio.of(np.full(10, 0.5), np.full(10, 2.0)).cells()
        '500.0 ms | 2.00 s | 4.00 (4.00 to 4.00) | faster'
        """
        return cls(np.median(ours), np.median(other), *median(other / ours))

    @property
    def verdict(self) -> str:
        """One word: the same within a tenth, or unresolved when the interval reaches further."""
        if self.high < 0.95:
            return "slower"
        if self.low > 1.05:
            return "faster"
        return "the same" if self.low > 0.9 and self.high < 1.1 else "unresolved"

    def cells(self) -> str:
        ratio = f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"
        return " | ".join([seconds(self.ours), seconds(self.other), ratio, self.verdict])


def compare(
    ours: Callable[[], object], other: Callable[[], object], pairs: int = 10, warm_up: int = 1
) -> Ratio:
    """Times both, one after the other in turn."""
    return Ratio.of(*interleave((ours, other), pairs, warm_up).T)


def write(
    name: str, title: str, lines: Sequence[str], folder: Path = RESULTS, script: str | None = None
) -> None:
    """Writes FOLDER/NAME.md with the machine and the command of SCRIPT.py (NAME.py), and prints it."""
    machine = report()
    share = others()
    load = "" if share is None else f" Other programs took {share:.0%} of the processors' time meanwhile."
    where = machine.gpus[0] if machine.gpus else f"{machine.cores} CPU cores ({processor()}), no GPU"
    versions = ", ".join(f"{package} {version}" for package, version in machine.packages.items())
    top = [
        f"# {title}",
        "",
        f"Measured by `{shlex.join(['python', f'benchmarks/{script or name}.py', *sys.argv[1:]])}` on "
        f"{date.today().isoformat()}: {where}, {machine.platform}, Python {platform.python_version()}, "
        f"backend {machine.backend}, {versions}.{load}",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text("\n".join([*top, *lines]) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def _processor_seconds() -> tuple[float, float, float] | None:
    """Seconds until now: by the clock, of all processors' work, and of this script's with its children's."""
    try:
        user, nice, system, _, _, *interrupts = map(
            float, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
        )
    except (OSError, ValueError):  # not Linux
        return None
    busy = (user + nice + system + sum(interrupts[:2])) / os.sysconf("SC_CLK_TCK")
    return time.monotonic(), busy, sum(os.times()[:4])


BEGIN = _processor_seconds()


def others() -> float | None:
    """The share of the processors' time that other programs took since this script began; None: not Linux."""
    if BEGIN is None:
        return None
    passed, busy, own = np.subtract(_processor_seconds(), BEGIN)
    return float(np.clip((busy - own) / max(passed * (os.cpu_count() or 1), 1e-9), 0, 1))


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def seconds(value: float) -> str:
    """A time in a readable unit.

    >>> seconds(0.0123), seconds(1.5)
    ('12.3 ms', '1.50 s')
    """
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def spread(values: Sequence[float]) -> str:
    """The median time and its interval.

    >>> spread([0.1] * 10)
    '100.0 ms (100.0 ms to 100.0 ms)'
    """
    middle, low, high = map(seconds, median(values))
    return f"{middle} ({low} to {high})"
