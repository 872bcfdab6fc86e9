"""What a lesson checks: a student's answers, predictions and the findings of its experiments.

In a student's hands nothing here raises: an answer is passed, not passed (with a hint) or not answered yet.
With `COURSE_CHECK=raise` in the environment when this module is imported, a check that is not passed raises;
grading and building use that. Each check and finding is also written to the file `$COURSE_CHECK_LOG`, if set.
"""

import csv
import json
import linecache
import math
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

import numpy as np

from .errors import unknown
from .paths import data_path
from .session import seed
from .tables import Table, format_value

_RAISE = os.environ.get("COURSE_CHECK") == "raise"  # read once: a cell cannot switch it off

VERDICTS = {"confirms": "confirms", "contradicts": "contradicts", "unresolved": "leaves open"}
MEASURED_COLUMNS = (
    *("lesson", "finding", "profile", "seed", "threads", "value", "band_low", "band_high"),
    *("source", "versions", "machine"),
)
_NOTHING = "Your code returned nothing (None): is there a return?"
_findings: dict[str, dict] = {}  # of this notebook, in the order in which they were recorded


class CheckFailed(AssertionError):
    """A test of a check block was not passed. Its text is what the student reads after "not passed:"."""

    def __init__(self, hint: str, **details: str):
        super().__init__("\n".join([hint, *(f"    {name}: {text}" for name, text in details.items())]))
        self.hint = hint


# --- exercises -------------------------------------------------------------------------------------------


class Check:
    """A block of tests on one exercise; made by `check(name)`. The first test that fails ends the block."""

    def __init__(self, name: str, namespace: dict):
        self.name = name
        self._namespace = namespace  # globals of the notebook: tells the student's code from a library's
        self._tests = 0

    def equal(
        self,
        received: object,
        expected: object,
        *,
        hint: str = "",
        mistakes: Iterable[tuple[object, str]] = (),
        reveal: bool = True,
    ) -> None:
        """Test that a number, text, shape or small structure is the expected one.

        A list counts as the tuple with the same entries, and a NumPy number as the Python number.

        Args:
            received: what the student's code returned.
            expected: what is right.
            hint: what to think about when it is not equal.
            mistakes: pairs of a known wrong value and the hint for exactly that mistake.
            reveal: False keeps the expected value out of the message.
        """
        self._tests += 1
        received, expected = _plain(received), _plain(expected)
        if _same(received, expected):
            return
        _refuse_none(received)
        known = (text for wrong, text in mistakes if _same(received, _plain(wrong)))
        details = {"received": _show(received)} | ({"expected": _show(expected)} if reveal else {})
        raise CheckFailed(next(known, hint) or "The result is not the expected one.", **details)

    def close(
        self,
        received: object,
        expected: object,
        *,
        hint: str = "",
        mistakes: Iterable[tuple[object, str]] = (),
        atol: float = 1e-5,
        rtol: float = 1e-5,
    ) -> None:
        """Test that an array (NumPy, tensor, list or number) has the expected shape and values.

        Args:
            received: what the student's code returned.
            expected: array with the right values.
            hint: what to think about when the values differ.
            mistakes: pairs of a known wrong array and the hint for exactly that mistake.
            atol: largest absolute difference that counts as equal.
            rtol: the same, relative to the expected value.
        """
        self._tests += 1
        _refuse_none(received)
        got, right = _numbers(received), _numbers(expected)

        def matches(value: np.ndarray) -> bool:
            same_shape = got.shape == value.shape
            return same_shape and np.allclose(got, value, rtol=rtol, atol=atol, equal_nan=True)

        if matches(right):
            return
        if special := next((text for wrong, text in mistakes if matches(_numbers(wrong))), ""):
            raise CheckFailed(special)
        if got.shape != right.shape:
            shapes = {"received": _shape(got), "expected": _shape(right)}
            raise CheckFailed(" ".join(["The shape is not the expected one.", hint]).strip(), **shapes)
        bad = ~np.isfinite(got) & np.isfinite(right)
        if bad.any():
            kind = "NaN (not a number)" if np.isnan(got[bad]).any() else "infinite values"
            where = f"{bad.sum()} of {got.size} values, the first at {_position(bad)}"
            raise CheckFailed(f"The result holds {kind}: a division by zero, or a log of zero?", found=where)
        wrong = ~np.isclose(got, right, rtol=rtol, atol=atol, equal_nan=True)
        details = {"received": f"{got[wrong][0]:.5g}", "expected": f"{right[wrong][0]:.5g}"}
        if got.ndim:
            details["where"] = f"{wrong.sum()} of {got.size} values differ, the first at {_position(wrong)}"
        raise CheckFailed(hint or "The values are not the expected ones.", **details)

    def raises(
        self, error: type[Exception], function: Callable, *args: object, hint: str = "", **kwargs: object
    ) -> Exception:
        """Test that `function(*args, **kwargs)` raises `error`; return the exception for a further test."""
        self._tests += 1
        try:
            result = function(*args, **kwargs)
        except (NotImplementedError, NameError):
            raise  # not answered yet, or a cell that was not run
        except error as raised:
            return raised
        except Exception as raised:
            got = f"{type(raised).__name__}: {_first_line(raised)}"
        else:
            got = f"no error, the result was {_show(_plain(result))}"
        raise CheckFailed(hint or "An error was expected.", received=got, expected=error.__name__)

    def that(self, condition: object, *, hint: str) -> None:
        """Test that a condition holds."""
        self._tests += 1
        if not condition:
            raise CheckFailed(hint)

    def __enter__(self) -> "Check":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None and not self._tests:
            raise ValueError(
                f"The check {self.name!r} tests nothing: call c.equal, c.close, c.raises or c.that."
            )
        if error is None:
            state, failure = "passed", None
        elif not isinstance(error, Exception):
            return False  # the student pressed stop
        elif isinstance(error, NotImplementedError) and self._by_student(trace):
            state, failure = "unanswered", None
        else:
            state = "failed"
            failure = error if isinstance(error, CheckFailed) else self._explain(error, trace)
        _log(kind="check", name=self.name, state=state, hint=failure.hint if failure else "")
        if _RAISE and state == "unanswered":
            return False
        if _RAISE and state == "failed":
            raise failure from (None if failure is error else error)
        text = {
            "passed": "✔ passed",
            "unanswered": "… not answered yet",
            "failed": f"✘ not passed: {failure}",
        }
        print(text[state])
        return True

    def _own(self, trace: TracebackType | None) -> list[TracebackType]:
        """The traceback's entries in the notebook's code; the first is the check cell itself."""
        entries = []
        while trace:
            if trace.tb_frame.f_globals is self._namespace:
                entries.append(trace)
            trace = trace.tb_next
        return entries

    def _by_student(self, trace: TracebackType | None) -> bool:
        """Whether the innermost frame is a function of the notebook, such as a stub, not of a library."""
        own = self._own(trace)
        return len(own) > 1 and own[-1].tb_next is None

    def _explain(self, error: Exception, trace: TracebackType | None) -> CheckFailed:
        own = self._own(trace)
        in_check = len(own) < 2  # no function of the student was at work
        what = f"{type(error).__name__}: {_first_line(error)}"
        if isinstance(error, NameError) and error.name and in_check:
            return CheckFailed(
                f"{error.name} is not defined yet. Run the exercise cell first, then this one."
            )
        if isinstance(error, NameError) and error.name:
            hint = (
                f"Your code uses {error.name}, which is not defined. Misspelt, or a cell above not run yet?"
            )
        elif in_check and "NoneType" in what:
            hint = _NOTHING
        else:
            hint = f"{'This check' if in_check else 'Your code'} stopped with {what}"
        details = {}
        if own:
            code, number = own[-1].tb_frame.f_code, own[-1].tb_lineno
            line = linecache.getline(code.co_filename, number).strip()
            details[f"line {number} of {'this cell' if in_check else 'your code'}"] = line
        return CheckFailed(hint, **details)


def check(name: str) -> Check:
    """Start a block that checks the exercise `name`.

    >>> def double(x):
    ...     return 2 + x
    >>> with check("double") as c:
    ...     c.equal(double(2), 4)
    ...     c.equal(double(3), 6, hint="Try it with 3.", mistakes=[(5, "You added 2: multiply by 2.")])
    ✘ not passed: You added 2: multiply by 2.
        received: 5
        expected: 6
    """
    return Check(name, sys._getframe(1).f_globals)


def _refuse_none(received: object) -> None:
    if received is None:
        raise CheckFailed(_NOTHING)


def _plain(value: object) -> object:
    """Python's own numbers and tuples for NumPy's, a tensor's or a list's, so that == gives one answer."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if hasattr(value, "__array__") and not isinstance(value, type):
        try:
            return _plain(_array(value).tolist())
        except Exception:  # a symbolic tensor has no values
            return value
    return value


def _same(a: object, b: object) -> bool:
    if isinstance(a, bool) != isinstance(b, bool):
        return False  # True is not 1 here
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    try:
        return bool(a == b)
    except Exception:
        return a is b


def _array(value: object) -> np.ndarray:
    keras = sys.modules.get("keras")
    if keras and keras.ops.is_tensor(value):
        return keras.ops.convert_to_numpy(value)
    return np.asarray(value)


def _numbers(value: object) -> np.ndarray:
    try:
        if isinstance(value, (list, tuple)):
            value = [_numbers(entry) for entry in value]
        return _array(value).astype(np.float64)
    except Exception:
        raise CheckFailed(
            "The result cannot be read as an array of numbers.",
            received=f"{type(value).__name__} {_show(value)}",
        ) from None


def _shape(array: np.ndarray) -> str:
    return f"shape {array.shape}" if array.ndim else "a single number"


def _position(mask: np.ndarray) -> str:
    return "[" + ", ".join(map(str, np.argwhere(mask)[0])) + "]"


def _show(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."


def _first_line(error: Exception) -> str:
    """What the error says, without the frame that Keras puts around an error inside a layer."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    text = lines[0] if lines else ""
    return text if len(text) <= 200 else f"{text[:197]}..."


# --- predictions -----------------------------------------------------------------------------------------


def prediction(
    question: str,
    guess: object,
    truth: object,
    *,
    unit: str = "",
    tolerance: float = 0.0,
    explain: str = "",
) -> None:
    """Print a question of the lesson's start with what the student guessed and what is true.

    Args:
        question: the question again, in one line.
        guess: the student's number, text or choice; None means no guess, which is allowed.
        truth: the answer.
        unit: of the number, such as "weights".
        tolerance: largest difference, in that unit, at which a number still counts as right.
        explain: one or two sentences on why.

    >>> prediction("How many weights has one neuron on a 32x32x3 image?", 1024, 3072, unit="weights")
    How many weights has one neuron on a 32x32x3 image?
        your guess: 1,024 – too low. It is 3,072 weights.
    """
    answer = f"{format_value(truth)} {unit}".strip()
    if guess is None:
        verdict = f"no guess. It is {answer}."
    else:
        verdict = f"your guess: {format_value(guess)} {_compare(guess, truth, tolerance)}. It is {answer}."
    print("\n    ".join(filter(None, [question, verdict, explain])))


def _compare(guess: object, truth: object, tolerance: float) -> str:
    numbers = [_as_number(guess), _as_number(truth)]
    if None in numbers:
        same = _compact(format_value(guess)) == _compact(format_value(truth))
        return "✔" if same else "– not this time"
    difference = numbers[0] - numbers[1]
    if abs(difference) <= tolerance:
        return "✔" if difference == 0 else "✔ close enough"
    return "– too low" if difference < 0 else "– too high"


def _compact(text: str) -> str:
    """The text without what does not matter: capitals, blanks, and how a shape is written."""
    if re.fullmatch(r"[\d\s,x()\[\]]+", text):  # "(55, 55, 96)" is "55x55x96"
        text = re.sub(r"\s*[,x]\s*", "x", text.strip(" ()[]"))
    return " ".join(text.casefold().split())


def _as_number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value.replace(",", "") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None


# --- findings --------------------------------------------------------------------------------------------


def finding(
    name: str,
    value: float,
    *,
    band: tuple[float, float],
    claim: str = "",
    verdict: str = "confirms",
    unit: str = "",
    source: str = "",
) -> None:
    """Record what an experiment measured, and print whether it lies in its band.

    Never raises for a value outside its band: it prints a warning, and who builds or tests reads the log.

    Args:
        name: of the finding, as in `data/measured/`.
        value: what was measured just now. NaN is outside of every band.
        band: lowest and highest value that earlier runs (seeds, thread counts) allow; both belong to it.
        claim: what the lecture says, in a few words.
        verdict: what a value in the band means for the claim: "confirms", "contradicts" or "unresolved".
        unit: of the value.
        source: the data that it was measured on, such as `Dataset.source`.

    Raises:
        ValueError: a band whose ends are in the wrong order, an unknown verdict, a value that is no number.

    >>> finding("accuracy", 0.9583, band=(0.93, 0.99), claim="tanh works as well as ReLU here")
    ✔ accuracy: 0.9583, inside its band 0.93 to 0.99. Confirms: tanh works as well as ReLU here
    """
    low, high = _band(band)
    if verdict not in VERDICTS:
        raise unknown("verdict", verdict, VERDICTS)
    number = _as_number(value)
    if number is None or isinstance(value, str):
        raise ValueError(f"The finding {name!r} needs a number, not {value!r}.")
    row = {
        "name": name,
        "value": number,
        "band": [low, high],
        "inside": low <= number <= high,  # False for NaN
        "claim": claim,
        "verdict": verdict,
        "unit": unit,
        "profile": os.environ.get("COURSE_PROFILE", "quick"),
        "seed": seed(),
        "source": source,
    }
    _findings[name] = row
    _log(kind="finding", **row)
    measured = f"{name}: {format_value(number)} {unit}".strip()
    if row["inside"]:
        word = VERDICTS[verdict].capitalize()
        print(f"✔ {measured}, inside its band {_band_text(row)}. {word}: {claim or 'the lecture'}")
    else:
        print(
            f"⚠ {measured}, OUTSIDE its band {_band_text(row)} of earlier runs. "
            "If you changed a setting, this may be the reason; otherwise run the notebook again from the top."
        )


def findings_table() -> Table:
    """The findings of this notebook so far: claim, value, band and verdict.

    Where runs of the full profile (real data sets, hours) are stored, their values stand beside.
    """
    full = _stored_full()
    rows = [
        {
            "claim": row["claim"],
            "finding": row["name"],
            "value": f"{format_value(row['value'])} {row['unit']}".strip(),
            "band": _band_text(row),
            "verdict": VERDICTS[row["verdict"]] if row["inside"] else "outside its band",
            "full": full.get(row["name"], ""),
        }
        for row in _findings.values()
    ]
    heads = {"claim": "claim", "finding": "finding", "value": "measured here", "band": "band"}
    heads |= {"verdict": "the experiment"}
    if any(row["full"] for row in rows):
        heads |= {"full": "full profile, stored"}
    return Table(rows, heads, align={"value": "right", "band": "right", "full": "right"})


def _stored_full() -> dict[str, str]:
    """The stored values of the full profile by finding, as text: "0.4", or "0.4 to 0.5" for several runs."""
    values: dict[str, list[float]] = {}
    for path in data_path("measured").glob("[0-9][0-9]_*.csv"):
        for row in measured(path.stem):
            if row.get("profile") == "full":
                values.setdefault(row["finding"], []).append(row["value"])
    ends = {name: [format_value(min(found)), format_value(max(found))] for name, found in values.items()}
    return {name: " to ".join(dict.fromkeys(texts)) for name, texts in ends.items()}


def measured(lesson: str, finding: str | None = None) -> list[dict]:
    """What was measured for a lesson with several seeds and thread counts: the rows of `data/measured/`.

    Args:
        lesson: the lesson's file name without ending, such as "03_lenet5".
        finding: only the rows of this finding.

    Returns:
        One dictionary a run with the keys `MEASURED_COLUMNS`; an empty list when nothing was measured.

    >>> measured("99_no_such_lesson")
    []
    """
    path = data_path("measured", f"{lesson}.csv")
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update({key: int(row[key]) for key in ("seed", "threads") if row.get(key)})
        row.update({key: float(row[key]) for key in ("value", "band_low", "band_high") if row.get(key)})
    return [row for row in rows if finding in (None, row["finding"])]


def _band(band: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = map(float, band)
    except (TypeError, ValueError):
        raise ValueError(f"band needs two numbers (lowest, highest), not {band!r}.") from None
    if not low <= high:  # also refuses NaN
        raise ValueError(f"band needs two numbers with lowest <= highest, not ({low:g}, {high:g}).")
    return low, high


def _band_text(row: dict) -> str:
    return " to ".join(map(format_value, row["band"]))


def _log(**entry: object) -> None:
    """Append one JSON line to `$COURSE_CHECK_LOG`, with one write: several kernels may share the file."""
    path = os.environ.get("COURSE_CHECK_LOG")
    if not path:
        return
    line = json.dumps(entry | {"folder": Path.cwd().name}, ensure_ascii=False) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
