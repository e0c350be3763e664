"""Words, captions, dates and places of XMP, IPTC and EXIF become one record."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from vernis.adapters.interchange.metadata.blocks import embedded_packet
from vernis.adapters.interchange.metadata.exif import read_exif
from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata
from vernis.adapters.interchange.metadata.iptc import parse_iptc, read_iptc_of_jpeg
from vernis.adapters.interchange.metadata.write_back import commit_write, prepare_write
from vernis.domain.errors import UnreadableImage
from vernis.domain.metadata import FileMetadata, Wanted, Word


def xmp(inner: str) -> bytes:
    spaces = {
        "dc": "http://purl.org/dc/elements/1.1/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "digiKam": "http://www.digikam.org/ns/1.0/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    }
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        f'22-rdf-syntax-ns#"><rdf:Description rdf:about="" {declared}>{inner}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def bag(name: str, *texts: str, kind: str = "Bag", lang: str = "") -> str:
    said = f' xml:lang="{lang}"' if lang else ""
    lines = "".join(f"<rdf:li{said}>{text}</rdf:li>" for text in texts)
    return f"<{name}><rdf:{kind}>{lines}</rdf:{kind}></{name}>"


def dataset(number: int, value: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def with_iptc(path: Path, *datasets: bytes) -> None:
    block = b"".join(datasets)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block))
    resource += block + b"\0" * (len(block) % 2)
    body = b"Photoshop 3.0\0" + resource
    data = path.read_bytes()
    segment = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    path.write_bytes(data[:2] + segment + data[2:])


def jpeg(tmp_path: Path, **how: object) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (30, 20)).save(path, **how)
    return path


def paths(found: FileMetadata) -> list[str]:
    return ["/".join(word.path) for word in found.words]


def test_words_of_all_places_are_united(tmp_path):
    exif = Image.Exif()
    exif[0x9C9E] = "Windows;Bär\0".encode("utf-16-le")
    keywords = bag("dc:subject", "fish", "animals", "Bär")
    tags = bag("lr:hierarchicalSubject", "animals|fish") + bag("digiKam:TagsList", "place/sea")
    path = jpeg(tmp_path, exif=exif, xmp=xmp(keywords + tags))
    with_iptc(path, dataset(25, b"fish"), dataset(25, b"old"))
    found = read_file_metadata(path)
    assert paths(found) == ["animals/fish", "place/sea", "Bär", "old", "Windows"]
    assert found.words[0].origins == (
        "xmp:lr:hierarchicalSubject",
        "xmp:dc:subject",
        "iptc:keywords",
    )
    assert found.words[2].origins == ("xmp:dc:subject", "exif:XPKeywords")


def test_our_own_words_are_told_from_those_of_others(tmp_path):
    path = jpeg(tmp_path, xmp=xmp(bag("dc:subject", "theirs")))
    word = Word(("kinds", "ours"), "kind", "ours", "human:anna", probability=0.5)
    commit_write(prepare_write(path, Wanted((word, Word(("theirs",))))))
    found = read_file_metadata(path)
    assert {w.path[-1]: w.own for w in found.words} == {"ours": True, "theirs": False}
    assert found.statements[0] == word


def test_texts_dates_and_places(tmp_path):
    inner = (
        '<dc:description><rdf:Alt><rdf:li xml:lang="fr">Un chat</rdf:li>'
        '<rdf:li xml:lang="x-default">A cat</rdf:li></rdf:Alt></dc:description>'
        + bag("dc:title", "Title", kind="Alt", lang="x-default")
        + bag("dc:creator", "Ada", kind="Seq")
        + "<xmp:Rating>4</xmp:Rating><xmp:Label>Red</xmp:Label>"
        "<photoshop:City>Kraków</photoshop:City><photoshop:DateCreated>1920-05"
        "</photoshop:DateCreated><exif:GPSLatitude>50,3.5N</exif:GPSLatitude>"
        "<exif:GPSLongitude>19,56,30W</exif:GPSLongitude>"
    )
    found = read_file_metadata(jpeg(tmp_path, xmp=xmp(inner)))
    assert (found.caption, found.title, found.creator) == ("A cat", "Title", "Ada")
    assert (found.rating, found.label, found.taken) == (4, "Red", "1920-05")
    assert found.place.city == "Kraków"
    assert found.place.latitude == pytest.approx(50 + 3.5 / 60)
    assert found.place.longitude == pytest.approx(-(19 + 56 / 60 + 30 / 3600))
    assert set(found.sources.values()) == {"xmp"}


def exif_of(tmp_path: Path, **groups: dict[int, object]) -> Path:
    exif = Image.Exif()
    for tag, value in groups.get("main", {}).items():
        exif[tag] = value
    exif.get_ifd(0x8769).update(groups.get("exif", {}))
    exif.get_ifd(0x8825).update(groups.get("gps", {}))
    return jpeg(tmp_path, exif=exif)


def test_exif_is_read(tmp_path):
    degrees = tuple(IFDRational(Fraction(n)) for n in (51, 30, 36))
    path = exif_of(
        tmp_path,
        main={0x010E: "A dog", 0x4746: 3, 0x8298: "me", 0x0112: 6},
        exif={0x9003: "2020:02:29 12:30:00", 0x9011: "+02:00"},
        gps={1: "S", 2: degrees, 3: "E", 4: degrees, 5: b"\1", 6: IFDRational(25, 2)},
    )
    found = read_file_metadata(path)
    assert (found.caption, found.rating, found.rights) == ("A dog", 3, "me")
    assert found.taken == "2020-02-29T12:30:00+02:00"
    assert found.place.latitude == pytest.approx(-51.51)
    assert found.place.longitude == pytest.approx(51.51)
    assert found.place.altitude == -12.5
    assert found.sources["taken"] == "exif"
    assert read_exif(path, []).orientation == 6


@pytest.mark.parametrize(
    ("main", "exif", "gps"),
    [
        ({0x010E: "OLYMPUS DIGITAL CAMERA", 0x0112: 77}, {0x9003: "0000:00:00 00:00:00"}, {}),
        ({}, {0x9003: "    "}, {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}),
        ({}, {}, {2: (99.0, 0.0, 0.0), 4: (1.0, 0.0, 0.0)}),
    ],
)
def test_what_cameras_fill_in_is_no_statement(tmp_path, main, exif, gps):
    found = read_file_metadata(exif_of(tmp_path, main=main, exif=exif, gps=gps))
    assert (found.caption, found.taken, found.place.known) == ("", "", False)
    assert found.sources == {}


def test_iptc_is_read_in_the_encodings_of_its_time(tmp_path):
    path = jpeg(tmp_path)
    with_iptc(
        path,
        *(dataset(25, "Bär".encode("cp1252")), dataset(120, b"caption"), dataset(55, b"19991231")),
        *(dataset(60, b"235958+0100"), dataset(90, b"Rom"), dataset(101, b"Italy")),
    )
    found = read_file_metadata(path)
    assert paths(found) == ["Bär"]
    assert (found.caption, found.taken) == ("caption", "1999-12-31T23:59:58+01:00")
    assert (found.place.city, found.place.country) == ("Rom", "Italy")
    assert read_iptc_of_jpeg(path.read_bytes()).encoding == "cp1252"
    assert parse_iptc(dataset(25, "Bär".encode())).values == {"keywords": ["Bär"]}
    declared = dataset(90, b"\x1b%G", record=1) + dataset(25, b"B\xff")
    assert parse_iptc(declared).encoding == "utf-8"


@given(st.binary(max_size=80))
def test_damaged_iptc_never_raises(data):
    parse_iptc(data)
    read_iptc_of_jpeg(b"\xff\xd8\xff\xed" + data)


def test_the_sidecar_comes_first(tmp_path):
    path = exif_of(tmp_path, exif={0x9003: "2020:02:29 12:30:00"})
    sidecar = path.with_name("a.jpg.xmp")
    inner = bag("dc:subject", "new") + "<exif:DateTimeOriginal>1950</exif:DateTimeOriginal>"
    sidecar.write_bytes(xmp(inner))
    found = read_file_metadata(path)
    assert paths(found) == ["new"]
    assert (found.taken, found.sources["taken"]) == ("1950", "sidecar")
    assert paths(read_file_metadata(path, with_sidecar=False)) == []


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_packets_of_other_formats_are_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    try:
        packet = xmp(bag("dc:subject", "word"))
        chunk = PngInfo()
        chunk.add_itxt("XML:com.adobe.xmp", packet.decode())
        Image.new("RGB", (30, 20)).save(path, xmp=packet, pnginfo=chunk)
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no such files")
    if suffix == ".tif" and b"word" not in path.read_bytes():
        Image.new("RGB", (30, 20)).save(path, tiffinfo={700: packet})
    assert paths(read_file_metadata(path)) == ["word"]


def test_extended_packets_are_read(tmp_path):
    more = xmp(bag("dc:subject", *(f"word {n}" for n in range(4000))))
    path = jpeg(tmp_path, xmp=xmp("<xmp:Rating>2</xmp:Rating>"))
    parts = b""
    for at in range(0, len(more), 60_000):
        part = more[at : at + 60_000]
        body = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32
        body += struct.pack(">II", len(more), at) + part
        parts += b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    data = path.read_bytes()
    path.write_bytes(data[:2] + parts + data[2:])
    found = read_file_metadata(path)
    assert len(found.words) == 4000
    assert found.rating == 2


@pytest.mark.parametrize(
    ("packet", "note"),
    [(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "DTD"), (b"nonsense", "damaged")],
)
def test_a_packet_that_cannot_be_read_is_a_note(tmp_path, packet, note):
    path = jpeg(tmp_path, xmp=packet)
    assert note in read_file_metadata(path).notes[0]
    path.with_name("a.jpg.xmp").write_bytes(packet)
    assert "its sidecar: " in read_file_metadata(path).notes[0]


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UnreadableImage):
        read_file_metadata(tmp_path / "missing.jpg")


def test_a_packet_is_found_in_any_bytes():
    packet = xmp(bag("dc:subject", "word"))
    assert embedded_packet(b"raw" * 99 + packet + b"rest") == packet
    assert embedded_packet(b"<x:xmpmeta without end") is None
    assert embedded_packet(b"") is None


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", b"RIFF\0\0\0\0WEBP"])
)
def test_reading_damaged_files_never_raises(tmp_path_factory, data, start):
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    path.write_bytes(start + data)
    found = read_file_metadata(path)
    assert math.isnan(found.place.latitude)


@pytest.mark.parametrize(
    ("percent", "stars"), [("1", 1), ("25", 2), ("50", 3), ("99", 5), ("0", None), ("x", None)]
)
def test_ratings_in_percent(tmp_path, percent, stars):
    inner = f"<MicrosoftPhoto:Rating>{percent}</MicrosoftPhoto:Rating>"
    assert read_file_metadata(jpeg(tmp_path, xmp=xmp(inner))).rating == stars
