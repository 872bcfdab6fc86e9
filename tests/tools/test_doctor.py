"""course_tools.doctor: each problem is recognized, graded and comes with a way to mend it."""

import io
import sys

import pytest
from rich.console import Console

from course_lib.session import Report
from course_tools import doctor
from course_tools.doctor import Finding
from course_tools.grading import sandbox


def report(**changes) -> Report:
    facts = {
        "kit": "1",
        "python": "3.12.1",
        "platform": "Linux x86_64",
        "backend": "tensorflow",
        "devices": ["cpu:0"],
        "cores": 2,
        "memory_gb": 8.0,
        "profile": "quick",
        "data": {"digits": "embedded"},
        "packages": {"keras": "3.15.1", "tensorflow": "2.21.0"},
    }
    return Report(**(facts | changes))


@pytest.mark.parametrize(("version", "state"), [
    ("3.10.13", "problem"), ("3.11.0", "good"), ("3.13.9", "good"), ("3.13.0rc2", "good"),
    ("3.14.0", "problem"),
])  # fmt: skip
def test_python_range(version, state):
    assert doctor.python_version(version).state == state


def test_this_environment_has_the_packages_that_the_course_names():
    assert [found.state for found in doctor.package_bounds()] == ["good"]


def test_package_too_old_and_package_missing_are_named_with_the_command():
    versions = {"keras": "3.0.0", "numpy": None}
    found = doctor.package_bounds(lambda name: versions.get(name, "9999"))
    assert {f.subject: f.text for f in found} == {
        "keras": "3.0.0 is outside >=3.10",
        "numpy": "is not installed",
        "hatchling": "9999 is outside ==1.27.0",  # the one exact pin: the build backend
    }
    assert all(f.state == "problem" and 'install "' in f.mend for f in found)


def test_other_versions_than_pinned_are_a_hint(tmp_path):
    text = "numpy==0.0.1\n    # via keras\nnot-a-package==2 ; sys_platform == 'nowhere'\n"
    (tmp_path / "requirements.txt").write_text(text)
    [found] = doctor.pinned_versions(doctor.Project(tmp_path))
    assert found.state == "hint"
    assert found.text.startswith("1 of 1 differ") and "(pinned 0.0.1)" in found.text


def test_installed_without_a_checkout_there_are_no_pins(tmp_path):
    assert doctor.pinned_versions(doctor.Project(tmp_path)) == []


@pytest.mark.parametrize(("error", "advice"), [
    ("ModuleNotFoundError: No module named 'tensorflow'", "install --force-reinstall tensorflow-cpu"),
    ("importing the backend ended with signal 4", "AVX"),
    ("AttributeError: module has no attribute", "Read the whole error"),
])  # fmt: skip
def test_backend_that_does_not_come_up(monkeypatch, error, advice):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    found = doctor.backend(None, error)
    assert found.state == "problem" and found.text == error and advice in found.mend


def test_backend_chosen_by_hand_but_not_installed(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "unset KERAS_BACKEND" in doctor.backend(None, "ModuleNotFoundError: No module named 'jax'").mend


def test_probe_survives_a_backend_that_dies(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE", "import os; os.abort()")
    assert doctor.probe() == (None, "importing the backend ended with signal 6")


def test_probe_passes_on_an_exceptions_last_line(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE", "raise ImportError('no backend')")
    assert doctor.probe() == (None, "ImportError: no backend")


def test_gpu_seen_absent_and_unused():
    used = doctor.gpu(report(devices=["cpu:0", "gpu:0 NVIDIA H200"], bfloat16=True))
    assert used.text.startswith("tensorflow uses gpu:0 NVIDIA H200, compiled (XLA), in float32; in mixed_bf")
    assert used.text.endswith('course_lib.start(precision="auto")')
    old = doctor.gpu(report(backend="jax", devices=["gpu:0 Tesla T4", "gpu:1 Tesla T4"]))
    assert old.text == (
        "jax uses gpu:0 Tesla T4, gpu:1 Tesla T4, compiled (XLA), in float32 (it has no bfloat16); "
        "several at once: docs/devices.md"
    )
    assert doctor.gpu(report(), driver="").state == "good"
    unused = doctor.gpu(report(), driver="NVIDIA H200")
    assert unused.state == "hint" and "tensorflow[and-cuda]" in unused.mend
    assert "jax[cuda12]" in doctor.gpu(report(backend="jax"), driver="NVIDIA H200").mend


def test_data_that_is_not_at_hand_is_a_hint():
    found = doctor.data(report(data={"digits": "embedded", "mnist": "not downloaded"}))
    assert [f.state for f in found] == ["good", "hint"]
    assert "load('mnist')" in found[1].mend


def test_memory_and_disk():
    assert doctor.memory(8).state == "good"
    assert doctor.memory(1).state == "hint"
    assert [f.state for f in doctor.disk(lambda folder: 5.0)] == ["good", "good"]
    assert {f.state for f in doctor.disk(lambda folder: 0.5)} == {"hint"}
    assert {f.state for f in doctor.disk(lambda folder: 0.01)} == {"problem"}


def test_cache(tmp_path):
    assert doctor.cache(tmp_path / "new" / "cache").state == "good"
    (tmp_path / "file").write_text("")
    blocked = doctor.cache(tmp_path / "file" / "cache")
    assert blocked.state == "hint" and "COURSE_DATA" in blocked.mend


def test_kernel_starts_and_an_unknown_one_is_reported():
    assert doctor.kernel().state == "good"
    missing = doctor.kernel("no_such_kernel")
    assert missing.state == "problem" and "no_such_kernel" in missing.text


def test_sandbox_missing(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sandbox, "works", sandbox.works.__wrapped__)  # not what an earlier call has found
    found = doctor.sandbox()
    assert (found.state, found.text) == ("hint", "bubblewrap is not installed")
    assert "apt install bubblewrap" in found.mend


def test_the_doctor_starts_the_graders_own_sandbox(monkeypatch):
    monkeypatch.setattr(sandbox, "works", lambda: "")
    assert doctor.sandbox().state == "good"
    monkeypatch.setattr(sandbox, "works", lambda: "bubblewrap does not run: no namespaces")
    assert "no namespaces" in doctor.sandbox().text


@pytest.mark.parametrize(("states", "code", "closing"), [
    (["good"], 0, "The course works here."),
    (["good", "hint"], 0, "The course works here, with 1 hint(s)."),
    (["problem", "hint"], 1, "1 problem(s)"),
])  # fmt: skip
def test_exit_code_and_closing_line(monkeypatch, states, code, closing):
    found = [
        Finding("GPU", state, "text", 'install "tensorflow[and-cuda]"' * (state != "good"))
        for state in states
    ]
    monkeypatch.setattr(doctor, "doctor", lambda: found)
    out = io.StringIO()
    assert doctor.run_doctor(Console(file=out, width=100)) == code
    assert closing in out.getvalue()
    assert ("tensorflow[and-cuda]" in out.getvalue()) == (states != ["good"])  # brackets are no markup
