"""Boxes of one picture: what is there, and what a person draws, moves, names and removes."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Request
from fastapi.responses import Response

from vernis.app.routing import Routes, answered, desk_of, person_of
from vernis.verbs.decide.boxes import (
    BoxesRecorded,
    DrawnBox,
    MovedBox,
    NamedBox,
    boxes_of,
    record_boxes,
)
from vernis.verbs.see.objects import ObjectRow


@dataclass(frozen=True)
class BoxChanges:
    """What a person did; all of it is one batch. Boxes are x, y, width, height in pixels."""

    draw: list[DrawnBox] = field(default_factory=list)
    move: list[MovedBox] = field(default_factory=list)
    name: list[NamedBox] = field(default_factory=list)
    accept: list[int] = field(default_factory=list)
    remove: list[int] = field(default_factory=list)


def read_boxes(request: Request, image: int) -> Response:
    """Return the regions of an image, one row a label, in the order in which they were made."""
    desk = desk_of(request)
    with desk.reading:
        found = boxes_of(desk.session, desk.pictures.image(image))
    return answered(found, request)


def change_boxes(request: Request, image: int, given: BoxChanges) -> Response:
    """Draw, move, name, accept and remove boxes of an image, as one batch."""
    desk, who = desk_of(request), person_of(request).name
    record = desk.pictures.image(image)
    done = record_boxes(
        desk.session,
        record,
        draw=given.draw,
        move=given.move,
        name=given.name,
        accept=given.accept,
        remove=given.remove,
        who=who,
    )
    if done.batch:
        told = {"by": who, "batch": done.batch, "taxonomy": "", "count": 1, "images": [image]}
        desk.events.publish("labelled", told)
    return answered(done)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    path, tag = "/api/images/{image}/boxes", "boxes"
    routes.add("GET", path, read_boxes, role="viewer", tag=tag, gives=tuple[ObjectRow, ...])
    routes.add("POST", path, change_boxes, role="reviewer", tag=tag, gives=BoxesRecorded)
