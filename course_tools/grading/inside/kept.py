"""What students' code must not change in the libraries: remembered before it runs, put back after it."""

import os
import sys
import types
from builtins import delattr, getattr, isinstance, len, list, set, setattr, vars  # noqa: UP029 - students may replace them
from collections.abc import Iterator

import audit

MODULES = ("builtins", "course_lib", "numpy", "math", "operator", "json", "random", "linecache", "contextlib")
MODULES += ("keras", "IPython.core.interactiveshell", "numbers")
MODULES += ("os", "posixpath", "select", "time", "functools", "types", "codecs")  # the guard's own tools
_COMPARING = ("__eq__", "__ne__", "__bool__", "__array__", "__array_ufunc__", "__array_function__")
_COMPARING += ("__lt__", "__gt__", "__sub__", "__rsub__", "__class__", "__getattribute__")
_WITHOUT_FILE = frozenset(sys.builtin_module_names)  # modules of Python itself
_KINDS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.ModuleType)
_ALLOWED = {f"builtins.{name}" for name in ("input", "_", "exit", "quit")}  # the kernel changes them itself


class Kept:
    """Functions, classes and modules as they were when this was made; `own`: the guard's own modules."""

    def __init__(self, own: tuple[types.ModuleType, ...] = ()):
        self._entries = list(_entries())
        for module in own:
            self._entries += _of(module.__name__, module)
        holders = {id(holder): holder for holder, *_ in self._entries if isinstance(holder, type)}
        self._classes = [(kind, set(vars(kind))) for kind in holders.values()]

    def accept(self) -> None:
        """What the kernel itself has changed since then is right."""
        entries = []
        for holder, key, value, code in self._entries:
            now = _get(holder, key)
            entries.append((holder, key, value, code) if now is value else (holder, key, now, _code(now)))
        self._entries = entries
        self._classes = [(kind, set(vars(kind))) for kind, _ in self._classes]

    def put_back(self) -> list[str]:
        """Puts back what was replaced, and returns its names."""
        replaced = []
        for holder, key, value, code in self._entries:
            changed = _get(holder, key) is not value
            if not changed and code is not None:
                changed = value.__code__ is not code[0] or value.__defaults__ is not code[1]
                changed = changed or value.__kwdefaults__ != code[2]
            if not changed:
                continue
            name = f"{getattr(holder, '__name__', None) or holder.get('__name__', 'sys.modules')}.{key}"
            if code is not None:
                value.__code__, value.__defaults__ = code[:2]
                value.__kwdefaults__ = None if code[2] is None else dict(code[2])
            if isinstance(holder, dict):
                holder[key] = value
            else:
                setattr(holder, key, value)
            replaced += [f"replaces {name}"]
        for kind, known in self._classes:
            if len(vars(kind)) == len(known):
                continue
            for key in set(vars(kind)) - known:  # hides what a parent class has under this name
                if isinstance(vars(kind)[key], (*_KINDS, property, staticmethod, classmethod)):
                    delattr(kind, key)
                    replaced += [f"adds {kind.__name__}.{key}"]
        return replaced


def pretends(value: object) -> bool:
    """Whether a class of the student's own says how the value compares, or what its numbers are."""
    for kind in _MRO(type(value)):
        comparing = [vars(kind)[name] for name in _COMPARING if name in vars(kind)]
        if comparing and not (of_library(kind) and all(map(_in_library, comparing))):
            return True
    return False


def of_library(kind: type) -> bool:
    """Whether a class is found where it says, and that is a library and no module of the student's own."""
    name, module = kind.__module__, sys.modules.get(kind.__module__)
    if (
        not module
        or name == "__main__"
        or name.startswith("unittest")
        or _found(module, kind.__qualname__) is not kind
    ):
        return False
    while name not in _WITHOUT_FILE:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            return audit.library(os.path.abspath(file))
        name = name.rpartition(".")[0]  # a part of a compiled library
        if not name:
            return False
    return True


def _in_library(member: object) -> bool:
    """Whether a class' method was not written by the student, as far as its code tells."""
    if type(member) is not types.FunctionType:
        return True
    file = member.__code__.co_filename
    return file.startswith("<") or audit.library(file)


_MRO = type.__dict__["__mro__"].__get__  # a class of the student's own may give another `__mro__`


def parts(value: object, most: int = 1000) -> Iterator[object]:
    """A result and what it holds: entries of lists, dictionaries and arrays of objects, `most` in all."""
    waiting = [value]
    while waiting and most:
        most -= 1
        value = waiting.pop()
        yield value
        if isinstance(value, list | tuple | set):
            waiting += list(value)[:most]
        elif isinstance(value, dict):
            waiting += list(value.values())[:most]
        elif type(value).__name__ == "ndarray" and getattr(value.dtype, "hasobject", False):
            waiting += value.ravel()[:most].tolist()


def _get(holder: object, key: str) -> object:
    return holder.get(key) if isinstance(holder, dict) else vars(holder).get(key)


def _found(module: types.ModuleType, name: str) -> object:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


def _entries() -> Iterator[tuple]:
    """What must not change: (holder, key, value, a function's code and its two kinds of defaults or None)."""
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or not _guarded(name):
            continue
        yield sys.modules, name, module, None
        yield from _of(name, module)


def _of(name: str, module: types.ModuleType) -> Iterator[tuple]:
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
    if not isinstance(value, types.FunctionType):
        return None
    named = value.__kwdefaults__
    return value.__code__, value.__defaults__, None if named is None else dict(named)
