"""The points of a map as the app draws them: places, and what colours each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NotFound
from vernis.verbs.see.cluster_store import RUN, Clustering
from vernis.verbs.see.filters import carried

if TYPE_CHECKING:
    from vernis.session.session import Session

Coloring = Literal["taxonomy", "issue", "cluster", "year"]

NO_CLASS = -1


@dataclass(frozen=True, slots=True, eq=False)
class PlacedImages:
    """The present images of a map, in an order in which neighbours follow one another.

    Attributes
    ----------
    ids : ndarray of int64, shape (n,)
    places : ndarray of float32, shape (n, 2)
        x to the right, y downwards; the longer side of the map is 1 long.
    """

    ids: NDArray[np.int64]
    places: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MapColors:
    """What colours the points of a map, in their order."""

    name: str
    kind: Coloring
    classes: Annotated[tuple[str, ...], "the commonest first; of years the earliest"]
    counts: tuple[int, ...]
    codes: Annotated[tuple[int, ...], "place of each point's class; -1: it has none"]


def placed_images(session: Session, name: str) -> PlacedImages:
    """Return the present images of a map with their places; raises NotFound."""
    points = session.catalog.maps.points(name)
    table = session.table()
    known = np.array(points.hashes, dtype=table.hashes.dtype if len(table) else "S1")
    rows = np.searchsorted(known, table.hashes) if len(known) else np.zeros(len(table), np.intp)
    there = rows < len(known)
    there[there] = known[rows[there]] == table.hashes[there]
    places = points.places[rows[there]]
    low = places.min(axis=0) if len(places) else np.zeros(2)
    extent = float(np.ptp(places, axis=0).max()) if len(places) else 1.0
    scaled = (places - low) / (extent or 1.0)
    scaled[:, 1] = (scaled[:, 1].max() if len(scaled) else 0) - scaled[:, 1]
    order = _along_a_curve(scaled)
    return PlacedImages(table.ids[there][order], scaled[order].astype(np.float32))


def _along_a_curve(places: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return an order in which what lies together follows one another (Morton's)."""
    steps = np.clip(places * 65535, 0, 65535).astype(np.uint64)
    code = np.zeros(len(places), np.uint64)
    for bit in range(16):
        for axis in (0, 1):
            taken = (steps[:, axis] >> np.uint64(bit)) & np.uint64(1)
            code |= taken << np.uint64(2 * bit + axis)
    return np.argsort(code, kind="stable")


def list_colorings(session: Session) -> tuple[tuple[Coloring, str], ...]:
    """Return by what points can be coloured: kind and name."""
    found: list[tuple[Coloring, str]] = [
        ("taxonomy", one.name) for one in session.taxonomies() if not one.ignored and one.classes
    ]
    if session.catalog.issues.counts():
        found.append(("issue", ""))
    if session.results.find(RUN, Clustering) is not None:
        found.append(("cluster", ""))
    return (*found, ("year", ""))


def color_points(
    session: Session, ids: NDArray[np.int64], kind: Coloring, name: str = ""
) -> MapColors:
    """Return what colours some present images.

    Of several classes of an image the rarest speaks: it says most of it.

    Raises
    ------
    NotFound
        There is no such taxonomy, or nothing was clustered yet.
    """
    table = session.table()
    rows = table.row_of(ids)
    if kind == "year":
        return _by_year(session, rows)
    if kind == "taxonomy":
        session.catalog.labels.taxonomy(name)
        known = carried(session, name)
        return _ranked(name, kind, known.classes, known.yes[:, rows])
    if kind == "issue":
        suspected = session.catalog.issues.suspected()
        masks = [np.isin(ids, images) for images in suspected.values()]
        return _ranked("issue", kind, tuple(suspected), np.array(masks).reshape(-1, len(ids)))
    found = session.results.find(RUN, Clustering)
    if found is None:
        raise NotFound("nothing was clustered yet: vernis clusters")
    masks = [np.isin(ids, np.array(one.images)) for one in found.clusters]
    names = tuple(one.name or f"cluster {one.number}" for one in found.clusters)
    return _ranked("cluster", kind, names, np.array(masks).reshape(-1, len(ids)))


def _ranked(
    name: str, kind: Coloring, classes: Sequence[str], masks: NDArray[np.bool_]
) -> MapColors:
    counts = np.count_nonzero(masks, axis=1)
    order = [row for row in np.argsort(-counts, kind="stable").tolist() if counts[row]]
    codes = np.full(masks.shape[1], NO_CLASS, np.int32)
    for code, row in enumerate(order):
        codes[masks[row]] = code  # the rarest comes last
    return MapColors(
        name,
        kind,
        tuple(classes[row].replace("_", " ") if kind == "issue" else classes[row] for row in order),
        tuple(int(counts[row]) for row in order),
        tuple(codes.tolist()),
    )


def _by_year(session: Session, rows: NDArray[np.int64]) -> MapColors:
    """Colour by the year that a picture was taken in, else that of its file."""
    table = session.table()
    years = [datetime.fromtimestamp(t / 1e9, UTC).year for t in table.mtimes[rows].tolist()]
    taken = session.kept("metadata", ("images",), session.catalog.images.metadata)
    place_of = {image: place for place, image in enumerate(table.ids[rows].tolist())}
    for image, metadata in taken.items():
        year = str(metadata.get("taken", ""))[:4]
        if image in place_of and year.isdecimal():
            years[place_of[image]] = int(year)
    names, codes, counts = np.unique(years, return_inverse=True, return_counts=True)
    told = tuple(str(int(year)) for year in names)
    return MapColors("year", "year", told, tuple(counts.tolist()), tuple(codes.tolist()))
