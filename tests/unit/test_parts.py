"""Frames, pages and pictures of slides as images of their own; what they never do to their file."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import webbrowser
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis import Collection
from vernis.adapters import files
from vernis.adapters.parts import documents, slides, videos
from vernis.adapters.parts.inside import part_file
from vernis.cli.main import main
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.verbs.decide.trashing import plan_trash


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let copies lie in the folder of the test."""
    monkeypatch.setenv("VERNIS_CACHE", str(tmp_path / "cache"))


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture that no other seed gives."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.NEAREST)


def png(seed: int) -> bytes:
    """Return a picture as a file."""
    stream = io.BytesIO()
    picture(seed).save(stream, "PNG")
    return stream.getvalue()


def tiff(path: Path, pages: int) -> None:
    """Write a TIFF of several pages."""
    first, *rest = [picture(seed) for seed in range(pages)]
    first.save(path, save_all=True, append_images=rest)


_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def relations(targets: dict[str, str]) -> str:
    rows = "".join(f'<Relationship Id="{k}" Target="{v}"/>' for k, v in targets.items())
    return f'<Relationships xmlns="{_RELATIONS}">{rows}</Relationships>'


def pptx(path: Path, pictures: dict[str, bytes], shown: dict[int, list[str]]) -> None:
    """Write slides that show pictures; slide 2 of the archive is shown first."""
    order = sorted(shown, reverse=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        ids = "".join(f'<p:sldId r:id="r{number}"/>' for number in order)
        archive.writestr(
            "ppt/presentation.xml",
            f'<p:presentation xmlns:p="p" xmlns:r="{_OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst>'
            "</p:presentation>",
        )
        archive.writestr(
            "ppt/_rels/presentation.xml.rels",
            relations({f"r{n}": f"slides/slide{n}.xml" for n in shown}),
        )
        for number, names in shown.items():
            archive.writestr(f"ppt/slides/slide{number}.xml", "<p/>")
            archive.writestr(
                f"ppt/slides/_rels/slide{number}.xml.rels",
                relations({f"i{i}": f"../media/{name}" for i, name in enumerate(names)}),
            )
        for name, data in pictures.items():
            archive.writestr(f"ppt/media/{name}", data)


def odp(path: Path, data: bytes) -> None:
    """Write an ODP whose second page shows a picture."""
    draw, link = "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0", "http://www.w3.org/1999/xlink"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "content.xml",
            f'<a xmlns:draw="{draw}" xmlns:xlink="{link}"><draw:page/><draw:page>'
            '<draw:frame><draw:image xlink:href="Pictures/1.png"/></draw:frame></draw:page></a>',
        )
        archive.writestr("Pictures/1.png", data)


def uris(collection: Collection, *states: str) -> list[str]:
    return sorted(image.uri for image in collection.session.images(*states))  # type: ignore[arg-type]


# --------------------------------------------------------------------------- slides and TIFF


def test_pages_of_tiff_and_pictures_of_slides_are_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tiff(folder / "scan.tif", 3)
    pptx(folder / "deck.pptx", {"a.png": png(7), "b.png": png(8)}, {1: ["a.png"], 2: ["b.png"]})
    odp(folder / "talk.odp", png(9))
    (folder / "a.png").write_bytes(png(7))
    with Collection.create(tmp_path / "t.vernis") as collection:
        assert collection.index([folder]).images == 2  # only where it is asked for
        found = collection.index(inside=["all"])
        assert uris(collection) == [
            "a.png",
            "deck.pptx#a.png",
            "deck.pptx#b.png",
            "scan.tif",
            "scan.tif#page=2",
            "scan.tif#page=3",
            "talk.odp#1.png",
        ]
        assert (found.new, found.unreadable) == (5, 0)
        said = {image.uri: image.metadata for image in collection.session.images()}
        assert (said["deck.pptx#b.png"]["page"], said["deck.pptx#a.png"]["page"]) == (1, 2)
        assert said["talk.odp#1.png"]["page"] == 2
        assert said["scan.tif#page=3"]["inside"] == "scan.tif"
        # Each is the picture that it is.
        find = collection.session.catalog.images.find
        read = collection.session.files.pictures(full_size=True)
        assert (read(find("scan.tif#page=3")) == np.asarray(picture(2))).all()
        assert (read(find("deck.pptx#b.png")) == np.asarray(picture(8))).all()
        # What is as it was is not opened again.
        monkeypatch.setattr(slides, "list_pictures", None)
        assert collection.index().unchanged == 7
    monkeypatch.undo()
    monkeypatch.setenv("VERNIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert main(["show", "scan.tif#page=2"]) == 0
    assert "page 2 of scan.tif" in capsys.readouterr().out
    assert main(["show", "scan.tif#page=3", "--open"]) == 0
    assert opened == [f"{(folder / 'scan.tif').as_uri()}#page=3"]
    with Collection.open(tmp_path / "t.vernis") as collection:
        (record,) = (collection.explore.show("scan.tif#page=2").record,)
        assert record.address == f"{(folder / 'scan.tif').as_uri()}#page=2"
        # Looked into no more, they are gone; the file that is an image stays.
        assert collection.index(inside=["none"]).vanished == 5
        assert uris(collection) == ["a.png", "scan.tif"]


def test_copies_are_found_and_no_file_goes_for_its_part(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(7))
    (folder / "a copy.png").write_bytes(png(7))
    (folder / "b.png").write_bytes(png(8))
    pptx(folder / "deck.pptx", {"a.png": png(7), "b.png": png(8)}, {1: ["a.png", "b.png"]})
    with Collection.create(tmp_path / "t.vernis") as collection:
        collection.index([folder], inside=["slides"])
        collection.embed()
        frame = collection.duplicates()
        assert {"deck.pptx#a.png", "deck.pptx#b.png", "b.png"} <= set(frame.index)
        plan = plan_trash(collection.session)
        assert [file.uri for file in plan] == ["a copy.png"]
        assert plan[0].keeper == "a.png"
        # Whoever asks for it by name is told.
        part = collection.session.catalog.images.find("deck.pptx#a.png")
        with pytest.raises(UsageError, match=r"part of deck\.pptx, which stays as it is"):
            collection.session.files.own_file(part)
        collection.trash(duplicates=True)
        assert (folder / "deck.pptx").is_file()
        assert not (folder / "a copy.png").exists()
        # Search finds it by the file, and labels are its own.
        (search,) = collection.explore.search(image="a.png", k=3).searches
        assert "deck.pptx#a.png" in {hit.image for hit in search.results}


def test_a_file_of_the_same_form_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.pdf#page=1").write_bytes(b"x")
    assert files.path_of(tmp_path, "plain#1.jpg") == tmp_path / "plain#1.jpg"


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ppt/media/big.png", b"\0" * 20_000_000)


def cut(path: Path) -> None:
    pptx(path, {"a.png": png(1)}, {1: ["a.png"]})
    path.write_bytes(path.read_bytes()[:-30])


def compound(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (bomb, "unpacks to far more than pictures do (a bomb)"),
        (cut, "the archive is damaged"),
        (compound, "the file is encrypted, or of an older kind; save it anew"),
    ],
)
def test_a_bad_file_of_slides_is_an_issue_of_that_file(tmp_path: Path, make, reason: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder / "bad.pptx")
    (folder / "a.png").write_bytes(png(1))
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([folder], inside=["slides"])
        assert (found.images, found.unreadable) == (2, 1)
        (bad,) = collection.session.images("unreadable")
        assert bad.uri == "bad.pptx"
        assert reason in bad.reason
        # Mended, its issue is gone and its pictures are there.
        pptx(folder / "bad.pptx", {"a.png": png(2)}, {1: ["a.png"]})
        collection.index()
        assert uris(collection, "unreadable") == []
        assert "bad.pptx#a.png" in uris(collection)


def test_a_damaged_picture_of_slides_costs_itself_alone(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pptx(folder / "deck.pptx", {"a.png": png(1), "b.png": b"no picture"}, {1: ["a.png"]})
    with Collection.create(tmp_path / "t.vernis") as collection:
        collection.index([folder], inside=["slides"])
        assert uris(collection) == ["deck.pptx#a.png"]
        assert uris(collection, "unreadable") == ["deck.pptx#b.png"]


def test_entities_are_not_followed(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>'
    with zipfile.ZipFile(tmp_path / "x.odp", "w") as archive:
        archive.writestr("content.xml", laughs)
        archive.writestr("Pictures/1.png", png(1))
    assert slides.list_pictures(tmp_path / "x.odp") == {"1.png": 0}


# --------------------------------------------------------------------------- videos


FAKE = """#!{python}
import shutil, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(words) + "\\n")
name = words[words.index("-i") + 1]
if "mute" in name:
    sys.stderr.write("Stream map '0:v:0' matches no streams.\\n"); sys.exit(1)
if "broken" in name:
    sys.stderr.write(name + ": Invalid data found when processing input\\n"); sys.exit(1)
if "-ss" in words:
    shutil.copyfile({frames!r} + "/1.jpg", words[-1]); sys.exit(0)
for number, time in enumerate(["0", "1.5", "2.4795833"]):
    shutil.copyfile({frames!r} + "/%d.jpg" % number, words[-1] % (number + 1))
    sys.stderr.write("[Parsed_showinfo_1 @ 0x5] n: 0 pts: 1 pts_time:%s duration: 1\\n" % time)
"""


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program that plays ffmpeg before all others; returns the log of its calls."""
    frames, programs, log = tmp_path / "frames", tmp_path / "bin", tmp_path / "log"
    frames.mkdir()
    programs.mkdir()
    for number in range(3):
        picture(20 + number).save(frames / f"{number}.jpg", quality=95)
    program = programs / "ffmpeg"
    text = FAKE.format(python=sys.executable, log=str(log), frames=str(frames))
    program.write_text(text)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return log


def test_frames_of_a_video_are_images(tmp_path: Path, player: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("clip.mp4", "mute.mov", "broken.avi"):
        (folder / name).write_bytes(name.encode())
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([folder], inside=["video"], every=1.5)
        assert uris(collection) == [f"clip.mp4#t={t}" for t in ("0.000", "1.500", "2.479")]
        assert found.unreadable == 2
        reasons = {i.uri: i.reason for i in collection.session.images("unreadable")}
        assert reasons == {
            "broken.avi": "the file is no video, or is damaged",
            "mute.mov": "the file has no video stream",
        }
        image = collection.session.catalog.images.find("clip.mp4#t=2.479")
        assert (image.metadata["time"], image.metadata["inside"]) == (2.479, "clip.mp4")
        assert collection.session.files.place_of(image).endswith("clip.mp4#t=2.479")
        asked = player.read_text()
        assert "gte(t-prev_selected_t,1.5)" in asked
        assert "-protocol_whitelist file" in asked
        # As it was: not opened; another manner: opened anew.
        player.write_text("")
        assert collection.index().new == 0
        assert "clip" not in player.read_text()
        collection.index(inside=["video"])
        assert "gt(scene,0.3)" in player.read_text()
        # A copy that has gone from the cache is made again from the time.
        shutil.rmtree(tmp_path / "cache")
        player.write_text("")
        assert collection.session.files.pictures()(image).shape[2] == 3
        assert "-ss 2.4785" in player.read_text()
        with pytest.raises(UsageError, match="name --inside video too"):
            collection.index(inside=["pdf"], every=2.0)


def test_without_ffmpeg_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos.shutil, "which", lambda name: None)
    with pytest.raises(UnreadableImage, match="the program ffmpeg, which is not installed"):
        videos.list_frames(tmp_path / "a.mp4", None, lambda place, file: None)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_frames_by_ffmpeg_itself(tmp_path: Path) -> None:
    colors = ["black", "white", "red"]
    for color in colors:
        Image.new("RGB", (64, 48), color).save(tmp_path / f"{color}.png")
    inputs = [w for c in colors for w in ("-loop", "1", "-t", "1", "-i", tmp_path / f"{c}.png")]
    joined = "[0][1][2]concat=n=3:v=1:a=0,fps=10,format=yuv420p"
    out = ["-filter_complex", joined, "-c:v", "mpeg4", "-q:v", "2", tmp_path / "clip.mp4"]
    subprocess.run(["ffmpeg", "-loglevel", "error", *inputs, *out], check=True)
    places = videos.list_frames(tmp_path / "clip.mp4", None, lambda place, file: None)
    assert len(places) == 3  # the first frame, and each scene
    shown = [
        np.asarray(Image.open(part_file(tmp_path / "clip.mp4", place)).convert("RGB")).mean((0, 1))
        for place in places
    ]
    wanted = [[0, 0, 0], [255, 255, 255], [255, 0, 0]]
    assert np.abs(np.array(shown) - wanted).max() < 12
    every = videos.list_frames(tmp_path / "clip.mp4", 0.5, lambda place, file: None)
    assert len(every) == 6
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UnreadableImage, match="no video, or is damaged"):
        videos.list_frames(tmp_path / "text.mp4", None, lambda place, file: None)
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "sine=d=1", tmp_path / "mute.mkv"],
        check=True,
    )
    with pytest.raises(UnreadableImage, match="no video stream"):
        videos.list_frames(tmp_path / "mute.mkv", None, lambda place, file: None)


# --------------------------------------------------------------------------- PDF


def pdf(path: Path, pages: int) -> None:
    first, *rest = [picture(seed, (300, 200)) for seed in range(pages)]
    first.save(path, save_all=True, append_images=rest, resolution=72)


@pytest.mark.pdf
def test_pages_of_a_pdf_are_images(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="needs the extra pdf")
    folder = tmp_path / "in"
    folder.mkdir()
    pdf(folder / "scan.pdf", 2)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    with Collection.create(tmp_path / "t.vernis") as collection:
        collection.index([folder], inside=["pdf"])
        assert uris(collection) == ["scan.pdf#page=1", "scan.pdf#page=2"]
        (bad,) = collection.session.images("unreadable")
        assert (bad.uri, bad.reason) == ("bad.pdf", "the file is no PDF, or is damaged")
        image = collection.session.catalog.images.find("scan.pdf#page=2")
        shown = collection.session.files.pictures(full_size=True)(image)
        assert shown.shape[:2] in ((416, 625), (417, 625), (417, 626))  # 150 dots an inch
        wanted = np.asarray(picture(1, (300, 200)).resize(shown.shape[1::-1]), float)
        assert np.abs(shown - wanted).mean() < 12


@pytest.mark.pdf
def test_an_encrypted_pdf_is_told_apart(tmp_path: Path) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs the extra pdf")
    del pdfium
    encrypted = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
        b"4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>"
        b"endobj\ntrailer<</Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\n%%EOF"
    )
    (tmp_path / "a.pdf").write_bytes(encrypted)
    with pytest.raises(UnreadableImage, match="encrypted; save it without a password"):
        documents.list_pages(tmp_path / "a.pdf", lambda place, file: None)


def test_without_the_extra_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    with pytest.raises(UnreadableImage, match=r'pip install "vernis\[pdf\]"'):
        documents.list_pages(tmp_path / "a.pdf", lambda place, file: None)


def test_a_pdf_that_kills_its_process_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.CompletedProcess([], -11)
    monkeypatch.setattr(documents, "find_spec", lambda name: True)
    monkeypatch.setattr(documents.subprocess, "run", lambda *a, **k: killed)
    with pytest.raises(UnreadableImage, match="PDFium fails on it"):
        documents.list_pages(tmp_path / "a.pdf", lambda place, file: None)
