"""Planted answers for lesson 2: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import solution, state, transcript

LESSON = "02_layer_patterns"

STUBS = {
    "field_of_stack": "def field_of_stack(windows):",
    "stack_parameters": "def stack_parameters(depth, size, inputs, channels):",
    "training_bytes": "def training_bytes(volumes, parameters, *, batch_size, slots=1, value_bytes=4):",
    "make_it_fit": "def make_it_fit(build, *, budget, wanted, least, choices):",
}


@pytest.mark.parametrize("exercise", STUBS)
def test_solution_passes_and_stub_is_unanswered(exercise):
    assert state(LESSON, exercise, solution(LESSON, exercise)) == "passed"
    assert state(LESSON, exercise, f"{STUBS[exercise]}\n    raise NotImplementedError") == "unanswered"


def answer(exercise: str, body: str) -> str:
    return f"{STUBS[exercise]}\n" + "\n".join(f"    {line}" for line in body.strip().splitlines())


def planted(exercise: str, old: str, new: str) -> str:
    """The lesson's own answer with one thing changed."""
    own = solution(LESSON, exercise)
    assert old in own
    return own.replace(old, new)


def assert_hinted(exercise: str, wrong: str, words: str) -> None:
    """The answer fails, and the student reads these words."""
    assert state(LESSON, exercise, wrong) == "failed"
    assert words in transcript(LESSON, exercise, wrong)


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
    assert_hinted("field_of_stack", planted("field_of_stack", old, new), words)


def test_field_with_the_jump_too_early():
    body = """
field, jump = 1, 1
for size, stride in windows:
    jump *= stride
    field += (size - 1) * jump
return field, jump
"""
    assert_hinted("field_of_stack", answer("field_of_stack", body), "update the jump last")


def test_field_right_in_other_words():
    body = """
jumps = np.cumprod([1] + [stride for size, stride in windows])
return [1 + sum((size - 1) * int(jump) for (size, _), jump in zip(windows, jumps)), int(jumps[-1])]
"""
    assert state(LESSON, "field_of_stack", answer("field_of_stack", body)) == "passed"


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
    assert_hinted("stack_parameters", answer("stack_parameters", body), words)


def test_parameters_hard_coded_for_small_filters():
    wrong = planted("stack_parameters", "size * size", "(49 if size == 7 else 9)")
    assert state(LESSON, "stack_parameters", wrong) == "failed"


def test_parameters_right_in_other_words():
    body = """
if depth == 0:
    return 0
weights = size**2 * channels * (inputs + (depth - 1) * channels)
return weights + depth * channels
"""
    assert state(LESSON, "stack_parameters", answer("stack_parameters", body)) == "passed"


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
    assert_hinted("training_bytes", planted("training_bytes", old, new), words)


def test_training_bytes_that_knows_two_layers_only():
    wrong = planted("training_bytes", "sum(outputs)", "sum(outputs[:1])")
    assert state(LESSON, "training_bytes", wrong) == "failed"


def test_training_bytes_right_in_other_words():
    body = """
per_image = -volumes[0][0] * volumes[0][1] * volumes[0][2]
for height, width, depth in volumes:
    per_image += 2 * height * width * depth
fixed = parameters + parameters + slots * parameters
return (fixed + per_image * batch_size) * value_bytes
"""
    assert state(LESSON, "training_bytes", answer("training_bytes", body)) == "passed"


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
    assert_hinted("make_it_fit", planted("make_it_fit", old, new), words)


def test_make_it_fit_that_never_starts_again():
    wrong = planted("make_it_fit", "for size", "batch = wanted\n    for size").replace(
        "model, batch = build(size, stride), wanted", "model, batch = build(size, stride), max(batch, least)"
    )
    assert_hinted("make_it_fit", wrong, "begins with `wanted` images again")


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
    assert_hinted("make_it_fit", answer("make_it_fit", body), "First make the batch smaller")


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
    assert state(LESSON, "make_it_fit", answer("make_it_fit", body)) == "passed"
