"""Planted answers for lesson 16: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("16_efficientnet")


# --- the compound rule -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("alpha**phi, beta**phi, gamma**phi", "alpha * phi, beta * phi, gamma * phi", "phi is an exponent"),
        (
            "alpha**phi, beta**phi, gamma**phi",
            "1 + phi * (alpha - 1), 1 + phi * (beta - 1), 1 + phi * (gamma - 1)",
            "alpha again",
        ),
        ("alpha**phi, beta**phi, gamma**phi", "phi**alpha, phi**beta, phi**gamma", "not phi to the power"),
        ("return depth, width", "return width, depth", "exchanged"),
        ("width**2 * resolution**2", "width * resolution", "count twice"),
        ("resolution**2", "resolution", "two directions"),
        ("width**2", "width", "twice the maps"),
        ("depth * width**2", "depth**2 * width**2", "Depth is not squared"),
        ("depth * width**2 * resolution**2", "2**phi", "exact product"),
        (", depth * width**2 * resolution**2", "", "four numbers"),
        ("alpha**phi, beta**phi, gamma**phi", "1.2**phi, 1.1**phi, 1.15**phi", "that are given"),
        ("return ", "result = ", "is there a return?"),
    ],
)
def test_compound_factors_wrong(old, new, words):
    lesson.assert_hinted("compound_factors", lesson.changed("compound_factors", old, new), words)


def test_compound_factors_for_whole_steps_only_fails_the_hidden_tests():
    answer = """
        def compound_factors(phi, alpha=1.2, beta=1.1, gamma=1.15):
            d = w = r = 1
            for _ in range(int(phi)):
                d, w, r = d * alpha, w * beta, r * gamma
            return d, w, r, d * w * w * r * r
    """
    lesson.assert_only_hidden_tests_fail("compound_factors", answer)


def test_compound_factors_right_in_other_words():
    answer = """
        def compound_factors(phi, alpha=1.2, beta=1.1, gamma=1.15):
            return np.array([alpha, beta, gamma, alpha * (beta * gamma) ** 2]) ** phi
    """
    lesson.assert_passes("compound_factors", answer)


# --- rounding of filters -----------------------------------------------------------------------------------

ROUNDED = "int(exact / divisor + 0.5) * divisor"


@pytest.mark.parametrize(
    "old, new, words",
    [
        (ROUNDED, "round(exact / divisor) * divisor", "halves go up"),
        (ROUNDED, "ceil(exact / divisor) * divisor", "Not always up"),
        (ROUNDED, "int(exact // divisor) * divisor", "halves go up"),
        (ROUNDED, "round(exact)", "no multiple of 8"),
        (f"max(divisor, {ROUNDED})", f"{ROUNDED}; return int(rounded)", "at least `divisor`"),
        ("if rounded < 0.9 * exact:", "if False:", "less than 90 %"),
        ("return rounded", "return float(rounded)", "whole number"),
        (ROUNDED, "int(exact / 8 + 0.5) * 8", "Use `divisor`"),
        ("exact = filters * width", "exact = filters", "Multiply by `width`"),
    ],
)
def test_round_filters_wrong(old, new, words):
    lesson.assert_hinted("round_filters", lesson.changed("round_filters", old, new), words)


def test_round_filters_with_the_shown_cases_learned_by_heart_fails_the_hidden_tests():
    answer = """
        def round_filters(filters, width, divisor=8):
            shown = {(40, 1.3): 56, (112, 1.1): 120, (320, 1.4): 448, (32, 0.1): 8, (19, 1): 24}
            return shown.get((filters, width), 15 if divisor == 5 else 32)
    """
    lesson.assert_only_hidden_tests_fail("round_filters", answer)


def test_round_filters_right_in_other_words():
    answer = """
        def round_filters(filters, width, divisor=8):
            multiples = np.arange(1, 1000) * divisor
            allowed = multiples[multiples >= 0.9 * filters * width]
            distance = abs(allowed - filters * width)
            return int(allowed[distance <= distance.min() + 1e-9].max())
    """
    lesson.assert_passes("round_filters", answer)


# --- the grid search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("alpha * beta**2 * gamma**2 - target", "alpha**2 * beta * gamma - target", "breaks the budget"),
        ("beta**2 * gamma**2", "beta * gamma", "breaks the budget"),
        ("abs(alpha * beta**2 * gamma**2 - target) <= tolerance", "True", "breaks the budget"),
        (
            "abs(alpha * beta**2 * gamma**2 - target) <= tolerance",
            "alpha * beta**2 * gamma**2 <= target + tolerance",
            "breaks the budget",
        ),
        ("return max", "return min", "highest score"),
        ("- target", "- 2", "Use `target`"),
        ("product(values, repeat=3)", "zip(values, values, values)", "triple of the authors"),
        ("raise ValueError", "return str", "raise a ValueError"),
        (
            "return max",
            "max(fitting, key=lambda triple: score(*triple))\n    return max",
            "scored a triple twice",
        ),
        ("score(*triple)", "triple", "highest score"),
    ],
)
def test_search_the_grid_wrong(old, new, words):
    lesson.assert_hinted("search_the_grid", lesson.changed("search_the_grid", old, new), words)


def test_search_the_grid_that_only_returns_the_score_fails():
    answer = lesson.changed("search_the_grid", "return max(fitting, key=lambda triple: score(*triple))",
                     "return max(score(*triple) for triple in fitting)")  # fmt: skip
    lesson.assert_hinted("search_the_grid", answer, "highest score")


def test_search_the_grid_without_its_tolerance_fails_the_hidden_tests():
    answer = lesson.changed("search_the_grid", "<= tolerance", "<= 0.1")
    lesson.assert_only_hidden_tests_fail("search_the_grid", answer)


def test_search_the_grid_right_in_other_words():
    answer = """
        def search_the_grid(values, score, target=2.0, tolerance=0.1):
            best = None
            for alpha in values:
                for beta in values:
                    for gamma in values:
                        cost = alpha * (beta * gamma) ** 2
                        if not target - tolerance <= cost <= target + tolerance:
                            continue
                        points = score(alpha, beta, gamma)
                        if best is None or points > best[0]:
                            best = points, [alpha, beta, gamma]
            if best is None:
                raise ValueError("too tight")
            return best[1]
    """
    lesson.assert_passes("search_the_grid", answer)


# --- MBConv ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("macs += 2 * inner * max(1, maps // 4)", "", "two dense layers"),
        ("2 * inner * max(1, maps // 4)", "inner * max(1, maps // 4)", "down and up"),
        ("max(1, maps // 4)", "(inner // 4)", "not of 480"),
        ("2 * inner * max", "size**2 * 2 * inner * max", "not 14x14"),
        ("size**2 * maps * inner if expand > 1 else 0", "0", "1x1 convolution is missing"),
        ("kernel**2 * inner", "kernel**2 * inner**2", "Depthwise: each channel"),
        ("kernel**2 * inner", "kernel**2 * maps", "on the expanded channels"),
        ("kernel**2 * inner", "kernel * inner", "9 weights"),
        ("ceil(size / strides)", "size", "work on 7x7"),
        ("size**2 * maps * inner if", "out**2 * maps * inner if", "still works on 14x14"),
        ("out**2 * kernel**2", "size**2 * kernel**2", "7x7 places only"),
        ("out**2 * inner * filters", "size**2 * inner * filters", "comes after the stride"),
        ("ceil(size / strides)", "size // strides", "ceil(15 / 2) = 8"),
        (" if expand > 1 else 0", "", "no first 1x1"),
        ("inner * filters", "inner * maps", "7x7"),
    ],
)
def test_mbconv_macs_wrong(old, new, words):
    lesson.assert_hinted("mbconv_macs", lesson.changed("mbconv_macs", old, new), words)


def test_mbconv_macs_without_the_least_unit_fails_the_hidden_tests():
    answer = lesson.changed("mbconv_macs", "max(1, maps // 4)", "(maps // 4)")
    lesson.assert_only_hidden_tests_fail("mbconv_macs", answer)


def test_mbconv_macs_right_in_other_words():
    answer = """
        def mbconv_macs(size, maps, filters, expand, kernel, strides=1):
            inside = expand * maps
            after = (size + strides - 1) // strides
            parts = {
                "expand": size * size * maps * inside,
                "depthwise": after * after * kernel * kernel * inside,
                "gate": sum(2 * [inside * max(maps // 4, 1)]),
                "project": after * after * inside * filters,
            }
            if expand == 1:
                del parts["expand"]
            return sum(parts.values())
    """
    lesson.assert_passes("mbconv_macs", answer)
