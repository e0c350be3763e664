"""Regions in a packet, as the Metadata Working Group writes them (``mwg-rs``, version 2.0).

The standard counts in fractions of the picture as it is stored, before the EXIF orientation, from
the centre of the area. Ours are told from those of others by ``vernis:id`` in their extensions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.xmp_arrays import (
    Change,
    Render,
    attributes_markup,
    change_array,
    opened,
)
from vernis.adapters.interchange.metadata.xmp_document import Document, Edit, Element, Name
from vernis.adapters.interchange.metadata.xmp_names import PREFIXES, REGIONS, named
from vernis.domain.metadata import WrittenRegion
from vernis.domain.regions import Box, inverse_orientation, turned_size

_LIST = named("mwg-rs:RegionList")
_APPLIED = named("mwg-rs:AppliedToDimensions")
_NAME = named("mwg-rs:Name")
_TYPE = named("mwg-rs:Type")
_AREA = named("mwg-rs:Area")
_EXTENSIONS = named("mwg-rs:Extensions")
_UNIT = named("stArea:unit")
_ID = named("vernis:id")
_SAID = ("taxonomy", "source", "model", "probability", "time")


@dataclass(frozen=True, slots=True)
class RegionChange:
    """How the property ``mwg-rs:Regions`` changes.

    ``markup`` is a whole new one, or empty; ``added`` holds the ids of new regions.
    """

    edits: tuple[Edit, ...] = ()
    markup: str = ""
    cut: tuple[Element, ...] = ()
    note: str = ""
    added: tuple[str, ...] = ()


def read_regions(document: Document, orientation: int = 1) -> list[WrittenRegion]:
    """Return the regions of a packet; those without a size of the picture are left out.

    Parameters
    ----------
    document : Document
    orientation : int
        EXIF orientation of the file, which leads from its stored to the upright picture.
    """
    found = []
    for element in document.properties(REGIONS):
        size = _applied_to(element)
        if size is None:
            continue
        for item in xmp.items(_member(element, _LIST) or element):
            region = _read_region(item, size, orientation)
            if region is not None:
                found.append(region)
    return found


def own_ids(element: Element) -> dict[str, Element]:
    """Return the items of a region list that are ours, by their id."""
    members = {id(item): _extensions(item).get(_ID, "") for item in _list_items(element)}
    return {members[id(i)]: i for i in _list_items(element) if members[id(i)]}


def change_regions(
    document: Document,
    wanted: Sequence[WrittenRegion],
    orientation: int,
    scope: Mapping[str, str],
) -> RegionChange:
    """Return how to bring the regions of a packet to what is wanted; those of others stay.

    Parameters
    ----------
    document : Document
    wanted : sequence of WrittenRegion
    orientation : int
        EXIF orientation of the file.
    scope : mapping of str to str
        Namespaces around a new property.
    """
    existing = document.properties(REGIONS)
    fields = [(region, _fields(region, orientation)) for region in wanted]
    if not existing:
        if not wanted:
            return RegionChange()
        markup = _whole(wanted, fields, orientation, scope)
        return RegionChange(markup=markup, added=tuple(region.id for region in wanted))
    element = existing[0]
    ours = own_ids(element)
    same = {rid for rid, item in ours.items() if any(_item_fields(item) == f for _, f in fields)}
    gone = [item for rid, item in ours.items() if rid not in same]
    new = [(r, f) for r, f in fields if not any(_item_fields(ours[rid]) == f for rid in same)]
    if not gone and not new:
        return RegionChange()
    if len(_list_items(element)) == len(ours) and not same and not new:
        return RegionChange(cut=(element,))
    size = _applied_to(element)
    if new and size is not None and size != turned_size(orientation, new[0][0].picture):
        note = (
            f"regions left out: those in the file are of a picture of {size[0]} × {size[1]} pixels"
        )
        new = []
        if not gone:
            return RegionChange(note=note)
    else:
        note = ""
    change = _change_list(document, element, gone, [_renderer(f) for _, f in new])
    added = tuple(region.id for region, _ in new)
    return RegionChange(change.edits, note=note, added=added)


def remove_regions(document: Document, ids: Collection[str]) -> RegionChange:
    """Return how to take regions of ours out of a packet, by their ids."""
    for element in document.properties(REGIONS):
        gone = [item for rid, item in own_ids(element).items() if rid in ids]
        if gone and len(gone) == len(_list_items(element)):
            return RegionChange(cut=(element,))
        if gone:
            return RegionChange(_change_list(document, element, gone, []).edits)
    return RegionChange()


def _change_list(
    document: Document, element: Element, gone: Sequence[Element], new: Sequence[Render]
) -> Change:
    """Edit the bag inside ``mwg-rs:RegionList`` as if it were a property of its own."""
    inner = _member(element, _LIST)
    if inner is None:
        holder = element.child(xmp.DESCRIPTION) or element
        tag, declared = xmp.tag_name(_LIST, holder.scope, "mwg-rs")
        rdf, _ = xmp.tag_name((PREFIXES["rdf"], "Bag"), holder.scope, "rdf")
        text = "".join(render(holder.scope) for render in new)
        markup = f"<{tag}{declared}><{rdf}>{text}</{rdf}></{tag}>"
        if holder.closed_at_once:
            return Change((opened(document, holder, markup),))
        return Change((Edit(holder.inner_end, holder.inner_end, markup.encode()),))
    view = Document(document.data, document.root, _as_rdf(inner))
    change = change_array(view, _LIST, gone, new)
    if change.cut:  # an empty list stays: the rest of the structure is not ours
        blank = [Edit(xmp.blank_before(document.data, item.start), item.end) for item in gone]
        return Change(tuple(blank))
    return change


def _as_rdf(element: Element) -> Element:
    """Return a root whose only property is an element."""
    description = Element(xmp.DESCRIPTION, {}, element.scope, element.start, children=[element])
    return Element((xmp.RDF, "RDF"), {}, element.scope, element.start, children=[description])


def _member(element: Element, name: Name) -> Element | None:
    return xmp.members(element)[1].get(name)


def _list_items(element: Element) -> list[Element]:
    inner = _member(element, _LIST)
    return xmp.items(inner) if inner is not None else []


def _extensions(item: Element) -> dict[Name, str]:
    inner = _member(item, _EXTENSIONS)
    return xmp.texts(inner) if inner is not None else {}


def _applied_to(element: Element) -> tuple[int, int] | None:
    inner = _member(element, _APPLIED)
    if inner is None:
        return None
    found = xmp.texts(inner)
    try:
        size = round(float(found[named("stDim:w")])), round(float(found[named("stDim:h")]))
    except (KeyError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def _read_region(item: Element, size: tuple[int, int], orientation: int) -> WrittenRegion | None:
    attributes, elements = xmp.members(item)
    fields = xmp.texts(item)
    area = xmp.texts(elements[_AREA]) if _AREA in elements else attributes
    try:
        x, y = float(area[named("stArea:x")]), float(area[named("stArea:y")])
        if named("stArea:d") in area:
            # A circle: its diameter is a fraction of the shorter side.
            across = float(area[named("stArea:d")]) * min(size)
            w, h = across / size[0], across / size[1]
        else:
            w = float(area.get(named("stArea:w"), "0"))
            h = float(area.get(named("stArea:h"), "0"))
        if area.get(_UNIT, "normalized") != "normalized":
            x, y, w, h = x / size[0], y / size[1], w / size[0], h / size[1]
        box = Box.from_center(x, y, w, h, size).turned(orientation, size)
        said = {name[1]: text for name, text in _extensions(item).items() if name[0] == _ID[0]}
        return WrittenRegion(
            id=said.get("id", ""),
            name=fields.get(_NAME, ""),
            box=box,
            picture=turned_size(orientation, size),
            type=fields.get(_TYPE, ""),
            taxonomy=said.get("taxonomy", ""),
            source=said.get("source", ""),
            model=said.get("model", ""),
            probability=float(said.get("probability", "nan")),
            time=said.get("time", ""),
        )
    except (KeyError, ValueError):
        return None


def _fields(region: WrittenRegion, orientation: int) -> dict[str, dict[Name, str]]:
    """Return what is written of a region: its own fields, those of its area and extensions."""
    stored = turned_size(orientation, region.picture)
    box = region.box.clipped(region.picture)
    box = box.turned(inverse_orientation(orientation), region.picture)
    x, y, w, h = (f"{number:.12g}" for number in box.center(stored))
    area = {"x": x, "y": y, "w": w, "h": h, "unit": "normalized"}
    said = {"id": region.id, **{name: str(getattr(region, name)) for name in _SAID}}
    if math.isnan(region.probability):
        said["probability"] = ""
    own = {_NAME: region.name, _TYPE: region.type}
    return {
        "own": {name: text for name, text in own.items() if text},
        "area": {named(f"stArea:{name}"): text for name, text in area.items()},
        "extensions": {named(f"vernis:{name}"): text for name, text in said.items() if text},
    }


def _item_fields(item: Element) -> dict[str, dict[Name, str]]:
    """Return the same of a region that stands in a packet."""
    _, elements = xmp.members(item)
    own = {k: v for k, v in xmp.texts(item).items() if k not in (_AREA, _EXTENSIONS)}
    area = xmp.texts(elements[_AREA]) if _AREA in elements else {}
    return {"own": own, "area": area, "extensions": _extensions(item)}


def _renderer(fields: Mapping[str, Mapping[Name, str]]) -> Render:
    def render(scope: Mapping[str, str]) -> str:
        item, declared = xmp.tag_name(xmp.ITEM, scope, "rdf")
        inner, _ = xmp.tag_name(xmp.DESCRIPTION, scope, "rdf")
        own = attributes_markup(fields["own"], scope)
        # Declared again where the prefix is missing: the description declares it for itself only.
        area, area_ns = xmp.tag_name(_AREA, scope, "mwg-rs")
        extensions, extensions_ns = xmp.tag_name(_EXTENSIONS, scope, "mwg-rs")
        return (
            f"<{item}{declared}><{inner}{own}>"
            f"<{area}{area_ns}{attributes_markup(fields['area'], scope)}/>"
            f"<{extensions}{extensions_ns}{attributes_markup(fields['extensions'], scope)}/>"
            f"</{inner}></{item}>"
        )

    return render


def _whole(
    wanted: Sequence[WrittenRegion],
    fields: Sequence[tuple[WrittenRegion, Mapping[str, Mapping[Name, str]]]],
    orientation: int,
    scope: Mapping[str, str],
) -> str:
    """Return a new ``mwg-rs:Regions``."""
    width, height = turned_size(orientation, wanted[0].picture)
    inner = {**scope, **{p: PREFIXES[p] for p in ("mwg-rs", "stDim", "stArea", "rdf", "vernis")}}
    declared = "".join(
        f' xmlns:{prefix}="{uri}"' for prefix, uri in inner.items() if scope.get(prefix) != uri
    )
    size = attributes_markup(
        {
            named("stDim:w"): str(width),
            named("stDim:h"): str(height),
            named("stDim:unit"): "pixel",
        },
        inner,
    )
    lines = "".join(f"\n     {_renderer(f)(inner)}" for _, f in fields)
    return (
        f'\n   <mwg-rs:Regions{declared} rdf:parseType="Resource">'
        f"\n    <mwg-rs:AppliedToDimensions{size}/>"
        f"\n    <mwg-rs:RegionList>\n     <rdf:Bag>{lines}\n     </rdf:Bag>"
        f"\n    </mwg-rs:RegionList>\n   </mwg-rs:Regions>"
    )
