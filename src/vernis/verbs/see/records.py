"""Everything that is known of an image, as one record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from vernis.core.exchange.sources import MODEL
from vernis.domain.readings import PictureText, Reading
from vernis.domain.types import DuplicateGroup, ImageRecord, Issue, Suggestion
from vernis.verbs.decide.brand_reading import BrandEvidence, BrandList, read_brands
from vernis.verbs.decide.history import ChangeRow, changes_of_image
from vernis.verbs.decide.label_places import (
    ABOUT_LABELS,
    LabelPlace,
    find_places,
    place_of_suggestion,
    places_of_issues,
)
from vernis.verbs.see.objects import ObjectRow, objects_of
from vernis.verbs.see.picture_evidence import PictureEvidence, Seen
from vernis.verbs.steps.quality import QualityJudgement, list_quality

if TYPE_CHECKING:
    from vernis.session.session import Session

_PIECE = 1024  # images whose readings are held at a time
_FEW = 64  # images about which nothing is read of all others


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text that is read in the picture."""

    text: str
    confidence: Annotated[float, "0 to 1"]
    corners: Annotated[
        tuple[tuple[float, ...], ...],
        "four times x, y in pixels of the upright picture, clockwise from where the text starts",
    ]
    height: Annotated[float, "of the line, as a share of the picture's shorter side"]


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says of a label."""

    source: str
    state: Annotated[str, "yes or no"]
    probability: Annotated[float | None, "of a model"]


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label that somebody said something of."""

    taxonomy: str
    label: str
    holds: Annotated[bool, "whether the image carries it now"]
    sources: Annotated[tuple[Said, ...], "who says what, the most believed first"]

    @property
    def is_proposed(self) -> bool:
        """Whether models say yes, and nobody else has said anything."""
        return all(one.source.startswith(MODEL) and one.state == "yes" for one in self.sources)


@dataclass(frozen=True, slots=True)
class SuggestedRow:
    """A label that is suggested."""

    taxonomy: str
    label: str
    probability: Annotated[float, "0 to 1"]
    source: Annotated[
        str,
        "model (vernis fill), model:… (tag), reader (brands), api:… (annotate)",
    ]
    place: Annotated[
        LabelPlace | None, "where in the picture, as far as it is known (a region, vernis locate)"
    ] = None


@dataclass(frozen=True, slots=True)
class IssueRow:
    """Something suspected of the image."""

    kind: str
    taxonomy: Annotated[str, "of labels; empty: it is not about labels"]
    score: Annotated[float, "0 to 1, low = bad"]
    verdict: Annotated[str, "open, accepted or dismissed"]
    suggested: Annotated[tuple[str, ...], "labels instead of the given ones"]
    other: Annotated[str, "path of the other image, where it is about two"]
    note: str
    places: Annotated[
        tuple[LabelPlace, ...], "of labels that differ: where they are, suggested ones first"
    ] = ()


@dataclass(frozen=True, slots=True)
class Copies:
    """The images that show the same picture."""

    kind: Annotated[str, "bytes, pixels or near"]
    keeper: Annotated[str, "path of the image to keep"]
    others: Annotated[tuple[str, ...], "paths"]


@dataclass(frozen=True, slots=True)
class BrandsRead:
    """The brands of a list that are read in the picture."""

    taxonomy: str
    read: Annotated[tuple[BrandEvidence, ...], "the tallest first"]


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is known of an image."""

    image: Annotated[str, "path relative to the indexed folder"]
    address: Annotated[str, "of its file, with the time or page where it is a part of one"]
    id: int
    state: Annotated[str, "present, unreadable, vanished or trashed"]
    reason: Annotated[str, "why it is unreadable"]
    format: str
    width: Annotated[int, "pixels of the upright picture, 0 when unknown"]
    height: int
    size: Annotated[int, "bytes"]
    modified: Annotated[str, "time of the file, UTC; empty when unknown"]
    hash: Annotated[str, "sha256 of the file"]
    split: str
    metadata: Annotated[Mapping[str, Any], "what the file and the label file say besides"]
    text: Annotated[tuple[TextLine, ...] | None, "the tallest first; null: not read"]
    text_reader: Annotated[str | None, "what read it"]
    logos: Annotated[
        tuple[TextLine, ...] | None, "that a service found, the text is its name; null: not asked"
    ]
    brands: Annotated[tuple[BrandsRead, ...], "by the lists of vernis brands"]
    objects: Annotated[tuple[ObjectRow, ...], "regions of the picture, the surest first"]
    labels: tuple[LabelRow, ...]
    suggestions: tuple[SuggestedRow, ...]
    issues: Annotated[tuple[IssueRow, ...], "worst first"]
    duplicates: Annotated[Copies | None, "null: none is known"]
    quality: Annotated[Mapping[str, float], "kind of fault → score, 0 to 1, low = bad"]
    tags: Annotated[
        tuple[Seen, ...], "classes of the shipped network, the likeliest first; never labels"
    ] = ()
    colors: Annotated[tuple[Seen, ...], "by share, the largest first"] = ()
    type: Annotated[tuple[Seen, ...], "photo, drawing, document or screenshot"] = ()
    history: Annotated[tuple[ChangeRow, ...], "oldest first"] = field(default=())


def records(session: Session, images: Sequence[ImageRecord]) -> Iterator[Record]:
    """Yield the record of each image, in order."""
    known = _Known(session, images if len(images) <= _FEW else None)
    for start in range(0, len(images), _PIECE):
        piece = images[start : start + _PIECE]
        found = session.catalog.readings.texts([image.content_hash for image in piece])
        texts = {text.content_hash: text for text in found}
        logos = session.services.logos(piece)
        objects = objects_of(session, piece)
        ids = np.array([image.id for image in piece], np.int64)
        looks = zip(
            known.pictures.tags(ids),
            known.pictures.colors(ids),
            known.pictures.types(ids),
            strict=True,
        )
        for image, (tags, colors, types) in zip(piece, looks, strict=True):
            content = image.content_hash
            record = known.record(
                image, texts.get(content), logos.get(content), objects.get(image.id, [])
            )
            yield replace(record, tags=tags, colors=colors, type=types)


class _Known:
    """What is read once for all images, or of a few of them."""

    def __init__(self, session: Session, few: Sequence[ImageRecord] | None) -> None:
        self._session = session
        ids = None if few is None else [image.id for image in few]
        self.pictures = PictureEvidence(session)
        issues = session.catalog.issues
        self._uris = session.uris()
        self._issues: dict[int, list[Issue]] = {}
        for issue in issues.select(images=ids):
            for image in {issue.image_id, issue.other_id} - {0}:
                self._issues.setdefault(image, []).append(issue)
        self._copies = {image: group for group in session.groups() for image in group.images}
        kept = {
            taxonomy.name: session.results.find(f"brands:{taxonomy.name}", BrandList)
            for taxonomy in session.taxonomies()
        }
        self._matchers = {name: one.matcher() for name, one in kept.items() if one is not None}
        self._suggested: dict[int, list[tuple[str, Suggestion]]] = {}
        for taxonomy in session.taxonomies():
            for source in issues.suggesting(taxonomy.name):
                for one in issues.suggestions(taxonomy.name, source=source, images=ids):
                    self._suggested.setdefault(one.image_id, []).append((source, one))
        self._find_places()
        self._quality: dict[int, dict[str, float]] = {}
        if session.results.find("quality", QualityJudgement) is not None:
            present = None if few is None else [one for one in few if one.state == "present"]
            for issue in list_quality(session, present):
                self._quality.setdefault(issue.image_id, {})[issue.kind] = round(issue.score, 4)

    def _find_places(self) -> None:
        """Find where the labels are that issues and suggestions are about."""
        self._places: dict[tuple[str, int, str], LabelPlace] = {}
        self._places_of: dict[int, tuple[LabelPlace, ...]] = {}
        suggested: dict[str, list[Suggestion]] = {}
        for rows in self._suggested.values():
            for _, one in rows:
                suggested.setdefault(one.taxonomy, []).append(one)
        for name, own_of_all in suggested.items():
            wanted = [(one.image_id, one.label) for one in own_of_all]
            found = find_places(self._session, name, wanted)
            for one in own_of_all:
                place = place_of_suggestion(one, found)
                if place is not None:
                    self._places[name, one.image_id, one.label] = place
        issues: dict[str, dict[int, Issue]] = {}
        for rows_of_image in self._issues.values():
            for issue in rows_of_image:
                if issue.kind in ABOUT_LABELS:
                    issues.setdefault(issue.taxonomy, {})[issue.id] = issue
        for name, own in issues.items():
            self._places_of |= places_of_issues(self._session, name, list(own.values()))

    def record(
        self,
        image: ImageRecord,
        text: PictureText | None,
        logos: PictureText | None,
        objects: Sequence[ObjectRow],
    ) -> Record:
        """Return the record of one image."""
        labels = tuple(self._labels(image))
        return Record(
            image=image.uri,
            address=self._session.files.place_of(image),
            id=image.id,
            state=image.state,
            reason=image.reason,
            format=image.format,
            width=image.width,
            height=image.height,
            size=image.size,
            modified=_moment(image.mtime_ns),
            hash=image.content_hash,
            split=image.split,
            metadata=image.metadata,
            text=None if text is None else tuple(map(_line, text.readings)),
            text_reader=None if text is None else text.reader.name,
            logos=None if logos is None else tuple(map(_line, logos.readings)),
            brands=tuple(self._brands(text, logos)),
            objects=tuple(objects),
            labels=labels,
            suggestions=(
                *(
                    SuggestedRow(
                        one.taxonomy,
                        one.label,
                        one.probability,
                        source,
                        self._places.get((one.taxonomy, image.id, one.label)),
                    )
                    for source, one in self._suggested.get(image.id, ())
                ),
                *_proposed(labels),
            ),
            issues=tuple(self._issue(one, image) for one in self._issues.get(image.id, ())),
            duplicates=self._duplicates(image),
            quality=self._quality.get(image.id, {}),
            history=tuple(changes_of_image(self._session, image.id)),
        )

    def _brands(self, text: PictureText | None, logos: PictureText | None) -> Iterator[BrandsRead]:
        for name, matcher in self._matchers.items():
            _, evidence = read_brands(text, logos, matcher)
            if evidence:
                yield BrandsRead(name, evidence)

    def _labels(self, image: ImageRecord) -> Iterator[LabelRow]:
        for taxonomy in self._session.taxonomies():
            said: dict[str, list[Said]] = {}
            for source, one in self._session.catalog.labels.statements(taxonomy.name, image.id):
                probability = None if math.isnan(one.probability) else one.probability
                said.setdefault(one.label, []).append(Said(source, one.state, probability))
            if not said:
                continue
            matrix = self._session.catalog.labels.matrix(taxonomy.name, [image.id])
            for label, sources in said.items():
                column = matrix.taxonomy.classes.index(label)
                holds = bool((matrix.values[:, column] == 1).any())
                yield LabelRow(taxonomy.name, label, holds, tuple(sources))

    def _issue(self, issue: Issue, image: ImageRecord) -> IssueRow:
        other = issue.other_id if issue.image_id == image.id else issue.image_id
        evidence = issue.evidence
        return IssueRow(
            kind=issue.kind,
            taxonomy=issue.taxonomy,
            score=issue.score,
            verdict=issue.verdict,
            suggested=tuple(map(str, evidence.get("suggested", ()))),
            other=self._uris.get(other, ""),
            note=str(evidence.get("note", "")),
            places=self._places_of.get(issue.id, ()),
        )

    def _duplicates(self, image: ImageRecord) -> Copies | None:
        group: DuplicateGroup | None = self._copies.get(image.id)
        if group is None:
            return None
        others = tuple(self._uris[one] for one in group.images if one != image.id)
        return Copies(group.kind, self._uris[group.keeper], others)


def _proposed(labels: Iterable[LabelRow]) -> Iterator[SuggestedRow]:
    """Yield the labels of which nobody but models has said anything, the surest first."""
    found = [
        SuggestedRow(row.taxonomy, row.label, said.probability or 0.0, said.source)
        for row in labels
        for said in row.sources[:1]
        if row.is_proposed
    ]
    yield from sorted(found, key=lambda one: -one.probability)


def _moment(mtime_ns: int) -> str:
    """Return a time of a file; empty for none, as of a file that could not be looked at."""
    if not mtime_ns:
        return ""
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC).isoformat(" ", "seconds")


def _line(reading: Reading) -> TextLine:
    corners = tuple(tuple(round(float(v), 1) for v in corner) for corner in reading.corners)
    return TextLine(reading.text, round(reading.confidence, 4), corners, round(reading.height, 4))
