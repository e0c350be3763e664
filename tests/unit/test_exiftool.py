"""exiftool writes where we have no splice of our own; its work is judged like ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.metadata.exiftool import (
    ExifTool,
    difference,
    prepare_write_with,
)
from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata
from vernis.adapters.interchange.metadata.write_back import commit_write, undo_write
from vernis.domain.errors import UsageError
from vernis.domain.metadata import Wanted, Word, WriteRefused

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")

FISH = Wanted((Word(("animals", "Kraków 🐟"), "kind", "fish", "human:anna", probability=0.5),))


def picture(path: Path, **how: object) -> Path:
    Image.effect_noise((40, 30), 60).convert("P" if path.suffix == ".gif" else "RGB").save(
        path, **how
    )
    return path


@needs_exiftool
@pytest.mark.parametrize("suffix", [".tif", ".gif", ".avif", ".jp2"])
def test_words_are_written_and_taken_back_byte_for_byte(tmp_path, suffix):
    try:
        path = picture(tmp_path / f"a b ä{suffix}")
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no such files")
    old = path.read_bytes()
    with ExifTool() as tool:
        prepared = prepare_write_with(tool, path, FISH)
        assert path.read_bytes() == old
        commit_write(prepared)
        assert not prepare_write_with(tool, path, FISH).receipt.changes
    found = read_file_metadata(path)
    assert [word.path for word in found.words] == [("animals", "Kraków 🐟")]
    assert found.statements[0].source == "human:anna"
    assert prepared.receipt.carrier == "exiftool"
    assert undo_write(prepared.receipt).kind == "restored"
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@needs_exiftool
def test_what_somebody_else_wrote_since_is_not_undone(tmp_path):
    path = picture(tmp_path / "a.tif")
    with ExifTool() as tool:
        prepared = prepare_write_with(tool, path, FISH)
    commit_write(prepared)
    path.write_bytes(path.read_bytes() + b"theirs")
    with pytest.raises(WriteRefused, match="somebody else"):
        undo_write(prepared.receipt)


@needs_exiftool
def test_raw_files_and_broken_ones_are_refused(tmp_path):
    with ExifTool() as tool:
        for name in ("a.nef", "a.dng", "a.bmp"):
            (tmp_path / name).write_bytes(b"II*\0")
            with pytest.raises(WriteRefused, match="not written through exiftool"):
                prepare_write_with(tool, tmp_path / name, FISH)
        broken = tmp_path / "a.tif"
        broken.write_bytes(b"II*\0\xff\xff\xff\xff")
        with pytest.raises(WriteRefused) as refused:
            prepare_write_with(tool, broken, FISH)
        assert refused.value.kind in ("damaged", "format")
        assert broken.read_bytes() == b"II*\0\xff\xff\xff\xff"
        broken.chmod(0o444)
        with pytest.raises(WriteRefused) as refused:
            prepare_write_with(tool, broken, FISH)
        assert refused.value.kind == "read-only"


def test_a_program_that_is_missing_is_named():
    with pytest.raises(UsageError, match="no-such-program is not installed"):
        ExifTool("no-such-program")


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"", b"x"), (b"abc", b"abc"), (b"aaa", b"aaaa"), (b"head1tail", b"head22tail"), (b"x", b"")],
)
def test_the_difference_leads_from_old_to_new(old, new):
    splice = difference(old, new)
    assert old[: splice.start] + splice.replacement + old[splice.end :] == new
