"""One small network of each family, quick to run. Its arguments can be replaced: `TINY["vgg"](classes=3)`."""

from functools import partial as tiny

from course_lib.architectures.alexnet import AlexNetSmall
from course_lib.architectures.allcnn import AllCNNC
from course_lib.architectures.densenet import CifarDenseNet, DenseNet
from course_lib.architectures.efficientnet import EfficientNet
from course_lib.architectures.googlenet import GoogLeNetSmall
from course_lib.architectures.lenet import LeNet5, LeNet5Original
from course_lib.architectures.mobilenet import MobileNet, MobileNetV2
from course_lib.architectures.nasnet import NASNet
from course_lib.architectures.nin import NINCifar
from course_lib.architectures.preact import PreActResNet
from course_lib.architectures.resnet import CifarResNet, ResNet
from course_lib.architectures.simpnet import SimpleNet, SimpNet
from course_lib.architectures.squeezenet import SqueezeNetSmall
from course_lib.architectures.vgg import VGG
from course_lib.architectures.wide_resnet import WideResNet

SMALL = {"depths": (1, 1), "widths": (8, 16), "input_shape": (32, 32, 3), "classes": 10}


TINY = {
    "lenet": LeNet5,
    "lenet_original": LeNet5Original,
    "alexnet": tiny(AlexNetSmall, widths=(8, 8, 12, 12, 8), hidden=(16,), input_shape=(19, 19, 3)),
    "vgg": tiny(
        VGG, configuration="A", widths=(4, 8, 8, 12, 12), hidden=(16,), input_shape=(32, 32, 3), classes=10
    ),
    "nin": tiny(NINCifar, width=0.1, input_shape=(12, 12, 3)),
    "googlenet": tiny(GoogLeNetSmall, width=0.1, input_shape=(17, 17, 3)),
    "resnet": tiny(ResNet, **SMALL, se_ratio=1 / 4, drop_path_rate=0.2),
    "resnet_bottleneck": tiny(ResNet, **SMALL, block="bottleneck"),
    "resnet_cifar": tiny(CifarResNet, depth=8),
    "preact": tiny(PreActResNet, depth=11),
    "wide_resnet": tiny(WideResNet, depth=10, width=2),
    "resnext": tiny(ResNet, **SMALL, block="bottleneck", widen=2, groups=4, stride_on="3x3"),
    "senet": tiny(ResNet, **SMALL, block="bottleneck", se_ratio=1 / 16),
    "densenet": tiny(DenseNet, depths=(1, 2), growth_rate=4, input_shape=(32, 32, 3), classes=10),
    "densenet_cifar": tiny(CifarDenseNet, depth=10, growth_rate=4, bottleneck=True, compression=0.5),
    "mobilenet": tiny(MobileNet, **SMALL, stem_strides=1),
    "mobilenet_v2": tiny(
        MobileNetV2, rows=((1, 8, 1, 1), (2, 16, 2, 2)), stem_strides=1, input_shape=(16, 16, 3), classes=10
    ),
    "nasnet": tiny(
        NASNet,
        depth=1,
        penultimate_filters=96,
        stem_filters=4,
        stem="small",
        input_shape=(32, 32, 3),
        classes=10,
    ),
    "efficientnet": tiny(EfficientNet, width=0.1, depth=0.5, input_shape=(32, 32, 3), classes=10),
    "squeezenet": tiny(SqueezeNetSmall, width=0.1, bypass="complex", input_shape=(20, 20, 3)),
    "simpnet": tiny(SimpNet, widths=(4, 6, 6, 6, 8, 8, 8, 8, 8, 8, 8, 8, 12), input_shape=(8, 8, 3)),
    "simplenet": tiny(SimpleNet, widths=(8,) * 13, input_shape=(16, 16, 3)),
    "allcnn": tiny(AllCNNC, width=0.2, input_shape=(12, 12, 3)),
}
