"""The layers of the zoo, each against a loop in NumPy or against Keras' own."""

import keras
import numpy as np
import pytest
from keras import ops

from course_lib import accounting
from course_lib import layers as ours
from course_lib.layers import convolution
from course_lib.visualization import input_gradient


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    return ops.convert_to_numpy(tensor)


def gradient(layer, x, upstream):
    """Of sum(layer(x) * upstream)."""
    return array(input_gradient(lambda x: ops.sum(layer(x) * upstream), x)[1])


def close(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(array(found), expected, rtol=tolerance, atol=tolerance)


# --- what all of them promise

COLORS = ([0.2, 0.02, 0.01], np.eye(3))
LAYERS = {
    "lrn": lambda: ours.LocalResponseNormalization(size=3),
    "l2": lambda: ours.L2Pooling2D(3, 2),
    "saf": lambda: ours.SAFPooling2D(2, seed=1),
    "ceil": lambda: ours.CeilMaxPooling2D(3, 2),
    "zeros outside": lambda: ours.ZeroPaddedPooling2D(3, 2, operation="average"),
    "drop path": lambda: ours.DropPath(0.3, seed=1),
    "crop": lambda: ours.PadCropFlip(2, seed=1),
    "colour": lambda: ours.PCAColor(*COLORS, seed=1),
    "grouped": lambda: ours.GroupedConv2D(6, 3, groups=3, strides=2, padding="same"),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]()


def test_shapes_of_images_of_unknown_size(layer):
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layer(image))
    assert model.output_shape[:3] == (None, None, None)
    known = layer.compute_output_shape((None, 11, 8, 3))
    assert model.predict(images(2, 11, 8, 3), verbose=0).shape == (2, *known[1:])
    assert tuple(layer(keras.Input((11, 8, 3))).shape) == known
    assert model(images(2, 11, 8, 3), training=True).shape[1:] == known[1:]


def test_saved_and_loaded_they_do_the_same(layer, tmp_path):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layer(image))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = images(4, 8, 8, 3)
    close(again(x), array(model(x)))
    # A layer that draws at random draws the same from its seed.
    fresh = type(layer).from_config(layer.get_config())
    fresh.build((None, 8, 8, 3))
    fresh.set_weights(layer.get_weights())
    close(fresh(x, **training(fresh)), array(layer(x, **training(layer))))


def training(layer):
    return {"training": True} if hasattr(layer, "seed_generator") else {}


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_in_other_precisions(layer, policy):
    layer = type(layer).from_config(layer.get_config() | {"dtype": policy})
    x = 300 * images(2, 8, 8, 3)  # 300^2 is more than float16 can hold
    y = layer(x, **training(layer))
    assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
    assert np.isfinite(array(ops.cast(y, "float32"))).all()


def test_the_accounting_knows_them(layer):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layer(image))
    found = accounting.totals(model)
    conv = isinstance(layer, keras.layers.Conv2D)
    assert found.macs == (4 * 4 * 6 * 3 * 3 * 1 if conv else 0)
    assert found.params == (3 * 3 * 1 * 6 + 6 if conv else 0)
    windows = {"SAFPooling2D": 2}
    windows |= dict.fromkeys(["L2Pooling2D", "CeilMaxPooling2D", "ZeroPaddedPooling2D", "GroupedConv2D"], 3)
    assert accounting.receptive_field(model, layer.name).size == windows.get(type(layer).__name__, 1)


@pytest.mark.parametrize("name", ["drop path", "crop", "colour"])
def test_at_inference_nothing_is_changed(name):
    x = images(3, 6, 6, 3)
    np.testing.assert_array_equal(array(LAYERS[name]()(x)), x)


@pytest.mark.parametrize("name", ["saf", "drop path", "crop", "colour"])
def test_each_call_in_training_draws_anew(name):
    layer, x = LAYERS[name](), images(20, 6, 6, 3)
    assert (array(layer(x, training=True)) != array(layer(x, training=True))).any()


# --- local response normalization


def lrn_sums(x, size, k, alpha):
    half, channels = size // 2, x.shape[-1]
    sums = [np.sum(x[..., max(0, c - half) : c + half + 1] ** 2, axis=-1) for c in range(channels)]
    return k + alpha * np.stack(sums, axis=-1)


@pytest.mark.parametrize(("size", "channels"), [(5, 12), (3, 2), (5, 1), (1, 4)])
def test_local_response_normalization(size, channels):
    x, up = 20 * images(2, 3, 4, channels), images(2, 3, 4, channels, seed=1)
    k, alpha, beta = 2.0, 1e-2, 0.75
    layer = ours.LocalResponseNormalization(size, k, alpha, beta)
    sums = lrn_sums(x.astype("float64"), size, k, alpha)
    close(layer(x), x * sums**-beta)
    # A channel speaks for itself and in the sums of its neighbours.
    through = lrn_sums_transposed(up * x * sums ** (-beta - 1), size)
    close(gradient(layer, x, up), up * sums**-beta - 2 * alpha * beta * x * through)


def lrn_sums_transposed(values, size):
    half = size // 2
    sums = [np.sum(values[..., max(0, c - half) : c + half + 1], axis=-1) for c in range(values.shape[-1])]
    return np.stack(sums, axis=-1)


def test_the_paper_s_constants_are_the_default():
    x = images(1, 2, 2, 8)
    close(ours.LocalResponseNormalization()(x), x * lrn_sums(x, 5, 2, 1e-4) ** -0.75)


@pytest.mark.parametrize("size", [4, 0, -1, 2.5, True])
def test_a_window_without_a_middle_is_refused(size):
    with pytest.raises(ValueError, match="odd number"):
        ours.LocalResponseNormalization(size)


# --- pooling


def windows(x, pool, strides, ceil=False):
    """For each whole window (or each that begins inside) its place in the output and its values."""
    height, width = x.shape[1:3]
    ends = (height, width) if ceil else (height - pool[0] + 1, width - pool[1] + 1)
    for a, i in enumerate(range(0, ends[0], strides[0])):
        for b, j in enumerate(range(0, ends[1], strides[1])):
            yield (a, b), (slice(i, i + pool[0]), slice(j, j + pool[1]))


def pooled(x, pool, strides, function, ceil=False):
    found = {place: function(x[:, rows, cols]) for place, (rows, cols) in windows(x, pool, strides, ceil)}
    height, width = np.max(list(found), axis=0) + 1
    return np.stack([np.stack([found[a, b] for b in range(width)], 1) for a in range(height)], 1)


POOLINGS = [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 2)), ((2, 3), (3, 3))]


@pytest.mark.parametrize(("pool", "strides"), POOLINGS)
def test_l2_pooling(pool, strides):
    x = images(2, 8, 9, 3)
    layer = ours.L2Pooling2D(pool, strides)
    expected = pooled(x, pool, strides, lambda window: np.sqrt((window**2).sum((1, 2))))
    close(layer(x), expected)
    up = images(*expected.shape, seed=1)
    back = np.zeros_like(x)
    for (a, b), (rows, cols) in windows(x, pool, strides):
        back[:, rows, cols] += x[:, rows, cols] * (up / expected)[:, a, b][:, None, None]
    close(gradient(layer, x, up), back)


def test_l2_pooling_of_zeros_has_a_gradient():
    assert np.isfinite(gradient(ours.L2Pooling2D(2), np.zeros((1, 4, 4, 1), "float32"), 1.0)).all()


@pytest.mark.parametrize(("pool", "strides"), [case for case in POOLINGS if case != ((2, 3), (3, 3))])
@pytest.mark.parametrize("size", [(9, 9), (8, 7), (10, 6), (4, 5)])
def test_ceil_mode(pool, strides, size):
    x = images(2, *size, 3) - 10  # below zero, so that padding with zeros would show
    expected = [(n - k + s - 1) // s + 1 for n, k, s in zip(size, pool, strides, strict=True)]
    found = array(ours.CeilMaxPooling2D(pool, strides)(x))
    reference = pooled(x, pool, strides, lambda window: window.max((1, 2)), ceil=True)
    np.testing.assert_array_equal(found, reference[:, : expected[0], : expected[1]])


def test_ceil_mode_sends_the_gradient_to_the_maximum():
    x = images(2, 8, 8, 3)  # 8 -> 4, the last window has two rows
    up = images(2, 4, 4, 3, seed=1)
    back = np.zeros_like(x)
    for (a, b), (rows, cols) in windows(x, (3, 3), (2, 2), ceil=True):
        window = x[:, rows, cols]
        back[:, rows, cols] += (window == window.max((1, 2), keepdims=True)) * up[:, a, b][:, None, None]
    close(gradient(ours.CeilMaxPooling2D(3, 2), x, up), back)


def test_ceil_mode_with_gaps_between_windows_is_refused():
    with pytest.raises(ValueError, match="strides must not be larger"):
        ours.CeilMaxPooling2D(2, 3)


@pytest.mark.parametrize(("operation", "function"), [("max", np.max), ("average", np.mean)])
@pytest.mark.parametrize("size", [(8, 9), (9, 6), (3, 2), (1, 1)])
@pytest.mark.parametrize(("pool", "strides"), [((3, 3), (2, 2)), ((2, 3), (1, 2)), ((1, 2), (2, 3))])
def test_pooling_with_zeros_outside(operation, function, size, pool, strides):
    x = images(2, *size, 3) - 1
    padded = x
    for axis, (n, k, s) in enumerate(zip(size, pool, strides, strict=True), 1):
        missing = max(-(-n // s) * s - s + k - n, 0)  # the margins of padding "same"
        margin = [(0, 0)] * 4
        margin[axis] = (missing // 2, missing - missing // 2)
        padded = np.pad(padded, margin)
    expected = pooled(padded, pool, strides, lambda window: function(window, (1, 2)))
    layer = ours.ZeroPaddedPooling2D(pool, strides, operation)
    close(layer(x), expected)
    assert tuple(layer.compute_output_shape(x.shape)) == expected.shape
    same = keras.layers.MaxPooling2D(pool, strides, padding="same")(x)
    assert expected.shape == tuple(same.shape)


def test_an_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="Unknown operation: 'mean'. .*'max', 'average'"):
        ours.ZeroPaddedPooling2D(2, operation="mean")


def test_saf_pooling_is_max_pooling_at_inference():
    x = images(2, 9, 8, 3)
    close(ours.SAFPooling2D(3, 2)(x), array(keras.layers.MaxPooling2D(3, 2)(x)))


def test_saf_pooling_switches_off_maxima_in_training():
    x = images(50, 8, 8, 4)
    maxima = array(keras.layers.MaxPooling2D(2)(x))
    found = array(ours.SAFPooling2D(2, rate=0.2, seed=3)(x, training=True))
    off = found == 0
    assert abs(off.mean() - 0.2) < 0.03  # 3200 responses: one standard deviation is 0.007
    np.testing.assert_allclose(found[~off], maxima[~off] / 0.8, rtol=1e-5)
    assert 0 < off[0].mean() < 1  # single responses, not whole images


@pytest.mark.parametrize("rate", [1.0, -0.1, "0.5", True, float("nan")])
@pytest.mark.parametrize("make", [lambda rate: ours.SAFPooling2D(2, rate=rate), ours.DropPath])
def test_impossible_rates_are_refused(make, rate):
    with pytest.raises(ValueError, match="rate must be a number from 0 to below 1"):
        make(rate)


@pytest.mark.parametrize("size", [0, (2, 2, 2), 2.0, "2", (1, 0)])
def test_impossible_windows_are_refused(size):
    with pytest.raises(ValueError, match="pool_size must be a whole number"):
        ours.L2Pooling2D(size)
    with pytest.raises(ValueError, match="pool_size must be a whole number"):
        ours.MaxUnpooling2D(size)


@pytest.mark.parametrize(("pool", "strides"), POOLINGS)
def test_switches_lead_back_as_the_gradient_does(pool, strides):
    x = np.round(images(2, 9, 11, 3), 1)  # rounded: some windows have two equal maxima
    maxima, switches = ours.MaxPoolingWithSwitches2D(pool, strides)(x)
    own = keras.layers.MaxPooling2D(pool, strides)
    np.testing.assert_array_equal(array(maxima), array(own(x)))
    up = images(*maxima.shape, seed=1)
    unpool = ours.MaxUnpooling2D(pool, strides, output_size=(9, 11))
    close(unpool([up, switches]), gradient(own, x, up))


def test_unpooling_without_a_size_makes_the_smallest_image():
    maxima, switches = ours.MaxPoolingWithSwitches2D(3, 2)(images(1, 8, 8, 2))
    assert tuple(ours.MaxUnpooling2D(3, 2)([maxima, switches]).shape) == (1, 7, 7, 2)


def test_unpooling_in_a_graph_of_unknown_size(tmp_path):
    image = keras.Input((None, None, 3))
    maxima, switches = ours.MaxPoolingWithSwitches2D(3, 2)(image)
    assert keras.backend.standardize_dtype(switches.dtype) == "int32"
    model = keras.Model(image, ours.MaxUnpooling2D(3, 2)([maxima, switches]))
    model.save(tmp_path / "model.keras")
    x = images(2, 9, 7, 3)
    expected = gradient(keras.layers.MaxPooling2D(3, 2), x, array(keras.layers.MaxPooling2D(3, 2)(x)))
    close(keras.models.load_model(tmp_path / "model.keras").predict(x, verbose=0), expected)
    assert accounting.totals(model, input_shape=(9, 7, 3)).macs == 0
    with pytest.raises(ValueError, match="no receptive field"):
        accounting.receptive_field(model, model.layers[-1].name, input_shape=(9, 7, 3))


@pytest.mark.parametrize("size", [(6, 8), (9, 8), (8, 12)])
def test_unpooling_to_an_impossible_size_is_refused(size):
    values = np.zeros((1, 3, 3, 2), "float32")
    with pytest.raises(ValueError, match="the image that was pooled"):
        ours.MaxUnpooling2D(3, 2, output_size=size)([values, values.astype("int32")])


# --- stochastic depth


def test_drop_path_keeps_or_drops_whole_images():
    x = np.ones((2000, 3, 2, 4), "float32")
    found = array(ours.DropPath(0.25, seed=2)(x, training=True))
    kept = found[:, 0, 0, 0] > 0
    np.testing.assert_allclose(found, np.where(kept, 1 / 0.75, 0)[:, None, None, None] * x, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 0.05  # one standard deviation is 0.01


def test_drop_path_drops_even_what_is_not_finite_and_stops_its_gradient():
    x = np.full((50, 2), np.inf, "float32")
    layer = ours.DropPath(0.5, seed=2)
    found = array(layer(x, training=True))
    assert set(found.ravel().tolist()) == {0.0, np.inf}
    layer = ours.DropPath(0.5, seed=2)
    back = array(input_gradient(lambda x: ops.sum(layer(x, training=True)), np.ones((50, 2), "float32"))[1])
    assert set(back.ravel().tolist()) == {0.0, 2.0}


# --- augmentation


def test_pad_crop_flip_moves_and_mirrors_each_image_for_itself():
    p, height, width = 2, 5, 4
    image = np.arange(1, 1 + height * width * 2, dtype="float32").reshape(height, width, 2)
    padded = np.pad(image, ((p, p), (p, p), (0, 0)))
    expected = {}  # every image that can come out
    for i in range(2 * p + 1):
        for j in range(2 * p + 1):
            cut = padded[i : i + height, j : j + width]
            expected[cut.tobytes()] = (i, j, False)
            expected[cut[:, ::-1].copy().tobytes()] = (i, j, True)
    found = array(ours.PadCropFlip(p, seed=0)(np.stack([image] * 1000), training=True))
    seen = [expected[one.tobytes()] for one in found]
    assert len(set(seen)) == 50
    assert abs(np.mean([mirrored for *_, mirrored in seen]) - 0.5) < 0.1


def test_pad_crop_flip_without_mirror_or_padding():
    x = images(8, 4, 4, 1)
    np.testing.assert_array_equal(array(ours.PadCropFlip(0, flip=False)(x, training=True)), x)
    found = array(ours.PadCropFlip(0, seed=0)(x, training=True))
    same = (found == x).all((1, 2, 3))
    np.testing.assert_array_equal(found[~same], x[~same][:, :, ::-1])
    assert 0 < same.sum() < 8


@pytest.mark.parametrize("padding", [-1, 1.5, True])
def test_impossible_padding_is_refused(padding):
    with pytest.raises(ValueError, match="padding must be a whole number"):
        ours.PadCropFlip(padding)


def test_color_components_explain_the_colours():
    x = images(5, 6, 7, 3) @ images(3, 3, seed=1) + 4
    values, vectors = ours.color_components(x)
    pixels = x.reshape(-1, 3).astype("float64")
    covariance = (pixels - pixels.mean(0)).T @ (pixels - pixels.mean(0)) / len(pixels)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-9)
    assert values[0] >= values[1] >= values[2]


@pytest.mark.parametrize("strength", ["eigenvalue", "deviation"])
def test_pca_color_adds_a_colour_of_the_right_spread(strength):
    values, vectors = ours.color_components(images(5, 6, 7, 3) @ images(3, 3, seed=1))
    layer = ours.PCAColor(values, vectors, sigma=0.5, strength=strength, seed=0)
    x = images(20_000, 2, 1, 3)
    change = array(layer(x, training=True)) - x
    np.testing.assert_allclose(change[:, 0], change[:, 1], atol=1e-5)  # one colour for an image
    along = change[:, 0, 0] @ vectors
    spread = values if strength == "eigenvalue" else np.sqrt(values)
    np.testing.assert_allclose(along.std(0), 0.5 * spread, rtol=0.03)
    assert abs(np.corrcoef(along.T) - np.eye(3)).max() < 0.03
    assert abs(along.mean(0)).max() < 0.03 * spread.max()


def test_pca_color_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="color_components"):
        ours.PCAColor([1, 2, 3], np.eye(2))
    with pytest.raises(ValueError, match="Did you mean 'deviation'"):
        ours.PCAColor(*COLORS, strength="deviations")
    with pytest.raises(ValueError, match="have 3 channels, but the images have 1"):
        ours.PCAColor(*COLORS)(images(1, 2, 2, 1))
    with pytest.raises(ValueError, match="batch of shape"):
        ours.color_components(images(4, 4, 3))


# --- grouped convolution

GROUPED = [
    {"groups": 2},
    {"groups": 6, "padding": "same", "use_bias": False},
    {"groups": 3, "strides": 2, "padding": "same", "activation": "relu"},
    {"groups": 2, "kernel_size": (3, 2), "dilation_rate": 2},
    {"groups": 1},
]


@pytest.mark.parametrize("options", GROUPED, ids=str)
def test_grouped_convolution_is_that_of_keras(options):
    options = {"filters": 12, "kernel_size": 3, "kernel_initializer": "he_normal"} | options
    x = images(2, 9, 8, 6)
    mine, keras_own = ours.GroupedConv2D(**options), keras.layers.Conv2D(**options)
    mine.build(x.shape)
    keras_own.build(x.shape)
    keras_own.set_weights([0.1 + w for w in mine.get_weights()])
    mine.set_weights(keras_own.get_weights())  # the weights fit both ways
    close(mine(x), array(keras_own(x)))


def test_gradients_of_the_grouped_convolution():
    # The kernel goes in as an argument, so that its gradient can be asked for.
    x, kernel, up = images(2, 6, 6, 4), images(3, 3, 2, 6, seed=1), images(2, 6, 6, 6, seed=2)
    mine = ours.GroupedConv2D(6, 3, groups=2, padding="same")
    keras_own = keras.layers.Conv2D(6, 3, groups=2, padding="same")
    for argument, function in {
        "kernel": lambda layer: lambda k: ops.sum(layer.convolution_op(ops.convert_to_tensor(x), k) * up),
        "image": lambda layer: lambda x: ops.sum(layer.convolution_op(x, ops.convert_to_tensor(kernel)) * up),
    }.items():
        at = kernel if argument == "kernel" else x
        expected = array(input_gradient(function(keras_own), at)[1])
        close(input_gradient(function(mine), at)[1], expected)


@pytest.mark.parametrize(("accelerator", "convolutions"), [(True, 1), (False, 2)])
def test_on_an_accelerator_it_is_one_convolution(monkeypatch, accelerator, convolutions):
    x, layer = images(1, 5, 5, 4), ours.GroupedConv2D(4, 3, groups=2)
    before = array(layer(x))
    calls, original = [], keras.layers.Conv2D.convolution_op
    monkeypatch.setattr(convolution, "_has_accelerator", lambda: accelerator)
    monkeypatch.setattr(keras.layers.Conv2D, "convolution_op", lambda *a: calls.append(a) or original(*a))
    close(layer(x), before)
    assert len(calls) == convolutions


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="divisible by the number of groups"):
        ours.GroupedConv2D(6, 3, groups=4)
    with pytest.raises(ValueError, match="divisible by the number of groups"):
        ours.GroupedConv2D(6, 3, groups=3)(images(1, 5, 5, 4))
