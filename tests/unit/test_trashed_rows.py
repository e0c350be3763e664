"""Rows of a table whose picture was moved to the trash are no fault of the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.verbs.decide.deduplication import find_duplicates


@pytest.fixture
def collection(tmp_path: Path):
    """Yield three images, one of them in the trash, and a table that names all."""
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(2):
        Image.new("RGB", (9, 9), (80 * number, 0, 0)).save(root / f"{number}.png")
    shutil.copy2(root / "0.png", root / "2.png")
    (tmp_path / "labels.csv").write_text("image,kind\n0.png,a\n1.png,b\n2.png,a\nnone.png,b\n")
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([root])
        find_duplicates(opened.session)
        opened.keep(["0.png"])
        assert [row.image for row in opened.trash(duplicates=True).moved] == ["2.png"]
        yield opened


def test_a_table_says_them_apart(collection, tmp_path):
    done = collection.import_(tmp_path / "labels.csv")
    assert [row.image for row in done.left_out] == ["none.png"]
    assert any(
        note == "labels.csv: 1 row is about an image in the trash, which keeps its labels "
        "(vernis restore)"
        for note in done.notes
    )
    notes = Path(done.import_notes).read_text()
    assert "none.png" in notes
    assert "2.png" not in notes


def test_a_file_of_another_tool_says_them_apart(collection, tmp_path):
    names = [{"id": n, "file_name": f"{n}.png", "width": 9, "height": 9} for n in range(3)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 2, 2]} for n in range(3)]
    found = {"images": names, "annotations": boxes, "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "coco.json").write_text(json.dumps(found))
    done = collection.import_(tmp_path / "coco.json")
    assert (done.images, done.left_out, done.import_notes) == (2, (), None)
    assert any("1 row is about an image in the trash" in note for note in done.notes)
