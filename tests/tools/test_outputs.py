"""What is kept of a notebook's outputs."""

import base64
import io

import numpy as np
from PIL import Image

from course_tools.outputs import small_picture


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _pixels(png: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), dtype=int)


def test_a_photograph_takes_less_than_half_the_bytes_and_looks_the_same():
    from course_lib.datasets import photographs

    photo = (255 * photographs()["china"]).astype("uint8")
    png = _png(photo)
    small = small_picture(png)
    assert len(small) < len(png) / 2
    assert np.abs(_pixels(small) - photo).mean() < 5  # of 255
    assert small_picture(png) == small  # the same bytes every time


def test_a_picture_of_few_colours_stays_exact():
    drawn = np.zeros((40, 60, 3), "uint8")
    drawn[10:20] = (0, 114, 178)
    assert (_pixels(small_picture(_png(drawn))) == drawn).all()
