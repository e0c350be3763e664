"""Images in the order of their likeness to examples: images, parts of them, pictures sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from anyio import to_thread
from fastapi import Query, Request
from fastapi.responses import Response
from numpy.typing import NDArray

from vernis.app.examples import Example
from vernis.app.routes.images import Where, order_of
from vernis.app.routes.models import read_pictures
from vernis.app.routing import Routes, answered, desk_of
from vernis.core.explore.search import Rule
from vernis.domain.errors import InvalidValue
from vernis.verbs.see.vector_search import Searcher

_MOST = 32  # examples of a search

Names = Annotated[
    list[str],
    Query(description="an image's id, ID@x,y,width,height (shares or pixels), or a sent picture"),
]


@dataclass(frozen=True, slots=True)
class TakenPicture:
    """A picture that was sent to search by."""

    name: Annotated[str, "what `like` and `unlike` take; forgotten when the server ends"]


async def take_picture(request: Request) -> Response:
    """Take a picture to search by: `image/*`, at most 32 MB; nothing is kept of it but a vector."""
    _, pictures = await read_pictures(request)
    if len(pictures) != 1:
        raise InvalidValue(f"expected one picture, got {len(pictures)}")
    desk = desk_of(request)

    def take() -> str:
        return desk.examples.take(pictures[0], desk.searcher())

    return answered(TakenPicture(await to_thread.run_sync(take)))


def read_similar(
    request: Request,
    like: Names,
    unlike: Names = [],  # noqa: B006
    where: Where = "",
    rule: Annotated[Rule, Query(description="like all examples together, or any of them")] = "all",
) -> Response:
    """Return the images of a filter in the order of their likeness to examples, likest first.

    The body: the ids, unsigned 32-bit, then as many similarities (cosine, 32-bit floats), both
    little-endian. Images without a vector are left out.
    """
    desk = desk_of(request)
    if not len(like) >= 1 or len(like) + len(unlike) > _MOST:
        raise InvalidValue(f"expected 1 to {_MOST} examples, got {len(like) + len(unlike)}")
    searcher = desk.searcher()
    examples = [Example.parse(text) for text in (*like, *unlike)]
    vectors = [desk.examples.vector(one, searcher) for one in examples]
    with desk.reading:
        among = order_of(desk, where, "id")
        found = searcher.find(
            _stacked(vectors[: len(like)], searcher),
            _stacked(vectors[len(like) :], searcher),
            count=max(1, len(searcher)),
            rule=rule,
            among=among,
        )
    body = found.image_ids.astype("<u4").tobytes() + found.similarities.astype("<f4").tobytes()
    return Response(body, media_type="application/octet-stream")


def _stacked(vectors: Sequence[NDArray[Any]], searcher: Searcher) -> NDArray[Any]:
    if not vectors:
        return np.zeros((0, searcher.space.dim), np.float32)
    return np.stack([np.asarray(one, np.float32) for one in vectors])


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    add = routes.add
    add("POST", "/api/examples", take_picture, role="viewer", tag="images", gives=TakenPicture)
    add("GET", "/api/similar", read_similar, role="viewer", tag="images")
