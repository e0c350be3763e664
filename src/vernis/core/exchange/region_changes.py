"""What changes of an image's regions when a file lists them anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vernis.domain.exchange import ExchangeRegion
from vernis.domain.region_store import RegionStatement
from vernis.domain.regions import Region
from vernis.domain.types import LabelState

SAME_WITHIN = 0.01
"""Pixels: boxes whose corners differ by no more are one and the same. A format that writes
fractions (YOLO) moves them by less."""


@dataclass(frozen=True, slots=True)
class HeldRegion:
    """A region that a source has drawn, and what it says of it.

    Attributes
    ----------
    id : int
    region : Region
    labels : mapping of (str, str) to (str, float)
        Taxonomy and class → state and probability, all that the source itself says.
    """

    id: int
    region: Region
    labels: Mapping[tuple[str, str], tuple[LabelState, float]]


@dataclass(frozen=True, slots=True)
class RegionChanges:
    """What to add, to remove and to say so that the regions are those of the file.

    Attributes
    ----------
    added : tuple of ExchangeRegion
    removed : tuple of int
    said : mapping of str to tuple of RegionStatement
        By taxonomy, of regions that stay.
    """

    added: tuple[ExchangeRegion, ...]
    removed: tuple[int, ...]
    said: Mapping[str, tuple[RegionStatement, ...]]


def compare_regions(
    held: Sequence[HeldRegion], listed: Sequence[ExchangeRegion], taxonomies: frozenset[str]
) -> RegionChanges:
    """Return what changes of one image's regions.

    A region that the file lists as it is stays with its id, and so with all that others said of
    it; a plain box, without id and attributes, is known by its place and classes
    (``SAME_WITHIN``), so that a trip through a format that holds no more takes nothing away. A
    region that is not listed goes, unless it speaks of a taxonomy that the file does not hold.

    Parameters
    ----------
    held : sequence of HeldRegion
        Those of the source.
    listed : sequence of ExchangeRegion
    taxonomies : frozenset of str
        Of the file.
    """
    waiting: dict[Region, list[HeldRegion]] = {}
    for known in held:
        waiting.setdefault(known.region, []).append(known)
    stays: list[tuple[HeldRegion, ExchangeRegion]] = []
    others: list[ExchangeRegion] = []
    for found in listed:
        same = waiting.get(found.region)
        if same:
            stays.append((_best(same, found), found))
            same.remove(stays[-1][0])
        else:
            others.append(found)
    left = [known for same in waiting.values() for known in same]
    added = []
    for found in others:
        near = next((known for known in left if _is_near(known, found)), None)
        if near is None:
            added.append(found)
        else:
            left.remove(near)
            stays.append((near, found))
    said: dict[str, list[RegionStatement]] = {}
    for known, found in stays:
        for taxonomy, statement in _differing(known, found, taxonomies):
            said.setdefault(taxonomy, []).append(statement)
    removed = tuple(
        known.id for known in left if {taxonomy for taxonomy, _ in known.labels} <= taxonomies
    )
    return RegionChanges(tuple(added), removed, {t: tuple(s) for t, s in said.items()})


def _labels(found: ExchangeRegion) -> dict[tuple[str, str], tuple[LabelState, float]]:
    return {(said.taxonomy, said.label): (said.state, said.probability) for said in found.labels}


def _best(same: Sequence[HeldRegion], found: ExchangeRegion) -> HeldRegion:
    """Return the one with the same classes, of several at one place."""
    wanted = _labels(found).keys()
    return next((known for known in same if known.labels.keys() == wanted), same[0])


def _is_near(known: HeldRegion, found: ExchangeRegion) -> bool:
    a, b = known.region, found.region
    if b.foreign_id is not None or b.attributes or b.shape != "box":
        return False
    if a.picture != b.picture or not known.labels.keys() >= _labels(found).keys():
        return False
    corners = zip(a.box.corners, b.box.clipped(b.picture).corners, strict=True)
    inside = zip(a.box.clipped(a.picture).corners, b.box.corners, strict=True)
    return any(all(abs(p - q) <= SAME_WITHIN for p, q in pairs) for pairs in (corners, inside))


def _differing(
    known: HeldRegion, found: ExchangeRegion, taxonomies: frozenset[str]
) -> list[tuple[str, RegionStatement]]:
    """Return what the source says now, and takes back, of a region that stays."""
    wanted = _labels(found)
    gone = [key for key in known.labels if key not in wanted and key[0] in taxonomies]
    said = [(taxonomy, RegionStatement(known.id, label, "unknown")) for taxonomy, label in gone]
    for (taxonomy, label), (state, probability) in wanted.items():
        before, _ = known.labels.get((taxonomy, label), ("unknown", math.nan))
        if state == before and math.isnan(probability):
            continue  # a format that holds no probability takes none away
        # The store leaves out what changes nothing.
        said.append((taxonomy, RegionStatement(known.id, label, state, probability)))
    return said
