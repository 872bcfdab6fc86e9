"""Tables: aligned text on a terminal, clean HTML in a notebook."""

import html
import math
import numbers
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

_TEXT_WIDTH = 60  # a longer text is wrapped in the text form, so that a table fits a terminal
_RULES = ("left", "right", "center")


def format_value(value: object, spec: str | Callable[[object], str] | None = None) -> str:
    """The text of one table entry.

    Integers get thousands separators, other numbers four significant digits, None an en dash.
    `spec` overrides this: a format specification such as "d" (a year), ".1%", or a function.

    >>> [format_value(v) for v in (61706, 0.958333, 3.2e-05, None, True, (5, 5, 3), "tanh")]
    ['61,706', '0.9583', '3.2e-05', '–', 'yes', '5x5x3', 'tanh']
    >>> format_value(1998, "d")
    '1998'
    """
    if value is None:
        return "–"
    if callable(spec):
        return str(spec(value))
    if spec is not None and _is_number(value):
        return format(value, spec)
    if isinstance(value, str):
        return value
    if isinstance(value, (tuple, list)) and all(part is None or _is_number(part) for part in value):
        return "x".join("?" if part is None else str(part) for part in value)  # a shape
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        value = float(value)
        large = math.isfinite(value) and abs(value) >= 1e4  # "1.235e+04" would be hard to read
        return f"{value:,.0f}" if large else f"{value:,.4g}"
    return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


class Table:
    """Rows and columns that print as aligned text and show as HTML in a notebook.

    Args:
        rows: one dictionary a row. A key that is missing counts as None.
        columns: which keys to show, in this order: a list of keys, or a dictionary from key to heading.
            None: the keys of all rows in the order in which they appear.
        caption: one line above the table.
        align: dictionary from key to "left", "right" or "center". By default numbers stand right, text left.
        formats: dictionary from key to a format specification (`{"year": "d"}`) or to a function that makes
            the text of one value.

    Raises:
        ValueError: a column that no row has, or an unknown alignment.

    >>> Table([{"layer": "C1", "params": 156}, {"layer": "C3", "params": 2416}], caption="LeNet-5")
    LeNet-5
    layer  params
    -----  ------
    C1        156
    C3      2,416
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, object]],
        columns: Sequence[str] | Mapping[str, str] | None = None,
        caption: str = "",
        align: Mapping[str, str] | None = None,
        formats: Mapping[str, str | Callable[[object], str]] | None = None,
    ):
        self.rows = [dict(row) for row in rows]
        keys = list(dict.fromkeys(key for row in self.rows for key in row))
        if columns is None:
            columns = keys
        self.columns = dict(columns) if isinstance(columns, Mapping) else {key: key for key in columns}
        self.caption = caption
        formats, align = dict(formats or {}), dict(align or {})
        known = {*keys, *self.columns}
        for kind, names in (("columns", self.columns), ("align", align), ("formats", formats)):
            missing = [key for key in names if key not in (keys if kind == "columns" else known)]
            if missing and self.rows:
                raise ValueError(f"{kind} names {missing}, but the rows have only the keys {keys}.")
        for key, side in align.items():
            if side not in _RULES:
                raise ValueError(f"align[{key!r}] is {side!r}. Allowed: {', '.join(map(repr, _RULES))}.")
        self._align = {key: align.get(key) or self._default_side(key) for key in self.columns}
        self._cells = [[format_value(r.get(k), formats.get(k)) for k in self.columns] for r in self.rows]

    def _default_side(self, key: str) -> str:
        values = [row[key] for row in self.rows if row.get(key) is not None]
        return "right" if values and all(map(_is_number, values)) else "left"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, object]]:
        return iter(self.rows)

    def __repr__(self) -> str:
        wrapped = [[_wrap(cell) for cell in row] for row in [list(self.columns.values()), *self._cells]]
        widths = [max(len(line) for row in wrapped for line in row[i]) for i in range(len(self.columns))]
        lines = [self.caption] if self.caption else []
        for number, row in enumerate(wrapped):
            for i in range(max(map(len, row), default=0)):
                parts = [cell[i] if i < len(cell) else "" for cell in row]
                lines.append("  ".join(map(_pad, parts, widths, self._align.values())).rstrip())
            if number == 0:
                lines.append("  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sides = list(self._align.values())
        head = "".join(
            _html_cell("th", text, side) for text, side in zip(self.columns.values(), sides, strict=True)
        )
        body = "".join(
            "<tr>" + "".join(_html_cell("td", t, s) for t, s in zip(row, sides, strict=True)) + "</tr>\n"
            for row in self._cells
        )
        caption = f"<caption>{html.escape(self.caption)}</caption>\n" if self.caption else ""
        return (
            f'<table class="course-table">\n{caption}<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}</tbody>\n</table>"
        )


def _wrap(cell: str) -> list[str]:
    lines = (textwrap.wrap(line, _TEXT_WIDTH, break_long_words=False) or [""] for line in cell.splitlines())
    return [part for line in lines for part in line] or [""]


def _pad(text: str, width: int, side: str) -> str:
    return {"left": text.ljust, "right": text.rjust, "center": text.center}[side](width)


def _html_cell(tag: str, text: str, side: str) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    return f'<{tag}{scope} style="text-align: {side}">{html.escape(text)}</{tag}>'
