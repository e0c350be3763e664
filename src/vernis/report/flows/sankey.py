"""The Sankey diagram: flows of images between the classes of two taxonomies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue
from vernis.report.charts import MUTED, OTHER, PALETTE, mark, new_figure, write, write_note
from vernis.report.wording import counted, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABEL_ROOM = 17.0
"""Height that a node of a Sankey diagram takes at least, so that its label meets no other."""

_NAME_LENGTH = 24
_GAP, _NODE, _TOP, _BOTTOM = 5.0, 14.0, 46.0, 12.0
_WIDTH, _NAMES = 1080.0, 230.0  # of the drawing, of the names on either side


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

    def __post_init__(self) -> None:
        shape = (len(self.left), len(self.right))
        if self.values.shape != shape or not self.values.any():
            raise InvalidValue(f"expected flows of {shape}, got {self.values.shape}")

    @property
    def title(self) -> str:
        """Return the heading."""
        return f"From {self.left_title} to {self.right_title}"

    def color(self, left: int) -> str:
        """Return the colour of a left node and of what flows from it."""
        gathered = self.left_other and left == len(self.left) - 1
        return OTHER if gathered else PALETTE[left % len(PALETTE)]


@dataclass(frozen=True, slots=True, eq=False)
class NodePlaces:
    """The nodes of one side, from top to bottom: where each begins, its height, its middle."""

    top: NDArray[np.float64]
    height: NDArray[np.float64]
    middle: NDArray[np.float64]


def place_nodes(values: ArrayLike) -> tuple[NodePlaces, NodePlaces, float]:
    """Return the nodes of both sides of a Sankey diagram and the height of all.

    All heights share one scale, the largest at which both sides fit. A node that is smaller than
    its label gets the label's room.

    Parameters
    ----------
    values : array_like, shape (n_left, n_right)
    """
    F = np.asarray(values, np.float64)
    sides = (F.sum(axis=1), F.sum(axis=0))
    rise = max(420.0, 26.0 * max(F.shape))

    def needed(sizes: NDArray[np.float64], scale: float) -> float:
        return float(np.maximum(sizes * scale, LABEL_ROOM).sum() + _GAP * (len(sizes) - 1))

    low, high = 0.0, rise / F.sum()
    for _ in range(50):
        middle = (low + high) / 2
        fits = all(needed(sizes, middle) <= rise for sizes in sides)
        low, high = (middle, high) if fits else (low, middle)
    placed = []
    for sizes in sides:
        height, slot = sizes * low, np.maximum(sizes * low, LABEL_ROOM)
        spare = (rise - needed(sizes, low)) / len(sizes)
        start = spare / 2 + np.cumsum(slot + _GAP + spare) - (slot + _GAP + spare)
        placed.append(NodePlaces(start + (slot - height) / 2, height, start + slot / 2))
    return placed[0], placed[1], rise


def sankey(view: SankeyView, *, in_page: bool = False) -> Figure:
    """Draw the diagram; in a page title and note are left to it."""
    left, right, rise = place_nodes(view.values)
    high = _TOP + rise + _BOTTOM
    title = "" if in_page else view.title
    figure, axes = new_figure(title, width=_WIDTH / 96, height=high / 96 + (not in_page))
    axes.set_axis_off()
    axes.set(xlim=(0, _WIDTH), ylim=(high - _TOP, -_TOP))
    starts, ends = left.top.copy(), right.top.copy()
    for i, j in np.argwhere(view.values > 0).tolist():
        value = int(view.values[i, j])
        thick = left.height[i] * value / view.values[i].sum()
        ribbon = axes.add_patch(_ribbon(starts[i], ends[j], max(thick, 0.7), view.color(i)))
        said = f"{view.left[i]} → {view.right[j]}: {counted(value, 'image')}"
        mark(ribbon, title=said, class_="ribbon", data_left=i, data_right=j)
        starts[i], ends[j] = starts[i] + thick, ends[j] + thick
    _draw_nodes(axes, view, "left", left)
    _draw_nodes(axes, view, "right", right)
    if not in_page:
        write_note(figure, view.note)
    return figure


def _ribbon(left: float, right: float, thick: float, color: str) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    x0, x1 = _NAMES + _NODE, _WIDTH - _NAMES - _NODE
    mid = (x0 + x1) / 2
    points = [(x0, left), (mid, left), (mid, right), (x1, right)]
    back = [(x, y + thick) for x, y in reversed(points)]
    curve = [Outline.CURVE4] * 3
    codes = [Outline.MOVETO, *curve, Outline.LINETO, *curve, Outline.CLOSEPOLY]
    outline = Outline([*points, *back, points[0]], codes)
    return PathPatch(outline, facecolor=color, alpha=0.5, linewidth=0)


def _draw_nodes(axes: Any, view: SankeyView, side: str, places: NodePlaces) -> None:
    from matplotlib.patches import Rectangle

    is_left = side == "left"
    names, title, sizes = (
        (view.left, view.left_title, view.values.sum(axis=1))
        if is_left
        else (view.right, view.right_title, view.values.sum(axis=0))
    )
    x = _NAMES if is_left else _WIDTH - _NAMES - _NODE
    at, align = (x - 7, "right") if is_left else (x + _NODE + 7, "left")
    for number, name in enumerate(names):
        color = view.color(number) if is_left else MUTED
        high = max(places.height[number], 1)
        node = Rectangle((x, places.top[number]), _NODE, high, color=color, linewidth=0)
        said = f"{name}: {counted(int(sizes[number]), view.unit.removesuffix('s'))}"
        own: dict[str, Any] = {f"data_{side}": number, "class_": "node", "title": said}
        button: dict[str, Any] = {
            "role": "button",
            "tabindex": 0,
            "aria_pressed": "false",
            "aria_label": said,
        }
        mark(axes.add_patch(node), **own, **button)
        caption = f"{shorten(name, _NAME_LENGTH)}  {sizes[number]:,}"
        look = {"ha": align, "va": "center", "fontsize": 9.5}
        mark(write(axes, at, places.middle[number], caption, **look), **own)
    write(axes, at, 24 - _TOP, f"{title} ({view.unit})", ha=align, fontweight="bold")
