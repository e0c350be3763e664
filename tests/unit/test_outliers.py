"""Outliers and leakage: planted strangers, verdicts that stick, pairs across splits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.core.explore.outliers import (
    choose_neighbors,
    rate_distances,
    score_class_outliers,
    score_outliers,
)
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Space,
    Statement,
    Taxonomy,
)
from vernis.session.session import Session
from vernis.verbs.decide.decisions import accept_issues, dismiss_issues, select_issues
from vernis.verbs.decide.deduplication import DuplicateSearch
from vernis.verbs.see import leakage
from vernis.verbs.see.leaked_pairs import find_leakage
from vernis.verbs.see.outlier_scores import find_outliers

SPACE = Space("toy", 8, "float32")
N = 120
STRANGERS = (100, 101, 102)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def draw() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.eye(8)[[0, 1]] * 2
    vectors = centres[np.arange(N) % 2] + 0.3 * rng.normal(size=(N, 8))
    vectors[list(STRANGERS)] = -centres.sum(axis=0) + 0.2 * rng.normal(size=(3, 8))
    vectors[6] = centres[1]  # carries the label of the other class
    return vectors.astype("f4")


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        splits = ("train", "train", "val", "test", "train", "test")
        files = [
            FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG", split=splits[i % 6])
            for i in range(N)
        ]
        opened.images.apply_index(files, complete=True)
        opened.vectors.append(SPACE, [digest(i) for i in range(N)], draw())
        opened.ids = [image.id for image in opened.images.all()]
        opened.labels.define(Taxonomy("kind", "single", ("even", "odd", "rare")))
        said = [Statement(opened.ids[i], ("even", "odd")[i % 2], "yes") for i in range(N - 2)]
        said += [Statement(opened.ids[i], "rare", "yes") for i in (N - 2, N - 1)]
        opened.labels.record("kind", said, source="given", verb="import")
        yield opened


def test_strangers_that_know_one_another_are_still_strangers():
    scored = score_outliers(normalize_rows(draw()))
    assert scored.n_neighbors == choose_neighbors(N) == 11
    assert set(np.argsort(scored.scores)[:3].tolist()) == set(STRANGERS)
    assert scored.flagged[list(STRANGERS)].all()
    assert scored.flagged.sum() <= 8
    assert ((scored.scores >= 0) & (scored.scores <= 1)).all()


def test_an_image_far_from_its_class_alone_is_found_there():
    unit = normalize_rows(draw())
    everywhere = score_outliers(unit)
    own = score_class_outliers(unit, np.arange(N) % 2 == 0)
    assert not everywhere.flagged[6]
    assert own.flagged[6]
    assert np.isnan(own.scores[1])
    assert np.isnan(score_class_outliers(unit, np.arange(N) < 9).scores).all()


def test_the_score_is_half_at_the_threshold():
    distances = np.array([1.0, 2, 3, 4, 5, 3 + 3.5 / 0.6745])
    scores = rate_distances(distances[:5])
    assert scores[2] == 1
    assert scores[0] == 1
    assert scores[4] == pytest.approx(2 ** (-2 * 0.6745 / 3.5))
    assert (rate_distances(np.ones(9)) == 1).all()
    almost = np.r_[np.zeros(30), 1.0]  # MAD 0: the mean deviation stands in
    assert rate_distances(almost)[-1] < 0.5
    with pytest.raises(InvalidValue):
        score_outliers(np.eye(4, dtype="f4"), n_neighbors=0)
    assert np.isnan(score_outliers(np.eye(2, dtype="f4")).scores).all()


def test_verdicts_on_outliers_stick(catalog):
    summary = find_outliers(Session(catalog), SPACE)
    assert summary.images == N
    assert summary.flagged == len(catalog.issues.select(("outlier",)))
    worst = select_issues(catalog, "outlier", worst=3)
    assert {issue.image_id for issue in worst} == {catalog.ids[i] for i in STRANGERS}
    dismiss_issues(catalog, worst[:1], who="ann")
    accept_issues(catalog, worst[1:2], who="ann")
    find_outliers(Session(catalog), SPACE)
    after = {issue.image_id: issue.verdict for issue in catalog.issues.select(("outlier",))}
    assert after[worst[0].image_id] == "dismissed"
    assert after[worst[1].image_id] == "accepted"
    assert after[worst[2].image_id] == "open"
    catalog.history.undo()
    again = {issue.image_id: issue.verdict for issue in catalog.issues.select(("outlier",))}
    assert again[worst[1].image_id] == "open"


def test_class_outliers_stand_beside_the_others(catalog):
    find_outliers(Session(catalog), SPACE)
    summary = find_outliers(Session(catalog), SPACE, "kind")
    assert summary.unjudged == ("rare",)
    assert summary.images == N - 2
    issues = catalog.issues.select(("outlier",), "kind")
    assert (catalog.ids[6], "even") in {(i.image_id, i.label) for i in issues}
    assert catalog.issues.select(("outlier",), "")
    with pytest.raises(NotFound):
        find_outliers(Session(catalog), SPACE, "colour")


def test_too_few_images(tmp_path):
    with SqliteCatalog.create(tmp_path / "y.vernis") as few:
        files = [FoundFile("a.jpg", digest(1), 10, 0, 30, 20, "JPEG")]
        few.images.apply_index(files, complete=True)
        few.vectors.append(SPACE, [digest(1)], np.ones((1, 8), dtype="f4"))
        with pytest.raises(UsageError, match="too few"):
            find_outliers(Session(few), SPACE)
        with pytest.raises(UsageError, match="no split is declared"):
            find_leakage(Session(few))


def test_duplicates_across_splits_are_listed(catalog):
    ids = catalog.ids
    groups = [
        DuplicateGroup(
            "near", (ids[3], ids[0]), ids[0], "x", (DuplicatePair(ids[0], ids[3], "near", 0.9),)
        ),
        DuplicateGroup(
            "bytes", (ids[1], ids[4]), ids[1], "x", (DuplicatePair(ids[1], ids[4], "bytes", 1.0),)
        ),
        DuplicateGroup(
            "bytes", (ids[2], ids[5]), ids[2], "x", (DuplicatePair(ids[2], ids[5], "bytes", 1.0),)
        ),
    ]
    catalog.issues.replace_groups(groups)
    found = find_leakage(Session(catalog))
    assert list(found.splits.items()) == [("train", 60), ("val", 20), ("test", 40)]
    pairs = [(p.a.id, p.b.id, p.kind) for p in found.pairs]
    assert pairs == [(ids[2], ids[5], "bytes"), (ids[0], ids[3], "near")]  # 1 and 4 are both train
    assert found.by_splits == {("val", "test"): 1, ("train", "test"): 1}
    assert found.affected[("test", "train")] == 1
    assert len(found.groups) == 2
    Session(catalog).results.keep("duplicate-search", DuplicateSearch(()))
    result = leakage.work(Session(catalog), leakage.Settings())
    assert result.affected[0] == leakage.AffectedRow("train", "test", 1, 1 / 60)
    assert result.pairs[0].kind == "bytes"
    judged = select_issues(catalog, "duplicate", [str(ids[0]), str(ids[3])])
    dismiss_issues(catalog, judged, who="ann")
    assert len(find_leakage(Session(catalog)).pairs) == 1


def test_a_looser_similarity_finds_more(catalog):
    loose = find_leakage(Session(catalog), space=SPACE, similarity=0.98)
    assert loose.pairs
    assert {p.kind for p in loose.pairs} == {"similar"}
    assert all(p.a.split != p.b.split and p.similarity >= 0.98 for p in loose.pairs)
    assert len(find_leakage(Session(catalog), space=SPACE, similarity=0.95).pairs) > len(
        loose.pairs
    )
    with pytest.raises(InvalidValue, match="between 0 and 1"):
        find_leakage(Session(catalog), similarity=0.9)
