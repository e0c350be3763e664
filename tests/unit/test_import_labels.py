"""A label file becomes given labels: blank is unknown, rows decide about their images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FolderSource
from vernis.adapters.interchange.csv_labels import read_label_table
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import Statement
from vernis.session.session import Session
from vernis.verbs.steps.indexing import index_files
from vernis.verbs.steps.label_import import import_labels

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
    def write_and_import(text: str, **options):
        path = root.parent / "labels.csv"
        path.write_text(text)
        return import_labels(Session(catalog), read_label_table(path), **options)

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
    assert (summary.rows, summary.matched) == (4, 4)
    assert dict(summary.taxonomies) == {"kind": 3, "tags": 3}
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
    summary = load(FULL, taxonomies=["width"])
    assert list(summary.taxonomies) == ["width"]
    with pytest.raises(UsageError, match=r"no column 'nix'; the columns are kind, tags, width"):
        load(FULL, taxonomies=["nix"])


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


def test_rows_without_an_image_are_counted_with_their_number(load):
    summary = load("image,kind\na.png,cat\nno.png,dog\nb.png,dog\nnix.png,cat\n")
    (note,) = [note for note in summary.notes if "name no image" in note]
    assert "2 of 4 rows" in note
    assert "row 3 'no.png'" in note


def test_repeated_rows_are_said_and_contradictions_refused(catalog, load):
    summary = load("image,kind\na.png,cat\nb.png,dog\na.png,cat\n")
    assert any("repeat" in note and "row 4" in note for note in summary.notes)
    with pytest.raises(InvalidLabels, match=r"row 4 contradicts row 2 .* 'kind'"):
        load("image,kind\na.png,dog\nb.png,dog\na.png,cat\n")
    assert labels(catalog, "kind")["a.png"] == {"cat"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,kind\nx/1.png,cat\ny/2.png,dog\n", r"none of its 2 images.*row 2: 'x/1.png'"),
        ("image,width\na.png,4\nb.png,5\n", r"no column looks like a taxonomy.*--taxonomy"),
        ("image\na.png\n", "no other columns"),
    ],
)
def test_useless_files_are_refused(load, text, words):
    with pytest.raises(InvalidLabels, match=words) as caught:
        load(text)
    assert "\n" not in str(caught.value)


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
    load("image,kind\na.png,cat\nb.png,cat\nc.png,cat\n", taxonomies=["kind"])
    text = "image,kind\nd.png,CAT\n"
    assert any("CAT > cat" in note for note in load(text, taxonomies=["kind"]).notes)
    assert labels(catalog, "kind")["d.png"] == {"cat"}
    catalog.history.undo(catalog.history.latest(imports=True))
    assert labels(catalog, "kind")["d.png"] == set()
    load(text, taxonomies=["kind"], keep_case=True)
    assert labels(catalog, "kind")["d.png"] == {"CAT"}


def test_owners_say_what_is_blank(catalog, load):
    text = "image,dish\na.png,nan\nb.png,rice\nc.png,none\nd.png,-\n"
    load(text, blank=["none", "-"])
    assert labels(catalog, "dish")["a.png"] == {"nan"}
    assert labels(catalog, "dish")["c.png"] == set()
    load(text, blank=[""])
    assert labels(catalog, "dish")["c.png"] == {"none"}
    assert labels(catalog, "dish")["d.png"] == {"-"}
