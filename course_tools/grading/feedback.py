"""A page for each student: what was asked, what was answered, which check failed and why."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from ..files import write_all
from ..report import TEMPLATES, _MathRenderer
from .gradebook import Mark
from .released import Exercise, Release
from .results import Outcome, Result
from .table import number

STATES = {
    "passed": ("good", "✔ passed"),
    "failed": ("bad", "✘ not passed"),
    "unanswered": ("", "… not answered"),
    "stopped": ("bad", "✘ stopped"),
}
MEANING = {
    "graded": "",
    "repaired": "The file was mended before grading; see below.",
    "partly": "A part could not be graded, since the code was stopped; see below.",
    "suspicious": "A person will look at this work before its marks count; see below.",
    "unreadable": "The file could not be read, so it has no marks yet. Please hand it in again.",
    "missing": "Nothing was handed in for this lesson.",
}


def pages() -> Environment:
    """The templates; everything that a student wrote is escaped."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html.j2"]))
    made.globals["style"] = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    made.globals["code_style"] = Markup(HtmlFormatter(style="friendly").get_style_defs(".highlight"))
    made.filters["number"] = number
    return made


def write(
    results: list[Result],
    releases: dict[str, Release],
    marks: dict[tuple[str, str], dict[str, Mark]],
    out: Path,
) -> None:
    """Writes feedback/STUDENT.html for every student of the results."""
    template = pages().get_template("feedback.html.j2")
    texts = {}
    for student in sorted({result.student for result in results}):
        own = sorted((r for r in results if r.student == student), key=lambda r: r.lesson)
        lessons = [_lesson(result, releases, marks.get((student, result.lesson), {})) for result in own]
        texts[out / "feedback" / f"{student}.html"] = template.render(student=student, lessons=lessons)
    write_all(texts)


def _lesson(result: Result, releases: dict[str, Release], marks: dict[str, Mark]) -> dict:
    release = releases.get(result.lesson)
    title = (
        f"{release.lesson.number} · {release.lesson.title}" if release else result.lesson or "Unknown lesson"
    )
    outcomes = {outcome.name: outcome for outcome in result.outcomes}
    exercises = []
    if release and result.readable:
        for exercise in release.exercises:
            if exercise.written:
                exercises.append(_written(exercise, result, marks.get(exercise.name)))
            elif exercise.name in outcomes:
                exercises.append(_checked(exercise, outcomes[exercise.name]))
    return {
        "title": title,
        "result": result,
        "maximum": release.maximum if release else None,
        "meaning": MEANING[result.status],
        "exercises": exercises,
    }


def _checked(exercise: Exercise, outcome: Outcome) -> dict:
    kind, text = STATES[outcome.state]
    hint, _, details = outcome.hint.partition("\n")
    return {
        "name": exercise.name,
        "asked": asked(exercise),
        "kind": kind,
        "state": text,
        "points": f"{number(outcome.score) or '–'} of {number(exercise.points)}",
        "answer": Markup(highlight(outcome.answer, PythonLexer(), HtmlFormatter())),
        "hint": hint,
        "details": details,
        "acts": outcome.acts,
    }


def _written(exercise: Exercise, result: Result, mark: Mark | None) -> dict:
    answer = result.written.get(exercise.name, "")
    if not answer:
        kind, state, points = "", "… not answered", "0"
    elif mark and mark.score is not None:
        kind, state, points = "", "read by a person", number(mark.score)
    else:
        kind, state, points = "", "waits for a person", "–"
    return {
        "name": exercise.name,
        "asked": asked(exercise),
        "kind": kind,
        "state": state,
        "points": f"{points} of {number(exercise.points)}",
        "text": answer,
        "hint": mark.comment if mark else "",
    }


def asked(exercise: Exercise) -> Markup:
    """The question as HTML, formulas as MathML."""
    html = MarkdownWithMath(renderer=_MathRenderer(escape=False)).render(exercise.asked)
    html = re.sub(r"<(/?)h[1-6][^>]*>", r"<\1h3>", html)
    html = re.sub(r'<a class="anchor-link".*?</a>', "", html)
    return Markup(re.sub(r'href="[^"#]*\.ipynb[^"]*"', "", html))
