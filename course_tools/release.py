"""`course release`: the students' zip and the wheel.

The wheel is built first; the zip takes `course_lib` with its data from it, so both hold the same library.
"""

import contextlib
import os
import re
import tempfile
import time
import zipfile
from pathlib import Path

from course_lib import __version__

from .build import stale
from .errors import CourseError
from .project import Project

NAME = f"convnet-course-{__version__}"
LEAK = re.compile("BEGIN SOLUTION|HIDDEN TESTS")
EPOCH = 1_580_601_600  # 2020-02-02, the time that hatchling writes when SOURCE_DATE_EPOCH is not set


def release(out: Path, project: Project | None = None) -> list[Path]:
    """Writes `convnet-course-VERSION.zip` and the wheel into `out`; made aside, then renamed.

    The same tree gives the same bytes: files are sorted and carry one date (`$SOURCE_DATE_EPOCH`).

    Raises:
        CourseError: a notebook is missing, out of date or shows an answer, or `out` cannot be written.
    """
    project = project or Project()
    if problems := refusals(project):
        raise CourseError("nothing was released:\n" + "\n".join(f"  {problem}" for problem in problems))
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".release-", dir=out) as aside:
            wheel = build_wheel(Path(aside), project)
            made = [build_zip(Path(aside), project, wheel), wheel]
            return [path.replace(out / path.name) for path in made]
    except OSError as error:
        raise CourseError(
            f"cannot write to {out}: {error.strerror}. Name a folder that you can write to: "
            "course release --out FOLDER"
        ) from None


def refusals(project: Project) -> list[str]:
    """Why this tree cannot be released, one line each; empty when it can."""
    if not project.lessons:
        return ["there is no lesson in solutions/."]
    problems = stale(project, strict=True)
    for lesson in project.lessons:
        with contextlib.suppress(FileNotFoundError):  # `stale` has named it
            if leaked := LEAK.search(lesson.notebook.read_text(encoding="utf-8")):
                problems.append(
                    f"notebooks/{lesson.notebook.name} holds {leaked[0]!r}, which students must not see: "
                    f"run `course build {lesson.number:02d}`."
                )
    return problems


def build_wheel(folder: Path, project: Project) -> Path:
    """Builds the wheel with the pinned backend: no isolated environment, no network."""
    from hatchling.builders.wheel import WheelBuilder

    return Path(next(WheelBuilder(str(project.root)).build(directory=str(folder), versions=["standard"])))


def build_zip(folder: Path, project: Project, wheel: Path) -> Path:
    """Packs notebooks, the wheel's `course_lib`, the students' requirements, README and licence."""
    readme = Path(__file__).with_name("student_README.md").read_text(encoding="utf-8")
    files = {
        "README.md": readme.replace("{name}", NAME).encode(),
        "LICENSE": (project.root / "LICENSE").read_bytes(),
        "requirements.txt": (project.root / "requirements-student.txt").read_bytes(),
    }
    for lesson in project.lessons:
        files[f"notebooks/{lesson.notebook.name}"] = lesson.notebook.read_bytes()
    with zipfile.ZipFile(wheel) as packed:
        files |= {name: packed.read(name) for name in packed.namelist() if name.startswith("course_lib/")}
    path = folder / f"{NAME}.zip"
    date = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH)))[:6]
    with zipfile.ZipFile(path, "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", date)
            entry.external_attr = 0o644 << 16
            target.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    return path
