"""Volumes drawn as a row of solids on paper: the layout, then the drawing. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, inf, radians, sin, sqrt

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Polygon
from matplotlib.transforms import Affine2D

from ..errors import unknown
from .style import COLORS, FAINT, INK, SMALL, mix, text_size

KINDS = {  # kind: colour; the order is that of the legend
    "input": "#D9D9D9",
    "convolution": COLORS["sky"],
    "pooling": COLORS["orange"],
    "dense": COLORS["green"],
    "normalization": COLORS["purple"],
    "merge": COLORS["vermillion"],
    "other": COLORS["grey"],
}

# Lengths in points. One unit of the Axes is one point in the figure that draw_volumes makes.
WIDEST = 9.0 * 72  # a notebook shows 900 pixels at 100 dots an inch
OBLIQUE = (0.40, 0.30)  # where one unit of an image's width goes on paper
BAR = 9.0  # width of a vector's bar
LINE = 12.0  # from one line of a label to the next
GAP_IN_LABEL = 7.0  # between name and size on one line
MARGIN = 6.0
FOOTER = 34.0  # legend and caption
SLANT = 48  # degrees by which labels turn when they do not fit beside each other
# From generous to compact: height of the tallest face, thickness of the deepest volume, and the share of
# the faces that stays clear of the next volume. The first layout that fits is taken.
SIZES = [
    (140, 44, 1.0),
    (125, 36, 0.85),
    (115, 30, 0.75),
    (105, 26, 0.55),
    (95, 22, 0.4),
    (85, 18, 0.3),
    (75, 15, 0.25),
    (65, 12, 0.25),
]
LAYOUTS = [(tall, deep, clear) for tall, deep, least in SIZES for clear in (1.0, least)]


@dataclass(frozen=True)
class Volume:
    """What one layer puts out, and how it came about.

    `shape` is `(height, width, channels)`, or `(units,)` for a vector; `kind` is one of "input",
    "convolution", "pooling", "dense", "normalization", "merge", "other".

    >>> Volume("C1", "convolution", (28, 28, 6), kernel=(5, 5)).size
    '28×28×6'
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    params: int = 0
    macs: int = 0

    @property
    def size(self) -> str:
        return "×".join(map(str, self.shape))

    @property
    def is_bar(self) -> bool:
        """A vector is drawn as a bar: `(units,)`, and 1x1xC too."""
        return len(self.shape) == 1 or max(self.shape[:-1]) == 1

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.shape[0], self.shape[1] if len(self.shape) == 3 else 1)

    def window(self, long: bool = True) -> str:
        """Kernel and stride in words: '5×5', '2×2, stride 2'; short: '2×2/2'."""
        if not self.kernel:
            return ""
        text = "×".join(map(str, self.kernel))
        strides = tuple(self.stride or (1,))
        if max(strides) == 1:
            return text
        stride = str(strides[0]) if len(set(strides)) == 1 else "×".join(map(str, strides))
        return f"{text}, stride {stride}" if long else f"{text}/{stride}"


def draw_volumes(
    volumes: Sequence[Volume],
    *,
    ax: Axes | None = None,
    title: str = "",
    scale: str = "auto",
    image: np.ndarray | None = None,
) -> Axes:
    """Draw a list of volumes as a row of solids; several rows when one is too short. See `plot_architecture`.

    >>> row = [Volume("input", "input", (8, 8, 1)), Volume("c1", "convolution", (6, 6, 4), kernel=(3, 3))]
    >>> ax = draw_volumes(row)
    >>> [text.get_text() for text in ax.texts if "6×6×4" in text.get_text()]
    ['6×6×4']
    """
    if not volumes:
        raise ValueError("Nothing to draw: the list of volumes is empty.")
    for volume in volumes:
        if volume.kind not in KINDS:
            raise unknown(f"kind of volume {volume.name!r}", volume.kind, KINDS)
    if image is not None:
        image = np.squeeze(image)
        if image.ndim != 2 and image.shape[2:] != (3,):
            raise ValueError(f"image must have shape (H, W), (H, W, 1) or (H, W, 3), received {image.shape}.")
    scale = Scale.of(volumes, scale)
    width, height = WIDEST, inf
    if ax is not None:
        ax.set_axis_off()
        ax.set_title(title, fontsize=11)
        ax.figure.figure.draw_without_rendering()  # the layout moves the Axes before its size is final
        width, height = ax.get_window_extent().size * 72 / ax.figure.figure.dpi
    rows = arrange(volumes, scale, width, height - FOOTER)
    caption = scale.caption(windows=rows[0].slanted)
    words = max(text_size(title, 11, "bold")[0], text_size(caption)[0]) + 2 * MARGIN
    total_width = max(*(row.width for row in rows), words)
    total_height = sum(row.height for row in rows) + FOOTER
    if ax is None:
        header = 28.0 if title else 6.0
        figure = plt.figure(figsize=(total_width / 72, (total_height + header) / 72), layout="none")
        ax = figure.add_axes((0, 0, 1, total_height / (total_height + header)))
        ax.set_axis_off()
    else:
        ax.set_title("")
        total_width = max(total_width, width)
    ax.set(xlim=(0, total_width), ylim=(0, total_height), aspect="equal")
    place = {"loc": "left", "x": MARGIN / total_width}
    ax.set_title(title, fontsize=11, fontweight="bold", color=INK, **place)
    top = total_height
    for row in rows:
        _draw_row(ax, row, top - row.axis, image if row is rows[0] else None)
        top -= row.height
    used = [kind for kind in KINDS if any(volume.kind == kind for volume in volumes)]
    ax.legend(
        handles=[Patch(facecolor=KINDS[kind], edgecolor=_edge(kind), label=kind) for kind in used],
        loc="lower left",
        bbox_to_anchor=(4.2 / total_width, 15 / total_height),
        ncols=len(used),
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0,
        borderpad=0.2,
        handlelength=1.1,
        handleheight=1.1,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    ax.text(6, 4, caption, fontsize=SMALL, color=FAINT, va="bottom")
    return ax


@dataclass(frozen=True)
class Scale:
    """How long a pixel, a channel and a unit are, relative to the largest of each in the picture."""

    kind: str
    side: int
    channels: int
    units: int

    @classmethod
    def of(cls, volumes: Sequence[Volume], kind: str) -> Scale:
        if kind not in ("auto", "linear", "sqrt"):
            raise unknown("scale", kind, ["auto", "linear", "sqrt"])
        solids = [volume for volume in volumes if not volume.is_bar]
        sides = [side for volume in solids for side in volume.sides] or [1]
        if kind == "auto":
            kind = "linear" if max(sides) <= 8 * min(sides) else "sqrt"
        units = max((volume.shape[-1] for volume in volumes if volume.is_bar), default=0)
        return cls(kind, max(sides), max((volume.shape[-1] for volume in solids), default=1), units)

    def solid(self, volume: Volume, tallest: float, deepest: float) -> tuple[float, float, float]:
        """Height, width and thickness of a volume in points."""
        if volume.is_bar:
            return max(8.0, 0.85 * tallest * sqrt(volume.shape[-1] / self.units)), 10.0, BAR
        shares = [side / self.side for side in volume.sides]
        height, width = (tallest * (share if self.kind == "linear" else sqrt(share)) for share in shares)
        return height, width, max(2.0, deepest * sqrt(volume.shape[-1] / self.channels))

    def caption(self, windows: bool) -> str:
        parts = []
        if self.side > 1:
            side = "pixels" if self.kind == "linear" else "√pixels"
            parts.append(f"Sides of a face ∝ {side}, thickness ∝ √channels")
        if self.units:
            parts.append("length of a bar ∝ √units")
        if windows:
            parts.append("3×3/2: window 3×3, stride 2")
        return "; ".join(parts) + "."


@dataclass(frozen=True)
class Solid:
    """A volume with its place in the row: `x` is where the row's axis enters it, lengths in points."""

    volume: Volume
    x: float
    height: float
    width: float
    thick: float

    @property
    def slope(self) -> tuple[float, float]:
        """Half of where the width goes on paper."""
        return OBLIQUE[0] * self.width / 2, OBLIQUE[1] * self.width / 2

    @property
    def half(self) -> float:
        """Half the height of the silhouette."""
        return self.height / 2 + self.slope[1]


@dataclass(frozen=True)
class Row:
    """Solids beside each other; `axis` is how far below the row's top its axis lies."""

    solids: tuple[Solid, ...]
    width: float
    height: float
    axis: float
    slanted: bool
    clear: bool


def arrange(volumes: Sequence[Volume], scale: Scale, width: float, height: float = inf) -> list[Row]:
    """The largest layout that fits: level labels before slanted ones, few rows before many.

    Where none fits, the smallest one of a single row.
    """
    for count in range(1, len(volumes) + 1):
        length = -(-len(volumes) // count)
        chunks = [volumes[start : start + length] for start in range(0, len(volumes), length)]
        for slanted in (False, True):
            for layout in LAYOUTS:
                rows = [_row(chunk, scale, slanted, *layout) for chunk in chunks]
                if all(row.width <= width for row in rows) and sum(row.height for row in rows) <= height:
                    return rows
    return [_row(volumes, scale, True, *LAYOUTS[-1])]


def _labels(volume: Volume, slanted: bool) -> list[str]:
    """A label's parts: name, size and window; level labels have a line for each."""
    if slanted:
        return [volume.name, "  ".join(filter(None, [volume.size, volume.window(long=False)]))]
    return [volume.name, volume.size, *filter(None, volume.window().split(", "))]


def _row(volumes: Sequence[Volume], scale: Scale, slanted: bool, tallest, deepest, clear) -> Row:
    solids: list[Solid] = []
    right = 0.0  # of everything so far
    last_label = 0.0
    drop = 0.0
    for volume in volumes:
        height, wide, thick = scale.solid(volume, tallest, deepest)
        labels = _labels(volume, slanted)
        if slanted:
            length = sum(text_size(label)[0] for label in labels) + GAP_IN_LABEL
            pitch, reach = LINE / sin(radians(SLANT)) + 1, length * cos(radians(SLANT))
            drop = max(drop, length * sin(radians(SLANT)))
        else:
            label = max(text_size(label, weight="bold")[0] for label in labels)
            pitch, reach = (label + last_label) / 2 + 8, label / 2
            drop = max(drop, LINE * len(labels))
            last_label = label
        lean = OBLIQUE[0] * wide / 2
        if solids:
            last = solids[-1]
            gap = 18 if clear == 1 else 6
            x = last.x + last.thick + clear * (last.slope[0] + lean) + gap
            x = max(x, last.x + last.thick / 2 + pitch - thick / 2)
        else:
            x = MARGIN + max(lean, 0 if slanted else reach - thick / 2)
        solids.append(Solid(volume, x, height, wide, thick))
        right = max(right, x + thick + lean, x + thick / 2 + reach)
    half = max(solid.half for solid in solids)
    return Row(tuple(solids), right + MARGIN, 2 * half + drop + 26, half + 4, slanted, clear == 1)


def _edge(kind: str) -> tuple[float, float, float]:
    return mix(KINDS[kind], "black", 0.5)


def _draw_row(ax: Axes, row: Row, axis: float, image: np.ndarray | None) -> None:
    """Painter's order: what stands further right is nearer to the reader."""
    below = axis - max(solid.half for solid in row.solids) - 8
    for order, solid in enumerate(row.solids):
        layer = 2 + 4 * order
        if order + 1 < len(row.solids):
            _draw_flow(ax, solid, row.solids[order + 1], axis, layer + 2, row.clear)
        _draw_solid(ax, solid, axis, layer)
        if image is not None and order == 0:
            _draw_image(ax, image, solid, axis, layer + 1)
        _draw_label(ax, solid, axis, below, row.slanted)


def _face(solid: Solid, axis: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The face where data leaves: its lower front corner, and the edges along the width and the height."""
    dx, dy = solid.slope
    corner = np.array([solid.x + solid.thick - dx, axis - solid.height / 2 - dy])
    return corner, np.array([2 * dx, 2 * dy]), np.array([0.0, solid.height])


def _draw_solid(ax: Axes, solid: Solid, axis: float, layer: float) -> None:
    color, style = KINDS[solid.volume.kind], {"edgecolor": _edge(solid.volume.kind), "linewidth": 0.7}
    corner, along, up = _face(solid, axis)
    back = corner - (solid.thick, 0)
    face = [corner, corner + along, corner + along + up, corner + up]
    top = [back + up, corner + up, corner + up + along, back + up + along]
    front = [back, corner, corner + up, back + up]
    for points, white in ((face, 0.3), (top, 0.6), (front, 0.0)):
        shade = mix(color, "white", white)
        patch = Polygon(points, closed=True, facecolor=shade, joinstyle="round", zorder=layer, **style)
        patch.set_gid(solid.volume.name)  # so that the side can be found again
        ax.add_patch(patch)


def _draw_image(ax: Axes, image: np.ndarray, solid: Solid, axis: float, layer: float) -> None:
    corner, along, up = _face(solid, axis)
    onto_face = Affine2D.from_values(*along, *up, *corner)
    picture = AxesImage(ax, cmap="gray", extent=(0, 1, 0, 1), zorder=layer, interpolation="nearest")
    picture.set_data(image)
    picture.set_clim(0, 1)
    picture.set_transform(onto_face + ax.transData)
    ax.add_image(picture)


def _draw_flow(ax: Axes, solid: Solid, after: Solid, axis: float, layer: float, clear: bool) -> None:
    """How the next volume comes about: its window on this face, or the fan of a full connection."""
    to = after.x
    corner, along, up = _face(solid, axis)
    if after.volume.kind == "dense":
        start = np.array([corner + along, corner + along + up])
        if solid.volume.is_bar:
            start = np.array([corner + along / 2, corner + along / 2 + up])
        end = np.array([(to, axis + after.height / 2), (to, axis - after.height / 2)])
        ax.add_patch(Polygon([*start, *end], facecolor="#000000", alpha=0.10, linewidth=0, zorder=layer))
    elif after.volume.kernel and clear and not solid.volume.is_bar:
        share = [min(1.0, k / side) for k, side in zip(after.volume.kernel, solid.volume.sides, strict=False)]
        high, wide = up * share[0], along * share[-1]
        low = corner + (along - wide) * 0.5 + (up - high) * 0.5
        patch = [low, low + wide, low + wide + high, low + high]
        for point in patch:
            ax.plot(*zip(point, (to, axis), strict=True), color=INK, linewidth=0.6, alpha=0.55, zorder=layer)
        ax.add_patch(Polygon(patch, facecolor="white", alpha=0.5, linewidth=0, zorder=layer))
        ax.add_patch(Polygon(patch, fill=False, edgecolor=INK, linewidth=0.8, zorder=layer))
    else:
        middle = corner + along / 2 + up / 2
        ax.plot(*zip(middle, (to, axis), strict=True), color=FAINT, linewidth=0.8, zorder=layer)


def _draw_label(ax: Axes, solid: Solid, axis: float, below: float, slanted: bool) -> None:
    x = solid.x + solid.thick / 2
    name, *rest = _labels(solid.volume, slanted)
    place = {"xycoords": "data", "textcoords": "offset points", "fontsize": SMALL, "annotation_clip": False}
    if not slanted:
        for line, text in enumerate([name, *rest]):
            ax.annotate(
                text,
                (x, below),
                (0, -LINE * line),
                ha="center",
                va="top",
                color=FAINT if line > 1 else INK,
                fontweight="bold" if line == 0 else "normal",
                **place,
            )
        return
    ax.plot([x, x], [axis - solid.half, below + 2], color="#BBBBBB", linewidth=0.6, zorder=1)
    place |= {"rotation": -SLANT, "rotation_mode": "anchor", "ha": "left", "va": "center"}
    ax.annotate(name, (x, below), (0, -2), color=INK, **place)
    step = text_size(name)[0] + GAP_IN_LABEL
    offset = (step * cos(radians(SLANT)), -2 - step * sin(radians(SLANT)))
    ax.annotate(rest[0], (x, below), offset, color=FAINT, **place)
