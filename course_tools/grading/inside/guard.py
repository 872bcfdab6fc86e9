"""Runs checks in a forked kernel, away from what the student's code may have changed.

A check gets a namespace of its own, with the lesson's imports as they were before any student's code ran;
only the answer's names come from the student. Functions and classes of the libraries that were replaced are
noticed and put back first. The check's text comes over the grader's own socket when the answer has run, and
the verdict goes back there; neither passes through IPython.
"""

import builtins
import functools
import linecache

import audit
import kept
from link import Link


class Guard:
    """Holds what the check needs, from before the student's code ran."""

    __slots__ = ("_checks", "_genuine", "_kept", "_layer", "_link", "_seen", "_shell")

    def __init__(self, shell, link: Link, genuine: dict, remembered: kept.Kept):
        import keras

        from course_lib import checks

        checks._RAISE = True
        self._layer = keras.Layer
        self._shell, self._link, self._genuine, self._checks = shell, link, genuine, checks
        self._seen: set[str] = set()
        self._kept = remembered
        self._kept.accept()

    def watch(self) -> None:
        """Begins to report acts of the student's code."""
        audit.watch(self._report)

    def _report(self, text: str) -> None:
        if text not in self._seen and len(self._seen) < 20:
            self._seen.add(text)
            self._link.send({"act": text})

    def check(self) -> None:
        """Asks the grader for the check, runs it, and sends the verdict with the number that came along."""
        audit.watch(None)
        self._put_back()
        self._link.send({"want": True})
        task = self._link.receive()
        self._checks._RAISE = True
        audit.watch(self._report)
        verdict = self._judge(task)
        audit.watch(None)
        self._put_back()
        self._link.send({"verdict": task["nonce"], **verdict})

    def _put_back(self) -> None:
        for text in self._kept.put_back():
            self._report(text)

    def _seen_through(self, value: object) -> object:
        """The student's function, which now reports an answer that decides itself what it equals."""
        if isinstance(value, (type, self._layer)):  # stays what it is: a check may look at its kind
            makes = value if isinstance(value, type) else type(value)
            if "__new__" in vars(makes) or not kept.of_library(type(value)):
                self._report(f"answers with {makes.__name__}, which decides itself what a call returns")
            return value
        if not callable(value):
            return value

        @functools.wraps(value)
        def called(*args, **kwargs):
            result = value(*args, **kwargs)
            for part in kept.parts(result):
                if kept.pretends(part):
                    self._report(f"returns a {type(part).__name__} that decides itself what it equals")
            return result

        return called

    def _judge(self, task: dict) -> dict:
        student, name = self._shell.user_ns, task["name"]
        namespace = dict(self._genuine)
        namespace |= {key: self._seen_through(student[key]) for key in task["names"] if key in student}
        checks = self._checks

        class Sealed(checks.Check):
            """Tells the student's frames from a library's although they have other globals."""

            def __exit__(self, kind, error, trace):
                checks._RAISE = True
                return super().__exit__(kind, error, trace)

            def _own(self, trace):
                entries = []
                while trace:
                    if trace.tb_frame.f_globals is namespace or trace.tb_frame.f_globals is student:
                        entries.append(trace)
                    trace = trace.tb_next
                return entries

        namespace["check"] = lambda name: Sealed(name, namespace)
        file = f"<check {name}>"
        hidden = {line for first, last in task["hidden"] for line in range(first, last + 1)}
        lines = task["source"].splitlines(True)
        visible = ["\n" if number in hidden else line for number, line in enumerate(lines, start=1)]
        linecache.cache[file] = (len(visible), None, visible, file)  # messages quote these lines
        try:
            exec(compile(task["source"], file, "exec"), namespace)
        except BaseException as error:
            return self._explain(error, file, hidden, student)
        return {"state": "passed", "hint": "", "hidden": False, "missing": ""}

    def _explain(self, error: BaseException, file: str, tests: set[int], student: dict) -> dict:
        line, by_student, trace = 0, False, error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == file:
                line = trace.tb_lineno if not by_student else line
            by_student = by_student or trace.tb_frame.f_globals is student
            trace = trace.tb_next
        hidden = line in tests
        cause = error.__cause__ or error
        missing = str(cause.name or "") if isinstance(cause, NameError) else ""
        stopped = f"Your code stopped with {_kind(cause) if hidden else type(cause).__name__}"
        if isinstance(error, self._checks.CheckFailed) and not hidden:
            return {"state": "failed", "hint": str(error)[:2000], "hidden": False, "missing": missing}
        if isinstance(error, NotImplementedError) and by_student and not hidden:
            return {"state": "unanswered", "hint": "", "hidden": False, "missing": ""}
        if hidden:
            hint = stopped if by_student else ""  # its text could tell the test
            return {"state": "failed", "hint": hint, "hidden": True, "missing": missing}
        hint = f"{stopped}: {str(error)[:200]}".strip(": ")
        return {"state": "failed", "hint": hint, "hidden": False, "missing": missing}


def _kind(error: BaseException) -> str:
    """An error's kind; of a class of the student's own not its name, which could tell a hidden test."""
    name = type(error).__name__
    return name if getattr(builtins, name, None) is type(error) else "an error that is not Python's own"
