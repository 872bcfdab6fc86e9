"""`course doctor`: looks at this machine, and says what to do about each problem."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course_lib.paths import cache_path
from course_lib.session import Report

from .project import Project

PACKAGE = "convnet-course"
EXTRAS = ("cpu", "notebook", "tools")  # what running and grading the lessons needs
GB = 1e9
MEMORY_GB = 4  # a TensorFlow kernel with the largest lesson, and a browser beside it
DISK_GB = 1  # CIFAR-10 needs 0.4 GB in the cache, built lessons and reports 0.1 GB
PROBE = """
import dataclasses, json, course_lib
print("\\n" + json.dumps(dataclasses.asdict(course_lib.report())))
"""

State = Literal["good", "hint", "problem"]
SIGN = {"good": "[green]✔[/]", "hint": "[yellow]![/]", "problem": "[red]✘[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: "good", a "hint" (the course works), or a "problem" (something will not work)."""

    subject: str
    state: State
    text: str
    mend: str = ""


def run_doctor(console: Console | None = None) -> int:
    """Prints what was found; returns 1 when something will not work, else 0."""
    console = console or Console()
    with console.status("Looking at this machine (about 15 s) …"):
        findings = doctor()
    table = Table(box=None, padding=(0, 1), show_header=False)
    for found in findings:
        mend = f"\n[bold]→ {escape(found.mend)}[/]" if found.mend else ""
        table.add_row(SIGN[found.state], found.subject, escape(found.text) + mend)
    console.print(table, highlight=False)
    problems = sum(found.state == "problem" for found in findings)
    hints = sum(found.state == "hint" for found in findings)
    console.print(
        f"{problems} problem(s): mend them as said above." if problems
        else f"The course works here{f', with {hints} hint(s)' if hints else ''}.",
        highlight=False,
    )  # fmt: skip
    return int(problems > 0)


def doctor() -> list[Finding]:
    """Looks at everything that the course needs, in the order in which to mend it."""
    report, error = probe()
    return [
        python_version(),
        *package_bounds(),
        *pinned_versions(),
        backend(report, error),
        *([gpu(report), *data(report)] if report else []),
        memory(),
        *disk(),
        cache(),
        kernel(),
        sandbox(),
    ]


def python_version(version: str | None = None) -> Finding:
    """Is Python in the range that the package names?"""
    version = version or platform.python_version()
    allowed = importlib.metadata.metadata(PACKAGE)["Requires-Python"]
    if SpecifierSet(allowed).contains(version, prereleases=True):
        return Finding("Python", "good", f"{version} ({sys.executable})")
    return Finding(
        "Python",
        "problem",
        f"{version}, but the course needs {allowed}",
        "Install Python 3.12, delete .venv, then run: make setup PYTHON=python3.12",
    )


def package_bounds(installed: Callable[[str], str | None] | None = None) -> list[Finding]:
    """Is each package that the course names installed, in a version that it allows?"""
    installed = installed or _version
    wrong, count = [], 0
    for requirement in _requirements():
        count += 1
        version = installed(requirement.name)
        if version is None:
            wrong.append((requirement, "is not installed"))
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong.append((requirement, f"{version} is outside {requirement.specifier}"))
    if not wrong:
        return [Finding("packages", "good", f"all {count} that the course names, in versions that it allows")]
    return [
        Finding(requirement.name, "problem", text, f'Run: {_pip()} install "{_plain(requirement)}"')
        for requirement, text in wrong
    ]


def pinned_versions(project: Project | None = None) -> list[Finding]:
    """In a checkout: are the versions those of requirements.txt, with which the outputs were stored?"""
    path = (project or Project()).root / "requirements.txt"
    if not path.exists():
        return []
    pins = [Requirement(line) for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    other = []
    for pin in pins:
        version = _version(pin.name)
        if version is None or not pin.specifier.contains(version, prereleases=True):
            other.append(
                f"{pin.name} {version or 'missing'} (pinned {str(pin.specifier).removeprefix('==')})"
            )
    if not other:
        return [Finding("pinned versions", "good", f"all {len(pins)} of requirements.txt")]
    shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
    return [
        Finding(
            "pinned versions",
            "hint",
            f"{len(other)} of {len(pins)} differ from requirements.txt: {shown}",
            f"Stored outputs may differ a little. To get the pins: {_pip()} install -r requirements.txt",
        )
    ]


def probe() -> tuple[Report | None, str]:
    """`course_lib.report()` from a process of its own, since a backend may crash; and what went wrong."""
    try:
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=180)
    except subprocess.TimeoutExpired:
        return None, "importing the backend took more than 180 s"
    if done.returncode == 0:
        return Report(**json.loads(done.stdout.splitlines()[-1])), ""
    lines = done.stderr.strip().splitlines()
    if done.returncode < 0:
        return None, f"importing the backend ended with signal {-done.returncode}"
    return None, lines[-1] if lines else f"importing the backend ended with exit code {done.returncode}"


def backend(report: Report | None, error: str = "") -> Finding:
    """Does Keras come up on its backend?"""
    if report:
        version = report.packages.get(report.backend, "")
        text = f"Keras {report.packages.get('keras')} on {report.backend} {version}, {report.cores} CPU cores"
        return Finding("backend", "good", text)
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen and chosen != "tensorflow":
        mend = f"KERAS_BACKEND={chosen} is set: install that backend, or unset KERAS_BACKEND"
    elif "signal 4" in error:
        mend = "This processor lacks AVX, which TensorFlow needs: use another machine, or Colab"
    elif "ImportError" in error or "ModuleNotFoundError" in error:
        mend = f"Run: {_pip()} install --force-reinstall tensorflow-cpu (tensorflow on macOS, Windows, Arm)"
    else:
        mend = f'Read the whole error: {sys.executable} -c "import course_lib; print(course_lib.report())"'
    return Finding("backend", "problem", error, mend)


def gpu(report: Report, driver: str | None = None) -> Finding:
    """Does the backend see the GPU, if there is one, and in which precision? `driver`: its list."""
    if report.gpus:
        precision = (
            'float32; in mixed_bfloat16, faster, after course_lib.start(precision="auto")'
            if report.bfloat16 else "float32 (it has no bfloat16)"
        )  # fmt: skip
        several = "; several at once: docs/devices.md" if len(report.gpus) > 1 else ""
        where = f"{report.backend} uses {', '.join(report.gpus)}, compiled (XLA)"
        return Finding("GPU", "good", f"{where}, in {precision}{several}")
    driver = _nvidia() if driver is None else driver
    if not driver:
        return Finding("GPU", "good", "none; the quick profile needs none")
    if report.backend == "tensorflow" and _version("tensorflow-cpu"):
        version = _version("tensorflow-cpu")
        mend = (
            f"Run: {_pip()} uninstall tensorflow-cpu, "
            f'then: {_pip()} install "tensorflow[and-cuda]=={version}"'
        )
    elif report.backend == "tensorflow":
        version = _version("tensorflow")
        mend = f'Run: {_pip()} install "tensorflow[and-cuda]=={version}" (Linux, or WSL2 on Windows)'
    elif report.backend == "jax":
        mend = f'Run: {_pip()} install "jax[cuda12]=={_version("jax")}"'
    else:
        mend = "Install the CUDA build of PyTorch"
    return Finding("GPU", "hint", f"{driver} is here, but {report.backend} runs on the CPU", mend)


def data(report: Report) -> list[Finding]:
    """Which data sets are at hand? The embedded ones always; the others are downloaded once."""
    missing = [name for name, state in report.data.items() if state == "not downloaded"]
    at_hand = [name for name in report.data if name not in missing]
    found = [Finding("data", "good", f"at hand: {', '.join(at_hand)}")]
    if missing:
        loads = "; ".join(f"load('{name}')" for name in missing)
        command = f'{sys.executable} -c "from course_lib.datasets import load; {loads}"'
        mend = f"Only the full profile needs them. Once, online: {command}"
        found.append(Finding("data", "hint", f"not downloaded: {', '.join(missing)}", mend))
    return found


def memory(available_gb: float | None = None) -> Finding:
    """Is there memory for one lesson and a browser?"""
    import psutil

    free = psutil.virtual_memory().available / GB if available_gb is None else available_gb
    if free >= MEMORY_GB:
        return Finding("memory", "good", f"{free:.1f} GB free")
    mend = "Close other programs and other notebooks' kernels; run lessons one at a time (--jobs 1)"
    return Finding("memory", "hint", f"{free:.1f} GB free, {MEMORY_GB} GB are comfortable", mend)


def disk(free_gb: Callable[[Path], float] | None = None) -> list[Finding]:
    """Is there room for built lessons and downloaded data?"""
    free_gb = free_gb or (lambda folder: shutil.disk_usage(folder).free / GB)
    found = []
    for subject, path in (("disk, course", Project().root), ("disk, data", cache_path())):
        free = free_gb(_existing(path))
        state = "good" if free >= DISK_GB else "hint" if free >= DISK_GB / 10 else "problem"
        mend = "" if state == "good" else f"Free some space: {DISK_GB} GB is enough"
        found.append(Finding(subject, state, f"{free:.1f} GB free in {path}", mend))
    return found


def cache(path: Path | None = None) -> Finding:
    """Can downloaded data be stored?"""
    path = path or cache_path()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"course")
    except OSError as error:
        mend = "Name a folder that you can write to in COURSE_DATA. Embedded data works without it"
        return Finding("data cache", "hint", f"{path}: {error.strerror}", mend)
    return Finding("data cache", "good", f"{path} can be written")


def kernel(name: str = "python3") -> Finding:
    """Does a notebook kernel start and compute?"""
    from jupyter_client.manager import start_new_kernel

    try:
        manager, client = start_new_kernel(kernel_name=name, startup_timeout=60, stderr=subprocess.DEVNULL)
        try:
            status = client.execute_interactive("assert 1 + 1 == 2", timeout=60)["content"]["status"]
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        if status == "ok":
            return Finding("kernel", "good", "a notebook kernel starts and computes")
        text = "a notebook kernel starts, but does not compute"
    except Exception as error:  # whatever a broken installation raises is what the reader needs to see
        text = f"no notebook kernel starts: {error}"
    return Finding(
        "kernel", "problem", text, f"Run: {_pip()} install --force-reinstall ipykernel jupyter_client"
    )


def sandbox() -> Finding:
    """For graders: does bubblewrap close off a submission's process? Students do not need it."""
    from .grading import sandbox as wall

    if not (reason := wall.works()):
        return Finding("sandbox", "good", "bubblewrap works")
    if sys.platform != "linux":
        mend = "grade submissions on a Linux machine"
    elif not shutil.which("bwrap"):
        mend = "on Debian and Ubuntu: sudo apt install bubblewrap"
    else:
        mend = "allow user namespaces on this machine, or grade on another"
    return Finding("sandbox", "hint", reason, f"Only graders need it: {mend}")


def _requirements() -> list[Requirement]:
    """What the package names for this machine: its core and the extras that authors and graders run."""
    wanted = []
    for line in importlib.metadata.requires(PACKAGE) or []:
        requirement = Requirement(line)
        contexts = [default_environment() | {"extra": extra} for extra in ("", *EXTRAS)]
        if requirement.name == PACKAGE or not any(_applies(requirement, context) for context in contexts):
            continue
        if requirement.name.startswith("tensorflow") and not _version(requirement.name):
            continue  # the GPU build, or another backend: the backend's own line tells
        wanted.append(requirement)
    return wanted


def _applies(requirement: Requirement, context: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(context)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _plain(requirement: Requirement) -> str:
    """The requirement without its marker, to paste into a shell."""
    return f"{requirement.name}{requirement.specifier}"


def _pip() -> str:
    return f"{sys.executable} -m pip"


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _nvidia() -> str:
    """Names of the GPUs that the NVIDIA driver lists; "" when there is no driver."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ""
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return ", ".join(done.stdout.split("\n")).strip(", ") if done.returncode == 0 else ""
