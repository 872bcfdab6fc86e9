"""NASNet-A: two small cells, found by a search and stacked like blocks: one keeps the size, one halves it.

A controller network proposed cells, each was trained on CIFAR-10, and what it reached was the reward. The
best pair, with more filters and more repeats, then made a network for ImageNet.

Reference: Zoph, Vasudevan, Shlens and Le 2017, "Learning Transferable Architectures for Scalable Image
Recognition", CVPR 2018, arXiv 1707.07012, figure 2 (the stacks), figure 4 (the cells), appendix A.

The layers are called `stem...` and `stage{i}_block{j}_{role}`; a block is a cell and ends at its `_out`.
"""

from keras import layers

from ..arguments import one_of, whole_number
from ..blocks import TENSORFLOW_NORM, conv, norm_act
from ..builder import BuilderArguments, builder, variant
from .nasnet_cells import NORMAL, REDUCTION, nasnet_cell

__all__ = ["NASNet", "NASNetCifar", "NASNetLarge", "NASNetMobile"]


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
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
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
    "NASNet-A (6 @ 768), for 32x32: 3,328,234 trainable parameters; the paper says 3.3 million.",
    input_shape=(32, 32, 3),
    classes=10,
    depth=6,
    penultimate_filters=768,
    stem_filters=96,
    skip_reduction_input=False,
    stem="small",
)
