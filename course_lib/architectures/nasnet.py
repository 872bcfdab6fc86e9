"""NASNet-A: two small cells, found by a search and stacked like blocks: one keeps the size, one halves it.

A controller network proposed cells, each was trained on CIFAR-10, and what it reached was the reward. The
best pair, with more filters and more repeats, then made a network for ImageNet.

Reference: Zoph, Vasudevan, Shlens and Le 2017, "Learning Transferable Architectures for Scalable Image
Recognition", CVPR 2018, arXiv 1707.07012, figure 2 (the stacks), figure 4 (the cells), appendix A.

The layers are called `stem...` and `stage{i}_block{j}_{role}`; a block is a cell and ends at its `_out`.
"""

from dataclasses import dataclass

from keras import layers

from ..blocks import (
    HE_FAN_OUT,
    TENSORFLOW_NORM,
    BuilderArguments,
    builder,
    conv,
    norm_act,
    one_of,
    variant,
    whole_number,
)
from ..layers import ZeroPaddedPooling2D

__all__ = [
    "NORMAL",
    "REDUCTION",
    "Cell",
    "NASNet",
    "NASNetCifar",
    "NASNetLarge",
    "NASNetMobile",
    "nasnet_cell",
]


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


@builder((331, 331, 3), min_size=32, hint="The cells halve the image again and again.")
def NASNet(
    args: BuilderArguments,
    image,
    *,
    depth: int = 6,
    penultimate_filters: int = 4032,
    stem_filters: int = 96,
    skip_reduction_input: bool = True,
    stem: str = "imagenet",
):
    """Three stages of `depth` normal cells, a reduction cell before each but the first; "N @ filters".

    NASNetLarge (6 @ 4032) has 88,949,818 parameters and 23,783,414,658 MACs, NASNetMobile (4 @ 1056)
    5,326,716 and 563,638,816.

    Reference: Zoph et al. 2017, figures 2 and 4 (see the module).
    Deviations: details that the paper leaves open are those of `keras.applications` (and so of its weights):
    a reduction cell's poolings see zeros outside the image, and there is no auxiliary classifier and no drop
    path. The normalization's momentum is 0.99 instead of 0.9997, for shorter trainings.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.blocks.BuilderArguments`. Images are at
            least 32x32, centred on 0.
        depth: normal cells of each stage, the paper's N.
        penultimate_filters: channels of the last maps, a multiple of 96. A cell of the last stage has 1/6 of
            them in each block, one of the stage before half of that.
        stem_filters: of the first convolution.
        skip_reduction_input: whether the cell after a reduction takes for p not the reduction cell's input
            but the maps before that. So in NASNetLarge, not in NASNetMobile.
        stem: "imagenet", a 3x3/2 convolution and two reduction cells; or "small" for images such as 32x32, a
            3x3 convolution only.

    Returns:
        A model from `(N, 331, 331, 3)` to `(N, classes)`; without the classifier to `(N, 11, 11, 4032)`.
        Stage i ends at the layer `stage{i}_block{last}_out`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = NASNet(depth=1, penultimate_filters=96, stem_filters=8, stem="small", input_shape=(32, 32, 3))
    >>> [model.get_layer(name).output.shape[1:] for name in ("stage1_block1_out", "stage3_block2_out")]
    [(32, 32, 24), (8, 8, 96)]
    """
    whole_number("depth", depth)
    whole_number("stem_filters", stem_filters)
    whole_number("penultimate_filters", penultimate_filters)
    if penultimate_filters % 96:
        raise ValueError(
            f"penultimate_filters must be a multiple of 96, such as 768, 1056 or 4032. Received: "
            f"{penultimate_filters}."
        )
    one_of("skip_reduction_input", skip_reduction_input, [False, True])
    one_of("stem", stem, ["imagenet", "small"])

    filters = penultimate_filters // 24  # of the first stage's cells, which return six times as many
    x, p = _stem(image, stem_filters, filters, stem)
    for i in (1, 2, 3):
        halved = stem == "imagenet" if i == 1 else True  # whether a reduction cell comes before the stage
        if i > 1:
            y = nasnet_cell(x, p, REDUCTION, filters, strides=2, name=f"stage{i}_block1")
            x, p = y, p if skip_reduction_input else x
        for j in range(depth):
            name = f"stage{i}_block{j + 1 + (i > 1)}"
            y = nasnet_cell(x, p, NORMAL, filters, previous_strides=2 if halved and j == 0 else 1, name=name)
            x, p = y, x
        filters *= 2
    return args.head(layers.ReLU(name="head_relu")(x))


def _stem(image, stem_filters: int, filters: int, stem: str):
    """The first cell's input x and p."""
    strides, padding = (2, "valid") if stem == "imagenet" else (1, "same")
    x = conv(image, stem_filters, 3, strides=strides, padding=padding, name="stem")  # 165x165x96
    x = norm_act(x, None, norm=TENSORFLOW_NORM, name="stem")
    if stem == "small":
        return x, x
    first = nasnet_cell(x, None, REDUCTION, filters // 4, strides=2, name="stem_block1")  # 83x83x168
    second = nasnet_cell(
        first, x, REDUCTION, filters // 2, strides=2, previous_strides=2, name="stem_block2"
    )  # 42x42x336
    return second, first


NASNetMobile = variant(
    NASNet,
    "NASNetMobile",
    "NASNet-A (4 @ 1056), for 224x224.",
    input_shape=(224, 224, 3),
    depth=4,
    penultimate_filters=1056,
    stem_filters=32,
    skip_reduction_input=False,
)
NASNetLarge = variant(
    NASNet,
    "NASNetLarge",
    "NASNet-A (6 @ 4032), for 331x331.",
    depth=6,
    penultimate_filters=4032,
    stem_filters=96,
    skip_reduction_input=True,
)
NASNetCifar = variant(
    NASNet,
    "NASNetCifar",
    "NASNet-A (6 @ 768), for 32x32.",
    input_shape=(32, 32, 3),
    classes=10,
    depth=6,
    penultimate_filters=768,
    stem_filters=96,
    skip_reduction_input=False,
    stem="small",
)
