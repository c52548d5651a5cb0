"""What is worn on the head. The origin is the middle of the head."""

from __future__ import annotations

import random

from drawing.brush import Brush, curve, ellipse, ribbon, smooth
from drawing.face import EYE_X, EYE_Y
from drawing.palette import CLOTH, HAIR, STRAW, Tone, mix
from scene import Character


class Accessories:
    """Draws ears, glasses, hats and bows in the three layers where they belong."""

    def __init__(self, brush: Brush, character: Character, rng: random.Random):
        self.brush = brush
        self.who = character
        self.side = rng.choice((-1, 1))
        self.twitch = rng.uniform(-5, 5), rng.uniform(-5, 5)

    def behind(self) -> None:
        """The far half of a brim."""
        hat = self.who.hat
        if hat and hat.kind == "straw_hat":
            self.brush.shape(ellipse(0, -34, 60, 17), self._darker(STRAW), light=(0, 0))
        if hat and hat.kind == "witch_hat":
            self.brush.shape(
                ellipse(0, -36, 60, 16), self._darker(CLOTH[hat.color or "black"]), light=(0, 0)
            )

    def ears(self) -> None:
        """Cat ears: behind the cap of hair, before everything tied."""
        if self.who.accessory("cat_ears"):
            for side, twitch in zip((-1, 1), self.twitch, strict=True):
                with self.brush.placed(28.5 * side, -46.5, flip=side < 0, turn=twitch):
                    self._cat_ear(side)

    def on_face(self) -> None:
        """Glasses, which sit under the bangs."""
        if not self.who.accessory("glasses"):
            return
        brush, frame = self.brush, 0x5A2436
        for side in (-1, 1):
            lens = ellipse(EYE_X * side, EYE_Y + 0.5, 17, 16.5)
            if brush.shaded:
                with brush.inside(lens):
                    x = EYE_X * side
                    glare = curve((x + 5, -6), (x + 11, -6), (x + 1, 34), (x - 5, 34))
                    brush.fill(glare, 0xFFFFFF, 0.2)
            brush.stroke(lens, frame, 2.3)
            brush.ink([((EYE_X + 16.5) * side, 10), (41 * side, 7), (46 * side, 6)], frame, 2.4)
        brush.stroke(smooth([(-3.2, 11), (0, 9.2), (3.2, 11)], closed=False), frame, 2.1)

    def on_top(self) -> None:
        """Hats and bows, over the hair."""
        hat = self.who.hat
        if hat:
            getattr(self, f"_{hat.kind}")(CLOTH[hat.color] if hat.color else STRAW)
        bow = self.who.accessory("hair_bow")
        if bow:
            with self.brush.placed(25 * self.side, -50, turn=18 * self.side):
                self._bow(CLOTH[bow.color or "red"])

    def _darker(self, tone: Tone) -> Tone:
        return Tone(tone.shade, tone.shade, tone.base, tone.line)

    def _cat_ear(self, side: int) -> None:
        brush = self.brush
        tone = HAIR[self.who.hair_color]
        ear = curve((-17, 8), (-9, -20, 8, -37), (10, -38, 12, -36), (20, -14, 15, 18))
        brush.shape(ear, tone, light=(-2.5 * side, -1.5))
        inner = mix(0xFFB3BC, brush.tone(tone).base, 0.12)
        brush.fill(curve((-9, 6), (-3, -15, 8, -28), (14, -10, 13, 12)), inner)
        if brush.shaded:
            brush.fill(
                curve((6, 12), (12, -8, 8, -28), (14, -10, 13, 12)), mix(inner, 0xC04868, 0.4)
            )
        tuft = curve((-10, 12), (-8, -6), (-4, 2), (0, -9), (3, 1), (8, -4), (10, 14))
        brush.fill(tuft, brush.tone(tone).base)

    def _bow(self, tone: Tone) -> None:
        brush = self.brush
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                brush.shape(
                    curve((0, 0), (12, 6, 15, 17), (9, 14), (5, 18), (-2, 4)),
                    self._darker(tone),
                    light=(0, 0),
                )
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                loop = smooth([(0, -1), (9, -11), (20, -13), (23, -2), (20, 9), (9, 6)])
                brush.shape(loop, tone, light=(-2.5 * side, -2.5))
                brush.ink([(3, -1), (9, -3), (15, -4)], brush.tone(tone).line, 1.4, 0.8)
                brush.ink([(3, 1), (8, 3), (13, 4)], brush.tone(tone).line, 1.2, 0.7)
        brush.shape(smooth([(-5, -6), (5, -6), (6, 5), (-6, 5)]), tone, light=(-1.5, -1.5))

    def _beret(self, tone: Tone) -> None:
        brush = self.brush
        with brush.placed(5 * self.side, -42, turn=9 * self.side):
            body = smooth(
                [(-46, 8), (-54, -8), (-34, -27), (0, -33), (36, -27), (54, -8), (45, 8), (0, -1)]
            )
            brush.shape(body, tone, light=(-5, -4))
            band = ribbon([(-44, 9), (-22, 1.5), (0, -0.5), (22, 1.5), (44, 9)], [6, 7, 7, 7, 6])
            brush.shape(band, self._darker(tone), light=(0, 0), line=1.4)
            brush.shape(
                ribbon([(0, -30), (1, -36), (5, -40)], [4.5, 4, 3.6]), tone, light=(-1, 0), line=1.5
            )
            if brush.shaded:
                with brush.placed(-22, -17, turn=-28):
                    brush.fill(ellipse(0, 0, 12, 4), brush.tone(tone).light, 0.55)

    def _witch_hat(self, tone: Tone) -> None:
        brush, s = self.brush, self.side
        brim = curve(
            (-61, -31),
            (-56, -46, -36, -44),
            (0, -52, 36, -44),
            (56, -46, 61, -31),
            (40, -24, 0, -31),
            (-40, -24, -61, -31),
        )
        brush.shape(brim, tone, light=(-3, -3))
        cone = smooth(
            [
                (-45, -40),
                (-25, -66),
                (-8 + 4 * s, -84),
                (14 * s, -91),
                (27 * s, -83),
                (17 * s + 4, -78),
                (24, -66),
                (45, -40),
                (0, -35),
            ]
        )
        brush.shape(cone, tone, light=(-5, -1))
        brush.ink([(-8, -73), (2, -70), (10, -72)], brush.tone(tone).line, 1.6, 0.8)
        band_tone = (
            CLOTH["yellow"] if self.who.hat and self.who.hat.color != "yellow" else CLOTH["purple"]
        )
        band = ribbon(
            [(-41, -44), (-20, -38.5), (0, -37), (20, -38.5), (41, -44)], [8, 8.5, 9, 8.5, 8]
        )
        brush.shape(band, band_tone, light=(-2, -1.5), line=1.5)
        brush.stroke(
            curve((-6, -43), (6, -43), (6, -31), (-6, -31)), brush.tone(band_tone).line, 2.0
        )

    def _straw_hat(self, tone: Tone) -> None:
        brush = self.brush
        crown = curve(
            (-37, -36),
            (-40, -74, -20, -78, 0, -78),
            (20, -78, 40, -74, 37, -36),
            (0, -28, -37, -36),
        )
        brush.shape(crown, tone, light=(-5, -3))
        lines = brush.tone(tone).shade
        with brush.inside(crown):
            for y in (-70, -62, -54):
                brush.stroke(
                    smooth([(-42, y + 3), (0, y + 8), (42, y + 3)], closed=False), lines, 1.1
                )
        ribbon_tone = CLOTH["red"] if self.who.hair_color != "red_hair" else CLOTH["blue"]
        band = ribbon(
            [(-38, -44), (-19, -39), (0, -37.5), (19, -39), (38, -44)], [10, 10.5, 11, 10.5, 10]
        )
        brush.shape(band, ribbon_tone, light=(-3, -2), line=1.5)
        brim = curve(
            (-61, -34),
            (-54, -45, -37, -40),
            (0, -30, 37, -40),
            (54, -45, 61, -34),
            (55, -20, 0, -19),
            (-55, -20, -61, -34),
        )
        brush.shape(brim, tone, light=(-2, -3.5))
        with brush.inside(brim):
            for dy in (4, 9):
                brush.stroke(
                    smooth(
                        [
                            (-66, -40 + dy),
                            (-36, -34 + dy),
                            (0, -30 + dy),
                            (36, -34 + dy),
                            (66, -40 + dy),
                        ],
                        closed=False,
                    ),
                    lines,
                    1.1,
                )
