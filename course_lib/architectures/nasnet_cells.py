"""NASNet-A's two cells as tables, and the function that builds a cell from its table.

Reference: Zoph, Vasudevan, Shlens and Le 2017, arXiv 1707.07012, figure 4 and appendix A; see `nasnet`.
"""

from dataclasses import dataclass

from keras import layers

from ..arguments import one_of
from ..blocks import HE_FAN_OUT, TENSORFLOW_NORM, conv, norm_act
from ..layers import ZeroPaddedPooling2D

__all__ = ["NORMAL", "REDUCTION", "Cell", "nasnet_cell"]


@dataclass(frozen=True)
class Cell:
    """A cell as a table: each block is the sum of two operations, each on maps that exist already.

    An operation is (kind, window, source). Kinds: "separable" (twice ReLU, separable convolution,
    normalization), "average", "max" and "identity". Sources: "h", the cell's input; "p", the input of the
    cell before; 1 to 5, the blocks of this cell. `output` lists what the cell returns, side by side.
    """

    blocks: tuple[tuple[tuple, tuple], ...]
    output: tuple


# Figure 4.
NORMAL = Cell(
    blocks=(
        (("separable", 5, "h"), ("separable", 3, "p")),
        (("separable", 5, "p"), ("separable", 3, "p")),
        (("average", 3, "h"), ("identity", 1, "p")),
        (("average", 3, "p"), ("average", 3, "p")),
        (("separable", 3, "h"), ("identity", 1, "h")),
    ),
    output=("p", 1, 2, 3, 4, 5),
)
REDUCTION = Cell(
    blocks=(
        (("separable", 5, "h"), ("separable", 7, "p")),
        (("max", 3, "h"), ("separable", 7, "p")),
        (("average", 3, "h"), ("separable", 5, "p")),
        (("identity", 1, 2), ("average", 3, 1)),
        (("separable", 3, 1), ("max", 3, "h")),
    ),
    output=(2, 3, 4, 5),
)


def nasnet_cell(
    x, previous, cell: Cell, filters: int, *, strides: int = 1, previous_strides: int = 1, name: str
):
    """One cell: its five sums, and their maps side by side.

    Args:
        x: the cell's input, h; it and its neighbours get `filters` channels by a 1x1 convolution.
        previous: the input of the cell before, p; None for the first cell, where p is x itself.
        cell: `NORMAL`, `REDUCTION` or a table of your own.
        filters: channels of each block.
        strides: of the operations on h and p: 2 in a reduction cell.
        previous_strides: 2 if p has twice the height and width of x: the cell before was a reduction cell.

    >>> image = layers.Input((32, 32, 24))
    >>> nasnet_cell(image, image, NORMAL, 8, name="a").shape  # p and five blocks of 8 channels
    (None, 32, 32, 48)
    >>> nasnet_cell(image, image, REDUCTION, 8, strides=2, name="b").shape
    (None, 16, 16, 32)
    """
    maps = {"p": x if previous is None else _fitted(previous, filters, previous_strides, name)}
    maps["h"] = _projected(x, filters, f"{name}_h")
    for i, block in enumerate(cell.blocks, 1):
        sides = []
        for side, (kind, window, source) in zip(("left", "right"), block, strict=True):
            step = strides if source in ("h", "p") else 1
            sides.append(_operation(maps[source], kind, window, filters, step, f"{name}_{side}{i}"))
        maps[i] = layers.Add(name=f"{name}_add{i}")(sides)
    return layers.Concatenate(name=f"{name}_out")([maps[source] for source in cell.output])


def _operation(x, kind: str, window: int, filters: int, strides: int, name: str):
    one_of("operation of a cell", kind, ["separable", "average", "max", "identity"])
    if kind == "identity":
        return x
    if kind == "separable":
        x = _separable(x, window, filters, strides, f"{name}_1")
        return _separable(x, window, filters, 1, f"{name}_2")
    if strides > 1:
        return ZeroPaddedPooling2D(window, strides, kind, name=f"{name}_{kind}")(x)
    pool = layers.AveragePooling2D if kind == "average" else layers.MaxPooling2D
    return pool(window, 1, padding="same", name=f"{name}_{kind}")(x)


def _separable(x, window: int, filters: int, strides: int, name: str):
    """ReLU, a depthwise and a 1x1 convolution in one layer, normalization."""
    start = {"depthwise_initializer": HE_FAN_OUT, "pointwise_initializer": "he_normal"}
    own = {"padding": "same", "use_bias": False, "name": name, **start}
    x = layers.SeparableConv2D(filters, window, strides, **own)(layers.ReLU(name=f"{name}_relu")(x))
    return norm_act(x, None, norm=TENSORFLOW_NORM, name=name)


def _projected(x, filters: int, name: str):
    """ReLU, 1x1 convolution, normalization."""
    x = conv(layers.ReLU(name=f"{name}_relu")(x), filters, 1, name=name)
    return norm_act(x, None, norm=TENSORFLOW_NORM, name=name)


def _fitted(p, filters: int, strides: int, name: str):
    """p with the size and channels of its neighbours; with strides 2 half from even, half from odd places."""
    name = f"{name}_p"
    if strides == 1:
        return _projected(p, filters, name)
    p = layers.ReLU(name=f"{name}_relu")(p)
    moved = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(p)
    moved = layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}_crop")(moved)  # one pixel up and to the left
    halves = []
    for i, half in enumerate((p, moved), 1):
        half = layers.AveragePooling2D(1, 2, name=f"{name}_pick{i}")(half)
        halves.append(conv(half, filters // 2, 1, name=f"{name}_conv{i}"))
    return norm_act(layers.Concatenate(name=name)(halves), None, norm=TENSORFLOW_NORM, name=name)
