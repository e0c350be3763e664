"""Labels, probabilities and vectors as frames: what is given is taken back, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.collection import Collection
from vernis.domain.errors import InvalidCall, InvalidLabels, InvalidValue, NotFound, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["b", 4]]})
CLASSES = ("bird", "fish", "tree")
N, LABELLED = 90, 80


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def collection() -> Iterator[Collection]:
    """Return 90 images in three clear classes, two of the labels wrong: single, open and closed."""
    rng = np.random.default_rng(0)
    codes = np.arange(N) % 3
    centres = rng.normal(size=(3, 12)) * 1.5
    vectors = (centres[codes] + 0.35 * rng.normal(size=(N, 12))).astype("f4")
    with SqliteCatalog.in_memory() as catalog:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(N)]
        catalog.images.apply_index(files, complete=True)
        catalog.vectors.append(SPACE, [digest(i) for i in range(N)], vectors)
        ids = [image.id for image in catalog.images.all()]
        given = codes.copy()
        given[[9, 40]] = (given[[9, 40]] + 1) % 3
        said = [Statement(ids[i], CLASSES[given[i]], "yes") for i in range(LABELLED)]
        for name, kind, closed in (
            ("kind", "single", False),
            ("tags", "multi", False),
            ("marks", "multi", True),
        ):
            catalog.labels.define(Taxonomy(name, kind, CLASSES, closed=closed))
            catalog.labels.record(name, said, source="given", verb="import")
        session = Session(catalog)
        session.use_space(SPACE)
        yield Collection(session)


# --------------------------------------------------------------------------- labels


def test_classes_of_a_frame_are_those_that_a_reader_sees(collection):
    written = {
        "000.jpg": "Cafe\u0301",
        "001.jpg": "Caf\xe9\u200b",
        "002.jpg": " bird\xa0",
        "003.jpg": "\u200b",
    }
    collection.set_labels(pd.Series(written, name="kind"), who="ada")
    found = collection.labels("kind")["kind"][list(written)]
    assert found.tolist()[:3] == ["Caf\xe9", "Caf\xe9", "bird"]
    assert found.isna().tolist() == [False, False, False, True]
    twice = pd.DataFrame({"tree": {"003.jpg": 1}, "tree\u200b": {"003.jpg": 1}})
    with pytest.raises(InvalidLabels, match="comes twice"):
        collection.set_labels(twice, taxonomy="tags")


def test_labels_of_a_single_taxonomy_are_a_column_of_texts(collection):
    frame = collection.labels("kind")
    assert list(frame.columns) == ["kind"]
    assert frame.index.name == "image"
    assert frame["kind"].isna().sum() == N - LABELLED
    assert frame.loc["000.jpg", "kind"] == "bird"
    assert len(collection.labels("kind", all=False)) == LABELLED
    assert list(collection.labels("kind", limit=2).index) == ["000.jpg", "001.jpg"]


def test_labels_of_a_multi_taxonomy_are_nullable_booleans(collection):
    frame = collection.labels("tags")
    assert frame.columns.name == "tags"
    assert set(map(str, frame.dtypes)) == {"boolean"}
    assert frame.loc["000.jpg"].tolist() == [True, pd.NA, pd.NA]
    assert frame.sum().sum() == LABELLED
    closed = collection.labels("marks")
    assert closed.loc["000.jpg"].tolist() == [True, False, False]
    assert closed.loc["089.jpg"].isna().all()


def edited(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Change a label, blank one, and give one to an image without any."""
    frame = frame.copy()
    if name == "kind":
        frame.loc["001.jpg", "kind"] = "tree"
        frame.loc["002.jpg", "kind"] = None
        frame.loc["089.jpg", "kind"] = "bird"
        return frame
    frame.loc["001.jpg", ["fish", "tree"]] = [False, True]
    frame.loc["002.jpg"] = pd.NA
    frame.loc["089.jpg"] = [True, False, False]
    return frame


@pytest.mark.parametrize("source", ["human", "given"])
@pytest.mark.parametrize("name", ["kind", "tags", "marks"])
def test_what_was_edited_comes_back_and_one_undo_takes_it_back(collection, name, source):
    before = collection.labels(name)
    wanted = edited(before, name)
    result = collection.set_labels(wanted, source=source, who="ada")
    assert (result.images, result.overruled, result.left_out) == (3, 0, 0)
    pd.testing.assert_frame_equal(collection.labels(name), wanted)
    nothing = collection.set_labels(collection.labels(name))
    assert (nothing.images, nothing.changes, nothing.batch) == (0, 0, 0)
    collection.undo(result.batch)
    pd.testing.assert_frame_equal(collection.labels(name), before)


@pytest.mark.parametrize("name", ["kind", "tags", "marks"])
def test_labels_survive_a_csv_file(collection, name):
    wanted = edited(collection.labels(name), name)
    back = pd.read_csv(io.StringIO(wanted.to_csv()))
    collection.set_labels(back, taxonomy=name)
    pd.testing.assert_frame_equal(collection.labels(name), wanted)


@pytest.mark.parametrize("name", ["tags", "marks"])
def test_any_states_come_back(collection, name):
    rng = np.random.default_rng(3)
    frame = collection.labels(name)
    for label in CLASSES:
        frame[label] = pd.array(rng.choice([True, False, None], N), dtype="boolean")
    collection.set_labels(frame)
    if name == "marks":  # closed: beside a yes nothing is unknown
        has_yes = frame.fillna(False).any(axis=1)
        frame.loc[has_yes] = frame.loc[has_yes].fillna(False)
    pd.testing.assert_frame_equal(collection.labels(name), frame)


def test_a_persons_label_is_not_judged_and_given_ones_do_not_overrule_it(collection):
    collection.set_labels(pd.Series({"009.jpg": "bird"}, name="kind"), who="ada")
    assert collection.history("009.jpg")["source"].tolist()[-1] == "human:ada"
    assert not collection.issues("kind").loc["009.jpg", "is_label_issue"]
    result = collection.set_labels(pd.Series({"009.jpg": "tree"}, name="kind"), source="given")
    assert (result.changes, result.overruled) == (1, 1)
    assert collection.labels("kind").loc["009.jpg", "kind"] == "bird"


def test_rows_and_classes_that_are_not_in_the_frame_stay_and_new_classes_are_told(collection):
    before = collection.labels("tags")
    result = collection.set_labels(pd.DataFrame({"stone": {"003.jpg": 1}}), taxonomy="tags")
    assert result.new_classes == {"tags": ("stone",)}
    after = collection.labels("tags")
    assert after.loc["003.jpg", "stone"]
    pd.testing.assert_frame_equal(after[list(CLASSES)], before)


def test_a_new_taxonomy_is_made_on_request_and_several_single_ones_are_one_batch(collection):
    frame = pd.DataFrame({"mood": {"000.jpg": "calm", "001.jpg": "loud"}})
    with pytest.raises(NotFound, match="create=True makes it"):
        collection.set_labels(frame)
    collection.set_labels(frame, create=True)
    both = collection.labels("mood").join(collection.labels("kind"))
    both.loc["000.jpg"] = ["loud", "fish"]
    result = collection.set_labels(both)
    assert (result.images, result.changes) == (1, 2)
    collection.undo(result.batch)
    assert collection.labels("mood").loc["000.jpg", "mood"] == "calm"
    assert collection.labels("kind").loc["000.jpg", "kind"] == "bird"


@pytest.mark.parametrize(
    ("frame", "taxonomy", "error", "message"),
    [
        ([1, 2], "kind", InvalidCall, "expected frame of a DataFrame or Series"),
        (pd.DataFrame({"a": {"000.jpg": 1}, "b": {"000.jpg": 1}}), None, InvalidCall, "taxonomy="),
        (pd.DataFrame({"knd": {"000.jpg": "x"}}), None, NotFound, "did you mean kind?"),
        (pd.Series({"00.jpg": "x"}, name="kind"), None, InvalidLabels, "did you mean 000.jpg"),
        (pd.Series(["x", "y"], ["000.jpg"] * 2, name="kind"), None, InvalidLabels, "several rows"),
        (pd.Series({"000.jpg": 3}, name="kind"), None, InvalidLabels, "as text, got 3 (int)"),
        (pd.DataFrame({"fish": {"000.jpg": 2}}), "tags", InvalidLabels, "'fish', got 2"),
        (pd.DataFrame([[1, 1]], ["000.jpg"], ["a", "b"]), "kind", InvalidLabels, "got 2: a, b"),
        (pd.DataFrame([[1, 1]], ["000.jpg"], ["a", "a"]), "tags", InvalidLabels, "'a' comes twice"),
    ],
)
def test_what_is_no_label_is_refused_and_changes_nothing(
    collection, frame, taxonomy, error, message
):
    before = len(collection.batches().rows)
    with pytest.raises(error, match=re.escape(message)):
        collection.set_labels(frame, taxonomy=taxonomy)
    assert len(collection.batches().rows) == before


# --------------------------------------------------------------------------- vectors, probabilities


def test_embeddings_are_a_copy_with_the_index_of_the_labels(collection):
    frame = collection.embeddings()
    assert frame.shape == (N, 12)
    assert set(frame.dtypes) == {np.dtype("float32")}
    assert frame.attrs["space"] == "toy"
    assert frame.index.equals(collection.labels("kind").index)
    first = frame.iloc[0, 0]
    frame.iloc[0, 0] = 99
    assert collection.embeddings().iloc[0, 0] == first
    with pytest.raises(NotFound, match="no space 'other'; there are: toy"):
        collection.embeddings("other")


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_the_collections_own_probabilities_give_its_own_ranking(collection, name):
    probs = collection.probabilities(name)
    assert probs.shape == (N, 3)
    assert probs.to_numpy().min() >= 0
    if name == "kind":
        assert probs.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    own = collection.issues(name)
    turned = probs.sample(frac=1, random_state=1)[["tree", "bird", "fish"]]
    for given in (turned, probs.to_numpy(), probs.to_numpy().tolist()):
        found = collection.issues(name, probabilities=given)
        pd.testing.assert_frame_equal(found, own)
    assert "from outside" in found.attrs["judgement"]["notes"][0]
    json.dumps([own.attrs, probs.attrs, collection.embeddings().attrs])


def test_given_probabilities_decide_what_is_suspected(collection):
    labels = collection.labels("kind", all=False)["kind"]
    probs = pd.get_dummies(labels).astype(float) * 0.9 + 0.1 / 3
    probs.loc["005.jpg"] = [0.9, 0.05, 0.05]  # it is given as a tree
    frame = collection.issues("kind", probabilities=probs)
    assert frame.index[0] == "005.jpg"
    assert frame.loc["005.jpg", "suggested"] == "bird"
    assert frame.loc["005.jpg", "given"] == "tree"
    # Without them it is judged as before, and the errors that the pictures show are back.
    assert set(collection.issues("kind", predictions="kernel").index[:2]) == {"009.jpg", "040.jpg"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.to_numpy()[:-1], "expected probabilities of shape (90, 3)"),
        (lambda p: p.iloc[1:], "no row of 1 labelled image: '000.jpg'"),
        (lambda p: p.rename(index={"000.jpg": "00.jpg"}), "1 row of 90 about no image"),
        (lambda p: p.rename(columns={"fish": "fisch"}), "no class 'fisch'; did you mean fish?"),
        (lambda p: p.drop(columns="fish"), "no column of 'fish'"),
        (lambda p: pd.concat([p, p.iloc[:1]]), "the image '000.jpg' comes twice"),
        (lambda p: p / 2, "sum to 1, got 0.5"),
        (lambda p: p - 0.5, "expected numbers from 0 to 1, got -"),
        (lambda p: p.mask(p == p.loc["004.jpg", "fish"]), "from 0 to 1, got nan for '004.jpg'"),
        (lambda p: p.astype(object).replace({p.iloc[0, 0]: "x"}), "expected numbers from 0 to 1"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(collection, spoil, message):
    probs = pd.DataFrame(
        np.random.default_rng(0).dirichlet([1, 1, 1], N),
        index=collection.labels("kind").index,
        columns=list(CLASSES),
    )
    with pytest.raises(InvalidValue, match=re.escape(message)):
        collection.issues("kind", probabilities=spoil(probs))


def test_two_kinds_of_predictions_contradict(collection):
    with pytest.raises(UsageError, match="contradict"):
        collection.issues("kind", probabilities=np.ones((N, 3)) / 3, predictions="ensemble")
