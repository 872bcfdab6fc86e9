"""What the tests of the families share: models without memory for weights, depth, and a twin's weights."""

import numpy as np
from keras import layers

from course_lib import accounting
from course_lib.accounting import totals
from course_lib.accounting.graph import trace

WEIGHT_LAYERS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)


def unallocated(builder, **arguments):
    """The model, without memory for its weights: it can be counted, not run."""
    with accounting.unallocated():
        return builder(**arguments)


def counts(builder, **arguments):
    """params, trainable_params, macs."""
    found = totals(unallocated(builder, **arguments))
    return found.params, found.trainable_params, found.macs


def weight_layers(model):
    """How many convolutions and dense layers an image passes on the longest way through the network."""
    depth, calls = {}, trace(model)
    for call in calls:
        before = max((depth[id(x)] for x in call.inputs), default=0)
        depth |= {id(x): before + isinstance(call.layer, WEIGHT_LAYERS) for x in call.outputs}
    return max(depth.values())


def shapes(model, *names):
    """(height, width, channels) of these layers' outputs."""
    return [tuple(model.get_layer(name).output.shape[1:]) for name in names]


def randomize(model, seed=0):
    """Random weights, biases and moving statistics, of sizes that keep the signal alive through depth."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        kind, shape = weight.path.split("/")[-1], weight.shape
        if len(shape) > 1:
            fan_in = np.prod(shape[:-2]) if "depthwise" in kind else np.prod(shape[:-1])
            value = rng.normal(0, np.sqrt(2 / fan_in), shape)
        elif kind in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.1, shape)
        weight.assign(value.astype("float32"))


def copy_weights(source, target):
    """All weights of source to target, layer by layer in the order of the models; shapes may differ in 1s.

    Besides normalizations of the input, which a twin may have and we never do.
    """
    kinds = (*WEIGHT_LAYERS, layers.SeparableConv2D, layers.BatchNormalization)
    ours, theirs = ([a for a in model.layers if isinstance(a, kinds)] for model in (target, source))
    assert len(ours) == len(theirs)
    for mine, twin in zip(ours, theirs, strict=True):
        assert len(mine.weights) == len(twin.weights), (mine.name, twin.name)
        for a, b in zip(mine.weights, twin.weights, strict=True):
            assert [n for n in a.shape if n > 1] == [n for n in b.shape if n > 1], (mine.name, twin.name)
            a.assign(np.reshape(b.numpy(), a.shape))


def assert_same_outputs(ours, twin, images, before=lambda x: x):
    """Equal outputs, to 1e-4 of their size, after a copy of the twin's randomized weights.

    Args:
        before: what the twin does to its input by itself, and we do not.
    """
    randomize(twin)
    copy_weights(twin, ours)
    expected = np.array(twin(images, training=False))
    found = np.array(ours(before(images), training=False))
    assert np.abs(expected).max() > 1e-3
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
