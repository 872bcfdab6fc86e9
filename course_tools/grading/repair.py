"""Puts a student's answers back on the released notebook, and says what had to be mended."""

import copy
from collections import defaultdict
from dataclasses import dataclass, field

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from . import code
from .notebook import Cell, Notebook, Unreadable
from .released import Exercise, Release

FLAGS = ("points", "grade", "solution", "locked", "task")


@dataclass
class Repaired:
    """The notebook to grade."""

    notebook: NotebookNode  # the release's cells with the student's answers, and the student's own cells
    answers: dict[str, str]  # by exercise
    notes: list[str] = field(default_factory=list)  # what was mended
    tampered: list[str] = field(default_factory=list)  # what no accident does
    files: dict[str, bytes] = field(default_factory=dict)  # that lay beside the student's notebook


def repair(student: Notebook, release: Release) -> Repaired:
    """The student's notebook on the release's skeleton.

    Raises:
        Unreadable: nothing of this lesson is in it.
    """
    matches = _match(student, release)
    result = Repaired(copy.deepcopy(release.notebook), {}, list(student.notes))
    chosen = {exercise.name: _answer(exercise, student, matches, result) for exercise in release.exercises}
    used = {place for places in chosen.values() for place in places}
    released = {cell.id: cell for cell in result.notebook.cells}
    checks = {f"{exercise.name}_check": exercise for exercise in release.automatic}
    if not used and not any(matches.get(place) in checks for place in range(len(student.cells))):
        raise Unreadable(f"no exercise of {release.name} is in this notebook")
    for exercise in release.exercises:
        places = chosen[exercise.name]
        text = _joined(student, places) if places else exercise.stub
        released[exercise.name].source = result.answers[exercise.name] = text
    _look_at_checks(student, release, matches, result)
    _add_others(student, matches, used, result, checks, release)
    return result


def lesson_of(student: Notebook, releases: dict[str, Release]) -> str:
    """The lesson that a notebook belongs to by its content; "" when to none."""
    if student.lesson in releases:
        return student.lesson
    count = {
        name: sum(
            1 for key in _match(student, release).values() if key in {e.name for e in release.exercises}
        )
        for name, release in releases.items()
    }
    best = max(count, key=count.__getitem__, default="")
    return best if best and count[best] else ""


def _match(student: Notebook, release: Release) -> dict[int, str]:
    """Which released cell each student's cell is: by nbgrader's label, else its id, else the same text."""
    ids = {cell.id: cell for cell in release.notebook.cells}
    by_text = defaultdict(list)
    for cell in [*release.notebook.cells, *release.complete.cells]:
        if cell.id in ids and cell.id not in by_text[_plain(cell.source)]:
            by_text[_plain(cell.source)].append(cell.id)
    matches: dict[int, str] = {}
    for place, cell in enumerate(student.cells):
        for key in (str(cell.nbgrader.get("grade_id", "")), cell.id):
            if key in ids:
                matches[place] = key
                break
    taken = set(matches.values())
    for place, cell in enumerate(student.cells):
        if place not in matches and cell.source.strip():
            free = [key for key in by_text[_plain(cell.source)] if key not in taken]
            if free:
                matches[place] = free[0]
                taken.add(free[0])
    return matches


def _joined(student: Notebook, places: list[int]) -> str:
    return "\n\n".join(student.cells[place].source for place in places)


def _answer(exercise: Exercise, student: Notebook, matches: dict[int, str], result: Repaired) -> list[int]:
    """The cell that answers an exercise: a labelled one, else one that defines its function; the last.

    Several where only together they define what was asked for: JupyterLab copies the label to all parts of a
    cell that is split. None where there is no answer.
    """
    labelled = sorted(place for place, key in matches.items() if key == exercise.name)
    defining = [
        place
        for place, cell in enumerate(student.cells)
        if exercise.defines and exercise.defines <= code.names(cell.source)[0]
    ]
    if exercise.written and not labelled:
        labelled = _after_question(exercise, student, matches)
    both = [place for place in labelled if place in defining]
    split = exercise.defines and not both and len(labelled) > 1
    if split and exercise.defines <= code.names(_joined(student, labelled))[0]:
        result.notes.append(
            f"The answer to {exercise.name} stood in {len(labelled)} cells; they were read as one."
        )
        return labelled
    filled = [p for p in both or labelled if _plain(student.cells[p].source) != _plain(exercise.stub)]
    if not filled:  # the answer may stand in a cell of the student's own
        own = [p for p in defining if matches.get(p) in (None, exercise.name)]
        filled = [p for p in own if _plain(student.cells[p].source) != _plain(exercise.stub)]
    candidates = sorted(filled or both or labelled or defining)
    if not candidates:
        result.notes.append(f"The answer cell of {exercise.name} was missing; it counts as not answered.")
        return []
    several = both or labelled
    if len(several) > 1:
        result.notes.append(
            f"The answer cell of {exercise.name} stood there {len(several)} times; the last counts."
        )
    place = candidates[-1]
    if place not in labelled and student.cells[place].nbgrader:
        result.notes.append(f"The answer to {exercise.name} was found in another cell than its own.")
    elif not student.cells[place].nbgrader:
        result.notes.append(f"The label of the answer cell of {exercise.name} was missing and was put back.")
    if not exercise.written and student.cells[place].kind != "code":
        result.notes.append(f"The answer to {exercise.name} stood in a text cell; it was read as code.")
    return [place]


def _after_question(exercise: Exercise, student: Notebook, matches: dict[int, str]) -> list[int]:
    """A text cell without a label right after the cell that asks."""
    asked = _plain(exercise.asked.split("\n\n")[-1])
    for place, cell in enumerate(student.cells[:-1]):
        following = student.cells[place + 1]
        if cell.kind == "markdown" and _plain(cell.source).endswith(asked) and following.kind == "markdown":
            return [place + 1] if place + 1 not in matches else []
    return []


def _look_at_checks(student: Notebook, release: Release, matches: dict[int, str], result: Repaired) -> None:
    """Notes changed and missing checks, and labels that were changed."""
    released = {cell.id: cell for cell in release.notebook.cells}
    complete = {cell.id: cell for cell in release.complete.cells}
    found = defaultdict(list)
    for place, key in matches.items():
        found[key].append(student.cells[place])
    for exercise in release.automatic:
        key = f"{exercise.name}_check"
        texts = {_plain(cell.source) for cell in found[key]}
        known = {_plain(released[key].source), _plain(complete[key].source)}
        if not texts:
            result.notes.append(f"The check of {exercise.name} was missing; the original was put back.")
        elif not texts <= known:
            result.notes.append(f"The check of {exercise.name} was changed; the original was used.")
    for key, cells in found.items():
        original = released[key].metadata.get("nbgrader", {})
        for cell in cells:
            wrong = [
                flag
                for flag in FLAGS
                if flag in cell.nbgrader and flag in original and cell.nbgrader[flag] != original[flag]
            ]
            if wrong:
                result.tampered.append(f"the label of {key} was changed ({', '.join(wrong)})")


def _add_others(
    student: Notebook,
    matches: dict[int, str],
    used: set[int],
    result: Repaired,
    checks: dict,
    release: Release,
) -> None:
    """Keeps the student's changes to other code cells, and the cells that the student added, in place."""
    defines = {exercise.name: exercise.defines for exercise in release.automatic}
    position = {cell.id: number for number, cell in enumerate(result.notebook.cells)}
    after: dict[int, list[NotebookNode]] = defaultdict(list)
    current, seen = -1, set()
    for place, cell in enumerate(student.cells):
        key = matches.get(place)
        if key is not None:
            current = position[key]
        if place in used or key in checks or (key in result.answers and not _part(cell, defines.get(key))):
            continue
        if key is None or key in seen or key in result.answers:
            if cell.source.strip() and (key is None or cell.kind == "code"):
                after[current].append(_own_cell(cell, len(after[current]), place))
            continue
        seen.add(key)
        target = result.notebook.cells[position[key]]
        setup = "setup" in target.metadata.get("course", {})
        if target.cell_type == cell.kind == "code" and not setup and target.source != cell.source:
            target.source = cell.source
            target.metadata["course"] = {**target.metadata.get("course", {}), "changed": True}
    cells = list(after[-1])
    for number, cell in enumerate(result.notebook.cells):
        cells += [cell, *after[number]]
    result.notebook.cells = cells


def _part(cell: Cell, defines: frozenset[str] | None) -> bool:
    """Whether it is a part of a code answer that was split: JupyterLab copies the label to every part."""
    return defines is not None and cell.kind == "code" and not defines & code.names(cell.source)[0]


def _own_cell(cell: Cell, number: int, place: int) -> NotebookNode:
    make = new_code_cell if cell.kind == "code" else new_markdown_cell
    return make(cell.source, id=f"added-{place}-{number}", metadata={"course": {"added": True}})


def _plain(text: str) -> str:
    """Text without what editors change: blanks at ends of lines and of the cell."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
