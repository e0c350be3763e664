"""``show``: the record of an image, and of all as JSON Lines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

import vernis
from vernis.domain.documents import to_document
from vernis.domain.errors import NotFound, StorageError, UsageError
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Suggestion


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vernis.Collection]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, text in {"a": "ABSOLUT", "b": "", "c": "VODKA"}.items():
        image = Image.new("RGB", (400, 200), "white")
        pen = ImageDraw.Draw(image)
        pen.text((40, 60), text, fill="black", font=ImageFont.load_default(50))
        image.save(folder / f"{name}.png")
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture at all")
    table = tmp_path / "labels.csv"
    table.write_text("image,brand,title\na.png,Absolut,Swedish\nb.png,Other,\nc.png,,\n")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.import_(table, taxonomy=["brand"])
        yield made


def test_a_record_holds_what_is_known(collection):
    collection.read(where="not name:c.png")
    collection.duplicates()
    collection.quality()
    labels = collection.labels("brand")
    labels.loc["a.png", "brand"] = "Other"
    collection.set_labels(labels, who="ann")
    (c,) = [i.id for i in collection.session.images() if i.uri == "c.png"]
    collection.catalog.issues.replace_suggestions(
        "brand", [Suggestion(c, "brand", "Absolut", 0.9)], source="reader"
    )
    record = collection.explore.show("a.png").record
    assert (record.image, record.width, record.height, record.format) == ("a.png", 400, 200, "PNG")
    assert record.metadata["title"] == "Swedish"
    assert [line.text for line in record.text] == ["ABSOLUT"]
    assert record.text_reader == "ppocrv6"
    assert 30 < record.text[0].corners[0][0] < 60
    assert {(row.label, row.holds) for row in record.labels} == {
        ("Absolut", False),
        ("Other", True),
    }
    said = {one.source: one.state for row in record.labels for one in row.sources}
    assert said["given"] == "yes"
    assert "human:ann" in said
    assert record.duplicates.kind == "bytes"
    assert record.duplicates.others == ("copy.png",)
    assert "duplicate" in {row.kind for row in record.issues}
    assert set(record.quality) >= {"blurry", "dark"}
    assert [row.source for row in record.history][-1] == "human:ann"
    blank = collection.explore.show("b.png").record
    assert (blank.text, blank.duplicates) == ((), None)
    unread = collection.explore.show("c.png").record
    assert (unread.text, unread.text_reader) == (None, None)
    assert [(row.label, row.source) for row in unread.suggestions] == [("Absolut", "reader")]


def test_an_unreadable_image_has_its_reason(collection):
    record = collection.explore.show("broken.png").record
    assert record.state == "unreadable"
    assert record.reason
    (Path(record.address.removeprefix("file://")).parent / "gone.png").symlink_to("nowhere.png")
    collection.index()
    assert collection.explore.show("gone.png").record.modified == ""
    for name, known in (("broken.png", {"bytes", "modified"}), ("gone.png", set())):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "vernis",
                "show",
                name,
                "--collection",
                str(collection.catalog.folder),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        said = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
        assert {"picture", "bytes", "modified", "text"} & said == known


def test_all_records_are_lines_of_json(collection, tmp_path):
    collection.read()
    out = tmp_path / "new" / "records.jsonl"
    found = collection.explore.show(all=True, out=out)
    assert (found.record, found.written.records) == (None, 4)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["image"] for line in lines] == ["a.png", "b.png", "c.png", "copy.png"]
    one = to_document(collection.explore.show("a.png").record, 6)
    assert lines[0] == one
    some = collection.explore.show(all=True, out=out, where="text:vodka").written
    assert some.records == 1
    assert json.loads(out.read_text())["image"] == "c.png"


def test_what_cannot_be_shown_is_said(collection, tmp_path):
    with pytest.raises(UsageError, match="name an image"):
        collection.explore.show()
    with pytest.raises(UsageError, match="name an image"):
        collection.explore.show("a.png", all=True)
    with pytest.raises(UsageError, match="--out FILE"):
        collection.explore.show(all=True)
    with pytest.raises(UsageError, match="is a folder"):
        collection.explore.show(all=True, out=tmp_path)
    with pytest.raises(NotFound):
        collection.explore.show("nope.png")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        collection.explore.show(all=True, out=tmp_path / "file" / "r.jsonl")


def test_a_record_lists_the_regions(collection):
    catalog = collection.catalog
    image = catalog.images.find("a.png").id
    brand = (RegionLabel("brand", "Absolut"),)
    box = Region(Box(40, 60.25, 150, 50), (400, 200), foreign_id=7, attributes='{"lit":true}')
    catalog.regions.add([NewRegion(image, box, brand)], source="human:ann", verb="test")
    guess = (RegionLabel("brand", "Other", "yes", 0.75),)
    catalog.regions.add(
        [NewRegion(image, Region(Box(0, 0, 9, 9), (400, 200)), guess)],
        source="model:m",
        verb="test",
    )
    catalog.regions.add(
        [NewRegion(image, Region(Box(1, 2, 3, 4), (400, 200)))], source="given", verb="test"
    )
    drawn, silent, found = collection.explore.show("a.png").record.objects
    assert (drawn.label, drawn.holds, drawn.source) == ("Absolut", True, "human:ann")
    assert (drawn.box, drawn.foreign_id, drawn.attributes) == (
        (40, 60.2, 150, 50),
        "7",
        {"lit": True},
    )
    assert (found.label, found.holds, found.probability) == ("Other", False, 0.75)
    assert (silent.label, silent.box) == ("", (1, 2, 3, 4))
    assert collection.explore.show("b.png").record.objects == ()
    done = subprocess.run(
        [sys.executable, "-m", "vernis", "show", "a.png", "--collection", str(catalog.folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Objects" in done.stdout
    assert "Absolut" in done.stdout
    assert "changes of what regions show: vernis history" in done.stdout
