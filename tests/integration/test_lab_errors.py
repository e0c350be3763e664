from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from vernis.collection import Collection
from vernis.core.labels.scores import LABEL_SCORERS
from vernis.domain.errors import NotFound, UsageError
from vernis.verbs.lab.data import LabData
from vernis.verbs.lab.detectors import Detectors, require_models
from vernis.verbs.lab.errors import _differ, _one_set_of_classes

MODELS = "kernel,logistic,knn,logistic+knn,simifeat,selfclean"


def test_planted_noise(workplace):
    outcome = workplace.json(
        *("lab", "errors", "class", "--models", MODELS, "--seeds", "2", "--rates", "0.2"),
        *("--kinds", "uniform,features", "--out", "lab/one"),
    )
    run = workplace.cwd / "lab" / "one"
    table = json.loads((run / "table.json").read_text())
    assert table["keys"] == ["noise", "rate", "model", "scorer"]
    assert len(table["rows"]) == 2 * (4 * len(LABEL_SCORERS) + 2 + 1)
    uniform = [row for row in table["rows"] if row["noise"] == "uniform"]
    default = next(row for row in uniform if row["default"])
    assert (default["model"], default["scorer"]) == ("kernel", "self_confidence")
    assert default["average_precision"] > 0.5
    assert default["average_precision_sd"] is not None
    assert default["count_ratio"] == pytest.approx(default["estimated"] / default["wrong_labels"])
    counting = {row["scorer"] for row in uniform if row["estimated"]}
    assert counting == {"self_confidence", "normalized_margin", "vote"}
    flagging = [row for row in uniform if row["flagged"]]
    assert {row["model"] for row in flagging} >= {"kernel", "logistic", "simifeat"}
    assert all(0 <= row["flagged_precision"] <= 1 for row in flagging)
    assert default["flagged_recall"] > 0.3
    with (run / "seeds.csv").open(newline="", encoding="utf-8") as stream:
        by_seed = list(csv.DictReader(stream))
    own = [
        float(row["average_precision"])
        for row in by_seed
        if (row["noise"], row["model"], row["scorer"]) == ("uniform", "kernel", "self_confidence")
    ]
    assert len(own) == 2
    assert np.mean(own) == pytest.approx(default["average_precision"])
    assert (run / "errors.png").stat().st_size > 5000
    assert {row["model"] for row in outcome["rows"]} == set(MODELS.split(","))
    workplace("lab", "rerun", "lab/one", "--quiet")
    compared = workplace.json("lab", "diff", "lab/one", "lab/one-again")
    assert not any(row["difference"] for row in compared["rows"])


def test_another_taxonomy_is_judged(workplace):
    """The given labels are those of a second taxonomy, with one wrong in five and a class more."""
    matrix = workplace.json("lab", "errors", "class", "--models", "knn", "--seeds", "1")
    assert matrix["rows"][0]["wrong_images"] > 0
    with Collection.open(next(workplace.cwd.glob("*.vernis"))) as collection:
        labels, names = collection.session.matrix("class"), collection.session.uris()
    rows = [("file", "class", "guess")]
    for number, (image, values) in enumerate(zip(labels.image_ids, labels.values, strict=True)):
        if (values == 1).any():
            own = labels.taxonomy.classes[int(np.nanargmax(values))]
            rows.append((names[int(image)], own, "other" if number % 5 == 0 else own))
    with (workplace.cwd / "guess.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    workplace("import", "guess.csv", "--quiet")
    outcome = workplace.json(
        *("lab", "errors", "class", "--against", "guess", "--models", "kernel", "--seeds", "1"),
    )
    row = outcome["rows"][0]
    assert (row["noise"], row["rate"]) == ("guess", None)
    assert row["wrong_images"] == sum(name == "other" for *_, name in rows[1:])


@pytest.mark.parametrize(
    "model", ["kernel", "bagged_mlp", "ensemble", "logistic", "knn", "logistic+knn"]
)
def test_every_model_judges_several_labels(model):
    rng = np.random.default_rng(0)
    truth = (rng.random((90, 3)) < 0.4).astype(np.float32)
    features = truth @ rng.normal(size=(3, 12)) + 0.2 * rng.normal(size=(90, 12))
    features = (features / np.sqrt((features**2).sum(axis=1).mean())).astype(np.float32)
    given = truth.copy()
    given[:8, 0] = 1 - given[:8, 0]
    given[20, 1] = np.nan
    found = Detectors("multi", features, given, np.arange(90), seed=0).judge(model)
    assert [judged.scorer for judged in found] == list(LABEL_SCORERS)
    said = [judged.flagged for judged in found if judged.flagged is not None]
    assert len(said) == (1 if model == "kernel" else 2)
    for flags in [] if model == "ensemble" else said:
        assert flags[:8].mean() > flags[8:].mean()
    for judged in found:
        if judged.scorer in ("self_confidence", "posterior") and model != "ensemble":
            assert judged.score[:8].mean() < judged.score[8:].mean()
    assert sum(judged.default for judged in found) == (model == "kernel")


def test_joined_models_are_weighted_by_their_accuracy():
    """As cleanlab's ensemble: mean of the scores, weights the agreement with the given class."""
    given = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    detectors = Detectors("single", np.ones((4, 2), np.float32), given, np.arange(4), seed=0)
    sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], np.float32)
    torn = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32)
    detectors._known = {"knn": sure, "logistic": torn}
    found = {judged.scorer: judged.score for judged in detectors.judge("knn+logistic")}
    own = (2 * np.array([0.9, 0.8, 0.7, 0.6]) + np.array([0.9, 0.2, 0.3, 0.6])) / 3
    assert found["self_confidence"] == pytest.approx(own, abs=1e-6)
    with pytest.raises(UsageError, match="simifeat gives no probabilities"):
        require_models(["knn+simifeat"])
    with pytest.raises(NotFound, match="'oak'"):
        require_models(["knn+oak"])


def test_classes_are_matched_by_name():
    data = LabData(
        taxonomy="a",
        kind="single",
        classes=("cat", "dog"),
        X=np.zeros((3, 1), np.float32),
        Y=np.array([[1, 0], [0, 1], [1, 0]], np.float32),
        groups=np.arange(3),
        image_ids=np.arange(3),
        slices=[(0, 1)],
        texts=(),
        fingerprint="",
        n_labelled=3,
        notes=(),
    )
    values = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    joined, given = _one_set_of_classes(data, values, ("ant", "cat", "dog"))
    assert joined.classes == ("cat", "dog", "ant")
    assert given.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert _differ(given, joined.Y).any(axis=1).tolist() == [False, True, True]
