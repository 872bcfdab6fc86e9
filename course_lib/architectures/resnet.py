"""ResNet: blocks that add to their input, x + f(x). It made networks of a hundred layers trainable.

Reference: He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", arXiv 1512.03385:
table 1 (ImageNet), section 4.2 (CIFAR-10), figure 5 (the two blocks), section 3.3 (the shortcuts).

The layers are called `stem...` and `stage{i}_block{j}_{role}`. Stage i ends at `stage{i}_block{last}_out`.
"""

from functools import partial

from keras import layers

from ..arguments import one_of, rate, whole_number, whole_numbers
from ..blocks import add_branch, blocks_of_depth, conv_norm_act, imagenet_stem, shortcut_path, stages
from ..builder import BuilderArguments, builder, variant

__all__ = [
    "CLASSIC",
    "CifarResNet",
    "PlainNet18",
    "PlainNet20",
    "PlainNet34",
    "PlainNet56",
    "ResNet",
    "ResNet18",
    "ResNet20",
    "ResNet32",
    "ResNet34",
    "ResNet44",
    "ResNet50",
    "ResNet56",
    "ResNet101",
    "ResNet110",
    "ResNet152",
    "basic",
    "bottleneck",
]

CLASSIC = (64, 128, 256, 512)  # filters of the 3x3 convolutions, stage by stage


def basic(x, filters, *, strides=1, shortcut="B", name, **branch):
    """relu(x + f(x)), f = two 3x3 convolutions. `branch`: se_ratio and drop_rate of `add_branch`."""
    y = conv_norm_act(x, filters, 3, strides=strides, padding="both", name=f"{name}_conv1")
    y = conv_norm_act(y, filters, 3, activation=None, name=f"{name}_conv2")
    path = shortcut_path(x, filters, strides, option=shortcut, name=name)
    return layers.Activation("relu", name=f"{name}_out")(add_branch(path, y, name=name, **branch))


def bottleneck(x, filters, *, strides=1, shortcut="B", stride_on="1x1", widen=1, groups=1, name, **branch):
    """relu(x + f(x)), f = 1x1 down to few channels, 3x3 among them, 1x1 up to four times `filters`."""
    first, second = (strides, 1) if stride_on == "1x1" else (1, strides)
    inner = filters * widen
    y = conv_norm_act(x, inner, 1, strides=first, name=f"{name}_conv1")
    y = conv_norm_act(y, inner, 3, strides=second, padding="both", groups=groups, name=f"{name}_conv2")
    y = conv_norm_act(y, 4 * filters, 1, activation=None, name=f"{name}_conv3")
    path = shortcut_path(x, 4 * filters, strides, option=shortcut, name=name)
    return layers.Activation("relu", name=f"{name}_out")(add_branch(path, y, name=name, **branch))


@builder((224, 224, 3), min_size=32, hint="CifarResNet is made for images of 32x32 pixels.")
def ResNet(
    args: BuilderArguments,
    image,
    *,
    depths: tuple[int, ...] = (2, 2, 2, 2),
    widths: tuple[int, ...] = CLASSIC,
    block: str = "basic",
    shortcut: str | None = "B",
    stride_on: str = "1x1",
    widen: int = 1,
    groups: int = 1,
    se_ratio: float = 0.0,
    drop_path_rate: float = 0.0,
):
    """Convolution 7x7/2, max pooling, then stages of residual blocks; each stage halves the maps.

    A block only has to learn what to change about its input, and the sum lets the gradient through.

    Reference: He et al. 2015, table 1 (see the module).
    Deviations: none. The paper does not say how strided windows are padded: here on both sides, as in Caffe.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are
            expected centred on 0.
        depths, widths: blocks of each stage, and filters of their 3x3 convolutions.
        block: "basic" (two 3x3) or "bottleneck" (1x1, 3x3, 1x1 with four times the filters).
        shortcut: where the shape changes "A", zeros for the new channels, or "B", a 1x1 convolution (the
            table of results and all published models); None leaves all shortcuts out: a plain net.
        stride_on: which convolution of a bottleneck strides: "1x1" (the paper and `keras.applications`) or
            "3x3" (Torch, torchvision, timm: "v1.5", 6 % more MACs and half a percent better).
        widen, groups: of a bottleneck's 3x3 convolution: factor on its filters, and number of groups.
        se_ratio: squeeze and excitation at the end of each branch, with this share of its channels; 0: none.
        drop_path_rate: stochastic depth, the rate of the last block; see `course_lib.blocks.drop_rates`.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 512)`, with
        bottlenecks `(N, 7, 7, 2048)`.

    Raises:
        ValueError: an argument that is not allowed, or images below 32x32.

    >>> model = ResNet(depths=(1, 1), widths=(8, 16), input_shape=(32, 32, 3), classes=10)
    >>> model.get_layer("stage2_block1_out").output.shape, model.count_params()
    ((None, 4, 4, 16), 6370)
    """
    one_of("block", block, ["basic", "bottleneck"])
    one_of("shortcut", shortcut, ["A", "B", None])
    one_of("stride_on", stride_on, ["1x1", "3x3"])
    whole_numbers("depths", depths)
    whole_numbers("widths", widths, count=len(depths))
    whole_number("widen", widen)
    whole_number("groups", groups)
    rate("se_ratio", se_ratio)
    rate("drop_path_rate", drop_path_rate)
    if block == "basic" and (widen, groups) != (1, 1):
        raise ValueError(f"Only a bottleneck has widen and groups. Received: {widen} and {groups}.")
    if any(width * widen % groups for width in widths):
        raise ValueError(f"groups must divide widen * widths. Received: {groups}, {widen} and {widths}.")
    function = partial(basic, shortcut=shortcut, se_ratio=se_ratio)
    if block == "bottleneck":
        own = {"stride_on": stride_on, "widen": widen, "groups": groups}
        function = partial(bottleneck, shortcut=shortcut, se_ratio=se_ratio, **own)
    x = imagenet_stem(image, widths[0])  # 56x56x64
    return args.head(stages(x, function, depths, widths, drop_path_rate=drop_path_rate))


@builder((32, 32, 3), classes=10, min_size=4)
def CifarResNet(
    args: BuilderArguments,
    image,
    *,
    depth: int = 20,
    shortcut: str | None = "A",
    se_ratio: float = 0.0,
    drop_path_rate: float = 0.0,
):
    """ResNet for small images: a 3x3 convolution, then 3 stages of n basic blocks with 16, 32, 64 filters.

    6n + 2 weight layers: the paper has 20, 32, 44, 56, 110 and 1202.

    Reference: He et al. 2015, section 4.2 (see the module).

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are
            expected centred on 0, at least 4x4.
        depth: weight layers.
        shortcut: "A" as in the paper, "B", or None for a plain net; see `ResNet`.
        se_ratio, drop_path_rate: see `ResNet`. Stochastic depth is ResNet110 with a rate of 0.5.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 8, 8, 64)`.

    Raises:
        ValueError: an argument that is not allowed, or images below 4x4.

    >>> CifarResNet(depth=20).count_params()
    271098
    """
    one_of("shortcut", shortcut, ["A", "B", None])
    rate("se_ratio", se_ratio)
    rate("drop_path_rate", drop_path_rate)
    depths = 3 * (blocks_of_depth(depth, 6, 2),)
    x = conv_norm_act(image, 16, 3, name="stem")  # 32x32x16
    block = partial(basic, shortcut=shortcut, se_ratio=se_ratio)
    return args.head(stages(x, block, depths, (16, 32, 64), drop_path_rate=drop_path_rate))


BASIC = {"block": "basic", "widths": CLASSIC, "stride_on": "3x3", "widen": 1, "groups": 1}
BOTTLENECK = {"block": "bottleneck", "widths": CLASSIC, "widen": 1, "groups": 1}
PLAIN = {"shortcut": None, "se_ratio": 0.0, "drop_path_rate": 0.0}

PlainNet18 = variant(
    ResNet, "PlainNet18", "ResNet18 without shortcuts.", depths=(2, 2, 2, 2), **BASIC, **PLAIN
)
PlainNet34 = variant(
    ResNet, "PlainNet34", "ResNet34 without shortcuts.", depths=(3, 4, 6, 3), **BASIC, **PLAIN
)
ResNet18 = variant(ResNet, "ResNet18", "ResNet of basic blocks, 2-2-2-2.", depths=(2, 2, 2, 2), **BASIC)
ResNet34 = variant(ResNet, "ResNet34", "ResNet of basic blocks, 3-4-6-3.", depths=(3, 4, 6, 3), **BASIC)
ResNet50 = variant(ResNet, "ResNet50", "ResNet of bottlenecks, 3-4-6-3.", depths=(3, 4, 6, 3), **BOTTLENECK)
ResNet101 = variant(
    ResNet, "ResNet101", "ResNet of bottlenecks, 3-4-23-3.", depths=(3, 4, 23, 3), **BOTTLENECK
)
ResNet152 = variant(
    ResNet, "ResNet152", "ResNet of bottlenecks, 3-8-36-3.", depths=(3, 8, 36, 3), **BOTTLENECK
)

PlainNet20 = variant(CifarResNet, "PlainNet20", "ResNet20 without shortcuts.", depth=20, **PLAIN)
PlainNet56 = variant(CifarResNet, "PlainNet56", "ResNet56 without shortcuts.", depth=56, **PLAIN)
ResNet20 = variant(CifarResNet, "ResNet20", "CifarResNet of 20 layers, 3-3-3.", depth=20)
ResNet32 = variant(CifarResNet, "ResNet32", "CifarResNet of 32 layers, 5-5-5.", depth=32)
ResNet44 = variant(CifarResNet, "ResNet44", "CifarResNet of 44 layers, 7-7-7.", depth=44)
ResNet56 = variant(CifarResNet, "ResNet56", "CifarResNet of 56 layers, 9-9-9.", depth=56)
ResNet110 = variant(CifarResNet, "ResNet110", "CifarResNet of 110 layers, 18-18-18.", depth=110)
