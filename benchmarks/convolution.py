"""Grouped and depthwise convolutions of the kit beside Keras' own layers: one training step of each.

    .venv/bin/python benchmarks/convolution.py      two to three minutes on two cores

A step is forward, backward and SGD of one convolution, global average pooling and ten scores.
Writes benchmarks/results/convolution.md.
"""

from collections.abc import Callable, Sequence
from functools import partial

import keras
from _pairs import HEAD, compare, options, write
from keras import layers
from zoo import step

from course_lib.blocks import conv
from course_lib.layers import GroupedConv2D

NOTE = """`GroupedConv2D` does the groups as small convolutions side by side, since the gradient of a grouped
one is slow on a CPU. One group a channel is a depthwise convolution: for it the kit takes Keras' own
`DepthwiseConv2D`. A depthwise and a 1x1 convolution, MobileNet's pair, are what `SeparableConv2D` does."""


def separable(x: keras.KerasTensor) -> keras.KerasTensor:
    """A depthwise 3x3 convolution, then a 1x1 convolution to 128 channels: both without bias."""
    return conv(conv(x, None, 3, name="depthwise"), 128, 1, name="pointwise")


def grouped(layer: Callable, filters: int, size: int, groups: int) -> Callable:
    """A convolution without bias, by a layer's class."""
    return layer(filters, size, groups=groups, padding="same", use_bias=False)


# What, shape of an image, images in a step, ours, Keras' own: functions that make a layer or apply one.
Case = tuple[str, tuple[int, int, int], int, Callable, Callable]


def cases() -> list[Case]:
    rows = []
    for filters, side, size, groups, channels in ((256, 27, 5, 2, 96), (128, 28, 3, 32, 128)):
        what = f"`GroupedConv2D`, `Conv2D(groups={groups})`: {channels} to {filters} channels, {size}x{size}"
        both = [grouped(layer, filters, size, groups) for layer in (GroupedConv2D, layers.Conv2D)]
        rows.append((what, (side, side, channels), 16, *both))
    shape, plain = (28, 28, 128), {"padding": "same", "use_bias": False}
    depthwise = partial(conv, filters=None, kernel_size=3, name="depthwise")
    rows += [
        ("`blocks.conv`, `Conv2D(groups=128)`: depthwise, 128 channels, 3x3", shape, 4)
        + (depthwise, grouped(layers.Conv2D, 128, 3, 128)),
        ("`blocks.conv`, `DepthwiseConv2D`: the same", shape, 16)
        + (depthwise, layers.DepthwiseConv2D(3, **plain)),
        ("depthwise and 1x1, `SeparableConv2D`: 128 to 128 channels, 3x3", shape, 16)
        + (separable, layers.SeparableConv2D(128, 3, **plain)),
    ]
    return rows


def model(shape: tuple[int, int, int], apply: Callable) -> keras.Model:
    image = keras.Input(shape)
    features = layers.GlobalAveragePooling2D()(apply(image))
    return keras.Model(image, layers.Dense(10, activation="softmax")(features))


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(arguments)
    rows = []
    for what, shape, batch, *both in cases():
        steps = [step(model(shape, apply), (batch, *shape)) for apply in both]
        ratio = compare(*steps, pairs=chosen.pairs, warm_up=2)
        rows.append(f"| {what}, {batch} images of {shape[0]}x{shape[1]} | {ratio.cells()} |")
        print(rows[-1], flush=True)
    write("convolution", "Grouped and depthwise convolution", [HEAD, *rows, "", NOTE], chosen.results)


if __name__ == "__main__":
    main()
