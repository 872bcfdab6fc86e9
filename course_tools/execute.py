"""Executes a notebook in a fresh kernel and collects what its checks and findings said."""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.notebooknode import NotebookNode

from .project import Lesson

CELL_TIMEOUT = 300  # seconds in the quick profile; a cell aims at 20 at most
FULL_CELL_TIMEOUT = 2 * 60 * 60


@dataclass
class Result:
    """What came out of one execution."""

    lesson: Lesson
    notebook: NotebookNode  # executed, outputs in place
    seconds: float
    error: str | None = None  # file, line, cell and message, when a cell raised
    checks: dict[str, dict] = field(default_factory=dict)  # by exercise name, the last state
    findings: dict[str, dict] = field(default_factory=dict)  # by finding name

    @property
    def outside(self) -> list[str]:
        """Findings that left their band."""
        return [name for name, row in self.findings.items() if not row["inside"]]

    @property
    def ok(self) -> bool:
        return self.error is None and not self.outside


def execute(
    lesson: Lesson,
    notebook: NotebookNode,
    *,
    profile: str = "quick",
    seed: int = 0,
    check: str = "raise",
    env: Mapping[str, str] | None = None,
    on_cell: Callable[[], None] | None = None,
) -> Result:
    """Runs all cells in order, in the solutions' folder, and stops at the first that raises.

    Args:
        lesson: whose notebook this is; `notebook.metadata.course_lines` gives the lines for error texts.
        profile: "quick" or "full".
        seed: seed of everything trained (`COURSE_SEED`).
        check: "raise" makes a failed check raise, "" shows it as a student sees it.
        env: more environment variables for the kernel.
        on_cell: called after each cell.
    """
    lines = notebook.metadata.pop("course_lines", {})
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "checks.jsonl"
        kernel_env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "COURSE_CHECK")}
        kernel_env |= {"COURSE_PROFILE": profile, "COURSE_SEED": str(seed), "COURSE_CHECK_LOG": str(log)}
        kernel_env |= ({"COURSE_CHECK": check} if check else {}) | dict(env or {})
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT if profile == "quick" else FULL_CELL_TIMEOUT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(lesson.source.parent)}},
            on_cell_executed=(lambda **_: on_cell()) if on_cell else None,
        )
        begin, error = time.perf_counter(), None
        try:
            with open(Path(folder) / "stderr", "wb") as stderr:  # the kernel's own warnings, not the cells'
                client.execute(env=kernel_env, stderr=stderr)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as caught:
            said = (Path(folder) / "stderr").read_text(errors="replace").strip().splitlines()
            error = _explain(lesson, notebook, lines, caught, said[-1] if said else "")
        seconds = time.perf_counter() - begin
        result = Result(lesson, notebook, seconds, error)
        for text in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
            row = json.loads(text)
            (result.checks if row["kind"] == "check" else result.findings)[row["name"]] = row
        return result


def _explain(
    lesson: Lesson, notebook: NotebookNode, lines: dict[str, int], caught: Exception, said: str
) -> str:
    """Where and why the execution stopped, in one line where possible."""
    last = 0
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        failed = next((o for o in cell.get("outputs", []) if o.output_type == "error"), None)
        if failed:
            inside = _line_in_cell(failed.traceback)
            line = lines.get(cell.id, 0) + inside
            return (
                f"solutions/{lesson.source.name}:{line} (cell {number}, its line {inside}): "
                f"{failed.ename}: {failed.evalue}"
            )
        if cell.get("execution_count"):
            last = number
    reason = "ran into the time limit" if isinstance(caught, CellTimeoutError) else "lost its kernel"
    return f"solutions/{lesson.source.name}: the notebook {reason} after cell {last}. {said}".strip()


def _line_in_cell(traceback: list[str]) -> int:
    """The line of the failing cell, from IPython's coloured traceback."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    found = re.search(r"Cell In\[\d+\], line (\d+)", plain)
    return int(found[1]) if found else 0
