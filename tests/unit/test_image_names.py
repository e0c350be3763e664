"""Cells of a table find their image, whatever program wrote them, or say why not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.words.image_columns import find_images
from vernis.core.words.image_names import ImageFinder
from vernis.core.words.sheets import Sheet, make_sheet
from vernis.domain.errors import UsageError

URIS = ("images/cat/x.jpg", "images/dog/x.jpg", "images/y.png", "caf\u00e9.jpg", "my file.jpg",
        "#hash?q=1.jpg", "%3Cb%3E.jpg", "0012.jpg", " lead.jpg", "new\nline.jpg",
        "a+b.jpg", "`quoted`.jpg")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "prefix", "wanted"),
    [
        ("images/cat/x.jpg", "", "images/cat/x.jpg"),
        ("./images//cat/x.jpg", "", "images/cat/x.jpg"),
        ("images\\cat\\x.jpg", "", "images/cat/x.jpg"),
        ("cat/x.jpg", "", "images/cat/x.jpg"),
        ("cat/x.jpg", "images/", "images/cat/x.jpg"),
        ("photos/images/y.png", "-photos/", "images/y.png"),
        ("y.png", "", "images/y.png"),
        ("y", "", "images/y.png"),
        ("x.jpg", "", ""),  # there are two
        ("dog/x.jpg", "", "images/dog/x.jpg"),
        ("dog/x", "", "images/dog/x.jpg"),
        ("nothing.jpg", "", ""),
        ("cafe\u0301.jpg", "", "caf\u00e9.jpg"),
        ("/root/here/images/y.png", "", "images/y.png"),
        ("/Users/ada/Pictures/images/cat/x.jpg", "", "images/cat/x.jpg"),
        ("C:\\Users\\ada\\images\\dog\\X.JPG", "", "images/dog/x.jpg"),
        ("CAF\u00c9.JPG", "", "caf\u00e9.jpg"),
        ("file:///home/ada/my%20file.jpg", "", "my file.jpg"),
        ("https://example.org/a/images/cat/x.jpg?size=2&v=1#top", "", "images/cat/x.jpg"),
        ("https://example.org/get?file=images%2Fdog%2Fx.jpg&w=9", "", "images/dog/x.jpg"),
        ("s3://bucket/images/y.png", "", "images/y.png"),
        ("/data/upload/3/8f3e2d1c-y.png", "", "images/y.png"),
        ("/data/local-files/?d=images/cat/x.jpg", "", "images/cat/x.jpg"),
        ("my%20file.jpg", "", "my file.jpg"),
        ("caf%C3%A9.jpg", "", "caf\u00e9.jpg"),
        ("'y.png'", "", "images/y.png"),
        ('"y"', "", "images/y.png"),
        ('"Y" ', "", "images/y.png"),
        ("\u201ey\u201c", "", "images/y.png"),
        ("\u00ab\u00a0y.png\u00a0\u00bb", "", "images/y.png"),
        ("\u201c12\u201d\u200b", "", "0012.jpg"),
        ("`quoted`", "", "`quoted`.jpg"),
        ("#hash?q=1.jpg", "", "#hash?q=1.jpg"),
        ("%3Cb%3E.jpg", "", "%3Cb%3E.jpg"),
        (" lead.jpg", "", " lead.jpg"),
        ("lead.jpg", "", " lead.jpg"),
        ("new\nline.jpg", "", "new\nline.jpg"),
        ("a+b.jpg", "", "a+b.jpg"),
        ("12", "", "0012.jpg"),
        ("", "", ""),
        ("https://[broken", "", ""),
    ],
)
def test_names_find_their_image(name, prefix, wanted):
    assert ImageFinder(URIS, "/root/here", prefix).find(name).uri == wanted


def test_a_name_with_a_sign_that_uris_escape_is_found():
    assert ImageFinder(["%25FF.jpg"]).find("%FF.jpg").uri == "%25FF.jpg"


def test_why_there_is_no_image_is_said():
    finder = ImageFinder(URIS)
    assert finder.find("x.jpg").reason == (
        "names several images: images/cat/x.jpg, images/dog/x.jpg"
    )
    assert finder.find("nothing.jpg").reason == "names no image of the collection"


def test_of_two_names_of_one_image_the_nearer_one_has_it():
    finder = ImageFinder(["train/cat/1.jpg", "train/dog/2.jpg"])
    exact, near, other = finder.find_all(["train/cat/1.jpg", "test/cat/1.jpg", "test/dog/2.jpg"])
    assert (exact.uri, near.uri) == ("train/cat/1.jpg", "")
    assert near.reason == "names no image; 'train/cat/1.jpg' names the one that is nearest"
    assert other.uri == "train/dog/2.jpg"  # nobody names it more exactly


names = st.text("ab/. %A", min_size=1, max_size=6)


@given(st.lists(names, unique=True, max_size=8), names | st.text(max_size=9))
def test_matching_returns_known_uris_or_nothing(uris, name):
    finder = ImageFinder(uris)
    found = finder.find(name)
    assert found.uri == "" or found.uri in uris
    assert [finder.find(uri).uri for uri in uris] == uris


# --------------------------------------------------------------------------- columns


def sheet(*rows: list[str], name: str = "") -> Sheet:
    return make_sheet(enumerate(rows, 1), "labels.csv", "/x", name=name)


FINDER = ImageFinder(["p1.jpg", "p2.jpg", "p3.jpg", "7.jpg"])


@pytest.mark.parametrize(
    "header",
    ["File name", "Filename", "Path", "Asset", "IMAGE", "who knows", "id", ""],
)
def test_the_column_of_images_is_the_one_whose_cells_name_some(header):
    rows = [["7", "P1.JPG", "cat"], ["7", "p2", "dog"], ["7", "/x/p3.jpg", "cat"]]
    table = find_images([sheet(["code", header, "kind"], *rows)], FINDER)
    assert table.image_column == (header or "column 2")
    assert [found.uri for found in table.found] == ["p1.jpg", "p2.jpg", "p3.jpg"]
    assert list(table.columns) == ["code", "kind"]


def test_ties_are_said_and_decided_by_the_name_or_by_the_user():
    rows = [["p1.jpg", "x/p1.jpg"], ["p2.jpg", "x/p2.jpg"]]
    table = find_images([sheet(["original", "path"], *rows)], FINDER)
    assert table.image_column == "path"
    assert "'original' does so as well; --image-column COLUMN chooses" in table.notes
    assert find_images([sheet(["original", "path"], *rows)], FINDER, "Original").image_column == (
        "original"
    )
    with pytest.raises(UsageError, match="no column 'file'; the columns are original, path"):
        find_images([sheet(["original", "path"], *rows)], FINDER, "file")


def test_a_table_without_a_header_is_read():
    table = find_images([sheet(["p1.jpg", "cat"], ["p2.jpg", "dog"])], FINDER)
    assert [found.uri for found in table.found] == ["p1.jpg", "p2.jpg"]
    assert dict(table.columns) == {"label": ("cat", "dog")}
    assert "there is no header" in table.notes[0]


def test_the_sheet_that_fits_is_read():
    about = sheet(["image", "who"], ["a", "b"], name="About")
    data = sheet(["image", "kind"], ["p1.jpg", "cat"], ["p2.jpg", "dog"], name="Data")
    table = find_images([about, data], FINDER)
    assert table.columns["kind"] == ("cat", "dog")
    assert "sheet 'Data' is read" in table.notes[0]
    assert find_images([about], FINDER).image_column == "image"


def test_names_of_images_in_the_trash_mean_no_other_image():
    finder = ImageFinder(["a/1.jpg", "2.jpg"], trashed=["b/1.jpg", "2.png", "3.jpg"])
    assert finder.find("1.jpg").uri == "a/1.jpg"
    for name in ("b/1.jpg", "2.png", "3.jpg", "3"):
        found = finder.find(name)
        assert (found.uri, found.in_trash, found.reason) == ("", True, "its image is in the trash")
    assert not finder.find("4.jpg").in_trash
