"""The benchmarks' arithmetic against known answers, and that both sides of a comparison do the same work.

No time is asserted.
"""

import doctest
import importlib
import itertools
import math
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

from course_lib import datasets
from course_lib.accounting import totals

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ["kit", "loading", "convolution", "zoo", "growth", "start"]


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def script(name: str):
    return importlib.import_module(name)


@pytest.mark.parametrize("name", ["_pairs", "_chips", "growth"])
def test_examples(name):
    assert doctest.testmod(script(name)).failed == 0


# ranks from tables of the sign test
@pytest.mark.parametrize("count, rank", [(6, 1), (10, 2), (15, 4), (20, 6), (30, 10)])
def test_interval_of_the_median(count, rank):
    values = np.random.default_rng(0).permutation(np.arange(1, count + 1) ** 3.0)
    middle, low, high = script("_pairs").median(values)
    assert (low, high) == (rank**3, (count + 1 - rank) ** 3)
    assert middle == np.sort(values)[[(count - 1) // 2, count // 2]].mean()

    def missed(k):  # the chance that the true median lies outside the k-th smallest to k-th largest
        return 2 * sum(math.comb(count, i) for i in range(k)) / 2**count

    assert missed(rank) <= 0.05 < missed(rank + 1)


@pytest.mark.parametrize(
    "ratios, verdict",
    [
        ([0.8] * 10, "slower"),
        ([2.0] * 10, "faster"),
        ([0.98, 1.02] * 5, "the same"),
        ([0.5, 2.0] * 5, "unresolved"),
        ([1.0] * 5, "unresolved"),  # too few for an interval
        ([0.5] + [1.0] * 8 + [2.0], "the same"),  # one bad round on each side moves nothing
    ],
)
def test_verdict(ratios, verdict):
    assert script("_pairs").Ratio.of(np.ones(len(ratios)), np.array(ratios)).verdict == verdict


@pytest.mark.parametrize(
    "now, share",
    [
        ((10.0, 112.0, 5.0), 0.35),  # 20 s of two processors, 12 of them busy, 5 of them with this script
        ((10.0, 105.0, 5.0), 0.0),
        ((10.0, 104.9, 5.0), 0.0),  # the clocks tick in hundredths of a second
        ((10.0, 130.0, 5.0), 1.0),
    ],
)
def test_share_of_other_programs(monkeypatch, now, share):
    pairs = script("_pairs")
    monkeypatch.setattr(pairs.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(pairs, "BEGIN", (0.0, 100.0, 0.0))
    monkeypatch.setattr(pairs, "_processor_seconds", lambda: now)
    assert pairs.others() == pytest.approx(share)
    monkeypatch.setattr(pairs, "BEGIN", None)
    assert pairs.others() is None


def test_sides_alternate_and_each_gets_its_own_time(monkeypatch):
    pairs, clock, calls = script("_pairs"), [0.0], []
    monkeypatch.setattr(pairs.time, "perf_counter", lambda: clock[0])

    def side(name, seconds):
        def run():
            calls.append(name)
            clock[0] += seconds

        return run

    times = pairs.interleave([side("a", 1.0), side("b", 3.0)], rounds=3, warm_up=1)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert times.tolist() == [[1.0, 3.0]] * 3
    ratio = pairs.Ratio.of(*times.T)
    assert (ratio.ours, ratio.other, ratio.middle) == (1.0, 3.0, 3.0)  # ours is three times faster


def test_page_names_machine_and_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["/somewhere/benchmarks/kit.py", "--pairs", "12"])
    script("_pairs").write("kit", "A title", ["a line"], tmp_path / "new")
    page = (tmp_path / "new/kit.md").read_text()
    assert page.startswith("# A title\n\nMeasured by `python benchmarks/kit.py --pairs 12` on ")
    assert "CPU cores" in page or "gpu" in page
    assert "backend " in page and "numpy " + np.__version__ in page and page.endswith("\na line\n")
    assert capsys.readouterr().out.strip() == page.strip()


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_what_it_does(name, capsys):
    with pytest.raises(SystemExit) as end:
        script(name).main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert "--pairs" in said and "minute" in said and f"benchmarks/{name}.py" in said


def test_make_bench_runs_all_but_those_that_need_an_hour_or_a_gpu():
    plan = subprocess.run(
        ["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert f"for name in {' '.join(SCRIPTS)};" in plan
    on_disk = {path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
    assert {name for name in on_disk if not name.startswith(("grading", "gpu"))} == set(SCRIPTS)


@pytest.mark.parametrize("macs, exponent", itertools.product([[1e6, 3e6, 2e8]], [0.5, 1.0, 1.3]))
def test_slope_of_known_growth(macs, exponent):
    rounds = np.geomspace(1.0, 3.0, 10)[:, None]  # a machine that gets slower and slower
    times = rounds * 1e-9 * np.array(macs) ** exponent
    assert script("growth").slope(macs, times) == pytest.approx((exponent,) * 3)


def test_growth_changes_one_thing_at_a_time(tmp_path):
    growth = script("growth")
    for number, (name, found) in enumerate(growth.settings(growth.SERIES).items()):
        base = tuple(growth.BASE.values())
        assert [one[number] for one in found] == list(growth.SERIES[name]) and base in found
        assert {one[:number] + one[number + 1 :] for one in found} == {base[:number] + base[number + 1 :]}


def test_growth_writes_table_and_picture(tmp_path, monkeypatch, capsys):
    growth = script("growth")
    monkeypatch.setattr(growth, "BASE", {"depth": 10, "width": 1, "size": 8})
    monkeypatch.setattr(growth, "BATCH", 2)
    growth.main(["--pairs", "6", "--results", str(tmp_path)], {"width": (1, 2), "size": (8, 16)})
    page = (tmp_path / "growth.md").read_text()
    assert "| width | 10 | 2 | 8x8 |" in page and "(growth.png)" in page
    sizes = [line.split(" | ") for line in page.splitlines() if line.startswith("| size | 10")]
    assert [cells[8] for cells in sizes] == ["1.00", "4.00"]  # MACs grow with the square of the side
    assert (tmp_path / "growth.png").read_bytes()[:4] == b"\x89PNG"


def test_he_draws_glorots_numbers_only_inside():
    zoo, he = script("zoo"), keras.initializers.HeNormal(seed=0)
    with zoo.glorot():
        inside = np.abs(keras.ops.convert_to_numpy(he((50, 100))))
    assert 0.19 < inside.max() < (6 / 150) ** 0.5 + 1e-6, "uniform between plus and minus sqrt(6 / (fans))"
    assert np.abs(keras.ops.convert_to_numpy(he((50, 100)))).max() > 0.3


def test_both_sides_convolve_the_same():
    convolution = script("convolution")
    for what, shape, _, ours, other in convolution.cases():
        one, two = (totals(convolution.model(shape, apply)) for apply in (ours, other))
        assert (one.params, one.macs) == (two.params, two.macs), what


@pytest.mark.parametrize("size", [None, 12])
def test_scikit_learn_loads_the_same_digits(size):
    loading = script("loading")
    ours, other = loading.ours("digits", size=size)(), loading.sklearns(size)
    assert [part.shape for part in ours] == [part.shape for part in other]
    assert sum(part.sum() for part in ours) == pytest.approx(sum(part.sum() for part in other), rel=1e-5)


def test_files_hold_the_same_shapes(tmp_path):
    pytest.importorskip("tensorflow")  # Keras reads a folder of pictures with it, on every backend
    loading, found = script("loading"), datasets.load("shapes", samples=20)
    ours = loading.ours("shapes", samples=20)()
    np.savez(tmp_path / "shapes.npz", *ours)
    loading.save_pictures(found, tmp_path / "png")
    stored, pictures = loading.stored(tmp_path / "shapes.npz"), loading.pictures(tmp_path / "png")
    for number, split in enumerate((found.train, found.validation, found.test)):
        np.testing.assert_array_equal(ours[number], stored[number])
        order = np.argsort(split.labels, kind="stable")  # the folder's: class by class
        np.testing.assert_allclose(pictures[number], ours[number][order], atol=1 / 255)


def test_a_stored_training_part_is_cut_in_two(tmp_path):
    images = np.arange(5_010 * 4, dtype="uint8").reshape(5_010, 2, 2)
    labels = np.zeros(5_010, "uint8")
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[:3], y_test=labels[:3])
    train, validation, test = script("loading").stored(tmp_path / "a.npz")
    assert (len(train), len(validation), len(test)) == (10, 5_000, 3)
    np.testing.assert_array_equal(train[..., 0], (images[5_000:] / 255).astype("float32"))


def test_first_cell_runs_in_a_kernel_of_its_own(tmp_path):
    start = script("start")
    start.first_cell(f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))")
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()  # and it has ended
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        start.first_cell("1 / 0")


if keras.backend.backend() == "jax":  # in `make test-jax`

    def test_the_gpu_script_tries_itself_on_a_processor(monkeypatch, capsys):
        gpu, arguments = script("gpu"), ["--tiny", "--only", "correctness", "--pairs", "2"]
        gpu.main(arguments)
        rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
        assert len(rows) == 2 and all("| yes |" in row for row in rows)
        monkeypatch.setattr(gpu, "TOLERANCE", 0.0)  # nothing is as near as that
        with pytest.raises(SystemExit, match="correctness is not right"):
            gpu.main(arguments)

    def test_the_gpu_script_times_a_network(capsys):
        script("gpu").main(["--tiny", "--only", "resnet20", "--pairs", "2"])
        said = capsys.readouterr().out
        assert "training, 4 images of 32x32" in said and "inference, 4 images of 32x32" in said
