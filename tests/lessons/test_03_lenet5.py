"""Planted answers for lesson 3: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("03_lenet5")


# --- the paper's images ------------------------------------------------------------------------------------


PADDING = "((0, 0), (2, 2), (2, 2), (0, 0))"


@pytest.mark.parametrize(
    "body, words",
    [
        (f"return np.pad(images * 1.275 - 0.1, {PADDING})", "pad with zeros after scaling"),
        (f"return np.pad(images, {PADDING})", "now scale"),
        (f"return np.pad(images, {PADDING}) * 1.175 - 0.1", "1.075"),
        (f"return np.pad(images, {PADDING}) * 1.275", "shift it all"),
        ("return images * 1.275 - 0.1", "The border is missing"),
        ("return np.pad(images, 2) * 1.275 - 0.1", "a pair for each axis"),
        ("return np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0))) * 1.275 - 0.1", "two on each side"),
        ("return np.pad(images, ((0, 0), (4, 0), (4, 0), (0, 0))) * 1.275 - 0.1", "in the middle"),
        (f"images *= 1.275\nreturn np.pad(images, {PADDING}) - 0.1", "Work on a copy"),
        ("np.pad(images, 2)", "is there a return?"),
    ],
)
def test_lenet_images_wrong(body, words):
    lesson.assert_hinted("lenet_images", lesson.body("lenet_images", body), words)


def test_lenet_images_right_in_other_words():
    answer = """
        def lenet_images(images):
            out = np.full((len(images), 32, 32, 1), -0.1)
            out[:, 2:-2, 2:-2] += 1.275 * images
            return out
    """
    lesson.assert_passes("lenet_images", answer)


# --- count C3 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, words",
    [
        ("return 1516", "count what the table says"),
        ("return int(table.sum()) * size**2", "biases are missing"),
        ("return int(table.sum()) * (size**2 + 1)", "not for each filter"),
        ("return int(table.sum()) * size**2 + len(table)", "not for each input map"),
        ("return table.size * size**2 + table.shape[1]", "not the ones in it"),
        ("return int(table.sum()) * 25 + 16", "use `size`"),
        ("return int(table.sum()) * size + table.shape[1]", "5 times 5"),
        ("return table.shape[1] * (size**2 + 1)", "Every filter counts"),
    ],
)
def test_count_c3_wrong(body, words):
    lesson.assert_hinted("count_c3", lesson.body("count_c3", body), words)


def test_count_c3_with_the_shown_cases_learned_by_heart_fails_the_hidden_tests():
    body = "return {96: 2416, 48: 1216, 4: 39}[int(table.sum())]"
    lesson.assert_only_hidden_tests_fail("count_c3", lesson.body("count_c3", body))


def test_count_c3_right_in_other_words():
    body = "return sum(sum(int(x) for x in column) * size * size + 1 for column in table.T)"
    lesson.assert_passes("count_c3", lesson.body("count_c3", body))


# --- the output of 1998 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("return -(", "return (", "the nearest target must win"),
        ("return -(difference**2).sum(axis=-1)", "return -np.sqrt((difference**2).sum(axis=-1))", "No root"),
        (".sum(axis=-1)", ".mean(axis=-1)", "do not take their mean"),
        (".sum(axis=-1)", ".sum(axis=-1).T", "turned round"),
        (".sum(axis=-1)", ".sum(axis=1)", "shape"),
        (".sum(axis=-1)", ".sum(axis=-1).squeeze()", "Keep both axes"),
        ("return -(difference**2).sum(axis=-1)", "return features @ targets.T", "as in a dense layer"),
        ("(difference**2)", "np.abs(difference)", "subtract, square"),
    ],
)
def test_rbf_scores_wrong(old, new, words):
    lesson.assert_hinted("rbf_scores", lesson.changed("rbf_scores", old, new), words)


def test_rbf_scores_right_in_other_words():
    answer = """
        def rbf_scores(features, targets):
            return np.stack([[-np.dot(f - t, f - t) for t in targets] for f in features])
    """
    lesson.assert_passes("rbf_scores", answer)


# --- sub-sampling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("sum(axis=(1, 3))", "mean(axis=(1, 3))", "mean of the four"),
        ("sum(axis=(1, 3))", "max(axis=(1, 3))", "largest of the four"),
        (" + bias", "", "bias is missing"),
        ("coefficient * window_sum", "window_sum", "coefficient is missing"),
        ("window_sum + bias", "(window_sum + bias)", "First times the coefficient"),
        ("1.7159 * np.tanh(2 / 3 * (", "1 * (1 * (", "Squashing is missing"),
        ("1.7159 * np.tanh(2 / 3 * ", "np.tanh(1 * ", "plain tanh"),
        ("2 / 3 * (", "(", "2/3 inside"),
        ("height // 2, 2, width // 2, 2", "2, height // 2, 2, width // 2", "shape"),
        ("axis=(1, 3)", "axis=(0, 2)", "shape"),
    ],
)
def test_subsample_wrong(old, new, words):
    lesson.assert_hinted("subsample", lesson.changed("subsample", old, new), words)


def test_subsample_right_in_other_words():
    answer = """
        def subsample(maps, coefficient, bias):
            total = maps[::2, ::2] + maps[1::2, ::2] + maps[::2, 1::2] + maps[1::2, 1::2]
            return 1.7159 * np.tanh((coefficient * total + bias) / 1.5)
    """
    lesson.assert_passes("subsample", answer)


# --- build LeNet-5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('(6, 5, activation="tanh")', '(6, 5, padding="same", activation="tanh")', "no padding"),
        ('(16, 5, activation="tanh")', '(16, 5, padding="same", activation="tanh")', "no padding"),
        ("AveragePooling2D", "MaxPooling2D", "That is max pooling"),
        ('"tanh"', '"relu"', "That is ReLU"),
        ('keras.layers.Conv2D(120, 5, activation="tanh"),', "", "Conv 3"),
        (
            'keras.layers.Conv2D(120, 5, activation="tanh"),',
            'keras.layers.Flatten(), keras.layers.Dense(120, "tanh"),',
            "A dense layer counts the same",
        ),
        (', activation="softmax"', "", "activation='softmax'"),
        ('"softmax"', '"sigmoid"', "not sigmoid"),
        ("Dense(84", "Dense(48", "84 units"),
        ("Conv2D(6, 5", "Conv2D(6, 3", "Conv 1"),
        ("Conv2D(16, 5", "Conv2D(12, 5", "Conv 2"),
        ("AveragePooling2D(2)", "AveragePooling2D(2, strides=1)", "Pooling 1"),
        ("classes, activation", "10, activation", "how many outputs"),
        ('activation="tanh"', 'activation="tanh", use_bias=False', "biases are missing"),
        ('(84, activation="tanh")', "(84)", "tanh in all four"),
        ("            keras.Input((32, 32, 1)),\n", "", "begin with keras.Input"),
        ("32, 32, 1", "32, 32, 3", "The input is"),
        ("32, 32, 1", "28, 28, 1", "✘ not passed"),  # newer Keras: "output size would be zero"
        ("return keras.Sequential", "keras.Sequential", "Return a Keras model"),
    ],
)
def test_build_lenet5_wrong(old, new, words):
    lesson.assert_hinted("build_lenet5", lesson.changed("build_lenet5", old, new), words)


def test_build_lenet5_right_in_other_words():
    answer = """
        def build_lenet5(classes=10):
            image = keras.Input(shape=(32, 32, 1))
            x = image
            for filters in (6, 16):
                x = keras.layers.Conv2D(filters, (5, 5), kernel_initializer="he_normal")(x)
                x = keras.layers.Activation("tanh")(x)
                x = keras.layers.AvgPool2D((2, 2), strides=2)(x)
            x = keras.ops.tanh(keras.layers.Conv2D(120, 5)(x))
            x = keras.layers.Dense(84, keras.activations.tanh)(keras.layers.Reshape((120,))(x))
            return keras.Model(image, keras.layers.Softmax()(keras.layers.Dense(classes)(x)))
    """
    lesson.assert_passes("build_lenet5", answer)


# --- bring it up to date -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('config["kernel_initializer"] = "he_normal"', "pass", "Glorot"),
        (
            'if "kernel_initializer" in config:',
            "if True:",
            "Error when deserializing class 'Activation'",
        ),
        ('"he_normal"', '"random_normal"', "standard deviation"),
        ("if averages else type(layer)", "if False else type(layer)", "average pooling must become max"),
        ('config.get("activation") == "tanh"', '"activation" in config', "change only tanh"),
        ('config["activation"] = "relu"', "pass", "tanh must become ReLU"),
        ("return keras.models.clone_model(model, clone_function=swap)", "return model", "old model itself"),
        ("return keras.models.clone_model", "keras.models.clone_model", "Return a Keras model"),
        (
            "return keras.models.clone_model(model, clone_function=swap)",
            "new = keras.models.clone_model(model, clone_function=swap)\n"
            "    new.set_weights(model.get_weights())\n    return new",
            "needs new ones",
        ),
        ("config = layer.get_config()", 'config = layer.get_config()\n        layer.activation = "relu"', ""),
    ],
)
def test_modernize_wrong(old, new, words):
    lesson.assert_hinted("modernize", lesson.changed("modernize", old, new), words)


def test_modernize_that_knows_only_the_shown_model():
    answer = """
        def modernize(model):
            kind = {"activation": "relu", "kernel_initializer": "he_normal"}
            return keras.Sequential([
                keras.Input((12, 12, 1)), keras.layers.Conv2D(4, 3, **kind), keras.layers.MaxPooling2D(2),
                keras.layers.Flatten(), keras.layers.Dense(300, **kind), keras.layers.Dense(3, "softmax"),
            ])
    """
    lesson.assert_hinted("modernize", answer, "A tanh can be a layer of its own")


def test_modernize_right_in_other_words():
    answer = """
        def modernize(model):
            x = image = keras.Input(model.input_shape[1:])
            for layer in model.layers:
                settings = layer.get_config()
                if isinstance(layer, keras.layers.InputLayer):
                    continue
                if isinstance(layer, keras.layers.AveragePooling2D):
                    x = keras.layers.MaxPooling2D(layer.pool_size, layer.strides, layer.padding)(x)
                    continue
                if settings.get("activation") == "tanh":
                    settings["activation"] = "relu"
                    if "kernel_initializer" in settings:
                        settings["kernel_initializer"] = keras.initializers.HeUniform()
                x = type(layer).from_config(settings)(x)
            return keras.Model(image, x)
    """
    lesson.assert_passes("modernize", answer)
