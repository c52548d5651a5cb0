"""Pictures: their size, that they repeat, and that colours are where the scene says."""

import dataclasses
import random

import numpy as np
import pytest

from renderer import render
from scene import Character, Scene, sample_scene

GIRL = Character(
    name=None, gender="1girl", hair_color="blue_hair", hair_style="long_hair",
    eye_color="green_eyes", skin="fair_skin", clothing="dress", clothing_color="red",
    expression="smile", accessories=(), position="left", pose="arms_behind_back",
)  # fmt: skip
BOY = dataclasses.replace(
    GIRL, gender="1boy", hair_color="orange_hair", hair_style="short_hair", clothing="hoodie",
    clothing_color="green", position="right",
)  # fmt: skip
PAIR = Scene((GIRL, BOY), "white_background", "anime_style", None, "full_body")


@pytest.mark.parametrize(("width", "height"), [(256, 256), (320, 192), (192, 320)])
def test_the_picture_has_the_size_asked_for(width, height):
    picture = render(PAIR, width, height, 1)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_a_seed_repeats_and_another_differs():
    assert np.array_equal(render(PAIR, 256, 256, 3), render(PAIR, 256, 256, 3))
    assert not np.array_equal(render(PAIR, 256, 256, 3), render(PAIR, 256, 256, 4))


def colors_of(picture):
    """The colourful pixels, as rows of RGB: neither outline nor white."""
    figure = picture.reshape(-1, 3).astype(int)
    return figure[np.ptp(figure, axis=1) > 60]


@pytest.mark.parametrize("seed", range(5))
def test_colours_lie_at_the_character_that_has_them(seed):
    picture = render(PAIR, 256, 256, seed)
    top, chest = slice(40, 110), slice(170, 215)
    left, right = slice(0, 128), slice(128, 256)
    # Blue hair and a red dress on the left, orange hair and a green hoodie on the right.
    assert np.median(colors_of(picture[top, left]), axis=0).argmax() == 2
    assert np.median(colors_of(picture[top, right]), axis=0).argmax() == 0
    red = colors_of(picture[chest, 45:87])
    green = colors_of(picture[chest, 170:212])
    assert (red.argmax(axis=1) == 0).mean() > 0.8
    assert (green.argmax(axis=1) == 1).mean() > 0.6


def test_monochrome_has_no_colour():
    scene = dataclasses.replace(PAIR, style="monochrome")
    picture = render(scene, 256, 256, 0)
    assert np.ptp(picture, axis=2).max() == 0


def test_every_sampled_scene_can_be_drawn():
    rng = random.Random(11)
    for seed in range(150):
        render(sample_scene(rng), 128, 128, seed)


@pytest.mark.parametrize(("width", "height"), [(256, 256), (320, 192)])
def test_marks_lie_on_the_eyes_and_around_the_heads(width, height):
    marks = []
    scene = dataclasses.replace(PAIR, characters=(GIRL, dataclasses.replace(BOY, eye_color="red_eyes")))
    picture = render(scene, width, height, 2, marks).astype(int)
    assert len(marks) == 6
    for eyes, channel in ((marks[0:2], 1), (marks[3:5], 0)):
        for x, y, radius in eyes:
            reach = int(radius * 0.5)
            iris = picture[int(y) - reach : int(y) + reach, int(x) - reach : int(x) + reach]
            colors = iris.reshape(-1, 3)
            colors = colors[np.ptp(colors, axis=1) > 60]
            # Green eyes on the left, red ones on the right.
            assert np.median(colors, axis=0).argmax() == channel
    for eyes, (x, y, radius) in ((marks[0:2], marks[2]), (marks[3:5], marks[5])):
        assert all(np.hypot(eye[0] - x, eye[1] - y) < radius for eye in eyes)
