"""First weights: every scheme of the lecture, and how activations and gradients fare under them.

| what | where |
| --- | --- |
| constant, normal, Xavier (Glorot), He, orthogonal, random walk: arrays from a shape | `draw`, `SCHEMES` |
| the same for all layers of a Keras model | `initialize` |
| weights that look at images first: Krähenbühl's, LSUV | `data_dependent`, `lsuv` |
| residual networks without normalization | `fixup`, `ScalarBias`, `ScalarScale` |
| lottery tickets: masks, pruning, first weights again | `MaskedDense`, `MaskedConv2D`, `prune`, `rewind` |
| statistics layer by layer, measured | `propagate`, `backpropagate`, `statistics`, `model_statistics` |
| the same in closed form | `expected_statistics`, `factors` |
"""

from .data import data_dependent, lsuv
from .residual import ScalarBias, ScalarScale, fixup
from .schemes import SCHEMES, draw, fans, initialize, kernel_layers
from .statistics import (
    LayerStatistics,
    backpropagate,
    expected_statistics,
    factors,
    model_statistics,
    propagate,
    statistics,
    weight_gradients,
)
from .tickets import MaskedConv2D, MaskedDense, prune, rewind

__all__ = [
    "SCHEMES",
    "LayerStatistics",
    "MaskedConv2D",
    "MaskedDense",
    "ScalarBias",
    "ScalarScale",
    "backpropagate",
    "data_dependent",
    "draw",
    "expected_statistics",
    "factors",
    "fans",
    "fixup",
    "initialize",
    "lsuv",
    "model_statistics",
    "propagate",
    "prune",
    "rewind",
    "statistics",
    "weight_gradients",
    "kernel_layers",
]
