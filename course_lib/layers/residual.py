"""What residual networks need besides: the shortcut without weights, and stochastic depth."""

import keras
from keras import ops

from .base import FreeLayer, share


@keras.saving.register_keras_serializable("course_lib")
class IdentityShortcut(keras.Layer):
    """Every `strides`-th position, and zeros behind the channels up to `filters`: ResNet's shortcut A.

    Reference: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 3.3. It has no weights.

    Args:
        filters: channels of the output, at least those of the input.
        strides: step from one position to the next.

    Returns (when called on `(N, H, W, C)`):
        `(N, ceil(H / strides), ceil(W / strides), filters)`.

    Raises:
        ValueError: an input with more channels than `filters`.

    >>> x = ops.reshape(ops.arange(16.0), (1, 4, 4, 1))
    >>> ops.convert_to_numpy(IdentityShortcut(2, strides=2)(x))[0, :, :, 0].tolist()
    [[0.0, 2.0], [8.0, 10.0]]
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters = int(filters)
        # For the receptive field it is a 1x1 window.
        self.kernel_size, self.strides, self.padding = (1, 1), (int(strides), int(strides)), "valid"

    def build(self, input_shape):
        if input_shape[-1] > self.filters:
            raise ValueError(
                f"Shortcut A of layer {self.name!r} can only add channels: {input_shape[-1]} to "
                f"{self.filters}. Use shortcut B, or give the stages widths that grow."
            )

    def call(self, inputs):
        step = self.strides[0]
        missing = self.filters - inputs.shape[-1]
        return ops.pad(inputs[:, ::step, ::step, :], ((0, 0), (0, 0), (0, 0), (0, missing)))

    def compute_output_shape(self, input_shape):
        n, *sizes, _ = input_shape
        return (n, *(None if s is None else -(-s // self.strides[0]) for s in sizes), self.filters)

    def macs(self, input_shape, output_shape) -> int:
        """Zero: nothing is multiplied."""
        return 0

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "strides": self.strides[0]}


@keras.saving.register_keras_serializable("course_lib")
class DropPath(FreeLayer):
    """Stochastic depth: training leaves out this whole branch for some images of the batch, others keep it.

    It stands at the end of a residual branch, before the sum: for those images the block is the identity.
    What stays is divided by the survival 1 - rate, so that its mean is the same at inference, when nothing
    is dropped. (The paper does not divide, and multiplies by the survival at inference.)

    Reference: Huang, Sun, Liu, Sedra and Weinberger 2016, "Deep Networks with Stochastic Depth", arXiv
    1603.09382.

    Args:
        rate: share of the images whose branch is dropped, 0 <= rate < 1.
        seed: for the same choices in every run.

    Returns (when called on `(N, ...)`):
        the same shape.

    Raises:
        ValueError: a rate outside [0, 1).

    >>> branch = DropPath(0.5, seed=0)(ops.ones((100, 2, 2, 1)), training=True)
    >>> sorted(set(ops.convert_to_numpy(branch).ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = share("rate", rate), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        one_each = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        kept = keras.random.uniform(one_each, dtype="float32", seed=self.seed_generator) >= self.rate
        return ops.where(kept, inputs / (1 - self.rate), ops.zeros_like(inputs))

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
