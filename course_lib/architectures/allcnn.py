"""The All Convolutional Net: a convolution with step 2 in the place of each pooling, and nothing else.

Reference: Springenberg, Dosovitskiy, Brox and Riedmiller 2014, "Striving for Simplicity: The All
Convolutional Net", ICLR 2015 workshop, arXiv 1412.6806, tables 1 and 2.
"""

from keras import layers

from ..arguments import large_enough, number, one_of, rate
from ..blocks import RELU
from ..builder import BuilderArguments, builder

__all__ = ["AllCNNC"]

# Table 2, column All-CNN-C: kernel size, filters, step. The ninth convolution makes the class maps.
LAYERS = (
    (3, 96, 1),
    (3, 96, 1),
    (3, 96, 2),  # in the place of a pooling
    (3, 192, 1),
    (3, 192, 1),
    (3, 192, 2),  # in the place of a pooling
    (3, 192, 1),
    (1, 192, 1),
)


@builder((32, 32, 3), classes=10)
def AllCNNC(
    args: BuilderArguments,
    image,
    *,
    width: float = 1.0,
    padding: str = "same",
    input_dropout: float = 0.2,
    dropout: float = 0.5,
):
    """Two stages of three 3x3 convolutions, the third with step 2; conv 3x3, conv 1x1, the mean of ten maps.

    1,369,738 parameters, 281,174,016 MACs.

    Reference: Springenberg et al. 2014, table 2, All-CNN-C (see the module).
    Deviations from the paper: initial weights are He normal. It prints maps of 6x6 at the end, which an
    unpadded conv7 gives; here conv7 is padded like the others, and they are 8x8.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        width: factor for all numbers of filters.
        padding: of conv7: "same", or "valid" for the paper's 6x6 maps (270,798,336 MACs).
        input_dropout: share of the image's values that training sets to 0.
        dropout: the same for the outputs of conv3 and conv6, which have the place of a pooling.

    Returns:
        A model from `(N, 32, 32, 3)` to `(N, classes)`; without the classifier, conv9 and the mean, to
        `(N, 8, 8, 192)`. The layers are called conv1 to conv9; stages end at conv3 and conv6.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = AllCNNC()
    >>> [model.get_layer(name).output.shape[1:] for name in ("conv3", "conv6", "conv9")]
    [(16, 16, 96), (8, 8, 192), (8, 8, 10)]
    """
    number("width", width)
    one_of("padding", padding, ["same", "valid"])
    rate("input_dropout", input_dropout)
    rate("dropout", dropout)
    if padding == "valid":
        large_enough(image.shape[1:], 9, "The unpadded conv7 has a 3x3 window; use padding='same'.")
    x = layers.Dropout(input_dropout, name="input_dropout")(image)
    for i, (kernel_size, filters, strides) in enumerate(LAYERS, 1):
        options = {"padding": padding if i == 7 else "same", "name": f"conv{i}", **RELU}
        x = layers.Conv2D(max(1, round(width * filters)), kernel_size, strides, **options)(x)
        if strides == 2:
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return args.class_map_head(x, name="conv9")
