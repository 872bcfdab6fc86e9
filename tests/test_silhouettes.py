import matplotlib.pyplot as plt
import numpy as np
import pytest

from course_lib.plotting import plot_silhouette, silhouette_grid
from course_lib.plotting.silhouettes import DOUBLING, LAYER, height_of

NET = [(32, 32, 3), (32, 32, 64), (16, 16, 128), (1, 1, 10)]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def rows(count, group=2015):
    return [
        {"name": f"net {i}", "group": group, "caption": "1 M params\n2 G MACs", "silhouette": NET}
        for i in range(count)
    ]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_steps_are_factors_of_two():
    ax = plot_silhouette(NET)
    up, down = (np.array(patch.get_data().values) for patch in ax.patches)
    assert up[0] == up[1] and up[1] - up[2] == pytest.approx(DOUBLING)
    assert down[1] - down[2] == pytest.approx(DOUBLING)
    assert (up > 0).all() and (down < 0).all()
    assert np.diff(ax.patches[0].get_data().edges) == pytest.approx(LAYER)
    assert height_of(1) > 0


def test_scale_and_origin():
    ax = plot_silhouette(NET, origin=(100, 50), scale=2)
    values, edges, baseline = ax.patches[0].get_data()
    assert edges[0] == 100 and edges[-1] == 100 + 2 * LAYER * len(NET)
    assert values[0] == pytest.approx(50 + 1 + 2 * height_of(32)) and baseline == 51


def test_all_names_and_captions_stand_in_the_picture():
    figure = silhouette_grid([*rows(9, 2014), *rows(5, 2015)], title="All", example="net 3")
    found = texts(figure)
    assert found[0] == "All" and found.count("net 8") == 1 and found.count("net 4") == 2
    assert found.count("1 M params") == found.count("2 G MACs") == 14
    assert "2014" in found and "2015" in found
    assert "net 3, enlarged: how to read the drawings" in found
    assert {"32", "16", "128", "64", "10", "3"} <= set(found)


def test_nothing_stands_outside_or_on_top_of_another():
    figure = silhouette_grid(rows(40), width=8)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    boxes = [text.get_window_extent() for text in ax.texts]
    frame = ax.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    assert all(frame.y0 <= box.y0 and box.y1 <= frame.y1 for box in boxes)
    names = [text.get_window_extent() for text in ax.texts if text.get_text().startswith("net")]
    assert not any(a.overlaps(b) for i, a in enumerate(names) for b in names[:i])


def test_a_row_that_begins_inside_a_group_repeats_its_label():
    found = texts(silhouette_grid(rows(40), width=8))
    assert found.count("2015") > 1


@pytest.mark.parametrize(
    ("networks", "example", "message"),
    [([], None, "list of networks is empty"), (rows(2), "net 7", "'net 7' is none of the networks")],
)
def test_errors(networks, example, message):
    with pytest.raises(ValueError, match=message):
        silhouette_grid(networks, example=example)


def test_an_empty_silhouette():
    with pytest.raises(ValueError, match="list of volumes is empty"):
        plot_silhouette([])
