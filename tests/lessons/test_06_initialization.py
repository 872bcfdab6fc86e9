"""Lesson 06: its checks pass right answers, refuse the likely wrong ones, and say what is wrong."""

import pytest
from planted import Lesson, cases

lesson = Lesson("06_initialization")

# --- right answers, written differently from the lesson's own ---------------------------------------------

RIGHT = {
    "xavier_weights": """
        def xavier_weights(d_in, d_out, rng):
            return rng.normal(0.0, d_in ** -0.5, size=(d_in, d_out)).astype("float32")
    """,
    "he_weights": """
        def he_weights(shape, rng):
            *window, filters = shape
            inputs = 1
            for size in window:
                inputs *= size
            return rng.normal(scale=(2 / inputs) ** 0.5, size=tuple(window) + (filters,))
    """,
    "slide_bug": """
        def relu_stack(x, dims, rng):
            hs = [x]
            for d_out in dims[1:]:
                d_in = hs[-1].shape[1]
                w = rng.normal(size=(d_in, d_out)) / np.sqrt(d_in / 2)
                hs.append((hs[-1] @ w).clip(min=0))
            return hs[1:]

        def printed_growth(d_in):
            std = 1 / np.sqrt(2 / d_in)
            return std * np.sqrt(d_in) / np.sqrt(2)
    """,
    "collapse_depth": """
        def collapse_depth(width, weight_std, threshold, activation):
            square = width * weight_std**2
            if activation == "relu":
                square = square / 2
            if square >= 1:
                return float('inf')
            size, layer = 1.0, 0
            while size >= threshold:
                size *= square**0.5
                layer += 1
            return layer
    """,
    "lsuv_weights": """
        def lsuv_weights(weights, x, phi):
            def rest(weights, h):
                if not weights:
                    return []
                sums = h @ weights[0]
                factor = 1 / sums.std()
                return [weights[0] * factor] + rest(weights[1:], phi(sums * factor))

            return rest(list(weights), x)
    """,
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_a_right_answer_written_differently_passes(exercise):
    lesson.assert_passes(exercise, RIGHT[exercise])


# --- wrong answers ----------------------------------------------------------------------------------------
# exercise: (what is wrong, text of the right answer, text in its place, words of the hint that is shown).
# An empty hint: only the hidden tests see the mistake.

WRONG = {
    "xavier_weights": [
        ("variance for standard deviation", "/ np.sqrt(d_in)", "/ d_in", "is the variance"),
        ("fan-out", "/ np.sqrt(d_in)", "/ np.sqrt(d_out)", "not of d_out"),
        ("multiplied", "/ np.sqrt(d_in)", "* np.sqrt(d_in)", "divide"),
        ("not scaled", " / np.sqrt(d_in)", "", "scale them"),
        ("Glorot's mean", "/ np.sqrt(d_in)", "* np.sqrt(2 / (d_in + d_out))", "slide's form"),
        ("He", "/ np.sqrt(d_in)", "* np.sqrt(2 / d_in)", "for ReLU"),
        ("transposed", "(d_in, d_out))", "(d_out, d_in))", "one column"),
        ("constant", "rng.standard_normal((d_in, d_out))", "np.ones((d_in, d_out))", "are equal"),
        (
            "another generator",
            "rng.standard_normal",
            "np.random.default_rng().standard_normal",
            "the rng that you receive",
        ),
        (
            "uniform from 0",
            "rng.standard_normal((d_in, d_out))",
            "rng.uniform(0, 12**0.5, (d_in, d_out))",
            "mean should be 0",
        ),
        (
            "uniform of the right size",
            "rng.standard_normal((d_in, d_out))",
            "rng.uniform(-(3**0.5), 3**0.5, (d_in, d_out))",
            "not normal numbers",
        ),
        ("hard-coded", "/ np.sqrt(d_in)", "/ 20", ""),
    ],
    "he_weights": [
        ("2 forgotten", "np.sqrt(2 / ", "np.sqrt(1 / ", "forgot the 2"),
        ("uniform", "rng.standard_normal(shape)", "3**0.5 * rng.uniform(-1, 1, shape)", "not normal numbers"),
        ("signs", "rng.standard_normal(shape)", "np.sign(rng.standard_normal(shape))", "not normal numbers"),
        ("another generator", "rng.standard_normal(shape)", "np.random.randn(*shape)", "the rng that you"),
        ("as printed", "* np.sqrt(2", "/ np.sqrt(2", "as the slide prints it"),
        ("no root", "np.sqrt(2 / np.prod(shape[:-1]))", "(2 / np.prod(shape[:-1]))", "take its root"),
        ("channels only", "np.prod(shape[:-1])", "shape[-2]", "every one of the 8 channels"),
        ("first number", "np.prod(shape[:-1])", "shape[0]", "height·width·channels"),
        ("fan-out", "np.prod(shape[:-1])", "(np.prod(shape[:-2]) * shape[-1])", "number of inputs"),
        (
            "fan-out of convolutions",
            "np.prod(shape[:-1])",
            "(shape[0] if len(shape) == 2 else np.prod(shape[:-2]) * shape[-1])",
            "not outputs",
        ),
        ("window only", "np.prod(shape[:-1])", "np.prod(shape[: max(1, len(shape) - 2)])", "full depth"),
        (
            "all numbers",
            "np.prod(shape[:-1])",
            "np.prod(shape[: len(shape) - (len(shape) == 2)])",
            "filters do not belong",
        ),
        (
            "square windows",
            "np.prod(shape[:-1])",
            "np.prod((shape[0],) * (len(shape) // 2) + tuple(shape[2:-1]))",
            "",
        ),
    ],
    "slide_bug": [
        ("still printed", "* np.sqrt(2 / d_in)", "/ np.sqrt(2 / d_in)", "Still exploding"),
        ("Xavier", "* np.sqrt(2 / d_in)", "/ np.sqrt(d_in)", "is the 2 still there"),
        ("no ReLU", "np.maximum(0, x @ (rng.standard_normal((d_in, d_out)) * np.sqrt(2 / d_in)))",
         "x @ (rng.standard_normal((d_in, d_out)) * np.sqrt(1 / d_in))", "ReLU is missing"),
        ("input kept in the list", "hs = []", "hs = [x]", "One array for each layer"),
        ("fan-out", "* np.sqrt(2 / d_in)", "* np.sqrt(2 / d_out)", ""),
        ("another generator", "rng.standard_normal", "np.random.default_rng(0).standard_normal", ""),
        ("std of a weight", "return d_in / 2", "return (d_in / 2) ** 0.5", "std of a weight"),
        ("ReLU forgotten in the growth", "return d_in / 2", "return d_in / 2**0.5", "forgot ReLU"),
        ("mean square", "return d_in / 2", "return d_in**2 / 4", "take the root"),
        ("growth of the mended code", "return d_in / 2", "return 1.0", "printed one is asked"),
        ("hard-coded growth", "return d_in / 2", "return 2048.0", ""),
    ],
    "collapse_depth": [
        ("variance", "math.sqrt(width / (2 if activation == \"relu\" else 1))",
         "weight_std * width / (2 if activation == \"relu\" else 1)", "take its root"),
        ("one too few", "math.log(factor)) + 1", "math.log(factor))", "One too few"),
        ("one too many", "math.log(factor)) + 1", "math.log(factor)) + 2", "One too many"),
        ("ReLU's half for tanh", '(2 if activation == "relu" else 1)', "2", "does not belong to tanh"),
        ("ReLU's half forgotten", '(2 if activation == "relu" else 1)', "1", "half of the mean square"),
        ("half instead of its root", 'math.sqrt(width / (2 if activation == "relu" else 1))',
         'math.sqrt(width) / (2 if activation == "relu" else 1)', "not by 2"),
        ("growth not seen", "if factor >= 1:", "if factor == 1:", "grows"),
        ("a float", "return math.floor(math.log(threshold) / math.log(factor)) + 1",
         "return math.ceil(math.log(threshold) / math.log(factor)) * 1.0", "whole number"),
        ("hard-coded", "    factor = ", "    if 256 < width < 4096: return 3\n    factor = ", ""),
    ],
    "lsuv_weights": [
        ("variance", "np.std(h @ w)", "np.var(h @ w)", "by the variance"),
        ("multiplied", "w / np.std(h @ w)", "w * np.std(h @ w)", "divide by"),
        ("not scaled", "w / np.std(h @ w)", "w / 1", "as it was"),
        ("after the activation", "np.std(h @ w)", "np.std(phi(h @ w))", "before phi"),
        ("unscaled layers below", "h = phi(h @ scaled[-1])", "h = phi(h @ w)", "Only the first layer"),
        ("input for every layer", "h = phi(h @ scaled[-1])", "h = h @ scaled[-1]", "Only the first layer"),
        ("one factor a unit", "np.std(h @ w)", "np.std(h @ w, axis=0)", "One factor for the whole matrix"),
        ("in place", "scaled.append(w /", "w /= np.std(h @ w); scaled.append(w /", "changed the list"),
        ("ReLU only", "h = phi(h @ scaled[-1])", "h = np.maximum(h @ scaled[-1], 0)", ""),
        ("three layers only", "    return scaled", "    return scaled[:3] + list(weights[3:])", ""),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("exercise", "right", "wrong", "hint"), cases(WRONG))
def test_a_wrong_answer_is_refused_with_a_fitting_hint(exercise, right, wrong, hint):
    lesson.assert_refused(exercise, right, wrong, hint)


def test_every_exercise_has_enough_planted_mistakes():
    assert list(RIGHT) == list(WRONG) == lesson.exercises
    assert all(len(rows) >= 4 for rows in WRONG.values())
