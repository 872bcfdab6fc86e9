"""The depth of a network is the number that its paper gives. All networks: `tools/test_atlas.py`."""

import keras
import pytest
from keras import layers

from course_lib.accounting import unallocated, weight_layers
from course_lib.architectures import ARCHITECTURES

PAPERS = {
    "LeNet5": 5,  # C1, C3, C5, F6, output
    "LeNet5Original": 7,  # and two trained sub-samplings
    "GoogLeNet": 22,
    "NINCifar": 9,
    "VGG16": 16,
    "ResNet18": 18,
    "ResNet50": 50,
    "ResNet20": 20,
    "WRN16_4": 16 - 3 + 1,  # its name counts the three shortcuts, but not the dense layer
    "DenseNet40": 40,
    "SqueezeNet": 18,  # a Fire module has two
    "SEResNet50": 50,
    "MobileNetV2": 53,
}


def built(name, **arguments):
    with unallocated():
        return ARCHITECTURES[name](**arguments)


@pytest.mark.parametrize("name", PAPERS)
def test_counted_in_the_paper(name):
    assert weight_layers(built(name)) == PAPERS[name]


def test_several_outputs_and_open_sizes():
    assert weight_layers(built("GoogLeNet", auxiliary=True)) == 22
    model = built("ResNet18", input_shape=(None, None, 3), include_top=False)
    assert weight_layers(model, input_shape=(64, 64, 3)) == 17


def test_the_longest_way_counts_and_gates_do_not():
    image = keras.Input((8, 8, 4))
    short, long = layers.Conv2D(4, 1)(image), image
    for _ in range(3):
        long = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(long))
    x = layers.Add()([short, long])
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, gate])
    assert weight_layers(keras.Model(image, x)) == 3
    assert weight_layers(keras.Model(image, layers.PReLU()(layers.ReLU()(x)))) == 3
