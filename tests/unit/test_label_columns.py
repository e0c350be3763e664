"""Columns are taken for taxonomies only when they hold classes; rows find their image."""

from __future__ import annotations

import pytest

from vernis.core.words.blank_words import ONLY_EMPTY, USUAL_BLANKS
from vernis.core.words.label_columns import (
    judge_column,
    split_cell,
)


@pytest.mark.parametrize(
    ("name", "cells", "role", "kind"),
    [
        ("kind", ["a", "b", "a", ""], "taxonomy", "single"),
        ("keywords", ["sea|sun", "sun", "sea", "sand|sea"], "taxonomy", "multi"),
        ("label", ["0", "1", "2", "0", "1"], "taxonomy", "single"),
        ("split", ["train", "test", "train"], "split", "single"),
        ("width", ["200", "300", "200"], "metadata", "single"),
        ("fine_id", ["a", "b", "a"], "metadata", "single"),
        ("source_path", ["a/x", "b/y"], "metadata", "single"),
        ("article", ["007", "7", "1.0", "1", "1e3", "-1", "7"], "taxonomy", "single"),
        ("weight", ["0.7", "7", "1.0", "1e3", "-1", "7"], "metadata", "single"),
        ("rating", ["1.5", "2", "2"], "metadata", "single"),
        ("day", ["2020-01-02", "2020-01-03"], "metadata", "single"),
        ("empty", ["", "nan", "N/A"], "metadata", "single"),
        ("same", ["x", "x", "x"], "metadata", "single"),
        ("sku", [f"item{i}" for i in range(30)], "metadata", "single"),
        ("about", ["a long sentence that says much of what is to be seen here"] * 2 + ["b"],
         "metadata", "single"),
        ("title", ["a", "b", "a"], "metadata", "single"),
    ],
)  # fmt: skip
def test_columns_are_judged_by_name_and_values(name, cells, role, kind):
    use = judge_column(name, cells)
    assert (use.role, use.kind) == (role, kind)
    assert use.reason or role == "taxonomy"


def test_cells_are_split_trimmed_and_deduplicated():
    assert split_cell(" sea | sun|sea || nan ") == ("sea", "sun")
    assert split_cell("") == ()
    assert split_cell("Cafe\u0301|Caf\xe9 |NULL|tea\u200b", USUAL_BLANKS) == ("Caf\xe9", "tea")
    assert split_cell("nan|rice| ", ONLY_EMPTY) == ("nan", "rice")
