"""Whatever bytes a label file holds, it is read or refused in one line; rows are never mixed up."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.interchange.label_tables import read_sheets
from vernis.core.words.cell_parts import take_apart
from vernis.core.words.image_columns import find_images
from vernis.core.words.image_names import ImageFinder
from vernis.core.words.one_hot import find_one_hot
from vernis.core.words.table_reading import Choices, read_labels
from vernis.domain.errors import UsageError

FINDER = ImageFinder(["a.jpg", "b/c.jpg", "d e.png", "7.jpg"])
PIECES = ("image", "a.jpg", "b/c.jpg", "D%20E.PNG", "7", ",", ";", "\t", "|", "\n", "\r\n", '"',
          '""', "sep=;", "\ufeff", "cat", "1", "0", "x", "['a', 'b']", '{"yes": ["a"]}', "", " ",
          "kind", "xmin", "ymin", "ä", "\x0b", "\x85", "\u2028", "nan", "[", "=1+1")  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")


@settings(deadline=None, max_examples=300)
@given(
    data=st.binary(max_size=60)
    | st.builds(
        lambda pieces, encoding: "".join(pieces).encode(encoding, "replace"),
        st.lists(st.sampled_from(PIECES), max_size=40),
        st.sampled_from(ENCODINGS),
    ),
    suffix=st.sampled_from([".csv", ".tsv", ".txt", ".xlsx"]),
)
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{suffix}"
        path.write_bytes(data)
        try:
            table = find_images(read_sheets(path), FINDER)
            reading = read_labels(table, Choices())
        except UsageError as error:
            said = str(error)
            reading = None
    if reading is None:
        assert "\n" not in said
        return
    assert all(len(cells) == len(table.rows) for cells in table.columns.values())
    named = {found.uri for found in table.found} - {""}
    assert reading.images == len(named)
    for taxonomy in reading.taxonomies:
        assert taxonomy.yes.keys() <= named


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            st.text("ab,;|\t\n\r\"' ", min_size=1, max_size=6).filter(str.strip),
            st.text("ab,;|\t\n\r\"' ", max_size=6),
        ),
        min_size=1,
        max_size=6,
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_the_csv_module_writes_is_read_back(delimiter, rows, ending, encoding):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([["image", "kind"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        (sheet,) = read_sheets(path)
    assert sheet.header == ("image", "kind")
    assert list(sheet.rows) == rows
    assert sheet.left_out == sheet.notes == ()


@given(
    st.lists(st.text("ab,;|/ []{}'\"\n", max_size=9), max_size=9), st.none() | st.text(max_size=2)
)
def test_every_cell_has_its_parts(cells, separator):
    parts = take_apart(cells, separator)
    assert len(parts.yes) == len(cells)
    assert all(not cell.strip() for cell, p in zip(cells, parts.yes, strict=True)
               if not p and parts.form == "plain")  # fmt: skip


@given(
    st.lists(
        st.lists(st.sampled_from(["0", "1", "", "x", "yes", "no"]), min_size=4, max_size=4),
        min_size=2,
        max_size=4,
    )
)
def test_columns_of_yes_and_no_say_what_their_cells_say(columns):
    table = {f"c{n}": cells for n, cells in enumerate(columns)}
    hot = find_one_hot(table)
    if hot is None:
        return
    said = {"1": "yes", "0": "no", "x": "yes", "yes": "yes", "no": "no", "": ""}
    assert len(hot.classes) >= 2
    for column, states in hot.states.items():
        assert states == tuple(said[cell] for cell in table[column])
    assert not hot.broken
