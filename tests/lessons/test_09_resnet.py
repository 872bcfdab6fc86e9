"""Planted answers for lesson 9: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("09_resnet")


# --- bottleneck --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, words",
    [
        ("return (2 * channels * inner + 9 * inner**2) / (18 * channels**2)", "Upside down"),
        ("return 9 * channels**2 / (2 * channels * inner + 9 * inner**2)", "has two convolutions"),
        ("return 18 * inner**2 / (2 * channels * inner + 9 * inner**2)", "not on `inner` ones"),
        ("return 18 * channels**2 / (channels * inner + 9 * inner**2)", "second 1x1"),
        ("return 18 * channels**2 / (2 * channels * inner + inner**2)", "nine weights"),
        (
            "return (18 * channels**2 + 2 * channels) / (2 * channels * inner + 9 * inner**2 + 2 * inner"
            " + channels)",
            "No biases",
        ),
        ("return 18 * channels**2 - (2 * channels * inner + 9 * inner**2)", "divide"),
        ("return 1179648 / 69632", "must work for any two numbers"),
        ("18 * channels**2", "is there a return?"),
    ],
)
def test_bottleneck_saving_wrong(body, words):
    lesson.assert_hinted("bottleneck_saving", lesson.body("bottleneck_saving", body), words)


def test_bottleneck_saving_with_the_shown_cases_learned_by_heart_fails_the_hidden_tests():
    body = "return {256: 1179648 / 69632, 512: 1179648 / 69632, 64: 73728 / 45056}.get(channels, 1)"
    lesson.assert_only_hidden_tests_fail("bottleneck_saving", lesson.body("bottleneck_saving", body))


def test_bottleneck_saving_right_in_other_words():
    answer = """
        def bottleneck_saving(channels, inner):
            def weights(*convs):
                return sum(window**2 * a * b for window, a, b in convs)

            wide = weights((3, channels, channels), (3, channels, channels))
            return wide / weights((1, channels, inner), (3, inner, inner), (1, inner, channels))
    """
    lesson.assert_passes("bottleneck_saving", answer)


# --- BatchNormalization, forward ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("gamma * (x - mean)", "(x - mean)", "gamma"),
        (" + beta", "", "beta is missing"),
        (
            "gamma * (x - mean) / np.sqrt(variance + epsilon) + beta",
            "(x - mean) / variance**0.5",
            "gamma and",
        ),
        ("np.sqrt(variance + epsilon) + beta", "(variance + epsilon) + beta", "root of the variance"),
        ("tuple(range(x.ndim - 1))", "0", "one mean for each channel".capitalize()),
        ("    if training:\n", "    if False:\n", "not the moving ones"),
        ("    if training:\n", "    if True:\n", "At inference the batch must not matter"),
        (
            "momentum * moving_mean + (1 - momentum) * mean",
            "(1 - momentum) * moving_mean + momentum * mean",
            "Turned round",
        ),
        ("momentum * moving_variance + (1 - momentum) * variance", "variance", "only a tenth of the way"),
        ("(1 - momentum) * variance", "(1 - momentum) * np.sqrt(variance)", "not the standard deviation"),
        ("momentum * moving_mean + (1 - momentum) * mean", "moving_mean", "has not moved"),
        ("return y, moving_mean, moving_variance", "return y", "Return three things"),
        (
            "moving_mean = momentum * moving_mean + (1 - momentum) * mean",
            "moving_mean *= momentum\n        moving_mean += (1 - momentum) * mean",
            "changed an array",
        ),
        ("tuple(range(x.ndim - 1))", "(0, 1, 2)", ""),
    ],
)
def test_batch_norm_wrong(old, new, words):
    lesson.assert_hinted("batch_norm", lesson.changed("batch_norm", old, new), words)


@pytest.mark.parametrize(
    "old, new",
    [
        ("(1 - momentum) * variance", "0.1 * variance"),
        ("variance + epsilon", "variance + 1e-5"),
        ("np.sqrt(variance + epsilon)", "np.sqrt(variance)"),
    ],
)
def test_batch_norm_wrong_only_in_the_hidden_tests(old, new):
    lesson.assert_only_hidden_tests_fail("batch_norm", lesson.changed("batch_norm", old, new))


def test_batch_norm_right_in_other_words():
    answer = """
        def batch_norm(x, gamma, beta, moving_mean, moving_variance, training, momentum=0.9, epsilon=1e-5):
            flat = x.reshape(-1, x.shape[-1])
            used = (flat.mean(0), ((flat - flat.mean(0)) ** 2).mean(0))
            old = (moving_mean, moving_variance)
            if training:
                new = [a + (1 - momentum) * (b - a) for a, b in zip(old, used)]
            else:
                used = new = old
            slope = gamma * (used[1] + epsilon) ** -0.5
            return slope * x + (beta - slope * used[0]), *new
    """
    lesson.assert_passes("batch_norm", answer)


# --- BatchNormalization, backward --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("(dy - dy.mean(axis=axes) - hat * (dy * hat).mean(axis=axes))", "dy", "two terms are missing"),
        (" - hat * (dy * hat).mean(axis=axes)", "", "third term"),
        ("dy - dy.mean(axis=axes) - hat", "dy - hat", "second term"),
        ("gamma / std", "1 / std", "gamma is missing"),
        ("gamma / std", "gamma", "division by the standard deviation"),
        ("gamma / std", "gamma / std**2", "not by the variance"),
        (", dy.sum(axis=axes)", ", dy.mean(axis=axes)", "you took the mean"),
        ("(dy * hat).sum(axis=axes)", "(dy * hat).mean(axis=axes)", "you took the mean"),
        ("(dy * hat).sum(axis=axes)", "(dy * x).sum(axis=axes)", "normalized"),
        (
            "(dy * hat).sum(axis=axes), dy.sum(axis=axes)",
            "dy.sum(axis=axes), (dy * hat).sum(axis=axes)",
            "order",
        ),
        ("return dx, (dy * hat).sum(axis=axes), dy.sum(axis=axes)", "return dx", "Return three things"),
    ],
)
def test_batch_norm_backward_wrong(old, new, words):
    lesson.assert_hinted("batch_norm_backward", lesson.changed("batch_norm_backward", old, new), words)


def test_batch_norm_backward_that_ignores_epsilon_fails_the_hidden_tests():
    answer = lesson.changed("batch_norm_backward", " + epsilon", "")
    lesson.assert_only_hidden_tests_fail("batch_norm_backward", answer)


def test_batch_norm_backward_right_in_other_words():
    answer = """
        def batch_norm_backward(dy, x, gamma, epsilon=1e-5):
            n, channels = x[..., 0].size, x.shape[-1]
            dx, dgamma, dbeta = np.empty(x.shape), np.empty(channels), np.empty(channels)
            for k in range(channels):
                a, d = x[..., k].astype(float), dy[..., k].astype(float)
                centred = a - a.mean()
                variance = (centred**2).sum() / n + epsilon
                hat = centred / np.sqrt(variance)
                dgamma[k], dbeta[k] = (d * hat).sum(), d.sum()
                dvariance = -0.5 * (d * gamma[k] * centred).sum() * variance**-1.5
                dmean = -(d * gamma[k]).sum() / np.sqrt(variance)
                dx[..., k] = d * gamma[k] / np.sqrt(variance) + dvariance * 2 * centred / n + dmean / n
            return dx, dgamma, dbeta
    """
    lesson.assert_passes("batch_norm_backward", answer)


# --- the residual block ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        (", use_bias=False", "", "have biases"),
        ("y = layers.BatchNormalization()(y)\n    if", "if", "follows *each*"),
        ("layers.Add()([x, y])", "y", "where is the shortcut"),
        ("layers.ReLU()(layers.Add()([x, y]))", "layers.Add()([x, y])", "last ReLU comes after the sum"),
        ("layers.ReLU()(layers.Add()([x, y]))", "layers.Add()([x, layers.ReLU()(y)])", "after the sum"),
        ("if strides != 1 or x.shape[-1] != filters:", "if True:", "the shortcut is x itself"),
        ("if strides != 1 or x.shape[-1] != filters:", "if False:", "stopped with"),
        ("layers.ReLU()(layers.BatchNormalization()(y))", "layers.BatchNormalization()(y)", "The order"),
        (
            "layers.ReLU()(layers.BatchNormalization()(y))",
            "layers.BatchNormalization()(layers.ReLU()(y))",
            "The order",
        ),
        ("        x = layers.BatchNormalization()(x)\n", "", "has a BN, too"),
        (
            "        x = layers.BatchNormalization()(x)\n",
            "        x = layers.ReLU()(layers.BatchNormalization()(x))\n",
            "no ReLU before the sum",
        ),
        ("(filters, 3, padding=", "(filters, 3, strides=strides, padding=", ""),
        ("(filters, 1, strides=strides", '(filters, 3, padding="same", strides=strides', "1x1 window"),
        ("return layers.ReLU()", "layers.ReLU()", ""),
    ],
)
def test_residual_block_wrong(old, new, words):
    lesson.assert_hinted("residual_block", lesson.changed("residual_block", old, new), words)


@pytest.mark.parametrize("condition", ["strides != 1", "x.shape[-1] != filters"])
def test_residual_block_that_projects_in_one_case_only_fails_the_hidden_tests(condition):
    answer = lesson.changed("residual_block", "strides != 1 or x.shape[-1] != filters", condition)
    lesson.assert_only_hidden_tests_fail("residual_block", answer)


def test_residual_block_right_in_other_words():
    answer = """
        def conv(x, filters, window, strides):
            x = keras.layers.Conv2D(filters, window, strides, "same", use_bias=False)(x)
            return keras.layers.BatchNormalization(epsilon=1e-5)(x)

        def residual_block(x, filters, strides=1):
            same = strides == 1 and x.shape[-1] == filters
            shortcut = x if same else conv(x, filters, 1, strides)
            f = conv(keras.ops.relu(conv(x, filters, 3, strides)), filters, 3, 1)
            return keras.layers.Activation("relu")(shortcut + f)
    """
    lesson.assert_passes("residual_block", answer)


# --- the depth experiment ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        (")[-1] for", ")[0] for", "first epoch"),
        (
            'train(depth, kind == "residual", seed)[-1]',
            'min(train(depth, kind == "residual", seed))',
            "best epoch",
        ),
        ("np.median(", "np.mean(", "median"),
        ("np.median(", "np.min(", "best seed"),
        ("np.median(np.where(np.isnan(ends), np.inf, ends))", "np.median(ends)", "your median is NaN"),
        ("np.median(np.where(np.isnan(ends), np.inf, ends))", "np.nanmedian(ends)", "left out the runs"),
        ('kind == "residual"', 'kind == "plain"', "are exchanged"),
        ("for seed in seeds", "for seed in seeds[:1]", "yours used [0]"),
        (
            'train(depth, kind == "residual", seed)',
            'train(depth, kind == "residual", seeds[0])',
            "yours used [0]",
        ),
        ("    return result", "    return result['plain']", 'Return {"plain"'),
    ],
)
def test_depth_experiment_wrong(old, new, words):
    lesson.assert_hinted("depth_experiment", lesson.changed("depth_experiment", old, new), words)


def test_depth_experiment_that_trains_twice():
    old = "ends = np.array("
    new = 'again = [train(depth, kind == "residual", seed) for seed in seeds]\n            ends = np.array('
    answer = lesson.changed("depth_experiment", old, new)
    lesson.assert_hinted("depth_experiment", answer, "each network once")


def test_depth_experiment_with_fixed_kinds_of_depth_fails():
    answer = lesson.changed("depth_experiment", "for depth in depths", "for depth in (20, 32, 56)")
    assert lesson.state("depth_experiment", answer) == "failed"


def test_depth_experiment_right_in_other_words():
    answer = """
        def depth_experiment(train, depths, seeds):
            def middle(depth, residual):
                ends = []
                for seed in seeds:
                    *_, last = train(depth, residual, seed)
                    ends.append(last if last == last else float("inf"))
                ends.sort()
                half = len(ends) // 2
                return ends[half] if len(ends) % 2 else (ends[half - 1] + ends[half]) / 2

            kinds = {"residual": True, "plain": False}
            return {kind: {depth: middle(depth, flag) for depth in depths} for kind, flag in kinds.items()}
    """
    lesson.assert_passes("depth_experiment", answer)
