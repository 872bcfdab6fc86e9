"""The catalogue of the architectures: one module a family, in the order of the lectures.

A new family is one module with its builders, and one line here for each of them.
"""

import inspect
from collections.abc import Callable
from fnmatch import fnmatch

import keras

from ..errors import unknown
from .alexnet import AlexNet, ZFNet
from .allcnn import AllCNNC
from .densenet import (
    DenseNet40,
    DenseNet100,
    DenseNet121,
    DenseNet169,
    DenseNet201,
    DenseNet264,
    DenseNetBC100,
    DenseNetBC190,
)
from .efficientnet import (
    EfficientNet,
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from .googlenet import GoogLeNet
from .lenet import LeNet5, LeNet5Original, lenet_map_loss
from .mobilenet import MobileNet, MobileNetV2
from .nasnet import NASNetLarge, NASNetMobile
from .nin import NIN, NINCifar
from .preact import PreActResNet, PreActResNet164
from .resnet import (
    CifarResNet,
    PlainNet18,
    PlainNet20,
    PlainNet34,
    PlainNet56,
    ResNet18,
    ResNet20,
    ResNet32,
    ResNet34,
    ResNet44,
    ResNet50,
    ResNet56,
    ResNet101,
    ResNet110,
    ResNet152,
)
from .resnext import ResNeXt50, ResNeXt101
from .senet import SEResNet50, SEResNeXt50
from .simpnet import SimpleNet, SimpNet
from .squeezenet import SqueezeNet, SqueezeNet1_1
from .vgg import VGG11, VGG11LRN, VGG13, VGG16, VGG16C, VGG19
from .wide_resnet import WRN16_4, WRN16_8, WRN28_10, WRN50_2, WideResNet

ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "LeNet5": LeNet5,
    "LeNet5Original": LeNet5Original,
    "AlexNet": AlexNet,
    "ZFNet": ZFNet,
    "VGG11": VGG11,
    "VGG11LRN": VGG11LRN,
    "VGG13": VGG13,
    "VGG16C": VGG16C,
    "VGG16": VGG16,
    "VGG19": VGG19,
    "NIN": NIN,
    "NINCifar": NINCifar,
    "GoogLeNet": GoogLeNet,
    "PlainNet18": PlainNet18,
    "PlainNet34": PlainNet34,
    "ResNet18": ResNet18,
    "ResNet34": ResNet34,
    "ResNet50": ResNet50,
    "ResNet101": ResNet101,
    "ResNet152": ResNet152,
    "PlainNet20": PlainNet20,
    "PlainNet56": PlainNet56,
    "ResNet20": ResNet20,
    "ResNet32": ResNet32,
    "ResNet44": ResNet44,
    "ResNet56": ResNet56,
    "ResNet110": ResNet110,
    "CifarResNet": CifarResNet,
    "PreActResNet164": PreActResNet164,
    "PreActResNet": PreActResNet,
    "WRN16_4": WRN16_4,
    "WRN16_8": WRN16_8,
    "WRN28_10": WRN28_10,
    "WRN50_2": WRN50_2,
    "WideResNet": WideResNet,
    "ResNeXt50": ResNeXt50,
    "ResNeXt101": ResNeXt101,
    "SEResNet50": SEResNet50,
    "SEResNeXt50": SEResNeXt50,
    "DenseNet121": DenseNet121,
    "DenseNet169": DenseNet169,
    "DenseNet201": DenseNet201,
    "DenseNet264": DenseNet264,
    "DenseNet40": DenseNet40,
    "DenseNet100": DenseNet100,
    "DenseNetBC100": DenseNetBC100,
    "DenseNetBC190": DenseNetBC190,
    "SqueezeNet": SqueezeNet,
    "SqueezeNet1_1": SqueezeNet1_1,
    "MobileNet": MobileNet,
    "MobileNetV2": MobileNetV2,
    "NASNetMobile": NASNetMobile,
    "NASNetLarge": NASNetLarge,
    "EfficientNetB0": EfficientNetB0,
    "EfficientNetB1": EfficientNetB1,
    "EfficientNetB2": EfficientNetB2,
    "EfficientNetB3": EfficientNetB3,
    "EfficientNetB4": EfficientNetB4,
    "EfficientNetB5": EfficientNetB5,
    "EfficientNetB6": EfficientNetB6,
    "EfficientNetB7": EfficientNetB7,
    "EfficientNet": EfficientNet,
    "SimpNet": SimpNet,
    "SimpleNet": SimpleNet,
    "AllCNNC": AllCNNC,
}

__all__ = ["ARCHITECTURES", "build", "lenet_map_loss", "list_architectures", *ARCHITECTURES]


def list_architectures(pattern: str = "*") -> list[str]:
    """Names of the architectures, in the order of the lectures.

    Args:
        pattern: which ones; `*` stands for any letters, and capitals do not matter.

    >>> list_architectures("lenet*")
    ['LeNet5', 'LeNet5Original']
    """
    return [name for name in ARCHITECTURES if fnmatch(name.lower(), pattern.lower())]


def build(name: str, **arguments) -> keras.Model:
    """Build an architecture by its name: `build("LeNet5", classes=26)` is `LeNet5(classes=26)`.

    Raises:
        ValueError: an unknown name or argument (with the closest one), or what the builder itself refuses.

    >>> build("LeNet5").count_params()
    61706
    >>> build("lenet5")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Unknown architecture: 'lenet5'. Did you mean 'LeNet5'? Allowed: 'LeNet5', ...
    """
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    builder = ARCHITECTURES[name]
    allowed = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in allowed:
            raise unknown(f"argument of {name}", argument, allowed)
    return builder(**arguments)
