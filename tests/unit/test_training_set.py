"""A training set by another taxonomy: the same filter for every verb that learns."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import FilterError, NothingToLearn, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide import fill, issues
from vernis.verbs.decide.label_judgement import JudgementSettings, judge_labels
from vernis.verbs.lab import errors, models
from vernis.verbs.steps import learn, taxonomies

SPACE = Space("toy", 16, "float32", {})
BOTTLES = "kind:bottle"
BRANDS = ("Lion", "Tiger", "Bear")


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def session():
    """120 bottles that show their brand, and 120 scenes that do not; every sixth has no brand.

    Of the labelled bottles 4 carry the brand of another.
    """
    rng = np.random.default_rng(3)
    n, brand = 240, np.arange(240) % 3
    bottle = np.arange(n) < 120
    centres = 2.5 * rng.normal(size=(3, 16))
    X = np.where(bottle[:, None], centres[brand], rng.permutation(centres[brand]))
    X = (X + 0.8 * rng.normal(size=(n, 16))).astype(np.float32)
    with SqliteCatalog.in_memory() as catalog:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(n)]
        catalog.images.apply_index(files, complete=True)
        catalog.vectors.append(SPACE, [digest(i) for i in range(n)], X)
        ids = [image.id for image in catalog.images.all()]
        catalog.labels.define(Taxonomy("kind", "single", ("bottle", "scene")))
        catalog.labels.define(Taxonomy("brand", "single", BRANDS))
        kinds = [Statement(ids[i], "bottle" if bottle[i] else "scene", "yes") for i in range(n)]
        catalog.labels.record("kind", kinds, source="given", verb="import")
        wrong = {6: 1, 13: 2, 50: 0, 91: 0}
        given = [
            Statement(ids[i], BRANDS[wrong.get(i, brand[i])], "yes") for i in range(n) if i % 6 != 5
        ]
        catalog.labels.record("brand", given, source="given", verb="import")
        opened = Session(catalog)
        opened.use_space(SPACE)
        yield opened


def test_learning_tells_what_the_filter_does(session):
    found = learn.work(session, learn.Settings("brand", where=BOTTLES))
    assert (found.images, found.labelled) == (120, 100)
    effect = found.effect
    assert (effect.images, effect.images_in_all) == (120, 240)
    assert (effect.labelled, effect.labelled_in_all) == (100, 200)
    assert effect.f1.value > 0.9
    assert effect.f1.low <= effect.f1.value <= effect.f1.high
    # The scenes' brands are noise to the bottles' model.
    assert effect.f1_of_all.value < effect.f1.value
    assert found.notes[0] == effect.sentence()
    assert found.notes[0].startswith(
        "where kind:bottle: 120 of 240 images, 100 of 200 labelled; F1"
    )
    again = learn.work(session, learn.Settings("brand", where=BOTTLES))
    assert (again.trained, again.model, again.notes) == (False, found.model, found.notes)
    whole = learn.work(session, learn.Settings("brand"))
    assert (whole.trained, whole.images, whole.effect) == (True, 240, None)
    assert whole.micro.f1.value < found.micro.f1.value


def test_the_effect_is_the_plain_f1_of_left_out_predictions(session):
    from sklearn.metrics import f1_score

    from vernis.verbs.decide.told_apart import (
        LeaveOut,
    )
    from vernis.verbs.decide.training_set import read_training_data

    part, effect = read_training_data(session, "brand", SPACE, BOTTLES)
    whole, _ = read_training_data(session, "brand", SPACE)
    truth = {
        i: row.argmax() for i, row in zip(part.image_ids, part.Y, strict=True) if row.max() > 0
    }
    for data, value, macro in (
        (part, effect.f1, effect.macro_f1),
        (whole, effect.f1_of_all, effect.macro_f1_of_all),
    ):
        probs = LeaveOut(data, 0).of_all_classes
        said = dict(zip(data.image_ids, probs.argmax(axis=1), strict=True))
        pairs = np.array([(truth[image], said[image]) for image in truth]).T
        assert value.value == pytest.approx(f1_score(*pairs, average="micro"))
        assert macro.value == pytest.approx(f1_score(*pairs, average="macro"))


def test_only_images_of_the_filter_are_judged(session):
    found = issues.work(session, issues.Settings("brand", where=BOTTLES, all=True))
    assert found.judgement.n_labelled == 100
    assert found.judgement.where == BOTTLES
    first = {row.image for row in found.rows[:4]}
    assert first == {"006.jpg", "013.jpg", "050.jpg", "091.jpg"}
    assert all(int(row.image[:3]) < 120 for row in found.rows)
    assert any("F1 on these" in note for note in found.notes)
    # Asked without the filter, all are judged.
    whole = issues.work(session, issues.Settings("brand", all=True))
    assert (whole.judgement.where, whole.judgement.n_labelled, whole.total) == ("", 200, 200)


def test_predictions_of_a_head_must_be_of_the_same_images(session):
    learn.work(session, learn.Settings("brand", where=BOTTLES))
    alike = JudgementSettings(where=BOTTLES, predictions="out-of-bag")
    assert judge_labels(session, "brand", alike).n_labelled == 100
    with pytest.raises(UsageError, match="learned from images where kind:bottle; give --where"):
        judge_labels(session, "brand", JudgementSettings(predictions="out-of-bag"))


def test_only_images_of_the_filter_are_filled(session):
    learn.work(session, learn.Settings("brand", where=BOTTLES))
    found = fill.work(session, fill.Settings("brand", where=BOTTLES, precision=0.8))
    summary = found.summary
    assert (summary.n_images, summary.n_labelled) == (120, 100)
    assert summary.suggested > 0
    assert all(int(row.image[:3]) < 120 for row in found.suggestions)
    assert summary.effect.where == BOTTLES
    assert any("F1 on these" in note for note in found.notes)
    whole = fill.work(session, fill.Settings("brand", precision=0.8))
    assert whole.summary.n_images == 240
    assert any("was learned where kind:bottle" in note for note in whole.notes)


def test_the_lab_studies_the_images_of_the_filter(session, tmp_path):
    settings = models.Settings(
        "brand", where=BOTTLES, models=("kernel",), folds=2, out=tmp_path / "run"
    )
    found = models.work(session, settings)
    assert any(note.startswith("where kind:bottle") for note in found.notes)
    assert '"where": "kind:bottle"' in (tmp_path / "run" / "run.json").read_text()
    plain = models.Settings("brand", models=("kernel",), folds=2, out=tmp_path / "plain")
    models.work(session, plain)
    assert '"where"' not in (tmp_path / "plain" / "run.json").read_text()
    against = errors.Settings(
        "brand", where=BOTTLES, models=("kernel",), rates=(0.1,), seeds=1, out=tmp_path / "e"
    )
    assert any(note.startswith("where kind:bottle") for note in errors.work(session, against).notes)


def test_the_audit_describes_the_images_of_the_filter(session):
    (part,) = taxonomies.work(session, taxonomies.Settings("brand", where=BOTTLES)).taxonomies
    assert (part.images, part.labelled, part.visual_meaning) == (120, 100, "yes")
    assert sum(row.count for row in part.class_counts) == 100
    assert part.effect.images == 120
    (whole,) = taxonomies.work(session, taxonomies.Settings("brand")).taxonomies
    assert (whole.images, whole.effect) == (240, None)
    assert whole.separation < part.separation
    with pytest.raises(UsageError, match="a change is made of all of them"):
        taxonomies.work(session, taxonomies.Settings("brand", where=BOTTLES, close=["brand"]))


def test_filters_that_leave_too_little_say_so(session):
    with pytest.raises(UsageError, match="no image: width>5000 holds for none of 240"):
        learn.work(session, learn.Settings("brand", where="width>5000"))
    with pytest.raises(FilterError, match="bottles"):
        learn.work(session, learn.Settings("brand", where="kind:bottles"))
    with pytest.raises(NothingToLearn, match="'brand' where id<3 has 2 labelled images"):
        learn.work(session, learn.Settings("brand", where="id<3"))
    with pytest.raises(NothingToLearn, match="'brand' where brand:lion has labels of one class"):
        learn.work(session, learn.Settings("brand", where="brand:lion"))
    found = learn.work(session, learn.Settings("brand", where="id<8"))
    assert math.isnan(found.effect.f1.value)
    assert found.notes[0].endswith("too few to measure F1")
