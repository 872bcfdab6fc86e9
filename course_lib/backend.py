"""Keras' backend: which one it is, and its quiet import."""

import importlib.util
import os
import sys

from .errors import unknown

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}  # Keras backend -> module it needs


def in_kernel() -> bool:
    """Whether this code runs in a notebook's kernel."""
    ipython = sys.modules.get("IPython")  # never imported here: in a kernel it is there already
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None) is not None


def load_backend() -> str:
    """Imports Keras on its backend, quietly, and returns the backend's name.

    Raises:
        ImportError: no backend is installed.
        ValueError: KERAS_BACKEND names none of `BACKENDS`.

    >>> load_backend() in BACKENDS
    True
    """
    backend = _choose_backend()
    if backend not in BACKENDS:
        raise unknown("backend in KERAS_BACKEND", backend, BACKENDS)
    _load(backend)
    return backend


def _choose_backend() -> str:
    """Name of the backend: what Keras already runs on, else `$KERAS_BACKEND`, else the first installed."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    chosen = os.environ.get("KERAS_BACKEND")
    if not chosen:
        chosen = next((name for name, module in BACKENDS.items() if importlib.util.find_spec(module)), None)
    if chosen is None:
        raise ImportError(
            "Keras needs a backend, and none is installed. "
            "Install one, for example: pip install tensorflow (or tensorflow-cpu, half the size, or jax)."
        )
    os.environ["KERAS_BACKEND"] = chosen
    return chosen


def _load(backend: str) -> None:
    """Imports Keras and its backend without TensorFlow's C++ log lines, which hold times and process ids.

    They go past Python straight to file descriptor 2. In a kernel that stays closed, since more of them come
    with the first operations; Python's own warnings still show. Elsewhere it is open again after the import.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if BACKENDS[backend] in sys.modules:
        return
    kept = None if in_kernel() else os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        import keras  # noqa: F401
    finally:
        if kept is not None:
            os.dup2(kept, 2)
            os.close(kept)
