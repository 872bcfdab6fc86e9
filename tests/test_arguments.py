import pytest

from course_lib.arguments import number, rate, whole_number, whole_numbers


@pytest.mark.parametrize(
    ("check", "values", "fine"),
    [
        (whole_number, (1, 7), True),
        (whole_number, (0, -1, True, 1.0, "1", None, [1]), False),
        (whole_numbers, ((1,), [1, 2], (3, 3, 3)), True),
        (whole_numbers, ((), 3, (1, 0), (1, 2.0), (True,), "12", None, {1: 2}), False),
        (number, (0.1, 1, 25), True),
        (number, (0, -0.1, float("nan"), float("inf"), "1", None, True, (1,)), False),
        (rate, (0, 0.0, 0.5, 0.999), True),
        (rate, (1, -0.1, 20, float("nan"), float("inf"), "0.5", None, True), False),
    ],
)
def test_numbers(check, values, fine):
    for received in values:
        if fine:
            check("argument", received)
        else:
            with pytest.raises(ValueError, match="^argument must be .*Received: "):
                check("argument", received)
