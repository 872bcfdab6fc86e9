"""The devices a network runs on: which there are, in which precision they compute, and several at once.

See docs/devices.md. The backend is loaded by the functions, not by the import.
"""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from .backend import load_backend
from .errors import unknown

PRECISIONS = ("float32", "mixed_bfloat16", "auto")
AMPERE = (8, 0)  # NVIDIA's first compute capability with bfloat16 (A100); a T4 has 7.5

_sharing: ContextVar[int] = ContextVar("sharing", default=1)  # devices that share a batch here


def available() -> list[str]:
    """The backend's devices, such as `["cpu:0", "gpu:0 NVIDIA A100"]`.

    >>> any(name.startswith(("cpu:", "gpu:", "tpu:")) for name in available())
    True
    """
    backend = load_backend()
    if backend == "tensorflow":
        import tensorflow as tf

        found = []
        for device in tf.config.list_physical_devices():
            kind, number = device.device_type.lower(), device.name.rsplit(":", 1)[-1]
            name = tf.config.experimental.get_device_details(device).get("device_name", "")
            found.append(f"{kind}:{number} {name}".strip())
        return found
    if backend == "jax":
        import jax

        names = {d: "" if d.platform == "cpu" else f" {d.device_kind}" for d in jax.devices()}
        return [f"{d.platform}:{d.id}{name}" for d, name in names.items()]
    import torch

    return ["cpu:0", *(f"gpu:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count()))]


def bfloat16() -> bool:
    """Whether the backend sees an accelerator that computes in bfloat16: NVIDIA's from 8.0 on, or JAX a TPU.

    A processor can do it too, but gains nothing by it; here that is False.
    """
    backend = load_backend()
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
        return any(detail.get("compute_capability", (0, 0)) >= AMPERE for detail in details)
    if backend == "jax":
        import jax

        return any(
            device.platform == "tpu" or _capability(getattr(device, "compute_capability", "")) >= AMPERE
            for device in jax.devices()
        )
    import torch

    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= AMPERE


def set_precision(precision: str) -> str:
    """Sets what the layers built from now on compute in; `course_lib.start(precision=...)` calls it.

    Args:
        precision: "float32": in full, also where a GPU would round factors to 10 bits (TF32).
            "mixed_bfloat16": layers compute in bfloat16 (8 bits), weights stay float32. "auto": the latter
            where an accelerator supports it, else float32.

    Returns:
        The policy chosen, "float32" or "mixed_bfloat16".

    Raises:
        ValueError: another precision.

    >>> set_precision("float32")
    'float32'
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    backend = load_backend()
    import keras

    if precision == "auto":
        precision = "mixed_bfloat16" if bfloat16() else "float32"
    keras.config.set_dtype_policy(precision)
    exact = precision == "float32"
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(not exact)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest" if exact else None)
    else:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not exact
    return precision


def split_cpu(count: int) -> None:
    """Makes `count` virtual devices of the processor, to try `data_parallel` without GPUs.

    They share the same cores, so nothing gets faster. Call it first in a fresh session.

    Raises:
        ValueError: not a whole number from 1 on, or a backend that cannot.
        RuntimeError: the backend runs already, and its devices are fixed.
    """
    from .arguments import whole_number

    whole_number("count", count)
    backend = _known(load_backend())
    try:
        if backend == "tensorflow":
            import tensorflow as tf

            [cpu] = tf.config.list_physical_devices("CPU")
            parts = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
            tf.config.set_logical_device_configuration(cpu, parts)
        else:
            import jax

            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError as error:
        raise RuntimeError(
            f"{backend} runs already, and its devices are fixed. Restart the kernel, and call "
            "devices.split_cpu before course_lib.start() and before the first model."
        ) from error


@contextmanager
def data_parallel() -> Iterator[int]:
    """Models built, compiled and trained inside share each batch among all devices.

    Each device holds all weights and takes an equal part of the batch; the gradients are averaged before the
    step. So loss and weights are those of one device, up to rounding, but for what is random (dropout) and,
    on TensorFlow, BatchNormalization, whose statistics are those of a device's part; on JAX, of the batch.

    All GPUs (TPUs) that the backend sees are used, or else the processor's devices, see `split_cpu`. One
    device is fine too. Uses `keras.distribution.DataParallel` on JAX and `tf.distribute.MirroredStrategy` on
    TensorFlow.

    Yields:
        The number of devices, of this machine. It must divide each batch, the last one too:
        `images[: len(images) // n * n]`.

    Raises:
        ValueError: a batch that cannot be shared equally (TensorFlow alone would train it, on another loss),
            or a backend that cannot.

    >>> import keras, numpy as np
    >>> with data_parallel() as count:
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    ...     model.compile("sgd", "mse")
    ...     history = model.fit(np.ones((4 * count, 4)), np.ones((4 * count, 2)), verbose=0)
    >>> len(history.history["loss"])
    1
    """
    backend = _known(load_backend())
    scope, count = _mirrored() if backend == "tensorflow" else _sharded()
    token = _sharing.set(count)
    try:
        with scope:
            yield count
    except Exception as error:
        # TensorFlow's from _mirrored(), JAX's own.
        if "must divide by the number of devices" in str(error) or "should evenly divide" in str(error):
            raise ValueError(_unequal("A batch", count)) from error
        raise
    finally:
        _sharing.reset(token)


def sharing() -> int:
    """The number of devices that share each batch here: 1 outside `data_parallel`.

    >>> sharing()
    1
    """
    return _sharing.get()


def require_equal_shares(count: int, batch_size: int, what: str = "images") -> None:
    """Refuses, inside `data_parallel`, images whose batches the devices cannot share equally.

    Args:
        count: number of images.
        batch_size: images in a batch; the last batch takes the rest.
        what: name of the images in the error.

    >>> require_equal_shares(37, batch_size=8)  # one device: any batch
    """
    devices = sharing()
    sizes = {min(count, batch_size), count % batch_size}
    if wrong := [size for size in sizes if size % devices]:
        raise ValueError(
            f"{count} {what} in batches of {batch_size}: " + _unequal(f"a batch of {max(wrong)}", devices)
        )


def _unequal(batch: str, devices: int) -> str:
    return (
        f"{batch} cannot be shared equally by {devices} devices. Take a batch size that is a multiple of "
        f"{devices}, and as many images: images[: len(images) // {devices} * {devices}]."
    )


def _sharded() -> tuple[AbstractContextManager, int]:
    """JAX: the scope, and the number of devices."""
    import jax
    import keras

    # Of several machines, each is given its own part of the images.
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope(), jax.local_device_count()


def _mirrored() -> tuple[AbstractContextManager, int]:
    """TensorFlow: the scope, and the number of devices."""
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    strategy = _strategy(tuple(device.name for device in found))
    return strategy.scope(), len(found)


@functools.cache  # a model's variables belong to their strategy: a second block must meet the same one
def _strategy(names: tuple[str, ...]):
    import tensorflow as tf

    def equal(*batch):
        rows = tf.shape(tf.nest.flatten(batch)[0])[0]
        message = "A batch must divide by the number of devices."
        with tf.control_dependencies([tf.debugging.assert_equal(rows % len(names), 0, message)]):
            return tf.nest.map_structure(tf.identity, batch)

    class Mirrored(tf.distribute.MirroredStrategy):
        """Averages the devices' mean losses, so all parts must be of one size: it sees to that."""

        def experimental_distribute_dataset(self, dataset, options=None):
            return super().experimental_distribute_dataset(dataset.map(equal), options)

    return Mirrored(names)


def _known(backend: str) -> str:
    if backend not in ("tensorflow", "jax"):
        raise ValueError(f"Several devices need the backend 'tensorflow' or 'jax'. Received: {backend!r}.")
    return backend


def _capability(text: str) -> tuple[int, ...]:
    """NVIDIA's "8.0" as (8, 0); whatever else a device says as ()."""
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()
