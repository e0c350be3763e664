"""The benchmark of a million images, with some hundred of them: what it draws and how it judges."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from vernis.core.labels import predictions
from vernis.session.session import Session
from vernis.verbs.decide import fill, issues
from vernis.verbs.decide.deduplication import find_duplicates
from vernis.verbs.see import map, map_making, map_view, vector_search
from vernis.verbs.see.vector_search import Searcher
from vernis.verbs.start import report
from vernis.verbs.steps import index, learn

say = predictions.predict_labels
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "million.py"


def few_records(session, *states):
    """Stand for ``Session.images``: only images that could not be read are few."""
    assert states == ("unreadable",)
    return session.catalog.images.all(states)


@pytest.fixture(scope="module")
def million():
    spec = importlib.util.spec_from_file_location("million", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["million"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["million"]


@pytest.fixture(scope="module")
def drawn(million, tmp_path_factory):
    """A collection of 900 images in 12 classes, and what was drawn."""
    million.N_CLASSES, million.CLASSES = 12, tuple(f"class {k:03}" for k in range(12))
    million.BLOCK, million._IN_FOLDER = 500, 300
    drawing = million.Drawing(900, 128)
    place = million.build(tmp_path_factory.mktemp("million"), drawing)
    million.draw_fingerprints(place, drawing)
    return place, drawing


def test_what_is_drawn_is_what_was_asked_for(million, drawn):
    _, drawing = drawn
    true, given = million._truth(drawing)
    assert 0.85 < (given >= 0).mean() < 0.95
    assert 0.02 < (true != given)[given >= 0].mean() < 0.09
    assert np.bincount(true, minlength=12)[0] > 2 * np.bincount(true, minlength=12)[11]
    source = np.concatenate([drawing.sources(block) for block in drawing.blocks])
    copies = np.flatnonzero(source != np.arange(900))
    assert len(copies) == 9
    np.testing.assert_array_equal(true[copies], true[source[copies]])
    again = million.Drawing(900, 128)
    np.testing.assert_array_equal(again.vectors(1), drawing.vectors(1))
    X = np.concatenate([drawing.vectors(block) for block in drawing.blocks]).astype(np.float32)
    near = np.linalg.norm(X[copies] - X[source[copies]], axis=1)
    assert near.max() < 0.2 * np.linalg.norm(X - X.mean(axis=0), axis=1).mean()


def test_the_steps_are_held_against_what_was_planted(million, drawn, monkeypatch, tmp_path):
    place, drawing = drawn
    monkeypatch.setattr(map_making, "_WHOLE", 600)
    monkeypatch.setattr(map_making, "_SAMPLED", 200)
    monkeypatch.setattr(map_making, "_PLACED_AT_ONCE", 300)
    monkeypatch.setattr(map_making, "_MOVED_ALONE", 100)
    # No step that works on many images holds a record of each, or predicts them twice.
    monkeypatch.setattr(Session, "images", few_records)
    predicted = []
    monkeypatch.setattr(
        predictions, "predict_labels", lambda *args, **how: predicted.append(1) or say(*args, **how)
    )
    with Session.open(place) as session:
        again = index.work(session, index.Settings(classes_from="none"))
        assert again.unchanged == 900
        learn.work(session, learn.Settings("kind"))
        issues.work(session, issues.Settings("kind"))
        assert len(predicted) == 1
        fill.work(session, fill.Settings("kind", precision=0.7))
        assert find_duplicates(session).groups == 9
        settings = map_making.MapSettings(method="pca")
        made = map_making.make_map(session, drawing.space, settings)
        assert (made.placed, made.without_vector) == (700, 0)
        points = session.catalog.maps.points(made.record.name)
        assert (len(points.hashes), int(points.placed.sum())) == (900, 700)
        monkeypatch.setattr(map_view, "MOST_SHOWN", 600)
        drawn_map = map.work(session, map.Settings(method="pca", out=tmp_path / "map")).made
        assert (drawn_map.computed, drawn_map.placed_now, drawn_map.drawn.not_shown) == (
            False,
            0,
            700,
        )
        assert "200 of 900" in (tmp_path / "map" / "index.html").read_text()
        written = report.work(session, report.Settings(out=tmp_path / "report"))
        assert written.without_thumbnail == 0
    said = {step: judge(place, drawing) for step, judge in million._JUDGES.items()}
    assert "recall 1.0000" in said["duplicates"]
    assert "0.95 promised" in said["fill"]
    assert float(said["learn"].split("micro F1 ")[1].split(",")[0]) > 0.7
    assert float(said["issues"].split("AP ")[1]) > 0.4
    assert "MB of vectors" in said["status"]


def test_search_reads_the_vectors_of_very_many_images_where_they_are_compared(drawn, monkeypatch):
    place, drawing = drawn
    with Session.open(place) as session:
        held = Searcher(session, drawing.space)
        monkeypatch.setattr(vector_search, "APPROXIMATE_FROM", 500)
        read = Searcher(session, drawing.space)
        assert isinstance(held.vectors, np.ndarray)
        assert not isinstance(read.vectors, np.ndarray)
        (image,) = session.catalog.images.get([int(held.image_ids[70])])
        example = read.vector_of(image)[None]
        np.testing.assert_array_equal(example[0], held.vectors[70])
        for index in (None, read.exact):
            found = read.find(example, count=10, without=[image.id], index=index)
            np.testing.assert_array_equal(
                found.image_ids, held.find(example, count=10, without=[image.id]).image_ids
            )


def test_the_table_shows_growth(million, tmp_path):
    for images, seconds in ((100, 2.0), (1000, 20.0)):
        row = {"seconds": seconds, "processor": seconds, "peak_mb": 99.0, "found": "F1 0.9"}
        (tmp_path / f"{images}.json").write_text(f'{{"learn": {row}}}'.replace("'", '"'))
    last = million.table(tmp_path, 1000).splitlines()[-1]
    assert last == "| learn | 20.0 | 20.0 | 99 | 10.0 | F1 0.9 |"
