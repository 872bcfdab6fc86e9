"""First weights: each scheme keeps its promise, the statistics are true, wrong input is explained."""

import math

import keras
import numpy as np
import pytest
from keras import layers, ops

from course_lib import accounting
from course_lib import initialization as init
from course_lib.transfer import part_rates
from course_lib.visualization import input_gradient

RNG = np.random.default_rng


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def trained_weights(model):
    return [numbers(w).copy() for w in model.trainable_variables]


def small_convnet(activation="relu", fused=True):
    extra = [] if fused else [layers.Activation(activation)]
    fused = activation if fused else None
    conv = [[layers.Conv2D(6, 3, padding="same", activation=fused), *extra] for _ in range(3)]
    return keras.Sequential(
        [keras.Input((6, 6, 2)), *sum(conv, []), layers.Flatten(), layers.Dense(4, name="last")]
    )


def images(count=40, seed=0):
    return RNG(seed).uniform(size=(count, 6, 6, 2)).astype("float32")


# --- schemes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "both"),
    [
        ((784, 100), (784, 100)),
        ((3, 3, 64, 128), (576, 1152)),
        ((1, 1, 16, 4), (16, 4)),
        ((5, 1, 2, 3), (10, 15)),
    ],
)
def test_fans(shape, both):
    assert init.fans(shape) == both


@pytest.mark.parametrize(
    ("scheme", "options", "std"),
    [
        ("constant", {"value": 0.3}, 0.0),
        ("normal", {}, 0.01),
        ("normal", {"std": 2.5}, 2.5),
        ("xavier", {}, 1 / math.sqrt(400)),
        ("xavier", {"form": "average"}, math.sqrt(2 / (400 + 900))),
        ("he", {}, math.sqrt(2 / 400)),
        ("orthogonal", {"gain": 3.0}, None),
        ("random_walk", {"activation": "linear"}, math.exp(1 / 800) / 20),
    ],
)
def test_standard_deviation_of_each_scheme(scheme, options, std):
    for shape in ((400, 900), (5, 5, 16, 36)):  # the convolution has the same fans
        if scheme == "orthogonal":
            std = 3 / math.sqrt(max(math.prod(shape[:-1]), shape[-1]))
        weights = init.draw(shape, scheme, rng=1, **options)
        assert weights.shape == shape and weights.dtype == "float32"
        assert weights.std() == pytest.approx(std, rel=0.02, abs=1e-6)
        assert abs(weights.mean() - options.get("value", 0)) < 4 * std / 120 + 1e-6


@pytest.mark.parametrize(
    ("scheme", "options", "twin"),
    [
        ("he", {}, "HeNormal"),
        ("xavier", {}, "LecunNormal"),
        ("xavier", {"form": "average"}, "GlorotUniform"),
        ("orthogonal", {}, "Orthogonal"),
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (3, 3, 40, 60)])
def test_the_variance_is_that_of_the_initializer_of_keras(scheme, options, twin, shape):
    theirs = numbers(getattr(keras.initializers, twin)(seed=0)(shape))
    assert init.draw(shape, scheme, **options).std() == pytest.approx(theirs.std(), rel=0.02)


@pytest.mark.parametrize("shape", [(50, 30), (30, 50), (3, 3, 4, 16), (1, 1, 8, 40)])
def test_orthogonal_matrices_have_equal_singular_values(shape):
    matrix = init.draw(shape, "orthogonal", gain=1.5).reshape(-1, shape[-1])
    assert np.linalg.svd(matrix, compute_uv=False) == pytest.approx(
        1.5 * np.ones(min(matrix.shape)), rel=1e-5
    )


@pytest.mark.parametrize("width", [10, 32])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_the_random_walk_keeps_the_mean_logarithm(activation, width):
    """Simulated: 1,500 single layers. He's rule loses clearly more, which the test must be able to see."""
    rng = RNG(0)

    def mean_log(scheme, **options):
        x = rng.standard_normal((1500, 1, width))
        if activation == "relu":
            x = np.maximum(x, 0)  # what a ReLU layer before puts out
        w = np.stack([init.draw((width, width), scheme, rng=rng, **options) for _ in range(len(x))])
        y = np.maximum(x @ w, 0) if activation == "relu" else x @ w
        norms = np.linalg.norm(y, axis=2) / np.maximum(np.linalg.norm(x, axis=2), 1e-9)
        return np.log(norms[norms > 0]).mean()

    assert abs(mean_log("random_walk", activation=activation)) < 0.025
    assert mean_log("he" if activation == "relu" else "xavier") < -0.4 / width


def test_the_same_rng_draws_the_same_weights():
    assert np.array_equal(init.draw((9, 9), "he", rng=3), init.draw((9, 9), "he", rng=RNG(3)))
    rng = RNG(3)
    assert not np.array_equal(init.draw((9, 9), "he", rng=rng), init.draw((9, 9), "he", rng=rng))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: init.draw((3, 3), "xaver"), "Did you mean 'xavier'"),
        (lambda: init.draw((3, 3), "he", std=1), "option of he: 'std'"),
        (lambda: init.draw((3, 3), "normal", st=1), "Did you mean 'std'"),
        (lambda: init.draw((3, 3), "xavier", form="fan_out"), "form of xavier"),
        (lambda: init.draw((3, 3), "random_walk", activation="tanh"), "activation of random_walk"),
        (lambda: init.draw((3,), "he"), r"received \(3,\)"),
        (lambda: init.fans((0, 3)), r"received \(0, 3\)"),
        (lambda: init.fans((2.0, 3)), "must be"),
        (lambda: init.propagate(np.ones((1, 2)), [], "sigmoid"), "activation: 'sigmoid'"),
        (lambda: init.propagate(np.ones((1, 2)), [np.eye(3)]), r"\(2, units\) is needed"),
        (lambda: init.expected_statistics("gelu", weight_std=1, width=1, depth=1), "gelu"),
    ],
)
def test_wrong_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_initialize_fills_kernels_and_empties_biases():
    inner = keras.Sequential([keras.Input((50,)), layers.Dense(60)])
    model = keras.Sequential(
        [keras.Input((50,)), inner, layers.BatchNormalization(), layers.Dense(70, use_bias=False)]
    )
    inner.layers[0].bias.assign(np.ones(60))
    model.layers[1].gamma.assign(np.full(60, 7.0))
    init.initialize(model, "normal", std=2.0, rng=5)
    first, second = init.kernel_layers(model)
    assert numbers(first.kernel).std() == pytest.approx(2, rel=0.05)
    assert numbers(second.kernel).std() == pytest.approx(2, rel=0.05)
    assert not numbers(first.bias).any() and np.all(numbers(model.layers[1].gamma) == 7)


def test_layers_of_another_kind_are_named():
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.DepthwiseConv2D(3, name="deep")])
    with pytest.raises(ValueError, match="'deep' is a DepthwiseConv2D"):
        init.initialize(model, "he")
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.SeparableConv2D(4, 3, name="both")])
    with pytest.raises(ValueError, match="'both' is a SeparableConv2D"):
        init.initialize(model, "he")


# --- statistics -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_backpropagation_is_that_of_autodiff(activation):
    rng = RNG(0)
    weights = [rng.normal(size=shape).astype("float32") for shape in ((5, 7), (7, 4), (4, 3))]
    x, up = rng.normal(size=(6, 5)).astype("float32"), rng.normal(size=(6, 3)).astype("float32")
    phi = {"tanh": ops.tanh, "relu": ops.relu, "linear": lambda a: a}[activation]

    def loss(x, *ws):
        for w in ws:
            x = phi(ops.matmul(x, w * 0.7))
        return ops.sum(x * up)

    hs = init.propagate(x, weights, activation, scale=0.7)
    gradients = init.backpropagate(hs, weights, up, activation, scale=0.7)
    assert np.sum(hs[-1] * up) == pytest.approx(float(loss(x, *weights)), rel=1e-4)
    for k in range(3):
        auto = input_gradient(lambda t, k=k: loss(t, *weights[k:]), hs[k])[1]
        assert gradients[k] == pytest.approx(auto, abs=1e-4)

    rows = init.statistics(hs, gradients, activation)
    for k, row in enumerate(rows):  # the weight gradient, without the matrix trick
        auto = input_gradient(lambda t, k=k: loss(hs[k], t, *weights[k + 1 :]), weights[k])[1] / 0.7
        assert row.weight_gradient == pytest.approx(np.sqrt(np.mean(auto**2)), rel=1e-4)
        assert row.gradient == pytest.approx(np.sqrt(np.mean(gradients[k + 1] ** 2)), rel=1e-5)
        assert row.layer == str(k + 1)
        assert (row.mean, row.std) == pytest.approx((hs[k + 1].mean(), hs[k + 1].std()), rel=1e-4)


@pytest.mark.parametrize(
    ("activation", "gain", "input_rms"),
    [
        ("tanh", 0.64, 0.01),
        ("tanh", 3.2, 0.01),
        ("tanh", 1, 1),
        ("relu", 1, 0.01),
        ("relu", 2**0.5, 3),
        ("linear", 1.3, 1),
    ],
)
def test_the_closed_form_tells_what_is_measured(activation, gain, input_rms):
    width, depth, rng = 700, 4, RNG(0)
    weights = [rng.standard_normal((width, width)) for _ in range(depth)]
    hs = init.propagate(
        input_rms * rng.standard_normal((20, width)), weights, activation, scale=gain / width**0.5
    )
    gradients = init.backpropagate(
        hs, weights, rng.standard_normal((20, width)), activation, scale=gain / width**0.5
    )
    seen = init.statistics(hs, gradients, activation)
    told = init.expected_statistics(
        activation, weight_std=gain / width**0.5, width=width, depth=depth, input_rms=input_rms, batch=20
    )
    for a, b in zip(seen, told, strict=True):
        assert a.layer == b.layer
        for what in ("std", "gradient", "weight_gradient"):
            assert getattr(a, what) == pytest.approx(getattr(b, what), rel=0.07), what
        for what in ("slope", "zeros", "saturated"):
            assert getattr(a, what) == pytest.approx(getattr(b, what), abs=0.03), what
        assert a.mean == pytest.approx(b.mean, abs=0.05 * b.std + 1e-9)


def test_the_closed_form_for_relu_is_exact():
    he = init.expected_statistics("relu", weight_std=math.sqrt(2 / 100), width=100, depth=30)
    assert [math.hypot(row.mean, row.std) for row in he] == pytest.approx([1.0] * 30)
    xavier = init.expected_statistics("relu", weight_std=0.1, width=100, depth=3)
    assert [math.hypot(row.mean, row.std) for row in xavier] == pytest.approx([2**-0.5, 0.5, 2**-1.5])
    assert [row.gradient for row in xavier] == pytest.approx([0.5, 2**-0.5, 1])


def test_factors_of_the_slides():
    assert init.factors("tanh", weight_std=0.01, fan_in=4096) == pytest.approx((0.64, 0.64))
    assert init.factors("tanh", weight_std=0.05, fan_in=4096, rms=0.01)[0] == pytest.approx(3.2, rel=0.01)
    assert init.factors("relu", weight_std=math.sqrt(4096 / 2), fan_in=4096)[0] == pytest.approx(2048)
    assert init.factors("relu", weight_std=0.1, fan_in=50, fan_out=200)[1] == pytest.approx(1.0)


def test_weight_gradients_are_those_of_softmax_regression():
    rng = RNG(0)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
    x, labels = rng.normal(size=(5, 3)).astype("float32"), np.array([0, 3, 1, 1, 2])
    scores = numbers(model(x))
    error = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) - np.eye(4)[labels]
    kernel, bias = init.weight_gradients(model, x, labels)
    assert kernel == pytest.approx(x.T @ error / 5, abs=1e-5)
    assert bias == pytest.approx(error.mean(axis=0), abs=1e-5)


def test_weight_gradients_of_a_training_step_use_the_statistics_of_the_batch():
    rng = RNG(0)
    norm = layers.BatchNormalization(center=False, scale=False, epsilon=1e-9)
    model = keras.Sequential([keras.Input((3,)), norm, layers.Dense(4)])
    x, labels = rng.normal(2, 3, size=(5, 3)).astype("float32"), np.array([0, 3, 1, 1, 2])
    hat = (x - x.mean(axis=0)) / x.std(axis=0)
    scores = hat @ numbers(model.layers[-1].kernel)
    error = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) - np.eye(4)[labels]
    kernel, _ = init.weight_gradients(model, x, labels, training=True)
    assert kernel == pytest.approx(hat.T @ error / 5, abs=1e-5)
    assert numbers(norm.moving_mean) == pytest.approx(0), "the model has changed"


def test_statistics_of_a_model():
    model, x = small_convnet(), images()
    rows = init.model_statistics(model, x, np.zeros(len(x), int))
    assert [row.layer for row in rows] == [layer.name for layer in init.kernel_layers(model)]
    h = np.maximum(numbers(ops.conv(x, model.layers[0].kernel, padding="same")), 0)
    assert (rows[0].mean, rows[0].std) == (
        pytest.approx(h.mean(), rel=1e-3),
        pytest.approx(h.std(), rel=1e-3),
    )
    assert rows[0].zeros == pytest.approx(np.mean(h == 0))
    assert rows[-1].weight == pytest.approx(np.sqrt(np.mean(numbers(model.layers[-1].kernel) ** 2)))
    assert all(row.weight_gradient > 0 for row in rows)
    assert init.model_statistics(model, x)[0].weight_gradient is None


# --- schemes that look at images --------------------------------------------------------------------------


def sums_of(model, x):
    """Outputs before the activation, computed apart from the model's own calls."""
    found = []
    for layer in init.kernel_layers(model):
        if isinstance(layer, layers.Dense):
            x = x.reshape(len(x), -1) @ numbers(layer.kernel) + numbers(layer.bias)
        else:
            x = numbers(ops.conv(x, numbers(layer.kernel), padding="same")) + numbers(layer.bias)
        found.append(x)
        x = np.maximum(x, 0)
    return found


@pytest.mark.parametrize("fused", [True, False])
def test_lsuv_gives_unit_variance_before_each_activation(fused):
    model, x = small_convnet(fused=fused), images()
    model.layers[0].bias.assign(np.ones(6))
    rows = init.lsuv(model, x, rng=1)
    assert [sums.std() for sums in sums_of(model, x)] == pytest.approx([1] * 4, abs=0.01)
    assert [row["tries"] for row in rows] == [1] * 4
    kernel = numbers(model.layers[0].kernel).reshape(-1, 6)  # 18 inputs, 6 filters: still orthogonal
    gram = kernel.T @ kernel
    assert gram == pytest.approx(gram[0, 0] * np.eye(6), abs=1e-4 * float(gram[0, 0]))


def test_lsuv_leaves_the_layers_as_they_were():
    model = small_convnet()
    activations = [layer.activation for layer in init.kernel_layers(model)]
    init.lsuv(model, images())
    assert [layer.activation for layer in init.kernel_layers(model)] == activations
    assert all("call" not in vars(layer) for layer in model.layers)
    with pytest.raises(ValueError, match="one value for every image"):
        init.lsuv(model, np.zeros((4, 6, 6, 2)))
    assert [layer.activation for layer in init.kernel_layers(model)] == activations
    assert all("call" not in vars(layer) for layer in model.layers)


def test_lsuv_goes_through_residual_networks():
    x = image = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(4, 3, padding="same", name="branch", activation="tanh")(x)
    model = keras.Model(image, layers.add([x, y]))
    init.lsuv(model, images())
    before = numbers(keras.Model(image, x)(images()))
    sums = numbers(ops.conv(before, model.get_layer("branch").kernel, padding="same"))
    assert sums.std() == pytest.approx(1, abs=0.01)


def test_data_dependent_channels_are_standardized():
    model, x = small_convnet(), images()
    init.data_dependent(model, x, rng=2, balance=False)
    for sums in sums_of(model, x):
        channels = sums.reshape(-1, sums.shape[-1])
        assert channels.mean(axis=0) == pytest.approx(np.zeros(sums.shape[-1]), abs=1e-3)
        assert channels.std(axis=0) == pytest.approx(np.ones(sums.shape[-1]), abs=1e-3)


def test_data_dependent_layers_get_the_same_pace_and_compute_the_same():
    model, x = small_convnet(), images()
    init.data_dependent(model, x, rng=2, balance=False)
    before = numbers(model(x))
    init.data_dependent(model, x, rng=2)
    assert numbers(model(x)) == pytest.approx(before, rel=1e-3, abs=1e-3)

    rng = RNG(2)
    for layer in init.kernel_layers(model):
        rng.standard_normal(tuple(layer.kernel.shape))  # the same noise as in the function
    noise = rng.standard_normal((len(x), 4)).astype("float32")
    shapes = [tuple(w.shape) for w in model.trainable_variables]
    paces = []
    for k, shape in enumerate(shapes):
        if len(shape) == 1:
            continue

        def loss(w, k=k):
            values = [ops.convert_to_tensor(v) for v in model.trainable_variables]
            values[k] = w
            return ops.sum(model.stateless_call(values, [], x)[0] * noise)

        w = numbers(model.trainable_variables[k])
        paces.append(np.linalg.norm(input_gradient(loss, w)[1]) / np.linalg.norm(w))
    assert max(paces) / min(paces) == pytest.approx(1, abs=0.01)


def test_data_dependent_needs_biases():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, use_bias=False, name="bare")])
    with pytest.raises(ValueError, match="'bare' has no bias"):
        init.data_dependent(model, np.ones((5, 3)))


# --- fixup ------------------------------------------------------------------------------------------------


def residual(blocks=4):
    x = image = keras.Input((60,))
    for k in range(blocks):
        y = layers.Dense(60, name=f"b{k}_1", use_bias=False)(init.ScalarBias()(x))
        y = layers.Dense(60, name=f"b{k}_2", use_bias=False)(init.ScalarBias()(layers.ReLU()(y)))
        x = layers.add([x, init.ScalarScale(name=f"scale{k}")(y)])
    return keras.Model(image, layers.Dense(10, name="head")(x))


def test_fixup_starts_with_identity_branches_and_a_zero_classifier():
    model = residual()
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([np.full(w.shape, 3.0) for w in layer.weights])
    init.fixup(model, [[f"b{k}_1", f"b{k}_2"] for k in range(4)], head="head")
    x = RNG(0).normal(size=(3, 60)).astype("float32")
    trunk = keras.Model(model.inputs[0], model.get_layer("head").input)
    assert numbers(trunk(x)) == pytest.approx(x)
    assert not numbers(model(x)).any()
    first = numbers(model.get_layer("b2_1").kernel)
    assert first.std() == pytest.approx(math.sqrt(2 / 60) * 4 ** (-1 / 2), rel=0.03)  # L=4, m=2
    assert numbers(model.get_layer("scale1").scale) == 1


def test_fixup_with_three_layers_a_branch():
    x = image = keras.Input((80,))
    for name in "abc":
        x = layers.Dense(80, name=name)(x)
    model = keras.Model(image, x)
    init.fixup(model, [["a", "b", "c"]] * 16)
    assert numbers(model.get_layer("b").kernel).std() == pytest.approx(
        math.sqrt(2 / 80) * 16 ** (-1 / 4), rel=0.03
    )
    assert not numbers(model.get_layer("c").kernel).any()
    init.fixup(model, [])
    assert numbers(model.get_layer("c").kernel).std() == pytest.approx(math.sqrt(2 / 80), rel=0.03)


def test_fixup_explains_wrong_names():
    with pytest.raises(ValueError, match="Did you mean 'b0_1'"):
        init.fixup(residual(), [["b0__1", "b0_2"]])
    with pytest.raises(ValueError, match="fewer than two"):
        init.fixup(residual(), [["b0_1"]])
    with pytest.raises(ValueError, match="weight layer: 'fc'"):
        init.fixup(residual(), [], head="fc")


# --- lottery tickets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("masked", "plain", "shape"),
    [
        (init.MaskedDense(7, "tanh"), layers.Dense(7, "tanh"), (5,)),
        (init.MaskedDense(7, use_bias=False), layers.Dense(7, use_bias=False), (5,)),
        (init.MaskedConv2D(7, 3, strides=2), layers.Conv2D(7, 3, strides=2), (6, 5, 4)),
        (init.MaskedConv2D(7, 3, activation="relu"), layers.Conv2D(7, 3, activation="relu"), (6, 5, 4)),
    ],
)
def test_a_masked_layer_is_the_plain_one_with_zeros(masked, plain, shape):
    a, b = (keras.Sequential([keras.Input(shape), layer]) for layer in (masked, plain))
    mask = RNG(0).integers(0, 2, size=tuple(masked.kernel.shape)).astype("float32")
    masked.mask.assign(mask)
    plain.set_weights([numbers(masked.kernel) * mask] + ([numbers(masked.bias)] if masked.use_bias else []))
    x = RNG(1).normal(size=(3, *shape)).astype("float32")
    assert numbers(a(x)) == pytest.approx(numbers(b(x)), abs=1e-6)
    assert accounting.totals(a).macs == accounting.totals(b).macs
    assert accounting.totals(a).trainable_params == accounting.totals(b).params


def masked_classifier():
    keras.utils.set_random_seed(0)
    dense = [init.MaskedDense(20, "relu"), init.MaskedDense(3)]
    model = keras.Sequential([keras.Input((8,)), *dense])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_a_pruned_weight_is_not_trained():
    model = masked_classifier()
    init.prune(model, 0.5)
    masks = [numbers(layer.mask).copy() for layer in model.layers]
    before = [numbers(layer.kernel).copy() for layer in model.layers]
    model.fit(RNG(0).normal(size=(64, 8)), RNG(1).integers(0, 3, 64), epochs=3, verbose=0)
    for layer, mask, old in zip(model.layers, masks, before, strict=True):
        assert np.array_equal(numbers(layer.mask), mask)
        assert np.array_equal(numbers(layer.kernel)[mask == 0], old[mask == 0])
    assert np.all(numbers(model.layers[1].kernel)[masks[1] == 1] != before[1][masks[1] == 1])


def test_prune_takes_the_smallest_of_what_is_left_in_each_layer():
    model = masked_classifier()
    assert init.prune(model, 0.2, last=0.1) == pytest.approx((160 - 32 + 60 - 6) / 220)
    assert init.prune(model, 0.2, last=0.1) == pytest.approx((128 - 26 + 54 - 5) / 220)
    for layer in model.layers:
        size, mask = np.abs(numbers(layer.kernel)), numbers(layer.mask)
        assert size[mask == 0].max() <= size[mask == 1].min()


def test_prune_explains_wrong_input():
    with pytest.raises(ValueError, match="rate must be"):
        init.prune(masked_classifier(), 1.0)
    with pytest.raises(ValueError, match="no MaskedDense"):
        init.prune(small_convnet(), 0.2)


def test_rewind_repeats_a_training_run_exactly():
    model, x, y = masked_classifier(), RNG(0).normal(size=(64, 8)), RNG(1).integers(0, 3, 64)
    model.optimizer.learning_rate.assign(0.02)
    start, ends = trained_weights(model), []
    model.fit(x, y, verbose=0)  # the first training draws one random number more
    for _ in range(2):
        init.rewind(model, start)
        keras.utils.set_random_seed(5)
        model.fit(x, y, epochs=2, verbose=0)
        ends.append(trained_weights(model))
    assert all(np.array_equal(a, b) for a, b in zip(*ends, strict=True))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert int(model.optimizer.iterations) == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda model: keras.optimizers.Adagrad(0.1),
        lambda model: keras.optimizers.Nadam(0.01),
        lambda model: part_rates(keras.optimizers.SGD(0.1, momentum=0.9), model, {"hidden": 0.5}),
    ],
    ids=["Adagrad", "Nadam", "part_rates"],
)
def test_rewind_brings_back_states_that_do_not_begin_at_zero(make):
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(5, "relu", name="hidden"), layers.Dense(3, "softmax", name="output")]
    )
    model.compile(make(model), "sparse_categorical_crossentropy")
    x, y = RNG(0).normal(size=(64, 8)), RNG(1).integers(0, 3, 64)
    start, losses = trained_weights(model), []
    for _ in range(2):
        losses.append(model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"])
        init.rewind(model, start)
    assert losses[0] == losses[1] and losses[0][2] < losses[0][0]


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_a_pruned_model_is_stored_with_its_masks(tmp_path, ending):
    image = keras.Input((6, 6, 1))
    x = layers.Flatten()(init.MaskedConv2D(2, 3)(init.ScalarBias()(init.ScalarScale()(image))))
    model = keras.Model(image, init.MaskedDense(3)(x))
    init.prune(model, 0.5)
    path, images = tmp_path / f"model.{ending}", RNG(0).normal(size=(2, 6, 6, 1)).astype("float32")
    expected = numbers(model(images))
    if ending == "keras":
        model.save(path)
        model = keras.models.load_model(path)
    else:
        model.save_weights(path)
        model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
        model.load_weights(path)
    assert np.array_equal(numbers(model(images)), expected)


def test_rewind_refuses_other_weights():
    model = masked_classifier()
    with pytest.raises(ValueError, match=r"shapes \[\(8, 20\)"):
        init.rewind(model, trained_weights(model)[:-1])
