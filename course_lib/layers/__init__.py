"""The few layers that Keras lacks.

A layer tells the accounting what it costs by a method `macs(input_shape, output_shape)`, shapes of one image
without the batch axis. One that looks through a window has Keras' own attributes `kernel_size` (or
`pool_size`), `strides` and `padding`: from these `course_lib.accounting` knows its receptive field.
A subclass of a Keras layer inherits both.
"""

from .augmentation import PadCropFlip, PCAColor, color_components
from .convolution import GroupedConv2D
from .lenet import FanInUniform, PartialConv2D, RBFOutput, TrainableSubsampling, scaled_tanh
from .normalization import LocalResponseNormalization
from .pooling import (
    CeilMaxPooling2D,
    L2Pooling2D,
    MaxPoolingWithSwitches2D,
    MaxUnpooling2D,
    SAFPooling2D,
    ZeroPaddedPooling2D,
)
from .residual import DropPath, IdentityShortcut

__all__ = [
    "CeilMaxPooling2D",
    "DropPath",
    "FanInUniform",
    "GroupedConv2D",
    "IdentityShortcut",
    "L2Pooling2D",
    "LocalResponseNormalization",
    "MaxPoolingWithSwitches2D",
    "MaxUnpooling2D",
    "PCAColor",
    "PadCropFlip",
    "PartialConv2D",
    "RBFOutput",
    "SAFPooling2D",
    "TrainableSubsampling",
    "ZeroPaddedPooling2D",
    "color_components",
    "scaled_tanh",
]
