"""The scores of a few drawn collections, as they were: a change of a formula shows here first.

``python tests/unit/test_golden_scores.py`` writes the file anew; why the scores changed stands in
docs/decisions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vernis.core.copies.fingerprints import Fingerprints
from vernis.core.copies.pairs import find_near_pairs
from vernis.core.fill.holdout import match_holdout
from vernis.core.fill.plan import plan_fill
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.learn.heads import make_head

FILE = Path(__file__).parents[1] / "golden" / "scores.json"
N, UNKNOWN = 240, 80


def draw(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors, true labels and given labels, a tenth of which is wrong."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(4, 16))
    member = rng.integers(0, 4, N + UNKNOWN)
    X = centres[member] + 0.7 * rng.normal(size=(len(member), 16))
    truth = np.eye(4)[member]
    if kind == "multi":
        truth = np.maximum(truth, X[:, :4] > 1)
    given = truth[:N].copy()
    wrong = rng.choice(N, N // 10, replace=False)
    given[wrong] = np.roll(given[wrong], 1, axis=1)
    return X.astype(np.float32), truth, given.astype(np.float32)


def judge(kind: str) -> dict[str, list[Any]]:
    X, _, given = draw(kind)
    labels = given.argmax(axis=1) if kind == "single" else given
    probabilities = predict_labels(X[:N], given, kind=kind)
    found = find_label_issues(labels, probabilities)
    return {
        "probabilities": probabilities[:40].tolist(),
        "score": found.score.tolist(),
        "wrong": [found.wrong.count, found.wrong.low, found.wrong.high],
        "change": found.change.tolist(),
    }


def predict(kind: str) -> np.ndarray:
    X, _, given = draw(kind)
    head = make_head("kernel", kind, n_components=None)
    head.fit(X[:N], given, groups=np.arange(N))
    return np.asarray(head.predict_proba(X[N:]))


def fill() -> dict[str, list[Any]]:
    X, _, given = draw("single")
    held_out = predict_labels(X[:N], given, kind="single")
    holdout = match_holdout(X[:N], X[N:])
    plan = plan_fill(given, held_out, predict("single"), holdout, kind="single", precision=0.7)
    return {
        "image": plan.image.tolist(),
        "label": plan.label.tolist(),
        "probability": plan.probability.tolist(),
    }


def copies() -> dict[str, list[Any]]:
    rng = np.random.default_rng(3)
    at = np.linspace(0, 9, 64)
    y, x = np.meshgrid(at, at, indexing="ij")
    rough = rng.normal(128, 60, (12, 10, 10))
    luma = np.stack([map_coordinates(r, [y, x], order=1) for r in rough])
    noisy = 0.9 * luma[:6] + rng.normal(4, 3, (6, 64, 64))
    luma = np.concatenate([luma, noisy[:3], noisy[3:, :, ::-1]]).clip(0, 255).astype(np.uint8)
    chroma = np.full((len(luma), 2, 16, 16), 128, np.uint8)
    found = find_near_pairs(Fingerprints(luma, chroma, np.ones(len(luma), np.float32)))
    return {"pairs": found.pairs.tolist(), "similarity": found.similarity.tolist()}


MADE = {
    "label issues, one label": lambda: judge("single"),
    "label issues, several labels": lambda: judge("multi"),
    "predictions": lambda: {kind: predict(kind)[:30].tolist() for kind in ("single", "multi")},
    "fill": fill,
    "duplicates": copies,
}


@pytest.mark.parametrize("name", MADE)
def test_scores_are_those_of_before(name):
    found, expected = MADE[name](), json.loads(FILE.read_text(encoding="utf-8"))[name]
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        if np.asarray(values).dtype.kind == "f":
            np.testing.assert_allclose(found[key], values, rtol=1e-5, atol=1e-5, err_msg=key)
        else:
            assert found[key] == values, key


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return round(value, 7) if isinstance(value, float) else value


if __name__ == "__main__":
    made = {name: rounded(make()) for name, make in MADE.items()}
    FILE.write_text(json.dumps(made) + "\n", encoding="utf-8")
