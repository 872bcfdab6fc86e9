"""AlexNet, and ZFNet, which looked inside it: five convolutions, three dense layers, ReLU and dropout.

The network that won ILSVRC-2012 by ten percent points. It was cut into two halves, because one graphics
processor had memory for half of it only. A year later Zeiler and Fergus made its features visible, saw dead
and blurred filters in the first layers, and made these layers finer.

References: Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural
Networks", NIPS. Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
arXiv 1311.2901, figure 3 and table 2.

The layers carry the papers' names: conv1, norm1, pool1, ..., conv5, pool5, fc6, fc7, and then "output".
"""

import functools

from keras import layers

from ..arguments import large_enough, one_of, rate, whole_number, whole_numbers
from ..builder import BuilderArguments, builder, variant
from ..layers import CeilMaxPooling2D, GroupedConv2D, LocalResponseNormalization

__all__ = ["MIDDLES", "AlexNet", "AlexNetSmall", "ZFNet"]

# Filters of ZFNet's conv3, conv4 and conv5: figure 3, and the second network of table 2.
MIDDLES = {"a": (384, 384, 256), "b": (512, 1024, 512)}


@builder((227, 227, 3), fixed_size=True)
def AlexNet(
    args: BuilderArguments,
    image,
    *,
    groups: int = 2,
    norm: str | None = "before_pool",
    kernel_size: int = 11,
    strides: int = 4,
    padding: int = 0,
    widths: tuple[int, ...] = (96, 256, 384, 384, 256),
    hidden: tuple[int, ...] = (4096, 4096),
    activation: str = "relu",
    dropout: float = 0.5,
):
    """Conv 11x11/4, conv 5x5, three conv 3x3, with 3x3/2 max pooling after 1, 2 and 5; dense 4096, 4096.

    60,965,224 parameters, of which 58,631,144 are in the dense layers, and 724,406,816 MACs, of which 92 %
    are in the convolutions. The one tower on the slides, `groups=1`: 62,378,344 and 1,135,256,096.

    Reference: Krizhevsky et al. 2012, figure 2 and section 3.
    Deviations from the paper: initial weights are Glorot uniform and biases 0 (paper: standard deviation
    0.01; biases 1 in conv2, 4, 5 and the hidden dense layers). The paper prints images of 224x224, but its
    maps of 55x55 do not follow from these, since (224 - 11) / 4 is no whole number. Images of 227x227 give
    them, or 224x224 and `padding=2`.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        groups: halves (2) into which conv2, 4 and 5 are cut: a filter sees the maps of its own half.
        norm: where the local response normalizations of stages 1 and 2 stand: "before_pool" as in the paper,
            "after_pool" as on the slides and in CaffeNet, None for none.
        kernel_size, strides, padding: of conv1; padding is the number of rows of zeros around the image.
        widths: filters of the five convolutions.
        hidden: units of the dense layers before the last; () for none.
        activation: "relu", or "tanh" to see how much slower that learns (section 3.1).
        dropout: share of the hidden units' outputs that training sets to 0.

    Returns:
        A model from `(N, 227, 227, 3)` to `(N, classes)`; without the classifier to `(N, 6, 6, 256)`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = AlexNet(hidden=(64,), classes=10)
    >>> [model.get_layer(name).output.shape[1] for name in ("conv1", "pool1", "pool2", "pool5")]
    [55, 27, 13, 6]
    """
    whole_number("groups", groups)
    one_of("norm", norm, ["before_pool", "after_pool", None])
    whole_number("kernel_size", kernel_size)
    whole_number("strides", strides)
    whole_number("padding", padding, minimum=0)
    whole_numbers("widths", widths, count=5)
    if any(width % groups for width in widths):
        raise ValueError(f"groups must divide all widths. Received: groups={groups}, widths={widths}.")
    one_of("activation", activation, ["relu", "tanh"])
    _check_image(image, kernel_size, strides, padding)

    stem = ((kernel_size, strides, padding), (5, 1, 2))
    in_groups = (1, groups, 1, groups, groups)
    x = _features(image, stem, widths, in_groups, layers.MaxPooling2D, norm, activation)
    return args.head(x, _hidden(hidden, activation, dropout))


@builder((224, 224, 3), min_size=47, fixed_size=True, hint="Two convolutions and three poolings halve it.")
def ZFNet(args: BuilderArguments, image, *, middle: str = "a", dropout: float = 0.5):
    """AlexNet in one tower, with conv1 7x7/2 instead of 11x11/4, and conv2 5x5/2.

    Smaller windows and steps in conv1 keep fine structure; the step of 2 in conv2 pays for it. (The slide
    tells it otherwise: AlexNet with its two changes and no step has maps of 13x13 at the end, and 386.5
    million parameters.)

    62,357,608 parameters and 1,168,032,896 MACs; variant b 107,627,624 and 2,476,704,896.

    Reference: Zeiler and Fergus 2013, figure 3, table 2 and section 4.1.
    Deviations from the paper: initial weights are Glorot uniform (paper: standard deviation 0.01). It
    normalizes "contrast" after pooling and gives no constants: here they are AlexNet's.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 47x47.
        middle: "a", conv3, 4 and 5 with 384, 384 and 256 filters, or "b" with 512, 1024 and 512.
        dropout: share of the hidden units' outputs that training sets to 0.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 6, 6, 256)`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = ZFNet(include_top=False, middle="b")
    >>> [model.get_layer(name).output.shape[1] for name in ("conv1", "pool1", "conv2", "pool2", "pool5")]
    [110, 55, 26, 13, 6]
    """
    one_of("middle", middle, MIDDLES)
    stem = ((7, 2, 1), (5, 2, 0))
    widths = (96, 256, *MIDDLES[middle])
    # The paper's maps of 55x55 and 13x13 need windows that hang over the end.
    x = _features(image, stem, widths, (1,) * 5, CeilMaxPooling2D, "after_pool", "relu")
    return args.head(x, _hidden((4096, 4096), "relu", dropout))


def _features(x, stem, widths, groups, pool: type, norm: str | None, activation: str):
    """Two stages of convolution, normalization and pooling, then three 3x3 convolutions and a pooling.

    Args:
        stem: kernel size, step and rows of padding of conv1 and conv2.
        widths, groups: of the five convolutions.
    """
    rows = zip((*stem, (3, 1, 1), (3, 1, 1), (3, 1, 1)), widths, groups, strict=True)
    for i, ((kernel_size, strides, padding), filters, g) in enumerate(rows, 1):
        options = {"strides": strides, "activation": activation, "name": f"conv{i}"}
        if strides == 1 and 2 * padding == kernel_size - 1:
            options["padding"] = "same"
        elif padding:
            x = layers.ZeroPadding2D(padding, name=f"conv{i}_pad")(x)
        conv = layers.Conv2D if g == 1 else functools.partial(GroupedConv2D, groups=g)
        x = conv(filters, kernel_size, **options)(x)
        if i <= 2 and norm == "before_pool":
            x = LocalResponseNormalization(name=f"norm{i}")(x)
        if i in (1, 2, 5):
            x = pool(3, 2, name=f"pool{i}")(x)
        if i <= 2 and norm == "after_pool":
            x = LocalResponseNormalization(name=f"norm{i}")(x)
    return x


def _hidden(units: tuple[int, ...], activation: str, dropout: float):
    """The dense layers before the last, each with dropout."""
    whole_numbers("hidden", units, least=0)
    rate("dropout", dropout)

    def dense(x):
        x = layers.Flatten(name="flatten")(x)  # 6x6x256 = 9216 numbers
        for i, n in enumerate(units, 6):
            x = layers.Dense(n, activation=activation, name=f"fc{i}")(x)
            x = layers.Dropout(dropout, name=f"fc{i}_dropout")(x)
        return x

    return dense


def _check_image(image, kernel_size: int, strides: int, padding: int) -> None:
    """What AlexNet's conv1 needs to know of the image's size."""
    smallest = 14 * strides + kernel_size - 2 * padding  # gives 15x15 maps, pooled to 7x7, 3x3 and 1x1
    hint = "Give conv1 smaller strides and a smaller kernel_size, as AlexNetSmall in the module alexnet does."
    large_enough(image.shape[1:], smallest, hint)
    if 224 in image.shape[1:3] and (kernel_size, strides, padding) == (11, 4, 0):
        raise ValueError(
            "Images of 224x224, as the paper prints, do not give its maps of 55x55: (224 - 11) / 4 + 1 is no "
            "whole number. Give images of 227x227, or padding=2, as torchvision does."
        )


AlexNetSmall = variant(
    AlexNet,
    "AlexNetSmall",
    "AlexNet for 32x32 images: conv1 is 5x5 with step 1; half as wide, an eighth of the hidden units.",
    input_shape=(32, 32, 3),
    classes=10,
    defaults={
        "kernel_size": 5,
        "strides": 1,
        "padding": 2,
        "widths": (48, 128, 192, 192, 128),
        "hidden": (512, 512),
    },
)
