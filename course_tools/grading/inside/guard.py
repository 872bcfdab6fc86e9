"""Runs checks in a forked kernel, away from what the student's code may have changed.

A check gets a namespace of its own, with the lesson's imports as they were before any student's code ran;
only the answer's names come from the student. Functions and classes of the libraries that were replaced are
noticed and put back first. The check's text comes over the grader's own socket when the answer has run, and
the verdict goes back there; neither passes through IPython.
"""

import linecache
import sys
import types
from collections.abc import Iterator

import audit
from link import Link

MODULES = ("builtins", "course_lib", "numpy", "math", "operator", "json", "random", "linecache", "contextlib")
MODULES += ("keras.src.ops", "keras.src.backend.common", "IPython.core.interactiveshell", "numbers")
_KINDS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.ModuleType)
_ALLOWED = {f"builtins.{name}" for name in ("input", "_", "exit", "quit")}  # the kernel changes them itself


class Guard:
    """Holds what the check needs, from before the student's code ran."""

    def __init__(self, shell, link: Link, genuine: dict):
        from course_lib import checks

        checks._RAISE = True
        self._shell, self._link, self._genuine, self._checks = shell, link, genuine, checks
        self._seen: set[str] = set()
        self._kept = list(_entries())

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
        self._link.send({"want": True})
        task = self._link.receive()
        self._put_back()
        self._checks._RAISE = True
        audit.watch(self._report)
        verdict = self._judge(task)
        audit.watch(None)
        self._put_back()
        self._link.send({"verdict": task["nonce"], **verdict})

    def _put_back(self) -> None:
        for holder, key, value, code in self._kept:
            now = holder.get(key) if isinstance(holder, dict) else vars(holder).get(key)
            changed = now is not value
            if not changed and code is not None:
                changed = value.__code__ is not code[0] or value.__defaults__ is not code[1]
            if not changed:
                continue
            name = f"{getattr(holder, '__name__', None) or holder.get('__name__', 'sys.modules')}.{key}"
            if code is not None:
                value.__code__, value.__defaults__ = code
            if isinstance(holder, dict):
                holder[key] = value
            else:
                setattr(holder, key, value)
            self._report(f"replaces {name}")

    def _judge(self, task: dict) -> dict:
        student, name = self._shell.user_ns, task["name"]
        namespace = dict(self._genuine)
        namespace |= {key: student[key] for key in task["names"] if key in student}
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
        stopped = f"Your code stopped with {type(cause).__name__}"
        if isinstance(error, self._checks.CheckFailed) and not hidden:
            return {"state": "failed", "hint": str(error)[:2000], "hidden": False, "missing": missing}
        if isinstance(error, NotImplementedError) and by_student and not hidden:
            return {"state": "unanswered", "hint": "", "hidden": False, "missing": ""}
        if hidden:
            hint = stopped if by_student else ""  # its text could tell the test
            return {"state": "failed", "hint": hint, "hidden": True, "missing": missing}
        hint = f"{stopped}: {str(error)[:200]}".strip(": ")
        return {"state": "failed", "hint": hint, "hidden": False, "missing": missing}


def _entries() -> Iterator[tuple]:
    """What must not change: (holder, key, value, a function's code and defaults or None)."""
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or not _guarded(name):
            continue
        yield sys.modules, name, module, None
        for key, value in list(vars(module).items()):
            if not isinstance(value, _KINDS) and not callable(value):
                continue
            if f"{name}.{key}" in _ALLOWED:
                continue
            yield vars(module), key, value, _code(value)
            if isinstance(value, type) and value.__module__ == name and value.__flags__ & 1 << 9:
                for inner, member in list(vars(value).items()):
                    if callable(member) or isinstance(member, staticmethod | classmethod | property):
                        yield value, inner, member, _code(member)


def _guarded(name: str) -> bool:
    return any(name == wanted or name.startswith(f"{wanted}.") for wanted in MODULES)


def _code(value: object) -> tuple | None:
    return (value.__code__, value.__defaults__) if isinstance(value, types.FunctionType) else None
