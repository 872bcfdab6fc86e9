"""MobileNet: each 3x3 convolution in two steps, within the maps and then across them.

A depthwise convolution looks at the neighbourhood in each map by itself, a 1x1 convolution mixes the maps.
For D maps out and a K x K window that costs 1/D + 1/K^2 of a full convolution, here an eighth or a ninth.
MobileNetV2 puts the two steps into residual blocks.

References: Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto and Adam 2017, "MobileNets: Efficient
Convolutional Neural Networks for Mobile Vision Applications", arXiv 1704.04861, table 1. Sandler, Howard,
Zhu, Zhmoginov and Chen 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381,
table 2.
"""

from functools import partial

from keras import layers

from ..arguments import number, one_of, rate, whole_number, whole_numbers
from ..blocks import TENSORFLOW_NORM, conv_norm_act, inverted_residual, make_divisible, stage, stages
from ..builder import BuilderArguments, builder

__all__ = ["MobileNet", "MobileNetV2", "separable"]

# MobileNetV2, table 2: expand_ratio t, filters c, depth n, strides s.
V2_ROWS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def separable(x, filters: int, *, strides: int = 1, activation: str = "relu6", name: str):
    """A depthwise 3x3 convolution, then a 1x1 convolution; each with normalization and activation.

    Reference: MobileNet paper, figure 3 right. The block ends at the layer `{name}_out`.

    >>> separable(layers.Input((112, 112, 64)), 128, strides=2, name="block").shape
    (None, 56, 56, 128)
    """
    depthwise = {"strides": strides, "activation": activation, "name": f"{name}_depthwise"}
    x = conv_norm_act(x, None, 3, norm=TENSORFLOW_NORM, **depthwise)
    x = conv_norm_act(x, filters, 1, activation=None, norm=TENSORFLOW_NORM, name=f"{name}_pointwise")
    return layers.Activation(activation, name=f"{name}_out")(x)


@builder((224, 224, 3))
def MobileNet(
    args: BuilderArguments,
    image,
    *,
    alpha: float = 1.0,
    depths: tuple[int, ...] = (1, 2, 2, 6, 2),
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024),
    activation: str = "relu6",
    dropout: float = 1e-3,
    stem_strides: int = 2,
):
    """A convolution, then 13 separable ones; a stage halves the maps and doubles their number.

    MACs grow about with the square of `alpha` and of the image's side: 568,740,352 of them and 4,253,864
    parameters with alpha 1 at 224x224, 41,030,272 and 475,544 with alpha 0.25.

    Reference: Howard et al. 2017, table 1 (see the module); its last stride of 2 is a slip, 1 is meant.
    Deviations from the paper: it writes ReLU; the authors' code and published weights have ReLU6, the minimum
    of ReLU and 6. The dropout is that of their code, too.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images of any
            size, centred on 0.
        alpha: the width multiplier, a factor for all numbers of filters; 1, 0.75, 0.5 and 0.25 are published.
            No layer gets fewer than 8.
        depths, widths: separable convolutions of each stage, and filters of their 1x1 convolutions.
        activation: "relu6", or "relu" by the word of the paper.
        dropout: before the last layer.
        stem_strides: of the first convolution; 1 for images of about 32x32.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 1024 alpha)`.
        Stage i ends at the layer `stage{i}_block{last}_out`.

    Raises:
        ValueError: an argument that is not allowed.

    >>> model = MobileNet(alpha=0.25, input_shape=(128, 128, 3))
    >>> model.get_layer("stage5_block2_out").output.shape, model.count_params()
    ((None, 4, 4, 256), 475544)
    """
    number("alpha", alpha)
    whole_numbers("depths", depths)
    whole_numbers("widths", widths, count=len(depths))
    one_of("activation", activation, ["relu6", "relu"])
    rate("dropout", dropout)
    whole_number("stem_strides", stem_strides)

    def scaled(filters: int) -> int:
        return max(8, int(filters * alpha))

    own = {"strides": stem_strides, "activation": activation, "norm": TENSORFLOW_NORM, "name": "stem"}
    x = conv_norm_act(image, scaled(widths[0] // 2), 3, **own)  # 112x112x32
    x = stages(x, partial(separable, activation=activation), depths, [*map(scaled, widths)])  # 7x7x1024
    return args.head(x, dropout=dropout)


@builder((224, 224, 3))
def MobileNetV2(
    args: BuilderArguments,
    image,
    *,
    alpha: float = 1.0,
    rows: tuple[tuple[int, int, int, int], ...] = V2_ROWS,
    dropout: float = 0.0,
    stem_strides: int = 2,
):
    """A convolution, 17 inverted residual blocks, a 1x1 convolution to 1280 maps.

    The maps that are handed on are few, 16 to 320; only inside a block there are six times as many. 3,538,984
    parameters and 300,774,272 MACs.

    Reference: Sandler et al. 2018, table 2 (see the module).
    Deviations: none known. The block with t = 1 has no first convolution, as in the authors' code.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images of any
            size, centred on 0.
        alpha: the width multiplier; widths are rounded to multiples of 8. The last 1x1 convolution grows with
            alpha but does not shrink. Published are 0.35, 0.5, 0.75, 1, 1.3 and 1.4.
        rows: the stages: expand_ratio, filters, depth and strides of each.
        dropout: before the last layer; the authors train with 0.2, `keras.applications` has none.
        stem_strides: of the first convolution; 1 for images of about 32x32.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 1280)`.
        Stage i ends at the layer `stage{i}_block{last}_out`.

    Raises:
        ValueError: an argument that is not allowed.

    >>> model = MobileNetV2(rows=((1, 8, 1, 1), (6, 16, 2, 2)), input_shape=(32, 32, 3), classes=10)
    >>> model.get_layer("stage2_block2_out").output.shape
    (None, 8, 8, 16)
    """
    number("alpha", alpha)
    if not isinstance(rows, (tuple, list)) or not rows:
        raise ValueError(
            f"rows must be one or more rows (expand_ratio, filters, depth, strides). Received: {rows!r}."
        )
    for row in rows:
        whole_numbers("A row (expand_ratio, filters, depth, strides)", row, count=4)
    rate("dropout", dropout)
    whole_number("stem_strides", stem_strides)

    own = {"activation": "relu6", "norm": TENSORFLOW_NORM}
    x = conv_norm_act(image, make_divisible(32 * alpha), 3, strides=stem_strides, name="stem", **own)
    for i, (expand_ratio, filters, depth, strides) in enumerate(rows, 1):
        block = partial(inverted_residual, expand_ratio=expand_ratio)
        x = stage(x, block, depth, make_divisible(filters * alpha), strides=strides, name=f"stage{i}")
    x = conv_norm_act(x, make_divisible(1280 * max(1.0, alpha)), 1, name="head", **own)  # 7x7x1280
    return args.head(x, dropout=dropout)
