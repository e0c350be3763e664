"""Tables of labels: wide and long, in CSV, TSV, Excel and Parquet, and for asset management."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.interchange.formats.asset_management import (
    PROFILES,
    AssetSettings,
    write_assets,
)
from vernis.adapters.interchange.formats.interface import Pictures, ReadSettings
from vernis.adapters.interchange.formats.registry import recognise
from vernis.adapters.interchange.formats.tables import LONG, Table
from vernis.adapters.interchange.formats.xlsx import MOST_LETTERS, read_xlsx_sheets, write_xlsx
from vernis.adapters.interchange.label_tables import read_label_table, read_sheets
from vernis.core.exchange.losses import reduce_to
from vernis.core.exchange.orientation import turn_as_stored, turn_upright
from vernis.domain.errors import InvalidLabels, InvalidValue, MissingExtra, UsageError
from vernis.domain.exchange import (
    Carries,
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region

SHOP = ExchangeSet(
    (
        ExchangeImage(
            "shoes/a.jpg",
            split="train",
            labels=(
                ExchangeLabel("kind", "Shoe"),
                ExchangeLabel("keyword", "red"),
                ExchangeLabel("keyword", "a|b;c,d"),
                ExchangeLabel("keyword", "blue", "no"),
            ),
        ),
        ExchangeImage("hats/a.jpg", labels=(ExchangeLabel("kind", "Hat"),)),
        ExchangeImage("none.jpg"),
    ),
    (
        ExchangeTaxonomy("kind", "single", tuple(map(ExchangeClass, ("Shoe", "Hat", "hat")))),
        ExchangeTaxonomy("keyword", "multi", tuple(map(ExchangeClass, ("red", "a|b;c,d")))),
    ),
)


def read_xlsx(path: Path) -> list[list[str]]:
    """Return the rows of the first sheet."""
    for _, rows in read_xlsx_sheets(path):
        return [row for _, row in rows]
    return []


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# --------------------------------------------------------------------------- wide and long


def test_a_wide_table_is_what_the_import_reads(tmp_path):
    out = tmp_path / "labels.csv"
    written = Table().write(SHOP, out, Pictures())
    assert rows_of(out) == [
        ["image", "split", "kind", "keyword", "keyword (no)"],
        ["shoes/a.jpg", "train", "Shoe", '["red", "a|b;c,d"]', '["blue"]'],
        ["hats/a.jpg", "", "Hat", "", ""],
        ["none.jpg", "", "", "", ""],
    ]
    assert {loss.kind: loss.count for loss in written.losses} == {
        "unused classes": 1,
    }
    table = read_label_table(out)
    assert table.columns["kind"] == ("Shoe", "Hat", "")


@pytest.mark.parametrize(
    "kind", ["csv", "tsv", "xlsx", pytest.param("parquet", marks=pytest.mark.parquet)]
)
def test_all_kinds_of_tables_say_the_same(tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    for layout in ("wide", "long"):
        out = tmp_path / f"{layout}.{kind}"
        format = Table(kind, layout)
        format.write(SHOP, out, Pictures())
        assert recognise(out).name == format.name
        found = format.read(out, ReadSettings())
        assert [i.uri for i in found.images] == [i.uri for i in SHOP.images]
        assert [x.label for x in found.images[1].labels] == ["Hat"]
    table = read_label_table(tmp_path / f"wide.{kind}")
    assert table.columns["kind"] == ("Shoe", "Hat", "")
    assert table.rows[0] == 2


def test_a_long_table_keeps_states_probabilities_sources_and_boxes(tmp_path):
    labels = (
        ExchangeLabel("kind", "Shoe", "unknown", 0.1 + 0.2, "model:kernel@3"),
        ExchangeLabel("kind", "Hat", "no", source="human:anna"),
    )
    region = ExchangeRegion(Region(Box(1.5, 2, 30.25, 40), (100, 50)), labels)
    exchange = ExchangeSet((ExchangeImage("a.jpg", (100, 50), "val", None, "", labels, (region,)),))
    out = tmp_path / "a.csv"
    assert Table("csv", "long").write(exchange, out, Pictures()).losses == ()
    assert tuple(rows_of(out)[0]) == LONG
    found = Table("csv", "long").read(out, ReadSettings())
    assert repr(found.images) == repr(exchange.images)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label,state\na.jpg,x,yes\n", "has no column 'taxonomy'"),
        ("image,taxonomy,label,state\na.jpg,k,x,maybe\n", "expected yes, no or unknown"),
        ("image,taxonomy,label,probability\na.jpg,k,x,2\n", "a probability"),
        ("image,taxonomy,label,probability\na.jpg,k,x,y\n", "expected a number"),
        ("image,taxonomy,label\n../a.jpg,k,x\n", "leads out"),
        ("image,taxonomy,label\na.jpg,,x\n", "a taxonomy and a class"),
        ("image,taxonomy,label,region,xmin\na.jpg,k,x,1,2\n", "expected a number"),
        (
            "image,taxonomy,label,region,xmin,ymin,xmax,ymax\na.jpg,k,x,1,2,3,4,5\n",
            "the size of the picture",
        ),
    ],
)
def test_a_long_table_that_cannot_be_used_is_refused(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidLabels, match=said) as refused:
        Table("csv", "long").read(path, ReadSettings())
    assert str(path) in str(refused.value)


def test_wide_tables_that_cannot_be_used_are_refused(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [["who", "kind"], ["a.jpg", "x"]])
    with pytest.raises(InvalidLabels, match="no column 'image'; the columns are who, kind"):
        read_label_table(tmp_path / "a.xlsx")
    (tmp_path / "b.csv").write_text("image,kind\n../a.jpg,x\n")
    with pytest.raises(InvalidLabels, match=r"row 2: .* leads out"):
        Table().read(tmp_path / "b.csv", ReadSettings())


# --------------------------------------------------------------------------- Excel

cells = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=9
)
ODD = ("", "=1+1", "007", " space ", "a\nb", "a\r\nb", "_x0041_", "<&>\"'", "🐟", "1e5", "TRUE")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(cells | st.sampled_from(ODD), min_size=1, max_size=40), max_size=5))
def test_texts_come_back_from_excel(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "texts.xlsx"
    write_xlsx(path, rows)
    found = read_xlsx(path)
    assert len(found) == len(rows)
    for row, read in zip(rows, found, strict=True):
        assert read == row[: len(read)]
        assert not any(row[len(read) :])


def test_numbers_are_numbers_in_excel(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [["n"], [0.5], [3.0], [12]])
    assert read_xlsx(tmp_path / "a.xlsx") == [["n"], ["0.5"], ["3"], ["12"]]
    text = zipfile.ZipFile(tmp_path / "a.xlsx").read("xl/worksheets/sheet1.xml").decode()
    assert "<v>0.5</v>" in text


def test_workbooks_of_other_programs_are_read(tmp_path):
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = (
        f'<x:worksheet xmlns:x="{main}"><x:sheetData><x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v>'
        '</x:c><x:c r="C1" t="s"><x:v>1</x:v></x:c></x:row><x:row r="2"><x:c r="A2" t="str"><x:v>a'
        '</x:v></x:c><x:c r="B2" t="b"><x:v>1</x:v></x:c><x:c r="AA2"><x:v>2.50</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )
    shared = (
        f'<sst xmlns="{main}"><si><t>image</t></si><si><r><t>ki</t></r><r><t>nd</t></r></si></sst>'
    )
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/worksheets/sheet2.xml", "<worksheet/>")
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        archive.writestr("xl/sharedStrings.xml", shared)
    one, two = read_xlsx(tmp_path / "a.xlsx")
    assert one == ["image", "", "kind"]
    assert (two[:3], two[26], len(two)) == (["a", "TRUE", ""], "2.5", 27)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no workbook"])
def test_what_is_no_workbook_is_refused(tmp_path, content):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(InvalidLabels, match="Excel"):
        read_xlsx(path)


def test_a_workbook_without_a_sheet_or_with_a_dtd_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    zipfile.ZipFile(path, "w").close()
    with pytest.raises(InvalidLabels, match="no sheet"):
        read_xlsx(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>")
    with pytest.raises(InvalidLabels, match="DTD"):
        read_xlsx(path)


def test_what_a_sheet_cannot_hold_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="longer than"):
        write_xlsx(tmp_path / "a.xlsx", [["x" * (MOST_LETTERS + 1)]])
    monkeypatch.setattr("vernis.adapters.interchange.formats.xlsx.MOST_ROWS", 2)
    with pytest.raises(UsageError, match="2 rows"):
        write_xlsx(tmp_path / "b.xlsx", [["x"], ["y"], ["z"]])


# --------------------------------------------------------------------------- asset management


def test_aem_gets_paths_and_typed_columns(tmp_path):
    written = write_assets(
        SHOP, tmp_path / "out", "aem", AssetSettings("/content/dam/shop/", {"kind": "dam:kind"})
    )
    assert rows_of(tmp_path / "out" / "aem.csv") == [
        ["assetPath", "dc:subject {{String: multi}}", "dam:kind {{String: multi}}"],
        ["/content/dam/shop/shoes/a.jpg", "red|a｜b;c,d", "Shoe"],
        ["/content/dam/shop/hats/a.jpg", "", "Hat"],
    ]
    assert {loss.kind for loss in written.losses} == {
        "states",
        "images",
        "splits",
        "unused classes",
        "class names",
    }


def test_canto_and_resourcespace_get_file_names(tmp_path):
    written = write_assets(SHOP, tmp_path / "c", "canto")
    rows = rows_of(tmp_path / "c" / "canto.csv")
    assert rows[:2] == [["File Name", "Keywords"], ["a.jpg", "Shoe;red;a|b；c,d"]]
    assert any("stand for several images (a.jpg)" in note for note in written.notes)
    write_assets(SHOP, tmp_path / "r", "resourcespace")
    rows = rows_of(tmp_path / "r" / "resourcespace.csv")
    assert rows[0] == ["Original filename", "Keywords"]
    assert not (tmp_path / "r" / "resourcespace.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_bynder_gets_its_fixed_columns_in_sheets(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="brand"):
        write_assets(SHOP, tmp_path / "no", "bynder")
    monkeypatch.setitem(PROFILES, "bynder", replace(PROFILES["bynder"], rows_a_file=1))
    settings = AssetSettings(columns={"kind": "Kind"}, brand="Vernis")
    write_assets(SHOP, tmp_path / "out", "bynder", settings)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["bynder-1.csv", "bynder-2.csv"]
    header, row = rows_of(tmp_path / "out" / "bynder-1.csv")
    assert dict(zip(header, row, strict=True)) == {
        "Asset Name": "a",
        "Asset Description": "",
        "Brand": "Vernis",
        "Date Created": "",
        "Copyright": "",
        "Tags": "red,a|b;c，d",
        "Path to Assets": "shoes/a.jpg",
        "Archived": "0",
        "Kind": "Shoe",
    }


def test_near_misses_of_spelling_are_said_before(tmp_path):
    label = tuple(ExchangeLabel("kind", name) for name in ("Sea Bird", "sea-bird", "Fish"))
    written = write_assets(
        ExchangeSet((ExchangeImage("a.jpg", labels=label),)), tmp_path / "out", "canto"
    )
    assert written.notes[-1] == "near misses of spelling: Sea Bird, sea-bird"
    with pytest.raises(UsageError, match="no system"):
        write_assets(SHOP, tmp_path / "no", "lightroom")


# --------------------------------------------------------------------------- losses, orientation


def test_each_loss_is_counted_once_for_each_thing():
    region = Region(Box(-5, 0, 10.5, 10), (100, 50), "polygon", "[[0,0,1,1,2,0]]", 4, '{"a":1}')
    labels = (
        ExchangeLabel("kind", "a", "yes", 0.5, "human:x"),
        ExchangeLabel("kind", "b"),
        ExchangeLabel("kind", "c", "no"),
    )
    exchange = ExchangeSet(
        (
            ExchangeImage(
                "a.jpg", (9, 9), "val", 3, '{"b":2}', labels, (ExchangeRegion(region, labels),)
            ),
            ExchangeImage("b.jpg", regions=(ExchangeRegion(region, labels[2:]),)),
        ),
        (
            ExchangeTaxonomy(
                "kind", "multi", (ExchangeClass("a", 1, '{"c":3}'), ExchangeClass("d"))
            ),
        ),
        '{"d":4}',
    )
    one = Carries(image_labels="one", regions=True, unlabelled=False, boxes="pixels")
    found = {loss.kind: loss.count for loss in reduce_to(exchange, one).losses}
    assert found == {
        "unlabelled regions": 1,
        "further labels": 2,
        "states": 3,
        "probabilities": 2,
        "sources": 2,
        "images": 1,
        "splits": 1,
        "image ids": 1,
        "region ids": 1,
        "class ids": 1,
        "image attributes": 1,
        "region attributes": 1,
        "class attributes": 1,
        "set attributes": 1,
        "outlines": 1,
        "clipped boxes": 1,
        "rounded boxes": 1,
        "unused classes": 3,
        "taxonomy names": 1,
    }
    nothing = {loss.kind: loss.count for loss in reduce_to(exchange, Carries()).losses}
    assert (nothing["regions"], nothing["image labels"]) == (2, 3)


def test_several_taxonomies_become_one_list_with_their_names():
    reduced = reduce_to(SHOP, Carries(image_labels="many", unused_classes=True))
    assert [c.name for c in reduced.exchange.taxonomies[0].classes] == [
        *("kind/Shoe", "kind/Hat", "kind/hat"),
        *("keyword/red", "keyword/a|b;c,d", "keyword/blue"),
    ]
    assert reduced.losses[0].kind == "states"
    assert ("taxonomies", 2) in [(loss.kind, loss.count) for loss in reduced.losses]


def test_bad_sets_are_refused():
    for make in (
        lambda: ExchangeLabel("", "a"),
        lambda: ExchangeLabel("k", " "),
        lambda: ExchangeLabel("k", "a", "maybe"),
        lambda: ExchangeLabel("k", "a", "yes", 1.5),
        lambda: ExchangeImage(""),
        lambda: ExchangeImage("a", (-1, 0)),
        lambda: ExchangeTaxonomy("k", "multi", (ExchangeClass("a"), ExchangeClass("a"))),
        lambda: ExchangeTaxonomy("k", "both"),
    ):
        with pytest.raises(InvalidValue, match="expected"):
            make()


def one_box(uri: str, size: tuple[int, int], box: Box) -> ExchangeImage:
    region = ExchangeRegion(Region(box, size), (ExchangeLabel("k", "a"),))
    return ExchangeImage(uri, size, regions=(region,))


def test_boxes_of_pictures_on_their_side_are_turned_and_told():
    exchange = ExchangeSet(
        (
            one_box("side.jpg", (40, 30), Box(0, 0, 10, 5)),
            one_box("upright.jpg", (30, 40), Box(0, 0, 10, 5)),
            one_box("mirrored.jpg", (40, 30), Box(0, 0, 10, 5)),
            one_box("resized.jpg", (20, 10), Box(0, 0, 10, 5)),
            ExchangeImage("empty.jpg"),
        )
    )
    upright = {
        "side.jpg": (30, 40),
        "upright.jpg": (30, 40),
        "mirrored.jpg": (40, 30),
        "resized.jpg": (99, 10),
    }
    orientations = {"side.jpg": 6, "upright.jpg": 6, "mirrored.jpg": 2}
    found = turn_upright(exchange, upright, orientations)
    assert found.images[0].regions[0].region.box == Box(25, 0, 5, 10)
    assert found.images[0].size == found.images[0].regions[0].region.picture == (30, 40)
    assert found.images[1:] == exchange.images[1:]
    assert [note.split()[0] for note in found.notes] == ["1", "1", "1"]
    back = turn_as_stored(found, {"side.jpg": 6})
    assert back.images[0] == exchange.images[0]


# --------------------------------------------------------------------------- workbooks


def test_sheets_come_in_the_order_of_the_workbook_and_numbers_as_they_are_shown(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "About"
    book.active["A1"] = "by Ada"
    hidden = book.create_sheet("Old")
    hidden.append(["image", "kind"])
    hidden.sheet_state = "hidden"
    data = book.create_sheet("Data", 0)
    data.append(["image", "code", "shown", "text", "day", "share", "flag"])
    data.append(["a.jpg", 7, 7, "007", datetime(2024, 12, 31), 0.5, True])
    data.append([])
    data.append(["b.jpg", 7.0, 12, "7.0", datetime(2024, 1, 2, 3, 4), 1e3, False])
    data["C2"].number_format = data["C4"].number_format = "000"
    book.save(tmp_path / "a.xlsx")
    sheets = read_sheets(tmp_path / "a.xlsx")
    assert [sheet.name for sheet in sheets] == ["Data"]  # the others hold no row
    assert sheets[0].numbers == (2, 4)
    assert sheets[0].rows == (
        ("a.jpg", "7", "007", "007", "2024-12-31", "0.5", "TRUE"),
        ("b.jpg", "7", "012", "7.0", "2024-01-02 03:04:00", "1000", "FALSE"),
    )


@pytest.mark.sheets
@pytest.mark.parametrize("suffix", [".ods", ".xlsx"])
def test_open_document_and_excel_say_the_same(tmp_path, suffix):
    pytest.importorskip("python_calamine")
    rows = [["image", "kind", "code"], ["a.jpg", "cat", "007"], ["b.jpg", "", "7"]]
    path = tmp_path / f"labels{suffix}"
    if suffix == ".ods":
        write_ods(path, rows)
    else:
        write_xlsx(path, rows)
    (sheet,) = read_sheets(path)
    assert sheet.header == ("image", "kind", "code")
    assert sheet.rows == (("a.jpg", "cat", "007"), ("b.jpg", "", "7"))


def test_a_missing_library_is_named_with_the_command(tmp_path, monkeypatch):
    write_ods(tmp_path / "labels.ods", [["image", "kind"], ["a.jpg", "cat"]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingExtra, match=r'pip install "vernis\[sheets\]"'):
        read_sheets(tmp_path / "labels.ods")


def write_ods(path: Path, rows: list[list[str]]) -> None:
    """Write the least that is an OpenDocument sheet; whole numbers as numbers."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{n}="{office}:{n}:1.0"' for n in ("office", "table", "text"))
    cells = "".join(
        "<table:table-row>" + "".join(map(ods_cell, row)) + "</table:table-row>" for row in rows
    )
    content = (
        f'<office:document-content {spaces} office:version="1.2"><office:body><office:spreadsheet>'
        f'<table:table table:name="Labels">{cells}</table:table></office:spreadsheet>'
        "</office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0"><manifest:file-entry '
        f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)


def ods_cell(text: str) -> str:
    if text.isdigit() and not text.startswith("0"):
        kind = f'office:value-type="float" office:value="{text}"'
    else:
        kind = 'office:value-type="string"'
    return f"<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>"
