"""The audit's figures and documents."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.core.explore.audit import (
    audit_labels,
    find_strong_pairs,
    normalized_entropy,
    redundancy,
    share_like_folder,
    split_words,
)
from vernis.domain.documents import to_document
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import FoundFile, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import taxonomies as verb

NAN = np.nan
Y = np.array(
    [[1, 1, 0, NAN], [1, 0, 0, 0], [1, 1, 0, NAN], [NAN] * 4, [0, 0, 1, 0], [1, NAN, 0, NAN]]
)


def test_counts():
    audit = audit_labels(Y)
    assert (audit.n_images, audit.n_labelled) == (6, 5)
    assert (audit.n_classes, audit.n_used) == (4, 3)
    assert audit.counts.tolist() == [4, 2, 1, 0]
    assert audit.filling_rate == pytest.approx(5 / 6)
    assert audit.imbalance == 4
    assert audit.mean_labels == pytest.approx(7 / 5)
    assert audit.labels_per_image.tolist() == [1, 3, 2]
    assert audit.together.diagonal().tolist() == audit.counts.tolist()
    assert audit.together[0, 1] == audit.together[1, 0] == 2
    assert audit.n_unique == 1


def test_rare_classes_are_below_a_thousandth_of_the_images():
    Y = np.zeros((3000, 3))
    Y[:2, 0] = Y[:3, 1] = Y[:, 2] = 1
    audit = audit_labels(Y)
    assert audit.n_rare == 1
    assert audit.rare_share == pytest.approx(1 / 3)


def test_entropy_is_one_for_even_classes_and_falls_with_imbalance():
    assert normalized_entropy([7, 7, 7, 7]) == pytest.approx(1)
    assert normalized_entropy([7, 7, 0, 0]) == pytest.approx(1)
    assert 0 < normalized_entropy([1000, 1]) < 0.02
    assert math.isnan(normalized_entropy([5]))


def test_strong_pairs_rank_by_jaccard():
    pairs = find_strong_pairs(audit_labels(Y))
    assert [(p.first, p.second, p.together) for p in pairs] == [(0, 1, 2)]
    assert pairs[0].jaccard == pytest.approx(2 / 4)
    assert pairs[0].lift == pytest.approx(2 / (4 * 2 / 5))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_tables_have_no_figures_but_no_errors(shape):
    audit = audit_labels(np.zeros(shape))
    assert audit.filling_rate == 0
    assert math.isnan(audit.imbalance)
    assert find_strong_pairs(audit) == []


def test_refuses_a_vector():
    with pytest.raises(InvalidValue, match="n_classes"):
        audit_labels(np.zeros(3))


def test_words_ignore_case_accents_digits_and_plural():
    assert split_words("Café_Bottles-2019 (IMG0007)") == {"cafe", "bottle", "img"}


def test_redundancy_needs_all_words_of_a_label_and_a_text():
    classes = ["red wine", "bottle", "glass"]
    Y = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]])
    texts = ["Red-Wine_Bottles_04", "wine list", ""]
    assert redundancy(Y, classes, texts) == (2, 3)


def test_labels_given_by_folder_are_told_from_those_given_by_picture():
    folders = ["a", "a", "a", "b", "b", "c", ""]
    same = np.array([[1, 0], [1, 0], [0, 0], [0, 1], [0, 1], [1, 1], [0, 0]])
    assert share_like_folder(same, folders) == 1.0
    mixed = same.copy()
    mixed[1, 1] = 1
    assert share_like_folder(mixed, folders) == pytest.approx(2 / 4)
    assert math.isnan(share_like_folder(same, list("abcdefg")))
    assert math.isnan(share_like_folder(same, [""] * 7))
    with pytest.raises(InvalidValue, match="7 images"):
        share_like_folder(same[:6], folders)


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        names = ["beach_01.jpg", "dog on beach.jpg", "c.jpg", "d.jpg"]
        files = [
            FoundFile(
                name, f"{i:064}", 9, 0, 8, 8, "JPEG", metadata={"title": "A dog"} if i else {}
            )
            for i, name in enumerate(names)
        ]
        opened.images.apply_index(files, complete=True)
        ids = [image.id for image in opened.images.all()]
        opened.labels.define(Taxonomy("tags", "multi", ("beach", "cat", "dog")))
        opened.labels.define(Taxonomy("type", "single"))
        said = [(0, "beach"), (1, "beach"), (1, "dog")]
        statements = [Statement(ids[i], label, "yes") for i, label in said]
        opened.labels.record("tags", statements, source="given", verb="import")
        yield opened


def test_documents(catalog):
    documents = to_document(verb.work(Session(catalog), verb.Settings()).taxonomies)
    assert [d["taxonomy"] for d in documents] == ["tags", "type"]
    json.dumps(documents, allow_nan=False)
    tags, empty = documents
    assert tags["filling_rate"] == 0.5
    assert tags["class_counts"][0] == {"class": "beach", "count": 2, "share": 1.0}
    assert tags["in_file_name"] == pytest.approx(1.0)
    assert tags["in_title"] == pytest.approx(1 / 2)
    assert tags["together"][0]["first"] == "beach"
    assert tags["labels_an_image"] == [
        {"labels": 0, "images": 2},
        {"labels": 1, "images": 1},
        {"labels": 2, "images": 1},
    ]
    assert (empty["classes"], empty["filling_rate"], empty["entropy"]) == (0, 0.0, None)


def test_one_taxonomy_by_name(catalog):
    session = Session(catalog)
    found = verb.work(session, verb.Settings("tags")).taxonomies
    assert [audit.taxonomy for audit in found] == ["tags"]
    with pytest.raises(NotFound):
        verb.work(session, verb.Settings("nothere"))
