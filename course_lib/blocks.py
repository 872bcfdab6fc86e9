"""What all architectures share: their common arguments, checked once, the head, and the blocks.

A builder has three levels: block `f(x, ..., name) -> tensor`, stage, network = stem -> stages -> head. Here
stands what more than one family needs; the builders themselves are in `course_lib.architectures`.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from math import isfinite
from numbers import Real
from pathlib import Path
from types import FunctionType

import keras
from keras import layers

from . import layers as course_layers
from .errors import unknown

__all__ = [
    "RELU",
    "HE_FAN_OUT",
    "TENSORFLOW_NORM",
    "TORCH_NORM",
    "BuilderArguments",
    "add_branch",
    "blocks_of_depth",
    "builder",
    "conv",
    "conv_norm_act",
    "drop_rates",
    "large_enough",
    "imagenet_stem",
    "inverted_residual",
    "make_divisible",
    "norm_act",
    "number",
    "one_of",
    "rate",
    "shortcut_path",
    "squeeze_excite",
    "stage",
    "stages",
    "variant",
    "whole_number",
    "whole_numbers",
]

# BatchNormalization's two constants. `momentum` is the share of the old moving statistics that a step keeps.
# Most networks here were trained in Caffe or Torch, with 0.9 (which Torch calls 0.1): right for short
# trainings, too. Google's networks (MobileNet, NASNet, EfficientNet) come with the other pair.
TORCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}
TENSORFLOW_NORM = {"epsilon": 1e-3, "momentum": 0.99}
# ReLU and He's initial weights (2015), for networks without normalization. Smaller ones, such as Glorot's,
# let the signal fade from layer to layer, so that a small network hardly starts to learn.
RELU = {"activation": "relu", "kernel_initializer": "he_normal"}

# He's initial weights by what an input value of a convolution reaches (filters x window) instead of what an
# output value sees (channels x window): EfficientNet's choice, and the right one for a depthwise filter, of
# which Keras believes that it sees all channels. It is a configuration, because one initializer object would
# give equal numbers to all layers of the same shape.
HE_FAN_OUT = keras.initializers.serialize(
    keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
)


def one_of(argument: str, received: object, allowed: Iterable[object]) -> None:
    """Raise a ValueError with the closest name unless `received` is one of the allowed values.

    >>> one_of("pooling", "average", ["avg", "max", None])
    Traceback (most recent call last):
    ...
    ValueError: Unknown pooling: 'average'. Did you mean 'avg'? Allowed: 'avg', 'max', None.
    """
    allowed = list(allowed)
    if received not in allowed:
        raise unknown(argument, received, allowed)


def whole_number(argument: str, received: object, minimum: int = 1) -> None:
    """Raise a ValueError unless `received` is a whole number of at least `minimum`.

    >>> whole_number("growth_rate", 1.5)
    Traceback (most recent call last):
    ...
    ValueError: growth_rate must be a whole number, at least 1. Received: 1.5.
    """
    if not _is_size(received, minimum):
        raise ValueError(f"{argument} must be a whole number, at least {minimum}. Received: {received!r}.")


def whole_numbers(argument: str, received: object, count: int | None = None) -> None:
    """Raise a ValueError unless `received` is a tuple (or list) of whole numbers >= 1, `count` of them.

    >>> whole_numbers("widths", (64, 128), count=4)
    Traceback (most recent call last):
    ...
    ValueError: widths must be 4 whole numbers, each at least 1. Received: (64, 128).
    """
    right = isinstance(received, (tuple, list)) and len(received) > 0 and all(map(_is_size, received))
    if not right or count not in (None, len(received)):
        raise ValueError(
            f"{argument} must be {count or 'one or more'} whole numbers, each at least 1. "
            f"Received: {received!r}."
        )


def number(argument: str, received: object, *, above: float = 0.0, at_most: float | None = None) -> None:
    """Raise a ValueError unless `received` is a finite number with above < received <= at_most.

    >>> number("alpha", "1.0")
    Traceback (most recent call last):
    ...
    ValueError: alpha must be a number above 0. Received: '1.0'.
    """
    right = isinstance(received, Real) and not isinstance(received, bool) and isfinite(received)
    if not right or received <= above or (at_most is not None and received > at_most):
        end = "" if at_most is None else f", at most {at_most:g}"
        raise ValueError(f"{argument} must be a number above {above:g}{end}. Received: {received!r}.")


def rate(argument: str, received: object) -> None:
    """Raise a ValueError unless `received` is a share: 0 <= received < 1.

    >>> rate("drop_path_rate", 20)
    Traceback (most recent call last):
    ...
    ValueError: drop_path_rate must be a number from 0 to below 1. Received: 20.
    """
    right = isinstance(received, Real) and not isinstance(received, bool)
    if not right or not 0 <= received < 1:
        raise ValueError(f"{argument} must be a number from 0 to below 1. Received: {received!r}.")


def large_enough(shape: Sequence[int | None], smallest: int, hint: str = "") -> None:
    """Raise a ValueError if height or width of a shape `(height, width, channels)` is known to be smaller.

    >>> large_enough((32, 20, 3), 21, "Use strides=1.")
    Traceback (most recent call last):
    ...
    ValueError: An input of (32, 20, 3) is too small: height and width must be at least 21. Use strides=1.
    """
    if any(size is not None and size < smallest for size in shape[:2]):
        raise ValueError(
            f"An input of {tuple(shape)} is too small: height and width must be at least {smallest}. "
            f"{hint}".rstrip()
        )


@dataclass(frozen=True)
class BuilderArguments:
    """The arguments that every builder has, as in `keras.applications`, in the same order and checked.

    Args:
        include_top: whether the classifier stands at the end. Without it the network returns feature maps.
        weights: None (random) or the path of a local weights file. Nothing is ever downloaded.
        input_tensor: a Keras tensor to build upon, so that the graph stays flat; None makes a new input.
        input_shape: `(height, width, channels)`. Height and width may be None where the network allows it.
            None: the paper's size.
        pooling: only without the classifier: None (feature maps, `(N, H, W, C)`), "avg" or "max" over all
            positions (`(N, C)`).
        classes: number of classes.
        classifier_activation: activation of the last layer; None gives its raw scores.
        name: name of the model.

    Raises:
        ValueError: an argument that makes no sense, with what is allowed.

    >>> BuilderArguments(pooling="mean")
    Traceback (most recent call last):
    ...
    ValueError: Unknown pooling: 'mean'. Allowed: 'avg', 'max', None.
    """

    include_top: bool = True
    weights: str | Path | None = None
    input_tensor: keras.KerasTensor | None = None
    input_shape: tuple[int | None, int | None, int] | None = None
    pooling: str | None = None
    classes: int = 1000
    classifier_activation: str | Callable | None = "softmax"
    name: str | None = None

    def __post_init__(self):
        if not isinstance(self.include_top, bool):
            raise ValueError(f"include_top must be True or False. Received: {self.include_top!r}.")
        one_of("pooling", self.pooling, ["avg", "max", None])
        if not _is_size(self.classes):
            raise ValueError(f"classes must be a whole number, at least 1. Received: {self.classes!r}.")
        if not callable(self.classifier_activation):
            one_of("classifier_activation", self.classifier_activation, [*_activation_names(), None])
        known = isinstance(self.weights, (str, Path)) and Path(self.weights).is_file()
        if self.weights is not None and not known:
            raise ValueError(
                f"weights must be None (random weights) or the path of a local file. Received: "
                f"{self.weights!r}, which is no file. Builders download nothing."
            )
        if self.name is not None and (not isinstance(self.name, str) or not self.name or "/" in self.name):
            raise ValueError(f"name must be a text without '/', or None. Received: {self.name!r}.")
        tensor = self.input_tensor
        if tensor is not None and not isinstance(tensor, keras.KerasTensor):
            raise ValueError(
                f"input_tensor must be a Keras tensor, such as keras.Input((32, 32, 3)). "
                f"Received: {type(tensor)}."
            )

    def image(
        self,
        default_shape: tuple[int, int, int],
        *,
        min_size: int = 1,
        fixed_size: bool = False,
        hint: str = "",
    ) -> keras.KerasTensor:
        """The tensor on which the network is built, `(N, height, width, channels)`.

        Args:
            default_shape: the paper's input, used where the caller gives none.
            min_size: smallest height and width that the network can digest.
            fixed_size: whether the classifier needs a known height and width (it flattens the feature maps).
            hint: how to mend too small an input.
        """
        if keras.config.image_data_format() != "channels_last":
            raise ValueError(
                "The architectures are written for channels last, (N, H, W, C). Call "
                "keras.config.set_image_data_format('channels_last') first."
            )
        shape = self.input_shape
        if self.input_tensor is not None:
            given, shape = shape, tuple(self.input_tensor.shape[1:])
            if given is not None and (not isinstance(given, (tuple, list)) or tuple(given) != shape):
                raise ValueError(
                    f"input_shape={given} and input_tensor with {shape} disagree. Give only one of them."
                )
        elif shape is None:
            shape = default_shape
        self._check_shape(shape, min_size, fixed_size, hint)
        return keras.Input(tuple(shape), name="input") if self.input_tensor is None else self.input_tensor

    def _check_shape(self, shape, min_size: int, fixed_size: bool, hint: str) -> None:
        known = isinstance(shape, (tuple, list)) and len(shape) == 3 and _is_size(shape[2])
        if not known or not all(size is None or _is_size(size) for size in shape):
            raise ValueError(
                f"input_shape must be (height, width, channels), such as (224, 224, 3). Received: {shape!r}."
            )
        *sizes, _ = shape
        large_enough(shape, min_size, hint)
        if self.include_top and fixed_size and None in sizes:
            raise ValueError(
                f"The classifier needs a known height and width. Received: {shape}. Give numbers, or "
                "include_top=False."
            )

    def head(
        self,
        features: keras.KerasTensor,
        hidden: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None,
        output: keras.Layer | None = None,
        *,
        dropout: float = 0.0,
    ) -> keras.KerasTensor:
        """The end of the network: with `include_top` the classifier, else the features, pooled as asked.

        Args:
            features: the last feature maps, `(N, H, W, C)`.
            hidden: what stands between them and the output layer; global average pooling if not given.
            output: the last layer; `Dense(classes, classifier_activation, name="output")` if not given.
            dropout: just before the output layer; 0: none.
        """
        if self.include_top:
            x = hidden(features) if hidden else layers.GlobalAveragePooling2D(name="head_pool")(features)
            x = layers.Dropout(dropout, name="head_dropout")(x) if dropout else x
            output = output or layers.Dense(self.classes, self.classifier_activation, name="output")
            return output(x)
        if self.pooling is None:
            return features
        pool = layers.GlobalAveragePooling2D if self.pooling == "avg" else layers.GlobalMaxPooling2D
        return pool(name=f"{self.pooling}_pool")(features)

    def class_map_head(self, features: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """The end of a network without dense layers: a map for each class, and its mean as the class's score.

        Args:
            features: the last feature maps, `(N, H, W, C)`.
            name: of the 1x1 convolution with ReLU that makes the class maps.
        """

        def scores(x):
            x = layers.Conv2D(self.classes, 1, name=name, **RELU)(x)
            return layers.GlobalAveragePooling2D(name="head_pool")(x)

        return self.head(features, scores, layers.Activation(self.classifier_activation, name="output"))

    def model(self, image: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.Model:
        """The finished model, with its weights loaded if a file was given."""
        inputs = keras.utils.get_source_inputs(image)
        model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name=self.name)
        if self.weights is not None:
            model.load_weights(self.weights)
        return model


def builder(
    default_shape: tuple[int, int, int],
    *,
    classes: int = 1000,
    classifier_activation: str | None = "softmax",
    min_size: int = 1,
    fixed_size: bool = False,
    hint: str = "",
) -> Callable[[Callable], Callable[..., keras.Model]]:
    """Turns `f(args, image, *, own arguments) -> outputs` into a builder with everybody's arguments in front.

    The builder takes keyword arguments only: those of `BuilderArguments`, in their order, then f's own. It
    checks them, makes the input, and wraps f's outputs into a model.

    Args:
        default_shape: the paper's input, `(height, width, channels)`.
        classes, classifier_activation: defaults of these arguments.
        min_size, fixed_size, hint: what the network can digest, see `BuilderArguments.image`.

    >>> @builder((8, 8, 1), classes=2)
    ... def Tiny(args, image, *, width: int = 4):
    ...     return args.head(layers.Conv2D(width, 3, name="conv")(image))
    >>> Tiny(width=3).count_params()
    38
    >>> Tiny(widht=3)
    Traceback (most recent call last):
    ...
    ValueError: Unknown argument of Tiny: 'widht'. Did you mean 'width'? Allowed: 'include_top', 'weights', \
'input_tensor', 'input_shape', 'pooling', 'classes', 'classifier_activation', 'name', 'width'.
    """
    defaults = {"classes": classes, "classifier_activation": classifier_activation}

    def decorate(function: Callable) -> Callable[..., keras.Model]:
        own = list(inspect.signature(function).parameters.values())[2:]
        shared = {**defaults, "name": function.__name__.lower()}
        common = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=shared.get(field.name, field.default),
                annotation=field.type,
            )
            for field in fields(BuilderArguments)
        ]
        signature = inspect.Signature([*common, *own], return_annotation=keras.Model)

        @functools.wraps(function)
        def build(**arguments) -> keras.Model:
            for name in arguments:
                if name not in signature.parameters:
                    raise unknown(f"argument of {function.__name__}", name, signature.parameters)
            chosen = signature.bind(**arguments)
            chosen.apply_defaults()
            values = dict(chosen.arguments)
            args = BuilderArguments(
                **{field.name: values.pop(field.name) for field in fields(BuilderArguments)}
            )
            image = args.image(default_shape, min_size=min_size, fixed_size=fixed_size, hint=hint)
            return _signed(args.model(image, function(args, image, **values)), function.__name__, values)

        build.__signature__ = signature
        return build

    return decorate


def variant(
    base: Callable[..., keras.Model],
    name: str,
    doc: str,
    *,
    defaults: dict[str, object] | None = None,
    **chosen,
) -> Callable[..., keras.Model]:
    """A builder that is `base` with some arguments chosen: the rows of a paper's table.

    Args:
        base: a builder.
        name: of the new one.
        doc: its one line; the arguments are explained at `base`.
        defaults: new default values for arguments that the new builder keeps.
        chosen: values for some of base's own arguments, which the new builder no longer has; for a shared one
            (such as `classes`) a new default.

    >>> @builder((8, 8, 1), classes=2)
    ... def Tiny(args, image, *, width: int = 4):
    ...     return args.head(layers.Conv2D(width, 3, name="conv")(image))
    >>> TinyWide = variant(Tiny, "TinyWide", "Tiny with 16 filters.", width=16)
    >>> TinyWide().name, TinyWide().count_params()
    ('tinywide', 194)
    """
    shared = {field.name for field in fields(BuilderArguments)}
    defaults = {"name": name.lower(), **(defaults or {})}
    defaults |= {key: value for key, value in chosen.items() if key in shared}
    fixed = {key: value for key, value in chosen.items() if key not in shared}
    before = inspect.signature(base)
    for key in (*defaults, *fixed):
        if key not in before.parameters:
            raise unknown(f"argument of {base.__name__}", key, before.parameters)
    parameters = [p for p in before.parameters.values() if p.name not in fixed]
    parameters = [p.replace(default=defaults.get(p.name, p.default)) for p in parameters]
    signature = inspect.Signature(parameters, return_annotation=keras.Model)

    def build(**arguments) -> keras.Model:
        for key in arguments:
            if key not in signature.parameters:
                raise unknown(f"argument of {name}", key, signature.parameters)
        values = defaults | fixed | arguments
        if arguments.get("input_shape") is None:  # the variant's size, but never against the caller's tensor
            own = arguments.get("input_tensor") is None
            values["input_shape"] = defaults.get("input_shape") if own else None
        own = {key: value for key, value in values.items() if key not in shared}
        return _signed(base(**values), name, own)

    build.__name__ = build.__qualname__ = name
    build.__module__ = base.__module__
    build.__signature__ = signature
    build.__doc__ = f"{doc}\n\n    Arguments and reference: see `{base.__name__}`."
    return build


def conv(
    x: keras.KerasTensor,
    filters: int | None,
    kernel_size: int,
    *,
    strides: int = 1,
    padding: str = "same",
    groups: int = 1,
    use_bias: bool = False,
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """A convolution without bias, with He's initial weights; depthwise or in groups, if asked.

    Args:
        filters: how many; None makes it depthwise: one filter a channel.
        padding: "valid", "same" (the output has ceil(size / strides) rows; what is missing is padded at the
            end, as TensorFlow does), or "both" (the same size, but both sides get kernel_size // 2 rows, as
            in Caffe and Torch: it differs from "same" where strides > 1).
        kernel_initializer: a Keras name or configuration, such as `HE_FAN_OUT`; with "he_normal" a depthwise
            convolution gets that one.
        name: of the convolution; the explicit padding, if there is one, is `{name}_pad`.

    >>> x = keras.Input((32, 32, 3))
    >>> conv(x, 16, 7, strides=2, padding="both", name="stem").shape, conv(x, None, 3, name="dw").shape
    ((None, 16, 16, 16), (None, 32, 32, 3))
    """
    one_of("padding", padding, ["same", "both", "valid"])
    if padding == "both":
        padding = "same"  # with one stride the two are the same
        if strides > 1 and kernel_size > 1:
            x, padding = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x), "valid"
    common = {"strides": strides, "padding": padding, "use_bias": use_bias, "name": name}
    if filters is None:
        start = HE_FAN_OUT if kernel_initializer == "he_normal" else kernel_initializer
        return layers.DepthwiseConv2D(kernel_size, depthwise_initializer=start, **common)(x)
    common["kernel_initializer"] = kernel_initializer
    if groups > 1:
        return course_layers.GroupedConv2D(filters, kernel_size, groups=groups, **common)(x)
    return layers.Conv2D(filters, kernel_size, **common)(x)


def norm_act(
    x: keras.KerasTensor,
    activation: str | None = "relu",
    *,
    norm: dict[str, float] | None = TORCH_NORM,
    name: str,
) -> keras.KerasTensor:
    """BatchNormalization `{name}_bn`, then the activation `{name}_{activation}`; None leaves one out.

    >>> norm_act(keras.Input((8, 8, 3)), "relu6", name="stem").shape
    (None, 8, 8, 3)
    """
    if norm:
        x = layers.BatchNormalization(**norm, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def conv_norm_act(
    x: keras.KerasTensor,
    filters: int | None,
    kernel_size: int,
    *,
    activation: str | None = "relu",
    norm: dict[str, float] | None = TORCH_NORM,
    name: str,
    **options,
) -> keras.KerasTensor:
    """A convolution `{name}`, BatchNormalization `{name}_bn`, the activation `{name}_{activation}`.

    Args:
        filters, kernel_size: see `conv` (filters None: depthwise).
        activation: a Keras name such as "relu", "relu6", "swish"; None for none.
        norm: epsilon and momentum of the normalization: `TORCH_NORM` or `TENSORFLOW_NORM`; None for none.
        options: strides, padding, groups, ... of `conv`.

    >>> x = conv_norm_act(keras.Input((32, 32, 3)), 16, 3, strides=2, name="stem")
    >>> x.shape
    (None, 16, 16, 16)
    """
    return norm_act(conv(x, filters, kernel_size, name=name, **options), activation, norm=norm, name=name)


def imagenet_stem(x: keras.KerasTensor, filters: int = 64) -> keras.KerasTensor:
    """Convolution 7x7/2, then max pooling 3x3/2: a quarter of the height and width. ResNet's and DenseNet's.

    >>> imagenet_stem(keras.Input((224, 224, 3))).shape
    (None, 56, 56, 64)
    """
    x = conv_norm_act(x, filters, 7, strides=2, padding="both", name="stem")  # 112x112x64
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # nothing is below 0 after ReLU
    return layers.MaxPooling2D(3, 2, name="stem_pool")(x)  # 56x56x64


def squeeze_excite(
    x: keras.KerasTensor,
    units: int,
    *,
    activation: str = "relu",
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """x times a weight from 0 to 1 for each channel, sigmoid(W2 f(W1 mean(x))): each image has its own.

    Reference: Hu, Shen, Albanie, Sun and Wu 2017, "Squeeze-and-Excitation Networks", arXiv 1709.01507,
    section 3. The two dense layers are 1x1 convolutions on the 1x1 volume of means: the same sums.

    Args:
        x: `(N, H, W, C)`.
        units: of the first layer; the paper takes C / 16.
        activation: f.

    >>> squeeze_excite(keras.Input((8, 8, 32)), 2, name="se").shape
    (None, 8, 8, 32)
    """
    common = {"kernel_initializer": kernel_initializer}
    s = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)  # 1x1xC
    s = layers.Conv2D(units, 1, activation=activation, name=f"{name}_reduce", **common)(s)
    s = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_expand", **common)(s)
    return layers.Multiply(name=f"{name}_excite")([x, s])


def shortcut_path(
    x: keras.KerasTensor, filters: int, strides: int, *, option: str | None, name: str
) -> keras.KerasTensor | None:
    """The other way around a residual block: x itself, and where the shape changes, option A or B of ResNet.

    Reference: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 3.3.

    Args:
        option: "A", every `strides`-th position and zeros for the new channels, no weights; "B", a 1x1
            convolution with normalization; None, no shortcut: a plain network.

    >>> x = keras.Input((8, 8, 16))
    >>> shortcut_path(x, 16, 1, option="A", name="a") is x
    True
    >>> shortcut_path(x, 32, 2, option="B", name="b").shape
    (None, 4, 4, 32)
    """
    if option is None:
        return None
    if strides == 1 and x.shape[-1] == filters:
        return x
    if option == "A":
        return course_layers.IdentityShortcut(filters, strides, name=f"{name}_shortcut")(x)
    return conv_norm_act(x, filters, 1, strides=strides, activation=None, name=f"{name}_shortcut")


def add_branch(
    path: keras.KerasTensor | None,
    x: keras.KerasTensor,
    *,
    se_ratio: float = 0.0,
    drop_rate: float = 0.0,
    name: str,
) -> keras.KerasTensor:
    """path + x, the end of a residual block, with squeeze and excitation and stochastic depth before the sum.

    Args:
        path: what `shortcut_path` gave; None: a plain network, x is all.
        x: the branch with the convolutions, `(N, H, W, C)`.
        se_ratio: units of squeeze and excitation as a share of C, such as 1/16; 0 leaves it out.
        drop_rate: how often training leaves out the branch of an image, see `drop_rates`.

    >>> x = keras.Input((8, 8, 32))
    >>> add_branch(x, x, se_ratio=1 / 16, name="b").shape
    (None, 8, 8, 32)
    """
    if se_ratio:
        x = squeeze_excite(x, max(1, round(x.shape[-1] * se_ratio)), name=f"{name}_se")
    if path is None:
        return x
    if drop_rate:
        x = course_layers.DropPath(drop_rate, name=f"{name}_drop")(x)
    return layers.Add(name=f"{name}_add")([path, x])


def make_divisible(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to a scaled number of filters, but never less than 90 % of it.

    Multiples of 8 are what fast hardware likes. Reference: the code of MobileNetV2 and EfficientNet.

    >>> [make_divisible(32 * width) for width in (0.1, 0.35, 1.0, 1.4)]
    [8, 16, 32, 48]
    """
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * filters else rounded + divisor


def inverted_residual(
    x: keras.KerasTensor,
    filters: int,
    *,
    expand_ratio: int,
    kernel_size: int = 3,
    strides: int = 1,
    se_ratio: float = 0.0,
    drop_rate: float = 0.0,
    activation: str = "relu6",
    kernel_initializer: str | dict = "he_normal",
    name: str,
) -> keras.KerasTensor:
    """x + f(x), f = 1x1 up to many channels, depthwise, 1x1 down to few, without activation at the end.

    A residual block turned inside out: the sum is over few channels, the convolution among many. There is no
    sum where the shape changes. The block ends at the layer `{name}_out`.

    Reference: Sandler, Howard, Zhu, Zhmoginov and Chen 2018, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", arXiv 1801.04381, table 1, figure 4; squeeze and excitation: EfficientNet, arXiv 1905.11946.

    Args:
        filters: channels of the output.
        expand_ratio: channels in the middle, as a multiple of those of x; 1 leaves the first 1x1 out.
        se_ratio: squeeze and excitation in the middle, with this share of x's channels as units; 0: none.
        drop_rate: how often training leaves f out, see `drop_rates`.

    >>> inverted_residual(keras.Input((14, 14, 64)), 96, expand_ratio=6, strides=2, name="block").shape
    (None, 7, 7, 96)
    """
    start = {"kernel_initializer": kernel_initializer}
    layer = functools.partial(conv_norm_act, norm=TENSORFLOW_NORM, **start)
    channels, y = x.shape[-1], x
    if expand_ratio > 1:
        y = layer(y, channels * expand_ratio, 1, activation=activation, name=f"{name}_expand")
    y = layer(y, None, kernel_size, strides=strides, activation=activation, name=f"{name}_depthwise")
    if se_ratio:
        units = max(1, int(channels * se_ratio))
        y = squeeze_excite(y, units, activation=activation, name=f"{name}_se", **start)
    y = layer(y, filters, 1, activation=None, name=f"{name}_project")
    if strides == 1 and channels == filters:
        y = add_branch(x, y, drop_rate=drop_rate, name=name)
    return layers.Identity(name=f"{name}_out")(y)


def blocks_of_depth(depth: int, step: int, rest: int) -> int:
    """The n of a network with step * n + rest weight layers; another depth is a ValueError.

    >>> blocks_of_depth(20, 6, 2)
    3
    >>> blocks_of_depth(18, 6, 2)
    Traceback (most recent call last):
    ...
    ValueError: depth must be 6n + 2 with n at least 1: 8, 14, 20, ... Received: 18.
    """
    if not _is_size(depth, step + rest) or (depth - rest) % step:
        first = ", ".join(str(step * n + rest) for n in (1, 2, 3))
        raise ValueError(
            f"depth must be {step}n + {rest} with n at least 1: {first}, ... Received: {depth!r}."
        )
    return (depth - rest) // step


def drop_rates(last: float, depths: Sequence[int]) -> list[list[float]]:
    """Stochastic depth's rate for each block, stage by stage: it grows evenly, l/L of `last` in block l of L.

    Reference: Huang, Sun, Liu, Sedra and Weinberger 2016, arXiv 1603.09382, equation 4.

    >>> drop_rates(0.5, (2, 3))
    [[0.1, 0.2], [0.3, 0.4, 0.5]]
    """
    ends = accumulate(depths)
    numbers = [range(end - depth + 1, end + 1) for depth, end in zip(depths, ends, strict=True)]
    return [[last * i / sum(depths) for i in stage] for stage in numbers]


def stage(
    x: keras.KerasTensor,
    block: Callable[..., keras.KerasTensor],
    depth: int,
    filters: int,
    *,
    strides: int = 1,
    first: Callable[..., keras.KerasTensor] | None = None,
    drop_rates: Sequence[float] = (),
    name: str,
) -> keras.KerasTensor:
    """`depth` blocks in a row, `{name}_block1` and so on; only the first one strides.

    Args:
        block: `f(x, filters, *, strides, name) -> tensor`; `functools.partial` sets its other arguments.
        first: the first block, if it is another function.
        drop_rates: one for each block, given to it as `drop_rate`.

    >>> x = stage(keras.Input((32, 32, 3)), functools.partial(conv_norm_act, kernel_size=3), 2, 8, strides=2,
    ...           name="stage1")
    >>> x.shape
    (None, 16, 16, 8)
    """
    for j in range(depth):
        own = {"drop_rate": drop_rates[j]} if drop_rates else {}
        function = first if first and j == 0 else block
        x = function(x, filters, strides=strides if j == 0 else 1, name=f"{name}_block{j + 1}", **own)
    return x


def stages(
    x: keras.KerasTensor,
    block: Callable[..., keras.KerasTensor],
    depths: Sequence[int],
    filters: Sequence[int],
    *,
    first: Callable[..., keras.KerasTensor] | None = None,
    drop_path_rate: float = 0.0,
) -> keras.KerasTensor:
    """The body of a residual network: `stage1` and so on; all but the first halve height and width.

    Args:
        depths, filters: blocks of each stage, and the filters given to them.
        block, first: see `stage`.
        drop_path_rate: of the last block, see `drop_rates`.

    >>> block = functools.partial(conv_norm_act, kernel_size=3)
    >>> stages(keras.Input((32, 32, 3)), block, depths=(2, 2), filters=(8, 16)).shape
    (None, 16, 16, 16)
    """
    rates = drop_rates(drop_path_rate, depths) if drop_path_rate else [()] * len(depths)
    for i, (depth, width) in enumerate(zip(depths, filters, strict=True)):
        own = {"strides": 2 if i else 1, "drop_rates": rates[i], "name": f"stage{i + 1}"}
        x = stage(x, block, depth, width, first=first, **own)
    return x


def _signed(model: keras.Model, name: str, arguments: dict[str, object]) -> keras.Model:
    """The model with `built_with`, the pair of the builder's name and the family's own arguments."""
    object.__setattr__(model, "built_with", (name, arguments))  # past Keras, which would track the dictionary
    return model


def _is_size(value: object, minimum: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _activation_names() -> list[str]:
    helpers = ("get", "serialize", "deserialize")
    found = vars(keras.activations).items()
    return sorted(name for name, f in found if isinstance(f, FunctionType) and name not in helpers)
