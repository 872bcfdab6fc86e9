"""Planted answers for lesson 2: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("02_layer_patterns")


# --- receptive field ---------------------------------------------------------------------------------------

FIELD = [
    ("(size - 1) * jump", "size * jump", "not 3: F - 1"),
    ("field, jump = 1, 1", "field, jump = 0, 1", "Begin with a field of 1"),
    ("field += (size - 1) * jump", "field *= size", "do not multiply"),
    ("(size - 1) * jump", "(size - 1)", "The jump is not used"),
    ("jump *= stride", "jump = stride", "Jumps multiply"),
    ("jump *= stride", "jump += stride - 1", "Jumps multiply"),
    ("jump *= stride", "pass", "The stride is not used"),
    ("return field, jump", "return field", "Return two numbers"),
]


@pytest.mark.parametrize(("old", "new", "words"), FIELD)
def test_field_wrong(old, new, words):
    lesson.assert_hinted("field_of_stack", lesson.changed("field_of_stack", old, new), words)


def test_field_with_the_jump_too_early():
    body = """
field, jump = 1, 1
for size, stride in windows:
    jump *= stride
    field += (size - 1) * jump
return field, jump
"""
    lesson.assert_hinted("field_of_stack", lesson.body("field_of_stack", body), "update the jump last")


def test_field_right_in_other_words():
    body = """
jumps = np.cumprod([1] + [stride for size, stride in windows])
return [1 + sum((size - 1) * int(jump) for (size, _), jump in zip(windows, jumps)), int(jumps[-1])]
"""
    lesson.assert_passes("field_of_stack", lesson.body("field_of_stack", body))


# --- parameters of a stack ---------------------------------------------------------------------------------

PARAMETERS = [
    ("return depth * size**2 * inputs * channels", "You forgot the biases"),
    ("return depth * (size**2 * inputs * channels + 1)", "Each of the 64 filters has a bias"),
    ("return depth * (size**2 + 1) * channels", "goes through the full depth"),
    ("return depth * (size**2 * inputs + 1) * channels", "the channels of the first"),
    (
        "return (size**2 * (inputs if depth == 1 else channels) + 1) * channels * depth",
        "The first layer reads the image",
    ),
    ("return (size * inputs + 1) * channels", "One filter is square"),
]


@pytest.mark.parametrize(("body", "words"), PARAMETERS)
def test_parameters_wrong(body, words):
    lesson.assert_hinted("stack_parameters", lesson.body("stack_parameters", body), words)


def test_parameters_hard_coded_for_small_filters():
    wrong = lesson.changed("stack_parameters", "size * size", "(49 if size == 7 else 9)")
    assert lesson.state("stack_parameters", wrong) == "failed"


def test_parameters_right_in_other_words():
    body = """
if depth == 0:
    return 0
weights = size**2 * channels * (inputs + (depth - 1) * channels)
return weights + depth * channels
"""
    lesson.assert_passes("stack_parameters", lesson.body("stack_parameters", body))


# --- training memory ---------------------------------------------------------------------------------------

BYTES = [
    ("(2 + slots)", "(1 + slots)", "The gradients of the parameters are missing"),
    ("value_bytes * values", "values", "Values are not bytes yet"),
    ("(image + 2 * sum(outputs))", "2 * (image + sum(outputs))", "The image needs no gradient"),
    ("(2 + slots)", "3", "With slots=0"),
    ("(image + 2 * sum(outputs))", "(image + sum(outputs))", "The layer's values need gradients too"),
    ("(image + 2 * sum(outputs))", "2 * sum(outputs)", "4 bytes each"),
    (
        "(2 + slots) * parameters + batch_size * (image + 2 * sum(outputs))",
        "batch_size * ((2 + slots) * parameters + image + 2 * sum(outputs))",
        "The parameters do not grow",
    ),
    ("batch_size * (image", "(image", "Each image of the batch"),
    ("(2 + slots)", "(2 + min(slots, 1))", "slots are not used"),
    ("value_bytes * values", "4 * values", "float64 takes 8 bytes"),
]


@pytest.mark.parametrize(("old", "new", "words"), BYTES)
def test_training_bytes_wrong(old, new, words):
    lesson.assert_hinted("training_bytes", lesson.changed("training_bytes", old, new), words)


def test_training_bytes_that_knows_two_layers_only():
    wrong = lesson.changed("training_bytes", "sum(outputs)", "sum(outputs[:1])")
    assert lesson.state("training_bytes", wrong) == "failed"


def test_training_bytes_right_in_other_words():
    body = """
per_image = -volumes[0][0] * volumes[0][1] * volumes[0][2]
for height, width, depth in volumes:
    per_image += 2 * height * width * depth
fixed = parameters + parameters + slots * parameters
return (fixed + per_image * batch_size) * value_bytes
"""
    lesson.assert_passes("training_bytes", lesson.body("training_bytes", body))


# --- make it fit -------------------------------------------------------------------------------------------

FIT = [
    ("<= budget", "< budget", "compare with <="),
    ("batch //= 2", "batch = 0", "First make the batch smaller"),
    ("batch //= 2", "batch -= 1", "Halve the batch"),
    ("batch >= least", "batch > least", "`least` itself is allowed"),
    ("batch >= least", "batch > 0", "Never go below"),
    ("raise ValueError(", "return (", "raise a ValueError"),
    ("batch_size=batch)", "batch_size=1)", "halve the batch before"),
]


@pytest.mark.parametrize(("old", "new", "words"), FIT)
def test_make_it_fit_wrong(old, new, words):
    lesson.assert_hinted("make_it_fit", lesson.changed("make_it_fit", old, new), words)


def test_make_it_fit_that_never_starts_again():
    wrong = lesson.changed("make_it_fit", "for size", "batch = wanted\n    for size").replace(
        "model, batch = build(size, stride), wanted", "model, batch = build(size, stride), max(batch, least)"
    )
    lesson.assert_hinted("make_it_fit", wrong, "begins with `wanted` images again")


def test_make_it_fit_that_changes_the_layer_first():
    body = """
batch = wanted
while batch >= least:
    for size, stride in choices:
        if accounting.training_memory(build(size, stride), batch_size=batch).total <= budget:
            return size, stride, batch
    batch //= 2
raise ValueError("nothing fits")
"""
    lesson.assert_hinted("make_it_fit", lesson.body("make_it_fit", body), "First make the batch smaller")


def test_make_it_fit_right_in_other_words():
    body = """
for size, stride in choices:
    most = accounting.largest_batch(build(size, stride), budget=budget)
    halved = [wanted >> k for k in range(wanted.bit_length())]
    fitting = [batch for batch in halved if least <= batch <= most]
    if fitting:
        return [size, stride, fitting[0]]
raise ValueError("nothing fits")
"""
    lesson.assert_passes("make_it_fit", lesson.body("make_it_fit", body))
