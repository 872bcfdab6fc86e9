"""How the fork server is started: closed off by bubblewrap where it works, else as a plain process."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import course_lib

INSIDE = Path(__file__).with_name("inside")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt/conda")
SETTINGS = (  # of /etc: how programs are loaded, names of users, fonts, time zone, alternatives
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group", "nsswitch.conf", "fonts", "localtime"),
    *("alternatives", "mime.types", "os-release"),
)
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "KERAS_BACKEND", "COURSE_DATA", "OMP_NUM_THREADS", "LD_LIBRARY_PATH")


def command(work: Path, imports: dict[str, str], *, closed: bool) -> list[str]:
    """The command that starts a fork server which may write in `work` only.

    Args:
        work: folder of the kernels, under the same path on both sides.
        imports: each lesson's import statements, run once by the server.
        closed: in a sandbox: no network, nothing visible but the system, the environment and the library.
    """
    settings = json.dumps({"alone": closed, "imports": imports})
    server = [sys.executable, "-B", str(INSIDE / "server.py"), settings]
    return [*_wall(work), "--", *server] if closed else server


def environment(work: Path) -> dict[str, str]:
    """The server's environment: nothing of the teacher's own, and folders of its own."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("TF_", "LC_"))}
    home = str(work)
    return kept | {
        "HOME": home,
        "TMPDIR": home,
        "IPYTHONDIR": f"{home}/ipython",
        "JUPYTER_RUNTIME_DIR": f"{home}/jupyter",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(Path(course_lib.__file__).resolve().parents[1]),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",  # macOS
        "CUDA_VISIBLE_DEVICES": "",  # marks must not depend on a GPU; a forked process could not use it
    }


@functools.cache
def works() -> str:
    """ "" when bubblewrap can close off a process here, else why not."""
    if sys.platform != "linux":
        return "bubblewrap is for Linux only"
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    try:
        done = subprocess.run(
            [*_wall(None), "--", "true"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {error}"
    return "" if done.returncode == 0 else f"bubblewrap does not run: {done.stderr.strip()[:200]}"


def _wall(work: Path | None) -> list[str]:
    """The bubblewrap command up to the program. No capability is kept, so no mount can be undone inside."""
    wall = [
        shutil.which("bwrap") or "bwrap",
        "--unshare-user",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
    ]
    wall += ["--unshare-uts", "--unshare-cgroup-try", "--hostname", "grading", "--die-with-parent"]
    wall += ["--new-session", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            wall += ["--symlink", os.readlink(path), name]
        elif path.is_dir():
            wall += ["--ro-bind", name, name]
    for name in SETTINGS:
        wall += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for path in dict.fromkeys(map(str, _visible())):
        wall += ["--ro-bind", path, path]
    if work:
        wall += ["--bind", str(work), str(work), "--chdir", str(work)]
    for path in ("/tmp", "/dev", "/"):  # nothing can be left for the next kernel
        wall += ["--remount-ro", path]
    return wall


def _visible() -> Iterable[Path]:
    """The environment, the library with its data, and the server's own modules."""
    yield from (Path(sys.prefix), Path(sys.base_prefix), INSIDE)
    library = Path(course_lib.__file__).resolve().parent
    yield library
    yield from (path for path in [library.parent / "data"] if (path / "README.md").is_file())
    if cache := os.environ.get("COURSE_DATA"):
        yield from (path for path in [Path(cache).resolve()] if path.is_dir())
