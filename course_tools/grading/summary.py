"""A page for the teacher: how the class did, what was missed most, and what to look at."""

from collections import Counter, defaultdict
from pathlib import Path

from ..files import write_all
from . import code
from .feedback import pages
from .released import Release
from .results import STATUSES, Result

FEW_PARTS = 60  # an answer of fewer parts may be the same by chance
BINS = 10


def write(results: list[Result], releases: dict[str, Release], rows: list[dict], out: Path) -> Path:
    """Writes summary.html; returns its path."""
    lessons = [
        _lesson(release, [r for r in results if r.lesson == name and r.readable])
        for name, release in releases.items()
    ]
    statuses = Counter(result.status for result in results)
    attention = sorted(
        (r for r in results if r.status in STATUSES[2:]), key=lambda r: -STATUSES.index(r.status)
    )
    text = (
        pages()
        .get_template("summary.html.j2")
        .render(
            lessons=lessons,
            statuses=[(status, statuses[status]) for status in STATUSES if statuses[status]],
            attention=attention,
            rows=rows,
            students=len({result.student for result in results}),
            open=any(not result.closed for result in results),
        )
    )
    path = out / "summary.html"
    write_all({path: text})
    return path


def _lesson(release: Release, results: list[Result]) -> dict:
    scores = [result.score for result in results if result.score is not None]
    outcomes = defaultdict(list)
    for result in results:
        for outcome in result.outcomes:
            outcomes[outcome.name].append(outcome)
    exercises = [
        {
            "name": exercise.name,
            "passed": sum(o.state == "passed" for o in outcomes[exercise.name]),
            "failed": sum(o.state == "failed" for o in outcomes[exercise.name]),
            "unanswered": sum(o.state == "unanswered" for o in outcomes[exercise.name]),
            "stopped": sum(o.state == "stopped" for o in outcomes[exercise.name]),
        }
        for exercise in release.automatic
    ]
    hints = Counter(
        (o.name, o.hint.splitlines()[0]) for several in outcomes.values() for o in several if o.hint
    )
    return {
        "title": f"{release.lesson.number} · {release.lesson.title}",
        "count": len(results),
        "mean": sum(scores) / len(scores) if scores else None,
        "maximum": release.maximum,
        "bars": distribution(scores, release.maximum),
        "exercises": sorted(exercises, key=lambda e: e["passed"]),
        "hints": [(name, hint, count) for (name, hint), count in hints.most_common(8)],
        "identical": identical(results),
    }


def distribution(scores: list[float], maximum: float) -> list[dict]:
    """How many students reached each tenth of the points; the last one includes the maximum."""
    counts = Counter(min(BINS - 1, int(BINS * score / maximum)) for score in scores) if maximum else Counter()
    most = max(counts.values(), default=1)
    return [
        {
            "low": maximum * place / BINS,
            "high": maximum * (place + 1) / BINS,
            "count": counts[place],
            "height": round(100 * counts[place] / most),
        }
        for place in range(BINS)
    ]


def identical(results: list[Result]) -> list[tuple[str, list[str]]]:
    """Long answers that several students gave alike, comments and layout aside: (exercise, students)."""
    groups = defaultdict(list)
    for result in results:
        for outcome in result.outcomes:
            if outcome.state != "unanswered":
                text, parts = code.fingerprint(outcome.answer)
                if parts >= FEW_PARTS:
                    groups[outcome.name, text].append(result.student)
        for name, text in result.written.items():
            plain = " ".join(text.split()).casefold()
            if len(plain) >= 80:
                groups[name, plain].append(result.student)
    found = [(name, sorted(students)) for (name, _), students in groups.items() if len(students) > 1]
    return sorted(found, key=lambda group: (-len(group[1]), group[0]))
