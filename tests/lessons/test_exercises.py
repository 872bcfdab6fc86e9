"""Every exercise of the course: the lesson's own answer passes, and an unfilled one is "not answered yet"."""

import pytest
from planted import SOLUTIONS, Lesson

LESSONS = [Lesson(path.stem) for path in sorted(SOLUTIONS.glob("[0-9]*.py"))]
EXERCISES = [pytest.param(one, name, id=f"{one.name}: {name}") for one in LESSONS for name in one.exercises]


@pytest.mark.parametrize(("lesson", "exercise"), EXERCISES)
def test_the_lessons_own_answer_passes(lesson, exercise):
    lesson.assert_passes(exercise, lesson.solution(exercise))


@pytest.mark.parametrize(("lesson", "exercise"), EXERCISES)
def test_an_unfilled_exercise_is_unanswered(lesson, exercise):
    assert lesson.state(exercise, lesson.stub(exercise)) == "unanswered"
    assert "not answered yet" in lesson.transcript(exercise, lesson.stub(exercise))
