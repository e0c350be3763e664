from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.words.vocabulary import (
    VocabularyChoice,
    choose_labels,
    split_names,
    study_frequencies,
)
from vernis.domain.errors import InvalidValue, NotFound, UsageError


@given(st.integers(0, 10_000))
def test_study_agrees_with_counting_anew(seed):
    rng = np.random.default_rng(seed)
    Y = (rng.random((30, 12)) < rng.random(12) ** 3).astype(np.float32)
    Y[0, 0] = 1
    study = study_frequencies(Y)
    counts = (Y == 1).sum(axis=0)
    for threshold in range(1, counts.max() + 1):
        row = study.at(threshold)
        kept = counts >= threshold
        assert study.labels[row] == kept.sum()
        assert study.images[row] == (Y[:, kept] == 1).any(axis=1).sum()
        assert study.assignments[row] == counts[kept].sum()


def test_study_needs_labels():
    with pytest.raises(InvalidValue, match="at least one label"):
        study_frequencies(np.full((3, 2), np.nan))
    with pytest.raises(InvalidValue, match="shape"):
        study_frequencies(np.zeros(3))


NAMES, COUNTS = ("a", "b", "c", "d", "e"), np.array([5, 9, 5, 0, 1])


def kept(**choice) -> list[str]:
    stays = choose_labels(NAMES, COUNTS, VocabularyChoice(**choice))
    return [name for name, stay in zip(NAMES, stays, strict=True) if stay]


def test_labels_are_chosen_by_frequency_number_or_hand():
    assert kept() == ["a", "b", "c", "e"]
    assert kept(min_count=5) == ["a", "b", "c"]
    assert kept(keep=2) == ["a", "b"]
    assert kept(keep=99) == ["a", "b", "c", "e"]
    assert kept(only=("e", "b")) == ["b", "e"]
    assert kept(drop=("b",)) == ["a", "c", "e"]
    assert kept(min_count=5, drop=("b",)) == ["a", "c"]


def test_bad_choices_say_what_is_wrong():
    with pytest.raises(UsageError, match="not by several"):
        VocabularyChoice(min_count=1, keep=2)
    with pytest.raises(UsageError, match="--keep of 1 or more"):
        VocabularyChoice(keep=0)
    with pytest.raises(UsageError, match="most frequent one is on 9 images"):
        kept(min_count=10)
    with pytest.raises(NotFound, match="--drop: there is no label 'x'"):
        kept(drop=("x",))


def test_names_are_split_at_commas_unless_they_are_labels():
    assert split_names(["a, b", "c,d"], ["c,d"]) == ("a", "b", "c,d")


def test_a_choice_is_empty_when_every_used_label_stays():
    assert VocabularyChoice().is_empty
    for choice in ({"min_count": 1}, {"keep": 1}, {"only": ()}, {"drop": ("a",)}):
        assert not VocabularyChoice(**choice).is_empty
