"""Class names: what is one name, what is blank, which spelling is taken, and which look alike."""

from __future__ import annotations

import pytest

from vernis.core.words.blank_words import ONLY_EMPTY, USUAL_BLANKS, Blanks, count_blanks
from vernis.core.words.class_names import clean_name, file_key, kept_names, match_key, same_names
from vernis.core.words.column_classes import read_classes
from vernis.core.words.look_alikes import find_look_alikes, latin_look, rarer_spellings

FAMILY = "\U0001f468\u200d\U0001f469"


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("Cafe\u0301", "Caf\xe9"),
        ("Caf\xe9\xa0 bar ", "Caf\xe9 bar"),
        ("tea\u200b", "tea"),
        ("\ufefftea", "tea"),
        ("t\xadea", "tea"),
        ("a\r\nb\tc", "a b c"),
        ("a\x00b", "ab"),
        ("e\u200b\u0301", "\xe9"),
        ("\u200eabc\u200f", "abc"),
        ("a\u200db", "ab"),
        (FAMILY, FAMILY),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,  # Persian needs the joiner
        ("\u2665\ufe0f", "\u2665\ufe0f"),
        ("\u200b \xa0", ""),
        ("\ud800x", "\ufffdx"),
    ],
)
def test_a_name_is_kept_as_it_is_seen(written, clean):
    assert clean_name(written) == clean


def test_names_are_compared_without_case_width_and_unseen_signs():
    same = ["Caf\xe9", "CAFE\u0301", "caf\xe9\u200b", "\uff23af\xe9"]
    assert {match_key(name) for name in same} == {"caf\xe9"}
    assert match_key("Cafe") != match_key("Caf\xe9")
    assert match_key("10\xb2") != match_key("102")
    assert match_key("\u2665\ufe0f") == match_key("\u2665")


def test_of_several_names_the_one_spelt_so_is_meant():
    names = ["Cat", "cat", "Cafe\u0301"]
    assert same_names("cat", names) == ["cat"]
    assert same_names("cat\u200b", names) == ["cat"]
    assert same_names("CAT", names) == ["Cat", "cat"]
    assert same_names("caf\xe9", names) == ["Cafe\u0301"]
    assert same_names("dog", names) == []


def test_names_are_kept_as_those_that_are_there():
    there = ["Cafe\u0301", "Cat"]  # as an earlier version may have kept them
    texts = ["Caf\xe9", "Cat", "cat", " Cat\u200b", "a\xa0b", "\u200b"]
    kept = kept_names(texts, there)
    assert list(kept.values()) == ["Cafe\u0301", "Cat", "cat", "Cat", "a b", ""]
    assert kept_names(there, []) == {"Cafe\u0301": "Caf\xe9", "Cat": "Cat"}


def test_files_are_told_apart_by_case_but_not_by_form():
    assert file_key(".\\a//cafe\u0301.JPG") == "a/caf\xe9.JPG"


SAY_NOTHING = """
nan NaN NAN NA na N/A n.a. n/a null NULL Null None NONE - -- --- – — ? ?? ... #N/A <NA> #VALUE!
#REF! #DIV/0! NaT (blank) \\N
k.A. K.A. unbekannt N.N. inconnu s.o. unknown tbd
"""


@pytest.mark.parametrize(
    "word", [*SAY_NOTHING.split(), "N / A", "k. A.", "keine Angabe", "", " ", "\u200b", "-\xa0-"]
)
def test_every_way_to_say_nothing_is_blank(word):
    assert USUAL_BLANKS.hold(word)


@pytest.mark.parametrize(
    "word", ["KA", "NN", "so", "true", "no", "0", "n", "naan", "other", "a-b", "x"]
)
def test_other_words_are_classes(word):
    assert not USUAL_BLANKS.hold(word)


def test_an_owner_names_the_blanks():
    only = Blanks.of(["Not known", "-"])
    assert [w for w in ("not  known", "-", "--", "nan", "") if only.hold(w)] == [
        "not  known",
        "-",
        "",
    ]
    assert ONLY_EMPTY.hold(" ")
    assert not ONLY_EMPTY.hold("nan")


def test_blanks_are_counted_and_suspected_where_they_may_be_classes():
    bread = [["nan"]] * 9 + [["Null"]] * 9 + [["rice"]] * 12 + [[""]] * 4
    found = count_blanks(bread)
    assert (found.empty, found.words, found.total) == (4, {"nan": 9, "Null": 9}, 18)
    assert found.look_like_classes
    export = [["NaN"]] * 9 + [["rice"]] * 12 + [["naan", " "]] * 12
    assert not count_blanks(export).look_like_classes
    strays = [["NA"], [""]] + [["rice"]] * 12
    assert not count_blanks(strays).look_like_classes
    assert not count_blanks(bread, ONLY_EMPTY).words
    in_any_case = [["rice"], ["Rice"], ["RICE"]] * 5 + [["unknown"], ["n/a"]]
    assert not count_blanks(in_any_case).look_like_classes


def test_only_a_clearly_rarer_spelling_is_folded():
    assert rarer_spellings({"PHOTO": 2, "photo": 30, "Photo": 3}) == {
        "PHOTO": "photo",
        "Photo": "photo",
    }
    assert rarer_spellings({"PHOTO": 3, "photo": 9}) == {"PHOTO": "photo"}
    assert rarer_spellings({"PHOTO": 4, "photo": 9}) == {}
    assert rarer_spellings({"Milk": 10, "milk": 2, "MILK": 6}) == {"milk": "Milk", "MILK": "Milk"}
    assert rarer_spellings({"Milk": 10, "milk": 2, "MILK": 9}) == {}
    assert rarer_spellings({"US": 1, "us": 90, "a": 1, "A": 50}) == {}
    assert rarer_spellings({"Ma\xdfe": 1, "Masse": 90}) == {}
    assert rarer_spellings({"a-b": 1, "A-B": 90}) == {}


def test_look_alikes_are_named_by_what_tells_them_apart():
    counts = {
        "Photo": 9, "photo": 8, "ice cream": 5, "ice-cream": 3, "icecream": 1, "Caf\xe9": 2,
        "Cafe": 1, "c\u0430t": 1, "cat": 7, "dogs": 2, "dog": 3, "\u0441\u0442\u043e\u043b": 4,
    }  # fmt: skip
    found = [(group.names, group.by) for group in find_look_alikes(counts)]
    assert found == [
        (("Photo", "photo"), "case"),
        (("ice cream", "ice-cream", "icecream"), "spelling"),
        (("Caf\xe9", "Cafe"), "spelling"),
        (("cat", "c\u0430t"), "letters of another script"),
        (("dog", "dogs"), "plural"),
    ]
    codes = ["-1", "1", "1.0", "10", "C", "C++", "c#", "v1.0", "v10", "A-1", "A1", "mug 1.0"]
    codes += ["mug 10", "glass", "glasses", "blue greens", "blue green"]
    assert find_look_alikes(dict.fromkeys(codes, 5)) == []
    assert latin_look("\u0441\u0442\u043e\u043b") == "\u0441\u0442\u043e\u043b"


def test_a_column_is_read_with_what_the_taxonomy_holds():
    cells = [["Photo"], ["photo", "nan"], ["Drawing"], []]
    assert read_classes(cells).cells == (("Photo",), ("photo",), ("Drawing",), ())
    found = read_classes(cells, known={"photo": 40, "Other": 2})
    assert found.cells == (("photo",), ("photo",), ("Drawing",), ())
    assert (found.spellings.folded, found.spellings.changed) == ({"Photo": "photo"}, 1)
    assert found.spellings.counts["photo"] == 42
    assert read_classes([["photo"]], known={"PHOTO": 1, "photo": 9}).spellings.folded == {}
    kept = read_classes(cells, known={"photo": 40}, keep_case=True)
    assert kept.cells[0] == ("Photo",)
    assert [group.names for group in kept.spellings.alike] == [("photo", "Photo")]
