"""Real folder layouts and label files are understood as a person means them."""

from __future__ import annotations

import pytest

from vernis.adapters.files import FolderSource
from vernis.adapters.interchange.label_tables import read_label_table
from vernis.core.words.class_folders import read_class_folders
from vernis.core.words.image_names import ImageFinder
from vernis.core.words.label_columns import judge_column

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("file", "single", "multi"),
    [
        ("grocery/images.csv", {"fine", "coarse", "kind", "brand"}, set()),
        ("clothing_a/images.csv", {"label"}, set()),
        ("aquarium/images.csv", set(), {"labels"}),
        ("coco128_a/images.csv", set(), {"labels"}),
        (
            "cifar10n_a/labels.csv",
            {"clean", "aggre", "random1", "random2", "random3", "worse"},
            set(),
        ),
    ],
)
def test_taxonomies_of_real_label_files(real_data, file, single, multi):
    table = read_label_table(real_data / file)
    uses = [judge_column(name, cells) for name, cells in table.columns.items()]
    found = {kind: {u.name for u in uses if (u.role, u.kind) == ("taxonomy", kind)}
             for kind in ("single", "multi")}  # fmt: skip
    assert found == {"single": single, "multi": multi}
    assert [u.name for u in uses if u.role == "split"] == (
        ["split"] if "split" in table.columns else []
    )


@pytest.mark.parametrize("root", ["grocery", "grocery/images"])
def test_rows_find_their_images_from_either_root(real_data, root):
    table = read_label_table(real_data / "grocery" / "images.csv")
    uris = [file.uri for file in FolderSource(real_data / root).list_files()[0]]
    finder = ImageFinder(uris, prefix="" if root == "grocery" else "-images/")
    matched = [found.uri for found in finder.find_all(table.images)]
    assert all(matched)
    assert len(set(matched)) == len(table.images)


@pytest.mark.parametrize(
    ("root", "classes", "splits"),
    [
        ("clothing_a", 10, set()),
        ("clothing_a/images", 10, set()),
        ("aquarium", 0, {"train", "valid", "test"}),
        ("grocery/images", 0, {"train", "val", "test"}),
        ("coco128_a", 0, set()),
        ("odd_files_a", 0, set()),
    ],
)
def test_folders_of_real_sets(real_data, root, classes, splits):
    uris = [file.uri for file in FolderSource(real_data / root).list_files()[0]]
    found = read_class_folders(uris)
    assert {len(set(named.values())) for named in found.taxonomies.values()} == (
        {classes} if classes else set()
    )
    assert set(found.splits.values()) == splits


def test_nested_class_folders_as_the_groceries_were_published(real_data):
    table = read_label_table(real_data / "grocery" / "images.csv")
    found = read_class_folders(table.columns["source_path"])
    for level, column in (("class", "fine"), ("class_level_1", "kind")):
        named = [found.taxonomies[level][uri] for uri in table.columns["source_path"]]
        pairs = set(zip(named, table.columns[column], strict=True))
        assert len(pairs) == len(set(table.columns[column]))
