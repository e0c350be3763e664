"""Maps of the pictures: places, colours, and sheets of small pictures to draw from."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from vernis.app.desk import Desk
from vernis.app.pictures import SHEET, as_numbers
from vernis.app.routing import Routes, answered, desk_of
from vernis.domain.errors import NotFound
from vernis.verbs.see.map_points import (
    Coloring,
    MapColors,
    PlacedImages,
    color_points,
    list_colorings,
    placed_images,
)
from vernis.verbs.see.maps import MapRow, row_of

Name = Annotated[str, Query(description="of the map (default: the newest)")]


@dataclass(frozen=True, slots=True)
class ColoringRow:
    """Something by which a map can be coloured."""

    kind: Coloring
    name: Annotated[str, "of a taxonomy"]


@dataclass(frozen=True, slots=True)
class MapsPage:
    """The maps, the newest first, and what they can be coloured by."""

    maps: tuple[MapRow, ...]
    colors: tuple[ColoringRow, ...]
    sheet: Annotated[int, "pictures of a sheet: cells across, and down"]
    edge: Annotated[int, "side of a cell, pixels"]


def read_maps(request: Request) -> Response:
    """List the maps of the collection, and what they can be coloured by."""
    desk = desk_of(request)
    with desk.reading:
        rows = tuple(map(row_of, desk.session.catalog.maps.records()))
        colors = tuple(ColoringRow(kind, name) for kind, name in list_colorings(desk.session))
    return answered(MapsPage(rows, colors, SHEET.columns, SHEET.edge), request)


def read_points(request: Request, name: Name = "") -> Response:
    """Return the points of a map: how many, the ids of all, then x and y of each.

    Numbers are little-endian, 32 bits: unsigned, and floats. The longer side of the map is 1 long,
    y goes down, and neighbours follow one another.
    """
    placed = _placed(desk_of(request), name)
    body = [
        struct.pack("<I", len(placed.ids)),
        as_numbers(placed.ids),
        placed.places.astype("<f4").tobytes(),
    ]
    return Response(b"".join(body), media_type="application/octet-stream")


def read_colors(
    request: Request,
    by: Annotated[Coloring, Query()],
    name: Name = "",
    taxonomy: Annotated[str, Query(description="of `by=taxonomy`")] = "",
) -> Response:
    """Return the class of each point of a map."""
    desk = desk_of(request)
    with desk.reading:
        placed = _placed(desk, name)
        stores = ("images", "labels", "issues", "runs", "maps")
        found: MapColors = desk.remember(
            ("map colours", name, by, taxonomy),
            stores,
            lambda: color_points(desk.session, placed.ids, by, taxonomy),
        )
    return answered(found, request)


def read_sheet(
    request: Request,
    number: int,
    name: Name = "",
) -> Response:
    """Return a sheet of small pictures (JPEG): those of the points in their order.

    Only pictures whose thumbnail was drawn before are on it; the others are grey.
    """
    desk = desk_of(request)
    placed = _placed(desk, name)
    size = SHEET.columns**2
    ids = placed.ids[number * size : (number + 1) * size] if number >= 0 else placed.ids[:0]
    if not len(ids):
        raise NotFound(f"the map has no sheet {number}")
    jpeg, whole = desk.pictures.sheet(ids.tolist())
    kept = "private, max-age=3600" if whole else "no-store"
    return Response(jpeg, headers={"cache-control": kept}, media_type="image/jpeg")


def _placed(desk: Desk, name: str) -> PlacedImages:
    with desk.reading:
        records = desk.session.catalog.maps.records()
        if not records:
            raise NotFound("there is no map yet: vernis map")
        wanted = name or records[0].name
        return desk.remember(
            ("map", wanted), ("images", "maps"), lambda: placed_images(desk.session, wanted)
        )


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    tag = "maps"
    add = routes.add
    add("GET", "/api/maps", read_maps, role="viewer", tag=tag, gives=MapsPage)
    add("GET", "/api/map/points", read_points, role="viewer", tag=tag)
    add("GET", "/api/map/colors", read_colors, role="viewer", tag=tag, gives=MapColors)
    add("GET", "/api/map/sheets/{number}", read_sheet, role="viewer", tag=tag)
