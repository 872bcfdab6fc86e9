"""Runs a repaired notebook's answers and their checks, each exercise in a kernel of its own."""

import re
import time

from nbformat.notebooknode import NotebookNode

from . import beside, code, scan
from .kernels import Dead
from .released import Exercise, Release
from .repair import Repaired
from .results import Outcome
from .servers import Server

HIDDEN_HINT = (
    "It is right for the cases shown, but not for another one. Think of other sizes, values and edge cases."
)


def grade(repaired: Repaired, release: Release, server: Server) -> list[Outcome]:
    """The outcome of every automatically checked exercise; the answer cells get their outputs."""
    deadline = time.monotonic() + server.limits.total_seconds
    cells = {cell.id: cell for cell in repaired.notebook.cells}
    outcomes = []
    for exercise in release.automatic:
        answer = repaired.answers[exercise.name]
        if answer.strip() == exercise.stub.strip():
            outcome = Outcome(exercise.name, "unanswered", 0, exercise.points, answer=answer)
        else:
            outcome = _grade(exercise, repaired, release, server, deadline, cells[exercise.name])
        outcomes.append(outcome)
    return outcomes


def _grade(
    exercise: Exercise,
    repaired: Repaired,
    release: Release,
    server: Server,
    deadline: float,
    cell: NotebookNode,
) -> Outcome:
    outcome = Outcome(exercise.name, "stopped", 0, exercise.points, answer=cell.source)
    if time.monotonic() > deadline:
        outcome.hint = "The exercises before it took the whole time that a notebook has."
        return outcome
    before, whole = needed(exercise, repaired, release)
    verdict = None
    try:
        verdict = _run(before, exercise, repaired, release, server, deadline, cell, outcome)
        missing = verdict["state"] == "failed" and verdict["missing"] not in ("", *exercise.check["names"])
        if missing and not whole:
            before = everything(exercise, repaired, release)
            verdict, outcome.error = None, ""  # the first run does not count
            verdict = _run(before, exercise, repaired, release, server, deadline, cell, outcome)
    except Dead as reason:
        outcome.hint = f"Your code was stopped: {reason}."
    protected = frozenset(exercise.check["names"]) | code.names(exercise.check["source"])[1]
    protected = protected - exercise.defines
    imported = release.imported
    own = beside.modules(repaired.files)
    outcome.acts += scan.reasons(cell.source, exercise.stub, imported, protected & imported, own)
    for text in set(before) & _own(repaired):
        outcome.acts += scan.reasons(text, release.code, imported, protected & imported, own)
    outcome.acts = list(dict.fromkeys(map(_plain, outcome.acts)))
    if verdict:
        outcome.state = str(verdict["state"])
        outcome.points = exercise.points if outcome.state == "passed" else 0
        outcome.hidden = bool(verdict["hidden"])
        hint = _plain(str(verdict["hint"]))
        outcome.hint = f"{HIDDEN_HINT} {hint}".strip() if outcome.hidden else hint
        if outcome.error and outcome.state != "passed":
            outcome.hint = outcome.error
    return outcome


def _run(
    before: list[str],
    exercise: Exercise,
    repaired: Repaired,
    release: Release,
    server: Server,
    deadline: float,
    cell: NotebookNode,
    outcome: Outcome,
) -> dict | None:
    """The verdict of the check, after the cells before it and the answer."""
    kernel = server.kernel(release.name, repaired.files)
    try:
        for text in before:
            kernel.run(text, deadline=deadline)
        ran = kernel.run(cell.source, deadline=deadline)
        cell.outputs = ran.outputs if cell.cell_type == "code" else []
        outcome.error = ""
        if error := ran.error:
            outcome.error = _plain(f"Your cell stopped with {error.ename}: {error.evalue}")[:500].rstrip(": ")
        verdict = kernel.run("", check=exercise.check, deadline=deadline).verdict
        if verdict is None:
            kernel.acts.append("its check ended without a verdict")
            hint = "The check did not end as it should."
            return {"state": "failed", "hint": hint, "hidden": False, "missing": ""}
        return verdict
    finally:
        outcome.acts += kernel.acts
        kernel.close()


def needed(exercise: Exercise, repaired: Repaired, release: Release) -> tuple[list[str], bool]:
    """The cells to run before an answer, for the names that it uses; and whether these are all cells."""
    own = [cell for cell in repaired.notebook.cells if _is_own(cell, exercise)]
    known = release.imported | code.BUILTINS
    bound, used = code.names(repaired.answers[exercise.name])
    chosen: set[str] = set()
    missing = used - bound - known
    while True:
        more = [c for c in own if c.id not in chosen and code.names(c.source)[0] & missing]
        if not more:
            break
        for cell in more:
            chosen.add(cell.id)
            its_bound, its_used = code.names(cell.source)
            bound |= its_bound
            missing = (missing | its_used) - bound - known
    texts = [cell.source for cell in own if cell.id in chosen]
    if missing - frozenset(exercise.check["names"]):
        cells = (cell for cell in repaired.notebook.cells if cell.cell_type == "code")
        if missing & frozenset().union(*(code.names(cell.source)[0] for cell in cells)):
            return everything(exercise, repaired, release), True
    return texts, False


def everything(exercise: Exercise, repaired: Repaired, release: Release) -> list[str]:
    """All code cells before the exercise's check, the answer and other checks aside."""
    texts = []
    for cell in repaired.notebook.cells:
        check = cell.metadata.get("course", {}).get("check")
        if check == exercise.name:
            break
        if cell.cell_type == "code" and not check and cell.id != exercise.name and cell.source.strip():
            texts.append(cell.source)
    return texts


def _is_own(cell: NotebookNode, exercise: Exercise) -> bool:
    keys = cell.metadata.get("course", {})
    own = "added" in keys or "changed" in keys or ("exercise" in keys and keys["exercise"] != exercise.name)
    return cell.cell_type == "code" and own and bool(cell.source.strip())


def _own(repaired: Repaired) -> set[str]:
    keys = ("added", "changed")
    return {
        c.source for c in repaired.notebook.cells if any(key in c.metadata.get("course", {}) for key in keys)
    }


def _plain(text: str) -> str:
    """Without terminal colours, and with nothing that cannot be stored."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\x00", "")
    return text.encode("utf-8", "replace").decode().strip()
