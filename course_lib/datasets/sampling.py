"""Small array tools of the data sets: a stratified order, resizing and padding."""

import numpy as np


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """A random order of the indices in which every first part holds the classes in their true proportion.

    So one order serves every split and every sample, and a small sample is part of a larger one.

    Args:
        labels: integers (N,).
        seed: another seed gives another order.

    Returns:
        Each index from 0 to N - 1 once, int64 (N,).

    >>> order = stratified_order(np.array([0, 0, 0, 0, 1, 1]), seed=0)
    >>> sorted((order[:3] // 4).tolist())
    [0, 0, 1]
    """
    lots = np.random.default_rng(seed).random(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        # the k-th of n members stands at (k + 1/2) / n of the way
        place[members[lots[members].argsort()]] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((lots, place))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resize images to `size` x `size`: bilinear, and anti-aliased where they become smaller.

    The same weights as `keras.ops.image.resize(..., "bilinear", antialias=True)`, without a backend.

    Args:
        images: (N, H, W, C).
        size: height and width of the result in pixels.

    Returns:
        float32 (N, size, size, C).

    >>> resize(np.array([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 2, 2, 1), 4)[0, 0, :, 0].tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    n, height, width, channels = images.shape
    images = np.asarray(images, "float32").reshape(n, height, width * channels)
    images = (_weights(height, size) @ images).reshape(n * size, width, channels)
    return (_weights(width, size) @ images).reshape(n, size, size, channels)


def _weights(before: int, after: int) -> np.ndarray:
    """Row i holds the share of every old pixel in the new pixel i: a triangle around its centre."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale - 0.5
    distance = np.abs(np.arange(before)[None, :] - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype("float32")


def pad(images: np.ndarray, size: int) -> np.ndarray:
    """Put images (N, H, W, C) in the middle of `size` x `size` zeros; no pixel changes.

    >>> pad(np.ones((1, 2, 2, 1), "int64"), 4)[0, :, :, 0].tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    top, left = (size - images.shape[1]) // 2, (size - images.shape[2]) // 2
    bottom, right = size - images.shape[1] - top, size - images.shape[2] - left
    return np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
