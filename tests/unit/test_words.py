"""Words of names and labels, their corrections, and the full-text index."""

from __future__ import annotations

import pytest

from vernis.adapters.catalog import words
from vernis.adapters.catalog.words import FILE_NAME, WordIndex
from vernis.core.words.documents import (
    WordDocument,
    asked_words,
    correct_word,
    split_words,
)
from vernis.core.words.nearest_names import did_you_mean, nearest_names
from vernis.domain.errors import CatalogError


class Source:
    """Documents as they are at an event; later ones are about the images in ``changed``."""

    def __init__(self, documents, fingerprint="f", mark=0, changed=()):
        self.of = {document.image_id: document for document in documents}
        self.fingerprint, self.mark, self.changed = fingerprint, mark, list(changed)
        self.asked = []

    def changed_since(self, mark):
        return self.changed if mark < self.mark else []

    def documents(self, images=None):
        self.asked.append(images)
        return [self.of[one] for one in (self.of if images is None else images) if one in self.of]


def found(index, word, beginnings=False):
    return set(index.find([word], beginnings=beginnings).image_ids.tolist())


DOCUMENTS = [
    WordDocument(1, "apple green", "", "shelf 001"),
    WordDocument(2, "pear", "apple", "shelf 002"),
    WordDocument(3, "pear", "", "apple 003"),
    WordDocument(4, "café", "", "x"),
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GreenApple_001.final", ["greenapple", "green", "apple", "001", "final"]),
        ("IMG2289", ["img2289", "img", "2289"]),
        ("HTMLPage", ["htmlpage", "html", "page"]),
        ("grey goose", ["grey", "goose"]),
        ("ÄpfelÖl", ["äpfelöl", "äpfel", "öl"]),
        ("東京2020", ["東京2020", "東京", "2020"]),
        ("Ma\u0308rz\u200b Ca\xadfe\u0301", ["m\xe4rz", "caf\xe9"]),
        ("--", []),
    ],
)
def test_names_fall_into_words(text, words):
    assert split_words(text) == words


def test_asked_words_are_plain_and_distinct():
    assert asked_words("Red, red CAFÉ!") == ["red", "cafe"]


def test_only_words_that_nothing_begins_with_are_corrected():
    known = ["yoghurt", "apple", "applesauce"]
    for asked, expected in {
        "yogurt": "yoghurt",
        "appl": "appl",
        "zzzzzz": "zzzzzz",
        "ap": "ap",
    }.items():
        assert correct_word(asked, known) == expected
    assert correct_word("yogurt", known, least=0.9) == "yoghurt"
    assert correct_word("yokurt", known) == "yoghurt"
    assert correct_word("yokurt", known, least=0.9) == "yokurt"
    assert correct_word("hand", ["arnd"]) == "hand"
    assert correct_word("hnad", ["hand"]) == "hand"


def test_words_are_found_in_either_number(tmp_path):
    named = ["bottle", "bottles", "berries", "box", "glass", "glasses", "bus", "new york"]
    documents = [WordDocument(i, "", "", name) for i, name in enumerate(named, 1)]
    index = WordIndex(tmp_path, Source(documents))
    known = index.vocabulary()
    for asked, expected in {
        "bottle": {1, 2},
        "bottles": {1, 2},
        "berry": {3},
        "boxes": {4},
        "glass": {5, 6},
        "glasses": {5, 6},
        "news": {8},
        "bus": {7},
    }.items():
        assert correct_word(asked, known) == asked
        assert found(index, asked, beginnings=True) == expected, asked
    bottles = index.find(["bottles"], beginnings=True)
    assert bottles.image_ids[bottles.relevance.argmax()] == 2
    index.close()


def test_near_names_ignore_case_and_come_nearest_first():
    assert nearest_names("ABSOLUT", ["Absolute", "absolut", "Skyy"]) == ["absolut", "Absolute"]
    assert did_you_mean("qqq", ["absolut"]) == ""


def test_labels_weigh_more_than_read_words_and_these_more_than_names(tmp_path):
    index = WordIndex(tmp_path, Source(DOCUMENTS))
    matches = index.find(["apple"], beginnings=True)
    assert matches.image_ids.tolist() == [1, 2, 3]
    assert matches.relevance[0] > matches.relevance[1] > matches.relevance[2] > 0
    assert {name: rows.tolist() for name, rows in matches.fields.items()} == {
        "labels": [True, False, False],
        "read": [False, True, False],
        "name": [False, False, True],
    }
    both = index.find(["apple", "pear"], beginnings=True)
    assert both.image_ids.tolist() == [2, 3]
    assert both.fields["labels"].tolist() == [True, True]
    assert found(index, "shel", beginnings=True) == {1, 2}
    assert found(index, "shel") == set()
    assert found(index, "apples") == {1, 2, 3}
    assert index.begins_a_longer_word("shel")
    assert not index.begins_a_longer_word("shelf")
    assert not index.begins_a_longer_word("x")
    assert index.find([], beginnings=True).image_ids.tolist() == []
    index.close()


def test_the_stored_index_is_used_until_its_fingerprint_changes(tmp_path):
    WordIndex(tmp_path, Source(DOCUMENTS)).close()
    same = Source(DOCUMENTS)
    again = WordIndex(tmp_path, same)
    assert "green" in again.vocabulary()
    assert same.asked == []
    again.close()
    WordIndex(tmp_path, Source(DOCUMENTS[:1], "g")).close()
    (tmp_path / FILE_NAME).write_bytes(b"damaged")
    index = WordIndex(tmp_path, Source(DOCUMENTS[1:], "g"))
    assert "green" not in index.vocabulary()
    index.close()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_stored_index_follows_events(tmp_path):
    WordIndex(tmp_path, Source(DOCUMENTS)).close()
    relabelled = [DOCUMENTS[0], WordDocument(2, "plum", "", "shelf 002"), *DOCUMENTS[3:]]
    later = Source(relabelled, mark=7, changed=[2, 3])
    index = WordIndex(tmp_path, later)
    assert later.asked == [[2, 3]]
    assert found(index, "plum") == {2}
    assert found(index, "pear") == set()
    assert found(index, "apple") == {1}
    assert "pear" not in index.vocabulary()
    index.close()
    unchanged = Source(relabelled, mark=7)
    WordIndex(tmp_path, unchanged).close()
    assert unchanged.asked == []
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_an_index_that_has_seen_more_than_its_source_is_made_anew(tmp_path):
    WordIndex(tmp_path, Source(DOCUMENTS, mark=9)).close()
    earlier = Source(DOCUMENTS[:2], mark=3)
    index = WordIndex(tmp_path, earlier)
    assert earlier.asked == [None]
    assert found(index, "cafe") == set()
    index.close()


def test_an_index_whose_update_was_broken_off_is_made_anew(tmp_path):
    WordIndex(tmp_path, Source(DOCUMENTS)).close()
    broken = Source(DOCUMENTS, mark=1, changed=[1])
    broken.of[1] = WordDocument(1, object(), "", "")  # no text: SQLite refuses it in the middle
    with pytest.raises(CatalogError):
        WordIndex(tmp_path, broken)
    whole = Source(DOCUMENTS, mark=1, changed=[1])
    index = WordIndex(tmp_path, whole)
    assert whole.asked == [None]
    assert found(index, "apple") == {1, 2, 3}
    index.close()


def test_an_index_that_cannot_be_written_follows_in_memory(tmp_path, monkeypatch):
    WordIndex(tmp_path, Source(DOCUMENTS)).close()
    before = (tmp_path / FILE_NAME).read_bytes()
    monkeypatch.setattr(words, "_open", lambda path, mode="ro", plain=words._open: plain(path))
    later = Source([WordDocument(1, "plum", "", "")], mark=1, changed=[1])
    index = WordIndex(tmp_path, later)
    assert later.asked == [[1], [1]]
    assert found(index, "plum") == {1}
    index.close()
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_where_nothing_can_be_written_the_index_is_made_in_memory(tmp_path):
    index = WordIndex(tmp_path / "not there", Source(DOCUMENTS))
    assert found(index, "pear") == {2, 3}
    index.close()
