"""What came out for a submission, kept in a file so that no mark is lost and none is made twice."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..files import write_all

VERSION = 3  # of grading itself: another number grades everything again
STATUSES = ("graded", "repaired", "partly", "suspicious", "unreadable", "missing")  # the gravest last


@dataclass
class Outcome:
    """One automatically checked exercise."""

    name: str
    state: str  # passed, failed, unanswered, or stopped: no verdict, as it passed a limit
    points: float
    maximum: float
    hint: str = ""
    hidden: bool = False  # it was a hidden test that failed
    error: str = ""  # what the answer cell itself raised
    acts: list[str] = field(default_factory=list)  # why a person should look at it
    answer: str = ""

    @property
    def score(self) -> float | None:
        """Points; None without a verdict."""
        return None if self.state == "stopped" else self.points


@dataclass
class Result:
    """One student's lesson."""

    student: str
    lesson: str
    key: str  # of everything that the marks depend on
    outcomes: list[Outcome] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)  # written answers that are not the stub
    notes: list[str] = field(default_factory=list)  # what was repaired
    tampered: list[str] = field(default_factory=list)
    problem: str = ""  # why it is unreadable
    missing: bool = False
    closed: bool = True  # graded in the sandbox
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """The gravest that applies."""
        if self.missing:
            return "missing"
        if self.problem:
            return "unreadable"
        if self.suspicions:
            return "suspicious"
        if any(outcome.state == "stopped" for outcome in self.outcomes):
            return "partly"
        return "repaired" if self.notes else "graded"

    @property
    def suspicions(self) -> list[str]:
        """What a person should look at."""
        return [*self.tampered, *(f"{o.name}: {act}" for o in self.outcomes for act in o.acts)]

    @property
    def score(self) -> float | None:
        """Automatic points; None when nothing could be graded."""
        scores = [outcome.score for outcome in self.outcomes if outcome.score is not None]
        return sum(scores) if scores or (self.readable and not self.outcomes) else None

    @property
    def readable(self) -> bool:
        return not (self.problem or self.missing)


def path(folder: Path, student: str, lesson: str) -> Path:
    return folder / "results" / student / f"{lesson or 'unknown'}.json"


def save(result: Result, folder: Path) -> None:
    """Writes the result whole or not at all."""
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
    write_all({path(folder, result.student, result.lesson): text + "\n"})


def load(folder: Path, student: str, lesson: str, key: str) -> Result | None:
    """An earlier result of the same submission; None when there is none that is still right."""
    try:
        stored = json.loads(path(folder, student, lesson).read_text(encoding="utf-8"))
        if stored["key"] != key:
            return None
        stored["outcomes"] = [Outcome(**outcome) for outcome in stored["outcomes"]]
        return Result(**stored)
    except (OSError, ValueError, KeyError, TypeError):
        return None
