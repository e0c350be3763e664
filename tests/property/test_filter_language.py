"""The filter language: printing and parsing are inverse, evaluation is that of a plain reading."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.core.explore.filter_evaluation import FilterTable, LabelColumns, evaluate_filter
from vernis.core.explore.filter_language import (
    And,
    Condition,
    Not,
    Or,
    format_filter,
    parse_filter,
)
from vernis.domain.errors import FilterError

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=0, max_size=12)
FIELDS = st.from_regex(r"[A-Za-z_ß][\w.\-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in {"and", "or", "not"}
)
OPERATORS = st.sampled_from([":", "!=", "~", "<", "<=", ">", ">="])
ANY_CONDITION = st.builds(Condition, FIELDS, OPERATORS, WORDS) | st.builds(
    Condition, WORDS, OPERATORS, WORDS, st.just(True)
)


def trees(leaves):
    def grow(parts):
        several = st.lists(parts, min_size=2, max_size=4).map(tuple)
        return st.builds(Not, parts) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(leaves, grow, max_leaves=12)


@given(trees(ANY_CONDITION))
def test_a_printed_filter_is_read_as_the_same_tree(tree):
    assert parse_filter(format_filter(tree)) == tree


@given(st.text(max_size=60) | st.text("ab:()'\"<>=!~ \\", max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text):
    refusal = None
    try:
        tree = parse_filter(text)
        assert parse_filter(format_filter(tree)) == tree
    except FilterError as error:
        refusal = error
    if refusal is not None:
        assert 0 <= refusal.position <= len(text)
        assert len(str(refusal).split("\n")) == 3


# --------------------------------------------------------------------------- evaluation

IMAGES = [
    {"width": 100.0, "name": "a b.jpg", "taken": "2024-05-17T10:00:00", "brand": {"Absolut"}},
    {"width": 2000.0, "name": "B.jpg", "taken": "", "brand": {"Skyy", "Absolut"}},
    {"width": math.nan, "name": "c.png", "taken": "2023-01-02T00:00:00", "brand": set()},
    {"width": 1000.0, "name": "C.PNG", "taken": "2024-12-31T23:59:59", "brand": {"skyy blue"}},
]
BRANDS = ("Absolut", "Skyy", "skyy blue")
TABLE = FilterTable(
    len(IMAGES),
    numbers={"width": np.array([image["width"] for image in IMAGES])},
    dates={"taken": [image["taken"] for image in IMAGES]},
    positive=["width"],
    texts={"name": [image["name"] for image in IMAGES], "format": ["JPEG"] * 4},
    choices={"format": ["JPEG", "PNG"]},
    folders={"folder": ["", "x", "x/y", "xy"]},
    marks={"issue": {"blurry": np.array([True, False, False, True])}},
    taxonomies={
        "brand": LabelColumns(
            BRANDS, np.array([[brand in image["brand"] for brand in BRANDS] for image in IMAGES])
        )
    },
)
KNOWN = st.one_of(
    st.builds(
        Condition,
        st.just("width"),
        st.sampled_from([":", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["100", "1000", "1e3", "2000.5"]),
    ),
    st.builds(
        Condition,
        st.just("taken"),
        st.sampled_from([":", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["2024", "2024-05", "2023-01-02"]),
    ),
    st.builds(
        Condition,
        st.just("name"),
        st.sampled_from([":", "!=", "~"]),
        st.sampled_from(["a b.jpg", "c.png", "J", ""]),
    ),
    st.builds(
        Condition,
        st.sampled_from(["brand", "BRAND", "label"]),
        st.just(":"),
        st.sampled_from(["absolut", "SKYY", "Skyy Blue"]),
    ),
    st.builds(Condition, st.just("brand"), st.just("~"), st.sampled_from(["SK", "lut", "no such"])),
    st.just(Condition("issue", ":", "Blurry")),
    st.builds(Condition, st.just("folder"), st.just(":"), st.sampled_from(["x", "X/", "x/y"])),
)


def compare(left, sign, right):
    return {
        ":": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[sign]


def reading(tree, image, number):
    """Say whether a filter holds for one image, by its plain meaning."""
    match tree:
        case Not():
            return not reading(tree.part, image, number)
        case And():
            return all(reading(part, image, number) for part in tree.parts)
        case Or():
            return any(reading(part, image, number) for part in tree.parts)
    value = tree.value.lower()
    match tree.field.lower():
        case "width":
            known = not math.isnan(image["width"])
            return known and compare(image["width"], tree.operator, float(value))
        case "taken":
            date = image["taken"]
            return bool(date) and compare(date[: len(value)], tree.operator, value)
        case "name":
            name = image["name"].lower()
            return value in name if tree.operator == "~" else compare(name, tree.operator, value)
        case "brand" | "label":
            brands = {brand.lower() for brand in image["brand"]}
            if tree.operator == "~":
                return any(value in brand for brand in brands)
            return value in brands
        case "issue":
            return number in (0, 3)
        case "folder":
            path = ["", "x", "x/y", "xy"][number].split("/")
            asked = value.strip("/").split("/")
            return path[: len(asked)] == asked
    raise AssertionError(tree)


@given(trees(KNOWN))
def test_evaluation_is_that_of_a_plain_reading(tree):
    expected = [reading(tree, image, number) for number, image in enumerate(IMAGES)]
    assert evaluate_filter(tree, TABLE).tolist() == expected
    text = format_filter(tree)
    assert evaluate_filter(parse_filter(text), TABLE, text).tolist() == expected


# --------------------------------------------------------------------------- precedence and errors


def test_not_binds_closest_and_before_or():
    a, b, c = (Condition(name, ":", "1") for name in "abc")
    assert parse_filter("a:1 or not b:1 and c:1") == Or((a, And((Not(b), c))))
    assert parse_filter("(a:1 OR b:1) AND c:1") == And((Or((a, b)), c))
    assert parse_filter("not (a:1 and b:1)") == Not(And((a, b)))


def test_blanks_quotes_and_spellings():
    assert parse_filter("width = 3") == Condition("width", ":", "3")
    assert parse_filter("brand : 'Grey \\'Goose\\''") == Condition("brand", ":", "Grey 'Goose'")
    assert parse_filter('"asset type":people') == Condition("asset type", ":", "people", True)
    assert parse_filter("source:human:ann").value == "human:ann"


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 0, "the filter is empty"),
        ("brand:absolut and and width>3", 18, "expected a condition such as"),
        ("brand:red bottle", 10, "expected 'and', 'or' or the end, got 'bottle'"),
        ("brand", 0, "without a comparison"),
        ("(brand:a or brand:b", 0, "this bracket is not closed"),
        ("brand:a)", 7, "closes nothing"),
        ("brand:", 6, "expected a value after brand:"),
        ('brand:"a', 6, "quotation mark is not closed"),
        ("width>>3", 6, "two comparisons"),
        ("not", 3, "got the end"),
        ("(" * 100, 60, "more than 60 brackets"),
        # Against what the collection holds:
        ("brnd:absolut", 0, "no field or taxonomy 'brnd'; did you mean brand?"),
        ("width>3 and brand:absolute", 18, "in brand; did you mean Absolut?"),
        ("label:zzz", 6, "there are: Absolut, Skyy, skyy blue"),
        ("taken>2020-13", 6, "there is no date 2020-13; months go to 12"),
        ("taken:2023-02-29", 6, "there is no date 2023-02-29"),
        ("taken:'2023-02-28 25'", 6, "there is no date 2023-02-28 25"),
        ("width>-1", 6, "width is never below 0"),
        ("name:x/a.jpg", 5, "no file name holds a '/'; write path:x/a.jpg"),
        ("format:jpg", 7, "no image can have the format 'jpg'; did you mean JPEG?"),
        ("brand:z*", 6, "no label 'z*' in brand"),
        ("folder:z*", 7, "no image lies in the folder 'z*'"),
        ("issue:blury", 6, "'blury' is no value of issue; did you mean blurry?"),
        ("width>wide", 6, "expected a number, got 'wide'"),
        ("taken:may", 6, "expected a date such as"),
        ("brand>3", 0, "brand cannot be compared by '>', only by : ~"),
        ("brand!=Skyy", 0, "write not"),
        ('"width">3', 0, "no taxonomy 'width'"),
    ],
)
def test_errors_show_the_place(text, column, reason):
    with pytest.raises(FilterError) as caught:
        evaluate_filter(parse_filter(text), TABLE, text)
    message, shown, caret = str(caught.value).split("\n")
    assert reason in message
    assert shown == f"  {text}"
    assert caret.index("^") - 2 == column


@pytest.mark.parametrize(
    ("text", "value"), [("2kB", 2000), ("1.5MiB", 1572864), ("16/9", 16 / 9), ("-1e3", -1000)]
)
def test_numbers_with_units_and_ratios(text, value):
    table = FilterTable(2, numbers={"size": np.array([value, value + 1], dtype=float)})
    assert evaluate_filter(parse_filter(f"size:{text}"), table).tolist() == [True, False]


def test_a_taxonomy_that_is_named_like_a_field_is_reached_by_quotes():
    table = FilterTable(
        1,
        texts={"name": ["x.jpg"]},
        taxonomies={"name": LabelColumns(("ann",), np.array([[True]]))},
    )
    assert not evaluate_filter(parse_filter("name:ann"), table)[0]
    assert evaluate_filter(parse_filter('"name":ann'), table)[0]


def asked(text: str, names: list[str]) -> list[str]:
    """Return the file names, and the labels of the same names, that a condition holds for."""
    table = FilterTable(
        len(names),
        texts={"name": names},
        folders={"folder": names},
        taxonomies={"kind": LabelColumns(tuple(names), np.eye(len(names), dtype=bool))},
    )
    return [name for name, holds in zip(names, evaluate(text, table), strict=True) if holds]


def evaluate(text: str, table: FilterTable) -> list[bool]:
    return evaluate_filter(parse_filter(text), table, text).tolist()


@pytest.mark.parametrize("field", ["name", "kind", "folder"])
def test_stars_and_question_marks_stand_for_anything_unless_something_is_named_so(field):
    names = ["p01.jpg", "P02.JPG", "p1.png", "x[1].jpg", "a.jpg"]
    assert asked(f"{field}:p0*.jpg", names) == ["p01.jpg", "P02.JPG"]
    assert asked(f"{field}:p?.png", names) == ["p1.png"]
    assert asked(f"{field}:x[1]*", names) == ["x[1].jpg"]
    assert asked(f"{field}~0?.j", names) == ["p01.jpg", "P02.JPG"]
    assert asked(f"{field}:p*", [*names, "P*"]) == ["P*"]
    assert asked(f"not {field}:*.jpg", names) == ["p1.png"]


@pytest.mark.parametrize("field", ["name", "kind", "folder"])
@pytest.mark.parametrize("written", ["caf\xe9", "cafe\u0301", "CAFE\u0301", "Caf\xe9\u200b"])
def test_names_are_found_in_every_form_they_can_be_written_in(field, written):
    names = ["Caf\xe9", "cafe\u0301", "caf\xe9\xa0bar", "Cafe"]
    assert asked(f"{field}:{written}", names) == names[:2]
    assert asked(f"{field}~{written}", names) == names[:3]
    assert asked(f"{field}:'{written} bar'", names) == names[2:3]


def test_formats_that_exist_may_be_asked_for_where_no_image_has_them():
    assert evaluate("format:png", TABLE) == [False] * 4
    assert evaluate("format!=Jpeg or format~JP", TABLE) == [True] * 4


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("text:jouet", [True, False, False]),
        ("text:Jouët", [True, False, False]),
        ("text~rrierJOU", [True, False, False]),
        ("not text:jouet", [False, True, True]),
        ("text:jou", [False, False, False]),
    ],
)
def test_read_text_is_compared_without_accents_and_unread_pictures_have_none(text, holds):
    lines = [("Perrier-Jouët", "Épernay"), (), None]
    table = FilterTable(3, readings={"text": lines})
    assert evaluate_filter(parse_filter(text), table, text).tolist() == holds


def test_a_label_of_several_levels_is_found_by_each():
    names = ["Animals|Fish|Trout", "animals", "Animals|Birds", "Fishing", "Plants|Fish"]
    assert asked("kind:Animals", names) == [names[0], names[1], names[2]]
    assert asked("kind:fish", names) == [names[0], names[4]]
    assert asked("kind:Fish|Trout", names) == [names[0]]
    assert asked("kind:Animals|Fish|Trout", names) == [names[0]]
