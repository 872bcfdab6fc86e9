"""The test helper `planted` itself, on a small lesson."""

import planted
import pytest

LESSON = '''# %% [markdown]
# # 99 · A lesson

# %% setup
import course_lib
course_lib.start()

# %%
import numpy as np
from course_lib.checks import check

# %%
raise RuntimeError("the story must not run here")

# %% exercise="double" points=2
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * np.asarray(x)
    ### END SOLUTION

# %% check="double"
with check("double") as c:
    c.equal(double(2), 4, hint="Try 2.")
### BEGIN HIDDEN TESTS
assert double(3) == 6
### END HIDDEN TESTS
'''


@pytest.fixture(autouse=True)
def lesson(tmp_path, monkeypatch):
    monkeypatch.setattr(planted, "SOLUTIONS", tmp_path)
    (tmp_path / "99_lesson.py").write_text(LESSON)
    planted._imports.cache_clear()


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("return x + x", "passed"),
        ("return x + 1", "failed"),
        ("return x ** 2", "failed"),  # only the hidden test sees it
        ("return 2 * y", "failed"),
        ("raise NotImplementedError", "unanswered"),
    ],
)
def test_state(body, state):
    assert planted.state("99_lesson", "double", f"def double(x):\n    {body}") == state


def test_the_lessons_own_solution_passes_and_can_be_broken():
    answer = planted.solution("99_lesson", "double")
    assert planted.state("99_lesson", "double", answer) == "passed"
    assert planted.state("99_lesson", "double", answer.replace("2 *", "3 *")) == "failed"


def test_transcript_is_what_a_student_reads():
    assert planted.transcript("99_lesson", "double", "def double(x): return x ** 2") == "✔ passed\n"
    text = planted.transcript("99_lesson", "double", "def double(x):\n    return 1 // 0")
    assert "ZeroDivisionError" in text and "line 2 of your code: return 1 // 0" in text


def test_planted_answers_leave_the_log_and_the_mode_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_LOG", str(tmp_path / "log"))
    planted.state("99_lesson", "double", "def double(x): return 0")
    assert not (tmp_path / "log").exists() and planted.checks._RAISE is False
    assert planted.os.environ["COURSE_CHECK_LOG"]


def test_unknown_exercise():
    with pytest.raises(ValueError, match="no code cell with check='triple'"):
        planted.state("99_lesson", "triple", "")
