"""Volumes, parameters, MACs, memory and receptive fields, all read from a model's graph.

The conventions, the same in the whole course:

* **MACs**: multiply-adds of one image in convolutions and dense layers. Bias, normalization, activation,
  pooling and additions count nothing. One MAC is two floating point operations. "FLOPs" means either of the
  two in the literature, so the course does not use the word.
* **Parameters**: those of a shared layer count once, in the row of its first call; its MACs and activations
  count at each call.
* **Activations**: the values that a layer puts out for one image. A layer that only renames what is there
  (`Flatten`, `Reshape`, `Identity`) counts nothing. An activation function inside a layer is part of it.
* **Memory**: bytes. 1 MB = 10^6 bytes, 1 MiB = 2^20 bytes.

Shapes are those of one image, `(H, W, C)`, without the batch axis. Models inside a model are entered; their
layers are called `outer/inner`. The weights' values are not needed, so a large model can be counted without
memory for them: `with accounting.unallocated(): model = ...`.

A layer of your own tells what it costs by a method `macs(input_shape, output_shape) -> int` (a list of shapes
if it has several inputs), and what it sees by Keras' attributes `kernel_size` or `pool_size`, `strides` and
`padding`. Without such a window it must work position by position.
"""

from .costs import LayerCost, Totals, layer_costs, totals
from .depth import Overview, overview, silhouette, weight_layers
from .fields import ReceptiveField, receptive_field
from .memory import TrainingMemory, cost_table, largest_batch, training_memory
from .unallocated import unallocated

__all__ = [
    "LayerCost",
    "Overview",
    "ReceptiveField",
    "Totals",
    "TrainingMemory",
    "cost_table",
    "largest_batch",
    "layer_costs",
    "overview",
    "receptive_field",
    "silhouette",
    "totals",
    "training_memory",
    "unallocated",
    "weight_layers",
]
