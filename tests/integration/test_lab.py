from __future__ import annotations

import json

import pytest

from vernis.cli.main import main

QUICK = ("--models", "logistic,mlknn,stacking", "--sample", "60", "--quiet")


def test_models_run_again_and_compared(workplace):
    outcome = workplace.json(
        "lab", "models", "class", "--folds", "3", *QUICK[:-1], "--out", "lab/one"
    )
    assert {row["model"] for row in outcome["rows"]} == {"logistic", "mlknn", "stacking"}
    assert outcome["winner"] in {"logistic", "mlknn", "stacking"}
    assert any("drawn by stratification" in note for note in outcome["notes"])
    run = workplace.cwd / "lab" / "one"
    assert {p.name for p in run.iterdir()} >= {"run.json", "table.csv", "table.json", "models.png"}
    again = workplace("lab", "rerun", "lab/one", "--quiet")
    assert "lab/one-again" in again.stdout
    assert "macro average precision low" not in " ".join(again.stdout.split())
    assert "the table is that of lab/one, but for the times" in again.stderr
    compared = workplace.json("lab", "diff", "lab/one", "lab/one-again")
    differing = {row["measure"] for row in compared["rows"] if row["difference"]}
    assert differing <= {"train_s", "predict_s"}
    assert "0 of" in workplace("lab", "diff", "lab/one", "lab/one-again").stdout
    before = json.loads((run / "run.json").read_text())["data"]["fingerprint"]
    damaged = json.loads((run / "run.json").read_text())
    damaged["data"]["fingerprint"] = "0" * 64
    (run / "run.json").write_text(json.dumps(damaged))
    refused = workplace("lab", "rerun", "lab/one", "--out", "lab/two", code=2)
    assert "not those of the run" in refused.stderr
    assert before[:12] in refused.stderr
    assert not (workplace.cwd / "lab" / "two").exists()
    workplace("lab", "rerun", "lab/one", "--out", "lab/two", "--other-data", "--quiet")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("models", "class", "--models", "tree"), "no model 'tree'"),
        (("models", "nothing", *QUICK), "nothing"),
        (("models", "class", "--one-label", *QUICK), "one label an image already"),
        (("models", "class", "--models", "stacking"), "name them too"),
        (("diff", "nowhere", "nowhere"), "no lab run here"),
        (("noise", "class", "--rates", "1.5", *QUICK), "rates"),
        (("noise", "class", "--rates", "x", *QUICK), "numbers between commas"),
        (("noise", "class", "--kinds", "added", *QUICK), "single-label"),
        (("errors", "class", "--kinds", "missing", "--quiet"), "single-label"),
        (("errors", "class", "--rates", "0", "--quiet"), "between 0 and 1"),
        (("errors", "class", "--models", "stacking", "--quiet"), "no model 'stacking'"),
        (("errors", "class", "--against", "nothing", "--quiet"), "nothing"),
        (("errors", "class", "--against", "class", "--quiet"), "nothing is wrong"),
        (("errors", "class", "--against", "class", "--rates", "0.2"), "drop --kinds and --rates"),
        (("spaces", "class", "--spaces", "vgg", *QUICK), "no space 'vgg'"),
        (("rerun", "nowhere"), "no lab run here"),
    ],
)
def test_one_clear_line(finished, arguments, what, monkeypatch, capsys):
    monkeypatch.chdir(finished.cwd)
    assert main(["lab", *arguments]) == 2
    assert what in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (finished.cwd / "lab").exists()


@pytest.mark.parametrize(
    ("arguments", "figure", "keys"),
    [
        (("components", "class", "--components", "5,0", "--folds", "2"), "components", 2),
        (("thresholds", "class", "--model", "logistic", "--folds", "2"), "thresholds", 2),
        (("spaces", "class", "--folds", "2"), "spaces", 3),
        (("noise", "class", "--seeds", "1", "--rates", "0.3"), "noise", 3),
        (("models", "class", "--folds", "2", "--features", "both"), "models", 1),
        (("toy", "--seeds", "1", "--points", "60"), "toy", 2),
    ],
)
def test_every_study_writes_a_run(finished, arguments, figure, keys, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(finished.cwd)
    out = tmp_path / "run"
    quick = [] if arguments[0] == "thresholds" else ["--models", "logistic,mlknn"]
    command = ["lab", *arguments, *quick, "--out", str(out), "--json", "--quiet"]
    assert main(command) == 0
    outcome = json.loads(capsys.readouterr().out)
    table = json.loads((out / "table.json").read_text())
    assert len(table["keys"]) == keys
    assert len({tuple(row[k] for k in table["keys"]) for row in table["rows"]}) == len(
        table["rows"]
    )
    assert outcome["rows"]
    assert (out / f"{figure}.png").stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}
    assert main(command) == 0  # the finished cells are kept
    assert {path: path.stat().st_mtime_ns for path in (out / "cells").iterdir()} == before


def test_components_that_the_images_do_not_carry_are_left_out_once(
    finished, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(finished.cwd)
    command = ["lab", "components", "class", "--components", "5000,5,4000", "--folds", "2"]
    command += ["--models", "kernel", "--out", str(tmp_path / "run"), "--quiet"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines() if "kernel" in line] == [
        "5",
        "all",
    ]
    assert "left out: 4000, 5000 components" in printed.err
