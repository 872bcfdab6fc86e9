"""The fork servers: each starts kernels, one at a time, and ends all that a kernel has started."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from ..errors import CourseError
from . import sandbox, watch
from .inside.link import Closed, Link
from .kernels import Dead, Kernel, clear
from .limits import Limits

START_SECONDS = 180  # the first import of TensorFlow on a slow disk
MORE_THREADS = 500  # while a kernel runs; TensorFlow starts dozens
NAMESPACES = (5, 14)  # from this Linux on, a limit on processes inside the sandbox counts only these


class Server:
    """One fork server, with at most one kernel at a time; for use by one thread."""

    def __init__(self, imports: dict[str, str], limits: Limits, *, closed: bool):
        self.limits, self.closed = limits, closed
        self._imports = imports
        self._process: subprocess.Popen | None = None
        self._over = False
        long = len(tempfile.gettempdir()) > 70  # paths of unix sockets have a limit of 107, on macOS 103
        self.work = Path(tempfile.mkdtemp(prefix="course-", dir="/tmp" if long else None))

    def kernel(self, lesson: str, files: dict[str, bytes] | None = None) -> "Kernel":
        """A new kernel in a folder with these files only, with the lesson's imports.

        An earlier one is killed with all that it has started.

        Raises:
            RuntimeError: no kernel came up, twice.
        """
        for _ in range(2):
            try:
                self.stop()
                return Kernel(self, lesson, files or {})
            except Dead:
                self.close(keep=True)
        raise RuntimeError("no kernel starts")

    def stop(self) -> None:
        """Kills the kernel and all that it has started; the server itself when it does not obey."""
        if not self._process:
            return self._start()
        with contextlib.suppress(Closed):
            self.link.send({"do": "stop"})
            while answer := self.link.receive(10):
                if "stopped" in answer:
                    return None
        self.close(keep=True)
        return self._start()

    def close(self, *, keep: bool = False) -> None:
        """Ends the server and every process in its sandbox; without `keep` its folder goes, too."""
        if self._process:
            with contextlib.suppress(Closed):
                self.link.send({"do": "stop"})
            with contextlib.suppress(OSError):
                os.close(self.link.writing)
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                watch.kill_tree(self._process.pid)
                self._process.wait()
            with contextlib.suppress(OSError):
                os.close(self.link.reading)
            self._process = None
        if not keep and not self._over:
            self._over = True  # another thread may still ask for a kernel
            clear(self.work)
            self.work.rmdir()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def base(self) -> set[int]:
        """The processes that are the server's own."""
        return self._base

    def _start(self) -> None:
        if self._over:
            raise CourseError("grading was stopped.")
        reading, its_writing = os.pipe()
        its_reading, writing = os.pipe()
        clear(self.work)
        self._process = subprocess.Popen(
            sandbox.command(self.work, self._imports, closed=self.closed),
            stdin=its_reading,
            stdout=its_writing,
            stderr=subprocess.DEVNULL,
            cwd=self.work,
            env=sandbox.environment(self.work),
            start_new_session=True,
        )
        os.close(its_reading)
        os.close(its_writing)
        self.link = Link(reading, writing)
        try:
            ready = self.link.receive(START_SECONDS)
        except Closed:
            ready = None
        if not ready or "ready" not in ready:
            self.close(keep=True)
            raise CourseError(f"the kernels' server did not start. {(ready or {}).get('error', '')}".strip())
        counted = self.closed and watch.linux() >= NAMESPACES
        self.threads = MORE_THREADS + (8 * (os.cpu_count() or 1) if counted else watch.threads())
        self._base = {self._process.pid, *watch.tree(self._process.pid)}
