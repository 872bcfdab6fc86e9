"""The start of a lesson: backend, seed, plot style, and a report of the machine."""

import logging
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from . import devices
from .backend import load_backend
from .errors import unknown

PROFILES = ("quick", "full")


def seed() -> int:
    """Seed of this run's training: `$COURSE_SEED`, 0 when unset.

    >>> isinstance(seed(), int)
    True
    """
    text = os.environ.get("COURSE_SEED", "0")
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"COURSE_SEED must be a whole number, received {text!r}.") from None


def profile() -> str:
    """Name of the profile that runs: `$COURSE_PROFILE`, "quick" when unset."""
    name = os.environ.get("COURSE_PROFILE") or "quick"
    if name not in PROFILES:
        raise unknown("profile in COURSE_PROFILE", name, PROFILES)
    return name


def pick(*, quick, full):
    """The one switch between the two profiles.

    `quick` needs no internet and no GPU and takes seconds; `full` uses the real data sets. `$COURSE_PROFILE`
    chooses.

    >>> pick(quick=2, full=2)
    2
    """
    return full if profile() == "full" else quick


def start(seed: int | None = None, *, precision: str = "float32") -> None:
    """Prepares a lesson: chooses the Keras backend, quietens TensorFlow, sets seed, precision and plot style.

    Args:
        seed: seed of all random numbers; None takes `$COURSE_SEED`, or 0.
        precision: "float32", in which exercises and findings are exact; "mixed_bfloat16"; or "auto": the
            latter where a GPU supports it. See `course_lib.devices.set_precision`.

    Prints two lines about the machine. Called again it sets seed and precision anew; models that exist keep
    their precision.

    Raises:
        ImportError: no backend is installed.
        ValueError: another precision.
    """
    load_backend()
    # TensorFlow's warnings about tracing hold addresses, and nothing in them helps a student.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    import keras
    import matplotlib.pyplot as plt

    devices.set_precision(precision)
    keras.utils.set_random_seed(globals()["seed"]() if seed is None else seed)
    plt.style.use(Path(__file__).with_name("course.mplstyle"))
    print("\n".join(report().lines()))


@dataclass(frozen=True)
class Report:
    """What the kit runs on. Its text is a table; `course doctor` reads the fields."""

    kit: str
    python: str
    platform: str
    backend: str
    devices: list[str]
    cores: int
    memory_gb: float | None
    profile: str
    data: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    precision: str = "float32"  # Keras' dtype policy
    bfloat16: bool = False  # whether an accelerator is there that computes in it

    @property
    def gpus(self) -> list[str]:
        """Names of the accelerators that the backend sees."""
        return [name for name in self.devices if not name.lower().startswith("cpu")]

    def lines(self) -> list[str]:
        """The two lines that a lesson's first cell prints."""
        where = ", ".join(self.gpus) or f"{self.cores} CPU cores, no GPU"
        faster = self.bfloat16 and self.precision == "float32"
        precision = self.precision + (' (faster: start(precision="auto"))' if faster else "")
        version = self.packages.get(self.backend, "")
        backend = f"Keras {self.packages.get('keras')} on {self.backend} {version}".strip()
        at_hand = ", ".join(name for name, state in self.data.items() if state != "not downloaded")
        return [
            f"Course kit {self.kit} · {backend} · {where} · {precision}",
            f"Profile {self.profile!r} · data at hand: {at_hand}",
        ]

    def table(self):
        """The report as a `Table`, one row a fact."""
        from .tables import Table

        memory = "unknown" if self.memory_gb is None else f"{self.memory_gb:.0f} GB"
        facts = {
            "course kit": self.kit,
            "Python": f"{self.python} on {self.platform}",
            "backend": f"{self.backend} (Keras chooses it from KERAS_BACKEND)",
            "devices": ", ".join(self.devices) or "none",
            "precision": f"{self.precision} (course_lib.start(precision=...))",
            "CPU cores, memory": f"{self.cores}, {memory}",
            "profile": f"{self.profile} (COURSE_PROFILE)",
            **{f"data: {name}": state for name, state in self.data.items()},
            **{f"package: {name}": version for name, version in self.packages.items()},
        }
        return Table([{"what": k, "value": v} for k, v in facts.items()], caption="This machine")

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def report() -> Report:
    """Versions, backend, devices, memory and the data at hand on this machine."""
    from . import __version__, datasets

    backend = load_backend()
    import keras

    names = ["keras", backend, "numpy", "matplotlib", "scikit-learn"]
    return Report(
        kit=__version__,
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        backend=backend,
        devices=devices.available(),
        cores=cores(),
        memory_gb=_memory_gb(),
        profile=profile(),
        data=datasets.available(),
        packages={name: version for name in names if (version := _version(name))},
        precision=keras.config.dtype_policy().name,
        bfloat16=devices.bfloat16(),
    )


def cores() -> int:
    """Processor cores that this process may use: fewer than the machine's under `taskset` or in a container.

    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gb() -> float | None:
    """The machine's memory in GB (10^9 bytes), or None where the system does not say (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    import importlib.metadata  # here, since it takes 20 ms and `import course_lib` is to be instant

    names = [package, "tensorflow-cpu"] if package == "tensorflow" else [package]
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
