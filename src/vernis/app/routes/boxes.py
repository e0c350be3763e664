"""Places in one picture: its boxes, what a person does to them, and where its labels are."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
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
from vernis.verbs.steps.locating import kept_maps


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


@dataclass(frozen=True, slots=True)
class HeatRow:
    """Where a label is in a picture, as `vernis locate` found it."""

    taxonomy: str
    label: str
    confidence: Annotated[float, "0 to 1"]
    side: Annotated[int, "cells along each side; the picture is stretched to a square"]
    heat: Annotated[str, "a byte a cell, row by row: 0 nowhere, 255 most; base64"]


def read_heat(request: Request, image: int) -> Response:
    """Return the heat maps of an image, one a label that was located."""
    desk = desk_of(request)
    with desk.reading:
        found = kept_maps(desk.session, desk.pictures.image(image))
    rows = [
        HeatRow(
            one.taxonomy,
            one.label,
            round(one.map.confidence, 4),
            len(one.map.heat),
            b64encode(np.round(one.map.heat * 255).astype(np.uint8).tobytes()).decode("ascii"),
        )
        for one in found
    ]
    return answered(rows, request)


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    path, tag = "/api/images/{image}/boxes", "boxes"
    routes.add("GET", path, read_boxes, role="viewer", tag=tag, gives=tuple[ObjectRow, ...])
    heat = "/api/images/{image}/heat"
    routes.add("GET", heat, read_heat, role="viewer", tag=tag, gives=tuple[HeatRow, ...])
    routes.add("POST", path, change_boxes, role="reviewer", tag=tag, gives=BoxesRecorded)
