"""``import vernis``: the same verbs as frames in the field's convention."""

from __future__ import annotations

import pytest

import vernis
from vernis.domain.types import QUALITY_KINDS


@pytest.fixture(scope="module")
def collection(finished):
    with vernis.Collection.open(finished.cwd / "pictures.vernis") as opened:
        yield opened


def test_issues_are_a_frame_with_scores(collection):
    (taxonomy,) = collection.session.taxonomies()
    frame = collection.issues(taxonomy.name)
    assert frame.index.name == "image"
    assert frame["label_score"].between(0, 1).all()
    assert frame["label_score"].is_monotonic_increasing
    assert frame.loc["stripes/wrong.jpg", "is_label_issue"]
    assert frame.loc["stripes/wrong.jpg", "suggested"] == "disc"


def test_quality_is_a_frame_with_a_pair_of_columns_a_kind(collection):
    frame = collection.quality()
    assert len(frame) == 75
    for kind in QUALITY_KINDS:
        assert frame[f"is_{kind}_issue"].dtype == bool
        assert frame[f"{kind}_score"].dropna().between(0, 1).all()


def test_duplicates_mark_all_but_the_keeper(collection):
    frame = collection.duplicates()
    group = frame[frame["keeper"].isin(["disc/disc_00.jpg", "disc/copy.jpg", "disc/twin.png"])]
    assert set(group.index) == {"disc/disc_00.jpg", "disc/copy.jpg", "disc/twin.png"}
    assert group["is_duplicate_issue"].sum() == 2
    assert (group["duplicate_score"] < 0.1).all()
    alone = frame[frame["group"] < 0]
    assert (alone["duplicate_score"] == 1).all()
    assert not alone["is_duplicate_issue"].any()


def test_images_hold_the_unreadable_with_their_reason(collection):
    frame = collection.images()
    assert frame.loc["square/broken.jpg", "state"] == "unreadable"
    assert frame.loc["square/broken.jpg", "reason"]
    assert frame.loc["disc/twin.png", "format"] == "PNG"


def test_history_is_a_frame_of_events(collection):
    frame = collection.history("stripes/wrong.jpg")
    given = frame[frame["source"] == "given"]
    assert given["label"].tolist() == ["stripes"]
    assert given["after"].tolist() == ["yes"]


def test_one_path_is_one_image_and_a_single_taxonomy_gives_texts(collection, finished):
    (taxonomy,) = collection.session.taxonomies()
    path = finished.cwd / "pictures" / "disc" / "disc_05.jpg"
    frame = collection.predict(taxonomy.name, path)
    assert frame.loc[str(path), "label"] == "disc"
    assert 0 < frame.loc[str(path), "probability"] <= 1
    assert collection.predict(taxonomy.name, str(path)).equals(frame)
    broken = finished.cwd / "pictures" / "square" / "broken.jpg"
    row = collection.predict(taxonomy.name, [broken, path]).iloc[0]
    assert row.isna()[["label", "probability"]].all()
    assert row["reason"]


def test_a_word_of_another_library_leads_to_the_parameter(collection):
    with pytest.raises(TypeError, match=r"search: no parameter 'limit'; did you mean 'k'\?"):
        collection.explore.search("disc", limit=8)


def test_opening_what_is_not_there_names_it(tmp_path):
    with pytest.raises(vernis.VernisError, match=r"absent\.vernis"):
        vernis.Collection.open(tmp_path / "absent.vernis")


def test_only_collection_beside_or_above_is_found(finished, tmp_path):
    found = vernis.find_collection(finished.cwd / "pictures" / "disc")
    assert found == finished.cwd / "pictures.vernis"
    (tmp_path / "a.vernis").mkdir()
    (tmp_path / "b.vernis").mkdir()
    with pytest.raises(vernis.VernisError, match="several"):
        vernis.find_collection(tmp_path)
