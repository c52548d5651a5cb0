"""The colours. Every tag that names a colour has one tone here, chosen to be told apart."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

Color = int  # 0xRRGGBB


def mix(first: Color, second: Color, share: float) -> Color:
    """`first` with that share of `second` in it."""
    result = 0
    for shift in (16, 8, 0):
        a, b = first >> shift & 255, second >> shift & 255
        result |= round(a + (b - a) * share) << shift
    return result


def _hls(color: Color, hue: float, lightness: float, saturation: float) -> Color:
    h, lightness_before, s = colorsys.rgb_to_hls(*((color >> k & 255) / 255 for k in (16, 8, 0)))
    rgb = colorsys.hls_to_rgb(
        (h + hue) % 1, min(1, lightness_before * lightness), min(1, s * saturation)
    )
    red, green, blue = (round(255 * v) for v in rgb)
    return red << 16 | green << 8 | blue


@dataclass(frozen=True)
class Tone:
    """One material: its colour in the light, in shadow, in a highlight, and its outline."""

    base: Color
    shade: Color
    light: Color
    line: Color

    def softened(self, share: float) -> Tone:
        """The same material seen through milk."""
        paper = 0xFFFAFC
        # Dark colours take less of it: black that turns grey would no longer be black.
        darkness = (
            1 - (self.base & 255) / 765 - (self.base >> 8 & 255) / 765 - (self.base >> 16) / 765
        )
        share *= 1 - 0.6 * darkness
        return Tone(
            mix(self.base, paper, share),
            mix(self.shade, paper, share),
            mix(self.light, paper, share),
            mix(self.line, paper, share * 0.9),
        )


def tone(base: Color) -> Tone:
    """A material whose shadow, highlight and outline follow from its colour."""
    _, lightness, saturation = colorsys.rgb_to_hls(*((base >> k & 255) / 255 for k in (16, 8, 0)))
    if saturation < 0.12 and lightness > 0.8:
        return Tone(base, 0xCDD0E0, 0xFFFFFF, 0x82859C)
    if lightness < 0.3:
        return Tone(base, mix(base, 0x000008, 0.4), mix(base, 0xA8A8D0, 0.4), mix(base, 0, 0.65))
    return Tone(
        base,
        mix(_hls(base, -0.015, 0.8, 1.0), 0x5A2A78, 0.12),
        mix(base, 0xFFFFFF, 0.5),
        mix(_hls(base, -0.02, 0.48, 0.9), 0x2A1030, 0.15),
    )


HAIR = {
    "black_hair": Tone(0x3C3B49, 0x272631, 0x868BAA, 0x131219),
    "brown_hair": Tone(0x744426, 0x532D19, 0xBE8250, 0x301709),
    "blonde_hair": Tone(0xFADC78, 0xE9B050, 0xFFF8CF, 0x9A6422),
    "red_hair": Tone(0xC92B36, 0x94192E, 0xF5827A, 0x560B1C),
    "pink_hair": Tone(0xF8A4C2, 0xDD7AA4, 0xFFE0EB, 0x963A68),
    "purple_hair": Tone(0x9160C8, 0x6B429E, 0xCBA9F0, 0x3D2064),
    "blue_hair": Tone(0x4881DC, 0x325CB4, 0xA0CAFA, 0x1A3070),
    "green_hair": Tone(0x5DB56B, 0x3E8A54, 0xB2E5B2, 0x1C4E2E),
    "white_hair": Tone(0xF1F2F8, 0xC4C9DB, 0xFFFFFF, 0x747A96),
    "orange_hair": Tone(0xF48B38, 0xCC6426, 0xFFCB92, 0x80360E),
}

# From the top of the iris to its lower rim.
EYES = {
    "blue_eyes": (0x1B3A9C, 0x3A7CF0, 0x9ADCFF),
    "green_eyes": (0x0F5A38, 0x28AE5E, 0xAAF2B0),
    "red_eyes": (0x780C20, 0xDC2438, 0xFF9C8C),
    "brown_eyes": (0x40200F, 0x8C502A, 0xDCA66E),
    "purple_eyes": (0x441A82, 0x8C46DA, 0xDAB0FF),
    "yellow_eyes": (0x925A04, 0xF4B41C, 0xFFF48C),
}

SKIN = {
    "fair_skin": Tone(0xFFE6D8, 0xF7BFAB, 0xFFF6EF, 0xAE6656),
    "tan": Tone(0xEBB68E, 0xD08F69, 0xF7D2B2, 0x854B33),
    "dark_skin": Tone(0xB98560, 0x946245, 0xD2A27E, 0x50301F),
}

CLOTH = {
    "red": tone(0xDA3A46),
    "blue": tone(0x3C70D4),
    "green": tone(0x41A460),
    "yellow": tone(0xF6CC3C),
    "purple": tone(0x8E58C6),
    "pink": tone(0xF79DBE),
    "white": tone(0xF6F6FA),
    "black": tone(0x383844),
}

# No prompt has words for these: they are what adapters add (adapters.py).
HAIR["mint_hair"] = Tone(0x7BE0CE, 0x4CB4AA, 0xD8FFF6, 0x1D625F)
EYES["orange_eyes"] = (0x7E2A06, 0xFF7A1C, 0xFFD488)
CLOTH["navy"] = tone(0x2E3C86)

WHITE_CLOTH = CLOTH["white"]
TROUSERS = tone(0x6B6F80)
LEATHER = tone(0x6A4030)
STRAW = tone(0xEFD69A)
