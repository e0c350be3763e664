"""Other programs read the words that Vernis wrote; on Debian ``.ci/run`` installs them all."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.types import Statement, Taxonomy

WORDS = ("Kraków", "東京タワー", "🐟 fish", "Shoe / Boot", "Animals|Fish")
FLAT = {*WORDS[:-1], "Fish"}
EMBEDDED = ("a.jpg", "b.png", "c.webp")


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of files that were written, a TIFF with its sidecar among them."""
    root = tmp_path_factory.mktemp("outside") / "pictures"
    root.mkdir()
    picture = Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60).convert("RGB")
    for name in (*EMBEDDED, "d.tif"):
        picture.save(root / name)
    with Collection.create(root.with_name("pictures.vernis")) as collection:
        collection.index([root])
        labels = collection.catalog.labels
        labels.define(Taxonomy("keywords", "multi", WORDS))
        said = [
            Statement(image.id, word, "yes")
            for image in collection.catalog.images.all()
            for word in WORDS
        ]
        labels.record("keywords", said, source="human:anna", verb="test")
        result = collection.write_back(apply=True)
        assert sum(result.files.values()) == 4
    return root


def output(*command: object) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, check=False, text=True, timeout=120
    )
    return done.stdout


@needs("exiftool")
def test_exiftool_reads_all_lists_and_who_said_each_word(written):
    rows = json.loads(output("exiftool", "-j", "-G1", "-struct", written, "-ext", "*"))
    files = {Path(row["SourceFile"]).name: row for row in rows}
    for name in (*EMBEDDED, "d.tif.xmp"):
        row = files[name]
        assert set(row["XMP-dc:Subject"]) == FLAT, name
        assert "Animals|Fish" in row["XMP-lr:HierarchicalSubject"], name
        assert "Animals/Fish" in row["XMP-digiKam:TagsList"], name
        said = row["XMP-vernis:Statements"]
        assert {one["Source"] for one in said} == {"human:anna"}, name


@needs("exiftool")
@pytest.mark.parametrize("name", EMBEDDED)
def test_exiftool_finds_no_new_fault_in_a_written_file(written, name, tmp_path):
    plain = tmp_path / name
    Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60).convert("RGB").save(plain)
    before, after = (
        output("exiftool", "-validate", "-warning", "-a", p) for p in (plain, written / name)
    )
    assert after == before


@needs("exiv2")
@pytest.mark.parametrize("name", [*EMBEDDED, "d.tif.xmp"])
def test_exiv2_reads_all_lists(written, name):
    found = output("exiv2", "-px", written / name)
    flat = next(line for line in found.splitlines() if line.startswith("Xmp.dc.subject"))
    assert all(word in flat for word in FLAT)
    for list_, word in (
        ("lr.hierarchicalSubject", "Animals|Fish"),
        ("digiKam.TagsList", "Animals/Fish"),
    ):
        assert any(f"Xmp.{list_}" in line and word in line for line in found.splitlines()), list_


@needs("identify")
def test_imagemagick_reads_every_picture_and_hands_the_packet_on(written):
    sizes = output("identify", "-format", "%f %wx%h\n", *(written / name for name in EMBEDDED))
    assert sizes.split("\n") == [*(f"{name} 96x64" for name in EMBEDDED), ""]
    assert "Kraków" in output("convert", written / "a.jpg", "XMP:-")


@needs("darktable-cli")
@pytest.mark.parametrize("name", [*EMBEDDED, "d.tif"])
def test_darktable_takes_the_words_into_its_library(written, name, tmp_path):
    work = tmp_path / "darktable"
    for file in written.glob(f"{name}*"):
        shutil.copy2(file, tmp_path)
    output(
        *("darktable-cli", tmp_path / name, tmp_path / "out.jpg", "--core"),
        *("--conf", "write_sidecar_files=never", "--configdir", work / "conf"),
        *("--cachedir", work / "cache", "--library", work / "library.db"),
    )
    with sqlite3.connect(work / "conf" / "data.db") as library:
        rows = library.execute("SELECT name FROM tags").fetchall()
    tags = {tag for (tag,) in rows if not tag.startswith("darktable|")}
    assert {"Kraków", "東京タワー", "🐟 fish", "Animals|Fish"} <= tags
