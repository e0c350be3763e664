"""``read`` on drawn pictures: once each, resumable, bad files set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import vernis
from vernis.domain.errors import FilterError, ModelError, UsageError
from vernis.domain.readings import Reading

WORDS = {
    "vodka": ("ABSOLUT", "VODKA"),
    "gin": ("Plymouth", "Gin"),
    "plate": ("RE16 TGK",),
    "sign": ("MONKEY-47",),
    "blank": (),
}


def write(path: Path, *lines: str, size: tuple[int, int] = (480, 320)) -> None:
    image = Image.new("RGB", size, "#dfe6ee")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size[1] // 6)
    for number, text in enumerate(lines):
        where = (size[0] // 10, size[1] * (1 + 2 * number) // 8)
        draw.text(where, text, fill="#101018", font=font)
    image.save(path)


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vernis.Collection]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, lines in WORDS.items():
        write(folder / f"{name}.png", *lines)
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        yield made


def texts_of(collection: vernis.Collection, name: str) -> list[Reading]:
    (found,) = collection.catalog.readings.texts(
        [collection.catalog.images.find(f"{name}.png").content_hash]
    )
    return list(found.readings)


def test_text_and_that_there_is_none_is_kept(collection):
    found = collection.read()
    assert (found.images, found.read, found.with_text, found.computed) == (5, 5, 4, 5)
    assert found.share == 0.8
    assert [one.text for one in texts_of(collection, "plate")] == ["RE16 TGK"]
    assert {one.text for one in texts_of(collection, "vodka")} == {"ABSOLUT", "VODKA"}
    assert texts_of(collection, "blank") == []


def test_a_second_run_reads_only_what_is_new(collection, tmp_path):
    assert collection.read(where="name:gin.png").computed == 1
    assert collection.read().computed == 4
    write(tmp_path / "pictures" / "rum.png", "Havana Club")
    (tmp_path / "pictures" / "copy.png").write_bytes(
        (tmp_path / "pictures" / "gin.png").read_bytes()
    )
    (tmp_path / "pictures" / "vodka.png").rename(tmp_path / "pictures" / "moved.png")
    collection.index()
    again = collection.read()
    assert (again.computed, again.read, again.with_text) == (1, 7, 6)
    assert collection.read(again=True, where="name:rum.png").computed == 1


def test_an_interrupted_run_keeps_what_it_read(collection):
    def stop(task: str, done: int, total: int | None, note: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    collection.session.progress = stop
    with pytest.raises(KeyboardInterrupt):
        collection.read(workers=1)
    collection.session.progress = lambda *_, **__: None
    assert collection.read().computed == 3


def test_a_file_that_cannot_be_decoded_is_set_aside(collection, tmp_path):
    path = tmp_path / "pictures" / "gin.png"
    path.write_bytes(path.read_bytes()[:400])
    found = collection.read()
    assert (found.unreadable, found.read, found.computed) == (1, 4, 4)
    assert "gin.png: " in found.notes[0]
    assert collection.catalog.images.find("gin.png").state == "unreadable"
    broken = collection.catalog.issues.select(("broken",))
    assert [issue.image_id for issue in broken] == [collection.catalog.images.find("gin.png").id]


def test_corners_are_those_of_the_whole_upright_picture(collection, tmp_path):
    write(tmp_path / "pictures" / "large.png", "MARTELL", size=(4500, 3000))
    image = Image.open(tmp_path / "pictures" / "large.png")
    exif = Image.Exif()
    exif[0x112] = 6  # the camera was held on its side: turned by a quarter, shown upright
    image.transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "pictures" / "turned.jpg", quality=90, exif=exif
    )
    collection.index()
    collection.read(where="name:large.png or name:turned.jpg")
    for name in ("large.png", "turned.jpg"):
        image = collection.catalog.images.find(name)
        (found,) = collection.catalog.readings.texts([image.content_hash])
        (line,) = found.readings
        assert line.text == "MARTELL"
        left, top = line.corners.min(axis=0)
        right, low = line.corners.max(axis=0)
        assert 300 < left < 500
        assert 1500 < right < 3500
        assert 350 < top < 550
        assert 700 < low < 1000


def test_a_reader_that_is_none_is_refused(collection, tmp_path):
    with pytest.raises(UsageError, match="no such reader"):
        collection.read(reader="tesseract")
    with pytest.raises(ModelError, match="expected a detector"):
        collection.read(reader=tmp_path / "pictures")
    with pytest.raises(FilterError):
        collection.read(where="nothing:here")
    assert not collection.catalog.readings.lines(0)


def test_the_thread_count_changes_nothing(collection):
    collection.read(workers=1)
    one = collection.catalog.readings.lines(0)
    corners = np.stack([line.corners for line in texts_of(collection, "vodka")])
    collection.read(workers=3, again=True)
    assert collection.catalog.readings.lines(0) == one
    again = np.stack([line.corners for line in texts_of(collection, "vodka")])
    np.testing.assert_array_equal(corners, again)


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ('text:"absolut vodka"', ["vodka"]),
        ('text:"vodka absolut"', ["vodka"]),
        ("text:abs*", ["vodka"]),
        ("text:g?n", ["gin"]),
        ("text:monkey-47", ["sign"]),
        ('text:"47 monkey"', ["sign"]),
        ("text:monk", []),
        ("text:RE16", ["plate"]),
        ("text~e16", ["plate"]),
        ("text~RE16TGK", ["plate"]),
        ("text~monkey4", ["sign"]),
        ("text~tgkre16", []),
        ('text:"plymouth vodka"', []),
        ("not has:text", ["blank"]),
        ("has:text and not text:gin", ["plate", "sign", "vodka"]),
    ],
)
def test_filters_ask_for_words_and_pieces_of_text(read_once, where, names):
    ids = read_once.explore.select(where)
    found = [image.uri.removesuffix(".png") for image in read_once.catalog.images.get(ids.tolist())]
    assert sorted(found) == names


@pytest.fixture(scope="module")
def read_once(tmp_path_factory) -> Iterator[vernis.Collection]:
    folder = tmp_path_factory.mktemp("once") / "pictures"
    folder.mkdir()
    for name, lines in WORDS.items():
        write(folder / f"{name}.png", *lines)
    with vernis.Collection.create(folder.parent / "x.vernis") as made:
        made.index(folder)
        made.read()
        yield made


def test_what_a_filter_cannot_ask_of_text_is_said(collection, read_once):
    with pytest.raises(FilterError, match="vernis read"):
        collection.explore.select("text:gin")
    with pytest.raises(FilterError, match="neither letter nor digit"):
        read_once.explore.select('text:"--"')
    with pytest.raises(FilterError, match="only by : ~"):
        read_once.explore.select("text>3")


def test_search_by_words_finds_what_is_read_also_what_is_read_later(collection):
    def found(*words: str) -> list[str]:
        (one,) = collection.explore.search(words).searches
        return [row.image for row in one.results]

    assert found("plymouth") == []
    collection.read(where="name:gin.png")
    assert found("plymouth") == ["gin.png"]
    assert found("absolut", "gin") == ["gin.png"]
    collection.read()
    assert found("vodka", "absolut") == ["vodka.png"]
    assert found("monkey") == ["sign.png"]
