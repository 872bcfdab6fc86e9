"""grades.csv: a row for each student and lesson."""

from collections.abc import Iterable
from pathlib import Path

from ..files import csv_text, write_all
from .gradebook import Mark
from .released import Release
from .results import Result

FIRST = ("student", "lesson")
LAST = ("score", "maximum", "written_pending", "late", "status")


def rows(
    results: Iterable[Result],
    releases: dict[str, Release],
    marks: dict[tuple[str, str], dict[str, Mark]],
    late: set[tuple[str, str]],
) -> list[dict]:
    """The rows in order; an exercise of another lesson, and one without a verdict, is empty."""
    made = []
    for result in sorted(results, key=lambda r: (r.student, r.lesson)):
        key = (result.student, result.lesson)
        row = {"student": result.student, "lesson": result.lesson or "unknown"}
        row |= {outcome.name: number(outcome.score) for outcome in result.outcomes}
        own = marks.get(key, {}).values()
        maximum = releases[result.lesson].maximum if result.lesson in releases else None
        made.append(
            row
            | {
                "score": number(result.score),
                "maximum": number(maximum),
                "written_pending": sum(mark.waits for mark in own) if result.readable else 0,
                "late": "yes" if key in late else "no",
                "status": result.status,
            }
        )
    return made


def write(made: list[dict], releases: dict[str, Release], path: Path) -> None:
    """Writes the table; nothing is half-written."""
    exercises = [exercise.name for release in releases.values() for exercise in release.automatic]
    write_all({path: csv_text((*FIRST, *exercises, *LAST), made)})


def number(value: float | None) -> str:
    """ "2" for 2.0, "" for None."""
    return "" if value is None else f"{value:g}"
