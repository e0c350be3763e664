"""An XMP packet as a tree whose nodes know their bytes, so that an edit touches nothing else.

Serialising a parsed packet again would rename prefixes, drop comments and move whitespace of other
programs. Here a packet is only ever read; what changes is a list of byte ranges with their
replacements. The grammar is that of ISO 16684-1 (XMP part 1): ``rdf:RDF`` holds one or several
``rdf:Description`` whose attributes and child elements are properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

Name = tuple[str, str]
"""A namespace and a local name."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META = "adobe:ns:meta/"
XML = "http://www.w3.org/XML/1998/namespace"

DESCRIPTION: Name = (RDF, "Description")
ITEM: Name = (RDF, "li")
CONTAINERS: frozenset[Name] = frozenset({(RDF, "Bag"), (RDF, "Seq"), (RDF, "Alt")})

_MOST_BYTES = 1 << 24
_DEEPEST = 64
_SEPARATOR = "\x1f"
_TAG = re.compile(rb"""[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")
_END_OF_PACKET = re.compile(rb"<\?xpacket\s+end=[^?]*\?>\s*\Z")


class UnusablePacket(ValueError):
    """A packet that cannot be edited safely; the message says why in a few words."""


@dataclass(slots=True, eq=False)
class Element:
    """An element of a packet.

    Attributes
    ----------
    name : Name
    attributes : mapping of Name to str
    scope : mapping of str to str
        Prefix → namespace, as declared here or above.
    start, end : int
        Its bytes, from ``<`` to behind the last ``>``.
    inner_start, inner_end : int
        What stands between its tags; equal where it is written ``<a/>``.
    children : list of Element
    text : str
        Its own text, unescaped.
    """

    name: Name
    attributes: Mapping[Name, str]
    scope: Mapping[str, str]
    start: int
    inner_start: int = 0
    inner_end: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)
    text: str = ""

    @property
    def closed_at_once(self) -> bool:
        """It is written as one empty tag."""
        return self.inner_start == self.end

    def child(self, name: Name) -> Element | None:
        """Return the first child of a name."""
        return next((child for child in self.children if child.name == name), None)

    def walk(self) -> Iterator[Element]:
        """Yield the element and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes of a packet, from ``start`` to ``end``, and what takes their place."""

    start: int
    end: int
    replacement: bytes = b""


@dataclass(frozen=True, eq=False)
class Document:
    """A parsed packet: its bytes and its ``rdf:RDF`` element."""

    data: bytes
    root: Element
    rdf: Element

    @cached_property
    def descriptions(self) -> list[Element]:
        """The ``rdf:Description`` elements, in their order."""
        return [child for child in self.rdf.children if child.name == DESCRIPTION]

    @property
    def about(self) -> str:
        """What the descriptions are about; empty, as it should be, or what the first one says."""
        for element in self.descriptions:
            return element.attributes.get((RDF, "about"), element.attributes.get(("", "about"), ""))
        return ""

    def properties(self, name: Name) -> list[Element]:
        """Return the elements of a property over all descriptions."""
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[Name, list[Element]]:
        found: dict[Name, list[Element]] = {}
        for description in self.descriptions:
            for child in description.children:
                found.setdefault(child.name, []).append(child)
        return found

    def attribute(self, name: Name) -> Element | None:
        """Return the description that holds a property in its short form, as an attribute."""
        return next((d for d in self.descriptions if name in d.attributes), None)


def parse(data: bytes) -> Document:
    """Parse a packet.

    Parameters
    ----------
    data : bytes
        With or without the ``<?xpacket?>`` wrapper; zero bytes at the end are ignored.

    Raises
    ------
    UnusablePacket
        It is no UTF-8, no XML, declares a DTD or entities (which can be made to expand without
        end), is nested too deeply, too large, or holds no ``rdf:RDF``.
    """
    if len(data) > _MOST_BYTES:
        raise UnusablePacket(f"its XMP is larger than {_MOST_BYTES >> 20} MiB")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise UnusablePacket("its XMP is written in UTF-16 or UTF-32")
    sound = data.rstrip(b"\0")
    builder = _Builder(sound)
    try:
        builder.parser.Parse(sound, True)
    except expat.ExpatError as error:
        raise UnusablePacket(f"its XMP is damaged ({error})") from error
    except UnicodeError as error:
        raise UnusablePacket("its XMP is not UTF-8") from error
    root = builder.root
    rdf = next((e for e in root.walk() if e.name == (RDF, "RDF")), None) if root else None
    if root is None or rdf is None:
        raise UnusablePacket("its XMP holds no rdf:RDF")
    return Document(data, root, rdf)


class _Builder:
    """Turns the events of expat into elements with byte positions."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root: Element | None = None
        self.open: list[Element] = []
        self.declared: dict[str, str] = {}
        self.parser: Any = expat.ParserCreate(None, _SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartNamespaceDeclHandler = self._declare
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.XmlDeclHandler = self._check_encoding

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self.declared[prefix or ""] = uri or ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.open) >= _DEEPEST:
            raise UnusablePacket(f"its XMP is nested more than {_DEEPEST} levels deep")
        start: int = self.parser.CurrentByteIndex
        above: Mapping[str, str] = self.open[-1].scope if self.open else {"xml": XML}
        element = Element(
            name=_split(name),
            attributes={_split(key): value for key, value in attributes.items()},
            scope={**above, **self.declared} if self.declared else above,
            start=start,
            inner_start=_end_of_tag(self.data, start),
        )
        self.declared = {}
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def _end(self, _name: str) -> None:
        element = self.open.pop()
        at: int = self.parser.CurrentByteIndex
        if self.data[element.inner_start - 2 : element.inner_start] == b"/>":
            element.inner_end = element.end = element.inner_start
        else:
            element.inner_end = at
            element.end = self.data.index(b">", at) + 1

    def _text(self, text: str) -> None:
        if self.open:
            self.open[-1].text += text

    def _refuse(self, *_: object) -> None:
        raise UnusablePacket("its XMP declares a DTD or entities")

    def _check_encoding(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnusablePacket(f"its XMP is written in {encoding}")


def _split(name: str) -> Name:
    uri, found, local = name.rpartition(_SEPARATOR)
    return (uri, local) if found else ("", name)


def _end_of_tag(data: bytes, start: int) -> int:
    """Return the position behind the ``>`` of a start tag; quoted values may hold one."""
    found = _TAG.match(data, start)
    if found is None:
        raise UnusablePacket("its XMP is damaged (a tag does not end)")
    return found.end()


# --------------------------------------------------------------------------- reading values


def items(element: Element) -> list[Element]:
    """Return the ``rdf:li`` elements of an array property."""
    return [
        item
        for child in element.children
        if child.name in CONTAINERS
        for item in child.children
        if item.name == ITEM
    ]


def value(element: Element) -> str:
    """Return the text of a simple value, through ``rdf:value`` where it has qualifiers."""
    for holder in (element, element.child(DESCRIPTION)):
        if holder is not None:
            inner = holder.child((RDF, "value"))
            if inner is not None:
                return inner.text.strip()
            if (RDF, "value") in holder.attributes:
                return holder.attributes[(RDF, "value")].strip()
    return element.text.strip()


def members(element: Element) -> tuple[dict[Name, str], dict[Name, Element]]:
    """Return the fields of a structure: those written as attributes, and those as elements.

    A structure is written in three ways: ``rdf:parseType="Resource"``, an ``rdf:Description``
    inside, or attributes alone.
    """
    inner = element.child(DESCRIPTION) or element
    attributes = {
        name: text
        for holder in (element, inner)
        for name, text in holder.attributes.items()
        if name[0] not in (RDF, XML, "")
    }
    return attributes, {child.name: child for child in inner.children if child.name[0] != RDF}


def texts(element: Element) -> dict[Name, str]:
    """Return the simple fields of a structure."""
    attributes, elements = members(element)
    return {**attributes, **{name: value(child) for name, child in elements.items()}}


def simple_values(document: Document, name: Name) -> list[str]:
    """Return all values of a property, whichever way it is written; empty ones are left out."""
    found: list[str] = []
    holder = document.attribute(name)
    if holder is not None:
        found.append(holder.attributes[name].strip())
    for element in document.properties(name):
        has_array = any(child.name in CONTAINERS for child in element.children)
        found += [value(item) for item in items(element)] if has_array else [value(element)]
    return [text for text in found if text]


# --------------------------------------------------------------------------- writing


def tag_name(name: Name, scope: Mapping[str, str], prefix: str) -> tuple[str, str]:
    """Return how a name is written in a scope, and the declaration that it needs there.

    Parameters
    ----------
    name : Name
    scope : mapping of str to str
    prefix : str
        Taken where the scope has none for the namespace.
    """
    known = next((p for p, uri in scope.items() if uri == name[0] and p), "")
    if known:
        return f"{known}:{name[1]}", ""
    return f"{prefix}:{name[1]}", f" xmlns:{prefix}={quoteattr(name[0])}"


def markup(text: str) -> str:
    """Escape a text for the inside of an element."""
    return escape(text)


def attribute_markup(text: str) -> str:
    """Escape and quote a text for an attribute."""
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def blank_before(data: bytes, at: int) -> int:
    """Return where the white space that ends at a position begins."""
    while at > 0 and data[at - 1] in b" \t\r\n":
        at -= 1
    return at


def indent_of(data: bytes, element: Element) -> bytes:
    """Return the white space before an element, to set another beside it."""
    return data[blank_before(data, element.start) : element.start]


def attribute_span(data: bytes, element: Element, name: Name) -> tuple[int, int]:
    """Return the bytes of an attribute in the start tag of an element, with the space before."""
    tag = data[element.start : element.inner_start]
    for found in re.finditer(rb"\s+([^\s=<>/\"']+)\s*=\s*(\"[^\"]*\"|'[^']*')", tag):
        prefix, colon, local = found[1].decode("utf-8").rpartition(":")
        uri = element.scope.get(prefix, "") if colon else ""
        if (uri, local) == name and prefix != "xmlns":
            return element.start + found.start(), element.start + found.end()
    raise UnusablePacket(f"its XMP writes {name[1]} in a way that cannot be edited")


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the bytes with all edits done; edits at one place are done in their order."""
    parts: list[bytes] = []
    done = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < done:
            raise UnusablePacket("its XMP nests properties in a way that cannot be edited")
        parts += [data[done : edit.start], edit.replacement]
        done = edit.end
    return b"".join((*parts, data[done:]))


def padding(data: bytes) -> tuple[int, int]:
    """Return where the white space before the end of the packet's wrapper stands."""
    end = _END_OF_PACKET.search(data)
    return (blank_before(data, end.start()), end.start()) if end else (len(data), len(data))


def fit(data: bytes, length: int) -> bytes | None:
    """Return the packet with padding taken away or added to a length; None where it cannot be."""
    start, end = padding(data)
    missing = length - len(data)
    if start == end or end - start + missing < 1:
        return None
    blank = data[start:end]
    blank = blank[-missing:] if missing < 0 else b" " * missing + blank
    return data[:start] + blank + data[end:]


def canonical(element: Element, without: frozenset[Name] = frozenset()) -> Any:
    """Return what an element says as nested tuples, for comparison; white space is left out.

    Parameters
    ----------
    element : Element
    without : frozenset of Name
        Elements and attributes that are left out wherever they stand.
    """
    return (
        element.name,
        tuple(sorted((k, v) for k, v in element.attributes.items() if k not in without)),
        element.text.strip(),
        tuple(canonical(c, without) for c in element.children if c.name not in without),
    )
