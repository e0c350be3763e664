"""Batches of changes: who changed what, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.routing import Routes, answered, desk_of
from vernis.verbs.decide.batches import BatchRow
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Batches, newest first."""

    batches: tuple[BatchRow, ...]
    next: Annotated[int | None, "`before` of the next page; null: this is the last one"]


@dataclass(frozen=True, slots=True)
class BatchDetail:
    """A batch and the images that it is about."""

    batch: BatchRow
    images: Annotated[tuple[PictureFacts, ...], "at most 200 of them"]


def read_batches(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(description="the batch before the page")] = None,
) -> Response:
    """List the batches of changes, newest first."""
    found = desk_of(request).session.catalog.history.batches(limit + 1, before)
    rows = tuple(BatchRow(**row) for row in found[:limit])
    return answered(BatchPage(rows, rows[-1].id if len(found) > limit else None), request)


def read_batch(request: Request, batch: int) -> Response:
    """Return one batch, and the images whose labels or verdicts it changed."""
    desk = desk_of(request)
    history = desk.session.catalog.history
    row = BatchRow(**history.batch(batch))
    ids = history.images_of(batch, limit=200)
    with desk.reading:
        facts = picture_facts(desk.session, set(ids))
    return answered(BatchDetail(row, tuple(facts[image] for image in ids)), request)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag = "history"
    routes.add("GET", "/api/batches", read_batches, role="viewer", tag=tag, gives=BatchPage)
    routes.add("GET", "/api/batches/{batch}", read_batch, role="viewer", tag=tag, gives=BatchDetail)
