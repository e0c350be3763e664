"""The studies of the lab on vectors that a test draws, without pictures or a catalog."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from vernis.core.labels.scores import LABEL_SCORERS
from vernis.domain.errors import UsageError
from vernis.domain.types import LabelMatrix, Space, Taxonomy
from vernis.report.lab.run_folder import read_run, read_table
from vernis.session.session import Session
from vernis.session.vectors import TrainingData
from vernis.verbs.lab import components, errors, models, noise, rerun, spaces, thresholds, toy

CLASSES = ("ant", "bee", "cow")
SPACE = Space("drawn", 12, "float32", {"layers": [["low", 4], ["high", 8]]})


class DrawnSession(Session):
    """Images whose vectors tell their classes, three copies of each class among them."""

    def __init__(self, kind="single", n=90, seed=0):
        super().__init__(None)
        rng = np.random.default_rng(seed)
        codes = np.arange(n) % 3
        Y = np.eye(3, dtype=np.float32)[codes]
        if kind == "multi":
            Y[rng.random(n) < 0.3, 0] = 1
        X = (Y @ rng.normal(size=(3, 12)) + 0.6 * rng.normal(size=(n, 12))).astype(np.float32)
        groups = np.arange(n)
        groups[3:6] = groups[:3]
        self.steps = []
        self.progress = lambda *step: self.steps.append(step)
        taxonomy = Taxonomy("animal", kind, CLASSES, closed=True)
        nothing = np.zeros(Y.shape, bool)
        self.data = TrainingData(
            taxonomy=taxonomy,
            image_ids=np.arange(1, n + 1),
            vectors=X,
            Y=Y,
            groups=groups,
            stated=~nothing,
            confirmed=nothing,
            n_assumed=0,
            n_without_vector=0,
            hashes=tuple(f"h{i}" for i in range(n)),
            space=SPACE,
        )
        self._catalog = SimpleNamespace(labels=SimpleNamespace(taxonomy=lambda name: taxonomy))

    def space(self, name=None):
        return SPACE

    def training_data(self, taxonomy, space):
        return self.data

    def matrix(self, taxonomy):
        """Another taxonomy of the same images, in which the first ten are called cows."""
        values = self.data.Y.copy()
        values[:10] = [0, 0, 1]
        other = Taxonomy(taxonomy, "single", CLASSES)
        return LabelMatrix(other, self.data.image_ids, values, self.data.confirmed)


def written(result):
    return read_table(result.folder).rows


def test_models_are_measured_on_each_fold_and_their_table_is_the_folders(tmp_path):
    session = DrawnSession()
    own = models.Settings("animal", models=["kernel", "mlknn"], folds=3, out=tmp_path / "r")
    result = models.work(session, own)
    assert [row["model"] for row in result.rows] == [row["model"] for row in written(result)]
    assert result.rows[0]["micro_f1"] >= result.rows[1]["micro_f1"] > 0.8
    assert result.winner in ("kernel", "mlknn")
    assert result.study == "models"
    assert session.steps[-1] == ("lab models animal", 6, 6)
    assert (tmp_path / "r" / "models.png").stat().st_size > 5000
    cells = {p: p.stat().st_mtime_ns for p in (tmp_path / "r" / "cells").iterdir()}
    assert len(cells) == 6
    assert models.work(session, own).rows == result.rows  # nothing is computed again
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "r" / "cells").iterdir()} == cells


def test_a_run_is_repeated_with_its_settings_on_its_data_alone(tmp_path):
    session = DrawnSession()
    own = thresholds.Settings("animal", model="mlknn", folds=2, seed=3, out=tmp_path / "r")
    first = thresholds.work(session, own)
    again = rerun.work(session, rerun.Settings(tmp_path / "r"))
    assert again.folder == str(tmp_path / "r-again")
    assert again.rows == first.rows
    assert again.notes[-1] == f"the table is that of {tmp_path / 'r'}, but for the times"
    assert read_run(again.folder).arguments == read_run(first.folder).arguments
    other = DrawnSession(seed=1)
    other.data.Y[0] = [0, 1, 0]
    with pytest.raises(UsageError, match="are not those of the run"):
        rerun.work(other, rerun.Settings(tmp_path / "r", out=tmp_path / "x"))
    assert not (tmp_path / "x").exists()
    forced = rerun.work(other, rerun.Settings(tmp_path / "r", other_data=True, out=tmp_path / "x"))
    assert forced.notes[-1].startswith(f"not the table of {tmp_path / 'r'}")


def test_a_stopped_run_is_finished_in_place(tmp_path):
    session = DrawnSession()

    def stop(task, done, total):
        if done == 3:
            raise KeyboardInterrupt

    session.progress = stop
    own = noise.Settings(
        "animal", models=["mlknn"], seeds=1, rates=[0.3], kinds=["uniform"], out=tmp_path / "r"
    )
    with pytest.raises(KeyboardInterrupt):
        noise.work(session, noise.Settings(**{**vars(own), "kinds": ["uniform", "pairs"]}))
    done = rerun.work(DrawnSession(), rerun.Settings(tmp_path / "r"))
    assert done.folder == str(tmp_path / "r")
    assert [(row["noise"], row["rate"]) for row in done.rows] == [
        ("uniform", 0.0),
        ("uniform", 0.3),
        ("pairs", 0.0),
        ("pairs", 0.3),
    ]
    assert done.slowest == {"uniform": "mlknn", "pairs": "mlknn"}
    assert done.rows[0]["micro_f1"] == done.rows[2]["micro_f1"]  # without noise all are the same


def test_planted_noise_costs_and_is_found(tmp_path):
    session = DrawnSession()
    found = errors.work(
        session,
        errors.Settings("animal", models=["kernel", "knn"], seeds=2, out=tmp_path / "r"),
    )
    table = written(found)
    assert len(table) == 2 * len(LABEL_SCORERS)
    assert all(row["wrong_images"] == 9 for row in table)  # a tenth of 90
    (default,) = (row for row in table if row["default"])
    assert default["average_precision"] > 0.6
    with (tmp_path / "r" / "seeds.csv").open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * len(table)
    assert session.steps[-1] == ("lab errors animal", 4, 4)


def test_the_labels_of_another_taxonomy_are_judged(tmp_path):
    own = errors.Settings("animal", against="guess", models=["knn"], seeds=1, out=tmp_path / "r")
    found = errors.work(DrawnSession(), own)
    assert {(row["noise"], row["rate"]) for row in written(found)} == {("guess", None)}
    assert {row["wrong_images"] for row in written(found)} == {7}  # three of the ten are cows


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_sweeps_try_every_value(tmp_path, kind):
    session = DrawnSession(kind)
    quick = {"models": ["mlknn"], "folds": 2}
    swept = components.Settings("animal", components=[0, 2, 50], out=tmp_path / "c", **quick)
    found = components.work(session, swept)
    assert [row["components"] for row in found.rows] == [2, "all"]
    assert any("left out: 50 components" in note for note in found.notes)
    found = spaces.work(session, spaces.Settings("animal", out=tmp_path / "s", **quick))
    assert [(row["space"], row["layer"]) for row in found.rows] == [
        ("drawn", "all"),
        ("drawn", "low"),
        ("drawn", "high"),
    ]
    assert read_run(tmp_path / "s").arguments["spaces"] == ["drawn"]


def test_toys_need_no_collection_and_are_drawn_by_their_seed(tmp_path):
    own = {"models": ["mlknn"], "seeds": 2, "points": 40}
    one = toy.work(Session(None), toy.Settings(out=tmp_path / "a", **own))
    two = toy.work(Session(None), toy.Settings(out=tmp_path / "b", seed=1, **own))
    assert [row["shape"] for row in one.rows] == list(toy.SHAPES)
    assert all(0.5 < row["accuracy"] <= 1 for row in one.rows)
    assert one.rows != two.rows
    again = rerun.work(Session(None), rerun.Settings(tmp_path / "a"))
    assert again.rows == one.rows


def test_parameters_of_the_networks_reach_them(tmp_path):
    session = DrawnSession()
    own = {"models": ["mlp", "kernel"], "folds": 2}
    plain = models.work(session, models.Settings("animal", out=tmp_path / "a", **own))
    small = models.work(session, models.Settings("animal", out=tmp_path / "b", hidden=[1], **own))
    scores = [
        {row["model"]: row["macro_average_precision"] for row in found.rows}
        for found in (plain, small)
    ]
    assert scores[0]["kernel"] == scores[1]["kernel"]
    assert scores[0]["mlp"] > scores[1]["mlp"] + 0.05  # one neuron cannot tell three classes
    assert json.loads((tmp_path / "b" / "run.json").read_text())["arguments"]["hidden"] == [1]
    judged = errors.Settings(
        "animal", models=["ensemble", "knn"], seeds=1, batch_size=8, out=tmp_path / "e"
    )
    assert {row["model"] for row in errors.work(session, judged).rows} == {"ensemble", "knn"}
