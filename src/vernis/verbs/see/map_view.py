"""Put together what the picture and the page of a map show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vernis.core.explore.overlap import Tiling, hilbert_order, tile_points
from vernis.core.numeric.row_blocks import drawn_evenly
from vernis.domain.errors import NotFound, StorageError, VernisError
from vernis.domain.maps import MapPoints, MapRecord
from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord, hash_column
from vernis.report.map.model import Facet, make_facet
from vernis.verbs.see.appearances import COLOR, TYPE, Appearances

if TYPE_CHECKING:
    from vernis.session.session import Session

ISSUES = "issues"
"""The facet that is no taxonomy: the kinds of open issues of a picture."""

_ASKED = (ISSUES, COLOR, TYPE)  # facets that are coloured by only where somebody asks for it
MOST_SHOWN = 100_000
"""Images that page and picture show; of more, those that the map was made of."""
_KEPT_AT_ONCE = 256  # thumbnails that a kill can cost


class ThumbnailStore(Protocol):
    """Keeps thumbnails by content."""

    @property
    def edge(self) -> int:
        """Longer side of the thumbnails, pixels."""
        ...

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """Return the distinct hashes without a thumbnail, in order."""
        ...

    def add(self, thumbnails: Iterable[tuple[str, bytes]]) -> None:
        """Keep thumbnails, all of them or none."""
        ...

    def read(self, hashes: Sequence[str]) -> Iterable[bytes | None]:
        """Yield the thumbnail of each hash, None where there is none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MapContent:
    """The images of a map that are shown, in an order in which neighbours follow one another.

    ``not_shown`` is the number of present images that have a place on the map besides.
    """

    record: MapRecord
    not_shown: int
    images: Sequence[ImageRecord]
    places: np.ndarray[Any, np.dtype[np.float64]]
    tiling: Tiling
    facets: Sequence[Facet]


def read_content(session: Session, record: MapRecord) -> MapContent:
    """Read the images of a map with their places, cells, labels and issues."""
    points = session.catalog.maps.points(record.name)
    not_shown, images, places = _present(session, points)
    tiling = tile_points(places)
    order = hilbert_order(tiling.cells)
    images = [images[row] for row in order]
    return MapContent(
        record,
        not_shown,
        images,
        places[order],
        Tiling(tiling.columns, tiling.rows, tiling.cells[order], tiling.mean_way),
        read_facets(session, images),
    )


def _present(
    session: Session, points: MapPoints
) -> tuple[int, list[ImageRecord], np.ndarray[Any, np.dtype[np.float64]]]:
    """Return how many images are not shown, and those that are, with their places."""
    table, contents = session.table(), hash_column(points.hashes)
    order = np.argsort(contents)
    at = np.searchsorted(contents, table.hashes, sorter=order)
    rows = order[np.minimum(at, len(order) - 1)]
    present = np.flatnonzero(contents[rows] == table.hashes)
    shown = present
    if len(present) > MOST_SHOWN:
        shown = drawn_evenly(present[~points.placed[rows[present]]], MOST_SHOWN)
    images = session.catalog.images.get(table.ids[shown].tolist())
    return len(present) - len(shown), images, points.places[rows[shown]]


def read_facets(session: Session, images: Sequence[ImageRecord]) -> list[Facet]:
    """Return a facet for each taxonomy with labels, and those of what is measured and suspected.

    These are the colours and the types of the pictures, and the kinds of open issues.
    """
    facets = []
    row_of = {image.id: row for row, image in enumerate(images)}
    shown = np.array(list(row_of), np.int64)
    for taxonomy in session.taxonomies():
        matrix = session.matrix(taxonomy.name).among(shown)
        labels: list[list[str]] = [[] for _ in images]
        for row, column in zip(*np.nonzero(matrix.values == 1), strict=True):
            place = row_of[int(matrix.image_ids[row])]
            labels[place].append(matrix.taxonomy.classes[column])
        if any(labels):
            facets.append(make_facet(taxonomy.name, labels))
    problems: list[list[str]] = [[] for _ in images]
    for issue in session.catalog.issues.select(flagged_only=True, verdicts=["open"]):
        name = f"label: {issue.taxonomy}" if issue.taxonomy else issue.kind.replace("_", " ")
        for image in {issue.image_id, issue.other_id} & row_of.keys():
            problems[row_of[image]].append(name)
    facets += _measured(session, images, {facet.name for facet in facets})
    if any(problems):
        facets.append(make_facet(ISSUES, problems))
    return facets


def _measured(
    session: Session, images: Sequence[ImageRecord], taken: Collection[str]
) -> Iterator[Facet]:
    """Yield the facets of colours and types, where they were measured and the name is free."""
    ids = np.array([image.id for image in images], np.int64)
    order = np.argsort(ids)
    for name, masks in Appearances(session).facets(ids[order]).items():
        has: list[list[str]] = [[] for _ in images]
        for value, mask in masks.items():
            for place in order[mask].tolist():
                has[place].append(value)
        if any(has) and name not in taken:
            yield make_facet(name, has)


def choose_color(facets: Sequence[Facet], wanted: str | None) -> str:
    """Return the facet to colour by: the one wanted, else the fullest with the fewest classes.

    Raises
    ------
    NotFound
        There is none of that name.
    """
    names = [facet.name for facet in facets]
    if wanted == "none":
        return ""
    if wanted is not None:
        if wanted in names:
            return wanted
        known = ", ".join([*names, "none"])
        raise NotFound(f"nothing to colour by is called {wanted!r}; there are: {known}")
    usable = [facet for facet in facets if facet.name not in _ASKED and len(facet.classes) > 1]
    if not usable:
        return ""

    def merit(facet: Facet) -> tuple[float, int]:
        full = sum(1 for row in facet.values if row) / len(facet.values)
        return (-round(full, 2), len(facet.classes))

    return min(usable, key=merit).name


def thumbnail_edge(count: int) -> int:
    """Return the longer side of thumbnails, so that the page stays of a size to pass on."""
    return 192 if count <= 1500 else 112 if count <= 6000 else 64


def content_fingerprint(content: MapContent, color: str, version: str) -> str:
    """Return a digest of everything that the picture and the page show."""
    digest = hashlib.sha256()
    record = content.record
    document: list[Any] = [version, color, record.name, record.settings, record.quality]
    document += [[image.uri, image.content_hash] for image in content.images]
    document += [[facet.name, facet.classes, facet.values] for facet in content.facets]
    digest.update(json.dumps(document, sort_keys=True, default=str).encode())
    digest.update(np.ascontiguousarray(content.places).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _ThumbnailStage:
    read_picture: Callable[[ImageRecord], Pixels]
    thumbnail: Callable[[Pixels, int], bytes]
    edge: int

    def open(self) -> Callable[[ImageRecord], bytes]:
        """Return the work on one image."""
        return lambda image: self.thumbnail(self.read_picture(image), self.edge)


def make_thumbnails(
    session: Session,
    images: Sequence[ImageRecord],
    store: ThumbnailStore,
    *,
    workers: int | None = None,
) -> int:
    """Draw the thumbnails that are missing; returns how many pictures could not be read."""
    by_content: Mapping[str, ImageRecord] = {image.content_hash: image for image in images}
    wanted = store.missing([image.content_hash for image in images])
    stage = _ThumbnailStage(
        session.files.pictures(), partial(session.files.draw_thumbnail, quality=85), store.edge
    )
    waiting: list[tuple[str, bytes]] = []
    failed = 0
    tasks = [by_content[content] for content in wanted]
    for done, outcome in enumerate(session.engine(workers).run(stage, tasks), 1):
        if outcome.error is not None:
            _raise_unless_of_one_file(outcome.error)
            failed += 1
        elif outcome.value is not None:
            waiting.append((outcome.item.content_hash, outcome.value))
        if len(waiting) >= _KEPT_AT_ONCE:
            store.add(waiting)
            waiting = []
        session.progress("Thumbnails", done, len(tasks))
    store.add(waiting)
    return failed


def _raise_unless_of_one_file(error: Exception) -> None:
    if isinstance(error, StorageError) or not isinstance(error, VernisError | OSError):
        raise error
