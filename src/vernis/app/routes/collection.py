"""The collection as a whole, who asks, and what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.version import VERSION


@dataclass(frozen=True, slots=True)
class TaxonomyFacts:
    """A taxonomy with its classes."""

    name: str
    kind: Annotated[str, "single or multi"]
    closed: bool
    ignored: bool
    description: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What is open, and who asks."""

    name: str
    images: Annotated[int, "that are present"]
    root: Annotated[str, "the indexed folder"]
    taxonomies: tuple[TaxonomyFacts, ...]
    space: Annotated[str | None, "the embedding space that is read; null: none yet"]
    person: str
    role: str
    version: str


def read_collection(request: Request) -> Response:
    """Tell what is open: images, taxonomies with their classes, and who asks."""
    desk, person = desk_of(request), person_of(request)
    session = desk.session
    with desk.reading:
        space, root = session.current_space(), session.catalog.images.root()
        facts = CollectionFacts(
            name=session.catalog.folder.name.removesuffix(".vernis"),
            images=len(session.table()),
            root="" if root is None else root.name,
            taxonomies=tuple(
                TaxonomyFacts(t.name, t.kind, t.closed, t.ignored, t.description, t.classes)
                for t in session.taxonomies()
            ),
            space=None if space is None else space.name,
            person=person.name,
            role=person.role,
            version=VERSION,
        )
    return answered(facts, request)


async def stream_events(request: Request) -> Response:
    """Stream what happens, as server-sent events.

    Kinds: `decided`, `undone`, `labelled` (data: batch, by, images), `job` and `progress` (data:
    the job), `catalog` (another process has written), `reset` (more was missed than is kept). A
    stream that begins with `Last-Event-ID` first gives what was missed.
    """
    events = desk_of(request).events
    stream = events.stream(request.headers.get("last-event-id", ""))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag = "collection"
    routes.add(
        "GET", "/api/collection", read_collection, role="viewer", tag=tag, gives=CollectionFacts
    )
    routes.add("GET", "/api/events", stream_events, role="viewer", tag=tag)
