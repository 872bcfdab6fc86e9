"""Transfer: published weights for our builders, and the parts of a trained network put to a new use.

`twins` copies the weights that `keras.applications` publishes. `reuse` takes codes out of a network, gives
it a new head, freezes its first stages, and trains each part at a rate of its own.
"""

from .reuse import codes, freeze, new_head, part_rates, part_table, parts
from .twins import TWINS, Twin, copy_twin_weights, load_imagenet, make_twin, preprocess

__all__ = [
    "TWINS",
    "Twin",
    "codes",
    "copy_twin_weights",
    "freeze",
    "load_imagenet",
    "make_twin",
    "new_head",
    "part_rates",
    "part_table",
    "parts",
    "preprocess",
]
