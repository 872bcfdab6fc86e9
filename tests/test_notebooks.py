"""Every built notebook is up to date and runs once under strict nbval; checks and findings are asserted."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

from course_tools import source
from course_tools.build import stale
from course_tools.files import read_csv
from course_tools.project import Project

PROJECT = Project()
KINDS = {"solutions": "passed", "notebooks": "unanswered"}  # folder -> state of its checks
NAMES = [f"{folder}/{lesson.name}.ipynb" for folder in KINDS for lesson in PROJECT.lessons]
CELL_SECONDS = 120  # nbval notices a dead kernel only at this limit


def test_there_are_lessons():
    assert [lesson.name for lesson in PROJECT.lessons][:1] == ["00_start_here"]


def test_built_notebooks_are_not_older_than_their_sources():
    assert stale(PROJECT) == []


@pytest.fixture(scope="session")
def nbval(tmp_path_factory) -> tuple[dict[str, list[str]], list[dict]]:
    """Failures by notebook, and the lines of the check log, of one nbval run, two notebooks at a time."""
    folder = tmp_path_factory.mktemp("nbval")
    log, report = folder / "checks.jsonl", folder / "report.xml"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_") and k != "MPLBACKEND"}
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "--nbval", "-p", "no:cacheprovider"]
    command += [f"--nbval-cell-timeout={CELL_SECONDS}", f"--junitxml={report}"]
    command += ["-n", "2", "--dist", "loadfile", *NAMES]
    run = subprocess.run(
        command,
        cwd=PROJECT.root,
        env=environment | {"COURSE_CHECK_LOG": str(log), "COURSE_DATA": os.environ.get("COURSE_DATA", "")},
        capture_output=True,
        text=True,
    )
    assert report.exists(), run.stdout[-4000:] + run.stderr[-4000:]
    failures: dict[str, list[str]] = {name: [] for name in NAMES}
    ran = dict.fromkeys(NAMES, 0)
    for case in ElementTree.parse(report).iter("testcase"):
        name = next(
            n for n in NAMES if n.removesuffix(".ipynb").replace("/", ".") in case.get("classname", "")
        )
        ran[name] += 1
        failures[name] += [
            f"{case.get('name')}: {bad.text or bad.get('message')}" for bad in case if bad.tag != "system-out"
        ]
    for name in NAMES:
        if not ran[name]:
            failures[name].append("no cell of this notebook ran:\n" + run.stdout[-4000:])
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    return failures, rows


def measured_findings(lesson) -> set[str]:
    """The findings of a lesson, from its measured rows in the quick profile."""
    rows = read_csv(PROJECT.measured / f"{lesson.name}.csv")
    return {row["finding"] for row in rows if row["profile"] == "quick"}


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_and_shows_what_is_stored(name, nbval):
    assert not nbval[0][name], "\n".join(nbval[0][name])


@pytest.mark.parametrize("name", NAMES)
def test_every_check_says_what_it_should(name, nbval):
    folder, lesson = name.split("/")[0], PROJECT.find([name])[0]
    expected = dict.fromkeys(source.exercises(source.read(lesson, PROJECT)), KINDS[folder])
    said = {r["name"]: r["state"] for r in nbval[1] if r["kind"] == "check" and r["folder"] == folder}
    assert {check: said.get(check, "never ran") for check in expected} == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_stays_in_its_band(name, nbval):
    folder = name.split("/")[0]
    notebook = nbformat.read(PROJECT.root / name, as_version=4)
    rows = [r for r in nbval[1] if r["kind"] == "finding" and r["folder"] == folder]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    measured = measured_findings(PROJECT.find([name])[0])
    mine = {row["name"]: row for row in rows if row["name"] in measured}
    assert [f"{n} = {r['value']} outside {r['band']}" for n, r in mine.items() if not r["inside"]] == []
    assert set(mine) == measured, "a lesson's findings did not reach the log"
    assert bool(measured) == ("finding(" in code), "findings without measured rows: course measure"


def test_names_of_exercises_and_findings_are_unique_in_the_course(nbval):
    names = [name for lesson in PROJECT.lessons for name in source.exercises(source.read(lesson, PROJECT))]
    assert len(names) == len(set(names))
    for folder in KINDS:
        found = [r["name"] for r in nbval[1] if r["kind"] == "finding" and r["folder"] == folder]
        assert len(found) == len(set(found))
        assert set(found) == set().union(*map(measured_findings, PROJECT.lessons))


@pytest.mark.parametrize("name", NAMES)
def test_stored_notebook_keeps_the_rules(name):
    path = Path(PROJECT.root / name)
    notebook = nbformat.read(path, as_version=4)
    assert path.stat().st_size <= 1_000_000
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    assert tags <= {"nbval-ignore-output"}, "raises-exception and nbval-skip are forbidden"
    text = path.read_text(encoding="utf-8")
    assert str(PROJECT.root) not in text
    if name.startswith("notebooks/"):
        assert "BEGIN SOLUTION" not in text and "HIDDEN TESTS" not in text
        assert not any(cell.get("outputs") for cell in notebook.cells)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"], f"a picture without words in {name}"
