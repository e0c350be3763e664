"""The figures of ``vernis feature-maps``.

All pictures of a figure lie on one pair of axes, whose unit is the side of a picture: Matplotlib
takes ten times as long to lay out a pair of axes for each.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Pixels
from vernis.report.charts import INK, MUTED, new_figure, save_figure, write, write_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vernis.core.explore.feature_maps import ChannelView, Patch

HEAT = "inferno"
"""Rises in lightness all the way, so that it reads in grey and for the colour-blind."""

_INCHES = 1.45
_GAP = 0.06
_LINE = 0.14


def draw_channels(
    picture: Pixels, views: Sequence[ChannelView], title: str, note: str, path: Path
) -> Path:
    """Draw one row a channel: where it fires in the picture, then what excites it most.

    Parameters
    ----------
    picture : Pixels
        The square that the network is shown.
    views : sequence of ChannelView
    title, note : str
        Above and below.
    path : Path
        ``.png`` or ``.svg``.
    """
    n_patches = max((len(view.patches) for view in views), default=0)
    columns = 2 + n_patches
    row_height = 1 + 2 * _LINE + 0.08
    figure, axes = _sheet(title, note, columns, len(views) * row_height + _LINE)
    _write(axes, 2, _LINE, "what excites it most in the collection, with its peak", MUTED)
    for number, view in enumerate(views):
        y = number * row_height + 3 * _LINE
        _write(axes, 0, y - _LINE, f"{view.layer}")
        _write(axes, 0, y, f"channel {view.channel}")
        _write(axes, 1, y - _LINE, f"peak {view.peak:.1f}")
        _write(axes, 1, y, f"{view.deviation:+.1f} σ")
        _place(axes, picture, 0, y)
        _place_heat(axes, picture, view.heat, 1, y)
        for column, patch in enumerate(view.patches, 2):
            _write(axes, column, y, f"{patch.peak:.1f}", MUTED)
            _place(axes, patch.patch, column, y)
    return save_figure(figure, path)


def draw_one_channel(picture: Pixels, view: ChannelView, title: str, note: str, path: Path) -> Path:
    """Draw a channel in the picture, and each patch that excites it above its whole picture.

    Parameters
    ----------
    picture, title, note, path
        As for ``draw_channels``.
    view : ChannelView
    """
    per_row = 6
    block_height = 2 + _LINE + _GAP + 0.12
    blocks = -(-max(1, len(view.patches)) // per_row)
    figure, axes = _sheet(title, note, 1 + per_row, blocks * block_height + _LINE)
    _write(axes, 0, _LINE, f"peak {view.peak:.1f}, {view.deviation:+.1f} σ")
    _place(axes, picture, 0, _LINE)
    _place_heat(axes, picture, view.heat, 0, 1 + _LINE + _GAP)
    for number, patch in enumerate(view.patches):
        block, column = divmod(number, per_row)
        y = block * block_height + _LINE
        _write(axes, 1 + column, y, f"{number + 1}: peak {patch.peak:.1f}", MUTED)
        _place(axes, patch.patch, 1 + column, y)
        _place_heat(axes, patch.picture, patch.heat, 1 + column, y + 1 + _GAP)
        _place_box(axes, patch, 1 + column, y + 1 + _GAP)
    return save_figure(figure, path)


def _sheet(title: str, note: str, columns: int, height: float) -> tuple[Any, Axes]:
    """Return a figure and axes of ``columns`` by ``height`` pictures, rows downwards."""
    width = _INCHES * columns
    figure, axes = new_figure(title, width=width, height=_INCHES * height + 0.8)
    axes.axis("off")
    axes.set_aspect("equal")
    write_note(figure, "\n".join(textwrap.wrap(note, int(width * 12))))
    axes.set_xlim(-_GAP, columns)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return figure, axes


def _write(axes: Axes, column: float, y: float, text: str, color: str = INK) -> None:
    """Write a line that ends just above ``y``."""
    write(axes, column, y - 0.03, text, fontsize=9, color=color, va="bottom")


def _place(axes: Axes, values: NDArray[Any], x: float, y: float, **options: Any) -> None:
    side = 1 - _GAP
    axes.imshow(values, extent=(x, x + side, y + side, y), aspect="equal", **options)


def _place_heat(axes: Axes, picture: Pixels, heat: NDArray[np.float32], x: float, y: float) -> None:
    """Lay the part of a map above its median over the darkened grey picture."""
    _place(axes, picture.astype(np.float32).mean(axis=2), x, y, cmap="gray", vmin=0, vmax=380)
    positive = np.maximum(heat - max(0.0, float(np.median(heat))), 0)
    scaled = positive / max(float(positive.max()), 1e-9)
    alpha = np.clip(scaled * 1.3, 0, 0.85)
    _place(axes, scaled, x, y, cmap=HEAT, vmin=0, vmax=1, alpha=alpha, interpolation="bilinear")


def _place_box(axes: Axes, patch: Patch, x: float, y: float) -> None:
    """Frame the patch in its whole picture."""
    from matplotlib.patches import Rectangle

    side = patch.patch.shape[0] / patch.picture.shape[0]
    left, top = (min(max(0.0, place - side / 2), 1 - side) for place in patch.place)
    scale = 1 - _GAP
    corner = (x + scale * left, y + scale * top)
    for color, thickness in (("black", 3.0), ("white", 1.2)):
        axes.add_patch(
            Rectangle(
                corner, scale * side, scale * side, fill=False, edgecolor=color, linewidth=thickness
            )
        )
