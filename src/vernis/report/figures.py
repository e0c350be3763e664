"""Figures as inline SVG. Colours come from the style sheet, so one drawing fits both themes.

Every figure has a title, axes that name their unit, and a description for screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vernis.report.markup import Content, Markup, tag
from vernis.report.svg import (
    CHARACTER,
    WIDTH,
    canvas,
    count_ticks,
    grid_x,
    grid_y,
    plainly,
    polyline,
    rectangle,
    write,
)
from vernis.report.wording import count, percent, shorten


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart; ``added`` is drawn behind the value in the second colour."""

    label: str
    value: float
    added: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a line chart. ``style`` is a class of the style sheet: line-a, -b, -c."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = "line-a"


def figure(title: str, drawing: Markup, *, note: str = "", legend: Markup | None = None) -> Markup:
    """Return a drawing with its caption above and a note below."""
    return tag(
        "figure",
        tag("figcaption", tag("span", title, class_="figure-title"), legend),
        tag("div", drawing, class_="figure-body"),
        tag("p", note, class_="figure-note") if note else None,
        class_="figure",
    )


def legend(*entries: tuple[str, str]) -> Markup:
    """Return a legend of (class of the swatch, name)."""
    return tag(
        "span",
        [
            tag("span", tag("i", class_=f"swatch {style}", aria_hidden="true"), name)
            for style, name in entries
        ],
        class_="legend",
    )


def bars(rows: Sequence[Bar], *, unit: str, description: str) -> Markup:
    """Draw horizontal bars, one row each, with the value written at the end."""
    longest = max((len(shorten(row.label, 24)) for row in rows), default=0)
    left = min(160.0, 20 + CHARACTER * longest)
    top = max((row.value + row.added for row in rows), default=0)
    ticks = count_ticks(top)
    end = ticks[-1]
    room = WIDTH - left - 64
    pitch, height = 22.0, 22.0 * len(rows) + 40
    shapes: list[Content] = [grid_x(ticks, left, room, end, 22.0 * len(rows) + 4, unit)]
    for i, row in enumerate(rows):
        y = i * pitch + 4
        width, more = room * row.value / end, room * row.added / end
        text = count(row.value) + (f" + {count(row.added)}" if row.added else "")
        shapes.append(
            tag(
                "g",
                tag("title", f"{row.label}: {text} {unit}"),
                write(shorten(row.label, 24), left - 8, y + 12, "label end"),
                rectangle(left, y, max(width, 1.5 if row.value else 0), 15, "bar"),
                rectangle(left + width, y, max(more, 1.5), 15, "bar-added") if row.added else None,
                write(text, left + width + more + 6, y + 12, "value"),
            )
        )
    return canvas(height, description, shapes)


def histogram(values: Sequence[int], *, x_label: str, y_label: str, description: str) -> Markup:
    """Draw vertical bars for the counts of 0, 1, 2, … ."""
    left, right, top, bottom = 52.0, 8.0, 26.0, 44.0
    height = 230.0
    ticks = count_ticks(max(values, default=0))
    room, rise = WIDTH - left - right, height - top - bottom
    pitch = room / max(len(values), 1)
    width = min(44.0, pitch * 0.72)
    every = math.ceil(len(values) / 14) if values else 1
    shapes: list[Content] = [grid_y(ticks, left, room, top, rise, y_label, count)]
    for i, value in enumerate(values):
        x = left + pitch * (i + 0.5)
        tall = rise * value / ticks[-1]
        shapes.append(
            tag(
                "g",
                tag("title", f"{x_label} {i}: {count(value)} {y_label}"),
                rectangle(x - width / 2, top + rise - tall, width, tall, "bar"),
                write(str(i), x, height - 28, "tick middle") if i % every == 0 else None,
            )
        )
    shapes.append(write(x_label, left + room / 2, height - 6, "axis middle"))
    return canvas(height, description, shapes)


def heatmap(labels: Sequence[str], table: Sequence[Sequence[float]], *, description: str) -> Markup:
    """Draw a square table of shares in 0..1; the row's own cell is left blank."""
    n = len(labels)
    left = min(136.0, 18 + CHARACTER * max((len(shorten(x, 18)) for x in labels), default=0))
    head = left * 0.72
    cell = min(44.0, (WIDTH - left - head * 0.8) / max(n, 1))
    shapes: list[Content] = []
    for i, row in enumerate(table):
        y = head + i * cell
        middle = y + cell / 2
        shapes.append(write(shorten(labels[i], 18), left - 6, middle + 4, "label end"))
        x = left + (i + 0.5) * cell
        shapes.append(
            tag(
                "text",
                shorten(labels[i], 18),
                class_="label",
                transform=f"translate({x + 4:.1f} {head - 6:.1f}) rotate(-45)",
            )
        )
        for j, share in enumerate(row):
            shapes.append(_cell(labels[i], labels[j], share, left + j * cell, y, cell, i == j))
    return canvas(head + n * cell + 8, description, shapes)


def _cell(
    row: str, column: str, share: float, x: float, y: float, size: float, own: bool
) -> Markup:
    side = round(size - 2, 1)
    box = {"x": round(x + 1, 1), "y": round(y + 1, 1), "width": side, "height": side, "rx": 2}
    if own:
        return tag("rect", class_="cell-own", **box)
    share = 0.0 if math.isnan(share) else min(max(share, 0.0), 1.0)
    writes = size >= 26 and share >= 0.005
    return tag(
        "g",
        tag("title", f"{percent(share)} of the images with {row} also have {column}"),
        tag("rect", class_="cell-empty", **box),
        # The square root lets the many small shares be told apart.
        tag("rect", class_="cell", fill_opacity=round(share**0.5, 3), **box) if share else None,
        write(
            percent(share).removesuffix("%"),
            x + size / 2,
            y + size / 2 + 4,
            f"cell-text middle{' full' if share > 0.5 else ''}",
        )
        if writes
        else None,
    )


def lines(
    series: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    description: str,
    marker: float = math.nan,
    marker_name: str = "",
) -> Markup:
    """Draw series over 0..1 on both axes, with a vertical marker where one is given.

    The paths carry ``data-series`` and the marker ``data-marker``, so that a script can show
    another class in the same frame.
    """
    left, right, top, bottom, height = 48.0, 16.0, 28.0, 44.0, 290.0
    room, rise = WIDTH - left - right, height - top - bottom
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    shapes: list[Content] = [grid_y(ticks, left, room, top, rise, y_label, plainly)]
    for tick in ticks:
        shapes.append(write(plainly(tick), left + room * tick, height - 28, "tick middle"))
    shapes.append(write(x_label, left + room / 2, height - 6, "axis middle"))
    x = left + room * (0.0 if math.isnan(marker) else marker)
    shapes.append(
        tag(
            "g",
            tag("path", d=f"M0 {top}V{top + rise}", class_="marker"),
            write(marker_name, 5, top + 10, "marker-text"),
            transform=f"translate({x:.1f} 0)",
            data_marker="chosen",
            visibility="hidden" if math.isnan(marker) else None,
        )
    )
    for line in series:
        d = polyline(
            [(left + room * a, top + rise * (1 - b)) for a, b in zip(line.x, line.y, strict=True)]
        )
        shapes.append(
            tag("path", tag("title", line.name), d=d, class_=line.style, data_series=line.name)
        )
    frame = f"{left} {top} {room} {rise}"
    return canvas(height, description, shapes, frame=frame)


def scatter(
    points: Sequence[tuple[str, float, float, int]],
    *,
    x_label: str,
    y_label: str,
    description: str,
) -> Markup:
    """Draw (label, x, y, weight) over 0..1 on both axes; a dot's area is its weight."""
    left, right, top, bottom, height = 48.0, 16.0, 28.0, 44.0, 290.0
    room, rise = WIDTH - left - right, height - top - bottom
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    shapes: list[Content] = [grid_y(ticks, left, room, top, rise, y_label, plainly)]
    for tick in ticks:
        shapes.append(write(plainly(tick), left + room * tick, height - 28, "tick middle"))
    shapes.append(write(x_label, left + room / 2, height - 6, "axis middle"))
    heaviest = max((weight for *_, weight in points), default=1) or 1
    for label, x, y, weight in points:
        shapes.append(
            tag(
                "circle",
                tag("title", f"{label}: {x_label} {x:.2f}, {y_label} {y:.2f}, {count(weight)}"),
                cx=round(left + room * x, 1),
                cy=round(top + rise * (1 - y), 1),
                r=round(3 + 7 * math.sqrt(weight / heaviest), 1),
                class_="dot",
            )
        )
    return canvas(height, description, shapes)


def gain(
    points: Sequence[tuple[int, float]],
    *,
    total: tuple[float, float, float],
    depth: int | None,
    description: str,
) -> Markup:
    """Draw the wrong labels met over the pictures read, worst first.

    ``total`` is the estimated number of wrong labels with its bounds (NaN where unknown), drawn
    as a level with a band; ``depth`` is marked.
    """
    left, right, top, bottom, height = 52.0, 16.0, 28.0, 44.0, 290.0
    room, rise = WIDTH - left - right, height - top - bottom
    known = [value for value in total if math.isfinite(value)]
    x_ticks = count_ticks(points[-1][0])
    y_ticks = count_ticks(max([points[-1][1], *known]))

    def at(x: float, y: float) -> tuple[float, float]:
        return left + room * x / x_ticks[-1], top + rise * (1 - y / y_ticks[-1])

    shapes: list[Content] = []
    if len(known) == 3:
        (_, high), (_, low) = at(0, total[2]), at(0, total[1])
        shapes.append(rectangle(left, high, room, low - high, "band"))
    shapes.append(grid_y(y_ticks, left, room, top, rise, "wrong labels met", count))
    for tick in x_ticks:
        shapes.append(write(count(tick), at(tick, 0)[0], height - 28, "tick middle"))
    shapes.append(write("pictures read, worst first", left + room / 2, height - 6, "axis middle"))
    if math.isfinite(total[0]):
        y = at(0, total[0])[1]
        shapes.append(tag("path", d=f"M{left} {y:.1f}h{room:.1f}", class_="level"))
        shapes.append(write(f"estimated: {count(total[0])}", left + 6, y - 5, "level-text"))
    shapes.append(tag("path", d=polyline([at(*point) for point in points]), class_="line-a"))
    if depth:
        x = at(min(depth, x_ticks[-1]), 0)[0]
        side = "marker-text end" if x > left + room * 0.7 else "marker-text"
        shapes.append(tag("path", d=f"M{x:.1f} {top}V{top + rise}", class_="marker"))
        shift = -5 if "end" in side else 5
        shapes.append(write(f"worth reading: {count(depth)}", x + shift, top + rise - 8, side))
    return canvas(height, description, shapes)


def rank_frequency(values: Sequence[int], *, unit: str, description: str) -> Markup:
    """Draw the counts of the classes, largest first, on a logarithmic axis."""
    ordered = sorted((v for v in values if v > 0), reverse=True)
    left, right, top, bottom, height = 52.0, 12.0, 26.0, 44.0, 230.0
    room, rise = WIDTH - left - right, height - top - bottom
    decades = max(1, math.ceil(math.log10(max(ordered, default=1) + 1e-9)))
    shapes: list[Content] = []
    for power in range(decades + 1):
        y = top + rise * (1 - power / decades)
        shapes.append(tag("path", d=f"M{left} {y:.1f}h{room:.1f}", class_="grid"))
        shapes.append(write(count(10**power), left - 8, y + 4, "tick end"))
    shapes.append(write(f"{unit}, logarithmic", left - 44, top - 14, "axis"))
    step = room / max(len(ordered), 1)
    points: list[tuple[float, float]] = []
    for i, value in enumerate(ordered):
        y = top + rise * (1 - math.log10(value) / decades)
        points += [(left + i * step, y), (left + (i + 1) * step, y)]
    shapes.append(tag("path", d=polyline(points), class_="line-a"))
    shapes.append(write("1", left, height - 28, "tick middle"))
    shapes.append(write(count(len(ordered)), left + room, height - 28, "tick end"))
    shapes.append(write("classes, most frequent first", left + room / 2, height - 6, "axis middle"))
    return canvas(height, description, shapes)


def dumbbells(rows: Sequence[tuple[str, float, float]], *, description: str) -> Markup:
    """Draw (label, before, after) shares of 0..1 as two dots with a bar between them."""
    longest = max((len(shorten(label, 24)) for label, _, _ in rows), default=0)
    left = min(160.0, 20 + CHARACTER * longest)
    room = WIDTH - left - 104
    deep = 34.0 * len(rows) + 4
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    shapes: list[Content] = [grid_x(ticks, left, room, 1.0, deep, "images with a label", percent)]
    for i, (label, before, after) in enumerate(rows):
        y = 34.0 * i + 18
        a, b = left + room * before, left + room * after
        name = f"{label}: {percent(before)} before, {percent(after)} after"
        shapes.append(
            tag(
                "g",
                tag("title", name),
                write(shorten(label, 24), left - 10, y + 4, "label end"),
                tag("path", d=f"M{a:.1f} {y}H{b:.1f}", class_="dumbbell"),
                tag("circle", cx=round(a, 1), cy=y, r=5, class_="dot-before"),
                tag("circle", cx=round(b, 1), cy=y, r=6, class_="dot-after"),
                write(f"{percent(before)} → {percent(after)}", left + room + 16, y + 4, "value"),
            )
        )
    return canvas(deep + 40, description, shapes)
