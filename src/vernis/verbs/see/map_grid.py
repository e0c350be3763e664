"""Make the maps of a grid of parameters, sharing whatever they have in common."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vernis.core.explore import projection, tsne
from vernis.core.numeric.components import principal_components
from vernis.domain.errors import UsageError
from vernis.domain.maps import MapRecord
from vernis.domain.types import Space
from vernis.verbs.see.map_making import (
    MapSettings,
    is_made_so,
    make_map,
    present_contents,
    read_map_data,
    write_map,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_AXES = {"tsne": ("perplexity", "iterations"), "umap": ("neighbors", "min_dist")}
_WHOLE = ("iterations", "neighbors")

Axes = Mapping[str, Sequence[float]]
"""Parameter → its values, ascending."""


def read_axes(method: str, texts: Sequence[str]) -> dict[str, list[float]]:
    """Parse ``perplexity=10,20 iterations=200,500``.

    Raises
    ------
    UsageError
        The text is another, names a parameter that the method has not, or repeats one.
    """
    known = _AXES.get(method, ())
    if not known:
        raise UsageError(f"a map by {method} has no parameters for a grid; use tsne or umap")
    axes: dict[str, list[float]] = {}
    for text in texts:
        name, equals, listed = text.partition("=")
        if not equals or name not in known or name in axes:
            raise UsageError(
                f"--grid {text!r}: expected each of {' and '.join(known)} once, as in "
                f"{known[0]}=10,20,30"
            )
        try:
            values = sorted({float(value) for value in listed.split(",")})
            if name in _WHOLE and any(value != int(value) for value in values):
                raise ValueError
        except ValueError:
            kind = "whole numbers" if name in _WHOLE else "numbers"
            raise UsageError(f"--grid {text!r}: expected {kind} with commas between") from None
        axes[name] = [int(value) for value in values] if name in _WHOLE else values
    return axes


def grid_settings(settings: MapSettings, axes: Axes) -> list[MapSettings]:
    """Return the settings of every cell, row by row (the first parameter varies slowest)."""
    return [
        replace(settings, **dict[str, Any](zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


def make_grid(
    session: Session, space: Space, settings: MapSettings, axes: Axes, *, fresh: bool = False
) -> list[MapRecord]:
    """Make every map of the grid that is not there; each is kept in the catalog under its name.

    Principal components and neighbours are found once, affinities once a perplexity, and more
    iterations go on from fewer. What a stopped run has finished is kept.
    """
    cells = grid_settings(settings, axes)
    missing = [cell for cell in cells if fresh or not _is_there(session, space, cell)]
    if missing and settings.method == "tsne":
        _make_by_tsne(session, space, missing)
    records = []
    for number, cell in enumerate(cells):
        session.progress("Maps of the grid", number, len(cells))
        anew = fresh and settings.method != "tsne"
        records.append(make_map(session, space, cell, fresh=anew).record)
    return records


def _is_there(session: Session, space: Space, settings: MapSettings) -> bool:
    record = session.catalog.maps.find(settings.name(space))
    return record is not None and is_made_so(record, space, settings)


def _make_by_tsne(session: Session, space: Space, cells: Sequence[MapSettings]) -> None:
    with session.lock("map"):
        session.progress("Neighbours", 0, None)
        data = read_map_data(session, space, present_contents(session))
        first = cells[0]
        basis = principal_components(data.vectors, first.components, seed=first.seed)
        components = basis.project(data.vectors)
        most = max(cell.perplexity for cell in cells)
        count = tsne.count_neighbors(most, len(components))
        neighbors = projection.find_neighbors(components, count, seed=first.seed)
        for perplexity, group in itertools.groupby(cells, key=lambda cell: cell.perplexity):
            wanted = {cell.iterations: cell for cell in group}
            total = max(wanted) + tsne.EXAGGERATED_ITERATIONS
            task = f"t-SNE, perplexity {perplexity:g}"
            states = tsne.tsne_states(
                components,
                neighbors,
                perplexity=perplexity,
                iterations=sorted(wanted),
                seed=first.seed,
                tick=partial(_report, session, task, total),
            )
            for iterations, places in states:
                cell = wanted[iterations]
                write_map(session, space, cell, cell.name(space), data, places)


def _report(session: Session, task: str, total: int, done: int) -> None:
    session.progress(task, done, total)
