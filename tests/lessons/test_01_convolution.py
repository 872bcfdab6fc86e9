"""Lesson 01: its checks pass right answers, refuse the likely wrong ones, and say what is wrong."""

import pytest
from planted import Lesson, cases

lesson = Lesson("01_convolution")

# --- right answers, written differently from the lesson's own ---------------------------------------------

RIGHT = {
    "same_padding": """
        def same_padding(filter_size):
            whole, rest = divmod(filter_size, 2)
            if not rest:
                raise ValueError("even")
            return whole
    """,
    "conv_output_size": """
        def conv_output_size(size, filter_size, *, stride=1, padding=0):
            starts = range(0, size + 2 * padding - filter_size + 1, stride)
            if not starts or starts[-1] + filter_size != size + 2 * padding:
                raise ValueError("the windows do not fit")
            return len(starts)
    """,
    "conv_forward": """
        def conv_forward(x, w, b, *, stride=1, padding=0):
            n, height, width, depth = x.shape
            size, _, _, filters = w.shape
            padded = np.zeros((n, height + 2 * padding, width + 2 * padding, depth))
            padded[:, padding:padding + height, padding:padding + width] = x
            windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
            return np.einsum("nhwcij,ijck->nhwk", windows, w) + b
    """,
    "conv_backward": """
        def conv_backward(dy, x, w, *, stride=1, padding=0):
            n, rows, columns, filters = dy.shape
            size = len(w)
            x = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)))
            spread = np.zeros((n, x.shape[1] - size + 1, x.shape[2] - size + 1, filters))
            spread[:, ::stride, ::stride] = dy  # zeros between the places that a stride leaves out
            views = sliding_window_view(x, spread.shape[1:3], axis=(1, 2))  # (N, F, F, C, places)
            dw = np.einsum("nijcuv,nuvk->ijck", views, spread)
            edge = (size - 1, size - 1)
            spread = np.pad(spread, ((0, 0), edge, edge, (0, 0)))
            windows = sliding_window_view(spread, (size, size), axis=(1, 2))
            dx = np.einsum("nhwkij,ijck->nhwc", windows, w[::-1, ::-1])
            height, width = dx.shape[1:3]
            return dx[:, padding:height - padding, padding:width - padding], dw, np.einsum("nrck->k", dy)
    """,
    "max_pool": """
        def max_pool_forward(x, size, stride):
            n, height, width, depth = x.shape
            shape = (n, (height - size) // stride + 1, (width - size) // stride + 1, depth)
            y, switches = np.full(shape, -np.inf), np.zeros(shape, int)
            for k in range(size * size):
                row, column = divmod(k, size)
                seen = x[:, row::stride, column::stride][:, :shape[1], :shape[2]]
                better = seen > y
                y[better], switches[better] = seen[better], k
            return y, switches

        def max_pool_backward(dy, switches, input_shape, size, stride):
            dx = np.zeros(input_shape)
            for place in np.ndindex(*dy.shape):
                n, row, column, channel = place
                down, right = divmod(int(switches[place]), size)
                dx[n, row * stride + down, column * stride + right, channel] += dy[place]
            return dx
    """,
    "fully_convolutional": """
        def fully_convolutional(model):
            new, window = [keras.Input((None, None, model.input_shape[-1]))], None
            weights = []
            for layer in model.layers:
                if isinstance(layer, layers.Flatten):
                    window = tuple(layer.input.shape[1:3])
                    depth = layer.input.shape[3]
                elif isinstance(layer, layers.Dense):
                    height, width = window
                    kernel, bias = layer.get_weights()
                    weights += [kernel.reshape(height, width, depth, layer.units), bias]
                    new.append(layers.Conv2D(layer.units, window, activation=layer.activation))
                    window, depth = (1, 1), layer.units
                else:
                    new.append(type(layer).from_config(layer.get_config()))
                    weights += layer.get_weights()
            slider = keras.Sequential(new)
            slider.set_weights(weights)
            return slider
    """,
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_a_right_answer_written_differently_passes(exercise):
    lesson.assert_passes(exercise, RIGHT[exercise])


# --- wrong answers ----------------------------------------------------------------------------------------
# exercise: (what is wrong, text of the right answer, text in its place, words of the hint that is shown).
# An empty hint: only the hidden tests see the mistake.

WRONG = {
    "same_padding": [
        ("both sides together", "(filter_size - 1) // 2", "filter_size - 1", "on each side"),
        ("off by one", "(filter_size - 1) // 2", "(filter_size + 1) // 2 + 1", "solve for P"),
        ("a float", "(filter_size - 1) // 2", "(filter_size - 1) / 2", "whole number"),
        ("even sizes", "filter_size % 2 == 0", "filter_size < 0", "1.5 zeros"),
        ("hard-coded", "(filter_size - 1) // 2", "{1: 0, 3: 1, 5: 2}.get(filter_size, 0)", ""),
        ("only 4 is even", "filter_size % 2 == 0", "filter_size == 4", ""),
    ],
    "conv_output_size": [
        ("one too few", "free // stride + 1", "free // stride", "One too few"),
        ("one too many", "free // stride + 1", "free // stride + 2", "One too many"),
        ("padding forgotten", "+ 2 * padding\n", "\n", "forgot the padding"),
        ("padding once", "+ 2 * padding\n", "+ padding\n", "both sides"),
        ("stride forgotten", "free // stride + 1", "free + 1", "forgot the stride"),
        ("crops", "if free % stride:", "if False:", "not a whole number"),
        ("a float", "free // stride + 1", "free / stride + 1", "whole number"),
        ("filter too large", "if free < 0:", "if free < -10:", "does not fit on 4"),
        ("1 added first", "free // stride + 1", "(free + 1) / stride", "after the division"),
        (
            "hard-coded",
            "free // stride + 1",
            "{(7, 3): 5, (5, 3): 5, (227, 11): 55}.get((size, filter_size), 0)",
            "",
        ),
    ],
    "conv_forward": [
        ("bias forgotten", ", w, 3) + b", ", w, 3)", "forgot the bias"),
        ("true convolution", ", w, 3) + b", ", w[::-1, ::-1], 3) + b", "Do not turn"),
        ("axes exchanged", ", w, 3) + b", ", w.transpose(1, 0, 2, 3), 3) + b", "exchanged"),
        ("channel order", ", w, 3) + b", ", w[:, :, ::-1], 3) + b", "order of the channels"),
        (
            "first channel only",
            "size = w.shape[0]",
            "size, x, w = len(w), x[..., :1], w[:, :, :1]",
            "all channels",
        ),
        (
            "padding forgotten",
            "(padding, padding), (padding, padding)",
            "(0, 0), (0, 0)",
            "padding is not used",
        ),
        ("stride forgotten", "size = w.shape[0]", "size, stride = w.shape[0], 1", "stride is not used"),
        ("windows without stride", "row * stride, column * stride", "row, column", "every second window"),
        ("square outputs", "(x.shape[2] - size) // stride", "(x.shape[1] - size) // stride", "7x9"),
        ("one image only", "return y", "return y[:1]", "two images"),
        ("3x3 only", "size = w.shape[0]", "size = 3", ""),
        ("ReLU added", "return y", "return np.maximum(y, 0)", "7x9"),
    ],
    "conv_backward": [
        ("dw turned", "inside], dw,", "inside], dw[::-1, ::-1],", "nothing is flipped"),
        ("filter turned in dx", "column], w)", "column], w[::-1, ::-1])", "turned the wrong way"),
        ("no overlap in dx", "dx[window] +=", "dx[window] =", "with +="),
        ("border kept", "dx[:, inside, inside]", "dx", "cut the border off"),
        ("mean over places", "dy.sum(axis=(0, 1, 2))", "dy.mean(axis=(0, 1, 2))", "not the mean"),
        ("bias: columns left", "dy.sum(axis=(0, 1, 2))", "dy.sum(axis=(0, 1))", "columns too"),
        ("mean over the batch", "inside], dw,", "inside], dw / len(x),", "do not take the mean"),
        (
            "first image only",
            'np.einsum("nk,nijc->ijck", dy[:, ',
            'np.einsum("nk,nijc->ijck", dy[:1, ',
            "first",
        ),
        ("stride forgotten", "size = w.shape[0]", "size, stride = w.shape[0], 1", "stride 2"),
        (
            "dw looks at x without padding",
            "x[window])",
            "np.pad(x, 4)[4:-4, 4 + padding:, 4 + padding:, 4:-4][window])",
            "padded x",
        ),
        ("3x3 only", "size = w.shape[0]", "size = 3", ""),
    ],
    "max_pool": [
        ("average", "flat.max(axis=-1)", "flat.mean(axis=-1)", "average"),
        ("smallest", "flat.max(axis=-1)", "flat.min(axis=-1)", "largest"),
        ("last of equals", "flat.argmax(axis=-1)", "size**2 - 1 - flat[..., ::-1].argmax(axis=-1)", ""),
        ("switches count from 1", "flat.argmax(axis=-1)", "flat.argmax(axis=-1) + 1", "row by row"),
        (
            "gradient overwritten",
            "np.add.at(dx, (n, winner_row, winner_column, channel), dy)",
            "dx[n, winner_row, winner_column, channel] = dy",
            "do not overwrite",
        ),
        (
            "rows and columns exchanged",
            "switches // size, column * stride + switches % size",
            "switches % size, column * stride + switches // size",
            "winner of its window",
        ),
        ("stride is the size", "[:, ::stride, ::stride]", "[:, ::size, ::size]", "stride 2"),
        ("gradient of one image", "np.add.at(dx, ", "dy = dy * (n == 0); np.add.at(dx, ", "overlap"),
        (
            "average gradient",
            "np.add.at(dx, (n, winner_row, winner_column, channel), dy)",
            "dx += np.repeat(np.repeat(dy / 4, 2, axis=1), 2, axis=2)[:, :dx.shape[1], :dx.shape[2]]",
            "winner takes all",
        ),
    ],
    "fully_convolutional": [
        ("bias forgotten", ", bias])", ", 0 * bias + 1])", "biases copied"),
        ("activation forgotten", ", activation=layer.activation)", ")", "Activation"),
        ("new weights", "conv.set_weights([", "list([", "copied"),
        (
            "kernel order",
            "kernel.reshape(conv.kernel.shape)",
            "kernel.reshape(*reversed(conv.kernel.shape[:3]), -1).transpose(2, 1, 0, 3)",
            "reshaped to",
        ),
        ("fixed size", "keras.Input((None, None, ", "keras.Input((*model.input_shape[1:3], ", "open"),
        (
            "Dense stays",
            "conv = layers.Conv2D(layer.units, size, ",
            "conv = layers.Dense(layer.units, ",
            "stopped with",
        ),
        ("1x1 filters everywhere", "size = layer.input.shape[1:3]", "size = 1", "stopped with"),
        ("returns the classifier", "return keras.Model(image, x)", "return model", "Conv2D"),
        (
            "two Dense layers only",
            "size = 1\n        else",
            "size = 1 if layer.units < 9 else 2\n        else",
            "",
        ),
    ],
}


@pytest.mark.parametrize(("exercise", "right", "wrong", "hint"), cases(WRONG))
def test_a_wrong_answer_is_refused_with_a_fitting_hint(exercise, right, wrong, hint):
    lesson.assert_refused(exercise, right, wrong, hint)


def test_every_exercise_has_enough_planted_mistakes():
    assert list(RIGHT) == list(WRONG) == lesson.exercises
    assert all(len(rows) >= 4 for rows in WRONG.values())
