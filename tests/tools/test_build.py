"""Building: repeatable, nothing leaks to students, nothing half-written when it fails."""

import errno
import re
from pathlib import Path

import nbformat
import pytest

from course_tools.build import build, stale
from course_tools.errors import CourseError
from course_tools.files import read_csv, write_all
from course_tools.measure import measure
from course_tools.project import Project


def build_first(project: Project, **options):
    return build(project.lessons[0], project, **options)


def files(project: Project) -> dict[str, bytes]:
    """All files of the project by name, but the gradebook."""
    found = (p for p in project.root.rglob("*") if p.is_file() and "build" not in p.parts)
    return {p.relative_to(project.root).as_posix(): p.read_bytes() for p in found}


def test_building_twice_gives_the_same_bytes_and_measures_only_when_asked(project):
    build_first(project)
    first = files(project)
    assert {"solutions/01_small.ipynb", "notebooks/01_small.ipynb"} < set(first)
    assert "data/measured/times.csv" not in first
    build_first(Project(project.root))
    assert files(project) == first

    solution = nbformat.reads(first["solutions/01_small.ipynb"].decode(), as_version=4)
    student = nbformat.reads(first["notebooks/01_small.ipynb"].decode(), as_version=4)
    assert [c.id for c in solution.cells] == [c.id for c in student.cells]
    assert not any(c.get("outputs") for c in student.cells)
    text = first["notebooks/01_small.ipynb"].decode()
    assert "np.square" not in text and "square_of(-2)" not in text and "Minus times" not in text
    cells = {c.id: c for c in student.cells}
    assert "raise NotImplementedError" in cells["square_of"].source
    assert cells["square_of_check"].source.endswith('hint="Multiply x by itself.")')
    assert solution.cells[1].outputs == []  # the machine's report is not stored
    picture = next(
        o for c in solution.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    )
    assert picture.metadata["image/png"]["alt"] == "A rising line."
    assert "not measured" in solution.cells[0].source
    assert {"source_sha256", "library_sha256", "requirements_sha256", "versions"} < set(
        solution.metadata.course
    )


def test_measured_rows_get_the_bands_of_the_source(project, change):
    measure(project.lessons[0], project, seeds=1, threads=(1,))
    narrower = change("band=(0.9, 1.1)", "band=(0.95, 1.05)")
    build_first(narrower)
    (row,) = read_csv(narrower.measured / "01_small.csv")
    assert (row["band_low"], row["band_high"], row["inside"], row["value"]) == ("0.95", "1.05", "yes", "1")


def test_stale_notebooks_are_named(project, change):
    assert len(stale(project)) == 2 and "not built" in stale(project)[0]
    build_first(project)
    assert stale(project, strict=True) == []
    (project.root / "course_lib" / "new.py").write_text("x = 1\n")
    assert stale(project) == []
    assert "older than its library" in stale(project, strict=True)[0]
    changed = change("# Minus times minus", "# Minus by minus")
    assert "older than its source" in stale(changed)[0]


BROKEN = {
    "a cell that raises": (
        "ax.plot([1, 2, 3])",
        "ax.plot([1, 2, 3])\n1 / 0",
        r"01_small\.py:\d+ \(cell 4, its line 3\): ZeroDivisionError",
    ),
    "a wrong solution": ("return np.square(x)", "return np.square(x) + 1", "Multiply x by itself"),
    "a wrong hidden answer": ("return np.square(x)", "return x * abs(x)", "AssertionError"),
    "a finding outside its band": ("band=(0.9, 1.1)", "band=(2, 3)", "steepness = 1"),
    "a picture without words": ('# %% trained alt="A rising line."', "# %% trained", "alt="),
    "a warning on stderr": (
        "plt.show()",
        'plt.show()\nimport sys\nprint("careful", file=sys.stderr)',
        "careful",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_failing_build_writes_nothing(name, change):
    old, new, expected = BROKEN[name]
    broken = change(old, new)
    before = files(broken)
    with pytest.raises(CourseError, match=expected):
        build_first(broken)
    assert files(broken) == before


def test_the_line_of_a_raising_cell_is_the_source_s(change):
    broken = change("ax.plot([1, 2, 3])", "ax.plot([1, 2, 3])\nraise RuntimeError('here')")
    lines = (broken.root / "solutions" / "01_small.py").read_text(encoding="utf-8").splitlines()
    expected = next(i for i, line in enumerate(lines, start=1) if "RuntimeError" in line)
    with pytest.raises(CourseError, match=rf"01_small\.py:{expected} "):
        build_first(broken)


def test_header_shows_measured_times_neighbours_and_the_badge(project):
    root = project.root
    text = (root / "solutions" / "01_small.py").read_text(encoding="utf-8")
    (root / "solutions" / "02_next.py").write_text(
        re.sub("square_", "power_", text.replace("# # 1 · A small lesson", "# # 2 · The next one")),
        encoding="utf-8",
    )
    (root / "pyproject.toml").write_text(
        '[tool.course]\nrepository = "https://github.com/o/r"\nbranch = "main"\n'
    )
    build_first(Project(root), measure=True)
    cell = nbformat.read(root / "notebooks" / "01_small.ipynb", as_version=4).cells[0].source
    assert re.search(r"Reading \d+ min · run \d+ s \(quick profile, \d+ CPU cores\)", cell)
    assert "next: [2 · The next one](02_next.ipynb)" in cell and "previous" not in cell
    assert "colab.research.google.com/github/o/r/blob/main/notebooks/01_small.ipynb" in cell
    setup = nbformat.read(root / "notebooks" / "01_small.ipynb", as_version=4).cells[1].source
    assert 'REPOSITORY = "https://github.com/o/r"' in setup


def test_an_unwritable_folder_is_a_short_error_and_writes_neither_file(project):
    (project.root / "notebooks").rmdir()
    (project.root / "notebooks").write_text("a file where the folder should be")
    with pytest.raises(CourseError, match="cannot write"):
        build_first(project)
    assert not project.lessons[0].solution.exists()
    assert not list(project.root.rglob("*.new"))


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")  # as a failing write: without a file's name

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CourseError, match=r"cannot write .*page.html: No space left"):
        write_all({tmp_path / "page.html": b"x"})
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_a_short_error_and_writes_neither_file(project):
    project.lessons[0].notebook.mkdir()
    with pytest.raises(CourseError, match="cannot write"):
        build_first(project)
    assert not project.lessons[0].solution.is_file()
    assert not list(project.root.rglob("*.new"))
