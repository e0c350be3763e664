"""The predictions that given labels are held against."""

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import average_precision_score
from threadpoolctl import ThreadpoolController

from vernis.core.labels.dependence import listen_to_others
from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.neighbor_probabilities import neighbor_probabilities
from vernis.core.labels.predictions import (
    BANDWIDTHS,
    _join,
    _likeliest,
    _weight_of,
    predict_labels,
)
from vernis.core.numeric.components import combine_blocks
from vernis.core.numeric.kernel_ridge import kernel_basis, predict_left_out


@pytest.fixture(scope="module")
def spoiled():
    """Return features, given labels and which images have a wrong one."""
    x, truth = make_multilabel_classification(
        700, n_features=20, n_classes=12, n_labels=3, length=300, random_state=5
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


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        # one loss for each of the bandwidths 0.1, 0.2, 0.4, 1, 2, 4
        ((6, 5, 1, 5, 6, 7), 0.4),
        ((1, 2, 3, 0, 0, 0), 0.1),  # narrower ones first, downhill to the end
        ((1, 5, 3, 2, 1, 0), 4.0),  # not over a hill
        ((9, 9, 3, 2, 5, 0), 1.0),
        ((9, 2, 3, 1, 1, 1), 0.2),  # once it went down, the other side is not tried
        ((9, 3, 3, 3, 1, 1), 0.4),  # level is not downhill
    ],
)
@pytest.mark.parametrize("at_once", [1, 2])
def test_the_bandwidth_is_searched_downhill_from_the_usual_one(losses, best, at_once):
    tried = []

    def predicted(bandwidth):
        tried.append(bandwidth)
        return np.full((1, 1), bandwidth), losses[BANDWIDTHS.index(bandwidth)]

    assert _likeliest(predicted, at_once)[0, 0] == best
    assert len(tried) == len(set(tried))
    assert {0.2, 0.4} <= set(tried)


def striped(n, columns, seed=0):
    """Return features of which two count, and stripes across them, too fine for a wide kernel."""
    rng = np.random.default_rng(seed)
    x = 0.02 * rng.normal(size=(n, columns))
    x[:, :2] = rng.uniform(-1, 1, (n, 2))
    return x, np.floor(4 * x[:, 0]).astype(int) % 3


def test_kernel_neighbours_and_other_labels_are_joined():
    x, stripe = striped(350, 6)
    y = np.eye(3, dtype=np.float32)[stripe]
    flip = np.random.default_rng(1).random(350) < 0.2
    y[flip, 0] = 1 - y[flip, 0]
    y[:, 2] = y[:, 0]  # the same mistakes: one label tells the other
    y[::7, 1] = np.nan
    basis = kernel_basis(x, np.isfinite(y).any(axis=1), bandwidth=0.4)
    probs = predict_left_out(basis, y, kind="multi").probs
    near = neighbor_probabilities(x, y)
    heard, loss = _join(probs, near, y)
    weight = _weight_of(near, probs, y)
    assert 0 < weight <= 0.5
    mixed = (1 - weight) * probs + weight * near
    expected = listen_to_others(mixed, y)
    assert not np.array_equal(expected, mixed.astype(np.float32))
    np.testing.assert_allclose(heard, expected, atol=1e-6)
    assert loss == pytest.approx(model_entries(y, expected).loss, abs=1e-5)

    def of(bandwidth):
        basis = kernel_basis(x, np.isfinite(y).any(axis=1), bandwidth=bandwidth)
        return _join(predict_left_out(basis, y, kind="multi").probs, near, y)

    assert np.array_equal(predict_labels(x, y, kind="multi"), _likeliest(of, 1))


@pytest.mark.parametrize("columns", [20, 63, 64])
def test_one_label_an_image_takes_the_bandwidth_of_least_error_where_columns_are_few(columns):
    x, codes = striped(90, columns)
    y = np.eye(3, dtype=np.float32)[codes]
    y[:8] = np.nan
    groups = np.arange(90) // 2
    found = predict_labels(x, y, kind="single", groups=groups)
    widths = (0.4, 1.0, 2.0, 4.0) if columns < 64 else (0.4,)
    tried = [
        predict_left_out(
            kernel_basis(x, np.arange(90) >= 8, bandwidth=b), y,
            kind="single", groups=groups,
        )
        for b in widths
    ]  # fmt: skip
    expected = min(tried, key=lambda one: one.error)
    np.testing.assert_array_equal(found, expected.probs)
    assert (expected is not tried[0]) == (columns < 64)
