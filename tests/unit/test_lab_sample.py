"""A sample is drawn, judged, recorded and held against the labels; the fill rests on it."""

import csv
import json
import re

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.interchange import sample_folder
from vernis.adapters.interchange.sample_folder import SampleFolder
from vernis.core.words.sheet_cells import as_text
from vernis.domain.documents import to_document
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import FoundFile, Issue, Statement, Suggestion, Taxonomy
from vernis.report.judge.page import JudgedImage, render_judge_page
from vernis.session.session import Session
from vernis.verbs.decide.fill_basis import judged_images
from vernis.verbs.lab import sample as sampling
from vernis.verbs.lab.sample import draw_truth_sample
from vernis.verbs.lab.truth import measure_rows, record_truth
from vernis.verbs.lab.truth_sample import NOTHING, sample_from

COLOURS = ("blue", "green", "red")


def drawn_of(*images, kind="multi"):
    """A sample as `SampleFolder.read` returns it."""
    rows = [{"image": name} for name in images]
    return {"kind": kind, "classes": ["red", "blue", "Navy", "navy"], "images": rows}


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "c.vernis") as made:
        found = [FoundFile(f"{n:02}.jpg", f"hash{n}", 10, 1) for n in range(12)]
        made.images.apply_index(found, complete=True)
        made.labels.define(Taxonomy("colour", "single", COLOURS))
        made.labels.define(Taxonomy("tags", "multi", ("big", "old")))
        given = [Statement(n + 1, COLOURS[n % 3], "yes") for n in range(9)]
        made.labels.record("colour", given, source="given", verb="import")
        made.labels.record("tags", [Statement(1, "big", "yes")], source="given", verb="import")
        evidence = {"given": ["blue"], "suggested": ["red"], "probability": 0.9}
        issue = Issue("label", 1, 0.1, flagged=True, taxonomy="colour", evidence=evidence)
        made.issues.replace(("label",), [issue], "colour")
        filled = Suggestion(10, "colour", "green", 0.99, promised=True)
        made.issues.replace_suggestions("colour", [filled])
        yield made


@pytest.fixture
def session(catalog):
    return Session(catalog)


def test_a_sample_holds_what_was_given_and_what_cleaning_makes_of_it(session, catalog):
    # What a person or a fill said meanwhile is not what was given.
    catalog.labels.record("colour", [Statement(2, "red", "yes")], source="human:a", verb="edit")
    sample = draw_truth_sample(session, "colour", size=100)
    rows = {row.image: row for row in sample.images}
    assert len(rows) == sample.population == 12
    assert (rows["00.jpg"].given, rows["00.jpg"].cleaned) == (("blue",), ("red",))
    assert rows["01.jpg"].given == ("green",)
    assert (rows["09.jpg"].given, rows["09.jpg"].cleaned) == ((), ("green",))
    assert sample_from(json.loads(json.dumps(to_document(sample)))) == sample


def test_the_classes_that_are_offered_tell_nothing_of_the_given_one(session, catalog):
    for row in draw_truth_sample(session, "colour", size=100).images:
        assert row.offered == COLOURS
    many = tuple(f"class{n:02}" for n in range(40))
    catalog.labels.define(Taxonomy("fine", "single", many))
    said = [Statement(n + 1, many[3 * n], "yes") for n in range(9)]
    catalog.labels.record("fine", said, source="given", verb="import")
    for row in draw_truth_sample(session, "fine", size=100).images:
        assert set(row.given) <= set(row.offered)
        assert len(row.offered) == 6
        assert list(row.offered) == sorted(row.offered)


def test_the_truth_is_recorded_and_compared(session, catalog):
    sample = draw_truth_sample(session, "colour", size=100)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    judged["00.jpg"] = ("red",)
    judged["11.jpg"] = ()
    result = record_truth(session, sample, judged, who="ada")
    changes = to_document(result.changes)
    assert {name: row["sample"] for name, row in changes.items()} == {
        "mended": 1,
        "broken": 0,
        "missed": 0,
        "filled_right": 1,
        "filled_wrong": 0,
    }
    assert result.measures.given.accuracy.value == pytest.approx(8 / 9)
    assert result.measures.cleaned.accuracy.value == 1.0
    assert catalog.labels.images_said_by("colour", "human:ada") == set(range(1, 12))
    assert judged_images(session, "colour") == set(range(1, 13))
    matrix = catalog.labels.matrix("colour")
    assert matrix.values[0].tolist() == [0, 0, 1]
    catalog.history.undo()
    assert catalog.labels.matrix("colour").values[0].tolist() == [1, 0, 0]


def test_who_judges_again_that_an_image_carries_no_class_is_believed(session, catalog):
    sample = draw_truth_sample(session, "colour", size=100)
    record_truth(session, sample, {"00.jpg": ("green",)}, who="ada")
    record_truth(session, sample, {"00.jpg": ()}, who="ada")
    assert catalog.labels.matrix("colour").values[0].tolist() == [0, 0, 0]
    # nobody had said anything of this one: it is not to be filled
    record_truth(session, sample, {"11.jpg": ()}, who="ada")
    assert catalog.labels.matrix("colour").values[11].tolist() == [0, 0, 0]


def test_every_class_of_a_judged_image_is_known(session, catalog):
    sample = draw_truth_sample(session, "tags", size=100)
    record_truth(session, sample, {"00.jpg": ("old",), "01.jpg": ()}, who="ada")
    assert catalog.labels.matrix("tags").values[:2].tolist() == [[0, 1], [0, 0]]


def test_judgements_that_do_not_fit_are_refused_and_nothing_is_recorded(session, catalog):
    sample = draw_truth_sample(session, "colour", size=100)
    for judged, what in (
        ({"nothere.jpg": ("red",)}, "not an image of this sample"),
        ({"00.jpg": ("pink",)}, "'pink' is no class of colour"),
        ({"00.jpg": ("red", "blue")}, "one class an image"),
    ):
        with pytest.raises(InvalidLabels, match=what):
            record_truth(session, sample, judged, who="ada")
    with pytest.raises(UsageError, match="no image is judged"):
        record_truth(session, sample, {}, who="ada")
    catalog.images.apply_index([FoundFile("00.jpg", "other", 10, 1)], complete=False)
    with pytest.raises(UsageError, match="has changed since"):
        record_truth(session, sample, {"00.jpg": ("red",)}, who="ada")
    assert catalog.labels.images_said_by("colour", "human") == set()
    # it costs no other image
    both = {"00.jpg": ("red",), "01.jpg": ("red",)}
    result = record_truth(session, sample, both, who="ada")
    assert result.judged == 1
    assert result.notes == (
        "left out 00.jpg: it has changed since the sample was drawn",
        "vernis fill colour promises its precision from judged images once 200 of them carry a "
        "label; 1 so far",
    )
    assert catalog.labels.images_said_by("colour", "human") == {2}
    with pytest.raises(UsageError, match="size of 1 or more, got 0"):
        sampling.Settings("colour", size=0)


def test_who_judged_with_version_0_1_need_not_judge_again(session, catalog):
    catalog.runs.finish("truth:colour", "mark", {"image_ids": [3, 4]})
    assert judged_images(session, "colour") == {3, 4}
    sample = draw_truth_sample(session, "colour", size=100)
    record_truth(session, sample, {"00.jpg": ("red",)}, who="ada")
    assert judged_images(session, "colour") == {1, 3, 4}


def test_a_damaged_sample_is_told_in_one_line():
    good = {"taxonomy": "c", "kind": "single", "classes": [], "seed": 0, "population": 1}
    row = {"image": "a", "content_hash": "h", "given": [], "cleaned": [], "predicted": []}
    assert sample_from({**good, "images": [row]}).images[0].offered == ()
    for damaged in (good, {**good, "images": [{}]}, {**good, "seed": "x", "images": []}):
        with pytest.raises(UsageError, match="draw a new one"):
            sample_from(damaged)
    with pytest.raises(UsageError, match="draw a new one"):
        sample_from({**good, "images": 3})


def test_the_folder_round_trips_and_is_never_overwritten(tmp_path):
    place = tmp_path / "sample"
    folder = SampleFolder(place)
    page = folder.write({"a": 1}, ["x,1.jpg", "y.jpg", "z.jpg"], b"<p>")
    assert page.read_bytes() == b"<p>"
    assert folder.read() == {"a": 1}
    drawn = drawn_of("x,1.jpg", "y.jpg", "z.jpg")
    assert folder.read_judgement(None, drawn, NOTHING).labels == {}
    rows = [["image", "truth"], ["x,1.jpg", "red | blue"], ["y.jpg", NOTHING], ["z.jpg", ""]]
    with open(place / sample_folder.JUDGED, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    found = folder.read_judgement(None, drawn, NOTHING)
    assert found.labels == {"x,1.jpg": ("red", "blue"), "y.jpg": ()}
    with pytest.raises(UsageError, match="is there already"):
        folder.write({}, [], b"")
    (place / sample_folder.SAMPLE).write_text("{")
    with pytest.raises(UsageError, match="holds no sample"):
        folder.read()
    (place / "bad.csv").write_text("image,label\na.jpg,red\n")
    with pytest.raises(InvalidLabels, match="no column 'truth'"):
        folder.read_judgement(place / "bad.csv", drawn, NOTHING)


def test_the_sheet_holds_no_formula_and_every_name_comes_back(tmp_path):
    names = [
        "=1+1.jpg",
        "+2.jpg",
        "-rf.jpg",
        "@x.jpg",
        "'=a.jpg",
        "it's.jpg",
        " lead.jpg",
        "new\nline.jpg",
    ]
    classes = ["=HYPERLINK(1)", "+1+1", "@SUM(A1)", "--help", "a|b", "Caf\xe9", "nan", "'=a"]
    folder = SampleFolder(tmp_path / "sample")
    folder.write({"a": 1}, names, b"<p>")
    sheet = folder.folder / sample_folder.SHEET
    with open(sheet, newline="") as stream:
        rows = list(csv.reader(stream))
    assert not any(cell[:1] in tuple("=+-@") for row in rows for cell in row if cell)
    truth = [*classes[:5], "CAFE\u0301", *classes[6:]]
    with open(sheet, "w", newline="") as stream:
        judged = zip(rows[1:], truth, strict=True)
        csv.writer(stream).writerows(
            [rows[0], *([row[0], as_text(label)] for row, label in judged)]
        )
    drawn = {**drawn_of(*names, kind="single"), "classes": classes}
    found = folder.read_judgement(None, drawn, NOTHING)
    assert found.notes == ()
    assert found.labels == {name: (label,) for name, label in zip(names, classes, strict=True)}


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("pink", "'pink' is no class; the classes are red, blue, Navy, navy"),
        ("red|pink", "'pink' is no class"),
        (f"red|{NOTHING}", "stands alone"),
        ("NAVY", "'NAVY' is no class"),
        ("|", "names no class"),
        ("nan", "'nan' is no class"),
    ],
)
def test_a_row_that_does_not_fit_is_left_out_and_named(tmp_path, cell, what):
    (tmp_path / "bad.csv").write_text(f"image,truth\na.jpg,red\nb.jpg,{cell}\n")
    drawn = drawn_of("a.jpg", "b.jpg")
    found = SampleFolder(tmp_path).read_judgement(tmp_path / "bad.csv", drawn, NOTHING)
    assert found.labels == {"a.jpg": ("red",)}
    (note,) = found.notes
    assert what in note
    assert note.startswith(f"{tmp_path / 'bad.csv'}: left out row 3, 'b.jpg': ")


def test_a_bad_row_costs_no_other_row(tmp_path):
    lines = ["image;truth", "a.jpg;red", "nope.jpg;red", "b.jpg;red", "c.jpg;red", "b.jpg;blue"]
    lines += ["b.jpg;red", "d.jpg;red|blue", "c.jpg;RED", "a.jpg;"]
    # as a spreadsheet saves it: with a byte order mark and semicolons
    (tmp_path / "truth.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    drawn = drawn_of("a.jpg", "b.jpg", "c.jpg", "d.jpg", kind="single")
    found = SampleFolder(tmp_path).read_judgement(None, drawn, NOTHING)
    assert found.labels == {"a.jpg": ("red",), "c.jpg": ("red",)}
    file = tmp_path / "truth.csv"
    assert found.notes == (
        f"{file}: left out row 3, 'nope.jpg': no image of this sample",
        f"{file}: left out row 6, 'b.jpg': contradicts row 4, which counts no more",
        f"{file}: left out row 7, 'b.jpg': repeats row 4, which counts no more",
        f"{file}: left out row 8, 'd.jpg': takes one class an image, got red | blue",
    )


def test_many_bad_rows_are_counted_and_only_bad_rows_are_refused(tmp_path):
    bad = "".join(f"{number}.jpg,red\n" for number in range(12))
    file = tmp_path / "truth.csv"
    file.write_text(f"image,truth\na.jpg,red\n{bad}")
    found = SampleFolder(tmp_path).read_judgement(None, drawn_of("a.jpg"), NOTHING)
    assert len(found.notes) == 11
    assert found.notes[-1] == f"{file}: left out 2 more rows"
    with pytest.raises(InvalidLabels, match=r"row 2, 'a.jpg': no image .* \(12 more rows as wrong"):
        SampleFolder(tmp_path).read_judgement(None, drawn_of("b.jpg"), NOTHING)


def test_the_encoding_of_a_judgement_is_told(tmp_path):
    (tmp_path / "truth.csv").write_bytes("image,truth\ncafé.jpg,red\n".encode("cp1252"))
    found = SampleFolder(tmp_path).read_judgement(None, drawn_of("café.jpg"), NOTHING)
    assert found.labels == {"café.jpg": ("red",)}
    assert "read as Windows-1252" in found.notes[0]


def test_upper_and_lower_case_matter_only_where_two_classes_need_it(tmp_path):
    (tmp_path / "t.csv").write_text("image,truth\na.jpg,RED | Blue|red\nb.jpg,navy\nc.jpg,(None)\n")
    drawn = drawn_of("a.jpg", "b.jpg", "c.jpg")
    found = SampleFolder(tmp_path).read_judgement(tmp_path / "t.csv", drawn, NOTHING)
    assert found.labels == {"a.jpg": ("red", "blue"), "b.jpg": ("navy",), "c.jpg": ()}


def test_the_page_does_not_tell_which_label_is_given_and_survives_hostile_names():
    page = render_judge_page(
        taxonomy="<b>",
        kind="single",
        classes=("a", "</script><i>"),
        images=[JudgedImage("$x</script>.jpg", ("a", "b"), "")],
        key="k",
        nothing=NOTHING,
    ).decode()
    assert page.count("</script>") == 3  # theme, data, script
    assert "<b>" not in page
    data = re.search(r'id="data">(.*?)</script>', page)[1]
    assert json.loads(data)["images"][0]["image"] == "$x</script>.jpg"
    assert "given" not in data


def test_a_judged_random_sample_carries_the_promise_of_a_fill():
    from vernis.verbs.decide.fill_basis import Rows, choose_basis

    class Evidence:
        labelled = np.arange(3000)

    usable = np.ones(4000, bool)
    confirmed = np.arange(4000) < 300
    nobody = np.zeros(4000, bool)
    assert choose_basis(Evidence, Rows(usable, confirmed, nobody))[0] == "given"
    basis, mask = choose_basis(Evidence, Rows(usable, confirmed, confirmed))
    assert (basis, mask.sum()) == ("sampled", 300)
    assert choose_basis(Evidence, Rows(usable, usable, nobody))[0] == "confirmed"


def test_the_comparison_fits_a_terminal_of_80_characters(session, catalog, capsys):
    from vernis.cli.output import print_table

    sample = draw_truth_sample(session, "colour", size=8)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    rows = measure_rows(record_truth(session, sample, judged, who="ada").measures)
    assert [row["measure"] for row in rows[:3]] == ["coverage", "accuracy", "precision"]
    print_table(rows, list(rows[0]))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    # without a head there are no predicted labels to be right or wrong
    assert rows[1]["predicted"] == "–"


def test_figures_of_a_whole_collection_stand_without_an_interval(session, catalog):
    sample = draw_truth_sample(session, "colour", size=100)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    rows = measure_rows(record_truth(session, sample, judged, who="ada").measures)
    assert rows[0] == {
        "measure": "coverage",
        "given": "0.750",
        "cleaned": "0.833",
        "predicted": "0.000",
    }


def test_a_folder_that_is_taken_is_refused_before_the_work(session, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")

    def unexpected(*_):
        raise AssertionError

    session.matrix = unexpected
    with pytest.raises(UsageError, match="is there already"):
        sampling.work(session, sampling.Settings("colour", size=5, out=tmp_path / "mine"))
