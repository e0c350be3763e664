"""Odd, damaged and hostile files: each is read or reported, in bounded memory and time."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FolderSource
from vernis.adapters.pixel_measure import PixelMeasure
from vernis.adapters.pixels import decode, probe
from vernis.adapters.quality_reader import QUALITY_SPACE
from vernis.core.quality import measure
from vernis.session.session import Session
from vernis.verbs.networks.embedding import embed_images
from vernis.verbs.steps.indexing import index_files

pytestmark = pytest.mark.real

SECONDS_EACH = 20.0
MEGABYTES_WORKER = 400
DELIBERATELY_STRICTER = {
    "pillow/apng/chunk_no_fctl.png",  # damaged behind the pixels
    "derived/damaged/png_bad_crc.png",
}
READ_AND_CALLED_DAMAGED = {
    "derived/damaged/jpeg_400_zero_bytes.jpg": "garbled",  # a picture that ends in grey
    "derived/damaged/jpeg_bitflips.jpg": "garbled",
    "derived/truncated/jpeg_95pct.jpg": "cut_off",
    "derived/truncated/jpeg_99pct.jpg": "cut_off",
    "pillow/hopper_bad_exif.jpg": "garbled",
    "pillow/truncated_end_chunk.png": "cut_off",
}
MORE_LENIENT = {
    "derived/truncated/jpeg_95pct.jpg",
    "derived/truncated/jpeg_99pct.jpg",
    "pillow/png_decompression_dos.png",  # one sound pixel; the text that would fill memory is left
}

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.pixels import probe
from vernis.domain.errors import UnreadableImage

decoder = PictureDecoder()
for name in json.load(sys.stdin):
    started = time.monotonic()
    try:
        probe(Path(name))
        decoded = decoder.examine(Path(name))
        outcome, damage = list(decoded.pixels.shape), decoded.damage.kind
    except UnreadableImage as error:
        outcome, damage = error.reason, ""
    print(json.dumps([name, outcome, time.monotonic() - started, damage]))
decoder.close()
# Not ru_maxrss: Linux hands the parent's peak (the whole test run's) down to a new program.
status = Path("/proc/self/status")
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
if status.exists():
    own = int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024
helper = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(json.dumps([own, helper]))
"""


@pytest.fixture(scope="module")
def folder(real_data, tmp_path_factory) -> Path:
    """All 357 files, the zip unpacked."""
    root = tmp_path_factory.mktemp("odd")
    for path in (real_data / "odd_files_a").rglob("*"):
        if path.is_file() and path.suffix != ".zip" and path.parent.name != "odd_files_a":
            target = root / path.relative_to(real_data / "odd_files_a")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    with zipfile.ZipFile(real_data / "odd_files_a" / "awkward_names.zip") as archive:
        archive.extractall(root / "awkward")
    assert sum(path.is_file() for path in root.rglob("*")) == 357
    return root


def states(real_data: Path) -> dict[str, str]:
    with open(real_data / "odd_files_a" / "files.csv", newline="", encoding="utf-8") as stream:
        return {row["file"]: row["state"] for row in csv.DictReader(stream)}


def test_every_file_is_read_or_reported_in_bounded_time_and_memory(folder, real_data):
    names = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_ALL],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=True,
    )
    *rows, (own, helper) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    assert [row[0] for row in rows] == names
    assert max(row[2] for row in rows) < SECONDS_EACH
    assert own < MEGABYTES_WORKER
    assert helper < 2500
    outcomes = {str(Path(name).relative_to(folder)): outcome for name, outcome, *_ in rows}
    damaged = {str(Path(name).relative_to(folder)): kind for name, _, _, kind in rows if kind}
    expected = states(real_data)
    readable = {name for name, state in expected.items() if state == "opens"}
    refused = {name for name in readable if isinstance(outcomes[name], str)}
    assert refused == DELIBERATELY_STRICTER
    assert damaged == READ_AND_CALLED_DAMAGED
    accepted = {n for n in expected if n not in readable and isinstance(outcomes[n], list)}
    assert accepted == MORE_LENIENT
    assert all(outcome for outcome in outcomes.values())


def test_nothing_is_lost_from_the_listing(folder, tmp_path):
    with SqliteCatalog.create(tmp_path / "odd.vernis") as catalog:
        summary = index_files(Session(catalog), FolderSource(folder), workers=2)
        assert summary.images + sum(summary.other_files.values()) == 357
        embed_images(Session(catalog), [PixelMeasure(QUALITY_SPACE, measure)], workers=2)
        present = catalog.images.all()
        unreadable = catalog.images.all(("unreadable",))
        assert len(present) + len(unreadable) == summary.images
        assert all(image.reason for image in unreadable)
        assert len(catalog.issues.select(["broken"])) == len(unreadable)
        names = {image.uri for image in present if image.uri.startswith("awkward/")}
        assert len(names) == 7
        again = index_files(Session(catalog), FolderSource(folder), workers=2)
        assert again.changes.unreadable == len(unreadable)
        assert again.changes.unchanged == summary.images


def test_all_orientations_show_the_same_picture(real_data):
    paths = [real_data / "odd_files_a" / "exif" / f"Landscape_{i}.jpg" for i in range(9)]
    upright = decode(paths[1]).astype(float)
    for path in paths:
        header = probe(path)
        assert header.width > header.height
        shown = decode(path).astype(float)
        assert shown.shape == upright.shape
        # The pictures carry a number in the middle, so leave some room.
        assert np.abs(shown - upright).mean() < 10
        assert np.abs(shown[::-1] - upright).mean() > 30
