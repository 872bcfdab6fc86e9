"""The start of a lesson: backend, seed, plot style, and a report of the machine."""

import os


def seed() -> int:
    """Seed of this run's training: `$COURSE_SEED`, 0 when unset."""
    return int(os.environ.get("COURSE_SEED", "0"))


def pick(*, quick, full):
    """The one switch between the two profiles (`$COURSE_PROFILE`, "quick" when unset).

    >>> pick(quick=2, full=20)
    2
    """
    return full if os.environ.get("COURSE_PROFILE", "quick") == "full" else quick


def start(seed: int | None = None) -> None:
    """Placeholder until the session module is complete."""


def report() -> None:
    """Placeholder until the session module is complete."""
