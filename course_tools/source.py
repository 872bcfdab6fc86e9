"""Reads a lesson's source: py:percent text with short cell keys -> a notebook with nbgrader's metadata.

Cell keys stand in the header line of a cell (CONTRIBUTING.md has the table):

    # %% setup | trained | machine       flags, combined as in `# %% trained alt="..."`
    # %% exercise="name" points=2        a student's answer
    # %% check="name"                    its check
    # %% alt="what the picture shows"    alternative text, ` | ` between several pictures
"""

import ast
import builtins
import hashlib
import re
import symtable
from dataclasses import dataclass

import jupytext
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_notebook

from course_lib.errors import unknown

from .errors import CourseError
from .project import Lesson, Project
from .setup_cell import setup_cell

FLAGS = ("setup", "trained", "machine")
KEYS = ("exercise", "check", "points", "alt")
FORBIDDEN_TAGS = {"raises-exception", "nbval-skip"}
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HIDDEN_BEGIN = "### BEGIN HIDDEN TESTS"


@dataclass(frozen=True)
class Place:
    """Where a cell stands in its source, for error texts."""

    lesson: Lesson
    cell: int  # from 1
    line: int  # of the cell's header

    def error(self, text: str, offset: int = 0) -> CourseError:
        """An error in the cell's line `offset` (0 is the header)."""
        return CourseError(
            f"solutions/{self.lesson.source.name}:{self.line + offset} (cell {self.cell}): {text}"
        )


def read(lesson: Lesson, project: Project) -> NotebookNode:
    """The lesson's notebook, not executed: standard metadata, stable ids, the set-up cell filled in.

    `notebook.metadata.course_lines` maps each cell id to its header's line; the build removes it.

    Raises:
        CourseError: the source breaks a rule; the text names file, line and cell and says how to mend it.
    """
    text = lesson.source.read_text(encoding="utf-8")
    lesson.title  # noqa: B018 - a lesson without a proper title is refused here
    raw = jupytext.reads(text, fmt="py:percent")
    lines = _header_lines(text)
    cells, ids, places = [], {}, {}
    for number, (cell, line) in enumerate(zip(raw.cells, lines, strict=True), start=1):
        place = Place(lesson, number, line)
        keys = _keys(cell, place)
        if "setup" in keys:
            cell.source = setup_cell(
                project.settings.get("repository", ""), project.settings.get("branch", "")
            )
            keys["machine"] = True
        cell.id = _cell_id(cell, keys, ids)
        cell.metadata = _metadata(cell, keys, place)
        cells.append(cell)
        places[cell.id] = place
    notebook = new_notebook(cells=cells)
    _match_exercises(notebook, places, lesson)
    _check_code(notebook, places)
    notebook.metadata = {"course_lines": {key: place.line for key, place in places.items()}}
    return notebook


def exercises(notebook: NotebookNode) -> dict[str, float]:
    """Points of each automatically checked exercise, by name, in order."""
    return {
        cell.metadata.course.check: cell.metadata.nbgrader.points
        for cell in notebook.cells
        if "check" in cell.metadata.get("course", {})
    }


def _header_lines(text: str) -> list[int]:
    """Line number of each cell's header; text before the first header makes a cell of its own."""
    lines = text.splitlines()
    headers = [i for i, line in enumerate(lines, start=1) if re.match(r"# %%( |$)", line)]
    start = 0
    if lines and lines[0].startswith("# ---"):  # jupytext's own header, which we neither need nor forbid
        start = next(i for i, line in enumerate(lines[1:], start=2) if line.startswith("# ---"))
    first = headers[0] if headers else len(lines) + 1
    has_lead = any(line.strip() for line in lines[start : first - 1])
    return ([1] if has_lead else []) + headers


def _keys(cell: NotebookNode, place: Place) -> dict:
    """The keys in a cell's header, flags as True; unknown ones are refused."""
    keys = {k: v for k, v in cell.metadata.items() if k not in ("title", "lines_to_next_cell", "cell_marker")}
    for flag in cell.metadata.get("title", "").split():
        if flag not in FLAGS:
            raise place.error(str(unknown("cell key", flag, [*FLAGS, *(f"{k}=" for k in KEYS)])))
        keys[flag] = True
    for key in keys:
        if key not in FLAGS and key not in KEYS:
            raise place.error(str(unknown("cell key", key, [*FLAGS, *(f"{k}=" for k in KEYS)])))
    for key in ("exercise", "check"):
        if key in keys and not re.fullmatch(r"[a-z][a-z0-9_]{2,40}", str(keys[key])):
            raise place.error(f'{key}="{keys[key]}": a name has 3 to 41 lower-case letters, digits and _.')
    if "points" in keys and "exercise" not in keys:
        raise place.error('points= belongs to an exercise: write `# %% exercise="name" points=2`.')
    if "check" in keys and cell.cell_type != "code":
        raise place.error("a check must be a code cell.")
    return keys


def _cell_id(cell: NotebookNode, keys: dict, taken: dict[str, int]) -> str:
    """The exercise's name, else a hash of the cell; a repeated cell gets a number."""
    if "exercise" in keys:
        wanted = keys["exercise"]
    elif "check" in keys:
        wanted = f"{keys['check']}_check"
    else:
        wanted = hashlib.sha1(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    taken[wanted] = taken.get(wanted, 0) + 1
    return wanted if taken[wanted] == 1 else f"{wanted}-{taken[wanted]}"


def _metadata(cell: NotebookNode, keys: dict, place: Place) -> dict:
    """Standard notebook metadata for the keys: nbgrader's, nbval's tag, and the keys themselves."""
    metadata: dict = {}
    kept = {k: v for k, v in keys.items() if k != "points"}
    if kept:
        metadata["course"] = kept
    if "setup" in keys:  # folded in JupyterLab and Colab: a reader needs its output only
        metadata |= {"jupyter": {"source_hidden": True}, "cellView": "form"}
    if "trained" in keys or "machine" in keys:
        metadata["tags"] = ["nbval-ignore-output"]
    points = keys.get("points", 1)
    if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
        raise place.error(f"points={points!r}: points are a number above 0.")
    if "exercise" in keys or "check" in keys:
        written = cell.cell_type == "markdown"
        is_exercise = "exercise" in keys
        metadata["nbgrader"] = {
            "cell_type": cell.cell_type,
            "grade": written or not is_exercise,
            "grade_id": keys.get("exercise") or f"{keys['check']}_check",
            "locked": not is_exercise,
            "schema_version": 3,
            "solution": is_exercise,
            "task": False,
        }
        if metadata["nbgrader"]["grade"] or is_exercise:
            metadata["nbgrader"]["points"] = points
    return metadata


def _match_exercises(notebook: NotebookNode, places: dict[str, Place], lesson: Lesson) -> None:
    """Every code exercise has one check after it, every check an exercise; points move to the check."""
    answers, checks, written = {}, {}, set()
    for cell in notebook.cells:
        keys, place = cell.metadata.get("course", {}), places[cell.id]
        if "exercise" in keys:
            name = keys["exercise"]
            if name in answers or name in written:
                raise place.error(f"exercise {name!r} stands twice in this lesson: give each its own name.")
            if cell.cell_type == "markdown":
                written.add(name)
            else:
                answers[name] = cell
        elif "check" in keys:
            name = keys["check"]
            if name in checks:
                raise place.error(f"exercise {name!r} has two checks: put both into one cell.")
            if name not in answers:
                hint = f" {unknown('exercise', name, answers)}" if answers else ""
                raise place.error(
                    f'check {name!r} has no exercise before it: add `# %% exercise="{name}"`.{hint}'
                )
            checks[name] = cell
    for name, cell in answers.items():
        if name not in checks:
            raise places[cell.id].error(
                f'exercise {name!r} has no check: add a cell `# %% check="{name}"` after it.'
            )
        checks[name].metadata.nbgrader["points"] = cell.metadata.nbgrader.pop("points")


def _check_code(notebook: NotebookNode, places: dict[str, Place]) -> None:
    """Rules of code: it parses, answers stand inside functions, exercises use none of the story's names."""
    trees, imported = {}, set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        place = places[cell.id]
        try:
            trees[cell.id] = ast.parse(cell.source)
        except SyntaxError as error:
            raise place.error(f"this is not Python: {error.msg}.", error.lineno or 0) from None
        for offset, line in enumerate(cell.source.splitlines(), start=1):
            if re.match(r"# #{2,6} ", line):
                raise place.error("a heading in a code cell: write `# %% [markdown]` above it.", offset)
        for node in ast.walk(trees[cell.id]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        if "exercise" in cell.metadata.get("course", {}):
            _check_solution_region(cell, trees[cell.id], place)
        elif BEGIN in cell.source:
            raise place.error('a solution region outside an exercise: give the cell the key exercise="name".')
    own: dict[str, set[str]] = {}
    for cell in notebook.cells:
        keys = cell.metadata.get("course", {})
        name = keys.get("exercise") or keys.get("check")
        if name is None or cell.cell_type != "code":
            continue
        bound, used = global_names(cell.source)
        known = own.setdefault(name, set())
        known |= bound
        if foreign := sorted(used - known - imported - set(dir(builtins))):
            raise places[cell.id].error(
                f"exercise {name!r} uses {', '.join(foreign)} from elsewhere in the lesson. "
                "Exercises stand alone: define it in the exercise or its check, or import it."
            )
        if "check" in keys and trees[cell.id].body and isinstance(trees[cell.id].body[-1], ast.Expr):
            raise places[cell.id].error(
                "end a check with a statement: nbgrader reads a last value as points."
            )


def _check_solution_region(cell: NotebookNode, tree: ast.Module, place: Place) -> None:
    """Solution regions are closed and lie inside functions, so that the stub raises only when called."""
    lines = cell.source.splitlines()
    starts = [i for i, line in enumerate(lines, start=1) if "BEGIN SOLUTION" in line]
    ends = [i for i, line in enumerate(lines, start=1) if "END SOLUTION" in line]
    if not starts or len(starts) != len(ends) or any(a >= b for a, b in zip(starts, ends, strict=True)):
        raise place.error(f"an exercise needs its answer between `{BEGIN}` and `{END}`.")
    bodies = [
        (node.body[0].lineno, node.end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for line, end in zip(starts, ends, strict=True):
        # The marker is a comment, which the tree does not hold: the lines between the markers must be inside.
        if not any(first <= line + 1 and end - 1 <= last for first, last in bodies):
            raise place.error(
                "a solution region outside a function: the student's stub would stop the notebook there. "
                "Put it into the body of a function or a method.",
                line,
            )


def global_names(source: str) -> tuple[set[str], set[str]]:
    """Global names that a cell binds, at its top level or by `global`, and those that it uses anywhere.

    Raises:
        SyntaxError: the cell is no Python.

    >>> global_names("y = f(1)")
    ({'y'}, {'f'})
    """
    bound: set[str] = set()
    used: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            if table.get_type() == "module":
                if symbol.is_assigned() or symbol.is_imported():
                    bound.add(symbol.get_name())
                if symbol.is_referenced():
                    used.add(symbol.get_name())
            elif symbol.is_global():
                if symbol.is_referenced():
                    used.add(symbol.get_name())
                if symbol.is_assigned():
                    bound.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(source, "cell", "exec"))
    return bound, used
