"""The palette, and small helpers that several pictures share."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

# Okabe and Ito, "Color Universal Design" (2008): colour-blind readers can tell these apart; grey for what
# is minor.
COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "purple": "#CC79A7",
    "yellow": "#F0E442",
    "black": "#000000",
    "grey": "#999999",
}
INK = "#262626"  # text
FAINT = "#666666"  # captions: 5.7 to 1 on white, so still readable
SMALL = 9  # points: the smallest text in a picture


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """The given Axes, else that of a new figure (size in inches)."""
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def mix(color: str, other: str, share: float) -> tuple[float, float, float]:
    """A colour with this share of another one in it.

    >>> mix("black", "white", 0.25)
    (0.25, 0.25, 0.25)
    """
    return tuple(
        float(value) for value in (1 - share) * np.array(to_rgb(color)) + share * np.array(to_rgb(other))
    )


@cache
def text_size(text: str, size: float = SMALL, weight: str = "normal") -> tuple[float, float]:
    """Width and height of a text in points, lines included, known before anything is drawn.

    On screen letters begin on whole pixels, which makes a line up to 7 % wider than its outlines: counted in.

    >>> text_size("wide")[0] > text_size("i")[0]
    True
    """
    font = FontProperties(weight=weight)
    lines = text.split("\n")
    widths = [
        TextPath((0, 0), line, size=size, prop=font).get_extents().width for line in lines if line.strip()
    ]
    return 1.07 * float(max(widths, default=0)), 1.2 * size * len(lines)


def compact(number: float) -> str:
    """A count with three significant digits and a unit.

    >>> compact(61_706), compact(138_357_544), compact(12)
    ('61.7 k', '138 M', '12')
    """
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:g}"
