"""Contact sheets: places, frames, captions that fit, whole files only."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vernis.domain.errors import InvalidValue, StorageError
from vernis.report.explore.contact_sheet import Tile, draw_sheet, save_sheet, shorten

RED = np.full((40, 80, 3), (200, 0, 0), dtype=np.uint8)


def test_rows_and_columns_make_the_size():
    one = draw_sheet([[Tile(RED)]], side=100)
    two = draw_sheet([[Tile(RED), Tile(RED)], [Tile(RED)]], side=100)
    assert two.shape[1] - one.shape[1] == 100 + 8 + 12
    assert two.shape[0] - one.shape[0] == 50 + 8 + 4 + 12  # as high as its highest picture
    high = draw_sheet([[Tile(RED), Tile(None)]], side=100)
    assert high.shape[0] - one.shape[0] == 50


def test_pictures_keep_their_proportions_and_stand_on_one_line():
    sheet = draw_sheet([[Tile(RED), Tile(RED.transpose(1, 0, 2))]], side=100)
    red = (sheet == (200, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red[:, :124])
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (100, 50)
    upright = np.nonzero(red[:, 124:])[0]
    assert np.ptp(upright) + 1 == 100
    assert upright.max() == rows.max()


def test_a_frame_lies_around_the_picture():
    sheet = draw_sheet([[Tile(RED, frame="#0072B2")]], side=100)
    blue = (sheet == (0, 0x72, 0xB2)).all(axis=2)
    red = (sheet == (200, 0, 0)).all(axis=2)
    assert red.sum() == 100 * 50
    assert blue.sum() == 108 * 58 - 100 * 50


def test_a_region_is_outlined_inside_the_picture():
    sheet = draw_sheet([[Tile(RED, boxes=((0.5, 0.0, 0.5, 1.0),))]], side=100)
    marked = np.nonzero((sheet == (0xD5, 0x5E, 0)).all(axis=2))[1]
    red = np.nonzero((sheet == (200, 0, 0)).all(axis=2))[1]
    assert marked.min() == red.min() + 50


def test_a_region_leaves_the_caption_below_the_picture():
    boxed = Tile(RED, ("caption",), boxes=((0.0, 0.0, 0.5, 0.5),))
    plain, marked = (draw_sheet([[tile]], side=100) for tile in (Tile(RED, ("caption",)), boxed))
    assert np.array_equal(plain[-30:], marked[-30:])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_captions_contrast_with_the_ground(theme):
    sheet = draw_sheet([[Tile(None, ("gone",))]], title="A title", theme=theme)
    ground = int(sheet[0, 0].mean())
    assert np.abs(sheet.astype(int).mean(axis=2) - ground).max() > 150


def test_long_names_lose_their_middle():
    from vernis.report.explore.contact_sheet import _font

    font = _font(13)
    text = shorten("folder/a very long name of a picture indeed_0042.jpg", font, 150)
    assert font.getlength(text) <= 150
    assert text.startswith("folder/")
    assert text.endswith(".jpg")
    assert "…" in text
    assert shorten("short", font, 150) == "short"


def test_nothing_to_draw_and_too_much_are_refused():
    with pytest.raises(InvalidValue, match="at least one picture"):
        draw_sheet([[]])
    with pytest.raises(InvalidValue, match="fewer pictures"):
        draw_sheet([[Tile(None)] * 400], side=100)


def test_a_sheet_is_written_whole_or_not_at_all(tmp_path):
    sheet = draw_sheet([[Tile(RED, ("a",))]])
    path = save_sheet(sheet, tmp_path / "deep" / "sheet.png")
    assert np.array_equal(np.array(Image.open(path)), sheet)
    with pytest.raises(StorageError, match=r"name it sheet\.png"):
        save_sheet(sheet, tmp_path / "sheet.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write the sheet"):
        save_sheet(sheet, tmp_path / "file" / "sheet.png")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["sheet.png"]
