"""The walk through a model's graph: one `Call` for each time a layer is called, with the shapes that flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import keras

Shape = tuple[int, ...]
GRAPHS = (keras.Sequential, keras.Function)  # a functional model is a keras.Function, too


@dataclass(frozen=True)
class Call:
    """One call of a layer, or of an operation such as `a + b`. `layer` is None for an input of the model."""

    name: str
    layer: Any
    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]

    @property
    def kind(self) -> str:
        return type(self.layer).__name__ if self.layer is not None else "InputLayer"

    @property
    def input_shape(self) -> Shape:
        return tuple(self.inputs[0].shape[1:])

    @property
    def output_shape(self) -> Shape:
        return tuple(self.outputs[0].shape[1:])


def trace(model: keras.Model, input_shape: Sequence[int] | None = None) -> list[Call]:
    """All calls of a model from input to output, those inside nested models included.

    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.MaxPooling2D(name="pool")])
    >>> [(call.name, call.output_shape) for call in trace(model)]
    [('input', (8, 8, 1)), ('pool', (4, 4, 1))]
    """
    inputs = _inputs(model, input_shape)
    names = ["input"] if len(inputs) == 1 else [tensor.name for tensor in model.inputs]
    calls = [Call(name, None, [], [tensor]) for name, tensor in zip(names, inputs, strict=True)]

    def visit(layer, prefix: str, args, kwargs):
        tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
        name = f"{prefix}{layer.name}"
        if isinstance(layer, GRAPHS):
            return run(layer, f"{name}/", tensors)
        result = layer.compute_output_spec(*args, **kwargs)
        call = Call(name, layer, tensors, keras.tree.flatten(result))
        if None in call.output_shape:
            raise ValueError(f"The output size of layer {name!r} is not known: {call.output_shape}.")
        calls.append(call)
        return result

    def run(graph, prefix: str, tensors):
        if isinstance(graph, keras.Sequential):
            (x,) = tensors
            for layer in graph.layers:
                x = visit(layer, prefix, (x,), {})
            return x
        # The one private method here: for each call in the graph it calls `operation_fn(layer)` with the
        # call's arguments, as Keras does to find output shapes. The public `clone_model(call_function=)`
        # would build a second model.
        return graph._run_through_graph(
            tensors, operation_fn=lambda layer: lambda *args, **kwargs: visit(layer, prefix, args, kwargs)
        )

    run(model, "", inputs)
    return calls


def _inputs(model: keras.Model, input_shape: Sequence[int] | None) -> list[keras.KerasTensor]:
    """The tensors that start the walk: the model's inputs, with the size that the caller gives."""
    if not (isinstance(model, keras.Model) and isinstance(model, GRAPHS)):
        raise ValueError(
            f"Only a model with a graph can be counted. Received: {type(model).__name__}. Build it as "
            "keras.Sequential([...]) or keras.Model(inputs, outputs)."
        )
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has not been built. Begin it with keras.Input((height, width, channels))."
        )
    expected = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if input_shape is None:
        if any(None in shape for shape in expected):
            example = tuple(64 if size is None else size for size in expected[0])
            raise ValueError(
                f"Model {model.name!r} takes images of any size, {expected[0]}, and its volumes and MACs "
                f"depend on the size. Give one, such as input_shape={example}."
            )
        return list(model.inputs)
    several = any(isinstance(part, Sequence) for part in input_shape)
    given = [tuple(shape) for shape in (input_shape if several else [input_shape])]
    if len(given) != len(expected) or not all(map(_fits, given, expected)):
        raise ValueError(
            f"input_shape does not fit model {model.name!r}. Received: {input_shape}. Expected: "
            f"{expected[0] if len(expected) == 1 else expected}, with a number for each None."
        )
    return [
        keras.KerasTensor((None, *shape), dtype=tensor.dtype)
        for shape, tensor in zip(given, model.inputs, strict=True)
    ]


def _fits(given: tuple, expected: tuple[int | None, ...]) -> bool:
    return len(given) == len(expected) and all(
        isinstance(size, Integral) and size > 0 and allowed in (None, size)
        for size, allowed in zip(given, expected, strict=True)
    )
