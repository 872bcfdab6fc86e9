"""Charts of one panel: training curves, a confusion matrix, a finding with its spread over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..errors import unknown
from .style import COLORS, FAINT, INK, SMALL, axes_or_new, mix

LABELS = {"loss": "loss (mean over images)", "accuracy": "accuracy (share of images)"}
LINES = [COLORS[name] for name in ("blue", "vermillion", "green", "orange", "sky", "purple", "black", "grey")]
MARKERS = "osD^v"  # a thread count each


def plot_history(history, metric: str = "loss", *, log: bool = False, ax: Axes | None = None) -> Axes:
    """Draw a metric by epoch: training as a line, validation dashed in the same colour.

    Args:
        history: a `training.History` (or its rows) or Keras' own (or its `history`), or a dictionary from the
            name of a run to one; at most eight.
        metric: "loss", "accuracy", or what else was recorded; without "val_".
        log: whether the metric's axis is logarithmic.
        ax: the Axes to draw on, default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: no run, more than eight, or a metric that was not recorded.

    >>> rows = [{"epoch": 1, "loss": 0.9, "val_loss": 1.0}, {"epoch": 2, "loss": 0.5, "val_loss": 0.7}]
    >>> ax = plot_history(rows)
    >>> [float(value) for value in ax.lines[1].get_ydata()]
    [1.0, 0.7]
    """
    runs = dict(history) if isinstance(history, Mapping) and not _is_columns(history) else {"": history}
    if not 1 <= len(runs) <= len(LINES):
        raise ValueError(f"Between 1 and {len(LINES)} runs fit one picture, received {len(runs)}.")
    ax = axes_or_new(ax, 6.4, 3.6)
    validation = False
    longest = 0
    for color, (name, run) in zip(LINES, runs.items(), strict=False):
        rows = _rows(run)
        recorded = {key for row in rows for key in row if key != "epoch"}
        if metric not in recorded:
            raise unknown("metric", metric, sorted(key for key in recorded if not key.startswith("val_")))
        epochs = [row.get("epoch", number) for number, row in enumerate(rows, 1)]
        longest = max(longest, len(epochs))
        style = {"color": color, "marker": "o" if len(epochs) <= 20 else "", "markersize": 3.5}
        ax.plot(epochs, [row.get(metric, np.nan) for row in rows], label=name or "training", **style)
        if f"val_{metric}" in recorded:
            validation = True
            label = "_nolegend_" if name else "validation"
            values = [row.get(f"val_{metric}", np.nan) for row in rows]
            ax.plot(epochs, values, linestyle="--", label=label, **style)
    ax.set(xlabel="epoch", ylabel=LABELS.get(metric, metric.replace("_", " ")))
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    handles = ax.get_legend_handles_labels()[0]
    if len(runs) > 1 and validation:
        handles += [
            Line2D([], [], color=FAINT, label="training"),
            Line2D([], [], color=FAINT, linestyle="--", label="validation"),
        ]
    ax.legend(handles=handles, fontsize=SMALL, frameon=False)
    return ax


def _rows(run) -> list[Mapping]:
    """A row an epoch, of `training.History`, of Keras' own, or of rows."""
    columns = getattr(run, "history", run)
    if _is_columns(columns):
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return list(getattr(run, "rows", run))


def _is_columns(history) -> bool:
    """Whether it is a dictionary from a metric to its numbers, as Keras has it."""
    return (
        isinstance(history, Mapping)
        and len(history) > 0
        and all(
            isinstance(values, (list, tuple, np.ndarray)) and all(isinstance(value, Real) for value in values)
            for values in history.values()
        )
    )


def plot_confusion(matrix: np.ndarray, class_names: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: right answers blue on the diagonal, mistakes darker the more there are.

    Args:
        matrix: counts `(classes, classes)`, a row for each true class, from `visualization.confusion_matrix`.
        class_names: a name for each class.
        ax: the Axes to draw on, default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: not square, or another number of names than of classes.

    >>> ax = plot_confusion(np.array([[9, 1], [2, 8]]), ["cat", "dog"])
    >>> ax.get_title(loc="left")
    '17 of 20 images right (85.0 %)'
    """
    matrix = np.asarray(matrix)
    classes = len(matrix)
    if matrix.shape != (classes, classes) or len(class_names) != classes:
        raise ValueError(
            f"matrix must be square with a name for each class, received shape {matrix.shape} and "
            f"{len(class_names)} names."
        )
    side = min(8.0, 1.6 + 0.42 * classes)
    ax = axes_or_new(ax, side + 0.6, side)
    mistakes = np.ma.masked_where(np.eye(classes, dtype=bool) | (matrix == 0), matrix)
    worst = 1 if mistakes.mask.all() else int(mistakes.max())
    picture = ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=worst, interpolation="nearest")
    right = np.full((classes, classes, 4), 0.0)
    right[np.arange(classes), np.arange(classes)] = (*mix(COLORS["sky"], "white", 0.5), 1.0)
    ax.imshow(right, interpolation="nearest")
    if classes <= 20:
        for row, column in np.argwhere(matrix > 0):
            dark = row != column and matrix[row, column] > 0.6 * worst
            ax.text(
                column,
                row,
                f"{matrix[row, column]:,}",
                ha="center",
                va="center",
                fontsize=SMALL,
                color="white" if dark else INK,
            )
    wide = max(map(len, map(str, class_names))) > 3
    ax.set_xticks(range(classes), class_names, rotation=45 if wide else 0, ha="right" if wide else "center")
    ax.set_yticks(range(classes), class_names)
    ax.set(xlabel="the network said", ylabel="true class")
    ax.grid(False)
    for edge in np.arange(classes + 1) - 0.5:
        ax.axhline(edge, color="#E6E6E6", linewidth=0.6)
        ax.axvline(edge, color="#E6E6E6", linewidth=0.6)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    total, good = int(matrix.sum()), int(np.trace(matrix))
    ax.set_title(f"{good:,} of {total:,} images right ({100 * good / max(1, total):.1f} %)", loc="left")
    bar = ax.figure.colorbar(picture, ax=ax, shrink=0.75, label="mistakes (images)")
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar.ax.grid(False)
    return ax


def plot_finding(
    measured_rows: Iterable[Mapping],
    live: float | None,
    band: tuple[float, float],
    *,
    title: str = "",
    unit: str = "",
    verdict: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a finding: a dot for each measured run, its band shaded, and this run's value as a star.

    Args:
        measured_rows: rows of `checks.measured(lesson, finding)`: dictionaries with "seed", "threads",
            "value" and "profile" (default "quick"). A line for each seed, a marker for each thread count;
            the runs of the full profile stand on a line of their own. May be empty.
        live: what this run measured, or None.
        band: lowest and highest value.
        title: what was measured.
        unit: of the value, such as "%"; it stands at the axis and in the title.
        verdict: what came out, such as "confirms".
        ax: the Axes to draw on, default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: a band whose ends are in the wrong order.

    >>> rows = [{"seed": 0, "threads": 1, "value": 0.95}, {"seed": 1, "threads": 1, "value": 0.97}]
    >>> ax = plot_finding(rows, 0.96, (0.9, 1.0), title="accuracy", verdict="confirms")
    >>> ax.get_title(loc="left"), [label.get_text() for label in ax.get_yticklabels()]
    ('accuracy: confirms', ['seed 0', 'seed 1', 'this run'])
    """
    low, high = map(float, band)
    if not low <= high:
        raise ValueError(f"band must be (lowest, highest), received ({low:g}, {high:g}).")
    rows, full = [], []
    for row in measured_rows:
        run = (int(row["seed"]), int(row["threads"]), float(row["value"]))
        (full if row.get("profile") == "full" else rows).append(run)
    seeds = sorted({seed for seed, _, _ in rows})
    counts = sorted({threads for _, threads, _ in rows})
    names = [f"seed {seed}" for seed in seeds]
    names += ["full profile"] * bool(full) + ["this run"] * (live is not None)
    ax = axes_or_new(ax, 7.0, 1.5 + 0.28 * max(len(names), len(seeds) + 1))
    ax.axvspan(low, high, color=COLORS["sky"], alpha=0.22, linewidth=0, zorder=0)
    for edge in (low, high):
        ax.axvline(edge, color=COLORS["blue"], linewidth=0.9, linestyle=":")
    for line, seed in enumerate(seeds):
        values = [value for of, _, value in rows if of == seed]
        ax.plot([min(values), max(values)], [line, line], color="#B3B3B3", linewidth=1.2, zorder=2)
    handles = []

    def draw(values, lines, marker, label, *, size=7, **style):
        style |= {"linestyle": "", "marker": marker, "markersize": size, "label": label}
        handles.extend(ax.plot(values, lines, **style))

    for index, threads in enumerate(counts):
        points = [(value, seeds.index(seed)) for seed, of, value in rows if of == threads]
        color = LINES[index % len(LINES)]
        # The first is a full disc; those after it are larger, empty frames, so that equal values show both.
        style = {"color": color, "markerfacecolor": "none" if index else color, "markeredgewidth": 1.4}
        style["size"] = 6 + 4 * (index > 0)
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        draw(*zip(*points, strict=True), MARKERS[index % len(MARKERS)], label, zorder=3 + index, **style)
    if full:
        values = [value for _, _, value in full]
        draw(values, [len(seeds)] * len(values), "D", "full profile", zorder=6, color=COLORS["purple"])
    if live is not None:
        style = {"color": "black", "markeredgecolor": "white", "markeredgewidth": 0.6}
        label = f"this run: {live:.4g}"
        draw([live], [len(names) - 1], "*", label, zorder=9, size=15, **style)
    handles.append(
        Patch(
            facecolor=mix(COLORS["sky"], "white", 0.7),
            label=f"band of this profile: {low:.4g} to {high:.4g}",
            edgecolor="none",
        )
    )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)  # seed 0 on top
    ax.margins(x=0.08)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(unit or "value")
    heading = f"{title} ({unit})" if title and unit else title
    ax.set_title(": ".join(filter(None, [heading, verdict])), loc="left")
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=3.4,
        ncols=len(handles),
        fontsize=SMALL,
        frameon=False,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    return ax
