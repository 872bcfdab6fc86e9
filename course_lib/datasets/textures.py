"""Ten two-coloured textures as functions of the plane: the ground of the shapes, and a second domain."""

import numpy as np

TEXTURES = (
    *("stripes", "checks", "dots", "grid", "waves"),
    *("zigzag", "circles", "bricks", "honeycomb", "clouds"),
)


def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (size, 1) and columns (1, size) of the pixels' centres; the image reaches from -1 to 1."""
    centres = ((np.arange(size) + 0.5) * (2 / size) - 1).astype("float32")
    return centres[:, None], centres[None, :]


def turned(x, y, angle):
    """Coordinates in axes that are turned by `angle` (radians, clockwise on the screen)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def pattern_by_kind(kinds, scene, size, turn):
    """Values from 0 to 1 (N, size, size): each image's texture, turned and scaled; `turn` 0 is upright."""
    y, x = pixel_grid(size)
    period = 0.4 + 0.25 * turn * (2 * scene["period"] - 1)  # of the half image: 0.4 is 6.4 of 32 pixels
    x, y = turned(x / period, y / period, turn * np.pi * (2 * scene["pattern_angle"] - 1))
    x, y = x + 4 * scene["phase_p"] - 2, y + 4 * scene["phase_q"] - 2
    value = np.empty(x.shape, "float32")
    for kind in np.unique(kinds):
        chosen = kinds == kind
        waves = [scene[f"wave{k}"][chosen] for k in range(6)]
        value[chosen] = _height(TEXTURES[kind], x[chosen], y[chosen], waves)
    return np.clip(0.5 + value * period * (size / 2), 0, 1)  # the step from 0 to 1 is one pixel wide


def _hexagon(x, y):
    """Distance from the centre that is 0.5 on the border of a hexagon of width 1 (x and y not negative)."""
    return np.maximum(x, 0.5 * x + 0.75**0.5 * y)


def _height(name, x, y, waves):
    """About the signed distance to the border between the texture's two colours; one period is 1."""
    tau = 2 * np.pi

    def off_centre(z):
        return np.abs(z % 1 - 0.5)  # 0 in the middle of a cell, 0.5 at its border

    def stripes(z):
        return np.sin(tau * z) / tau

    if name == "stripes":
        return stripes(x)
    if name == "checks":
        return np.sin(tau * x / 2) * np.sin(tau * y / 2) / np.pi
    if name == "dots":
        return 0.3 - np.sqrt(off_centre(x) ** 2 + off_centre(y) ** 2)
    if name == "grid":
        return np.maximum(off_centre(x), off_centre(y)) - 0.36
    if name == "waves":
        return stripes(x + 0.3 * np.sin(tau * y / 2.5))
    if name == "zigzag":
        return stripes(x + 2 * np.abs((y / 2) % 1 - 0.5)) / 1.4
    if name == "circles":
        return stripes(np.sqrt(x * x + y * y))
    if name == "bricks":
        x = x / 2 + np.floor(y) / 2  # two periods long, every row half a brick further
        return np.maximum(off_centre(y) - 0.38, 2 * (off_centre(x) - 0.44))
    if name == "honeycomb":
        # the cells' centres form two rectangular grids; the nearer centre is the cell's own
        height = 3**0.5
        first = _hexagon(off_centre(x + 0.5), height * off_centre(y / height + 0.5))
        second = _hexagon(off_centre(x), height * off_centre(y / height))
        return 0.38 - np.minimum(first, second)
    # clouds: six waves of one length in random directions
    turns = [np.cos(tau * (0.5 * (x * np.cos(tau * w) + y * np.sin(tau * w)) + 7 * w)) for w in waves]
    return sum(turns) / tau
