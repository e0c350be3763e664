"""The report's pages: everything shown is escaped, well formed and complete."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.domain.errors import InvalidValue
from vernis.report import figures, svg
from vernis.report.index.page import render
from vernis.report.markup import Markup, join, tag
from vernis.report.model import (
    Action,
    BrokenFile,
    ClassMetrics,
    ClassPair,
    Duplicates,
    Fill,
    FillClass,
    FillItem,
    ImageRef,
    Interval,
    LabelIssue,
    LabelIssues,
    Member,
    Model,
    Neighbor,
    QualityIssues,
    QualityItem,
    ReportData,
    TaxonomyAudit,
    ThresholdCurve,
)
from vernis.report.payload import as_script
from vernis.report.wording import count, percent, shorten, size

HOSTILE = "</script><script>alert('ha')</script>\"><img src=x onerror=alert(1)>&${title}\u202e"
ALL_SECTIONS = [
    "summary",
    "audit",
    "label-issues",
    "duplicates",
    "quality",
    "broken",
    "fill",
    "models",
]


@pytest.fixture
def data() -> ReportData:
    names = (HOSTILE, "kiwi", "lime")
    curve = ThresholdCurve(
        HOSTILE, (0.0, 0.5, 1.0), (0.5, 0.8, math.nan), (1, 0.7, 0), (0.6, 0.7, 0), 0.5
    )
    return ReportData(
        title=HOSTILE,
        created="24 November 2026, 02:40",
        version="0.1.0",
        n_images=9,
        images={i: ImageRef(i, f"{HOSTILE}/{i}.jpg", 40, 30, 1200, "") for i in range(1, 10)},
        facts=(("Folder", HOSTILE),),
        actions=(Action(HOSTILE, HOSTILE, f"vernis issues {HOSTILE}", "label-issues"),),
        audits=(
            TaxonomyAudit(
                HOSTILE,
                "multi",
                9,
                6,
                dict.fromkeys(names, 3),
                (3, 3, 3),
                names,
                ((3, 1, 0), (1, 3, 0), (0, 0, 3)),
                (ClassPair(HOSTILE, "kiwi", 1, 1.5),),
            ),
        ),
        label_issues=(
            LabelIssues(
                HOSTILE,
                (
                    LabelIssue(
                        1, 0.01, "replaced", (HOSTILE,), ("kiwi",), 0.9, (Neighbor(2, "kiwi", 0.8),)
                    ),
                ),
                1,
                6,
                Interval(2, 1, 4),
                3,
                "softmin",
                (HOSTILE,),
            ),
        ),
        duplicates=(
            Duplicates(
                "near",
                3,
                HOSTILE,
                (Member(3, labels=(HOSTILE,)), Member(4, 0.98, HOSTILE)),
                {HOSTILE: (HOSTILE,)},
                (HOSTILE,),
            ),
        ),
        n_groups=1,
        n_extra_copies=1,
        quality=(QualityIssues("blurry", (QualityItem(5, 0.1, HOSTILE),), 1),),
        n_poor=1,
        broken=(BrokenFile(HOSTILE, HOSTILE, 12),),
        fills=(
            Fill(
                HOSTILE,
                0.95,
                0.5,
                0.9,
                1,
                2,
                (FillItem(6, HOSTILE, 0.97),),
                (FillClass(HOSTILE, 1, 0.8, 0.96, 3),),
                (HOSTILE,),
            ),
        ),
        models=(
            Model(
                HOSTILE,
                f"{HOSTILE}@1",
                {"Micro F1": Interval(0.9, 0.8, 0.95)},
                tuple(
                    ClassMetrics(n, 3, 0.9, 0.8, 0.85, math.nan, 0.4, note=HOSTILE) for n in names
                ),
                (curve, replace(curve, label="kiwi")),
                (("Embedding", HOSTILE),),
                (HOSTILE,),
            ),
        ),
    )


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in self.VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name


def parse(pages: dict[str, bytes]) -> Page:
    page = Page()
    page.feed(pages["index.html"].decode())
    page.close()
    assert page.open == []
    return page


def test_hostile_names_never_become_elements(data):
    page = parse(render(data))
    scripts = [attributes for name, attributes in page.elements if name == "script"]
    assert all("src" in attributes for attributes in scripts)
    assert not [name for name, _ in page.elements if name == "img"]
    handlers = [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert handlers == []


def test_hostile_names_never_leave_the_rows(data):
    for name, content in render(data).items():
        text = content.decode()
        if (
            name.startswith("assets/")
            and "vernis.receive(" in text
            and "vernis.receive =" not in text
        ):
            assert text.isascii()
            assert "<" not in text
            rows = json.loads(re.fullmatch(r'vernis\.receive\("\w+",(.*)\);\n', text, re.S)[1])
            assert rows


def test_hostile_names_are_shown_as_they_are(data):
    rows = next(c for n, c in render(data).items() if n.startswith("assets/images")).decode()
    images = json.loads(rows[rows.index(",") + 1 : rows.rindex(")")])
    assert images[0][1] == f"{HOSTILE}/1.jpg"


def test_every_section_is_linked_and_labelled(data):
    page = parse(render(data))
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for n, a in page.elements if n == "a" and a["href"].startswith("#")]
    assert set(links) <= set(ids)
    sections = [a for name, a in page.elements if name == "section"]
    assert [section["id"] for section in sections] == ALL_SECTIONS
    assert all(section["aria-labelledby"] in ids for section in sections)


def test_nothing_is_loaded_from_elsewhere(data):
    pages = render(data)
    for name, content in pages.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, name
        assert "https:" not in text, name
        assert "@import" not in text, name
    page = parse(pages)
    loaded = [a.get("src") or a.get("href") for n, a in page.elements if n in ("script", "link")]
    local = {path for path in loaded if not path.startswith("data:")}
    assert local == set(pages) - {"index.html"}


def test_empty_sections_are_left_out():
    empty = ReportData("empty", "today", "0.1.0", 0)
    page = parse(render(empty))
    assert [a["id"] for name, a in page.elements if name == "section"] == ["summary"]


def test_same_data_gives_the_same_files(data):
    assert render(data) == render(data)


def test_an_image_without_a_reference_is_refused(data):
    with pytest.raises(InvalidValue, match="ImageRef for every image"):
        replace(data, images={})


def test_inline_handlers_and_raw_html_are_absent_from_the_script(data):
    script = next(
        c for n, c in render(data).items() if n.startswith("assets/report") and n.endswith("js")
    )
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.decode()
    )


@given(st.text())
def test_texts_come_back_from_markup_as_they_were(text):
    # what XML and HTML cannot hold is replaced, the rest must survive
    element = ElementTree.fromstring(str(tag("p", text, title=text)))
    expected = "".join(
        c
        if (c in "\t\n\r" or ord(c) >= 0x20)
        and not 0x7F <= ord(c) <= 0x9F
        and ord(c) not in (0xFFFE, 0xFFFF)
        else "\ufffd"
        for c in text
    )
    shown = element.text or ""
    assert shown == expected.replace("\r\n", "\n").replace("\r", "\n")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_rows_come_back_from_the_script_as_they_were(rows):
    text = as_script("rows", rows)
    assert text.isascii()
    assert "<" not in text
    assert json.loads(text[len('vernis.receive("rows",') : -len(");\n")]) == rows


def test_markup_joins_nested_contents_and_keeps_what_is_safe():
    assert str(join(None, ["<", [Markup("<b>"), 3]])) == "&lt;<b>3"
    assert (
        str(tag("i", hidden=True, title=None, data_x="a'b")) == '<i hidden data-x="a&#x27;b"></i>'
    )


# --------------------------------------------------------------------------- figures

SVG = "{http://www.w3.org/2000/svg}"


@given(
    st.lists(
        st.tuples(st.text(max_size=40), st.integers(0, 10**7), st.integers(0, 10**7)), max_size=30
    )
)
def test_bars_are_in_proportion_and_inside_the_drawing(rows):
    drawing = figures.bars(
        [figures.Bar(*row) for row in rows], unit="images", description="of each class"
    )
    root = ElementTree.fromstring(str(drawing))
    width = float(root.get("viewBox").split()[2])
    drawn = [r for r in root.iter("rect") if r.get("class") == "bar"]
    assert len(drawn) == len(rows)
    for rectangle in root.iter("rect"):
        assert float(rectangle.get("x")) + float(rectangle.get("width")) <= width
    tall = [(value, float(r.get("width"))) for (_, value, _), r in zip(rows, drawn, strict=True)]
    for value, length in tall:
        for other, other_length in tall:
            if value > other:
                assert length >= other_length


@given(st.floats(0, 1e12))
def test_count_ticks_are_whole_few_and_reach_the_top(top):
    ticks = svg.count_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-9)
    assert len(ticks) <= 6
    assert all(tick == round(tick) for tick in ticks)


def test_line_chart_puts_the_curve_where_the_axes_say():
    drawing = figures.lines(
        [figures.Line("recall", (0.0, 1.0), (1.0, 0.0))],
        x_label="t",
        y_label="share",
        description="d",
    )
    root = ElementTree.fromstring(str(drawing))
    left, top, room, rise = map(float, root.get("data-frame").split())
    path = next(p for p in root.iter("path") if p.get("data-series") == "recall")
    assert path.get("d") == f"M{left:.1f} {top:.1f}L{left + room:.1f} {top + rise:.1f}"


def test_every_figure_has_a_description():
    drawn = [
        figures.histogram([1, 5], x_label="labels", y_label="images", description="how many"),
        figures.heatmap(["a", "b"], [[0, 0.5], [0.5, 0]], description="how many"),
        figures.rank_frequency([5, 1], unit="images", description="how many"),
        figures.dumbbells([("a", 0.3, 0.9)], description="how many"),
        figures.scatter([("a", 0.3, 0.9, 4)], x_label="x", y_label="y", description="how many"),
    ]
    for drawing in drawn:
        root = ElementTree.fromstring(str(drawing))
        assert root.get("role") == "img"
        assert root.get("aria-label") == "how many"


# --------------------------------------------------------------------------- wording


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.999, ">99%"), (0.001, "<1%"), (0.335, "34%"), (math.nan, "–")],
)
def test_percent_never_claims_all_or_nothing(share, text):
    assert percent(share) == text


def test_numbers_read_well():
    assert count(5421) == "5,421"
    assert [size(n) for n in (0, 999, 1500, 20_000, 3_400_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "20 kB",
        "3.4 MB",
    ]
    assert shorten("a" * 10 + "b" * 10, 9) == "aaaaa…bbb"
