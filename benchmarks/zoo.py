"""Our builders beside their `keras.applications` twins, and grouped convolution beside Keras' own.

    .venv/bin/python benchmarks/zoo.py      about five minutes on two cores

Building the graph, building it with weights, and one training step (forward, backward, SGD) on random images.
Writes benchmarks/results/zoo.md.
"""

from functools import partial

import keras
import numpy as np
from _pairs import HEAD, compare, write

from course_lib import architectures, transfer
from course_lib.accounting import unallocated
from course_lib.layers import GroupedConv2D

WHY = """Where building with weights is slower, the graph is not: it is the draw of the initial weights. He's
truncated normal numbers (the papers', for ReLU) cost several times what Glorot's uniform ones do, which
`keras.applications` takes. The last row has the two side by side, for 3x3 filters, 512 to 512 channels."""

NETWORKS = {  # name -> (side of the images, images in a step): a step of half a second or so
    "VGG16": (64, 4),
    "ResNet50": (96, 4),
    "DenseNet121": (96, 4),
    "MobileNet": (128, 8),
    "MobileNetV2": (128, 8),
    "NASNetMobile": (96, 4),
    "EfficientNetB0": (96, 4),
}


DRAWS = ("he_normal", "glorot_uniform")


def step(model: keras.Model, size: tuple[int, ...], classes: int = 10):
    """A function that trains the model for one step on always the same random batch."""
    images = np.random.default_rng(0).random(size, dtype="float32")
    labels = np.arange(size[0]) % classes
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    return lambda: model.train_on_batch(images, labels)


def graph_of(build):
    """A function that builds the same network without its weights."""

    def without_weights():
        with unallocated():
            return build()

    return without_weights


def networks() -> list[str]:
    rows = []
    for name, (side, batch) in NETWORKS.items():
        shape = (side, side, 3)
        own = {"include_top": False, "pooling": "avg", "input_shape": shape}
        twin = getattr(keras.applications, transfer.TWINS[name].name)

        def ours(name=name, own=own):
            return architectures.build(name, **own)

        def theirs(twin=twin, own=own):
            return twin(weights=None, **own)

        rows.append(f"| {name}, graph | {compare(graph_of(ours), graph_of(theirs)).cells()} |")
        rows.append(f"| {name}, graph and weights | {compare(ours, theirs).cells()} |")
        models = []
        for build in (ours, theirs):
            features = build()
            scores = keras.layers.Dense(10, activation="softmax")(features.output)
            models.append(keras.Model(features.input, scores))
        steps = [step(model, (batch, *shape)) for model in models]
        ratio = compare(*steps, pairs=15, warm_up=3)
        rows.append(f"| {name}, training step, {batch} images of {side}x{side} | {ratio.cells()} |")
        print(*rows[-3:], sep="\n", flush=True)
        keras.backend.clear_session()
    draws = [partial(keras.initializers.get(kind), (3, 3, 512, 512)) for kind in DRAWS]
    rows.append(f"| {' beside '.join(DRAWS)}, 2.4 M numbers | {compare(*draws, pairs=30).cells()} |")
    return rows


def grouped() -> list[str]:
    rows = []
    for filters, side, size, groups in ((256, 27, 5, 2), (128, 28, 3, 32)):
        shape = (side, side, 96 if groups == 2 else 128)
        steps = []
        for layer in (GroupedConv2D, keras.layers.Conv2D):
            model = keras.Sequential(
                [
                    keras.Input(shape),
                    layer(filters, size, padding="same", groups=groups),
                    keras.layers.GlobalAveragePooling2D(),
                    keras.layers.Dense(10, activation="softmax"),
                ]
            )
            steps.append(step(model, (16, *shape)))
        ratio = compare(*steps, warm_up=2)
        what = (
            f"{groups} groups, {shape[-1]} to {filters} channels, {size}x{size}, 16 images of {side}x{side}"
        )
        rows.append(f"| {what} | {ratio.cells()} |")
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    lines = ["## Networks beside `keras.applications`", "", HEAD, *networks(), "", WHY, ""]
    lines += [
        "## A training step of a grouped convolution beside `keras.layers.Conv2D(groups=...)`",
        "",
        HEAD,
    ]
    write("zoo", "The zoo's speed", [*lines, *grouped()])
