"""The predictions that given labels are held against."""

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import average_precision_score
from threadpoolctl import ThreadpoolController

from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.leave_out import combine_blocks, kernel_basis, predict_left_out
from vernis.core.labels.predictions import BANDWIDTHS, predict_labels


@pytest.fixture(scope="module")
def spoiled():
    """Return features, given labels and which images have a wrong one."""
    x, truth = make_multilabel_classification(
        3000, n_features=20, n_classes=12, n_labels=3, length=300, random_state=5
    )
    flip = np.random.default_rng(5).random(truth.shape) < 0.02
    given = np.where(flip, 1 - truth, truth).astype(np.float32)
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return combine_blocks([unit]), given, flip.any(axis=1)


def by_error(features, labels):
    """Return the kernel's predictions with the bandwidth of least leave-out error."""
    found = [
        predict_left_out(kernel_basis(features, bandwidth=b), labels, kind="multi")
        for b in BANDWIDTHS
    ]
    return min(found, key=lambda one: one.error).probs


def test_several_labels_an_image_are_predicted_for_the_sake_of_their_errors(spoiled):
    features, given, wrong = spoiled
    probs = predict_labels(features, given, kind="multi")
    plain = by_error(features, given)
    assert model_entries(given, probs).loss < model_entries(given, plain).loss
    ranked = [
        average_precision_score(wrong, -find_label_issues(given, p).score) for p in (probs, plain)
    ]
    assert ranked[0] > ranked[1] + 0.01


def test_an_image_never_predicts_itself_or_its_group(spoiled):
    features, given, _ = spoiled
    few, labels = features[:300], given[:300].copy()
    groups = np.arange(300) // 2
    before = predict_labels(few, labels, kind="multi", groups=groups)
    labels[0] = 1 - labels[0]
    after = predict_labels(few, labels, kind="multi", groups=groups)
    assert np.abs(after[:2] - before[:2]).max() < np.abs(after[2:] - before[2:]).max()


def test_one_label_an_image_gives_rows_that_sum_to_one(spoiled):
    features, given, _ = spoiled
    single = np.eye(12, dtype=np.float32)[given[:400].argmax(axis=1)]
    probs = predict_labels(features[:400], single, kind="single")
    assert probs.sum(axis=1) == pytest.approx(1.0, abs=1e-4)
    assert (probs.argmax(axis=1) == single.argmax(axis=1)).mean() > 0.4


def test_the_widths_tried_side_by_side_change_no_bit(spoiled, monkeypatch):
    features, given, _ = spoiled
    few, labels = features[:400], given[:400]
    together = predict_labels(few, labels, kind="multi")
    monkeypatch.setattr("vernis.core.labels.predictions._SIDE_BY_SIDE", 0)
    assert np.array_equal(predict_labels(few, labels, kind="multi"), together)
    with ThreadpoolController().limit(limits=1):
        assert np.array_equal(predict_labels(few, labels, kind="multi"), together)
