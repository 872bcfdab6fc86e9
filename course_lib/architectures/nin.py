"""Network in Network: a small network of its own behind each filter, and a mean instead of dense layers.

A convolution looks at its window with one linear function. NIN puts two dense layers behind it, the same at
every position: these are 1x1 convolutions. The last stage has one map for each class, and the mean over that
map is the score of the class. There are no dense layers left that could overfit, and the maps show where in
the image the class was seen.

Reference: Lin, Chen and Yan 2013, "Network In Network", ICLR 2014, arXiv 1312.4400. The paper gives no
numbers of filters; here are those of its first author in the Caffe model zoo.
"""

from keras import layers

from ..arguments import number, one_of, rate
from ..blocks import RELU
from ..builder import BuilderArguments, builder
from ..layers import CeilMaxPooling2D

__all__ = ["NIN", "NINCifar", "mlpconv"]


def mlpconv(x, filters: tuple[int, ...], kernel_size: int, *, strides=1, padding="same", name: str):
    """conv k x k, conv 1x1, conv 1x1, each with ReLU: a small dense network that slides over the image.

    Args:
        x: `(N, H, W, C)`.
        filters: of the three convolutions (or of as many as are given).
        kernel_size, strides, padding: of the first.
        name: the layers are called `{name}_conv`, `{name}_cccp1`, `{name}_cccp2` ("cascaded cross channel
            parametric pooling", the paper's name for a 1x1 convolution).

    >>> mlpconv(layers.Input((32, 32, 3)), (192, 160, 96), 5, name="mlpconv1").shape
    (None, 32, 32, 96)
    """
    first, *others = filters
    x = layers.Conv2D(first, kernel_size, strides, padding, **RELU, name=f"{name}_conv")(x)
    for i, n in enumerate(others, 1):
        x = layers.Conv2D(n, 1, **RELU, name=f"{name}_cccp{i}")(x)
    return x


@builder((224, 224, 3), min_size=39, hint="Conv1 has an 11x11 window with step 4, and three poolings follow.")
def NIN(args: BuilderArguments, image, *, width: float = 1.0, dropout: float = 0.5):
    """Four mlpconv stages, 11x11/4, 5x5, 3x3, 3x3, with 3x3/2 max pooling between, the mean of 1000 maps.

    AlexNet-like convolutions, with two 1x1 convolutions behind each. 7,595,176 parameters, an eighth of
    AlexNet's, and 1,100,188,800 MACs.

    Reference: Lin et al. 2013; filters of the Caffe model zoo (see the module).
    Deviations from these: initial weights are He normal.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 39x39.
        width: factor for all numbers of filters.
        dropout: share of the last pooling's outputs that training sets to 0.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier, the last 1x1 convolution
        and the mean, to `(N, 6, 6, 1024)`. Stages end at `pool1`, `pool2`, `pool3`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = NIN(width=0.1)
    >>> [model.get_layer(name).output.shape[1] for name in ("mlpconv1_conv", "pool1", "pool2", "pool3")]
    [54, 27, 13, 6]
    """
    scaled = _scaled(width)
    rate("dropout", dropout)
    x = mlpconv(image, scaled(96, 96, 96), 11, strides=4, padding="valid", name="mlpconv1")  # 54x54
    x = CeilMaxPooling2D(3, 2, name="pool1")(x)  # 27x27
    x = mlpconv(x, scaled(256, 256, 256), 5, name="mlpconv2")
    x = CeilMaxPooling2D(3, 2, name="pool2")(x)  # 13x13
    x = mlpconv(x, scaled(384, 384, 384), 3, name="mlpconv3")
    x = CeilMaxPooling2D(3, 2, name="pool3")(x)  # 6x6
    x = layers.Dropout(dropout, name="dropout3")(x)
    x = mlpconv(x, scaled(1024, 1024), 3, name="mlpconv4")
    return args.class_map_head(x, name="mlpconv4_cccp2")


@builder((32, 32, 3), classes=10, min_size=4, hint="Two poolings halve it.")
def NINCifar(
    args: BuilderArguments, image, *, width: float = 1.0, second_pool: str = "max", dropout: float = 0.5
):
    """Three mlpconv stages, 5x5, 5x5 and 3x3, with 3x3/2 pooling between, the mean of ten maps.

    966,986 parameters, 222,486,528 MACs.

    Reference: Lin et al. 2013, section 4.2; filters of the Caffe model zoo (see the module).
    Deviations from these: initial weights are He normal.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        width: factor for all numbers of filters.
        second_pool: "max" as in the paper, or "average" as in the model zoo.
        dropout: share of each pooling's outputs that training sets to 0.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier, the last 1x1 convolution and
        the mean, to `(N, 8, 8, 192)`. Stages end at `pool1` and `pool2`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = NINCifar()
    >>> model.get_layer("mlpconv3_cccp2").output.shape  # a map for each class
    (None, 8, 8, 10)
    """
    scaled = _scaled(width)
    one_of("second_pool", second_pool, ["max", "average"])
    rate("dropout", dropout)
    x = mlpconv(image, scaled(192, 160, 96), 5, name="mlpconv1")  # 32x32x96
    x = CeilMaxPooling2D(3, 2, name="pool1")(x)  # 16x16
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = mlpconv(x, scaled(192, 192, 192), 5, name="mlpconv2")
    if second_pool == "max":
        x = CeilMaxPooling2D(3, 2, name="pool2")(x)  # 8x8
    else:
        x = layers.AveragePooling2D(3, 2, "same", name="pool2")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    x = mlpconv(x, scaled(192, 192), 3, name="mlpconv3")
    return args.class_map_head(x, name="mlpconv3_cccp2")


def _scaled(width: float):
    number("width", width)
    return lambda *filters: tuple(max(1, round(width * n)) for n in filters)
