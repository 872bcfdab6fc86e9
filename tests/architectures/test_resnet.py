import keras
import numpy as np
import pytest
from arithmetic import cifar_resnet, resnet
from counting import counts, randomize, shapes, unallocated, weight_layers
from keras import layers

from course_lib.accounting import receptive_field
from course_lib.architectures import resnet as module
from course_lib.architectures.resnet import CifarResNet, ResNet

# Parameters, trainable ones, MACs, by layer arithmetic from the paper's table 1 and section 4.2 (with B the
# trainable ones are torchvision's numbers, too); weight layers, the number in the name.
A, V15 = {"shortcut": "A"}, {"stride_on": "3x3"}
COUNTS = [
    ("PlainNet18", {}, 11_523_496, 11_515_688, 1_794_805_760, 18),
    ("PlainNet34", {}, 21_639_080, 21_623_848, 3_644_493_824, 34),
    ("ResNet18", A, 11_523_496, 11_515_688, 1_794_805_760, 18),
    ("ResNet18", {}, 11_699_112, 11_689_512, 1_814_073_344, 18),
    ("ResNet34", A, 21_639_080, 21_623_848, 3_644_493_824, 34),
    ("ResNet34", {}, 21_814_696, 21_797_672, 3_663_761_408, 34),
    ("ResNet50", {}, 25_610_152, 25_557_032, 3_857_973_248, 50),
    ("ResNet50", V15, 25_610_152, 25_557_032, 4_089_184_256, 50),
    ("ResNet101", {}, 44_654_504, 44_549_160, 7_570_194_432, 101),
    ("ResNet101", V15, 44_654_504, 44_549_160, 7_801_405_440, 101),
    ("ResNet152", {}, 60_344_232, 60_192_808, 11_282_415_616, 152),
    ("ResNet152", V15, 60_344_232, 60_192_808, 11_513_626_624, 152),
    ("PlainNet20", {}, 271_098, 269_722, 40_551_040, 20),
    ("PlainNet56", {}, 857_082, 853_018, 125_485_696, 56),
    ("ResNet20", {}, 271_098, 269_722, 40_551_040, 20),
    ("ResNet32", {}, 466_426, 464_154, 68_862_592, 32),
    ("ResNet56", {}, 857_082, 853_018, 125_485_696, 56),
    ("ResNet110", {}, 1_736_058, 1_727_962, 252_887_680, 110),
    ("ResNet110", {"drop_path_rate": 0.5}, 1_736_058, 1_727_962, 252_887_680, 110),
]
TABLE_1 = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@pytest.mark.parametrize("name, arguments, params, trainable, macs, depth", COUNTS)
def test_counts(name, arguments, params, trainable, macs, depth):
    builder = getattr(module, name)
    assert counts(builder, **arguments) == (params, trainable, macs)
    assert weight_layers(unallocated(builder, **arguments)) == depth
    if depth in TABLE_1:
        own = {"shortcut": "A"} if name.startswith("Plain") else arguments
        block = "basic" if depth < 50 else "bottleneck"
        assert resnet(TABLE_1[depth], block, **own) == (params, trainable, macs)
    else:
        assert cifar_resnet((depth - 2) // 6) == (params, trainable, macs)


def test_counts_by_arithmetic_alone():
    assert counts(module.ResNet44) == cifar_resnet(7)
    assert 0.655e6 < counts(module.ResNet44)[1] < 0.665e6  # table 6: 0.66M


@pytest.mark.parametrize("name, trainable", [("ResNet20", 272_474), ("ResNet110", 1_730_714)])
def test_cifar_with_projections(name, trainable):
    assert counts(getattr(module, name), shortcut="B")[1] == trainable


@pytest.mark.parametrize("name", ["PlainNet34", "ResNet18", "ResNet50"])
def test_stage_shapes(name):
    depths = TABLE_1[int(name[-2:])]
    times = 4 if name == "ResNet50" else 1
    ends = [f"stage{i}_block{depth}_out" for i, depth in enumerate(depths, start=1)]
    expected = [(56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]
    model = unallocated(getattr(module, name))
    assert shapes(model, "stem_relu", "stem_pool") == [(112, 112, 64), (56, 56, 64)]
    assert shapes(model, *ends) == [(h, w, times * c) for h, w, c in expected]


def test_cifar_stage_shapes():
    ends = [f"stage{i}_block3_out" for i in (1, 2, 3)]
    assert shapes(unallocated(module.ResNet20), "stem_relu", *ends) == [
        (32, 32, 16),
        (32, 32, 16),
        (16, 16, 32),
        (8, 8, 64),
    ]


def test_the_sides_of_an_odd_image():
    model = unallocated(module.ResNet50, include_top=False, input_shape=(225, 193, 3))
    assert model.output_shape[1:] == (8, 7, 2048)
    model = unallocated(module.ResNet20, input_shape=(33, 31, 1))
    assert shapes(model, "stage3_block3_out") == [(9, 8, 64)]


@pytest.mark.parametrize("name", ["ResNet50", "ResNet101"])
def test_receptive_field(name):
    # 483 and 1027 pixels: Araujo, Norris and Sim 2019, "Computing Receptive Fields of CNNs", Distill, table.
    field = receptive_field(unallocated(getattr(module, name)), "stage4_block3_out")
    assert (field.size, field.stride) == ({"ResNet50": 483, "ResNet101": 1027}[name], 32)


def test_the_values_of_the_twin():
    """ResNet50 gives what `keras.applications.ResNet50` gives, with its weights: layers matched by name."""
    twin = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(64, 64, 3))
    ours = module.ResNet50(include_top=False, input_shape=(64, 64, 3))
    randomize(twin)
    for layer in twin.layers:
        if not layer.weights:
            continue
        parts = layer.name.split("_")  # conv1_bn, conv2_block1_0_conv
        name = "stem"
        if parts[0] != "conv1":
            role = "shortcut" if parts[2] == "0" else f"conv{parts[2]}"
            name = f"stage{int(parts[0][4:]) - 1}_{parts[1]}_{role}"
        if parts[-1] == "conv":
            ours.get_layer(name).kernel.assign(layer.kernel)
            bias = layer.bias
        else:  # the bias that our convolution lacks, and another epsilon
            norm = ours.get_layer(f"{name}_bn")
            norm.set_weights(layer.get_weights())
            norm.moving_mean.assign(layer.moving_mean - twin.get_layer(layer.name[:-2] + "conv").bias)
            norm.moving_variance.assign(layer.moving_variance + layer.epsilon - norm.epsilon)
            assert bias is not None
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype("float32")
    expected = np.array(twin(images, training=False))
    assert np.abs(np.array(ours(images, training=False)) - expected).max() < 1e-4 * np.abs(expected).max()


def test_shortcuts_let_the_input_through():
    """With the last normalization of each branch at 0, a block is relu of its shortcut."""
    image = np.random.default_rng(0).uniform(size=(1, 8, 8, 16)).astype("float32")
    for option, expected in (("A", np.pad(image[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, 16)))), (None, 0)):
        x = keras.Input((8, 8, 16))
        model = keras.Model(x, module.basic(x, 32, strides=2, shortcut=option, name="b"))
        model.get_layer("b_conv2_bn").gamma.assign(np.zeros(32))
        assert np.allclose(np.array(model(image)), expected)


def test_plain_nets_have_no_sums():
    assert not [layer for layer in unallocated(module.PlainNet20).layers if isinstance(layer, layers.Add)]


@pytest.mark.parametrize("stride_on, strides", [("1x1", (2, 1, 1)), ("3x3", (1, 2, 1))])
def test_the_convolution_that_strides(stride_on, strides):
    model = unallocated(module.ResNet50, stride_on=stride_on)
    found = [model.get_layer(f"stage2_block1_conv{i}").strides[0] for i in (1, 2, 3)]
    assert tuple(found) == strides
    assert model.get_layer("stage2_block2_conv2").strides == (1, 1)


def test_drop_path_grows_linearly():
    model = unallocated(module.ResNet110, drop_path_rate=0.5)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop")]
    assert rates == pytest.approx([0.5 * i / 54 for i in range(1, 55)])


def test_drop_path_is_off_at_inference():
    model = CifarResNet(depth=8, drop_path_rate=0.5)
    same = CifarResNet(depth=8)
    same.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype("float32")
    assert np.array_equal(np.array(model(images)), np.array(same(images)))
    keras.utils.set_random_seed(0)
    assert not np.allclose(np.array(model(images, training=True)), np.array(same(images, training=True)))


def test_initial_weights_and_normalization():
    model = CifarResNet(depth=14)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            fan_in = np.prod(layer.kernel.shape[:3])
            assert np.std(np.array(layer.kernel)) == pytest.approx(np.sqrt(2 / fan_in), rel=0.2)  # He et al.
            assert not layer.use_bias
        if isinstance(layer, layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)


@pytest.mark.parametrize(
    "builder, arguments, message",
    [
        (ResNet, {"block": "botleneck"}, "Unknown block: 'botleneck'. Did you mean 'bottleneck'"),
        (ResNet, {"shortcut": "C"}, "Unknown shortcut: 'C'. Allowed: 'A', 'B', None"),
        (ResNet, {"depths": (2, 2, 2)}, "widths must be a tuple of 3 whole numbers"),
        (ResNet, {"depths": 50}, "depths must be a tuple of one or more whole numbers.*Received: 50"),
        (ResNet, {"groups": 32}, "Only a bottleneck has widen and groups"),
        (ResNet, {"block": "bottleneck", "groups": 3}, "groups must divide"),
        (ResNet, {"widths": (64, 32, 16, 8), "shortcut": "A"}, "Use shortcut B"),
        (module.ResNet50, {"stride_on": 3}, "Unknown stride_on: 3. Allowed: '1x1', '3x3'"),
        (module.ResNet50, {"se_ratio": 16}, "se_ratio must be a number from 0 to below 1. Received: 16"),
        (module.ResNet50, {"drop_path_rate": 1}, "drop_path_rate must be a number from 0 to below 1"),
        (module.ResNet50, {"depths": (1, 1)}, "Unknown argument of ResNet50: 'depths'"),
        (module.ResNet50, {"input_shape": (28, 28, 3)}, "at least 32. CifarResNet is made for"),
        (module.PlainNet34, {"drop_path_rate": 0.1}, "Unknown argument of PlainNet34: 'drop_path_rate'"),
        (CifarResNet, {"depth": 18}, r"depth must be 6n \+ 2 with n at least 1: 8, 14, 20, ... Received: 18"),
        (CifarResNet, {"depth": 20.0}, "depth must be 6n"),
    ],
)
def test_bad_arguments(builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        unallocated(builder, **arguments)
