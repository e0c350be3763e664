"""Charts in one style: as PNG or SVG files, and as SVG inside a page.

A chart is drawn once, with Matplotlib. A file has an opaque white ground, so that it reads on any
page. Inside a page (``as_svg``) colours become the variables of the page's style sheet, so that one
drawing fits the light theme and the dark one; text stays text. The colours of series are those of
Okabe and Ito, which the colour-blind tell apart; series differ by marker and line style too.
"""

from __future__ import annotations

import io
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from vernis.domain.errors import StorageError
from vernis.report.tables import write_bytes
from vernis.report.wording import clean, count, percent, shorten

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, MUTED, LINE, RAISED, SURFACE = "#18181b", "#63636b", "#e7e7e4", "#f4f4f3", "#ffffff"
BAR, BAR_SOFT, BLUE, ORANGE, WASH = "#3b7cc0", "#bcd6ef", "#0b62b5", "#a94a00", "#fdf0e3"
OTHER = "#8e8e93"

# Okabe & Ito (2008), without the yellow, which is too light for lines on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

THEME = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    RAISED: "raised",
    SURFACE: "surface",
    BAR: "bar",
    BAR_SOFT: "bar-soft",
    BLUE: "blue",
    ORANGE: "orange",
    WASH: "orange-wash",
    OTHER: "other",
    **{color: f"c{number}" for number, color in enumerate(PALETTE)},
}
"""Colour of the light theme → variable of ``web/shared/base.css``, which knows the dark one too."""

_STYLE: Any = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "text.color": INK,
    "text.parse_math": False,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",
}

_MANY_DECADES = 3
"""Powers of ten beyond which a logarithmic axis is labelled at them alone."""

_NAME_LENGTH = 24
_PAGE_WIDTH = 5.2  # inches of a chart inside a page: 374 units, about as many pixels


# --------------------------------------------------------------------------- the style


def new_figure(
    title: str = "",
    *,
    rows: int = 1,
    columns: int = 1,
    width: float = 8.0,
    height: float = 5.0,
    **options: Any,
) -> tuple[Figure, Any]:
    """Return an empty figure in the house style and its axes.

    Parameters
    ----------
    title : str
        Written above all; none inside a page, which has its own.
    rows, columns : int
        Of the grid of axes.
    width, height : float
        Inches.
    **options
        Of ``Figure.subplots``: sharex, sharey, squeeze…

    Returns
    -------
    figure : Figure
    axes : Axes, or ndarray of Axes when there are several
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
        if title:
            figure.suptitle(clean(title), x=0.01, ha="left", fontweight="bold", fontsize=13)
        axes = figure.subplots(rows, columns, **options)
    for one in np.ravel(axes):
        one.tick_params(which="both", length=0, pad=5, labelcolor=INK)
    return figure, axes


def grid_shape(count: int, most: int) -> tuple[int, int]:
    """Return lines and columns for so many panels, ``most`` columns at most; four are a square."""
    columns = 2 if count == 4 and most == 3 else max(1, min(most, count))
    return -(-count // columns), columns


def hide_spare_panels(grid: Any, count: int) -> None:
    """Hide the panels of a grid beyond the first ``count``.

    The panels above hidden ones get the numbers of the shared axis that those would have carried.
    """
    lines, columns = grid.shape
    for place, axes in enumerate(grid.ravel()):
        axes.set_visible(place < count)
        if place < count <= place + columns and place + columns < lines * columns:
            axes.tick_params(axis="x", labelbottom=True)


def series_styles() -> Any:
    """Yield endlessly the keywords (colour, marker, line style) of one series after another."""
    for number in cycle(range(len(PALETTE) * len(DASHES))):
        turn = number // len(PALETTE)
        yield {
            "color": PALETTE[number % len(PALETTE)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": DASHES[turn],
            "markersize": 4,
        }


def draw_line(
    axes: Axes, x: Any, y: Any, *, name: str, style: dict[str, Any], spread: Any = None
) -> None:
    """Draw one series, with a band of ``y ± spread`` behind it where a spread is given."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    axes.plot(x, y, label=name, **style)
    if spread is not None:
        width = np.asarray(spread, float)
        axes.fill_between(x, y - width, y + width, color=style["color"], alpha=0.15, linewidth=0)


def write(axes: Any, x: float, y: float, text: str, **options: Any) -> Any:
    """Write a text as it is: no formula, no character that a page may not show."""
    return axes.text(x, y, clean(text), **{"color": INK, "parse_math": False, **options})


def write_note(figure: Figure, text: str) -> None:
    """Write a line below all panels."""
    figure.supxlabel(clean(text), x=0.01, ha="left", fontsize=9, color=MUTED, parse_math=False)


def name_rows(axes: Any, names: Sequence[str], *, length: int = 28, **options: Any) -> None:
    """Name the rows of a chart from the top, long names shortened in the middle, lines between."""
    axes.set_ylim(len(names) - 0.4, -0.6)
    texts = [shorten(name, length) for name in names]
    axes.set_yticks(range(len(names)), texts, parse_math=False, **options)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")


def separate_rows(axes: Any, count: int) -> None:
    """Draw lines between the rows of a chart instead of along them."""
    axes.grid(axis="y", visible=False)
    for border in range(1, count):
        axes.axhline(border - 0.5, color=LINE, linewidth=0.8)


def legend_above(figure: Figure, *drawn: Any) -> None:
    """Put the legend above the axes of a page's chart, at its right."""
    entries = dict(zip(("handles", "labels"), drawn, strict=False))
    columns = len(entries.get("labels", ())) or 4
    figure.legend(loc="outside upper right", ncols=columns, frameon=False, **entries)


def legend_outside(axes: Axes, **options: Any) -> None:
    """Put the legend to the right of the axes, where it covers no data."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    axes.legend(**{**place, "frameon": False, **options})


def label_plainly(axis: Axis, values: Sequence[float], form: str = "{:g}") -> None:
    """Label a logarithmic axis over ``values`` with plain numbers: 0.02, not 2 × 10⁻²."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    decades = np.log10(max(values) / min(values)) if len(values) else 0.0
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > _MANY_DECADES else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write the figure as PNG or SVG (by the suffix), all of it or nothing.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lstrip(".").lower() or "png"
    try:
        return write_bytes(path, _drawn(figure, kind))
    except ValueError as error:
        raise StorageError(f"{path}: cannot draw a figure as {kind!r}; use .png or .svg") from error


def _drawn(figure: Figure, kind: str, **options: Any) -> bytes:
    import matplotlib as mpl

    stream = io.BytesIO()
    salt = options.pop("salt", "vernis")
    # A letter that the font lacks is drawn as a box in a file; a browser finds it elsewhere.
    with warnings.catch_warnings(), mpl.rc_context({**_STYLE, "svg.hashsalt": salt}):
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(stream, format=kind, **options)
    return stream.getvalue()


# --------------------------------------------------------------------------- inside a page


def mark(artist: Any, *, title: str = "", **attributes: str | int) -> Any:
    """Give what an artist draws a text shown on pointing at it, and attributes for a script.

    In the names of attributes a trailing ``_`` is dropped and ``_`` becomes ``-``. Files are not
    changed by it.
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    artist.set_gid(json.dumps({"title": title, **named}))
    return artist


def as_svg(figure: Figure, description: str, *, frame: Axes | None = None, **root: str) -> Markup:
    """Return the figure as an ``svg`` element whose colours are those of the page's theme.

    Parameters
    ----------
    figure : Figure
    description : str
        Read to who does not see it; unlike that of the other charts of the page.
    frame : Axes, optional
        A script is told where these axes lie: ``data-frame`` is left, top, width and height.
    **root
        Further attributes of the element.
    """
    from markupsafe import Markup

    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _drawn(figure, "svg", salt=repr(description), transparent=True, metadata=metadata)
    (drawing,) = _themed(ElementTree.fromstring(text))
    size = drawing.attrib["viewBox"]
    attributes = {"viewBox": size, "class": "plot", "role": "img", "aria-label": description}
    if frame is not None:
        width, height = (float(side) for side in size.split()[2:])
        box = frame.get_position()
        places = (box.x0 * width, (1 - box.y1) * height, box.width * width, box.height * height)
        attributes["data-frame"] = " ".join(f"{place:.1f}" for place in places)
    attributes |= {key.replace("_", "-"): value for key, value in root.items()}
    drawing.attrib = {key: clean(value) for key, value in attributes.items()}
    return Markup(ElementTree.tostring(drawing, encoding="unicode"))


def _themed(old: ElementTree.Element) -> list[ElementTree.Element]:
    """Return what the page needs of an element: no style but attributes, no group without use."""
    name = old.tag.rpartition("}")[2]
    if name in ("metadata", "style"):
        return []
    attributes = _attributes(name, old.attrib)
    if name == "path" and attributes.get("fill") == "none" and "stroke" not in attributes:
        return []
    children = [made for child in old for made in _themed(child)]
    if name == "g" and not attributes:
        return children
    if name == "defs" and not children:
        return []
    title = attributes.pop("title", "")
    made = ElementTree.Element(name, attributes)
    made.text = old.text if name == "text" else None
    if title:
        ElementTree.SubElement(made, "title").text = title
    made.extend(children)
    return [made]


def _attributes(element: str, old: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in old.items():
        key = name.rpartition("}")[2]
        if key == "style":
            for part in value.split(";"):
                rule, _, said = part.partition(":")
                if rule.strip() and rule.strip() != "font-family":
                    found[rule.strip()] = _COLOR.sub(_variable, said.strip())
        elif key == "id" and value.startswith("{"):
            given = json.loads(value).items()
            found |= {name: clean(str(said)) for name, said in given if said != ""}
        elif (key == "id" and element != "g") or key in ("href", "clip-path", "viewBox"):
            found[key] = value
        elif key in ("d", "x", "y", "width", "height", "transform") and "rotate(-0 " not in value:
            found[key] = " ".join(_NUMBER.sub(lambda m: f"{float(m[0]):.1f}", value).split())
    return found


_COLOR = re.compile("#[0-9a-f]{6}")
_NUMBER = re.compile(r"-?\d+\.\d+")


def _variable(color: re.Match[str]) -> str:
    name = THEME.get(color[0])
    return f"var(--{name})" if name else color[0]


# --------------------------------------------------------------------------- charts of pages


def count_ticks(top: float, most: int = 4) -> list[float]:
    """Return whole ticks from 0 to at least ``top``, at most ``most`` steps of 1, 2 or 5 × 10^k."""
    if not math.isfinite(top) or top <= 1:
        return [0.0, 1.0]
    rough = max(top / most, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(top / step - 1e-9) + 1)]


def _counted_axis(axis: Axis, top: float, limit: Any) -> float:
    """Give an axis whole ticks from 0; return its end."""
    ticks = count_ticks(top)
    axis.set_ticks(ticks, [count(tick) for tick in ticks])
    limit(0, ticks[-1])
    return ticks[-1]


def _page_figure(
    height: float, x_label: str, y_label: str = "", *, title: str = "", width: float = _PAGE_WIDTH
) -> tuple[Figure, Any]:
    """Return a figure without spines, the label of y above its axis; for a page without title."""
    figure, axes = new_figure(title, width=width, height=height)
    axes.spines[:].set_visible(False)
    axes.tick_params(labelcolor=MUTED)
    axes.set_xlabel(x_label, color=MUTED)
    axes.grid(visible=False, axis="x" if y_label else "y")
    if y_label:
        axes.set_title(y_label, loc="left", fontsize=9.5, fontweight="normal", color=MUTED)
    return figure, axes


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    added: Sequence[float] = (),
    *,
    unit: str,
    texts: Sequence[str] = (),
    title: str = "",
    width: float = _PAGE_WIDTH,
) -> Figure:
    """Draw horizontal bars of labelled images, one row each, with a text at the end.

    Parameters
    ----------
    labels : sequence of str
    values, added : sequence of float
        What is suggested in addition is drawn after the value, in a lighter colour.
    unit : str
    texts : sequence of str
        Written at the ends; the values when empty.
    title : str
    width : float
        Inches.
    """
    more = list(added) if any(added) else [0.0] * len(values)
    height = 0.55 + 0.24 * len(labels) + 0.25 * any(more) + 0.35 * bool(title)
    figure, axes = _page_figure(height, unit, title=title, width=width)
    ends = [value + plus for value, plus in zip(values, more, strict=True)]
    end = _counted_axis(axes.xaxis, max(ends, default=0), axes.set_xlim)
    rows = range(len(labels))
    drawn = [axes.barh(rows, values, color=BAR, height=0.68, label="labelled")]
    if any(more):
        look = {"color": BAR_SOFT, "edgecolor": BAR, "linewidth": 0.8}
        drawn.append(axes.barh(rows, more, left=values, height=0.68, label="suggested", **look))
        legend_above(figure)
    for row, (label, value, plus) in enumerate(zip(labels, values, more, strict=True)):
        text = texts[row] if texts else count(value) + (f" + {count(plus)}" if plus else "")
        for container in drawn:
            mark(container[row], title=f"{label}: {text} {unit}")
        at = (ends[row] + 0.012 * end, row)
        write(axes, *at, text, va="center", fontsize=9.5, color=MUTED)
    name_rows(axes, labels, length=_NAME_LENGTH)
    return figure


def histogram(values: Sequence[int], *, x_label: str, y_label: str) -> Figure:
    """Draw vertical bars for the counts of 0, 1, 2, … ."""
    figure, axes = _page_figure(2.4, x_label, y_label)
    _counted_axis(axes.yaxis, max(values, default=0), axes.set_ylim)
    every = math.ceil(len(values) / 14) if values else 1
    axes.set_xticks(range(0, len(values), every))
    axes.set_xlim(-0.6, len(values) - 0.4)
    for place, bar in enumerate(axes.bar(range(len(values)), values, color=BAR, width=0.5)):
        mark(bar, title=f"{x_label} {place}: {count(values[place])} {y_label}")
    return figure


def shares(labels: Sequence[str], table: ArrayLike) -> Figure:
    """Draw a square table of shares in 0..1; the row's own cell is left blank.

    Parameters
    ----------
    labels : sequence of str
    table : array_like, shape (n, n)
    """
    from matplotlib.patches import Rectangle

    T = np.nan_to_num(np.clip(np.asarray(table, float), 0, 1))
    figure, axes = new_figure(width=_PAGE_WIDTH, height=1.2 + 0.34 * len(labels))
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, len(labels) - 0.5)
    for (i, j), share in np.ndenumerate(T):
        corner = (j - 0.46, i - 0.46)
        ground = axes.add_patch(Rectangle(corner, 0.92, 0.92, color=LINE if i == j else RAISED))
        if i == j or not share:
            continue
        title = f"{percent(share)} of the images with {labels[i]} also have {labels[j]}"
        # The square root lets the many small shares be told apart.
        cell = Rectangle(corner, 0.92, 0.92, facecolor=BAR, edgecolor="none", alpha=share**0.5)
        for drawn in (ground, axes.add_patch(cell)):
            mark(drawn, title=title)
        if share >= 0.005:
            text = percent(share).removesuffix("%")
            write(axes, j, i, text, ha="center", va="center", fontsize=8.5)
    name_rows(axes, labels, length=18)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    names = [shorten(label, 18) for label in labels]
    turned = {"rotation": 45, "ha": "left", "rotation_mode": "anchor", "parse_math": False}
    axes.xaxis.tick_top()
    axes.set_xticks(range(len(labels)), names, **turned)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    return figure


_CURVES = (
    ("precision", "precision", BLUE, "-"),
    ("recall", "recall", ORANGE, "--"),
    ("f1", "F1", INK, ":"),
)


def threshold_curve(curve: Any) -> tuple[Figure, Axes]:
    """Draw precision, recall and F1 over the threshold, marked for a script that changes the class.

    Parameters
    ----------
    curve : ThresholdCurve

    Returns
    -------
    figure : Figure
    axes : Axes
        Both from 0 to 1.
    """
    figure, axes = _page_figure(2.9, "threshold of the probability", "precision, recall, F1")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for field, name, color, dash in _CURVES:
        look = {"color": color, "linestyle": dash, "linewidth": 1.6, "clip_on": False}
        (line,) = axes.plot(curve.thresholds, getattr(curve, field), label=name, **look)
        mark(line, data_series=field)
    chosen = curve.chosen if math.isfinite(curve.chosen) else 0.0
    shown = {} if math.isfinite(curve.chosen) else {"visibility": "hidden"}
    ruler = axes.axvline(chosen, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    text = write(axes, chosen + 0.01, 0.02, "chosen", fontsize=9, color=MUTED)
    for part in (ruler, text):
        mark(part, data_marker=f"{chosen:.4f}", **shown)
    legend_above(figure)
    return figure, axes


def precision_and_recall(
    points: Sequence[tuple[str, float, float, int]],
) -> Figure:
    """Draw a dot a class: (label, recall, precision, images); its area grows with the images."""
    figure, axes = _page_figure(2.9, "recall", "precision")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    most = max((images for *_, images in points), default=1) or 1
    for label, recall, precision, images in points:
        title = f"{label}: recall {recall:.2f}, precision {precision:.2f}, {count(images)}"
        size = (5 + 11 * math.sqrt(images / most)) ** 2
        look = {"facecolors": BAR, "edgecolors": BAR, "alpha": 0.5, "clip_on": False}
        mark(axes.scatter([recall], [precision], s=size, **look), title=title)
    return figure


def gain(
    points: Sequence[tuple[int, float]], *, total: tuple[float, float, float], depth: int | None
) -> Figure:
    """Draw the wrong labels met over the pictures read, worst first.

    Parameters
    ----------
    points : sequence of (int, float)
    total : (float, float, float)
        The estimated number of wrong labels with its bounds, drawn as a level with a band; NaN
        where unknown.
    depth : int or None
        How far reading is worth it; marked.
    """
    figure, axes = _page_figure(2.9, "pictures read, worst first", "wrong labels met")
    known = [value for value in total if math.isfinite(value)]
    x_end = _counted_axis(axes.xaxis, points[-1][0], axes.set_xlim)
    y_end = _counted_axis(axes.yaxis, max([points[-1][1], *known]), axes.set_ylim)
    if len(known) == 3:
        axes.axhspan(total[1], total[2], color=WASH, linewidth=0)
    if math.isfinite(total[0]):
        axes.axhline(total[0], color=ORANGE, linewidth=1.1, linestyle=(0, (5, 3)))
        at = (0.012 * x_end, total[0] + 0.015 * y_end)
        write(axes, *at, f"estimated: {count(total[0])}", fontsize=9, color=ORANGE)
    axes.plot(*zip(*points, strict=True), color=BLUE, linewidth=1.6)
    if depth:
        x = min(depth, x_end)
        axes.axvline(x, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
        side, shift = ("right", -0.012) if x > 0.7 * x_end else ("left", 0.012)
        text = f"worth reading: {count(depth)}"
        look = {"ha": side, "fontsize": 9, "color": MUTED}
        write(axes, x + shift * x_end, 0.03 * y_end, text, **look)
    return figure


def long_tail(counts: Sequence[int], *, unit: str) -> Figure:
    """Draw the counts of the classes, largest first, on a logarithmic axis."""
    figure, axes = _page_figure(2.4, "classes, most frequent first", f"{unit}, logarithmic")
    ordered = sorted((value for value in counts if value > 0), reverse=True)
    edges = np.arange(len(ordered) + 1) + 0.5
    axes.stairs(ordered, edges, baseline=None, color=BLUE, linewidth=1.6)
    axes.set_yscale("log")
    axes.set(xlim=(0.5, len(ordered) + 0.5), ylim=(1, 10 ** math.ceil(math.log10(ordered[0] + 1))))
    axes.set_xticks([1, len(ordered)], ["1", count(len(ordered))])
    label_plainly(axes.yaxis, [1, 10.0 ** (_MANY_DECADES + 1)], "{:,.0f}")
    return figure


def before_and_after(rows: Sequence[tuple[str, float, float]]) -> Figure:
    """Draw (label, before, after) shares of 0..1 as two dots with a bar between them."""
    figure, axes = _page_figure(0.9 + 0.36 * len(rows), "images with a label")
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    axes.set_xlim(0, 1)
    axes.set_xticks(ticks, [percent(tick) for tick in ticks])
    dots = {"clip_on": False, "linestyle": "", "marker": "o", "zorder": 3}
    for row, (label, before, after) in enumerate(rows):
        title = f"{label}: {percent(before)} before, {percent(after)} after"
        mark(axes.plot([before, after], [row, row], color=BAR_SOFT, linewidth=4)[0], title=title)
        hollow = {"color": SURFACE, "markeredgecolor": MUTED, "markeredgewidth": 1.6}
        drawn = axes.plot([before], [row], **dots, **hollow, markersize=8)
        drawn += axes.plot([after], [row], **dots, color=BAR, markersize=9)
        for dot in drawn:
            mark(dot, title=title)
        text = f"{percent(before)} → {percent(after)}"
        write(axes, 1.04, row, text, va="center", fontsize=9.5, color=MUTED)
    name_rows(axes, [label for label, *_ in rows], length=_NAME_LENGTH)
    axes.set_ylim(len(rows) - 0.3, -0.7)
    if rows:
        legend_above(figure, drawn, ("before", "after"))
    return figure


_MOST_BRANDS = 40


def brand_gain(rows: Sequence[tuple[str, Sequence[int], float, int, Sequence[int]]]) -> Figure:
    """Draw in how many images each brand is found by edit distance, and how many are right.

    Where logos were found by a service, a panel between the two shows what they add.

    Parameters
    ----------
    rows : sequence of (str, sequence of int, float, int, sequence of int)
        Brand; images found at distance 0, 1, 2, …; share of the labelled ones of them whose label
        it is, NaN where none is labelled; how many are labelled; images found in the text alone,
        in text and logos, in logos alone.
    """
    shown = rows[:_MOST_BRANDS]
    title = "Brands found, by edit distance"
    if len(rows) > len(shown):
        title += f" (the {len(shown)} most frequent of {len(rows):,})"
    has_logos = any(sum(parts[1:]) for *_, parts in shown)
    ratios = (2, 1, 1) if has_logos else (2, 1)
    figure, panels = new_figure(
        title,
        columns=len(ratios),
        width=8.5 + 2 * has_logos,
        height=1.5 + 0.24 * max(len(shown), 1),
        width_ratios=ratios,
    )
    left, right = panels[0], panels[-1]
    names = [name for name, *_ in shown]
    depth = max((len(found) for _, found, *_ in shown), default=0)
    labels = [f"{distance}{' and more' * (distance == depth - 1)}" for distance in range(depth)]
    _stack(left, [found for _, found, *_ in shown], labels, PALETTE)
    for row, (_, _, precision, labelled, _) in enumerate(shown):
        if math.isfinite(precision):
            right.plot([0, precision], [row, row], color=LINE, linewidth=1.5)
            right.plot([precision], [row], marker="o", color=BLUE, clip_on=False)
            write(right, 1.04, row, count(labelled), va="center", fontsize=8.5, color=MUTED)
    left.set_xlabel("images")
    right.set_xlabel("given label agrees (of how many)")
    right.set_xlim(0, 1)
    name_rows(left, names, length=_NAME_LENGTH)
    for panel in panels[1:]:
        name_rows(panel, [""] * len(shown))
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower left", ncols=max(depth, 1),
        frameon=False, title="letters that differ",
    )  # fmt: skip
    if has_logos:
        middle = panels[1]
        parts = ("text alone", "text and logo", "logo alone")
        _stack(middle, [found for *_, found in shown], parts, PALETTE[::-1])
        middle.set_xlabel("images")
        figure.legend(
            *middle.get_legend_handles_labels(), loc="outside lower right", ncols=len(parts),
            frameon=False, title="found in",
        )  # fmt: skip
    return figure


def _stack(
    axes: Any, rows: Sequence[Sequence[int]], labels: Sequence[str], colors: Sequence[str]
) -> None:
    """Draw a bar a row, of as many pieces as there are labels."""
    start = np.zeros(len(rows))
    for piece, label in enumerate(labels):
        values = np.array([row[piece] for row in rows], float)
        color = colors[piece % len(colors)]
        axes.barh(range(len(rows)), values, left=start, label=label, color=color, height=0.68)
        start += values
