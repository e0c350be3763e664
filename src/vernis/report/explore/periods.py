"""The figure of a profile over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vernis.report.charts import (
    draw_line,
    legend_outside,
    new_figure,
    save_figure,
    series_styles,
)
from vernis.report.wording import shorten

_LINES, _TICKS, _NAME = 7, 16, 24


def draw_course(
    path: Path | str,
    *,
    taxonomy: str,
    unit: str,
    periods: Sequence[str],
    counts: Mapping[str, Sequence[int]],
) -> Path:
    """Draw the images of each class by period; of the most frequent classes.

    Parameters
    ----------
    path : path
    taxonomy, unit : str
    periods : sequence of str
    counts : mapping of str to sequence of int
        Class → images of each period, the most frequent class first.
    """
    shown = list(counts)[:_LINES]
    cut = f" (the {len(shown)} most frequent of {len(counts):,})" if len(counts) > _LINES else ""
    figure, axes = new_figure(f"{taxonomy}: images a {unit}{cut}", width=9, height=4.5)
    for name, style in zip(shown, series_styles(), strict=False):
        draw_line(axes, range(len(periods)), counts[name], name=shorten(name, _NAME), style=style)
    step = max(1, -(-len(periods) // _TICKS))
    places = range(0, len(periods), step)
    axes.set_xticks(list(places), [periods[place] for place in places], rotation=45, ha="right")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(unit)
    axes.set_ylabel("images")
    legend_outside(axes)
    return save_figure(figure, path)
