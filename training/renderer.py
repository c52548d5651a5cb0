"""Draws a scene.

`render(scene, width, height, seed)` gives the same picture for the same arguments. The seed decides
what no tag names: the tilt of the head, the shape of the strands, the length of the socks.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
import skia

from drawing.accessories import Accessories
from drawing.background import SIMPLE, Background
from drawing.body import Body
from drawing.brush import Brush, ellipse
from drawing.effects import draw_effect
from drawing.face import EYE_X, EYE_Y, Face
from drawing.hair import EARS_SHOW, Hair
from drawing.palette import SKIN
from scene import Character, Scene

# A figure's box in its own units: hats reach this high, twintails this far to each side.
FIGURE_HEIGHT = 236.0
BARE_HEIGHT = 216.0
FIGURE_HALF_WIDTH = 66.0
# Where the middle of the head is, and where the neck lets it turn.
HEAD_Y = -136.0
NECK_Y = -94.0
# Where a viewer looks, in the head's own units: each eye, and the head with what it wears.
EYE_RADIUS = 17.0
WHOLE_HEAD = (0.0, -16.0, 62.0)
# Share of the width at which a single character stands.
PLACE_OF_ONE = {"left": 0.28, "center": 0.5, "right": 0.72}
PLACE_OF_TWO = {"left": 0.258, "center": 0.5, "right": 0.742}
UPPER_BODY_ZOOM = 1.5
# A style that no prompt names: an adapter's (adapters.py).
NIGHT_LIGHT = "night_light"
LANTERN, LANTERN_HEART = 0xFFC861, 0xFFEDB8


def render(
    scene: Scene, width: int, height: int, seed: int, marks: list[tuple] | None = None
) -> np.ndarray:
    """The picture of a scene as uint8 RGB, shape [height, width, 3].

    To `marks` it adds, for each character, circles (x, y, radius) in pixels around both eyes and
    the head.
    """
    rng = random.Random(seed)
    pixels = np.empty((height, width, 4), np.uint8)
    surface = skia.Surface.MakeRasterDirect(
        skia.ImageInfo.Make(width, height, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType),
        pixels,
    )
    canvas = surface.getCanvas()
    canvas.clear(skia.ColorWHITE)
    flat = scene.style == "flat_color"
    pastel = scene.style == "pastel_colors"
    brush = Brush(
        canvas, shaded=not flat, line_width=1.2 if flat else 2.0, milk=0.3 if pastel else 0
    )

    scale = _scale(scene, width, height)
    ground = _ground(scene, height, scale)
    background = Background(brush, width, height, min(ground, height * 1.02), rng)
    background.draw(scene.background)
    if pastel and scene.background != "white_background":
        brush.fill(background.everything(), 0xFFFFFF, 0.35)
    if scene.effect:
        draw_effect(scene.effect, background, brush, rng, 9)
    lanterns = _lanterns(width, height, seed) if scene.style == NIGHT_LIGHT else []
    _draw_lanterns(brush, lanterns)

    places = PLACE_OF_ONE if len(scene.characters) == 1 else PLACE_OF_TWO
    for character in scene.characters:
        margin = min(width / 2, FIGURE_HALF_WIDTH * scale)
        x = min(max(width * places[character.position], margin), width - margin)
        x += rng.uniform(-2, 2) * scale
        # One seed for each figure, so that what one draws does not change the other.
        figure_rng = random.Random(rng.getrandbits(64))
        size = scale * figure_rng.uniform(0.96, 1.02)
        _shadow(brush, scene, x, ground, size)
        with brush.placed(x, ground, scale=size, turn=figure_rng.uniform(-1.3, 1.3)):
            _draw_character(brush, character, figure_rng, marks)
    surface.flushAndSubmit()
    picture = np.ascontiguousarray(pixels[:, :, :3])
    if scene.style == "watercolor":
        return _watercolor(picture, seed)
    if scene.style == "monochrome":
        return _monochrome(picture)
    if scene.style == NIGHT_LIGHT:
        return _night_light(picture, lanterns)
    return picture


def _scale(scene: Scene, width: int, height: int) -> float:
    """Pixels for a unit of the figure."""
    if scene.framing == "upper_body":
        return min(height / 256, width / 215) * UPPER_BODY_ZOOM
    room = width / 2.08 if len(scene.characters) == 2 else width * 0.66
    tallest = max(_height(character) for character in scene.characters)
    return min(height / (tallest + 14), room / (2 * FIGURE_HALF_WIDTH - 6))


def _height(character: Character) -> float:
    """How high a figure reaches, in its own units."""
    high_hair = character.hair_style in ("double_bun", "ponytail")
    on_top = any(a.kind != "glasses" for a in character.accessories)
    return FIGURE_HEIGHT if high_hair or on_top else BARE_HEIGHT


def _ground(scene: Scene, height: int, scale: float) -> float:
    """How far down the feet stand; below the picture where only the upper body shows."""
    if scene.framing == "upper_body":
        return height * 0.54 + 129 * scale
    spare = height - FIGURE_HEIGHT * scale
    return height - max(8 * scale, spare * 0.3)


def _shadow(brush: Brush, scene: Scene, x: float, ground: float, scale: float) -> None:
    if scene.framing == "full_body":
        color = 0x303060 if scene.background in SIMPLE else 0x202040
        brush.fill(ellipse(x, ground - scale, 34 * scale, 6 * scale), color, 0.22, blur=1.5 * scale)


def _draw_character(
    brush: Brush, character: Character, rng: random.Random, marks: list[tuple] | None
) -> None:
    body = Body(brush, character, rng)
    face = Face(brush, character, rng)
    hair = Hair(brush, character, rng)
    accessories = Accessories(brush, character, rng)
    tilt = rng.uniform(-4, 4)

    def head():
        return _Head(brush, tilt)

    with head():
        accessories.behind()
        hair.behind()
        accessories.ears()
    body.behind()
    body.main()
    with head():
        if marks is not None:
            marks += _marks(brush.canvas.getTotalMatrix())
        hair.over_body()
        face.skin_and_ears(ears=character.hair_style in EARS_SHOW)
        hair.shadow_on(face.outline(), brush.tone(SKIN[character.skin]).shade)
        face.features()
        accessories.on_face()
        hair.front()
        face.brows()
        face.tears()
        accessories.on_top()
    body.front()


def _marks(matrix: skia.Matrix) -> list[tuple]:
    """Circles around the eyes and the head, in pixels."""
    circles = [(-EYE_X, EYE_Y, EYE_RADIUS), (EYE_X, EYE_Y, EYE_RADIUS), WHOLE_HEAD]
    placed = [(matrix.mapXY(x, y), matrix.mapRadius(radius)) for x, y, radius in circles]
    return [(point.x(), point.y(), radius) for point, radius in placed]


class _Head:
    """The head's own coordinates, turned about the neck."""

    def __init__(self, brush: Brush, tilt: float):
        self.canvas = brush.canvas
        self.tilt = tilt

    def __enter__(self) -> None:
        self.canvas.save()
        self.canvas.rotate(self.tilt, 0, NECK_Y)
        self.canvas.translate(0, HEAD_Y)

    def __exit__(self, *_: object) -> None:
        self.canvas.restore()


def _watercolor(picture: np.ndarray, seed: int) -> np.ndarray:
    """Edges that wander a little, pigment that gathers at them, and paper that shows through."""
    noise = np.random.default_rng(seed)
    height, width = picture.shape[:2]

    def cloud(cells: int) -> np.ndarray:
        shape = (max(2, height // cells), max(2, width // cells))
        small = noise.standard_normal(shape).astype(np.float32)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    wet = cv2.remap(
        picture,
        columns + cloud(11) * 0.6,
        rows + cloud(11) * 0.6,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    soft = cv2.bilateralFilter(picture, 5, 30, 3).astype(np.float32)
    wet = 0.7 * wet + 0.3 * soft
    pigment = 1 + 0.07 * cloud(24) + 0.025 * cloud(3)
    result = 255 - (255 - wet) * pigment[:, :, None] * 0.88
    paper = np.array([255, 252, 246], np.float32) / 255
    return np.clip(result * paper, 0, 255).astype(np.uint8)


def _monochrome(picture: np.ndarray) -> np.ndarray:
    """Grey, lifted towards paper, with the lines kept dark."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    lifted = np.clip(0.06 + 0.94 * grey**0.7, 0, 1) * 255
    return cv2.cvtColor(lifted.astype(np.uint8), cv2.COLOR_GRAY2RGB)


def _lanterns(width: int, height: int, seed: int) -> list[tuple[float, float, float]]:
    """Where small lights hang, in the upper two thirds: (x, y, radius) in pixels."""
    rng = random.Random(seed)
    unit, columns = min(width, height) / 256, 7
    return [
        (
            width * (column + rng.uniform(0.2, 0.8)) / columns,
            height * rng.uniform(0.05, 0.6),
            rng.uniform(4.5, 7.5) * unit,
        )
        for column in range(columns)
    ]


def _draw_lanterns(brush: Brush, lanterns: list[tuple[float, float, float]]) -> None:
    for x, y, radius in lanterns:
        brush.glow(x, y, 2.4 * radius, LANTERN, 0.8)
        brush.fill(ellipse(x, y, radius, radius), LANTERN)
        brush.fill(ellipse(x, y, 0.6 * radius, 0.6 * radius), LANTERN_HEART)


def _night_light(picture: np.ndarray, lanterns: list[tuple[float, float, float]]) -> np.ndarray:
    """Night all around, and a warm light on what stands in the middle; what is bright glows."""
    height, width = picture.shape[:2]
    color = picture.astype(np.float32) / 255
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    across, down = columns / width - 0.5, rows / height - 0.52
    lit = 0.85 * np.exp(-((across / 0.42) ** 2) - (down / 0.46) ** 2)
    # Lanterns are lights themselves, but whoever stands before one is in its shadow.
    bright = np.clip(4 * (color.mean(axis=2) - 0.5), 0, 1)
    for x, y, radius in lanterns:
        far = ((columns - x) ** 2 + (rows - y) ** 2) / (1.5 * radius) ** 2
        lit = np.maximum(lit, bright * np.exp(-far))
    cold = color * np.array([0.2, 0.26, 0.5], np.float32) + np.array([0.015, 0.025, 0.08], np.float32)
    warm = color * np.array([1.08, 0.9, 0.64], np.float32)
    result = cold + (warm - cold) * lit[:, :, None]
    glow = cv2.GaussianBlur(np.clip(result - 0.5, 0, 1), (0, 0), min(width, height) / 40)
    result = result + 0.5 * glow * np.array([1.0, 0.85, 0.6], np.float32)
    return (255 * np.clip(result, 0, 1)).round().astype(np.uint8)
