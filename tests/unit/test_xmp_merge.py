"""Words and regions go into a packet and out again; what others wrote stays as it is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.xmp_document import UnusablePacket, parse
from vernis.adapters.interchange.metadata.xmp_merge import (
    merge,
    own_words,
    read_statements,
    retract,
)
from vernis.adapters.interchange.metadata.xmp_names import WORDS, named
from vernis.adapters.interchange.metadata.xmp_regions import read_regions
from vernis.domain.metadata import Wanted, Word, WrittenRegion, path_of_word
from vernis.domain.regions import Box

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
LR = 'xmlns:lr="http://ns.adobe.com/lightroom/1.0/"'


def packet(*descriptions: str, rdf: str = RDF) -> bytes:
    inner = "\n".join(descriptions)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Other 1.0"><!-- kept -->'
        f"<rdf:RDF {rdf}>{inner}</rdf:RDF></x:xmpmeta>\n   \n<?xpacket end='w'?>"
    ).encode()


TITLED = f'<rdf:Description rdf:about="uuid:1" {DC} dc:format="image/jpeg"/>'
SUBJECT = (
    f'<rdf:Description rdf:about="" {DC}>\n <dc:subject>\n  <rdf:Bag>\n   <rdf:li>old</rdf:li>\n'
    "   <rdf:li>Caf\u00e9</rdf:li>\n  </rdf:Bag>\n </dc:subject>\n</rdf:Description>"
)
STYLES = {
    "nothing": packet(),
    "closed": packet().replace(b"></rdf:RDF>", b"/>"),
    "attributes": packet(TITLED),
    "array": packet(SUBJECT),
    "twice": packet(SUBJECT, SUBJECT),
    "empty array": packet(
        f"<rdf:Description {DC}><dc:subject><rdf:Bag/></dc:subject></rdf:Description>"
    ),
    "sequence": packet(SUBJECT.replace("rdf:Bag", "rdf:Seq")),
    "other prefixes": packet(SUBJECT)
    .replace(b"rdf:", b"r:")
    .replace(b":rdf=", b":r=")
    .replace(b"dc:", b"d:")
    .replace(b":dc=", b":d="),
    "prefix taken": packet(
        '<rdf:Description rdf:about="" xmlns:dc="urn:x:" xmlns:vernis="urn:y:" dc:a="1">'
        "<vernis:b>2</vernis:b></rdf:Description>"
    ),
    "default namespace": packet(SUBJECT)
    .replace(b"<dc:", b"<")
    .replace(b"</dc:", b"</")
    .replace(b"xmlns:dc=", b"xmlns="),
    "no wrapper": packet(SUBJECT)[
        packet().index(b"<x:") : packet(SUBJECT).index(b"\n   \n<?xpacket")
    ],
    "zero bytes": packet(SUBJECT) + b"\0\0",
}

WORD = Word(
    ("animals", "fish | sea/fresh"), "kind", "fish", "human:anna", time="2024-01-02T03:04:05Z"
)
GUESS = Word(("魚🐟",), "kind", "魚", "model:kernel", "kernel@3", 0.97)
WANTED = Wanted((WORD, GUESS))


def values(data: bytes, name: str) -> list[str]:
    return xmp.simple_values(parse(data), named(name))


@pytest.mark.parametrize("style", STYLES)
def test_words_come_and_go_in_every_style_of_packet(style):
    old = STYLES[style]
    new = merge(old, WANTED).packet
    assert [t for t in values(new, "dc:subject") if t not in ("old", "Café")] == [
        "fish | sea/fresh",
        "魚🐟",
    ]
    assert "animals|fish ｜ sea/fresh" in values(new, "lr:hierarchicalSubject")
    assert "animals/fish | sea／fresh" in values(new, "digiKam:TagsList")
    assert merge(new, WANTED).packet == new
    # Taken out again, all is as it was: the words of others, comments, prefixes, white space.
    if style not in ("closed", "empty array"):
        assert merge(new, Wanted()).packet == old
    assert values(merge(new, Wanted()).packet, "dc:subject") == values(old, "dc:subject")


def test_what_was_said_of_a_word_comes_back():
    new = merge(None, WANTED).packet
    first, second = read_statements(parse(new))
    assert math.isnan(first.probability)
    assert replace(first, probability=0.5) == replace(WORD, probability=0.5)
    assert second == GUESS


def test_a_packet_that_was_ours_alone_goes_with_its_last_word():
    assert merge(merge(None, WANTED).packet, Wanted()).packet is None
    assert merge(None, Wanted()).packet is None


def test_a_word_of_others_is_never_ours():
    words = Wanted((Word(("old",)), Word(("Cafe\u0301",))))
    new = merge(STYLES["array"], words).packet
    assert values(new, "dc:subject") == ["old", "Caf\u00e9"]
    assert own_words(parse(new))["dc:subject"] == set()
    assert values(merge(new, Wanted()).packet, "dc:subject") == ["old", "Caf\u00e9"]


def test_a_new_list_repeats_what_it_would_hide():
    new = merge(STYLES["array"], Wanted((GUESS,)), beneath=[("iptc word",), ("old",)])
    assert values(new.packet, "digiKam:TagsList") == ["魚🐟", "old", "Café", "iptc word"]
    assert values(new.packet, "dc:subject") == ["old", "Café", "魚🐟"]
    assert [word.label for word in read_statements(parse(new.packet))] == ["魚"]
    assert merge(new.packet, Wanted()).packet == STYLES["array"]


def test_a_list_that_is_there_is_added_to_only():
    keyed = packet(
        f'<rdf:Description rdf:about="" {LR}><lr:hierarchicalSubject><rdf:Bag>'
        "<rdf:li>a|b</rdf:li></rdf:Bag></lr:hierarchicalSubject></rdf:Description>"
    )
    new = merge(keyed, Wanted((GUESS,)), beneath=[("c",)]).packet
    assert values(new, "lr:hierarchicalSubject") == ["a|b", "魚🐟"]
    assert values(new, "digiKam:TagsList") == ["魚🐟", "a/b"]


def test_a_keyword_in_an_attribute_becomes_an_array():
    old = packet(f'<rdf:Description rdf:about="" {DC} dc:subject="a &amp; b" dc:format="x"/>')
    new = merge(old, Wanted((GUESS,))).packet
    assert values(new, "dc:subject") == ["a & b", "魚🐟"]
    assert values(new, "dc:format") == ["x"]
    single = packet(f"<rdf:Description {DC}><dc:subject>a &amp; b</dc:subject></rdf:Description>")
    assert values(merge(single, Wanted((GUESS,))).packet, "dc:subject") == ["a & b", "魚🐟"]


def test_taking_one_write_back_leaves_what_came_later():
    first = merge(STYLES["array"], Wanted((WORD,)))
    second = merge(first.packet, Wanted((WORD, GUESS)))
    others = second.packet.replace(
        b"<rdf:li>old</rdf:li>", b"<rdf:li>old</rdf:li><rdf:li>new</rdf:li>"
    )
    left = retract(others, first.added).packet
    assert values(left, "dc:subject") == ["old", "new", "Café", "魚🐟"]
    assert [word.label for word in read_statements(parse(left))] == ["魚"]
    assert retract(left, first.added).packet == left
    everything = retract(left, second.added).packet
    assert values(everything, "dc:subject") == ["old", "new", "Café"]
    assert read_statements(parse(everything)) == []


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=12,
).filter(str.strip)
words = st.builds(
    Word,
    path=st.lists(texts, min_size=1, max_size=3).map(tuple),
    taxonomy=texts,
    label=texts,
    source=texts,
    probability=st.none().map(lambda _: math.nan) | st.floats(0, 1),
)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(STYLES)), st.lists(words, max_size=4), st.lists(words, max_size=4))
def test_any_words_can_be_written_replaced_and_taken_out(style, first, second):
    old = STYLES[style]
    once = merge(old, Wanted(tuple(first)), beneath=[("b",)]).packet
    assert merge(once, Wanted(tuple(first)), beneath=[("b",)]).packet == once
    twice = merge(once, Wanted(tuple(second)), beneath=[("b",)]).packet
    for name in WORDS:
        now = values(twice, name)
        before = values(old, name)
        # Words of others keep their order and their number.
        left = [text for text in now if text in before]
        assert left[: len(before)] == before
        for word in second:
            assert any(xmp_equal(word.text(name), text) for text in now)
    if style not in ("closed", "empty array"):
        assert merge(twice, Wanted(), beneath=[("b",)]).packet == old


def xmp_equal(one: str, other: str) -> bool:
    import unicodedata

    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


@given(st.lists(texts.map(str.strip).filter(lambda t: "｜" not in t and "／" not in t), min_size=1))
def test_a_path_comes_back_from_each_hierarchical_list(path):
    word = Word(tuple(path))
    for kept_in in ("lr:hierarchicalSubject", "digiKam:TagsList"):
        assert path_of_word(word.text(kept_in), kept_in) == word.path


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + packet(), "DTD"),
        (packet().decode().encode("utf-16"), "UTF-16"),
        (b'<?xml version="1.0" encoding="latin-1"?><a/>', "latin-1"),
        (b"<x><y></x>", "damaged"),
        (b"<a/>", "no rdf:RDF"),
        (b"", "damaged"),
        (b"\xff" + packet(), "damaged"),
        (packet("<a>" * 80 + "</a>" * 80), "nested"),
        (packet("x" * (1 << 24)), "larger"),
        (packet("<rdf:Description rdf:about='' dc:a='1'/>"), "damaged"),
    ],
)
def test_a_packet_that_cannot_be_edited_is_refused(data, said):
    with pytest.raises(UnusablePacket, match=said):
        merge(data, WANTED)


# --------------------------------------------------------------------------- regions


def region(name: str, box: Box, **more) -> WrittenRegion:
    return WrittenRegion(f"id-{name}", name, box, (200, 100), **more)


FACE = (
    '<rdf:Description rdf:about="" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/'
    'regions/" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/'
    'xap/1.0/sType/Dimensions#"><mwg-rs:Regions rdf:parseType="Resource">'
    '<mwg-rs:AppliedToDimensions stDim:w="200" stDim:h="100" stDim:unit="pixel"/>'
    '<mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ada</mwg-rs:Name>'
    '<mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.1"'
    ' stArea:h="0.2" stArea:unit="normalized"/></rdf:li></rdf:Bag></mwg-rs:RegionList>'
    "</mwg-rs:Regions></rdf:Description>"
)
FISH = region("fish & chips", Box(20, 10, 30, 40), source="human:anna", probability=0.25)


def test_regions_come_back_and_those_of_others_stay():
    old = packet(FACE)
    new = merge(old, Wanted((), (FISH,)))
    face, fish = read_regions(parse(new.packet))
    assert (face.name, face.type, face.id) == ("Ada", "Face", "")
    assert face.box == Box(90, 40, 20, 20)
    assert (fish.name, fish.source, fish.probability) == (FISH.name, "human:anna", 0.25)
    assert fish.box.corners == pytest.approx(FISH.box.corners, abs=1e-6)
    assert new.added == {"mwg-rs:Regions": (FISH.id,)}
    assert merge(new.packet, Wanted((), (FISH,))).packet == new.packet
    assert merge(new.packet, Wanted((), None)).packet == new.packet
    assert merge(new.packet, Wanted((), ())).packet == old
    assert retract(new.packet, new.added).packet == old


def test_a_region_that_moved_is_written_anew():
    first = merge(None, Wanted((WORD,), (FISH, region("b", Box(0, 0, 5, 5)))))
    moved = replace(FISH, box=Box(30, 10, 30, 40))
    second = merge(first.packet, Wanted((WORD,), (moved,)))
    (found,) = read_regions(parse(second.packet))
    assert found.box.corners == pytest.approx(moved.box.corners, abs=1e-6)
    assert retract(second.packet, {**first.added, **second.added}).packet is None


def test_regions_of_a_picture_of_another_size_are_not_mixed():
    wanted = (replace(FISH, picture=(400, 200)),)
    new = merge(packet(FACE), Wanted((), wanted))
    assert new.packet == packet(FACE)
    assert "200 × 100" in new.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_are_written_in_the_stored_picture(orientation):
    upright = (200, 100) if orientation < 5 else (100, 200)
    wanted = replace(FISH, picture=upright)
    new = merge(None, Wanted((), (wanted,)), orientation=orientation).packet
    assert b'stDim:w="200" stDim:h="100"' in new
    (found,) = read_regions(parse(new), orientation)
    assert found.picture == upright
    assert found.box.corners == pytest.approx(FISH.box.corners, abs=1e-6)
    assert merge(new, Wanted((), (wanted,)), orientation=orientation).packet == new
