"""``brands`` on drawn pictures: suggestions, contradicted labels, odd lists."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

import vernis
from vernis.core.text.brands import BrandMatch
from vernis.core.text.conclusions import certainty, contradiction, gains, probabilities
from vernis.domain.errors import UsageError

PICTURES = {
    "blank": ("ABSOLUT", "VODKA"),
    "right": ("MALIBU",),
    "wrong": ("RICARD",),
    "both": ("PERNOD", "RICARD"),
    "two": ("MALIBU", "MARTELL"),
    "silent": ("open daily",),
    "off": ("MARTELL",),
    "empty": (),
}
GIVEN = {
    "right": "Malibu",
    "wrong": "Malibu",
    "both": "Ricard",
    "silent": "Suze",
    "off": "none yet",
}
LIST = "brand\nAbsolut\nMalibu\nMartell\nPernod\nRicard\nSuze\n"


@pytest.fixture(scope="module")
def read_once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("brands") / "pictures"
    folder.mkdir()
    for name, lines in PICTURES.items():
        image = Image.new("RGB", (480, 320), "#f4ecd8")
        pen = ImageDraw.Draw(image)
        for number, text in enumerate(lines):
            place = (40, 40 + 130 * number)
            pen.text(place, text, fill="#202020", font=ImageFont.load_default(56 - 10 * number))
        image.save(folder / f"{name}.png")
    table = folder.parent / "labels.csv"
    table.write_text(
        "image,brand\n" + "".join(f"{name}.png,{GIVEN.get(name, '')}\n" for name in PICTURES)
    )
    with vernis.Collection.create(folder.parent / "x.vernis") as made:
        made.index(folder)
        made.import_(table, taxonomy=["brand"])
        made.read()
    return folder.parent


@pytest.fixture
def collection(read_once, tmp_path) -> Iterator[vernis.Collection]:
    import shutil

    shutil.copytree(read_once, tmp_path / "own")
    with vernis.Collection.open(tmp_path / "own" / "x.vernis") as opened:
        yield opened


@pytest.fixture
def brand_list(tmp_path) -> Path:
    path = tmp_path / "brands.csv"
    path.write_text(LIST)
    return path


def test_blank_labels_are_suggested_where_one_brand_is_read(collection, brand_list):
    found = collection.brands(brand_list)
    (row,) = found.suggestions
    assert (row.image, row.suggested, row.given) == ("blank.png", "Absolut", ())
    assert 0.9 < row.probability <= 1
    (evidence,) = row.read
    assert (evidence.reading, evidence.distance, evidence.certainty) == ("absolut", 0, "exact")
    left, top, width, height = evidence.box
    assert 30 < left < 50
    assert 30 < top < 60
    assert 180 < width < 320
    assert 30 < height < 75
    (stored,) = collection.catalog.issues.suggestions("brand", source="reader")
    assert (stored.label, stored.promised) == ("Absolut", False)
    assert stored.evidence["source"] == "reader:ppocrv6"
    assert (found.several, found.with_brand, found.read) == (2, 6, 8)


def test_a_different_brand_surely_read_is_an_issue_and_silence_is_none(collection, brand_list):
    found = collection.brands(brand_list)
    (row,) = found.issues
    assert (row.image, row.given, row.suggested) == ("wrong.png", ("Malibu",), "Ricard")
    (issue,) = collection.catalog.issues.select(("text_differs",), "brand")
    assert issue.evidence["suggested"] == ["Ricard"]
    assert "ricard" in issue.evidence["note"]
    assert len(collection.explore.select("issue:text_differs")) == 1
    assert any("not on the list" in note for note in found.notes)


def test_an_accepted_issue_changes_the_label_and_a_dismissed_one_stays_so(collection, brand_list):
    collection.brands(brand_list)
    collection.dismiss("text_differs", ["wrong.png"], who="ann")
    again = collection.brands(brand_list)
    assert [row.verdict for row in again.issues] == ["dismissed"]
    assert (again.contradicted, again.decided) == (1, 1)
    (issue,) = collection.catalog.issues.select(("text_differs",))
    assert issue.verdict == "dismissed"
    collection.accept("text_differs", ["wrong.png"], who="ann")
    assert len(collection.explore.select("brand:ricard")) == 2
    assert collection.brands(brand_list).issues == ()
    collection.undo()
    assert len(collection.explore.select("brand:ricard")) == 1


def test_apply_writes_labels_by_the_reader_that_undo_takes_back(collection, brand_list):
    found = collection.brands(brand_list, apply=True)
    assert found.batch
    assert len(collection.explore.select("brand:absolut and source:reader")) == 1
    assert collection.catalog.issues.suggestions("brand", source="reader") == []
    assert collection.brands(brand_list, apply=True).batch == 0
    collection.undo()
    assert len(collection.explore.select("brand:absolut")) == 0
    assert [row.suggested for row in collection.brands(brand_list).suggestions] == ["Absolut"]


def test_a_taxonomy_is_made_where_there_is_none(collection, brand_list):
    found = collection.brands(brand_list, taxonomy="maker")
    assert {row.suggested for row in found.suggestions} == {
        "Absolut",
        "Malibu",
        "Martell",
        "Ricard",
    }
    assert (found.issues, found.labelled) == ((), 0)
    assert collection.brands(brand_list, taxonomy="maker", apply=True).batch
    assert collection.catalog.labels.taxonomy("maker").kind == "single"
    assert len(collection.explore.select("has:maker")) == found.suggested


def test_the_record_of_an_image_names_its_brands(collection, brand_list):
    collection.brands(brand_list)
    record = collection.explore.show("both.png").record
    (brands,) = record.brands
    assert [one.brand for one in brands.read] == ["Pernod", "Ricard"]
    issues = collection.explore.show("wrong.png").record.issues
    assert [(row.taxonomy, row.suggested) for row in issues if row.kind == "text_differs"] == [
        ("brand", ("Ricard",))
    ]


def test_aliases_forbidden_readings_and_exact_brands(collection, tmp_path):
    path = tmp_path / "brands.csv"
    path.write_text(
        "Brand,Aliases,Forbidden,Exact\nPastis,ricard|ricar,,\nMalibo,,malibu,\nMartel,,,yes\n"
    )
    found = collection.brands(path, taxonomy="maker")
    assert {one.brand for one in found.gain} == {"Pastis"}
    thesis = collection.brands(path, taxonomy="maker", rule="thesis", tolerance=0.25)
    assert {one.brand for one in thesis.gain} == {"Pastis"}


def test_odd_lists_are_read_as_far_as_they_go(collection, tmp_path):
    path = tmp_path / "brands.csv"
    path.write_text("brand\nMalibu\n\n  \nmalibu\nX\n--\nКока-Кола\nMartell\n", encoding="utf-8")
    found = collection.brands(path, taxonomy="maker")
    assert found.brands == 4
    assert "line 5: 'malibu' is 'Malibu' again, left out" in found.notes
    assert "line 6: 'X' is short, only its exact spelling counts" in found.notes
    assert "line 7: '--' has neither letter nor digit, left out" in found.notes
    assert "2 blank lines, left out" in found.notes
    scripts = [note for note in found.notes if "'Кока-Кола' (коал)" in note]
    assert len(scripts) == 1
    assert scripts[0].startswith("1 brand has letters that the reader does not know")
    assert {one.brand for one in found.gain} == {"Malibu", "Martell"}
    assert "line 5: 'malibu' is 'Malibu' again, left out" in found.remarks
    assert any(
        note.startswith("'maker' is a new taxonomy; there are: brand") for note in found.notes
    )
    path.write_text("Malibu\nMartell\n")
    bare = collection.brands(path, taxonomy="maker")
    assert (bare.brands, [note for note in bare.notes if "line" in note]) == (2, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty|no row|no table|holds no"),
        ("brand\n--\n", "holds no brand"),
        ("brand\nn/a\nNone\n", "holds no brand"),
        ("brand\n\x01\x02\x7f\n", "holds no brand"),
        ("colour,size\nred,3\n", "no column 'brand'"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(collection, tmp_path, content, message):
    path = tmp_path / "brands.csv"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        collection.brands(path)
    with pytest.raises(UsageError, match="no such file"):
        collection.brands(tmp_path / "nope.csv")


def test_without_readings_it_says_how_to_get_them(tmp_path, brand_list):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "a.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        with pytest.raises(UsageError, match="vernis read"):
            made.brands(brand_list)


def test_the_gain_is_drawn(collection, brand_list, tmp_path):
    found = collection.brands(brand_list, plot=tmp_path / "gain.png")
    with Image.open(found.plot) as drawn:
        assert drawn.size[0] > 500
    by_brand = {row.brand: row for row in found.gain}
    assert by_brand["Malibu"].found == (2, 0, 0, 0, 0)
    assert by_brand["Malibu"].precision == 1.0
    assert by_brand["Ricard"].precision == 0.5
    assert by_brand["Absolut"].precision is None


# --------------------------------------------------------------------------- conclusions


def match(brand: str, evidence: float = 1.0, distance: int = 0, height: float = 0.1) -> BrandMatch:
    return BrandMatch(brand, brand.lower(), brand, distance, evidence, 0.9, (0,), height)


def test_certainty_is_by_likelihood_or_else_by_distance():
    assert [certainty(match("Asahi", e)) for e in (0.5, -2.9, -3.1)] == ["exact", "sure", "unsure"]
    unknown = [certainty(match("Heineken", math.nan, d)) for d in (0, 1, 2)]
    assert unknown == ["exact", "sure", "unsure"]
    assert certainty(match("X")) == certainty(match("X", math.nan)) == "unsure"


def test_only_another_brand_surely_read_contradicts():
    tall, small = match("Lion", height=0.3), match("Bira", height=0.1)
    assert contradiction([small, tall], {"Asahi"}) is tall
    assert contradiction([small, tall], {"Bira"}) is None
    assert contradiction([small, tall], set()) is None
    assert contradiction([], {"Asahi"}) is None
    assert contradiction([match("Lion", -4.0)], {"Asahi"}) is None
    assert contradiction([match("X")], {"Asahi"}) is None


def test_probabilities_follow_agreement_and_make_room_for_wrong_labels():
    unlabelled = probabilities([[match("Asahi")]], [set()])
    assert unlabelled == pytest.approx({"exact": 0.98, "sure": 0.95, "unsure": 0.8})
    clean = probabilities([[match("Asahi")]] * 90, [{"Asahi"}] * 90)
    assert clean["exact"] == pytest.approx((90 + 9.8) / 100)
    # One label in ten is wrong: exact readings stay what they are, others are held against that.
    read = [[match("Asahi")]] * 100 + [[match("Asahi", -4.0)]] * 100
    given = ([{"Asahi"}] * 90 + [{"Bira"}] * 10) + ([{"Asahi"}] * 60 + [{"Bira"}] * 40)
    noisy = probabilities(read, given)
    agreement, noise = (90 + 9.8) / 110, 0.98 - (90 + 9.8) / 110
    assert noisy["exact"] == pytest.approx(agreement / (1 - noise))
    assert noisy["unsure"] == pytest.approx((60 + 8) / 110 / (1 - noise))
    # What is taken for wrong labels lifts nothing above what was measured elsewhere.
    lifted = probabilities(
        read[:100] + [[match("Asahi", -2.0)]] * 100, given[:100] + [{"Asahi"}] * 95 + [{"Bira"}] * 5
    )
    assert lifted["sure"] == pytest.approx((95 + 9.5) / 110)
    # So many that the readings must be to blame.
    assert probabilities([[match("Asahi")]] * 100, [{"Bira"}] * 100)["exact"] < 0.2
    # Several brands in one picture prove nothing of either.
    assert probabilities([[match("Asahi"), match("Bira")]] * 50, [{"Lion"}] * 50) == unlabelled


def test_gains_count_images_by_distance_and_agreement():
    read = [[match("a"), match("b", distance=2)], [match("a", distance=9)], []]
    first, second = gains(
        read,
        [{"a"}, set(), {"b"}],
        [["both" if m.brand == "a" else "text" for m in r] for r in read],
    )
    assert (first.parts, second.parts) == ((0, 2, 0), (1, 0, 0))
    assert (first.brand, first.found, first.labelled, first.agreeing) == (
        "a",
        (1, 0, 0, 0, 1),
        (1, 0, 0, 0, 0),
        (1, 0, 0, 0, 0),
    )
    assert first.precision == 1.0
    assert (second.found, second.precision) == ((0, 0, 1, 0, 0), 0.0)
