"""JSON objects, one a line, over a socket or a pair of pipes; used on both sides of the sandbox's wall."""

import json
import os
import select
import time

CHECK = "__course_check__"  # the name by which the grader calls the guard in a kernel
MOST = 1_000_000  # bytes of one line; a student's process may write anything


class Closed(Exception):
    """The other side has gone, or wrote what is not a line of JSON."""


class Link:
    """Sends and receives JSON objects over file descriptors."""

    def __init__(self, reading: int, writing: int):
        self.reading, self.writing = reading, writing
        self._buffer = b""

    def fileno(self) -> int:
        return self.reading

    def send(self, entry: dict) -> None:
        rest = json.dumps(entry).encode() + b"\n"
        try:
            while rest:
                rest = rest[os.write(self.writing, rest) :]
        except OSError:
            raise Closed from None

    def receive(self, timeout: float | None = None) -> dict | None:
        """The next object; None when none came within `timeout` seconds (None: wait for ever).

        Raises:
            Closed: no further object will come.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = None if end is None else max(0.0, end - time.monotonic())
            try:
                if not select.select([self.reading], [], [], left)[0]:
                    return None
                chunk = os.read(self.reading, 1 << 16)
            except (OSError, ValueError):
                raise Closed from None
            self._buffer += chunk
            if not chunk or len(self._buffer) > MOST:
                raise Closed
        line, self._buffer = self._buffer.split(b"\n", 1)
        try:
            entry = json.loads(line)
        except ValueError:
            raise Closed from None
        if not isinstance(entry, dict):
            raise Closed
        return entry
