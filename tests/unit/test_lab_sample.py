"""A sample is drawn, judged, recorded and held against the labels; the fill rests on it."""

import csv
import json
import re

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.interchange import truth_folder
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import FoundFile, Issue, Statement, Suggestion, Taxonomy
from vernis.report.judge.page import JudgedImage, render_judge_page
from vernis.workflows.lab.sample import (
    NOTHING,
    draw_truth_sample,
    record_truth,
    sample_document,
    sample_from,
)

COLOURS = ("blue", "green", "red")


def drawn_of(*images, kind="multi"):
    """A sample as `truth_folder.read_sample` returns it."""
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


def test_a_sample_holds_what_was_given_and_what_cleaning_makes_of_it(catalog):
    # What a person or a fill said meanwhile is not what was given.
    catalog.labels.record("colour", [Statement(2, "red", "yes")], source="human:a", verb="edit")
    sample = draw_truth_sample(catalog, "colour", size=100)
    rows = {row.image: row for row in sample.images}
    assert len(rows) == sample.population == 12
    assert (rows["00.jpg"].given, rows["00.jpg"].cleaned) == (("blue",), ("red",))
    assert rows["01.jpg"].given == ("green",)
    assert (rows["09.jpg"].given, rows["09.jpg"].cleaned) == ((), ("green",))
    assert sample_from(json.loads(json.dumps(sample_document(sample)))) == sample


def test_the_classes_that_are_offered_tell_nothing_of_the_given_one(catalog):
    for row in draw_truth_sample(catalog, "colour", size=100).images:
        assert row.offered == COLOURS
    many = tuple(f"class{n:02}" for n in range(40))
    catalog.labels.define(Taxonomy("fine", "single", many))
    said = [Statement(n + 1, many[3 * n], "yes") for n in range(9)]
    catalog.labels.record("fine", said, source="given", verb="import")
    for row in draw_truth_sample(catalog, "fine", size=100).images:
        assert set(row.given) <= set(row.offered)
        assert len(row.offered) == 6
        assert list(row.offered) == sorted(row.offered)


def test_the_truth_is_recorded_and_compared(catalog):
    sample = draw_truth_sample(catalog, "colour", size=100)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    judged["00.jpg"] = ("red",)
    judged["11.jpg"] = ()
    result = record_truth(catalog, sample, judged, who="ada")
    assert {name: row["sample"] for name, row in result["changes"].items()} == {
        "mended": 1,
        "broken": 0,
        "missed": 0,
        "filled_right": 1,
        "filled_wrong": 0,
    }
    assert result["measures"]["given"]["accuracy"]["value"] == pytest.approx(8 / 9)
    assert result["measures"]["cleaned"]["accuracy"]["value"] == 1.0
    assert catalog.labels.images_said_by("colour", "human:ada") == set(range(1, 12))
    assert catalog.runs.summary("truth:colour")["image_ids"] == list(range(1, 13))
    matrix = catalog.labels.matrix("colour")
    assert matrix.values[0].tolist() == [0, 0, 1]
    catalog.labels.undo()
    assert catalog.labels.matrix("colour").values[0].tolist() == [1, 0, 0]


def test_who_judges_again_that_an_image_carries_no_class_is_believed(catalog):
    sample = draw_truth_sample(catalog, "colour", size=100)
    record_truth(catalog, sample, {"00.jpg": ("green",)}, who="ada")
    record_truth(catalog, sample, {"00.jpg": ()}, who="ada")
    assert catalog.labels.matrix("colour").values[0].tolist() == [0, 0, 0]
    # nobody had said anything of this one: it is not to be filled
    record_truth(catalog, sample, {"11.jpg": ()}, who="ada")
    assert catalog.labels.matrix("colour").values[11].tolist() == [0, 0, 0]


def test_every_class_of_a_judged_image_is_known(catalog):
    sample = draw_truth_sample(catalog, "tags", size=100)
    record_truth(catalog, sample, {"00.jpg": ("old",), "01.jpg": ()}, who="ada")
    assert catalog.labels.matrix("tags").values[:2].tolist() == [[0, 1], [0, 0]]


def test_judgements_that_do_not_fit_are_refused_and_nothing_is_recorded(catalog):
    sample = draw_truth_sample(catalog, "colour", size=100)
    for judged, what in (
        ({"nothere.jpg": ("red",)}, "not an image of this sample"),
        ({"00.jpg": ("pink",)}, "'pink' is no class of colour"),
        ({"00.jpg": ("red", "blue")}, "one class an image"),
    ):
        with pytest.raises(InvalidLabels, match=what):
            record_truth(catalog, sample, judged, who="ada")
    with pytest.raises(UsageError, match="no image is judged"):
        record_truth(catalog, sample, {}, who="ada")
    catalog.images.apply_index([FoundFile("00.jpg", "other", 10, 1)], complete=False)
    with pytest.raises(UsageError, match="has changed since"):
        record_truth(catalog, sample, {"00.jpg": ("red",)}, who="ada")
    assert catalog.labels.images_said_by("colour", "human") == set()
    # it costs no other image
    both = {"00.jpg": ("red",), "01.jpg": ("red",)}
    result = record_truth(catalog, sample, both, who="ada")
    assert result["judged"] == 1
    assert result["notes"] == [
        "left out 00.jpg: it has changed since the sample was drawn",
        "vernis fill colour promises its precision from judged images once 200 of them carry a "
        "label; 1 so far",
    ]
    assert catalog.labels.images_said_by("colour", "human") == {2}
    with pytest.raises(UsageError, match="at least 1"):
        draw_truth_sample(catalog, "colour", size=0)


def test_the_folder_round_trips_and_is_never_overwritten(tmp_path):
    folder = tmp_path / "sample"
    page = truth_folder.write_sample_folder(folder, {"a": 1}, ["x,1.jpg", "y.jpg", "z.jpg"], b"<p>")
    assert page.read_bytes() == b"<p>"
    assert truth_folder.read_sample(folder) == {"a": 1}
    drawn = drawn_of("x,1.jpg", "y.jpg", "z.jpg")
    assert truth_folder.read_judgement(folder, None, drawn, NOTHING).labels == {}
    rows = [["image", "truth"], ["x,1.jpg", "red | blue"], ["y.jpg", NOTHING], ["z.jpg", ""]]
    with open(folder / truth_folder.JUDGED, "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    found = truth_folder.read_judgement(folder, None, drawn, NOTHING)
    assert found.labels == {"x,1.jpg": ("red", "blue"), "y.jpg": ()}
    with pytest.raises(UsageError, match="is there already"):
        truth_folder.write_sample_folder(folder, {}, [], b"")
    (folder / truth_folder.SAMPLE).write_text("{")
    with pytest.raises(UsageError, match="holds no sample"):
        truth_folder.read_sample(folder)
    (folder / "bad.csv").write_text("image,label\na.jpg,red\n")
    with pytest.raises(InvalidLabels, match="no column 'truth'"):
        truth_folder.read_judgement(folder, folder / "bad.csv", drawn, NOTHING)


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("pink", "'pink' is no class; the classes are red, blue, Navy, navy"),
        ("red|pink", "'pink' is no class"),
        (f"red|{NOTHING}", "stands alone"),
        ("NAVY", "'NAVY' is no class"),
        ("|", "names no class"),
        ("nan", "names no class"),
    ],
)
def test_a_row_that_does_not_fit_is_left_out_and_named(tmp_path, cell, what):
    (tmp_path / "bad.csv").write_text(f"image,truth\na.jpg,red\nb.jpg,{cell}\n")
    drawn = drawn_of("a.jpg", "b.jpg")
    found = truth_folder.read_judgement(tmp_path, tmp_path / "bad.csv", drawn, NOTHING)
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
    found = truth_folder.read_judgement(tmp_path, None, drawn, NOTHING)
    assert found.labels == {"a.jpg": ("red",), "c.jpg": ("red",)}
    file = tmp_path / "truth.csv"
    assert found.notes == (
        f"{file}: left out row 3, 'nope.jpg': no image of this sample",
        f"{file}: left out row 6, 'b.jpg': contradicts row 4, which counts no more",
        f"{file}: left out row 7, 'b.jpg': contradicts row 4, which counts no more",
        f"{file}: left out row 8, 'd.jpg': takes one class an image, got red | blue",
    )


def test_many_bad_rows_are_counted_and_only_bad_rows_are_refused(tmp_path):
    bad = "".join(f"{number}.jpg,red\n" for number in range(12))
    file = tmp_path / "truth.csv"
    file.write_text(f"image,truth\na.jpg,red\n{bad}")
    found = truth_folder.read_judgement(tmp_path, None, drawn_of("a.jpg"), NOTHING)
    assert len(found.notes) == 11
    assert found.notes[-1] == f"{file}: left out 2 more rows"
    with pytest.raises(InvalidLabels, match=r"row 2, 'a.jpg': no image .* \(12 more rows as wrong"):
        truth_folder.read_judgement(tmp_path, None, drawn_of("b.jpg"), NOTHING)


def test_the_encoding_of_a_judgement_is_told(tmp_path):
    (tmp_path / "truth.csv").write_bytes("image,truth\ncafé.jpg,red\n".encode("cp1252"))
    found = truth_folder.read_judgement(tmp_path, None, drawn_of("café.jpg"), NOTHING)
    assert found.labels == {"café.jpg": ("red",)}
    assert "read as Windows-1252" in found.notes[0]


def test_upper_and_lower_case_matter_only_where_two_classes_need_it(tmp_path):
    (tmp_path / "t.csv").write_text("image,truth\na.jpg,RED | Blue|red\nb.jpg,navy\nc.jpg,(None)\n")
    drawn = drawn_of("a.jpg", "b.jpg", "c.jpg")
    found = truth_folder.read_judgement(tmp_path, tmp_path / "t.csv", drawn, NOTHING)
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
    from vernis.workflows.fill import _choose_basis, _Rows

    class Evidence:
        labelled = np.arange(3000)

    usable = np.ones(4000, bool)
    confirmed = np.arange(4000) < 300
    nobody = np.zeros(4000, bool)
    assert _choose_basis(Evidence, _Rows(usable, confirmed, nobody))[0] == "given"
    basis, mask = _choose_basis(Evidence, _Rows(usable, confirmed, confirmed))
    assert (basis, mask.sum()) == ("sampled", 300)
    assert _choose_basis(Evidence, _Rows(usable, usable, nobody))[0] == "confirmed"


def test_the_comparison_fits_a_terminal_of_80_characters(catalog, capsys):
    from vernis.cli.lab_sample_verbs import measure_rows
    from vernis.cli.output import print_table

    sample = draw_truth_sample(catalog, "colour", size=8)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    rows = measure_rows(record_truth(catalog, sample, judged, who="ada")["measures"])
    assert [row["measure"] for row in rows[:3]] == ["coverage", "accuracy", "precision"]
    print_table(rows, list(rows[0]))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) <= 80
    # without a head there are no predicted labels to be right or wrong
    assert rows[1]["predicted"] == "–"


def test_figures_of_a_whole_collection_stand_without_an_interval(catalog):
    from vernis.cli.lab_sample_verbs import measure_rows

    sample = draw_truth_sample(catalog, "colour", size=100)
    judged = {row.image: row.given or ("green",) for row in sample.images}
    rows = measure_rows(record_truth(catalog, sample, judged, who="ada")["measures"])
    assert rows[0] == {
        "measure": "coverage",
        "given": "0.750",
        "cleaned": "0.833",
        "predicted": "0.000",
    }


def test_a_folder_that_is_taken_is_refused_before_the_work(catalog, tmp_path):
    from vernis.assembly.job import draw_sample_folder

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")

    def unexpected(*_):
        raise AssertionError

    with pytest.raises(UsageError, match="is there already"):
        draw_sample_folder(catalog, "colour", 5, tmp_path / "mine", 0, unexpected)
