"""A network drawn from its graph: which volumes flow through it, and how each layer's kind is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from ..errors import unknown
from .solids import Volume, draw_volumes

# What a layer's kind is called -> how it is drawn; the first word that occurs in the name decides. Kinds
# that are "folded" leave the volume's size as it is or only rearrange it: they belong to the layer before.
WORDS = [
    ("input", "input"),
    ("zeropadding", "folded"),
    ("identityshortcut", "other"),
    ("conv", "convolution"),
    ("pool", "pooling"),
    ("subsampl", "pooling"),
    ("dropout", "folded"),
    ("norm", "folded"),
    ("dense", "dense"),
    ("add", "merge"),
    ("concat", "merge"),
    ("multiply", "merge"),
    *[
        (word, "folded")
        for word in (
            "activation",
            "relu",
            "softmax",
            "flatten",
            "reshape",
            "rescal",
            "padcrop",
            "random",
            "identity",
            "droppath",
        )
    ],
]


def kind_of(layer_kind: str, detail: str = "main") -> str:
    """How a layer is drawn, from the name of its class.

    >>> kind_of("Conv2D"), kind_of("Dropout"), kind_of("BatchNormalization", detail="all")
    ('convolution', 'folded', 'normalization')
    >>> kind_of("ZeroPaddedPooling2D"), kind_of("ZeroPadding2D"), kind_of("Cropping2D")
    ('pooling', 'folded', 'other')
    """
    low = layer_kind.lower()
    kind = next((kind for word, kind in WORDS if word in low), "other")
    if kind == "folded" and detail == "all":
        return "normalization" if "norm" in low else "other"
    return kind


def model_volumes(model, *, detail: str = "main", input_shape: Sequence[int] | None = None) -> list[Volume]:
    """The volumes that flow through a model, in the order of its graph.

    Args:
        model: a built Keras model.
        detail: "main" folds activation, dropout, flatten, padding and normalization layers into the layer
            before; "all" keeps every layer.
        input_shape: `(H, W, C)` for a model whose height and width are open.

    Returns:
        A list of `Volume`. The parameters of a folded layer count in the volume that shows it.

    Raises:
        ValueError: unknown detail, or what `accounting.layer_costs` cannot count.
    """
    from ..accounting import layer_costs

    if detail not in ("main", "all"):
        raise unknown("detail", detail, ["main", "all"])
    layers = _layers(model)
    found: list[Volume] = []
    for row in layer_costs(model, input_shape=input_shape):
        kind = kind_of(row.kind, detail)
        if kind == "folded" and found:
            last = found[-1]
            found[-1] = replace(last, params=last.params + row.params, macs=last.macs + row.macs)
            continue
        layer = layers.get(row.name)
        window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
        stride = getattr(layer, "strides", None) if window else None
        found.append(
            Volume(
                name=row.name,
                kind="other" if kind == "folded" else kind,
                shape=row.output_shape,
                kernel=_pair(window),
                stride=_pair(stride),
                params=row.params,
                macs=row.macs,
            )
        )
    return found


def _pair(value) -> tuple[int, ...] | None:
    """A layer's window or stride as (height, width); layers of your own may keep a single number."""
    return (value, value) if isinstance(value, int) else tuple(value) if value else None


def _layers(model, prefix: str = "") -> dict:
    """Every layer by the name that the accounting gives it: `outer/inner` in a nested model."""
    found = {}
    for layer in model.layers:
        found[prefix + layer.name] = layer
        if hasattr(layer, "layers"):
            found |= _layers(layer, f"{prefix}{layer.name}/")
    return found


def plot_architecture(
    model,
    *,
    ax: Axes | None = None,
    detail: str = "main",
    title: str | None = None,
    scale: str = "auto",
    image: np.ndarray | None = None,
    input_shape: Sequence[int] | None = None,
) -> Axes:
    """Draw a network from its graph as a row of solids, each with its name, its size and its window.

    The face of a solid shows height and width to scale, its thickness the channels. A branching graph is
    drawn as one row in the order of its layers, without the branches.

    Args:
        model: a built Keras model.
        ax: the Axes to draw on, about 9 x 3.5 inches; default a new figure that fits.
        detail: "main" folds activation, dropout, flatten, padding and normalization layers into the layer
            before; "all" draws every layer.
        title: default the model's name, parameters and MACs (multiply-adds for one image).
        scale: "linear" or "sqrt" (side drawn in proportion to its square root), default "auto": linear
            where the smallest face is at least an eighth of the largest. The caption says which.
        image: an input `(H, W)` or `(H, W, C)` in [0, 1], shown on the face of the input volume.
        input_shape: `(H, W, C)` for a model whose height and width are open.

    Returns:
        The Axes.

    Raises:
        ValueError: unknown detail or scale, or what `accounting.layer_costs` cannot count.
    """
    drawn = model_volumes(model, detail=detail, input_shape=input_shape)
    if title is None:
        params, macs = sum(v.params for v in drawn), sum(v.macs for v in drawn)
        title = f"{model.name}: {params:,} parameters, {macs:,} MACs an image"
    return draw_volumes(drawn, ax=ax, title=title, scale=scale, image=image)
