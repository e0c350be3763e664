from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from vernis.domain.errors import UsageError
from vernis.report.lab.run_folder import RunFolder, StoredTable, StudyRun, read_run, read_table
from vernis.session.session import Session
from vernis.verbs.lab import models, noise, rerun, toy
from vernis.verbs.lab.diff import compare_runs
from vernis.verbs.lab.rerun import describe_repetition, settings_of


def a_run(seed=0, fingerprint="abc"):
    return StudyRun(
        "models", {"taxonomy": "a b/c", "seed": seed}, {"fingerprint": fingerprint}, ("model",)
    )


def rows(shift=0.0, sd=0.1):
    return [
        {"model": "x", "f1": 0.5 + shift, "f1_sd": sd, "seconds": 1.0 + shift},
        {"model": "y", "f1": np.float32(0.25), "f1_sd": sd, "seconds": math.nan},
    ]


def test_a_finished_run_holds_all_that_is_needed(tmp_path):
    folder = RunFolder.start(a_run(), tmp_path / "r")
    written = folder.finish(rows(), ["a note"])
    run = read_run(tmp_path / "r")
    assert run.arguments == {"taxonomy": "a b/c", "seed": 0}
    assert json.loads((tmp_path / "r" / "run.json").read_text())["seed"] == 0
    assert run.data == {"fingerprint": "abc"}
    assert run.versions["numpy"] == np.__version__
    assert run.finished
    assert read_table(tmp_path / "r") == StoredTable(("model",), tuple(written), ("a note",))
    assert written[1]["seconds"] is None
    lines = (tmp_path / "r" / "table.csv").read_text().splitlines()
    assert lines[0] == "model,f1,f1_sd,seconds"
    assert lines[2] == "y,0.25,0.1,"


def test_finished_cells_are_kept_and_no_half_table_is_left(tmp_path):
    folder = RunFolder.start(a_run(), tmp_path / "r")
    folder.cell({"model": "x"}, lambda: [{"f1": 1.0}])

    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.cell({"model": "y"}, stopped)
    assert not (tmp_path / "r" / "table.json").exists()
    with pytest.raises(UsageError, match="not finished"):
        read_table(tmp_path / "r")
    taken_up = RunFolder.start(a_run(), tmp_path / "r")
    assert taken_up.cell({"model": "x"}, stopped) == [{"f1": 1.0}]
    assert taken_up.cell({"model": "y"}, lambda: [{"f1": np.float64(0.5)}]) == [{"f1": 0.5}]
    assert (taken_up.reused, taken_up.computed) == (1, 1)


def test_a_damaged_cell_is_computed_anew(tmp_path):
    folder = RunFolder.start(a_run(), tmp_path / "r")
    folder.cell({"model": "x"}, lambda: [{"f1": 1.0}])
    (path,) = (tmp_path / "r" / "cells").iterdir()
    path.write_text(path.read_text()[:10])
    assert folder.cell({"model": "x"}, lambda: [{"f1": 2.0}]) == [{"f1": 2.0}]


def test_another_run_is_not_written_over(tmp_path):
    RunFolder.start(a_run(), tmp_path / "r")
    with pytest.raises(UsageError, match="holds another run"):
        RunFolder.start(a_run(seed=1), tmp_path / "r")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x.txt").write_text("x")
    with pytest.raises(UsageError, match="no lab run"):
        RunFolder.start(a_run(), tmp_path / "mine")


def test_other_data_are_refused(tmp_path):
    with pytest.raises(UsageError, match="not those of the run"):
        RunFolder.start(a_run(), tmp_path / "r", expected_data="abd")
    assert not (tmp_path / "r").exists()
    RunFolder.start(a_run(), tmp_path / "r", expected_data="abc")


def test_the_default_folder_follows_settings_and_data():
    assert a_run().default_folder() == a_run().default_folder()
    names = {str(a_run(seed, mark).default_folder()) for seed in (0, 1) for mark in "ab"}
    assert len(names) == 4
    assert all(name.startswith("lab/models-a_b_c-") for name in names)


def test_diff_tells_what_exceeds_the_spread(tmp_path):
    RunFolder.start(a_run(), tmp_path / "a").finish(rows())
    RunFolder.start(a_run(seed=1), tmp_path / "b").finish(rows(shift=0.2, sd=0.1))
    RunFolder.start(a_run(seed=2), tmp_path / "c").finish(rows(shift=0.1, sd=0.1)[:1])
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found.settings == {"arguments.seed": (0, 1)}
    by = {(row["model"], row["measure"]): row for row in found.rows}
    assert by["x", "f1"]["exceeds"] is True
    assert by["x", "f1"]["spread"] == pytest.approx(math.sqrt(0.02))
    assert by["y", "f1"]["exceeds"] is False
    assert by["x", "seconds"]["exceeds"] is None
    assert ("y", "seconds") not in by
    found = compare_runs(tmp_path / "a", tmp_path / "c")
    assert found.only_a == ({"model": "y"},)
    assert [row["exceeds"] for row in found.rows if row["measure"] == "f1"] == [False]


def test_diff_refuses_what_it_cannot_compare(tmp_path):
    RunFolder.start(a_run(), tmp_path / "a").finish(rows())
    other = StudyRun("noise", {}, {}, ("kind",))
    RunFolder.start(other, tmp_path / "b").finish([])
    with pytest.raises(UsageError, match="one study"):
        compare_runs(tmp_path / "a", tmp_path / "b")
    with pytest.raises(UsageError, match="no lab run here"):
        compare_runs(tmp_path / "a", tmp_path / "none")
    (tmp_path / "a" / "run.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(UsageError, match="format 1"):
        read_run(tmp_path / "a")


@pytest.mark.parametrize("text", ["{}", '{"format": 1}', "[]", '{"format": 1, "study": "models"}'])
def test_a_damaged_run_is_told_in_one_line(tmp_path, text):
    RunFolder.start(a_run(), tmp_path / "a").finish(rows())
    (tmp_path / "a" / "run.json").write_text(text)
    for use in (read_run, read_table, lambda folder: RunFolder.start(a_run(), folder)):
        with pytest.raises(UsageError, match=r"run\.json: (damaged|not of format)"):
            use(tmp_path / "a")


def test_a_damaged_table_is_told_in_one_line(tmp_path):
    RunFolder.start(a_run(), tmp_path / "a").finish(rows())
    (tmp_path / "a" / "table.json").write_text("{}")
    with pytest.raises(UsageError, match=r"table\.json: damaged \('keys' is missing\)"):
        compare_runs(tmp_path / "a", tmp_path / "a")


def test_arguments_that_a_study_does_not_take_are_told_in_one_line(tmp_path):
    run = StudyRun("toy", {"seed": 0, "sides": 3}, {}, ("model",))
    RunFolder.start(run, tmp_path / "a").finish(rows())
    with pytest.raises(UsageError, match=r"cannot repeat it .*'sides'"):
        rerun.work(Session(None), rerun.Settings(tmp_path / "a"))
    lacking = StudyRun("models", {"seed": 0}, {}, ("model",))
    RunFolder.start(lacking, tmp_path / "b").finish(rows())
    with pytest.raises(UsageError, match="'taxonomy' is missing"):
        settings_of(tmp_path / "b", read_run(tmp_path / "b"), models.Settings)


@pytest.mark.parametrize("seeds", ["two", None, [1], 2.5, True])
def test_an_argument_of_another_type_is_told_in_one_line(tmp_path, seeds):
    run = StudyRun("toy", {"seeds": seeds}, {}, ("model",))
    RunFolder.start(run, tmp_path / "a").finish(rows())
    with pytest.raises(UsageError, match=r"run\.json: damaged \(seeds is .*, expected int\)"):
        rerun.work(Session(None), rerun.Settings(tmp_path / "a"))


def test_an_argument_out_of_its_range_is_told_in_one_line(tmp_path):
    RunFolder.start(StudyRun("toy", {"permuted": 2}, {}, ("model",)), tmp_path / "a").finish(rows())
    with pytest.raises(UsageError, match=r"a/run\.json: damaged \(expected permuted between 0 and"):
        rerun.work(Session(None), rerun.Settings(tmp_path / "a"))


def test_a_study_that_there_is_not_is_told_in_one_line(tmp_path):
    for name in ("bakery", "diff"):  # lab diff is no study
        RunFolder.start(StudyRun(name, {}, {}, ("model",)), tmp_path / name).finish(rows())
        with pytest.raises(UsageError, match=f"no study '{name}'"):
            rerun.work(Session(None), rerun.Settings(tmp_path / name))


def test_settings_survive_their_way_through_a_folder(tmp_path):
    own = noise.Settings(
        "colour", kinds=["uniform"], rates=[0.2], models=["mlp"], hidden=[64, 8], sample_share=0.9
    )
    RunFolder.start(StudyRun("noise", own.arguments, {}, ("model",)), tmp_path / "a")
    assert settings_of(tmp_path / "a", read_run(tmp_path / "a"), noise.Settings) == own
    assert own.arguments["hidden"] == [64, 8]
    assert "batch_size" not in own.arguments


def test_arguments_that_version_0_1_wrote_make_the_settings_of_today(tmp_path):
    """Written by hand as ``lab models`` and ``lab toy`` of version 0.1 wrote them."""
    old = {"taxonomy": "label", "models": None, "folds": 2, "sample": 150, "components": 100}
    old |= {"features": "embedding", "one_label": False, "seed": 0}
    RunFolder.start(StudyRun("models", old, {}, ("model",)), tmp_path / "a")
    made = settings_of(tmp_path / "a", read_run(tmp_path / "a"), models.Settings)
    assert made == models.Settings("label", folds=2, sample=150)
    assert made.arguments == old  # so that a run that was stopped goes on
    old = {"models": ["svm"], "seeds": 2, "points": 60, "permuted": 0.3, "seed": 0}
    RunFolder.start(StudyRun("toy", old, {}, ("model",)), tmp_path / "b")
    made = settings_of(tmp_path / "b", read_run(tmp_path / "b"), toy.Settings)
    assert made.arguments == old


def test_parameters_of_networks_need_a_network():
    with pytest.raises(UsageError, match="none of kernel, svm takes 'hidden'; bagged_mlp, mlp do"):
        toy.work(Session(None), toy.Settings(models=["kernel", "svm"], hidden=[8], batch_size=4))


def test_a_run_killed_while_its_first_file_was_written_is_started_anew(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / ".run.json.part").write_text('{"form')
    RunFolder.start(a_run(), tmp_path / "r").finish(rows())
    assert read_table(tmp_path / "r").rows


def test_a_run_whose_figure_is_missing_is_not_finished(tmp_path):
    folder = RunFolder.start(a_run(), tmp_path / "r")

    def stopped(table, path):
        assert path == tmp_path / "r" / "models.png"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.finish(rows(), draw=stopped)
    assert not read_run(tmp_path / "r").finished
    folder.finish(rows(), draw=lambda table, path: path.write_bytes(b"png"))
    assert read_run(tmp_path / "r").finished


def test_a_repeated_run_says_whether_its_table_is_the_same(tmp_path):
    def measured(seconds, f1=0.5):
        return [{"model": "x", "f1": f1, "train_s": seconds}]

    first = tmp_path / "a"
    RunFolder.start(a_run(), first).finish(measured(1.0))
    RunFolder.start(a_run(), tmp_path / "b").finish(measured(2.0))
    RunFolder.start(a_run(), tmp_path / "c").finish([*measured(1.0, f1=0.4), {"model": "y"}])
    run = read_run(first)
    same = describe_repetition(first, run, tmp_path / "b")
    assert same == f"the table is that of {first}, but for the times"
    other = describe_repetition(first, run, tmp_path / "c")
    assert other.startswith(f"not the table of {first}: 1 of 1 value changed, 1 row is in one run")
    assert describe_repetition(first, replace(run, finished=""), first) == ""


def test_diff_shows_measures_and_no_ends_of_intervals(tmp_path, capsys):
    from vernis.cli.main import main

    def measured(f1):
        return [{"model": "x", "f1": f1, "f1_low": f1 - 0.1, "f1_high": f1 + 0.1, "f1_sd": 0.1}]

    RunFolder.start(a_run(fingerprint="a" * 64), tmp_path / "a").finish(measured(0.5))
    RunFolder.start(a_run(fingerprint="b" * 64), tmp_path / "b").finish(
        [*measured(0.4999), {"model": "y"}]
    )
    assert main(["lab", "diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    shown = capsys.readouterr().out
    assert f"data.fingerprint: {'a' * 12} → {'b' * 12}\n" in shown
    assert "f1_low" not in shown
    assert "-0.000" not in shown
    assert "only in B: model y\n" in shown
    assert main(["lab", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--all"]) == 0
    assert "f1_low" in capsys.readouterr().out


def test_an_image_of_two_classes_is_counted_once_over_all_classes():
    from vernis.verbs.lab.thresholds import _counts

    Y = np.asarray([[1, 1], [1, 0], [np.nan, 0]], np.float32)
    found = _counts(Y, np.full((3, 2), 0.9), 0.5)
    assert found["images"] == 2
    assert found["precision"] == pytest.approx(3 / 5)


def test_words_that_no_two_images_share_are_told_to_say_nothing():
    from vernis.verbs.lab.models import _about_words

    assert "tell the models nothing" in _about_words(("one", "two"))
    assert "file names" in _about_words(("red apple", "red pear", "green apple", "green pear"))


def test_what_noise_costs_is_said_in_a_sentence_that_fits():
    from vernis.verbs.lab.noise import _describe_loss

    assert _describe_loss(["mlknn"], {"mlknn": 0.067}) == "mlknn loses 6.7 points on average"
    assert _describe_loss(["mlknn"], {"mlknn": -0.017}) == "mlknn gains 1.7 points on average"
    loss = {"svm": -0.005, "kernel": 0.01, "bagged_mlp": 0.02}
    assert _describe_loss(list(loss), loss) == (
        "svm loses least (it gains 0.5 points on average); kernel is number 2 (1.0); "
        "bagged_mlp is number 3 (2.0)"
    )
