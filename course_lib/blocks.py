"""The blocks and stages that more than one family of architectures needs.

A builder has three levels: block `f(x, ..., name) -> tensor`, stage, network = stem -> stages -> head. What a
builder's arguments and head are stands in `course_lib.builder`, the builders in `course_lib.architectures`.
"""

import functools
from collections.abc import Callable, Sequence
from itertools import accumulate

import keras
from keras import layers

from . import layers as course_layers
from .arguments import is_size, one_of

__all__ = [
    "RELU",
    "HE_FAN_OUT",
    "TENSORFLOW_NORM",
    "TORCH_NORM",
    "add_branch",
    "blocks_of_depth",
    "conv",
    "conv_norm_act",
    "drop_rates",
    "imagenet_stem",
    "inverted_residual",
    "make_divisible",
    "norm_act",
    "shortcut_path",
    "squeeze_excite",
    "stage",
    "stages",
]

# BatchNormalization's two constants. `momentum` is the share of the old moving statistics that a step keeps.
# Most networks here were trained in Caffe or Torch, with 0.9 (which Torch calls 0.1): right for short
# trainings, too. Google's networks (MobileNet, NASNet, EfficientNet) come with the other pair.
TORCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}
TENSORFLOW_NORM = {"epsilon": 1e-3, "momentum": 0.99}
# ReLU and He's initial weights (2015), for networks without normalization. Smaller ones, such as Glorot's,
# let the signal fade from layer to layer, so that a small network hardly starts to learn.
RELU = {"activation": "relu", "kernel_initializer": "he_normal"}

# He's initial weights by what an input value of a convolution reaches (filters x window) instead of what an
# output value sees (channels x window): EfficientNet's choice, and the right one for a depthwise filter, of
# which Keras believes that it sees all channels. It is a configuration, because one initializer object would
# give equal numbers to all layers of the same shape.
HE_FAN_OUT = keras.initializers.serialize(
    keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
)


def conv(
    x: keras.KerasTensor,
    filters: int | None,
    kernel_size: int,
    *,
    strides: int = 1,
    padding: str = "same",
    groups: int = 1,
    use_bias: bool = False,
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """A convolution without bias, with He's initial weights; depthwise or in groups, if asked.

    Args:
        filters: how many; None makes it depthwise: one filter a channel.
        padding: "valid", "same" (the output has ceil(size / strides) rows; what is missing is padded at the
            end, as TensorFlow does), or "both" (the same size, but both sides get kernel_size // 2 rows, as
            in Caffe and Torch: it differs from "same" where strides > 1).
        kernel_initializer: a Keras name or configuration, such as `HE_FAN_OUT`; with "he_normal" a depthwise
            convolution gets that one.
        name: of the convolution; the explicit padding, if there is one, is `{name}_pad`.

    >>> x = keras.Input((32, 32, 3))
    >>> conv(x, 16, 7, strides=2, padding="both", name="stem").shape, conv(x, None, 3, name="dw").shape
    ((None, 16, 16, 16), (None, 32, 32, 3))
    """
    one_of("padding", padding, ["same", "both", "valid"])
    if padding == "both":
        padding = "same"  # with one stride the two are the same
        if strides > 1 and kernel_size > 1:
            x, padding = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x), "valid"
    common = {"strides": strides, "padding": padding, "use_bias": use_bias, "name": name}
    if filters is None:
        start = HE_FAN_OUT if kernel_initializer == "he_normal" else kernel_initializer
        return layers.DepthwiseConv2D(kernel_size, depthwise_initializer=start, **common)(x)
    common["kernel_initializer"] = kernel_initializer
    if groups > 1:
        return course_layers.GroupedConv2D(filters, kernel_size, groups=groups, **common)(x)
    return layers.Conv2D(filters, kernel_size, **common)(x)


def norm_act(
    x: keras.KerasTensor,
    activation: str | None = "relu",
    *,
    norm: dict[str, float] | None = TORCH_NORM,
    name: str,
) -> keras.KerasTensor:
    """BatchNormalization `{name}_bn`, then the activation `{name}_{activation}`; None leaves one out.

    >>> norm_act(keras.Input((8, 8, 3)), "relu6", name="stem").shape
    (None, 8, 8, 3)
    """
    if norm:
        x = layers.BatchNormalization(**norm, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def conv_norm_act(
    x: keras.KerasTensor,
    filters: int | None,
    kernel_size: int,
    *,
    activation: str | None = "relu",
    norm: dict[str, float] | None = TORCH_NORM,
    name: str,
    **options,
) -> keras.KerasTensor:
    """A convolution `{name}`, BatchNormalization `{name}_bn`, the activation `{name}_{activation}`.

    Args:
        filters, kernel_size: see `conv` (filters None: depthwise).
        activation: a Keras name such as "relu", "relu6", "swish"; None for none.
        norm: epsilon and momentum of the normalization: `TORCH_NORM` or `TENSORFLOW_NORM`; None for none.
        options: strides, padding, groups, ... of `conv`.

    >>> x = conv_norm_act(keras.Input((32, 32, 3)), 16, 3, strides=2, name="stem")
    >>> x.shape
    (None, 16, 16, 16)
    """
    return norm_act(conv(x, filters, kernel_size, name=name, **options), activation, norm=norm, name=name)


def imagenet_stem(x: keras.KerasTensor, filters: int = 64) -> keras.KerasTensor:
    """Convolution 7x7/2, then max pooling 3x3/2: a quarter of the height and width. ResNet's and DenseNet's.

    >>> imagenet_stem(keras.Input((224, 224, 3))).shape
    (None, 56, 56, 64)
    """
    x = conv_norm_act(x, filters, 7, strides=2, padding="both", name="stem")  # 112x112x64
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # nothing is below 0 after ReLU
    return layers.MaxPooling2D(3, 2, name="stem_pool")(x)  # 56x56x64


def squeeze_excite(
    x: keras.KerasTensor,
    units: int,
    *,
    activation: str = "relu",
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """x times a weight from 0 to 1 for each channel, sigmoid(W2 f(W1 mean(x))): each image has its own.

    Reference: Hu, Shen, Albanie, Sun and Wu 2017, "Squeeze-and-Excitation Networks", arXiv 1709.01507,
    section 3. The two dense layers are 1x1 convolutions on the 1x1 volume of means: the same sums.

    Args:
        x: `(N, H, W, C)`.
        units: of the first layer; the paper takes C / 16.
        activation: f.

    >>> squeeze_excite(keras.Input((8, 8, 32)), 2, name="se").shape
    (None, 8, 8, 32)
    """
    common = {"kernel_initializer": kernel_initializer}
    s = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)  # 1x1xC
    s = layers.Conv2D(units, 1, activation=activation, name=f"{name}_reduce", **common)(s)
    s = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_expand", **common)(s)
    return layers.Multiply(name=f"{name}_excite")([x, s])


def shortcut_path(
    x: keras.KerasTensor, filters: int, strides: int, *, option: str | None, name: str
) -> keras.KerasTensor | None:
    """The other way around a residual block: x itself, and where the shape changes, option A or B of ResNet.

    Reference: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 3.3.

    Args:
        option: "A", every `strides`-th position and zeros for the new channels, no weights; "B", a 1x1
            convolution with normalization; None, no shortcut: a plain network.

    >>> x = keras.Input((8, 8, 16))
    >>> shortcut_path(x, 16, 1, option="A", name="a") is x
    True
    >>> shortcut_path(x, 32, 2, option="B", name="b").shape
    (None, 4, 4, 32)
    """
    if option is None:
        return None
    if strides == 1 and x.shape[-1] == filters:
        return x
    if option == "A":
        return course_layers.IdentityShortcut(filters, strides, name=f"{name}_shortcut")(x)
    return conv_norm_act(x, filters, 1, strides=strides, activation=None, name=f"{name}_shortcut")


def add_branch(
    path: keras.KerasTensor | None,
    x: keras.KerasTensor,
    *,
    se_ratio: float = 0.0,
    drop_rate: float = 0.0,
    name: str,
) -> keras.KerasTensor:
    """path + x, the end of a residual block, with squeeze and excitation and stochastic depth before the sum.

    Args:
        path: what `shortcut_path` gave; None: a plain network, x is all.
        x: the branch with the convolutions, `(N, H, W, C)`.
        se_ratio: units of squeeze and excitation as a share of C, such as 1/16; 0 leaves it out.
        drop_rate: how often training leaves out the branch of an image, see `drop_rates`.

    >>> x = keras.Input((8, 8, 32))
    >>> add_branch(x, x, se_ratio=1 / 16, name="b").shape
    (None, 8, 8, 32)
    """
    if se_ratio:
        x = squeeze_excite(x, max(1, round(x.shape[-1] * se_ratio)), name=f"{name}_se")
    if path is None:
        return x
    if drop_rate:
        x = course_layers.DropPath(drop_rate, name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([path, x])


def make_divisible(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to a scaled number of filters, but never less than 90 % of it.

    Multiples of 8 are what fast hardware likes. Reference: the code of MobileNetV2 and EfficientNet.

    >>> [make_divisible(32 * width) for width in (0.1, 0.35, 1.0, 1.4)]
    [8, 16, 32, 48]
    """
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * filters else rounded + divisor


def inverted_residual(
    x: keras.KerasTensor,
    filters: int,
    *,
    expand_ratio: int,
    kernel_size: int = 3,
    strides: int = 1,
    se_ratio: float = 0.0,
    drop_rate: float = 0.0,
    activation: str = "relu6",
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """x + f(x), f = 1x1 up to many channels, depthwise, 1x1 down to few, without activation at the end.

    A residual block turned inside out: the sum is over few channels, the convolution among many. There is no
    sum where the shape changes. The block ends at the layer `{name}_out`.

    Reference: Sandler, Howard, Zhu, Zhmoginov and Chen 2018, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", arXiv 1801.04381, table 1, figure 4; squeeze and excitation: EfficientNet, arXiv 1905.11946.

    Args:
        filters: channels of the output.
        expand_ratio: channels in the middle, as a multiple of those of x; 1 leaves the first 1x1 out.
        se_ratio: squeeze and excitation in the middle, with this share of x's channels as units; 0: none.
        drop_rate: how often training leaves f out, see `drop_rates`.

    >>> inverted_residual(keras.Input((14, 14, 64)), 96, expand_ratio=6, strides=2, name="block").shape
    (None, 7, 7, 96)
    """
    start = {"kernel_initializer": kernel_initializer}
    layer = functools.partial(conv_norm_act, norm=TENSORFLOW_NORM, **start)
    channels, y = x.shape[-1], x
    if expand_ratio > 1:
        y = layer(y, channels * expand_ratio, 1, activation=activation, name=f"{name}_expand")
    y = layer(y, None, kernel_size, strides=strides, activation=activation, name=f"{name}_depthwise")
    if se_ratio:
        units = max(1, int(channels * se_ratio))
        y = squeeze_excite(y, units, activation=activation, name=f"{name}_se", **start)
    y = layer(y, filters, 1, activation=None, name=f"{name}_project")
    if strides == 1 and channels == filters:
        y = add_branch(x, y, drop_rate=drop_rate, name=name)
    return layers.Identity(name=f"{name}_out")(y)


def blocks_of_depth(depth: int, step: int, rest: int) -> int:
    """The n of a network with step * n + rest weight layers; another depth is a ValueError.

    >>> blocks_of_depth(20, 6, 2)
    3
    >>> blocks_of_depth(18, 6, 2)
    Traceback (most recent call last):
    ...
    ValueError: depth must be 6n + 2 with n at least 1: 8, 14, 20, ... Received: 18.
    """
    if not is_size(depth, step + rest) or (depth - rest) % step:
        first = ", ".join(str(step * n + rest) for n in (1, 2, 3))
        raise ValueError(
            f"depth must be {step}n + {rest} with n at least 1: {first}, ... Received: {depth!r}."
        )
    return (depth - rest) // step


def drop_rates(last: float, depths: Sequence[int]) -> list[list[float]]:
    """Stochastic depth's rate for each block, stage by stage: it grows evenly, l/L of `last` in block l of L.

    Reference: Huang, Sun, Liu, Sedra and Weinberger 2016, arXiv 1603.09382, equation 4.

    >>> drop_rates(0.5, (2, 3))
    [[0.1, 0.2], [0.3, 0.4, 0.5]]
    """
    ends = accumulate(depths)
    numbers = [range(end - depth + 1, end + 1) for depth, end in zip(depths, ends, strict=True)]
    return [[last * i / sum(depths) for i in stage] for stage in numbers]


def stage(
    x: keras.KerasTensor,
    block: Callable[..., keras.KerasTensor],
    depth: int,
    filters: int,
    *,
    strides: int = 1,
    first: Callable[..., keras.KerasTensor] | None = None,
    drop_rates: Sequence[float] = (),
    name: str,
) -> keras.KerasTensor:
    """`depth` blocks in a row, `{name}_block1` and so on; only the first one strides.

    Args:
        block: `f(x, filters, *, strides, name) -> tensor`; `functools.partial` sets its other arguments.
        first: the first block, if it is another function.
        drop_rates: one for each block, given to it as `drop_rate`.

    >>> x = stage(keras.Input((32, 32, 3)), functools.partial(conv_norm_act, kernel_size=3), 2, 8, strides=2,
    ...           name="stage1")
    >>> x.shape
    (None, 16, 16, 8)
    """
    for j in range(depth):
        own = {"drop_rate": drop_rates[j]} if drop_rates else {}
        function = first if first and j == 0 else block
        x = function(x, filters, strides=strides if j == 0 else 1, name=f"{name}_block{j + 1}", **own)
    return x


def stages(
    x: keras.KerasTensor,
    block: Callable[..., keras.KerasTensor],
    depths: Sequence[int],
    filters: Sequence[int],
    *,
    first: Callable[..., keras.KerasTensor] | None = None,
    drop_path_rate: float = 0.0,
) -> keras.KerasTensor:
    """The body of a residual network: `stage1` and so on; all but the first halve height and width.

    Args:
        depths, filters: blocks of each stage, and the filters given to them.
        block, first: see `stage`.
        drop_path_rate: of the last block, see `drop_rates`.

    >>> block = functools.partial(conv_norm_act, kernel_size=3)
    >>> stages(keras.Input((32, 32, 3)), block, depths=(2, 2), filters=(8, 16)).shape
    (None, 16, 16, 16)
    """
    rates = drop_rates(drop_path_rate, depths) if drop_path_rate else [()] * len(depths)
    for i, (depth, width) in enumerate(zip(depths, filters, strict=True)):
        own = {"strides": 2 if i else 1, "drop_rates": rates[i], "name": f"stage{i + 1}"}
        x = stage(x, block, depth, width, first=first, **own)
    return x
