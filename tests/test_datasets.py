import json
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from course_lib import datasets
from course_lib.datasets import DatasetDamaged, DatasetUnavailable, cache, load, sampling, shapes, textures


def check_format(data, size, channels, classes):
    for split in (data.train, data.validation, data.test):
        assert split.images.shape == (len(split.labels), size, size, channels)
        assert split.images.dtype == np.float32 and split.labels.dtype == np.int64
        assert split.images.min() >= 0 and split.images.max() <= 1
        assert set(np.unique(split.labels)) == set(range(classes))
    assert len(data.class_names) == classes and all(isinstance(name, str) for name in data.class_names)


# ---- digits


def test_digits_are_every_scikit_learn_digit_exactly_once():
    data, stored = load("digits"), load_digits()
    check_format(data, 8, 1, 10)
    images, labels = (
        np.concatenate(parts) for parts in zip(data.train, data.validation, data.test, strict=True)
    )
    assert [len(part.labels) for part in (data.train, data.validation, data.test)] == [1200, 297, 300]
    found = sorted(
        (label, *pixels) for label, pixels in zip(labels, images.reshape(-1, 64) * 16, strict=True)
    )
    assert found == sorted((label, *pixels) for label, pixels in zip(stored.target, stored.data, strict=True))


def test_digits_are_split_by_the_seed_alone_and_in_proportion():
    first, again, other = load("digits"), load("digits"), load("digits", seed=1)
    assert np.array_equal(first.test.images, again.test.images)
    assert not np.array_equal(first.test.images, other.test.images)
    share = np.bincount(load_digits().target) / 1797
    for split in (first.train, first.validation, first.test):
        assert np.abs(np.bincount(split.labels) - share * len(split.labels)).max() <= 1.5


def test_a_small_sample_is_part_of_a_larger_one_and_leaves_the_other_splits_alone():
    small, large = load("digits", samples=50), load("digits", samples=200)
    assert np.array_equal(small.train.images, large.train.images[:50])
    assert np.bincount(small.train.labels).tolist() == [5] * 10
    assert np.array_equal(small.validation.images, load("digits").validation.images)


def test_digits_are_resized_as_keras_resizes():
    from keras import ops

    plain = load("digits").test.images
    for size in (32, 28, 5):
        expected = ops.image.resize(plain, (size, size), interpolation="bilinear", antialias=True)
        assert np.abs(load("digits", size=size).test.images - np.asarray(expected)).max() < 1e-5


def test_resize_by_hand():
    row = np.array([0.0, 1.0, 0.0, 1.0], "float32")
    image = np.tile(row, (4, 1))[None, :, :, None]
    # halving: weights 1 3 3 1 over a triangle; the one outside is left out and the rest add up to 1
    assert np.allclose(sampling.resize(image, 2)[0, 0, :, 0], [3 / 7, 4 / 7])
    assert np.allclose(sampling.resize(image, 8)[0, 5, :4, 0], [0, 0.25, 0.75, 0.75])
    assert sampling.resize(np.ones((2, 7, 5, 3)), 9).shape == (2, 9, 9, 3)


# ---- generated shapes


def draw(count=100, domain="shapes", classes=None, size=32, split=0, seed=0, **amounts):
    amounts = {**shapes.OPTIONS[domain], **amounts}
    classes = classes or shapes.CLASSES[domain]
    return shapes.generate(
        count, domain=domain, classes=classes, size=size, seed=seed, split=split, **amounts
    )


@pytest.mark.parametrize("domain", ["shapes", "textures"])
def test_generated_images_have_the_common_format(domain):
    data = load("shapes", domain=domain, samples=200)
    check_format(data, 32, 3, 10)
    assert data.class_names == shapes.CLASSES[domain] and domain in data.source
    assert [len(part.labels) for part in (data.train, data.validation, data.test)] == [200, 500, 1000]
    assert np.bincount(data.train.labels).tolist() == [20] * 10
    everything = np.concatenate([data.train.images, data.validation.images, data.test.images])
    assert len(np.unique(everything.reshape(1700, -1), axis=0)) == 1700  # no image is in two splits


@pytest.mark.parametrize("domain", ["shapes", "textures"])
def test_an_image_does_not_depend_on_how_many_are_drawn(domain):
    few, many = draw(45, domain), draw(300, domain)
    for a, b in zip(few, many, strict=True):
        assert np.array_equal(a, b[:45])
    assert not np.array_equal(few[0], draw(45, domain, seed=1)[0])
    assert not np.array_equal(few[0], draw(45, domain, split=1)[0])


def test_every_process_draws_the_same_images_without_loading_keras():
    program = (
        "import sys; from course_lib import datasets as d; d.available();"
        "x = d.load('shapes', samples=20).train; y = d.load('digits').train;"
        "assert not {'keras', 'tensorflow'} & set(sys.modules);"
        "sys.stdout.buffer.write(x.images.tobytes() + y.images.tobytes())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    here = load("shapes", samples=20).train.images.tobytes() + load("digits").train.images.tobytes()
    assert done.stdout == here


def test_images_changed_by_an_edit_need_a_new_version():
    """These few numbers were written down with version 1."""
    images, labels, boxes = draw(10)
    assert shapes.VERSION == 1
    assert labels.tolist() == [6, 8, 2, 4, 9, 0, 5, 3, 7, 1]
    assert boxes[0].tolist() == [6, 10, 22, 24]
    assert np.allclose(images[:5].mean(axis=(1, 2, 3)), [0.822, 0.207, 0.527, 0.383, 0.205], atol=1e-3)


def test_a_larger_size_shows_the_same_scenes():
    small, large = draw(50, noise=0.0, texture=0.0), draw(50, noise=0.0, texture=0.0, size=64)
    halved = large[0].reshape(50, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    # only the tips of stars and arrows differ: a distance does not know how thin a tip is
    assert np.abs(halved - small[0]).max() < 0.4 and np.abs(halved - small[0]).mean() < 0.002
    assert np.abs(large[2] / 2 - small[2]).max() <= 1


def coverage(images):
    """How much of each pixel the object takes, where the ground is one plain colour."""
    difference = images - images[:, :1, :1]
    strongest = np.abs(difference).max(axis=(1, 2), keepdims=True).argmax(axis=3)
    difference = np.take_along_axis(difference, strongest[..., None], axis=3)[..., 0]
    return (
        difference
        / difference[np.arange(len(images)), images.shape[1] // 2, images.shape[1] // 2][:, None, None]
    )


def shoelace(points):
    x, y = points.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_shapes_cover_the_area_that_geometry_gives():
    truth = {"circle": np.pi * 0.88**2, "square": 2.0, "cross": (0.31 * 4) * 0.95 * 2 - (2 * 0.31) ** 2}
    truth |= {"triangle": 3 * 3**0.5 / 4, "star": 10 * 0.42 * np.sin(np.pi / 5) / 2}
    truth |= {name: shoelace(shapes.POLYGONS[name]) for name in ("heart", "arrow", "bow tie")}
    names = list(truth)
    images, labels, _ = draw(len(names), classes=names, size=64, pose=0.0, texture=0.0, noise=0.0)
    areas = coverage(images).sum(axis=(1, 2)) / (0.62 * 32) ** 2  # the radius is 0.62 of 32 pixels
    for area, label in zip(areas, labels, strict=True):
        assert area == pytest.approx(truth[names[label]], rel=0.01), names[label]


def test_ring_and_moon_have_their_holes():
    images, labels, _ = draw(2, classes=("ring", "moon"), size=64, pose=0.0, texture=0.0, noise=0.0)
    ring, moon = images[labels.argsort()]
    r = 0.62 * 32
    assert np.allclose(ring[32, 32], ring[0, 0]) and not np.allclose(ring[32, int(32 + 0.7 * r)], ring[0, 0])
    assert np.allclose(moon[32, int(32 + 0.42 * r)], moon[0, 0])
    assert not np.allclose(moon[32, int(32 - 0.7 * r)], moon[0, 0])


@pytest.mark.parametrize("pose", [0.0, 0.5, 1.0])
def test_boxes_are_the_smallest_that_hold_the_object(pose):
    images, _, boxes = draw(300, pose=pose, texture=0.0, noise=0.0)
    for image, (top, left, bottom, right) in zip(images, boxes, strict=True):
        rows, columns = np.nonzero((image != image[0, 0]).any(axis=2))
        assert (rows.min(), columns.min()) == (top, left)
        assert (rows.max() + 1, columns.max() + 1) == (bottom, right)


def test_pose_moves_turns_and_scales():
    still, moved = draw(300, pose=0.0)[2], draw(300, pose=1.0)[2]
    middle = still[:, :2] + still[:, 2:]
    assert np.abs(middle - 32).max() <= 9  # the same place; a triangle or star is not centred in its box
    spread = (moved[:, :2] + moved[:, 2:]).std(axis=0) / 2
    assert (spread > 3).all()  # pixels
    sides = (moved[:, 2:] - moved[:, :2]).max(axis=1)
    assert sides.min() >= 7 and sides.max() <= 31 and sides.std() > 2


def test_occlusion_hides_at_most_its_share_and_leaves_the_box():
    plain = draw(200, texture=0.0, noise=0.0)
    hidden = draw(200, texture=0.0, noise=0.0, occlusion=0.3)
    assert np.array_equal(plain[2], hidden[2])
    band = (plain[0] != hidden[0]).any(axis=3)
    assert band.any(axis=(1, 2)).all()
    inside = (plain[0] != plain[0][:, :1, :1]).any(axis=3)
    share = (band & inside).sum(axis=(1, 2)) / inside.sum(axis=(1, 2))
    assert (share > 0).mean() > 0.95 and 0.15 < share.mean() < 0.45


def test_noise_has_its_standard_deviation():
    difference = draw(50, noise=0.1, contrast=0.1)[0] - draw(50, noise=0.0, contrast=0.1)[0]
    middle = draw(50, noise=0.0, contrast=0.1)[0]
    difference = difference[(middle > 0.4) & (middle < 0.6)]  # far from 0 and 1, where values are cut
    assert difference.std() == pytest.approx(0.1, rel=0.02) and abs(difference.mean()) < 0.002


def test_contrast_is_the_difference_in_lightness():
    images, _, _ = draw(200, pose=0.0, texture=0.0, noise=0.0, contrast=0.4, classes=("circle", "square"))
    lightness = (images.max(axis=3) + images.min(axis=3)) / 2
    gaps = lightness[:, 16, 16] - lightness[:, 0, 0]
    assert np.abs(gaps) == pytest.approx(np.full(200, 0.4), abs=1e-5)
    assert 60 < (gaps > 0).sum() < 140  # the object is the lighter one about half the time


def test_texture_is_the_strength_of_the_ground():
    drawn = [draw(100, texture=amount, pose=0.0, noise=0.0)[0] for amount in (0.0, 0.5, 1.0)]
    plain, half, full = (images[:, :4].std(axis=(1, 2)).mean() for images in drawn)  # above the object
    assert plain < 1e-6 and 0.03 < half < full


def test_textures_repeat_as_their_names_say():
    images, labels, _ = draw(10, "textures", size=80, pose=0.0, noise=0.0)  # 16 pixels a period
    by_name = dict(zip(np.array(textures.TEXTURES)[labels], images, strict=True))
    stripes, checks, grid, dots = (by_name[name] for name in ("stripes", "checks", "grid", "dots"))
    for image in (stripes, grid, dots):
        assert np.allclose(image[:, :-16], image[:, 16:], atol=1e-3)
    assert np.allclose(stripes, stripes[:1]) and not np.allclose(stripes[:, :-8], stripes[:, 8:], atol=0.1)
    assert np.allclose(checks[:-16, :-16], checks[16:, 16:], atol=1e-3)
    assert not np.allclose(checks[:, :-16], checks[:, 16:], atol=0.1)
    for name, image in by_name.items():
        assert image.std(axis=(0, 1)).max() > 0.08, name


def test_a_subset_of_classes_is_numbered_in_the_order_given():
    data = load("shapes", samples=40, classes=["star", "circle"], boxes=True)
    assert data.class_names == ("star", "circle") and np.bincount(data.train.labels).tolist() == [20, 20]
    assert data.boxes.test.shape == (1000, 4) and data.boxes.train.dtype == np.int64
    image, (top, left, bottom, right) = data.train.images[0], data.boxes.train[0]
    assert image[top:bottom, left:right].size > 0
    assert load("shapes", samples=40).boxes is None


# ---- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load("digit"), "Did you mean 'digits'"),
        (lambda: load("shapes", domain="texture"), "Did you mean 'textures'"),
        (lambda: load("shapes", classes=["circle", "strar"]), "Did you mean 'star'"),
        (lambda: load("shapes", classes="circle"), "two or more"),
        (lambda: load("shapes", classes=["star", "star"]), "different"),
        (lambda: load("shapes", oclusion=0.2), "Did you mean 'occlusion'"),
        (lambda: load("shapes", domain="textures", occlusion=0.2), "option of 'textures'"),
        (lambda: load("shapes", domain="textures", boxes=True), "no box"),
        (lambda: load("shapes", noise=5), "noise must be a number from 0 to 1, but is 5"),
        (lambda: load("shapes", noise="much"), "noise must be a number from 0 to 1, but is 'much'"),
        (lambda: load("shapes", samples=9), "samples must be a whole number from 10"),
        (lambda: load("digits", noise=0.1), "takes no 'noise'"),
        (lambda: load("digits", size=0), "size must be a whole number from 4"),
        (lambda: load("digits", size=(8, 8)), "size must be a whole number"),
        (lambda: load("digits", size=True), "size must be a whole number"),
        (lambda: load("digits", samples=1201), "from 10 to 1,200, but is 1201"),
        (lambda: load("digits", seed=-1), "seed must be a whole number"),
        (lambda: load("digits", seed=0.5), "seed must be a whole number"),
    ],
)
def test_bad_input_is_named_and_mended(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


# ---- downloaded data sets, with a small stand-in for keras.datasets


def numbered(shape):
    """Images whose first bytes hold their own number, so that each can be recognized."""
    images = np.zeros(shape, "uint8")
    images.reshape(shape[0], -1)[:, :4] = np.arange(shape[0], dtype="<u4").view("uint8").reshape(-1, 4)
    images.reshape(shape[0], -1)[:, -1] = 255
    return images


def numbers(images):
    flat = np.round(images.reshape(len(images), -1)[:, :4] * 255).astype("uint8")
    return np.ascontiguousarray(flat).view("<u4")[:, 0]


@pytest.fixture
def keras_datasets(monkeypatch, tmp_path):
    """An empty cache and small data sets behind `keras.datasets`, which counts its `calls`."""
    counts = {"train": 6_000, "test": 40}
    for name, image in (("mnist", (28, 28)), ("cifar10", (32, 32, 3))):
        for part, count in counts.items():
            monkeypatch.setitem(cache.SHAPES[name], f"x_{part}", (count, *image))
            monkeypatch.setitem(cache.SHAPES[name], f"y_{part}", (count,))
    fake = SimpleNamespace(calls=0, error=None)

    def loader(name):
        def load_data():
            fake.calls += 1
            if fake.error:
                raise fake.error
            arrays = []
            for part, count in counts.items():
                labels = (np.arange(count) % 10).astype("uint8")
                images = numbered(cache.SHAPES[name][f"x_{part}"])
                arrays.append((images, labels[:, None] if name == "cifar10" else labels))
            return tuple(arrays)

        return SimpleNamespace(load_data=load_data)

    fake.mnist, fake.cifar10 = loader("mnist"), loader("cifar10")
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(datasets=fake))
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "cache"))
    return fake


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


@pytest.mark.parametrize(("name", "size", "channels"), [("mnist", 28, 1), ("cifar10", 32, 3)])
def test_a_download_is_recorded_as_official_and_made_once(keras_datasets, tmp_path, name, size, channels):
    assert datasets.available()[name] == "not downloaded"
    data = load(name)
    check_format(data, size, channels, 10)
    assert "official" in data.source and keras_datasets.calls == 1
    assert files(tmp_path) == [f"{name}.json", f"{name}.npz"]
    assert datasets.available()[name].startswith("cached")
    assert load(name).source == data.source and keras_datasets.calls == 1
    with np.load(tmp_path / "cache" / f"{name}.npz") as stored:
        assert {key: stored[key].shape for key in stored.files} == cache.SHAPES[name]


def test_the_record_holds_the_sha256_of_the_bytes(keras_datasets, tmp_path):
    import hashlib

    load("mnist")
    record = json.loads((tmp_path / "cache" / "mnist.json").read_text())
    expected = hashlib.sha256(numbered((40, 28, 28)).tobytes()).hexdigest()
    assert record["sha256"]["x_test"] == expected and "keras.datasets.mnist" in record["origin"]


def test_validation_comes_from_the_training_part_and_no_image_is_in_two_splits(keras_datasets):
    data = load("mnist")
    train, validation = numbers(data.train.images), numbers(data.validation.images)
    assert len(train) == 1_000 and len(validation) == 5_000
    assert sorted([*train, *validation]) == list(range(6_000))
    assert numbers(data.test.images).tolist() == list(range(40))  # whole, in the official order
    for images, labels in (data.train, data.validation, data.test):
        assert np.array_equal(numbers(images) % 10, labels)
    assert np.bincount(data.validation.labels).tolist() == [500] * 10
    sample = load("mnist", samples=30)
    assert np.array_equal(numbers(sample.train.images), train[:30])
    assert np.array_equal(sample.validation.images, data.validation.images)
    assert not np.array_equal(numbers(load("mnist", seed=1).validation.images), validation)


def test_a_larger_mnist_gets_a_border_and_a_smaller_one_is_resized(keras_datasets):
    plain, padded = load("mnist").test.images, load("mnist", size=32).test.images
    assert padded.shape == (40, 32, 32, 1)
    assert np.array_equal(padded[:, 2:30, 2:30], plain)
    assert padded.sum(dtype="float64") == plain.sum(dtype="float64")  # black around it
    assert load("mnist", size=33).test.images.shape == (40, 33, 33, 1)
    small = load("mnist", size=14).test.images
    assert small.shape == (40, 14, 14, 1) and np.array_equal(small, sampling.resize(plain, 14))
    assert load("cifar10", size=48).test.images.shape == (40, 48, 48, 3)


def test_channels_first_images_are_turned_round(keras_datasets):
    expected = load("cifar10").test.images
    first = keras_datasets.cifar10.load_data()

    def turned():
        return tuple((images.transpose(0, 3, 1, 2), labels) for images, labels in first)

    cache.npz_path("cifar10").unlink()
    keras_datasets.cifar10.load_data = turned
    assert np.array_equal(load("cifar10").test.images, expected)


def test_offline_the_error_names_what_to_do_and_leaves_nothing(keras_datasets, tmp_path):
    keras_datasets.error = Exception("URL fetch failure on https://example.org: None -- [Errno -2]")
    before = socket.getdefaulttimeout()
    with pytest.raises(DatasetUnavailable) as error:
        load("mnist")
    for part in (
        "MNIST",
        "digits",
        "shapes",
        "URL fetch failure",
        str(tmp_path / "cache" / "mnist.npz"),
        "COURSE_DATA",
    ):
        assert part in str(error.value)
    assert files(tmp_path) == [] and socket.getdefaulttimeout() == before


def test_an_interrupted_download_leaves_nothing(keras_datasets, tmp_path, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert files(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_said_before_the_download(keras_datasets, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DatasetUnavailable, match="cannot be kept"):
        load("mnist")
    assert keras_datasets.calls == 0


def test_another_data_set_behind_the_download_is_refused(keras_datasets, tmp_path):
    keras_datasets.mnist = keras_datasets.cifar10
    with pytest.raises(DatasetUnavailable, match="another MNIST than expected"):
        load("mnist")
    assert files(tmp_path) == []


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def change_a_pixel(path):
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["x_train"][7, 3, 3] ^= 1
    np.savez(path, **arrays)


def change_the_shape(path):
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["x_test"] = arrays["x_test"].reshape(20, 56, 28)
    np.savez(path, **arrays)


def leave_out_labels(path):
    with np.load(path) as stored:
        np.savez(path, **{key: stored[key] for key in stored.files if key != "y_test"})


def hide_code(path):
    np.savez(path, x_train=np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize(
    "damage",
    [
        truncate, flip_a_byte, change_a_pixel, change_the_shape, leave_out_labels, hide_code,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"<html>please log in</html>"),
        lambda path: path.with_suffix(".json").unlink(),
        lambda path: path.with_suffix(".json").write_text("{"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_set_aside_and_never_loaded(keras_datasets, tmp_path, damage):
    load("mnist")
    path = tmp_path / "cache" / "mnist.npz"
    damage(path)
    content = path.read_bytes()
    with pytest.raises(DatasetDamaged) as error:
        load("mnist")
    assert "was not loaded" in str(error.value) and "set aside as mnist.npz.damaged" in str(error.value)
    assert not path.exists() and (tmp_path / "cache" / "mnist.npz.damaged").read_bytes() == content
    assert keras_datasets.calls == 1  # it does not hide the damage by another download
    assert "official" in load("mnist").source and keras_datasets.calls == 2


def test_a_second_damaged_file_does_not_replace_the_first(keras_datasets, tmp_path):
    for _ in range(2):
        load("mnist")
        truncate(tmp_path / "cache" / "mnist.npz")
        with pytest.raises(DatasetDamaged):
            load("mnist")
    assert files(tmp_path) == ["mnist.json", "mnist.npz.2.damaged", "mnist.npz.damaged"]


def test_a_development_copy_is_accepted_by_its_sha256_alone(keras_datasets, tmp_path, monkeypatch):
    (images, labels), (test_images, test_labels) = keras_datasets.mnist.load_data()
    arrays = {"x_train": images[::-1], "y_train": labels[::-1], "x_test": test_images, "y_test": test_labels}
    copies = {"mnist": {"difference": "another order", "sha256": cache.digests(arrays)}}
    (tmp_path / "copies.json").write_text(json.dumps(copies))
    monkeypatch.setattr(cache, "data_path", lambda name: tmp_path / "copies.json")
    (tmp_path / "cache").mkdir()
    np.savez(tmp_path / "cache" / "mnist.npz", **arrays)
    assert load("mnist").source == "MNIST, development copy (another order)"
    arrays["y_test"][0] += 1
    np.savez(tmp_path / "cache" / "mnist.npz", **arrays)
    with pytest.raises(DatasetDamaged):
        load("mnist")


def test_the_projects_development_copies_are_complete():
    copies = json.loads(cache.data_path("development_copies.json").read_text())
    assert copies.keys() == cache.SHAPES.keys()
    for name, copy in copies.items():
        assert copy["sha256"].keys() == cache.SHAPES[name].keys() and copy["difference"]
        assert all(len(bytes.fromhex(digest)) == 32 for digest in copy["sha256"].values())


# ---- the rest


def test_photographs_are_two_real_colour_images():
    found = datasets.photographs()
    assert list(found) == ["china", "flower"]
    for image in found.values():
        assert image.shape == (427, 640, 3) and image.dtype == np.float32
        assert image.min() >= 0 and 0.9 < image.max() <= 1


def test_a_data_set_is_shown_in_two_lines_without_its_pixels():
    data = load("digits", samples=100)
    assert repr(data) == (
        "Dataset 'digits': 100 training, 297 validation, 300 test images of 8x8x1, 10 classes.\n"
        "Source: scikit-learn digits."
    )
    assert repr(data.test) == "Split(images (300, 8, 8, 1), labels (300,))"
    with pytest.raises(AttributeError):
        data.name = "other"
