"""The images of a collection with their effective labels and regions, on their way to a tool."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.label_columns import TEXT_NAMES
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.foreign import ForeignFact, ForeignFacts
from vernis.domain.regions import attributes_text

if TYPE_CHECKING:
    from vernis.domain.region_store import RegionLabels
    from vernis.domain.types import ImageRecord, LabelMatrix, LabelState, Taxonomy
    from vernis.session.session import Session

_PEOPLE = ("given", "human:", "accepted:")
_STATES: tuple[Literal["present"], Literal["unreadable"]] = ("present", "unreadable")
_PIECE = 4096  # regions that are read whole at a time
_Regions = dict[int, list[ExchangeRegion]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written.

    Attributes
    ----------
    matrices : sequence of LabelMatrix
        Of the taxonomies.
    states : collection of str
        Of the labels.
    only : collection of int, optional
        Ids of the images; None for all.
    whole : bool
        These are all taxonomies, so that what no taxonomy speaks of belongs to it.
    proposals : bool
        Also regions that a model proposes and nobody has answered.
    beside : bool
        Labels of images also where a region of the image says the same.
    sources : bool
        With who says each label.
    """

    matrices: Sequence[LabelMatrix]
    states: Collection[str] = ("yes", "no")
    only: Collection[int] | None = None
    whole: bool = True
    proposals: bool = False
    beside: bool = True
    sources: bool = False


@dataclass(frozen=True, slots=True)
class WantedRegions:
    """Which regions those are: their ids, and what is to be written of each.

    Attributes
    ----------
    labels : dict of int to tuple of ExchangeLabel
        By id of the region.
    images : int
        Images that carry one.
    proposed : int
        Regions that are left out as only a model speaks of them.
    """

    labels: dict[int, tuple[ExchangeLabel, ...]]
    images: int
    proposed: int

    def __len__(self) -> int:
        return len(self.labels)


def wanted_regions(session: Session, wanted: Wanted) -> WantedRegions:
    """Return the regions that are to be written, without reading each."""
    store = session.catalog.regions
    table = store.table(states=_STATES)
    if wanted.only is not None:
        table = table.take(np.isin(table.image_ids, np.array(sorted(wanted.only), dtype=np.int64)))
    known = table.ids
    spoken_of: list[NDArray[np.int64]] = []
    proposed: list[NDArray[np.int64]] = []
    labels: dict[int, tuple[ExchangeLabel, ...]] = {}
    for matrix in wanted.matrices if len(table) else ():
        said = store.labels(matrix.taxonomy.name, states=_STATES)
        here = np.isin(said.region_ids, known)
        spoken_of.append(said.region_ids[here])
        proposed.append(said.region_ids[here & said.proposed])
        taken = here & (said.holds | said.proposed if wanted.proposals else said.holds)
        for region, one in _labels_of_regions(matrix.taxonomy.name, said, taken, wanted):
            labels[region] = (*labels[region], *one) if region in labels else one
    if wanted.whole:
        silent = known[~np.isin(known, np.concatenate([*spoken_of, known[:0]]))]
        labels |= dict.fromkeys(silent.tolist(), ())
    left = np.setdiff1d(np.concatenate([*proposed, known[:0]]), np.fromiter(labels, np.int64))
    images = np.unique(table.image_ids[np.isin(known, np.fromiter(labels, np.int64))])
    return WantedRegions(labels, len(images), len(left))


def _labels_of_regions(
    taxonomy: str, said: RegionLabels, taken: NDArray[np.bool_], wanted: Wanted
) -> Iterator[tuple[int, tuple[ExchangeLabel]]]:
    """Yield each region with a label of it; one object stands for the many that say the same."""
    made: dict[tuple[int, bool, int], tuple[ExchangeLabel]] = {}
    for row in np.flatnonzero(taken).tolist():
        state: LabelState = "yes" if said.yes[row] else "no"
        if state not in wanted.states:
            continue
        probability = float(said.probabilities[row])
        key = int(said.labels.codes[row]), bool(said.yes[row]), int(said.sources.codes[row])
        one = made.get(key)
        if one is None or not math.isnan(probability):
            source = said.sources[row] if wanted.sources else ""
            one = (
                ExchangeLabel(
                    taxonomy,
                    said.labels[row],
                    state,
                    math.nan if math.isnan(probability) else probability,
                    "" if source == "given" else source,
                ),
            )
            if math.isnan(probability):
                made[key] = one
        yield int(said.region_ids[row]), one


def exchange_set(
    session: Session,
    wanted: Wanted,
    regions: WantedRegions | None = None,
    facts: ForeignFacts | None = None,
) -> ExchangeSet:
    """Return the images with their effective labels and regions, by path.

    Parameters
    ----------
    session : Session
    wanted : Wanted
    regions : WantedRegions, optional
        None for a format that holds none.
    facts : ForeignFacts, optional
        What the tool calls images and classes.
    """
    facts = facts or ForeignFacts()
    labels: dict[int, list[ExchangeLabel]] = {}
    for matrix in wanted.matrices:
        found = _with_sources(session, matrix, wanted.sources)
        for image_id, label in (*found, *_unreadable(session, matrix)):
            if label.state in wanted.states:
                labels.setdefault(image_id, []).append(label)
    listed = sorted(session.images(*_STATES), key=lambda image: image.uri)
    listed = [image for image in listed if wanted.only is None or image.id in wanted.only]
    drawn, notes = _regions(session, regions, {image.id: image for image in listed})
    images = []
    for image in listed:
        here = tuple(drawn.get(image.id, ()))
        own = labels.get(image.id, ())
        if not wanted.beside:
            said = {(s.taxonomy, s.label, s.state) for found in here for s in found.labels}
            own = [s for s in own if (s.taxonomy, s.label, s.state) not in said]
        images.append(_image(image, tuple(own), here, facts.images.get(image.id, ForeignFact())))
    root = session.catalog.images.root()
    return ExchangeSet(
        tuple(images),
        tuple(_taxonomy(matrix.taxonomy, facts) for matrix in wanted.matrices),
        facts.attributes,
        folder=str(root or ""),
        notes=tuple(notes),
    )


def _image(
    image: ImageRecord,
    labels: tuple[ExchangeLabel, ...],
    regions: tuple[ExchangeRegion, ...],
    fact: ForeignFact,
) -> ExchangeImage:
    texts = {name: image.metadata[name] for name in sorted(TEXT_NAMES & set(image.metadata))}
    attributes = attributes_text({n: t for n, t in texts.items() if t})
    if fact.attributes:
        attributes = f"{fact.attributes[:-1]},{attributes[1:]}" if attributes else fact.attributes
    return ExchangeImage(
        image.uri,
        (image.width or 0, image.height or 0),
        image.split,
        fact.foreign_id,
        attributes,
        labels,
        regions,
    )


def _taxonomy(taxonomy: Taxonomy, facts: ForeignFacts) -> ExchangeTaxonomy:
    """Return a taxonomy with its classes in the order of the tool, new ones behind them."""
    known = set(taxonomy.classes)
    ordered = [c for name, c in facts.classes if name == taxonomy.name and c in known]
    ordered += [c for c in taxonomy.classes if (taxonomy.name, c) not in facts.classes]
    return ExchangeTaxonomy(
        taxonomy.name,
        taxonomy.kind,
        tuple(
            ExchangeClass(name, fact.foreign_id, fact.attributes)
            for name in ordered
            for fact in (facts.classes.get((taxonomy.name, name), ForeignFact()),)
        ),
        taxonomy.closed,
    )


def _regions(
    session: Session, wanted: WantedRegions | None, images: dict[int, ImageRecord]
) -> tuple[_Regions, list[str]]:
    """Return the regions of each image, fit to the size of its picture, and notes."""
    drawn: _Regions = {}
    if wanted is None:
        return drawn, []
    counts: Counter[str] = Counter()
    ids = sorted(wanted.labels)
    for start in range(0, len(ids), _PIECE):
        for known in session.catalog.regions.get(ids[start : start + _PIECE]):
            image, region = images[known.image_id], known.region
            size = (image.width or 0, image.height or 0)
            if all(size) and size != region.picture:
                counts["regions were drawn on a picture of another size and are scaled"] += 1
                region = region.scaled(size)
            found = ExchangeRegion(region, wanted.labels[known.id])
            drawn.setdefault(image.id, []).append(found)
    turned = sum(images[number].metadata.get("orientation", 1) != 1 for number in drawn)
    if turned:
        counts[
            "pictures with regions have an EXIF orientation; boxes are of the upright picture "
            "(--as-stored: of the stored one)"
        ] = turned
    if wanted.proposed:
        counts["regions that a model proposes were left out; --proposals writes them"] = (
            wanted.proposed
        )
    return drawn, [f"{count:,} {text}" for text, count in counts.items()]


def orientations(session: Session) -> dict[str, int]:
    """Return uri → EXIF orientation of the images that have another one than 1."""
    found = {image.uri: image.metadata.get("orientation", 1) for image in session.images(*_STATES)}
    return {uri: int(value) for uri, value in found.items() if value != 1}


def _with_sources(
    session: Session, matrix: LabelMatrix, sources: bool
) -> Iterator[tuple[int, ExchangeLabel]]:
    """Yield the labels that were said, with their probability and, where wanted, their source."""
    held = {
        (one.image_id, one.label): one for one in session.catalog.labels.held(matrix.taxonomy.name)
    }
    for image_id, label in _labels_of(matrix):
        one = held.get((image_id, label.label)) if label.state == "yes" else None
        if one is not None:
            source = one.source if sources and one.source != "given" else ""
            label = replace(label, probability=one.probability, source=source)
        yield image_id, label


def _labels_of(matrix: LabelMatrix) -> Iterator[tuple[int, ExchangeLabel]]:
    """Yield the labels that were said; what a kind or a closed taxonomy implies, was not."""
    taxonomy = matrix.taxonomy
    values = matrix.values
    carries = (values == 1).any(axis=1)
    implied = carries if taxonomy.kind == "single" or taxonomy.closed else np.zeros_like(carries)
    for row, column in np.argwhere((values == 1) | ((values == 0) & ~implied[:, None])).tolist():
        state: Literal["yes", "no"] = "yes" if values[row, column] == 1 else "no"
        yield (
            int(matrix.image_ids[row]),
            ExchangeLabel(taxonomy.name, taxonomy.classes[column], state),
        )


def _unreadable(session: Session, matrix: LabelMatrix) -> Iterator[tuple[int, ExchangeLabel]]:
    """Yield the labels of images that no matrix has, as their files cannot be read."""
    taxonomy = matrix.taxonomy
    for image_id in session.table("unreadable").ids.tolist():
        said: dict[str, LabelState] = {}
        for source, statement in session.catalog.labels.statements(taxonomy.name, image_id):
            if source.startswith(_PEOPLE):
                said.setdefault(statement.label, statement.state)
        yes = [label for label, state in said.items() if state == "yes"]
        alone = taxonomy.kind == "single" or taxonomy.closed
        for label in yes[:1] if taxonomy.kind == "single" else yes:
            yield image_id, ExchangeLabel(taxonomy.name, label, "yes")
        for label, state in said.items():
            if state == "no" and not (alone and yes):
                yield image_id, ExchangeLabel(taxonomy.name, label, "no")
