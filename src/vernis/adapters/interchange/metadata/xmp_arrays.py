"""Edits of one array property of a packet: take items out, put items in, leave the rest alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.xmp_document import Document, Edit, Element, Name
from vernis.adapters.interchange.metadata.xmp_names import PREFIXES, prefix_of

Render = Callable[[Mapping[str, str]], str]
"""Writes the markup of one item in the namespaces that are declared around it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a property.

    Attributes
    ----------
    edits : tuple of Edit
        In the bytes of the packet.
    fresh : tuple of Render
        Items for which the packet has no array yet; the caller adds the property with them.
    cut : tuple of Element
        Elements that lose all their items and are to be cut out whole, not yet in ``edits``.
    """

    edits: tuple[Edit, ...] = ()
    fresh: tuple[Render, ...] = ()
    cut: tuple[Element, ...] = ()


def change_array(
    document: Document, name: Name, gone: Collection[Element], new: Sequence[Render]
) -> Change:
    """Return how to change a property that is an array, or is written as a single value.

    Parameters
    ----------
    document : Document
    name : Name
    gone : collection of Element
        Items (``rdf:li``), or elements with a single value, that are taken out.
    new : sequence of Render
        Items that are added behind the last one.
    """
    holder = document.attribute(name)
    elements = document.properties(name)
    edits: list[Edit] = []
    cut: list[Element] = []
    fresh = list(new)
    if holder is not None and new:
        # An attribute holds one value; with a second one it becomes an element.
        edits.append(Edit(*xmp.attribute_span(document.data, holder, name)))
        fresh.insert(0, text_item(holder.attributes[name]))
    for element in elements:
        container = next((c for c in element.children if c.name in xmp.CONTAINERS), None)
        if container is None:
            if element in gone:
                cut.append(element)
            elif fresh and not element.children:
                edits.append(_as_array(document, element, fresh))
                fresh = []
            continue
        here = xmp.items(element)
        kept = [item for item in here if item not in gone]
        if here and not kept and not fresh:
            cut.append(element)
            continue
        edits += [Edit(xmp.blank_before(document.data, i.start), i.end) for i in here if i in gone]
        if fresh:
            edits.append(_insertion(document, container, fresh))
            fresh = []
    return Change(tuple(edits), tuple(fresh), tuple(cut))


def text_item(text: str) -> Render:
    """Return the writer of an item that is plain text."""

    def render(scope: Mapping[str, str]) -> str:
        tag, declared = xmp.tag_name(xmp.ITEM, scope, "rdf")
        return f"<{tag}{declared}>{xmp.markup(text)}</{tag}>"

    return render


def structure_item(fields: Mapping[Name, str]) -> Render:
    """Return the writer of an item that is a structure of simple values, as attributes."""

    def render(scope: Mapping[str, str]) -> str:
        tag, declared = xmp.tag_name(xmp.ITEM, scope, "rdf")
        return f"<{tag}{declared}{attributes_markup(fields, scope)}/>"

    return render


def attributes_markup(fields: Mapping[Name, str], scope: Mapping[str, str]) -> str:
    """Return simple values as attributes, with the declarations that they need."""
    parts: list[str] = []
    for name, text in fields.items():
        written, declared = xmp.tag_name(name, scope, prefix_of(name))
        if declared and declared not in parts:
            parts.append(declared)
        parts.append(f" {written}={xmp.attribute_markup(text)}")
    return "".join(parts)


def array_markup(name: Name, items: Sequence[Render], scope: Mapping[str, str], at: str) -> str:
    """Return a whole new array property.

    Parameters
    ----------
    name : Name
    items : sequence of Render
    scope : mapping of str to str
    at : str
        Line break and indentation that stand before it.
    """
    tag, declared = xmp.tag_name(name, scope, prefix_of(name))
    bag, bag_declared = xmp.tag_name((PREFIXES["rdf"], "Bag"), scope, "rdf")
    inner = dict(scope)
    if declared:
        inner[tag.partition(":")[0]] = name[0]
    if bag_declared:
        inner["rdf"] = PREFIXES["rdf"]
    lines = [f"{at}  {render(inner)}" for render in items]
    return (
        f"{at}<{tag}{declared}>{at} <{bag}{bag_declared}>{''.join(lines)}{at} </{bag}>{at}</{tag}>"
    )


def opened(document: Document, element: Element, inside: str) -> Edit:
    """Return the edit that puts markup into an element that is written as one empty tag."""
    tag = document.data[element.start + 1 : element.end].split(None, 1)[0].rstrip(b"/>")
    return Edit(element.end - 2, element.end, b">" + inside.encode() + b"</" + tag + b">")


def _insertion(document: Document, container: Element, fresh: Sequence[Render]) -> Edit:
    data = document.data
    if container.children:
        last = container.children[-1]
        gap = xmp.indent_of(data, last).decode()
        text = "".join(gap + render(container.scope) for render in fresh)
        return Edit(last.end, last.end, text.encode())
    text = "".join(render(container.scope) for render in fresh)
    if container.closed_at_once:
        return opened(document, container, text)
    return Edit(container.inner_start, container.inner_start, text.encode())


def _as_array(document: Document, element: Element, fresh: Sequence[Render]) -> Edit:
    """Write a single value as an array with more behind it."""
    single = xmp.value(element)
    everything = [text_item(single), *fresh] if single else list(fresh)
    return Edit(
        element.start,
        element.end,
        array_markup(element.name, everything, element.scope, "").encode(),
    )
