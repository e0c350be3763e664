"""Vocabularies from the command line: study, pruning, merges, undo."""

from __future__ import annotations

import csv

import pytest

KEYWORDS = [
    ["bottle", "beach"],
    ["bottle", "sunset"],
    ["Bottle", "beach"],
    ["bottles", "sunset"],
    ["bottel"],
    ["mouse", "bottle"],
    ["house"],
]


@pytest.fixture
def tagged(workplace):
    """The collection with keywords on some images."""
    images = sorted(p.name for p in (workplace.cwd / "pictures" / "disc").glob("disc_*.jpg"))
    with (workplace.cwd / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "keywords"])
        for number, name in enumerate(images):
            rows.writerow([f"disc/{name}", "|".join(KEYWORDS[number % len(KEYWORDS)])])
    workplace("import", "tags.csv", "--taxonomy", "keywords", "--keep-case")
    return workplace


def counts(shell, taxonomy="keywords") -> dict[str, int]:
    document = shell.json("vocabulary", taxonomy)
    return {row["class"]: row["count"] for row in document["classes"]}


def test_study_prints_a_table_and_draws_the_tail(tagged):
    said = tagged("vocabulary", "keywords", "--min-count", "4").stdout
    assert "min count" in said
    assert "labels would stay" in said
    assert (tagged.cwd / "vocabulary-keywords.png").stat().st_size > 5000
    document = tagged.json("vocabulary", "keywords")
    assert document["frequencies"][0]["labels"] == 8
    assert document["plot"] is None


def test_pruning_writes_a_taxonomy_of_its_own_and_undo_takes_it_away(tagged):
    before = counts(tagged)
    tagged("vocabulary", "keywords", "--keep", "2", "--apply")
    assert counts(tagged) == before
    kept = counts(tagged, "keywords@pruned")
    assert kept == {name: before[name] for name in ("bottle", "beach")}
    # Written anew: what goes is withdrawn.
    tagged("vocabulary", "keywords", "--keep", "1", "--apply")
    assert set(counts(tagged, "keywords@pruned")) == {"bottle"}
    tagged("undo")
    assert counts(tagged, "keywords@pruned") == kept
    (tagged.cwd / "list.txt").write_text("# by hand\nsunset\n\nmouse\n")
    tagged("vocabulary", "keywords", "--only", "list.txt", "--apply", "--into", "few")
    assert set(counts(tagged, "few")) == {"sunset", "mouse"}
    assert (
        "choose another"
        in tagged(
            "vocabulary", "few", "--drop", "mouse", "--apply", "--into", "keywords", code=2
        ).stderr
    )
    assert "say which labels stay" in tagged("vocabulary", "keywords", "--apply", code=2).stderr


def test_merges_are_proposed_applied_and_taken_back(tagged):
    before = counts(tagged)
    document = tagged.json("vocabulary", "keywords", "--merges")
    found = {(row["label"], row["into"]): row["kind"] for row in document["merges"]}
    assert found[("Bottle", "bottle")] == "case"
    assert found[("bottles", "bottle")] == "plural"
    assert not any({"mouse", "house"} == set(pair) for pair in found)
    done = tagged("vocabulary", "keywords", "--accept-all", "--accept-merge", "bottel>bottle")
    assert "3 labels merged" in done.stdout
    after = counts(tagged)
    variants = ("bottle", "Bottle", "bottles", "bottel")
    assert after["bottle"] == sum(before[name] for name in variants)
    assert not set(after) & set(variants[1:])
    tagged("undo")
    assert counts(tagged) == before


def test_a_dismissed_merge_is_not_proposed_again(tagged):
    tagged("vocabulary", "keywords", "--dismiss-merge", "Bottle>bottle")
    tagged("index", "pictures")
    rows = tagged.json("vocabulary", "keywords", "--merges")["merges"]
    assert ["Bottle", "bottle"] not in [[row["label"], row["into"]] for row in rows]
    tagged("vocabulary", "keywords", "--reopen-merge", "bottle>Bottle")
    rows = tagged.json("vocabulary", "keywords", "--merges")["merges"]
    assert "Bottle" in [row["label"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no taxonomy 'nothing'"),
        (["keywords", "--drop", "botle"], "did you mean 'bottle'"),
        (["keywords", "--min-count", "4", "--keep", "3"], "not by several"),
        (["keywords", "--only", "missing.txt"], "cannot be read"),
        (["keywords", "--accept-merge", "bottle"], "expected"),
        (["keywords", "--accept-merge", "x>bottle"], "no label 'x'"),
        (["keywords", "--accept-merge", "beach>beach"], "into itself"),
    ],
)
def test_mistakes_get_one_clear_line(tagged, arguments, message):
    assert message in tagged("vocabulary", *arguments, code=2).stderr


def test_an_import_says_what_it_did_to_names_and_how_to_overrule(tagged):
    (tagged.cwd / "tags.csv").write_text(
        "image,dish\n"
        + "".join(f"disc/disc_{n:02}.jpg,{'Cafe' if n else 'CAFE'}\n" for n in range(6))
        + "".join(f"square/square_{n:02}.jpg,{'nan' if n else '-'}\n" for n in range(4)),
        encoding="utf-8",
    )
    said = tagged("import", "tags.csv", "--taxonomy", "dish").stderr
    assert "read as blank: 'nan' (3), '-' (1)" in said
    assert "on 1 image: CAFE > Cafe; --keep-case keeps them apart" in said
    assert counts(tagged, "dish") == {"Cafe": 6}
    for blank, kept in ((("--blank", ""), {"nan": 3, "-": 1}), (("--blank=-",), {"nan": 3})):
        said = tagged("import", "tags.csv", "--taxonomy", "dish", "--keep-case", *blank).stderr
        assert "Cafe (5) / CAFE (1) (case)" in said
        assert "vernis vocabulary dish --merges" in said
        assert counts(tagged, "dish") == {"Cafe": 5, "CAFE": 1, **kept}
    (merge,) = tagged.json("vocabulary", "dish", "--merges")["merges"]
    assert (merge["label"], merge["into"]) == ("CAFE", "Cafe")
