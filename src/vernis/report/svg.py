"""The parts of which the figures are drawn: texts, rectangles, paths, axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from vernis.report.markup import Content, Markup, join, tag
from vernis.report.wording import count

WIDTH = 520.0
"""Width of every drawing in its own units; the page scales it."""

CHARACTER = 6.6
"""Mean width of a character at the figures' 12 px."""


def count_ticks(top: float, most: int = 4) -> list[float]:
    """Return whole ticks from 0 to at least ``top``, at most ``most`` steps of 1, 2 or 5 × 10^k."""
    if not math.isfinite(top) or top <= 1:
        return [0.0, 1.0]
    rough = max(top / most, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def canvas(height: float, description: str, shapes: Sequence[Content], frame: str = "") -> Markup:
    """Return the drawing; ``frame`` tells a script where the axes lie (left top room rise)."""
    return tag(
        "svg",
        join(shapes),
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=description,
        class_="plot",
        data_frame=frame or None,
    )


def rectangle(x: float, y: float, width: float, height: float, style: str) -> Markup:
    """Return a rectangle with a class of the style sheet."""
    return tag(
        "rect",
        x=round(x, 1),
        y=round(y, 1),
        width=round(width, 1),
        height=round(height, 1),
        rx=2,
        class_=style,
    )


def write(text: str, x: float, y: float, style: str) -> Markup:
    """Return a text with classes of the style sheet."""
    return tag("text", text, x=round(x, 1), y=round(y, 1), class_=style)


def polyline(points: Sequence[tuple[float, float]]) -> str:
    """Return the path through the points; those that are not finite are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in finite) if finite else ""


def plainly(value: float) -> str:
    """Return a number as short as it goes."""
    return f"{value:g}"


def grid_x(
    ticks: Sequence[float],
    left: float,
    room: float,
    end: float,
    deep: float,
    unit: str,
    written: Callable[[float], str] = count,
) -> Markup:
    """Return vertical lines at the ticks with their values and the unit below."""
    shapes: list[Content] = []
    for tick in ticks:
        x = left + room * tick / end
        shapes.append(tag("path", d=f"M{x:.1f} 0V{deep:.1f}", class_="grid"))
        shapes.append(write(written(tick), x, deep + 14, "tick middle"))
    shapes.append(write(unit, left + room / 2, deep + 32, "axis middle"))
    return join(shapes)


def grid_y(
    ticks: Sequence[float],
    left: float,
    room: float,
    top: float,
    rise: float,
    label: str,
    written: Callable[[float], str],
) -> Markup:
    """Return horizontal lines at the ticks with their values, the label above."""
    shapes: list[Content] = []
    for tick in ticks:
        y = top + rise * (1 - tick / ticks[-1])
        shapes.append(tag("path", d=f"M{left} {y:.1f}h{room:.1f}", class_="grid"))
        shapes.append(write(written(tick), left - 8, y + 4, "tick end"))
    shapes.append(write(label, left - 44, top - 14, "axis"))
    return join(shapes)
