"""A label file becomes given labels: blank is unknown, rows decide about their images."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FolderSource
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps.folder_classes import FOLDERS
from vernis.verbs.steps.import_ import Result, Settings, work
from vernis.verbs.steps.indexing import index_files

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data" / "images"
    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def catalog(tmp_path, root):
    with SqliteCatalog.create(tmp_path / "test.vernis") as opened:
        index_files(Session(opened), FolderSource(root), workers=1)
        yield opened


@pytest.fixture
def load(catalog, root):
    def write_and_import(text: str, **options) -> Result:
        path = root.parent / "labels.csv"
        path.write_text(text, encoding="utf-8", newline="")
        return work(Session(catalog), Settings(path, **options))

    return write_and_import


def labels(catalog, taxonomy: str) -> dict[str, set[str]]:
    matrix = catalog.labels.matrix(taxonomy)
    names = {image.id: image.uri for image in catalog.images.all()}
    return {
        names[image_id]: {matrix.taxonomy.classes[i] for i in np.flatnonzero(row == 1)}
        for image_id, row in zip(matrix.image_ids.tolist(), matrix.values, strict=True)
    }


FULL = "image,kind,tags,width\na.png,cat,x|y,4\nb.png,dog,,4\nc.png,,y,4\nd.png,cat,y,4\n"


def test_columns_become_taxonomies(catalog, load):
    summary = load(FULL)
    assert (summary.rows, summary.images) == (4, 4)
    assert dict(summary.labelled) == {"kind": 3, "tags": 3}
    assert labels(catalog, "kind") == {"a.png": {"cat"}, "b.png": {"dog"}, "c.png": set(),
                                       "d.png": {"cat"}}  # fmt: skip
    assert labels(catalog, "tags")["a.png"] == {"x", "y"}
    kinds = {t.name: (t.kind, t.closed, t.origin) for t in catalog.labels.taxonomies()}
    assert kinds["kind"] == ("single", False, "labels.csv")
    assert kinds["tags"][0] == "multi"
    assert any("width" in note for note in summary.notes)


def test_blank_is_unknown_unless_closed(catalog, load):
    load(FULL, closed=["tags"])
    matrix = catalog.labels.matrix("tags")
    assert matrix.values[3].tolist() == [0.0, 1.0]
    assert np.isnan(matrix.values[1]).all()


def test_chosen_columns_overrule(catalog, load):
    summary = load(FULL, taxonomy=["width"])
    assert list(summary.labelled) == ["width"]
    with pytest.raises(UsageError, match=r"no column 'nix'; the columns are kind, tags, width"):
        load(FULL, taxonomy=["nix"])


def test_a_second_import_changes_only_what_its_rows_say(catalog, load):
    load(FULL)
    image = catalog.images.find("b.png").id
    catalog.labels.record(
        "kind", [Statement(image, "cat", "yes")], source="human:ada", verb="accept"
    )
    load("image,kind,tags\na.png,dog,y\nb.png,,\nc.png,cat,z|x\n")
    assert labels(catalog, "kind") == {"a.png": {"dog"}, "b.png": {"cat"}, "c.png": {"cat"},
                                       "d.png": {"cat"}}  # fmt: skip
    assert labels(catalog, "tags") == {"a.png": {"y"}, "b.png": set(), "c.png": {"x", "z"},
                                       "d.png": {"y"}}  # fmt: skip
    given = [said for source, said in catalog.labels.statements("kind", image) if source == "given"]
    assert given == []


def test_the_same_file_again_leaves_no_event(catalog, load):
    load(FULL)
    before = len(catalog.history.batches())
    load(FULL)
    assert len(catalog.history.batches()) == before


def test_a_single_column_fits_into_a_multi_label_taxonomy(catalog, load):
    load(FULL)
    load("image,tags\na.png,x\nb.png,y\n")
    assert labels(catalog, "tags")["a.png"] == {"x"}


def test_split_and_title_are_kept_with_the_image(catalog, load):
    load("image,kind,split,title\na.png,cat,train,A cat\nb.png,dog,test,\nc.png,cat,train,x\n")
    image = catalog.images.find("a.png")
    assert (image.split, image.metadata["title"]) == ("train", "A cat")
    assert image.metadata["mode"] == "RGB"
    assert catalog.images.find("d.png").split == ""
    assert len(catalog.images.all()) == 4


def test_paths_from_the_label_files_folder_and_absolute_ones(catalog, load, root):
    load(f"image,kind\nimages/a.png,cat\n{root / 'b.png'},dog\nc,cat\n")
    assert labels(catalog, "kind")["a.png"] == {"cat"}
    assert labels(catalog, "kind")["b.png"] == {"dog"}
    assert labels(catalog, "kind")["c.png"] == {"cat"}


def test_rows_without_an_image_are_listed_with_their_number(catalog, load):
    summary = load("image,kind\na.png,cat\nno.png,dog\nb.png,dog\n=nix.png,cat\n")
    assert dict(summary.labelled) == {"kind": 2}
    (note,) = [note for note in summary.notes if "left out" in note]
    assert note == (
        "labels.csv: left out, in 2 rows: names no image of the collection (row 3 'no.png', and 1 "
        f"more like it); all of them: {summary.import_notes}"
    )
    assert Path(summary.import_notes) == catalog.folder / "import-notes.csv"
    with open(summary.import_notes, encoding="utf-8-sig", newline="") as stream:
        listed = list(csv.reader(stream))
    assert listed == [
        ["file", "row", "image", "column", "cell", "reason"],
        ["labels.csv", "3", "no.png", "", "", "names no image of the collection"],
        ["labels.csv", "5", "'=nix.png", "", "", "names no image of the collection"],
    ]
    assert load(FULL).import_notes is None
    assert not (catalog.folder / "import-notes.csv").exists()


def test_rows_that_contradict_each_other_are_left_out_and_no_others(catalog, load):
    summary = load(
        "image,kind,tags\na.png,cat,x\nb.png,dog,y\na.png,dog,x\nb.png,dog,y\nc.png,cat,\nc.png,,z\n"
    )
    assert labels(catalog, "kind") == {"a.png": set(), "b.png": {"dog"}, "c.png": {"cat"},
                                       "d.png": set()}  # fmt: skip
    assert labels(catalog, "tags")["a.png"] == {"x"}
    assert labels(catalog, "tags")["c.png"] == {"z"}
    (entry,) = summary.left_out
    assert (entry.row, entry.column, entry.cell) == (4, "kind", "dog")
    assert "contradicts row 2" in entry.reason
    assert any("2 rows repeat an earlier one" in note for note in summary.notes)


@pytest.mark.parametrize(
    ("text", "row", "first"),
    [
        ("image,kind\na.png,cat\na.png,cat\na.png,dog\nb.png,dog\n", 4, 2),
        ("image,kind\na.png,\nb.png,dog\na.png,cat\na.png,dog\n", 5, 4),
        ("Stock of 2023\n\nimage,kind\na.png,cat\na.png,cat\na.png,dog\nb.png,dog\n", 6, 4),
    ],
)
def test_the_row_that_contradicts_is_named_and_not_one_that_agrees_or_is_blank(
    load, text, row, first
):
    summary = load(text, row="image")
    assert [(entry.row, entry.cell) for entry in summary.left_out] == [(row, "dog")]
    (note,) = [note for note in summary.notes if "left out" in note]
    assert f"contradicts row {first} (row {row} 'a.png', kind)" in note


def test_cells_with_another_separator_than_the_rest_are_told_with_a_row(catalog, load):
    text = "image,tags\na.png,x;y\nb.png,y;z\nc.png,z|x\nd.png,x;q|r\nother.png,z;y\nother.png,x\n"
    notes = load(text).notes
    assert labels(catalog, "tags")["c.png"] == {"x", "z"}
    assert labels(catalog, "tags")["d.png"] == {"x", "q|r"}
    assert any("another separator stands in 1 cell (row 4: 'z|x')" in note for note in notes)
    assert any("kept in the name of the class" in n and "(row 5: 'x;q|r')" in n for n in notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_tables_of_any_program_are_read(catalog, root, encoding, ends):
    path = root.parent / "labels.csv"
    path.write_bytes(ends.join(["Datei;Art", "a.png;Käse", "b.png;Öl", ""]).encode(encoding))
    work(Session(catalog), Settings(path, taxonomy=["Art"]))
    assert labels(catalog, "Art")["a.png"] == {"Käse"}


BOXES = "image,class,xmin,ymin\na.png,cat,1,2\na.png,dog,1,2\na.png,cat,5,2\nb.png,cat,1,2\n"
TAGS = "image,tag\na.png,x\na.png,y\nb.png,x\nb.png,z\nc.png,y\n"


@pytest.mark.parametrize(("text", "taxonomy"), [(BOXES, "class"), (TAGS, "tag")])
def test_a_row_may_be_a_box_or_a_label(catalog, load, text, taxonomy):
    summary = load(text, dry_run=True, row="image")
    assert {entry.column for entry in summary.left_out} == {taxonomy}
    summary = load(text)
    assert summary.left_out == ()
    assert any("of all rows of an image go together" in note for note in summary.notes)
    wanted = {"cat", "dog"} if taxonomy == "class" else {"x", "y"}
    assert labels(catalog, taxonomy)["a.png"] == wanted
    assert catalog.labels.taxonomy(taxonomy).kind == "multi"


ONE_HOT = "image,cat,dog,width\na.png,1,0,4\nb.png,0,1,4\nc.png,1,1,4\nd.png,1,,4\n"


def test_columns_of_yes_and_no_become_one_taxonomy_with_both_states(catalog, load):
    summary = load(ONE_HOT)
    matrix = catalog.labels.matrix("labels")
    assert matrix.taxonomy.kind == "multi"
    assert np.nan_to_num(matrix.values, nan=-1).tolist() == [[1, 0], [0, 1], [1, 1], [1, -1]]
    assert any("--one-hot ''" in note for note in summary.notes)
    roles = {row.column: row.taken_as for row in summary.columns}
    assert roles == {"cat": "class", "dog": "class", "width": "metadata"}


def test_one_hot_can_be_overruled_and_asked_for(load):
    assert "labels" not in load(ONE_HOT, one_hot=[""], taxonomy=["cat"], dry_run=True).labelled
    one = load("image,cat,dog\na.png,1,x\nb.png,0,maybe\n", one_hot=["cat", "dog"], dry_run=True)
    assert dict(one.labelled) == {"labels": 1}
    assert [(e.row, e.column, e.reason) for e in one.left_out] == [
        (3, "dog", "could not be understood")
    ]


def test_a_later_table_of_yes_and_no_withdraws_what_it_does_not_say(catalog, load):
    load(ONE_HOT)
    load("image,cat,dog\na.png,0,\nb.png,0,1\n", one_hot=["cat", "dog"])
    values = np.nan_to_num(catalog.labels.matrix("labels").values, nan=-1)
    assert values.tolist() == [[0, -1], [0, 1], [1, 1], [1, -1]]


def test_cells_that_cannot_be_understood_are_left_out(catalog, load):
    summary = load(
        'image,tags\na.png,"[\'x\', \'y\']"\nb.png,"[\'x\'"\nc.png,"[""y""]"\nd.png,[]\n'
    )
    assert labels(catalog, "tags") == {"a.png": {"x", "y"}, "b.png": set(), "c.png": {"y"},
                                       "d.png": set()}  # fmt: skip
    (entry,) = summary.left_out
    assert (entry.row, entry.cell) == (3, "['x'")


def test_a_dry_run_says_what_would_be_taken_and_changes_nothing(catalog, load):
    summary = load(FULL + "no.png,cat,,\n", dry_run=True)
    assert summary.dry_run
    assert [(r.column, r.taken_as, r.kind, r.images, r.classes) for r in summary.columns] == [
        ("kind", "taxonomy", "single", 3, ("cat", "dog")),
        ("tags", "taxonomy", "multi", 3, ("y", "x")),
        ("width", "metadata", "", None, ()),
    ]
    assert [entry.row for entry in summary.left_out] == [6]
    assert summary.import_notes is None
    assert not (catalog.folder / "import-notes.csv").exists()
    assert catalog.labels.taxonomies() == []


def test_several_classes_do_not_stop_the_import_into_a_taxonomy_of_single_labels(catalog, load):
    load("image,kind\na.png,cat\nb.png,dog\n")
    summary = load("image,kind\na.png,cat|dog\nb.png,cat\nc.png,dog\n")
    assert labels(catalog, "kind") == {"a.png": {"cat"}, "b.png": {"cat"}, "c.png": {"dog"},
                                       "d.png": set()}  # fmt: skip
    (entry,) = summary.left_out
    assert (entry.row, entry.cell) == (2, "cat | dog")
    assert entry.reason == "has several classes, but kind holds one an image"


def test_one_class_beside_blank_cells_is_a_taxonomy_and_a_constant_is_none(catalog, load):
    summary = load("image,tag,origin,empty\na.png,logo,web,\nb.png,,web,\nc.png,logo,web,\n")
    assert dict(summary.labelled) == {"tag": 2}
    assert any("origin (one value only)" in note for note in summary.notes)


def test_a_column_called_like_a_taxonomy_is_one(catalog, load):
    load("image,rating\na.png,4\nb.png,5\n", taxonomy=["rating"])
    load("image,rating\na.png,5\n")
    assert labels(catalog, "rating")["a.png"] == {"5"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,kind\nx/1.png,cat\ny/2.png,dog\n", r"none of its 2 images.*row 2: 'x/1.png'"),
        ("image,width\na.png,4\nb.png,5\n", r"no column looks like a taxonomy.*--taxonomy"),
        ("image\na.png\n", "no other columns"),
    ],
)
def test_an_import_that_takes_nothing_fails_and_says_why(load, text, words):
    with pytest.raises(InvalidLabels, match=words) as caught:
        load(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_column": "who"}, "no column 'who'; the columns are image, kind"),
        ({"one_hot": ["who"]}, "no column 'who'"),
        ({"closed": ["who"]}, "no taxonomy 'who' to be closed"),
    ],
)
def test_what_is_not_in_the_table_is_a_wrong_usage(load, options, words):
    with pytest.raises(UsageError, match=words):
        load(FULL, **options)


def test_one_undo_takes_a_taxonomys_import_back(catalog, load):
    load("image,kind\na.png,cat\nb.png,dog\n")
    catalog.history.undo(catalog.history.latest(imports=True))
    assert catalog.labels.taxonomies() == []


def test_names_are_taken_as_people_read_them(catalog, load):
    summary = load("image,kind\na.png,Cafe\u0301\nb.png,Caf\xe9\u200b\nc.png,caf\xe9\nd.png,N/A\n")
    assert labels(catalog, "kind") == {
        "a.png": {"Caf\xe9"}, "b.png": {"Caf\xe9"}, "c.png": {"caf\xe9"}, "d.png": set(),
    }  # fmt: skip
    notes = "\n".join(summary.notes)
    assert "kind: read as blank: 'N/A' (1); --blank '' takes them as classes" in notes
    assert "kind: 1 class is written in several ways that look the same" in notes
    assert "each taken as one: Caf\xe9\n" in notes
    assert "classes that look alike: Caf\xe9 (2) / caf\xe9 (1) (case)" in notes
    assert "vernis vocabulary kind --merges" in notes


def test_a_rare_spelling_is_folded_and_undone_with_the_import(catalog, load):
    load("image,kind\na.png,cat\nb.png,cat\nc.png,cat\n", taxonomy=["kind"])
    text = "image,kind\nd.png,CAT\n"
    assert any("CAT > cat" in note for note in load(text, taxonomy=["kind"]).notes)
    assert labels(catalog, "kind")["d.png"] == {"cat"}
    catalog.history.undo(catalog.history.latest(imports=True))
    assert labels(catalog, "kind")["d.png"] == set()
    load(text, taxonomy=["kind"], keep_case=True)
    assert labels(catalog, "kind")["d.png"] == {"CAT"}


def test_owners_say_what_is_blank(catalog, load):
    text = "image,dish\na.png,nan\nb.png,rice\nc.png,none\nd.png,-\n"
    load(text, blank=["none", "-"])
    assert labels(catalog, "dish")["a.png"] == {"nan"}
    assert labels(catalog, "dish")["c.png"] == set()
    load(text, blank=[""])
    assert labels(catalog, "dish")["c.png"] == {"none"}
    assert labels(catalog, "dish")["d.png"] == {"-"}


def test_classes_of_folders_that_retire_do_not_decide_what_a_column_may_hold(catalog, load):
    catalog.labels.define(Taxonomy("class", "single", ("images",), origin=FOLDERS))
    catalog.labels.record("class", [Statement(1, "images", "yes")], source="given", verb="index")
    assert load(BOXES).left_out == ()
    assert labels(catalog, "class")["a.png"] == {"cat", "dog"}
