"""The start of a lesson: profile, seed, backend, style, the report, and an import that costs nothing."""

import os
import subprocess
import sys

import pytest

import course_lib
from course_lib import backend, session
from course_lib.paths import cache_path, data_path


def run(code: str, **env: str) -> subprocess.CompletedProcess:
    """Runs code in a Python of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")} | env
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def test_importing_the_library_loads_neither_keras_nor_numpy_nor_matplotlib():
    heavy = "['keras', 'tensorflow', 'jax', 'numpy', 'matplotlib', 'sklearn']"
    done = run(f"import sys, course_lib; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_start_says_two_lines_sets_the_seed_and_the_style_and_is_quiet():
    twice = "course_lib.start(); print(np.random.rand());" * 2
    style = "print(mpl.rcParams['axes.titlelocation'])"
    code = f"import course_lib, numpy as np, matplotlib as mpl; {twice} {style}"
    done = run(code, COURSE_SEED="7")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Course kit {course_lib.__version__} · Keras ") and "digits" in lines[1]
    assert lines[2] == lines[5], "the same seed, the same number"
    assert lines[6] == "left", "the course's style is on"
    assert done.stderr == "", "TensorFlow's C++ lines hold times: they must not show"


def test_pick_follows_the_profile(monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    assert session.pick(quick=1, full=2) == 1
    monkeypatch.setenv("COURSE_PROFILE", "full")
    assert session.pick(quick=1, full=2) == 2
    monkeypatch.setenv("COURSE_PROFILE", "ful")
    with pytest.raises(ValueError, match="Did you mean 'full'"):
        session.pick(quick=1, full=2)


def test_seed_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("COURSE_SEED", raising=False)
    assert session.seed() == 0
    monkeypatch.setenv("COURSE_SEED", "12")
    assert session.seed() == 12
    monkeypatch.setenv("COURSE_SEED", "twelve")
    with pytest.raises(ValueError, match="whole number, received 'twelve'"):
        session.seed()


def test_report_names_backend_packages_devices_and_data():
    report = session.report()
    assert report.packages["keras"] and report.backend in backend.BACKENDS
    assert report.devices and report.cores >= 1
    assert report.data["digits"] == "embedded"
    assert "CPU cores, memory" in repr(report) and "<table" in report._repr_html_()


def test_first_line_names_the_gpu_and_the_precision_and_the_faster_one():
    facts = {"kit": "1", "python": "3.12", "platform": "Linux", "backend": "jax", "profile": "quick"}
    facts |= {"cores": 2, "memory_gb": 8.0}
    gpu = facts | {"devices": ["gpu:0 A100", "gpu:1 A100"], "bfloat16": True}
    first = session.Report(**gpu).lines()[0]
    assert first.endswith('· gpu:0 A100, gpu:1 A100 · float32 (faster: start(precision="auto"))')
    assert session.Report(**gpu | {"precision": "mixed_bfloat16"}).lines()[0].endswith("· mixed_bfloat16")
    assert session.Report(**gpu | {"bfloat16": False}).lines()[0].endswith("A100 · float32")
    cpu = facts | {"devices": ["cpu:0"]}
    assert session.Report(**cpu).lines()[0].endswith("2 CPU cores, no GPU · float32")


def test_start_chooses_the_precision_and_says_so():
    one, other = "course_lib.start(precision='mixed_bfloat16')", "course_lib.start()"
    show = "import keras; print(keras.config.dtype_policy().name)"
    done = run(f"import course_lib; {one}; {show}; {other}; {show}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("· mixed_bfloat16") and lines[2] == "mixed_bfloat16"
    assert "· float32" in lines[3] and lines[5] == "float32", "the default is exact"


def test_without_a_backend_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorflow"):
        backend._choose_backend()


def test_a_misspelt_backend_gets_the_closest_name():
    done = run("import course_lib; course_lib.start()", KERAS_BACKEND="tensorfow")
    assert "Did you mean 'tensorflow'" in done.stderr


def test_data_is_found_in_the_checkout_and_the_cache_can_be_moved(monkeypatch, tmp_path):
    assert data_path("published.csv").is_file()
    monkeypatch.delenv("COURSE_DATA", raising=False)
    assert cache_path() == data_path("cache")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert cache_path() == tmp_path
