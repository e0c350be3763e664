"""Images of a filter, their small pictures, and what is known of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from vernis.app.desk import Desk
from vernis.app.pictures import BUNDLE, PREVIEWS, as_numbers, bundle
from vernis.app.routing import Routes, answered, desk_of, kept_forever
from vernis.core.explore.filter_evaluation import FilterTable, Mask
from vernis.domain.errors import InvalidValue, NotFound
from vernis.verbs.decide.history import ChangeRow, changes_of_image
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts
from vernis.verbs.see.browsing import (
    BrowseRow,
    FacetCounts,
    ImageOrder,
    browse_rows,
    count_facets,
    ordered,
    shown_images,
)
from vernis.verbs.see.filters import filter_table
from vernis.verbs.see.records import Record, records

_STORES = ("images", "labels", "issues", "readings", "vectors")

Where = Annotated[str, Query(description="a filter, such as brand:absolut and not is:confirmed")]
Order = Annotated[ImageOrder, Query(description="equal ones by id")]


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Images of a filter, in order."""

    images: tuple[BrowseRow, ...]
    offset: Annotated[int, "place of the first one"]
    total: Annotated[int, "images that the filter holds for"]
    all: Annotated[int, "images there are"]
    next: Annotated[int | None, "`after` of the next page; null: this is the last one"]


@dataclass(frozen=True, slots=True)
class Neighbor:
    """An image that looks alike."""

    image: PictureFacts
    similarity: Annotated[float, "cosine, 0 to 1"]


def read_images(
    request: Request,
    where: Where = "",
    order: Order = "name",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[int | None, Query(description="the image before the page")] = None,
) -> Response:
    """Return a page of the images that a filter holds for, by place or after an image."""
    desk = desk_of(request)
    with desk.reading:
        ids = order_of(desk, where, order)
        if after is not None:
            offset = _place(ids, after) + 1
        page = ids[offset : offset + limit]
        rows = browse_rows(desk.session, page.tolist())
        total = len(desk.session.table())
    following = int(page[-1]) if offset + limit < len(ids) and len(page) else None
    return answered(ImagePage(rows, offset, len(ids), total, following), request)


def read_order(request: Request, where: Where = "", order: Order = "name") -> Response:
    """Return the ids of all images of a filter, in order: unsigned 32-bit, little-endian."""
    desk = desk_of(request)
    with desk.reading:
        return Response(
            as_numbers(order_of(desk, where, order)), media_type="application/octet-stream"
        )


def read_rows(
    request: Request,
    ids: Annotated[str, Query(description="ids between commas, at most 500")],
) -> Response:
    """Return what cells show of images that are named by id, in that order."""
    desk = desk_of(request)
    wanted = numbers_of(ids, 500)
    with desk.reading:
        return answered(browse_rows(desk.session, wanted), request)


def read_facets(request: Request, where: Where = "") -> Response:
    """Count how often each value occurs: among the images of a filter, and among all."""
    desk = desk_of(request)

    def count() -> tuple[FacetCounts, ...]:
        table = _table(desk)
        return count_facets(desk.session, table, _shown(desk, where))

    return answered(desk.remember(("facets", where), (*_STORES, "runs"), count), request)


def read_record(request: Request, image: int) -> Response:
    """Return everything that is known of an image."""
    desk = desk_of(request)
    with desk.reading:
        found = next(records(desk.session, [desk.pictures.image(image)]))
    return answered(found, request)


def read_history(request: Request, image: int) -> Response:
    """Return every change of an image, oldest first."""
    desk = desk_of(request)
    desk.pictures.image(image)
    return answered(changes_of_image(desk.session, image), request)


def read_neighbors(
    request: Request,
    image: int,
    k: Annotated[int, Query(ge=1, le=200)] = 12,
    space: Annotated[str | None, Query(description="default: the current one")] = None,
) -> Response:
    """Return the images that look most alike, likest first."""
    desk = desk_of(request)
    record = desk.pictures.image(image)
    with desk.reading:
        searcher = desk.searcher(space)
        vector = searcher.vector_of(record)
        if vector is None:
            raise NotFound(f"{record.uri} has no vector; make it: vernis embed")
        found = searcher.find(vector[None], count=k, without=(image,), index=searcher.exact)
        ids = found.image_ids.tolist()
        facts = picture_facts(desk.session, set(ids))
    rows = [
        Neighbor(facts[i], float(s)) for i, s in zip(ids, found.similarities.tolist(), strict=True)
    ]
    return answered(rows, request)


# --------------------------------------------------------------------------- pictures


def read_thumbnail(request: Request, image: int) -> Response:
    """Return the thumbnail of an image (JPEG); `?v=HASH` makes its address that of its content."""
    desk = desk_of(request)
    record = desk.pictures.image(image)
    (jpeg,) = desk.pictures.thumbnails([image])
    if jpeg is None:
        raise NotFound(f"{record.uri}: its picture cannot be read")
    return _picture(jpeg, f"t{record.content_hash[:20]}", request)


def read_bundle(
    request: Request,
    ids: Annotated[str, Query(description=f"between commas, at most {BUNDLE} (or {PREVIEWS})")],
    size: Annotated[Literal["thumb", "preview"], Query()] = "thumb",
) -> Response:
    """Return the thumbnails, or the previews, of several images in one answer.

    The body: how many, the length of each JPEG (0: it has no picture), all as unsigned 32-bit
    little-endian numbers, then the JPEGs in the order of the ids. With `&v=` (anything that names
    the content, such as the hashes' digest) it may be kept for good.
    """
    pictures = desk_of(request).pictures
    if size == "preview":
        jpegs = pictures.previews(numbers_of(ids, PREVIEWS))
    else:
        jpegs = pictures.thumbnails(numbers_of(ids, BUNDLE))
    headers = {"cache-control": "private, max-age=600"}
    if "v" in request.query_params and all(jpegs):
        headers = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(bundle(jpegs), headers=headers, media_type="application/octet-stream")


def read_preview(request: Request, image: int) -> Response:
    """Return an image large enough to judge, as JPEG of at most 1280 pixels a side."""
    desk = desk_of(request)
    record = desk.pictures.image(image)
    tag = f"p{record.content_hash[:20]}"
    return _picture(desk.pictures.preview(record), tag, request)


def read_crop(
    request: Request,
    image: int,
    x: Annotated[int, Query(ge=0)],
    y: Annotated[int, Query(ge=0)],
    width: Annotated[int, Query(ge=1)],
    height: Annotated[int, Query(ge=1)],
) -> Response:
    """Return a part of an image from its own pixels, as JPEG of at most 1280 pixels a side."""
    desk = desk_of(request)
    record = desk.pictures.image(image)
    tag = f"c{record.content_hash[:20]}-{x}-{y}-{width}-{height}"
    return _picture(desk.pictures.crop(record, (x, y, width, height)), tag, request)


def _picture(jpeg: bytes, tag: str, request: Request) -> Response:
    if "v" in request.query_params:
        return kept_forever(jpeg, "image/jpeg", tag, request)
    headers = {"cache-control": "private, no-cache", "etag": f'"{tag}"'}
    return Response(jpeg, headers=headers, media_type="image/jpeg")


# --------------------------------------------------------------------------- what is kept


def order_of(desk: Desk, where: str, order: ImageOrder) -> NDArray[np.int64]:
    """Return the ids of the images that a filter holds for, in order; kept until they change."""

    def make() -> NDArray[np.int64]:
        table = desk.session.table()
        rows = desk.remember(("rows", order), ("images",), lambda: ordered(table, order))
        return table.ids[rows[_shown(desk, where)[rows]] if where.strip() else rows]

    return desk.remember(("order", where, order), _stores_of(where), make)


def _shown(desk: Desk, where: str) -> Mask:
    def make() -> Mask:
        table = _table(desk) if where.strip() else None
        return shown_images(table, len(desk.session.table()), where)

    return desk.remember(("shown", where), _stores_of(where), make)


def _stores_of(where: str) -> tuple[str, ...]:
    return _STORES if where.strip() else ("images",)


def _table(desk: Desk) -> FilterTable:
    session = desk.session
    return desk.remember("filter table", _STORES, lambda: filter_table(session))


def _place(ids: NDArray[np.int64], image: int) -> int:
    found = np.flatnonzero(ids == image)
    if not len(found):
        raise NotFound(f"the image {image} is not among those that the filter holds for")
    return int(found[0])


def numbers_of(text: str, most: int) -> list[int]:
    """Return the ids that stand between commas; raises InvalidValue."""
    parts = text.split(",")
    if len(parts) > most:
        raise InvalidValue(f"expected at most {most} ids, got {len(parts)}")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise InvalidValue(f"expected ids between commas, got {text[:60]!r}")
    return [int(part) for part in parts]


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""

    def get(path: str, answer: Any, gives: Any = None) -> None:
        routes.add("GET", path, answer, role="viewer", tag="images", gives=gives)

    get("/api/images", read_images, ImagePage)
    get("/api/images/ids", read_order)
    get("/api/images/rows", read_rows, tuple[BrowseRow, ...])
    get("/api/facets", read_facets, tuple[FacetCounts, ...])
    get("/api/bundle", read_bundle)
    get("/api/images/{image}", read_record, Record)
    get("/api/images/{image}/history", read_history, tuple[ChangeRow, ...])
    get("/api/images/{image}/neighbors", read_neighbors, tuple[Neighbor, ...])
    get("/api/images/{image}/thumb", read_thumbnail)
    get("/api/images/{image}/preview", read_preview)
    get("/api/images/{image}/crop", read_crop)
