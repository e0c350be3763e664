"""Bring the regions of another tool's files into the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from vernis.core.exchange.region_changes import HeldRegion, RegionChanges, compare_regions
from vernis.domain.exchange import ExchangeLabel, ExchangeRegion
from vernis.domain.ports import Catalog
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.types import LabelState

GIVEN = "given"


def import_regions(
    catalog: Catalog,
    listed: Mapping[int, Sequence[ExchangeRegion]],
    taxonomies: frozenset[str],
    *,
    note: str,
    given: str = GIVEN,
    whole: bool = False,
) -> None:
    """Record the regions that a file lists, each as its source's; inside a transaction.

    What is listed decides about its image: regions of a source that were taken from a file before
    and are not listed any more go. A source that the file does not name keeps its regions.

    Parameters
    ----------
    catalog : Catalog
    listed : mapping of int to sequence of ExchangeRegion
        Id of the image → its regions. Images without any stand in it too.
    taxonomies : frozenset of str
        Of the file; they are defined, with all classes.
    note : str
        The file, for the history.
    given : str
        The source of what no model says.
    whole : bool
        These are all regions of that source, so that where none is listed there is none. Otherwise
        files that list none at all say nothing of regions.
    """
    sources = dict.fromkeys(
        said_by(found, given) for regions in listed.values() for found in regions
    )
    if whole:
        sources[given] = None
    for source in sources:
        held = _held(catalog, source, list(listed))
        own = "" if source == given else source
        changes = {
            image: compare_regions(
                held.get(image, ()),
                [_as_said_by(one, own) for one in regions if said_by(one, given) == source],
                taxonomies,
            )
            for image, regions in listed.items()
        }
        _record(catalog, changes, source, note)


def said_by(found: ExchangeRegion, given: str = GIVEN) -> str:
    """Return the source of a region: a model where only that speaks of it, else the file."""
    sources = {label.source for label in found.labels}
    return sources.pop() if len(sources) == 1 and "" not in sources else given


def _as_said_by(found: ExchangeRegion, own: str) -> ExchangeRegion:
    """Return a region with what its source says; what models say of a given one goes."""
    if all(label.source == own for label in found.labels):
        return found
    return ExchangeRegion(
        found.region, tuple(label for label in found.labels if label.source == own)
    )


def _held(catalog: Catalog, source: str, images: list[int]) -> dict[int, list[HeldRegion]]:
    """Return the regions that a source has drawn on some images, with all that it says of them."""
    table = catalog.regions.table(images=images, source=source, states=("present", "unreadable"))
    mine = [row for row in range(len(table)) if table.sources[row] == source]
    ids = set(table.ids[mine].tolist())
    said: dict[int, dict[tuple[str, str], tuple[LabelState, float]]] = {}
    for taxonomy in catalog.labels.taxonomies() if ids else ():
        found = catalog.regions.labels(
            taxonomy.name, images=images, states=("present", "unreadable")
        )
        own = [name == source for name in found.sources.names]
        for row in np.flatnonzero(np.asarray(own, dtype=np.bool_)[found.sources.codes]).tolist():
            labels = said.setdefault(int(found.region_ids[row]), {})
            state: LabelState = "yes" if found.yes[row] else "no"
            labels[taxonomy.name, found.labels[row]] = state, float(found.probabilities[row])
    held: dict[int, list[HeldRegion]] = {}
    for known in catalog.regions.get(sorted(ids)):
        region = HeldRegion(known.id, known.region, said.get(known.id, {}))
        held.setdefault(known.image_id, []).append(region)
    return held


def _record(catalog: Catalog, changes: Mapping[int, RegionChanges], source: str, note: str) -> None:
    removed = list(chain.from_iterable(change.removed for change in changes.values()))
    if removed:
        catalog.regions.remove(removed, source=source, verb="import", note=note)
    said: dict[str, list[RegionStatement]] = {}
    for change in changes.values():
        for taxonomy, of_image in change.said.items():
            said.setdefault(taxonomy, []).extend(of_image)
    for taxonomy, statements in said.items():
        catalog.regions.record(taxonomy, statements, source=source, verb="import", note=note)
    new = (
        NewRegion(image, found.region, tuple(map(_label, found.labels)))
        for image, change in changes.items()
        for found in change.added
    )
    catalog.regions.add(new, source=source, verb="import", note=note)


def _label(said: ExchangeLabel) -> RegionLabel:
    return RegionLabel(said.taxonomy, said.label, said.state, said.probability)
