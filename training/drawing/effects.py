"""Small things that float around the characters."""

from __future__ import annotations

import random

from drawing.background import Background
from drawing.brush import Brush, curve, ellipse, ribbon
from drawing.palette import CLOTH


def draw_effect(
    effect: str, background: Background, brush: Brush, rng: random.Random, count: int
) -> None:
    """Scatters `count` of them over the picture, mostly near its edges and top."""
    u = background.u
    for _ in range(count):
        x, y = _place(rng, background)
        size = rng.uniform(0.8, 1.3) * u
        match effect:
            case "sparkle":
                background.star(x, y, 10 * size, 0xFFFFFF, 0.9)
                background.star(x, y, 7.5 * size, 0xFFDF5E)
            case "heart":
                with brush.placed(x, y, turn=rng.uniform(-20, 20), scale=size):
                    heart = curve((0, 8), (-14, -2, -8, -11, 0, -4), (8, -11, 14, -2, 0, 8))
                    brush.shape(
                        heart, CLOTH["pink"] if rng.random() < 0.5 else CLOTH["red"], line=1.4
                    )
            case "petals":
                background.petal(x, y, 4.6 * size, 0xF58FB0)
            case "bubbles":
                brush.fill(ellipse(x, y, 8 * size, 8 * size), 0xCDEBFF, 0.45)
                brush.stroke(ellipse(x, y, 8 * size, 8 * size), 0x86BEEA, 1.3 * u)
                brush.fill(ellipse(x - 3 * size, y - 3 * size, 2 * size, 2 * size), 0xFFFFFF)
            case "musical_note":
                with brush.placed(x, y, turn=rng.uniform(-15, 15), scale=size):
                    color = rng.choice((0x5A6ADC, 0xE8688C, 0x4AA878))
                    brush.stroke(ellipse(0, 5, 4, 3.2), 0xFFFFFF, 2.4)
                    brush.fill(ellipse(0, 5, 4, 3.2), color)
                    brush.stroke(curve((3.6, 4), (3.6, -9)), color, 1.8)
                    brush.fill(ribbon([(3.6, -9), (8, -6), (9, -1)], [3, 3, 0.4]), color)


def _place(rng: random.Random, background: Background) -> tuple[float, float]:
    w, h = background.w, background.h
    edge = rng.choice(("left", "right", "top"))
    if edge == "top":
        return rng.uniform(0.04, 0.96) * w, rng.uniform(0.03, 0.14) * h
    x = rng.uniform(0.03, 0.14) * w
    return (x if edge == "left" else w - x), rng.uniform(0.1, 0.75) * h
