"""The students' zip and the wheel: what they hold, when they are refused, and that they run on their own.

A fresh environment is a new venv that sees this one's packages through links, but not `course_lib`.
"""

import os
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_tools import release
from course_tools.errors import CourseError
from course_tools.project import Project
from course_tools.setup_cell import setup_cell

ROOT = Path(__file__).parents[2]
LESSON = ROOT / "notebooks" / "00_start_here.ipynb"
OWN = ("course_lib", "course_tools", "convnet_course", "_convnet_course", "__editable__")
WHERE = "import sys\nprint(sys.prefix)\nprint(course_lib.__file__)"
EXECUTE = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
print("".join(output.text for output in notebook.cells[-1].outputs))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return release.build_wheel(tmp_path_factory.mktemp("wheel"), Project())


@pytest.fixture(scope="module")
def student_zip(tmp_path_factory, wheel) -> Path:
    return release.build_zip(tmp_path_factory.mktemp("zip"), Project(), wheel)


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A folder of links to every installed package, without the course."""
    folder = tmp_path_factory.mktemp("packages")
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(installed).iterdir():
            if not path.name.startswith(OWN) and path.suffix != ".pth":
                (folder / path.name).symlink_to(path)
    return folder


class Fresh:
    """A new environment in `folder`, and the way to run things in it without a network."""

    def __init__(self, folder: Path, packages: Path):
        venv.create(folder, symlinks=True)
        paths = {"base": str(folder), "platbase": str(folder)}
        self.folder = folder
        self.site = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
        self.python = Path(sysconfig.get_path("scripts", scheme="venv", vars=paths)) / "python"
        (self.site / "packages.pth").write_text(f"{packages}\n")

    def run(self, *arguments: object, cwd: Path) -> str:
        """Standard output of `python ARGUMENTS`."""
        unset = ("PYTHONPATH", "VIRTUAL_ENV", "COURSE_CHECK", "COURSE_PROFILE")
        environment = {k: v for k, v in os.environ.items() if k not in unset} | {"PIP_NO_INDEX": "1"}
        command = [str(self.python), *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def execute(self, notebook: nbformat.NotebookNode, folder: Path) -> tuple[Path, Path]:
        """Runs a notebook in `folder`; says in which environment, and with which `course_lib`."""
        notebook.cells.append(new_code_cell(WHERE))
        path = folder / "executed.ipynb"
        nbformat.write(notebook, path)
        prefix, library = self.run("-c", EXECUTE, path, cwd=folder).split()
        assert Path(prefix) == self.folder
        return Path(library)


@pytest.fixture
def fresh(tmp_path, packages) -> Fresh:
    return Fresh(tmp_path / "environment", packages)


def test_zip_runs_the_first_lesson(fresh, student_zip, tmp_path):
    with zipfile.ZipFile(student_zip) as packed:
        packed.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked" / release.NAME
    lesson = nbformat.read(folder / "notebooks" / LESSON.name, as_version=4)
    library = fresh.execute(lesson, folder / "notebooks")
    assert library == folder / "course_lib" / "__init__.py"


def test_wheel_runs_the_first_lesson(fresh, wheel, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    fresh.run("-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=work)
    library = fresh.execute(nbformat.read(LESSON, as_version=4), work)
    assert library == fresh.site / "course_lib" / "__init__.py"


def colab(fresh: Fresh) -> None:
    """Makes the environment look like Colab: `google.colab` is imported before a notebook's first cell."""
    (fresh.site / "google" / "colab").mkdir(parents=True)
    (fresh.site / "google" / "colab" / "__init__.py").touch()
    (fresh.site / "zz_colab.pth").write_text("import google.colab\n")


def test_setup_cell_installs_an_uploaded_wheel_on_colab(fresh, wheel, tmp_path):
    colab(fresh)
    work = tmp_path / "content"
    work.mkdir()
    (work / wheel.name).write_bytes(wheel.read_bytes())
    library = fresh.execute(new_notebook(cells=[new_code_cell(setup_cell("", "main"))]), work)
    assert library == fresh.site / "course_lib" / "__init__.py"


@pytest.mark.parametrize(
    ("on_colab", "advice"), [(True, "Upload the course's wheel"), (False, "unpacked course folder")]
)
def test_setup_cell_says_what_to_do_where_there_is_no_library(fresh, tmp_path, on_colab, advice):
    if on_colab:
        colab(fresh)
    work = tmp_path / "content"
    work.mkdir()
    (work / "cell.py").write_text(setup_cell("", "main"))
    with pytest.raises(AssertionError, match=advice):
        # Isolated, since Python otherwise looks for modules beside the script.
        fresh.run("-I", "cell.py", cwd=work)


def test_wheel_carries_exactly_the_projects_data(wheel):
    command = ["git", "ls-files", "--", "data"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    with zipfile.ZipFile(wheel) as packed:
        carried = {f for f in packed.namelist() if f.startswith("course_lib/data/")}
    assert carried == {f"course_lib/{name}" for name in listed if name}


def test_zip_holds_what_students_need_and_nothing_else(student_zip, wheel):
    with zipfile.ZipFile(student_zip) as packed:
        files = {name.removeprefix(f"{release.NAME}/"): packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(wheel) as packed:
        library = {name: packed.read(name) for name in packed.namelist() if name.startswith("course_lib/")}
    lessons = {f"notebooks/{lesson.name}.ipynb" for lesson in Project().lessons}
    assert set(files) == {"README.md", "LICENSE", "requirements.txt", *lessons, *library}
    assert library.items() <= files.items()
    assert not any(b"BEGIN SOLUTION" in content or b"HIDDEN TESTS" in content for content in files.values())
    assert files["requirements.txt"] == (ROOT / "requirements-student.txt").read_bytes()
    assert b"{" not in files["README.md"]


def test_the_same_tree_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "refusals", lambda project: [])
    made = release.release(tmp_path / "new" / "folder")
    again = release.release(tmp_path / "other")
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in again]
    assert sorted((tmp_path / "new" / "folder").iterdir()) == sorted(made)  # nothing else is left there


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Project:
    """A project of one lesson, built and up to date."""
    for folder in ("solutions", "notebooks"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project" / "solutions" / "00_first.py").write_text("# %% [markdown]\n# # 0 · First\n")
    (tmp_path / "project" / "notebooks" / "00_first.ipynb").write_text("{}")
    monkeypatch.setattr(release, "stale", lambda project, strict: [])
    return Project(tmp_path / "project")


def test_up_to_date_project_is_not_refused(tree):
    assert release.refusals(tree) == []


@pytest.mark.parametrize("marker", ["### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"])
def test_notebook_that_shows_an_answer_is_refused(tree, tmp_path, marker):
    tree.lessons[0].notebook.write_text(marker)
    with pytest.raises(CourseError, match=r"00_first\.ipynb holds .* run `course build 00`"):
        release.release(tmp_path / "out", tree)
    assert not (tmp_path / "out").exists()


def test_stale_and_missing_notebooks_are_refused(tree, tmp_path, monkeypatch):
    tree.lessons[0].notebook.unlink()
    asked = []
    monkeypatch.setattr(
        release, "stale", lambda project, strict: asked.append(strict) or ["00 is not built."]
    )
    with pytest.raises(CourseError, match="00 is not built"):
        release.release(tmp_path / "out", tree)
    assert asked == [True]


def test_project_without_lessons_is_refused(tmp_path):
    with pytest.raises(CourseError, match="no lesson"):
        release.release(tmp_path / "out", Project(tmp_path))


def test_folder_that_cannot_be_written(tree, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="cannot write to .*file: .* --out"):
        release.release(tmp_path / "file", tree)


def test_full_disk_leaves_nothing_behind(tree, tmp_path, monkeypatch):
    def full(folder, project, wheel):
        (folder / "half.zip").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "build_wheel", lambda folder, project: folder / "wheel")
    monkeypatch.setattr(release, "build_zip", full)
    with pytest.raises(CourseError, match="No space left"):
        release.release(tmp_path / "out", tree)
    assert list((tmp_path / "out").iterdir()) == []
