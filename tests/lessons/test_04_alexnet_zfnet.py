"""Planted answers for lesson 4: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("04_alexnet_zfnet")


# --- volumes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("return sizes\n", "return sizes[1:]\n", "begins with the image"),
        ("room // stride + 1", "room // stride", "+ 1"),
        ("room // stride + 1", "room / stride + 1", "divide with //"),
        ("- window + 2 * padding", "- window + padding", "both sides"),
        ("- window + 2 * padding", "- window", "both sides"),
        ("if room < 0 or room % stride:", "if False:", "does not fit into 224"),
        ("start=1", "start=0", "counted from 1"),
        ("room < 0 or room % stride", "room % stride", "larger than a volume of 6"),
        ("room < 0 or room % stride", "room <= 0 or room % stride", "6 with stride 1 does not fit into 6"),
        ("layer {number}: {window} with stride {stride}", "{room / stride + 1} places:", "counted from 1"),
        ("return sizes\n", "sizes\n", "return"),
    ],
)
def test_volume_sizes_wrong(old, new, words):
    lesson.assert_hinted("volume_sizes", lesson.changed("volume_sizes", old, new), words)


def test_volume_sizes_right_in_other_words():
    answer = """
        def volume_sizes(size, stack):
            if not stack:
                return [size]
            *before, (f, s, p) = stack
            done = volume_sizes(size, before)
            places, rest = divmod(done[-1] + p + p - f, s)
            if rest or places < 0:
                raise ValueError(f"No fit in layer {len(stack)}.")
            return [*done, places + 1]
    """
    lesson.assert_passes("volume_sizes", answer)


# --- parameters of groups ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression, words",
    [
        ("window**2 * maps * filters // groups", "biases are missing"),
        ("window**2 * maps * filters + filters", "one tower"),
        ("window**2 * (maps // groups) * (filters // groups) + filters", "All 256 filters"),
        ("window**2 * maps * filters // groups + filters // groups", "biases are not halved"),
        ("window**2 * maps * filters // groups + filters * groups", "One bias for each filter"),
        ("window * maps * filters // groups + filters", "11x11x3"),
        ("window**2 * maps * filters // min(groups, 2) + filters", "reads a quarter"),
    ],
)
def test_group_parameters_wrong(expression, words):
    lesson.assert_hinted("group_parameters", lesson.body("group_parameters", f"return {expression}"), words)


def test_group_parameters_learned_by_heart_fails_the_hidden_tests():
    answer = lesson.body("group_parameters", "return {11: 34944, 5: 307456, 3: 332160}[window]")
    lesson.assert_only_hidden_tests_fail("group_parameters", answer)


def test_group_parameters_right_in_other_words():
    answer = lesson.body(
        "group_parameters", "return sum(maps // groups * window**2 + 1 for _ in range(filters))"
    )
    lesson.assert_passes("group_parameters", answer)


# --- local response normalization --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("half = n // 2", "half = n; n = 2 * n + 1", "n channels in all"),
        ("np.pad(x**2, pad)", "np.pad(x, pad)", "Sum the squares"),
        ("alpha * near", "alpha / n * near", "not divided by n"),
        ("alpha * near", "alpha * (near - x**2)", "belongs to the sum"),
        (" ** beta", "", "power beta"),
        ("np.pad(x**2, pad)", 'np.pad(x**2, pad, mode="wrap")', "goes round"),
        ("range(n)", "range(half, half + 1)", "neighbouring channels"),
        ("x / (k", "x * (k", "do not multiply"),
        ("(k + alpha", "(2.0 + alpha", "Divide by (k"),
        ("np.pad(x**2, pad)", 'np.pad(x**2, pad, mode="edge")', "Divide by (k"),
    ],
)
def test_lrn_wrong(old, new, words):
    lesson.assert_hinted("lrn", lesson.changed("lrn", old, new), words)


def test_lrn_with_fixed_constants_fails():
    assert lesson.state("lrn", lesson.changed("lrn", "** beta", "** 0.75")) == "failed"


def test_lrn_right_in_other_words():
    answer = """
        def lrn(x, n=5, k=2.0, alpha=1e-4, beta=0.75):
            c = np.arange(x.shape[-1])
            band = (np.abs(c - c[:, None]) <= n // 2).astype(x.dtype)
            return x * np.power(k + alpha * np.square(x) @ band, -beta)
    """
    lesson.assert_passes("lrn", answer)


# --- PCA colour --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("directions @", "directions.T @", "columns, not the rows"),
        ("(np.asarray(alphas) * strengths)", "np.asarray(alphas)", "strengths are missing"),
        ("(np.asarray(alphas) * strengths)", "strengths", "alphas are missing"),
        ("* strengths", "* np.sqrt(strengths)", "without a root"),
        ("image + directions", "image * (1 + directions", "added, not multiplied"),
        ("directions @ ", "", "directions are missing"),
        ("return image + directions", "return 0 * image + directions", "Add the colour to the image"),
        ("return image +", "image +=", "return"),
    ],
)
def test_pca_color_wrong(old, new, words):
    answer = lesson.changed("pca_color", old, new)
    if "multiplied" in words:
        answer = answer.replace("strengths)\n", "strengths))\n")
    lesson.assert_hinted("pca_color", answer, words)


def test_pca_color_clipped_or_in_place():
    head = lesson.body("pca_color", "color = directions @ (alphas * strengths)") + "\n"
    lesson.assert_hinted("pca_color", head + "    return np.clip(image + color, 0, 1)", "Do not clip")
    lesson.assert_hinted("pca_color", head + "    image += color\n    return image", "changed the image")
    each_pixel = head + "    return image + color * np.random.default_rng(0).random((*image.shape[:2], 1))"
    assert lesson.state("pca_color", each_pixel) == "failed"


def test_pca_color_right_in_other_words():
    answer = """
        def pca_color(image, strengths, directions, alphas):
            out = image.astype(float)
            for i in range(3):
                out = out + alphas[i] * strengths[i] * directions[:, i]
            return out
    """
    lesson.assert_passes("pca_color", answer)


# --- the average of nets -----------------------------------------------------------------------------------


AVERAGE = "(probabilities.mean(axis=0).argmax(axis=-1) == labels).mean()"
VOTE = "(counts.argmax(axis=-1) == labels).mean()"
MEAN = "(said == labels).mean()"


@pytest.mark.parametrize(
    "old, new, words",
    [
        (AVERAGE, VOTE, "That is a vote"),
        (AVERAGE, MEAN, "mean of the single"),
        (VOTE, AVERAGE, "That is the average again"),
        (VOTE, "(2 - counts[:, ::-1].argmax(axis=-1) == labels).mean()", "smallest number wins"),
        (MEAN, AVERAGE, "accuracy of the average"),
        (MEAN, "(said == labels).sum()", "over all nets and images"),
        ('"vote":', '"votes":', "keys mean"),
    ],
)
def test_ensemble_accuracy_wrong(old, new, words):
    lesson.assert_hinted("ensemble_accuracy", lesson.changed("ensemble_accuracy", old, new), words)


def test_ensemble_accuracy_that_multiplies_fails_the_hidden_tests():
    answer = lesson.changed("ensemble_accuracy", "probabilities.mean(axis=0)", "probabilities.prod(axis=0)")
    assert lesson.state("ensemble_accuracy", answer) == "failed"


def test_ensemble_accuracy_for_three_classes_only_fails_the_hidden_tests():
    answer = lesson.changed("ensemble_accuracy", "np.arange(probabilities.shape[-1])", "np.arange(3)")
    lesson.assert_only_hidden_tests_fail("ensemble_accuracy", answer)


def test_ensemble_accuracy_right_in_other_words():
    answer = """
        def ensemble_accuracy(probabilities, labels):
            right = {"mean": 0, "average": 0, "vote": 0}
            for i, label in enumerate(labels):
                nets = [list(net[i]) for net in probabilities]
                named = [net.index(max(net)) for net in nets]
                right["mean"] += named.count(label) / len(nets)
                right["average"] += int(np.argmax(np.sum(nets, axis=0)) == label)
                right["vote"] += int(max(sorted(set(named)), key=named.count) == label)
            return {key: value / len(labels) for key, value in right.items()}
    """
    lesson.assert_passes("ensemble_accuracy", answer)
