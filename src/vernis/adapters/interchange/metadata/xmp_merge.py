"""Bring the words and regions of a packet to what is wanted, and touch nothing of others.

What is ours is written in the packet itself: ``vernis:statements`` names each word, who said it,
and into which lists we put it. A word that already stood in a list is never ours and stays.

A list that is new would hide words of others: programs read the most detailed list that is there
(digiKam and Immich ``TagsList`` before ``hierarchicalSubject`` before ``dc:subject`` before IPTC)
and look no further. So a new list starts with a copy of what they see today, marked as copied.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.xmp_arrays import (
    Render,
    array_markup,
    change_array,
    opened,
    structure_item,
    text_item,
)
from vernis.adapters.interchange.metadata.xmp_document import (
    Document,
    Edit,
    Element,
    Name,
    UnusablePacket,
    parse,
)
from vernis.adapters.interchange.metadata.xmp_names import OURS, PREFIXES, STATEMENTS, WORDS, named
from vernis.adapters.interchange.metadata.xmp_regions import (
    RegionChange,
    change_regions,
    own_ids,
    remove_regions,
)
from vernis.domain.metadata import (
    COPIED,
    WORD_PROPERTIES,
    Wanted,
    Word,
    WordProperty,
    folded,
    path_of_word,
)

_TOOLKIT = "Vernis"
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="{xmp.META}" x:xmptk="{_TOOLKIT}">\n'
    f' <rdf:RDF xmlns:rdf="{xmp.RDF}">\n'
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n"
    '<?xpacket end="w"?>'
).encode()

_STATED = "vernis:statements"
_REGIONS = "mwg-rs:Regions"
_FIELDS = ("word", "taxonomy", "label", "source", "model", "probability", "time", "added")
_STEP = re.compile(r"\\(.)|(\|)|([^\\|]+)")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """A packet after the merge.

    Attributes
    ----------
    packet : bytes or None
        None where nothing is left and the packet was ours alone.
    added : mapping of str to tuple of str
        What this merge put into each list; ``retract`` takes just that out again.
    removed : tuple of str
        Words of Vernis that it took out.
    notes : tuple of str
        What was not written.
    """

    packet: bytes | None
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def merge(
    packet: bytes | None,
    wanted: Wanted,
    *,
    beneath: Sequence[Path] = (),
    orientation: int = 1,
) -> Merged:
    """Return a packet with the wanted words and regions.

    Parameters
    ----------
    packet : bytes or None
        As it stands in the file; None where there is none.
    wanted : Wanted
    beneath : sequence of tuple of str
        Words of others that programs see today in another place of lower rank (IPTC; the image
        where the packet is its sidecar).
    orientation : int
        EXIF orientation of the file.

    Raises
    ------
    UnusablePacket
        The packet cannot be edited, or would lose something.
    """
    document = parse(_EMPTY if packet is None else packet)
    words = wanted.words
    if wanted.taxonomies is not None:
        said = read_statements(document)
        words += tuple(word for word in said if word.taxonomy not in wanted.taxonomies)
    plan = _plan_words(document, words, beneath)
    edits = _edit_words(document, plan)
    change = None
    if wanted.regions is not None:
        change = change_regions(document, wanted.regions, orientation, edits.scope)
        edits.change_regions(change)
    result = edits.done()
    notes = (change.note,) if change is not None and change.note else ()
    if result == document.data:
        return Merged(packet, notes=notes)
    _require_nothing_lost(document, result, plan)
    added: dict[str, tuple[str, ...]] = {name: tuple(t) for name, t in plan.added.items() if t}
    if plan.stated:
        added[_STATED] = tuple(plan.stated)
    if change is not None and change.added:
        added[_REGIONS] = change.added
    return Merged(result, added, tuple(sorted(plan.removed["dc:subject"])), notes)


def retract(packet: bytes, added: Mapping[str, Collection[str]]) -> Merged:
    """Return a packet without what one merge had added, whatever was written since.

    Parameters
    ----------
    packet : bytes
    added : mapping of str to collection of str
        As ``Merged.added`` says.

    Raises
    ------
    UnusablePacket
        The packet cannot be edited, or would lose something.
    """
    document = parse(packet)
    gone = {
        kept_in: {folded(text) for text in added.get(kept_in, ())} for kept_in in WORD_PROPERTIES
    }
    plan = _Plan(gone, {}, {}, {})
    for kept_in, name in WORDS.items():
        texts = [text for text, _ in _entries(document, name)]
        plan.foreign[kept_in] = [text for text in texts if folded(text) not in gone[kept_in]]
        plan.added[kept_in], plan.wanted[kept_in] = [], set()
    for element, word, lists in _statements(document):
        left = [kept_in for kept_in in lists if folded(word.text(kept_in)) not in gone[kept_in]]
        said = _fields_of(element)["word"] in added.get(_STATED, ())
        if len(left) < len(lists) or (said and not left):
            plan.old_statements.append(element)
            if left:
                plan.state(_statement_fields(word, left))
    edits = _edit_words(document, plan)
    edits.change_regions(remove_regions(document, added.get(_REGIONS, ())))
    result = edits.done()
    _require_nothing_lost(document, result, plan)
    return Merged(result)


def own_words(document: Document) -> dict[WordProperty, set[str]]:
    """Return the words of each list that Vernis put there, folded."""
    ours: dict[WordProperty, set[str]] = {name: set() for name in WORD_PROPERTIES}
    for _, word, lists in _statements(document):
        for kept_in in lists:
            ours[kept_in].add(folded(word.text(kept_in)))
    return ours


def read_statements(document: Document) -> list[Word]:
    """Return what the packet says of our words; copies of others' words are left out."""
    return [word for _, word, _ in _statements(document) if word.source != COPIED]


# --------------------------------------------------------------------------- the plan


@dataclass(slots=True)
class _Plan:
    """Which words go and come, as texts of each list; those that go are folded.

    ``stated`` names the words of the new statements.
    """

    removed: dict[WordProperty, set[str]]
    added: dict[WordProperty, list[str]]
    foreign: dict[WordProperty, list[str]]
    wanted: dict[WordProperty, set[str]]
    old_statements: list[Element] = field(default_factory=list)
    new_statements: list[Render] = field(default_factory=list)
    stated: list[str] = field(default_factory=list)

    def state(self, fields: Mapping[str, str]) -> None:
        """Add a statement."""
        self.stated.append(fields["word"])
        self.new_statements.append(
            structure_item({named(f"vernis:{key}"): text for key, text in fields.items()})
        )


def _plan_words(
    document: Document,
    words: Sequence[Word],
    beneath: Sequence[Path],
) -> _Plan:
    ours = own_words(document)
    present = {
        kept_in: [text for text, _ in _entries(document, name)] for kept_in, name in WORDS.items()
    }
    foreign = {
        kept_in: [t for t in texts if folded(t) not in ours[kept_in]]
        for kept_in, texts in present.items()
    }
    plan = _Plan({}, {}, foreign, {})
    copies: dict[Path, list[WordProperty]] = {}
    for kept_in in WORD_PROPERTIES:
        wanted = [word.text(kept_in) for word in words]
        repeated = _hidden(kept_in, foreign, beneath) if wanted else []
        for path in repeated:
            copies.setdefault(path, []).append(kept_in)
        wanted += [Word(path).text(kept_in) for path in repeated]
        keys = {folded(text) for text in wanted}
        there = {folded(text) for text in present[kept_in]}
        plan.wanted[kept_in] = keys
        plan.removed[kept_in] = ours[kept_in] - keys
        plan.added[kept_in] = list(
            {folded(text): text for text in wanted if folded(text) not in there}.values()
        )
    _plan_statements(document, words, copies, ours, plan)
    return plan


def _hidden(
    kept_in: WordProperty,
    foreign: Mapping[WordProperty, Sequence[str]],
    beneath: Sequence[Path],
) -> list[Path]:
    """Return the words of others that a reader of this list would no longer see."""
    if foreign[kept_in]:
        return []
    found: list[Path] = []
    if kept_in != "dc:subject":
        other = next(name for name in WORD_PROPERTIES[1:] if name != kept_in)
        found = [path_of_word(text, other) for text in foreign[other]]
        if not found:
            found = [(text,) for text in foreign["dc:subject"]]
    if not any(len(path) > 1 for path in found):
        found += beneath
    paths = [path for path in dict.fromkeys(found) if _is_word(path)]
    flat = {folded(path[-1]) for path in paths if len(path) > 1}
    return [path for path in paths if len(path) > 1 or folded(path[0]) not in flat]


def _is_word(path: Path) -> bool:
    try:
        Word(path)
    except ValueError:
        return False
    return True


def _plan_statements(
    document: Document,
    words: Sequence[Word],
    copies: Mapping[Path, Sequence[WordProperty]],
    ours: Mapping[WordProperty, Collection[str]],
    plan: _Plan,
) -> None:
    said = [(word, WORD_PROPERTIES) for word in words]
    said += [(Word(path, source=COPIED), tuple(lists)) for path, lists in copies.items()]
    new: list[dict[str, str]] = []
    for word, lists in said:
        put = [
            kept_in
            for kept_in in lists
            if folded(word.text(kept_in)) in ours[kept_in]
            or word.text(kept_in) in plan.added[kept_in]
        ]
        fields = _statement_fields(word, put)
        if fields not in new:
            new.append(fields)
    kept: list[dict[str, str]] = []
    for element, _, _ in _statements(document):
        fields = _fields_of(element)
        if fields in new and fields not in kept:
            kept.append(fields)
        else:
            plan.old_statements.append(element)
    for fields in new:
        if fields not in kept:
            plan.state(fields)


def _statement_fields(word: Word, lists: Iterable[WordProperty]) -> dict[str, str]:
    values = (
        "|".join(p.replace("\\", "\\\\").replace("|", "\\|") for p in word.path),
        word.taxonomy,
        word.label,
        word.source,
        word.model,
        "" if math.isnan(word.probability) else f"{word.probability:.6g}",
        word.time,
        " ".join(lists),
    )
    # White space at the ends does not come back from every XML reader.
    pairs = zip(_FIELDS, (text.strip() for text in values), strict=True)
    return {key: text for key, text in pairs if text}


def _fields_of(element: Element) -> dict[str, str]:
    found = {name[1]: text for name, text in xmp.texts(element).items() if name[0] == _OWN}
    return {key: found[key].strip() for key in _FIELDS if found.get(key, "").strip()}


_OWN = PREFIXES["vernis"]


def _statements(document: Document) -> list[tuple[Element, Word, tuple[WordProperty, ...]]]:
    """Return our statements that can be read; others stay as they are."""
    found = []
    for element in document.properties(STATEMENTS):
        for item in xmp.items(element):
            fields = _fields_of(item)
            lists = tuple(n for n in WORD_PROPERTIES if n in fields.get("added", "").split())
            try:
                word = Word(
                    path=_read_path(fields["word"]),
                    taxonomy=fields.get("taxonomy", ""),
                    label=fields.get("label", ""),
                    source=fields.get("source", ""),
                    model=fields.get("model", ""),
                    probability=float(fields.get("probability", "nan")),
                    time=fields.get("time", ""),
                )
            except (KeyError, ValueError):
                continue
            found.append((item, word, lists))
    return found


def _read_path(text: str) -> Path:
    parts = [""]
    for step in _STEP.finditer(text):
        if step[2]:
            parts.append("")
        else:
            parts[-1] += step[1] or step[3]
    return tuple(parts)


def _entries(document: Document, name: Name) -> list[tuple[str, Element]]:
    """Return the words of a list with the elements that can be taken out."""
    found = []
    for element in document.properties(name):
        if any(child.name in xmp.CONTAINERS for child in element.children):
            found += [(xmp.value(item), item) for item in xmp.items(element)]
        elif xmp.value(element):
            found.append((xmp.value(element), element))
    holder = document.attribute(name)
    if holder is not None and holder.attributes[name].strip():
        found.append((holder.attributes[name].strip(), holder))
    return found


# --------------------------------------------------------------------------- the edits


def _edit_words(document: Document, plan: _Plan) -> _Edits:
    edits = _Edits(document)
    for kept_in, name in WORDS.items():
        gone = [
            element
            for text, element in _entries(document, name)
            if folded(text) in plan.removed[kept_in]
        ]
        edits.change(name, gone, [text_item(text) for text in plan.added[kept_in]])
    edits.change(STATEMENTS, plan.old_statements, plan.new_statements)
    return edits


class _Edits:
    """Collects the edits of a packet, and puts new properties into a description of ours."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.edits: list[Edit] = []
        self.cut: list[Element] = []
        self.fresh: list[tuple[Name, Sequence[Render]]] = []
        self.markup = ""
        statements = document.properties(STATEMENTS)
        self.home = next(
            (d for d in document.descriptions if any(s in d.children for s in statements)), None
        )

    @property
    def scope(self) -> dict[str, str]:
        """The namespaces around a new property."""
        if self.home is not None:
            return dict(self.home.scope)
        above = {p: uri for p, uri in self.document.rdf.scope.items() if p not in PREFIXES}
        ours = {p: PREFIXES[p] for p in ("rdf", "dc", "lr", "digiKam", "vernis")}
        return {**above, **ours}

    def change(self, name: Name, gone: Sequence[Element], new: Sequence[Render]) -> None:
        change = change_array(self.document, name, gone, new)
        self.edits += change.edits
        self.cut += change.cut
        if change.fresh:
            self.fresh.append((name, change.fresh))

    def change_regions(self, change: RegionChange) -> None:
        self.edits += change.edits
        self.cut += change.cut
        self.markup += change.markup

    def done(self) -> bytes | None:
        """Return the new bytes; None where nothing is left of a packet of ours."""
        data = self.document.data
        inside = "".join(array_markup(n, i, self.scope, "\n   ") for n, i in self.fresh)
        inside += self.markup
        emptied = [d for d in self.document.descriptions if self._emptied(d)]
        if self.home in emptied and inside:
            emptied.remove(self.home)
        edits = list(self.edits)
        for element in self.cut:
            if not any(element in d.children for d in emptied):
                edits.append(Edit(xmp.blank_before(data, element.start), element.end))
        edits += [Edit(xmp.blank_before(data, d.start), d.end) for d in emptied]
        if inside:
            edits.append(self._insertion(inside))
        elif self._ours_alone(emptied):
            return None
        return xmp.apply(data, edits)

    def _emptied(self, description: Element) -> bool:
        """Tell whether cutting leaves nothing in a description that held something."""
        return (
            bool(description.children)
            and all(child in self.cut for child in description.children)
            and all(name[1] == "about" for name in description.attributes)
        )

    def _ours_alone(self, emptied: Sequence[Element]) -> bool:
        made_by = self.document.root.attributes.get((xmp.META, "xmptk"), "")
        return made_by == _TOOLKIT and all(d in emptied for d in self.document.rdf.children)

    def _insertion(self, inside: str) -> Edit:
        data, rdf = self.document.data, self.document.rdf
        if self.home is not None:
            last = self.home.children[-1]
            return Edit(last.end, last.end, inside.encode())
        scope = rdf.scope
        tag, declared = xmp.tag_name(xmp.DESCRIPTION, scope, "rdf")
        if not declared and scope.get("rdf") != PREFIXES["rdf"]:
            declared = f' xmlns:rdf="{PREFIXES["rdf"]}"'
        used = "".join(
            f'\n    xmlns:{prefix}="{PREFIXES[prefix]}"'
            for prefix in ("dc", "lr", "digiKam", "vernis")
            if f"<{prefix}:" in inside or f" {prefix}:" in inside
        )
        about = xmp.attribute_markup(self.document.about)
        prefix = tag.partition(":")[0]
        element = f"\n  <{tag}{declared} {prefix}:about={about}{used}>{inside}\n  </{tag}>"
        if rdf.closed_at_once:
            return opened(self.document, rdf, element)
        at = xmp.blank_before(data, rdf.inner_end)
        return Edit(max(at, rdf.inner_start), max(at, rdf.inner_start), element.encode())


# --------------------------------------------------------------------------- the proof


def _require_nothing_lost(before: Document, result: bytes | None, plan: _Plan) -> None:
    """Raise UnusablePacket unless the packet says of all other things what it said before."""
    after = parse(_EMPTY if result is None else result)
    if _others(before) != _others(after):
        raise UnusablePacket("its XMP could not be edited without changing other properties")
    for kept_in, name in WORDS.items():
        now = Counter(text for text, _ in _entries(after, name))
        missing = Counter(plan.foreign[kept_in]) - now
        lacking = plan.wanted[kept_in] - {folded(text) for text in now}
        if missing or lacking:
            raise UnusablePacket("its XMP could not be edited without losing a word")
    if _foreign_regions(before) != _foreign_regions(after):
        raise UnusablePacket("its XMP could not be edited without changing a region")


def _others(document: Document) -> object:
    """Return all that is not ours, for comparison."""
    descriptions = [xmp.canonical(child, OURS) for child in document.rdf.children]
    kept = [d for d in descriptions if d[3] or d[2] or any(n[1] != "about" for n, _ in d[1])]
    around = [c for c in document.root.children if c is not document.rdf]
    return kept, [xmp.canonical(c) for c in around], sorted(document.root.attributes.items())


def _foreign_regions(document: Document) -> list[object]:
    found: list[object] = []
    for element in document.properties(named("mwg-rs:Regions")):
        ours = {id(item) for item in own_ids(element).values()}
        found += [
            xmp.canonical(item)
            for child in element.walk()
            if child.name == named("mwg-rs:RegionList")
            for item in xmp.items(child)
            if id(item) not in ours
        ]
    return found
