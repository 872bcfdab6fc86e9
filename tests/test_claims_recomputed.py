"""Each of the lectures' figures that a network or arithmetic decides is computed here again.

The networks are those of the catalogue, built without memory for their weights; what is not in it is counted
from the authors' own list of layers. Every other row has a source that was read again, or is marked as not
verified. Each function below returns values by the id of their row: they must be its true value, as precisely
as that is written.
"""

from collections import Counter
from functools import cache

import keras
import numpy as np
import pytest
from keras import layers

from course_lib import claims
from course_lib.accounting import (
    layer_costs,
    receptive_field,
    totals,
    training_memory,
    unallocated,
    weight_layers,
)
from course_lib.architectures import ARCHITECTURES
from course_lib.architectures.densenet import CifarDenseNet
from course_lib.architectures.googlenet import MODULES, inception_block, naive_inception_block

TOPICS = {}  # name of a function -> function


def topic(function):
    TOPICS[function.__name__] = cache(function)
    return function


# --- tools ---


@cache
def net(name, **arguments):
    with unallocated():
        return ARCHITECTURES.get(name, CifarDenseNet)(**arguments)


@cache
def costs(name, **arguments):
    """layer -> what it costs."""
    return {row.name: row for row in layer_costs(net(name, **arguments))}


@cache
def count(name, **arguments):
    return totals(net(name, **arguments))


def params(name, **arguments):
    return count(name, **arguments).trainable_params


def macs(name, **arguments):
    return count(name, **arguments).macs


def shape(name, layer):
    return costs(name)[layer].output_shape


def filters(name, ending):
    """The filters of all layers whose name ends so, in the order of the network."""
    return [layer.filters for layer in net(name).layers if layer.name.endswith(ending)]


def window(name, layer):
    """ "7x7, stride 2" """
    conv = net(name).get_layer(layer)
    return f"{conv.kernel_size[0]}x{conv.kernel_size[1]}, stride {conv.strides[0]}"


def listed(numbers):
    return ", ".join(map(str, numbers))


def per_stage(name, ending, stages=4):
    """How many layers of each stage end so: the blocks."""
    names = [layer.name for layer in net(name).layers]
    return listed(
        sum(n.startswith(f"stage{i + 1}_") and n.endswith(ending) for n in names) for i in range(stages)
    )


def functional(function, size, *arguments):
    """A small model of one block: its output's shape, and layer -> MACs."""
    image = keras.Input(size)
    model = keras.Model(image, function(image, *arguments, name="block"))
    rows = {row.name.removeprefix("block_"): row.macs for row in layer_costs(model)}
    return model.output.shape[1:], rows


def at_depth(value, name, small, large, depth):
    """A count that grows evenly with the number of blocks: from two small networks to a very deep one."""
    first, second = value(name, depth=small), value(name, depth=large)
    steps, rest = divmod(depth - small, large - small)
    assert rest == 0
    return first + steps * (second - first)


def width_after(width, window, stride, padding):
    """The lecture's formula for a convolution's output; None where it gives no whole number."""
    steps, rest = divmod(width - window + 2 * padding, stride)
    return None if rest else steps + 1


def says(condition, text):
    """The text of a row that states no number, if what it states was found to be so."""
    return text if condition else f"not so: {text}"


# --- lesson 1: convolution ---

EXAMPLES = [(5, 3, 1, 1), (227, 11, 4, 0), (32, 5, 1, 2), (31, 7, 3, 0)]


def conv_width(width, window, stride, padding):
    x = layers.ZeroPadding1D(padding)(keras.Input((width, 1)))
    return layers.Conv1D(1, window, strides=stride)(x).shape[1]


@topic
def convolution():
    image = keras.Input((32, 32, 3))
    conv = layers.Conv2D(12, 3, padding="same")(image)
    pool = layers.MaxPooling2D(2)(conv)
    dense = layers.Dense(1)
    dense(layers.Flatten()(image))
    neuron = layers.Conv2D(1, 5)
    neuron(image)
    formula = all(width_after(*sizes) == conv_width(*sizes) for sizes in EXAMPLES)

    def conv_params(size, maps, number):
        return layers.Conv2D(number, size), maps, size * size * maps * number + number

    counted = []
    for layer, maps, expected in (conv_params(5, 3, 12), conv_params(3, 64, 7)):
        layer.build((None, 9, 9, maps))
        counted.append(layer.count_params() == expected)
    return {
        "sc-001": dense.count_params() - 1,
        "sc-002": conv.shape[1:],
        "sc-003": pool.shape[1:],
        "sc-004": layers.Conv2D(10, 16)(pool).shape[1:],
        "sc-005": f"{neuron.count_params() - 1} + 1",
        "sc-006": says(formula, "(W-F+2P)/S+1"),
        "sc-007": width_after(5, 3, 1, 1),
        "sc-008": says(conv_width(224, 7, 2, 3) == 112 and not width_after(224, 7, 2, 3), "rounded down"),
        "sc-010": says(all(counted), "(F*F*D1)*K + K"),
        "sc-011": says(formula, "(W1-F+2P)/S+1"),
        "sc-009": shape("AlexNet", "conv1"),
        "l5-021": width_after(227, 11, 4, 0),
        "l5-022": shape("AlexNet", "conv1"),
        "l5-023": costs("AlexNet")["conv1"].params,
        "c9-013": costs("AlexNet")["conv1"].params,
        "l6-016": next(p for p in range(9) if width_after(32, 3, 1, p) == 32),
        "l6-017": next(p for p in range(9) if width_after(32, 5, 1, p) == 32),
        "l6-018": says(all(width_after(32, f, 1, (f - 1) // 2) == 32 for f in (1, 3, 5, 7, 9)), "(F-1)/2"),
    }


@topic
def backward_pass():
    """y = x * w without padding, on numbers that differ in every place; gradients by finite differences."""
    rng = np.random.default_rng(0)
    x, w, upstream = rng.normal(size=9), rng.normal(size=3), rng.normal(size=7)

    def loss(x, w):
        return np.correlate(x, w, "valid") @ upstream  # what libraries call a convolution

    def gradient(function, at):
        steps = np.eye(len(at)) * 1e-6
        return np.array([(function(at + h) - function(at - h)) / 2e-6 for h in steps])

    flipped = np.correlate(upstream, w[::-1], "full")
    data = np.allclose(gradient(lambda a: loss(a, w), x), flipped, atol=1e-6)
    weights = np.allclose(gradient(lambda a: loss(x, a), w), np.correlate(x, upstream, "valid"), atol=1e-6)
    return {"sc-012": says(data and weights, "flipped for the data gradient only")}


@topic
def pooling():
    image = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], "float32")
    pooled = np.array(keras.ops.max_pool(image[None, ..., None], 2, 2)).reshape(2, 2)
    pool = layers.MaxPooling2D(2)
    halved = pool(keras.Input((32, 48, 3))).shape[1:] == (16, 24, 3)
    widths = all(
        layers.MaxPooling1D(f, s)(keras.Input((w, 1))).shape[1] == width_after(w, f, s, 0)
        for w, f, s in [(32, 2, 2), (13, 3, 2), (55, 3, 2)]
    )
    return {
        "sc-013": says(halved, "halves width and height"),
        "l6-019": f"{1 - pooled.size / image.size:.0%}",
        "sc-014": " / ".join(" ".join(f"{value:g}" for value in row) for row in pooled),
        "sc-015": says(widths, "(W1-F)/S+1"),
        "sc-016": pool.count_params(),
    }


@topic
def fully_connected_as_convolution():
    conv, fc6 = layers.Conv2D(4096, 6), costs("AlexNet", groups=1)["fc6"]
    output = keras.Model(image := keras.Input((6, 6, 256)), conv(image)).output
    same = output.shape[1:] == (1, 1, 4096) and conv.count_params() == fc6.params == 37_752_832
    return {"l6-008": says(same, "6x6 kernel, padding 0")}


# --- lesson 2: patterns and memory ---


def twos(number):
    """224 -> "7*2^5" """
    power = (number & -number).bit_length() - 1
    return f"{number >> power}*2^{power}" if number >> power > 1 else f"2^{power}"


@topic
def patterns():
    def pattern(n, m, k):
        """INPUT -> [[CONV -> RELU]*N -> POOL]*M -> [FC -> RELU]*K -> FC"""
        return ["INPUT", *(["CONV"] * n + ["POOL"]) * m, *["FC"] * k, "FC"]

    numbers = range(3)
    linear = {(n * m, m, k) for n in numbers for m in numbers for k in numbers if len(pattern(n, m, k)) == 2}

    def field(depth):
        names = [f"c{i}" for i in range(depth)]
        stack = [layers.Conv2D(1, 3, name=name) for name in names]
        size = receptive_field(keras.Sequential([keras.Input((32, 32, 1)), *stack]), names[-1]).size
        return (size, size)

    def weights(window, depth, maps=10):
        stack = [layers.Conv2D(maps, window, use_bias=False) for _ in range(depth)]
        return keras.Sequential([keras.Input((32, 32, maps)), *stack]).count_params() / maps**2

    return {
        "l6-010": says(linear == {(0, 0, 0)}, "N=M=K=0"),
        "l6-015": listed(map(twos, (32, 64, 96, 224, 384, 512))),
        "l6-011": field(2),
        "l5-064": field(3),
        "l6-013": f"{weights(7, 1):g}C^2",
        "l6-014": f"{weights(3, 3):g}C^2",
        "l6-009": says(per_stage("VGG19", "_conv", 5).endswith("4, 4, 4"), "4 in VGG19"),
    }


@topic
def memory():
    first = [layers.Conv2D(64, 3, padding="same", name=f"c{i}") for i in (1, 2, 3)]
    rows = layer_costs(keras.Sequential([keras.Input((224, 224, 3)), *first]))[1:]
    values = sum(row.activations for row in rows)
    step = training_memory(net("LeNet5"), batch_size=1, optimizer_slots=1)
    single, double = (np.dtype(name).itemsize for name in ("float32", "float64"))
    return {
        "l6-020": rows[2].output_shape,
        "l6-021": values,
        "l6-022": values * 2 * 4 / 1e6,
        "l6-094": (step.parameters + step.gradients + step.optimizer) / step.parameters,
        "l6-095": f"{single} / {double}",
    }


# --- lesson 3: LeNet-5 ---


@topic
def lenet():
    names = {"l5-008": "C1", "l5-009": "S2", "l5-010": "C3", "l5-011": "S4"}
    return {
        **{name: shape("LeNet5", layer) for name, layer in names.items()},
        "l5-012": (1, 1, *shape("LeNet5", "C5")[-1:]),
        "l5-013": shape("LeNet5", "F6")[0],
        "l5-014": shape("LeNet5", "output")[0],
        "l5-002": weight_layers(net("LeNet5Original")),
        "l5-003": shape("LeNet5", "input"),
        "l5-004": params("LeNet5Original"),
        "l5-005": params("LeNet5"),
        "c9-006": window("LeNet5Original", "C1"),
    }


# --- lesson 4: AlexNet, ZFNet ---


@topic
def alexnet():
    table = "conv1 pool1 norm1 conv2 pool2 norm2 conv3 conv4 conv5 pool5"  # l5-027 to l5-036
    volumes = {f"l5-{i:03d}": layer for i, layer in enumerate(table.split(), 27)}
    slides = {"groups": 1, "norm": "after_pool"}
    conv1 = net("AlexNet").get_layer("conv1")
    own = [i for i in range(1, 6) if getattr(net("AlexNet").get_layer(f"conv{i}"), "groups", 1) == 2]
    return {
        **{name: costs("AlexNet", **slides)[layer].output_shape for name, layer in volumes.items()},
        "l5-026": shape("AlexNet", "input"),
        "l5-037": shape("AlexNet", "fc6")[0],
        "l5-038": shape("AlexNet", "fc7")[0],
        "l5-039": shape("AlexNet", "output")[0],
        "l5-020": f"{conv1.filters} of {window('AlexNet', 'conv1')}",
        "l6-024": window("AlexNet", "conv1"),
        "l5-050": "{3} of {0}x{1}x{2}".format(*conv1.kernel.shape),
        "l5-024": shape("AlexNet", "pool1"),
        "l5-025": costs("AlexNet")["pool1"].params,
        "l6-007": shape("AlexNet", "pool5"),
        "l6-004": shape("AlexNet", "fc6")[0],
        "l5-042": params("AlexNet"),
        "c9-026": listed(own),
        "l5-052": conv1.filters // 2,
    }


@topic
def zfnet():
    literal = {"groups": 1, "kernel_size": 7, "strides": 2, "widths": (96, 256, 512, 1024, 512)}
    assert costs("AlexNet", **literal)["pool5"].output_shape == (13, 13, 512)
    plain, large = (listed(net("ZFNet", middle=m).get_layer(f"conv{i}").filters for i in (3, 4, 5))
                    for m in "ab")  # fmt: skip
    alexnet = listed(net("AlexNet").get_layer(f"conv{i}").filters for i in (3, 4, 5))
    assert large == "512, 1024, 512"
    return {
        "l5-053": window("ZFNet", "conv1"),
        "l5-054": plain,
        "l6-029": says(plain == alexnet, "as wide"),
        "l5-056": params("AlexNet", **literal),
    }


# --- lesson 5: VGG ---


@topic
def vgg_table():
    """The rows in the order of the network, two for each volume: values, weights without biases."""
    rows = [
        row
        for row in costs("VGG16").values()
        if row.kind in ("InputLayer", "Conv2D", "MaxPooling2D", "Dense")
    ]
    ids = iter(row["id"] for row in claims.rows("VGG-16 table"))
    values = {}
    for row in rows:
        biases = row.output_shape[-1] if row.params else 0
        values |= {next(ids): row.activations, next(ids): row.params - biases}
    assert next(ids, None) is None
    return values


@topic
def vgg():
    rows = [
        row
        for row in costs("VGG16").values()
        if row.kind in ("InputLayer", "Conv2D", "MaxPooling2D", "Dense")
    ]

    def share(key, *beginnings):
        part = sum(getattr(row, key) for row in rows if row.name.startswith(beginnings))
        return 100 * part / sum(getattr(row, key) for row in rows)

    no_bias = {row.name: row.params - row.output_shape[-1] for row in rows if row.params}
    step = training_memory(net("VGG16"), batch_size=1)
    convs = [layer for layer in net("VGG16").layers if isinstance(layer, layers.Conv2D)]
    pools = [layer for layer in net("VGG16").layers if isinstance(layer, layers.MaxPooling2D)]
    alike = {(window("VGG16", conv.name), conv.padding) for conv in convs} == {("3x3, stride 1", "same")}
    halving = {(pool.pool_size, pool.strides) for pool in pools} == {((2, 2), (2, 2))}
    depths = [weight_layers(net(name)) for name in ("AlexNet", "VGG16", "VGG19")]
    activations = sum(row.activations for row in rows)
    return {
        "l5-059": shape("VGG16", "input"),
        "l6-097": says(alike, "3x3, stride 1, pad 1"),
        "l5-060": convs[0].strides[0],
        "l5-061": next(p for p in range(9) if width_after(224, 3, 1, p) == shape("VGG16", convs[0].name)[0]),
        "l5-063": says(halving, "2x2, stride 2"),
        "l6-036": says(alike and halving, "conv 3x3, pool 2x2"),
        "l5-062": len(pools),
        "c9-039": "{} -> {} (D), {} (E)".format(*depths),
        "l6-035": depths[1],
        "l6-037": params("VGG16"),
        "l6-092": f"{no_bias['fc6']:,} of {sum(no_bias.values()):,}",
        "l6-038": share("params", "fc6"),
        "l5-136": share("params", "fc", "output"),
        "l5-135": share("activations", "stage1", "stage2"),
        "l6-090": share("macs", "stage1", "stage2"),
        "l5-111": params("VGG16"),
        "l5-110": activations,
        "l6-087": activations,
        "l5-134": f"x {(step.activations + step.activation_gradients) / step.activations:g}",
    }


@topic
def vgg_configurations():
    names = ["VGG11", "VGG11LRN", "VGG13", "VGG16C", "VGG16", "VGG19"]
    depths = {f"l5-{i}": weight_layers(net(name)) for i, name in enumerate(names, 137)}
    assert params("VGG11") == params("VGG11LRN")
    names.remove("VGG11LRN")
    return depths | {f"l5-{i}": params(name) for i, name in enumerate(names, 143)}


# --- lesson 6: initialization ---


def through_six_layers(scale, activation, start=0.01):
    """The activations of six layers of 4096 units; `scale` is what normal numbers are multiplied by.

    One matrix serves six times, its rows moved on each time: it is the input that moves, to save time.
    """
    x = start * np.random.default_rng(0).standard_normal((16, 4096), "float32")
    for i in range(6):
        x = activation(np.float32(scale) * (np.roll(x, 683 * i, axis=1) @ random_weights()))
        yield x.astype("float64")


@cache
def random_weights():
    return np.random.default_rng(1).standard_normal((4096, 4096), "float32")


def relu(x):
    return np.maximum(x, 0)


@topic
def initialization():
    small = [x.std() for x in through_six_layers(0.01, np.tanh)]
    linear = 0.01 * (0.01 * np.sqrt(4096)) ** 6  # tanh(x) is x for such x
    assert small[-1] == pytest.approx(linear, rel=0.03)
    *_, before, last = through_six_layers(0.01, np.tanh)
    upstream = np.random.default_rng(2).standard_normal(last.shape)
    gradient = (before.T @ (upstream * (1 - last**2)) / len(last)).std()
    *_, saturated = through_six_layers(0.05, np.tanh)
    xavier = [np.abs(x).max() for x in through_six_layers(1 / 64, np.tanh)]
    shrinking = [x.std() for x in through_six_layers(1 / 64, relu)]
    right = [x.std() for x in through_six_layers(np.sqrt(2 / 4096), relu)]
    printed = [x.std() for x in through_six_layers(1 / np.sqrt(2 / 4096), relu)]
    fan_in = layers.Conv2D(7, 5)
    fan_in.build((None, 9, 9, 3))
    sizes = [4096] * 7
    shapes = {*zip(sizes, sizes[1:], strict=False)}
    return {
        "l5-148": (0.01 * random_weights()).std(),
        "l5-149": says(shapes == {random_weights().shape}, f"{len(sizes[1:])} matrices of 4096x4096"),
        "l5-377": says(max(xavier) < 0.1, "tanh stays linear"),  # tanh(0.1) is 0.0997
        "l5-150": linear,
        "l5-151": says(1e-4 < gradient < 1e-2, "small, not zero"),
        "l5-152": (1 - saturated**2).mean(),
        "l5-154": says(fan_in.kernel.shape[0] ** 2 * 3 == np.prod(fan_in.kernel.shape) / 7, "F*F*D"),
        "l5-155": (shrinking[-1] / shrinking[0]) ** (1 / 5),
        "l5-156": says(0.9 < right[-1] / right[0] < 1.1 and printed[-1] > 1e17, "* sqrt(2/Din)"),
    }


# --- lessons 7 and 8: NIN, GoogLeNet ---


@topic
def nin():
    stages = sum(layer.name.endswith("_conv") for layer in net("NINCifar").layers)
    pooled = any(isinstance(layer, layers.GlobalAveragePooling2D) for layer in net("NINCifar").layers)
    assert params("NINCifar") == 966_986
    return {"l5-165": says(pooled, f"{stages} mlpconv, global average pooling")}


STEM = "conv, pool, 2 conv, pool"


@topic
def googlenet():
    names = {
        "AveragePooling2D": "average pool",
        "Conv2D": "1x1 conv",
        "Dense": "FC",
        "Flatten": None,
        "Dropout": None,
    }
    head = [layer for layer in net("GoogLeNet", auxiliary=True).layers if layer.name.startswith("aux1_")]
    kinds = [*filter(None, (names[type(layer).__name__] for layer in head))]
    stem = [row.kind for row in costs("GoogLeNet").values() if row.name.startswith("stem")]
    stem = [kind for kind in stem if "Normalization" not in kind]
    dense = [layer for layer in net("GoogLeNet").layers if isinstance(layer, layers.Dense)]
    module = [layer.name[12:] for layer in net("GoogLeNet").layers if layer.name.startswith("inception3a_")]
    branches = {"1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool", "pool_proj", "out"}
    return {
        "l5-170": weight_layers(net("GoogLeNet")),
        "l5-190": (weight_layers(net("GoogLeNet")) - 3 - 1) / len(MODULES),
        "l5-188": says(stem == ["Conv2D", "MaxPooling2D", "Conv2D", "Conv2D", "MaxPooling2D"], STEM),
        "l5-379": says(set(module) == branches, "1x1, 3x3, 5x5, pool 3x3"),
        "l5-191": listed([*kinds, head[-1].activation.__name__]),
        "l5-167": params("GoogLeNet"),
        "l6-030": params("GoogLeNet"),
        "l5-168": params("AlexNet") / params("GoogLeNet"),
        "l5-169": params("VGG16") / params("GoogLeNet"),
        "l6-032": says(len(dense) == 1, "all but one"),
        "c9-056": len(dense),
    }


@topic
def inception():
    size = (28, 28, 256)
    output, naive = functional(naive_inception_block, size, 128, 192, 96)
    small, reduced = functional(inception_block, size, 128, 64, 192, 64, 96, 64)
    assert small[-1] == 480
    added = {reduced[name] for name in ("3x3_reduce", "5x5_reduce", "pool_proj")}
    assert len(added) == 1
    assert sum(reduced.values()) + reduced["3x3"] == 358_055_936  # what the slide prints, nearly

    def formula(maps, window):
        """The product as it should stand on the slide."""
        text = f"28x28x{maps}x{window}x{window}x256"
        return says(np.prod([int(n) for n in text.split("x")]) == naive[f"{window}x{window}"], text)

    return {
        "l5-187": size[-1],
        "l5-172": output[-1],
        "l5-173": int(np.prod(output)),
        "l5-174": naive["1x1"],
        "l5-175": naive["3x3"],
        "l5-176": naive["5x5"],
        "l5-177": sum(naive.values()),
        "l5-178": formula(128, 1),
        "l5-179": formula(192, 3),
        "l5-180": formula(96, 5),
        "l5-181": added.pop(),
        "l5-182": reduced["1x1"],
        "l5-183": reduced["3x3"],
        "l5-184": reduced["5x5"],
        "l5-185": sum(reduced.values()),
    }


# --- lessons 9 and 10: ResNet and its descendants ---


@topic
def resnet():
    widths = [shape("ResNet34", f"stage{i}_block{n}_out")[-1] for i, n in enumerate((3, 4, 6, 3), 1)]
    sizes = [int(np.prod(shape("ResNet34", f"stage{i}_block1_out"))) for i in (1, 2, 3, 4)]
    ratios = {f"{small / large:g}" for large, small in zip(sizes, sizes[1:], strict=False)}
    maps = [shape("ResNet34", f"stage{i}_block1_out")[:2] for i in (1, 2, 3, 4)]
    pairs = [*zip(maps, maps[1:], strict=False)]

    def first(name):
        """The convolutions in the way of the first block."""
        beginning = "stage1_block1_conv"
        return [key for key, row in costs(name).items() if key.startswith(beginning) and row.macs]

    dense = [layer for layer in net("ResNet50").layers if isinstance(layer, layers.Dense)]
    block = [net("ResNet50").get_layer(f"stage1_block2_conv{i}") for i in (1, 2, 3)]
    channels = [block[0].input.shape[-1], *(layer.filters for layer in block)]
    v1 = {"l5-207": "ResNet50", "l5-208": "ResNet101", "l5-209": "ResNet152"}
    return {
        "l5-192": weight_layers(net("ResNet152")),
        "c9-059": weight_layers(net("ResNet152")),
        "c9-062": says(ratios == {"0.5"}, "1/2"),
        "l5-195": " or ".join(str(len(first(name))) for name in ("ResNet34", "ResNet50")),
        "l5-196": says(all(a == (b[0] // 2, b[1] // 2) for b, a in pairs), "height and width halved"),
        "c9-063": window("ResNet50", "stem"),
        "l5-197": f"only FC {dense[0].units}" if len(dense) == 1 else "",
        "l6-040": len(dense),
        "l5-199": listed(f"conv{i} {width}" for i, width in enumerate(widths, 2)),
        "l5-200": per_stage("ResNet18", "_add"),
        "l5-201": per_stage("ResNet34", "_add"),
        "l5-202": per_stage("ResNet50", "_add"),
        "l5-203": per_stage("ResNet101", "_add"),
        "l5-204": per_stage("ResNet152", "_add"),
        "l5-205": macs("ResNet18", shortcut="A"),
        "l5-206": macs("ResNet34", shortcut="A"),
        **{name: macs(builder) for name, builder in v1.items()},
        "c9-065": "-".join(map(str, channels)),
        "l5-213": block[1].filters,
        "l5-212": block[2].filters,
    }


def block_weights(name):
    """The convolutions of the second block of the first stage, without normalization."""
    return sum(
        row.params for key, row in costs(name).items() if key.startswith("stage1_block2_conv") and row.macs
    )


FORMULA = "C(256d+9d^2+256d)"


@topic
def descendants():
    wide, thin = filters("ResNeXt50", "_conv2"), filters("ResNet50", "_conv2")
    widths = [listed(dict.fromkeys(found)) for found in (thin, wide)]
    ratios = [round(1001 / depth) for depth in (28, 16)]
    formula = {c * (256 * d + 9 * d**2 + 256 * d) for c, d in [(1, 64), (32, 4)]}
    return {
        "l5-224": "{} to {} times".format(*ratios),
        "l5-226": f"{params('WRN16_8'):,} / {at_depth(params, 'PreActResNet', 11, 20, 1001):,}",
        "l5-228": params("ResNet50"),
        "l5-230": params("ResNet101"),
        "l5-232": params("ResNet152"),
        "l5-234": params("WRN50_2"),
        "l5-237": block_weights("ResNet50"),
        "l5-238": block_weights("ResNeXt50"),
        "l5-239": says(formula == {block_weights("ResNet50"), block_weights("ResNeXt50")}, FORMULA),
        "l5-240": " / ".join(widths),
        "l5-241": params("ResNet50"),
        "l5-242": params("ResNeXt50"),
        "l5-243": macs("ResNet50", stride_on="3x3"),
        "l5-244": macs("ResNeXt50"),
    }


# --- lessons 11 to 14 ---


@topic
def densenet():
    names = {"l5-250": "DenseNet121", "l5-251": "DenseNet169", "l5-252": "DenseNet201"}
    # How many outputs, the block's input among them, each of the 12 layers of the first block sees.
    seen = [
        (net("DenseNet40").get_layer(f"stage1_block{i}_conv2").input.shape[-1] - 16) // 12 + 1
        for i in range(1, 13)
    ]
    maps = {f"l5-{254 + i}": shape("DenseNet121", f"stage{i + 1}_block1_out")[:2] for i in range(4)}
    return {
        **{key: per_stage(name, "_conv2") for key, name in names.items()},
        "l5-249": says(sum(seen) == 12 * 13 / 2, "L(L+1)/2"),
        "l5-253": 2 * sum((6, 12, 64, 48)) + 3 + 1 + 1,  # transitions, stem, dense
        **maps,
    }


@topic
def squeezenet_and_mobilenet():
    convolutions = sum(row.macs for row in costs("VGG16").values() if row.kind == "Conv2D")
    block = [row for row in costs("SEResNet50").values() if row.name.startswith("stage1_block1_se_")]
    gate = [row for row in block if row.params]
    return {
        "l5-258": params("AlexNet") / params("SqueezeNet"),
        "l5-265": len(gate),
        "l5-270": macs("MobileNet"),
        "l5-271": params("MobileNet"),
        "l5-273": macs("GoogLeNet"),
        "l5-274": params("GoogLeNet"),
        "l5-276": convolutions,
        "l5-277": params("VGG16"),
    }


# --- lessons 15 and 16: the CIFAR-10 table, EfficientNet ---


def fractalnet():
    """Larsson et al. 2016: five blocks of three columns, each convolution with bias and normalization.

    A block of three columns has 7 convolutions; three of them, the first of each column, see its input.
    """
    total, maps = 0, 3
    for width in (64, 128, 256, 512, 512):
        total += 9 * width * (3 * maps + 4 * width) + 7 * 3 * width
        maps = width
    return total + (maps + 1) * 10


@topic
def cifar_table():
    return {
        "l5-279": 3.74 - 3.65,
        "l5-288": 5 * 2 ** (3 - 1) + 1,  # three columns: blocks of 4 layers
        "l5-289": fractalnet(),
        "l5-291": params("ResNet110"),
        "l5-295": at_depth(params, "CifarResNet", 8, 14, 1202),
        "l5-296": f"{params('WRN16_8'):,} / {params('WRN28_10'):,}",
        "l5-298": f"{params('PreActResNet164'):,} / {at_depth(params, 'PreActResNet', 11, 20, 1001):,}",
        "l5-300": params("DenseNet40"),
        "l5-302": params("DenseNet100"),
        "l5-304": params("DenseNet100", growth_rate=24),
        "l5-306": weight_layers(net("DenseNetBC190")),
        "l5-307": params("DenseNetBC190"),
        "l5-313": f"{82.7 - 81.5:.1f}%",
        "l5-314": f"{32.0 - 23.8:.1f} billion",
        "l5-315": f"{(32.0 - 23.8) / 32.0:.1%}",
    }


@topic
def efficientnet():
    return {
        "l5-319": 557 / 66,
        "l5-320": 19.0 / 3.1,
        "l5-322": macs("EfficientNetB0"),
        "l5-328": 1.2 * 1.1**2 * 1.15**2,
    }


# --- lesson 18: SimpNet ---


def plain(widths, *, pointwise=(), bare=(), classes=10):
    """Convolutions 3x3 with bias and normalization, then one dense layer; all are trained.

    Args:
        pointwise: the convolutions, counted from 0, that are 1x1.
        bare: those without normalization.
    """
    total, maps = 0, 3
    for i, width in enumerate(widths):
        total += (1 if i in pointwise else 9) * maps * width + width + (0 if i in bare else 2 * width)
        maps = width
    return total + (maps + 1) * classes


@topic
def simpnet():
    """Widths of the authors' Caffe files: Coderx7/SimpNet on GitHub, SimpNetV2/Experiments."""
    end = {"pointwise": (11, 12)}
    cifar100 = {"classes": 100}
    deep = (30, 40, 40, 40, 50, 50, 50, 50, 50, 50, 58, 58, 58, 70, 90)  # two layers more: 5 and 11
    # Their ResNet-32 has a bias in each convolution, and 2x2 convolutions with normalization as shortcuts.
    biases = sum(filters("ResNet32", ("stem", "_conv1", "_conv2")))
    shortcuts = sum(4 * maps * width + 3 * width for maps, width in [(16, 32), (32, 64)])
    resnet32 = params("ResNet32") + biases + shortcuts
    # Their SqueezeNet normalizes all convolutions but three.
    squeezenet = {layer.name: layer.filters for layer in net("SqueezeNet1_1", classes=10).layers
                  if isinstance(layer, layers.Conv2D)}  # fmt: skip
    normalized = sum(squeezenet.values()) - sum(
        squeezenet[name] for name in ("fire2_squeeze", "fire4_expand1x1", "conv10")
    )
    return {
        "l5-330": plain((41, 43, 70, 70, 70, 70, 85, 90)),
        "l5-332": plain((44, 44, 57, 57, 57, 57, 75, 85, 96)),
        "l5-334": plain((40, 40, 40, 55, 55, 55, 55, 75, 85, 95)),
        "l5-336": params("SimpNet", variant="slim-300k"),
        "l5-338": plain((64, 64, 128, 128, 256, 256)),
        "l5-340": plain((32, 48, 48, 96, 96, 96, 96, 96, 96, 96)),
        "l5-363": plain((64, 128, 128, 256, 256, 256, 384, 384, 512, 512)),
        "l5-365": plain((150, 200, 200, 300, 300, 300, 300, 300, 512, 512)),
        "l5-367": plain((19, *[16] * 7, *[32] * 3, 252, 300), **end),
        "l5-369": plain((19, *[25] * 7, *[56] * 3, 110, 110), **end),
        "l5-342": params("SqueezeNet1_1", classes=10),
        "l5-344": params("SqueezeNet1_1", classes=10) + 2 * normalized,
        "l5-346": params("SimpNet", variant="slim-300k"),
        "l5-348": params("SimpNet", variant="slim-600k"),
        "l5-350": plain((36, 44, 44, 44, 55, 55, 55, 55, 55, 62, 62, 71, 100), **cifar100),
        "l5-352": plain(deep, bare=(5, 11), **cifar100),
        "l5-354": plain(deep, bare=(5, 11), **cifar100),
        "l5-356": resnet32,
        "l5-358": resnet32,
        "l5-361": 600 / 200,
        "l5-362": 6 / 2,
    }


# --- the comparison ---


@cache
def all_rows():
    return {row["id"]: row for name in claims.topics() for row in claims.rows(name)}


@pytest.mark.parametrize("name", TOPICS)
def test_the_true_value_is_what_comes_out(name):
    rows, found = all_rows(), TOPICS[name]()
    differing = {
        key: (value, rows[key]["true_value"])
        for key, value in found.items()
        if not claims.agrees(value, rows[key]["true_value"])
    }
    assert found and differing == {}


def test_every_row_is_recomputed_or_sourced_or_not_verified():
    recomputed = {key for function in TOPICS.values() for key in function()}
    assert recomputed <= set(all_rows())
    groups = {"recomputed": [], "with a source that was read": [], "not verified": []}
    for key, row in all_rows().items():
        if key in recomputed:
            groups["recomputed"].append(key)
        elif row["provenance"] == "re-read":
            assert len(row["source"]) > 5, row
            groups["with a source that was read"].append(key)
        else:
            assert row["provenance"] == "from memory" and row["verdict"] == "", row
            groups["not verified"].append(key)
    sizes = Counter({name: len(keys) for name, keys in groups.items()})
    print("\n" + ", ".join(f"{number} {name}" for name, number in sizes.items()))
    assert sizes.total() == len(all_rows()) and sizes["recomputed"] > sizes.total() / 2


def test_a_value_belongs_to_one_function():
    keys = [key for function in TOPICS.values() for key in function()]
    assert len(keys) == len(set(keys))
