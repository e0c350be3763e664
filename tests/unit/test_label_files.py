"""Label files are read as people write them, and refused in one clear line."""

from __future__ import annotations

import pytest

from vernis.adapters.interchange.label_tables import find_label_tables, read_label_table
from vernis.core.words.image_names import ImageFinder
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
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        b"\x84\x31\x95\x33" + PLAIN.encode("gb18030"),
        "\ufeff" + "\ufeff" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=;"\r\n' + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
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
    assert table.notes == table.left_out == ()


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
        ("name of it,kind\na,b\n", "no column 'image'; the columns are name of it, kind"),
        (b"image\0,kind\n", "zero bytes"),
        (b"%PDF-1.7 a,b\nc,d\n", "no table"),
        (b"PK\3\4 is no workbook", "no readable Excel workbook"),
    ],
)
def test_what_is_no_table_is_refused(read, data, words):
    with pytest.raises(InvalidLabels, match=words) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    assert "labels.csv" in str(caught.value)


def test_rows_that_do_not_fit_are_left_out_with_their_number(read):
    table = read("image,kind\na.jpg,x,y\nb.jpg,z\n,q\n\nc.jpg\n")
    assert table.images == ("b.jpg", "c.jpg")
    assert [(e.row, e.reason.split(";")[0]) for e in table.left_out] == [
        (2, "3 cells, the header has 2"),
        (4, "no image in this row"),
    ]


def test_columns_of_one_name_are_told_apart(read):
    table = read("image,kind,kind\na,b,c\n")
    assert dict(table.columns) == {"kind": ("b",), "kind (2)": ("c",)}
    assert "two columns are called 'kind'" in table.notes[0]


def test_what_stands_above_the_header_is_left_aside(read):
    table = read("Our photographs,,\nexported 2024-01-02,,\n\nimage,kind,tags\na.jpg,cat,x\n")
    assert (table.images, table.rows) == (("a.jpg",), (5,))
    assert table.notes == ("the header is row 4; what stands above it is no part of the table",)


def test_a_header_without_the_name_of_the_first_column_as_r_writes_it(read):
    table = read('"image","kind"\n"1","a.jpg","cat"\n"2","b.jpg","dog"\n')
    assert table.images == ("a.jpg", "b.jpg")
    assert table.columns["kind"] == ("cat", "dog")


def test_a_quote_that_never_closes_costs_its_row_alone(read):
    table = read('image,kind\na.jpg,cat\nb.jpg,"dog\nc.jpg,"a ""b"""\nd.jpg,e\n')
    assert table.images == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert table.columns["kind"] == ("cat", "dog", 'a "b"', "e")
    assert table.notes == ("row 3 has a quote that is not closed; it is read without it",)


def test_a_cell_may_be_longer_than_the_module_allows(read):
    assert read(f"image,mask\na.jpg,{'9' * 200_000}\n").columns["mask"] == ("9" * 200_000,)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt"])
def test_the_delimiter_is_what_gives_most_rows_as_many_cells(tmp_path, suffix):
    path = tmp_path / f"labels.{suffix}"
    path.write_text("image|kind\na, b.jpg|x;y\nc.jpg|z, z\n", encoding="utf-8")
    table = read_label_table(path)
    assert table.images == ("a, b.jpg", "c.jpg")
    assert table.columns["kind"] == ("x;y", "z, z")


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
    (tmp_path / "readme.txt").write_text("a.jpg is a cat\n", encoding="utf-8")
    (tmp_path / "list.txt").write_text("a.jpg\tcat\nb.jpg\tdog\n", encoding="utf-8")
    (tmp_path / "classes.csv").write_text("class,count\ncat,1\n", encoding="utf-8")
    found = [path.name for path in find_label_tables(tmp_path, ImageFinder(["a.jpg", "b.jpg"]))]
    assert found == ["more.csv", "labels.csv", "list.txt", "boxes.csv"]
