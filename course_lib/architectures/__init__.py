"""The catalogue of the architectures: one module a family, in the order of the lectures.

A new family is one module with its builders, and one line here for each of them.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from math import inf

import keras

from ..arguments import whole_number
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
from .entries import Entry, entries, same_arguments
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

# Builders of networks of many sizes -> the entry that tells their paper, and what they are for.
GENERAL = {
    "CifarResNet": ("ResNet20", "any depth 6n + 2; those of the paper have their own names"),
    "PreActResNet": ("PreActResNet164", "any depth 9n + 2, and the five orders of a block"),
    "WideResNet": ("WRN28_10", "any depth 6n + 4 and any width"),
    "EfficientNet": ("EfficientNetB0", "any width and depth; those of the paper are B0 to B7"),
}

__all__ = ["ARCHITECTURES", "GENERAL", "Entry", "build", "entry", "lenet_map_loss", "list_architectures"]
__all__ += [*ARCHITECTURES]


def list_architectures(
    pattern: str = "*",
    *,
    family: str | None = None,
    dataset: str | None = None,
    max_params: int | None = None,
    year: int | tuple[int, int] | None = None,
) -> list[str]:
    """Names of the architectures, in the order of the lectures.

    Args:
        pattern: which ones; `*` stands for any letters, and capitals do not matter.
        family: only this one, such as "VGG", "ResNet" or "DenseNet".
        dataset: only those made for it: "MNIST", "CIFAR-10" or "ImageNet".
        max_params: at most so many trainable parameters. Builders of many sizes are left out.
        year: of publication, or the first and the last year.

    Raises:
        ValueError: an unknown family or data set, or a number that is none.

    >>> list_architectures("lenet*")
    ['LeNet5', 'LeNet5Original']
    >>> list_architectures(dataset="ImageNet", max_params=5_000_000)
    ['SqueezeNet', 'SqueezeNet1_1', 'MobileNet', 'MobileNetV2']
    >>> list_architectures("*resnet*50", year=(2015, 2016))
    ['ResNet50']
    """
    for argument, received in (("family", family), ("dataset", dataset)):
        known = list(dict.fromkeys(getattr(entry(name), argument) for name in ARCHITECTURES))
        if received is not None and received not in known:
            raise unknown(argument, received, known)
    first, last = year if isinstance(year, tuple) and len(year) == 2 else (year, year)
    for argument, received in (("max_params", max_params), ("year", first), ("year", last)):
        if received is not None:
            whole_number(argument, received)

    def wanted(name: str) -> bool:
        found = entry(name)
        return (
            fnmatch(name.lower(), pattern.lower())
            and family in (None, found.family)
            and dataset in (None, found.dataset)
            and (max_params is None or (found.params or inf) <= max_params)
            and (year is None or first <= found.year <= last)
        )

    return [name for name in ARCHITECTURES if wanted(name)]


def entry(name: str, **arguments) -> Entry:
    """What is published of an architecture: paper, year, results, and where the lectures name it.

    Args:
        name: of the builder.
        arguments: the builder's own, where they are not its defaults.

    Raises:
        ValueError: an unknown name or argument, or arguments for which nothing is published.

    >>> vgg = entry("VGG16")
    >>> vgg.paper, vgg.lecture
    ('Simonyan & Zisserman 2014, arXiv:1409.1556', 'lecture5_architectures: VGGNet')
    >>> vgg.errors["imagenet_top5_error"], vgg.params
    (8.1, 138357544)
    >>> entry("MobileNet", alpha=0.5).name
    'MobileNet(alpha=0.5)'
    """
    defaults = _defaults(name, arguments)
    if name in GENERAL and not arguments:
        sibling, reason = GENERAL[name]
        own = {"name": name, "builder": name, "params": None, "macs": None, "errors": {}, "note": reason}
        return replace(entry(sibling), arguments={}, **own)
    for found in entries():
        if found.builder == name and same_arguments(defaults | arguments, defaults | found.arguments):
            return found
    known = [found.name for found in entries() if found.builder == name]
    raise ValueError(
        f"Nothing is published here of {name} with {arguments}. Known: {', '.join(known) or 'none'}."
    )


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
    _defaults(name, arguments)
    return ARCHITECTURES[name](**arguments)


def _defaults(name: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """The default values of a builder's arguments; an unknown name or argument is a ValueError."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    parameters = inspect.signature(ARCHITECTURES[name]).parameters
    for argument in arguments:
        if argument not in parameters:
            raise unknown(f"argument of {name}", argument, parameters)
    return {key: parameter.default for key, parameter in parameters.items()}
