"""Where in a picture a label is, or would be: issues and suggestions point at it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from vernis.core.locate.boxes import components
from vernis.core.locate.stored_maps import StoredMap
from vernis.core.locate.thresholds import MANY_OBJECTS, ONE_OBJECT
from vernis.core.text.brands import compared_name
from vernis.domain.types import ImageRecord, Issue, Suggestion
from vernis.session.results import from_document
from vernis.verbs.decide.brand_reading import BrandEvidence
from vernis.verbs.steps.locating import maps_of

if TYPE_CHECKING:
    from vernis.session.session import Session

ABOUT_LABELS = ("label", "text_differs")
"""The kinds of issues whose labels have a place."""

Key = tuple[int, str]
"""Id of an image, and a class."""

HEAT_MAP = "heat map"
_DIGITS = 1


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where in the picture a label is, or would be."""

    label: str
    box: Annotated[tuple[float, ...], "x, y, width and height in pixels of the upright picture"]
    source: Annotated[
        str,
        "who drew or found the region, where there is one; text: where it is read; heat map: the "
        "hottest part of what vernis locate has kept",
    ]


def find_places(session: Session, taxonomy: str, wanted: Iterable[Key]) -> dict[Key, LabelPlace]:
    """Return where labels are: by a region of them, else by their heat map.

    A region that holds goes before one that is proposed, then the surest, then the largest.

    Parameters
    ----------
    session : Session
    taxonomy : str
    wanted : iterable of (image id, class)

    Returns
    -------
    dict of (image id, class) to LabelPlace
        Without those of which nothing is known.
    """
    keys = list(dict.fromkeys(wanted))
    if not keys:
        return {}
    found = _of_regions(session, taxonomy, set(keys))
    left = [key for key in keys if key not in found]
    images = {one.id: one for one in session.catalog.images.get(sorted({k[0] for k in left}))}
    kind = session.catalog.labels.taxonomy(taxonomy).kind
    threshold = ONE_OBJECT if kind == "single" else MANY_OBJECTS
    sized = [(images[image], label) for image, label in left if images[image].width]
    for image, label, stored in maps_of(session, taxonomy, sized):
        place = _hottest(image, label, stored, threshold)
        if place is not None:
            found[image.id, label] = place
    return found


def places_of_issues(
    session: Session, taxonomy: str, issues: Sequence[Issue]
) -> dict[int, tuple[LabelPlace, ...]]:
    """Return where the labels of issues about labels are, by issue id: suggested ones first.

    Labels that are given and suggested both are left out: nobody doubts them. A brand that is read
    is where it is read.
    """
    labels: dict[int, list[str]] = {}
    read: dict[tuple[int, str], LabelPlace] = {}
    for issue in issues:
        given = [str(label) for label in issue.evidence.get("given", ())]
        suggested = [str(label) for label in issue.evidence.get("suggested", ())]
        doubted = [one for one in suggested if one not in given]
        labels[issue.id] = doubted + [one for one in given if one not in suggested]
        for label in labels[issue.id]:
            place = _where_read(issue.evidence, label)
            if place is not None:
                read[issue.id, label] = place
    pairs = [(issue, label) for issue in issues for label in labels[issue.id]]
    left = [(issue.image_id, label) for issue, label in pairs if (issue.id, label) not in read]
    found = find_places(session, taxonomy, left)
    places: dict[int, list[LabelPlace]] = {issue.id: [] for issue in issues}
    for issue, label in pairs:
        place = read.get((issue.id, label)) or found.get((issue.image_id, label))
        if place is not None:
            places[issue.id].append(place)
    return {issue: tuple(some) for issue, some in places.items()}


def say_place(place: LabelPlace) -> str:
    """Return a place in a few signs: x,y,width,height."""
    return ",".join(f"{value:.0f}" for value in place.box)


def place_of_suggestion(
    suggestion: Suggestion, found: Mapping[Key, LabelPlace]
) -> LabelPlace | None:
    """Return where a suggested label is read, else where ``find_places`` has found it."""
    place = _where_read(suggestion.evidence, suggestion.label)
    return place or found.get((suggestion.image_id, suggestion.label))


def suggested_places(
    session: Session, taxonomy: str, wanted: Iterable[Key]
) -> dict[Key, LabelPlace]:
    """Return where labels would be: where a suggestion says that they are read, or else as found.

    Parameters
    ----------
    session : Session
    taxonomy : str
    wanted : iterable of (image id, class)

    Returns
    -------
    dict of (image id, class) to LabelPlace
        Without those of which nothing is known.
    """
    keys = dict.fromkeys(wanted)
    images = sorted({image for image, _ in keys})
    found = find_places(session, taxonomy, keys)
    for suggestion in session.catalog.issues.suggestions(taxonomy, images=images):
        key = (suggestion.image_id, suggestion.label)
        place = place_of_suggestion(suggestion, found)
        if key in keys and place is not None:
            found[key] = place
    return found


def _where_read(evidence: Mapping[str, Any], label: str) -> LabelPlace | None:
    """Return where the brand is read that an issue or a suggestion rests on."""
    for one in from_document(tuple[BrandEvidence, ...], evidence.get("read", ())):
        if one.box and compared_name(one.brand) == compared_name(label):
            return LabelPlace(label, tuple(map(float, one.box)), "text")
    return None


def _of_regions(session: Session, taxonomy: str, wanted: Collection[Key]) -> dict[Key, LabelPlace]:
    ids = sorted({image for image, _ in wanted})
    regions = session.catalog.regions
    said = regions.labels(taxonomy, images=ids)
    table = regions.table(images=ids, taxonomy=taxonomy)
    best: dict[Key, tuple[tuple[float, ...], LabelPlace]] = {}
    for at in np.flatnonzero(said.yes & (said.holds | said.proposed)).tolist():
        row = int(np.searchsorted(table.ids, said.region_ids[at]))
        key = int(table.image_ids[row]), said.labels[at]
        if key not in wanted:
            continue
        box = table.boxes[row]
        if not box[2] * box[3]:
            continue  # a point
        sure = float(said.probabilities[at])
        rank = (
            float(said.holds[at]),
            0.0 if math.isnan(sure) else sure,
            float(box[2] * box[3]),
        )
        if key not in best or rank > best[key][0]:
            shown = tuple(round(float(value), _DIGITS) for value in box)
            best[key] = rank, LabelPlace(key[1], shown, said.sources[at])
    return {key: place for key, (_, place) in best.items()}


def _hottest(
    image: ImageRecord, label: str, stored: StoredMap, threshold: float
) -> LabelPlace | None:
    """Return the box around the part of a map that holds its highest value."""
    boxes = components(stored.in_size(image.width, image.height), threshold)
    if not len(boxes.scores):
        return None
    left, top, right, bottom = boxes.boxes[int(np.argmax(boxes.scores))].tolist()
    box = (
        round(left * image.width, _DIGITS),
        round(top * image.height, _DIGITS),
        round((right - left) * image.width, _DIGITS),
        round((bottom - top) * image.height, _DIGITS),
    )
    return LabelPlace(label, box, HEAT_MAP)
