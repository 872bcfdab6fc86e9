"""A progress bar with an estimate of the remaining time, which leaves nothing behind when it is done."""

import html
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from .backend import in_kernel

T = TypeVar("T")
METADATA = {"course": "progress"}  # on the notebook output: the build drops outputs that carry it
_INTERVAL = 0.2  # seconds between two updates: five a second are enough for the eye


def progress(iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Go through an iterable and show how far it is.

    In a notebook a bar stands under the cell, on a terminal in one line; both vanish at the end.
    Anywhere else (a script's log, a test) nothing is shown.

    Args:
        iterable: anything to loop over.
        label: what is being done, in one or two words.
        total: number of items, when `len(iterable)` is not known.

    >>> [n * n for n in progress([1, 2, 3], "squares")]
    [1, 4, 9]
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    with ProgressLine(label, total) as line:
        for done, item in enumerate(iterable, start=1):
            yield item
            line.update(done)


class ProgressLine:
    """The bar itself, for work that is no plain loop: `update(done, note)` moves it, `close()` erases it.

    Args:
        label: what is being done.
        total: number of steps; None shows the steps done, without an estimate.
    """

    def __init__(self, label: str, total: int | None = None):
        self.label, self.total = label, total
        self._screen = _Notebook() if in_kernel() else _Terminal() if sys.stderr.isatty() else None
        self._start = time.monotonic()
        self._first: tuple[int, float] | None = None  # steps and time at the first update
        self._drawn = self._start
        self._draw(0, "")

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` steps are done, with a short note such as the newest loss."""
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        if now - self._drawn >= _INTERVAL:
            self._drawn = now
            self._draw(done, note)

    def close(self) -> None:
        """Erase the bar."""
        if self._screen:
            self._screen.erase()
            self._screen = None

    def _draw(self, done: int, note: str) -> None:
        if self._screen:
            self._screen.draw(
                self.label, done, self.total, " · ".join(filter(None, [self._times(done), note]))
            )

    def _times(self, done: int) -> str:
        now = time.monotonic()
        text = duration(now - self._start)
        if not self.total or not done:
            return text
        # The first step is often slow (Keras compiles): the steps after it tell the pace better.
        steps, since = self._first if self._first and done > self._first[0] else (0, self._start)
        remaining = (now - since) / (done - steps) * (self.total - done)
        return f"{text} · about {duration(remaining)} left"

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def duration(seconds: float) -> str:
    """A time span in words.

    >>> [duration(s) for s in (0.4, 59, 65, 3700)]
    ['0 s', '59 s', '1 min 05 s', '1 h 01 min']
    """
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


class _Notebook:
    """One output under the cell. It starts empty, so that a comparison of outputs sees nothing of it."""

    def __init__(self):
        from IPython.display import display

        self._handle = display({}, raw=True, display_id=True, metadata=METADATA)

    def draw(self, label: str, done: int, total: int | None, text: str) -> None:
        label = html.escape(label)
        bar = f'<progress value="{done}" max="{total}" aria-label="{label}"></progress> ' if total else ""
        count = f"{done}/{total}" if total else f"{done} done"
        self._show(f'<div class="course-progress"><b>{label}</b> {bar}{count} · {html.escape(text)}</div>')

    def erase(self) -> None:
        self._show("")

    def _show(self, text: str) -> None:
        self._handle.update({"text/html": text}, raw=True, metadata=METADATA)


class _Terminal:
    """One line on stderr, drawn again and again."""

    def draw(self, label: str, done: int, total: int | None, text: str) -> None:
        filled = 20 * done // total if total else 0
        bar = f"[{'#' * filled}{'.' * (20 - filled)}] {done}/{total}" if total else f"{done} done"
        line = f"{label} {bar} · {text}"
        sys.stderr.write("\r" + line[: _columns()].ljust(_columns()))
        sys.stderr.flush()

    def erase(self) -> None:
        sys.stderr.write("\r" + " " * _columns() + "\r")
        sys.stderr.flush()


def _columns() -> int:
    return shutil.get_terminal_size().columns - 1  # a full line would wrap
