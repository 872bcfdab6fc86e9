"""DenseNet: each layer adds a few maps and sees the maps of all layers before it, side by side.

Features are reused instead of learned again, so that layers can be very narrow: k = 12 or 32 new maps each. L
layers have L(L+1)/2 direct connections.

Reference: Huang, Liu, van der Maaten and Weinberger 2016, "Densely Connected Convolutional Networks", CVPR
2017, arXiv 1608.06993, table 1 (ImageNet), section 3 (CIFAR-10), table 2.

The layers are called `stem...`, `stage{i}_block{j}_{role}`, `transition{i}_{role}`. Stage i, a dense block of
the paper, ends at `stage{i}_block{last}_out`.
"""

from keras import layers

from ..arguments import number, one_of, rate, whole_number, whole_numbers
from ..blocks import blocks_of_depth, conv, imagenet_stem, norm_act
from ..builder import BuilderArguments, builder, variant

__all__ = ["CifarDenseNet", "DenseNet", "DenseNet40", "DenseNet100", "DenseNet121", "DenseNet169"]
__all__ += ["DenseNet201", "DenseNet264", "DenseNetBC100", "DenseNetBC190", "dense_layer", "transition"]


def dense_layer(x, growth_rate: int, *, bottleneck: bool = True, dropout: float = 0.0, name: str):
    """x and f(x) side by side, f = normalization, ReLU, 3x3 convolution to `growth_rate` maps.

    With `bottleneck` a 1x1 convolution to four times as many maps, with normalization and ReLU, comes first:
    DenseNet-B.

    >>> dense_layer(layers.Input((56, 56, 64)), 32, name="block").shape
    (None, 56, 56, 96)
    """
    y = x
    for i, (maps, kernel_size) in enumerate([(4 * growth_rate, 1), (growth_rate, 3)], 1):
        if kernel_size == 3 or bottleneck:
            y = conv(norm_act(y, name=f"{name}_pre{i}"), maps, kernel_size, name=f"{name}_conv{i}")
            y = layers.Dropout(dropout, name=f"{name}_dropout{i}")(y) if dropout else y
    return layers.Concatenate(name=f"{name}_out")([x, y])


def transition(x, compression: float, *, dropout: float = 0.0, name: str):
    """Normalization, ReLU, 1x1 convolution to `compression` times as many maps, average pooling 2x2.

    >>> transition(layers.Input((56, 56, 256)), 0.5, name="transition").shape
    (None, 28, 28, 128)
    """
    if 1 in x.shape[1:3]:
        raise ValueError(
            f"The images are too small: {name} cannot halve maps of {x.shape[1]}x{x.shape[2]}. "
            "Give larger images or fewer stages."
        )
    x = conv(norm_act(x, name=f"{name}_pre"), max(1, int(compression * x.shape[-1])), 1, name=f"{name}_conv")
    x = layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def dense_stages(x, depths, growth_rate, bottleneck, compression, dropout):
    """All dense blocks with the transitions between them, and the last normalization, checked."""
    one_of("bottleneck", bottleneck, [False, True])
    whole_number("growth_rate", growth_rate)
    number("compression", compression, at_most=1.0)
    rate("dropout", dropout)
    for i, depth in enumerate(depths, 1):
        if i > 1:
            x = transition(x, compression, dropout=dropout, name=f"transition{i - 1}")
        for j in range(1, depth + 1):
            own = {"bottleneck": bottleneck, "dropout": dropout, "name": f"stage{i}_block{j}"}
            x = dense_layer(x, growth_rate, **own)
    return norm_act(x, name="head")


@builder((224, 224, 3), min_size=32, hint="DenseNet40 and DenseNetBC100 are made for images of 32x32 pixels.")
def DenseNet(
    args: BuilderArguments,
    image,
    *,
    depths: tuple[int, ...] = (6, 12, 24, 16),
    growth_rate: int = 32,
    compression: float = 0.5,
    dropout: float = 0.0,
):
    """Convolution 7x7/2, max pooling, four stages of dense layers 1x1, 3x3 that each add 32 maps.

    DenseNet121 has 8,062,504 parameters (a third of ResNet50's) and 2,834,161,664 MACs.

    Reference: Huang et al. 2016, table 1 (see the module).
    Deviations: none known. DenseNet264 has 265 weight layers: the paper's name is off by one.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 32x32, centred on 0.
        depths: dense layers of each stage.
        growth_rate: maps that a layer adds, k; the stem has 2k.
        compression: share of the maps that a transition between two stages keeps.
        dropout: after each convolution but the first; the paper has 0.2 where it does not augment its images.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 1024)`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = DenseNet(depths=(2, 2), growth_rate=8, input_shape=(32, 32, 3), classes=10)
    >>> model.get_layer("stage2_block2_out").output.shape  # 16 + 2 * 8 = 32 maps, half of them, + 2 * 8
    (None, 4, 4, 32)
    """
    whole_numbers("depths", depths)
    whole_number("growth_rate", growth_rate)
    x = imagenet_stem(image, 2 * growth_rate)  # 56x56x64
    return args.head(dense_stages(x, depths, growth_rate, True, compression, dropout))


@builder((32, 32, 3), classes=10, min_size=4, hint="Two transitions halve the image.")
def CifarDenseNet(
    args: BuilderArguments,
    image,
    *,
    depth: int = 40,
    growth_rate: int = 12,
    bottleneck: bool = False,
    compression: float = 1.0,
    dropout: float = 0.0,
):
    """DenseNet for small images: a 3x3 convolution, then three stages of n dense layers.

    3n + 4 weight layers; with bottlenecks 6n + 4. DenseNet40 has 1,037,818 parameters and 264,812,928 MACs.

    Reference: Huang et al. 2016, section 3 (see the module).
    Deviations: none known.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 4x4, centred on 0.
        depth: 40 and 100 without bottleneck, 100, 190 and 250 with it.
        growth_rate: maps that a layer adds, k: 12, 24, 40.
        bottleneck: whether a 1x1 convolution comes before each 3x3: DenseNet-B, with compression 0.5
            DenseNet-BC. The stem has 16 maps, that of a DenseNet-BC 2k.
        compression: share of the maps that a transition between two stages keeps.
        dropout: after each convolution but the first; the paper has 0.2 where it does not augment its images.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 8, 8, maps)`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = CifarDenseNet(depth=10, growth_rate=4)
    >>> model.get_layer("stage3_block2_out").output.shape  # 16 + 6 * 4 maps
    (None, 8, 8, 40)
    """
    one_of("bottleneck", bottleneck, [False, True])
    whole_number("growth_rate", growth_rate)
    number("compression", compression, at_most=1.0)
    n = blocks_of_depth(depth, 6 if bottleneck else 3, 4)
    maps = 2 * growth_rate if bottleneck and compression < 1 else 16
    x = conv(image, maps, 3, name="stem")  # 32x32x16
    return args.head(dense_stages(x, (n, n, n), growth_rate, bottleneck, compression, dropout))


def _variant(name: str, depths: tuple[int, ...]):
    return variant(
        DenseNet, name, f"DenseNet with {depths} dense layers of k = 32.", depths=depths, growth_rate=32
    )


DenseNet121 = _variant("DenseNet121", (6, 12, 24, 16))
DenseNet169 = _variant("DenseNet169", (6, 12, 32, 32))
DenseNet201 = _variant("DenseNet201", (6, 12, 48, 32))
DenseNet264 = _variant("DenseNet264", (6, 12, 64, 48))

BASIC = {"bottleneck": False, "compression": 1.0}
BC = {"bottleneck": True, "compression": 0.5}
DenseNet40 = variant(CifarDenseNet, "DenseNet40", "DenseNet for CIFAR-10: L = 40, k = 12.", depth=40, **BASIC)
DenseNet100 = variant(
    CifarDenseNet, "DenseNet100", "DenseNet for CIFAR-10: L = 100, k = 12.", depth=100, **BASIC
)
DenseNetBC100 = variant(CifarDenseNet, "DenseNetBC100", "DenseNet-BC: L = 100, k = 12.", depth=100, **BC)
DenseNetBC190 = variant(
    CifarDenseNet,
    "DenseNetBC190",
    "DenseNet-BC: L = 190, k = 40.",
    defaults={"growth_rate": 40},
    depth=190,
    **BC,
)
