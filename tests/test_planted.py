"""The tools of `planted` themselves, on a small lesson."""

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


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    monkeypatch.setattr(planted, "SOLUTIONS", tmp_path)
    (tmp_path / "99_lesson.py").write_text(LESSON)
    planted._imports.cache_clear()
    return planted.Lesson("99_lesson")


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
def test_state(lesson, body, state):
    assert lesson.state("double", lesson.body("double", body)) == state


def test_the_lessons_own_solution_passes_and_can_be_broken(lesson):
    answer = lesson.solution("double")
    assert lesson.state("double", answer) == "passed"
    assert lesson.state("double", lesson.changed("double", "2 *", "3 *")) == "failed"
    assert lesson.state("double", lesson.stub("double")) == "unanswered"
    assert lesson.exercises == ["double"]


def test_assertions_fail_where_they_should(lesson):
    right, square, wrong = (lesson.body("double", f"return {text}") for text in ("x + x", "x ** 2", "x + 1"))
    lesson.assert_passes("double", right)
    lesson.assert_hinted("double", wrong, "try 2")
    lesson.assert_only_hidden_tests_fail("double", square)
    lesson.assert_refused("double", "2 * np", "1 + np", "Try 2.")
    for claim, answer, *words in (
        (lesson.assert_passes, square),
        (lesson.assert_hinted, right, ""),
        (lesson.assert_hinted, wrong, "Try 3."),
        (lesson.assert_only_hidden_tests_fail, right),
        (lesson.assert_only_hidden_tests_fail, wrong),
    ):
        with pytest.raises(AssertionError):
            claim("double", answer, *words)
    with pytest.raises(AssertionError, match="not in the lesson's answer"):
        lesson.changed("double", "5 *", "3 *")


def test_transcript_is_what_a_student_reads(lesson):
    assert lesson.transcript("double", "def double(x): return x ** 2") == "✔ passed\n"
    text = lesson.transcript("double", "def double(x):\n    return 1 // 0")
    assert "ZeroDivisionError" in text and "line 2 of your code: return 1 // 0" in text


def test_planted_answers_leave_the_log_and_the_mode_alone(lesson, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_LOG", str(tmp_path / "log"))
    lesson.state("double", "def double(x): return 0")
    assert not (tmp_path / "log").exists() and planted.checks._RAISE is False
    assert planted.os.environ["COURSE_CHECK_LOG"]


def test_unknown_exercise(lesson):
    with pytest.raises(ValueError, match="no code cell with check='triple'"):
        lesson.state("triple", "")
