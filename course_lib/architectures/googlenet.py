"""GoogLeNet: nine inception modules, each looking through 1x1, 3x3 and 5x5 windows and a pooling at once.

A 1x1 convolution before each large filter makes the maps few, so that 22 layers cost a tenth of VGG16's
MACs; the mean over each map takes the place of the large dense layers, and so of most parameters.

Reference: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich 2014, "Going Deeper
with Convolutions", CVPR 2015, arXiv 1409.4842, table 1, figures 2 and 3, section 5.
"""

from keras import layers

from ..arguments import number, one_of
from ..builder import BuilderArguments, builder, variant
from ..layers import LocalResponseNormalization

__all__ = ["MODULES", "GoogLeNet", "GoogLeNetSmall", "inception_block", "naive_inception_block"]

# Table 1: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj. Max poolings come before 4a and 5a.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
AUXILIARY = {"4a": "aux1", "4d": "aux2"}  # the modules that an auxiliary classifier looks at


def relu_conv(x, filters: int, kernel_size: int, *, strides: int = 1, name: str):
    """A convolution with bias and ReLU, the only kind here.

    >>> relu_conv(layers.Input((32, 32, 3)), 8, 5, name="conv").shape
    (None, 32, 32, 8)
    """
    return layers.Conv2D(filters, kernel_size, strides, padding="same", activation="relu", name=name)(x)


def inception_block(
    x, conv1: int, reduce3: int, conv3: int, reduce5: int, conv5: int, pool_proj: int, *, name: str
):
    """1x1 | 1x1, 3x3 | 1x1, 5x5 | max pooling 3x3, 1x1: four branches, their maps side by side.

    Reference: figure 2b and the columns of table 1.

    Args:
        x: `(N, H, W, C)`.
        conv1, reduce3, conv3, reduce5, conv5, pool_proj: numbers of filters, as in table 1.
        name: of the output; the layers are called `{name}_1x1`, `{name}_3x3_reduce` and so on.

    Returns:
        `(N, H, W, conv1 + conv3 + conv5 + pool_proj)`.

    >>> inception_block(layers.Input((28, 28, 192)), *MODULES["3a"], name="3a").shape
    (None, 28, 28, 256)
    """
    branch1 = relu_conv(x, conv1, 1, name=f"{name}_1x1")
    branch3 = relu_conv(x, reduce3, 1, name=f"{name}_3x3_reduce")
    branch3 = relu_conv(branch3, conv3, 3, name=f"{name}_3x3")
    branch5 = relu_conv(x, reduce5, 1, name=f"{name}_5x5_reduce")
    branch5 = relu_conv(branch5, conv5, 5, name=f"{name}_5x5")
    pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    pooled = relu_conv(pooled, pool_proj, 1, name=f"{name}_pool_proj")
    return layers.Concatenate(name=f"{name}_out")([branch1, branch3, branch5, pooled])


def naive_inception_block(x, conv1: int, conv3: int, conv5: int, *, name: str):
    """1x1 | 3x3 | 5x5 | max pooling 3x3: the block without its 1x1 reductions.

    The pooling keeps all C maps, so that each block has more maps than the one before; and the large filters
    see all of them. On 28x28x256 with 128, 192 and 96 filters: 854 million MACs and 672 maps.

    Reference: figure 2a.

    Args:
        x: `(N, H, W, C)`.
        conv1, conv3, conv5: numbers of filters.
        name: of the output; the layers are called `{name}_1x1` and so on.

    Returns:
        `(N, H, W, conv1 + conv3 + conv5 + C)`.

    >>> naive_inception_block(layers.Input((28, 28, 256)), 128, 192, 96, name="naive").shape
    (None, 28, 28, 672)
    """
    filters = {1: conv1, 3: conv3, 5: conv5}
    branches = [relu_conv(x, n, size, name=f"{name}_{size}x{size}") for size, n in filters.items()]
    pooled = layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_pool")(x)
    return layers.Concatenate(name=f"{name}_out")([*branches, pooled])


@builder((224, 224, 3), min_size=8)
def GoogLeNet(
    args: BuilderArguments,
    image,
    *,
    auxiliary: bool = False,
    width: float = 1.0,
    stem: str = "imagenet",
):
    """Three convolutions, inception modules in stages of 2, 5 and 2, the mean over each map, one dense layer.

    22 layers with weights on each way through the network, 6,998,552 parameters, 1,582,671,872 MACs. Two
    auxiliary classifiers in the middle bring a gradient to the early layers while it trains; afterwards they
    are thrown away.

    Reference: Szegedy et al. 2014, table 1 (see the module).
    Deviations from the paper: initial weights are Glorot uniform, which it does not state. torchvision has
    normalizations instead of biases, and 3x3 filters in the 5x5 branch: 6,624,904 parameters.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        auxiliary: whether to add the two classifiers (section 5): average pooling 5x5, stride 3, a 1x1
            convolution of 128 filters, dense 1024, dropout 0.7, dense. For training each output needs its
            loss and the labels: `compile(optimizer, [loss] * 3, loss_weights=[1, 0.3, 0.3])`, then Keras' own
            `fit(images, [labels] * 3)`. They need images of at least 65x65, or 9x9 with the small stem.
        width: factor for all numbers of filters.
        stem: "imagenet", or "small" for images such as 32x32: one 3x3 convolution that keeps their size.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`, with `auxiliary` to a list of three of these, the
        main one first; without the classifier to `(N, 7, 7, 1024)`. Module 3a ends at the layer
        `inception3a_out` and so on; the stages at those of 3b, 4e and 5b.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = GoogLeNet(auxiliary=True, stem="small", width=0.1, input_shape=(32, 32, 3), classes=10)
    >>> [output.shape for output in model.outputs]
    [(None, 10), (None, 10), (None, 10)]
    """
    one_of("auxiliary", auxiliary, [False, True])
    one_of("stem", stem, ["imagenet", "small"])
    number("width", width)
    if auxiliary and not args.include_top:
        raise ValueError(
            "auxiliary=True adds classifiers, and include_top=False takes them away. Use only one of the two."
        )

    def scaled(filters: int) -> int:
        return max(1, round(width * filters))

    x = _imagenet_stem(image, scaled) if stem == "imagenet" else _small_stem(image, scaled)
    heads = []
    for module, filters in MODULES.items():
        if module in ("4a", "5a"):
            x = layers.MaxPooling2D(3, 2, padding="same", name=f"pool{module[0]}")(x)  # 14x14, 7x7
        x = inception_block(x, *map(scaled, filters), name=f"inception{module}")
        if auxiliary and module in AUXILIARY:
            heads.append(_auxiliary_head(args, x, scaled, AUXILIARY[module]))

    main = args.head(x, dropout=0.4)
    return [main, *heads] if heads else main


def _imagenet_stem(x, scaled):
    """From 224x224x3 to 28x28x192."""
    x = relu_conv(x, scaled(64), 7, strides=2, name="stem_conv1")  # 112x112x64
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool1")(x)  # 56x56x64
    x = LocalResponseNormalization(name="stem_lrn1")(x)
    x = relu_conv(x, scaled(64), 1, name="stem_conv2_reduce")
    x = relu_conv(x, scaled(192), 3, name="stem_conv2")  # 56x56x192
    x = LocalResponseNormalization(name="stem_lrn2")(x)
    return layers.MaxPooling2D(3, 2, padding="same", name="stem_pool2")(x)  # 28x28x192


def _small_stem(x, scaled):
    """From 32x32x3 to 32x32x192."""
    return relu_conv(x, scaled(192), 3, name="stem_conv")


def _auxiliary_head(args: BuilderArguments, x, scaled, name: str):
    """A small classifier on the maps of a middle module."""
    if None in x.shape[1:3] or min(x.shape[1:3]) < 5:
        raise ValueError(
            f"The auxiliary classifiers pool 5x5 windows of known position, but at {name} the maps are "
            f"{x.shape[1]}x{x.shape[2]}. Give larger images of a known size, or auxiliary=False."
        )
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)  # 4x4
    x = relu_conv(x, scaled(128), 1, name=f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)  # 2048 numbers
    x = layers.Dense(scaled(1024), activation="relu", name=f"{name}_fc")(x)
    x = layers.Dropout(0.7, name=f"{name}_dropout")(x)
    return args.classifier(f"{name}_output")(x)


GoogLeNetSmall = variant(
    GoogLeNet,
    "GoogLeNetSmall",
    "GoogLeNet for 32x32 images: its nine modules on 32x32, 16x16 and 8x8 after one convolution.",
    input_shape=(32, 32, 3),
    classes=10,
    stem="small",
)
