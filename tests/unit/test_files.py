"""A walk lists every image once, names it reversibly, and counts what is no image."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vernis.adapters.files import (
    FileListSource,
    FolderSource,
    common_folder,
    escape_name,
    inspect_file,
    path_of,
    unescape_name,
    uri_of,
)
from vernis.domain.errors import UsageError
from vernis.domain.types import FoundFile


def picture(path, color="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), color).save(path, "PNG")
    return path


def uris(root):
    return [file.uri for file in FolderSource(root).list_files()[0]]


@given(st.binary(min_size=1, max_size=12).filter(lambda b: b"/" not in b and b"\0" not in b))
def test_names_of_any_bytes_survive(data):
    name = data.decode("utf-8", "surrogateescape")
    escaped = escape_name(name)
    escaped.encode("utf-8")
    assert unescape_name(escaped) == name


@given(st.text(alphabet="%25EFaé\udce9\udcff", max_size=10), st.text(alphabet="%25EFa\udce9"))
def test_escapes_never_collide(one, other):
    assert unescape_name(escape_name(one)) == one
    assert (escape_name(one) == escape_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["a b.jpg", "percent%20x.jpg", "100%.jpg", "фото.jpg", "a%e9.jpg"])
def test_ordinary_names_stay_as_they_are(name):
    assert escape_name(name) == name


def test_uris_lead_back_to_the_file(tmp_path):
    path = tmp_path / "sub folder" / "ü %E9.png"
    uri = uri_of(tmp_path, path)
    assert uri == "sub folder/ü %25E9.png"
    assert path_of(tmp_path, uri) == path
    with pytest.raises(UsageError, match="does not lie in"):
        uri_of(tmp_path / "other", path)


def test_walk_lists_images_and_counts_the_rest(tmp_path):
    for name in ("b/2.PNG", "a/1.jpg", "a/.hidden.jpg", "no_suffix", "odd.xyz"):
        picture(tmp_path / name)
    for name in ("notes.txt", "film.MP4", "a/raw.nef", "nothing", "a/._1.jpg", ".DS_Store"):
        (tmp_path / name).write_bytes(b"II*\0 not an image")
    for name in (".git/x.png", "photos.vernis/x.png", "__MACOSX/x.png"):
        picture(tmp_path / name)
    picture(tmp_path / "report" / "thumb.jpg")
    (tmp_path / "report" / "index.html").write_text('<meta name="generator" content="vernis 1">')
    picture(tmp_path / "site" / "logo.png")
    (tmp_path / "site" / "index.html").write_text("<html>")
    (tmp_path / "nothing").write_bytes(b"no magic")
    files, others = FolderSource(tmp_path).list_files()
    wanted = ["a/.hidden.jpg", "a/1.jpg", "b/2.PNG", "no_suffix", "odd.xyz", "site/logo.png"]
    assert [file.uri for file in files] == wanted
    assert others == {
        ".txt": 1,
        ".mp4": 1,
        ".nef": 1,
        "(none)": 1,
        "(hidden)": 2,
        ".html": 1,
    }


def test_links_that_loop_end(tmp_path):
    picture(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "again").symlink_to(tmp_path / "a", target_is_directory=True)
    assert uris(tmp_path) == ["a/x.png"]


def test_links_to_other_places_are_followed_and_dead_ones_reported(tmp_path):
    picture(tmp_path / "elsewhere" / "x.png")
    root = tmp_path / "root"
    picture(root / "y.png")
    (root / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "dead.jpg").symlink_to(tmp_path / "gone.jpg")
    files = {file.uri: file for file in FolderSource(root).list_files()[0]}
    assert sorted(files) == ["dead.jpg", "link/x.png", "y.png"]
    assert files["dead.jpg"].reason == "the link leads nowhere"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    files, others = FolderSource(tmp_path).list_files()
    assert (len(files), others) == (0, {"(special)": 2})


def test_unreadable_folder_is_reported_under_its_name(tmp_path, monkeypatch):
    picture(tmp_path / "open" / "x.png")
    picture(tmp_path / "locked" / "y.png")
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    files = {file.uri: file.reason for file in FolderSource(tmp_path).list_files()[0]}
    assert files["open/x.png"] == ""
    assert "Permission denied" in files["locked"]


def test_missing_root_is_one_clear_line(tmp_path):
    with pytest.raises(UsageError, match="not a folder"):
        FolderSource(tmp_path / "no").list_files()


def test_inspection_hashes_and_probes(tmp_path):
    path = picture(tmp_path / "x.jpg")
    file = inspect_file(tmp_path, FolderSource(tmp_path).list_files()[0][0])
    assert (file.width, file.height, file.format, file.reason) == (8, 6, "PNG", "")
    assert len(file.content_hash) == 64
    path.write_text("no picture")
    broken = inspect_file(tmp_path, FoundFile("x.jpg", "", 1, 1))
    assert broken.reason
    assert len(broken.content_hash) == 64
    assert inspect_file(tmp_path, FoundFile("gone.jpg", "", 1, 1)).reason


def test_exif_date_is_kept(tmp_path):
    exif = Image.Exif()
    exif[0x0132] = "2019:05:04 03:02:01"
    Image.new("RGB", (4, 4)).save(tmp_path / "x.jpg", exif=exif)
    file = inspect_file(tmp_path, FoundFile("x.jpg", "", 1, 1))
    assert file.metadata["taken"] == "2019-05-04T03:02:01"


def test_list_of_files(tmp_path):
    picture(tmp_path / "a" / "x.png")
    picture(tmp_path / "b" / "y.png")
    paths = [tmp_path / "b" / "y.png", tmp_path / "a" / "x.png", tmp_path / "a" / "no.png"]
    root = common_folder(paths)
    assert root == tmp_path
    source = FileListSource(root, paths)
    files, others = source.list_files()
    assert [file.uri for file in files] == ["a/no.png", "a/x.png", "b/y.png"]
    assert [bool(file.reason) for file in files] == [True, False, False]
    assert others == {}
    assert not source.covers("b/z.png")
    with pytest.raises(UsageError):
        FileListSource(tmp_path / "a", paths).list_files()


def test_trial_decoding_says_why(tmp_path):
    path = picture(tmp_path / "x.png")
    source = FolderSource(tmp_path)
    assert source.try_decoding(FoundFile("x.png", "", 1, 1)) == ""
    path.write_bytes(path.read_bytes()[:45])
    assert source.try_decoding(FoundFile("x.png", "", 1, 1))
