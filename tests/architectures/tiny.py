"""One small network of each family, quick to run. Its arguments can be replaced: `TINY["vgg"](classes=3)`."""

from course_lib.architectures.googlenet import GoogLeNetSmall
from course_lib.architectures.preact import PreActResNet
from course_lib.architectures.resnet import CifarResNet, ResNet
from course_lib.architectures.vgg import VGG
from course_lib.architectures.wide_resnet import WideResNet

SMALL = {"depths": (1, 1), "widths": (8, 16), "input_shape": (32, 32, 3), "classes": 10}


def tiny(builder, **chosen):
    return lambda **arguments: builder(**(chosen | arguments))


TINY = {
    "vgg": tiny(
        VGG, configuration="A", widths=(4, 8, 8, 12, 12), hidden=(16,), input_shape=(32, 32, 3), classes=10
    ),
    "googlenet": tiny(GoogLeNetSmall, width=0.1, input_shape=(17, 17, 3)),
    "resnet": tiny(ResNet, **SMALL, se_ratio=1 / 4, drop_path_rate=0.2),
    "resnet_bottleneck": tiny(ResNet, **SMALL, block="bottleneck"),
    "resnet_cifar": tiny(CifarResNet, depth=8),
    "preact": tiny(PreActResNet, depth=11),
    "wide_resnet": tiny(WideResNet, depth=10, width=2),
    "resnext": tiny(ResNet, **SMALL, block="bottleneck", widen=2, groups=4, stride_on="3x3"),
    "senet": tiny(ResNet, **SMALL, block="bottleneck", se_ratio=1 / 16),
}
