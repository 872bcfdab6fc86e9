"""Wide ResNet: fewer blocks with many more filters, as accurate as a thousand thin layers, and faster.

Reference: Zagoruyko and Komodakis 2016, "Wide Residual Networks", arXiv 1605.07146: table 1 (CIFAR), table 8
(ImageNet).

The layers are called `stem...` and `stage{i}_block{j}_{role}`. Stage i ends at `stage{i}_block{last}_add`, in
WRN50_2, which is a `ResNet`, at `stage{i}_block{last}_out`.
"""

from ..arguments import rate, whole_number
from ..blocks import blocks_of_depth
from ..builder import BuilderArguments, builder, variant
from .preact import network
from .resnet import CLASSIC, ResNet

__all__ = ["WRN16_4", "WRN16_8", "WRN28_10", "WRN50_2", "WideResNet"]


@builder((32, 32, 3), classes=10, min_size=4)
def WideResNet(
    args: BuilderArguments,
    image,
    *,
    depth: int = 28,
    width: int = 10,
    dropout: float = 0.0,
    se_ratio: float = 0.0,
    drop_path_rate: float = 0.0,
):
    """Pre-activation basic blocks, n in each of 3 stages, with 16k, 32k and 64k filters: WRN-(6n + 4)-k.

    Parameters and work grow with the square of the width k, but wide layers keep a GPU busy, and depth does
    not.

    Reference: Zagoruyko and Komodakis 2016, table 1 (see the module).
    Deviations: none. Its depth counts 6n convolutions in the blocks, the first one, and three in shortcuts.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are
            expected centred on 0, at least 4x4.
        depth: 6n + 4; the paper has 16, 22, 28 and 40.
        width: the factor k; 1 is a ResNet of the old width.
        dropout: between the two convolutions of a block; 0 for none (the paper also takes 0.3 for CIFAR
            and 0.4 for SVHN).
        se_ratio, drop_path_rate: see `course_lib.architectures.resnet.ResNet`.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier to `(N, 8, 8, 64 * width)`.

    Raises:
        ValueError: an argument that is not allowed, or images below 4x4.

    >>> WideResNet(depth=10, width=2, include_top=False).output_shape
    (None, 8, 8, 128)
    """
    depths = 3 * (blocks_of_depth(depth, 6, 4),)
    whole_number("width", width)
    rate("dropout", dropout)
    widths = tuple(filters * width for filters in (16, 32, 64))
    own = {"dropout": dropout, "se_ratio": se_ratio, "drop_path_rate": drop_path_rate}
    return network(args, image, depths=depths, widths=widths, **own)


WRN16_4 = variant(WideResNet, "WRN16_4", "WideResNet of 16 layers, 4 times as wide.", depth=16, width=4)
WRN16_8 = variant(WideResNet, "WRN16_8", "WideResNet of 16 layers, 8 times as wide.", depth=16, width=8)
WRN28_10 = variant(WideResNet, "WRN28_10", "WideResNet of 28 layers, 10 times as wide.", depth=28, width=10)
WRN50_2 = variant(
    ResNet,
    "WRN50_2",
    "ResNet50 with twice the filters in the 3x3 convolutions, which also stride.",
    depths=(3, 4, 6, 3),
    widths=CLASSIC,
    block="bottleneck",
    widen=2,
    groups=1,
    defaults={"stride_on": "3x3"},
)
