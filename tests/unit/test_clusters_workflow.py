"""Clusters on a catalog: stable numbers, names, acceptance and undo."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.documents import to_document
from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.see.cluster_decisions import accept_clusters, name_clusters
from vernis.verbs.see.cluster_store import read_clustering
from vernis.verbs.see.clustering import ClusterSettings, find_clusters
from vernis.verbs.see.image_words import words_of
from vernis.verbs.see.proposals import gather_classes, parse_class, parse_name

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["pooled", 4]]})
SETTINGS = ClusterSettings(ks=tuple(range(2, 8)))
CLASSES = ("bird", "fish", "tree", "house")
CENTRES = np.eye(4, dtype="f4")


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def add_images(catalog: SqliteCatalog, numbers: range) -> None:
    rng = np.random.default_rng(numbers.start)
    codes = np.array([number % 4 for number in numbers])
    vectors = rng.normal(size=(len(numbers), 12))
    vectors[:, 8:] = CENTRES[codes] + 0.15 * rng.normal(size=(len(numbers), 4))
    files = [FoundFile(f"p{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in numbers]
    catalog.images.apply_index(files, complete=False)
    catalog.vectors.append(SPACE, [digest(i) for i in numbers], vectors.astype("f4"))


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        add_images(opened, range(120))
        opened.labels.define(Taxonomy("kind", "single", CLASSES))
        said = [
            Statement(image.id, CLASSES[(image.id - 1) % 4], "yes") for image in opened.images.all()
        ]
        opened.labels.record("kind", said, source="given", verb="import")
        yield opened


def parts(found) -> dict[str, tuple[int, frozenset[int]]]:
    return {c.name: (c.number, frozenset(c.images)) for c in found.clusters}


def test_clusters_are_found_in_the_search_columns_and_named_by_their_labels(catalog):
    found = find_clusters(Session(catalog), SPACE, SETTINGS)
    assert {c.name for c in found.clusters} == set(CLASSES)
    assert [c.number for c in found.clusters] == [1, 2, 3, 4]
    assert all(c.silhouette > 0.3 and len(c.images) == 30 for c in found.clusters)
    assert "k = 4" in found.notes[0]
    assert len(found.scan) == 6


def test_a_second_run_changes_nothing(catalog):
    first = find_clusters(Session(catalog), SPACE, SETTINGS)
    again = find_clusters(Session(catalog), SPACE, SETTINGS)
    assert parts(first) == parts(again)
    assert to_document(first) == to_document(again)
    assert parts(find_clusters(Session(catalog), SPACE, SETTINGS, fresh=True)) == parts(first)
    assert parts(read_clustering(Session(catalog))) == parts(first)


def test_new_images_leave_numbers_and_names_alone(catalog):
    find_clusters(Session(catalog), SPACE, SETTINGS)
    name_clusters(Session(catalog), {2: "my own"})
    before = parts(read_clustering(Session(catalog)))
    add_images(catalog, range(120, 140))  # few: k-means starts from what is stored
    grown = parts(find_clusters(Session(catalog), SPACE, SETTINGS))
    add_images(catalog, range(140, 260))  # many: the range of k is tried anew
    anew = parts(find_clusters(Session(catalog), SPACE, SETTINGS))
    for after in (grown, anew):
        assert {name: number for name, (number, _) in after.items()} == {
            name: number for name, (number, _) in before.items()
        }
        assert all(before[name][1] <= after[name][1] for name in before)
    assert sum(len(images) for _, images in anew.values()) == 260


def test_names_follow_other_evidence_but_a_persons_stay(catalog):
    find_clusters(Session(catalog), SPACE, SETTINGS)
    name_clusters(Session(catalog), {1: "my own"})
    catalog.labels.define(Taxonomy("tone", "single", ("dark", "light")))
    images = catalog.images.all()
    said = [Statement(i.id, ("dark", "light")[(i.id - 1) % 2], "yes") for i in images]
    catalog.labels.record("tone", said, source="given", verb="import")
    found = find_clusters(Session(catalog), SPACE, SETTINGS, taxonomies=["tone"])
    names = [c.name for c in found.clusters]
    assert names[0] == "my own"
    assert {name.split(" (")[0] for name in names[1:]} <= {"dark", "light"}
    assert len(set(names)) == 4


def test_accepted_clusters_become_a_taxonomy_that_one_undo_takes_back(catalog):
    found = find_clusters(Session(catalog), SPACE, SETTINGS)
    number = {c.name: c.number for c in found.clusters}
    accepted = accept_clusters(
        Session(catalog), {"animal": [number["bird"], number["fish"]], "thing": [number["house"]]}
    )
    assert accepted.classes == {"animal": 60, "thing": 30}
    matrix = catalog.labels.matrix("clusters")
    assert int(matrix.labelled.sum()) == 90
    assert matrix.taxonomy.kind == "single"
    assert not matrix.confirmed.any()
    assert catalog.labels.counts_by_source()["proposal:clusters"] == 90
    # What was proposed is no evidence for the next names.
    assert "clusters" not in find_clusters(Session(catalog), SPACE, SETTINGS).evidence
    for written in ("thing", "THING", "thing\u200b"):
        again = accept_clusters(Session(catalog), {written: [number["house"]]})
        assert (again.batch, again.classes) == (0, {"thing": 30})
    catalog.history.undo(accepted.batch)
    assert "clusters" not in [taxonomy.name for taxonomy in catalog.labels.taxonomies()]


def test_wrong_numbers_and_forms_are_refused(catalog):
    with pytest.raises(NotFound, match="vernis clusters"):
        accept_clusters(Session(catalog), {"a": [1]})
    find_clusters(Session(catalog), SPACE, SETTINGS)
    with pytest.raises(NotFound, match="no cluster 9"):
        accept_clusters(Session(catalog), {"a": [1, 9]})
    with pytest.raises(UsageError, match="two clusters"):
        name_clusters(Session(catalog), {1: "same", 2: "same"})
    with pytest.raises(NotFound, match="colour"):
        find_clusters(Session(catalog), SPACE, SETTINGS, taxonomies=["colour"])
    with pytest.raises(InvalidValue, match="kmeans or density"):
        ClusterSettings(method="magic")
    for wrong in ("a", "=3", "a=", "a=b", "a=1,,2"):
        with pytest.raises(ValueError, match="NAME=NUMBERS"):
            parse_class(wrong)
    with pytest.raises(UsageError, match="name it once"):
        gather_classes(map(parse_class, ["a=1,2", "b=2"]))
    pairs = map(parse_class, ["a b=1, 2", "c=3", "a b=4"])
    assert gather_classes(pairs) == {"a b": [1, 2, 4], "c": [3]}
    assert parse_name("3= kitchen things ") == (3, "kitchen things")
    with pytest.raises(ValueError, match="NUMBER=NAME"):
        parse_name("kitchen=3")


def test_density_reports_noise(catalog):
    found = find_clusters(Session(catalog), SPACE, ClusterSettings(method="density", min_size=8))
    assert found.n_noise == 120 - sum(len(c.images) for c in found.clusters)
    assert found.clusters
    assert read_clustering(Session(catalog)).method == "density"


def test_too_many_clusters_for_the_images(catalog):
    found = find_clusters(Session(catalog), SPACE, ClusterSettings(ks=(100, 150)), fresh=True)
    assert any("there are 120 images" in note for note in found.notes)
    with pytest.raises(UsageError, match="too few for k"):
        find_clusters(Session(catalog), SPACE, ClusterSettings(ks=(150,)), fresh=True)


@pytest.mark.parametrize("method", ["kmeans", "density"])
def test_the_same_picture_many_times_makes_no_clusters(tmp_path, method):
    with SqliteCatalog.create(tmp_path / "same.vernis") as catalog:
        files = [FoundFile(f"p{i:02}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(40)]
        catalog.images.apply_index(files, complete=False)
        vector = np.linspace(0, 1, 12, dtype="f4")
        catalog.vectors.append(SPACE, [digest(i) for i in range(40)], np.tile(vector, (40, 1)))
        settings = ClusterSettings(method=method)
        with pytest.raises(UsageError, match="all 40 images show the same picture"):
            find_clusters(Session(catalog), SPACE, settings)
        add_images(catalog, range(40, 41))
        with pytest.raises(UsageError, match="41 images of 2 different pictures are too few for k"):
            find_clusters(Session(catalog), SPACE, ClusterSettings(ks=(3, 5)))
        found = find_clusters(Session(catalog), SPACE, ClusterSettings(ks=(2, 3, 5)))
        assert [len(cluster.images) for cluster in found.clusters] == [40, 1]
        assert any("of 2 different pictures" in note for note in found.notes)


def test_words_of_file_names():
    assert words_of("train/IMG_0042 redCarpet-final") == {"red", "carpet"}
    assert words_of("0546d34a-a369-4723-8d3a-74c0f51af26c/dress") == {"dress"}
