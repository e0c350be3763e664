"""The guide "from and to other tools": every command of its first block runs, in that order."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "exchange.md"
WORDS = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:subject><rdf:Bag><rdf:li>holiday</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def vernis(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vernis", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def read_subjects(program: str, file: Path) -> str:
    command = {
        "exiftool": ["exiftool", "-s3", "-XMP-dc:Subject", file],
        "exiv2": ["exiv2", "-PXv", "-K", "Xmp.dc.subject", file],
    }[program]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with six pictures, a table of their kinds and a file of boxes."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        picture = Image.new("RGB", (20 + number, 16), (40 * number, 80, 90))
        picture.save(photos / f"{number}.jpg", xmp=WORDS if number == 3 else b"")
    rows = [f"{number}.jpg,{'photo' if number % 2 else 'drawing'}" for number in range(5)]
    (tmp_path / "kinds.csv").write_text("\n".join(["image,kind", *rows]))
    document = {
        "images": [{"id": 1, "file_name": "2.jpg", "width": 22, "height": 16}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(document))
    vernis(tmp_path, "index", "photos")
    vernis(tmp_path, "import", "kinds.csv")
    return tmp_path


def test_every_example_runs(folder):
    text = GUIDE.read_text(encoding="utf-8")
    lines = re.findall(r"^    (vernis .*)$", text, re.MULTILINE)
    assert len(lines) > 10
    before = {path.name: path.read_bytes() for path in (folder / "photos").iterdir()}
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        vernis(folder, *words)
        after = {path.name: path.read_bytes() for path in (folder / "photos").iterdir()}
        if "--apply" in words:
            changed = {name for name in after if after[name] != before[name]}
            assert changed == {f"{number}.jpg" for number in range(5)}
            for program in ("exiftool", "exiv2"):
                if shutil.which(program):
                    read = read_subjects(program, folder / "photos" / "3.jpg")
                    assert "holiday" in read
                    assert "photo" in read
        else:
            assert after == before, line
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    assert {found["name"] for found in labels["categories"]} == {
        "cat",
        "drawing",
        "holiday",
        "photo",
    }
    assert (folder / "by-kind" / "photo" / "1.jpg").is_symlink()
    assert (folder / "dataset" / "metadata.jsonl").is_file()
    rows = (folder / "catalogue" / "aem.csv").read_text(encoding="utf-8").splitlines()
    assert "/content/dam/shop/2.jpg,cat,drawing" in rows
