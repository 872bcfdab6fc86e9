"""Generated colour images of ten shapes or ten textures: anti-aliased, seeded, the same in every process.

Image i of a split depends only on the seed, the split and i, never on how many images are asked for, and
it shows the same scene at every size. (Another version of NumPy may round a pixel's last bit differently.)
Edges are smooth because each shape is a signed distance (in pixels, negative inside):
`clip(0.5 - distance, 0, 1)` is the share of a pixel that the shape covers.
"""

from collections.abc import Sequence

import numpy as np

from .textures import TEXTURES, pattern_by_kind, pixel_grid, turned

SHAPES = ("circle", "ring", "square", "triangle", "star", "cross", "heart", "moon", "arrow", "bow tie")
CLASSES = {"shapes": SHAPES, "textures": TEXTURES}
# What can be set in each domain, with its usual value. All are amounts between 0 and 1.
OPTIONS = {
    "shapes": {"texture": 0.5, "pose": 0.5, "occlusion": 0.0, "noise": 0.05, "contrast": 0.5},
    "textures": {"pose": 0.5, "noise": 0.05, "contrast": 0.5},
}
VERSION = 1  # goes up when the same seed gives other images
_CHUNK = 2**17  # pixels drawn at once (128 images of 32x32): few enough for the processor's cache

# The random numbers of one scene, uniform in [0, 1), in the order in which they are drawn. Append only.
_DRAWS = (
    *("x", "y", "radius", "angle", "lighter", "lightness", "hue", "object_hue", "light"),
    *("pattern", "pattern_angle", "period", "phase_p", "phase_q", "second_hue"),
    *("band_angle", "band_offset", "band_width", "band_hue"),
    *(f"wave{k}" for k in range(6)),
)


def generate(
    count: int, *, domain: str, classes: Sequence[str], size: int, seed: int, split: int, **amounts: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw `count` images of the named classes, in turn equally often.

    Args:
        count: number of images.
        domain: "shapes" or "textures".
        classes: names from `CLASSES[domain]`; a label is the position in this list.
        size: height and width in pixels.
        seed, split: two non-negative integers; each pair has its own images.
        amounts: every entry of `OPTIONS[domain]`.

    Returns:
        Images float32 (N, size, size, 3) in [0, 1], labels int64 (N,), and boxes int64 (N, 4): top, left,
        bottom, right of the shape in pixels (the whole image for a texture).

    >>> images, labels, boxes = generate(
    ...     20, domain="shapes", classes=SHAPES, size=32, seed=0, split=0, **OPTIONS["shapes"])
    >>> images.shape, boxes.shape, sorted(labels[:10].tolist())
    ((20, 32, 32, 3), (20, 4), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    images = np.empty((count, size, size, 3), "float32")
    boxes = np.empty((count, 4), "int64")
    labels = _labels(count, len(classes), seed, split)
    kinds = np.array([CLASSES[domain].index(name) for name in classes])[labels]
    draw = _draw_shapes if domain == "shapes" else _draw_textures
    noise = amounts.pop("noise")
    step = max(1, _CHUNK // size**2)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        scene, grain = _scene(range(part.start, part.stop), size, seed, split, noise)
        images[part], boxes[part] = draw(kinds[part], scene, size, **amounts)
        images[part] += grain
    return np.clip(images, 0, 1, out=images), labels, boxes


def _labels(count: int, classes: int, seed: int, split: int) -> np.ndarray:
    """Labels in blocks: each block of `classes` images holds every class once, in a random order."""
    rounds = -(-count // classes)
    order = [np.random.default_rng([seed, split, k, 1]).random(classes).argsort() for k in range(rounds)]
    return np.concatenate(order)[:count].astype("int64")


def _scene(indices: range, size: int, seed: int, split: int, noise: float):
    """The random numbers of each image, by name with shape (N, 1, 1), and its noise (N, size, size, 3)."""
    draws = np.empty((len(indices), len(_DRAWS)), "float32")
    grain = np.zeros((len(indices), size, size, 3), "float32")
    for row, index in enumerate(indices):
        rng = np.random.default_rng([seed, split, index])
        draws[row] = rng.random(len(_DRAWS))
        if noise:
            grain[row] = rng.standard_normal((size, size, 3), "float32")
    return {name: draws[:, k, None, None] for k, name in enumerate(_DRAWS)}, grain * np.float32(noise)


def _draw_shapes(kinds, scene, size, texture, pose, occlusion, contrast):
    y, x = pixel_grid(size)  # (size, 1) and (1, size), from -1 to 1
    radius = 0.62 + pose * (0.48 * scene["radius"] - 0.28)  # of the half image: 0.34 to 0.82 at pose 1
    room = 0.97 - radius  # the shape stays in the image
    x, y = x - pose * room * (2 * scene["x"] - 1), y - pose * room * (2 * scene["y"] - 1)
    u, v = turned(x / radius, y / radius, pose * np.pi * (2 * scene["angle"] - 1))
    distance = np.empty(u.shape, "float32")
    for kind in np.unique(kinds):
        chosen = kinds == kind
        distance[chosen] = _distance(SHAPES[kind], u[chosen], v[chosen])
    to_pixels = size / 2
    cover = np.clip(0.5 - distance * radius * to_pixels, 0, 1)

    light, dark, gap = _two_lightnesses(scene, contrast)
    pattern = pattern_by_kind((scene["pattern"][:, 0, 0] * len(TEXTURES)).astype(int), scene, size, turn=1.0)
    sheen = 0.2 * texture * (np.cos(6.28 * scene["light"]) * u + np.sin(6.28 * scene["light"]) * v)
    ground = dark + 0.3 * texture * gap * (2 * pattern - 1) * np.sign(0.5 - scene["lighter"])
    hue = scene["hue"] + 0.12 * texture * pattern * (scene["second_hue"] - 0.5)
    paint = _rgb(scene["hue"] + 0.25 + 0.5 * scene["object_hue"], 0.75, light + gap * sheen)
    image = _over(paint, cover, _rgb(hue, 0.55, ground))
    if occlusion:
        # A band across the image through the shape; it hides at most the share `occlusion` of its diameter.
        angle = np.pi * scene["band_angle"]
        across = x * np.cos(angle) + y * np.sin(angle) - radius * 0.8 * (scene["band_offset"] - 0.5)
        half = occlusion * radius * (0.5 + 0.5 * scene["band_width"])
        band = np.clip(0.5 - (np.abs(across) - half) * to_pixels, 0, 1)
        image = _over(_rgb(scene["hue"] + scene["band_hue"], 0.4, (light + dark) / 2), band, image)
    return image, _boxes(cover > 0)


def _draw_textures(kinds, scene, size, pose, contrast):
    light, dark, _ = _two_lightnesses(scene, contrast)
    pattern = pattern_by_kind(kinds, scene, size, turn=pose)
    paint = _rgb(scene["hue"] + 0.15 + 0.7 * scene["object_hue"], 0.6, light)
    image = _over(paint, pattern, _rgb(scene["hue"], 0.6, dark))
    return image, np.array([0, 0, size, size])


def _over(colour, cover, image):
    """`colour` laid over `image` where `cover` is 1."""
    return image + cover[..., None] * (colour - image)


def _two_lightnesses(scene, contrast):
    """Lightness of object and of background: `contrast` apart, and either may be the lighter one."""
    gap = np.float32(min(contrast, 0.84))
    middle = 0.08 + gap / 2 + (0.84 - gap) * scene["lightness"]
    sign = np.where(scene["lighter"] < 0.5, 1, -1).astype("float32")
    return middle + sign * gap / 2, middle - sign * gap / 2, gap


def _rgb(hue, saturation, lightness):
    """HSL to RGB (hue 1.0 is a full turn): arrays (N, H, W) or (N, 1, 1) to the same with three channels."""
    lightness = np.clip(lightness, 0, 1)
    chroma = saturation * np.minimum(lightness, 1 - lightness)
    k = (12 * hue[..., None] + np.array([0, 8, 4], "float32")) % 12
    return lightness[..., None] - chroma[..., None] * np.clip(np.minimum(k - 3, 9 - k), -1, 1)


def _boxes(inside):
    """Smallest boxes (N, 4) of the true pixels of (N, H, W): top, left, and, exclusive, bottom, right."""
    rows, columns = inside.any(2), inside.any(1)
    ends = inside.shape[1] - rows[:, ::-1].argmax(1), inside.shape[2] - columns[:, ::-1].argmax(1)
    return np.stack([rows.argmax(1), columns.argmax(1), *ends], axis=1)


# ---- the ten shapes: signed distances in a circle of radius 1, y downwards


def _polygon_points(radii, start=-90.0):
    """Corners at equal angles (degrees, clockwise from `start`; -90 is up) with the given radii."""
    angles = np.radians(start + 360 * np.arange(len(radii)) / len(radii))
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _heart_points():
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([16 * np.sin(t) ** 3, y - 2.5], axis=1) / 16.5


def _mirrored(right):
    """The right half's corners, clockwise from the top, then the mirror images of those off the axis."""
    return np.array([*right, *((-x, y) for x, y in reversed(right) if x)])


_A = 0.31  # half the width of an arm of the cross
POLYGONS = {
    "square": _polygon_points(np.ones(4), start=-45),
    "triangle": _polygon_points(np.ones(3)),
    "star": _polygon_points(np.tile([1.0, 0.42], 5)),
    "cross": _mirrored([(_A, -0.95), (_A, -_A), (0.95, -_A), (0.95, _A), (_A, _A), (_A, 0.95)]),
    "heart": _heart_points(),
    "arrow": _mirrored([(0, -1), (0.75, -0.2), (0.28, -0.2), (0.28, 0.95)]),
    "bow tie": _mirrored([(0, -0.14), (0.9, -0.62), (0.9, 0.62), (0, 0.14)]),
}


def _distance(name, x, y):
    """Signed distance of the points (x, y) to the named shape, negative inside."""
    from_centre = np.sqrt(x * x + y * y)
    if name == "circle":
        return from_centre - 0.88
    if name == "ring":
        return np.abs(from_centre - 0.7) - 0.22
    if name == "moon":
        return np.maximum(from_centre - 0.95, 0.75 - np.sqrt((x - 0.42) ** 2 + y * y))
    return _polygon_distance(POLYGONS[name], x, y)


def _polygon_distance(points, x, y):
    """Distance to the nearest edge; the sign flips at every edge that a ray to the right crosses."""
    points = points.astype("float32")
    nearest = np.full(x.shape, np.inf, "float32")
    outside = np.ones(x.shape, bool)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0), strict=True):
        ex, ey, px, py = bx - ax, by - ay, x - ax, y - ay
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, (px - along * ex) ** 2 + (py - along * ey) ** 2)
        if ey:
            outside ^= ((ay > y) != (by > y)) & (px < py * (ex / ey))
    return np.sqrt(nearest) * np.where(outside, 1, -1)
