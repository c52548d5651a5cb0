"""Hair in layers: what hangs behind, the cap with bangs and side locks, and what is tied.

The origin is the middle of the head; the face reaches from -48 to 46, shoulders lie at 55.
"""

from __future__ import annotations

import random

import skia

from drawing.brush import Brush, Point, curve, ellipse, ribbon, smooth
from drawing.palette import CLOTH, HAIR, Tone, mix
from scene import Character

# How far down the side locks reach, and how wide they are.
SIDE_LOCKS = {
    "long_hair": (66.0, 13.0),
    "short_hair": (26.0, 10.0),
    "bob_cut": (44.0, 15.0),
    "twintails": (50.0, 9.0),
    "ponytail": (46.0, 9.0),
    "twin_braids": (38.0, 10.0),
    "double_bun": (56.0, 9.0),
    "drill_hair": (38.0, 10.0),
}
EARS_SHOW = ("short_hair", "ponytail", "double_bun")
CROWN_Y = -59.0
SIDE_X = 50.0


class Hair:
    """Draws the hair of one head."""

    def __init__(self, brush: Brush, character: Character, rng: random.Random):
        self.brush = brush
        self.style = character.hair_style
        self.boy = character.gender == "1boy"
        self.hat = character.hat is not None
        self.top_taken = self.hat or character.accessory("cat_ears") is not None
        self.tone = HAIR[character.hair_color]
        self.seen = brush.tone(self.tone)
        self.rng = rng
        self.parting = rng.uniform(-9, 9)
        self.ponytail_side = rng.choice((-1, 1))
        self.tie = CLOTH[rng.choice([c for c in ("red", "blue", "yellow", "white", "pink")])]
        self.bangs = self._plan_bangs()
        self.ahoge = rng.random() < 0.22 and not self.hat
        lock, self.lock_width = SIDE_LOCKS[self.style]
        if self.boy and self.style in ("long_hair", "ponytail"):
            lock = min(lock, 48)
        self.locks = lock * rng.uniform(0.93, 1.05), lock * rng.uniform(0.93, 1.05)
        self.cap = self._cap()

    # Behind the body and the head

    def behind(self) -> None:
        """The hair that the body covers."""
        match self.style:
            case "long_hair":
                self._curtain(104, 51, 57, 60)
            case "bob_cut":
                self._bob()
            case "short_hair":
                self._short_nape()
            case "ponytail":
                self._ponytail()
            case "twintails":
                self._nape(40)
                for side in (-1, 1):
                    self._twintail(side)
            case "drill_hair":
                self._nape(44)
            case "twin_braids" | "double_bun":
                self._nape(42)
        if self.style == "double_bun":
            for side in (-1, 1):
                self._bun(side)

    def over_body(self) -> None:
        """What falls in front of the shoulders: braids and drills, still behind the face."""
        if self.style == "twin_braids":
            for side in (-1, 1):
                self._braid(side)
        elif self.style == "drill_hair":
            for side in (-1, 1):
                self._drill(side)

    def _back_tone(self) -> Tone:
        t = self.tone
        return Tone(mix(t.base, t.shade, 0.55), mix(t.shade, t.line, 0.18), t.base, t.line)

    def _strands(self, path: skia.Path, lines: list[list[Point]], width: float = 1.5) -> None:
        with self.brush.inside(path):
            for points in lines:
                self.brush.ink(points, self.seen.line, width, 0.55)

    def _curtain(self, length: float, top: float, middle: float, bottom: float) -> None:
        """Long hair that hangs behind the body and ends in tips."""
        rng = self.rng
        length *= rng.uniform(0.92, 1.03)
        path = curve(
            (-top, -12),
            (-top - 2, -37, -28, CROWN_Y, 0, CROWN_Y),
            (28, CROWN_Y, top + 2, -37, top, -12),
            (middle, 20, middle + 1, 44, middle - 1, 60),
            (middle - 2, 72, bottom + 1, length - 32, bottom, length - 24),
            *self._tips(7, bottom, length - 24, length, 17),
            (-bottom - 1, length - 32, -middle + 2, 72, -middle + 1, 60),
            (-middle - 1, 44, -middle, 20, -top, -12),
        )
        self.brush.shape(path, self._back_tone(), light=(-4, 0))
        self._inner_shadow(path)
        if self.brush.shaded:
            self.brush.fade(path, (0, 58), (0, length), self.seen.light, 0.35)
        lines = [
            [(x * 0.9, 20), (x, 60), (x * 1.02, length - 14)] for x in (-46, -33, 33, 46, -20, 20)
        ]
        self._strands(path, lines)

    def _inner_shadow(self, path: skia.Path) -> None:
        """The dark between the neck and the hair."""
        if self.brush.shaded:
            with self.brush.inside(path):
                dark = mix(self.seen.shade, self.seen.line, 0.35)
                self.brush.fill(ellipse(0, 40, 31, 34), dark, 0.8, blur=6)

    def _nape(self, bottom: float) -> None:
        path = curve(
            (-47, -12),
            (-49, -37, -28, CROWN_Y + 1, 0, CROWN_Y + 1),
            (28, CROWN_Y + 1, 49, -37, 47, -12),
            (48, bottom * 0.6, 38, bottom),
            (20, bottom + 8, 0, bottom + 5),
            (-20, bottom + 8, -38, bottom),
            (-48, bottom * 0.6, -47, -12),
        )
        self.brush.shape(path, self._back_tone(), light=(0, 0))
        self._inner_shadow(path)

    def _bob(self) -> None:
        path = curve(
            (-50, -12),
            (-52, -37, -28, CROWN_Y, 0, CROWN_Y),
            (28, CROWN_Y, 52, -37, 50, -12),
            (56, 14, 58, 36, 49, 52),
            (42, 58, 34, 55),
            (18, 58, 0, 56),
            (-18, 58, -34, 55),
            (-42, 58, -49, 52),
            (-58, 36, -56, 14, -50, -12),
        )
        self.brush.shape(path, self._back_tone(), light=(-4, -3))
        self._inner_shadow(path)

    def _short_nape(self) -> None:
        path = curve(
            (-46, -12),
            (-48, -37, -28, CROWN_Y, 0, CROWN_Y),
            (28, CROWN_Y, 48, -37, 46, -12),
            (50, 10, 46, 26),
            *self._tips(7, 46, 26, 53, 11),
            (-50, 10, -46, -12),
        )
        self.brush.shape(path, self._back_tone(), light=(0, 0))
        self._inner_shadow(path)

    def _tips(
        self, count: int, half: float, start: float, low: float, depth: float
    ) -> list[tuple[float, ...]]:
        """The hem of loose hair, from right to left: strands that end in tips.

        It begins and ends at height `start`; tips reach `low`, notches are `depth` above them.
        """
        r = self.rng
        steps: list[tuple[float, ...]] = []
        xs = [half - 2 * half * i / count for i in range(count + 1)]
        y = start
        for i in range(count):
            middle = (xs[i] + xs[i + 1]) / 2
            tip_x = middle * 1.09 + r.uniform(-2, 2)
            tip_y = low + r.uniform(-3, 5) - (low - start) * 0.38 * (middle / half) ** 2
            end = tip_y - depth * r.uniform(0.75, 1.2) if i + 1 < count else start
            steps.append((xs[i] + (tip_x - xs[i]) * 0.2, y + (tip_y - y) * 0.55, tip_x, tip_y))
            steps.append(
                (xs[i + 1] + (tip_x - xs[i + 1]) * 0.2, end + (tip_y - end) * 0.55, xs[i + 1], end)
            )
            y = end
        return steps

    def _tail(self, points: list[Point], widths: list[float]) -> None:
        path = ribbon(points, widths)
        # A second tip beside the first makes the end look like hair, not like a leaf.
        (x0, y0), (x1, y1) = points[-3], points[-1]
        side = 1 if points[-1][0] >= 0 else -1
        spike = ribbon(
            [points[-4], ((x0 - 6 * side) * 1.0, y0 + 2), (x1 - 11 * side, y1 - 9)],
            [widths[-4] * 0.5, widths[-3] * 0.55, 0],
        )
        path = skia.Op(path, spike, skia.PathOp.kUnion_PathOp) or path
        self.brush.shape(path, self.tone, light=(-4.5 if side > 0 else -6, -2))
        if self.brush.shaded:
            self.brush.fade(path, (0, 20), (0, points[-1][1]), self.seen.light, 0.35)
        lines = []
        for share in (-0.22, 0.2):
            line = []
            for (x, y), width in list(zip(points, widths, strict=True))[1:]:
                line.append((x + width * share, y))
            lines.append(line)
        self._strands(path, lines, 1.7)
        if self.brush.shaded:
            with self.brush.inside(path):
                x, y = points[2]
                w = widths[2]
                shine = curve(
                    (x - w * 0.42, y - 5),
                    (x, y - 9, x + w * 0.3, y - 4),
                    (x + w * 0.18, y + 6),
                    (x + w * 0.06, y - 1),
                    (x - w * 0.1, y + 9),
                    (x - w * 0.2, y),
                    (x - w * 0.34, y + 5),
                )
                self.brush.fill(shine, self.seen.light, 0.75)

    def _twintail(self, side: int) -> None:
        r = self.rng
        swing = r.uniform(-2, 3)
        points = [
            (40 * side, -32),
            (52 * side, -30),
            (58 * side, 2),
            (57 * side, 36),
            ((53 + swing) * side, 66),
            ((48 + swing * 2) * side, 94 + r.uniform(-5, 6)),
        ]
        self._tail(points, [6, 20, 25, 24, 17, 0])

    def _ponytail(self) -> None:
        side = self.ponytail_side
        r = self.rng
        self._nape(38)
        points = [
            (14 * side, -54),
            (38 * side, -67),
            (55 * side, -34),
            (56 * side, 6),
            (53 * side, 44),
            ((47 + r.uniform(-3, 6)) * side, 78 + r.uniform(-4, 6)),
        ]
        self._tail(points, [4, 23, 25, 24, 17, 0])

    def _bun(self, side: int) -> None:
        x, y = (48, -32) if self.top_taken else (36, -54)
        with self.brush.placed(x * side, y, flip=side < 0):
            bun = ellipse(0, 0, 17.5, 16.5)
            self.brush.shape(bun, self.tone, light=(-4 * side, -3.5))
            self._strands(
                bun,
                [
                    [(-14, 9), (-10, -8), (4, -13), (14, -2)],
                    [(-9, 14), (-6, -2), (4, -6), (8, 4), (2, 9)],
                    [(-2, 16), (12, 10), (16, -2)],
                ],
                1.9,
            )
            if self.brush.shaded:
                with self.brush.placed(-5 * side, -8, turn=-20 * side):
                    self.brush.fill(ellipse(0, 0, 5, 2.4), self.seen.light, 0.85)

    def _braid(self, side: int) -> None:
        brush = self.brush
        segments = 6
        x, y = 40.0 * side, 28.0
        size = 11.0
        for i in range(segments):
            lean = 1 if i % 2 else -1
            cx = x - side * (1.2 * i) + lean * 2.2
            cy = y + i * 10.2
            w = size * (1 - 0.045 * i)
            lobe = smooth(
                [
                    (cx - w, cy - 3 - lean * 3),
                    (cx, cy - 7),
                    (cx + w, cy - 3 + lean * 3),
                    (cx + w * 0.55, cy + 5),
                    (cx, cy + 8),
                    (cx - w * 0.55, cy + 5),
                ]
            )
            brush.shape(lobe, self.tone, light=(-3, -2.5))
            if brush.shaded:
                brush.ink(
                    [
                        (cx - lean * w * 0.6, cy - 3),
                        (cx + lean * 1, cy + 1),
                        (cx + lean * w * 0.3, cy + 5),
                    ],
                    self.seen.line,
                    1.3,
                    0.6,
                )
                brush.fill(ellipse(cx - 3, cy - 2.6, 2.6, 1.5), self.seen.light, 0.8)
        ex, ey = x - side * 1.2 * segments, y + segments * 10.2
        tuft = curve(
            (ex - 5, ey - 4),
            (ex - 9, ey + 6, ex - 5, ey + 15),
            (ex - 1, ey + 10),
            (ex + 1, ey + 17),
            (ex + 3, ey + 9),
            (ex + 6, ey + 14),
            (ex + 9, ey + 5, ex + 5, ey - 4),
        )
        brush.shape(tuft, self.tone, light=(-2, -1))
        brush.shape(ellipse(ex, ey - 3.5, 6.4, 3.6), self.tie, light=(-1, -1), line=1.3)

    def _drill(self, side: int) -> None:
        """A ringlet: turns that get smaller towards its end."""
        brush = self.brush
        turns = 6
        for i in reversed(range(turns)):
            share = i / (turns - 1)
            w = (9.5, 14.0, 14.6, 12.0, 8.6, 4.4)[i]
            cx, cy = (36.0, 42.0, 45.5, 46.5, 46.5, 46.0)[i] * side, 14 + 66 * share**0.95
            h = 10.2 * (1 - 0.25 * share)
            with brush.placed(cx, cy, flip=side < 0):
                turn = curve(
                    (-w, -h * 0.55),
                    (-w * 0.3, -h * 1.25, w * 0.85, -h * 1.0),
                    (w * 1.2, -h * 0.35, w * 0.8, h * 0.3),
                    (0, h * 1.2, -w * 0.75, h * 1.05),
                    (-w * 1.25, h * 0.3, -w, -h * 0.55),
                )
                brush.shape(turn, self.tone, light=(-3.5 * side, -2.5))
                if brush.shaded:
                    brush.ink(
                        [(-w * 0.75, h * 0.6), (0, h * 0.5), (w * 0.75, -h * 0.3)],
                        self.seen.shade,
                        2.4,
                        0.9,
                    )
                    brush.fill(
                        ellipse(-w * 0.3 * side, -h * 0.35, w * 0.3, 1.7), self.seen.light, 0.9
                    )

    # The cap

    def _plan_bangs(self) -> list[tuple[float, float, float, float]]:
        """For each strand of the bangs: its left end, its tip (x, y), its left notch's height."""
        r = self.rng
        if self.style == "bob_cut" and r.random() < 0.75:
            xs = [-37, -24, -12, 0, 12, 24, 37]
            return [(xs[i], (xs[i] + xs[i + 1]) / 2, 0.5 + r.uniform(-1, 1), -7) for i in range(6)]
        kind = r.choice(("centre", "swept", "parted"))
        if kind == "swept":
            lean = r.choice((-1, 1))
            xs = [-38, -22, -5, 12, 26, 38]
            strands = [
                (xs[i], (xs[i] + xs[i + 1]) / 2 + lean * 7, r.uniform(-1, 5), r.uniform(-20, -13))
                for i in range(5)
            ]
            return strands
        if kind == "parted":
            xs = [-38, -25, -10, 10, 25, 38]
            lean = (-5, -9, 0, 9, 5)
            tip = (7, 2, -16, 2, 7)
        else:
            xs = [-38, -24, -9, 9, 24, 38]
            lean = (-3, -2, r.choice((-3, 3)), 2, 3)
            tip = (6, -1, 9, -1, 6)
        return [
            (
                xs[i] + r.uniform(-2, 2) * (0 < i),
                (xs[i] + xs[i + 1]) / 2 + lean[i],
                tip[i] + r.uniform(-2, 2),
                r.uniform(-22, -14),
            )
            for i in range(5)
        ]

    def _cap(self) -> skia.Path:
        """Side locks, bangs and the outline over the crown, as one shape."""
        left, right = self.locks
        w = self.lock_width
        inward = 5 if self.style == "bob_cut" else 0
        steps: list[tuple[float, ...]] = []
        # Inner edge of the left lock, up to the bangs.
        steps.append((-48 + w + inward, left * 0.5, -38, -9))
        strands = self.bangs
        for i, (x, tip_x, tip_y, notch_y) in enumerate(strands):
            end_x = strands[i + 1][0] if i + 1 < len(strands) else 38
            end_y = strands[i + 1][3] if i + 1 < len(strands) else -9
            start_y = notch_y if i else -9
            steps.append((x + (tip_x - x) * 0.25, start_y + (tip_y - start_y) * 0.72, tip_x, tip_y))
            steps.append(
                (end_x - (end_x - tip_x) * 0.25, end_y + (tip_y - end_y) * 0.72, end_x, end_y)
            )
        steps.append((48 - w - inward, right * 0.5, 46 - inward, right))
        side = SIDE_X if self.style != "bob_cut" else SIDE_X + 3
        if self.style == "short_hair":
            steps.append((48, right * 0.7, 47, 13))
            spikes = self._side_spikes()
            for (x, y), (notch_x, notch_y) in spikes:
                steps.append((x - 4, y - 1, x, y))
                steps.append((notch_x + 3.5, notch_y + 8, notch_x, notch_y))
            steps.append((46, -47, 27, CROWN_Y, 6, CROWN_Y))
            steps.append((2, CROWN_Y - 3, -3, CROWN_Y - 6))
            steps.append((-5, CROWN_Y - 1, -9, CROWN_Y + 0.5))
            steps.append((-27, CROWN_Y, -46, -47, -spikes[-1][1][0], spikes[-1][1][1]))
            spikes = self._side_spikes()
            below = [(47.0, 13.0), *(notch for _, notch in spikes[:-1])]
            for ((x, y), (notch_x, notch_y)), (low_x, low_y) in zip(
                reversed(spikes), reversed(below), strict=True
            ):
                steps.append((-notch_x - 3.5, notch_y + 8, -x, y))
                steps.append((-x + 4, y - 1, -low_x, low_y))
            steps.append((-48, left * 0.7, -46 + inward, left))
        else:
            steps.append((side + 3, right * 0.55, side, -8))
            steps.append((side + 1, -37, 28, CROWN_Y, 0, CROWN_Y))
            steps.append((-28, CROWN_Y, -side - 1, -37, -side, -8))
            steps.append((-side - 3, left * 0.55, -46 + inward, left))
        return curve((-46 + inward, left), *steps)

    def _side_spikes(self) -> list[tuple[Point, Point]]:
        """Strands that stand out from short hair on the right, from below upwards.

        Each is its tip and the notch above it.
        """
        r = self.rng
        plan = (((57, 21), (51, -5)), ((61, 3), (51, -20)), ((57, -15), (47, -34)))
        return [
            ((x + r.uniform(-3, 1), y + r.uniform(-2, 3)), (float(nx), ny + r.uniform(-1, 1)))
            for (x, y), (nx, ny) in plan
        ]

    def shadow_on(self, face: skia.Path, color: int) -> None:
        """What the bangs throw onto the face."""
        if self.brush.shaded:
            with self.brush.inside(face):
                with self.brush.placed(1.5, 4.5):
                    self.brush.fill(self.cap, color)

    def front(self) -> None:
        """The cap itself, with strands and the ring of light."""
        brush, seen = self.brush, self.seen
        if self.ahoge:
            self._ahoge()
        brush.shape(self.cap, self.tone, light=(-2.5, -3))
        with brush.inside(self.cap):
            if brush.shaded:
                self._cap_shading()
            for x, tip_x, _, notch_y in self.bangs[1:]:
                top = (self.parting + (x - self.parting) * 0.25, -50)
                middle = (self.parting + (x - self.parting) * 0.78, -36)
                brush.ink(
                    [top, middle, (x, notch_y), (x + (tip_x - x) * 0.2, notch_y + 3)],
                    seen.line,
                    1.7,
                    0.75,
                )
            for side, lock in ((-1, self.locks[0]), (1, self.locks[1])):
                brush.ink(
                    [(38 * side, -9), (43 * side, -22), (36 * side, -40)], seen.line, 1.5, 0.6
                )
                brush.ink(
                    [(44.5 * side, 0), (45 * side, lock * 0.4), (45.5 * side, lock * 0.8)],
                    seen.line,
                    1.2,
                    0.4,
                )
        if self.style in ("twintails", "ponytail"):
            self._ties()

    def _cap_shading(self) -> None:
        brush, seen = self.brush, self.seen
        # Shadow towards the tips of the bangs and down the far side.
        for _, tip_x, tip_y, _ in self.bangs:
            brush.fill(
                curve(
                    (tip_x + 1, tip_y - 13),
                    (tip_x + 7, tip_y - 6, tip_x + 1, tip_y + 3),
                    (tip_x - 1, tip_y - 4),
                ),
                seen.shade,
                0.75,
            )
        # Hair is lighter towards its tips, darker at the crown.
        brush.fade(self.cap, (0, -34), (0, -62), seen.shade, 0.55)
        brush.fade(self.cap, (0, -16), (0, 12), seen.light, 0.3)
        far = curve((53, -20), (46, -38, 36, -48), (44, -30, 41, -8), (44, 20, 44, 60), (60, 60))
        brush.fill(far, seen.shade, 0.7)
        self._ring_of_light()

    def _ring_of_light(self) -> None:
        """The angel ring: teeth of light that follow the roundness of the head."""
        brush, r = self.brush, self.rng
        x = -37.0
        while x < 35:
            width = r.uniform(5, 9)
            if abs(x + width / 2 - self.parting) > 5 or r.random() < 0.3:
                a, b = x, x + width
                middle = (a + b) / 2
                top_a, top_b = -37 + 12 * (a / 40) ** 2, -37 + 12 * (b / 40) ** 2
                depth = r.uniform(5, 9.5) * (1 - 0.35 * abs(middle) / 40)
                lift = r.uniform(1.5, 4)
                tooth = curve(
                    (a, top_a),
                    (middle, min(top_a, top_b) - lift, b, top_b),
                    (
                        b - width * 0.2,
                        top_b + depth * 0.5,
                        middle + middle * 0.03,
                        (top_a + top_b) / 2 + depth,
                    ),
                    (a + width * 0.2, top_a + depth * 0.5, a, top_a),
                )
                brush.fill(tooth, self.seen.light, 0.9 if x < 12 else 0.6)
            x += width - 0.4

    def _ahoge(self) -> None:
        side = -1 if self.parting < 0 else 1
        path = ribbon(
            [
                (0, CROWN_Y + 5),
                (4 * side, CROWN_Y - 9),
                (13 * side, CROWN_Y - 13),
                (19 * side, CROWN_Y - 6),
            ],
            [4.5, 4.5, 3.4, 0],
        )
        self.brush.shape(path, self.tone, light=(-1, -1))

    def _ties(self) -> None:
        if self.style == "ponytail":
            side = self.ponytail_side
            self._scrunchie(27 * side, -58 if not self.hat else -52, 25 * side)
            return
        for side in (-1, 1):
            self._scrunchie(47 * side, -31, 12 * side)

    def _scrunchie(self, x: float, y: float, turn: float) -> None:
        with self.brush.placed(x, y, turn=turn):
            band = smooth(
                [
                    (-5, -8),
                    (-1, -10),
                    (4.5, -8),
                    (5, -2),
                    (4.5, 3),
                    (5, 8),
                    (0, 10),
                    (-5, 8),
                    (-4.5, 2),
                    (-5.5, -3),
                ]
            )
            self.brush.shape(band, self.tie, light=(-2, -1.5), line=1.6)
            line = self.brush.tone(self.tie).line
            for fold in (-4.5, 0, 4.5):
                self.brush.ink([(-3.5, fold), (3, fold + 0.6)], line, 1.2, 0.6)
