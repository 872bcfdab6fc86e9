"""Many networks beside each other, each as its silhouette, all on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .style import COLORS, FAINT, INK, SMALL, axes_or_new, text_size

LAYER = 2.0  # points: the width of one layer with weights
DOUBLING = 4.2  # points: from one size, or number of channels, to its double
FOOT = 0.6  # doublings: the height of a single position or channel, so that it can be seen
LINE = 11.5  # points: from one line of text to the next
GAP = 14.0  # points between two networks, and between two rows
MARGIN = 14.0
UP, DOWN = COLORS["blue"], COLORS["orange"]
KEY = 2.4  # the network in the key is so many times larger


def plot_silhouette(
    volumes: Sequence[tuple[int, int, int]],
    *,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw a network's silhouette: upwards the side of its maps, downwards their number, layer by layer.

    Both are logarithmic: one step is a factor of two. To the right goes the depth, in layers with weights.

    Args:
        volumes: `(H, W, C)` behind 0, 1, 2, ... layers, from `accounting.silhouette`.
        origin: where the axis begins, in points.
        scale: factor on all lengths.
        ax: Axes whose units are points; default a new figure.

    Returns:
        The Axes.

    >>> ax = plot_silhouette([(32, 32, 3), (32, 32, 64), (1, 1, 10)])
    >>> len(ax.patches)
    2
    """
    if not volumes:
        raise ValueError("Nothing to draw: the list of volumes is empty.")
    own = ax is None
    ax = axes_or_new(ax, 4.0, 2.5)
    x, y = origin
    edges = x + scale * LAYER * np.arange(len(volumes) + 1)
    for values, sign, color in (
        ([max(volume[:-1]) for volume in volumes], 1, UP),
        ([volume[-1] for volume in volumes], -1, DOWN),
    ):
        base = y + sign * 0.5 * scale
        heights = [base + sign * scale * height_of(value) for value in values]
        ax.stairs(heights, edges, baseline=base, fill=True, facecolor=color, linewidth=0)
    if own:
        ax.set_axis_off()
        ax.autoscale_view()
    return ax


def height_of(value: float) -> float:
    """Points above or below the axis; each doubling of the value adds `DOUBLING`.

    >>> round(height_of(64) - height_of(32), 6) == DOUBLING
    True
    """
    return DOUBLING * (log2(value) + FOOT)


@dataclass(frozen=True)
class Block:
    """One network with its name and caption; lengths in points."""

    name: str
    group: str
    lines: tuple[str, ...]
    volumes: tuple[tuple[int, int, int], ...]

    @property
    def width(self) -> float:
        words = [text_size(self.name, SMALL, "bold")[0], *(text_size(line)[0] for line in self.lines)]
        return max(len(self.volumes) * LAYER, *words)

    @property
    def up(self) -> float:
        """From the axis to the top of the text."""
        maps = height_of(max(max(volume[:-1]) for volume in self.volumes))
        return maps + 4 + LINE * (1 + len(self.lines))

    @property
    def down(self) -> float:
        return height_of(max(volume[-1] for volume in self.volumes))


def silhouette_grid(
    networks: Iterable[Mapping],
    *,
    width: float = 12.5,
    title: str = "",
    example: str | None = None,
) -> Figure:
    """Draw many networks to the same scale, group after group, each with its name and caption.

    Args:
        networks: dictionaries with "name", "group" (such as the year; equal ones stand together), "caption"
            (its lines are written under the name) and "silhouette", from `accounting.silhouette`.
        width: of the figure, in inches. The height follows.
        title: what stands above.
        example: the network that explains the drawing at the top; None for none.

    Returns:
        The figure.

    Raises:
        ValueError: no networks, or an example that is none of them.

    >>> volumes = [(32, 32, 1), (28, 28, 6), (1, 1, 10)]
    >>> row = {"name": "LeNet5", "group": 1998, "caption": "61.7 k params", "silhouette": volumes}
    >>> figure = silhouette_grid([row])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1998', 'LeNet5', '61.7 k params']
    """
    blocks = [
        Block(
            str(row["name"]),
            str(row["group"]),
            tuple(filter(None, str(row.get("caption", "")).split("\n"))),
            tuple(tuple(volume) for volume in row["silhouette"]),
        )
        for row in networks
    ]
    if not blocks:
        raise ValueError("Nothing to draw: the list of networks is empty.")
    shown = next((block for block in blocks if block.name == example), None)
    if example and not shown:
        raise ValueError(f"The example {example!r} is none of the networks: {[b.name for b in blocks]}.")
    lines = _flow(blocks, width * 72 - 2 * MARGIN)
    header = (28.0 if title else 8.0) + (_key_height(shown) if shown else 0.0)
    heights = [max(b.up for b, _, _ in line) + max(b.down for b, _, _ in line) + GAP for line in lines]
    total = header + sum(heights) + MARGIN
    figure = plt.figure(figsize=(width, total / 72), layout="none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set(xlim=(0, width * 72), ylim=(-total, 0))
    if title:
        ax.text(MARGIN, -8, title, fontsize=15, fontweight="bold", color=INK, va="top")
    if shown:
        _draw_key(ax, shown, -(28.0 if title else 8.0))
    y = -header
    for line, height in zip(lines, heights, strict=True):
        axis = y - max(block.up for block, _, _ in line)
        for block, x, label in line:
            _draw_block(ax, block, MARGIN + x, axis, label)
        y -= height
    return figure


def _flow(blocks: Sequence[Block], room: float) -> list[list[tuple[Block, float, str]]]:
    """Rows of blocks, each with its x and the label that stands before it.

    Groups keep their order, and begin with their label, as does a row. A row is filled up with the next block
    of the group that still fits.
    """
    waiting, lines = list(blocks), []
    x, group = room, None  # as if a full row came before
    while waiting:
        now = waiting[0].group
        label = now if now != group else ""
        start = x + _label_width(label)
        fitting = (block for block in waiting if block.group == now and start + block.width <= room)
        block = next(fitting, None) if lines else None
        if block is None:
            lines.append([])
            block, start, label = waiting[0], _label_width(now), now
        waiting.remove(block)
        lines[-1].append((block, start, label))
        x, group = start + block.width + GAP, now
    return lines


def _label_width(group: str) -> float:
    return text_size(group, 14, "bold")[0] + 8 if group else 0.0


def _draw_block(ax: Axes, block: Block, x: float, axis: float, label: str) -> None:
    if label:
        start = x - _label_width(label)
        ax.text(start, axis, label, fontsize=14, fontweight="bold", color=FAINT, va="center")
    plot_silhouette(block.volumes, origin=(x, axis), ax=ax)
    top = axis + block.up
    ax.text(x, top, block.name, fontsize=SMALL, fontweight="bold", color=INK, va="top")
    for number, line in enumerate(block.lines, start=1):
        ax.text(x, top - LINE * number, line, fontsize=SMALL, color=FAINT, va="top")


def _key_height(block: Block) -> float:
    sides, channels = _values(block)
    return KEY * (height_of(max(sides)) + height_of(max(channels))) + 2 * LINE


def _values(block: Block) -> tuple[list[int], list[int]]:
    """The different sides of the maps, and numbers of channels."""
    sides = {max(volume[:-1]) for volume in block.volumes}
    return sorted(sides), sorted({volume[-1] for volume in block.volumes})


def _draw_key(ax: Axes, block: Block, top: float) -> None:
    """The example, enlarged, with its sizes, and what they mean."""
    sides, channels = _values(block)
    left = MARGIN + 42
    axis = top - LINE / 2 - KEY * height_of(max(sides))
    plot_silhouette(block.volumes, origin=(left, axis), scale=KEY, ax=ax)
    right = left + KEY * LAYER * len(block.volumes)
    for values, sign in ((sides, 1), (channels, -1)):
        for value in values:
            y = axis + sign * KEY * (0.5 + height_of(value))
            ax.plot([left - 6, right], [y, y], color=INK, linewidth=0.4, alpha=0.35)
            ax.text(left - 9, y, f"{value:,}", fontsize=SMALL, color=INK, ha="right", va="center")
    x, line = right + 24, 1.25 * LINE
    words = [
        (1, f"{block.name}, enlarged: how to read the drawings", None),
        (3, "to the right: the layers with weights, one step each", INK),
        (4, "up: height and width of the maps (a dense layer has 1)", UP),
        (5, "down: how many maps there are, or units of a dense layer", DOWN),
        (7, "Each halving or doubling is one step of the same height (a logarithmic scale).", None),
        (8, "The drawings below all have one scale.", None),
    ]
    for number, text, color in words:
        y = top - line * number
        if color:
            ax.add_patch(Rectangle((x, y - 4), 9, 9, facecolor=color, linewidth=0))
        weight = "bold" if number == 1 else "normal"
        indent = 15 if color else 0
        ax.text(x + indent, y, text, fontsize=SMALL + 2, color=INK, fontweight=weight, va="center")
