"""Where the characters stand. Drawn in pixels of the picture; `u` is one unit of a figure."""

from __future__ import annotations

import math
import random

import skia

from drawing.brush import Brush, curve, ellipse, polygon, ribbon, smooth
from drawing.palette import Color, mix

SIMPLE = {
    "white_background": 0xFFFFFF,
    "grey_background": 0xC6C9D2,
    "pink_background": 0xFBCBD8,
    "blue_background": 0xB4DAF6,
    "green_background": 0xC2E6BE,
    "yellow_background": 0xFCEFAE,
    "purple_background": 0xD8C6F0,
}


class Background:
    """Draws one place. `ground` is the height (in pixels from the top) where feet stand."""

    def __init__(self, brush: Brush, width: int, height: int, ground: float, rng: random.Random):
        self.brush = brush
        self.w = width
        self.h = height
        self.ground = ground
        self.u = min(width, height) / 256
        self.rng = rng

    def draw(self, name: str) -> None:
        """Paints the whole picture with that place."""
        if name in SIMPLE:
            self._simple(SIMPLE[name])
        else:
            getattr(self, f"_{name}")()

    def everything(self) -> skia.Path:
        """The whole picture."""
        path = skia.Path()
        path.addRect(skia.Rect.MakeWH(self.w, self.h))
        return path

    def _sky(self, *colors: Color, down_to: float = 1.0) -> None:
        if self.brush.shaded:
            self.brush.gradient(self.everything(), (0, 0), (0, self.h * down_to), colors)
        else:
            self.brush.fill(self.everything(), colors[len(colors) // 2])

    def _simple(self, color: Color) -> None:
        self.brush.fill(self.everything(), color)
        if color != 0xFFFFFF and self.brush.shaded:
            self.brush.glow(self.w / 2, self.h * 0.45, max(self.w, self.h) * 0.62, 0xFFFFFF, 0.5)

    def _hill(
        self, y: float, rise: float, color: Color, waves: float = 1.0, phase: float | None = None
    ) -> skia.Path:
        start = self.rng.uniform(0, 6.28) if phase is None else phase
        points = [(-20.0, self.h + 20.0)]
        steps = 10
        for i in range(steps + 1):
            x = -10 + (self.w + 20) * i / steps
            points.append((x, y - rise * (0.5 + 0.5 * math.sin(start + waves * 6.28 * i / steps))))
        points.append((self.w + 20.0, self.h + 20.0))
        path = skia.Path()
        path.moveTo(*points[0])
        path.lineTo(*points[1])
        path.addPath(smooth(points[1:-1], closed=False), skia.Path.kExtend_AddPathMode)
        path.lineTo(*points[-1])
        path.close()
        self.brush.fill(path, color)
        return path

    def _cloud(
        self, x: float, y: float, size: float, alpha: float = 1.0, color: Color = 0xFFFFFF
    ) -> None:
        path = skia.Path()
        r = self.rng
        for dx, dy, radius in (
            (-1.3, 0.05, 0.5),
            (-0.6, -0.3, 0.72),
            (0.25, -0.45, 0.85),
            (1.0, -0.1, 0.6),
            (1.6, 0.12, 0.38),
        ):
            radius *= size * r.uniform(0.9, 1.1)
            path.addPath(ellipse(x + dx * size, y + dy * size, radius, radius * 0.9))
        path.addRect(skia.Rect.MakeLTRB(x - 1.4 * size, y, x + 1.6 * size, y + 0.42 * size))
        clip = skia.Path()
        clip.addRect(skia.Rect.MakeLTRB(0, 0, self.w, y + 0.42 * size))
        with self.brush.inside(clip):
            if self.brush.shaded:
                self.brush.fill(path, mix(color, 0x9CC0EA, 0.35), alpha)
                with self.brush.placed(-0.1 * size, -0.17 * size):
                    self.brush.fill(path, color, alpha)
            else:
                self.brush.fill(path, color, alpha)

    def _blue_sky(self) -> None:
        self._sky(0x5FB0F2, 0x9DD4FA, 0xD8F0FF)
        r, w, h = self.rng, self.w, self.h
        self.brush.glow(w * r.choice((0.12, 0.88)), h * 0.08, h * 0.45, 0xFFFCE0, 0.9)
        for _ in range(3):
            self._cloud(
                r.uniform(0, w), h * r.uniform(0.1, 0.5), 20 * self.u * r.uniform(0.7, 1.3), 0.95
            )
        # A floor of clouds.
        for depth, color in ((0.0, 0xCFE4FA), (0.5, 0xE6F2FE), (1.0, 0xFFFFFF)):
            path = skia.Path()
            path.addRect(skia.Rect.MakeLTRB(0, self.ground + (depth * 14 - 14) * self.u, w, h))
            x = r.uniform(-20, 0)
            while x < w + 20:
                radius = r.uniform(13, 23) * self.u
                path.addPath(
                    ellipse(x, self.ground + (depth * 16 - 12) * self.u, radius, radius * 0.62)
                )
                x += radius * 1.15
            self.brush.fill(path, color)

    def _night_sky(self) -> None:
        self._sky(0x141A4A, 0x2B3478, 0x5B5FA8)
        r, w, h, brush = self.rng, self.w, self.h, self.brush
        for _ in range(20):
            x, y, size = r.uniform(0, w), r.uniform(0, h * 0.75), r.uniform(0.9, 1.7) * self.u
            brush.fill(ellipse(x, y, size, size), 0xFFF8D8, r.uniform(0.6, 1))
        for _ in range(5):
            self.star(r.uniform(0, w), r.uniform(0, h * 0.55), r.uniform(4, 7) * self.u, 0xFFF6C0)
        x, y, radius = w * r.choice((0.13, 0.5, 0.87)), h * r.uniform(0.1, 0.16), 17 * self.u
        brush.glow(x, y, radius * 3, 0xFFF2B0, 0.5)
        moon = skia.Op(
            ellipse(x, y, radius, radius),
            ellipse(x + radius * 0.45, y - radius * 0.15, radius * 0.85, radius * 0.85),
            skia.PathOp.kDifference_PathOp,
        )
        brush.fill(moon, 0xFFF0B0)
        self._hill(self.ground - 16 * self.u, 22 * self.u, 0x2C3068, 1.3)
        self._hill(self.ground - 4 * self.u, 8 * self.u, 0x232655, 0.8)

    def star(self, x: float, y: float, size: float, color: Color, alpha: float = 1.0) -> None:
        """A sparkle with four points."""
        inner = size * 0.2
        points = []
        for i in range(8):
            radius = size if i % 2 == 0 else inner
            angle = math.pi / 4 * i
            points.append((x + radius * math.sin(angle), y - radius * math.cos(angle)))
        self.brush.fill(polygon(points), color, alpha)

    def _sunset(self) -> None:
        self._sky(0x7A5FB0, 0xF2849A, 0xFFB868, 0xFFE2A0, down_to=0.85)
        r, w, h, brush = self.rng, self.w, self.h, self.brush
        x, y = w * r.uniform(0.35, 0.65), self.ground - 62 * self.u
        brush.glow(x, y, 120 * self.u, 0xFFF3B8, 0.9)
        brush.fill(ellipse(x, y, 34 * self.u, 34 * self.u), 0xFFF4C8)
        for _ in range(4):
            cx, cy, size = r.uniform(0, w), h * r.uniform(0.1, 0.5), r.uniform(25, 55) * self.u
            brush.fill(
                ribbon([(cx - size, cy), (cx, cy - 2), (cx + size, cy + 1)], [0, 7 * self.u, 0]),
                0xFFD0B0,
                0.75,
            )
        self._hill(self.ground - 30 * self.u, 26 * self.u, 0xC06A8C, 1.4)
        self._hill(self.ground - 14 * self.u, 16 * self.u, 0x8E4C7C, 1.1)
        self._hill(self.ground - 4 * self.u, 6 * self.u, 0x64386A, 0.7)

    def _meadow(self) -> None:
        self._sky(0x8CCBF5, 0xC4E6FB, 0xEFF9FF)
        r, w, h, brush = self.rng, self.w, self.h, self.brush
        for _ in range(2):
            self._cloud(
                r.uniform(0, w), h * r.uniform(0.12, 0.3), 19 * self.u * r.uniform(0.7, 1.2), 0.95
            )
        self._hill(self.ground - 48 * self.u, 30 * self.u, 0xA5D6A8, 1.2)
        for _ in range(4):
            x, y, size = (
                r.uniform(0, w),
                self.ground - r.uniform(40, 50) * self.u,
                r.uniform(9, 15) * self.u,
            )
            brush.fill(ribbon([(x, y + size * 1.6), (x, y)], [3 * self.u, 3 * self.u]), 0x8A6A50)
            brush.fill(
                smooth(
                    [
                        (x - size, y + size * 0.3),
                        (x - size * 0.6, y - size * 0.8),
                        (x + size * 0.3, y - size * 1.1),
                        (x + size, y),
                        (x, y + size * 0.6),
                    ]
                ),
                0x6DB57C,
            )
        self._hill(self.ground - 26 * self.u, 14 * self.u, 0x8FCF7E, 0.9)
        front = self._hill(self.ground - 12 * self.u, 4 * self.u, 0x78C062, 0.8)
        if brush.shaded:
            brush.gradient(front, (0, self.ground - 14 * self.u), (0, h), (0x86CC6C, 0x5CA850))
        for _ in range(26):
            x, y = r.uniform(0, w), r.uniform(self.ground - 6 * self.u, h)
            brush.ink(
                [(x, y), (x + r.uniform(-2, 2), y - r.uniform(5, 9) * self.u)],
                0x4C9846,
                1.6 * self.u,
            )
        for _ in range(14):
            x, y = r.uniform(0, w), r.uniform(self.ground - 8 * self.u, h)
            self._blossom(x, y, 3.0 * self.u, r.choice((0xFFFFFF, 0xFFE070, 0xFFB0CC)), 0xF2B030)

    def _blossom(self, x: float, y: float, size: float, color: Color, heart: Color) -> None:
        turn = self.rng.uniform(0, 72)
        for i in range(5):
            angle = math.radians(turn + 72 * i)
            self.brush.fill(
                ellipse(
                    x + size * 0.75 * math.cos(angle),
                    y + size * 0.75 * math.sin(angle),
                    size * 0.6,
                    size * 0.6,
                ),
                color,
            )
        self.brush.fill(ellipse(x, y, size * 0.42, size * 0.42), heart)

    def _cherry_blossoms(self) -> None:
        self._sky(0xCBE4FA, 0xF3EAF8, 0xFFE6EE)
        r, w, h, brush = self.rng, self.w, self.h, self.brush
        self._hill(self.ground - 34 * self.u, 22 * self.u, 0xF8CBDA, 1.2)
        self._hill(self.ground - 14 * self.u, 10 * self.u, 0xC9E2B4, 0.9)
        self._hill(self.ground - 2 * self.u, 4 * self.u, 0xB4D69C, 0.7)
        for side in (0, 1) if r.random() < 0.6 else (r.choice((0, 1)),):
            with brush.placed(w if side else 0, 0, flip=bool(side)):
                u = self.u
                reach = r.uniform(0.8, 1.1)
                branch = [
                    (-8, 30 * u),
                    (30 * u * reach, 26 * u),
                    (62 * u * reach, 16 * u),
                    (96 * u * reach, 20 * u),
                ]
                brush.fill(ribbon(branch, [12 * u, 8 * u, 5 * u, 1]), 0x7A5146)
                for _ in range(34):
                    share = r.random()
                    i = min(2, int(share * 3))
                    t = share * 3 - i
                    x = (
                        branch[i][0]
                        + (branch[i + 1][0] - branch[i][0]) * t
                        + r.uniform(-12, 12) * u
                    )
                    y = (
                        branch[i][1]
                        + (branch[i + 1][1] - branch[i][1]) * t
                        + r.uniform(-15, 13) * u
                    )
                    self._blossom(
                        x,
                        y,
                        r.uniform(3.6, 5.2) * u,
                        r.choice((0xFFC3D6, 0xFFD6E4, 0xF9A9C4)),
                        0xE8708E,
                    )
        for _ in range(22):
            self.petal(r.uniform(0, w), r.uniform(0, h), r.uniform(2.2, 3.6) * self.u, 0xF9A9C4)

    def petal(self, x: float, y: float, size: float, color: Color, alpha: float = 0.95) -> None:
        """One petal in the wind."""
        with self.brush.placed(x, y, turn=self.rng.uniform(0, 360)):
            self.brush.fill(
                curve(
                    (0, -size * 1.2),
                    (size * 1.1, -size * 0.2, 0, size * 1.3),
                    (-size * 1.1, -size * 0.2, 0, -size * 1.2),
                ),
                color,
                alpha,
            )

    def _beach(self) -> None:
        self._sky(0x74C4F6, 0xB5E3FC, 0xE8F8FF, down_to=0.6)
        r, w, h, brush, u = self.rng, self.w, self.h, self.brush, self.u
        self._cloud(r.uniform(0, w), h * r.uniform(0.1, 0.25), 20 * u, 0.95)
        horizon, shore = self.ground - 80 * u, self.ground - 26 * u
        sea = skia.Path()
        sea.addRect(skia.Rect.MakeLTRB(0, horizon, w, h))
        if brush.shaded:
            brush.gradient(sea, (0, horizon), (0, shore), (0x2F8FD6, 0x4FB8E4, 0x8CE0EA))
        else:
            brush.fill(sea, 0x4FB0E2)
        for _ in range(9):
            x, y, size = (
                r.uniform(0, w),
                r.uniform(horizon + 6 * u, shore - 8 * u),
                r.uniform(6, 14) * u,
            )
            brush.ink([(x - size, y), (x, y - 1.5 * u), (x + size, y)], 0xE8FBFF, 1.8 * u, 0.85)
        phase = r.uniform(0, 6.28)
        self._hill(shore - 1 * u, 7 * u, 0xFFFFFF, 1.6, phase)
        self._hill(shore + 4 * u, 7 * u, 0xF7E3B4, 1.6, phase)
        if brush.shaded:
            brush.glow(w / 2, h, w * 0.7, 0xEBCB90, 0.5)
        for _ in range(12):
            x, y = r.uniform(0, w), r.uniform(self.ground - 8 * u, h)
            brush.fill(ellipse(x, y, 1.4 * u, 0.9 * u), 0xD9B878)
        x, y = w * r.choice((0.08, 0.5, 0.92)), self.ground + 6 * u
        brush.fill(
            polygon(
                [
                    (
                        x + (6.5 if i % 2 == 0 else 2.8) * u * math.sin(i * math.pi / 5),
                        y - (6.5 if i % 2 == 0 else 2.8) * u * math.cos(i * math.pi / 5),
                    )
                    for i in range(10)
                ]
            ),
            0xF28A5C,
        )

    def _snow(self) -> None:
        self._sky(0xA9C3E2, 0xCFDFF0, 0xEAF2FA)
        r, w, h, brush, u = self.rng, self.w, self.h, self.brush, self.u
        self._hill(self.ground - 44 * u, 26 * u, 0xC4D6EA, 1.3)
        for _ in range(6):
            x, size = r.uniform(0, w), r.uniform(0.8, 1.3) * u
            y = self.ground - r.uniform(14, 26) * u
            for k, half in enumerate((16, 13, 10)):
                top = y - (22 + 15 * k) * size
                base = y - 12 * k * size
                brush.fill(
                    polygon([(x - half * size, base), (x, top), (x + half * size, base)]),
                    0x7FA6A8 if k % 2 else 0x749CA0,
                )
                brush.fill(
                    polygon(
                        [
                            (x - half * 0.5 * size, (base + top) / 2),
                            (x, top),
                            (x + half * 0.5 * size, (base + top) / 2),
                            (x, (base + top) / 2 + 4 * size),
                        ]
                    ),
                    0xFFFFFF,
                )
        self._hill(self.ground - 14 * u, 12 * u, 0xE2ECF8, 0.9)
        self._hill(self.ground - 2 * u, 4 * u, 0xF8FBFF, 0.7)
        for _ in range(46):
            x, y, size = r.uniform(0, w), r.uniform(0, h), r.uniform(1, 2.8) * u
            brush.fill(ellipse(x, y, size, size), 0xFFFFFF, 0.95)

    def _indoors(self) -> None:
        r, w, h, brush, u = self.rng, self.w, self.h, self.brush, self.u
        wall, floor = r.choice(
            ((0xF6E7D2, 0xC99A6B), (0xE7E3F2, 0xC09070), (0xDDEBE6, 0xC8A078), (0xF7DEDD, 0xBE8E6A))
        )
        brush.fill(self.everything(), wall)
        floor_y = self.ground - 24 * u
        for x in range(0, math.ceil(w / (22 * u)) + 1, 2):
            stripe = skia.Path()
            stripe.addRect(skia.Rect.MakeXYWH(x * 22 * u, 0, 22 * u, floor_y))
            brush.fill(stripe, mix(wall, 0xFFFFFF, 0.35))
        window_w, window_h = 76 * u, 84 * u
        x, y = w * r.choice((0.2, 0.5, 0.8)) - window_w / 2, max(14 * u, floor_y - 178 * u)
        frame = skia.Path()
        frame.addRoundRect(
            skia.Rect.MakeXYWH(x - 5 * u, y - 5 * u, window_w + 10 * u, window_h + 10 * u), 4, 4
        )
        brush.fill(frame, 0xFFFFFF)
        brush.stroke(frame, 0xB89880, 1.4)
        glass = skia.Path()
        glass.addRect(skia.Rect.MakeXYWH(x, y, window_w, window_h))
        brush.gradient(glass, (0, y), (0, y + window_h), (0x8FCDF6, 0xDDF3FF))
        with brush.inside(glass):
            self._cloud(x + window_w * 0.4, y + window_h * 0.45, 13 * u)
            brush.fill(
                ellipse(x + window_w * 0.3, y + window_h * 1.1, window_w * 0.7, window_h * 0.3),
                0x9CD08C,
            )
        for bar in (
            skia.Rect.MakeXYWH(x + window_w / 2 - 2 * u, y, 4 * u, window_h),
            skia.Rect.MakeXYWH(x, y + window_h / 2 - 2 * u, window_w, 4 * u),
        ):
            path = skia.Path()
            path.addRect(bar)
            brush.fill(path, 0xFFFFFF)
        curtain = r.choice((0xF2A0A8, 0x9CC4E8, 0xB8D8A0, 0xD8B8E8))
        for side in (-1, 1):
            edge = x + window_w / 2 + side * (window_w / 2 + 9 * u)
            inner = edge - side * 19 * u
            cloth = curve(
                (edge, y - 8 * u),
                (inner, y - 8 * u),
                (
                    inner + side * 2 * u,
                    y + window_h * 0.5,
                    edge - side * 8 * u,
                    y + window_h + 8 * u,
                ),
                (edge, y + window_h + 10 * u),
            )
            brush.fill(cloth, curtain)
            brush.ink(
                [((edge + inner) / 2, y - 8 * u), (edge - side * 5 * u, y + window_h + 6 * u)],
                mix(curtain, 0x603050, 0.25),
                2 * u,
            )
        boards = skia.Path()
        boards.addRect(skia.Rect.MakeLTRB(0, floor_y, w, h))
        brush.gradient(
            boards, (0, floor_y), (0, h), (mix(floor, 0xFFFFFF, 0.12), mix(floor, 0x603010, 0.1))
        )
        skirting = skia.Path()
        skirting.addRect(skia.Rect.MakeLTRB(0, floor_y - 6 * u, w, floor_y))
        brush.fill(skirting, 0xFFFFFF)
        line = mix(floor, 0x502810, 0.3)
        for i in range(-7, 8):
            x0, x1 = w / 2 + i * 30 * u, w / 2 + i * 46 * u
            brush.stroke(polygon([(x0, floor_y), (x1, h)]), line, 1.0, 0.7)
        rug = ellipse(w / 2, self.ground + 2 * u, w * 0.42, 15 * u)
        brush.fill(rug, mix(curtain, 0xFFFFFF, 0.45))
        brush.stroke(ellipse(w / 2, self.ground + 2 * u, w * 0.42 - 5 * u, 12 * u), curtain, 1.6)

    def _forest(self) -> None:
        self._sky(0xCDE8C8, 0xE4F4D2, 0xF4FAE0)
        r, w, h, brush, u = self.rng, self.w, self.h, self.brush, self.u
        brush.glow(w * r.uniform(0.3, 0.7), h * 0.3, h * 0.5, 0xFFFFE4, 0.8)
        rows = ((58, 0x9CCB9A, 0x93A988, 1.0), (30, 0x6BAE72, 0x83705A, 1.35))
        for up, leaves, bark, size in rows:
            self._hill(self.ground - (up - 16) * u, 8 * u, mix(leaves, 0xFFFFFF, 0.12), 1.1)
            spacing = 46 * u * size
            x = r.uniform(-0.6, 0) * spacing
            while x < w + spacing:
                self._tree(x, self.ground - (up - 14) * u, size * u, leaves, bark)
                x += spacing * r.uniform(0.8, 1.2)
        front = self._hill(self.ground - 12 * u, 5 * u, 0x7DB866, 0.8)
        if brush.shaded:
            brush.gradient(front, (0, self.ground - 16 * u), (0, h), (0x8CC46E, 0x5E9C50))
        for _ in range(14):
            x, y = r.uniform(0, w), r.uniform(self.ground - 6 * u, h)
            blade = [(x, y), (x + r.uniform(-2, 2) * u, y - r.uniform(5, 9) * u)]
            brush.ink(blade, 0x4A8A44, 1.8 * u)

    def _tree(self, x: float, y: float, size: float, leaves: Color, bark: Color) -> None:
        """A trunk that stands at (x, y), and a round crown above it."""
        r, brush = self.rng, self.brush
        tall = r.uniform(66, 88) * size
        brush.fill(ribbon([(x, y), (x, y - tall)], [13 * size, 8 * size]), bark)
        for dx, dy, radius in ((-17, 4, 20), (17, 6, 19), (0, -12, 26)):
            radius *= size * r.uniform(0.92, 1.08)
            crown = ellipse(x + dx * size, y - tall + dy * size, radius, radius * 0.92)
            brush.fill(crown, leaves)
            if brush.shaded:
                with brush.inside(crown):
                    lit = ellipse(x + (dx - 5) * size, y - tall + (dy - 6) * size, radius, radius)
                    brush.fill(lit, mix(leaves, 0xFFFFE0, 0.2))

    def _city(self) -> None:
        self._sky(0x9CCBF2, 0xCFE6FA, 0xF6FAFF)
        r, w, h, brush, u = self.rng, self.w, self.h, self.brush, self.u
        self._cloud(r.uniform(0, w), h * r.uniform(0.08, 0.2), 18 * u, 0.95)
        street = self.ground - 20 * u
        for walls, tall, pane in (
            ((0xB9CBE0, 0xC4D2E6), (120, 170), 0xDCE8F4),
            ((0xE6D3C4, 0xC9D6DE, 0xDCC8D2, 0xD8DCC6), (70, 120), 0x8FB4D2),
        ):
            x = r.uniform(-30, 0) * u
            while x < w:
                wide, high = r.uniform(44, 62) * u, r.uniform(*tall) * u
                self._house(x, street, wide, high, r.choice(walls), pane)
                x += wide
        pavement, road = skia.Path(), skia.Path()
        pavement.addRect(skia.Rect.MakeLTRB(0, street, w, h))
        road.addRect(skia.Rect.MakeLTRB(0, street + 8 * u, w, h))
        brush.fill(pavement, 0xE4E2DE)
        if brush.shaded:
            brush.gradient(road, (0, street), (0, h), (0xC2C4CC, 0xA6A9B4))
        else:
            brush.fill(road, 0xB4B7C0)

    def _house(
        self, x: float, y: float, wide: float, high: float, wall: Color, pane: Color
    ) -> None:
        """A house front with its lower left corner at (x, y), and rows of windows."""
        brush, u = self.brush, self.u
        front = skia.Path()
        front.addRect(skia.Rect.MakeLTRB(x, y - high, x + wide, y))
        brush.fill(front, wall)
        brush.stroke(front, mix(wall, 0x405070, 0.35), 1.2 * u)
        columns = 3 if wide > 52 * u else 2
        panes = skia.Path()
        step = wide / columns
        for column in range(columns):
            top = y - high + 10 * u
            while top < y - 22 * u:
                left = x + column * step + step * 0.25
                panes.addRect(skia.Rect.MakeXYWH(left, top, step * 0.5, 11 * u))
                top += 21 * u
        brush.fill(panes, pane)
