"""The set-up cell, the same in every lesson; `course build` writes it."""

TEMPLATE = """\
# @title Set-up, the same in every lesson: finds the course library (Colab installs it), reports the machine
import importlib.util
import pathlib
import subprocess
import sys

REPOSITORY = "{repository}"
if importlib.util.find_spec("course_lib") is None:
    folders = [pathlib.Path.cwd(), *pathlib.Path.cwd().parents]
    home = next((folder for folder in folders if (folder / "course_lib").is_dir()), None)
    wheels = sorted(pathlib.Path.cwd().glob("convnet_course-*.whl"))
    if home:
        sys.path.insert(0, str(home))
    elif "google.colab" in sys.modules and (wheels or REPOSITORY):
        package = str(wheels[-1]) if wheels else f"git+{{REPOSITORY}}@{branch}"
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", package], check=True)
        importlib.invalidate_caches()
    elif "google.colab" in sys.modules:
        raise ModuleNotFoundError(
            "Upload the course's wheel (convnet_course-….whl) to this Colab session "
            "(folder icon on the left), then run this cell again."
        )
    else:
        raise ModuleNotFoundError(
            "The course library is not here. Open this notebook inside the unpacked course folder, "
            "or install the course's wheel: pip install convnet_course-….whl"
        )

import course_lib

course_lib.start()"""


def setup_cell(repository: str = "", branch: str = "main") -> str:
    """Source of the set-up cell for a repository's public address ("" while there is none)."""
    return TEMPLATE.format(repository=repository.rstrip("/"), branch=branch)
