"""Sankey diagrams of the flows between two taxonomies: as a picture and as a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from vernis.report.flows.layout import NODE_WIDTH, Node, SankeyLayout, lay_out_sankey
from vernis.report.markup import Markup, join, tag
from vernis.report.plots import GREY, PALETTE, new_figure, save_figure
from vernis.report.wording import counted

_NAME_LENGTH = 25


@dataclass(frozen=True, slots=True, eq=False)
class SankeyView:
    """What a Sankey diagram shows, in the order of drawing.

    Attributes
    ----------
    left_title, right_title : str
        The taxonomies.
    left, right : tuple of str
    values : ndarray of int64, shape (n_left, n_right)
        Images with both labels.
    left_other, right_other : bool
        The last node of the side stands for the small ones.
    unit : str
        Of the nodes: ``images``, or ``pairs`` of image and label where an image counts twice.
    note : str
        What a reader must know: what counts, what was gathered.
    """

    left_title: str
    right_title: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    values: NDArray[np.int64]
    left_other: bool
    right_other: bool
    unit: str
    note: str

    @property
    def title(self) -> str:
        """Return the heading."""
        return f"From {self.left_title} to {self.right_title}"

    def color_of(self, left: int) -> int | None:
        """Return the number of a left node's colour, None for what is gathered."""
        if self.left_other and left == len(self.left) - 1:
            return None
        return left % len(PALETTE)


def draw_sankey(path: Path | str, view: SankeyView) -> Path:
    """Draw the diagram as PNG or SVG."""
    from matplotlib.patches import Rectangle

    layout = lay_out_sankey(view.left, view.right, view.values)
    figure, axes = new_figure(view.title, width=layout.width / 96, height=layout.height / 96 + 1.0)
    axes.set_axis_off()
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    for ribbon in layout.ribbons:
        color = view.color_of(ribbon.left)
        axes.add_patch(
            _ribbon_patch(
                layout,
                (ribbon.left_y, ribbon.right_y, max(ribbon.thickness, 0.7)),
                GREY if color is None else PALETTE[color],
            )
        )
    for side, nodes, x, place in (
        ("left", layout.left, layout.left_x - NODE_WIDTH, layout.left_x - NODE_WIDTH - 7),
        ("right", layout.right, layout.right_x, layout.right_x + NODE_WIDTH + 7),
    ):
        for number, node in enumerate(nodes):
            color = view.color_of(number) if side == "left" else None
            shade = GREY if color is None else PALETTE[color]
            axes.add_patch(
                Rectangle((x, node.y), NODE_WIDTH, max(node.height, 1), color=shade, linewidth=0)
            )
            axes.text(
                place,
                node.middle,
                _caption(node),
                ha="right" if side == "left" else "left",
                va="center",
                fontsize=9.5,
                parse_math=False,
            )
        title = view.left_title if side == "left" else view.right_title
        axes.text(
            place,
            24,
            f"{title} ({view.unit})",
            ha="right" if side == "left" else "left",
            fontweight="bold",
            parse_math=False,
        )
    figure.supxlabel(view.note, x=0.01, ha="left", fontsize=9, color=GREY, parse_math=False)
    return save_figure(figure, path)


def _ribbon_patch(layout: SankeyLayout, place: tuple[float, float, float], color: str) -> object:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    left, right, thick = place
    x0, x1 = layout.left_x, layout.right_x
    mid = (x0 + x1) / 2
    points = [
        (x0, left),
        (mid, left),
        (mid, right),
        (x1, right),
        (x1, right + thick),
        (mid, right + thick),
        (mid, left + thick),
        (x0, left + thick),
        (x0, left),
    ]
    codes = [Outline.MOVETO, *[Outline.CURVE4] * 3, Outline.LINETO, *[Outline.CURVE4] * 3]
    outline = Outline(points, [*codes, Outline.CLOSEPOLY])
    return PathPatch(outline, facecolor=color, alpha=0.42, linewidth=0)


def _caption(node: Node) -> str:
    name = node.name
    short = name if len(name) <= _NAME_LENGTH else name[: _NAME_LENGTH - 1] + "…"
    return f"{short}  {node.value:,}"


# --------------------------------------------------------------------------- the page


def render_sankey_page(view: SankeyView, rows: Sequence[dict[str, object]]) -> bytes:
    """Return the page: diagram and table in one file that needs no network.

    Parameters
    ----------
    view : SankeyView
    rows : sequence of dict
        The table behind it: ``from``, ``to``, ``images``, ``share`` (of the left label's images
        in the diagram), ``lift``.
    """
    layout = lay_out_sankey(view.left, view.right, view.values)
    table = json.dumps(list(rows), ensure_ascii=True).replace("<", "\\u003c")
    page = Template(_template("flows/flows.html")).substitute(
        title=tag("title", f"{view.title} · Vernis"),
        heading=join(view.title),
        note=join(view.note),
        style=_template("flows/flows.css"),
        diagram=_diagram(view, layout),
        left=join(view.left_title),
        right=join(view.right_title),
        rows=table,
        script=_template("flows/flows.mjs"),
    )
    return page.encode("utf-8", "replace")


def _template(name: str) -> str:
    return (files("vernis.report") / name).read_text(encoding="utf-8")


def _diagram(view: SankeyView, layout: SankeyLayout) -> Markup:
    shapes = [_svg_ribbon(view, layout, number) for number in range(len(layout.ribbons))]
    for side, nodes in (("left", layout.left), ("right", layout.right)):
        shapes += [_svg_node(view, layout, side, number) for number in range(len(nodes))]
    x0, x1 = layout.left_x - NODE_WIDTH - 7, layout.right_x + NODE_WIDTH + 7
    shapes.append(tag("text", f"{view.left_title} ({view.unit})", x=x0, y=24, class_="head end"))
    shapes.append(tag("text", f"{view.right_title} ({view.unit})", x=x1, y=24, class_="head"))
    return tag(
        "svg",
        shapes,
        viewBox=f"0 0 {layout.width:g} {layout.height:g}",
        role="group",
        aria_label=view.title,
        id="diagram",
    )


def _svg_ribbon(view: SankeyView, layout: SankeyLayout, number: int) -> Markup:
    ribbon = layout.ribbons[number]
    x0, x1 = layout.left_x, layout.right_x
    mid, thick = (x0 + x1) / 2, max(ribbon.thickness, 0.7)
    a, b = ribbon.left_y, ribbon.right_y
    outline = (
        f"M{x0:.1f} {a:.1f}C{mid:.1f} {a:.1f} {mid:.1f} {b:.1f} {x1:.1f} {b:.1f}V{b + thick:.1f}"
        f"C{mid:.1f} {b + thick:.1f} {mid:.1f} {a + thick:.1f} {x0:.1f} {a + thick:.1f}Z"
    )
    said = (
        f"{view.left[ribbon.left]} → {view.right[ribbon.right]}: {counted(ribbon.value, 'image')}"
    )
    return tag(
        "path",
        tag("title", said),
        d=outline,
        class_=f"ribbon {_color_class(view, ribbon.left)}",
        data_left=ribbon.left,
        data_right=ribbon.right,
    )


def _svg_node(view: SankeyView, layout: SankeyLayout, side: str, number: int) -> Markup:
    is_left = side == "left"
    node = (layout.left if is_left else layout.right)[number]
    x = layout.left_x - NODE_WIDTH if is_left else layout.right_x
    color = _color_class(view, number) if is_left else "plain"
    return tag(
        "g",
        tag("title", f"{node.name}: {node.value:,} {view.unit}"),
        tag(
            "rect",
            x=round(x, 1),
            y=round(node.y, 1),
            width=NODE_WIDTH,
            height=round(max(node.height, 1), 1),
            class_=color,
        ),
        tag(
            "text",
            _caption(node),
            x=round(x - 7 if is_left else x + NODE_WIDTH + 7, 1),
            y=round(node.middle + 4.5, 1),
            class_="end" if is_left else None,
        ),
        class_="node",
        role="button",
        tabindex=0,
        aria_pressed="false",
        aria_label=f"{node.name}, {node.value:,} {view.unit}",
        **{f"data_{side}": number},
    )


def _color_class(view: SankeyView, left: int) -> str:
    color = view.color_of(left)
    return "other" if color is None else f"c{color}"
