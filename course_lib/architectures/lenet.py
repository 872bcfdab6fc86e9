"""LeNet-5: convolution and sub-sampling twice, then two dense layers; it read bank cheques.

Reference: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86(11), 1998, section II.B, figures 2 and 3, table I, equation 9.

The layers carry the paper's names: C1, S2, C3, S4, C5, F6, output. C5 is a convolution; on a 32x32 image its
5x5 window covers all of S4, so that its maps are single numbers.
"""

import keras
import numpy as np
from keras import layers, ops

from ..arguments import one_of
from ..builder import BuilderArguments, builder, output_dtype
from ..layers import FanInUniform, PartialConv2D, RBFOutput, TrainableSubsampling, scaled_tanh

__all__ = ["C3_TABLE", "DIGITS", "LeNet5", "LeNet5Original", "digit_targets", "lenet_map_loss"]

INPUT = (32, 32, 1)
TOO_SMALL = "Pad the 28x28 digits of MNIST with 2 pixels on each side."

# Table I: which of the 6 maps of S2 (rows) each of the 16 maps of C3 (columns) sees. 60 marks of 96.
C3_TABLE = """
    #...###..####.##
    ##...###..####.#
    ###...###..#.###
    .###..####..#.##
    ..###..####.##.#
    ...###..####.###
"""

# The targets of the output units: the ten digits as pictures of 7x12 pixels, # is +1 and . is -1. Drawn for
# this course in the style of the paper's figure 3. Similar digits get similar targets: that is the purpose.
DIGITS = """
    ..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
    .#####. ..###.. ####### ####### ...###. ####### .#####. ####### ####### #######
    ##...## .####.. ##...## ##...## ..####. ##..... ##..... .....## ##...## ##...##
    ##...## ...##.. ##...## .....## .##.##. ##..... ##..... .....## ##...## ##...##
    ##...## ...##.. .....## .....## ##..##. ######. ##..... ....##. ##...## ##...##
    ##...## ...##.. ....##. ..####. ##..##. ####### ######. ....##. .#####. #######
    ##...## ...##.. ...##.. ..####. ##..##. .....## ####### ...##.. .#####. .######
    ##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
    ##...## ...##.. .##.... .....## ####### .....## ##...## ..##... ##...## .....##
    ##...## ...##.. ##..... ##...## ....##. ##...## ##...## ..##... ##...## .....##
    .#####. ...##.. ####### ####### ....##. ####### ####### .##.... ####### .#####.
    ..###.. .###### ####### .#####. ....##. .#####. .#####. .##.... .#####. .####..
"""


def digit_targets() -> np.ndarray:
    """The 84 target values of each digit, +1 and -1, as an array `(10, 84)`; a row is a 7x12 picture.

    >>> digit_targets().shape, sorted(set(digit_targets().ravel().tolist()))
    ((10, 84), [-1.0, 1.0])
    """
    rows = [line.split() for line in DIGITS.split("\n") if line.strip()]
    pictures = np.array([[list(digit) for digit in row] for row in rows]).swapaxes(0, 1)  # 10 digits x 12 x 7
    return np.where(pictures == "#", 1.0, -1.0).astype("float32").reshape(10, 84)


@builder(INPUT, classes=10, min_size=32, fixed_size=True, hint=TOO_SMALL)
def LeNet5(args: BuilderArguments, image, *, activation: str = "tanh", subsampling: str = "average"):
    """Conv 5x5, pool 2x2, conv 5x5, pool 2x2, conv 5x5, dense 84, dense 10: the table on the slide.

    Each stage halves the image and has more maps: the pattern of nearly all networks that followed.
    61,706 parameters, 416,520 MACs.

    Reference: LeCun et al. 1998, section II.B (see the module).
    Deviations from the paper, as on the slide: C3 sees all maps of S2, the sub-sampling is average pooling
    without parameters, the activation is the plain tanh, the output a dense softmax layer; besides, the
    initial weights are Glorot uniform. `LeNet5Original` has none of these.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Images are at
            least 32x32, in [0, 1] or centred on 0; without the classifier the network ends at C5.
        activation: "tanh", or "relu" as in networks of today.
        subsampling: "average" or "max".

    Returns:
        A model from `(N, 32, 32, 1)` to `(N, classes)`; without the classifier to `(N, 1, 1, 120)`.

    Raises:
        ValueError: an argument that is not allowed, or images that are too small.

    >>> model = LeNet5(activation="relu")
    >>> model.get_layer("S4").output.shape
    (None, 5, 5, 16)
    """
    one_of("activation", activation, ["tanh", "relu"])
    one_of("subsampling", subsampling, ["average", "max"])
    pool = layers.AveragePooling2D if subsampling == "average" else layers.MaxPooling2D

    x = layers.Conv2D(6, 5, activation=activation, name="C1")(image)  # 28x28x6
    x = pool(2, name="S2")(x)  # 14x14x6
    x = layers.Conv2D(16, 5, activation=activation, name="C3")(x)  # 10x10x16
    x = pool(2, name="S4")(x)  # 5x5x16
    x = layers.Conv2D(120, 5, activation=activation, name="C5")(x)  # 1x1x120

    def hidden(x):
        return layers.Dense(84, activation=activation, name="F6")(layers.Flatten(name="flatten")(x))

    return args.head(x, hidden)


@builder(INPUT, classes=10, classifier_activation=None, min_size=32, fixed_size=True, hint=TOO_SMALL)
def LeNet5Original(args: BuilderArguments, image, *, output: str = "rbf"):
    """LeNet-5 as published: a partly connected C3, trainable sub-sampling, distances to drawn digits.

    Ideas to save weights and to shape the classes, given up since. 60,000 trainable parameters of 60,840 (the
    840 are the fixed targets), 325,680 MACs.

    Reference: LeCun et al. 1998, section II.B (see the module).
    Deviations from the paper: the output is minus the squared distance, so that the largest score wins; the
    targets are our own drawings in the paper's style; biases start at 0 and sub-sampling as an average.

    Args:
        include_top, ..., name: as for every builder, see `course_lib.builder.BuilderArguments`. Here
            `classifier_activation` is None: the model returns scores, made for `lenet_map_loss` or for a
            cross entropy with `from_logits=True`; "softmax" gives probabilities. The paper's images have a
            white background of -0.1 and black ink of 1.175, at least 32x32; without the classifier the
            network ends at C5.
        output: "rbf", or "dense" for a trained dense layer in its place (60,850 trainable parameters).

    Returns:
        A model from `(N, 32, 32, 1)` to `(N, classes)`; without the classifier to `(N, 1, 1, 120)`.

    Raises:
        ValueError: an argument that is not allowed, images that are too small, or "rbf" and more than ten
            classes.

    >>> model = LeNet5Original()
    >>> [model.get_layer(name).count_params() for name in ("C1", "S2", "C3", "S4", "C5", "F6", "output")]
    [156, 12, 1516, 32, 48120, 10164, 840]
    """
    one_of("output", output, ["rbf", "dense"])
    last = None
    if args.include_top and output == "rbf":
        targets = digit_targets()
        if args.classes > len(targets):
            raise ValueError(
                f"There are target pictures for 10 digits only. Received: classes={args.classes}. "
                "Use output='dense'."
            )
        options = {"activation": args.classifier_activation, "dtype": output_dtype()}
        last = RBFOutput(targets[: args.classes], **options, name="output")
    common = {"activation": scaled_tanh, "kernel_initializer": FanInUniform()}

    x = layers.Conv2D(6, 5, name="C1", **common)(image)  # 28x28x6
    x = TrainableSubsampling(activation=scaled_tanh, name="S2")(x)  # 14x14x6
    table = [[mark == "#" for mark in line] for line in C3_TABLE.split()]
    x = PartialConv2D(table, 5, activation=scaled_tanh, name="C3")(x)  # 10x10x16
    x = TrainableSubsampling(activation=scaled_tanh, name="S4")(x)  # 5x5x16
    x = layers.Conv2D(120, 5, name="C5", **common)(x)  # 1x1x120

    def hidden(x):
        return layers.Dense(84, name="F6", **common)(layers.Flatten(name="flatten")(x))

    return args.head(x, hidden, last)


@keras.saving.register_keras_serializable("course_lib")
def lenet_map_loss(y_true, scores, j: float = 1.0):
    """The paper's loss for RBF outputs, d_c + log(exp(-j) + sum_i exp(-d_i)), d the squared distances.

    The first term pulls the output towards the right class c. The second pushes it away from the other
    classes, but only from those that are about as near as j: it is a cross entropy with one more class, "none
    of them", that always has the distance j. Without that class nothing would be lost by a network that is
    far away from every target.

    Args:
        y_true: class numbers, `(N,)` or `(N, 1)`.
        scores: the outputs of `LeNet5Original`, minus the squared distances, `(N, classes)`.
        j: distance of the class "none of them". The paper says only that it is positive.

    Returns:
        The loss of each image, `(N,)`.

    >>> far, near = [[-9.0, -100.0]], [[0.0, -100.0]]
    >>> [round(float(lenet_map_loss([0], scores)[0]), 3) for scores in (far, near)]
    [8.0, 0.313]
    """
    scores = ops.convert_to_tensor(scores)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    right = ops.sum(scores * ops.one_hot(labels, scores.shape[-1], dtype=scores.dtype), axis=-1)
    return ops.logaddexp(ops.logsumexp(scores, axis=-1), -j) - right
