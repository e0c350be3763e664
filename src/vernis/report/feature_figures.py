"""The figures of ``vernis feature-maps``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Pixels
from vernis.report.plots import GREY, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vernis.workflows.explore.feature_maps import ChannelView, Patch

HEAT = "inferno"
"""Rises in lightness all the way, so that it reads in grey and for the colour-blind."""


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
    figure, axes = new_figure(
        title,
        rows=len(views),
        columns=columns,
        width=1.35 * columns + 0.4,
        height=1.62 * len(views) + 1.0,
        squeeze=False,
    )
    for row, view in zip(axes, views, strict=True):
        for cell in row:
            cell.axis("off")
        row[0].imshow(picture)
        _draw_heat(row[1], picture, view.heat)
        row[0].set_title(f"{view.layer}\nchannel {view.channel}", fontsize=9, loc="left")
        row[1].set_title(f"peak {view.peak:.1f}\n{view.deviation:+.1f} σ", fontsize=9, loc="left")
        for cell, patch in zip(row[2:], view.patches, strict=False):
            cell.imshow(patch.patch)
            cell.set_title(f"{patch.peak:.1f}", fontsize=8, color=GREY, loc="left")
    _heading(axes[0], n_patches)
    _foot(figure, note)
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
    blocks = -(-max(1, len(view.patches)) // per_row)
    columns = 1 + per_row
    figure, axes = new_figure(
        title,
        rows=2 * blocks,
        columns=columns,
        width=1.7 * columns,
        height=3.7 * blocks + 1.0,
        squeeze=False,
    )
    for cell in axes.ravel():
        cell.axis("off")
    axes[0][0].imshow(picture)
    axes[0][0].set_title("the picture", fontsize=9, loc="left")
    _draw_heat(axes[1][0], picture, view.heat)
    axes[1][0].set_title(f"peak {view.peak:.1f}, {view.deviation:+.1f} σ", fontsize=9, loc="left")
    for number, patch in enumerate(view.patches):
        block, column = divmod(number, per_row)
        upper, lower = axes[2 * block][1 + column], axes[2 * block + 1][1 + column]
        upper.imshow(patch.patch)
        upper.set_title(f"{number + 1}: {patch.peak:.1f}", fontsize=9, loc="left")
        _draw_heat(lower, patch.picture, patch.heat)
        _draw_box(lower, patch)
    _foot(figure, note)
    return save_figure(figure, path)


def _draw_heat(axes: Axes, picture: Pixels, heat: NDArray[np.float32]) -> None:
    """Lay the positive part of a map over the darkened grey picture."""
    grey = picture.astype(np.float32).mean(axis=2)
    height, width = grey.shape
    axes.imshow(grey, cmap="gray", vmin=0, vmax=380)
    positive = np.maximum(heat - max(0.0, float(np.median(heat))), 0)
    scaled = positive / max(float(positive.max()), 1e-9)
    extent: Any = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(
        scaled,
        cmap=HEAT,
        vmin=0,
        vmax=1,
        alpha=np.clip(scaled * 1.3, 0, 0.85),
        interpolation="bilinear",
        extent=extent,
    )
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _draw_box(axes: Axes, patch: Patch) -> None:
    from matplotlib.patches import Rectangle

    height, width = patch.picture.shape[:2]
    side = patch.patch.shape[0]
    left = min(max(0.0, patch.place[0] * width - side / 2), width - side)
    top = min(max(0.0, patch.place[1] * height - side / 2), height - side)
    for color, thickness in (("black", 3.0), ("white", 1.2)):
        box = Rectangle((left, top), side, side, fill=False, edgecolor=color, linewidth=thickness)
        axes.add_patch(box)


def _heading(row: Sequence[Axes], n_patches: int) -> None:
    if n_patches:
        first = row[2]
        first.set_title(
            f"most exciting patches →\n{first.get_title(loc='left')}",
            fontsize=8,
            color=GREY,
            loc="left",
        )


def _foot(figure: Any, note: str) -> None:
    import textwrap

    width = int(figure.get_size_inches()[0] * 13)
    figure.supxlabel(
        "\n".join(textwrap.wrap(note, width)), x=0.01, ha="left", fontsize=9, color=GREY
    )
