from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vernis.core.words.merge_evidence import measure_looks, measure_use
from vernis.core.words.merges import propose_merges
from vernis.core.words.spelling import are_plural, plain_form, slip_cost
from vernis.domain.errors import InvalidValue

sys.path.insert(0, str(Path(__file__).parent))
import vocabulary_words as words_of


def use_of(counts: dict[str, int], n: int = 400, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    Y = np.full((n, len(counts)), np.nan, np.float32)
    for column, count in enumerate(counts.values()):
        Y[rng.choice(n, count, replace=False), column] = 1
    return list(counts), Y


def pairs_of(counts: dict[str, int], **options) -> dict[tuple[str, str], str]:
    names, Y = use_of(counts)
    found = propose_merges(names, measure_use(Y), **options)
    return {(merge.label, merge.into): merge.kind for merge in found}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("mouse", "house"),
        ("glass", "grass"),
        ("car", "cat"),
        ("beer", "bear"),
        ("pear", "spear"),
        ("pears", "spear"),
        ("bus", "bush"),
        ("iphone 6", "iphone 7"),
        ("polar bear", "polar beer"),
        ("dessert", "desert"),
    ],
)
@pytest.mark.parametrize("counts", [(30, 28), (1, 40), (40, 1)])
def test_words_of_their_own_are_not_merged(one, two, counts):
    assert pairs_of({one: counts[0], two: counts[1], "sky": 100}) == {}


@pytest.mark.parametrize(
    ("variant", "word", "kind"),
    [
        ("Bottle", "bottle", "case"),
        ("T-Shirt", "t shirt", "case"),
        ("tshirt", "t-shirt", "case"),
        ("café", "cafe", "case"),
        ("bottles", "bottle", "plural"),
        ("strawberries", "strawberry", "plural"),
        ("fishermen", "fisherman", "plural"),
        ("wine glasses", "wine-glass", "plural"),
        ("\u0430pple", "apple", "case"),  # a Cyrillic letter
        ("ap\xadple", "apple", "case"),
        ("bottel", "bottle", "misspelling"),
        ("umbrela", "umbrella", "misspelling"),
        ("elefant", "elephant", "misspelling"),
        ("motorcicles", "motorcycle", "misspelling"),
        ("brid", "bird", "misspelling"),
    ],
)
def test_variants_go_into_the_frequent_spelling(variant, word, kind):
    score = 0.5
    assert pairs_of({word: 60, variant: 2, "sky": 90}, min_score=score) == {(variant, word): kind}


def test_codes_are_two_things_unless_a_person_says_otherwise():
    codes = {"C": 60, "C++": 9, "C#": 5, "1": 30, "-1": 9, "US": 20, "us": 3}
    assert pairs_of(codes, min_score=0.5) == {("us", "US"): "case"}
    assert pairs_of(codes, min_score=0.9) == {}


def test_direction_follows_frequency_and_ties_prefer_lower_case():
    assert pairs_of({"bottles": 60, "bottle": 3}) == {("bottle", "bottles"): "plural"}
    assert pairs_of({"Bottle": 5, "bottle": 5}) == {("Bottle", "bottle"): "case"}


def test_groups_are_complete_links_into_one_head():
    found = pairs_of({"bottle": 80, "Bottle": 9, "bottles": 20, "bottel": 2, "bottels": 1})
    assert {into for _, into in found} == {"bottle"}
    assert len(found) == 4
    # pear ~ pears and nothing else, whatever lies between them and spear.
    assert pairs_of({"pear": 20, "pears": 8, "spears": 9, "spear": 30}) == {
        ("pears", "pear"): "plural",
        ("spears", "spear"): "plural",
    }


def test_dismissed_pairs_stay_away_and_german_plurals_come_on_request():
    counts = {"bottle": 40, "bottles": 3}
    assert pairs_of(counts, dismissed=[frozenset(counts)]) == {}
    german = {"Apfel": 30, "Äpfel": 4, "Flasche": 30, "Flaschen": 4, "Glas": 20, "Gläser": 9}
    found = pairs_of(german, languages=("en", "de"))
    assert {label for label, _ in found} == {"Äpfel", "Flaschen", "Gläser"}
    assert set(found.values()) == {"plural"}


def test_pictures_speak_for_and_against():
    rng = np.random.default_rng(1)
    names = ["zorble", "zorbel", *(f"other{c}x" for c in "abcdefgh")]
    Y = np.zeros((300, len(names)), np.float32)
    column = rng.integers(len(names), size=300)
    Y[np.arange(300), column] = 1
    scores = []
    for same in (True, False):
        centres = rng.normal(size=(len(names), 32))
        if same:
            centres[1] = centres[0]
        X = (centres[column] + 0.3 * rng.normal(size=(300, 32))).astype(np.float32)
        found = propose_merges(
            names, measure_use(Y), measure_looks(X, Y), min_score=0.0, exclusive=True
        )
        scores.append(next(m.score for m in found if {m.label, m.into} == {"zorble", "zorbel"}))
    assert scores[0] > 0.7
    assert scores[1] < 0.3


def test_synonyms_need_mixed_pictures_and_never_reach_the_sure_scores():
    rng = np.random.default_rng(2)
    names = ["sofa", "couch", "lamp", "table", "vase", "tree"]
    column = rng.integers(len(names), size=400)
    Y = np.zeros((400, len(names)), np.float32)
    Y[np.arange(400), column] = 1
    centres = rng.normal(size=(len(names), 24))
    centres[1] = centres[0]
    X = (centres[column] + 0.4 * rng.normal(size=(400, 24))).astype(np.float32)
    found = propose_merges(names, measure_use(Y), measure_looks(X, Y), exclusive=True)
    assert [{m.label, m.into} for m in found] == [{"sofa", "couch"}]
    assert found[0].kind == "synonym"
    assert 0.5 < found[0].score <= 0.85
    # Two labels of a handful of images that always come together may be chance.
    few = np.zeros((60, 2), np.float32)
    few[:5] = 1
    assert propose_merges(["remote", "sofa"], measure_use(few)) == []
    many = np.zeros((60, 2), np.float32)
    many[:40] = 1
    assert propose_merges(["auto", "car"], measure_use(many))[0].kind == "synonym"


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_variants_are_found_among_hard_negatives(seed):
    rng = np.random.default_rng(seed)
    words = sorted({*words_of.WORDS, *words_of.HARD_NEGATIVES})
    planted = words_of.plant(words, rng)
    found = propose_merges(planted.labels, measure_use(words_of.scatter(planted, rng)))
    right = {
        variant
        for merge in found
        for variant in (merge.label, merge.into)
        if variant in planted.truth and planted.truth[variant][0] in (merge.label, merge.into)
    }
    assert len(right) / len(found) >= 0.95
    for kind, bar in (("case", 0.95), ("plural", 0.95), ("misspelling", 0.8)):
        wanted = {variant for variant, (_, k) in planted.truth.items() if k == kind}
        assert len(right & wanted) / len(wanted) >= bar, kind


def test_plain_forms_and_plurals():
    assert plain_form("  Black-and_White / Photo ") == "black and white photo"
    assert plain_form("Müller's Café") == "muellers cafe"
    assert are_plural("box", "boxes")
    assert are_plural("wolf", "wolves")
    assert not are_plural("glas", "glass")
    assert not are_plural("bus", "bu")
    assert not are_plural("pip", "pipe")


def test_slip_cost_weighs_what_people_do():
    assert slip_cost("bottle", "bottle") == 0
    assert slip_cost("bottel", "bottle") == pytest.approx(0.5)
    assert slip_cost("umbrela", "umbrella") == pytest.approx(0.5)
    assert slip_cost("elefant", "elephant") == pytest.approx(0.7)
    assert slip_cost("mouse", "house") > slip_cost("glass", "grass") > slip_cost("cet", "cat")


def test_evidence_of_pairs():
    Y = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    use = measure_use(Y)
    assert use.counts.tolist() == [3, 2, 1]
    assert use.jaccard(0, 1) == pytest.approx(2 / 3)
    assert use.pmi(0, 1) == pytest.approx(np.log2(2 / (3 * 2 / 4)))
    assert np.isnan(use.pmi(0, 2))


def test_mixing_is_one_for_one_distribution_and_zero_for_two():
    rng = np.random.default_rng(3)
    Y = np.zeros((200, 2), np.float32)
    Y[:100, 0] = Y[100:, 1] = 1
    X = rng.normal(size=(200, 16)).astype(np.float32)
    assert measure_looks(X, Y).mixing(0, 1) > 0.8
    X[:100, 0] += 20
    assert measure_looks(X, Y).mixing(0, 1) < 0.05


def test_too_few_pictures_of_a_label_say_nothing_about_mixing():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 8)).astype(np.float32)
    Y = np.zeros((30, 2), np.float32)
    Y[:10, 0] = Y[10:14, 1] = 1
    assert np.isnan(measure_looks(X, Y).mixing(0, 1))
    Y[14, 1] = 1
    assert 0 <= measure_looks(X, Y).mixing(0, 1) <= 1
    Y[14, 0] = 1  # a picture with both labels is left out
    assert np.isnan(measure_looks(X, Y).mixing(0, 1))


def test_agreement_is_the_rank_among_all_labels():
    turns = np.radians([0, 10, 40, 80, 120])
    X = np.column_stack([np.cos(turns), np.sin(turns)]).repeat(3, axis=0).astype(np.float32)
    # The opposite of every picture stands beside it, so that the mean of all is zero.
    X = np.concatenate([X, -X])
    Y = np.zeros((30, 6), np.float32)
    for c in range(5):
        Y[3 * c : 3 * c + 3, c] = 1
    looks = measure_looks(X, Y)
    assert [looks.agreement(0, c) for c in (1, 2, 3, 4)] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert np.isnan(looks.agreement(0, 5))
    assert np.isnan(measure_looks(X, Y[:, :4]).agreement(0, 1))


def test_looks_refuse_labels_of_other_images():
    with pytest.raises(InvalidValue, match="labels for 3 vectors, got 2"):
        measure_looks(np.ones((3, 2)), np.ones((2, 1)))
