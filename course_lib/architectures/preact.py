"""Pre-activation ResNet: x + f(x) with nothing after the sum, so that x reaches every block unchanged.

Reference: He, Zhang, Ren and Sun 2016, "Identity Mappings in Deep Residual Networks", arXiv 1603.05027:
figure 4 and table 2 (the five orders), and its appendix (CIFAR-10).

The layers are called `stem...` and `stage{i}_block{j}_{role}`. Stage i ends at `stage{i}_block{last}_add`, in
the orders that work on after the sum at `stage{i}_block{last}_out_relu`.
"""

from functools import partial

from keras import layers

from ..arguments import one_of, rate
from ..blocks import add_branch, blocks_of_depth, conv, norm_act, stages
from ..builder import BuilderArguments, builder, variant

__all__ = ["BLOCKS", "ORDERS", "PreActResNet", "PreActResNet164", "network", "unit"]

# Figure 4, (a) to (e): what stands before the first convolution, after the last one, and after the sum.
# Between two convolutions there are always BN and ReLU.
ORDERS = {
    "original": ("", "bn", "relu"),
    "bn_after_addition": ("", "", "bn relu"),
    "relu_before_addition": ("", "bn relu", ""),
    "relu_only_preactivation": ("relu", "bn", ""),
    "full_preactivation": ("bn relu", "", ""),
}

# The convolutions of a block: factor on the filters, and kernel size.
BLOCKS = {"basic": ((1, 3), (1, 3)), "bottleneck": ((1, 1), (1, 3), (4, 1))}


def steps(x, what: str, name: str):
    """`what` is "", "bn", "relu" or "bn relu"."""
    own = {} if "bn" in what else {"norm": None}
    return norm_act(x, "relu" if "relu" in what else None, name=name, **own)


def unit(x, filters, *, strides=1, convs, strided=0, order, first=False, dropout=0.0, name, **branch):
    """x + f(x), f = normalization, ReLU and convolution, two or three times; or in another order.

    Args:
        convs: a value of `BLOCKS`; `strided` is the number of the convolution that strides.
        first: of its stage. Then the path x, too, begins after the first activation.
        dropout: before the last convolution.
    """
    before, after, end = ORDERS[order]
    y = steps(x, before, f"{name}_pre")
    path = y if first else x
    for i, (factor, kernel) in enumerate(convs):
        last, label = i == len(convs) - 1, f"{name}_conv{i + 1}"
        if last and dropout:
            y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
        own = {"strides": strides if i == strided else 1, "padding": "both", "name": label}
        y = steps(conv(y, factor * filters, kernel, **own), after if last else "bn relu", label)
    if path.shape[-1] != y.shape[-1] or strides > 1:
        path = conv(path, y.shape[-1], 1, strides=strides, name=f"{name}_shortcut")
        path = steps(path, after.replace("relu", ""), f"{name}_shortcut")
    return steps(add_branch(path, y, name=name, **branch), end, f"{name}_out")


def network(
    args,
    image,
    *,
    depths,
    widths,
    block="basic",
    order="full_preactivation",
    stride_on="3x3",
    drop_path_rate=0.0,
    **own,
):
    """Convolution 3x3, stages of `unit`, and the activation that the last block lacks; checks its arguments.

    The activation before the first unit stands before both its paths, as the paper's section 4 says; so it
    does in the first unit of the other stages, where the shortcut is a 1x1 convolution (the authors' code).
    """
    one_of("order", order, list(ORDERS))
    one_of("stride_on", stride_on, ["1x1", "3x3"])
    rate("se_ratio", own["se_ratio"])
    rate("drop_path_rate", drop_path_rate)
    before, *_ = ORDERS[order]
    x = conv(image, 16, 3, name="stem")  # 32x32x16
    x = steps(x, " ".join(step for step in ("bn", "relu") if step not in before), "stem")
    strided = 1 if block == "bottleneck" and stride_on == "3x3" else 0
    function = partial(unit, convs=BLOCKS[block], strided=strided, order=order, **own)
    first = partial(function, first=True)
    x = stages(x, function, depths, widths, first=first, drop_path_rate=drop_path_rate)
    return args.head(steps(x, before, "head"))


@builder((32, 32, 3), classes=10, min_size=4)
def PreActResNet(
    args: BuilderArguments,
    image,
    *,
    depth: int = 164,
    block: str = "bottleneck",
    order: str = "full_preactivation",
    stride_on: str = "3x3",
    se_ratio: float = 0.0,
    drop_path_rate: float = 0.0,
):
    """ResNet for small images whose blocks normalize and activate before they convolve: 16, 32, 64 filters.

    Behind the sum there is nothing, so x is a free way from the first block to the last, and back for the
    gradient. It made 1001 layers trainable.

    Reference: He et al. 2016 (see the module).
    Deviations: in the orders with BN after the last convolution, the 1x1 convolution of a shortcut has one,
    too; the paper does not say.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are
            expected centred on 0, at least 4x4.
        depth: weight layers, 9n + 2 with bottlenecks, 6n + 2 with basic blocks; the paper has 110 (basic),
            164 and 1001 (bottlenecks).
        block: "bottleneck" (1x1, 3x3, 1x1 with four times the filters) or "basic" (two 3x3).
        order: of figure 4: (a) "original", (b) "bn_after_addition", (c) "relu_before_addition",
            (d) "relu_only_preactivation" or (e) "full_preactivation".
        stride_on: which convolution of a bottleneck strides, "3x3" or "1x1". The paper does not say; its
            counts are mostly quoted for "3x3", the authors' Torch code has "1x1".
        se_ratio, drop_path_rate: see `course_lib.architectures.resnet.ResNet`.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 8, 8, 256)`, with
        basic blocks `(N, 8, 8, 64)`.

    Raises:
        ValueError: an argument that is not allowed, or images below 4x4.

    >>> PreActResNet(depth=11, order="original").get_layer("stage3_block1_out_relu").output.shape
    (None, 8, 8, 256)
    """
    one_of("block", block, list(BLOCKS))
    depths = 3 * (blocks_of_depth(depth, 3 * len(BLOCKS[block]), 2),)
    own = {"block": block, "order": order, "stride_on": stride_on}
    branch = {"se_ratio": se_ratio, "drop_path_rate": drop_path_rate}
    return network(args, image, depths=depths, widths=(16, 32, 64), **own, **branch)


PreActResNet164 = variant(
    PreActResNet, "PreActResNet164", "PreActResNet of bottlenecks, 18-18-18.", depth=164, block="bottleneck"
)
