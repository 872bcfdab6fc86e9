"""Checks, predictions and findings: what a student reads, what the log says, what grading raises."""

import json
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from course_lib import checks
from course_lib.checks import CheckFailed, check, finding, findings_table, measured, prediction


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Read the entries of a fresh check log."""
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv("COURSE_CHECK_LOG", str(path))
    return lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def grading(monkeypatch):
    monkeypatch.setattr(checks, "_RAISE", True)


@pytest.fixture(autouse=True)
def no_findings(monkeypatch):
    monkeypatch.setattr(checks, "_findings", {})


def run_cell(source: str, capsys, **names) -> str:
    """Run source as a notebook cell with these names defined, and return what it prints."""
    exec(compile(textwrap.dedent(source), "<cell>", "exec"), {"check": check, "np": np} | names)
    return capsys.readouterr().out


# --- what a student reads ---


def test_passed(capsys):
    with check("sum") as c:
        c.equal(1 + 1, 2)
        c.close([0.1, 0.2], np.array([0.1, 0.2]))
        c.that(True, hint="never shown")
        error = c.raises(ValueError, int, "five")
        c.that("five" in str(error), hint="never shown")
    assert capsys.readouterr().out == "✔ passed\n"


def test_not_passed_says_hint_received_and_expected(capsys):
    with check("size") as c:
        c.equal(28, 32, hint="With padding 2 a 5x5 filter keeps 32.")
        c.equal(1, 2, hint="the block has ended before this")
    assert capsys.readouterr().out == (
        "✘ not passed: With padding 2 a 5x5 filter keeps 32.\n    received: 28\n    expected: 32\n"
    )


def test_expected_value_can_be_kept_back(capsys):
    with check("size") as c:
        c.equal(28, 32, hint="Count again.", reveal=False)
    assert capsys.readouterr().out == "✘ not passed: Count again.\n    received: 28\n"


def test_a_known_mistake_has_its_own_hint(capsys):
    with check("size") as c:
        c.equal(28, 32, hint="general", mistakes=[(27, "another"), (28, "You forgot the padding.")])
    assert "You forgot the padding." in capsys.readouterr().out
    with check("size") as c:
        c.equal(29, 32, hint="general", mistakes=[(28, "You forgot the padding.")])
    assert "✘ not passed: general" in capsys.readouterr().out


def test_known_mistake_of_another_shape_comes_before_the_shape(capsys):
    with check("conv") as c:
        c.close(np.ones((2, 2)), np.ones((4, 4)), mistakes=[(np.ones((2, 2)), "You forgot the padding.")])
    assert capsys.readouterr().out == "✘ not passed: You forgot the padding.\n"


@pytest.mark.parametrize("test", ["equal", "close"])
def test_none_asks_for_a_return(test, capsys):
    with check("nothing") as c:
        getattr(c, test)(None, 3, hint="never shown")
    assert capsys.readouterr().out == "✘ not passed: Your code returned nothing (None): is there a return?\n"


def test_none_used_by_the_check_asks_for_a_return(capsys):
    text = run_cell(
        """
        def f(x): x + 1
        with check("f") as c:
            c.equal(f(np.zeros(3)).shape, (3,))
        """,
        capsys,
    )
    assert "Your code returned nothing (None): is there a return?" in text


def test_none_can_be_the_right_answer(capsys):
    with check("none") as c:
        c.equal(None, None)
    assert capsys.readouterr().out == "✔ passed\n"


def test_stub_is_not_answered_yet(capsys):
    text = run_cell(
        """
        def f(x):
            raise NotImplementedError()
        with check("f") as c:
            c.raises(RuntimeError, f, 1)
        """,
        capsys,
    )
    assert text == "… not answered yet\n"


def test_not_implemented_by_a_library_is_not_a_stub(capsys):
    def library(x):
        raise NotImplementedError("complex numbers")

    text = run_cell("with check('f') as c: c.equal(library(1), 2)", capsys, library=library)
    assert "✘ not passed: This check stopped with NotImplementedError: complex numbers" in text


def test_exercise_cell_was_not_run(capsys):
    text = run_cell("with check('f') as c: c.equal(my_function(1), 2)", capsys)
    assert text == (
        "✘ not passed: my_function is not defined yet. Run the exercise cell first, then this one.\n"
    )


def test_name_error_in_the_students_code(capsys):
    text = run_cell(
        """
        def f(width):
            return widht + 1
        with check("f") as c:
            c.equal(f(1), 2)
        """,
        capsys,
    )
    assert "Your code uses widht, which is not defined. Misspelt, or a cell above not run yet?" in text
    assert "line 3 of your code" in text


def test_exception_names_type_message_and_line(capsys, tmp_path):
    path = tmp_path / "cell.py"  # linecache reads the line, as it does for a notebook's cell
    path.write_text("def f(x):\n    return np.zeros((2, 3)) @ np.zeros((2, 3))\n")
    names = {"np": np}
    exec(compile(path.read_text(), str(path), "exec"), names)
    names["check"] = check
    exec("with check('f') as c: c.close(f(1), 2)", names)
    text = capsys.readouterr().out
    assert text.startswith("✘ not passed: Your code stopped with ValueError: matmul: Input operand 1 has")
    assert "    line 2 of your code: return np.zeros((2, 3)) @ np.zeros((2, 3))\n" in text


def test_exception_in_the_call_itself(capsys):
    text = run_cell("f = lambda x: x\nwith check('f') as c: c.equal(f(1, 2), 2)", capsys)
    assert "This check stopped with TypeError" in text and "takes 1 positional argument" in text


def test_pressing_stop_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt), check("f") as c:
        c.that(True, hint="")
        raise KeyboardInterrupt


def test_a_check_without_tests_is_an_error():
    with pytest.raises(ValueError, match="'empty' tests nothing"), check("empty"):
        pass


# --- comparisons ---


@pytest.mark.parametrize(
    ("received", "expected", "same"),
    [
        (np.int64(3), 3, True),
        ([55, 55, 96], (55, 55, 96), True),
        (np.array([1, 2]), [1, 2], True),
        ({"a": [1, 2]}, {"a": (1, 2)}, True),
        ("tanh", "tanh", True),
        (3.0, 3, True),
        (float("nan"), float("nan"), True),
        (True, 1, False),
        ((1, 2), (1, 2, 3), False),
        (3, "3", False),
        (np.zeros(2), np.zeros(3), False),
        (int, 3, False),
    ],
)
def test_equal(received, expected, same, capsys):
    with check("equal") as c:
        c.equal(received, expected)
    assert ("✔ passed" in capsys.readouterr().out) == same


def test_close_says_both_shapes_first(capsys):
    with check("conv") as c:
        c.close(np.full((2, 3), np.nan), np.zeros((3, 2)), hint="Height comes before width.")
    assert capsys.readouterr().out == (
        "✘ not passed: The shape is not the expected one. Height comes before width.\n"
        "    received: shape (2, 3)\n    expected: shape (3, 2)\n"
    )


def test_close_tells_a_number_from_an_array(capsys):
    with check("loss") as c:
        c.close(np.zeros(1), 0.0)
    assert "received: shape (1,)\n    expected: a single number" in capsys.readouterr().out


def test_close_reports_nan_and_infinity(capsys):
    for bad, words in [(np.nan, "NaN (not a number)"), (-np.inf, "infinite values")]:
        with check("log") as c:
            c.close([[1.0, 2.0], [bad, bad]], np.ones((2, 2)))
        text = capsys.readouterr().out
        assert words in text and "2 of 4 values, the first at [1, 0]" in text


def test_close_shows_the_first_difference(capsys):
    with check("conv") as c:
        c.close([[1.0, 2.0], [3.0, 4.5]], [[1.0, 2.0], [3.0, 4.0]], hint="Is the bias added?")
    assert capsys.readouterr().out == (
        "✘ not passed: Is the bias added?\n    received: 4.5\n    expected: 4\n"
        "    where: 1 of 4 values differ, the first at [1, 1]\n"
    )


def test_close_has_a_tolerance(capsys):
    for atol, passed in [(1e-5, False), (1e-2, True)]:
        with check("conv") as c:
            c.close(0.001, 0.0, atol=atol)
        assert ("✔" in capsys.readouterr().out) == passed


def test_close_takes_tensors_and_lists_of_them(capsys):
    import keras

    tensor = keras.ops.convert_to_tensor([1.0, 2.0])
    with check("tensor") as c:
        c.close(tensor, [1.0, 2.0])
        c.close([tensor, tensor], np.array([[1.0, 2.0]] * 2))
        c.equal(keras.ops.sum(tensor), 3.0)
        c.equal(tensor.shape, (2,))
    assert capsys.readouterr().out == "✔ passed\n"


def test_close_refuses_what_is_no_array(capsys):
    import keras

    for value in ("five", [[1, 2], [3]], keras.Input((3,)), len):
        with check("array") as c:
            c.close(value, np.zeros(3))
        assert "✘ not passed: The result cannot be read as an array of numbers." in capsys.readouterr().out


def test_raises_without_an_error(capsys):
    with check("size") as c:
        c.raises(ValueError, divmod, 227, 5, hint="What does not fit must raise a ValueError.")
    assert capsys.readouterr().out == (
        "✘ not passed: What does not fit must raise a ValueError.\n"
        "    received: no error, the result was (45, 2)\n    expected: ValueError\n"
    )


def test_raises_with_another_error(capsys):
    with check("size") as c:
        c.raises(ValueError, divmod, 1, 0)
    text = capsys.readouterr().out
    assert "received: ZeroDivisionError: " in text and "expected: ValueError" in text


def test_layer_stub_called_by_keras_is_not_answered_yet(capsys):
    import keras

    source = """
        class MyLayer(keras.layers.Layer):
            def call(self, x):
                raise NotImplementedError
        with check("layer") as c:
            c.equal(MyLayer()(keras.Input((3,))).shape, (None, 3))
        with check("layer") as c:
            c.equal(MyLayer()(np.zeros((1, 3))).shape, (1, 3))
        """
    assert run_cell(source, capsys, keras=keras) == "… not answered yet\n" * 2


def test_error_inside_a_layer_says_what_went_wrong(capsys):
    import keras

    source = """
        class MyLayer(keras.layers.Layer):
            def call(self, x):
                raise ValueError("the widths differ")
        with check("layer") as c:
            c.equal(MyLayer()(np.zeros((1, 3))).shape, (1, 3))
        """
    text = run_cell(source, capsys, keras=keras)
    assert "Your code stopped with ValueError: the widths differ\n    line 4 of your code" in text


# --- grading ---


def test_grading_raises(grading):
    with pytest.raises(CheckFailed, match="Count again.\n    received: 1"), check("n") as c:
        c.equal(1, 2, hint="Count again.")


def test_grading_raises_for_an_exception_and_keeps_its_cause(grading):
    with pytest.raises(CheckFailed, match="ZeroDivisionError") as caught, check("n") as c:
        c.equal(1 // 0, 2)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_grading_raises_for_a_stub(grading, capsys):
    with pytest.raises(NotImplementedError):
        run_cell(
            "def f():\n    raise NotImplementedError\nwith check('f') as c:\n    c.equal(f(), 2)", capsys
        )


def test_grading_passes(grading, capsys):
    with check("n") as c:
        c.equal(2, 2)
    assert capsys.readouterr().out == "✔ passed\n"


def test_raise_mode_is_read_when_the_module_is_imported(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_CHECK", "raise")  # too late, as it is for a cell that deletes it
    with check("n") as c:
        c.equal(1, 2)
    assert "not passed" in capsys.readouterr().out


def test_raise_mode_from_the_environment_cannot_be_switched_off_by_a_cell():
    code = (
        "import os; from course_lib.checks import check; os.environ.pop('COURSE_CHECK')\n"
        "with check('n') as c: c.equal(1, 2, hint='wrong')"
    )
    environment = os.environ | {"COURSE_CHECK": "raise"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 1 and "CheckFailed: wrong" in result.stderr


# --- the log ---


def test_log_has_one_line_a_check_and_finding(log, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_SEED", "3")
    with check("one") as c:
        c.equal(1, 1)
    with check("two") as c:
        c.equal(1, 2, hint="größer")
    run_cell(
        "def f():\n    raise NotImplementedError\nwith check('three') as c:\n    c.equal(f(), 2)", capsys
    )
    finding(
        "accuracy", np.float32(0.5), band=(0, 1), claim="x", verdict="unresolved", unit="%", source="digits"
    )
    entries = log()
    assert [(e.get("name"), e.get("state"), e.get("hint")) for e in entries[:3]] == [
        ("one", "passed", ""),
        ("two", "failed", "größer"),
        ("three", "unanswered", ""),
    ]
    assert entries[3] == {
        "kind": "finding", "name": "accuracy", "value": 0.5, "band": [0, 1], "inside": True, "claim": "x",
        "verdict": "unresolved", "unit": "%", "profile": "quick", "seed": 3, "source": "digits",
        "folder": entries[0]["folder"],
    }  # fmt: skip
    assert {e["kind"] for e in entries[:3]} == {"check"} and entries[0]["folder"]


def test_log_appends_with_one_write(log, monkeypatch):
    writes = []
    original = checks.os.write
    monkeypatch.setattr(checks.os, "write", lambda fd, data: writes.append(data) or original(fd, data))
    for name in ("one", "two"):
        with check(name) as c:
            c.equal(1, 1)
    assert len(writes) == 2 and all(data.endswith(b"\n") for data in writes)
    assert [entry["name"] for entry in log()] == ["one", "two"]


# --- predictions ---


@pytest.mark.parametrize(
    ("guess", "truth", "tolerance", "line"),
    [
        (None, 3072, 0, "no guess. It is 3,072 weights."),
        (3072, 3072, 0, "your guess: 3,072 ✔. It is 3,072 weights."),
        ("3,072", 3072, 0, "your guess: 3,072 ✔. It is 3,072 weights."),
        (3000, 3072, 100, "your guess: 3,000 ✔ close enough. It is 3,072 weights."),
        (5000, 3072, 100, "your guess: 5,000 – too high. It is 3,072 weights."),
        (2.5, 3072, 0, "your guess: 2.5 – too low. It is 3,072 weights."),
        ("many", 3072, 0, "your guess: many – not this time. It is 3,072 weights."),
        ([3072], 3072, 0, "your guess: 3072 – not this time. It is 3,072 weights."),
    ],
)
def test_prediction_of_a_number(guess, truth, tolerance, line, capsys):
    prediction("How many?", guess, truth, unit="weights", tolerance=tolerance)
    assert capsys.readouterr().out == f"How many?\n    {line}\n"


@pytest.mark.parametrize("guess", [(55, 55, 96), [55, 55, 96], "55x55x96", "(55, 55, 96)", "55 x 55 x 96"])
def test_prediction_of_a_shape(guess, capsys):
    prediction("Volume?", guess, (55, 55, 96))
    assert "✔. It is 55x55x96." in capsys.readouterr().out
    prediction("Volume?", guess, (55, 96, 55))
    assert "not this time" in capsys.readouterr().out


def test_prediction_of_a_choice(capsys):
    prediction("Which layers?", " Conv  AND fc", "conv and FC", explain="Pooling computes a fixed function.")
    prediction("Does it grow?", True, True)
    prediction("Does it grow?", False, True)
    assert capsys.readouterr().out == (
        "Which layers?\n    your guess:  Conv  AND fc ✔. It is conv and FC.\n"
        "    Pooling computes a fixed function.\n"
        "Does it grow?\n    your guess: yes ✔. It is yes.\n"
        "Does it grow?\n    your guess: no – not this time. It is yes.\n"
    )


# --- findings ---


@pytest.mark.parametrize(
    ("verdict", "word"),
    [("confirms", "Confirms"), ("contradicts", "Contradicts"), ("unresolved", "Leaves open")],
)
def test_finding_inside_its_band(verdict, word, capsys):
    finding("gap", 0.02, band=(-0.01, 0.02), claim="ReLU is faster", verdict=verdict, unit="nats")
    assert capsys.readouterr().out == (
        f"✔ gap: 0.02 nats, inside its band -0.01 to 0.02. {word}: ReLU is faster\n"
    )


@pytest.mark.parametrize("value", [0.92, 0.995, math.nan, -math.inf])
def test_finding_outside_its_band_warns_and_does_not_raise(value, capsys, grading, log):
    finding("accuracy", value, band=(0.93, 0.99))
    assert capsys.readouterr().out.startswith("⚠ accuracy: ")
    assert log()[0]["inside"] is False


def test_nan_is_outside_of_the_widest_band(log):
    finding("loss", math.nan, band=(-math.inf, math.inf))
    assert log()[0]["inside"] is False


@pytest.mark.parametrize("band", [(1, 0), (math.nan, 1), (0,), 0.5, ("a", "b")])
def test_bad_band(band):
    with pytest.raises(ValueError, match="band needs two numbers"):
        finding("x", 0.5, band=band)


def test_bad_verdict_and_value():
    with pytest.raises(ValueError, match="Did you mean 'confirms'"):
        finding("x", 0.5, band=(0, 1), verdict="confirm")
    for value in (None, "0.5", [1, 2]):
        with pytest.raises(ValueError, match="needs a number"):
            finding("x", value, band=(0, 1))


def test_findings_table():
    finding("a", 0.5, band=(0, 1), claim="first", verdict="contradicts")
    finding("b", 2.0, band=(0, 1), claim="second", unit="s")
    finding("a", 0.25, band=(0, 1), claim="first", verdict="contradicts")  # the cell was run again
    rows = findings_table().rows
    assert [list(row.values())[:5] for row in rows] == [
        ["first", "a", "0.25", "0 to 1", "contradicts"],
        ["second", "b", "2 s", "0 to 1", "outside its band"],
    ]


def test_findings_table_shows_what_the_full_profile_gave(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "data_path", lambda *parts: tmp_path.joinpath(*parts))
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "03_x.csv").write_text(
        "finding,profile,seed,value\na,quick,0,0.5\na,full,0,0.75\na,full,1,0.625\nb,full,0,3\n",
        encoding="utf-8",
    )
    for name in "abc":
        finding(name, 0.5, band=(0, 1))
    assert [row["full"] for row in findings_table().rows] == ["0.625 to 0.75", "3", ""]


def test_findings_table_without_findings():
    assert len(findings_table()) == 0


def test_measured(tmp_path, monkeypatch):
    (tmp_path / "07_test.csv").write_text(
        ",".join(checks.MEASURED_COLUMNS) + "\n"
        "07_test,accuracy,quick,0,1,0.95,0.9,1.0,digits,keras 3,2 cores\n"
        "07_test,loss,quick,1,2,nan,0,1,digits,keras 3,2 cores\n"
    )
    monkeypatch.setattr(checks, "data_path", lambda *parts: tmp_path / parts[-1])
    rows = measured("07_test")
    assert rows[0]["value"] == 0.95 and rows[0]["band_high"] == 1.0 and rows[0]["machine"] == "2 cores"
    assert (rows[1]["seed"], rows[1]["threads"]) == (1, 2) and math.isnan(rows[1]["value"])
    assert [row["finding"] for row in measured("07_test", "loss")] == ["loss"]
    assert measured("08_missing") == []
