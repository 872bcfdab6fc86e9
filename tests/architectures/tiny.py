"""One small network of each family, quick to run. Its arguments can be replaced: `TINY["vgg"](classes=3)`."""

from course_lib.architectures.googlenet import GoogLeNetSmall
from course_lib.architectures.vgg import VGG


def tiny(builder, **chosen):
    return lambda **arguments: builder(**(chosen | arguments))


TINY = {
    "vgg": tiny(
        VGG, configuration="A", widths=(4, 8, 8, 12, 12), hidden=(16,), input_shape=(32, 32, 3), classes=10
    ),
    "googlenet": tiny(GoogLeNetSmall, width=0.1, input_shape=(17, 17, 3)),
}
