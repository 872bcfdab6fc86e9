"""One step of a convolution and of a pooling, on a grid small enough to see every number."""

from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle

from ..errors import unknown
from .style import COLORS, FAINT, INK, axes_or_new, mix, text_size

CELL = 0.46  # inches
BETWEEN = 1.5  # cells between two grids, where the sign stands
TAP = mix(COLORS["orange"], "white", 0.55)  # cells that the window touches
KERNEL = mix(COLORS["sky"], "white", 0.55)
RESULT = mix(COLORS["green"], "white", 0.55)
TINTS = [mix(COLORS[name], "white", 0.72) for name in ("sky", "orange", "green", "purple", "yellow", "blue")]


def _number(value: float) -> str:
    """At most two decimals, with a real minus sign.

    >>> _number(-0.5), _number(3.0), _number(2.126)
    ('−0.5', '3', '2.13')
    """
    return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")


def _factor(value: float) -> str:
    text = _number(value)
    return f"({text})" if text.startswith("−") else text


class Board:
    """Grids of numbers beside each other on one Axes, a cell a unit wide, row 0 on top."""

    def __init__(self, ax: Axes | None, grids: list[np.ndarray], footer: float):
        self.tall = max(len(grid) for grid in grids)
        wide = sum(grid.shape[1] for grid in grids) + BETWEEN * (len(grids) - 1) + 0.4
        size = min(CELL, 9.0 / wide)  # inches
        self.width = 72 * wide * size  # points
        self.ax = axes_or_new(ax, wide * size, (self.tall + 1.0 + footer) * size + 0.35)
        self.ax.set_axis_off()
        self.ax.set(xlim=(-0.2, wide - 0.2), ylim=(self.tall + footer, -1.0), aspect="equal", anchor="W")
        self.left = 0.0
        longest = max(len(_number(value)) for grid in grids for value in grid.flat if np.isfinite(value))
        self.font = 10 if longest <= 4 else 9

    def grid(self, values: np.ndarray, name: str, *, sign: str = "") -> tuple[float, float]:
        """Draw a grid (NaN: an empty cell), a sign before it; returns the place of its upper left corner."""
        rows, columns = values.shape
        if sign:
            self.ax.text(
                self.left + BETWEEN / 2, self.tall / 2, sign, fontsize=16, ha="center", va="center", color=INK
            )
            self.left += BETWEEN
        x, y = self.left, (self.tall - rows) / 2
        for row, column in np.ndindex(rows, columns):
            self.box(x, y, row, column, facecolor="none", edgecolor="#B3B3B3", linewidth=0.8)
            if np.isfinite(values[row, column]):
                self.ax.text(
                    x + column + 0.5,
                    y + row + 0.52,
                    _number(values[row, column]),
                    ha="center",
                    va="center",
                    fontsize=self.font,
                    color=INK,
                    zorder=5,
                )
        self.ax.text(x + columns / 2, y - 0.25, name, ha="center", va="bottom", fontsize=10, color=INK)
        self.left += columns
        return x, y

    def box(self, x: float, y: float, row: float, column: float, rows=1, columns=1, **style) -> None:
        self.ax.add_patch(Rectangle((x + column, y + row), columns, rows, **style))


def _sizes(name: str, size: tuple[int, int]) -> str:
    return f"{name} {size[0]}×{size[1]}"


def plot_convolution(
    image: np.ndarray,
    kernel: np.ndarray,
    position: tuple[int, int] = (0, 0),
    *,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw one step of a convolution: the window on the image, the kernel, and the output so far.

    The hatched border is the padding, the frame the receptive field, the filled cells what the kernel
    touches (with dilation there are holes between). A grey cell is touched by no window: the stride does
    not fit.

    Args:
        image: array `(H, W)`, small.
        kernel: array `(h, w)`.
        position: row and column of the output cell that is computed; the cells before it are filled in too.
        stride: pixels from one window to the next.
        padding: rows and columns of zeros on every side, a number or (rows, columns).
        dilation: pixels from one cell of the kernel to the next.
        ax: the Axes to draw on, default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: not two-dimensional, a window larger than the padded image, or a position outside the
            output.

    >>> ax = plot_convolution(np.eye(4), np.ones((3, 3)), (0, 1))
    >>> ax.get_title(loc="left")
    'Output: (4 − 3)/1 + 1 = 2 cells a side'
    """
    image, kernel = np.asarray(image, dtype=float), np.asarray(kernel, dtype=float)
    if image.ndim != 2 or kernel.ndim != 2:
        raise ValueError(
            f"image and kernel must be two-dimensional, received {image.shape} and {kernel.shape}."
        )
    pads = (padding, padding) if isinstance(padding, int) else tuple(padding)
    if stride < 1 or dilation < 1 or min(pads) < 0:
        raise ValueError(
            f"stride and dilation must be at least 1 and padding at least 0, received stride={stride}, "
            f"dilation={dilation}, padding={padding}."
        )
    padded = np.pad(image, [(pads[0], pads[0]), (pads[1], pads[1])])
    extent = tuple(dilation * (k - 1) + 1 for k in kernel.shape)
    if extent[0] > padded.shape[0] or extent[1] > padded.shape[1]:
        raise ValueError(
            f"A window of {extent[0]}×{extent[1]} does not fit the padded image of {padded.shape[0]}×"
            f"{padded.shape[1]}: take a smaller kernel or dilation, or more padding."
        )
    size = tuple((n - e) // stride + 1 for n, e in zip(padded.shape, extent, strict=True))
    row, column = position
    if not (0 <= row < size[0] and 0 <= column < size[1]):
        raise ValueError(
            f"position must lie in the {size[0]}×{size[1]} output, counted from 0; received {position}."
        )

    def window(r: int, c: int) -> np.ndarray:
        top, left = r * stride, c * stride
        return padded[top : top + extent[0] : dilation, left : left + extent[1] : dilation]

    output = np.full(size, np.nan)
    for r, c in product(range(size[0]), range(size[1])):
        if (r, c) <= (row, column):
            output[r, c] = (window(r, c) * kernel).sum()

    board = Board(ax, [padded, kernel, output], footer=0.9)
    extra = f", padding {padding if pads[0] == pads[1] else '×'.join(map(str, pads))}" if any(pads) else ""
    x, y = board.grid(padded, _sizes("image", image.shape) + extra)
    height, width = padded.shape
    reached = [(n - 1) * stride + e for n, e in zip(size, extent, strict=True)]
    for r, c in np.ndindex(height, width):
        if r >= reached[0] or c >= reached[1]:
            board.box(x, y, r, c, facecolor="#D9D9D9", edgecolor="none", zorder=0)
        if not (pads[0] <= r < height - pads[0] and pads[1] <= c < width - pads[1]):
            board.box(x, y, r, c, fill=False, edgecolor="#CCCCCC", linewidth=0, hatch="////", zorder=0.5)
    top, left = row * stride, column * stride
    for r, c in np.ndindex(kernel.shape):
        board.box(x, y, top + dilation * r, left + dilation * c, facecolor=TAP, edgecolor="#B3B3B3", zorder=2)
    frame = {"fill": False, "edgecolor": COLORS["vermillion"], "linewidth": 2.2, "zorder": 6}
    board.box(x, y, top, left, *extent, **frame)

    x, y = board.grid(
        kernel, _sizes("kernel", kernel.shape) + (f", dilation {dilation}" if dilation > 1 else ""), sign="∗"
    )
    board.box(x, y, 0, 0, *kernel.shape, facecolor=KERNEL, edgecolor="none", zorder=0)
    x, y = board.grid(output, _sizes("output", size), sign="=")
    board.box(x, y, row, column, facecolor=RESULT, edgecolor="none", zorder=0)
    board.box(x, y, row, column, **frame)

    terms = [f"{_factor(a)}·{_factor(b)}" for a, b in zip(window(row, column).flat, kernel.flat, strict=True)]
    products = " + ".join(terms)
    if text_size(products, 10)[0] > 0.9 * board.width:
        products = f"sum of the {len(terms)} products"
    total = f"{products} = {_number(output[row, column])}"
    board.ax.text(0, board.tall + 0.45, total, fontsize=10, color=INK, va="center")
    title = _formula(image.shape, extent, pads, stride, size)
    if dilation > 1:
        title += f" (the kernel spans {extent[0]}×{extent[1]})"
    board.ax.set_title(title, fontsize=11, loc="left", color=INK)
    return board.ax


def _formula(image, extent, pads, stride: int, size) -> str:
    """The output size with its numbers in the formula; rounded down where the stride does not fit."""
    texts = []
    for n, window, pad, cells in zip(image, extent, pads, size, strict=True):
        inside = f"({n} − {window}" + (f" + 2·{pad}" if pad else "") + f")/{stride}"
        fits = (n - window + 2 * pad) % stride == 0
        texts.append(f"{inside if fits else f'⌊{inside}⌋'} + 1 = {cells}")
    if image[0] == extent[0] == 1:  # one row: a signal, not an image
        return f"Output: {texts[1]} cells"
    if texts[0] == texts[1]:
        return f"Output: {texts[0]} cells a side"
    return f"Output: {texts[0]} high, {texts[1]} wide"


def plot_pooling(
    array: np.ndarray,
    size: int = 2,
    stride: int | None = None,
    *,
    kind: str = "max",
    gradient: np.ndarray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a pooling: the windows, which cells win (ringed: the switches), and where a gradient goes back.

    Windows that do not overlap have a colour each. Of equal cells in a window the first one wins. Cells
    that no window reaches are grey.

    Args:
        array: array `(H, W)`, small.
        size: side of a window.
        stride: from one window to the next, default `size`.
        kind: "max" or "average".
        gradient: array of the output's shape: the loss's gradient there. It adds two grids that show where
            it goes.
        ax: the Axes to draw on, default a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: not two-dimensional, a window that does not fit, a wrong gradient shape or an unknown
            kind.

    >>> ax = plot_pooling(np.arange(16).reshape(4, 4), 2)
    >>> ax.get_title(loc="left")
    'Max pooling 2×2, stride 2: 4 of 16 values stay'
    """
    array, stride = np.asarray(array, dtype=float), stride or size
    if kind not in ("max", "average"):
        raise unknown("kind of pooling", kind, ["max", "average"])
    if array.ndim != 2 or not 1 <= size <= min(array.shape) or stride < 1:
        raise ValueError(
            f"array must be two-dimensional and at least {size}×{size}, size and stride at least 1; "
            f"received shape {array.shape}, size={size}, stride={stride}."
        )
    shape = tuple((n - size) // stride + 1 for n in array.shape)
    if gradient is not None and np.shape(gradient) != shape:
        raise ValueError(f"gradient must have the output's shape {shape}, received {np.shape(gradient)}.")
    output, routed, winners = np.empty(shape), np.zeros(array.shape), {}
    for row, column in np.ndindex(shape):
        top, left = row * stride, column * stride
        window = array[top : top + size, left : left + size]
        first = np.unravel_index(window.argmax(), window.shape)
        winners[row, column] = (top + int(first[0]), left + int(first[1]))
        output[row, column] = window.max() if kind == "max" else window.mean()
        share = 0.0 if gradient is None else gradient[row][column]
        if kind == "max":
            routed[winners[row, column]] += share
        else:
            routed[top : top + size, left : left + size] += share / size**2

    grids = (
        [array, output] if gradient is None else [array, output, np.asarray(gradient, dtype=float), routed]
    )
    names = [_sizes("input", array.shape), _sizes("output", shape), "gradient of output", "gradient of input"]
    signs = ["", "→", "", "→"]
    overlap = stride < size
    board = Board(ax, grids, footer=0.3)
    for index, (values, name, sign) in enumerate(zip(grids, names, signs, strict=False)):
        if index == 2:
            board.left += BETWEEN
        x, y = board.grid(values, name, sign=sign)
        if index in (0, 3):
            reached = [(n - 1) * stride + size for n in shape]
            for r, c in np.ndindex(array.shape):
                if r >= reached[0] or c >= reached[1]:
                    board.box(x, y, r, c, facecolor="#D9D9D9", edgecolor="none", zorder=0)
        for order, (row, column) in enumerate(np.ndindex(shape)):
            tint = TINTS[order % len(TINTS)]
            if index in (1, 2):
                board.box(
                    x, y, row, column, facecolor="none" if overlap else tint, edgecolor="none", zorder=0
                )
                continue
            if not overlap:
                board.box(
                    x,
                    y,
                    row * stride,
                    column * stride,
                    size,
                    size,
                    facecolor=tint,
                    edgecolor="none",
                    zorder=0,
                )
                board.box(
                    x,
                    y,
                    row * stride,
                    column * stride,
                    size,
                    size,
                    fill=False,
                    edgecolor=FAINT,
                    linewidth=1.2,
                )
            if kind == "max":
                r, c = winners[row, column]
                ring = Circle(
                    (x + c + 0.5, y + r + 0.5), 0.38, fill=False, edgecolor=COLORS["vermillion"], linewidth=2
                )
                board.ax.add_patch(ring)
    used = len(set(winners.values())) if kind == "max" else array.size
    title = f"{kind.capitalize()} pooling {size}×{size}, stride {stride}: "
    title += (
        f"{used} of {array.size} values stay"
        if kind == "max"
        else f"{array.size} values become {output.size}"
    )
    board.ax.set_title(title, fontsize=11, loc="left", color=INK)
    return board.ax
