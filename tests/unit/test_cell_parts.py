"""A separator counts only where its parts recur as classes; lists are taken as lists."""

from __future__ import annotations

import pytest

from vernis.core.words.cell_parts import find_separator, read_list, take_apart

PLANET = ["haze primary", "agriculture clear primary", "clear primary", "clear primary water",
          "haze primary water", "agriculture primary road", "clear road", "water", "cloudy",
          "agriculture clear water", "haze water", "clear water", "primary road water",
          "agriculture haze primary road"]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["cat|dog", "bird"], "|"),
        (["cat;dog", "cat", "dog;bird", "bird", "dog"], ";"),
        (["cat, dog", "cat", "dog, bird", "bird", "dog"], ","),
        (["beach, sea", "sea, sun", "beach, sea, sun", "sand, sea, sun", "beach, sand"], ","),
        (["cat / dog", "cat", "dog / bird", "bird"], " / "),
        (["cat\ndog", "cat", "dog\nbird", "bird"], "\n"),
        (["3,5", "3", "5,7", "7", "12,5,7"], ","),
        (PLANET, " "),
        (["Smith, John", "Smith, Anna", "Brown, John", "Brown, Anna", "Lee, Tim"], ""),
        (["Art, French", "Art, Modern", "Art", "Music, French", "Music"], ""),
        (["Dress; red", "Dress; blue", "Shirt; red", "Shirt; blue"], ""),
        (["3,5", "4,5", "5,3", "1,234,567"], ""),
        (["red car", "blue car", "red bike", "car", "bike"], ""),
        (["living room", "dining room", "room"], ""),
        (["A man, smiling, in a park", "A dog, in a park, runs", "A cat"], ""),
        (["cat", "dog"], ""),
        (["", " "], ""),
    ],
)
def test_separators_are_found_in_the_data(cells, separator):
    assert find_separator(cells) == separator


MIXED = ["milk;cream", "milk", "cream;tea", "tea;milk", "milk,tea", "milk|tea", "milk,rum", "a|b"]


def test_another_separator_counts_where_all_parts_are_classes_of_other_cells():
    parts = take_apart(MIXED)
    assert parts.separator == ";"
    assert parts.yes[4:] == (("milk", "tea"), ("milk", "tea"), ("milk,rum",), ("a|b",))
    assert (parts.mixed, parts.doubtful, parts.split) == ((4, 5), (6, 7), 5)
    names = take_apart(["Smith, John|Lee, Tim", "Smith, John", "Lee, Tim|Brown, Anna"])
    assert (names.separator, names.mixed, names.doubtful) == ("|", (), ())
    assert take_apart(MIXED, ";").mixed == ()


def test_the_user_decides_when_asked():
    assert take_apart(["a, b", "c"], ",").yes == (("a", " b"), ("c",))
    assert take_apart(["a|b", "['c']"], "").yes == (("a|b",), ("['c']",))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["cat", "dog"]', ("cat", "dog")),
        ("['cat', \"d'og\"]", ("cat", "d'og")),
        ("('cat',)", ("cat",)),
        ("{'dog', 'cat'}", ("cat", "dog")),
        ("['cat' 'dog']", ("cat", "dog")),
        ("[cat, dog]", ("cat", "dog")),
        ("[]", ()),
        ("[1.0, 007]", ("1.0", "007")),
        ("[1.0, 7]", ("1.0", "7")),
        ('{"choices": ["cat", "dog"]}', ("cat", "dog")),
        ('[{"x": 1, "rectanglelabels": ["Car"]}, {"x": 2, "rectanglelabels": ["Bus"]}]',
         ("Car", "Bus")),
        ("['cat', 'dog'", None),
        ("[[1, 2], [3, 4]]", None),
        ("['cat]", None),
        ("[" * 5000 + "]" * 5000, None),
    ],
)  # fmt: skip
def test_lists_are_read_as_programs_write_them(text, items):
    assert read_list(text) == items


def test_a_column_of_lists_may_hold_plain_cells_and_broken_ones():
    parts = take_apart(["['a', 'b']", "a", "['b'", "", "['a']"])
    assert (parts.form, parts.several) == ("list", True)
    assert parts.yes == (("a", "b"), ("a",), (), (), ("a",))
    assert parts.broken == (2,)


def test_exact_cells_say_yes_and_no_to_the_letter():
    parts = take_apart(['{"yes": ["a|b", " c"], "no": ["nan"]}', "", '{"no": ["d"]}'])
    assert (parts.form, parts.several) == ("exact", True)
    assert parts.yes == (("a|b", " c"), (), ())
    assert parts.no == (("nan",), (), ("d",))
    assert take_apart(['{"yes": "a|b"}']).several is False
    assert take_apart(['{"yes": "a|b", "maybe": []}']).form != "exact"
