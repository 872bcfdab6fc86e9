import pytest
from counting import counts, shapes, unallocated, weight_layers

from course_lib.architectures.allcnn import AllCNNC


# By layer arithmetic from the paper's table 2, and with the unpadded conv7 that its 6x6 maps need.
@pytest.mark.parametrize(("padding", "macs"), [("same", 281_174_016), ("valid", 270_798_336)])
def test_counts(padding, macs):
    assert counts(AllCNNC, padding=padding) == (1_369_738, 1_369_738, macs)
    assert weight_layers(unallocated(AllCNNC, padding=padding)) == 9


@pytest.mark.parametrize(("padding", "side"), [("same", 8), ("valid", 6)])
def test_stage_shapes(padding, side):
    names = ("conv2", "conv3", "conv5", "conv6", "conv7", "conv8", "conv9", "head_pool", "output")
    assert shapes(unallocated(AllCNNC, padding=padding), *names) == [
        (32, 32, 96),
        (16, 16, 96),
        (16, 16, 192),
        (8, 8, 192),
        (side, side, 192),
        (side, side, 192),
        (side, side, 10),
        (10,),
        (10,),
    ]


def test_image_sizes():
    assert unallocated(AllCNNC, input_shape=(9, 9, 3), padding="valid").output_shape == (None, 10)
    with pytest.raises(ValueError, match="too small.*at least 9.*padding='same'"):
        AllCNNC(input_shape=(9, 8, 3), padding="valid")
    model = unallocated(AllCNNC, input_shape=(None, None, 3), include_top=False)
    assert model.output_shape == (None, None, None, 192)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": -1}, "width must be a number above 0"),
        ({"padding": "both"}, "Unknown padding: 'both'"),
        ({"dropout": 1}, "dropout must be a number"),
        ({"input_dropout": "0.2"}, "input_dropout must be a number"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words):
        AllCNNC(**arguments)
