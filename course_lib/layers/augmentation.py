"""Random changes to training images, drawn for each image anew; at inference these layers do nothing."""

import keras
import numpy as np
from keras import ops

from ..errors import unknown
from .base import FreeLayer


@keras.saving.register_keras_serializable("course_lib")
class PadCropFlip(FreeLayer):
    """Pads each image with zeros, cuts a random window of the old size out of it, and mirrors half of them.

    The usual augmentation of CIFAR: an image moves by up to `padding` pixels in each direction. (Keras'
    `RandomCrop` moves all images of a batch alike.)

    Reference: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 4.2.

    Args:
        padding: rows and columns of zeros on each side, at least 0.
        flip: whether images are mirrored left to right, each with probability 1/2.
        seed: for the same choices in every run.

    Returns (when called on `(N, H, W, C)`):
        the same shape.

    Raises:
        ValueError: a padding that is no whole number, or negative.

    >>> images = ops.ones((16, 8, 8, 3))
    >>> sums = ops.sum(PadCropFlip(2, seed=0)(images, training=True), axis=(1, 2, 3))
    >>> len(set(ops.convert_to_numpy(sums).tolist())) > 1  # not all images lost as much
    True
    """

    def __init__(self, padding: int = 4, flip: bool = True, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(padding, int) or isinstance(padding, bool) or padding < 0:
            raise ValueError(f"padding must be a whole number, at least 0. Received: {padding!r}.")
        self.padding, self.flip, self.seed = padding, bool(flip), seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        n, height, width, _ = ops.shape(inputs)
        p, generator = self.padding, self.seed_generator
        top = keras.random.randint((n, 1), 0, 2 * p + 1, seed=generator)
        left = keras.random.randint((n, 1), 0, 2 * p + 1, seed=generator)
        rows = top + ops.arange(height, dtype="int32")  # (N, H): the rows that each image keeps
        columns = ops.broadcast_to(ops.arange(width, dtype="int32"), (n, width))
        if self.flip:
            mirrored = keras.random.randint((n, 1), 0, 2, seed=generator) == 1
            columns = ops.where(mirrored, width - 1 - columns, columns)
        columns = left + columns
        padded = ops.pad(inputs, ((0, 0), (p, p), (p, p), (0, 0)))
        cut = ops.take_along_axis(padded, rows[:, :, None, None], axis=1)
        return ops.take_along_axis(cut, columns[:, None, :, None], axis=2)

    def get_config(self):
        return super().get_config() | {"padding": self.padding, "flip": self.flip, "seed": self.seed}


@keras.saving.register_keras_serializable("course_lib")
class PCAColor(FreeLayer):
    """All pixels of an image plus one random colour, the sum of alpha_i * lambda_i * p_i.

    p_i and lambda_i are the principal directions of the training pixels' colours and their strengths, alpha_i
    is normal with mean 0. Brightness, the strongest direction, changes most, as it does between photographs.

    Reference: Krizhevsky, Sutskever and Hinton 2012, section 4.1. The result is not cut to [0, 1].

    Args:
        eigenvalues, eigenvectors: what `color_components(images)` returns: the strengths `(C,)`, and the
            directions `(C, C)`, one a column.
        sigma: standard deviation of alpha.
        strength: "eigenvalue" as the paper writes, lambda the variance along p; or "deviation", its square
            root, as most implementations have it. With images in [0, 1] the second is several times stronger.
        seed: for the same choices in every run.

    Returns (when called on `(N, H, W, C)`):
        the same shape.

    Raises:
        ValueError: arrays that do not fit each other or the images, or an unknown strength.

    >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype("float32")
    >>> layer = PCAColor(*color_components(images), seed=0)
    >>> change = ops.convert_to_numpy(layer(images, training=True)) - images
    >>> float(np.ptp(change, axis=(1, 2)).max()) < 1e-6  # the same for all pixels of an image
    True
    """

    def __init__(
        self, eigenvalues, eigenvectors, sigma: float = 0.1, strength="eigenvalue", seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        values, vectors = np.array(eigenvalues, "float32"), np.array(eigenvectors, "float32")
        if values.ndim != 1 or vectors.shape != (len(values), len(values)) or (values < 0).any():
            raise ValueError(
                "eigenvalues and eigenvectors must be those of color_components(images), of shapes (C,) and "
                f"(C, C). Received: {values.shape} and {vectors.shape}."
            )
        if strength not in ("eigenvalue", "deviation"):
            raise unknown("strength", strength, ["eigenvalue", "deviation"])
        self.eigenvalues, self.eigenvectors = values, vectors
        self.sigma, self.strength, self.seed = float(sigma), strength, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        if input_shape[-1] != len(self.eigenvalues):
            raise ValueError(
                f"The colours of layer {self.name!r} have {len(self.eigenvalues)} channels, but the images "
                f"have {input_shape[-1]}. Compute them from these images with color_components."
            )

    def call(self, inputs, training=False):
        if not training:
            return inputs
        lambdas = self.eigenvalues if self.strength == "eigenvalue" else np.sqrt(self.eigenvalues)
        alphas = keras.random.normal(
            (ops.shape(inputs)[0], len(lambdas)), stddev=self.sigma, dtype="float32", seed=self.seed_generator
        )
        colors = ops.matmul(alphas * lambdas, np.transpose(self.eigenvectors))  # (N, C)
        return inputs + ops.cast(colors[:, None, None, :], inputs.dtype)

    def get_config(self):
        return super().get_config() | {
            "eigenvalues": self.eigenvalues.tolist(),
            "eigenvectors": self.eigenvectors.tolist(),
            "sigma": self.sigma,
            "strength": self.strength,
            "seed": self.seed,
        }


def color_components(images) -> tuple[np.ndarray, np.ndarray]:
    """The principal directions of the pixels' colours, for `PCAColor`.

    Args:
        images: `(N, H, W, C)`.

    Returns:
        The variances `(C,)`, the largest first, and the directions `(C, C)`, of length 1, one a column. The
        largest entry of each is positive.

    Raises:
        ValueError: an array that is no batch of images.

    >>> grays = np.linspace(0, 1, 12).reshape(1, 3, 4, 1) * np.ones(3)
    >>> values, vectors = color_components(grays)  # grey pixels lie on one line, along (1, 1, 1) / sqrt(3)
    >>> values.round(3).tolist(), vectors[:, 0].round(3).tolist()
    ([0.295, 0.0, 0.0], [0.577, 0.577, 0.577])
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.size == 0:
        raise ValueError(f"images must be a batch of shape (N, H, W, C). Received: {images.shape}.")
    pixels = images.reshape(-1, images.shape[-1]).astype("float64")
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(pixels, rowvar=False, bias=True)))
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
    largest = vectors[abs(vectors).argmax(axis=0), np.arange(len(values))]
    return values, vectors * np.sign(largest)
