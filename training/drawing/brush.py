"""Paths and paint: smooth outlines, ribbons that taper, and shapes with shadow and outline.

A shape is drawn in three layers: the outline as a stroke in the material's darkest tone, the
shadow colour, and the light colour moved towards the light. The light comes from the upper left,
so that every outline is thin there and thick at the lower right, as a pen would leave it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import skia

from drawing.palette import Color, Tone

Point = tuple[float, float]


def smooth(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """A Catmull-Rom curve through the points."""
    path = skia.Path()
    _trace(path, points, closed)
    return path


def _trace(path: skia.Path, points: Sequence[Point], closed: bool) -> None:
    n = len(points)
    path.moveTo(*points[0])
    for i in range(n if closed else n - 1):
        x1, y1 = points[i]
        x2, y2 = points[(i + 1) % n]
        x0, y0 = points[i - 1] if closed or i > 0 else points[i]
        x3, y3 = points[(i + 2) % n] if closed or i + 2 < n else (x2, y2)
        path.cubicTo(
            x1 + (x2 - x0) / 6, y1 + (y2 - y0) / 6, x2 - (x3 - x1) / 6, y2 - (y3 - y1) / 6, x2, y2
        )
    if closed:
        path.close()


def polygon(points: Sequence[Point]) -> skia.Path:
    """Straight edges."""
    path = skia.Path()
    path.addPoly([skia.Point(*p) for p in points], True)
    return path


def ellipse(x: float, y: float, rx: float, ry: float) -> skia.Path:
    """An ellipse by its middle and half-axes."""
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - rx, y - ry, x + rx, y + ry))
    return path


def curve(start: Point, *steps: tuple[float, ...]) -> skia.Path:
    """A closed path of lines (2 numbers), quadratic (4) and cubic (6) Bézier pieces."""
    path = skia.Path()
    path.moveTo(*start)
    for step in steps:
        if len(step) == 2:
            path.lineTo(*step)
        elif len(step) == 4:
            path.quadTo(*step)
        else:
            path.cubicTo(*step)
    path.close()
    return path


def ribbon(points: Sequence[Point], widths: Sequence[float]) -> skia.Path:
    """A band along the points, `widths` wide at each; width 0 at an end makes it a tip."""
    left, right = [], []
    last = len(points) - 1
    for i, ((x, y), width) in enumerate(zip(points, widths, strict=True)):
        x0, y0 = points[max(0, i - 1)]
        x1, y1 = points[min(last, i + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1
        nx, ny = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    path = skia.Path()
    _trace(path, left, False)
    right.reverse()
    back = skia.Path()
    _trace(back, right, False)
    path.addPath(back, skia.Path.kExtend_AddPathMode)
    path.close()
    return path


def mirrored(path: skia.Path) -> skia.Path:
    """The path on the other side of x = 0."""
    result = skia.Path(path)
    result.transform(skia.Matrix.Scale(-1, 1))
    return result


def moved(path: skia.Path, dx: float, dy: float) -> skia.Path:
    """The path elsewhere."""
    result = skia.Path(path)
    result.offset(dx, dy)
    return result


def _argb(color: Color, alpha: float = 1.0) -> int:
    return round(255 * alpha) << 24 | color


class Brush:
    """Draws shapes on a Skia canvas in one style.

    `shaded` False leaves out shadows, gradients and highlights (flat colours); `line_width` is
    that of outlines, in units of the figure; `milk` is how pale every material becomes.
    """

    def __init__(self, canvas: skia.Canvas, *, shaded: bool, line_width: float, milk: float):
        self.canvas = canvas
        self.shaded = shaded
        self.line_width = line_width
        self._milk = milk

    def tone(self, tone: Tone) -> Tone:
        """The tone as this style shows it."""
        return tone.softened(self._milk) if self._milk else tone

    @contextmanager
    def placed(
        self, x: float = 0, y: float = 0, *, turn: float = 0, scale: float = 1, flip: bool = False
    ) -> Iterator[None]:
        """Moves the origin to (x, y), then turns by degrees, scales and mirrors."""
        self.canvas.save()
        self.canvas.translate(x, y)
        if turn:
            self.canvas.rotate(turn)
        if scale != 1 or flip:
            self.canvas.scale(-scale if flip else scale, scale)
        yield
        self.canvas.restore()

    @contextmanager
    def inside(self, path: skia.Path) -> Iterator[None]:
        """Draws only where the path is."""
        self.canvas.save()
        self.canvas.clipPath(path, skia.ClipOp.kIntersect, True)
        yield
        self.canvas.restore()

    def fill(self, path: skia.Path, color: Color, alpha: float = 1.0, blur: float = 0) -> None:
        """Plain paint, with soft edges where `blur` says how soft."""
        paint = skia.Paint(AntiAlias=True, Color=_argb(color, alpha))
        if blur:
            paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
        self.canvas.drawPath(path, paint)

    def gradient(
        self,
        path: skia.Path,
        start: Point,
        end: Point,
        colors: Sequence[Color],
        stops: Sequence[float] | None = None,
    ) -> None:
        """Paint that changes from one point to another."""
        shader = skia.GradientShader.MakeLinear(
            points=[skia.Point(*start), skia.Point(*end)],
            colors=[_argb(c) for c in colors],
            positions=list(stops) if stops else None,
        )
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def fade(self, path: skia.Path, start: Point, end: Point, color: Color, alpha: float) -> None:
        """Paint that is nothing at the start and has `alpha` at the end."""
        shader = skia.GradientShader.MakeLinear(
            points=[skia.Point(*start), skia.Point(*end)],
            colors=[_argb(color, 0), _argb(color, alpha)],
        )
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def glow(self, x: float, y: float, radius: float, color: Color, alpha: float = 1.0) -> None:
        """A round light that fades towards its rim."""
        shader = skia.GradientShader.MakeRadial(
            center=skia.Point(x, y), radius=radius, colors=[_argb(color, alpha), _argb(color, 0)]
        )
        self.canvas.drawPath(
            ellipse(x, y, radius, radius), skia.Paint(AntiAlias=True, Shader=shader)
        )

    def stroke(self, path: skia.Path, color: Color, width: float, alpha: float = 1.0) -> None:
        """A line of one width along the path."""
        self.canvas.drawPath(
            path,
            skia.Paint(
                AntiAlias=True,
                Color=_argb(color, alpha),
                Style=skia.Paint.kStroke_Style,
                StrokeWidth=width,
                StrokeCap=skia.Paint.kRound_Cap,
                StrokeJoin=skia.Paint.kRound_Join,
            ),
        )

    def ink(
        self, points: Sequence[Point], color: Color, width: float = 1.4, alpha: float = 1.0
    ) -> None:
        """A pen line, thick in its middle and fine at both ends."""
        if len(points) == 2:
            (x0, y0), (x1, y1) = points
            points = [points[0], ((x0 + x1) / 2, (y0 + y1) / 2), points[1]]
        last = len(points) - 1
        widths = [width * (0.15 + 0.85 * math.sin(math.pi * i / last)) for i in range(last + 1)]
        self.fill(ribbon(points, widths), color, alpha)

    def shape(
        self, path: skia.Path, tone: Tone, *, light: Point = (-3, -2.5), line: float | None = None
    ) -> None:
        """A solid thing: outline, shadow, and light that falls from `light`."""
        tone = self.tone(tone)
        width = self.line_width if line is None else line
        if width:
            self.stroke(moved(path, width * 0.14, width * 0.16), tone.line, width)
        if self.shaded and light != (0, 0):
            self.fill(path, tone.shade)
            with self.inside(path):
                self.fill(moved(path, *light), tone.base)
        else:
            self.fill(path, tone.base)
