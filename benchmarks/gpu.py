"""Networks on a GPU: right as on the CPU, and how many images a second beside PyTorch.

    KERAS_BACKEND=jax python benchmarks/gpu.py                          all parts
    KERAS_BACKEND=jax python benchmarks/gpu.py --only resnet50 --results FOLDER
    KERAS_BACKEND=jax python benchmarks/gpu.py --tiny                   a trial on a CPU; writes nothing

Needs this repository, Keras, JAX (with its SciPy) and NumPy; beside it PyTorch and timm, where installed.
Each part writes its page, benchmarks/results/gpu-PART.md; what fails stands there, and the next
part goes on. Only `--tiny` on a processor was ever run (also in `make test-jax`), beside PyTorch too: nothing
on a GPU.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_CLIENT_MEM_FRACTION", "0.45")  # JAX takes this much at once: leave PyTorch as much

import jax
import keras
import numpy as np
from _chips import fraction, peak_of
from _pairs import Ratio, gap, interleave, median, options, write

from course_lib import architectures, devices
from course_lib.accounting import totals

sys.path.append(str(Path(__file__).parents[1] / "tests" / "architectures"))

NETWORKS = {  # part -> (builder, its arguments, side of the images, images in a step, both in a trial)
    "resnet50": ("ResNet50", {"stride_on": "3x3"}, 224, 256, (64, 2)),  # as timm's
    "resnet20": ("ResNet20", {}, 32, 1024, (32, 4)),
    "wrn16_8": ("WRN16_8", {}, 32, 512, (32, 2)),
}
TOLERANCE = 1e-3
HEAD = (
    "| what | images/s (interval) | of the peak | PyTorch, images/s | ratio (ours / PyTorch) | ours is |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def correctness(chosen) -> tuple[list[str], bool]:
    """Outputs and gradients of each family's tiny network on the accelerator and on the CPU, in float32.

    Returns:
        The lines of its page, and whether all are right.
    """
    from tiny import TINY

    devices.set_precision("float32")
    rows = [
        f"| network | outputs | gradients, the worst weight | within {TOLERANCE:g} | outputs in TF32 |",
        "| --- | --- | --- | --- | --- |",
    ]
    all_right = True
    for name in list(TINY)[: 2 if chosen.tiny else None]:
        keras.utils.set_random_seed(0)
        model, rng = TINY[name](), np.random.default_rng(0)
        images = rng.random((4, *model.input_shape[1:]), dtype="float32")
        direction = rng.normal(size=(4, *model.output_shape[1:])).astype("float32")

        def loss(weights, others, images, model=model, direction=direction):
            outputs, _ = model.stateless_call(weights, others, images, training=False)
            return (jax.numpy.asarray(outputs) * direction).sum(), outputs

        def on(device, loss=loss, model=model, images=images):
            """Outputs, and a gradient for each weight."""
            values = [
                [v.value for v in model.trainable_variables],
                [v.value for v in model.non_trainable_variables],
            ]
            (_, outputs), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(
                *jax.device_put([*values, images], device)
            )
            return np.asarray(outputs), [np.asarray(part) for part in gradients]

        (true, true_gradients), (outputs, gradients) = on(jax.devices("cpu")[0]), on(jax.devices()[0])
        with jax.default_matmul_precision("tensorfloat32"):
            rough, _ = on(jax.devices()[0])
        # A gradient that is 0 but for rounding (a bias before a normalization) is measured by the longest.
        least = TOLERANCE * max(np.linalg.norm(part) for part in true_gradients)
        worst = np.max([gap(*pair, least) for pair in zip(gradients, true_gradients, strict=True)])
        right = gap(outputs, true) < TOLERANCE and worst < TOLERANCE  # False for NaN, too
        all_right &= right
        cells = (
            f"{gap(outputs, true):.1e}",
            f"{worst:.1e}",
            "yes" if right else "**no**",
            f"{gap(rough, true):.1e}",
        )
        rows.append(f"| {name} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return ["## As on the CPU, in float32: relative length of the difference", "", *rows], all_right


def keras_sides(model: keras.Model, batch: int, steps: int) -> dict[str, Callable]:
    """Two functions of `steps` steps each; images and labels stay on the device."""
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    error = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    images = jax.device_put(rng.random((batch, *model.input_shape[1:]), dtype="float32").astype("bfloat16"))
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

    return {"training": train, "inference": predict}


def pytorch(part: str, side: int, batch: int, steps: int, parameters: int) -> tuple[dict[str, Callable], str]:
    """The same of the network in PyTorch, and its versions; or {} and why there is none."""
    needed = ["torch", *(["timm"] if part == "resnet50" else [])]
    if missing := [name for name in needed if not find_spec(name)]:
        return {}, f"{' and '.join(missing)} not installed"
    try:
        import _torch_side

        place = "cpu" if jax.default_backend() == "cpu" else "cuda"
        sides = _torch_side.torch_sides(part, side, batch, steps, parameters=parameters, place=place)
        for run in sides.values():
            run()  # compiles: what fails, fails here
        return sides, _torch_side.about()
    except Exception as error:  # ours is timed all the same
        traceback.print_exc()
        return {}, f"PyTorch failed: {type(error).__name__}: {str(error)[:300]}"


def speed(part: str, chosen) -> tuple[list[str], bool]:
    """Images a second in bfloat16, training and inference, in turn with PyTorch where it is installed.

    Returns:
        The lines of its page, and True: a slow network is not a wrong one.
    """
    name, arguments, side, batch, trial = NETWORKS[part]
    side, batch = trial if chosen.tiny else (side, batch)
    steps, peak = (1, None) if chosen.tiny else (20, peak_of(jax.devices()[0].device_kind, chosen.peak))
    devices.set_precision("mixed_bfloat16")
    model = architectures.build(name, input_shape=(side, side, 3), classifier_activation=None, **arguments)
    counted = totals(model)
    ours = keras_sides(model, batch, steps)
    other, about = pytorch(part, side, batch, steps, counted.trainable_params)
    rows = []
    for kind, run in ours.items():
        times = interleave([run, *([other[kind]] if other else [])], chosen.pairs, warm_up=2).T
        rates = median(steps * batch / times[0])
        cells = ["none", "", ""]
        if other:
            ratio = Ratio.of(times[0], times[1])
            interval = f"{ratio.middle:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
            cells = [f"{np.median(steps * batch / times[1]):.0f}", interval, ratio.verdict]
        share = fraction(rates[0], counted.macs, kind == "training", peak)
        rate = "{:.0f} ({:.0f} to {:.0f})".format(*rates)
        row = [f"{kind}, {batch} images of {side}x{side}", rate, share, *cells]
        rows.append(f"| {' | '.join(row)} |")
        print(rows[-1], flush=True)
    named = ", ".join([name, *(f"{key}={value!r}" for key, value in arguments.items())])
    facts = f"{counted.trainable_params:,} parameters, {counted.macs:,} MACs an image. PyTorch: {about}."
    return [f"## {named}, mixed_bfloat16", "", facts, "", HEAD, *rows], True


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
    begin, failed = time.monotonic(), []
    for part in parts:
        if time.monotonic() - begin > 60 * chosen.minutes:
            failed.append(f"{part} was left out: {chosen.minutes:g} minutes were over")
            continue
        try:
            lines, right = PARTS[part](chosen)
        except Exception as error:  # the next part goes on
            traceback.print_exc()
            lines, right = [f"**It failed**: {type(error).__name__}: {str(error)[:300]}"], False
        if not right:
            failed.append(f"{part} is not right: see its page")
        if not chosen.tiny:
            write(f"gpu-{part}", "On a GPU", lines, chosen.results, script="gpu")
        keras.backend.clear_session()
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
