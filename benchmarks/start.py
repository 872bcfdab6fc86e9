"""From a fresh Jupyter kernel to the end of a lesson's first cell, beside what else one could start.

    .venv/bin/python benchmarks/start.py      two minutes on two cores

Also the kernels of `course grade`, which are forked from a process that has the libraries already.
Writes benchmarks/results/start.md.
"""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial

from _pairs import Ratio, head, interleave, options, spread, write

OURS = "import course_lib; course_lib.start()"
CELLS = {  # what the first cell does -> its text
    "nothing": "pass",
    "`import tensorflow`": "import tensorflow",
    "the same imports without the kit": "import tensorflow, keras, matplotlib.pyplot",
}


def first_cell(text: str) -> None:
    """Starts a Jupyter kernel, runs one cell, and ends the kernel.

    Raises:
        RuntimeError: the cell raised an error.
    """
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
    try:
        content = client.execute(text, reply=True, timeout=120)["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if content["status"] != "ok":
        raise RuntimeError(f"{text!r} ended with {content.get('ename')}: {content.get('evalue')}")


@contextlib.contextmanager
def forked() -> Iterator:
    """A function that forks a kernel as `course grade` does, runs the kit's first cell in it, and ends it."""
    from course_tools.grading import sandbox
    from course_tools.grading.limits import Limits
    from course_tools.grading.servers import Server

    imports = {"lesson": "import course_lib, keras\nimport matplotlib.pyplot as plt"}
    server = Server(imports, Limits(), closed=not sandbox.works())

    def run() -> None:
        kernel = server.kernel("lesson")  # the first one starts the server
        try:
            if error := kernel.run(OURS).error:
                raise RuntimeError(f"{OURS!r} ended with {error.ename}: {error.evalue}")
        finally:
            kernel.close()

    try:
        yield run
    finally:
        server.close()


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(__doc__).parse_args(arguments)
    with forked() as fork:
        sides = [fork, *(partial(first_cell, text) for text in (OURS, *CELLS.values()))]
        times = interleave(sides, chosen.pairs).T
    rows = [
        f"| {what} | {Ratio.of(times[1], column).cells()} |"
        for what, column in zip(CELLS, times[2:], strict=True)
    ]
    lines = [
        f"A lesson's first cell is `{OURS}`; the kernel's own start and end are counted. "
        f"{chosen.pairs} rounds: {spread(times[1])}.",
        "",
        head(other="the other cell"),
        *rows,
        "",
        "## The same cell in a kernel that `course grade` forks",
        "",
        head("forked", "fresh"),
        f"| the kit's first cell | {Ratio.of(times[0], times[1]).cells()} |",
    ]
    write("start", "Kernel start", lines, chosen.results)


if __name__ == "__main__":
    main()
