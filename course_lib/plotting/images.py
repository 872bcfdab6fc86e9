"""Grids of small pictures: images, filters, feature maps, mistakes. Each function makes a figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .style import FAINT, INK, SMALL, text_size

WIDEST = 9.0  # inches: a notebook shows 900 pixels at 100 dots an inch
DIVERGING = "RdBu_r"  # negative blue, zero white, positive red
SEQUENTIAL = "magma"


@dataclass(frozen=True)
class Cell:
    """One small picture: the array, how its values become colours, and the title above it."""

    picture: np.ndarray
    title: str
    cmap: str = "gray"
    limits: tuple[float, float] = (0.0, 1.0)


def _draw(
    cells: Sequence[Cell], columns: int, *, title: str, largest: float, caption: str = "", bar: str = ""
) -> tuple[Figure, np.ndarray]:
    """A figure with the cells row by row, as large as fits; `bar` labels the colour bar for the last cell."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    columns = len(rows[0])
    gap, left, right = 0.08, 0.08, 0.95 if bar else 0.08  # inches, all of them
    text = max(text_size(cell.title)[0] for cell in cells) / 72 + 0.08
    wide = min((WIDEST - left - right) / columns - gap, max(largest, text))
    tall = wide * max(cell.picture.shape[0] / cell.picture.shape[1] for cell in cells)
    above = [0.175 * (max(cell.title.count("\n") for cell in row) + 1) + 0.03 for row in rows]
    above = [
        space if any(cell.title for cell in row) else 0.0 for space, row in zip(above, rows, strict=True)
    ]
    top, bottom = 0.38 if title else 0.06, 0.32 if caption else 0.08
    height = top + sum(above) + len(rows) * (tall + gap) - gap + bottom
    height = (
        max(height, top + above[0] + 1.1 + bottom) if bar else height
    )  # a shorter bar has no room for its label
    grid = columns * (wide + gap) - gap
    words = max(text_size(title, 12, "bold")[0], text_size(caption)[0]) / 72 + 0.3
    width = min(WIDEST, max(left + grid + right, words))

    figure = plt.figure(figsize=(width, height), layout="none")
    axes = np.empty(len(cells), dtype=object)
    y = height - top
    for row, (line, space) in enumerate(zip(rows, above, strict=True)):
        y -= space + tall
        for column, cell in enumerate(line):
            x = left + column * (wide + gap)
            ax = figure.add_axes((x / width, y / height, wide / width, tall / height))
            ax.set_axis_off()
            low, high = cell.limits
            ax.imshow(cell.picture, cmap=cell.cmap, vmin=low, vmax=high, interpolation="nearest")
            ax.set_title(cell.title, fontsize=SMALL, fontweight="normal", loc="center", pad=3, color=INK)
            axes[row * columns + column] = ax
        y -= gap
    if title:
        figure.text(
            left / width, 1 - 0.08 / height, title, fontsize=12, fontweight="bold", color=INK, va="top"
        )
    if caption:
        figure.text(left / width, 0.07 / height, caption, fontsize=SMALL, color=FAINT, va="bottom")
    if bar:
        length = min(height - top - above[0] - bottom, 2.4)
        low = height - top - above[0] - length
        side = figure.add_axes(((left + grid + 0.15) / width, low / height, 0.12 / width, length / height))
        colors = ScalarMappable(Normalize(*cells[-1].limits), cells[-1].cmap)
        figure.colorbar(colors, cax=side).set_label(bar, fontsize=SMALL)
        side.tick_params(labelsize=SMALL)
        side.grid(False)
    return figure, axes


def _pictures(images: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Images `(N, H, W)` or `(N, H, W, 3)` that lie within the limits."""
    images = np.asarray(images)
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3)) or not len(images):
        hint = " For one image: images[None]." if images.ndim == 2 else ""
        raise ValueError(
            f"images must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), received {images.shape}.{hint}"
        )
    low, high = float(images.min()), float(images.max())
    if low < limits[0] - 1e-6 or high > limits[1] + 1e-6:
        raise ValueError(
            f"images must lie in {list(limits)}, received {low:g} to {high:g}. "
            "Scale them, or give limits=(lowest, highest) for grey images."
        )
    return images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images


def image_grid(
    images: np.ndarray,
    titles: Sequence[object] | None = None,
    *,
    columns: int = 8,
    title: str = "",
    size: float = 1.1,
    limits: tuple[float, float] = (0, 1),
) -> tuple[Figure, np.ndarray]:
    """Images side by side, each with its title above.

    Args:
        images: array `(N, H, W)`, `(N, H, W, 1)` or `(N, H, W, 3)`.
        titles: one for each image, such as its class name.
        columns: images in a row, at most.
        title: above the whole.
        size: width of an image in inches, where that many fit in a row.
        limits: the values drawn black and white, the same for all images; colour images must lie in [0, 1].

    Returns:
        The figure, and an array `(N,)` with the Axes of each image.

    Raises:
        ValueError: shapes or values that do not fit, or another number of titles than of images.

    >>> figure, axes = image_grid(np.zeros((5, 8, 8)), titles=range(5))
    >>> len(axes), axes[2].get_title()
    (5, '2')
    """
    pictures = _pictures(images, limits)
    titles = [""] * len(pictures) if titles is None else [str(text) for text in titles]
    if len(titles) != len(pictures):
        raise ValueError(f"{len(pictures)} images but {len(titles)} titles: give one for each image.")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, received {columns}.")
    cells = [Cell(picture, text, limits=limits) for picture, text in zip(pictures, titles, strict=True)]
    return _draw(cells, columns, title=title, largest=size)


def filter_grid(
    filters: np.ndarray, *, columns: int = 8, title: str = "", inputs: int = 6, most: int = 32
) -> tuple[Figure, np.ndarray]:
    """The filters of a convolution as pictures, zero in the middle of the scale.

    One input channel: a picture a filter, blue negative, red positive. Three: a colour picture a filter,
    where grey is zero. More: a row for each input channel, a column for each filter.

    Args:
        filters: array `(height, width, channels_in, channels_out)`, from `visualization.filters`.
        columns: pictures in a row, at most.
        title: above the whole.
        inputs: input channels shown, at most, when there are more than three.
        most: filters shown, at most (half as many in the table of more than three input channels).

    Returns:
        The figure, and the Axes: an array `(filters,)`, or `(inputs, filters)` for the table.

    Raises:
        ValueError: not an array of four dimensions.

    >>> figure, axes = filter_grid(np.ones((5, 5, 1, 6)))
    >>> len(axes)
    6
    """
    filters = np.asarray(filters, dtype=float)
    if filters.ndim != 4:
        raise ValueError(
            f"filters must have shape (height, width, channels_in, channels_out), received {filters.shape}. "
            "course_lib.visualization.filters(model, layer) returns it."
        )
    c_in, c_out = filters.shape[2:]
    top = float(np.abs(filters).max()) or 1.0
    limits = (-top, top)
    if c_in in (1, 3):
        rows, shown = c_in, min(c_out, most)
        pictures = 0.5 + filters / (2 * top) if c_in == 3 else filters[:, :, 0]
        cells = [Cell(pictures[..., index], str(index), DIVERGING, limits) for index in range(shown)]
        captions = [f"Grey is zero, full colour is ±{top:.2g}."] if c_in == 3 else []
    else:
        rows, shown = min(c_in, inputs), min(c_out, most // 2)
        cells = [
            Cell(filters[:, :, row, column], str(column) if row == 0 else "", DIVERGING, limits)
            for row, column in np.ndindex(rows, shown)
        ]
        captions = ["Rows: input channels. Columns: filters."]
        columns = shown
    if shown < c_out or rows < c_in:
        some = f"{shown} of {c_out} filters" + (f", {rows} of {c_in} input channels" if rows < c_in else "")
        captions.append(f"Shown: {some}.")
    figure, axes = _draw(
        cells,
        columns,
        title=title,
        largest=0.95,
        caption=" ".join(captions),
        bar="" if c_in == 3 else "weight",
    )
    return figure, axes if c_in in (1, 3) else axes.reshape(rows, shown)


def feature_map_grid(
    maps: np.ndarray, *, images: np.ndarray | None = None, columns: int = 8, title: str = "", most: int = 32
) -> tuple[Figure, np.ndarray]:
    """What a layer puts out, a picture for each channel, all on one scale.

    Args:
        maps: array `(H, W, C)` of one image, or `(N, H, W, C)` for a row for each of N images.
        images: the inputs `(N, H, W, 1 or 3)` in [0, 1], shown before their maps.
        columns: pictures in a row; for several images the maps shown of each, at most.
        title: above the whole.
        most: maps shown, at most, when there is one image.

    Returns:
        The figure, and the Axes of the maps: `(maps,)` for one image, `(N, maps)` for several.

    Raises:
        ValueError: shapes that do not fit, or more than 12 images.

    >>> figure, axes = feature_map_grid(np.zeros((2, 6, 6, 4)))
    >>> axes.shape
    (2, 4)
    """
    maps = np.asarray(maps, dtype=float)
    if maps.ndim not in (3, 4) or not 1 <= len(maps[None] if maps.ndim == 3 else maps) <= 12:
        raise ValueError(
            f"maps must have shape (H, W, C), or (N, H, W, C) with at most 12 images, received {maps.shape}."
        )
    single = maps.ndim == 3
    maps = maps[None] if single else maps
    inputs = None
    if images is not None:
        inputs = _pictures(images, (0, 1))
        if len(inputs) != len(maps):
            raise ValueError(f"{len(maps)} rows of maps but {len(inputs)} images: give one for each row.")
    low, high = float(maps.min()), float(maps.max())
    if low < 0:
        top = max(-low, high)
        cmap, limits = DIVERGING, (-top, top)
    else:
        cmap, limits = SEQUENTIAL, (0.0, high or 1.0)
    channels = maps.shape[-1]
    shown = min(channels, most if single else columns)
    cells = []
    for n, image_maps in enumerate(maps):
        if inputs is not None:
            cells.append(Cell(inputs[n], "" if n else "input"))
        cells += [Cell(image_maps[..., c], "" if n else f"map {c}", cmap, limits) for c in range(shown)]
    figure, axes = _draw(
        cells,
        columns if single else len(cells) // len(maps),
        title=title,
        largest=0.95,
        caption=f"Shown: {shown} of {channels} maps." if shown < channels else "",
        bar="activation",
    )
    drawn = axes.reshape(len(maps), -1)[:, 0 if inputs is None else 1 :]
    return figure, drawn[0] if single else drawn


def confused_grid(
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    *,
    n: int = 12,
    columns: int = 6,
    title: str = "",
) -> tuple[Figure, np.ndarray]:
    """The mistakes of a network: the image, what it is, and what the network said.

    Args:
        images: array `(N, H, W, 1 or 3)` in [0, 1].
        labels: true classes, integers `(N,)`.
        predictions: probabilities `(N, classes)`: the surest mistakes come first. Or predicted classes
            `(N,)`: the mistakes come in their order.
        class_names: a name for each class.
        n: mistakes shown, at most.
        columns: images in a row, at most.
        title: above the whole; default how many mistakes there are.

    Returns:
        The figure, and an array with the Axes of each mistake shown (empty when there is none).

    Raises:
        ValueError: shapes that do not fit each other.

    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> figure, axes = confused_grid(np.zeros((2, 8, 8, 1)), [1, 1], probabilities, ["cat", "dog"])
    >>> print(axes[0].get_title())
    true dog
    said cat, 90 %
    """
    from ..visualization import most_confused  # loads Keras, which the other pictures do not need

    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if not len(images) == len(labels) == len(predictions):
        raise ValueError(
            f"{len(images)} images, {len(labels)} labels and {len(predictions)} predictions: "
            "give one label and one prediction for each image."
        )
    said = predictions.argmax(axis=1) if predictions.ndim == 2 else predictions
    total = int((said != labels).sum())
    worst = (
        most_confused(labels, predictions, n) if predictions.ndim == 2 else np.flatnonzero(said != labels)[:n]
    )
    title = title or f"{total} of {len(labels)} images wrong" + (
        f", the {len(worst)} surest mistakes" if predictions.ndim == 2 and total > len(worst) else ""
    )
    if not len(worst):
        figure = plt.figure(figsize=(4, 0.6), layout="none")
        figure.text(0.02, 0.5, title, fontsize=12, fontweight="bold", color=INK, va="center")
        return figure, np.empty(0, dtype=object)
    titles = []
    for index in worst:
        sure = f", {predictions[index].max():.0%}".replace("%", " %") if predictions.ndim == 2 else ""
        titles.append(f"true {class_names[labels[index]]}\nsaid {class_names[said[index]]}{sure}")
    return image_grid(np.asarray(images)[worst], titles, columns=columns, title=title)
