"""What each precision would fill: how many labels, which, and how sure the least certain are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from vernis.domain.errors import InvalidValue
from vernis.verbs.decide.fill_summary import FillSummary
from vernis.verbs.decide.filling import FillHead, Filling, require_share
from vernis.verbs.decide.label_places import LabelPlace, suggested_places
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts

if TYPE_CHECKING:
    from vernis.session.session import Session

PRECISIONS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
"""The precisions of a curve."""

_LABEL_NEXT = 24

SampleOrder = Literal["least", "most", "spread"]
"""The least certain first, the most certain first, or some of all."""


@dataclass(frozen=True, slots=True)
class FillPoint:
    """What a precision fills."""

    precision: Annotated[float, "promised share of right labels"]
    suggested: Annotated[int, "labels"]
    filled: Annotated[int, "unlabelled images that would get a label"]
    rate: Annotated[float, "share of the images with a label afterwards"]
    measured: Annotated[float | None, "precision of the accepted held-out answers"]
    bound: Annotated[float | None, "its lower bound"]
    classes: Annotated[Mapping[str, int], "labels by class, the most first"]
    notes: Annotated[tuple[str, ...], "what holds it back"]


@dataclass(frozen=True, slots=True)
class FillOffer:
    """A label that some precision of the curve would fill."""

    image_id: int
    label: str
    probability: float
    points: Annotated[int, "bit n is set: point n of the curve fills it"]


@dataclass(frozen=True, slots=True)
class FillCurve:
    """What each precision fills, in the light of the labels as they were."""

    VERSION: ClassVar[int] = 1

    taxonomy: str
    n_images: Annotated[int, "present images"]
    n_labelled: Annotated[int, "of these, with a label"]
    rate: Annotated[float, "share of the images with a label"]
    basis: Annotated[str, "what the promise rests on"]
    bias: Annotated[str, "in which direction that may err"]
    points: tuple[FillPoint, ...]
    offers: tuple[FillOffer, ...]
    label_next: Annotated[tuple[str, ...], "images that help most when a person labels them"]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FillSample:
    """A label that would be filled."""

    image: PictureFacts
    label: str
    probability: float
    place: Annotated[LabelPlace | None, "where in the picture it would be; null: nobody knows"]


def find_curve(
    session: Session,
    taxonomy: str,
    *,
    confidence: float = 0.95,
    head: FillHead = "kernel",
    seed: int = 0,
    where: str = "",
) -> FillCurve:
    """Return what each precision would fill, made anew where labels or vectors have changed.

    The latest suggestions of the taxonomy stay as they are.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    UsageError
        If the taxonomy was not learned yet.
    """
    require_share(confidence=confidence)
    name = f"fill_curve:{taxonomy}"
    with session.lock(f"fill {taxonomy}"):
        filling = Filling.read(session, taxonomy, confidence, head, seed, where)
        mark = filling.mark(PRECISIONS)
        known = session.results.find(name, FillCurve, mark)
        if known is not None:
            return known
        curve = _draw(filling)
        session.results.keep(name, curve, mark)
    return curve


def _draw(filling: Filling) -> FillCurve:
    points: list[FillPoint] = []
    offers: dict[tuple[int, str], tuple[float, int]] = {}
    summary: FillSummary | None = None
    for at, precision in enumerate(PRECISIONS):
        # What waits at the strictest precision is what a person should label.
        summary, suggestions = filling.at(precision, with_waiting=at == len(PRECISIONS) - 1)
        points.append(_point(summary, Counter(one.label for one in suggestions)))
        for one in suggestions:
            key = one.image_id, one.label
            probability, bits = offers.get(key, (one.probability, 0))
            offers[key] = probability, bits | 1 << at
    assert summary is not None
    return FillCurve(
        taxonomy=filling.taxonomy,
        n_images=summary.n_images,
        n_labelled=summary.n_labelled,
        rate=summary.filling_rate_before,
        basis=summary.basis,
        bias=summary.bias,
        points=tuple(points),
        offers=tuple(
            FillOffer(image, label, round(probability, 4), bits)
            for (image, label), (probability, bits) in offers.items()
        ),
        label_next=summary.label_next[:_LABEL_NEXT],
        notes=summary.notes,
    )


def _point(summary: FillSummary, classes: Counter[str]) -> FillPoint:
    return FillPoint(
        precision=summary.precision,
        suggested=summary.suggested,
        filled=summary.filled,
        rate=summary.filling_rate_after,
        measured=summary.measured,
        bound=summary.bound,
        classes=dict(classes.most_common()),
        notes=summary.notes,
    )


def kept_curve(session: Session, taxonomy: str) -> tuple[FillCurve | None, bool]:
    """Return the curve that was drawn last, and whether labels have changed since.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    """
    matrix = session.matrix(taxonomy)
    name = f"fill_curve:{taxonomy}"
    # Where much can be filled, reading the offers takes longer than all else that is asked.
    curve = session.kept(name, ("runs",), lambda: session.results.find(name, FillCurve))
    if curve is None:
        return None, False
    now = len(matrix.image_ids), int(matrix.labelled.sum())
    return curve, now != (curve.n_images, curve.n_labelled)


def samples_of(
    session: Session,
    curve: FillCurve,
    precision: float,
    *,
    label: str = "",
    order: SampleOrder = "least",
    limit: int = 48,
) -> tuple[FillSample, ...]:
    """Return labels that a precision of a curve would fill.

    Raises
    ------
    InvalidValue
        The curve has no such precision.
    """
    known = [point.precision for point in curve.points]
    if precision not in known:
        raise InvalidValue(f"expected one of {', '.join(map(str, known))}, got {precision!r}")
    bit = 1 << known.index(precision)
    offers = [one for one in curve.offers if one.points & bit and label in ("", one.label)]
    offers.sort(key=lambda one: (one.probability, one.image_id))
    ids = np.fromiter((one.image_id for one in offers), np.int64, len(offers))
    present = session.table().holds(ids).tolist()
    chosen = _chosen(list(compress(offers, present)), order, limit)
    facts = picture_facts(session, {one.image_id for one in chosen})
    keys = [(one.image_id, one.label) for one in chosen]
    places = suggested_places(session, curve.taxonomy, keys)
    return tuple(
        FillSample(facts[key[0]], one.label, one.probability, places.get(key))
        for key, one in zip(keys, chosen, strict=True)
    )


def _chosen(offers: Sequence[FillOffer], order: SampleOrder, limit: int) -> Sequence[FillOffer]:
    """Return some of the offers, which come with the least certain first."""
    if order == "least":
        return offers[:limit]
    if order == "most":
        return offers[::-1][:limit]
    step = max(1.0, len(offers) / limit)
    return [offers[int(at * step)] for at in range(min(limit, len(offers)))]
