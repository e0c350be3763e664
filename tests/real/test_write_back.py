"""Files as cameras write them keep every tag and byte; exiftool is the judge."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vernis.adapters.interchange.metadata.carriers import carrier_of, find_slot, rest_of
from vernis.adapters.interchange.metadata.write_back import (
    commit_write,
    prepare_write,
    undo_write,
)
from vernis.collection import Collection
from vernis.domain.metadata import Wanted, Word
from vernis.domain.types import Statement, Taxonomy

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool as the judge"),
]

WORDS = (
    Word(("Kraków",), "keywords", "Kraków", "human:anna", time="2024-05-06T07:08:09Z"),
    Word(("🐟 fish",), "keywords", "🐟 fish", "model:kernel", "kernel@3", 0.97),
    Word(("asset type", "東京 | Tokyo"), "asset_type", "東京 | Tokyo", "given"),
)
# What depends on where the file lies and when it was touched, and what was to be written.
NOT_COMPARED = ("SourceFile", "File:", "System:", "ExifTool:", "XMP-", "Composite:")


def tags(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every tag of every file; embedded previews with their bytes, not their offset."""
    done = subprocess.run(
        ["exiftool", "-q", "-j", "-G1:4", "-a", "-u", "-b", "-n", folder],
        capture_output=True,
        check=False,
    )
    return {Path(row["SourceFile"]).name: row for row in json.loads(done.stdout)}


def test_camera_files_lose_nothing_and_come_back(real_data, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    files = []
    for source in sorted((real_data / "camera_a" / "images").iterdir()):
        if carrier_of(source.read_bytes()) is not None:
            files.append(Path(shutil.copy2(source, folder / source.name)))
            files[-1].chmod(0o644)
    assert len(files) == 41
    old = {file: file.read_bytes() for file in files}
    before = tags(folder)
    receipts = []
    for file in files:
        prepared = prepare_write(file, Wanted(WORDS))
        commit_write(prepared)
        receipts.append(prepared.receipt)
        new = file.read_bytes()
        assert rest_of(new, find_slot(new)) == rest_of(old[file], find_slot(old[file]))
        assert not prepare_write(file, Wanted(WORDS)).receipt.changes
    after = tags(folder)
    for name, row in before.items():
        compared = {k: v for k, v in row.items() if not k.startswith(NOT_COMPARED)}
        assert {k: after[name].get(k) for k in compared} == compared, name
        subject = after[name]["XMP-dc:Subject"]
        assert {"Kraków", "🐟 fish", "東京 | Tokyo"} <= set(subject), name
        lost = {k for k in row if k.startswith("XMP-")} - after[name].keys()
        assert lost == set(), name
    for receipt in receipts:
        assert undo_write(receipt).kind == "restored"
    assert {file: file.read_bytes() for file in files} == old


def test_a_collection_of_camera_files_is_written_known_and_taken_back(real_data, tmp_path):
    root = tmp_path / "files"
    root.mkdir()
    for source in sorted((real_data / "camera_a" / "images").iterdir()):
        Path(shutil.copy2(source, root / source.name)).chmod(0o644)
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    with Collection.create(tmp_path / "files.vernis") as collection:
        collection.index([root])
        images = collection.catalog.images.all()
        labels = collection.catalog.labels
        labels.define(Taxonomy("kind", "single", ("🐟 Kraków | /",)))
        said = [Statement(image.id, "🐟 Kraków | /", "yes") for image in images]
        labels.record("kind", said, source="human:anna", verb="test")
        contents = [image.content_hash for image in images]
        trial = collection.write_back()
        done = collection.write_back(apply=True)
        assert (done.files, done.refused) == (trial.files, trial.refused)
        assert sum(done.files.values()) + len(done.refused) == len(images)
        assert done.refused == ()
        found = collection.index()
        assert (found.unchanged, found.changed, found.new) == (found.images, 0, 0)
        assert [image.content_hash for image in collection.catalog.images.all()] == contents
        assert collection.write_back(apply=True).files == {}
        taken = collection.undo()
        assert len(taken.written) == len(images)
    assert {path.name: path.read_bytes() for path in root.iterdir()} == before
