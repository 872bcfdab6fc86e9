"""SimpNet and SimpleNet: thirteen plain 3x3 convolutions, shared out with care.

No branches and no shortcuts: three groups of layers of nearly the same width, few poolings and late ones, so
that the maps stay large, and dropout from the first layer on. The point of the papers is how far that goes.

References: Hasanpour, Rouhani, Fayyaz and Sabokrou 2016, "Lets keep it simple, Using simple architectures to
outperform deeper and more complex architectures", arXiv 1608.06037 (SimpleNet). The same and Adeli 2018,
"Towards Principled Design of Deep Convolutional Networks: Introducing SimpNet", arXiv 1802.06205. Widths and
dropout rates are those of the authors' published Caffe files for CIFAR-10.
"""

from keras import layers

from ..arguments import one_of, rate, whole_numbers
from ..blocks import conv, conv_norm_act, norm_act
from ..builder import BuilderArguments, builder
from ..layers import SAFPooling2D

__all__ = ["SIMPLENETS", "SIMPNETS", "SimpNet", "SimpleNet"]

# variant: filters of the 13 convolutions; dropout after those of groups 1, 2 and 3; dropout in the pooling at
# the end of each group.
SIMPNETS = {
    "slim-300k": ((30, 40, 40, 40, 50, 50, 50, 50, 50, 58, 58, 70, 90), (0, 0, 0), (0, 0, 0)),
    "slim-600k": ((40, 60, 60, 60, 72, 73, 73, 73, 75, 81, 82, 90, 120), (0.1, 0.1, 0.2), (0.1, 0.2, 0.2)),
    "slim-1m": ((60, 80, 80, 80, 85, 85, 90, 90, 90, 110, 110, 127, 150), (0, 0, 0), (0.1, 0.2, 0.2)),
    "5m": (
        (66, 128, 128, 128, 192, 192, 192, 192, 192, 288, 288, 355, 432),
        (0.2, 0.2, 0.3),
        (0.2, 0.3, 0.3),
    ),
    "8.9m": (
        (128, 182, 182, 182, 182, 182, 182, 182, 182, 430, 430, 455, 600),
        (0.2, 0.2, 0.2),
        (0.2, 0.2, 0.2),
    ),
}
# variant: filters of the 13 convolutions; kernel sizes of the last three; dropout.
SIMPLENETS = {
    "slim-310k": ((64, 32, 32, 32, 32, 32, 64, 64, 64, 128, 256, 64, 64), (1, 1, 3), 0.0),
    "slim-460k": ((32, 32, 32, 64, 64, 64, 64, 64, 64, 96, 96, 96, 100), (3, 3, 1), 0.0),
    "5m": ((64, 128, 128, 128, 128, 128, 256, 256, 256, 512, 2048, 256, 256), (1, 1, 3), 0.2),
}


@builder((32, 32, 3), classes=10, min_size=4, hint="Two poolings halve it.")
def SimpNet(
    args: BuilderArguments,
    image,
    *,
    variant: str = "5m",
    widths: tuple[int, ...] | None = None,
    dropout: float | None = None,
):
    """5, 5 and 3 convolutions 3x3 with SAF pooling 2x2 behind the first two groups, the maximum of each map.

    Each convolution has a normalization, ReLU and dropout. Variant "5m" has 5,478,223 trainable parameters
    and 1,270,310,112 MACs, "slim-300k" 300,964 and 97,439,364.

    Reference: Hasanpour et al. 2018 (see the module). The "13 layers" of the paper leave out the last one.
    Deviations from the authors' files: initial weights are He normal, and the normalizations' momentum is
    0.9 (theirs: 0.95 or 0.99).

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        variant: "slim-300k", "slim-600k", "slim-1m", "5m" or "8.9m".
        widths: filters of the 13 convolutions; None: those of the variant.
        dropout: one rate for all places; None: those of the variant, which has none in some places.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 8, 8, 432)`. Groups
        end at `stage1_pool` and `stage2_pool`; the last one at `stage3_block3_conv_relu`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = SimpNet(variant="slim-300k")
    >>> model.get_layer("stage2_pool").output.shape
    (None, 8, 8, 58)
    """
    one_of("variant", variant, SIMPNETS)
    own_widths, rates, pool_rates = SIMPNETS[variant]
    filters = iter(_checked_widths(widths, own_widths))
    if dropout is not None:
        rate("dropout", dropout)
        rates = pool_rates = (dropout,) * 3

    x = image
    for i, depth in enumerate((5, 5, 3), 1):  # 32x32, 16x16, 8x8
        for j in range(1, depth + 1):
            name = f"stage{i}_block{j}"
            x = conv_norm_act(x, next(filters), 3, use_bias=True, name=f"{name}_conv")
            if j < depth and rates[i - 1]:
                x = layers.Dropout(rates[i - 1], name=f"{name}_dropout")(x)
        if i < 3:
            x = SAFPooling2D(2, rate=pool_rates[i - 1], name=f"stage{i}_pool")(x)
    # SAF pooling of the whole map: its maximum, then dropout.
    return args.head(x, layers.GlobalMaxPooling2D(name="head_pool"), dropout=pool_rates[2])


@builder((32, 32, 3), classes=10, min_size=16, hint="Four poolings halve it.")
def SimpleNet(
    args: BuilderArguments,
    image,
    *,
    variant: str = "5m",
    widths: tuple[int, ...] | None = None,
    dropout: float | None = None,
):
    """Groups of 4, 3, 2, 3 and 1 convolutions with 2x2 max pooling between, the maximum of each map.

    Variant "5m" has 5,493,258 trainable parameters and 652,151,296 MACs.

    Reference: Hasanpour et al. 2016 (see the module). As in the authors' files, the seventh convolution is
    pooled before its normalization, and the last three have none.
    Deviations from these files: initial weights are He normal, the normalizations' momentum is 0.9, dropout
    always stands behind a pooling (theirs: once before), and the last pooling takes the maximum of the whole
    map, which is the same for 32x32 images.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 16x16.
        variant: "slim-310k", "slim-460k" or "5m".
        widths: filters of the 13 convolutions; None: those of the variant.
        dropout: share of each layer's outputs that training sets to 0; None: the variant's, 0.2 in "5m".

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 2, 2, 256)`. Groups
        end at `stage1_pool` to `stage4_pool`; the last one at `stage5_block1_conv_relu`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = SimpleNet(variant="slim-310k")
    >>> [model.get_layer(f"stage{i}_pool").output.shape[1] for i in (1, 2, 3, 4)]
    [16, 8, 4, 2]
    """
    one_of("variant", variant, SIMPLENETS)
    own_widths, last_kernels, own_dropout = SIMPLENETS[variant]
    dropout = own_dropout if dropout is None else dropout
    rate("dropout", dropout)
    windows = zip(_checked_widths(widths, own_widths), (*[3] * 10, *last_kernels), strict=True)

    x, number = image, 0
    for i, depth in enumerate((4, 3, 2, 3, 1), 1):  # 32x32, 16x16, 8x8, 4x4, 2x2
        for j in range(1, depth + 1):
            name, number = f"stage{i}_block{j}", number + 1
            x = conv(x, *next(windows), use_bias=True, name=f"{name}_conv")
            if number == 7:
                x = layers.MaxPooling2D(2, name=f"stage{i}_pool")(x)
            if number <= 10:
                x = norm_act(x, name=f"{name}_conv")
            else:
                x = layers.Activation("relu", name=f"{name}_conv_relu")(x)
            if number in (4, 9, 12):
                x = layers.MaxPooling2D(2, name=f"stage{i}_pool")(x)
            if number < 13 and dropout:
                x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return args.head(x, layers.GlobalMaxPooling2D(name="head_pool"))


def _checked_widths(widths, own) -> tuple[int, ...]:
    if widths is not None:
        whole_numbers("widths", widths, count=13)
    return own if widths is None else widths
