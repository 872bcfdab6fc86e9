"""The fork server: imports the libraries once, then forks a kernel for each exercise.

It runs inside the sandbox, has one thread, and runs no operation of TensorFlow. It speaks JSON lines:
requests on standard input, answers on standard output.

    {"do": "start", "lesson": ..., "folder": ..., …}        a kernel in that folder -> {"pid": ...}
    {"do": "stop"}                                  every process but this one is killed -> {"stopped": true}
    (a kernel ends)                                                                       -> {"ended": status}
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import audit
import guard
import kept
import kernel as kernels
import link as links
from link import Closed, Link

WARM = ("ipykernel.kernelapp", "ipykernel.ipkernel", "matplotlib.pyplot", "matplotlib_inline.backend_inline")
WARM += ("numpy.testing",)  # loaded late by NumPy; the guard must know it
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


def main() -> None:
    """`server.py SETTINGS`: JSON with `alone` (own process namespace) and each lesson's `imports`."""
    settings = json.loads(sys.argv[1])
    link = Link(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # libraries that print cannot disturb the link
        os.dup2(nothing, descriptor)
    _protect(settings["alone"])
    try:
        genuine = _load(settings["imports"])
        audit.install()
        remembered = _hide()
    except Exception as error:
        link.send({"error": f"{type(error).__name__}: {error}"})
        return
    gc.collect()
    gc.freeze()  # forked kernels share these objects' memory
    link.send({"ready": os.getpid()})
    with contextlib.suppress(Closed):
        _serve(link, genuine, remembered, settings["alone"])
    _stop(settings["alone"])


def _serve(link: Link, genuine: dict, remembered: kept.Kept, alone: bool) -> None:
    kernel = 0
    while True:
        request = link.receive(0.03)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:  # a kernel's orphans are ours, too
                if ended[0] == kernel:
                    kernel = 0
                    link.send({"ended": ended[1]})
        if request is None:
            continue
        if request["do"] == "stop":
            _stop(alone)
            kernel = 0
            link.send({"stopped": True})
        elif request["do"] == "start":
            audit.reset()
            kernel = os.fork()
            if kernel == 0:
                _become_kernel(link, request, genuine[request["lesson"]], remembered)
            link.send({"pid": kernel})


def _load(imports: dict[str, str]) -> dict[str, dict]:
    """Imports what kernels and lessons need; returns the names that each lesson's imports bind."""
    for name in WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    genuine = {}
    for lesson, text in imports.items():
        genuine[lesson] = {"__name__": "__main__"}
        exec(compile(text, "<imports>", "exec"), genuine[lesson])
    return genuine


def _hide() -> kept.Kept:
    """Remembers the libraries; takes the guard's modules out of reach of an `import` in students' code."""
    own = (audit, guard, kept, kernels, links)
    remembered = kept.Kept(own)
    for module in own:
        del sys.modules[module.__name__]
    here = os.path.realpath(os.path.dirname(__file__))  # it stands there twice: Python put it first, too
    sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) != here]
    return remembered


def _become_kernel(link: Link, request: dict, genuine: dict, remembered: kept.Kept) -> None:
    """The forked process: never returns."""
    try:
        os.close(link.reading)
        os.close(link.writing)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        _prctl(PR_SET_DUMPABLE, 1)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # without the server it ends, too
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")  # when memory runs out, this process goes first
        size = request["file_bytes"]
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if os.getuid():  # no limit for root
            most = request["threads"]
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing more is an error of the cell
        os.chdir(request["folder"])
        joined = socket.socket(socket.AF_UNIX)
        joined.connect(request["link"])
        descriptor = os.dup2(joined.detach(), 250, inheritable=False)

        kernels.run(request["connection"], Link(descriptor, descriptor), genuine, remembered)
    except BaseException:
        import traceback

        with contextlib.suppress(OSError), open("kernel-error.txt", "w") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(1)


def _stop(alone: bool) -> None:
    """Kills every process that a kernel has left, whatever it did to hide it."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if alone:
            try:
                os.kill(-1, signal.SIGKILL)  # in this process namespace: all but the first and ourselves
            except ProcessLookupError:
                break
        else:
            import psutil

            left = [
                p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE
            ]
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.suspend()  # so that none can fork while others are killed
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            if not left:
                break
        _reap()
        time.sleep(0.005)
    _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _protect(alone: bool) -> None:
    """No child can read or change this process; orphans of a kernel become its children."""
    _prctl(PR_SET_DUMPABLE, 0)
    if not alone:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
