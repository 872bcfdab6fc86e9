"""What makes a function a builder: the arguments that all builders share, checked once, input and head."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import FunctionType

import keras
import numpy as np
from keras import layers

from .arguments import is_size, large_enough, one_of
from .blocks import RELU
from .errors import unknown

__all__ = ["BuilderArguments", "builder", "variant"]


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
        if not is_size(self.classes):
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

        Raises:
            ValueError: a shape that makes no sense, is too small or contradicts `input_tensor`.

        >>> BuilderArguments(input_shape=(None, 64, 3)).image((32, 32, 3)).shape
        (None, None, 64, 3)
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
        known = isinstance(shape, (tuple, list)) and len(shape) == 3 and is_size(shape[2])
        if not known or not all(size is None or is_size(size) for size in shape):
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
            output: the last layer; `classifier()` if not given.
            dropout: just before the output layer; 0: none.
        """
        if self.include_top:
            x = hidden(features) if hidden else layers.GlobalAveragePooling2D(name="head_pool")(features)
            x = layers.Dropout(dropout, name="head_dropout")(x) if dropout else x
            return (output or self.classifier())(x)
        if self.pooling is None:
            return features
        pool = layers.GlobalAveragePooling2D if self.pooling == "avg" else layers.GlobalMaxPooling2D
        return pool(name=f"{self.pooling}_pool")(features)

    def classifier(self, name: str = "output") -> keras.Layer:
        """The dense layer that ends a network: a score or a probability for each class."""
        return layers.Dense(self.classes, self.classifier_activation, dtype=output_dtype(), name=name)

    def class_map_head(self, features: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """The end of a network without dense layers: a map for each class, and its mean as the class's score.

        Args:
            features: the last feature maps, `(N, H, W, C)`.
            name: of the 1x1 convolution with ReLU that makes the class maps.
        """

        def scores(x):
            x = layers.Conv2D(self.classes, 1, name=name, **RELU)(x)
            return layers.GlobalAveragePooling2D(name="head_pool")(x)

        activation = layers.Activation(self.classifier_activation, dtype=output_dtype(), name="output")
        return self.head(features, scores, activation)

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
            values = {key: _plain(value) for key, value in chosen.arguments.items()}
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


def output_dtype() -> str:
    """The type of a last layer: float32 in mixed precision, too, since 8 bits are too few for a loss.

    >>> output_dtype()
    'float32'
    """
    return keras.config.dtype_policy().variable_dtype


def _plain(value: object) -> object:
    """A NumPy number, such as `labels.max() + 1`, as Python's own: checks and stored models know these."""
    return value.item() if isinstance(value, np.generic) else value


def _signed(model: keras.Model, name: str, arguments: dict[str, object]) -> keras.Model:
    """The model with `built_with`, the pair of the builder's name and the family's own arguments."""
    object.__setattr__(model, "built_with", (name, arguments))  # past Keras, which would track the dictionary
    return model


def _activation_names() -> list[str]:
    helpers = ("get", "serialize", "deserialize")
    found = vars(keras.activations).items()
    return sorted(name for name, f in found if isinstance(f, FunctionType) and name not in helpers)
