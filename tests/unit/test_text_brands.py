"""Brands that are read in pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vernis.core.text.brands import (
    Brand,
    BrandMatcher,
    BrandRule,
    parse_brands,
    unknown_letters,
)
from vernis.core.text.ngrams import follow_lines, read_grams
from vernis.core.text.spelling import SymbolFold
from vernis.domain.errors import InvalidValue
from vernis.domain.readings import Reading

LETTERS = "abcdefghijklmnopqrstuvwxyz "
FOLD = SymbolFold(tuple(LETTERS))


def place(text: str, x: float, y: float, height: float = 20.0, confidence: float = 0.9, **more):
    """Return a level reading whose letters are half as wide as tall."""
    width = height * len(text) / 2
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    return Reading(text, confidence, corners.astype(np.float32), height / 400, **more)


def spell(text: str, doubts: dict[int, dict[str, float]] | None = None, **where):
    """Return a reading with a spelling; ``doubts`` shares a letter's probability with others."""
    rows = []
    for number, letter in enumerate(text):
        row = np.full(len(LETTERS) + 1, 1e-6)
        own = (doubts or {}).get(number, {})
        row[1 + LETTERS.index(letter)] = 1 - sum(own.values())
        for other, probability in own.items():
            row[0 if other == "_" else 1 + LETTERS.index(other)] = probability
        blank = np.full(len(LETTERS) + 1, 1e-6)
        blank[0] = 1.0
        rows += [row, blank]
    return place(text, **{"x": 0, "y": 0, **where}, spelling=FOLD.fold(np.array(rows)))


def names(matcher: BrandMatcher, *readings: Reading) -> list[str]:
    return [match.brand for match in matcher.match(readings)]


def test_words_follow_within_lines_beside_and_under():
    readings = [
        place("havana", 0, 0),
        place("club", 70, 1),
        place("god", 0, 100),
        place("mor", 0, 118),
        place("gon", 0, 136),
        place("far", 300, 300),
        place("tiny", 0, 160, height=4),
    ]
    follows = follow_lines(readings)
    assert follows[0] == [1]
    assert follows[2] == [3, 4]
    assert follows[3] == [4]
    assert follows[5] == []
    grams = {gram.joined: gram for gram in read_grams(readings, [[r.text] for r in readings])}
    assert grams["havanaclub"].lines == (0, 1)
    assert grams["godmorgon"].words == ("god", "mor", "gon")
    assert "clubhavana" not in grams


def test_followers_turn_with_their_line():
    turned = []
    for reading in (place("havana", 0, 0), place("club", 70, 1)):
        corners = reading.corners @ np.array([[0, 1], [-1, 0]], np.float32)
        turned.append(Reading(reading.text, 0.9, corners, reading.height))
    assert follow_lines(turned) == [[1], []]
    assert follow_lines([]) == []


def test_a_doubtful_letter_is_a_brand_and_a_sure_one_another_word():
    matcher = BrandMatcher([Brand("Lillet"), Brand("Pernod")])
    (match,) = matcher.match([spell("liller", {5: {"t": 0.2}})])
    assert (match.brand, match.distance, match.reading) == ("Lillet", 1, "liller")
    assert -6 < match.evidence < 2
    assert names(matcher, spell("liller")) == []
    assert names(matcher, spell("lillet")) == ["Lillet"]
    assert matcher.match([spell("lillet")])[0].evidence > match.evidence
    assert names(matcher, spell("period")) == []


def test_a_letter_that_may_miss_is_left_out():
    matcher = BrandMatcher([Brand("Suze")])
    assert names(matcher, spell("suzie", {3: {"_": 0.3}})) == ["Suze"]
    assert names(matcher, spell("suzie")) == []


def test_brands_run_over_lines_and_the_article_may_miss():
    matcher = BrandMatcher([Brand("Havana Club"), Brand("The Glenlivet")])
    lines = spell("havana", y=0), spell("club", y=24)
    (match,) = matcher.match(lines)
    assert match.lines == (0, 1)
    assert match.height == pytest.approx(20 / 400)
    assert names(matcher, spell("glenlivet")) == ["The Glenlivet"]


def test_the_longer_brand_explains_the_same_words_better():
    matcher = BrandMatcher([Brand("Bud"), Brand("Bud Light")])
    assert names(matcher, spell("bud light")) == ["Bud Light"]
    both = names(matcher, spell("bud light", y=0), spell("bud", y=300))
    assert sorted(both) == ["Bud", "Bud Light"]


def test_aliases_forbidden_readings_and_exact_brands():
    doubt = {0: {"b": 0.3}}
    brand = Brand("Corona", aliases=("Corona Extra", "Coronita"))
    matcher = BrandMatcher([brand, Brand("Bira", forbidden=("Mira",)), Brand("Lion", exact=True)])
    (match,) = matcher.match([spell("coronita")])
    assert (match.brand, match.form) == ("Corona", "Coronita")
    assert names(matcher, spell("dira", doubt)) == ["Bira"]
    assert names(matcher, spell("mira", doubt)) == []
    assert names(matcher, spell("iion", {0: {"l": 0.4}})) == []
    assert names(matcher, spell("lion")) == ["Lion"]


def test_one_letter_says_nothing_beside_a_whole_name():
    matcher = BrandMatcher([Brand("A", exact=True), Brand("Arla")])
    assert names(matcher, spell("arla"), spell("a", y=300)) == ["Arla"]
    assert names(matcher, spell("a")) == ["A"]


def test_without_a_spelling_words_stand_for_themselves():
    brands = [Brand("Pernod"), Brand("Ricard"), Brand("Perrier-Jouët")]
    rule = BrandRule(everyday=frozenset({"period"}))
    matcher = BrandMatcher(brands, rule)
    assert names(matcher, place("Period", 0, 0)) == []
    assert names(matcher, place("Pernot", 0, 0)) == ["Pernod"]
    assert names(matcher, place("Reward", 0, 0, confidence=0.99)) == []
    assert names(matcher, place("PERRIER JOUET", 0, 0)) == ["Perrier-Jouët"]
    assert names(matcher, place("Pernod", 0, 0, confidence=0.2)) == []
    (match,) = matcher.match([place("Pernot", 0, 0)])
    assert math.isnan(match.evidence)
    assert match.confidence == pytest.approx(0.9)


def test_the_rule_of_the_thesis_knows_distances_alone():
    matcher = BrandMatcher([Brand("Ricard"), Brand("Perrier-Jouët")], BrandRule("thesis"))
    assert names(matcher, spell("reward")) == ["Ricard"]
    assert names(matcher, place("PERRIER-JOUÉT", 0, 0)) == ["Perrier-Jouët"]
    assert names(matcher, place("PERRIER JOUT", 0, 0)) == ["Perrier-Jouët"]
    assert names(matcher, place("Perier Jout", 0, 0)) == ["Perrier-Jouët"]
    assert names(matcher, place("Periel Jovt", 0, 0)) == []
    exact = BrandMatcher([Brand("Ricard", exact=True)], BrandRule("thesis"))
    assert names(exact, spell("reward")) == []


@pytest.mark.parametrize(("length", "edits"), [(5, 1), (6, 2), (10, 2), (14, 4)])
def test_half_edits_go_to_the_even_number(length, edits):
    brand = "abcdefghijklmnop"[:length]
    matcher = BrandMatcher([Brand(brand)], BrandRule("thesis"))
    assert names(matcher, place("z" * edits + brand[edits:], 0, 0)) == [brand]
    assert names(matcher, place("z" * (edits + 1) + brand[edits + 1 :], 0, 0)) == []


def test_nothing_to_match():
    assert BrandMatcher([]).match([spell("lion")]) == []
    assert BrandMatcher([Brand("Lion")]).match([]) == []
    assert names(BrandMatcher([Brand("Lion")]), place("!!!", 0, 0)) == []


def test_poor_rules_and_brands_are_refused():
    with pytest.raises(InvalidValue, match="name of a brand"):
        Brand("  ")
    with pytest.raises(InvalidValue, match="default, thesis"):
        BrandRule("best")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="tolerance"):
        BrandRule(tolerance=1.0)


def test_an_owners_list_is_read_with_remarks():
    rows = [
        {"brand": " Jacob's  Creek ", "aliases": "Jacobs|Creek Jacob", "forbidden": "jacobs greek"},
        {"brand": ""},
        {"brand": "JACOBS CREEK"},
        {"brand": "!"},
        {"brand": "G"},
        {"brand": "百威", "exact": "yes"},
    ]
    brands, remarks = parse_brands(rows)
    assert [brand.name for brand in brands] == ["Jacob's Creek", "G", "百威"]
    assert brands[0].aliases == ("Jacobs", "Creek Jacob")
    assert brands[0].forbidden == ("jacobs greek",)
    assert brands[1].exact
    assert brands[2].exact
    assert [remark.split(":")[0] for remark in remarks] == [f"line {n}" for n in (3, 4, 5, 6)]
    assert "again" in remarks[1]


def test_each_slip_of_a_list_gets_a_line_of_its_own():
    rows = [
        {"brand": "Malibu", "aliases": "Malibu Rum|malibu", "exact": "maybe"},
        {"brand": "MALIBU RUM"},
        {"brand": "Coco", "aliases": "malibu rum|cocó"},
        {"brand": "Bud", "forbidden": "bud|but", "exact": "no"},
        {"brand": "N/A"},
        {"brand": "Li\x00on"},
        {"brand": "n.a.", "exact": "yes"},
    ]
    brands, remarks = parse_brands(rows)
    assert remarks == [
        "line 2: exact is 'maybe', expected yes or nothing; taken for no",
        "line 3: 'MALIBU RUM' is 'Malibu' by an alias already, left out",
        "line 4: its alias 'malibu rum' is a name of 'Malibu' already, left out",
        "line 5: 'bud' is its own name and cannot be forbidden",
        "line 6: 'N/A' is a word for a blank, left out",
        "line 7: 'Li\\x00on' holds signs that no text has, left out",
        "line 8: 'n.a.' is a word for a blank, left out",
    ]
    assert [(one.name, one.aliases, one.forbidden, one.exact) for one in brands] == [
        ("Malibu", ("Malibu Rum", "malibu"), (), False),
        ("Coco", ("cocó",), (), False),
        ("Bud", (), ("but",), False),
    ]


def test_letters_that_a_reader_does_not_know_are_named():
    alphabet = ["a", "b", "L", "i", "o", "n", "é", "'", "-", "青"]
    brands = [
        Brand("Lión"),
        Brand("Li-on 青"),
        Brand("Лион"),
        Brand("Львов", aliases=("Lion",)),
        Brand("Bison"),
    ]
    assert unknown_letters(brands, alphabet) == {"Лион": "лион", "Bison": "s"}
