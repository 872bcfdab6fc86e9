"""EfficientNet: inverted residual blocks with squeeze and excitation; deeper, wider and finer in one step.

A larger network is best larger in all three ways at once: depth, width and resolution grow by fixed ratios.

Reference: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML,
arXiv 1905.11946, table 1 (B0), equation 3 (the rule), table 2 (B0 to B7).
"""

from functools import partial
from math import ceil

from ..arguments import number, rate, whole_number
from ..blocks import (
    HE_FAN_OUT,
    TENSORFLOW_NORM,
    conv_norm_act,
    drop_rates,
    inverted_residual,
    make_divisible,
    stage,
)
from ..builder import BuilderArguments, builder, variant

__all__ = ["ROWS", "VARIANTS", "EfficientNet", "compound_scaling"]
__all__ += [f"EfficientNetB{size}" for size in range(8)]

# Table 1, stages 2 to 8: expand_ratio, kernel_size, filters, depth, strides. Strides as in the authors' code;
# the table's column "resolution" is that of a stage's input.
ROWS = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
# The authors' code: width, depth, resolution, dropout.
VARIANTS = {
    "B0": (1.0, 1.0, 224, 0.2),
    "B1": (1.0, 1.1, 240, 0.2),
    "B2": (1.1, 1.2, 260, 0.3),
    "B3": (1.2, 1.4, 300, 0.3),
    "B4": (1.4, 1.8, 380, 0.4),
    "B5": (1.6, 2.2, 456, 0.4),
    "B6": (1.8, 2.6, 528, 0.5),
    "B7": (2.0, 3.1, 600, 0.5),
}


def compound_scaling(phi: float, *, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15):
    """`(width, depth, resolution)`: beta^phi, alpha^phi and 224 gamma^phi, for about 2^phi times the MACs.

    MACs grow with depth, and with the squares of width and resolution; alpha beta^2 gamma^2 is about 2. The
    published networks follow the rule up to B3 or so, then their images grow faster (see `VARIANTS`).

    Reference: equation 3; alpha, beta and gamma by a grid search on B0, section 3.3.

    >>> [tuple(round(value, 2) for value in compound_scaling(phi)) for phi in (0, 1, 2)]
    [(1.0, 1.0, 224.0), (1.1, 1.2, 257.6), (1.21, 1.44, 296.24)]
    """
    return beta**phi, alpha**phi, 224 * gamma**phi


@builder((224, 224, 3))
def EfficientNet(
    args: BuilderArguments,
    image,
    *,
    width: float = 1.0,
    depth: float = 1.0,
    dropout: float = 0.2,
    drop_path_rate: float = 0.2,
    stem_strides: int = 2,
):
    """A convolution, 16 inverted residual blocks in 7 stages, a 1x1 convolution; all scaled by two factors.

    B0 has 5,330,564 parameters and 385,814,752 MACs, B7 66,658,680 and 37,745,884,192 at 600x600.

    Reference: Tan and Le 2019, table 1 (see the module); our stages 1 to 7 are the table's 2 to 8.
    Deviations: none known. `keras.applications` scales images inside the network (from 0 ... 255); here
    nothing does, and its seven numbers for that are not among the parameters. Stochastic depth begins one
    step later there.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images of any
            size, centred on 0 with deviation 1.
        width: factor for all numbers of filters, which are rounded to multiples of 8.
        depth: factor for the number of blocks of each stage, which is rounded up.
        dropout: before the last layer.
        drop_path_rate: stochastic depth, the rate of the last block; see `course_lib.blocks.drop_rates`.
        stem_strides: of the first convolution; 1 for images of about 32x32.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 1280)`. Stage
        i ends at the layer `stage{i}_block{last}_out`.

    Raises:
        ValueError: an argument that is not allowed.

    >>> model = EfficientNet(width=0.25, depth=0.5, input_shape=(32, 32, 3), classes=10)
    >>> model.get_layer("stage6_block2_out").output.shape  # 2 blocks of B0's 4; 48 filters of its 192
    (None, 1, 1, 48)
    """
    number("width", width)
    number("depth", depth)
    rate("dropout", dropout)
    rate("drop_path_rate", drop_path_rate)
    whole_number("stem_strides", stem_strides)

    own = {"activation": "swish", "norm": TENSORFLOW_NORM, "kernel_initializer": HE_FAN_OUT}
    depths = [ceil(depth * row[3]) for row in ROWS]
    rates = drop_rates(drop_path_rate, depths)
    x = conv_norm_act(image, make_divisible(32 * width), 3, strides=stem_strides, name="stem", **own)
    for i, (expand_ratio, kernel_size, filters, _, strides) in enumerate(ROWS):
        block = partial(
            inverted_residual,
            expand_ratio=expand_ratio,
            kernel_size=kernel_size,
            se_ratio=0.25,
            activation="swish",
            kernel_initializer=HE_FAN_OUT,
        )
        place = {"strides": strides, "drop_rates": rates[i], "name": f"stage{i + 1}"}
        x = stage(x, block, depths[i], make_divisible(filters * width), **place)
    x = conv_norm_act(x, make_divisible(1280 * width), 1, name="head", **own)
    return args.head(x, dropout=dropout)


def _variant(name: str):
    width, depth, size, dropout = VARIANTS[name]
    doc = f"EfficientNet-{name}: {width:g} times as wide and {depth:g} times as deep as B0, on {size}x{size}."
    defaults = {"input_shape": (size, size, 3), "dropout": dropout}
    return variant(EfficientNet, f"EfficientNet{name}", doc, defaults=defaults, width=width, depth=depth)


EfficientNetB0 = _variant("B0")
EfficientNetB1 = _variant("B1")
EfficientNetB2 = _variant("B2")
EfficientNetB3 = _variant("B3")
EfficientNetB4 = _variant("B4")
EfficientNetB5 = _variant("B5")
EfficientNetB6 = _variant("B6")
EfficientNetB7 = _variant("B7")
