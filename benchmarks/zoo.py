"""Our builders beside their `keras.applications` twins.

    .venv/bin/python benchmarks/zoo.py      five minutes on two cores

Building the graph, building it with weights, and one training step (forward, backward, SGD) on random images.
Writes benchmarks/results/zoo.md.
"""

import contextlib
from collections.abc import Sequence
from functools import partial

import keras
import numpy as np
from _pairs import HEAD, compare, options, write

from course_lib import architectures, transfer
from course_lib.accounting import unallocated

WHY = """Building with weights takes longer than building the graph because initial weights are drawn. He's
truncated normal numbers (the papers', for ReLU) cost several times what Glorot's uniform ones do, which
`keras.applications` takes. The last row has the two side by side, for 3x3 filters, 512 to 512 channels. In
the rows "all Glorot's weights" ours draw the cheap numbers, too: what is left there is not the draw."""

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
GLOROT = ("ResNet50", "MobileNet")  # built a second time with the twin's initial weights
GLOROT_UNIFORM = keras.initializers.GlorotUniform(seed=0)


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


@contextlib.contextmanager
def glorot():
    """Inside, He's normal initializer draws Glorot's uniform numbers."""
    he = keras.initializers.HeNormal
    before, he.__call__ = he.__call__, lambda self, shape, dtype=None: GLOROT_UNIFORM(shape, dtype)
    try:
        yield
    finally:
        he.__call__ = before


def networks(pairs: int) -> list[str]:
    rows = []
    for name, (side, batch) in NETWORKS.items():
        shape = (side, side, 3)
        own = {"include_top": False, "pooling": "avg", "input_shape": shape}
        twin = getattr(keras.applications, transfer.TWINS[name].name)

        def ours(name=name, own=own):
            return architectures.build(name, **own)

        def theirs(twin=twin, own=own):
            return twin(weights=None, **own)

        rows.append(f"| {name}, graph | {compare(graph_of(ours), graph_of(theirs), pairs).cells()} |")
        rows.append(f"| {name}, graph and weights | {compare(ours, theirs, pairs).cells()} |")
        if name in GLOROT:
            with glorot():
                cells = compare(ours, theirs, pairs).cells()
            rows.append(f"| {name}, graph and weights, all Glorot's weights | {cells} |")
        models = []
        for build in (ours, theirs):
            features = build()
            scores = keras.layers.Dense(10, activation="softmax")(features.output)
            models.append(keras.Model(features.input, scores))
        steps = [step(model, (batch, *shape)) for model in models]
        ratio = compare(*steps, pairs, warm_up=3)
        rows.append(f"| {name}, training step, {batch} images of {side}x{side} | {ratio.cells()} |")
        print(*rows[-4:], sep="\n", flush=True)
        keras.backend.clear_session()
    draws = [partial(keras.initializers.get(kind), (3, 3, 512, 512)) for kind in DRAWS]
    rows.append(f"| {' beside '.join(DRAWS)}, 2.4 M numbers | {compare(*draws, 2 * pairs).cells()} |")
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__, pairs=15).parse_args(arguments)
    write("zoo", "The zoo's speed", [HEAD, *networks(chosen.pairs), "", WHY], chosen.results)


if __name__ == "__main__":
    main()
