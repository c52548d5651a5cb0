"""The face: eyes first, then brows, nose, mouth and blush. The origin is the middle of the head."""

from __future__ import annotations

import random

import skia

from drawing.brush import Brush, curve, ellipse, ribbon, smooth
from drawing.palette import EYES, HAIR, SKIN, mix
from scene import Character

EYE_X, EYE_Y = 19.5, 14.0
MOUTH_Y = 35.0
MOUTH_RED, TONGUE, LIP = 0x9C2F38, 0xF08A8C, 0x8A3A38
BLUSH = 0xFF5E6C


class Face:
    """Draws one face; what is left of the eyes after the expression has its say."""

    def __init__(self, brush: Brush, character: Character, rng: random.Random):
        self.brush = brush
        self.who = character
        self.boy = character.gender == "1boy"
        self.skin = brush.tone(SKIN[character.skin])
        self.hair = brush.tone(HAIR[character.hair_color])
        self.eye_size = rng.uniform(0.96, 1.06)
        self.wink_side = rng.choice((-1, 1))
        self.look = rng.uniform(-1.2, 1.2), rng.uniform(-0.4, 0.8)
        self.mouth_size = rng.uniform(0.9, 1.15)
        self.fang = rng.random() < 0.25
        self.cheeks = rng.uniform(0.22, 0.36)
        self.lash = mix(0x2A1822, self.hair.line, 0.45)
        if character.hair_color in ("white_hair", "blonde_hair"):
            self.lash = mix(0x4A2A28, self.hair.line, 0.35)

    def outline(self) -> skia.Path:
        """The head without hair, down to the chin."""
        return curve(
            (-42, -8),
            (-43, 20, -35, 35, -15, 43.5),
            (-7, 47, 7, 47, 15, 43.5),
            (35, 35, 43, 20, 42, -8),
            (42, -58, -42, -58, -42, -8),
        )

    def skin_and_ears(self, ears: bool) -> None:
        """The bare head."""
        tone = SKIN[self.who.skin]
        if ears:
            for side in (-1, 1):
                with self.brush.placed(42 * side, 13, flip=side < 0, turn=-8 * side):
                    self.brush.shape(ellipse(1, 0, 6.5, 9), tone, light=(-2, -1.5))
                    self.brush.fill(ellipse(2, 1, 3, 5), self.skin.shade)
        self.brush.shape(self.outline(), tone, light=(-2.5, -2.5))

    def features(self) -> None:
        """Everything on the face, under the bangs."""
        self._blush()
        for side in (-1, 1):
            closed = self.who.expression == "closed_eyes" or (
                self.who.expression == "wink" and side == self.wink_side
            )
            with self.brush.placed(EYE_X * side, EYE_Y, flip=side < 0):
                if closed:
                    self._closed_eye()
                else:
                    self._eye(side)
        self._nose()
        self._mouth()

    def _blush(self) -> None:
        """Cheeks: soft and wide. What is small and bright would be overdone by strong guidance."""
        brush = self.brush
        strong = self.who.expression == "blush"
        alpha = 0.5 if strong else self.cheeks
        alpha *= 1.3 if self.who.skin == "dark_skin" else 1
        for side in (-1, 1):
            x, y = 28.5 * side, 29.5
            if strong:
                brush.fill(ellipse(x, y - 0.5, 11, 6.5), BLUSH, alpha, blur=3.4)
            else:
                brush.fill(ellipse(x, y, 7.5, 4), BLUSH, alpha, blur=2.2)
        if strong:
            brush.fill(ellipse(0, 25.5, 10, 3), BLUSH, 0.2, blur=2.6)

    def _eye(self, side: int) -> None:
        """One open eye; x grows outwards."""
        brush = self.brush
        expression = self.who.expression
        w = 11.0 * self.eye_size
        h = (12.0 if self.boy else 13.8) * self.eye_size
        iris = 1.0
        inner_lid = outer_lid = 0.0
        if expression == "surprised":
            h *= 1.1
            iris = 0.74
        elif expression == "sad":
            outer_lid = 5.5
        elif expression == "angry":
            inner_lid = 6.5
        elif expression == "blush":
            outer_lid = 1.5
        top_in, top_out = -h * 0.72 + inner_lid, -h * 0.62 + outer_lid
        peak = -h + max(inner_lid, outer_lid) * 0.55
        white = curve(
            (-w * 0.86, top_in + 3),
            (-w * 0.7, peak + 1, -w * 0.3, peak, w * 0.1, peak),
            (w * 0.6, peak, w * 0.98, top_out, w, top_out + 6),
            (w * 0.98, h * 0.6, w * 0.6, h, 0, h),
            (-w * 0.6, h, -w * 0.95, h * 0.5, -w * 0.86, top_in + 3),
        )
        brush.fill(white, 0xFDFCFF)
        with brush.inside(white):
            self._iris(side, w, h, iris)
            if brush.shaded:
                brush.fill(
                    ribbon([(-w, peak + 1), (0, peak - 0.5), (w, top_out + 1)], [6, 7, 8]),
                    0x3A2850,
                    0.28,
                )
        self._lashes(w, h, peak, top_in, top_out)

    def _iris(self, side: int, w: float, h: float, size: float) -> None:
        brush = self.brush
        top, middle, bottom = EYES[self.who.eye_color]
        x, y = self.look[0] * side - 0.5, self.look[1] + 0.6
        rx, ry = w * 0.81 * size, h * 0.9 * size
        disc = ellipse(x, y, rx, ry)
        if brush.shaded:
            brush.gradient(disc, (x, y - ry), (x, y + ry), (top, middle, bottom), (0.08, 0.5, 1))
            with brush.inside(disc):
                brush.fill(ellipse(x, y + ry * 0.78, rx * 0.74, ry * 0.4), bottom, 0.75, blur=1)
        else:
            brush.fill(disc, middle)
        brush.stroke(ellipse(x, y, rx - 0.3, ry - 0.3), mix(top, 0x100818, 0.35), 1.3)
        brush.fill(ellipse(x, y - ry * 0.02, rx * 0.4, ry * 0.42), mix(top, 0x0A0410, 0.6))
        # The same light falls on both eyes, so the highlights are not mirrored with them.
        lit = -1 if side > 0 else 1
        shine = max(size, 0.85)
        brush.fill(ellipse(x + lit * rx * 0.36, y - ry * 0.4, 3.3 * shine, 4.1 * shine), 0xFFFFFF)
        brush.fill(
            ellipse(x - lit * rx * 0.42, y + ry * 0.42, 1.8 * shine, 2.0 * shine), 0xFFFFFF, 0.95
        )

    def _lashes(self, w: float, h: float, peak: float, top_in: float, top_out: float) -> None:
        brush = self.brush
        thick = 2.8 if self.boy else 3.7
        lid = [
            (-w * 0.95, top_in + 4),
            (-w * 0.62, (peak + top_in) / 2 + 0.6),
            (0, peak),
            (w * 0.65, (peak + top_out) / 2),
            (w * 1.0, top_out + 4),
        ]
        if self.boy:
            brush.fill(
                ribbon([*lid, (w * 1.05, top_out + 7)], [0.6, 2.2, thick, thick, 2.4, 0.5]),
                self.lash,
            )
        else:
            crease = [
                (-w * 0.55, peak - 2.4),
                (w * 0.1, peak - 4.2),
                (w * 0.75, (peak + top_out) / 2 - 3.4),
            ]
            brush.ink(crease, self.skin.line, 1.1, 0.6)
            flick = (w * 1.3, top_out + 2.8)
            brush.fill(
                ribbon([*lid, (w * 1.05, top_out + 9)], [0.8, 2.8, thick, thick + 0.3, 3.4, 0.6]),
                self.lash,
            )
            brush.fill(
                ribbon([lid[3], (w * 1.02, top_out + 2.2), flick], [2.0, 2.8, 0.2]), self.lash
            )
            brush.fill(
                ribbon(
                    [(w * 0.35, peak + 0.3), (w * 1.0, top_out - 1.6), (w * 1.2, top_out - 2.2)],
                    [2, 2.2, 0.2],
                ),
                self.lash,
            )
        brush.ink(
            [(-w * 0.25, h - 0.2), (w * 0.3, h - 0.3), (w * 0.8, h * 0.72)], self.lash, 1.2, 0.75
        )

    def _closed_eye(self) -> None:
        brush = self.brush
        w = 10.5 * self.eye_size
        arc = [(-w, 6), (-w * 0.6, -0.5), (0, -2.8), (w * 0.62, -0.5), (w * 1.05, 6.5)]
        brush.fill(ribbon(arc, [1.0, 3.2, 3.6, 3.4, 1.0]), self.lash)
        if not self.boy:
            brush.fill(
                ribbon([(w * 0.6, 0), (w * 1.0, 0.8), (w * 1.25, 0)], [2, 2.2, 0.2]), self.lash
            )
            brush.fill(ribbon([(w * 0.8, 2), (w * 1.12, 4), (w * 1.34, 4)], [2, 2, 0.2]), self.lash)

    def brows(self) -> None:
        """The brows, drawn over the bangs as anime does."""
        lift, slant = {
            "sad": (-1.5, -4.5),
            "angry": (3.2, 5.0),
            "surprised": (-5.0, 0.5),
            "blush": (-1.0, -3.6),
            "open_mouth": (-2.5, 0.6),
        }.get(self.who.expression, (0.0, 0.4))
        width = 3.0 if self.boy else 2.3
        y = -5.0 + lift
        for side in (-1, 1):
            with self.brush.placed(EYE_X * side, 0, flip=side < 0):
                points = [(-8, y + slant), (0, y - 1.8), (8, y + 1 - slant)]
                self.brush.fill(
                    ribbon(points, [width, width, 0.4]),
                    mix(self.hair.line, self.hair.shade, 0.2),
                    0.9,
                )

    def _nose(self) -> None:
        self.brush.fill(ellipse(0.4, 27, 1.5, 0.9), self.skin.line, 0.65)

    def _mouth(self) -> None:
        brush = self.brush
        with brush.placed(0, MOUTH_Y, scale=self.mouth_size):
            match self.who.expression:
                case "open_mouth":
                    self._open_mouth(7.5, 8.2)
                case "surprised":
                    mouth = ellipse(0, 1.4, 3.3, 4.2)
                    brush.fill(mouth, MOUTH_RED)
                    brush.stroke(mouth, LIP, 1.2)
                case "sad":
                    brush.fill(
                        ribbon(
                            [(-6, 2.6), (-3, -0.4), (0, -1.2), (3, -0.4), (6, 2.6)],
                            [0.6, 1.7, 2, 1.7, 0.6],
                        ),
                        LIP,
                    )
                case "angry":
                    brush.fill(
                        ribbon(
                            [(-6.5, 2), (-3.4, -1.2), (0, 0), (3.4, -1.2), (6.5, 2)],
                            [0.8, 2, 2, 2, 0.8],
                        ),
                        LIP,
                    )
                case "blush":
                    wave = [(-6, 1.2), (-3, -1.3), (0, 0.2), (3, 1.7), (6, -0.6)]
                    brush.fill(ribbon(wave, [0.8, 1.9, 2.1, 1.9, 0.8]), LIP)
                case "closed_eyes":
                    self._open_mouth(6, 6.2)
                case _:
                    brush.fill(
                        ribbon(
                            [(-6.4, -1.8), (-3.4, 0.9), (0, 1.9), (3.4, 0.9), (6.4, -1.8)],
                            [0.6, 1.7, 2.1, 1.7, 0.6],
                        ),
                        LIP,
                    )

    def _open_mouth(self, w: float, h: float) -> None:
        brush = self.brush
        mouth = curve(
            (-w, -2.6), (0, 0.2, w, -2.6), (w * 0.95, h - 2, 0, h - 2), (-w * 0.95, h - 2, -w, -2.6)
        )
        brush.fill(mouth, MOUTH_RED)
        with brush.inside(mouth):
            brush.fill(ellipse(0, h - 1.2, w * 0.62, h * 0.45), TONGUE)
            if self.fang:
                brush.fill(curve((w * 0.3, -2), (w * 0.72, -2), (w * 0.52, 1.8)), 0xFFFFFF)
        brush.stroke(mouth, LIP, 1.3)

    def tears(self) -> None:
        """A drop in the corner of a sad eye."""
        if self.who.expression != "sad":
            return
        for side in (-1, 1):
            with self.brush.placed(EYE_X * side, EYE_Y, flip=side < 0):
                drop = smooth([(7.5, 9), (10.5, 13.5), (8.6, 17), (5.6, 14.5)])
                self.brush.fill(drop, 0x8FD0F8, 0.95)
                self.brush.stroke(drop, 0x4A90D0, 0.9)
                self.brush.fill(ellipse(7.2, 13.2, 1, 1.3), 0xFFFFFF)
