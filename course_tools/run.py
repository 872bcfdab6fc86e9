"""`course run`: executes every lesson, with a progress bar, a row a lesson and the pages of build/report."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from . import source
from .execute import Result, execute
from .project import Lesson, Project


def run(
    lessons: list[Lesson],
    project: Project,
    *,
    profile: str = "quick",
    jobs: int = 1,
    console: Console | None = None,
) -> list[Result]:
    """Executes the lessons' solutions, `jobs` at a time, and prints a row for each.

    A lesson that fails does not stop the others. Nothing is written here; `report.write` makes the pages.
    """
    console = console or Console()
    notebooks = {lesson: source.read(lesson, project) for lesson in lessons}  # bad sources stop us early
    results = with_progress(
        {lesson.name: code_cells(notebooks[lesson]) for lesson in lessons},
        [
            lambda on_cell, lesson=lesson: execute(
                lesson, notebooks[lesson], profile=profile, on_cell=on_cell
            )
            for lesson in lessons
        ],
        jobs=jobs,
        console=console,
    )
    console.print(summary(results))
    for result in results:
        for problem in problems(result):
            console.print(f"[red]✘[/] {escape(problem)}", highlight=False)
    return results


def with_progress(
    steps: dict[str, int], tasks: list[Callable[[Callable], Result]], *, jobs: int, console: Console
) -> list[Result]:
    """Runs the tasks, each with a bar of its number of steps; a task gets a function to call at each step."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        handles = [bars.add_task(name, total=total, start=False) for name, total in steps.items()]

        def perform(number: int) -> Result:
            bars.start_task(handles[number])
            return tasks[number](lambda: bars.advance(handles[number]))

        with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            return list(pool.map(perform, range(len(tasks))))


def problems(result: Result) -> list[str]:
    """What went wrong in one execution, a line each."""
    found = [result.error] if result.error else []
    for name in result.outside:
        row = result.findings[name]
        low, high = row["band"]
        found.append(
            f"{result.lesson.name}: finding {name} = {row['value']:g} left its band {low:g} … {high:g}."
        )
    return found


def summary(results: list[Result]) -> Table:
    """One row a lesson: cells, seconds, findings inside their bands, points."""
    table = Table(title="Lessons")
    for name, right in (("lesson", 0), ("cells", 1), ("seconds", 1), ("findings", 1), ("points", 1), ("", 0)):
        table.add_column(name, justify="right" if right else "left")
    for result in results:
        inside = sum(row["inside"] for row in result.findings.values())
        reached, maximum = points(result)
        table.add_row(
            f"{result.lesson.name}",
            f"{code_cells(result.notebook)}",
            f"{result.seconds:.1f}",
            f"{inside} of {len(result.findings)}",
            f"{reached:g} of {maximum:g}",
            "[green]✔[/]" if result.ok else "[red]✘[/]",
        )
    return table


def points(result: Result) -> tuple[float, float]:
    """Automatic points reached, and their maximum."""
    worth = source.exercises(result.notebook)
    reached = sum(p for name, p in worth.items() if result.checks.get(name, {}).get("state") == "passed")
    return reached, sum(worth.values())


def code_cells(notebook) -> int:
    """How many code cells a notebook has, empty ones not counted."""
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
