"""Files that are no pictures, by kind in a person's words."""

from __future__ import annotations

from vernis.adapters.files import IMAGE_SUFFIXES
from vernis.core.explore.file_kinds import FILE_KINDS, name_file_kinds, say_file_kinds


def test_suffixes_are_counted_by_kind_in_the_order_of_telling():
    found = {".pptx": 2, ".txt": 1, ".mp4": 1, ".key": 1, "(none)": 3, ".blend": 1, ".mov": 4}
    named = name_file_kinds(found)
    assert named == {"videos": 5, "slide decks": 3, "text files": 1, "other files": 4}
    assert list(named) == ["videos", "slide decks", "text files", "other files"]
    assert say_file_kinds({}) == ""


def test_what_would_take_a_kind_in_is_said():
    said = say_file_kinds({".mp4": 1, ".svg": 2})
    assert said.startswith(
        "1 video (their frames are read with --inside video), "
        "2 vector drawings (exported as PNG they are read"
    )
    for suffix in (".nef", ".jxl", ".svg", ".zip"):
        assert "they are read" in say_file_kinds({suffix: 1})


def test_no_kind_claims_what_another_has_or_what_is_read_as_a_picture():
    suffixes = [suffix for kind in FILE_KINDS for suffix in kind.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert not set(suffixes) & IMAGE_SUFFIXES
