"""SqueezeNet: AlexNet's accuracy with a fiftieth of its weights, by squeezing the maps before 3x3 filters.

Three strategies: 1x1 filters in the place of 3x3 ones (a ninth of the weights), few maps before the 3x3
filters that stay, and pooling late, so that most layers see large maps.

Reference: Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer 2016, "SqueezeNet: AlexNet-level accuracy with
50x fewer parameters and <0.5MB model size", arXiv 1602.07360, table 1, figure 2 and section 6. Version 1.1 is
from the authors' repository.
"""

from keras import layers

from ..arguments import large_enough, number, one_of, rate, whole_number
from ..blocks import RELU
from ..builder import BuilderArguments, builder, variant
from ..layers import CeilMaxPooling2D

__all__ = ["VERSIONS", "SqueezeNet", "SqueezeNet1_1", "SqueezeNetSmall", "fire_block"]

# Conv1's filters and kernel size, and the layers after which 3x3/2 max pooling stands (1 is conv1).
VERSIONS = {"1.0": (96, 7, (1, 4, 8)), "1.1": (64, 3, (1, 3, 5))}
# Maps that come out of fire2 to fire9: half of them from 1x1 filters, half from 3x3 filters (table 1).
EXPANDED = (128, 128, 256, 256, 384, 384, 512, 512)


def fire_block(x, squeezed: int, expanded: int, *, name: str):
    """conv 1x1 makes the maps few ("squeeze"), then 1x1 and 3x3 filters side by side many again ("expand").

    Reference: figure 1.

    Args:
        x: `(N, H, W, C)`.
        squeezed: filters of the first layer.
        expanded: filters of the two of the second layer, together.
        name: the layers are called `{name}_squeeze`, `{name}_expand1x1`, `{name}_expand3x3`, `{name}_out`.

    Returns:
        `(N, H, W, expanded)`.

    >>> fire_block(layers.Input((54, 54, 96)), 16, 128, name="fire2").shape
    (None, 54, 54, 128)
    """
    x = layers.Conv2D(squeezed, 1, **RELU, name=f"{name}_squeeze")(x)
    half = expanded // 2
    wide = layers.Conv2D(expanded - half, 1, **RELU, name=f"{name}_expand1x1")(x)
    wider = layers.Conv2D(half, 3, padding="same", **RELU, name=f"{name}_expand3x3")(x)
    return layers.Concatenate(name=f"{name}_out")([wide, wider])


@builder((224, 224, 3))
def SqueezeNet(
    args: BuilderArguments,
    image,
    *,
    version: str = "1.0",
    bypass: str | None = None,
    squeeze_ratio: float = 0.125,
    width: float = 1.0,
    stem_strides: int = 2,
    dropout: float = 0.5,
):
    """Conv 7x7/2, fire2 to fire9 with 3x3/2 max pooling after 1, 4 and 8, conv 1x1, the mean of 1000 maps.

    1,248,424 parameters (AlexNet: 60,965,224) and 818,924,576 MACs (724,406,816): small, not fast. Version
    1.1, with a 3x3 conv1 and earlier pooling, has 1,235,496 and 349,151,936.

    Reference: Iandola et al. 2016 (see the module).
    Deviations from the paper: initial weights are He normal. The maps are those of images of 224x224
    without padding, 109-54-27-13; the paper prints 111-55-27-13, which images of 227x227 give.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`.
        version: "1.0" as in the paper, or "1.1".
        bypass: None; "simple", where fire3, 5, 7 and 9 add what they received to what they put out; or
            "complex", where the other four do so, too, through a 1x1 convolution (figure 2).
        squeeze_ratio: maps after squeezing as a share of those after expanding (section 5.2).
        width: factor for all numbers of filters.
        stem_strides: of conv1; 1 for small images.
        dropout: share of fire9's outputs that training sets to 0.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier, conv10 and the mean, to
        `(N, 13, 13, 512)`. The blocks end at `fire2_out` and so on, with a bypass at `fire3_add`; the stages
        at `pool1`, `pool4`, `pool8` (version 1.1: `pool1`, `pool3`, `pool5`).

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> SqueezeNet(version="1.1", classes=10).count_params()
    727626
    """
    one_of("version", version, VERSIONS)
    one_of("bypass", bypass, [None, "simple", "complex"])
    number("squeeze_ratio", squeeze_ratio, at_most=1.0)
    number("width", width)
    whole_number("stem_strides", stem_strides)
    rate("dropout", dropout)

    filters, kernel_size, pools = VERSIONS[version]
    # 8x8 maps after conv1 are pooled to 4x4, 2x2 and 1x1.
    large_enough(
        image.shape[1:], 7 * stem_strides + kernel_size, "With stem_strides=1 conv1 keeps small images large."
    )

    x = layers.Conv2D(_scaled(filters, width), kernel_size, stem_strides, **RELU, name="conv1")(image)
    x = CeilMaxPooling2D(3, 2, name="pool1")(x)
    for i, expanded in enumerate(EXPANDED, 2):
        expanded = max(2, _scaled(expanded, width))
        y = fire_block(x, _scaled(expanded, squeeze_ratio), expanded, name=f"fire{i}")
        x = _bypassed(x, y, bypass, f"fire{i}")
        if i in pools:
            x = CeilMaxPooling2D(3, 2, name=f"pool{i}")(x)
    x = layers.Dropout(dropout, name="dropout9")(x)
    return args.class_map_head(x, name="conv10")


def _bypassed(x, y, bypass: str | None, name: str):
    """The block's output y, plus what it received."""
    same = x.shape[-1] == y.shape[-1]
    if bypass is None or (bypass == "simple" and not same):
        return y
    if not same:
        x = layers.Conv2D(y.shape[-1], 1, name=f"{name}_bypass")(x)
    return layers.Add(name=f"{name}_add")([x, y])


def _scaled(filters: int, factor: float) -> int:
    return max(1, round(filters * factor))


SqueezeNet1_1 = variant(
    SqueezeNet,
    "SqueezeNet1_1",
    "SqueezeNet 1.1: a 3x3 conv1 with 64 filters, pooling after 1, 3 and 5; 2.3 times fewer MACs.",
    version="1.1",
)
SqueezeNetSmall = variant(
    SqueezeNet,
    "SqueezeNetSmall",
    "SqueezeNet 1.1 for 32x32 images: conv1 with step 1, so that fire9 still sees 3x3 maps.",
    input_shape=(32, 32, 3),
    classes=10,
    version="1.1",
    stem_strides=1,
)
