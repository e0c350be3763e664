"""The report's folder: whole or not at all, and nobody else's files."""

from __future__ import annotations

import json

import pytest

from vernis.domain.errors import StorageError, UsageError
from vernis.report.folder import MANIFEST, PAGE, ReportFolder
from vernis.report.index.page import render
from vernis.report.model import ReportData

FIRST = render(ReportData("first", "today", "0.1.0", 3))
SECOND = render(ReportData("second", "today", "0.1.0", 4))
OLD_THUMB, NEW_THUMB = "thumbs/aa11-320.jpg", "thumbs/bb22-320.jpg"


def write(path, page=FIRST, thumbs=(OLD_THUMB,)):
    folder = ReportFolder(path)
    folder.begin(thumbs)
    for name in thumbs:
        if not folder.has(name):
            folder.write(name, b"jpeg " + name.encode())
    return folder.commit(page)


def files(path):
    return {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}


def test_a_report_holds_its_files_and_a_manifest(tmp_path):
    page = write(tmp_path / "report")
    assert page.read_bytes() == FIRST
    assert files(tmp_path / "report") == {PAGE, OLD_THUMB, MANIFEST}


def test_a_second_report_replaces_the_first_and_keeps_foreign_files(tmp_path):
    write(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "thumbs" / "mine.jpg").write_bytes(b"mine")
    (tmp_path / "assets" / "report.0123456789ab.css").write_text("mine")
    write(tmp_path, SECOND, (NEW_THUMB,))
    foreign = {"notes.txt", "thumbs/mine.jpg", "assets/report.0123456789ab.css"}
    assert files(tmp_path) == {PAGE, NEW_THUMB, MANIFEST} | foreign


def test_thumbnails_that_are_there_are_not_drawn_again(tmp_path):
    write(tmp_path)
    folder = ReportFolder(tmp_path)
    folder.begin((OLD_THUMB, NEW_THUMB))
    assert folder.has(OLD_THUMB)
    assert not folder.has(NEW_THUMB)


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_kill_leaves_the_old_report_whole_and_the_next_run_finishes(tmp_path, monkeypatch, stop):
    write(tmp_path)
    steps = iter(range(1, 100))
    honest = ReportFolder._replace

    def dies(self, name, content):
        if next(steps) == stop:
            (self.path / name).with_name(f".{(self.path / name).name}.part").write_bytes(b"half")
            raise KeyboardInterrupt
        honest(self, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(ReportFolder, "_replace", dies)
        try:
            write(tmp_path, SECOND, (NEW_THUMB,))
        except KeyboardInterrupt:
            page = (tmp_path / PAGE).read_bytes()
            assert page in (FIRST, SECOND)
            thumb = OLD_THUMB if page == FIRST else NEW_THUMB
            assert (tmp_path / thumb).read_bytes() == b"jpeg " + thumb.encode()
    write(tmp_path, SECOND, (NEW_THUMB,))
    assert files(tmp_path) == {PAGE, NEW_THUMB, MANIFEST}


def test_a_first_report_that_is_killed_marks_its_folder(tmp_path):
    folder = ReportFolder(tmp_path / "report")
    folder.begin((OLD_THUMB,))
    folder.write(OLD_THUMB, b"jpeg")
    assert b'name="generator" content="Vernis' in (tmp_path / "report" / PAGE).read_bytes()
    assert write(tmp_path / "report").read_bytes() == FIRST


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / PAGE).write_text("<!doctype html><title>My site</title>")
    with pytest.raises(UsageError, match="holds other files"):
        write(tmp_path)
    assert files(tmp_path) == {PAGE}
    with pytest.raises(UsageError, match="is a file"):
        write(tmp_path / PAGE)


def test_a_report_without_its_page_is_written_again(tmp_path):
    write(tmp_path).unlink()
    assert write(tmp_path, SECOND).read_bytes() == SECOND
    (tmp_path / PAGE).write_text("<!doctype html><title>My site</title>")
    with pytest.raises(UsageError, match="holds other files"):
        write(tmp_path)


def test_the_files_of_an_earlier_version_make_room(tmp_path):
    write(tmp_path)
    old = ["assets/report.0123456789ab.css", "assets/issues.0123456789ab.js"]
    for name in old:
        (tmp_path / name).write_text("old")
    (tmp_path / MANIFEST).write_text(json.dumps({"files": [*old, OLD_THUMB]}))
    write(tmp_path, SECOND)
    assert files(tmp_path) == {PAGE, OLD_THUMB, MANIFEST}


def test_a_forged_manifest_removes_nothing_outside(tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"mine")
    report = tmp_path / "report"
    write(report)
    inside = report / "notes.txt"
    inside.write_text("mine")
    names = ["../outside.jpg", str(outside), "notes.txt", "thumbs/../notes.txt", 7]
    (report / MANIFEST).write_text(f'{{"files": {names}}}'.replace("'", '"'))
    write(report, SECOND)
    assert outside.exists()
    assert inside.exists()


def test_unexpected_names_are_refused(tmp_path):
    folder = ReportFolder(tmp_path)
    with pytest.raises(ValueError, match="names in thumbs/"):
        folder.begin(("../x.jpg",))
    folder = ReportFolder(tmp_path)
    folder.begin(())
    with pytest.raises(ValueError, match="given to begin"):
        folder.write(OLD_THUMB, b"")


def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    def full(self, name, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ReportFolder, "_replace", full)
    with pytest.raises(StorageError, match="disk is full"):
        write(tmp_path / "report")


def test_a_report_of_another_collection_is_never_written_over(tmp_path):
    first = ReportFolder(tmp_path, "one")
    first.begin(["thumbs/aa-1.jpg"])
    first.write("thumbs/aa-1.jpg", b"x")
    first.commit(FIRST)
    assert ReportFolder(tmp_path, "one").is_free([])
    other = ReportFolder(tmp_path, "other")
    assert not other.is_free(["thumbs/aa-1.jpg"])
    with pytest.raises(UsageError, match="another collection"):
        other.begin(["thumbs/bb-1.jpg"])
    assert (tmp_path / "thumbs/aa-1.jpg").exists()


def test_a_report_that_names_no_collection_is_known_by_its_thumbnails(tmp_path):
    old = ReportFolder(tmp_path)
    old.begin(["thumbs/aa-1.jpg"])
    old.write("thumbs/aa-1.jpg", b"x")
    old.commit(FIRST)
    new = ReportFolder(tmp_path, "one")
    assert new.is_free({"thumbs/aa-2.jpg", "thumbs/bb-2.jpg"})
    assert not new.is_free({"thumbs/bb-1.jpg"})
