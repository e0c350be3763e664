"""Topics: coherence on tiny oracles, planted themes, names, acceptance and undo."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.cli.main import main
from vernis.core.words import topics as core
from vernis.domain.errors import InvalidValue, NotFound, NothingToLearn, UsageError
from vernis.domain.types import FoundFile, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.see.topic_models import (
    TopicSettings,
    accept_topics,
    find_topics,
    name_topics,
    stored_topics,
)

THEMES = {
    "beach": ("sea", "sand", "waves", "palm", "sun"),
    "kitchen": ("stove", "pan", "chef", "knife", "oven"),
    "office": ("desk", "laptop", "meeting", "screen", "chair"),
}
LABELS = tuple(sorted({word for words in THEMES.values() for word in words} | {"colour"}))
N = 150


def draw(n: int, seed: int = 0) -> tuple[list[set[str]], list[str]]:
    rng = np.random.default_rng(seed)
    themes = [list(THEMES)[i % 3] for i in range(n)]
    lists = [set(rng.choice(THEMES[theme], 3, replace=False).tolist()) for theme in themes]
    for own in lists:
        if rng.random() < 0.15:
            own.add("colour")
    return lists, themes


def presence_of(lists: list[set[str]]) -> np.ndarray:
    return np.array([[label in own for label in LABELS] for own in lists])


@pytest.fixture
def catalog(tmp_path):
    lists, themes = draw(N)
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(N + 5)]
        files = [FoundFile(f"{i:03}.jpg", d, 10, 0, 30, 20, "JPEG") for i, d in enumerate(digests)]
        opened.images.apply_index(files, complete=True)
        ids = [image.id for image in opened.images.all()]
        opened.labels.define(Taxonomy("keywords", "multi", LABELS))
        said = [Statement(ids[i], label, "yes") for i in range(N) for label in sorted(lists[i])]
        opened.labels.record("keywords", said, source="given", verb="import")
        opened.themes = dict(zip(ids, themes, strict=False))
        yield opened


def test_coherences_are_the_formulas_of_the_papers():
    # Labels: a on 2 of 4 images, b on 2, c on 1, d on 1; a and b together on 1, a and c on 1.
    presence = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
    ab = math.log((1 / 4) / (2 / 4 * 2 / 4)) / -math.log(1 / 4)
    ac = math.log((1 / 4) / (2 / 4 * 1 / 4)) / -math.log(1 / 4)
    top = [np.array([0, 1, 2]), np.array([0, 3]), np.array([3])]
    npmi = core.npmi_coherence(presence, top)
    assert npmi == pytest.approx([(ab + ac - 1) / 3, -1, 0])
    umass = core.umass_coherence(presence, top)
    expected = (math.log(2 / 2) + math.log(2 / 2) + math.log(1 / 2)) / 3
    assert umass == pytest.approx([expected, math.log(1 / 2), 0])
    always = np.ones((5, 2), dtype=bool)
    assert core.npmi_coherence(always, [np.array([0, 1])]) == pytest.approx([0])
    twins = np.array([[1, 1], [1, 1], [0, 0]], dtype=bool)
    assert core.npmi_coherence(twins, [np.array([0, 1])]) == pytest.approx([1])


def test_planted_themes_are_found_and_coherent():
    lists, themes = draw(N)
    presence = presence_of(lists)
    scan = core.scan_topics(presence, (2, 3, 5), seed=0)
    assert scan.coherence[1] > scan.coherence[0]
    model = scan.models[1]
    assert np.allclose(model.words.sum(axis=1), 1)
    assert np.allclose(model.shares.sum(axis=1), 1)
    names = core.relevant_words(model.words, presence, 5)
    for row in names.tolist():
        found = {LABELS[column] for column in row} - {"colour"}
        assert any(found <= set(words) for words in THEMES.values())
    main = model.shares.argmax(axis=1)
    for theme in THEMES:
        held = [topic for own, topic in zip(themes, main.tolist(), strict=True) if own == theme]
        assert max(held.count(topic) for topic in range(3)) > 0.8 * len(held)
    again = core.fit_topics(presence, 3, seed=0)
    assert np.array_equal(again.words, model.words)
    with pytest.raises(InvalidValue):
        core.fit_topics(presence, 0)


def test_no_more_topics_than_the_data_carries(catalog):
    document = find_topics(Session(catalog), "keywords")
    assert document.k == 16 // 3
    assert "5 topics at most" in document.notes[0]
    assert document.images == N
    catalog.labels.define(Taxonomy("few", "multi", ("a", "b")))
    with pytest.raises(NothingToLearn, match="too few for two topics"):
        find_topics(Session(catalog), "few")
    with pytest.raises(NotFound):
        find_topics(Session(catalog), "colours")


def test_topics_become_a_taxonomy_that_one_undo_takes_back(catalog):
    document = find_topics(Session(catalog), "keywords", TopicSettings(ks=(2, 3)))
    assert [t.number for t in document.topics] == [1, 2, 3]
    themes = {}
    for topic in document.topics:
        held = [catalog.themes[image] for image in topic.members]
        theme = max(set(held), key=held.count)
        assert held.count(theme) / len(held) > 0.9
        assert set(topic.name.split(" / ")) <= {*THEMES[theme], "colour"}
        assert topic.npmi > 0
        assert topic.umass < 0.1
        themes[topic.number] = theme
    name_topics(Session(catalog), "keywords", themes)
    accepted = accept_topics(Session(catalog), "keywords")
    assert accepted.taxonomy == "keywords_topics"
    assert set(accepted.classes) == set(THEMES)
    matrix = catalog.labels.matrix("keywords_topics")
    assert matrix.taxonomy.kind == "multi"
    assert int(matrix.labelled.sum()) >= 145
    assert catalog.labels.counts_by_source()["proposal:topics"] == sum(accepted.classes.values())
    catalog.history.undo(accepted.batch)
    assert "keywords_topics" not in [t.name for t in catalog.labels.taxonomies()]


def test_numbers_and_names_stay_when_labels_are_added(catalog):
    settings = TopicSettings(ks=(3,))
    first = find_topics(Session(catalog), "keywords", settings)
    name_topics(Session(catalog), "keywords", {2: "mine"})
    before = {t.number: set(t.members) for t in first.topics}
    images = [image.id for image in catalog.images.all()][N:]
    said = [Statement(i, label, "yes") for i in images for label in THEMES["beach"]]
    catalog.labels.record("keywords", said, source="given", verb="import")
    after = find_topics(Session(catalog), "keywords", TopicSettings(ks=(3,), seed=4))
    for topic in after.topics:
        old = before[topic.number]
        assert len(old & set(topic.members)) > 0.85 * len(old)
    assert {t.number: t.name for t in after.topics}[2] == "mine"
    assert stored_topics(Session(catalog), "keywords").topics[1].named_by == "person"


def test_a_name_leaves_the_stored_topics_as_they_are(catalog, capsys):
    def topics(*options):
        place = str(catalog.folder)
        assert main(["topics", "keywords", "--collection", place, "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)

    found = topics("--k", "3", "--threshold", "0.5", "--words", "4")
    named = topics("--name", "2=mine")
    assert named["topics"][1]["name"] == "mine"
    assert named["topics"][1] | {"name": "", "named_by": ""} == (
        found["topics"][1] | {"name": "", "named_by": ""}
    )
    assert [named["topics"][place] for place in (0, 2)] == [found["topics"][0], found["topics"][2]]
    assert (named["k"], named["threshold"]) == (3, 0.5)
    again = topics("--k", "2", "--fresh", "--name", "1=other")
    assert (again["k"], again["topics"][0]["name"]) == (2, "other")


def test_wrong_numbers_and_settings_are_refused(catalog):
    with pytest.raises(NotFound, match="vernis topics keywords"):
        accept_topics(Session(catalog), "keywords")
    find_topics(Session(catalog), "keywords", TopicSettings(ks=(3,)))
    with pytest.raises(NotFound, match="no topic 9"):
        accept_topics(Session(catalog), "keywords", [9])
    with pytest.raises(UsageError, match="two topics"):
        name_topics(Session(catalog), "keywords", {1: "same", 2: "same"})
    for wrong in ({"ks": ()}, {"ks": (1,)}, {"words": 0}, {"threshold": 0.0}):
        with pytest.raises(InvalidValue):
            TopicSettings(**wrong)
