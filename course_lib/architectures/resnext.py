"""ResNeXt: ResNet's bottlenecks with a 3x3 convolution in 32 groups: more filters for the same work.

Reference: Xie, Girshick, Dollár, Tu and He 2016, "Aggregated Residual Transformations for Deep Neural
Networks", arXiv 1611.05431, table 1. "32x4d": 32 groups (the "cardinality") of 4 filters in the first stage,
128 in all where ResNet has 64. Stage i ends at `stage{i}_block{last}_out`.
"""

from ..builder import variant
from .resnet import CLASSIC, ResNet

__all__ = ["RESNEXT", "ResNeXt50", "ResNeXt101"]

RESNEXT = {
    "block": "bottleneck",
    "widths": CLASSIC,
    "widen": 2,  # 128, 256, 512, 1024 filters in the 3x3 convolutions
    "groups": 32,
    "defaults": {"stride_on": "3x3"},  # the authors' code
}

ResNeXt50 = variant(
    ResNet, "ResNeXt50", "ResNeXt-50 (32x4d): grouped bottlenecks, 3-4-6-3.", depths=(3, 4, 6, 3), **RESNEXT
)
ResNeXt101 = variant(
    ResNet,
    "ResNeXt101",
    "ResNeXt-101 (32x4d): grouped bottlenecks, 3-4-23-3.",
    depths=(3, 4, 23, 3),
    **RESNEXT,
)
