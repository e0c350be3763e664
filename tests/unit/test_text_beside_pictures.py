"""Wrong labels by pictures and text together, in the verbs: who speaks against a label."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.readings import ReaderVersion, Reading
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide import brands, fill, issues
from vernis.verbs.decide.label_judgement import JudgementSettings, judge_labels

SPACE = Space("toy", 16, "float32", {})
BRANDS = ("Lion", "Tiger", "Bear", "Otter")
READER = ReaderVersion("toy", {"sha256": "0"})
BOTH_WRONG, TEXT_WRONG, PICTURES_WRONG, BOTH_READ = 8, 9, 10, 11


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def line(text, top=0.0, height=0.2):
    corners = np.array([[0, top], [20, top], [20, top + 5], [0, top + 5]], np.float32)
    return Reading(text, 0.95, corners, height)


@pytest.fixture
def session():
    """160 pictures of four brands; the text of the first 80 is read, 20 have no label."""
    rng = np.random.default_rng(1)
    n, truth = 160, np.arange(160) % 4
    centres = 2.0 * rng.normal(size=(4, 16))
    looks = truth.copy()
    looks[TEXT_WRONG] = (truth[TEXT_WRONG] + 1) % 4  # looks like the label that it is given
    X = (centres[looks] + 0.6 * rng.normal(size=(n, 16))).astype(np.float32)
    given = truth.copy()
    for place in (BOTH_WRONG, TEXT_WRONG):
        given[place] = (truth[place] + 1) % 4
    given[PICTURES_WRONG + 100] = (truth[PICTURES_WRONG + 100] + 1) % 4  # nothing is read there
    with SqliteCatalog.in_memory() as catalog:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(n)]
        catalog.images.apply_index(files, complete=True)
        catalog.vectors.append(SPACE, [digest(i) for i in range(n)], X)
        ids = [image.id for image in catalog.images.all()]
        catalog.labels.define(Taxonomy("brand", "single", BRANDS))
        said = [Statement(ids[i], BRANDS[given[i]], "yes") for i in range(n) if i % 8 != 5]
        catalog.labels.record("brand", said, source="given", verb="import")
        read = {digest(i): [line(BRANDS[truth[i]].upper()), line("OPEN", 9)] for i in range(80)}
        other = BRANDS[(truth[BOTH_READ] + 1) % 4]
        read[digest(BOTH_READ)].insert(0, line(other, 18, 0.3))
        catalog.readings.add(READER, read)
        catalog.readings.use(READER)
        opened = Session(catalog)
        opened.use_space(SPACE)
        yield opened


@pytest.fixture
def brand_list(tmp_path):
    path = tmp_path / "brands.csv"
    path.write_text("brand\n" + "\n".join(BRANDS))
    return path


def test_issues_say_who_speaks_against_a_label(session, brand_list):
    before = issues.work(session, issues.Settings("brand", all=True))
    assert not before.judgement.with_text
    assert all(row.against == () for row in before.rows)
    brands.work(session, brands.Settings(brand_list))
    found = issues.work(session, issues.Settings("brand", all=True))
    assert found.judgement.with_text
    rows = {int(row.image[:3]): row for row in found.rows}
    assert rows[BOTH_WRONG].against == ("pictures", "text")
    assert rows[TEXT_WRONG].against == ("text",)
    assert rows[PICTURES_WRONG + 100].against == ("pictures",)
    assert rows[BOTH_READ].against == ()
    assert not rows[BOTH_READ].flagged
    assert rows[BOTH_WRONG].flagged
    assert [one.reading for one in rows[BOTH_WRONG].read] == ["lion"]
    # What both speak against is surer than what either does.
    assert rows[BOTH_WRONG].score < rows[PICTURES_WRONG + 100].score
    assert rows[BOTH_WRONG].score < rows[TEXT_WRONG].score
    # The text makes a label doubtful that the pictures take for right.
    old = {int(row.image[:3]): row for row in before.rows}
    assert rows[TEXT_WRONG].score < old[TEXT_WRONG].score
    assert rows[TEXT_WRONG].suggested == (BRANDS[TEXT_WRONG % 4],)


def test_the_pictures_alone_can_be_asked(session, brand_list):
    before = issues.work(session, issues.Settings("brand", all=True))
    brands.work(session, brands.Settings(brand_list))
    alone = issues.work(session, issues.Settings("brand", all=True, pictures_only=True))
    assert [(row.image, row.score) for row in alone.rows] == [
        (row.image, row.score) for row in before.rows
    ]
    heard = judge_labels(session, "brand", JudgementSettings())
    assert heard.with_text
    assert judge_labels(session, "brand", JudgementSettings()) == heard
    session.catalog.readings.add(READER, {digest(i): [] for i in range(80)})
    assert judge_labels(session, "brand", JudgementSettings()) != heard


def test_brands_tell_what_the_pictures_say(session, brand_list):
    found = brands.work(session, brands.Settings(brand_list))
    rows = {int(row.image[:3]): row for row in found.issues}
    assert set(rows) == {BOTH_WRONG, TEXT_WRONG}
    assert (rows[BOTH_WRONG].pictures, rows[TEXT_WRONG].pictures) == ("agree", "differ")
    assert rows[BOTH_WRONG].probability > rows[BOTH_WRONG].by_text > rows[TEXT_WRONG].probability
    assert rows[TEXT_WRONG].by_pictures < 0.5 < rows[BOTH_WRONG].by_pictures
    assert found.suggested == 10
    assert all(row.pictures == "agree" and row.probability > 0.98 for row in found.suggestions)
    listed = brands.work(session, brands.Settings(brand_list, taxonomy="maker"))
    assert {row.pictures for row in listed.suggestions} == {""}
    assert {row.by_pictures for row in listed.suggestions} == {None}


def test_a_list_goes_with_its_taxonomy_to_a_new_name(session, brand_list):
    from vernis.verbs.steps import taxonomies

    brands.work(session, brands.Settings(brand_list))
    taxonomies.work(session, taxonomies.Settings(rename=[("brand", "marque")]))
    assert issues.work(session, issues.Settings("marque")).judgement.with_text


def test_blank_labels_are_filled_by_what_is_read_as_far_as_it_is_borne_out(session, brand_list):
    from vernis.verbs.steps import learn

    learn.work(session, learn.Settings("brand"))
    before = fill.work(session, fill.Settings("brand", precision=0.7))
    assert before.summary.by_text is None
    brands.work(session, brands.Settings(brand_list))
    found = fill.work(session, fill.Settings("brand", precision=0.7, apply=True))
    by_text = found.summary.by_text
    # 80 were read, 10 of them have no label; of the others one has two brands, two are wrong.
    assert (by_text.asked, by_text.held_out, by_text.agreeing) == (10, 69, 67)
    assert by_text.suggested == 10
    assert by_text.bound >= 0.7
    assert found.summary.suggested == len(found.suggestions) == found.total >= 10
    assert found.summary.filled + found.summary.n_abstained == 20
    labels = {row.image: row.label for row in found.suggestions}
    assert all(labels[f"{i:03}.jpg"] == BRANDS[i % 4] for i in range(5, 80, 8))
    assert any("10 labels by what is read: in 67 of 69" in note for note in found.notes)
    assert found.batch
    again = fill.work(session, fill.Settings("brand", precision=0.7))
    # What fill wrote is no evidence of its own precision.
    assert (again.summary.by_text.held_out, again.summary.by_text.asked) == (69, 0)


def test_text_fills_where_the_pictures_tell_nothing(session, brand_list):
    from vernis.verbs.steps import learn

    rng = np.random.default_rng(0)
    noise = Space("noise", 16, "float32", {})
    X = rng.normal(size=(160, 16)).astype(np.float32)
    session.catalog.vectors.append(noise, [digest(i) for i in range(160)], X)
    session.use_space(noise)
    learn.work(session, learn.Settings("brand"))
    brands.work(session, brands.Settings(brand_list))
    found = fill.work(session, fill.Settings("brand", precision=0.7))
    assert found.summary.by_text.suggested == found.summary.suggested == 10
    assert found.summary.measured is None
    assert any("do not tell the classes" in note for note in found.notes)
    # Labels that agree with the text no more than by chance bear nothing out.
    given = [
        Statement(image.id, BRANDS[rng.integers(4)], "yes")
        for number, image in enumerate(session.images())
        if number % 8 != 5
    ]
    session.catalog.labels.record("brand", given, source="human:ann", verb="label")
    nothing = fill.work(session, fill.Settings("brand", precision=0.7))
    assert nothing.summary.by_text.suggested == 0
    assert any("70% cannot be promised" in note for note in nothing.notes)
