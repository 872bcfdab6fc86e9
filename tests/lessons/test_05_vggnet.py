"""Planted answers for lesson 5: wrong ones of likely kinds, and right ones in other words."""

import pytest
from planted import Lesson

lesson = Lesson("05_vggnet")


# --- the mean colour ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, words",
    [
        ("return images - images.mean(axis=(0, 1, 2))", "not of those to prepare"),
        ("return images - train.mean()", "One number for all colours"),
        ("return images - train.mean(axis=0)", "mean image"),
        ("return images - images.mean(axis=(1, 2), keepdims=True)", "its own mean"),
        ("return images - train.mean(axis=(0, 1, 2))[::-1]", "wrong order"),
        ("return images + train.mean(axis=(0, 1, 2))", "do not add"),
        ("return (images - train.mean((0, 1, 2))) / train.std((0, 1, 2))", "does not divide"),
        ("images -= train.mean(axis=(0, 1, 2))\nreturn images", "make new ones"),
        ("return train - train.mean(axis=(0, 1, 2))", "shape"),
        ("images - train.mean(axis=(0, 1, 2))", "is there a return?"),
    ],
)
def test_subtract_mean_colour_wrong(text, words):
    lesson.assert_hinted("subtract_mean_colour", lesson.body("subtract_mean_colour", text), words)


def test_subtract_mean_colour_right_in_other_words():
    text = "return np.stack([images[..., k] - np.average(train[..., k]) for k in range(3)], axis=-1)"
    lesson.assert_passes("subtract_mean_colour", lesson.body("subtract_mean_colour", text))


# --- a stack or one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("1 + 2 * depth", "3 * depth", "Fields overlap"),
        ("1 + 2 * depth", "3**depth", "do not multiply"),
        ("1 + 2 * depth", "2 * depth", "Begin with the pixel"),
        ("1 + 2 * depth", "3", "how far do three see"),
        ("1 + 2 * depth", "7", "use `depth`"),
        ("depth * 9 * channels**2", "9 * channels**2", "one layer of the stack"),
        ("depth * 9 * channels**2", "depth * 9 * channels", "all 64 channels"),
        ("depth * 9 * channels**2", "depth * (9 * channels + 1) * channels", "Without biases"),
        ("field**2 * channels**2", "field * channels**2", "7·7 places"),
        ("field**2 * channels**2", "field**2 * channels", "all 64 channels"),
        ("field**2 * channels**2", "(field**2 * channels + 1) * channels", "Without biases"),
    ],
)
def test_stack_or_one_wrong(old, new, words):
    lesson.assert_hinted("stack_or_one", lesson.changed("stack_or_one", old, new), words)


def test_stack_or_one_for_the_shown_depths_only_fails_the_hidden_tests():
    text = "f = {1: 3, 2: 5, 3: 7}.get(depth, 7)\nreturn f, 9 * depth * channels**2, (f * channels) ** 2"
    lesson.assert_only_hidden_tests_fail("stack_or_one", lesson.body("stack_or_one", text))


def test_stack_or_one_right_in_other_words():
    answer = """
        def stack_or_one(depth, channels):
            field = weights = 0
            for layer in range(depth):
                field += 2 if layer else 3
                weights += (3 * channels) ** 2
            return [field, weights, (field * channels) ** 2]
    """
    lesson.assert_passes("stack_or_one", answer)


# --- one row of the memory table ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("(*volume[:2], filters)", "(volume[0] - 2, volume[1] - 2, filters)", "VGG pads"),
        ("(*volume[:2], filters)", "volume", "number of filters"),
        ("return out, int(np.prod(out))", "return out, inputs", "not what goes in"),
        ("return out, int(np.prod(out))", "return out, 4 * int(np.prod(out))", "not bytes"),
        ("size * size * volume[2] * filters", "(size * size * volume[2] + 1) * filters", "Without biases"),
        ("size * size * volume[2] * filters", "size * size * filters", "full depth"),
        ("size * size * volume[2] * filters", "size * size * filters * filters", "as deep as the volume"),
        ("size * size * volume[2] * filters", "9 * volume[2] * filters", "This one is 1x1"),
        ("volume[1] // 2, volume[2])", "volume[1] // 2, volume[2] // 2)", "Pooling keeps the depth"),
        ("inputs * units", "volume[-1] * units", "every value of the volume"),
    ],
)
def test_memory_row_wrong(old, new, words):
    lesson.assert_hinted("memory_row", lesson.changed("memory_row", old, new), words)


def test_memory_row_learned_by_heart_fails_the_hidden_tests():
    answer = """
        def memory_row(name, volume):
            return {
                "conv3-64": ((224, 224, 64), 3211264, 1728), "maxpool": ((28, 28, 256), 200704, 0),
                "FC-4096": ((4096,), 4096, 102760448), "FC-1000": ((1000,), 1000, 4096000),
                "conv1-256": ((56, 56, 256), 802816, 65536),
            }[name]
    """
    lesson.assert_only_hidden_tests_fail("memory_row", answer)


def test_memory_row_right_in_other_words():
    answer = """
        def memory_row(name, volume):
            kind, _, number = name.partition("-")
            if kind == "maxpool":
                layer = layers.MaxPooling2D(2)
            elif kind == "FC":
                layer = layers.Dense(int(number), use_bias=False)
                volume = (int(np.prod(volume)),)
            else:
                layer = layers.Conv2D(int(number), int(kind[4:]), padding="same", use_bias=False)
            out = list(layer(keras.Input(volume)).shape[1:])
            return out, np.prod(out), layer.count_params()
    """
    lesson.assert_passes("memory_row", answer)


# --- dense evaluation --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("(images, images[:, :, ::-1])", "(images, images)", "mirror image is missing"),
        ("(images, images[:, :, ::-1])", "(images[:, :, ::-1],)", "the image itself is missing"),
        ("images[:, :, ::-1]", "images[:, ::-1]", "top and bottom"),
        ("np.mean(both, axis=(0, 2, 3))", "np.sum(np.mean(both, axis=(2, 3)), axis=0)", "not the sum"),
        ("np.mean(both, axis=(0, 2, 3))", "np.mean(np.max(both, axis=(2, 3)), axis=0)", "not the largest"),
        ("np.mean(both, axis=(0, 2, 3))", "np.mean(both, axis=0)", "over the places too"),
        ("np.mean(both, axis=(0, 2, 3))", "np.mean(both, axis=(0, 2, 3)).mean(0)", "shape"),
        ("np.mean(both, axis=(0, 2, 3))", "np.mean(both, axis=0)[:, 1, 2]", "not only the middle"),
    ],
)
def test_dense_evaluation_wrong(old, new, words):
    lesson.assert_hinted("dense_evaluation", lesson.changed("dense_evaluation", old, new), words)


def test_dense_evaluation_that_mirrors_the_map():
    text = "maps = np.asarray(model(images))\nreturn (maps + maps[:, :, ::-1]).mean((1, 2)) / 2"
    lesson.assert_hinted("dense_evaluation", lesson.body("dense_evaluation", text), "mirror image is missing")


def test_dense_evaluation_right_in_other_words():
    answer = """
        def dense_evaluation(model, images):
            views = np.concatenate([images, np.flip(images, axis=2)])
            maps = np.asarray(model(views))
            means = maps.reshape(len(maps), -1, maps.shape[-1]).mean(axis=1)
            return 0.5 * means[: len(images)] + 0.5 * means[len(images) :]
    """
    lesson.assert_passes("dense_evaluation", answer)


# --- build a network from its row --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('filters, size, padding="same"', "filters, size", "stopped with"),
        ("        model.add(layers.MaxPooling2D(2))\n", "", "poolings are missing"),
        ("for size in kernel_sizes:", "for size in kernel_sizes[:1]:", "One convolution for each number"),
        ("layers.MaxPooling2D(2)", "layers.MaxPooling2D(2, strides=1)", "pooling halves it"),
        ("filters, size, ", "filters, 3, ", "All your filters are 3x3"),
        ("    for units in hidden:", "    for units in ():", "hidden FC layers are missing"),
        ("    for units in hidden:", "    for units in hidden[:1]:", "each entry of `hidden`"),
        ('padding="same", activation="relu"', 'padding="same"', "no ReLU"),
        ('classes, activation="softmax"', "classes", "needs softmax"),
        ('"softmax"', '"relu"', "softmax, not ReLU"),
        ("MaxPooling2D", "AveragePooling2D", ""),
        ('units, activation="relu"', "units", "ReLU in all hidden layers?"),
        ("keras.Input((side, side, 3))", "keras.Input((side, side, 1))", "The input is"),
        ("zip(row, widths, strict=True)", "zip(row[:4], widths)", "one pooling ends each stage"),
        ("(classes, activation", "(10, activation", "other sizes must work"),
        ("    return model", "    model", "Return a Keras model"),
    ],
)
def test_build_vgg_wrong(old, new, words):
    lesson.assert_hinted("build_vgg", lesson.changed("build_vgg", old, new), words)


def test_build_vgg_that_reads_only_the_shown_row_fails_the_hidden_tests():
    answer = lesson.changed(
        "build_vgg", "zip(row, widths", 'zip(row if len(row) == 2 else CONFIGURATIONS["C"], widths'
    )
    lesson.assert_only_hidden_tests_fail("build_vgg", answer)


def test_build_vgg_right_in_other_words():
    answer = """
        def build_vgg(row, widths, hidden, classes=10, side=32):
            x = image = keras.Input(shape=(side, side, 3))
            for stage, filters in enumerate(widths):
                for k in row[stage]:
                    x = layers.ZeroPadding2D(k // 2)(x)
                    x = layers.ReLU()(layers.Conv2D(filters, k, kernel_initializer="he_normal")(x))
                x = layers.MaxPool2D((2, 2), strides=2)(x)
            x = layers.Reshape((-1,))(x)
            for units in hidden:
                x = keras.activations.relu(layers.Dense(units)(x))
            return keras.Model(image, layers.Softmax()(layers.Dense(classes)(x)))
    """
    lesson.assert_passes("build_vgg", answer)
