"""What is really drawn: artists, their places and texts against the data; no picture is compared."""

import itertools
import subprocess
import sys
from pathlib import Path

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras import layers
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Polygon, Rectangle
from matplotlib.text import Text

import course_lib
from course_lib import accounting, plotting
from course_lib.plotting import Volume
from course_lib.plotting.architecture import kind_of
from course_lib.plotting.solids import KINDS, LAYOUTS, OBLIQUE

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """The library never touches rcParams, and these tests leave no figure open."""
    before = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def ax():
    return plt.figure(figsize=(9, 5)).add_subplot()


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def boxes(texts) -> list:
    figure = texts[0].figure
    figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in texts]  # without an annotation's line


def assert_apart(texts):
    for (a, box), (b, other) in itertools.combinations(zip(texts, boxes(texts), strict=True), 2):
        assert not box.overlaps(other), (a.get_text(), b.get_text())


# The architecture


LENET = [
    Volume("input", "input", (32, 32, 1)),
    Volume("C1", "convolution", (28, 28, 6), (5, 5), (1, 1)),
    Volume("S2", "pooling", (14, 14, 6), (2, 2), (2, 2)),
    Volume("C3", "convolution", (10, 10, 16), (5, 5), (1, 1)),
    Volume("S4", "pooling", (5, 5, 16), (2, 2), (2, 2)),
    Volume("C5", "dense", (120,)),
    Volume("F6", "dense", (84,)),
    Volume("output", "dense", (10,)),
]


def vgg(convolutions=(2, 2, 4, 4, 4)) -> list[Volume]:
    found, side = [Volume("input", "input", (224, 224, 3))], 224
    for block, (depth, width) in enumerate(zip(convolutions, (64, 128, 256, 512, 512), strict=True), 1):
        shape = (side, side, width)
        found += [
            Volume(f"block{block}_conv{i}", "convolution", shape, (3, 3), (1, 1)) for i in range(1, depth + 1)
        ]
        side //= 2
        found.append(Volume(f"block{block}_pool", "pooling", (side, side, width), (2, 2), (2, 2)))
    return [*found, *(Volume(f"fc{i}", "dense", (units,)) for i, units in ((6, 4096), (7, 4096), (8, 1000)))]


def sides(ax, name):
    """The three sides of a solid: (face, top, front), each as its corners in points."""
    return [
        patch.get_xy()[:-1] for patch in ax.patches if isinstance(patch, Polygon) and patch.get_gid() == name
    ]


def height_of(ax, name):
    face = sides(ax, name)[0]
    return face[3][1] - face[0][1]


def thickness_of(ax, name):
    front = sides(ax, name)[2]
    return front[1][0] - front[0][0]


def test_every_volume_is_there_in_order_with_name_size_and_window():
    ax = plotting.draw_volumes(LENET)
    lefts = [sides(ax, volume.name)[2][0][0] for volume in LENET]
    assert lefts == sorted(lefts)
    shown = texts(ax)
    for volume in LENET:
        assert volume.name in shown
    assert {"28×28×6", "14×14×6", "120", "10"} <= set(shown)
    assert shown.count("5×5") == 2 and shown.count("2×2") == 2 and shown.count("stride 2") == 2


def test_faces_are_to_scale_and_thickness_goes_with_the_root_of_the_channels():
    ax = plotting.draw_volumes(LENET)
    assert height_of(ax, "C1") / height_of(ax, "input") == pytest.approx(28 / 32)
    assert height_of(ax, "S4") / height_of(ax, "input") == pytest.approx(5 / 32)
    face = sides(ax, "S2")[0]
    np.testing.assert_allclose(face[1] - face[0], np.array(OBLIQUE) * height_of(ax, "S2"))  # as wide as high
    assert thickness_of(ax, "C3") / thickness_of(ax, "C1") == pytest.approx((16 / 6) ** 0.5)
    assert height_of(ax, "F6") / height_of(ax, "C5") == pytest.approx((84 / 120) ** 0.5)
    assert any("∝ pixels" in text for text in texts(ax))


def test_a_wide_image_has_a_wide_face():
    ax = plotting.draw_volumes([Volume("input", "input", (30, 60, 3)), Volume("out", "dense", (2,))])
    face = sides(ax, "input")[0]
    np.testing.assert_allclose(face[1] - face[0], np.array(OBLIQUE) * 2 * height_of(ax, "input"))


def test_large_ranges_are_drawn_by_the_root_and_the_caption_says_so():
    ax = plotting.draw_volumes(vgg())
    assert height_of(ax, "block5_pool") / height_of(ax, "input") == pytest.approx((7 / 224) ** 0.5)
    assert any("∝ √pixels" in text and "3×3/2" in text for text in texts(ax))
    linear = plotting.draw_volumes(vgg(), scale="linear")
    assert height_of(linear, "block5_pool") / height_of(linear, "input") == pytest.approx(7 / 224)


def test_colours_follow_the_kind_and_the_legend_names_those_used():
    ax = plotting.draw_volumes(LENET)
    for volume in LENET:
        fronts = [patch for patch in ax.patches if patch.get_gid() == volume.name]
        assert fronts[2].get_facecolor()[:3] == pytest.approx(to_rgb(KINDS[volume.kind]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "input",
        "convolution",
        "pooling",
        "dense",
    ]


def test_level_labels_do_not_overlap_even_when_names_are_long():
    for rows in (LENET, [Volume(f"a_long_layer_name_{i}", "dense", (10,)) for i in range(5)]):
        ax = plotting.draw_volumes(rows)
        assert_apart(ax.texts)


def test_twenty_five_volumes_fit_one_row_of_a_notebook_with_labels_that_keep_apart():
    ax = plotting.draw_volumes(vgg(), title="VGG19")
    assert ax.figure.get_size_inches()[0] <= 9
    names = [text for text in ax.texts if text.get_text().startswith(("block", "input", "fc"))]
    assert len(names) == 25
    starts = sorted(text.xy[0] for text in names)
    assert len({text.xy[1] for text in names}) == 1  # one row
    angle = np.radians(-names[0].get_rotation())
    assert min(np.diff(starts)) * np.sin(angle % (2 * np.pi)) >= 9 * 1.2  # points between the lines of text


def test_a_very_deep_network_takes_several_rows_and_stays_as_wide_as_a_notebook():
    deep = [Volume(f"stage_block{i}_conv", "convolution", (56, 56, 64), (3, 3), (1, 1)) for i in range(70)]
    ax = plotting.draw_volumes(deep)
    assert ax.figure.get_size_inches()[0] <= 9
    assert len({text.xy[1] for text in ax.texts if text.get_text().startswith("stage")}) > 1
    assert all(sides(ax, volume.name) for volume in deep)


def test_solids_stay_inside_the_picture():
    for rows in (LENET, vgg(), [Volume("x", "dense", (3,))]):
        ax = plotting.draw_volumes(rows)
        (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
        points = np.concatenate([side for volume in rows for side in sides(ax, volume.name)])
        assert left <= points[:, 0].min() and points[:, 0].max() <= right
        assert low <= points[:, 1].min() and points[:, 1].max() <= high


def test_a_given_axes_is_used_and_labels_keep_apart_there_too():
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 8), layout="constrained")
    assert plotting.draw_volumes(LENET, ax=top, title="LeNet-5") is top
    assert plotting.draw_volumes(vgg(), ax=bottom) is bottom
    assert plt.get_fignums() == [figure.number]
    assert_apart(top.texts)
    figure.draw_without_rendering()
    for axes in (top, bottom):  # one unit is one point, so that text and solids fit each other
        box = axes.get_window_extent()
        assert box.width * 72 / 100 / np.diff(axes.get_xlim())[0] == pytest.approx(1, abs=0.12)


def test_layouts_go_from_large_to_small():
    assert [layout[0] for layout in LAYOUTS] == sorted((layout[0] for layout in LAYOUTS), reverse=True)


def test_the_input_image_lies_on_its_face():
    image = np.arange(32 * 32).reshape(32, 32) / 1023
    ax = plotting.draw_volumes(LENET, image=image)
    (picture,) = ax.images
    np.testing.assert_array_equal(picture.get_array(), image)
    ax.figure.draw_without_rendering()
    corners = picture.get_transform().transform([(0, 0), (1, 0), (1, 1), (0, 1)])
    np.testing.assert_allclose(ax.transData.inverted().transform(corners), sides(ax, "input")[0], atol=1e-6)


def test_bad_volumes_are_refused():
    with pytest.raises(ValueError, match="empty"):
        plotting.draw_volumes([])
    with pytest.raises(ValueError, match="Did you mean 'pooling'"):
        plotting.draw_volumes([Volume("p", "poling", (2, 2, 1))])
    with pytest.raises(ValueError, match="'sqrt'"):
        plotting.draw_volumes(LENET, scale="square")
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        plotting.draw_volumes(LENET, image=np.zeros((32, 32, 2)))


@pytest.fixture(scope="module")
def network():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.ZeroPadding2D(1, name="pad"),
            layers.Conv2D(8, (3, 5), strides=2, use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.MaxPooling2D(2, name="pool"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(10, name="scores"),
            layers.Softmax(name="softmax"),
        ],
        name="small",
    )


def test_the_real_graph_becomes_volumes(network):
    found = plotting.model_volumes(network)
    assert [(volume.name, volume.kind, volume.size) for volume in found] == [
        ("input", "input", "16×16×3"),
        ("conv", "convolution", "8×7×8"),
        ("pool", "pooling", "4×3×8"),
        ("average", "pooling", "8"),
        ("scores", "dense", "10"),
    ]
    assert found[1].window() == "3×5, stride 2" and found[1].window(long=False) == "3×5/2"
    assert found[2].window() == "2×2, stride 2" and found[3].window() == ""
    assert found[1].params == 3 * 5 * 3 * 8 + 4 * 8  # the folded normalization counts here


def test_detail_all_keeps_every_layer(network):
    found = plotting.model_volumes(network, detail="all")
    assert [volume.name for volume in found[1:]] == [layer.name for layer in network.layers]
    assert {volume.name: volume.kind for volume in found}["norm"] == "normalization"
    with pytest.raises(ValueError, match="Did you mean 'all'"):
        plotting.model_volumes(network, detail="al")


def test_a_nested_model_is_entered(network):
    outer = keras.Sequential([keras.Input((16, 16, 3)), network, layers.Dense(2, name="two")])
    names = [volume.name for volume in plotting.model_volumes(outer)]
    assert names == ["input", "small/conv", "small/pool", "small/average", "small/scores", "two"]
    assert plotting.model_volumes(outer)[1].kernel == (3, 5)


def test_the_title_gives_the_models_totals(network):
    ax = plotting.plot_architecture(network)
    totals = accounting.totals(network)
    assert ax.get_title(loc="left") == (f"small: {totals.params:,} parameters, {totals.macs:,} MACs an image")
    assert plotting.plot_architecture(network, title="Mine").get_title(loc="left") == "Mine"


def test_kinds_of_layers():
    expected = {
        "Conv2D": "convolution",
        "DepthwiseConv2D": "convolution",
        "PartialConv2D": "convolution",
        "TrainableSubsampling": "pooling",
        "AveragePooling2D": "pooling",
        "Add": "merge",
        "Concatenate": "merge",
        "SpatialDropout2D": "folded",
        "LayerNormalization": "folded",
        "RBFOutput": "other",
        "ZeroPadding2D": "folded",
        "ZeroPaddedPooling2D": "pooling",
        "PadCropFlip": "folded",
        "Cropping2D": "other",
        "Identity": "folded",
        "IdentityShortcut": "other",
        "DropPath": "folded",
    }
    assert {name: kind_of(name) for name in expected} == expected


# Grids


def test_image_grid_shows_the_images_in_order_on_one_scale():
    images = np.linspace(0, 1, 5 * 4 * 4).reshape(5, 4, 4, 1)
    figure, axes = plotting.image_grid(images, titles="abcde", columns=2, title="Five")
    assert [ax.get_title() for ax in axes] == list("abcde")
    for ax, image in zip(axes, images, strict=True):
        (shown,) = ax.images
        np.testing.assert_array_equal(shown.get_array(), image[..., 0])
        assert shown.get_clim() == (0, 1)
    assert len(figure.axes) == 5 and figure.texts[0].get_text() == "Five"
    places = [ax.get_position() for ax in axes]
    assert places[0].y0 == places[1].y0 > places[2].y0 and places[0].x0 == places[2].x0 < places[1].x0


def test_long_titles_make_room():
    _, axes = plotting.image_grid(np.zeros((6, 8, 8)), titles=["a rather long name"] * 6, columns=3)
    assert_apart([ax.title for ax in axes])


@pytest.mark.parametrize("columns", [1, 8, 40])
def test_grids_are_at_most_as_wide_as_a_notebook(columns):
    figure, _ = plotting.image_grid(np.zeros((40, 8, 8)), columns=columns)
    assert figure.get_size_inches()[0] <= 9


def test_image_grid_keeps_the_shape_of_photographs():
    _, axes = plotting.image_grid(np.zeros((2, 20, 30, 3)), size=3)
    box = axes[0].get_window_extent()
    assert box.width == pytest.approx(300) and box.height == pytest.approx(200)


def test_image_grid_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], received 0 to 255"):
        plotting.image_grid(np.array([[[0, 255]]]))
    with pytest.raises(ValueError, match=r"images\[None\]"):
        plotting.image_grid(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="2 images but 3 titles"):
        plotting.image_grid(np.zeros((2, 8, 8)), titles="abc")
    with pytest.raises(ValueError, match="at least 1"):
        plotting.image_grid(np.zeros((2, 8, 8)), columns=0)


def test_filters_of_one_channel_are_symmetric_around_zero_with_a_colour_bar():
    weights = np.random.default_rng(0).normal(size=(5, 5, 1, 6))
    figure, axes = plotting.filter_grid(weights)
    top = np.abs(weights).max()
    for index, ax in enumerate(axes):
        (shown,) = ax.images
        np.testing.assert_array_equal(shown.get_array(), weights[:, :, 0, index])
        assert shown.get_clim() == pytest.approx((-top, top)) and shown.get_cmap().name == "RdBu_r"
    assert [ax.get_ylabel() for ax in figure.axes if ax not in axes] == ["weight"]


def test_filters_of_three_channels_are_colour_pictures_around_grey():
    weights = np.random.default_rng(0).normal(size=(3, 3, 3, 4))
    weights[0, 0, :, 0] = 0
    figure, axes = plotting.filter_grid(weights)
    pictures = [ax.images[0].get_array() for ax in axes]
    assert all(picture.shape == (3, 3, 3) for picture in pictures)
    np.testing.assert_allclose(pictures[0][0, 0], 0.5)
    top = np.abs(weights).max()
    np.testing.assert_allclose(np.stack(pictures, -1), 0.5 + weights / (2 * top))
    assert "Grey is zero" in figure.texts[-1].get_text()


def test_filters_of_many_channels_are_a_table_and_the_caption_counts_what_is_left_out():
    weights = np.random.default_rng(0).normal(size=(3, 3, 8, 20))
    figure, axes = plotting.filter_grid(weights, inputs=4, most=20)
    assert axes.shape == (4, 10)
    np.testing.assert_array_equal(axes[2, 7].images[0].get_array(), weights[:, :, 2, 7])
    assert "10 of 20 filters, 4 of 8 input channels" in figure.texts[-1].get_text()
    with pytest.raises(ValueError, match=r"received \(3, 3, 8\)"):
        plotting.filter_grid(weights[..., 0])


def test_feature_maps_share_one_scale():
    maps = np.random.default_rng(0).normal(size=(2, 6, 6, 12))
    images = np.zeros((2, 8, 8, 1))
    figure, axes = plotting.feature_map_grid(maps, images=images)
    assert axes.shape == (2, 8)
    np.testing.assert_array_equal(axes[1, 3].images[0].get_array(), maps[1, ..., 3])
    top = np.abs(maps).max()
    assert {ax.images[0].get_clim() for ax in axes.flat} == {(-top, top)}
    assert "8 of 12 maps" in figure.texts[-1].get_text()
    _, positive = plotting.feature_map_grid(np.abs(maps[0]))
    assert positive.shape == (12,)
    assert positive[0].images[0].get_clim() == (0, np.abs(maps[0]).max())
    with pytest.raises(ValueError, match="2 rows of maps but 1 images"):
        plotting.feature_map_grid(maps, images=images[:1])
    with pytest.raises(ValueError, match="at most 12"):
        plotting.feature_map_grid(maps[0, 0])


def test_confused_grid_shows_the_surest_mistakes_first():
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])
    labels = [1, 0, 1, 1]  # wrong: 0 (0.9), 1 (0.7), 3 (0.6)
    images = np.arange(4).reshape(4, 1, 1, 1) / 4 * np.ones((4, 3, 3, 1))
    figure, axes = plotting.confused_grid(images, labels, probabilities, ["cat", "dog"], n=2)
    assert [ax.get_title() for ax in axes] == ["true dog\nsaid cat, 90 %", "true cat\nsaid dog, 70 %"]
    assert [float(ax.images[0].get_array()[0, 0]) for ax in axes] == [0, 0.25]
    assert figure.texts[0].get_text() == "3 of 4 images wrong, the 2 surest mistakes"
    _, by_class = plotting.confused_grid(images, labels, probabilities.argmax(1), ["cat", "dog"])
    assert [ax.get_title() for ax in by_class] == [
        "true dog\nsaid cat",
        "true cat\nsaid dog",
        "true dog\nsaid cat",
    ]


def test_confused_grid_without_a_mistake_says_so():
    figure, axes = plotting.confused_grid(np.zeros((2, 3, 3)), [0, 1], [0, 1], ["cat", "dog"])
    assert len(axes) == 0 and figure.texts[0].get_text() == "0 of 2 images wrong"
    with pytest.raises(ValueError, match="2 images, 1 labels and 1 predictions"):
        plotting.confused_grid(np.zeros((2, 3, 3)), [0], [0], ["cat", "dog"])


# Charts


RUN = [
    {"epoch": 1, "loss": 0.9, "val_loss": 1.0, "accuracy": 0.5},
    {"epoch": 2, "loss": 0.4, "val_loss": 0.7, "accuracy": 0.8},
]


def test_history_draws_training_and_validation(ax):
    assert plotting.plot_history(RUN, ax=ax) is ax
    training, validation = ax.lines
    assert training.get_xydata().tolist() == [[1, 0.9], [2, 0.4]]
    assert validation.get_xydata().tolist() == [[1, 1.0], [2, 0.7]]
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel().startswith("loss")
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_history_compares_runs(ax):
    class Run:
        rows = RUN

    plotting.plot_history({"tanh": Run(), "ReLU": RUN}, "accuracy", log=True, ax=ax)
    assert len(ax.lines) == 2 and ax.lines[0].get_color() != ax.lines[1].get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["tanh", "ReLU"]
    assert ax.get_yscale() == "log"


def test_history_of_keras_itself(ax):
    class Own:
        history = {"loss": [0.9, 0.4], "val_loss": [1.0, 0.7]}

    for history in (Own(), Own.history, {"": Own()}):
        plotting.plot_history(history, ax=ax)
        training, validation = ax.lines[-2:]
        assert training.get_xydata().tolist() == [[1, 0.9], [2, 0.4]]
        assert validation.get_xydata().tolist() == [[1, 1.0], [2, 0.7]]


def test_history_refuses_an_unknown_metric(ax):
    with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
        plotting.plot_history(RUN, "acuracy", ax=ax)
    with pytest.raises(ValueError, match="received 0"):
        plotting.plot_history({}, ax=ax)


def test_confusion_writes_every_count_at_its_place(ax):
    matrix = np.array([[50, 0, 3], [0, 40, 0], [1, 2, 60]])
    plotting.plot_confusion(matrix, ["cat", "dog", "horse"], ax=ax)
    written = {(int(t.get_position()[1]), int(t.get_position()[0])): int(t.get_text()) for t in ax.texts}
    assert written == {place: matrix[place] for place in np.ndindex(3, 3) if matrix[place]}
    mistakes = ax.images[0].get_array()
    assert mistakes.mask.tolist() == [[True, True, False], [True, True, True], [False, False, True]]
    assert ax.images[0].get_clim() == (0, 3)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog", "horse"]
    assert ax.get_title(loc="left") == "150 of 156 images right (96.2 %)"
    assert "mistakes (images)" in [other.get_ylabel() for other in ax.figure.axes]


def test_confusion_without_mistakes_and_with_wrong_shapes(ax):
    plotting.plot_confusion(np.diag([3, 4]), ["a", "b"], ax=ax)
    assert ax.get_title(loc="left") == "7 of 7 images right (100.0 %)"
    with pytest.raises(ValueError, match="3 names"):
        plotting.plot_confusion(np.eye(2), "abc")
    with pytest.raises(ValueError, match=r"received shape \(2, 3\)"):
        plotting.plot_confusion(np.zeros((2, 3)), "ab")


MEASURED = [
    {"seed": seed, "threads": threads, "value": 0.9 + 0.01 * seed + 0.001 * threads}
    for seed in (3, 0, 1)
    for threads in (1, 2)
]


def test_finding_draws_a_dot_a_run_a_star_and_the_band(ax):
    plotting.plot_finding(
        MEASURED, 0.93, (0.88, 0.95), title="accuracy", unit="share", verdict="confirms", ax=ax
    )
    by_label = {line.get_label(): line for line in ax.lines}
    np.testing.assert_allclose(
        sorted(by_label["1 thread"].get_xydata().tolist()), [[0.901, 0], [0.911, 1], [0.931, 2]]
    )
    assert by_label["1 thread"].get_marker() != by_label["2 threads"].get_marker()
    star = by_label["this run: 0.93"]
    assert star.get_marker() == "*" and star.get_xydata().tolist() == [[0.93, 3]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["seed 0", "seed 1", "seed 3", "this run"]
    (band,) = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.88, 0.95))
    assert ax.get_title(loc="left") == "accuracy (share): confirms" and ax.get_xlabel() == "share"


def test_finding_draws_the_full_profile_on_a_line_of_its_own(ax):
    full = [{"seed": seed, "threads": 1, "value": 0.7 + seed / 10, "profile": "full"} for seed in (0, 1)]
    quick = [row | {"profile": "quick"} for row in MEASURED]
    plotting.plot_finding(full + quick, 0.93, (0.88, 0.95), ax=ax)
    by_label = {line.get_label(): line for line in ax.lines}
    assert len(by_label["1 thread"].get_xydata()) == 3
    np.testing.assert_allclose(by_label["full profile"].get_xydata(), [[0.7, 3], [0.8, 3]])
    assert by_label["this run: 0.93"].get_xydata().tolist() == [[0.93, 4]]
    assert [label.get_text() for label in ax.get_yticklabels()][3:] == ["full profile", "this run"]


def test_finding_without_measured_runs_and_outside_its_band(ax):
    plotting.plot_finding([], 1.5, (0, 1), ax=ax)
    low, high = ax.get_xlim()
    assert low < 0 and high > 1.5  # band and star both in sight
    with pytest.raises(ValueError, match=r"\(lowest, highest\), received \(1, 0\)"):
        plotting.plot_finding([], None, (1, 0))


# The atlas


def network_row(name, macs, error, params=1e7, year=2015):
    return {"name": name, "year": year, "params": params, "macs": macs, "imagenet_top5_error": error}


def discs(ax) -> PathCollection:
    return ax.collections[0]


def test_atlas_places_discs_by_cost_and_error_with_parameters_as_area(ax):
    rows = [
        network_row("small", 1e8, 20.0, params=5e6, year=2017),
        network_row("large", 1e10, 8.0, params=100e6, year=2014),
        {"name": "unknown", "year": 2016, "params": None, "macs": None, "imagenet_top5_error": 5.0},
    ]
    plotting.plot_atlas(rows, ax=ax)
    assert discs(ax).get_offsets().tolist() == [[1e10, 8.0], [1e8, 20.0]]  # the large one lies below
    large, small = discs(ax).get_sizes()
    assert large / small == pytest.approx(20)
    assert discs(ax).get_array().tolist() == [2014, 2017]
    assert ax.get_xscale() == "log" and "top-5 error" in ax.get_ylabel() and "MACs" in ax.get_xlabel()
    assert "year of publication" in [other.get_ylabel() for other in ax.figure.axes]
    assert {"small", "large", "1 of 3 rows are not drawn: their error or cost was not published."} <= set(
        texts(ax)
    )


def test_atlas_names_a_crowd_without_overlaps(ax):
    rng = np.random.default_rng(1)
    rows = [
        network_row(
            f"Network-{i}", 10 ** rng.uniform(9, 9.6), rng.uniform(6, 9), params=10 ** rng.uniform(6, 7.9)
        )
        for i in range(25)
    ]
    plotting.plot_atlas([*rows, network_row("far", 1e8, 20)], ax=ax)
    names = [text for text in ax.texts if text.get_text().startswith(("Network", "far"))]
    unnamed = [text for text in texts(ax) if "without a name" in text]
    assert len(names) >= 20 and (len(names) == 26 or unnamed)
    assert_apart(names)
    frame = ax.get_window_extent()
    assert all(frame.containsx(box.x0) and frame.containsx(box.x1) for box in boxes(names))


def test_atlas_is_the_same_every_time(ax):
    rows = [network_row(f"N{i}", 1e9 * (1 + i / 10), 7 + i % 3) for i in range(12)]
    again = plt.figure(figsize=(9, 5)).add_subplot()
    for axes in (ax, again):
        plotting.plot_atlas(rows, ax=axes)
    assert [(t.get_text(), t.get_position()) for t in ax.texts] == [
        (t.get_text(), t.get_position()) for t in again.texts
    ]


def test_atlas_refuses_an_unknown_metric_and_empty_rows():
    with pytest.raises(ValueError, match="Did you mean 'imagenet_top1_error'"):
        plotting.plot_atlas([], metric="imagenet_top1_eror")
    with pytest.raises(ValueError, match="None of the 1 rows"):
        plotting.plot_atlas([{"name": "x"}])


# One step of a convolution, and of a pooling


def cells(ax) -> dict[tuple[float, float], str]:
    """Texts by the place of their middle."""
    return {(round(t.get_position()[0], 1), round(t.get_position()[1], 1)): t.get_text() for t in ax.texts}


def test_convolution_shows_window_taps_and_the_output_so_far(ax):
    image = np.arange(25).reshape(5, 5)
    kernel = np.array([[1, 0], [0, -1]])
    plotting.plot_convolution(image, kernel, (1, 0), stride=2, dilation=2, padding=1, ax=ax)
    # padded 7x7, window 3x3, output 3x3; the step at rows 2 and 4, columns 0 and 2 of the padded image
    frames = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_linewidth() == 2.2]
    assert [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in frames][0] == (0, 2, 3, 3)
    taps = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_zorder() == 2]
    assert sorted((p.get_x(), p.get_y()) for p in taps) == [(0, 2), (0, 4), (2, 2), (2, 4)]
    hatched = [p for p in ax.patches if p.get_hatch()]
    assert len(hatched) == 7 * 7 - 5 * 5
    padded = np.pad(image, 1)
    expected = [padded[r, c] - padded[r + 2, c + 2] for r, c in [(0, 0), (0, 2), (0, 4), (2, 0)]]
    left = 7 + 1.5 + 2 + 1.5  # the output's first column
    shown = {place: text for place, text in cells(ax).items() if place[0] > left}
    numbers = [
        text.replace("−", "-") for place, text in sorted(shown.items(), key=lambda item: item[0][::-1])
    ]
    assert numbers == ["output 3×3", *map(str, expected)]
    assert ax.get_title(loc="left") == "Output: (5 − 3 + 2·1)/2 + 1 = 3 cells a side (the kernel spans 3×3)"
    assert any(text.endswith(f"= −{-expected[-1]}") for text in texts(ax))


def test_convolution_says_what_a_stride_leaves_over(ax):
    plotting.plot_convolution(np.ones((6, 6)), np.ones((3, 3)), stride=2, ax=ax)
    grey = [p for p in ax.patches if p.get_facecolor()[:3] == to_rgb("#D9D9D9")]
    assert len(grey) == 6 + 5  # the last row and column
    assert ax.get_title(loc="left") == "Output: ⌊(6 − 3)/2⌋ + 1 = 2 cells a side"


def test_convolution_of_one_row_pads_only_sideways(ax):
    plotting.plot_convolution([[1, 2, 3]], [[1, 1, 1]], (0, 2), padding=(0, 1), ax=ax)
    assert ax.get_title(loc="left") == "Output: (3 − 3 + 2·1)/1 + 1 = 3 cells"
    assert "2·1 + 3·1 + 0·1 = 5" in texts(ax)


def test_convolution_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="5×5 does not fit the padded image of 4×4"):
        plotting.plot_convolution(np.ones((4, 4)), np.ones((3, 3)), dilation=2)
    with pytest.raises(ValueError, match="2×2 output"):
        plotting.plot_convolution(np.ones((4, 4)), np.ones((3, 3)), (2, 0))
    with pytest.raises(ValueError, match="two-dimensional"):
        plotting.plot_convolution(np.ones(4), np.ones((3, 3)))
    with pytest.raises(ValueError, match="stride=0"):
        plotting.plot_convolution(np.ones((4, 4)), np.ones((3, 3)), stride=0)


def test_pooling_rings_the_winners_and_routes_the_gradient(ax):
    array = np.array([[1, 5, 2, 0], [3, 4, 8, 8], [0, 0, 1, 1], [0, 7, 1, 1]])
    plotting.plot_pooling(array, gradient=[[10, 20], [30, 40]], ax=ax)
    rings = [p.get_center() for p in ax.patches if isinstance(p, Circle)]
    first = sorted((y - 0.5, x - 0.5) for x, y in rings if x < 4)
    assert first == [(0, 1), (1, 2), (2, 2), (3, 1)]  # of equal cells the first
    left = 4 + 1.5 + 2 + 1.5 + 2 + 1.5
    gradient = np.zeros((4, 4))
    for (x, y), text in cells(ax).items():
        if x > left and y > 0:
            gradient[int(y), int(x - left)] = float(text)
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 2], expected[3, 1], expected[2, 2] = 10, 20, 30, 40
    np.testing.assert_array_equal(gradient, expected)
    assert ax.get_title(loc="left") == "Max pooling 2×2, stride 2: 4 of 16 values stay"


def test_average_pooling_shares_the_gradient(ax):
    plotting.plot_pooling(np.arange(16).reshape(4, 4), kind="average", gradient=np.ones((2, 2)), ax=ax)
    assert texts(ax).count("0.25") == 16 and "2.5" in texts(ax)
    assert not [p for p in ax.patches if isinstance(p, Circle)]


def test_overlapping_windows_add_their_gradients(ax):
    array = np.zeros((3, 3))
    array[1, 1] = 9  # wins all four windows
    plotting.plot_pooling(array, 2, 1, gradient=np.ones((2, 2)), ax=ax)
    assert "4" in texts(ax) and "1 of 9 values stay" in ax.get_title(loc="left")


def test_pooling_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="at least 3×3"):
        plotting.plot_pooling(np.ones((2, 2)), 3)
    with pytest.raises(ValueError, match=r"output's shape \(2, 2\)"):
        plotting.plot_pooling(np.ones((4, 4)), gradient=np.ones((4, 4)))
    with pytest.raises(ValueError, match="Did you mean 'average'"):
        plotting.plot_pooling(np.ones((4, 4)), kind="averag")


# What holds for all of them


def test_drawing_on_a_given_axes_opens_no_figure():
    figure, axes = plt.subplots(2, 4, figsize=(30, 15))
    rows = [network_row("a", 1e9, 8), network_row("b", 2e9, 7)]
    draw = [
        lambda ax: plotting.draw_volumes(LENET, ax=ax),
        lambda ax: plotting.plot_history(RUN, ax=ax),
        lambda ax: plotting.plot_confusion(np.eye(2), "ab", ax=ax),
        lambda ax: plotting.plot_finding(MEASURED, 0.9, (0, 1), ax=ax),
        lambda ax: plotting.plot_atlas(rows, ax=ax),
        lambda ax: plotting.plot_convolution(np.ones((3, 3)), np.ones((2, 2)), ax=ax),
        lambda ax: plotting.plot_pooling(np.ones((4, 4)), ax=ax),
    ]
    for call, ax in zip(draw, axes.flat, strict=False):
        assert call(ax) is ax
    assert plt.get_fignums() == [figure.number]


def test_no_text_is_smaller_than_nine_points():
    pictures = [
        plotting.draw_volumes(vgg()).figure,
        plotting.plot_finding(MEASURED, 0.9, (0, 1)).figure,
        plotting.plot_convolution(np.ones((3, 3)), np.ones((2, 2)) / 3).figure,
        plotting.filter_grid(np.ones((3, 3, 4, 8)))[0],
    ]
    for figure in pictures:
        figure.draw_without_rendering()
        written = [text for text in figure.findobj(Text) if text.get_text().strip()]
        assert written and min(text.get_fontsize() for text in written) >= 9


def test_the_palette_and_the_style_file_agree():
    path = Path(course_lib.__file__).with_name("course.mplstyle")
    style = matplotlib.rc_params_from_file(path, use_default_template=False)
    cycle = ["#" + color.lstrip("#").upper() for color in style["axes.prop_cycle"].by_key()["color"]]
    assert set(cycle) <= set(plotting.COLORS.values())
    assert len(set(plotting.COLORS.values())) == len(plotting.COLORS)


def test_importing_plotting_does_not_load_keras():
    code = "import sys, course_lib.plotting; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
