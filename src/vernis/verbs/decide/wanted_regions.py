"""Which regions go into the files: by who says what they show."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.errors import InvalidValue
from vernis.domain.metadata import WrittenRegion
from vernis.verbs.decide.wanted_words import FROM_FILES, who_said

if TYPE_CHECKING:
    from vernis.domain.region_store import KnownRegion
    from vernis.domain.types import ImageRecord
    from vernis.session.session import Session

OF_TYPES = {"Face": "people", "Pet": "pets"}
"""Type of a region in a file → the taxonomy of its name. The standard knows no other objects."""

_TYPE_OF = {taxonomy: type for type, taxonomy in OF_TYPES.items()}


def wanted_regions(
    session: Session, taxonomies: Sequence[str], included: Collection[str]
) -> dict[int, tuple[WrittenRegion, ...]]:
    """Return what regions of present images show, one of each class, by image.

    Parameters
    ----------
    session : Session
    taxonomies : sequence of str
    included : collection of str
        Of ``Said``: whose word goes out. What stood in the files already does not.
    """
    store = session.catalog.regions
    said: list[tuple[int, str, str, str, float]] = []
    with session.catalog.snapshot():
        for name in taxonomies:
            found = store.labels(name)
            for row in np.flatnonzero(found.holds & found.yes).tolist():
                source = found.sources[row]
                if source != FROM_FILES and who_said(source) in included:
                    probability = float(found.probabilities[row])
                    region = int(found.region_ids[row])
                    said.append((region, name, found.labels[row], source, probability))
        known = {one.id: one for one in store.get(sorted({region for region, *_ in said}))}
    images = {image.id: image for image in session.images()}
    wanted: dict[int, list[WrittenRegion]] = {}
    for region, taxonomy, label, source, probability in said:
        one = known[region]
        written = _written(one, images[one.image_id], taxonomy, label, source, probability)
        if written is not None:
            wanted.setdefault(one.image_id, []).append(written)
    return {image: tuple(regions) for image, regions in wanted.items()}


def _written(
    known: KnownRegion,
    image: ImageRecord,
    taxonomy: str,
    label: str,
    source: str,
    probability: float,
) -> WrittenRegion | None:
    """Return a region as a file holds it; None where that cannot be."""
    size = (image.width or 0, image.height or 0)
    region = known.region.scaled(size) if all(size) else known.region
    box = region.box.clipped(region.picture)
    who, _, model = source.partition("@")
    if not all(box.sides):
        return None
    try:
        return WrittenRegion(
            f"{known.id}/{taxonomy}/{label}",
            label,
            box,
            region.picture,
            _TYPE_OF.get(taxonomy, ""),
            taxonomy,
            who,
            model,
            math.nan if math.isnan(probability) else probability,
        )
    except InvalidValue:  # a name that no file can hold, which is said of words
        return None
