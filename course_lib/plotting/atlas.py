"""The map of the course: what each architecture reaches, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import hypot

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from ..errors import unknown
from .style import FAINT, INK, SMALL, axes_or_new, compact, text_size

METRICS = {
    "imagenet_top1_error": "top-1 error on ImageNet (%)",
    "imagenet_top5_error": "top-5 error on ImageNet (%)",
    "cifar10_error": "error on CIFAR-10 (%)",
}
AREA = 11.0  # square points for a million parameters: VGG16's 138 M make a disc 44 points wide
# The key: parameters and place of its discs. Lower left, since no network is yet so good and so cheap.
KEY = {1e6: 14, 10e6: 62, 100e6: 124}
KEY_SIZE = (186, 66)
ANGLES = [
    0,
    180,
    90,
    270,
    45,
    315,
    135,
    225,
    22,
    338,
    158,
    202,
    68,
    112,
    248,
    292,
]  # degrees, in order of liking
DISTANCES = [3, 9, 18, 29, 42, 56, 72, 90]  # points from the disc's edge to the name; over 9 with a line
CLEAR = 6  # points by which a name stands nearer to its own disc than to another, or it has a line
ROUNDS = 5


def plot_atlas(
    rows: Iterable[Mapping], *, metric: str = "imagenet_top5_error", ax: Axes | None = None
) -> Axes:
    """Draw architectures by cost and error: better is down, cheaper is left, a disc's area the parameters.

    Args:
        rows: dictionaries with "name", "year", "params", "macs" and the metric, from `claims.published()`.
            Rows that lack one of these are left out, and the caption counts them.
        metric: "imagenet_top1_error", "imagenet_top5_error" or "cifar10_error", in percent.
        ax: the Axes to draw on, about 9 x 6 inches; default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: an unknown metric, or no row that has all the values.

    >>> rows = [{"name": "VGG16", "year": 2014, "params": 138e6, "macs": 15.5e9, "imagenet_top5_error": 8.1},
    ...         {"name": "no figures", "year": 2015}]
    >>> ax = plot_atlas(rows)
    >>> [text.get_text() for text in ax.texts[-2:]]
    ['VGG16', '1 of 2 rows are not drawn: their error or cost was not published.']
    """
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    rows = list(rows)
    needed = ("name", "year", "params", "macs", metric)
    drawn = [row for row in rows if all(row.get(key) not in (None, "") for key in needed)]
    if not drawn:
        raise ValueError(f"None of the {len(rows)} rows has all of {', '.join(needed)}.")
    drawn.sort(key=lambda row: (-row["params"], str(row["name"])))  # small discs lie on large ones
    macs, error, params, years = (
        np.array([float(row[key]) for row in drawn]) for key in ("macs", metric, "params", "year")
    )
    ax = axes_or_new(ax, 9.0, 6.2)
    norm = Normalize(years.min(), max(years.max(), years.min() + 1))
    area = np.maximum(AREA * params / 1e6, 14)
    discs = ax.scatter(
        macs,
        error,
        s=area,
        c=years,
        cmap="viridis",
        norm=norm,
        alpha=0.85,
        edgecolors=INK,
        linewidths=0.6,
        zorder=3,
    )
    ax.set_xscale("log")
    low, high = float(macs.min()), float(macs.max())
    ax.set_xlim(low / 1.8, high * 2.2)
    pad = 0.08 * (float(np.ptp(error)) or float(error.max()) or 1.0)
    ax.set_ylim(max(error.min() - pad, 0), error.max() + pad)
    ax.set_xlabel("← cheaper   multiply-adds for one image (MACs), log scale")
    ax.set_ylabel(f"← better   {METRICS[metric]}")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    bar = ax.figure.colorbar(discs, ax=ax, label="year of publication", pad=0.02, aspect=35)
    bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    bar.ax.grid(False)
    _draw_key(ax)
    unnamed = _write_names(ax, [str(row["name"]) for row in drawn], np.column_stack([macs, error]), area)
    missing = len(rows) - len(drawn)
    remarks = []
    if missing:
        remarks.append(f"{missing} of {len(rows)} rows are not drawn: their error or cost was not published.")
    if unnamed:
        remarks.append(f"For lack of room without a name: {', '.join(unnamed)}.")
    if remarks:
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
        ax.annotate(" ".join(remarks), (0, 0), (0, -38), fontsize=SMALL, color=FAINT, **place)
    return ax


def _draw_key(ax: Axes) -> None:
    """Discs of known size, placed in points from the lower left corner of the Axes."""
    corner = {"xycoords": "axes fraction", "textcoords": "offset points", "fontsize": SMALL, "color": INK}
    ax.annotate("area of a disc: parameters", (0, 0), (8, 50), **corner)
    for count, x in KEY.items():
        place = ax.transAxes + ScaledTranslation(x / 72, 26 / 72, ax.figure.figure.dpi_scale_trans)
        size = AREA * count / 1e6
        ax.scatter([0], [0], s=size, transform=place, facecolor="#E6E6E6", edgecolor=INK, linewidth=0.6)
        ax.annotate(compact(count), (0, 0), (x + np.sqrt(size) / 2 + 5, 26), va="center", **corner)


@dataclass(frozen=True)
class Places:
    """Where a name could stand, in points: boxes `(n, 4)`, lines to the disc `(n, dots, 2)`, costs `(n,)`.

    A box is (left, bottom, right, top). A name that stands close to its disc and to no other has no line: its
    dots are NaN.
    """

    boxes: np.ndarray
    lines: np.ndarray
    costs: np.ndarray

    def at(self, index: int) -> Places:
        one = slice(index, index + 1)
        return Places(self.boxes[one], self.lines[one], self.costs[one])

    def conflicts(self, other: Places) -> np.ndarray:
        """How badly each place disturbs another name: 1000 on top of it, 30 where a line crosses a name."""
        over = _overlap(self.boxes, other.boxes[0]) > 0
        crossed = _crosses(self.lines, other.boxes[0]) | _crosses(other.lines, self.boxes)
        return np.where(over, 1000.0, 30.0 * crossed)


def _write_names(ax: Axes, names: list[str], points: np.ndarray, area: np.ndarray) -> list[str]:
    """Write a name beside each disc so that none overlaps another; returns the names that found no place.

    Each name takes its best place, the crowded ones last; a few rounds then let each move to a better one.
    """
    figure = ax.figure.figure
    figure.draw_without_rendering()  # the layout moves the Axes once more before it is final
    to_points = 72 / figure.dpi
    frame = ax.get_window_extent().get_points().ravel() * to_points
    centers, radii = ax.transData.transform(points) * to_points, np.sqrt(area) / 2
    crowd = [sum(hypot(*(a - b)) < 60 for b in centers) for a in centers]
    order = sorted(range(len(names)), key=lambda index: (crowd[index], names[index]))
    places = {index: _places(index, names[index], centers, radii, frame) for index in order}
    chosen: dict[int, Places] = {}
    for _ in range(ROUNDS):
        for index in order:
            others = [place for other, place in chosen.items() if other != index]
            costs = places[index].costs + sum(places[index].conflicts(other) for other in others)
            if len(costs):
                chosen[index] = places[index].at(int(np.argmin(costs)))
    for index in reversed(order):  # what still overlaps goes, the crowded first
        others = [place for other, place in chosen.items() if other != index]
        if index in chosen and any(_overlap(chosen[index].boxes, other.boxes[0])[0] > 0 for other in others):
            del chosen[index]
    for index, place in chosen.items():
        left, bottom, right, top = place.boxes[0]
        line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.7, "shrinkA": 0, "shrinkB": radii[index]}
        ax.annotate(
            names[index],
            points[index],
            ((left + right) / 2 - centers[index][0], (bottom + top) / 2 - centers[index][1]),
            textcoords="offset points",
            fontsize=SMALL,
            color=INK,
            ha="center",
            va="center",
            zorder=5,
            path_effects=[withStroke(linewidth=2, foreground="white", alpha=0.7)],
            arrowprops=line if np.isfinite(place.lines).all() else None,
        )
    return sorted(names[index] for index in order if index not in chosen)


def _places(index: int, name: str, centers: np.ndarray, radii: np.ndarray, frame: np.ndarray) -> Places:
    """All places for one name inside the frame and beside the key, on rays around its disc."""
    size = np.array(text_size(name)) + (3, 0)
    distance, angle = (grid.ravel() for grid in np.meshgrid(DISTANCES, np.radians(ANGLES), indexing="ij"))
    liking = np.tile(np.arange(len(ANGLES)), len(DISTANCES))
    ray = np.column_stack([np.cos(angle), np.sin(angle)])
    # The middle of the name lies half a name beyond the disc's edge and the distance.
    middle = centers[index] + ray * (radii[index] + distance[:, None] + size / 2)
    boxes = np.hstack([middle - size / 2, middle + size / 2])
    near = np.clip(centers[index], boxes[:, :2], boxes[:, 2:])
    steps = np.linspace(0, 1, 12)[1:-1, None]
    lines = near[:, None] + steps * (centers[index] - near)[:, None]
    costs = distance + 0.3 * liking
    unclear = np.zeros(len(boxes), bool)
    for other, (center, radius) in enumerate(zip(centers, radii, strict=True)):
        if other != index:
            disc = np.concatenate([center - radius, center + radius])
            covered = _overlap(boxes, disc) / size.prod()
            line_over = _crosses(lines, disc) & (distance > 9)
            costs += 15 * (covered > 0.02) + 200 * covered + 20 * line_over
            gap = np.linalg.norm(np.clip(center, boxes[:, :2], boxes[:, 2:]) - center, axis=1) - radius
            unclear |= gap < distance + CLEAR
    costs += 15.0 * unclear
    lines[(distance <= 9) & ~unclear] = np.nan
    key = np.concatenate([frame[:2], frame[:2] + KEY_SIZE])
    inside = np.all((boxes[:, :2] >= frame[:2]) & (boxes[:, 2:] <= frame[2:]), axis=1)
    free = inside & (_overlap(boxes, key) == 0)
    return Places(boxes[free], lines[free], costs[free])


def _overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Area that each of the boxes `(n, 4)` shares with one box `(4,)`."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    return np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0.0)


def _crosses(lines: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether each line of dots `(n or 1, dots, 2)` runs through its box: `(n, 4)`, or one `(4,)`."""
    low, high = boxes[..., None, :2], boxes[..., None, 2:]
    return ((lines > low) & (lines < high)).all(axis=-1).any(axis=-1)
