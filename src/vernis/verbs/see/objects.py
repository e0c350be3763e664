"""The objects in images: what their regions show, by whoever says it and nobody denies."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.region_store import KnownRegion, RegionLabels
from vernis.domain.types import IMAGE_STATES, ImageRecord, ImageTable

if TYPE_CHECKING:
    from vernis.session.session import Session

FIELD = "object"
"""The field of filters that asks for the class of a region."""


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A region and what it shows; without a label where nobody says anything of it."""

    label: str
    taxonomy: str
    probability: Annotated[float | None, "0 to 1; null where its source gives none"]
    holds: Annotated[bool, "false: it is proposed by a model, and nobody has answered"]
    box: Annotated[tuple[float, ...], "x, y, width, height in pixels of the upright picture"]
    source: Annotated[str, "who drew or found it"]
    region: Annotated[int, "its id"]
    shape: Annotated[str, "box, polygon, mask or point"]
    foreign_id: Annotated[str | None, "as the tool that it came from calls it"]
    attributes: Annotated[Mapping[str, Any], "what else that tool says of it"]


def shown(labels: RegionLabels) -> NDArray[np.intp]:
    """Return the rows that say what a region shows: what holds, and what is proposed."""
    return np.flatnonzero(labels.yes & (labels.holds | labels.proposed))


def objects_of(session: Session, images: Sequence[ImageRecord]) -> dict[int, list[ObjectRow]]:
    """Return the objects of each image that has any, the surest first."""
    with session.catalog.snapshot():
        found = _read_objects(session, np.array([image.id for image in images], np.int64))
    for rows in found.values():
        rows.sort(key=lambda one: -1.0 if one.probability is None else -one.probability)
    return found


def _read_objects(session: Session, images: NDArray[np.int64]) -> dict[int, list[ObjectRow]]:
    store = session.catalog.regions
    table = store.table(images=images, states=IMAGE_STATES)
    found: dict[int, list[ObjectRow]] = defaultdict(list)
    known = {one.id: one for one in store.get(table.ids)}
    silent = set(known)
    for taxonomy in session.taxonomies() if known else ():
        said = store.labels(taxonomy.name, images=images, states=IMAGE_STATES)
        silent -= set(said.region_ids.tolist())
        for row in shown(said):
            one = known[int(said.region_ids[row])]
            probability = None if np.isnan(p := float(said.probabilities[row])) else round(p, 4)
            found[one.image_id].append(
                _row(one, said.labels[row], taxonomy.name, probability, bool(said.holds[row]))
            )
    for one in map(known.__getitem__, sorted(silent)):
        found[one.image_id].append(_row(one, "", "", None, False))
    return found


def _row(
    known: KnownRegion, label: str, taxonomy: str, probability: float | None, holds: bool
) -> ObjectRow:
    region, box = known.region, known.region.box
    return ObjectRow(
        label=label,
        taxonomy=taxonomy,
        probability=probability,
        holds=holds,
        box=tuple(round(v, 1) for v in (box.x, box.y, box.width, box.height)),
        source=known.source,
        region=known.id,
        shape=region.shape,
        foreign_id=None if region.foreign_id is None else str(region.foreign_id),
        attributes=region.attribute_values(),
    )


def object_masks(
    session: Session, images: ImageTable
) -> dict[str, Callable[[], NDArray[np.bool_]]]:
    """Return class → which images show it, in a region or by a taxonomy called ``object``."""
    ids = images.ids
    showing: dict[str, list[NDArray[np.int64]]] = defaultdict(list)
    table = session.catalog.regions.table()
    for taxonomy in session.taxonomies():
        if len(table):
            said = session.catalog.regions.labels(taxonomy.name)
            rows = shown(said)
            places = table.image_ids[np.searchsorted(table.ids, said.region_ids[rows])]
            codes = said.labels.codes[rows]
            for code in np.unique(said.labels.codes):  # also what was rejected everywhere
                showing[said.labels.names[int(code)]].append(places[codes == code])
        if taxonomy.name == FIELD:
            matrix = session.matrix(taxonomy.name)
            for column, label in enumerate(matrix.taxonomy.classes):
                showing[label].append(matrix.image_ids[matrix.values[:, column] == 1])

    def mask(label: str) -> NDArray[np.bool_]:
        return np.isin(ids, np.concatenate(showing[label]))

    return {label: partial(mask, label) for label in sorted(showing)}


def object_counts(session: Session, images: ImageTable) -> NDArray[np.float64]:
    """Return how many regions of each image show something; NaN where nobody has looked."""
    ids = images.ids
    table = session.catalog.regions.table()
    counts = np.full(len(ids), math.nan)
    for space, _ in session.catalog.vectors.spaces():
        if space.name == "objects":
            counts[session.catalog.vectors.holds(space, images.hashes)] = 0
    if not len(table):
        return counts
    regions = [
        said.region_ids[shown(said)]
        for said in (session.catalog.regions.labels(one.name) for one in session.taxonomies())
    ]
    showing = np.unique(np.concatenate(regions))
    places = table.image_ids[np.searchsorted(table.ids, showing)]
    with_regions, numbers = np.unique(places, return_counts=True)
    rows = np.searchsorted(ids, with_regions)
    inside = rows < len(ids)
    inside[inside] = ids[rows[inside]] == with_regions[inside]
    counts[rows[inside]] = numbers[inside]
    return counts
