"""What each precision would fill of a taxonomy: a curve, and samples of what would be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.desk import Desk
from vernis.app.routing import Routes, answered, desk_of
from vernis.domain.errors import NotFound
from vernis.verbs.decide.filling_curve import (
    FillCurve,
    FillPoint,
    FillSample,
    SampleOrder,
    kept_curve,
    samples_of,
)
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts


@dataclass(frozen=True, slots=True)
class CurveFacts:
    """What each precision would fill."""

    n_images: Annotated[int, "present images"]
    n_labelled: Annotated[int, "of these, with a label"]
    rate: Annotated[float, "share of the images with a label"]
    basis: Annotated[str, "what the promise rests on"]
    bias: Annotated[str, "in which direction that may err"]
    points: tuple[FillPoint, ...]
    label_next: Annotated[
        tuple[PictureFacts, ...], "images that help most when a person labels them"
    ]
    notes: tuple[str, ...]
    changed: Annotated[bool, "whether labels have changed since it was drawn"]


@dataclass(frozen=True, slots=True)
class FillState:
    """What may be filled of a taxonomy, as far as it is known."""

    taxonomy: str
    learned: Annotated[bool, "whether a model of it was trained"]
    curve: Annotated[CurveFacts | None, "null: the job `fill` with `curve` draws it"]


def read_state(request: Request, taxonomy: str) -> Response:
    """Return what each precision would fill, as the job `fill` with `curve` found it."""
    desk = desk_of(request)
    with desk.reading:
        session = desk.session
        curve, changed = kept_curve(session, taxonomy)
        learned = session.catalog.models.latest(taxonomy) is not None
        facts = None if curve is None else _facts(desk, curve, changed)
    return answered(FillState(taxonomy, learned, facts), request)


def _facts(desk: Desk, curve: FillCurve, changed: bool) -> CurveFacts:
    session = desk.session
    ids = {uri: image for image, uri in session.uris().items()}
    chosen = [ids[uri] for uri in curve.label_next if uri in ids]
    known = picture_facts(session, set(chosen))
    return CurveFacts(
        n_images=curve.n_images,
        n_labelled=curve.n_labelled,
        rate=curve.rate,
        basis=curve.basis,
        bias=curve.bias,
        points=curve.points,
        label_next=tuple(known[image] for image in chosen if image in known),
        notes=curve.notes,
        changed=changed,
    )


def read_samples(
    request: Request,
    taxonomy: str,
    precision: Annotated[float, Query(description="one of the curve's")],
    label: Annotated[str, Query(description="of one class alone")] = "",
    order: SampleOrder = "least",
    limit: Annotated[int, Query(ge=1, le=128)] = 48,
) -> Response:
    """Return labels that a precision would fill: the least certain, the most, or some of all."""
    desk = desk_of(request)
    with desk.reading:
        curve, _ = kept_curve(desk.session, taxonomy)
        if curve is None:
            raise NotFound(f"no curve of {taxonomy} yet; draw it: vernis fill {taxonomy} --curve")
        found = samples_of(desk.session, curve, precision, label=label, order=order, limit=limit)
    return answered(found, request)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    add = routes.add
    add("GET", "/api/fill/{taxonomy}", read_state, role="viewer", tag="fill", gives=FillState)
    add(
        "GET",
        "/api/fill/{taxonomy}/samples",
        read_samples,
        role="viewer",
        tag="fill",
        gives=tuple[FillSample, ...],
    )
