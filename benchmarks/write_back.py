"""Write-back: what is lost, what stays byte for byte, undo, and time, beside exiftool and exiv2.

    python benchmarks/write_back.py                # camera_a and generated PNG, WebP and JPEG

Needs ``exiftool`` and ``exiv2`` on PATH (Debian: libimage-exiftool-perl, exiv2). The judge is
exiftool: all tags with their binary contents (``-b``), so that an embedded preview whose place is
written wrongly counts as lost, whatever its offset.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from vernis.adapters.interchange.metadata.carriers import carrier_of, find_slot, rest_of
from vernis.adapters.interchange.metadata.write_back import (
    commit_write,
    prepare_write,
    sync_folders,
    undo_write,
)
from vernis.domain.metadata import Wanted, Word, WriteRefused

DATA = Path(
    os.environ.get("VERNIS_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
WORDS = (
    Word(("Kraków",), "keywords", "Kraków", "human:anna", time="2024-05-06T07:08:09Z"),
    Word(("東京タワー",), "keywords", "東京タワー", "human:anna", time="2024-05-06T07:08:09Z"),
    Word(("🐟 fish",), "keywords", "🐟 fish", "model:kernel", "kernel@3", 0.97),
    Word(("asset type", "Shoe | Boot"), "asset_type", "Shoe | Boot", "given"),
)
# Values that depend on where the file lies or when it was touched, or on offsets.
NOISE = ("SourceFile", "File:", "System:", "ExifTool:", "XMP-", "Composite:", "RIFF:WebP_Flags")
OFFSETS = ("Offset", "Start", "Offsets")


def generated(folder: Path) -> None:
    """Make PNG and WebP files of each kind, and a JPEG with IPTC keywords only."""
    picture = Image.effect_mandelbrot((96, 64), (-2, -1, 1, 1), 60)
    colored = Image.merge("RGB", (picture, picture.rotate(180), picture))
    clear = colored.copy()
    clear.putalpha(picture)
    colored.save(folder / "plain.png")
    clear.save(folder / "alpha.png")
    picture.convert("P").save(folder / "palette.png", dpi=(300, 300))
    frames = [colored.rotate(turn) for turn in (0, 90, 180)]
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    colored.save(folder / "lossy.webp")
    colored.save(folder / "lossless.webp", lossless=True)
    clear.save(folder / "alpha.webp")
    clear.save(folder / "alpha_lossless.webp", lossless=True)
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x010E] = "a caption"
    colored.save(folder / "exif.webp", exif=exif)
    colored.save(folder / "exif.png", exif=exif)
    colored.save(folder / "iptc.jpg")
    run("exiftool", "-q", "-overwrite_original", "-IPTC:Keywords=old word", folder / "iptc.jpg")
    colored.save(folder / "xmp.png")
    run("exiftool", "-q", "-overwrite_original", "-XMP:Subject=old", folder / "xmp.png")
    run("exiftool", "-q", "-overwrite_original", "-XMP:Title=old", folder / "exif.webp")


def run(*command: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(c) for c in command], capture_output=True, check=False)


def children() -> float:
    """Return the processor time of the programs that were run, in seconds."""
    spent = os.times()
    return spent.children_user + spent.children_system


def tags(folder: Path) -> dict[str, dict[str, Any]]:
    """Return every tag of every file, binary ones with their content."""
    done = run("exiftool", "-q", "-j", "-G1:4", "-a", "-u", "-b", "-n", "-r", folder)
    return {Path(row["SourceFile"]).name: row for row in json.loads(done.stdout or b"[]")}


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the tags outside XMP that are missing or say something else."""
    return [
        tag
        for tag, value in before.items()
        if not tag.startswith(NOISE)
        and not tag.split(":")[-1].endswith(OFFSETS)
        and after.get(tag) != value
    ]


def moved(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        tag
        for tag, value in before.items()
        if tag.split(":")[-1].endswith(OFFSETS) and after.get(tag) != value
    ]


def pixels_sound(path: Path) -> object:
    try:
        with Image.open(path) as image:
            image.load()
            return image.tobytes()
    except OSError as error:
        return type(error).__name__


def copy_of(files: list[Path], folder: Path) -> list[Path]:
    folder.mkdir()
    copies = [Path(shutil.copy2(file, folder / file.name)) for file in files]
    for copy in copies:
        copy.chmod(0o644)
    return copies


def judge(work: Path) -> None:
    own = work / "own-made"
    own.mkdir()
    generated(own)
    camera = sorted((DATA / "camera_a" / "images").iterdir())
    files = [f for f in (*camera, *sorted(own.iterdir())) if carrier_of(f.read_bytes())]
    print(f"{len(files)} files: {sum(f in camera for f in files)} of camera_a")
    original = copy_of(files, work / "original")
    before = tags(work / "original")

    ours = copy_of(files, work / "vernis")
    receipts, refused, bytes_equal, undo_bytes = {}, [], 0, 0
    start, busy = time.perf_counter(), time.process_time()
    for file in ours:
        try:
            prepared = prepare_write(file, Wanted(WORDS))
            commit_write(prepared)
            receipts[file] = prepared.receipt
            undo_bytes += len(prepared.receipt.undo)
        except WriteRefused as error:
            refused.append(str(error))
    sync_folders([work / "vernis"])
    wall, busy = time.perf_counter() - start, time.process_time() - busy
    print(f"vernis: written {len(receipts)}, refused {len(refused)}: {refused}")
    after = tags(work / "vernis")
    gone = {n: lost(before[n], after[n]) for n in before if lost(before[n], after.get(n, {}))}
    shifted = {n: moved(before[n], after[n]) for n in before if moved(before[n], after[n])}
    for file in receipts:
        old, new = (work / "original" / file.name).read_bytes(), file.read_bytes()
        pieces = [b"".join(rest_of(data, find_slot(data))) for data in (old, new)]
        bytes_equal += pieces[0] == pieces[1]
    same = sum(pixels_sound(f) == pixels_sound(work / "original" / f.name) for f in receipts)
    subject = sum(
        {"Kraków", "東京タワー", "🐟 fish", "Shoe | Boot"} <= set(row.get("XMP-dc:Subject", []))
        for row in after.values()
    )
    print(f"  tags lost or changed outside XMP: {gone or 0}; offsets moved: {shifted or 0}")
    print(f"  every other byte equal: {bytes_equal} of {len(receipts)}; pixels equal: {same}")
    kept = undo_bytes / len(receipts)
    print(f"  keywords read by exiftool: {subject}; {kept:.0f} bytes a file kept for the undo")
    readable = sum(b"Xmp.digiKam.TagsList" in run("exiv2", "-px", f).stdout for f in receipts)
    print(f"  tag list read by exiv2: {readable}")
    imagick = (
        sum("Kraków".encode() in run("convert", f, "XMP:-").stdout for f in receipts)
        if shutil.which("convert")
        else "not installed"
    )
    print(f"  packet handed on by ImageMagick: {imagick}")
    again = sum(prepare_write(f, Wanted(WORDS)).receipt.changes for f in receipts)
    print(f"  files that a second write would change: {again}")
    for receipt in receipts.values():
        undo_write(receipt)
    back = sum(
        f.read_bytes() == (work / "original" / f.name).read_bytes()
        and f.stat().st_mtime_ns == (work / "original" / f.name).stat().st_mtime_ns
        for f in receipts
    )
    print(f"  undo byte-exact: {back} of {len(receipts)}")
    print(
        f"  {1000 * wall / len(files):.1f} ms a file, {1000 * busy / len(files):.1f} ms processor"
    )

    beside_exiftool(files, work, before, original)
    beside_exiv2(files, work, before)


def beside_exiftool(
    files: list[Path], work: Path, before: dict[str, Any], original: list[Path]
) -> None:
    theirs = copy_of(files, work / "exiftool")
    start, spent = time.perf_counter(), children()
    done = run(
        *("exiftool", "-q", "-overwrite_original", "-P"),
        *(f"-XMP-dc:Subject+={word.text('dc:subject')}" for word in WORDS),
        *(f"-XMP-lr:HierarchicalSubject+={w.text('lr:hierarchicalSubject')}" for w in WORDS),
        *(f"-XMP-digiKam:TagsList+={word.text('digiKam:TagsList')}" for word in WORDS),
        *theirs,
    )
    wall, spent = time.perf_counter() - start, children() - spent
    after = tags(work / "exiftool")
    gone = {n: lost(before[n], after[n]) for n in before if lost(before[n], after.get(n, {}))}
    written = sum(f.read_bytes() != o.read_bytes() for f, o in zip(theirs, original, strict=True))
    print(f"exiftool: written {written}; lost or changed {gone or 0}")
    print(
        f"  {1000 * wall / len(files):.1f} ms a file in one batch, "
        f"{1000 * spent / len(files):.1f} ms processor; {done.stderr.decode()[:400]}"
    )


def beside_exiv2(files: list[Path], work: Path, before: dict[str, Any]) -> None:
    theirs = copy_of(files, work / "exiv2")
    start = time.perf_counter()
    for word in WORDS:
        run("exiv2", "-M", f"set Xmp.dc.subject XmpBag {word.text('dc:subject')}", *theirs)
    wall = (time.perf_counter() - start) / len(WORDS)
    after = tags(work / "exiv2")
    gone = {n: len(x) for n in before if (x := lost(before[n], after.get(n, {})))}
    print(f"exiv2: files with tags lost or changed, and how many: {gone or 0}")
    print(f"  {1000 * wall / len(files):.1f} ms a file in one batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judge(Path(folder))


if __name__ == "__main__":
    main()
