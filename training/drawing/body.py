"""The body and what it wears. The origin is the ground between the feet; up is negative."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import skia

from drawing.brush import Brush, Point, curve, ellipse, ribbon, smooth
from drawing.palette import CLOTH, LEATHER, SKIN, TROUSERS, WHITE_CLOTH, Tone, mix, tone
from scene import Character

SHOULDER = (17.5, -82.0)
# For each pose, elbow and hand of the arm on the viewer's right; None hides the hand.
ARM_DOWN = ((25.0, -67.0), (27.5, -51.0))
ARM_RAISED = ((34.0, -82.0), (53.0, -106.0))
ARM_ON_HIP = ((37.0, -66.0), (21.0, -53.0))
ARM_BEHIND = ((29.0, -66.0), (14.0, -54.0))
ARM_HOLDING_BOOK = ((27.0, -65.0), (12.0, -60.0))
ARM_HOLDING_FLOWER = ((31.0, -68.0), (36.0, -80.0))


@dataclass(frozen=True)
class Sleeve:
    """How far down the arm it goes (share of the arm), and how wide it is at both ends."""

    length: float
    top: float
    bottom: float
    tone: Tone
    cuff: Tone | None = None


class Body:
    """Draws one character below the chin, in layers that the head goes between."""

    def __init__(self, brush: Brush, character: Character, rng: random.Random):
        self.brush = brush
        self.who = character
        self.boy = character.gender == "1boy"
        self.skin = SKIN[character.skin]
        self.cloth = CLOTH[character.clothing_color]
        # Which arm waves or holds the flower; the raised one is drawn over the hair.
        self.side = rng.choice((-1, 1))
        self.shift = rng.uniform(-2, 2), rng.uniform(-2, 2)
        self.sock_height = rng.choice((-14.0, -22.0, -29.0))
        self.sock = rng.choice((WHITE_CLOTH, WHITE_CLOTH, TROUSERS))
        self.shoe = rng.choice((LEATHER, CLOTH["black"], LEATHER))
        self.patterned = rng.random() < 0.5

    def behind(self) -> None:
        """What the torso hides: arms behind the back, the hood."""
        if self.who.pose == "arms_behind_back":
            for side in (-1, 1):
                self._arm(side, *ARM_BEHIND)
        if self.who.clothing == "hoodie":
            hood = curve((-27, -84), (-30, -102, 0, -104), (30, -102, 27, -84), (0, -74))
            self.brush.shape(hood, self._darker(self.cloth), light=(0, 0))

    def main(self) -> None:
        """Legs, torso, clothes and the arms that hang in front."""
        self._legs()
        self._neck()
        getattr(self, f"_{self.who.clothing}")()
        pose = self.who.pose
        if pose == "holding_book":
            self._book()
        for side in (-1, 1):
            if pose == "hands_on_hips":
                self._arm(side, *ARM_ON_HIP)
            elif pose == "holding_book":
                self._arm(side, *ARM_HOLDING_BOOK)
            elif pose in ("standing", "waving", "holding_flower") and not self._busy(side):
                self._arm(side, *ARM_DOWN)

    def front(self) -> None:
        """Raised arms, which pass in front of the hair."""
        for side in (-1, 1):
            if not self._busy(side):
                continue
            if self.who.pose == "holding_flower":
                self._flower(side)
                self._arm(side, *ARM_HOLDING_FLOWER)
            else:
                self._arm(side, *ARM_RAISED, open_hand=True)

    def _busy(self, side: int) -> bool:
        pose = self.who.pose
        return pose == "arms_up" or (pose in ("waving", "holding_flower") and side == self.side)

    def _darker(self, tone: Tone) -> Tone:
        return Tone(tone.shade, tone.shade, tone.base, tone.line)

    # Legs

    def _legs(self) -> None:
        long_clothes = self.who.clothing == "kimono"
        trousers = self.boy and self.who.clothing in ("school_uniform", "coat")
        shorts = self.who.clothing in ("hoodie", "shirt")
        for side in (-1, 1):
            with self.brush.placed(flip=side < 0):
                self._leg(trousers, long_clothes)
                if shorts:
                    short = curve((-1, -52), (17, -52), (19, -34), (1, -32), (-1, -40))
                    self.brush.shape(short, TROUSERS)

    def _leg(self, trousers: bool, hidden: bool) -> None:
        brush = self.brush
        leg = ribbon([(8.5, -50), (9, -30), (9.5, -5)], [16, 14.5, 11.5])
        if trousers:
            brush.shape(ribbon([(8.5, -52), (9.2, -28), (10, -6)], [18, 17, 16.5]), TROUSERS)
        elif not hidden:
            brush.shape(leg, self.skin, light=(-3.5, 0))
            if self.sock_height < -10:
                with brush.inside(leg):
                    top = self.sock_height
                    sock = curve((-2, top), (9, top + 2.5, 22, top), (22, 2), (-2, 2))
                    brush.shape(sock, self.sock, light=(-8, 0), line=0)
                    brush.ink(
                        [(1, top), (9, top + 1.4), (18, top)], brush.tone(self.sock).line, 1.5
                    )
        if hidden:
            brush.shape(ribbon([(9, -14), (9.5, -4)], [12, 12]), WHITE_CLOTH)
        shoe = curve(
            (2.5, -2),
            (2, -10, 10, -10.5),
            (18, -10, 18.5, -3),
            (19, 1, 16, 1),
            (5, 1),
            (2.5, 1, 2.5, -2),
        )
        brush.shape(shoe, self.shoe, light=(-1.5, -2.5))
        if brush.shaded:
            brush.fill(ellipse(8, -6.5, 2.6, 1.3), brush.tone(self.shoe).light, 0.8)

    def _neck(self) -> None:
        self.brush.shape(ribbon([(0, -98), (0, -84), (0, -76)], [13, 12, 22]), self.skin)
        if self.brush.shaded:
            with self.brush.inside(ribbon([(0, -98), (0, -84), (0, -76)], [13, 12, 22])):
                self.brush.fill(ellipse(0, -92, 14, 7), self.brush.tone(self.skin).shade)

    # Arms

    def _sleeve(self) -> Sleeve:
        return {
            "school_uniform": Sleeve(0.95, 14, 14.5, self.cloth, WHITE_CLOTH)
            if self.boy
            else Sleeve(0.5, 15, 18, WHITE_CLOTH, self.cloth),
            "hoodie": Sleeve(0.95, 15.5, 17, self.cloth, self._darker(self.cloth)),
            "dress": Sleeve(0.38, 18, 16, self.cloth, WHITE_CLOTH),
            "kimono": Sleeve(0.92, 16, 30, self.cloth),
            "shirt": Sleeve(0.5, 15, 17, self.cloth),
            "coat": Sleeve(0.95, 15.5, 17, self.cloth, self._darker(self.cloth)),
        }[self.who.clothing]

    def _arm(self, side: int, elbow: Point, hand: Point, *, open_hand: bool = False) -> None:
        # No two people hold their arms quite alike.
        dx, dy = self.shift[0], self.shift[1] * side
        elbow = (elbow[0] + dx * 0.5, elbow[1] + dy * 0.5)
        hand = (hand[0] + dx, hand[1] + dy)
        with self.brush.placed(flip=side < 0):
            self._arm_right(elbow, hand, open_hand)

    def _arm_right(self, elbow: Point, hand: Point, open_hand: bool) -> None:
        brush, sleeve = self.brush, self._sleeve()
        points = [SHOULDER, ((SHOULDER[0] + elbow[0]) / 2, (SHOULDER[1] + elbow[1]) / 2)]
        points += [elbow, ((elbow[0] + hand[0]) / 2, (elbow[1] + hand[1]) / 2), hand]
        limb = skia.Path()
        if sleeve.length < 0.9:
            limb = ribbon(points, [12, 11.5, 11, 10.5, 9.5])
        self._hand(points[3], hand, open_hand, limb)
        count = 3 if sleeve.length < 0.6 else 5
        covered = points[:count]
        end = covered[-1]
        if count == 5:
            covered[-1] = end = _between(points[3], hand, 0.55)
        else:
            covered[-1] = end = _between(points[1], points[2], sleeve.length)
        n = len(covered) - 1
        widths = [sleeve.top + (sleeve.bottom - sleeve.top) * (i / n) ** 1.5 for i in range(n + 1)]
        if self.who.clothing == "kimono":
            self._hanging_sleeve(covered, end)
        path = ribbon(covered, widths)
        if self.who.clothing == "dress":
            middle = _between(points[0], points[1], 0.75)
            path = ellipse(*middle, 9.5, 9)
        else:
            round_shoulder = ellipse(*SHOULDER, sleeve.top / 2 - 0.3, sleeve.top / 2 - 0.3)
            path = skia.Op(path, round_shoulder, skia.PathOp.kUnion_PathOp) or path
        brush.shape(path, sleeve.tone, light=(-3, -1.5))
        before = covered[-2]
        if sleeve.cuff and self.who.clothing != "dress":
            cuff = ribbon([_between(end, before, 0.28), end], [widths[-1] + 0.5, widths[-1] + 1])
            brush.shape(cuff, sleeve.cuff, light=(-2, -1))
        elif brush.shaded and self.who.clothing in ("hoodie", "shirt"):
            fold = brush.tone(sleeve.tone).shade
            brush.ink([_between(covered[1], (0, -70), 0.25), covered[1]], fold, 1.4)

    def _hanging_sleeve(self, covered: list[Point], end: Point) -> None:
        x, y = end
        start = covered[1]
        hang = min(y + 22, -24)
        bag = curve(
            start,
            (x + 7, y - 6),
            (x + 11, (y + hang) / 2, x + 8, hang),
            (x - 4, hang + 4, x - 11, hang - 3),
            (x - 13, (start[1] + hang) / 2, start[0] - 5, start[1] + 3),
        )
        self.brush.shape(bag, self.cloth, light=(-3, -2))
        if self.patterned and self.brush.shaded:
            with self.brush.inside(bag):
                self._petal_pattern(x - 1, hang - 6, 3.4)

    def _hand(self, wrist: Point, hand: Point, open_hand: bool, limb: skia.Path) -> None:
        """The hand, in one piece with the bare part of the arm."""
        path = ellipse(*hand, 5.4, 5.6)
        if open_hand:
            length = math.hypot(hand[0] - wrist[0], hand[1] - wrist[1])
            ux, uy = (hand[0] - wrist[0]) / length, (hand[1] - wrist[1]) / length
            for sideways, along in ((-3.4, 4.2), (0.2, 5.6), (3.6, 4.0), (-5.4, -0.6)):
                x, y = hand[0] + ux * along - uy * sideways, hand[1] + uy * along + ux * sideways
                path = skia.Op(path, ellipse(x, y, 2.7, 2.7), skia.PathOp.kUnion_PathOp) or path
        path = skia.Op(path, limb, skia.PathOp.kUnion_PathOp) or path
        self.brush.shape(path, self.skin, light=(-2, -1.5))

    # Things in the hands

    def _book(self) -> None:
        brush = self.brush
        cover = curve((-17, -72), (0, -69), (17, -72), (17, -52), (0, -49), (-17, -52))
        brush.shape(cover, BOOK)
        with brush.placed():
            pages = curve(
                (-15, -74),
                (-7, -75.5, 0, -72),
                (7, -75.5, 15, -74),
                (15, -71),
                (0, -69),
                (-15, -71),
            )
            brush.shape(pages, WHITE_CLOTH, light=(0, 0), line=1)
        brush.ink([(0, -70), (0, -50)], 0x38404E, 1.4)
        brush.stroke(curve((-14, -68), (-3, -66), (-3, -54), (-14, -56)), 0xFFFFFF, 1, 0.6)

    def _flower(self, side: int) -> None:
        x, y = ARM_HOLDING_FLOWER[1]
        x, y = x + self.shift[0], y + self.shift[1] * side
        brush = self.brush
        with brush.placed(flip=side < 0), brush.placed(x, y):
            brush.fill(ribbon([(-2, 14), (0, -4), (4, -20)], [3.2, 3.2, 2.8]), 0x4B8F4A)
            leaf = smooth([(0, -2), (8, -10), (15, -8), (9, -1)])
            brush.shape(leaf, CLOTH["green"], line=1.3)
            with brush.placed(5, -26, turn=12):
                for i in range(5):
                    with brush.placed(turn=72 * i):
                        brush.shape(ellipse(0, -8.6, 6.4, 7.4), PETAL, light=(0, -2), line=1.5)
                brush.shape(ellipse(0, 0, 5, 5), CLOTH["yellow"], light=(-1, -1), line=1.2)

    # Clothes

    def _torso(self, hem: float, hip: float, tone: Tone) -> skia.Path:
        path = curve(
            (-8, -89),
            (-16, -88, -20, -83),
            (-19, -70, -16.5, -62),
            (-17, -54, -hip, hem),
            (0, hem + 3.5, hip, hem),
            (17, -54, 16.5, -62),
            (19, -70, 20, -83),
            (16, -88, 8, -89),
            (0, -84, -8, -89),
        )
        self.brush.shape(path, tone, light=(-4.5, 0))
        return path

    def _skirt(self, top: float, hem: float, flare: float, tone: Tone, pleats: int) -> None:
        brush, colors = self.brush, self.brush.tone(tone)
        waist = 16.5
        bottom: list[tuple[float, ...]] = []
        for i in range(pleats):
            a = flare - 2 * flare * i / pleats
            b = flare - 2 * flare * (i + 1) / pleats
            drop = 4 * (1 - ((a + b) / 2 / flare) ** 2)
            bottom.append(((a + b) / 2, hem + drop + 3.6, b, hem + 4 * (1 - (b / flare) ** 2)))
        path = curve(
            (-waist, top),
            (0, top + 3, waist, top),
            (flare - 6, (top + hem) / 2, flare, hem),
            *bottom,
            (-flare + 6, (top + hem) / 2, -waist, top),
        )
        brush.shape(path, tone, light=(-5, -1))
        if not brush.shaded:
            return
        with brush.inside(path):
            for i in range(1, pleats):
                x = -flare + 2 * flare * i / pleats
                drop = 4 * (1 - (x / flare) ** 2)
                fold = curve(
                    (x * waist / flare, top),
                    (x * 0.9, (top + hem) / 2, x, hem + drop),
                    (x + 4.2, hem + drop + 2),
                    (x * 0.9 + 2, (top + hem) / 2, x * waist / flare, top),
                )
                brush.fill(fold, colors.shade, 0.85)

    def _collar_shadow(self, path: skia.Path, tone: Tone) -> None:
        """The head's shadow on the chest."""
        if self.brush.shaded:
            with self.brush.inside(path):
                self.brush.fill(ellipse(0, -92, 21, 10.5), self.brush.tone(tone).shade)

    def _school_uniform(self) -> None:
        if self.boy:
            self._blazer()
            return
        brush = self.brush
        self._skirt(-53, -35, 30, self.cloth, 7)
        torso = self._torso(-51, 17, WHITE_CLOTH)
        self._collar_shadow(torso, WHITE_CLOTH)
        collar = curve(
            (-9, -90),
            (-21, -87, -21, -80),
            (-14, -74, -2, -72),
            (0, -75),
            (2, -72),
            (14, -74, 21, -80),
            (21, -87, 9, -90),
            (6, -84, 0, -77),
            (-6, -84, -9, -90),
        )
        brush.shape(collar, self.cloth, light=(-2, -2))
        stripe = (
            mix(self.cloth.base, 0xFFFFFF, 0.85) if self.who.clothing_color != "white" else 0x8890B8
        )
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                brush.ink([(18.5, -82.5), (17, -78.5), (3, -74.8)], stripe, 1.6)
        # The neckerchief is a little darker than the collar, so that it stays visible on it.
        knot = self._darker(self.cloth)
        for side in (-1, 1):
            with brush.placed(0, -73, flip=side < 0):
                brush.shape(
                    smooth([(0, 0), (8, -5), (10.5, 1), (7, 4)]), knot, light=(-1, -1), line=1.3
                )
                brush.shape(
                    curve((0, 0), (7, 8), (2.5, 11), (0, 2)), knot, light=(-1, -1), line=1.3
                )
        brush.shape(ellipse(0, -73, 3, 2.8), knot, light=(-1, -1), line=1.3)

    def _blazer(self) -> None:
        brush = self.brush
        torso = self._torso(-44, 19.5, self.cloth)
        self._collar_shadow(torso, self.cloth)
        brush.shape(
            curve((-8, -90), (0, -62), (8, -90), (0, -84, -8, -90)), WHITE_CLOTH, light=(0, 0)
        )
        tie = (
            CLOTH["black"] if self.who.clothing_color in ("red", "pink", "purple") else CLOTH["red"]
        )
        brush.shape(
            curve((-2.6, -84), (2.6, -84), (3.6, -69), (0, -64), (-3.6, -69)), tie, line=1.1
        )
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                lapel = curve((6, -90), (14, -88), (14.5, -78), (11, -76), (0.5, -60), (4, -76))
                brush.shape(lapel, self._darker(self.cloth), light=(0, 0), line=1.3)
        line = brush.tone(self.cloth).line
        brush.ink([(0.5, -61), (0.8, -42)], line, 1.5)
        for y in (-57, -50):
            brush.shape(ellipse(-3, y, 1.7, 1.7), METAL_BUTTON, light=(0, 0), line=0.9)
        brush.ink([(8, -52), (15, -53)], line, 1.5)

    def _hoodie(self) -> None:
        brush = self.brush
        torso = self._torso(-42, 21, self.cloth)
        self._collar_shadow(torso, self.cloth)
        colors = brush.tone(self.cloth)
        collar = curve(
            (-17, -88), (-8, -76, 0, -75), (8, -76, 17, -88), (14, -92), (0, -82, -14, -92)
        )
        brush.shape(collar, self.cloth, light=(-1.5, -2))
        pocket = curve((-10, -61), (10, -61), (14.5, -47.5), (0, -45.5, -14.5, -47.5))
        brush.stroke(pocket, colors.line, 1.2, 0.85)
        if brush.shaded:
            brush.fill(pocket, colors.shade, 0.4)
        with brush.inside(torso):
            hem = curve((-24, -46), (0, -42, 24, -46), (24, -36), (-24, -36))
            brush.fill(hem, colors.shade)
            brush.stroke(curve((-24, -46), (0, -42, 24, -46), (0, -42, -24, -46)), colors.line, 1)
        string = 0xFFFFFF if self.who.clothing_color != "white" else 0x8A8FA8
        for side in (-1, 1):
            x = 4.5 * side
            brush.ink([(x, -77), (x * 1.05, -71), (x * 1.25, -65.5)], string, 2.3)
            brush.fill(ellipse(x * 1.28, -65, 1.5, 1.9), string)

    def _dress(self) -> None:
        brush = self.brush
        self._skirt(-60, -29, 33, self.cloth, 6)
        colors = brush.tone(self.cloth)
        hem = [(-32.5, -30.5), (-17, -26.4), (0, -25.2), (17, -26.4), (32.5, -30.5)]
        brush.stroke(smooth(hem, closed=False), brush.tone(WHITE_CLOTH).base, 2.2)
        brush.stroke(smooth([(x, y + 1.6) for x, y in hem], closed=False), colors.line, 1)
        torso = self._torso(-58, 16.5, self.cloth)
        self._collar_shadow(torso, self.cloth)
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                lobe = curve((0, -84), (2, -90, 10, -90.5), (18, -88, 14, -80), (8, -75, 1, -79))
                brush.shape(lobe, WHITE_CLOTH, light=(-1.5, -2))
        belt = WHITE_CLOTH if self.who.clothing_color != "white" else CLOTH["pink"]
        sash = curve((-17, -62), (0, -58.5, 17, -62), (17, -57), (0, -53.5, -17, -57))
        brush.shape(sash, belt, light=(-4, -1), line=1.3)
        for side in (-1, 1):
            with brush.placed(0, -76, flip=side < 0):
                bow = smooth([(0, 0), (7, -4), (8, 3)])
                brush.shape(bow, belt, light=(-1, -1), line=1.2)
        brush.shape(ellipse(0, -76, 2.3, 2.3), belt, light=(-1, -1), line=1.2)

    def _kimono(self) -> None:
        brush = self.brush
        robe = curve(
            (-8, -90),
            (-17, -88, -20, -83),
            (-19, -68, -17, -60),
            (-22, -34, -23, -10),
            (0, -6, 23, -10),
            (22, -34, 17, -60),
            (19, -68, 20, -83),
            (17, -88, 8, -90),
            (0, -84, -8, -90),
        )
        brush.shape(robe, self.cloth, light=(-5, 0))
        self._collar_shadow(robe, self.cloth)
        colors = brush.tone(self.cloth)
        with brush.inside(robe):
            if self.patterned and brush.shaded:
                for x, y in ((-13, -24), (13, -16), (11, -40), (-4, -14)):
                    self._petal_pattern(x, y, 4.2)
            brush.ink([(4, -50), (7, -30), (5, -6)], colors.line, 1.8)
            brush.fill(
                curve((4, -50), (8, -30), (6, -5), (10, -5), (12, -30), (4, -50)), colors.shade, 0.6
            )
        trim = WHITE_CLOTH if self.who.clothing_color != "white" else CLOTH["red"]
        brush.shape(curve((9, -91), (12, -88), (1, -74), (-3, -75)), trim, light=(0, 0), line=1.3)
        brush.shape(curve((-9, -91), (-12, -88), (6, -62), (10, -62)), trim, light=(0, 0), line=1.3)
        sash = (
            CLOTH["yellow"]
            if self.who.clothing_color in ("red", "purple", "black", "blue")
            else CLOTH["red"]
        )
        if self.who.clothing_color in ("pink", "green", "yellow"):
            sash = CLOTH["white"]
        obi = curve((-18, -66), (0, -63, 18, -66), (18.5, -51), (0, -47.5, -18.5, -51))
        brush.shape(obi, sash, light=(-4, 0))
        line = brush.tone(sash).line
        brush.ink([(-18, -59), (0, -55.5), (18, -59)], line, 1.8)
        brush.shape(ellipse(0, -56.5, 3, 2.5), sash, light=(-1, -1), line=1.1)

    def _petal_pattern(self, x: float, y: float, size: float) -> None:
        color = 0xFFFFFF if self.who.clothing_color != "white" else 0xF4A0B8
        with self.brush.placed(x, y, turn=x * 7):
            for i in range(5):
                with self.brush.placed(turn=72 * i):
                    self.brush.fill(ellipse(0, -size * 0.55, size * 0.36, size * 0.5), color, 0.8)

    def _shirt(self) -> None:
        brush = self.brush
        torso = self._torso(-45, 18.5, self.cloth)
        self._collar_shadow(torso, self.cloth)
        line = brush.tone(self.cloth).line
        brush.ink([(0, -80), (0.4, -62), (0.2, -44)], line, 1.3)
        for y in (-71, -62, -53):
            brush.fill(ellipse(3, y, 1.5, 1.5), brush.tone(WHITE_CLOTH).base)
            brush.stroke(ellipse(3, y, 1.5, 1.5), line, 0.8)
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                lobe = curve((0, -81), (7, -91), (13, -88), (10, -76))
                brush.shape(lobe, self.cloth, light=(-1.5, -2))
        brush.stroke(
            curve((-13, -72), (-6, -72), (-6.5, -65), (-9.5, -63.5), (-12.5, -65)), line, 1
        )
        if brush.shaded:
            brush.ink([(14, -58), (9, -54)], brush.tone(self.cloth).shade, 2)
            brush.ink([(-15, -56), (-10, -51)], brush.tone(self.cloth).shade, 2)

    def _coat(self) -> None:
        brush = self.brush
        coat = curve(
            (-8, -90),
            (-18, -89, -21, -83),
            (-20, -68, -16.5, -60),
            (-24, -42, -29, -24),
            (0, -18, 29, -24),
            (24, -42, 16.5, -60),
            (20, -68, 21, -83),
            (18, -89, 8, -90),
            (0, -84, -8, -90),
        )
        brush.shape(coat, self.cloth, light=(-6, 0))
        self._collar_shadow(coat, self.cloth)
        colors = brush.tone(self.cloth)
        with brush.inside(coat):
            brush.ink([(1, -76), (1.5, -50), (0, -16)], colors.line, 1.6)
            if brush.shaded:
                brush.fill(
                    curve((9, -54), (15, -36), (16, -18), (21, -18), (18, -38)), colors.shade, 0.8
                )
                brush.fill(
                    curve((-12, -54), (-17, -38), (-18, -18), (-14, -18), (-14, -36)),
                    colors.shade,
                    0.8,
                )
        for side in (-1, 1):
            with brush.placed(flip=side < 0):
                lapel = curve((0.5, -72), (6, -91), (17, -88), (17, -77), (9, -79))
                brush.shape(lapel, self._darker(self.cloth), light=(0, 0), line=1.4)
        belt = curve((-17.5, -62), (0, -58.5, 17.5, -62), (18, -56), (0, -52.5, -18, -56))
        brush.shape(belt, self._darker(self.cloth), light=(0, 0), line=1.4)
        brush.shape(
            curve((-4, -61), (4, -61), (4, -53), (-4, -53)), METAL_BUTTON, light=(-1, -1), line=1.1
        )
        for x in (-6.5, 7):
            for y in (-68, -46, -37):
                brush.shape(
                    ellipse(x * (1.25 if y > -50 else 1), y, 2, 2),
                    METAL_BUTTON,
                    light=(-0.7, -0.7),
                    line=0.9,
                )


# Held things have colours of their own, unlike any that clothes can have.
BOOK = tone(0x7E8EA4)
PETAL = Tone(0xFFD0E0, 0xF294B6, 0xFFFFFF, 0xA84872)
METAL_BUTTON = CLOTH["yellow"].softened(0.25)


def _between(first: Point, second: Point, share: float) -> Point:
    return (first[0] + (second[0] - first[0]) * share, first[1] + (second[1] - first[1]) * share)
