"""Lesson 19: its checks pass right answers, refuse the likely wrong ones, and say what is wrong."""

import pytest
from planted import Lesson, cases

lesson = Lesson("19_transfer_learning")

# --- right answers, written differently from the lesson's own ---------------------------------------------

RIGHT = {
    "cnn_codes": """
        def cnn_codes(model, images, layer):
            x = images
            for each in model.layers:
                x = each(x, training=False) if isinstance(each, keras.layers.Dropout) else each(x)
                if each.name == layer:
                    break
            values = keras.ops.convert_to_numpy(keras.ops.relu(x))
            return np.stack([one.flatten() for one in values])
    """,
    "freeze_until": """
        def freeze_until(model, name):
            for layer in model.layers:
                layer.trainable = True
            left = 0
            reached = False
            for layer in model.layers:
                if reached:
                    left += sum(weight.numpy().size for weight in layer.trainable_weights)
                else:
                    layer.trainable = False
                reached = reached or layer.name == name
            return left
    """,
    "two_rate_step": """
        def two_rate_step(weights, gradients, body, rate, factor=0.1):
            share = {name: factor if name in body else 1 for name in weights}
            return {name: weights[name] + -rate * share[name] * gradients[name] for name in weights}
    """,
    "choose_strategy": """
        def choose_strategy(images, classes, similar):
            if similar is not None and images / classes < 100:
                return {True: "linear on top codes", False: "linear on earlier codes"}[similar]
            return "from scratch" if similar is None else "fine-tune"
    """,
    "new_classifier": """
        def new_classifier(model, classes):
            image = x = keras.Input(model.input_shape[1:])
            for layer in model.layers[:-1]:
                twin = type(layer).from_config(layer.get_config())
                x = twin(x)
                twin.set_weights(layer.get_weights())
            scores = keras.layers.Dense(classes)(x)
            return keras.Model(image, keras.layers.Softmax()(scores))
    """,
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_a_right_answer_written_differently_passes(exercise):
    lesson.assert_passes(exercise, RIGHT[exercise])


# --- wrong answers ----------------------------------------------------------------------------------------
# exercise: (what is wrong, text of the right answer, text in its place, words of the hint that is shown).
# An empty hint: only the hidden tests see the mistake.

WRONG = {
    "cnn_codes": [
        ("no ReLU", "np.maximum(values, 0)", "values", "ReLU is missing"),
        ("magnitude", "np.maximum(values, 0)", "np.abs(values)", "turn their sign"),
        ("maps", ".reshape(len(images), -1)", "", "Flatten"),
        ("averaged", ".reshape(len(images), -1)", ".mean(axis=(1, 2))", "keep all values"),
        ("one long row", ".reshape(len(images), -1)", ".reshape(-1)", "first axis"),
        (
            "first image",
            "values = keras.ops.convert_to_numpy(part(images))\n    return np.maximum(values, 0)"
            ".reshape(len(images), -1)",
            "return np.maximum(keras.ops.convert_to_numpy(part(images[:1])), 0).reshape(1, -1)",
            "Only one image",
        ),
        ("whole network", "model.get_layer(layer).output", "model.outputs[0]", "Cut at the named layer"),
        ("axes", "np.maximum(values, 0)", "np.maximum(values, 0).transpose(0, 3, 1, 2)", "order of the axes"),
        ("always the first layer", "get_layer(layer)", 'get_layer("conv")', "dense layer"),
        (
            "dropout on",
            "values = keras.ops.convert_to_numpy(part(images))",
            "values = np.array(part(images, training=True))",
            "",
        ),
    ],
    "freeze_until": [
        ("not the named layer", "place > last", "place >= last", "including"),
        ("wrong side", "place > last", "place <= last", "wrong side"),
        ("only the named", "place > last", "place != last", "Only the named layer"),
        ("everything", "place > last", "False", "Everything is frozen"),
        (
            "stays frozen",
            "layer.trainable = place > last",
            "layer.trainable = layer.trainable and place > last",
            "stay frozen",
        ),
        ("arrays counted", "int(np.prod(weight.shape))", "1", "number of arrays"),
        ("all counted", "model.trainable_weights", "model.weights", "all parameters"),
        ("frozen counted", "model.trainable_weights", "model.non_trainable_weights", "frozen ones"),
        (
            "no biases",
            "model.trainable_weights)",
            "model.trainable_weights if len(weight.shape) > 1)",
            "biases",
        ),
        (
            "norm left out",
            "layer.trainable = place > last",
            "layer.trainable = place > last or isinstance(layer, keras.layers.BatchNormalization)",
            "normalization must be frozen",
        ),
        (
            "statistics counted",
            "for weight in model.trainable_weights",
            "for layer in model.layers if layer.trainable for weight in layer.weights",
            "moving statistics",
        ),
    ],
    "two_rate_step": [
        ("uphill", "value - step", "value + step", "Downhill"),
        ("exchanged", "name in body", "name not in body", "for the body"),
        ("no factor", "rate * factor if", "rate if", "full step"),
        ("frozen", "rate * factor if", "0 if", "is not 0"),
        ("ten times", "rate * factor if", "rate / factor if", "Ten times"),
        ("factor alone", "rate * factor if", "factor if", "without the rate"),
        (
            "rate forgotten",
            "factor if name in body else rate",
            "factor if name in body else 1",
            "rate is missing",
        ),
        (
            "in place",
            "stepped[name] = value - step * gradients[name]",
            "value -= step * gradients[name]; stepped[name] = value",
            "no `-=`",
        ),
        ("body only", "stepped[name] = value", "if name in body: stepped[name] = value", "Every layer"),
        ("hard-coded tenth", "rate * factor", "rate * 0.1", ""),
    ],
    "choose_strategy": [
        ("images, not per class", "images >= 100 * classes", "images >= 100", "ten a class are few"),
        ("boundary", "images >= 100 * classes", "images > 100 * classes", "Exactly 100"),
        ("similarity exchanged", 'top codes" if similar', 'top codes" if not similar', "top layer"),
        ("always top", 'if similar else "linear on earlier codes"', "", "earlier one"),
        ("always fine-tuned", "images >= 100 * classes", "True", "by heart"),
        (
            "from scratch when large and different",
            'return "fine-tune"',
            'return "fine-tune" if similar else "from scratch"',
            "still beneficial",
        ),
        ("None as different", "if similar is None:", "if similar == 0 and similar is not False:", ""),
        ("another text", "linear on top codes", "linear classifier", "Return one of"),
        ("ten classes only", "100 * classes", "1000", ""),
    ],
    "new_classifier": [
        ("shared layers", "copy = keras.models.clone_model(model)", "copy = model", "share layers"),
        ("new weights", "copy.set_weights(model.get_weights())", "", "copy the trained ones"),
        ("behind the old head", "copy.layers[-1].input", "copy.layers[-1].output", "Take that one off"),
        ("one layer too many", "copy.layers[-1].input", "copy.layers[-2].input", "one layer too many"),
        ("no softmax", ', activation="softmax"', "", "do not sum to 1"),
        ("old head", "return keras.Model(copy.inputs[0], scores)", "return copy", "still the old last layer"),
        ("frozen", "scores = ", "copy.trainable = False; scores = ", "Freezing was not asked"),
        ("one class more", "Dense(classes,", "Dense(classes + 1,", "7 new classes"),
        ("seven classes", "Dense(classes,", "Dense(7,", ""),
    ],
}


@pytest.mark.parametrize(("exercise", "right", "wrong", "hint"), cases(WRONG))
def test_a_wrong_answer_is_refused_with_a_fitting_hint(exercise, right, wrong, hint):
    lesson.assert_refused(exercise, right, wrong, hint)


def test_every_exercise_has_enough_planted_mistakes():
    assert list(RIGHT) == list(WRONG) == lesson.exercises
    assert all(len(rows) >= 4 for rows in WRONG.values())
