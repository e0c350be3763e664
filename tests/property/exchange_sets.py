"""Generated collections for the round trips of label formats, and how two are compared."""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region, attributes_text

SIZE = (640, 480)

letters = st.characters(
    exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufffe\uffff"
)
plain = st.text(letters, min_size=1, max_size=8).map(str.strip).filter(bool)
ODD = (
    *("a|b", "a/b", "🐟", "caf\u00e9", "cafe\u0301", "a,b;c", '"q"', "=1+1", "ß", "A", "a", "%41"),
    *("a\\b", "con", "..", ".hidden", "trailing.", "null", "yes", "1", "<b>&amp;", "#x", "- x"),
    *("'", "日本"),
)
odd = st.sampled_from(ODD)
names = odd | plain
parts = (odd | plain).filter(lambda t: t not in (".", "..") and "/" not in t and "\\" not in t)
uris = st.lists(parts, min_size=1, max_size=3).map(lambda p: "/".join(p) + ".jpg")
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | names
attributes = st.dictionaries(
    st.sampled_from(["k_a", "k_b", "k é"]), scalars | st.lists(scalars, max_size=2), max_size=2
).map(attributes_text)
ids = st.none() | st.integers(0, 10**9) | names
probabilities = st.just(math.nan) | st.floats(0, 1)
decimals = st.floats(-20, 500).map(lambda x: round(x, 2))
sides = st.floats(0.5, 300).map(lambda x: round(x, 2))


@st.composite
def exchange_sets(draw: st.DrawFn) -> ExchangeSet:
    taxonomies = []
    for name in draw(st.lists(names, min_size=1, max_size=2, unique_by=alike)):
        classes = draw(st.lists(names, min_size=1, max_size=4, unique_by=alike))
        numbers = draw(st.lists(ids, min_size=len(classes), max_size=len(classes)))
        kinds = tuple(
            ExchangeClass(c, number, draw(attributes))
            for c, number in zip(classes, distinct(numbers), strict=True)
        )
        taxonomies.append(ExchangeTaxonomy(name, draw(st.sampled_from(["single", "multi"])), kinds))
    labels = st.builds(
        lambda pair, state, probability, source: ExchangeLabel(*pair, state, probability, source),
        st.sampled_from([(t.name, c.name) for t in taxonomies for c in t.classes]),
        st.sampled_from(["yes", "yes", "no", "unknown"]),
        probabilities,
        st.sampled_from(["", "human:anna", "given", "model:kernel@3"]),
    )
    found = draw(st.lists(uris, max_size=4, unique_by=alike))
    numbers = distinct(draw(st.lists(ids, min_size=len(found), max_size=len(found))))
    free = iter(range(10**9, 10**9 + 99))
    images = []
    for uri, number in zip(found, numbers, strict=True):
        regions = tuple(
            ExchangeRegion(
                draw(regions_with(draw(st.none() | st.just(next(free))))),
                tuple(draw(st.lists(labels, max_size=2, unique_by=pair_of))),
            )
            for _ in range(draw(st.integers(0, 3)))
        )
        images.append(
            ExchangeImage(
                uri,
                SIZE,
                draw(st.sampled_from(["", "train", "val"])),
                number,
                draw(attributes),
                one_yes(taxonomies, draw(st.lists(labels, max_size=3, unique_by=pair_of))),
                regions,
            )
        )
    return ExchangeSet(tuple(images), tuple(taxonomies), draw(attributes))


def one_yes(taxonomies: list[ExchangeTaxonomy], labels: list[ExchangeLabel]) -> tuple[Any, ...]:
    """Keep one yes an image in a taxonomy that holds one."""
    single = {t.name for t in taxonomies if t.kind == "single"}
    kept, taken = [], set()
    for label in labels:
        if label.state == "yes" and label.taxonomy in single:
            if label.taxonomy in taken:
                continue
            taken.add(label.taxonomy)
        kept.append(label)
    return tuple(kept)


def regions_with(number: int | None) -> st.SearchStrategy[Region]:
    boxes = st.builds(Box, decimals, decimals, sides, sides)
    boxed = st.builds(
        Region, boxes, st.just(SIZE), foreign_id=st.just(number), attributes=attributes
    )
    outlined = st.builds(
        lambda box, said: Region(
            box,
            SIZE,
            "polygon",
            json.dumps(
                [[box.x, box.y, box.x + box.width, box.y, box.x, box.y + box.height]],
                separators=(",", ":"),
            ),
            number,
            said,
        ),
        boxes,
        attributes,
    )
    return boxed | boxed | outlined


def alike(text: str) -> str:
    """Return what some disks and readers cannot tell apart."""
    return unicodedata.normalize("NFC", text).casefold()


def pair_of(label: ExchangeLabel) -> tuple[str, str]:
    return label.taxonomy, label.label


def distinct(numbers: list[Any]) -> list[Any]:
    """Return ids with all but the first of equal ones left out (as text, too)."""
    seen: set[str] = set()
    kept = []
    for number in numbers:
        kept.append(None if number is None or str(number) in seen else number)
        seen.add(str(number))
    return kept


# --------------------------------------------------------------------------- comparison


def same(one: ExchangeSet, other: ExchangeSet, tolerance: float = 0.0) -> None:
    """Assert that two sets say the same; ids may be given where there were none.

    No order counts: that of regions and labels is not kept by all formats.
    """
    before, after = (sorted(s.images, key=lambda image: image.uri) for s in (one, other))
    assert [i.uri for i in before] == [i.uri for i in after]
    for a, b in zip(before, after, strict=True):
        assert (a.size, a.split, values(a.attributes)) == (b.size, b.split, values(b.attributes))
        assert a.foreign_id in (None, b.foreign_id)
        assert all_said(a.labels) == all_said(b.labels)
        assert len(a.regions) == len(b.regions)
        for x, y in zip(in_order(a), in_order(b), strict=True):
            assert all_said(x.labels) == all_said(y.labels)
            same_region(x.region, y.region, tolerance)
    assert values(one.attributes) == values(other.attributes)
    assert classes_of(one) == classes_of(other, one)


def same_region(a: Region, b: Region, tolerance: float) -> None:
    assert (a.picture, a.shape) == (b.picture, b.shape)
    assert a.foreign_id in (None, b.foreign_id)
    assert values(a.attributes) == values(b.attributes)
    if tolerance:
        far = [abs(p - q) for p, q in zip(a.box.corners, b.box.corners, strict=True)]
        assert max(far) <= tolerance
        flat = [[n for polygon in r.polygons() for n in polygon] for r in (a, b)]
        assert len(flat[0]) == len(flat[1])
        assert all(abs(p - q) <= tolerance for p, q in zip(*flat, strict=True))
    else:
        assert a.box == b.box
        assert a.outline == b.outline


def values(text: str) -> Any:
    return json.loads(text) if text else {}


def all_said(labels: tuple[ExchangeLabel, ...]) -> list[tuple[Any, ...]]:
    """Return labels in one order: some formats part them by taxonomy or source."""
    return sorted(map(said, labels), key=repr)


def in_order(image: ExchangeImage) -> list[ExchangeRegion]:
    """Return regions in one order: Label Studio parts them by who said them."""
    return sorted(
        image.regions,
        key=lambda found: (
            [round(number, 3) for number in found.region.box.corners],
            repr(all_said(found.labels)),
            found.region.attributes,
        ),
    )


def said(label: ExchangeLabel) -> tuple[Any, ...]:
    shown = round(label.probability, 9) if label.has_probability else None
    return label.taxonomy, label.label, label.state, shown, label.source


def classes_of(found: ExchangeSet, beside: ExchangeSet | None = None) -> Mapping[str, Any]:
    """Return the classes of each taxonomy; an id counts where ``beside`` gives it to one class.

    A format with one list of classes cannot keep an id that two taxonomies use.
    """
    classes = [(t.name, c) for t in (beside or found).taxonomies for c in t.classes]
    uses = Counter(c.foreign_id for _, c in classes)
    given = {
        (name, c.name): c.foreign_id is not None and uses[c.foreign_id] == 1 for name, c in classes
    }
    return {
        t.name: {
            c.name: (
                c.foreign_id if given.get((t.name, c.name)) else None,
                str(values(c.attributes)),
            )
            for c in t.classes
        }
        for t in found.taxonomies
    }
