"""Networks on a GPU: right as on the CPU, and how many images a second beside PyTorch.

    KERAS_BACKEND=jax python benchmarks/gpu.py                          all parts
    KERAS_BACKEND=jax python benchmarks/gpu.py --only resnet50 --minutes 5
    KERAS_BACKEND=jax python benchmarks/gpu.py --tiny                   a trial on a CPU; writes nothing

Needs this repository, Keras, JAX (with its SciPy) and NumPy; beside it PyTorch and timm, where installed.
Writes benchmarks/results/gpu.md anew after each part. Only `--tiny` on a CPU without PyTorch was ever run,
which compares the CPU with itself: nothing on a GPU, no page written, no PyTorch side (_torch_side.py).
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from _pairs import Ratio, interleave, median, options, write

from course_lib import architectures, devices
from course_lib.accounting import totals

sys.path.append(str(Path(__file__).parents[1] / "tests" / "architectures"))

# Dense bfloat16 TFLOPS in the makers' data sheets (not verified here; --peak replaces them).
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L4": 121}
NETWORKS = {  # part -> (builder, side of the images, images in a step, the same in a trial)
    "resnet50": ("ResNet50", 224, 256, (64, 2)),
    "resnet20": ("ResNet20", 32, 1024, (32, 4)),
    "wrn16_8": ("WRN16_8", 32, 512, (32, 2)),
}
HEAD = (
    "| network | images/s (interval) | of the peak | PyTorch, images/s | ratio (ours / PyTorch) | ours is |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def peak_of(device: str, given: float | None = None) -> float | None:
    """TFLOPS of the chip in bfloat16, or None where unknown.

    >>> peak_of("NVIDIA H200"), peak_of("NVIDIA A100-SXM4-80GB"), peak_of("cpu"), peak_of("cpu", given=2.5)
    (989, 312, None, 2.5)
    >>> peak_of("NVIDIA H100 PCIe")  # slower than the H100 for servers: name it with --peak
    """
    words = device.replace("-", " ").split()
    if {"PCIe", "NVL"} & set(words) and "H100" in words:
        return given
    return given or next((peak for name, peak in PEAKS.items() if name in words), None)


def fraction(images_per_second: float, macs: int, training: bool, peak: float | None) -> str:
    """Share of the peak: 2 operations a MAC, three times as many in training (forward, and two backward).

    >>> fraction(1000, macs=4 * 10**9, training=True, peak=240)
    '10.0 %'
    """
    if peak is None:
        return "unknown peak"
    return f"{images_per_second * macs * 2 * (3 if training else 1) / (peak * 1e12):.1%}".replace("%", " %")


def correctness(chosen) -> list[str]:
    """Outputs and gradients of each family's tiny network on the accelerator and on the CPU, in float32."""
    from tiny import TINY

    devices.set_precision("float32")
    rows = [
        "| network | outputs differ by | gradients differ by | within 1e-3 |",
        "| --- | --- | --- | --- |",
    ]
    names = list(TINY)[: 2 if chosen.tiny else None]
    for name in names:
        keras.utils.set_random_seed(0)
        model = TINY[name]()
        images = np.random.default_rng(0).random((4, *model.input_shape[1:]), dtype="float32")

        def loss(weights, others, images, model=model):
            outputs, _ = model.stateless_call(weights, others, images, training=False)
            outputs = jax.numpy.asarray(outputs)
            return (outputs**2).sum(), outputs

        def on(device, loss=loss, model=model, images=images):
            values = [
                [v.value for v in model.trainable_variables],
                [v.value for v in model.non_trainable_variables],
            ]
            (_, outputs), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(
                *jax.device_put([*values, images], device)
            )
            return np.asarray(outputs), np.concatenate([np.ravel(part) for part in gradients])

        pairs = list(zip(on(jax.devices("cpu")[0]), on(jax.devices()[0]), strict=True))
        gaps = [np.abs(ours - other).max() / max(1, np.abs(ours).max()) for ours, other in pairs]
        rows.append(f"| {name} | {gaps[0]:.1e} | {gaps[1]:.1e} | {'yes' if max(gaps) < 1e-3 else '**no**'} |")
        print(rows[-1], flush=True)
    return ["## As on the CPU, in float32 (relative to the largest value)", "", *rows]


def keras_sides(name: str, side: int, batch: int, steps: int) -> tuple[keras.Model, dict[str, Callable]]:
    """The network, and two functions of `steps` steps each; images and labels stay on the device."""
    model = architectures.build(name, input_shape=(side, side, 3), classifier_activation=None)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    error = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    images = jax.device_put(rng.random((batch, side, side, 3), dtype="float32").astype("bfloat16"))
    labels = jax.device_put(np.arange(batch) % 10)

    def loss(weights, others, images, labels):
        scores, others = model.stateless_call(weights, others, images, training=True)
        return error(labels, scores), others

    @partial(jax.jit, donate_argnums=(0, 1, 2))  # the new state takes the old one's memory
    def step(weights, others, slots, images, labels):
        (_, others), gradients = jax.value_and_grad(loss, has_aux=True)(weights, others, images, labels)
        weights, slots = optimizer.stateless_apply(slots, gradients, weights)
        return weights, others, slots

    infer = jax.jit(lambda weights, others, images: model.stateless_call(weights, others, images)[0])
    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = tuple([variable.value for variable in group] for group in groups)

    def train():
        nonlocal state
        for _ in range(steps):
            state = step(*state, images, labels)
        jax.block_until_ready(state)

    def predict():
        for _ in range(steps):
            scores = infer(*state[:2], images)
        jax.block_until_ready(scores)

    return model, {"training": train, "inference": predict}


def speed(part: str, chosen) -> list[str]:
    """Images a second in bfloat16, training and inference, in turn with PyTorch where it is installed."""
    name, side, batch, trial = NETWORKS[part]
    side, batch = trial if chosen.tiny else (side, batch)
    steps, peak = (1, None) if chosen.tiny else (20, peak_of(jax.devices()[0].device_kind, chosen.peak))
    devices.set_precision("mixed_bfloat16")
    model, ours = keras_sides(name, side, batch, steps)
    other = {}
    if find_spec("torch") and (part != "resnet50" or find_spec("timm")):
        from _torch_side import torch_sides

        other = torch_sides(part, side, batch, steps, parameters=totals(model).trainable_params)
    rows = []
    for kind, run in ours.items():
        times = interleave([run, *([other[kind]] if other else [])], chosen.pairs, warm_up=2).T
        rates = median(steps * batch / times[0])
        cells = ["not installed", "", ""]
        if other:
            ratio = Ratio.of(times[0], times[1])
            interval = f"{ratio.middle:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
            cells = [f"{np.median(steps * batch / times[1]):.0f}", interval, ratio.verdict]
        share = fraction(rates[0], totals(model).macs, kind == "training", peak)
        rate = "{:.0f} ({:.0f} to {:.0f})".format(*rates)
        row = [f"{name}, {kind}, {batch} images of {side}x{side}", rate, share, *cells]
        rows.append(f"| {' | '.join(row)} |")
        print(rows[-1], flush=True)
    return [f"## {name}, mixed_bfloat16", "", HEAD, *rows]


PARTS = {"correctness": correctness} | {part: partial(speed, part) for part in NETWORKS}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options(__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between (default: all)")
    parser.add_argument("--peak", type=float, metavar="TFLOPS", help="of the chip in bfloat16")
    parser.add_argument("--minutes", type=float, default=25, help="no part begins later (default: 25)")
    parser.add_argument("--tiny", action="store_true", help="small and short: a trial, also on a CPU")
    chosen = parser.parse_args(arguments)
    parts = chosen.only.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}")
    if keras.backend.backend() != "jax":
        parser.error("it times JAX: set KERAS_BACKEND=jax")
    if jax.default_backend() == "cpu" and not chosen.tiny:
        parser.error("no GPU is seen; --tiny tries it on a CPU")
    begin, lines = time.monotonic(), []
    for part in parts:
        if time.monotonic() - begin > 60 * chosen.minutes:
            lines += [f"{part} was left out: {chosen.minutes:g} minutes were over.", ""]
            continue
        lines += [*PARTS[part](chosen), ""]
        keras.backend.clear_session()
        if not chosen.tiny:
            write("gpu", "On a GPU", lines, chosen.results)
    if not chosen.tiny:
        write("gpu", "On a GPU", lines, chosen.results)


if __name__ == "__main__":
    main()
