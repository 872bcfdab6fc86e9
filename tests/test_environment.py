"""pyproject.toml, both requirement files, environment.yml, make targets and workflows agree."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = ("3.11", "3.12", "3.13")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, Requirement]:
    """Requirements of a locked file, by name."""
    lines = [line for line in text(name).splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def direct(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with its extras followed into each other."""
    found = [Requirement(line) for line in PROJECT["dependencies"]] if not extras else []
    for extra in extras:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            found += direct(*requirement.extras) if requirement.name == PROJECT["name"] else [requirement]
    return found


def version(pin: Requirement) -> Version:
    [only] = pin.specifier
    assert only.operator == "==", f"{pin} is not pinned"
    return Version(only.version)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-student.txt"])
def test_locked_files_pin_everything_and_name_no_address(name):
    assert "://" not in text(name)
    assert not re.search(r"^--?\w", text(name), flags=re.MULTILINE)  # no option such as --index-url
    for pin in pins(name).values():
        version(pin)


def test_requirements_hold_what_pyproject_asks_for():
    locked = pins("requirements.txt")
    for wanted in [*direct(), *direct("cpu", "dev")]:
        assert wanted.specifier.contains(version(locked[wanted.name])), wanted


def test_students_get_a_part_of_the_same_pins():
    locked, students = pins("requirements.txt"), pins("requirements-student.txt")
    assert {name: pin.specifier for name, pin in students.items()} == {
        n: locked[n].specifier for n in students
    }
    assert {wanted.name for wanted in [*direct(), *direct("cpu", "notebook")]} <= set(students)
    assert not {"nbgrader", "pytest", "typer"} & set(students)


def test_lower_bounds_are_no_higher_than_colab():
    lowest = {
        w.name: Version(s.version)
        for w in [*direct(), *direct("cpu")]
        for s in w.specifier
        if s.operator == ">="
    }
    assert lowest["keras"] <= Version("3.10")
    assert lowest["tensorflow"] == lowest["tensorflow-cpu"] <= Version("2.19")


def test_pythons():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [v for v in ("3.10", *PYTHONS, "3.14") if allowed.contains(v)] == list(PYTHONS)


def test_conda_installs_the_same_set():
    conda = yaml.safe_load(text("environment.yml"))
    python, pip, lines = conda["dependencies"]
    assert python == f"python {PROJECT['requires-python']}"
    assert pip == "pip"
    assert lines == {"pip": ["-r requirements.txt", "-e ."]}


def test_pre_commit_runs_the_pinned_ruff():
    [repository] = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    used = {line for hook in repository["hooks"] for line in hook["additional_dependencies"]}
    assert used == {str(pins("requirements.txt")["ruff"])}


def test_ci_calls_make_test():
    assert "make test" in text(".ci/run")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_targets_that_exist_on_supported_pythons(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), flags=re.MULTILINE))
    lessons = {source.stem for source in (ROOT / "solutions").glob("*.py")}
    for job in workflow["jobs"].values():
        commands = "\n".join(step.get("run", "") for step in job["steps"])
        assert set(re.findall(r"make ([a-z-]+)", commands)) <= targets
        assert set(re.findall(r"course run (\w+)", commands)) <= lessons
        for step in job["steps"]:
            asked = step.get("with", {}).get("python-version", "3.12")
            chosen = job["strategy"]["matrix"]["python"] if "matrix.python" in asked else [asked]
            assert set(chosen) <= set(PYTHONS)


def test_both_workflows_are_there():
    assert [path.stem for path in WORKFLOWS] == ["pull-request", "weekly"]
