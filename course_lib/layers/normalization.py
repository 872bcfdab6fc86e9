"""Local response normalization."""

import keras
import numpy as np
from keras import ops

from .base import FreeLayer, widened


@keras.saving.register_keras_serializable("course_lib")
class LocalResponseNormalization(FreeLayer):
    """x / (k + alpha * sum of x^2 over neighbouring channels)^beta: strong maps quieten their neighbours.

    Done at each position for itself, without weights. BatchNormalization has replaced it.

    Reference: Krizhevsky, Sutskever and Hinton 2012, section 3.3. Caffe and PyTorch divide alpha by `size`
    (their 1e-4 is 2e-5 here), and have k = 1 by default. Beyond the first and last channel there is nothing.

    Args:
        size: channels in the window, an odd number: the channel itself and as many on either side (paper: n).
        k, alpha, beta: as in the formula, the paper's values by default.

    Returns (when called on `(N, H, W, C)`):
        the same shape.

    Raises:
        ValueError: a size that is even or no whole number.

    >>> layer = LocalResponseNormalization(size=3, k=1.0, alpha=1.0, beta=1.0)
    >>> print(np.array(layer(np.ones((1, 1, 1, 4), "float32"))).round(3))  # 1 / (1 + 2), 1 / (1 + 3)
    [[[[0.333 0.25  0.25  0.333]]]]
    """

    def __init__(self, size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1 or size % 2 == 0:
            raise ValueError(
                f"size must be an odd number of channels, such as 5, so that the window has a middle. "
                f"Received: {size!r}."
            )
        self.size, self.k, self.alpha, self.beta = size, float(k), float(alpha), float(beta)

    def build(self, input_shape):
        channel = np.arange(input_shape[-1])
        self._band = (abs(channel[:, None] - channel) <= self.size // 2).astype("float32")

    def call(self, inputs):
        # The sum over neighbours is a product with a matrix that has a band of ones: fast, also backwards.
        x = widened(inputs)
        near = ops.matmul(ops.square(x), ops.convert_to_tensor(self._band, x.dtype))
        return ops.cast(x * ops.power(self.k + self.alpha * near, -self.beta), inputs.dtype)

    def get_config(self):
        own = {"size": self.size, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return super().get_config() | own
