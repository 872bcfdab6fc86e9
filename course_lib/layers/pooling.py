"""Pooling beyond Keras' own: L2, SAF, ceil mode, zeros outside, and maxima that remember where they were."""

import keras
from keras import ops

from ..errors import unknown
from .base import FreeLayer, pair, share, widened


class _Pooling(FreeLayer):
    """What looks through whole windows: their size, their steps, and how many there are."""

    def __init__(self, pool_size=2, strides=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = pair("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair("strides", strides)
        self.padding = "valid"

    def compute_output_shape(self, input_shape):
        n, *sizes, channels = input_shape
        steps = zip(sizes, self.pool_size, self.strides, strict=True)
        return (n, *(None if size is None else (size - k) // s + 1 for size, k, s in steps), channels)

    def get_config(self):
        return super().get_config() | {"pool_size": self.pool_size, "strides": self.strides}


@keras.saving.register_keras_serializable("course_lib")
class L2Pooling2D(_Pooling):
    """The square root of the sum of squares in each window: all values speak, the large ones loudest.

    Args:
        pool_size: side of the window, or (height, width).
        strides: step from one window to the next; None: the size of the window.
        epsilon: added to the sum, because the square root has no finite gradient at 0.

    Returns (when called on `(N, H, W, C)`):
        `(N, (H - pool_size) // strides + 1, (W - pool_size) // strides + 1, C)`.

    >>> image = ops.reshape([[3.0, 0.0], [0.0, 4.0]], (1, 2, 2, 1))
    >>> float(L2Pooling2D(2)(image)[0, 0, 0, 0])
    5.0
    """

    def __init__(self, pool_size=2, strides=None, epsilon: float = 1e-12, **kwargs):
        super().__init__(pool_size, strides, **kwargs)
        self.epsilon = float(epsilon)

    def call(self, inputs):
        x = widened(inputs)
        height, width = self.pool_size
        sums = height * width * ops.average_pool(ops.square(x), self.pool_size, self.strides, "valid")
        return ops.cast(ops.sqrt(sums + self.epsilon), inputs.dtype)

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}


@keras.saving.register_keras_serializable("course_lib")
class SAFPooling2D(_Pooling):
    """Max pooling, then dropout: in training some of the strongest responses are switched off.

    The weaker features then have to do the work, and the network finds new ways to put features together. At
    inference it is max pooling.

    Reference: Hasanpour, Rouhani, Fayyaz, Sabokrou and Adeli 2018, arXiv 1802.06205 (SimpNet), figure S1. The
    paper calls the switching off deterministic; in the authors' published networks it is ordinary dropout.

    Args:
        pool_size: side of the window, or (height, width).
        strides: step from one window to the next; None: the size of the window.
        rate: share of the responses that training switches off; the others are multiplied by 1 / (1 - rate).
        seed: for the same choices in every run.

    Returns (when called on `(N, H, W, C)`):
        `(N, (H - pool_size) // strides + 1, (W - pool_size) // strides + 1, C)`.

    Raises:
        ValueError: a rate outside [0, 1).

    >>> pooled = SAFPooling2D(2, rate=0.5, seed=0)(ops.ones((1, 20, 20, 1)), training=True)
    >>> sorted(set(ops.convert_to_numpy(pooled).ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, pool_size=2, strides=None, rate: float = 0.2, seed: int | None = None, **kwargs):
        super().__init__(pool_size, strides, **kwargs)
        self.rate, self.seed = share("rate", rate), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        pooled = ops.max_pool(inputs, self.pool_size, self.strides, "valid")
        if not training or self.rate == 0:
            return pooled
        return keras.random.dropout(pooled, self.rate, seed=self.seed_generator)

    def get_config(self):
        return super().get_config() | {"rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("course_lib")
class CeilMaxPooling2D(_Pooling):
    """Max pooling in Caffe's "ceil mode": a window that hangs over the end counts, too.

    With a window of 3 and a step of 2, 112 rows give 56 instead of 55, and 111 rows 55. Keras' padding "same"
    gives 56 for both: where the size is odd it also adds a row in front.

    Args:
        pool_size: side of the window, or (height, width).
        strides: step from one window to the next, at most the window; None: the size of the window.

    Returns (when called on `(N, H, W, C)`):
        `(N, ceil((H - pool_size) / strides) + 1, ceil((W - pool_size) / strides) + 1, C)`.

    Raises:
        ValueError: steps larger than the window.

    >>> [CeilMaxPooling2D(3, 2)(ops.zeros((1, size, size, 1))).shape[1] for size in (112, 111)]
    [56, 55]
    """

    def __init__(self, pool_size=2, strides=None, **kwargs):
        super().__init__(pool_size, strides, **kwargs)
        if any(s > k for s, k in zip(self.strides, self.pool_size, strict=True)):
            raise ValueError(
                f"strides must not be larger than pool_size. Received: strides={self.strides}, "
                f"pool_size={self.pool_size}."
            )

    def call(self, inputs):
        # With strides - 1 more rows there are as many whole windows as there were windows that begin inside.
        # What no window reaches does no harm, so the size of the image need not be known.
        below, beside = (s - 1 for s in self.strides)
        more = ((0, 0), (0, below), (0, beside), (0, 0))
        padded = ops.pad(inputs, more, constant_values=-float("inf"))
        return ops.max_pool(padded, self.pool_size, self.strides, "valid")

    def compute_output_shape(self, input_shape):
        n, *sizes, channels = input_shape
        sizes = [None if size is None else size + s - 1 for size, s in zip(sizes, self.strides, strict=True)]
        return super().compute_output_shape((n, *sizes, channels))


@keras.saving.register_keras_serializable("course_lib")
class ZeroPaddedPooling2D(_Pooling):
    """Max or average pooling in which what lies outside the image is 0, as it is for a convolution.

    With padding "same" Keras' own poolings leave the outside out: an average there is over fewer values, and
    a maximum can be below 0. The margins are those of padding "same", the larger half at the end.

    Args:
        pool_size: side of the window, or (height, width).
        strides: step from one window to the next; None: the size of the window.
        operation: "max" or "average".

    Returns (when called on `(N, H, W, C)`):
        `(N, ceil(H / strides), ceil(W / strides), C)`.

    >>> image = -ops.ones((1, 3, 3, 1))
    >>> float(ZeroPaddedPooling2D(3, 2, "max")(image)[0, 0, 0, 0])
    0.0
    >>> round(float(ZeroPaddedPooling2D(3, 2, "average")(image)[0, 0, 0, 0]), 4)  # -4 / 9
    -0.4444
    """

    def __init__(self, pool_size=2, strides=None, operation: str = "max", **kwargs):
        super().__init__(pool_size, strides, **kwargs)
        self.padding, self.operation = "same", operation
        if operation not in ("max", "average"):
            raise unknown("operation", operation, ["max", "average"])

    def call(self, inputs):
        margins = [self._margins(inputs, axis) for axis in (0, 1)]
        padded = ops.pad(inputs, [(0, 0), *margins, (0, 0)])
        pool = ops.max_pool if self.operation == "max" else ops.average_pool
        return pool(padded, self.pool_size, self.strides, "valid")

    def _margins(self, inputs, axis: int):
        """Rows (or columns) of zeros before and after the image."""
        size, window, step = inputs.shape[axis + 1], self.pool_size[axis], self.strides[axis]
        known = size is not None
        size = size if known else ops.shape(inputs)[axis + 1]  # known only when it runs
        missing = (size + step - 1) // step * step - step + window - size
        missing = max(missing, 0) if known else ops.maximum(missing, 0)
        return missing // 2, missing - missing // 2

    def compute_output_shape(self, input_shape):
        n, *sizes, channels = input_shape
        steps = zip(sizes, self.strides, strict=True)
        return (n, *(None if size is None else -(-size // s) for size, s in steps), channels)

    def get_config(self):
        return super().get_config() | {"operation": self.operation}


@keras.saving.register_keras_serializable("course_lib")
class MaxPoolingWithSwitches2D(_Pooling):
    """Max pooling that also returns its switches: the place in the window, 0, 1, 2, ..., of each maximum.

    Zeiler and Fergus' deconvnet needs them: `MaxUnpooling2D` puts each value back where the maximum was. Of
    equal maxima the first counts, row by row.

    Reference: Zeiler and Fergus 2013, arXiv 1311.2901, section 2.1.

    Args:
        pool_size: side of the window, or (height, width).
        strides: step from one window to the next; None: the size of the window. Windows may overlap.

    Returns (when called on `(N, H, W, C)`):
        the maxima and the switches (int32), both `(N, (H - pool_size) // strides + 1, ..., C)`.

    >>> image = ops.reshape([[1.0, 2.0], [4.0, 3.0]], (1, 2, 2, 1))
    >>> maxima, switches = MaxPoolingWithSwitches2D(2)(image)
    >>> float(maxima[0, 0, 0, 0]), int(switches[0, 0, 0, 0])
    (4.0, 2)
    """

    def call(self, inputs):
        # One copy of the image for each place in the window, with every strides-th row and column.
        (down, right), (window_height, window_width) = self.strides, self.pool_size
        height, width = ops.shape(inputs)[1:3]
        rows, columns = height - window_height + 1, width - window_width + 1  # where windows may begin
        places = [
            inputs[:, i : i + rows : down, j : j + columns : right, :]
            for i in range(window_height)
            for j in range(window_width)
        ]
        stacked = ops.stack(places, axis=-1)
        return ops.max(stacked, axis=-1), ops.cast(ops.argmax(stacked, axis=-1), "int32")

    def compute_output_spec(self, inputs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype), keras.KerasTensor(shape, dtype="int32")


@keras.saving.register_keras_serializable("course_lib")
class MaxUnpooling2D(FreeLayer):
    """Puts each value back to the place that its switch names, zeros elsewhere: max pooling backwards.

    Where windows overlap and several values come back to one place, they are added: max pooling does the same
    to a gradient.

    Args:
        pool_size, strides: those of the `MaxPoolingWithSwitches2D` that made the switches.
        output_size: (height, width) of the image that was pooled. None: no row was left over, so it is
            (h - 1) * strides + pool_size.

    Returns (when called on `[values, switches]`, both `(N, h, w, C)`):
        `(N, *output_size, C)`.

    Raises:
        ValueError: values of a shape that an image of `output_size` does not have after pooling.

    >>> values, switches = ops.full((1, 1, 1, 1), 7.0), ops.full((1, 1, 1, 1), 2)
    >>> ops.convert_to_numpy(MaxUnpooling2D(2)([values, switches]))[0, :, :, 0].tolist()
    [[0.0, 0.0], [7.0, 0.0]]
    """

    def __init__(self, pool_size=2, strides=None, output_size=None, **kwargs):
        super().__init__(**kwargs)
        # Not called pool_size: for the accounting a layer that has one looks through a window.
        self.window = pair("pool_size", pool_size)
        self.steps = self.window if strides is None else pair("strides", strides)
        self.output_size = None if output_size is None else pair("output_size", output_size)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)  # raises if output_size does not fit

    def call(self, inputs):
        values, switches = inputs
        (down, right), (window_height, window_width) = self.steps, self.window
        n, h, w, channels = ops.shape(values)
        image = 0
        for place in range(window_height * window_width):
            i, j = divmod(place, window_width)
            here = ops.where(switches == place, values, ops.zeros_like(values))
            # Zeros between the values, so that they lie one step apart; then i rows above and j columns left.
            here = ops.reshape(here, (n, h, 1, w, 1, channels))
            here = ops.pad(here, ((0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)))
            here = ops.reshape(here, (n, h * down, w * right, channels))
            image += ops.pad(here, ((0, 0), (i, window_height - i), (j, window_width - j), (0, 0)))
        # It now has h * down + window_height rows, more than an image with h windows can have.
        height, width = self.output_size or self._smallest((h, w))
        return image[:, :height, :width, :]

    def _smallest(self, sizes):
        """Height and width of the smallest image with so many windows."""
        axes = zip(sizes, self.window, self.steps, strict=True)
        return tuple(None if size is None else (size - 1) * s + k for size, k, s in axes)

    def compute_output_shape(self, input_shape):
        (n, *sizes, channels), _ = input_shape
        smallest = self._smallest(sizes)
        if self.output_size is None:
            return (n, *smallest, channels)
        for least, size, s in zip(smallest, self.output_size, self.steps, strict=True):
            if least is not None and not least <= size < least + s:
                raise ValueError(
                    f"Layer {self.name!r} cannot make {self.output_size} from {tuple(sizes)}: an image of "
                    f"that size, pooled by {self.window} with strides {self.steps}, has another shape. Give "
                    "the height and width of the image that was pooled."
                )
        return (n, *self.output_size, channels)

    def get_config(self):
        own = {"pool_size": self.window, "strides": self.steps, "output_size": self.output_size}
        return super().get_config() | own
