"""The plain pattern of the lecture, [[CONV -> ReLU]*N -> POOL]*M -> [FC -> ReLU]*K -> FC, at any size.

The kit's own small network: VGG's way of building, with as few stages as a small image allows. No paper.
"""

from keras import layers

from ..arguments import large_enough, whole_numbers
from ..blocks import RELU
from ..builder import BuilderArguments, builder

__all__ = ["StackNet"]


@builder((16, 16, 3), classes=10, fixed_size=True)
def StackNet(
    args: BuilderArguments,
    image,
    *,
    widths: tuple[tuple[int, ...], ...] = ((16, 16), (32, 32), (64, 64)),
    hidden: tuple[int, ...] = (128,),
):
    """Stages of 3x3 convolutions with ReLU, a 2x2 max pooling after each, then dense layers.

    Small enough to train within seconds, and built like the large ones: the network on which lesson 19
    studies transfer. With ten classes 106,266 parameters and 2,503,936 MACs.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        widths: for each stage the number of filters of its convolutions.
        hidden: units of the dense layers before the last; () for none.

    Returns:
        A model from `(N, 16, 16, 3)` to `(N, classes)`; without the classifier to `(N, 2, 2, 64)`. A stage
        ends at the layer `stage{i}_pool`; the dense layers are `fc1`, `fc2`, ..., `output`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = StackNet(classes=4)
    >>> model.get_layer("stage2_pool").output.shape, model.get_layer("fc1").units
    ((None, 4, 4, 32), 128)
    """
    for stage in widths:
        whole_numbers("each stage of widths", stage)
    whole_numbers("hidden", hidden, least=0)
    large_enough(tuple(image.shape[1:]), 2 ** len(widths), "Each stage halves the image.")

    x = image  # 16x16x3
    for i, stage in enumerate(widths, 1):
        for j, filters in enumerate(stage, 1):
            x = layers.Conv2D(filters, 3, padding="same", name=f"stage{i}_block{j}_conv", **RELU)(x)
        x = layers.MaxPooling2D(2, name=f"stage{i}_pool")(x)  # 8x8x16, 4x4x32, 2x2x64

    def dense(x):
        x = layers.Flatten(name="flatten")(x)  # 256 numbers
        for i, units in enumerate(hidden, 1):
            x = layers.Dense(units, name=f"fc{i}", **RELU)(x)
        return x

    return args.head(x, dense)
