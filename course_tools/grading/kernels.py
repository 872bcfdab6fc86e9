"""A kernel for a student's code: forked from a server, watched, and killed at a limit."""

import contextlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import zmq
from jupyter_client.session import Session
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from . import watch
from .inside.link import CHECK, Closed, Link

if TYPE_CHECKING:
    from .servers import Server

READY_SECONDS = 60


class Dead(Exception):
    """The kernel is gone; the text says why, for the student to read."""


@dataclass
class Ran:
    """What one cell did."""

    outputs: list[NotebookNode] = field(default_factory=list)
    verdict: dict | None = None  # of a check

    @property
    def error(self) -> NotebookNode | None:
        return next((output for output in self.outputs if output.output_type == "error"), None)


class Kernel:
    """A forked Jupyter kernel, reached over unix sockets in its folder's parent."""

    def __init__(self, server: "Server", lesson: str, files: dict[str, bytes]):
        self._server, self.limits = server, server.limits
        self._asked = False  # for the check, of which each kernel runs one
        self.acts: list[str] = []  # what the guard noted
        clear(server.work)
        self.folder = server.work / "work"
        self.folder.mkdir()
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        sockets = server.work / "s"
        sockets.mkdir()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(sockets / "link"))
        self._listener.listen(1)
        key = secrets.token_hex(16)
        connection = {"ip": str(sockets / "k"), "key": key, "file": str(sockets / "k.json")}
        request = {"do": "start", "lesson": lesson, "folder": str(self.folder), "link": str(sockets / "link")}
        self._context = zmq.Context()
        self._link: Link | None = None
        self._ended = False
        try:
            server.link.send(
                request
                | {"connection": connection, "file_bytes": int(self.limits.file), "threads": server.threads}
            )
            self._listener.settimeout(READY_SECONDS)
            self._socket = self._listener.accept()[0]
            self._link = Link(self._socket.fileno(), self._socket.fileno())
            if not self._link.receive(READY_SECONDS) or "pid" not in (server.link.receive(5) or {}):
                raise OSError
        except (Closed, OSError):
            self.close()
            raise Dead("The kernel did not start.") from None
        self._session = Session(key=key.encode())
        self._context.setsockopt(zmq.LINGER, 0)
        self._context.setsockopt(zmq.RECONNECT_IVL, -1)  # a student's code may put another socket there
        self._context.setsockopt(zmq.MAXMSGSIZE, int(2 * self.limits.output))
        self._shell, self._iopub = self._context.socket(zmq.DEALER), self._context.socket(zmq.SUB)
        self._iopub.subscribe(b"")
        self._shell.connect(f"ipc://{connection['ip']}-1")
        self._iopub.connect(f"ipc://{connection['ip']}-2")
        self._poller = zmq.Poller()
        for source in (self._shell, self._iopub, self._link.fileno(), server.link.fileno()):
            self._poller.register(source, zmq.POLLIN)
        self._wait_until_heard()

    def _wait_until_heard(self) -> None:
        """Both sockets are connected when an answer and its published state have come."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            self._session.send(self._shell, "kernel_info_request", {})
            if self._shell.poll(1000) and self._iopub.poll(300):
                return
        self.close()
        raise Dead("The kernel did not start.")

    def run(self, source: str, *, check: dict | None = None, deadline: float | None = None) -> Ran:
        """Runs a cell, or a check's text in the guard; collects its outputs.

        Raises:
            Dead: the cell went beyond a limit or ended the kernel; the kernel is then gone.
        """
        if check:
            check = check | {"nonce": secrets.token_hex(16)}
        content = {
            "code": f"{CHECK}()" if check else source,
            "silent": False,
            "store_history": False,
            "allow_stdin": False,
        }
        sent = self._session.send(self._shell, "execute_request", content | {"stop_on_error": False})
        ran, size, replied, idle = Ran(), 0, 0.0, False
        begin, looked = time.monotonic(), 0.0
        while not (replied and idle):
            now = time.monotonic()
            if replied and now > replied + 5:  # a message beyond the limit was cut off, and others with it
                self._kill(f"it printed more than {self.limits.output / 1e6:g} MB")
            if now - begin > self.limits.cell_seconds:
                self._kill(f"it ran for more than {self.limits.cell_seconds:g} s")
            if deadline and now > deadline:
                self._kill(f"the whole notebook took more than {self.limits.total_seconds:g} s")
            if now - looked > 0.1:
                looked = now
                if reason := watch.excess(self._server.pid, self._server.base(), self.folder, self.limits):
                    self._kill(reason)
            ready = dict(self._poller.poll(50))
            if self._link.fileno() in ready:
                self._listen(ran, check)
            if self._server.link.fileno() in ready:  # it has nothing else to say
                self._kill("it ended the kernel")
            for frames in _waiting(self._shell):
                reply = self._read(frames)
                if reply and _answers(reply, sent):
                    replied = time.monotonic()
            for frames in _waiting(self._iopub):
                size += sum(map(len, frames))
                if size > self.limits.output:
                    self._kill(f"it printed more than {self.limits.output / 1e6:g} MB")
                message = self._read(frames)
                if not message or not _answers(message, sent):
                    continue
                if message["msg_type"] == "status":
                    idle = idle or message["content"].get("execution_state") == "idle"
                elif not check:
                    _collect(message, ran.outputs)
        if check and not ran.verdict:
            self._listen(ran, check)
        return ran

    def _listen(self, ran: Ran, check: dict | None) -> None:
        """Reads what the guard says: acts, the wish for the check's text, the verdict."""
        while True:
            try:
                entry = self._link.receive(0)
            except Closed:
                if self._link.fileno() in self._poller:
                    self._poller.unregister(self._link.fileno())
                return
            if entry is None:
                return
            if check and not self._asked and entry.get("want"):
                self._asked = True
                with contextlib.suppress(Closed):
                    self._link.send(check)
            elif check and not ran.verdict and entry.get("verdict") == check["nonce"]:
                ran.verdict = entry
            elif len(self.acts) < 50:
                self.acts.append(str(entry.get("act", "writes to the grader's own socket"))[:200])

    def _read(self, frames: list[bytes]) -> dict | None:
        try:
            return self._session.deserialize(self._session.feed_identities(frames)[1])
        except Exception:  # a student's process may send anything
            return None

    def _kill(self, reason: str) -> None:
        with contextlib.suppress(Closed):
            self._listen(Ran(), None)  # acts noted before
        self.close()
        self._server.stop()
        raise Dead(reason)

    def close(self) -> None:
        """Closes the sockets; the server kills the process when the next kernel starts."""
        self._context.destroy(linger=0)
        self._listener.close()
        if self._link:
            self._socket.close()


def _waiting(source: zmq.Socket, most: int = 200) -> Iterator[list[bytes]]:
    """The messages that have come, at most so many: then the limits are looked at again.

    It never waits. A socket whose other side was killed may say that it has a message, and then have none.
    """
    for _ in range(most):
        try:
            yield source.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return


def _answers(message: dict, sent: dict) -> bool:
    """Whether a message belongs to the one that was sent."""
    parent = message.get("parent_header")
    return isinstance(parent, dict) and parent.get("msg_id") == sent["header"]["msg_id"]


def _collect(message: dict, outputs: list[NotebookNode]) -> None:
    """Adds an output as a notebook would hold it; text that follows text is joined."""
    if message["msg_type"] == "clear_output":
        outputs.clear()
        return
    if message["msg_type"] == "update_display_data":
        return
    try:
        output = output_from_msg(message)
    except (ValueError, KeyError):
        return
    last = outputs[-1] if outputs else None
    if output.output_type == "stream" and not isinstance(output.text, str):
        return
    if last and last.output_type == output.output_type == "stream" and last.name == output.name:
        last.text += output.text
    else:
        outputs.append(output)


def clear(folder: Path) -> None:
    """Empties a folder that a student's code may have filled; the folder itself, which is mounted, stays."""
    for path in list(folder.iterdir()):
        with contextlib.suppress(OSError):
            path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)
    for path in list(folder.iterdir()):  # closed folders, or too many levels for Python
        subprocess.run(["chmod", "-R", "u+rwx", "--", path], capture_output=True)
        subprocess.run(["rm", "-rf", "--", path], capture_output=True)
