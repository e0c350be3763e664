"""Names as people read them: cleaning is idempotent, loses nothing visible, and has no order."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from vernis.core.words.blank_words import ONLY_EMPTY, USUAL_BLANKS, Blanks
from vernis.core.words.class_names import clean_name, file_key, match_key, same_names
from vernis.core.words.column_classes import read_classes
from vernis.core.words.look_alikes import find_look_alikes, latin_look, rarer_spellings
from vernis.core.words.sheet_cells import as_text, from_text

ODD = (
    "aAbBé\u0301\u0308İıßſς -_.'\u00a0\u00ad\u200b\u200c\u200d\u2060\ufeff\u2028\u3000\u3164\u2800"
    "\x00\x1f\t\n\u202e\ufe0f❤👩\u0915\u094d\u0937\u0645\u06ccаС茶ＰＨ\uff9e\uac00\u1100\u1161\u11a8"
)
TEXTS = st.text(max_size=14) | st.text(ODD, max_size=14)
COUNTS = st.dictionaries(
    st.text("aAbBcC", min_size=1, max_size=5), st.integers(1, 60), max_size=10
)  # fmt: skip


def visible(text: str) -> bool:
    """Whether anything can be seen, by the general categories of Unicode alone."""
    blank = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me", "Mc"}
    hidden = set("\u3164\u2800\uffa0")
    return any(unicodedata.category(c) not in blank and c not in hidden for c in text)


@given(TEXTS)
def test_a_clean_name_stays_as_it_is(text):
    clean = clean_name(text)
    assert clean_name(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean == " ".join(clean.split())


@given(TEXTS)
def test_what_can_be_seen_is_kept(text):
    clean = clean_name(text)
    if visible(text):
        assert clean
        assert match_key(text)

    def letters(name: str) -> str:
        return "".join(c for c in unicodedata.normalize("NFD", name) if c.isalnum())

    assert letters(clean) == letters(text.replace("\u3164", "").replace("\uffa0", ""))


@given(TEXTS, st.sampled_from(["NFC", "NFD"]), st.sampled_from(["lower", "upper", "title"]))
def test_form_and_case_do_not_change_the_key(text, form, case):
    key = match_key(text)
    assert match_key(unicodedata.normalize(form, text)) == key
    assert match_key(key) == key
    assert match_key(clean_name(text)) == key
    plain = "".join(c for c in text if c.isascii())
    assert match_key(getattr(plain, case)()) == match_key(plain)


@given(TEXTS, st.sampled_from("\u00ad\u200b\u2060\ufeff\u200e"), st.integers(0, 14))
def test_an_unseen_character_makes_no_other_name(text, unseen, place):
    text = unicodedata.normalize("NFC", text)
    assert match_key(text[:place] + unseen + text[place:]) == match_key(text)


@given(st.lists(TEXTS, max_size=8), TEXTS)
def test_a_name_that_is_there_finds_itself(names, asked):
    for name in names:
        assert same_names(name, names) == [name]
    assert all(match_key(name) == match_key(asked) for name in same_names(asked, names))


@given(COUNTS)
def test_folding_ends_and_joins_only_what_case_tells_apart(counts):
    folded = rarer_spellings(counts)
    after: dict[str, int] = {}
    for name, count in counts.items():
        into = folded.get(name, name)
        assert into.lower() == name.lower()
        assert counts[into] >= counts[name]
        after[into] = after.get(into, 0) + count
    assert rarer_spellings(after) == {}
    assert rarer_spellings(dict(reversed(counts.items()))) == folded


@given(st.dictionaries(TEXTS.map(clean_name).filter(bool), st.integers(1, 9), max_size=8))
def test_look_alikes_do_not_depend_on_the_order(counts):
    found = find_look_alikes(counts)
    assert find_look_alikes(dict(reversed(counts.items()))) == found
    for group in found:
        assert len(group.names) == len(set(group.names)) > 1
        assert set(group.names) <= counts.keys()


@given(st.lists(st.lists(TEXTS, max_size=3), max_size=8), st.booleans(), st.randoms())
def test_rows_may_stand_in_any_order(cells, keep_case, random):
    order = list(range(len(cells)))
    random.shuffle(order)
    read = read_classes(cells, keep_case=keep_case)
    again = read_classes([cells[row] for row in order], keep_case=keep_case)
    assert again.cells == tuple(read.cells[row] for row in order)
    assert again.spellings == read.spellings
    assert read_classes(read.cells, keep_case=keep_case).cells == read.cells


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_blanks_know_no_case_and_no_form(text, words):
    for blanks in (USUAL_BLANKS, Blanks.of(words)):
        held = blanks.hold(text)
        assert held == blanks.hold(match_key(text)) == blanks.hold(f" {text} ")
    assert ONLY_EMPTY.hold(text) == (not match_key(text))
    assert all(Blanks.of(words).hold(word) for word in words)


@given(TEXTS)
def test_keys_of_files_and_letters_of_other_scripts_are_stable(text):
    assert file_key(file_key(text)) == file_key(text)
    assert latin_look(latin_look(text)) == latin_look(text)


@given(st.text("'=+-@a\t\r ", max_size=6) | TEXTS)
def test_no_cell_of_a_sheet_is_a_formula_and_each_comes_back(text):
    cell = as_text(text)
    assert cell[:1] not in tuple("=+-@\t\r") or not text
    assert from_text(cell) == text
    assert cell == text or text.lstrip("'")[0] in "=+-@\t\r"
