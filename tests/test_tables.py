"""The tables: text form, HTML form, number formats, errors."""

import numpy as np
import pytest

from course_lib.tables import Table, format_value

ROWS = [{"name": "LeNet5", "params": 61706, "error": 0.0095}, {"name": "VGG16", "params": 138357544}]


def test_text_is_aligned():
    assert repr(Table(ROWS, caption="Two networks")) == (
        "Two networks\n"
        "name         params   error\n"
        "------  -----------  ------\n"
        "LeNet5       61,706  0.0095\n"
        "VGG16   138,357,544       –"
    )


def test_columns_choose_order_and_headings():
    table = Table(ROWS, {"params": "parameters", "name": "network"}, align={"name": "right"})
    assert repr(table).splitlines() == [
        " parameters  network",
        "-----------  -------",
        "     61,706   LeNet5",
        "138,357,544    VGG16",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1234, "-1,234"),
        (np.int64(416520), "416,520"),
        (0.958333, "0.9583"),
        (np.float32(0.25), "0.25"),
        (1234.56, "1,235"),
        (105705600.0, "105,705,600"),
        (1e-7, "1e-07"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (None, "–"),
        (False, "no"),
        (np.bool_(True), "yes"),
        ((None, 28, 28, 1024), "?x28x28x1024"),
        ("<b>", "<b>"),
    ],
)
def test_format_value(value, text):
    assert format_value(value) == text


def test_formats_override():
    table = Table(
        [{"year": 1998, "share": 0.25}, {"year": None, "share": 0.5}],
        formats={"year": "d", "share": "{:.0%}".format},
    )
    assert repr(table).splitlines()[2:] == ["1998    25%", "   –    50%"]


def test_html_escapes_and_aligns():
    text = Table([{"a": "x < y", "n": 3}], {"a": "A & B", "n": "n"}, caption="<i>")._repr_html_()
    assert "<caption>&lt;i&gt;</caption>" in text
    assert '<th scope="col" style="text-align: left">A &amp; B</th>' in text
    assert '<td style="text-align: left">x &lt; y</td><td style="text-align: right">3</td>' in text


def test_html_and_text_show_the_same_cells():
    table = Table(ROWS)
    for row in table._cells:
        for cell in row:
            assert cell in repr(table) and cell in table._repr_html_()


def test_long_text_is_wrapped_in_the_text_form_only():
    note = "a long note " * 20
    table = Table([{"note": note, "n": 1}])
    assert max(map(len, repr(table).splitlines())) < 70
    assert note.strip() in table._repr_html_()


def test_empty_table_shows_its_headings():
    assert repr(Table([], ["finding", "value"])) == "finding  value\n-------  -----"
    assert len(Table([], ["finding"])) == 0


def test_rows_can_be_read_back():
    table = Table(ROWS)
    assert [row["params"] for row in table] == [61706, 138357544]


def test_misspelt_column_is_an_error():
    with pytest.raises(ValueError, match=r"columns names \['parms'\].*'name', 'params', 'error'"):
        Table(ROWS, ["name", "parms"])


def test_unknown_alignment_is_an_error():
    with pytest.raises(ValueError, match="'middle'.*'center'"):
        Table(ROWS, align={"name": "middle"})
