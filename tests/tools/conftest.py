"""A small project in an empty folder, to build and break."""

from pathlib import Path

import pytest

from course_tools import source
from course_tools.project import Project

LESSON = '''\
# %% [markdown]
# # 1 · A small lesson
#
# *No lecture*
#
# What is a square, and is $x^2 \\ge 0$?

# %% setup
import course_lib

course_lib.start()

# %%
import matplotlib.pyplot as plt
import numpy as np

from course_lib.checks import check, finding, findings_table

# %% trained alt="A rising line."
fig, ax = plt.subplots(figsize=(3, 2))
ax.plot([1, 2, 3])
plt.show()
finding("steepness", 1.0, band=(0.9, 1.1), claim="it rises by one", verdict="confirms")

# %% [markdown]
# ## Exercise: the square

# %% exercise="square_of" points=2
def square_of(x):
    """x times x."""
    ### BEGIN SOLUTION
    return np.square(x)
    ### END SOLUTION


# %% check="square_of"
with check("square_of") as c:
    c.equal(int(square_of(3)), 9, hint="Multiply x by itself.")
### BEGIN HIDDEN TESTS
assert square_of(-2) == 4
### END HIDDEN TESTS

# %% [markdown]
# Why is it never negative?

# %% [markdown] exercise="square_why" points=1
# Minus times minus is plus.

# %%
findings_table()
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Project:
    """A project with the one lesson `01_small`, whose set-up cell does not load Keras (5 s)."""
    whole = source.setup_cell
    monkeypatch.setattr(source, "setup_cell", lambda *a: whole(*a).replace("course_lib.start()", ""))
    (tmp_path / "solutions").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.course]\nrepository = ""\nbranch = "main"\n')
    (tmp_path / "requirements.txt").write_text("keras==3.0\n")
    (tmp_path / "solutions" / "01_small.py").write_text(LESSON, encoding="utf-8")
    return Project(tmp_path)


@pytest.fixture
def change(project: Project):
    """Returns a function that replaces a text in the lesson's source by another."""

    def replace(old: str, new: str) -> Project:
        path = project.root / "solutions" / "01_small.py"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the lesson"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return Project(project.root)

    return replace
