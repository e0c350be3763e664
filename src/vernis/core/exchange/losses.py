"""Reduce a collection to what a format can carry, and count all that is left out.

A writer writes the reduced set and nothing else, so that the loss table is what was lost and not
what somebody believed to be lost: reading the file again gives the reduced set.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import is_
from typing import Literal

from vernis.core.words.class_names import clean_name
from vernis.core.words.label_columns import split_cell
from vernis.domain.exchange import (
    Carries,
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
    Loss,
    LossKind,
)
from vernis.domain.regions import Box, ForeignId, Region

TEXTS: dict[LossKind, str] = {
    "regions": "regions: this format holds labels of whole images only",
    "unlabelled regions": "regions that no label says yes of",
    "image labels": "labels of whole images: this format holds regions only",
    "further labels": "labels beyond the first of an image or region",
    "states": "labels that say no or unknown",
    "probabilities": "probabilities",
    "sources": "notes of who said a label",
    "images": "images without a label",
    "splits": "images whose split is not written",
    "image ids": "ids of images from another tool",
    "region ids": "ids of regions from another tool",
    "class ids": "ids of classes from another tool",
    "image attributes": "images with further attributes",
    "region attributes": "regions with further attributes",
    "class attributes": "classes with further attributes",
    "set attributes": "attributes of the whole set",
    "outlines": "outlines of regions, of which the box is written",
    "clipped boxes": "boxes cut at the edge of their picture",
    "rounded boxes": "boxes moved to whole pixels, by one pixel at most",
    "unused classes": "classes that no image carries",
    "taxonomies": "taxonomies merged into one list of classes",
    "taxonomy names": "name of the taxonomy, to be given again when the file is read",
    "class names": "classes whose name is written in another way",
}

_ONE = "object"
"""Name of the taxonomy into which several are merged, and of one that a file does not name."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """A set that a format can carry whole, and what was left out of it."""

    exchange: ExchangeSet
    losses: tuple[Loss, ...]


@dataclass(slots=True)
class _Counts:
    counts: Counter[LossKind] = field(default_factory=Counter)

    def add(self, kind: LossKind, lost: bool | int) -> None:
        if lost:
            self.counts[kind] += int(lost)

    def losses(self) -> tuple[Loss, ...]:
        return tuple(
            Loss(kind, self.counts[kind], TEXTS[kind]) for kind in TEXTS if self.counts[kind]
        )


def reduce_to(exchange: ExchangeSet, carries: Carries) -> Reduced:
    """Return the part of a set that a format carries, and the losses.

    Parameters
    ----------
    exchange : ExchangeSet
    carries : Carries

    Returns
    -------
    Reduced
    """
    counts = _Counts()
    exchange = complete_classes(exchange)
    if carries.taxonomies == "one":
        exchange = merge_taxonomies(exchange, counts)
    if carries.names == "cell":
        exchange = _fit_names(exchange, counts)
    images = []
    for image in exchange.images:
        reduced = _reduce_image(image, carries, counts)
        if carries.unlabelled or reduced.labels or reduced.regions:
            images.append(reduced)
        else:
            counts.add("images", True)
    taxonomies = _reduce_taxonomies(exchange.taxonomies, images, carries, counts)
    attributes = exchange.attributes if "set" in carries.attributes else ""
    counts.add("set attributes", exchange.attributes != attributes)
    return Reduced(
        ExchangeSet(tuple(images), taxonomies, attributes, exchange.folder, exchange.notes),
        counts.losses(),
    )


def _fit_names(exchange: ExchangeSet, counts: _Counts) -> ExchangeSet:
    """Return a set whose class names a cell can hold; two classes never get one name."""
    named: dict[tuple[str, str], str] = {}
    for taxonomy in exchange.taxonomies:
        taken: set[str] = set()
        for found in sorted(taxonomy.classes, key=lambda c: c.name != _cell_name(c.name)):
            plain = name = _cell_name(found.name)
            number = 1
            while name in taken:
                number += 1
                name = f"{plain} {number}"
            taken.add(name)
            named[taxonomy.name, found.name] = name
            counts.add("class names", name != found.name)
    return _rename(exchange, lambda taxonomy, label: (taxonomy, named[taxonomy, label]))


def _cell_name(name: str) -> str:
    fit = clean_name(name.replace("|", "｜"))
    return fit if split_cell(fit) == (fit,) else f"{fit} (class)"


def _rename(exchange: ExchangeSet, name_of: Callable[[str, str], tuple[str, str]]) -> ExchangeSet:
    """Return a set with other names of taxonomies and classes in images; those of classes too."""

    def renamed(labels: Iterable[ExchangeLabel]) -> tuple[ExchangeLabel, ...]:
        found = []
        for label in labels:
            taxonomy, name = name_of(label.taxonomy, label.label)
            found.append(replace(label, taxonomy=taxonomy, label=name))
        return tuple(found)

    return replace(
        exchange,
        images=tuple(
            replace(
                image,
                labels=renamed(image.labels),
                regions=tuple(ExchangeRegion(r.region, renamed(r.labels)) for r in image.regions),
            )
            for image in exchange.images
        ),
        taxonomies=tuple(
            replace(
                taxonomy,
                classes=tuple(
                    replace(c, name=name_of(taxonomy.name, c.name)[1]) for c in taxonomy.classes
                ),
            )
            for taxonomy in exchange.taxonomies
        ),
    )


def merge_taxonomies(exchange: ExchangeSet, counts: _Counts | None = None) -> ExchangeSet:
    """Return a set in which all labels stand in the taxonomy ``object``.

    Where there are several, their classes are written ``taxonomy/class``.
    """
    names = [taxonomy.name for taxonomy in exchange.taxonomies]
    if names in ([], [_ONE]):
        return exchange
    several = len(names) > 1
    if counts is not None:
        counts.add("taxonomies" if several else "taxonomy names", len(names))

    def name_of(taxonomy: str, label: str) -> tuple[str, str]:
        return _ONE, f"{taxonomy}/{label}" if several else label

    renamed = _rename(exchange, name_of)
    classes = tuple(found for taxonomy in renamed.taxonomies for found in taxonomy.classes)
    kind = "multi" if several else exchange.taxonomies[0].kind
    return replace(renamed, taxonomies=(ExchangeTaxonomy(_ONE, kind, classes),))


def _reduce_image(image: ExchangeImage, carries: Carries, counts: _Counts) -> ExchangeImage:
    regions: tuple[ExchangeRegion, ...] = ()
    if carries.regions:
        regions = tuple(
            reduced
            for region in image.regions
            if (reduced := _reduce_region(region, carries, counts)) is not None
        )
    else:
        counts.add("regions", len(image.regions))
    labels: tuple[ExchangeLabel, ...] = ()
    if carries.image_labels == "none":
        counts.add("image labels", len(image.labels))
    else:
        most = 1 if carries.image_labels == "one" else None
        labels = _reduce_labels(image.labels, carries, most, counts)
    counts.add("splits", bool(image.split) and not carries.splits)
    keep = "image" in carries.attributes
    counts.add("image attributes", bool(image.attributes) and not keep)
    return ExchangeImage(
        uri=image.uri,
        size=image.size if carries.sizes else (0, 0),
        split=image.split if carries.splits else "",
        foreign_id=_reduce_id(image.foreign_id, "image", carries, counts),
        attributes=image.attributes if keep else "",
        labels=labels,
        regions=regions,
    )


def _reduce_region(
    found: ExchangeRegion, carries: Carries, counts: _Counts
) -> ExchangeRegion | None:
    """Return what a format carries of a region; None where no label is left to write with it."""
    most = 0 if carries.region_labels == "one" else None
    labels = _reduce_labels(found.labels, carries, most, counts)
    if not labels:
        counts.add("unlabelled regions", True)
        return None
    region = found.region
    keep = "region" in carries.attributes
    counts.add("region attributes", bool(region.attributes) and not keep)
    outlined = carries.outlines == "any" or (
        carries.outlines == "polygon" and region.shape == "polygon" and len(region.polygons()) == 1
    )
    counts.add("outlines", bool(region.outline) and not outlined)
    reduced = Region(
        box=_reduce_box(region.box, region.picture, carries, counts),
        picture=region.picture,
        shape=region.shape if outlined else "box",
        outline=region.outline if outlined else "",
        foreign_id=_reduce_id(region.foreign_id, "region", carries, counts),
        attributes=region.attributes if keep else "",
    )
    # Of a million regions that are carried whole none is held twice.
    if reduced == region and labels is found.labels:
        return found
    return ExchangeRegion(reduced, labels)


def _reduce_box(box: Box, picture: tuple[int, int], carries: Carries, counts: _Counts) -> Box:
    if carries.boxes == "any":
        return box
    if not box.inside(picture, 1e-6):
        counts.add("clipped boxes", True)
        box = box.clipped(picture)
    if carries.boxes == "inside":
        return box
    whole = whole_pixels(box, picture)
    counts.add("rounded boxes", whole != box)
    return whole


def whole_pixels(box: Box, picture: tuple[int, int]) -> Box:
    """Return the box of whole pixels nearest to one in the picture; a pixel wide at least."""
    xmin, ymin, xmax, ymax = (math.floor(number + 0.5) for number in box.corners)
    left, top = min(xmin, picture[0] - 1), min(ymin, picture[1] - 1)
    return Box.from_corners(left, top, max(xmax, left + 1), max(ymax, top + 1))


def _reduce_labels(
    labels: tuple[ExchangeLabel, ...], carries: Carries, most: int | None, counts: _Counts
) -> tuple[ExchangeLabel, ...]:
    """Keep the labels in states that the format knows.

    ``most`` 1 keeps the first of each taxonomy, 0 the first of all, None keeps them all.
    """
    kept: list[ExchangeLabel] = []
    taken: set[str] = set()
    for label in labels:
        if label.state not in carries.states:
            counts.add("states", True)
            continue
        scope = label.taxonomy if most else ""
        if most is not None and scope in taken:
            counts.add("further labels", True)
            continue
        taken.add(scope)
        counts.add("probabilities", label.has_probability and not carries.probabilities)
        counts.add("sources", bool(label.source) and not carries.sources)
        probability = label.probability if carries.probabilities else math.nan
        source = label.source if carries.sources else ""
        same = math.isnan(probability) != label.has_probability and source == label.source
        if same:
            kept.append(label)
        else:
            kept.append(
                ExchangeLabel(label.taxonomy, label.label, label.state, probability, source)
            )
    whole = len(kept) == len(labels) and all(map(is_, kept, labels))
    return labels if whole else tuple(kept)


def _reduce_id(
    found: ForeignId,
    thing: Literal["image", "region", "class"],
    carries: Carries,
    counts: _Counts,
) -> ForeignId:
    if found is None:
        return None
    kept: ForeignId = found
    if thing not in carries.ids or (carries.id_types == "int" and not isinstance(found, int)):
        kept = None
    elif carries.id_types == "text":
        kept = str(found)
    kinds: dict[str, LossKind] = {
        "image": "image ids",
        "region": "region ids",
        "class": "class ids",
    }
    counts.add(kinds[thing], kept is None)
    return kept


def _reduce_taxonomies(
    taxonomies: tuple[ExchangeTaxonomy, ...],
    images: list[ExchangeImage],
    carries: Carries,
    counts: _Counts,
) -> tuple[ExchangeTaxonomy, ...]:
    used = {
        (label.taxonomy, label.label)
        for image in images
        for labels in (image.labels, *(region.labels for region in image.regions))
        for label in labels
    }
    reduced = []
    for taxonomy in taxonomies:
        classes = []
        for found in taxonomy.classes:
            if not carries.unused_classes and (taxonomy.name, found.name) not in used:
                counts.add("unused classes", True)
                continue
            keep = "class" in carries.attributes
            counts.add("class attributes", bool(found.attributes) and not keep)
            classes.append(
                ExchangeClass(
                    found.name,
                    _reduce_id(found.foreign_id, "class", carries, counts),
                    found.attributes if keep else "",
                )
            )
        if classes or carries.unused_classes:
            reduced.append(replace(taxonomy, classes=tuple(classes)))
    return tuple(reduced)


def complete_classes(exchange: ExchangeSet) -> ExchangeSet:
    """Return a set whose taxonomies name every class that a label speaks of."""
    known = {taxonomy.name: taxonomy for taxonomy in exchange.taxonomies}
    names: dict[str, dict[str, None]] = {
        name: dict.fromkeys(found.name for found in taxonomy.classes)
        for name, taxonomy in known.items()
    }
    for image in exchange.images:
        for labels in (image.labels, *(region.labels for region in image.regions)):
            for label in labels:
                names.setdefault(label.taxonomy, {})[label.label] = None
    taxonomies = []
    for name, classes in names.items():
        taxonomy = known.get(name) or ExchangeTaxonomy(name)
        there = {found.name: found for found in taxonomy.classes}
        taxonomies.append(
            replace(taxonomy, classes=tuple(there.get(c) or ExchangeClass(c) for c in classes))
        )
    return replace(exchange, taxonomies=tuple(taxonomies))
