"""A grouped convolution that is fast on a CPU, too."""

import functools

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("course_lib")
class GroupedConv2D(layers.Conv2D):
    """`Conv2D(groups=...)`: channels and filters in `groups` bundles, each filter sees its own bundle.

    A filter sees C / groups channels, so weights and MACs are 1 / groups of a full convolution's. Arguments,
    weights `(height, width, C / groups, filters)` and results are those of `Conv2D`. On a CPU the gradient of
    the backends' own grouped convolution takes 10 to 200 times as long as need be: there it is done as small
    convolutions side by side, on a GPU as one.

    Reference: Krizhevsky, Sutskever and Hinton 2012, figure 2 (two groups, one for each of two GPUs); Xie et
    al. 2016, arXiv 1611.05431 (ResNeXt: the number of groups is the "cardinality").

    Args:
        filters, kernel_size, groups, ...: as in `Conv2D`.

    Returns (when called on `(N, H, W, C)`):
        `(N, H', W', filters)`, as `Conv2D`.

    Raises:
        ValueError: groups that do not divide the filters or the channels.

    >>> layer = GroupedConv2D(8, 3, groups=4, padding="same")
    >>> maps = layer(ops.ones((1, 6, 6, 12)))
    >>> tuple(maps.shape), tuple(layer.kernel.shape)  # 12 / 4 channels a group
    ((1, 6, 6, 8), (3, 3, 3, 8))
    """

    def convolution_op(self, inputs, kernel):
        if self.groups == 1 or _has_accelerator():
            return super().convolution_op(inputs, kernel)
        channels = -1 if self.data_format == "channels_last" else 1
        bundles = ops.split(inputs, self.groups, axis=channels)
        kernels = ops.split(kernel, self.groups, axis=-1)
        convolve = super().convolution_op
        done = [convolve(x, k) for x, k in zip(bundles, kernels, strict=True)]
        return ops.concatenate(done, axis=channels)


@functools.cache
def _has_accelerator() -> bool:
    """Whether the backend computes on something else than a CPU."""
    return any(not name.startswith("cpu") for name in keras.distribution.list_devices())
