import keras
import numpy as np
import pytest
from counting import counts, shapes, unallocated, weight_layers

from course_lib.architectures.nin import NIN, NINCifar

# The Caffe model zoo's "nin_imagenet": output side, kernel size, input maps, filters.
ZOO = [
    (54, 11, 3, 96),
    (54, 1, 96, 96),
    (54, 1, 96, 96),
    (27, 5, 96, 256),
    (27, 1, 256, 256),
    (27, 1, 256, 256),
    (13, 3, 256, 384),
    (13, 1, 384, 384),
    (13, 1, 384, 384),
    (6, 3, 384, 1024),
    (6, 1, 1024, 1024),
    (6, 1, 1024, 1000),
]


def test_counts_of_nin_are_those_of_the_zoo_s_table():
    weights = [kernel**2 * maps * filters for _, kernel, maps, filters in ZOO]
    params = sum(weights) + sum(filters for *_, filters in ZOO)
    macs = sum(side**2 * n for (side, *_), n in zip(ZOO, weights, strict=True))
    assert (params, macs) == (7_595_176, 1_100_188_800)
    assert counts(NIN) == (params, params, macs)
    assert weight_layers(unallocated(NIN)) == 12


def test_counts_of_nin_for_cifar():
    # By layer arithmetic from the zoo's 192-160-96, 192-192-192, 192-192-10.
    assert counts(NINCifar) == (966_986, 966_986, 222_486_528)
    assert weight_layers(unallocated(NINCifar)) == 9


def test_stage_shapes():
    sides = shapes(unallocated(NIN), "mlpconv1_cccp2", "pool1", "pool2", "pool3", "mlpconv4_cccp2")
    assert sides == [(54, 54, 96), (27, 27, 96), (13, 13, 256), (6, 6, 384), (6, 6, 1000)]
    for second_pool in ("max", "average"):
        model = unallocated(NINCifar, second_pool=second_pool)
        names = ("mlpconv1_cccp2", "pool1", "mlpconv2_cccp2", "pool2", "mlpconv3_cccp2", "head_pool")
        assert shapes(model, *names) == [
            (32, 32, 96),
            (16, 16, 96),
            (16, 16, 192),
            (8, 8, 192),
            (8, 8, 10),
            (10,),
        ]


def test_the_scores_are_the_means_of_the_class_maps():
    model = NINCifar(width=0.1, classes=3)
    image = np.random.default_rng(0).random((4, 32, 32, 3), "float32")
    maps = keras.Model(model.input, model.get_layer("mlpconv3_cccp2").output)(image)
    scores = keras.ops.convert_to_numpy(maps).mean((1, 2))
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(image)), expected, rtol=1e-4)


@pytest.mark.parametrize(("builder", "smallest", "maps"), [(NIN, 39, 1024), (NINCifar, 4, 192)])
def test_image_sizes(builder, smallest, maps):
    model = unallocated(builder, input_shape=(smallest, smallest, 3), include_top=False)
    assert model.output_shape == (None, 1, 1, maps)
    with pytest.raises(ValueError, match=f"at least {smallest}"):
        builder(input_shape=(smallest, smallest - 1, 3))
    # even with the classifier
    assert unallocated(builder, input_shape=(None, None, 3)).output_shape[0] is None
    model = unallocated(builder, input_shape=(None, None, 3), include_top=False)
    assert model.output_shape == (None, None, None, maps)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0}, "width must be a number above 0"),
        ({"dropout": 1.5}, "dropout must be a number from 0 to below 1"),
        ({"second_pool": "mean"}, "Unknown second_pool: 'mean'"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        NINCifar(**arguments)
