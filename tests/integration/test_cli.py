"""The command line from end to end, on a small collection."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from vernis.adapters.backbones import listing, zoo
from vernis.adapters.backbones.inputs import FITS, Channels, Layout
from vernis.adapters.backbones.onnx_graph import POOLINGS
from vernis.core.explore.search import Rule
from vernis.core.labels.scores import LABEL_SCORERS
from vernis.core.learn.models.registry import MODELS, STACKING
from vernis.core.learn.thresholds import Objective
from vernis.core.words.spelling import LANGUAGES
from vernis.domain.types import QUALITY_KINDS, DuplicateKind
from vernis.verbs.catalogue import entries, find_entry
from vernis.verbs.lab import detectors
from vernis.verbs.see.clustering import METHODS as CLUSTER_METHODS
from vernis.verbs.see.map_making import METHODS as MAP_METHODS
from vernis.verbs.steps.learn import CONVOLUTIONAL, DETECTORS


def test_run_writes_a_report_and_says_what_next(finished):
    done = finished("run", "pictures")
    assert (finished.cwd / "report" / "index.html").is_file()
    assert "report/index.html" in done.stdout


def test_the_command_to_go_on_with_finds_the_collection(workplace):
    said = workplace("run", "pictures", "--collection", "else where/a.vernis").stdout
    after = re.search(r"^Next: +vernis (.*)$", said, re.M)[1]
    assert after.endswith("--collection 'else where/a.vernis'")
    workplace(*shlex.split(after))


def test_a_run_and_the_status_count_the_same_quality_issues(finished):
    said = finished("run", "pictures").stdout
    rows = finished.json("quality")
    images = {row["image"] for row in rows}
    assert re.findall(r"^  quality issues +(\d+)$", said, re.M) == [str(len(rows))]
    assert re.findall(r"^  images with quality issues +(\d+)$", said, re.M) == [str(len(images))]
    open_ones = finished.json("status")["issues"]
    assert sum(open_ones.get(kind, 0) for kind in QUALITY_KINDS) == len(rows)


def test_second_run_computes_no_vector_again(finished):
    before = sorted(p.name for p in (finished.cwd / "pictures.vernis").rglob("*.npy"))
    finished("run", "pictures")
    after = sorted(p.name for p in (finished.cwd / "pictures.vernis").rglob("*.npy"))
    assert before == after
    assert before


def test_status_counts_everything(finished):
    status = finished.json("status")
    assert status["images"]["present"] == 3 * 24 + 3
    assert status["images"]["unreadable"] == 1
    assert [f["image"] for f in status["failures"]] == ["square/broken.jpg"]
    assert status["other_files"] == {".txt": 1}
    assert status["left_out"] == {"text files": 1}
    (taxonomy,) = status["taxonomies"]
    assert taxonomy["classes"] == 3
    assert taxonomy["filling_rate"] == 1.0
    assert status["labels"]["given"] >= 75
    account = taxonomy["account"]
    assert account["at_import"] == account["now"] == taxonomy["labelled"]
    assert account["by_source"] == {"given": account["now"]}
    shown = finished("status").stdout
    assert "Labels, from import to now" in shown
    assert shown.rstrip().endswith("Left out, since they are no pictures: 1 text file")
    assert status["spaces"]
    assert status["models"]


def test_issues_are_worst_first_and_all_holds_every_labelled_image(finished):
    name = finished.json("status")["taxonomies"][0]["name"]
    rows = finished.json("issues", name, "--all")
    assert len(rows) == 3 * 24 + 3
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores)
    assert {"image", "score", "change", "given", "suggested", "probability", "verdict"} <= set(
        rows[0]
    )
    assert rows[0]["image"] == "stripes/wrong.jpg"
    assert rows[0]["given"] == ["stripes"]
    assert rows[0]["suggested"] == ["disc"]
    assert rows[0]["change"] == "replaced"


def test_issues_can_be_sorted_by_several_wrong_labels(finished):
    name = finished.json("status")["taxonomies"][0]["name"]
    rows = finished.json("issues", name, "--all", "--sort", "multiple")
    chances = [row["probability_of_multiple"] or 0.0 for row in rows]
    assert chances == sorted(chances, reverse=True)
    assert "multiple" in finished("issues", name, "--sort", "multiple").stdout
    assert "multiple" not in finished("issues", name).stdout


def test_labels_can_be_held_against_the_head(workplace):
    name = workplace.json("status")["taxonomies"][0]["name"]
    rows = workplace.json("issues", name, "--all", "--predictions", "out-of-bag", "--scorer", "mse")
    assert "stripes/wrong.jpg" in [row["image"] for row in rows[:3]]
    again = workplace.json("issues", name, "--all")
    assert [row["score"] for row in again] == [row["score"] for row in rows]


def test_duplicates_tell_bytes_from_pixels(finished):
    groups = finished.json("duplicates")["groups"]
    group = next(g for g in groups if "disc/disc_00.jpg" in g["images"])
    assert set(group["images"]) == {"disc/disc_00.jpg", "disc/copy.jpg", "disc/twin.png"}
    kinds = {frozenset((p["a"], p["b"])): p["kind"] for p in group["pairs"]}
    assert kinds[frozenset(("disc/disc_00.jpg", "disc/copy.jpg"))] == "bytes"
    assert kinds[frozenset(("disc/disc_00.jpg", "disc/twin.png"))] == "pixels"
    assert group["keeper"] in group["images"]


def test_pictures_that_an_older_version_measured_are_measured_anew(workplace):
    groups, rows = workplace.json("duplicates"), workplace.json("quality", "--all")
    assert groups["groups"]
    with sqlite3.connect(workplace.cwd / "pictures.vernis" / "catalog.sqlite") as ledger:
        changed = ledger.execute(
            "update space set settings = json_set(settings, '$.version', 0)"
            " where name in ('fingerprint', 'quality')"
        )
        assert changed.rowcount == 2
        ledger.execute("delete from run where workflow in ('duplicate-search', 'quality')")
    assert workplace.json("duplicates") == groups
    assert workplace.json("quality", "--all") == rows


def test_accept_changes_the_label_and_undo_brings_it_back(workplace):
    name = workplace.json("status")["taxonomies"][0]["name"]
    done = workplace("accept", name, "stripes/wrong.jpg", "--who", "ada")
    assert "accepted 1 issue, 1 label changed" in done.stdout
    rows = {row["image"]: row for row in workplace.json("issues", name, "--all")}
    assert rows["stripes/wrong.jpg"]["verdict"] == "accepted"
    events = workplace.json("history", "stripes/wrong.jpg")
    assert any(e["source"] == "human:ada" and e["label"] == "disc" for e in events)
    workplace("undo")
    rows = {row["image"]: row for row in workplace.json("issues", name, "--all")}
    assert rows["stripes/wrong.jpg"]["verdict"] == "open"


def test_dismissed_issue_stays_dismissed_after_a_new_run(workplace):
    name = workplace.json("status")["taxonomies"][0]["name"]
    done = workplace("dismiss", name, "stripes/wrong.jpg")
    assert "dismissed 1 issue, 0 labels changed" in done.stdout
    undone = workplace("undo")
    assert "undo batch" in undone.stdout
    assert ": 1 verdict (" in undone.stdout
    assert "vernis redo does it again" in undone.stdout
    assert "did batch" in workplace("redo").stdout
    workplace("undo")
    workplace("dismiss", name, "stripes/wrong.jpg")
    (workplace.cwd / "pictures" / "disc" / "disc_01.jpg").rename(
        workplace.cwd / "pictures" / "disc" / "renamed.jpg"
    )
    workplace("run", "pictures")
    rows = {row["image"]: row for row in workplace.json("issues", name, "--all")}
    assert rows["stripes/wrong.jpg"]["verdict"] == "dismissed"
    assert "disc/renamed.jpg" in rows


def test_not_a_duplicate_sticks(workplace):
    workplace("dismiss", "duplicate", "disc/disc_00.jpg", "disc/copy.jpg")
    (workplace.cwd / "pictures" / "disc" / "disc_05.jpg").unlink()
    workplace("run", "pictures")
    for group in workplace.json("duplicates")["groups"]:
        assert not {"disc/disc_00.jpg", "disc/copy.jpg"} <= set(group["images"])


def test_trash_and_restore(workplace):
    folder = workplace.cwd / "pictures" / "disc"
    dry = workplace("trash", "--duplicates", "--dry-run").stdout
    assert "would be moved" in dry
    before = sorted(p.name for p in folder.iterdir())
    workplace("trash", "--duplicates")
    assert len(list(folder.iterdir())) == len(before) - 2
    assert workplace.json("status")["images"]["trashed"] == 2
    assert "1 image moved back" in workplace("restore", "disc/copy.jpg").stdout
    assert "1 image moved back" in workplace("restore").stdout
    assert sorted(p.name for p in folder.iterdir()) == before
    assert workplace.json("status")["images"]["trashed"] == 0


def test_predict_labels_new_pictures_and_reports_bad_ones(finished):
    name = finished.json("status")["taxonomies"][0]["name"]
    rows = finished.json("predict", name, "pictures/disc/disc_03.jpg", "pictures/notes.txt")
    assert [row["image"] for row in rows] == ["pictures/disc/disc_03.jpg", "pictures/notes.txt"]
    assert rows[0]["labels"][0]["label"] == "disc"
    assert rows[1]["labels"] == []
    assert rows[1]["reason"]
    finished("predict", name, "pictures/notes.txt", code=1)


def test_a_renamed_folder_goes_on_with_its_collection_and_says_so(workplace):
    name = workplace.json("status")["taxonomies"][0]["name"]
    row = workplace.json("issues", name)[0]
    workplace("dismiss", name, row["image"])
    (workplace.cwd / "pictures").rename(workplace.cwd / "renamed")
    done = workplace("run", "renamed")
    assert "goes on with pictures.vernis" in done.stderr
    assert not (workplace.cwd / "renamed.vernis").exists()
    verdicts = {i["image"]: i["verdict"] for i in workplace.json("issues", name, "--all")}
    assert verdicts[row["image"]] == "dismissed"
    (workplace.cwd / "other").mkdir()
    for number in range(3):
        picture = Image.effect_noise((80 + number, 60), 40)
        picture.save(workplace.cwd / "other" / f"{number}.png")
    before = (workplace.cwd / "report" / "index.html").read_bytes()
    done = workplace("run", "other")
    assert "report-2" in done.stderr
    assert (workplace.cwd / "report" / "index.html").read_bytes() == before
    refused = workplace("report", "--out", "report", "--collection", "other.vernis")
    assert "report-2" in refused.stderr


def test_fill_applies_only_when_told_and_undo_takes_it_back(tmp_path, finished):
    import shutil

    cwd = tmp_path / "csv"
    cwd.mkdir()
    shutil.copytree(finished.cwd / "pictures", cwd / "pictures")
    lines = ["image,shape"]
    for name in ("disc", "square", "stripes"):
        for number in range(24):
            lines.append(f"{name}/{name}_{number:02}.jpg,{name if number < 16 else ''}")
    (cwd / "labels.csv").write_text("\n".join(lines))
    shell = type(finished)(cwd)
    shell("run", "pictures", "--labels", "labels.csv")
    rate = shell.json("status")["taxonomies"][0]["filling_rate"]
    document = shell.json("fill", "shape", "--precision", "0.8")
    assert document["summary"]["filling_rate_before"] == pytest.approx(rate, abs=1e-4)
    assert {"image", "label", "probability"} <= set(document["suggestions"][0])
    assert shell.json("status")["taxonomies"][0]["filling_rate"] == rate
    shell("fill", "shape", "--precision", "0.8", "--apply")
    assert shell.json("status")["taxonomies"][0]["filling_rate"] > rate
    shell("undo")
    assert shell.json("status")["taxonomies"][0]["filling_rate"] == rate


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("issues", "nothing"), 2, "nothing"),
        (("history", "no/such.jpg"), 2, "no/such.jpg"),
        (("run", "no-such-folder"), 2, "no-such-folder"),
        (("run", "pictures", "--taxonomy", "shape"), 2, "--labels"),
        (("undo", "999"), 2, "999"),
        (("status", "--collection", "absent.vernis"), 1, "absent.vernis: no such collection"),
        (("models", "nothing"), 2, "nothing"),
        (("fill", "x", "--precision", "7"), 2, "precision"),
    ],
)
def test_bad_usage_is_one_clear_line(finished, arguments, code, words):
    done = finished(*arguments, code=code)
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("vernis")
    assert words in last


@pytest.mark.parametrize("case", ["empty folder", "no folder", "no labels", "no table"])
def test_a_run_with_nothing_to_work_on_leaves_nothing_behind(finished, tmp_path, case):
    (tmp_path / "p").mkdir()
    arguments = ["run", "p"]
    if case == "no folder":
        arguments = ["run", "q"]
    elif case != "empty folder":
        draw = finished.cwd / "pictures" / "disc" / "disc_01.jpg"
        (tmp_path / "p" / "a.jpg").write_bytes(draw.read_bytes())
        arguments += ["--labels", "l.csv"]
    if case == "no table":
        (tmp_path / "l.csv").write_bytes(b"\x89PNG\0\1\2")
    before = sorted(tmp_path.iterdir())
    done = type(finished)(tmp_path)(*arguments, code=2)
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_list_of_files_is_indexed_and_nothing_vanishes(finished, tmp_path):
    shell = type(finished)(tmp_path)
    folder = finished.cwd / "pictures"
    first, second = str(folder / "disc" / "disc_01.jpg"), str(folder / "square" / "square_01.jpg")
    shell("index", first, second, "--collection", "some.vernis")
    third = str(folder / "square" / "square_02.jpg")
    shell("index", third)
    images = shell.json("status")["images"]
    assert images["present"] == 3
    assert images["vanished"] == 0
    shell("index", "absent.jpg", code=2)


def test_tables_have_json(finished):
    trained = json.loads(finished("models", "--json").stdout)
    assert {row["head"] for row in trained} == {"kernel"}
    assert all(0 < row["micro_f1"] <= 1 for row in trained)
    for verb in ("audit", "taxonomies", "batches", "quality"):
        assert isinstance(json.loads(finished(verb, "--json").stdout), list)


def option(verb, name):
    """Return the declaration of a verb's option."""
    declared = find_entry(verb).load().declared()
    return next(field for field in declared if field.name == name)


def _documented(name: str) -> list[str]:
    """Return the keys that docs/json.md lists for a verb, as patterns."""
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    section = page.partition(f"## vernis {name} --json\n")[2].partition("\n## ")[0]
    keys = re.findall(r"^\| `([^`]+)` \|", section, re.M)
    parents = {key.rstrip("[]").rpartition(".")[0].removesuffix("[]") for key in keys}
    patterns = [re.escape(key).replace(r"\.\*", r"\.[^.]+") for key in keys]
    # Of an object whose keys are names (classes, metadata) the page lists none.
    free = [key not in parents for key in keys]
    return [
        f"{pattern}([.[].*)?" if f else pattern for pattern, f in zip(patterns, free, strict=True)
    ]


def _keys(value, path=""):
    if isinstance(value, list):
        return {key for item in value for key in _keys(item, f"{path}[]")}
    if not isinstance(value, dict):
        return {path}
    inner = {key for name, v in value.items() for key in _keys(v, f"{path}.{name}".lstrip("."))}
    return inner | ({path} if path else set())


def test_json_has_the_documented_keys_and_no_others(workplace):
    verbs = (
        *("status", "taxonomies", "quality", "issues class", "duplicates", "outliers", "clusters"),
        *("map", "maps", "backbones", "models", "fill class", "vocabulary class", "undo 1"),
    )
    for words in verbs:
        documented = _documented(words.split()[0])
        keys = _keys(workplace.json(*words.split()))
        assert documented
        for key in filter(None, (key.removesuffix("[]") for key in keys)):
            known = any(re.fullmatch(pattern, key) for pattern in documented)
            assert known, (words, key)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_every_verb_explains_itself(entry):
    assert entry.summary
    assert all(field.option.help for field in entry.load().declared())


@pytest.mark.parametrize("verb", ["search", "map", "clusters", "outliers", "leakage"])
def test_the_default_space_is_the_current_one(verb):
    space = option(verb, "space")
    assert space.default is None
    assert "default: the current one" in space.option.help


@pytest.mark.parametrize(
    ("verb", "name", "source"),
    [
        ("issues", "scorer", LABEL_SCORERS),
        ("learn", "objective", get_args(Objective)),
        ("learn", "model", (*MODELS, STACKING, CONVOLUTIONAL, *DETECTORS)),
        ("trash", "kind", get_args(DuplicateKind)),
        ("clusters", "method", CLUSTER_METHODS),
        ("map", "method", MAP_METHODS),
        ("search", "match", get_args(Rule)),
        ("vocabulary", "language", LANGUAGES),
        ("run", "arithmetic", (*zoo.ARITHMETICS, "auto")),
        ("embed", "arithmetic", (*zoo.ARITHMETICS, "auto")),
        ("embed", "runtime", zoo.RUNTIMES),
        ("embed", "pool", POOLINGS),
        ("embed", "fit", FITS),
        ("embed", "channels", get_args(Channels)),
        ("embed", "layout", [layout for layout in get_args(Layout) if layout]),
        ("layers", "kind", listing.KINDS.values()),
    ],
)
def test_the_choices_of_an_option_are_those_of_the_program(verb, name, source):
    """They are written out in the declaration where their source is heavy to import."""
    assert set(option(verb, name).choices) == set(source)


def test_the_models_that_a_help_names_are_all():
    words = option("lab errors", "models").option.help.rpartition("default: ")[2]
    assert set(detectors.MODELS) <= set(words.strip(")").replace(",", " ").split())


def test_a_sample_is_drawn_judged_and_compared(workplace):
    workplace("lab", "sample", "class", "--n", "20", "--out", "drawn")
    again = workplace("lab", "sample", "class", "--n", "20", "--out", "drawn", code=2)
    assert "is there already" in again.stderr
    blank = workplace("lab", "truth", "drawn", code=2)
    assert "no image is judged yet" in blank.stderr
    sheet = workplace.cwd / "drawn" / "sample.csv"
    names = [line.split(",")[0] for line in sheet.read_text().splitlines()[1:]]
    # The name of a picture says what was drawn; its folder is its label.
    truth = [(name, name.split("/")[1].split("_")[0]) for name in names]
    rows = [f"{name},{label}" for name, label in truth if label in ("disc", "square", "stripes")]
    sheet.write_text("\n".join(["image,truth", *rows]) + "\n")
    result = workplace.json("lab", "truth", "drawn", "--who", "ada")
    assert result["judged"] == len(rows)
    assert result["measures"]["given"]["accuracy"]["value"] == 1.0
    assert (workplace.cwd / "drawn" / "comparison.json").exists()
    shown = workplace("lab", "truth", "drawn", "--who", "ada")
    assert "cleaned" in shown.stdout
    assert "mended" in shown.stdout
