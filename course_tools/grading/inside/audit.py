"""Notes what an honest answer never does: looks at the stack, searches memory, starts processes, …

Python calls an audit hook for such acts, and a hook cannot be taken away. It is a detector, not a wall: a
report is for the teacher. Only acts of the student's own code count, not those of a library that it calls.
"""

import _signal
import mmap
import os
import signal
import sys
from collections.abc import Callable

_HELPERS = {
    "stack": ("inspect", "traceback"),
    "frame": ("inspect",),
    "process": ("subprocess", "multiprocessing", "os", "pty", "concurrent"),
    "open": ("pathlib", "codecs", "shutil", "IPython"),  # IPython has an `open` of its own
    "thread": ("threading", "concurrent", "multiprocessing"),
    "": (),
}
_STACK, _MEMORY = "looks at the stack", "searches the memory of the process"
_OPAQUE = "imports compiled or packed code of its own"
_PROCESS, _NETWORK, _TEXT = "starts other programs", "uses the network", "runs text as code"
EVENTS = {  # audit event -> (what the teacher reads, modules through which it may be done)
    "sys._getframe": (_STACK, "stack"),
    "sys._current_frames": (_STACK, ""),
    "sys._current_exceptions": (_STACK, ""),
    "sys.settrace": ("traces other code", "thread"),
    "sys.setprofile": ("traces other code", "thread"),
    "sys.addaudithook": ("adds an audit hook", ""),
    "gc.get_objects": (_MEMORY, ""),
    "gc.get_referrers": (_MEMORY, ""),
    "gc.get_referents": (_MEMORY, ""),
    "code.__new__": ("makes code objects", ""),
    "marshal.loads": ("makes code objects", ""),
    "ctypes.dlopen": ("reaches into memory with ctypes", "ctypes"),
    "ctypes.cdata": ("reaches into memory with ctypes", "ctypes"),
    "ctypes.string_at": ("reaches into memory with ctypes", "ctypes"),
    "ctypes.call_function": ("reaches into memory with ctypes", "ctypes"),
    "os.fork": (_PROCESS, "process"),
    "os.forkpty": (_PROCESS, "process"),
    "os.system": (_PROCESS, "process"),
    "os.exec": (_PROCESS, "process"),
    "os.posix_spawn": (_PROCESS, "process"),
    "os.kill": ("sends signals to processes", "process"),
    "os.killpg": ("sends signals to processes", "process"),
    "subprocess.Popen": (_PROCESS, "process"),
    "_thread.start_new_thread": ("starts threads", "thread"),
    "_thread.start_joinable_thread": ("starts threads", "thread"),  # Python 3.13
    "sys.monitoring.register_callback": ("traces other code", ""),  # Python 3.12
    "socket.connect": (_NETWORK, ""),
    "socket.bind": (_NETWORK, ""),
    "exec": (_TEXT, ""),
    "compile": (_TEXT, ""),
}
_FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame"}
_FUNCTION = {"__code__", "__defaults__", "__kwdefaults__"}  # reading gives what can be changed in place
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")
_HELPERS["ctypes"] = ("ctypes",)

_report: Callable[[str], None] | None = None
_places: tuple[str, ...] = ()  # folders of Python and the libraries
_files: tuple[str, ...] = ()  # how the file names of their code begin
_busy = False
_started = mmap.mmap(-1, 8)  # new processes so far, shared by a kernel and all that it starts
COMPILED = (".pyc", ".pyo", ".so", ".pyd")  # nobody can read what it does
_NEW = {"os.fork", "os.forkpty", "os.system", "os.posix_spawn", "subprocess.Popen"}
MOST_NEW = 100  # then a kernel cannot start more: a fork bomb ends here, before the grader looks


def install() -> None:
    """Adds the hook; it notes nothing before `watch`."""
    import course_lib

    global _places, _files
    here = os.path.dirname(os.path.abspath(__file__))
    course = os.path.dirname(os.path.abspath(course_lib.__file__))
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__), here, course}
    _places = tuple(place + os.sep for place in places)
    _files = (*_places, "<frozen", "<imports>", "<check", "<__array_function__")
    for name in ("signal", "setitimer", "alarm"):  # a handler sees the guard's frames
        setattr(_signal, name, _told(getattr(_signal, name)))
        setattr(signal, name, _told(getattr(signal, name)))
    sys.addaudithook(_hook)


def _told(function: Callable) -> Callable:
    """The same function, which reports that the student's code calls it."""

    def call(*arguments):
        global _busy
        if _report is not None and not _busy:
            _busy = True
            try:
                if _by_student(()):
                    _report("sets a signal handler or a timer")
            finally:
                _busy = False
        return function(*arguments)

    return call


def watch(report: Callable[[str], None] | None) -> None:
    """From now on `report` is called with each kind of act; None ends that."""
    global _report
    _report = report


def reset() -> None:
    """Begins to count processes anew, for a new kernel."""
    _started[:] = bytes(8)


def _hook(event: str, arguments: tuple) -> None:
    global _busy
    if _report is None or _busy:
        return
    if event in _NEW:
        count = int.from_bytes(_started[:], "little") + 1
        _started[:] = count.to_bytes(8, "little")
        if count > MOST_NEW:
            raise RuntimeError("This notebook has started too many processes.")
    if event == "object.__getattr__" and arguments[1] in _FRAMES:
        text, helpers = _STACK, "frame"
    elif event in ("object.__setattr__", "object.__getattr__") and arguments[1] in _FUNCTION:
        text, helpers = "reaches into a function's code or defaults", ""
    elif event == "open" and (path := _outside(arguments[0])):
        text, helpers = f"opens {path[:80]!r} outside its folder", "open"
    elif event in ("open", "import") and _compiled(arguments[event == "import"]):
        text, helpers = _OPAQUE, None  # whoever does it: Python's import stands between
    elif event in EVENTS:
        text, helpers = EVENTS[event]
    else:
        return
    _busy = True
    try:
        if helpers is None or _by_student(_HELPERS[helpers]):
            _report(text)
    finally:
        _busy = False


def _outside(path: object) -> str:
    """The path if it leads out of the current folder, and not into a library; else ""."""
    if isinstance(path, int):  # a file that is open already
        return ""
    try:
        full, here = os.path.abspath(os.fsdecode(path)), os.getcwd()
    except OSError:
        return ""
    inside = full == here or full in _HARMLESS or full.startswith((here + os.sep, *_places))
    return "" if inside else full


def _compiled(path: object) -> bool:
    """Whether it is compiled code, or a zip file to import from, in the folder of students' code."""
    if not isinstance(path, str | bytes):
        return False
    name = os.fsdecode(path)
    packed = sys._getframe(2).f_code.co_filename == "<frozen zipimport>"  # a zip file under any name
    if not (packed or name.lower().endswith(COMPILED)) or _outside(name):
        return False
    return not library(full := os.path.abspath(name)) and os.path.exists(full)


def library(file: str) -> bool:
    """Whether a file is Python's own, a library's or the guard's."""
    return file.startswith(_places)


def _by_student(helpers: tuple[str, ...]) -> bool:
    """Whether the code that acts, helper modules aside, is neither Python's own nor a library's."""
    frame = sys._getframe(2)
    while frame:
        module = str(frame.f_globals.get("__name__", "")).split(".")[0]
        file = frame.f_code.co_filename
        if not file.startswith(_files):
            return True
        if module not in helpers:
            return False
        frame = frame.f_back
    return False
