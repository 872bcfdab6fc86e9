"""`course measure`: a lesson's findings over seeds and thread counts, into data/measured/NN_name.csv."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from . import source
from .errors import CourseError
from .execute import Result, execute
from .files import csv_text, read_csv, write_all
from .origin import origin
from .project import Lesson, Project
from .run import code_cells, problems, with_progress

COLUMNS = (
    "lesson", "finding", "profile", "seed", "threads", "value", "unit", "band_low", "band_high", "inside",
    "source", "versions", "machine", "date",
)  # fmt: skip


def measure(
    lesson: Lesson,
    project: Project,
    *,
    seeds: int = 5,
    threads: tuple[int, ...] = (1, 2),
    profile: str = "quick",
    console: Console | None = None,
) -> list[dict]:
    """Runs the lesson once for every seed and thread count and stores each finding's value.

    Rows of the same profile are replaced, those of the other one stay. Nothing is written when a run fails.

    Raises:
        CourseError: no seeds or threads, a cell raises, or the lesson has no findings.
    """
    if seeds < 1 or not threads or min(threads) < 1:
        raise CourseError(f"--seeds {seeds} --threads {threads}: both need whole numbers from 1.")
    console = console or Console()
    pairs = [(seed, number) for number in threads for seed in range(seeds)]
    notebook = source.read(lesson, project)
    steps = {f"{lesson.name} seed {seed}, {number} thread(s)": code_cells(notebook) for seed, number in pairs}

    def task(seed: int, number: int):
        env = {"TF_NUM_INTRAOP_THREADS": str(number), "TF_NUM_INTEROP_THREADS": str(number)}
        return lambda on_cell: execute(
            lesson, source.read(lesson, project), profile=profile, seed=seed, env=env, on_cell=on_cell
        )

    results = with_progress(steps, [task(*pair) for pair in pairs], jobs=1, console=console)
    for result in results:
        if result.error:
            raise CourseError(result.error)
        for problem in problems(result):
            console.print(f"[yellow]![/] {escape(problem)}", highlight=False)
    rows = [
        row
        for pair, result in zip(pairs, results, strict=True)
        for row in _rows(lesson, profile, *pair, result)
    ]
    if not rows:
        raise CourseError(f"{lesson.name} records no finding: add one with course_lib.checks.finding.")
    path = project.measured / f"{lesson.name}.csv"
    kept = [row for row in read_csv(path) if row["profile"] != profile]
    rows = sorted(
        [*kept, *rows], key=lambda r: (r["finding"], r["profile"], int(r["threads"]), int(r["seed"]))
    )
    write_all({path: csv_text(COLUMNS, rows)})
    console.print(f"{len(rows)} rows in {path.relative_to(project.root)}")
    return rows


def with_bands_of(result: Result, project: Project) -> dict[Path, str]:
    """The lesson's measured file with the bands that its source has now, which were set from these rows.

    Args:
        result: of an execution in the quick profile.

    Returns:
        The file and its new text; nothing where the file is missing or right.
    """
    path = project.measured / f"{result.lesson.name}.csv"
    rows = read_csv(path)
    for row in rows:
        if row["profile"] == "quick" and row["finding"] in result.findings:
            low, high = result.findings[row["finding"]]["band"]
            inside = "yes" if low <= float(row["value"]) <= high else "no"
            row |= {"band_low": low, "band_high": high, "inside": inside}
    text = csv_text(COLUMNS, rows)
    return {path: text} if rows and text != path.read_text(encoding="utf-8") else {}


def _rows(lesson: Lesson, profile: str, seed: int, threads: int, result: Result) -> list[dict]:
    made = origin()
    return [
        {
            "lesson": lesson.name,
            "finding": name,
            "profile": profile,
            "seed": seed,
            "threads": threads,
            "value": f"{row['value']:.6g}",
            "unit": row.get("unit", ""),
            "band_low": row["band"][0],
            "band_high": row["band"][1],
            "inside": "yes" if row["inside"] else "no",
            "source": row.get("source", ""),
            **made,
        }
        for name, row in result.findings.items()
    ]
