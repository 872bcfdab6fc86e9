"""SENet: residual networks in which each image weighs the channels of every branch before the sum.

Reference: Hu, Shen, Albanie, Sun and Wu 2017, "Squeeze-and-Excitation Networks", arXiv 1709.01507: figure 3
(the block), table 1 (SE-ResNet-50 and SE-ResNeXt-50). The block itself is `course_lib.blocks.squeeze_excite`,
and every residual family has it as `se_ratio`. Stage i ends at `stage{i}_block{last}_out`.
"""

from ..builder import variant
from .resnet import BOTTLENECK, ResNet
from .resnext import RESNEXT

__all__ = ["SEResNeXt50", "SEResNet50"]

REDUCTION = 1 / 16  # the paper's r = 16

SEResNet50 = variant(
    ResNet,
    "SEResNet50",
    "ResNet50 with squeeze and excitation in every block.",
    depths=(3, 4, 6, 3),
    **BOTTLENECK,
    defaults={"se_ratio": REDUCTION},
)
SEResNeXt50 = variant(
    ResNet,
    "SEResNeXt50",
    "ResNeXt50 with squeeze and excitation in every block.",
    depths=(3, 4, 6, 3),
    **(RESNEXT | {"defaults": {"stride_on": "3x3", "se_ratio": REDUCTION}}),
)
