"""LeNet-5's own layers, as published in 1998.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86(11), 1998, section II.B and appendix A.
"""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("course_lib")
def scaled_tanh(x):
    """1.7159 tanh(2x/3): a tanh that passes through (1, 1) and (-1, -1).

    Targets of +1 and -1 then lie where the curve bends most, not at its far ends, where it has no gradient.

    >>> [round(float(scaled_tanh(x)), 3) for x in (-1, 0, 1.0, 100.0)]
    [-1.0, 0.0, 1.0, 1.716]
    """
    return ops.multiply(1.7159, ops.tanh(ops.multiply(2.0 / 3.0, x)))


@keras.saving.register_keras_serializable("course_lib")
class FanInUniform(keras.initializers.Initializer):
    """Uniform between -scale/F and +scale/F, where F is the number of inputs of a unit.

    The last axis of the weight counts the units, so F is the product of the others. The paper's scale is 2.4.

    >>> weights = FanInUniform()((5, 5, 1, 6))  # F = 25
    >>> bool(abs(np.array(weights)).max() <= 2.4 / 25)
    True
    """

    def __init__(self, scale: float = 2.4):
        self.scale = scale

    def __call__(self, shape, dtype=None):
        limit = self.scale / np.prod(shape[:-1])
        return keras.initializers.RandomUniform(-limit, limit)(shape, dtype)

    def get_config(self):
        return {"scale": self.scale}


@keras.saving.register_keras_serializable("course_lib")
class PartialConv2D(keras.Layer):
    """A convolution in which each output map sees only some of the input maps. Stride 1, no padding.

    Only the kernels that exist are weights: the table of LeNet-5's C3 has 60 crosses, so 60 x 25 weights and
    16 biases. `kernel` gives all of them as one array with zeros where there is no connection.

    Args:
        connections: table `(input maps, output maps)` of 0 and 1 (or False and True).
        kernel_size: side of the square window.
        activation: name of a Keras activation or a function, None for none.

    Returns (when called on `(N, H, W, input maps)`):
        `(N, H - kernel_size + 1, W - kernel_size + 1, output maps)`.

    Raises:
        ValueError: a table of another form, an output map without input, or another number of maps.

    >>> layer = PartialConv2D([[1, 0, 1], [0, 1, 1]], kernel_size=3)  # 2 maps in, 3 maps out, 4 kernels
    >>> tuple(layer(np.ones((1, 8, 8, 2), "float32")).shape), layer.count_params()
    ((1, 6, 6, 3), 39)
    """

    def __init__(self, connections, kernel_size: int, activation=None, **kwargs):
        super().__init__(**kwargs)
        table = np.array(connections)
        if table.ndim != 2 or not np.isin(table, (0, 1)).all() or not table.any(axis=0).all():
            raise ValueError(
                "connections must be a table (input maps, output maps) of 0 and 1, with at least one 1 in "
                f"every column. Received: {connections!r}."
            )
        self.connections = tuple(map(tuple, table.astype(int).tolist()))
        self.kernel_size = (int(kernel_size), int(kernel_size))
        self.strides, self.padding = (1, 1), "valid"
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        table = np.array(self.connections)
        maps_in, maps_out = table.shape
        if input_shape[-1] != maps_in:
            raise ValueError(
                f"The connection table of layer {self.name!r} is for {maps_in} input maps, but the input has "
                f"{input_shape[-1]}: {tuple(input_shape)}. Give it a table with one row for each input map."
            )
        source, target = np.nonzero(table)
        count = len(source)
        fan_in = (table.sum(axis=0) * np.prod(self.kernel_size))[target]  # in C3: 75, 100 or 150

        def paper(shape, dtype=None):
            uniform = keras.initializers.RandomUniform(-2.4, 2.4)(shape, dtype)
            return uniform / ops.convert_to_tensor(fan_in, uniform.dtype)

        self.kernels = self.add_weight(shape=(*self.kernel_size, count), initializer=paper, name="kernels")
        self.bias = self.add_weight(shape=(maps_out,), initializer="zeros", name="bias")
        # Row k says where kernel k stands among all pairs of maps: a product with this matrix spreads them.
        self._place = np.zeros((count, maps_in * maps_out), "float32")
        self._place[np.arange(count), source * maps_out + target] = 1

    @property
    def kernel(self):
        """All kernels as one array `(height, width, input maps, output maps)`, 0 where there is none."""
        full = ops.matmul(self.kernels, ops.convert_to_tensor(self._place, self.compute_dtype))
        return ops.reshape(full, (*self.kernel_size, *np.shape(self.connections)))

    def call(self, inputs):
        return self.activation(ops.conv(inputs, self.kernel, padding="valid") + self.bias)

    def compute_output_shape(self, input_shape):
        n, *sizes, _ = input_shape
        sizes = [None if s is None else s - k + 1 for s, k in zip(sizes, self.kernel_size, strict=True)]
        return (n, *sizes, len(self.connections[0]))

    def macs(self, input_shape, output_shape) -> int:
        """One multiply-add for each existing kernel weight at each output position."""
        height, width, _ = output_shape
        return height * width * int(np.sum(self.connections)) * int(np.prod(self.kernel_size))

    def get_config(self):
        return super().get_config() | {
            "connections": self.connections,
            "kernel_size": self.kernel_size[0],
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("course_lib")
class TrainableSubsampling(keras.Layer):
    """The sum of each 2x2 window, times one trainable coefficient, plus one trainable bias; both one a map.

    It halves height and width, as average pooling does, but learns how strongly each map speaks. The
    coefficients start at 1/4, so that the untrained layer is average pooling.

    Args:
        pool_size: side of the window, and the step from one window to the next.
        activation: name of a Keras activation or a function, None for none.

    Returns (when called on `(N, H, W, C)`):
        `(N, H // pool_size, W // pool_size, C)`.

    >>> layer = TrainableSubsampling()
    >>> float(layer(np.ones((1, 2, 2, 1), "float32"))[0, 0, 0, 0]), layer.count_params()
    (1.0, 2)
    """

    def __init__(self, pool_size: int = 2, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.pool_size = self.strides = (int(pool_size), int(pool_size))
        self.padding = "valid"
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        maps, area = input_shape[-1], self.pool_size[0] ** 2
        start = keras.initializers.Constant(1 / area)
        self.coefficient = self.add_weight(shape=(maps,), initializer=start, name="coefficient")
        self.bias = self.add_weight(shape=(maps,), initializer="zeros", name="bias")

    def call(self, inputs):
        area = self.pool_size[0] ** 2
        window_sum = area * ops.average_pool(inputs, self.pool_size, self.strides, "valid")
        return self.activation(window_sum * self.coefficient + self.bias)

    def compute_output_shape(self, input_shape):
        n, *sizes, maps = input_shape
        return (n, *(None if s is None else s // self.pool_size[0] for s in sizes), maps)

    def macs(self, input_shape, output_shape) -> int:
        """Zero: pooling is not counted, and one multiplication an output is not worth an exception."""
        return 0

    def get_config(self):
        return super().get_config() | {
            "pool_size": self.pool_size[0],
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("course_lib")
class RBFOutput(keras.Layer):
    """Minus the squared distance of the input to a fixed target vector, one for each class.

    The paper's output is the distance itself, and the smallest wins. Here the sign is turned: the largest
    score wins, as everywhere in Keras, so `argmax`, accuracy and cross entropy from logits work. The targets
    are weights that training leaves alone.

    Args:
        targets: array `(classes, features)`, one row a class.
        activation: applied to the scores: "softmax" gives probabilities, None (the default) the scores.

    Returns (when called on `(N, features)`):
        `(N, classes)`.

    Raises:
        ValueError: targets that are not a table, or an input with another number of features.

    >>> layer = RBFOutput([[1, 1], [1, -1]])
    >>> np.array(layer(np.array([[1.0, 1.0]], "float32"))).tolist()  # on target 0, 2 away from target 1
    [[0.0, -4.0]]
    """

    def __init__(self, targets, activation=None, **kwargs):
        super().__init__(**kwargs)
        table = np.array(targets, "float32")
        if table.ndim != 2:
            raise ValueError(f"targets must have the shape (classes, features). Received: {table.shape}.")
        self._targets = table
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        if input_shape[-1] != self._targets.shape[1]:
            raise ValueError(
                f"The targets of layer {self.name!r} have {self._targets.shape[1]} features, but the input "
                f"has {input_shape[-1]}. Put a Dense layer with {self._targets.shape[1]} units before it."
            )
        fixed = self._targets
        self.targets = self.add_weight(
            shape=fixed.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(fixed, dtype),
            trainable=False,
            name="targets",
        )

    def call(self, inputs):
        # |x - t|^2 = |x|^2 - 2 x.t + |t|^2 needs no array of (N, classes, features).
        x2 = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        t2 = ops.sum(ops.square(self.targets), axis=-1)
        return self.activation(2 * ops.matmul(inputs, ops.transpose(self.targets)) - x2 - t2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self._targets.shape[0])

    def macs(self, input_shape, output_shape) -> int:
        """Zero: distances to fixed targets, 840 of them in LeNet-5, are no convolution and no dense layer."""
        return 0

    def get_config(self):
        return super().get_config() | {
            "targets": self._targets.tolist(),
            "activation": keras.activations.serialize(self.activation),
        }
