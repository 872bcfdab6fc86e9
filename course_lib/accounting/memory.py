"""Memory in bytes: of a training step by part, and the table of all costs by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real

import keras

from ..errors import unknown
from ..tables import Table
from .costs import costs_of, layer_costs
from .fields import fields_of
from .graph import trace

BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


@dataclass(frozen=True, repr=False)
class TrainingMemory:
    """The memory of one training step in bytes, by part. Shows as a table in bytes, MB and MiB."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    activation_gradients: int
    batch: int

    @property
    def total(self) -> int:
        """All parts together, in bytes."""
        return sum(getattr(self, field.name) for field in fields(self))

    def table(self) -> Table:
        """One row a part and the total, in bytes, MB (10^6 bytes) and MiB (2^20 bytes)."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)} | {"total": self.total}
        rows = [
            {"part": part.replace("_", " "), "bytes": size, "MB": size / 1e6, "MiB": size / 2**20}
            for part, size in parts.items()
        ]
        return Table(rows, formats={"MB": ",.2f", "MiB": ",.2f"})

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def training_memory(
    model: keras.Model,
    *,
    batch_size: int,
    dtype: str = "float32",
    optimizer_slots: int = 1,
    input_shape: Sequence[int] | None = None,
) -> TrainingMemory:
    """An estimate of the memory that training needs, by part.

    The rule of the lecture: the parameters, their gradients and the optimizer's slots; the activations of all
    layers, kept for the backward pass, and their gradients, as many; the batch of images. What a library
    needs besides is left out. A library that frees gradients of activations early needs less of that part.

    Args:
        model: a built functional or Sequential model.
        batch_size: images in a step.
        dtype: type of all values: "float16", "bfloat16", "float32" or "float64".
        optimizer_slots: values that the optimizer keeps for each trainable parameter: 0 for plain SGD, 1 with
            momentum, 2 for Adam.
        input_shape: as in `layer_costs`.

    Raises:
        ValueError: an unknown dtype, or a count that is no whole number; as `layer_costs` besides.

    >>> model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(6, 5)])
    >>> training_memory(model, batch_size=100)
    part                      bytes    MB   MiB
    --------------------  ---------  ----  ----
    parameters                1,824  0.00  0.00
    gradients                 1,824  0.00  0.00
    optimizer                 1,824  0.00  0.00
    activations           1,881,600  1.88  1.79
    activation gradients  1,881,600  1.88  1.79
    batch                 1,228,800  1.23  1.17
    total                 4,997,472  5.00  4.77
    """
    for argument, value, least in (("batch_size", batch_size, 1), ("optimizer_slots", optimizer_slots, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{argument} must be a whole number, at least {least}. Received: {value!r}.")
    size = _bytes(dtype)
    rows = layer_costs(model, input_shape=input_shape)
    trainable = sum(row.trainable_params for row in rows) * size
    batch = sum(row.activations for row in rows if row.kind == "InputLayer") * batch_size * size
    kept = sum(row.activations for row in rows if row.kind != "InputLayer") * batch_size * size
    return TrainingMemory(
        parameters=sum(row.params for row in rows) * size,
        gradients=trainable,
        optimizer=trainable * optimizer_slots,
        activations=kept,
        activation_gradients=kept,
        batch=batch,
    )


def largest_batch(
    model: keras.Model,
    *,
    budget: float,
    dtype: str = "float32",
    optimizer_slots: int = 1,
    input_shape: Sequence[int] | None = None,
) -> int:
    """The largest batch with which training fits into a memory, by the estimate of `training_memory`.

    Args:
        model: a built functional or Sequential model.
        budget: the memory in bytes, such as `12 * 2**30` for 12 GiB.
        dtype: as in `training_memory`, and so are `optimizer_slots` and `input_shape`.

    Returns:
        The number of images in a step. 0: not even one image fits.

    Raises:
        ValueError: a budget that is no positive number of bytes; as `training_memory` besides.

    >>> model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(6, 5)])
    >>> largest_batch(model, budget=5e6)
    100
    """
    if not isinstance(budget, Real) or isinstance(budget, bool) or not 0 < budget < float("inf"):
        raise ValueError(
            f"budget must be a positive number of bytes, such as 12 * 2**30. Received: {budget!r}."
        )
    one = training_memory(
        model, batch_size=1, dtype=dtype, optimizer_slots=optimizer_slots, input_shape=input_shape
    )
    per_image = one.activations + one.activation_gradients + one.batch
    free = int(budget) - (one.total - per_image)  # what parameters, gradients and optimizer leave
    return max(free // per_image, 0)


def cost_table(
    model: keras.Model, *, dtype: str = "float32", input_shape: Sequence[int] | None = None, caption: str = ""
) -> Table:
    """One row a layer: volume, parameters, MACs, bytes of its activations for one image, field and stride.

    The last row holds the sums. "field" is the side of the receptive field and "stride" its step, in pixels
    of the image. A field of "–" means that the units of this layer have none of one size and stride, a stride
    of "–" that every unit sees the whole image.

    >>> cost_table(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="c1")]))
    layer  kind        output  parameters  MACs  memory [bytes]  field  stride
    -----  ----------  ------  ----------  ----  --------------  -----  ------
    input  InputLayer  8x8x1            0     0             256      1       1
    c1     Conv2D      6x6x2           20   648             288      3       1
    total                              20   648             544      –       –
    """
    size = _bytes(dtype)
    calls = trace(model, input_shape)
    rows = [
        {
            "layer": cost.name,
            "kind": cost.kind,
            "output": "x".join(map(str, cost.output_shape)),
            "parameters": cost.params,
            "MACs": cost.macs,
            "memory [bytes]": cost.activations * size,
            "field": None if isinstance(field, str) else field.size,
            "stride": None if isinstance(field, str) else field.stride or None,
        }
        for cost, field in zip(costs_of(calls), fields_of(calls), strict=True)
    ]
    sums = {key: sum(row[key] for row in rows) for key in ("parameters", "MACs", "memory [bytes]")}
    rows.append({"layer": "total", "kind": "", "output": "", **sums, "field": None, "stride": None})
    return Table(rows, caption=caption, align={"field": "right", "stride": "right"})


def _bytes(dtype: str) -> int:
    if dtype not in BYTES:
        raise unknown("dtype", dtype, BYTES)
    return BYTES[dtype]
