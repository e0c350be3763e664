"""Files are written whole or not at all, refused by name, and brought back byte for byte."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.metadata import write_back
from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata
from vernis.adapters.interchange.metadata.write_back import (
    commit_write,
    prepare_write,
    state_of,
    sweep,
    sync_folders,
    undo_write,
)
from vernis.domain.metadata import REMEDIES, Receipt, Wanted, Word, WriteRefused

FISH = Wanted((Word(("fish",), "kind", "fish", "human:anna", time="2024-01-02T03:04:05Z"),))
BIRD = Wanted((Word(("bird",), "kind", "bird", "human:anna", time="2024-01-02T03:04:05Z"),))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.effect_noise((40, 30), 60).save(path)
    os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
    return path


def write(path: Path, wanted: Wanted = FISH, **how) -> Receipt:
    prepared = prepare_write(path, wanted, **how)
    commit_write(prepared)
    return prepared.receipt


def words(path: Path) -> list[str]:
    return ["/".join(word.path) for word in read_file_metadata(path).words]


def refusal(path: Path, **how) -> WriteRefused:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(WriteRefused) as refused:
        write(path, **how)
    assert before is None or path.read_bytes() == before
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".vernis-")]
    error = refused.value
    assert str(error).endswith(REMEDIES[error.kind])
    assert "\n" not in str(error)
    return error


def test_a_write_and_its_undo(picture):
    old, status = picture.read_bytes(), picture.stat()
    receipt = write(picture, expected=[hashlib.sha256(old).hexdigest()])
    assert words(picture) == ["fish"]
    assert (receipt.carrier, receipt.size) == ("jpeg", picture.stat().st_size)
    assert state_of(receipt) == "after"
    assert picture.stat().st_mtime_ns == status.st_mtime_ns
    assert stat.S_IMODE(picture.stat().st_mode) == stat.S_IMODE(status.st_mode)
    assert not prepare_write(picture, FISH).receipt.changes
    assert undo_write(receipt).kind == "restored"
    assert picture.read_bytes() == old
    assert picture.stat().st_mtime_ns == status.st_mtime_ns
    assert state_of(receipt) == "before"
    assert undo_write(receipt).kind == "nothing"
    sync_folders([picture.parent, picture.parent / "missing"])


def test_nothing_happens_before_the_commit(picture):
    old = picture.read_bytes()
    receipt = prepare_write(picture, FISH).receipt
    assert receipt.changes
    assert picture.read_bytes() == old
    assert state_of(receipt) == "before"


def test_writes_are_undone_one_after_the_other(picture):
    old = picture.read_bytes()
    first, second = write(picture, FISH), write(picture, BIRD)
    assert words(picture) == ["bird"]
    assert undo_write(second).kind == "restored"
    assert words(picture) == ["fish"]
    assert undo_write(first).kind == "restored"
    assert picture.read_bytes() == old


def test_what_somebody_else_wrote_since_survives_the_undo(picture):
    receipt = write(picture)
    theirs = picture.read_bytes().replace(
        b"<rdf:li>fish</rdf:li>", b"<rdf:li>fish</rdf:li><rdf:li>theirs</rdf:li>", 1
    )
    grown = len(b"<rdf:li>theirs</rdf:li>")
    at = theirs.find(b"\xff\xe1")
    length = int.from_bytes(theirs[at + 2 : at + 4], "big") + grown
    picture.write_bytes(theirs[: at + 2] + length.to_bytes(2, "big") + theirs[at + 4 :])
    assert state_of(receipt) == "other"
    undone = undo_write(receipt)
    assert undone.kind == "words"
    assert words(picture) == ["theirs"]
    assert undone.write is not None
    assert undo_write(undone.write.receipt).kind == "restored"
    assert words(picture) == ["fish", "theirs"]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_an_undo_can_be_undone(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (9, 9)).save(path)
    receipt = write(path)
    written = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    undone = undo_write(receipt)
    assert undone.write is not None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert state_of(undone.write.receipt) == "after"
    assert undo_write(undone.write.receipt).kind == "restored"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == written
    assert undo_write(undone.write.receipt).kind == "nothing"


def test_words_that_an_undo_took_out_come_back_only_where_nobody_wrote_since(picture):
    undone = undo_write(write(picture))
    assert undone.write is not None
    picture.write_bytes(picture.read_bytes() + b"more")
    with pytest.raises(WriteRefused, match="somebody else has written since"):
        undo_write(undone.write.receipt)


def test_what_is_said_of_some_taxonomies_leaves_those_of_others(picture):
    write(picture)
    colour = Word(("colour", "red"), "colour", "red", "human:anna")
    write(picture, Wanted((colour,), taxonomies=frozenset({"colour"})))
    assert sorted(words(picture)) == ["colour/red", "fish"]
    prepared = prepare_write(picture, Wanted((colour,)))
    assert prepared.receipt.removed == ("fish",)


def test_the_undo_of_a_file_that_is_gone_says_so(picture):
    receipt = write(picture)
    picture.unlink()
    assert undo_write(receipt).kind == "gone"


def test_the_undo_leaves_a_file_alone_that_somebody_stripped(picture):
    receipt = write(picture)
    Image.new("RGB", (9, 9)).save(picture)
    stripped = picture.read_bytes()
    assert undo_write(receipt).kind == "nothing"
    assert picture.read_bytes() == stripped


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_png_and_webp_are_written_in_place(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.effect_noise((40, 30), 60).save(path)
    old = path.read_bytes()
    receipt = write(path)
    assert words(path) == ["fish"]
    undo_write(receipt)
    assert path.read_bytes() == old


def test_a_size_that_stays_is_told_by_the_time(picture):
    write(picture, FISH)
    time = picture.stat().st_mtime_ns
    before = picture.stat().st_size
    write(picture, BIRD)
    assert picture.stat().st_size == before
    assert picture.stat().st_mtime_ns != time


def test_a_link_stays_a_link(picture):
    link = picture.with_name("link.jpg")
    link.symlink_to(picture)
    receipt = write(link)
    assert link.is_symlink()
    assert receipt.path == str(picture.resolve())
    assert words(picture) == ["fish"]


# --------------------------------------------------------------------------- sidecars


def test_other_formats_get_a_sidecar(tmp_path):
    image = tmp_path / "scan.tif"
    Image.new("RGB", (9, 9)).save(image)
    old = image.read_bytes()
    receipt = write(image)
    sidecar = tmp_path / "scan.tif.xmp"
    assert receipt.path == str(sidecar)
    assert (receipt.carrier, receipt.before) == ("sidecar", "")
    assert words(image) == ["fish"]
    assert image.read_bytes() == old
    assert not prepare_write(image, FISH).receipt.changes
    assert stat.S_IMODE(sidecar.stat().st_mode) & 0o044
    assert undo_write(receipt).kind == "removed"
    assert [p.name for p in tmp_path.iterdir()] == ["scan.tif"]


@pytest.mark.parametrize(
    ("files", "image", "style", "expected"),
    [
        ([], "a.jpg", "full", "a.jpg.xmp"),
        (["a.xmp"], "a.jpg", "full", "a.xmp"),
        (["a.XMP"], "a.jpg", "full", "a.XMP"),
        (["a.xmp", "a.jpg.xmp"], "a.jpg", "full", "a.jpg.xmp"),
        (["a.xmp", "a.nef"], "a.jpg", "full", "a.jpg.xmp"),
        (["a.xmp", "a.png"], "a.jpg", "full", "a.jpg.xmp"),
        (["a.xmp", "a.jpg"], "a.nef", "full", "a.xmp"),
        ([], "a.nef", "stem", "a.xmp"),
        (["a.cr2"], "a.nef", "stem", "a.nef.xmp"),
        ([], "a", "stem", "a.xmp"),
    ],
)
def test_which_sidecar_is_taken(tmp_path, files, image, style, expected):
    from vernis.adapters.interchange.metadata.sidecars import sidecar_of

    for name in (*files, image):
        (tmp_path / name).touch()
    assert sidecar_of(tmp_path / image, style).name == expected


def test_a_sidecar_of_others_is_merged_and_comes_back(picture):
    sidecar = picture.with_name("a.xmp")
    theirs = (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        b"xmlns:darktable='http://darktable.sf.net/' darktable:history_end='3'/></rdf:RDF>"
        b"</x:xmpmeta>\n"
    )
    sidecar.write_bytes(theirs)
    receipt = write(picture, where="sidecar")
    new = sidecar.read_bytes()
    assert new.startswith(theirs[: theirs.index(b"</rdf:RDF>")])
    assert words(picture) == ["fish"]
    undo_write(receipt)
    assert sidecar.read_bytes() == theirs


def test_a_sidecar_repeats_the_words_of_its_image(picture):
    write(picture, BIRD)
    theirs = picture.read_bytes().replace(b"vernis:", b"foreign")
    picture.write_bytes(theirs)
    write(picture, FISH, where="sidecar")
    found = picture.with_name("a.jpg.xmp").read_text()
    assert "<rdf:li>bird</rdf:li>" in found


def test_an_image_with_a_sidecar_says_so_when_it_is_written(picture):
    write(picture, BIRD, where="sidecar")
    assert prepare_write(picture, FISH).receipt.notes == (
        "a sidecar beside it, which some programs read first",
    )


def test_a_sidecar_that_appears_meanwhile_is_not_overwritten(picture):
    prepared = prepare_write(picture, FISH, where="sidecar")
    sidecar = picture.with_name("a.jpg.xmp")
    sidecar.write_bytes(b"theirs")
    with pytest.raises(WriteRefused, match="appeared meanwhile"):
        commit_write(prepared)
    assert sidecar.read_bytes() == b"theirs"


@pytest.mark.parametrize("content", [b"no XML", b"", b"<!DOCTYPE a []><a/>", b"<a/>"])
def test_a_sidecar_that_cannot_be_read_is_left_alone(picture, content):
    sidecar = picture.with_name("a.jpg.xmp")
    sidecar.write_bytes(content)
    assert refusal(picture, where="sidecar").kind == "unusable XMP"
    assert sidecar.read_bytes() == content


# --------------------------------------------------------------------------- refusals


def test_a_file_that_changed_since_it_was_indexed(picture):
    assert refusal(picture, expected=["0" * 64]).kind == "changed"


def test_a_file_that_changes_between_the_steps(picture):
    prepared = prepare_write(picture, FISH)
    theirs = picture.read_bytes() + b"theirs"
    picture.write_bytes(theirs)
    with pytest.raises(WriteRefused) as refused:
        commit_write(prepared)
    assert refused.value.kind == "changed"
    assert picture.read_bytes() == theirs
    picture.unlink()
    with pytest.raises(WriteRefused) as refused:
        commit_write(prepared)
    assert refused.value.kind == "changed"


def test_a_file_that_changes_while_it_is_written(picture, monkeypatch):
    prepared = prepare_write(picture, FISH)
    theirs = picture.read_bytes() + b"theirs"
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        picture.write_bytes(theirs)
        real(descriptor)

    monkeypatch.setattr(write_back.os, "fsync", meanwhile)
    with pytest.raises(WriteRefused, match="while it was being written"):
        commit_write(prepared)
    assert picture.read_bytes() == theirs
    assert [p.name for p in picture.parent.iterdir()] == ["a.jpg"]


def test_a_read_only_file_or_folder(picture):
    picture.chmod(0o444)
    assert refusal(picture).kind == "read-only"
    picture.chmod(0o644)
    picture.parent.chmod(0o555)
    try:
        assert refusal(picture).kind == "read-only"
        assert refusal(picture, where="sidecar").kind == "read-only"
    finally:
        picture.parent.chmod(0o755)


def test_a_hard_link(picture):
    os.link(picture, picture.with_name("b.jpg"))
    assert refusal(picture).kind == "hard link"
    write(picture, where="sidecar")


def test_what_is_no_file(tmp_path):
    assert refusal(tmp_path / "missing.jpg").kind == "not a file"
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    with pytest.raises(WriteRefused):
        write(folder)


def test_another_format_is_not_embedded(tmp_path):
    path = tmp_path / "a.gif"
    Image.new("P", (9, 9)).save(path)
    error = refusal(path, where="embed")
    assert (error.kind, error.remedy) == ("format", "write a sidecar")


def test_words_that_do_not_fit(picture):
    many = Wanted(tuple(Word((f"word {number} {'x' * 200}",)) for number in range(200)))
    assert refusal(picture, wanted=many).kind == "too large"
    write(picture, many, where="sidecar")
    assert len(words(picture)) == 200


def test_a_packet_that_cannot_be_edited(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (9, 9)).save(path, xmp=b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>")
    assert refusal(path).kind == "unusable XMP"


@pytest.mark.parametrize("where", ["embed", "sidecar"])
def test_a_full_disk(picture, monkeypatch, where):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(write_back.os, "write", full)
    assert refusal(picture, where=where).kind == "disk"


def test_two_runs_do_not_write_one_file(picture):
    prepared = prepare_write(picture, FISH)
    held = picture.open("rb")
    assert write_back._lock(held.fileno())
    with pytest.raises(WriteRefused) as refused:
        commit_write(prepared)
    assert refused.value.kind == "busy"
    held.close()
    commit_write(prepared)
    other = prepare_write(picture, BIRD)
    write(picture, Wanted((*FISH.words, *BIRD.words)))
    with pytest.raises(WriteRefused) as refused:
        commit_write(other)
    assert refused.value.kind == "changed"
    assert words(picture) == ["fish", "bird"]


RACE = """
import sys
from pathlib import Path
from vernis.adapters.interchange.metadata.write_back import commit_write, prepare_write
from vernis.domain.metadata import Wanted, Word, WriteRefused
done = 0
for number in range(40):
    word = Word((f"{sys.argv[2]} {number}",))
    try:
        commit_write(prepare_write(Path(sys.argv[1]), Wanted((word,))))
        done += 1
    except WriteRefused as error:
        assert error.kind in ("busy", "changed"), error
print(done)
"""


def test_two_processes_at_one_file_leave_it_whole(picture):
    with Image.open(picture) as image:
        pixels = image.tobytes()
    runs = [
        subprocess.Popen([sys.executable, "-c", RACE, picture, name], stdout=subprocess.PIPE)
        for name in "ab"
    ]
    done = [int(run.communicate()[0]) for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert any(done)
    assert len(words(picture)) == 1
    with Image.open(picture) as image:
        assert image.tobytes() == pixels
    assert [p.name for p in picture.parent.iterdir()] == ["a.jpg"]


def test_only_left_over_files_of_our_own_are_swept(tmp_path):
    left = tmp_path / f".vernis-{'0' * 16}.part"
    others = [tmp_path / ".vernis-notes.part", tmp_path / f".vernis-{'0' * 16}.part.jpg"]
    for path in (left, *others):
        path.touch()
    held = left.open("rb")
    assert write_back._lock(held.fileno())
    assert sweep([tmp_path, tmp_path / "missing"]) == []
    held.close()
    assert sweep([tmp_path]) == [left]
    assert sorted(tmp_path.iterdir()) == sorted(others)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_mode_and_extended_attributes_are_kept(picture):
    picture.chmod(0o640)
    try:
        os.setxattr(picture, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system holds no extended attributes")
    write(picture)
    assert os.getxattr(picture, "user.note") == b"kept"
    assert stat.S_IMODE(picture.stat().st_mode) == 0o640
