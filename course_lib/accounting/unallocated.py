"""Models without memory for their weights: enough to count and to draw the largest network at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras.src.backend.common import global_state

PENDING = "uninitialized_variables"  # Keras' list of weights that still wait for their values


@contextmanager
def unallocated() -> Iterator[None]:
    """Models built inside have shapes but no values: they can be counted and drawn, not run or trained.

    `keras.StatelessScope(initialize_variables=False)` alone only puts it off: Keras remembers these weights
    and gives all of them memory as soon as any layer is built outside. Here it forgets them again.

    >>> with unallocated():
    ...     model = keras.Sequential([keras.Input((100_000,)), keras.layers.Dense(100_000)])
    >>> model.count_params()  # 40 GB, if they were there
    10000100000
    """
    before = list(global_state.get_global_attribute(PENDING, []))
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(PENDING, before)
