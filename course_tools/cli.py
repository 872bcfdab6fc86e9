"""The `course` command."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from .errors import CourseError
from .project import Project


class Profile(StrEnum):
    quick = "quick"
    full = "full"


app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Builds, runs, measures and releases the lessons."
)
Lessons = Annotated[
    list[str] | None, typer.Argument(help="Lessons, as 03 or 03_lenet5; all when none is named.")
]
console = Console()


@app.command()
def build(
    lessons: Lessons = None,
    measure: Annotated[bool, typer.Option(help="Also store reading and run time.")] = False,
    jobs: Annotated[int, typer.Option(help="Lessons at a time.", min=1)] = 1,
) -> None:
    """Execute sources into solutions/NAME.ipynb and make the students' notebooks/NAME.ipynb."""
    from . import source
    from .build import build as build_one
    from .run import code_cells, with_progress

    project = Project()
    chosen = project.find(lessons or [])
    steps = {lesson.name: code_cells(source.read(lesson, project)) for lesson in chosen}
    tasks = [
        lambda on_cell, lesson=lesson: build_one(lesson, project, measure=measure, on_cell=on_cell)
        for lesson in chosen
    ]
    for result in with_progress(steps, tasks, jobs=jobs, console=console):
        lesson = result.lesson
        console.print(f"[green]✔[/] solutions/{lesson.solution.name}, notebooks/{lesson.notebook.name} "
                      f"({result.seconds:.0f} s)", highlight=False)  # fmt: skip


@app.command()
def run(
    lessons: Lessons = None,
    profile: Annotated[
        Profile, typer.Option(help="quick: seconds, offline. full: real data sets.")
    ] = Profile.quick,
    jobs: Annotated[int, typer.Option(help="Lessons at a time.", min=1)] = 1,
) -> None:
    """Execute every lesson's solution, check its findings, and write the pages of build/report."""
    from . import report
    from .run import run as run_all

    project = Project()
    results = run_all(project.find(lessons or []), project, profile=profile, jobs=jobs, console=console)
    page = report.write(results, project, profile=profile)
    console.print(f"Read the lessons: {page.relative_to(project.root)}", highlight=False)
    if not all(result.ok for result in results):
        raise typer.Exit(1)


@app.command()
def measure(
    lesson: Annotated[str, typer.Argument(help="One lesson, as 03 or 03_lenet5.")],
    seeds: Annotated[int, typer.Option(help="Seeds 0 to N-1.")] = 5,
    threads: Annotated[str, typer.Option(help="Thread counts, separated by commas.")] = "1,2",
    profile: Annotated[Profile, typer.Option()] = Profile.quick,
) -> None:
    """Measure a lesson's findings over seeds and thread counts, into data/measured/."""
    from .measure import measure as measure_one

    try:
        counts = tuple(int(text) for text in threads.split(","))
    except ValueError:
        raise CourseError(
            f"--threads {threads!r}: write whole numbers separated by commas, like 1,2."
        ) from None
    project = Project()
    measure_one(
        project.find([lesson])[0], project, seeds=seeds, threads=counts, profile=profile, console=console
    )


@app.command()
def train(
    network: Annotated[str, typer.Argument(help="First half of a recipe's name, such as stacknet.")],
    data: Annotated[str, typer.Option(help="Data set: digits, shapes, mnist or cifar10.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Another recipe than data/recipes/NETWORK-DATA.toml.")
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Begin anew instead of going on after an interruption.")
    ] = False,
) -> None:
    """Train a network by its recipe; store weights, card and history in data/weights/ and data/measured/."""
    from course_lib.backend import load_backend

    load_backend()  # quietly
    from .train import train as train_one

    train_one(network, data, Project(), recipe=recipe, restart=restart, console=console)


@app.command()
def grade(
    submissions: Annotated[Path, typer.Argument(help="Folder or zip file, as a learning system gives it.")],
    lesson: Annotated[
        list[str] | None, typer.Option(help="Only this lesson, as 03 or 03_lenet5; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for marks, pages and gradebook.")] = Path("grades"),
    jobs: Annotated[int, typer.Option(help="Submissions at a time.", min=1)] = 1,
    due: Annotated[
        str | None, typer.Option(help='Files newer than this are late: "2026-11-20 18:00", or a whole day.')
    ] = None,
    seconds: Annotated[float, typer.Option(help="Most time of a cell.", min=1)] = 60,
    memory: Annotated[float, typer.Option(help="Most memory of a submission, in GB.", min=0.5)] = 2.5,
) -> None:
    """Grade students' notebooks: the folder of --out gets grades.csv, pages, a summary and a gradebook."""
    from .grading.limits import Limits
    from .grading.run import grade as grade_all

    grade_all(
        submissions,
        Project(),
        lessons=lesson,
        out=out,
        jobs=jobs,
        due=due,
        limits=Limits(cell_seconds=seconds, memory=memory * 1e9),
        console=console,
    )


@app.command()
def release(
    out: Annotated[Path, typer.Option(help="Folder for the zip and the wheel.")] = Path("build/release"),
) -> None:
    """Make the students' zip and the wheel."""
    from .release import release as make

    for path in make(out):
        console.print(f"[green]✔[/] {path}", highlight=False)


@app.command()
def atlas(
    write: Annotated[bool, typer.Option(help="Also write the CSV file, the page and the picture.")] = True,
) -> None:
    """Count all architectures without weights; write data/atlas.csv, docs/atlas.md and their picture."""
    from .atlas import atlas as make

    make(Project(), write=write, console=console)


@app.command()
def doctor() -> None:
    """Look at this machine and say what to do about each problem."""
    from .doctor import run_doctor

    raise typer.Exit(run_doctor(console))


@app.command()
def stale(
    strict: Annotated[bool, typer.Option(help="Also compare the library and the pinned versions.")] = False,
) -> None:
    """List built notebooks that are older than their source."""
    from .build import stale as find

    found = find(Project(), strict=strict)
    for problem in found:
        console.print(f"[red]✘[/] {escape(problem)}", highlight=False)
    if found:
        raise typer.Exit(1)


def main() -> None:
    """Entry point: a CourseError is printed as one short paragraph, exit code 2."""
    try:
        app()
    except CourseError as error:
        Console(stderr=True).print(f"[red]course:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)
