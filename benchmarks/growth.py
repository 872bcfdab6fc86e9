"""What a training step costs as a residual network gets deeper, wider, or its images larger.

    .venv/bin/python benchmarks/growth.py      four minutes on two cores

WideResNets around one of 16 layers, twice the width, 32x32 pixels; a step is forward, backward and SGD with
momentum on 16 images. All are timed in turn in each round. Writes growth.md and growth.png into
benchmarks/results.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from _pairs import interleave, median, options, spread, write
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

import course_lib
from course_lib.accounting import Totals, totals, training_memory
from course_lib.architectures import WideResNet
from course_lib.plotting.style import COLORS, compact

BATCH = 16
BASE = {"depth": 16, "width": 2, "size": 32}
SERIES = {"depth": (10, 16, 22, 28, 40), "width": (1, 2, 3, 4, 6), "size": (16, 24, 32, 48, 64)}
NOTE = """Networks: WideResNet, 10 classes. A step is forward, backward and SGD with momentum on 16 images.
MACs are those of one image, forward; memory is what `accounting.training_memory` estimates for a
step, not a measurement. Medians over rounds with their 95 % intervals. A slope of 1 means that the time grows
as the computation does; below 1, the larger network uses the machine better, or part of the time does not
depend on the computation."""

Setting = tuple[int, int, int]  # depth, width, size


def settings(series: dict[str, Sequence[int]]) -> dict[str, list[Setting]]:
    """Series -> its settings; one entry changes, the others are BASE's."""
    return {
        name: [tuple((BASE | {name: value}).values()) for value in values] for name, values in series.items()
    }


def network(setting: Setting):
    """The network and a function that trains it for one step on always the same random batch."""
    import keras

    depth, width, size = setting
    model = WideResNet(depth=depth, width=width, input_shape=(size, size, 3))
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).random((BATCH, size, size, 3), dtype="float32")
    labels = np.arange(BATCH) % 10
    return model, lambda: model.train_on_batch(images, labels)


def slope(macs: Sequence[float], times: np.ndarray) -> tuple[float, float, float]:
    """The exponent b in time = a MACs^b by least squares on logarithms: its median over rounds, and interval.

    Args:
        macs: (networks,).
        times: seconds (rounds, networks).

    >>> slope([1, 10, 100], np.tile([1.0, 10.0, 100.0], (10, 1)))[0].round(6)
    np.float64(1.0)
    """
    return median(np.polyfit(np.log(macs), np.log(times).T, 1)[0])


def draw(points: dict[str, tuple[np.ndarray, np.ndarray, str]], path: Path) -> None:
    """Time against MACs, one line a series: points[name] = MACs (n,), seconds (rounds, n), label."""
    with plt.style.context(Path(course_lib.__file__).with_name("course.mplstyle")):
        figure, ax = plt.subplots()
        every = [_line(ax, *one, marker) for one, marker in zip(points.values(), "osD", strict=False)]
        macs, times = np.concatenate(every, axis=1)
        ends = np.array([macs.min(), macs.max()])
        rate = np.exp(np.mean(np.log(times / macs)))  # seconds a MAC
        label = "in proportion: slope 1"
        ax.plot(ends, rate * ends, "--", color=COLORS["grey"], lw=1.2, zorder=1, label=label)
        ax.set(xscale="log", yscale="log", title="Time of a training step against its computation")
        ax.set(xlabel="MACs of one image", ylabel=f"time of a step of {BATCH} images")
        for axis, unit in ((ax.xaxis, ""), (ax.yaxis, "s")):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(EngFormatter(unit))
            axis.set_minor_locator(NullLocator())
        ax.legend()
        figure.savefig(path)
        plt.close(figure)


def _line(ax: Axes, macs: np.ndarray, times: np.ndarray, label: str, marker: str) -> np.ndarray:
    """Draws one series; returns its MACs and median times (2, n)."""
    middle, low, high = np.transpose([median(column) for column in times.T])
    ax.errorbar(macs, middle, yerr=[middle - low, high - middle], marker=marker, capsize=3, label=label)
    return np.array([macs, middle])


def row(name: str, setting: Setting, cost: Totals, memory: int, times: np.ndarray, first: tuple) -> str:
    """One line of the table; `first` holds the MACs and the times of its series' first network."""
    depth, width, size = setting
    faster = median(times / first[1])
    cells = [f"{name}", f"{depth}", f"{width}", f"{size}x{size}", compact(cost.params), compact(cost.macs)]
    cells += [f"{memory / 1e6:.0f} MB", spread(times), f"{cost.macs / first[0]:.2f}"]
    return f"| {' | '.join(cells)} | {faster[0]:.2f} ({faster[1]:.2f} to {faster[2]:.2f}) |"


def main(arguments: Sequence[str] | None = None, series: dict[str, Sequence[int]] = SERIES) -> None:
    chosen = options(__doc__).parse_args(arguments)
    wanted = settings(series)
    built = {}
    for setting in dict.fromkeys(sum(wanted.values(), [])):  # BASE once
        built[setting] = network(setting)
    measured = interleave([step for _, step in built.values()], chosen.pairs, warm_up=3)
    times = dict(zip(built, measured.T, strict=True))
    costs = {setting: totals(model) for setting, (model, _) in built.items()}
    memory = {
        setting: training_memory(model, batch_size=BATCH).total for setting, (model, _) in built.items()
    }
    rows, slopes, points = [], [], {}
    for name, members in wanted.items():
        first = costs[members[0]].macs, times[members[0]]
        rows += [row(name, one, costs[one], memory[one], times[one], first) for one in members]
        macs, spent = (
            np.array([costs[one].macs for one in members]),
            np.transpose([times[one] for one in members]),
        )
        middle, low, high = slope(macs, spent)
        slopes.append(f"| {name} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
        points[name] = macs, spent, f"{name} {series[name][0]} to {series[name][-1]}: slope {middle:.2f}"
    chosen.results.mkdir(parents=True, exist_ok=True)
    draw(points, chosen.results / "growth.png")
    lines = [
        "| what grows | layers | width | image | parameters | MACs | memory | step | MACs, times the first "
        "| time, times the first |",
        "|" + " --- |" * 10,
        *rows,
        "",
        "![Time of a training step against MACs, on logarithmic axes, a line for each series](growth.png)",
        "",
        "| what grows | slope of time against MACs |",
        "| --- | --- |",
        *slopes,
        "",
        NOTE,
    ]
    write("growth", "The cost of depth, width and image size", lines, chosen.results)


if __name__ == "__main__":
    main()
