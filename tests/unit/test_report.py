"""The report's pages: everything shown is escaped, well formed and complete."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vernis.domain.errors import InvalidValue
from vernis.domain.types import LabelAccount
from vernis.report.glossary import GLOSSARY
from vernis.report.index.page import QUALITY_NAMES, render
from vernis.report.model import (
    Action,
    BrokenFile,
    ClassMetrics,
    ClassPair,
    Duplicates,
    Fill,
    FillClass,
    FillItem,
    Frame,
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
from vernis.report.pages import _environment, as_json, read_source
from vernis.report.scripts import bundle
from vernis.report.wording import count, percent, shorten, size, wrong_labels
from vernis.verbs.start import report_data

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
    "outcome",
    "words",
]


@pytest.fixture(scope="module")
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
                (FillItem(6, HOSTILE, 0.97, (), Frame(HOSTILE, (1, 2, 3, 4), HOSTILE)),),
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
                (("Trained", HOSTILE),),
                (HOSTILE,),
            ),
        ),
        accounts={
            HOSTILE: LabelAccount(9, 2, 1, 3, 11, 2, 6, 8, {"given": 7, "human": 1, "accepted": 3})
        },
        left_out=(("Videos", 2, ""), (HOSTILE, 1, HOSTILE)),
    )


@pytest.fixture(scope="module")
def content(data) -> bytes:
    return render(data)


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in self.VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(text)


def parse(content: bytes) -> Page:
    page = Page()
    page.feed(content.decode())
    page.close()
    assert page.open == []
    return page


def rows_of(content: bytes) -> dict:
    text = re.search(rb'<script type="application/json" id="data">(.*?)</script>', content, re.S)[1]
    return json.loads(text)


def test_hostile_names_never_become_elements(content):
    page = parse(content)
    scripts = [attributes.get("type") for name, attributes in page.elements if name == "script"]
    assert scripts == [None, "application/json", "module"]
    assert not [name for name, _ in page.elements if name == "img"]


def test_the_policy_lets_nothing_run_or_colour_the_page_but_its_own(content):
    page = parse(content)
    policy = next(
        a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    text = content.decode()
    own = re.findall(r"<(?:style|script)(?: type=\"module\")?>(.*?)</", text, re.S)
    assert len(own) == 3
    for part in own:
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    for _, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_hostile_names_are_handed_on_as_they_are(content):
    rows = rows_of(content)
    assert rows["images"][0]["uri"] == f"{HOSTILE}/1.jpg"
    issue = rows["label_issues"][0]["items"][0]
    assert issue["given"] == [HOSTILE]
    assert issue["neighbors"] == [{"image": 2, "label": "kiwi", "similarity": 0.8}]
    assert issue["agreement"] is None
    assert rows["duplicates"][0]["merged"] == {HOSTILE: [HOSTILE]}
    assert rows["curves"][0][1]["label"] == "kiwi"


def test_every_section_is_linked_and_labelled(content):
    page = parse(content)
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"][1:] for n, a in page.elements if n == "a" and a["href"].startswith("#")]
    assert set(links) <= set(ids)
    sections = [a for name, a in page.elements if name == "section"]
    assert [section["id"] for section in sections] == ALL_SECTIONS
    assert all(section["aria-labelledby"] in ids for section in sections)


def test_nothing_is_loaded_but_pictures_beside_the_page(content):
    text = content.decode().replace("http://www.w3.org/2000/svg", "")
    for outside in ("http:", "https:", "@import", "url("):
        assert outside not in re.sub(r"url\(#\w+\)", "", text)
    loaded = [
        a.get("src") or a.get("href")
        for n, a in parse(content).elements
        if n in ("script", "link", "img", "use")
    ]
    assert all(place.startswith(("data:", "#")) for place in loaded if place)


def test_empty_sections_are_left_out():
    empty = ReportData("empty", "today", "0.1.0", 0)
    page = parse(render(empty))
    assert [a["id"] for name, a in page.elements if name == "section"] == ["summary"]
    assert "Nothing suspicious was found in 0 images." in " ".join(page.texts["p"])


def test_the_summary_says_what_was_found(content):
    page = parse(content)
    assert page.texts["strong"][:6] == [
        "9 images",
        "1 label looks wrong",
        "1 picture is a copy",
        "1 picture is poor",
        "1 file cannot be read",
        "1 missing label",
    ]
    assert page.texts["code"] == [f"vernis issues {HOSTILE}"]


HEADINGS = ("h2", "th", "figcaption", "dt")


def headings(page: Page) -> set[str]:
    """Return the headings of sections, columns, charts and facts, without names and keys."""
    own = {HOSTILE, "Keyboard", "or", "…", "kiwi", "lime", "Videos", *QUALITY_WORDS}
    found = {text.strip() for tag in HEADINGS for text in page.texts.get(tag, [])}
    tiles = {text for text in page.texts["span"] if text in GLOSSARY}
    return {text for text in found | tiles if text and text not in own}


QUALITY_WORDS = {name for name, _ in QUALITY_NAMES.values()}


def test_every_heading_has_an_entry_in_the_glossary_and_shows_it(content):
    page = parse(content)
    assert headings(page) <= set(GLOSSARY)
    assert {"Labels at import", "Filling rate", "Threshold curve"} <= headings(page)
    told = {a["title"] for name, a in page.elements if name == "th" and a.get("title")}
    assert GLOSSARY["Imbalance"] in told
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.casefold)


def test_names_of_facts_have_an_entry_in_the_glossary():
    start = Path(report_data.__file__).parent
    code = "".join(
        (start / f"report_{part}.py").read_text() for part in ("data", "labels", "models")
    )
    names = set(re.findall(r'^\s+\("([A-Z][^"]+)", ', code, re.MULTILINE))
    assert {"Rarest class", "Folder", "Trained"} <= names
    assert names <= set(GLOSSARY)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Interval(21.2, 19.2, 22.4), "About 21 images carry a wrong label (19 to 22 with 95% conf"),
        (Interval(1.2), "About 1 image carries a wrong label"),
        (Interval(21.0, 0.0, 41.0), "Up to 41 images may carry a wrong label, perhaps none"),
        (Interval(0.1, 0.0, 0.3), "No image is expected to carry a wrong label"),
    ],
)
def test_how_many_labels_are_wrong_is_said_as_sure_as_it_is(wrong, said):
    assert wrong_labels(wrong).startswith(said)


def test_a_headline_does_not_stand_on_what_may_be_none(data):
    doubtful = replace(data.label_issues[0], wrong=Interval(5.0, 0.2, 12.0))
    page = parse(render(replace(data, label_issues=(doubtful,))))
    assert not [text for text in page.texts["strong"] if "wrong" in text and "label look" in text]
    assert "perhaps none is wrong" in page.texts["span"]
    assert "perhaps no label" in page.texts["strong"]
    none = replace(data.label_issues[0], wrong=Interval(0.3, 0.0, 2.0))
    page = parse(render(replace(data, label_issues=(none,))))
    assert "probably no label" in page.texts["strong"]
    assert any("look at the" in text and "most suspicious" in text for text in page.texts["p"])


def test_the_report_ends_with_what_became_of_the_labels(content):
    page = parse(content)
    cells = [text for text in page.texts["td"] if text.strip()]
    row = ["9", "2", "1", "3", "11", "2"]
    assert any(cells[at : at + 6] == row for at in range(len(cells)))
    assert {"Label file, folders or image files", "A person", "Filled in"} <= set(page.texts["th"])
    assert "67% → 89%" in page.texts["span"]


def test_the_place_of_a_label_goes_to_the_page(content):
    rows = rows_of(content)
    item = rows["fills"][0]["items"][0]
    assert item["frame"] == {"label": HOSTILE, "box": [1, 2, 3, 4], "source": HOSTILE}
    assert rows["label_issues"][0]["items"][0]["frame"] is None


def test_same_data_gives_the_same_page(data, content):
    assert render(data) == content


def test_an_image_without_a_reference_is_refused(data):
    with pytest.raises(InvalidValue, match="ImageRef for every image"):
        replace(data, images={})


def test_raw_html_is_absent_from_the_script(content):
    script = parse(content).texts["script"][-1]
    assert "makeList" in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


@given(st.text())
def test_texts_come_back_from_a_page_as_they_were(text):
    # what HTML cannot hold is replaced, the rest must survive
    made = _environment().from_string('<p title="{{ text }}">{{ text }}</p>').render(text=text)
    page = parse(made.encode())
    expected = "".join(
        c
        if (c in "\t\n\r" or ord(c) >= 0x20)
        and not 0x7F <= ord(c) <= 0x9F
        and ord(c) not in (0xFFFE, 0xFFFF)
        else "\ufffd"
        for c in text
    )
    assert page.elements[0][1]["title"] == expected
    assert "".join(page.texts.get("p", [])) == expected


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_rows_come_back_from_the_page_as_they_were(rows):
    made = _environment().from_string("{{ rows|tojson }}").render(rows=as_json(rows, 3))
    assert made.isascii()
    assert "<" not in made
    assert json.loads(made) == rows


SCRIPTS = ("index/main.mjs", "map/main.mjs", "flows/main.mjs", "judge/main.mjs")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_holds_each_module_once_and_what_it_needs_first(script):
    text = bundle(script, read_source)
    assert not re.search(r"^(import|export) ", text, re.M)
    scopes = re.findall(r"^const (module\d+_) = \(\(\) => \{$", text, re.M)
    assert len(scopes) == len(set(scopes)) > 2
    for taken in re.finditer(r"^const \{ .* \} = (module\d+_);$", text, re.M):
        assert text.index(f"const {taken[1]} = ") < taken.start()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_one_that_a_browser_can_read(script, tmp_path):
    path = tmp_path / "script.mjs"
    path.write_text(bundle(script, read_source), encoding="utf-8")
    subprocess.run(["node", "--check", path], check=True)


def test_fractions_are_rounded_and_what_is_not_known_is_null():
    assert as_json((0.12345, math.nan, math.inf, 7), 3) == [0.123, None, None, 7]
    assert as_json(Interval(0.12345, 0.1), 2) == {"value": 0.12, "low": 0.1, "high": None}


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
