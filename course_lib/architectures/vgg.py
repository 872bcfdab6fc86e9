"""VGG: 3x3 convolutions only, five stages that halve the image, then three dense layers.

Two 3x3 convolutions see 5x5 pixels and three see 7x7, with fewer weights than one large filter and more
nonlinearities between. So depth became a number that one can turn up, and this paper turned it up.

Reference: Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, arXiv 1409.1556, tables 1 and 2.
"""

from keras import layers

from ..arguments import one_of, rate, whole_numbers
from ..blocks import TORCH_NORM, norm_act
from ..builder import BuilderArguments, builder, variant
from ..layers import LocalResponseNormalization

__all__ = ["CONFIGURATIONS", "VGG", "VGG11", "VGG11LRN", "VGG13", "VGG16", "VGG16C", "VGG19", "VGGSmall"]

# Table 1, a row for each of its columns: the kernel sizes of the five stages, whose widths are 64, 128, 256,
# 512 and 512. "LRN" is a local response normalization. Max pooling 2x2 ends each stage.
CONFIGURATIONS = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3, "LRN"), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}


@builder((224, 224, 3), min_size=32, fixed_size=True, hint="Each of the five stages halves the image.")
def VGG(
    args: BuilderArguments,
    image,
    *,
    configuration: str = "D",
    widths: tuple[int, ...] = (64, 128, 256, 512, 512),
    hidden: tuple[int, ...] = (4096, 4096),
    dropout: float = 0.5,
    batch_norm: bool = False,
):
    """Five stages of 3x3 convolutions and a 2x2 max pooling, then dense 4096, 4096, classes.

    A small filter, used often, is enough. VGG16 has 138,357,544 parameters, of which 102,764,544 are in the
    first dense layer, and 15,470,264,320 MACs, of which 0.8 % are in the dense layers.

    Reference: Simonyan and Zisserman 2014, table 1 (see the module).
    Deviations from the paper: initial weights are Glorot uniform. The paper trained A first and began the
    deeper nets with its weights, and notes (section 3.1) that Glorot's are good enough.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 32x32.
        configuration: a column of table 1: "A", "A-LRN", "B", "C", "D" or "E".
        widths: number of filters of the five stages.
        hidden: units of the dense layers before the last; () for none.
        dropout: share of their outputs that training sets to 0.
        batch_norm: whether a normalization follows each convolution (which then has no bias). The paper has
            none; torchvision's `vgg16_bn` has it (and keeps the bias). Without it D and E hardly start to
            learn from random weights.

    Returns:
        A model from `(N, 224, 224, 3)` to `(N, classes)`; without the classifier to `(N, 7, 7, 512)`. A
        stage ends at the layer `stage{i}_pool`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = VGG(configuration="A", input_shape=(32, 32, 3), classes=10, hidden=(256,))
    >>> model.get_layer("stage4_pool").output.shape
    (None, 2, 2, 512)
    """
    one_of("configuration", configuration, CONFIGURATIONS)
    whole_numbers("widths", widths, count=5)
    whole_numbers("hidden", hidden, least=0)
    rate("dropout", dropout)
    one_of("batch_norm", batch_norm, [False, True])

    x = image  # 224x224
    for i, (width, kernel_sizes) in enumerate(zip(widths, CONFIGURATIONS[configuration], strict=True), 1):
        for j, kernel_size in enumerate(kernel_sizes, 1):
            name = f"stage{i}_block{j}"
            if kernel_size == "LRN":
                x = LocalResponseNormalization(name=f"stage{i}_lrn")(x)
            else:
                x = _convolution(x, width, kernel_size, batch_norm, name)
        x = layers.MaxPooling2D(2, name=f"stage{i}_pool")(x)  # 112, 56, 28, 14, 7

    def dense(x):
        x = layers.Flatten(name="flatten")(x)  # 25,088 numbers
        for i, units in enumerate(hidden, 6):  # fc6 and fc7, after the five stages
            x = layers.Dense(units, activation="relu", name=f"fc{i}")(x)
            x = layers.Dropout(dropout, name=f"fc{i}_dropout")(x)
        return x

    return args.head(x, dense)


def _convolution(x, filters: int, kernel_size: int, batch_norm: bool, name: str):
    """A convolution and ReLU, in one layer or with a normalization between them."""
    own = {"activation": None, "use_bias": False} if batch_norm else {"activation": "relu"}
    x = layers.Conv2D(filters, kernel_size, padding="same", name=f"{name}_conv", **own)(x)
    return norm_act(x, norm=TORCH_NORM, name=name) if batch_norm else x


VGG11 = variant(VGG, "VGG11", "VGG configuration A: 1-1-2-2-2 convolutions.", configuration="A")
VGG11LRN = variant(
    VGG, "VGG11LRN", "VGG configuration A-LRN: a normalization after the first layer.", configuration="A-LRN"
)
VGG13 = variant(VGG, "VGG13", "VGG configuration B: 2-2-2-2-2 convolutions.", configuration="B")
VGG16C = variant(
    VGG,
    "VGG16C",
    "VGG configuration C: B, and 1x1 convolutions in the last three stages.",
    configuration="C",
)
VGG16 = variant(VGG, "VGG16", "VGG configuration D: 2-2-3-3-3 convolutions.", configuration="D")
VGG19 = variant(VGG, "VGG19", "VGG configuration E: 2-2-4-4-4 convolutions.", configuration="E")
VGGSmall = variant(
    VGG,
    "VGGSmall",
    "VGG for 32x32 images: any configuration, two dense layers of 512 on the 512 numbers that are left.",
    input_shape=(32, 32, 3),
    classes=10,
    hidden=(512, 512),
)
