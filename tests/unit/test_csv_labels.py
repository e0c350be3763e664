"""Label files are read as people write them, and refused in one clear line."""

from __future__ import annotations

import pytest

from vernis.adapters.interchange.csv_labels import find_label_tables, read_label_table
from vernis.domain.errors import InvalidLabels


@pytest.fixture
def read(tmp_path):
    def write_and_read(data: str | bytes):
        path = tmp_path / "labels.csv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return read_label_table(path)

    return write_and_read


PLAIN = "image,kind,tags\na.jpg,cat,x|y\nb.jpg,,z\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN + "\n\n,,\n",
        "image,kind,tags,,\na.jpg,cat,x|y,,\nb.jpg,,z,,\n",
        '"image","kind","tags"\n"a.jpg","cat","x|y"\n"b.jpg","","z"\n',
        "tags,kind,image\nx|y,cat,a.jpg\nz,,b.jpg\n",
    ],
)
def test_the_same_table_in_many_dialects(read, data):
    table = read(data)
    assert table.images == ("a.jpg", "b.jpg")
    assert table.rows == (2, 3)
    assert dict(table.columns) == {"kind": ("cat", ""), "tags": ("x|y", "z")}


def test_other_names_of_the_image_column_are_said(read):
    table = read("File_Name,kind\na.jpg,cat\n")
    assert table.images == ("a.jpg",)
    assert table.notes == ("column 'File_Name' names the images",)


def test_windows_1252_is_read_and_said(read):
    table = read("image,kind\ncafé.jpg,Käse\n".encode("cp1252"))
    assert table.images == ("café.jpg",)
    assert "Windows-1252" in table.notes[0]


def test_cells_may_hold_delimiters_and_lines(read):
    table = read('image,kind\n"a, b.jpg","two\nlines"\nc.jpg,x\n')
    assert table.images == ("a, b.jpg", "c.jpg")
    assert table.rows == (2, 3)


def test_short_rows_are_filled_with_blanks(read):
    assert read("image,kind,tags\na.jpg,cat\n").columns["tags"] == ("",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "no rows"),
        ("image,kind\n", "no rows"),
        ("name,kind\na,b\n", "no column 'image'; the columns are name, kind"),
        ("image,kind,kind\na,b,c\n", "'kind' appears twice"),
        ("image,kind\na.jpg,x,y\n", "row 2 has 3 cells, the header 2"),
        ("image,kind\na.jpg,x\n,y\n", "row 3 has no image"),
        (b"image\0,kind\n", "zero bytes"),
        ('image,kind\n"a.jpg,x\n', "row 2 is not valid CSV"),
    ],
)
def test_bad_files_are_refused_with_the_row(read, data, words):
    with pytest.raises(InvalidLabels, match=words) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(InvalidLabels, match="cannot be read"):
        read_label_table(tmp_path / "no.csv")


def test_tables_of_a_folder_are_found_by_the_images_they_name(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "labels.csv").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "more.csv").write_text(PLAIN + "c.jpg,dog,\n", encoding="utf-8")
    boxes = "image,label\na.jpg,cat\n" + "b.jpg,cat\n" * 5
    (tmp_path / "boxes.csv").write_text(boxes, encoding="utf-8")
    (tmp_path / "others.csv").write_text("image,kind\nx.jpg,cat\ny.jpg,dog\n", encoding="utf-8")
    (tmp_path / "classes.csv").write_text("class,count\ncat,1\n", encoding="utf-8")
    found = [path.name for path in find_label_tables(tmp_path)]
    assert found == ["more.csv", "labels.csv", "boxes.csv"]
