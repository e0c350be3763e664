from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.scaling import BlockScaler, fit_projection


def known_failures(estimator):
    if isinstance(estimator, BaggedMLP):
        return {
            "check_sample_weight_equivalence_on_dense_data": (
                "mini-batches of a repeated image are drawn otherwise than one with weight 2"
            )
        }
    return {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [BaggedMLP(hidden=(32,), min_updates=150, learning_rate=5e-3), BlockScaler()],
    expected_failed_checks=known_failures,
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def shapes():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 400)
    centers = rng.normal(size=(4, 30))
    X = (centers[codes] + 0.5 * rng.normal(size=(400, 30))).astype(np.float32)
    return X, codes


def small(**options):
    return BaggedMLP(**{"hidden": (32,), "min_updates": 120, "learning_rate": 5e-3, **options})


def test_out_of_bag_is_the_mean_over_the_estimators_that_did_not_see_the_image(shapes):
    X, codes = shapes
    model = small().fit(X, codes)
    members = np.concatenate([p for _, p in model.predict_members(X)], axis=1)
    np.testing.assert_allclose(model.ensemble_proba_, members.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), model.ensemble_proba_, atol=1e-6)
    for image in range(0, 400, 37):
        out = ~model.in_bag_[:, image]
        assert out.any()
        np.testing.assert_allclose(
            model.oob_proba_[image], members[out, image].mean(axis=0), atol=1e-6
        )


def test_out_of_bag_does_not_believe_a_wrong_label(shapes):
    X, codes = shapes
    wrong = codes.copy()
    wrong[:40] = (wrong[:40] + 1) % 4
    model = small(min_updates=400).fit(X, wrong)
    of_given = model.oob_proba_[np.arange(400), wrong]
    assert np.median(of_given[:40]) < 0.2
    assert np.median(of_given[40:]) > 0.8


def test_duplicates_are_never_on_both_sides(shapes):
    X, codes = shapes
    groups = np.arange(400) // 2
    model = small().fit(X, codes, groups=groups)
    assert (model.in_bag_[:, ::2] == model.in_bag_[:, 1::2]).all()


def test_unknown_images_are_predicted_but_follow_their_duplicates(shapes):
    X, codes = shapes
    Y = np.eye(4, dtype=np.float32)[codes]
    Y[1::2] = np.nan
    groups = np.arange(400)
    groups[1] = groups[0]  # an unlabelled duplicate of a labelled image
    model = small().fit(X, Y, groups=groups)
    assert (model.in_bag_[:, 1] == model.in_bag_[:, 0]).all()
    assert not model.in_bag_[:, 3].any()
    np.testing.assert_allclose(model.oob_proba_[3], model.ensemble_proba_[3], atol=1e-6)
    assert (model.ensemble_proba_[1::2].argmax(axis=1) == codes[1::2]).mean() > 0.95


def test_matrix_with_softmax_takes_only_known_rows(shapes):
    X, codes = shapes
    Y = np.eye(4, dtype=np.float32)[codes]
    Y[200:] = np.nan
    model = small(loss="softmax").fit(X, Y)
    np.testing.assert_allclose(model.ensemble_proba_.sum(axis=1), 1, atol=1e-5)
    assert (model.predict(X)[200:].argmax(axis=1) == codes[200:]).mean() > 0.95
    assert (model.predict(X).sum(axis=1) == 1).all()


def test_text_labels_and_zero_weights(shapes):
    X, codes = shapes
    names = np.array(["cat", "dog", "emu", "fox"], object)[codes]
    weight = np.ones(400)
    weight[codes == 3] = 0
    model = small().fit(X, names, sample_weight=weight)
    assert set(model.predict(X)) == {"cat", "dog", "emu"}
    assert model.predict_proba(X).shape == (400, 4)


def test_the_recommended_head_keeps_more_components(shapes):
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(300, 280)).astype(np.float32), np.arange(300) % 3
    model = BaggedMLP.recommended(hidden=(8,), min_updates=5).fit(X, codes)
    assert model.projection_.matrix.shape == (280, 256)
    assert BaggedMLP.recommended(n_components=50).n_components == 50


def test_own_plan_replaces_the_sub_samples(shapes):
    X, codes = shapes
    plan = np.ones((3, 400), bool)
    plan[0, :100] = False
    model = small().fit(X, codes, in_bag=plan)
    assert model.network_.n_estimators == 3
    assert np.isnan(model.oob_proba_[100:]).all()
    assert np.isfinite(model.oob_proba_[:100]).all()


def test_balanced_weights_raise_the_recall_of_a_rare_class():
    rng = np.random.default_rng(0)
    Y = (rng.random((600, 1)) < 0.06).astype(np.float32)
    X = (rng.normal(size=(600, 5)) + 0.8 * Y).astype(np.float32)
    plain = small(loss="sigmoid").fit(X, Y).oob_proba_
    balanced = small(loss="sigmoid", class_weight="balanced").fit(X, Y).oob_proba_
    assert (balanced[Y == 1] > 0.5).mean() > (plain[Y == 1] > 0.5).mean() + 0.3


def test_bad_input_is_named(shapes):
    X, codes = shapes
    with pytest.raises(ValueError, match=r"values in 0\.\.1"):
        small().fit(X, np.stack([codes, codes], axis=1))
    with pytest.raises(ValueError, match="loss auto"):
        small(loss="hinge").fit(X, codes)
    with pytest.raises(ValueError, match="2 labelled images"):
        small().fit(X, np.full((400, 2), np.nan))
    with pytest.raises(ValueError, match="4 class weights"):
        small(class_weight=[1, 2]).fit(X, codes)
    with pytest.raises(ValueError, match="in_bag"):
        small().fit(X, codes, in_bag=np.ones((2, 3)))
    with pytest.raises(ValueError, match="sample weights of 0 or more"):
        small().fit(X, codes, sample_weight=-np.ones(400))


def test_projection_is_that_of_scikit_learn_up_to_scale():
    from sklearn.decomposition import PCA

    X = np.random.default_rng(0).normal(size=(200, 12)) * np.arange(1, 13)
    projected = fit_projection(X, 5, "none").apply(X.astype(np.float32))
    expected = PCA(5).fit_transform(X)
    expected /= np.sqrt(expected.var(axis=0, ddof=1).mean())
    np.testing.assert_allclose(np.abs(projected), np.abs(expected), atol=2e-3)
    assert projected.var(axis=0, ddof=1).mean() == pytest.approx(1, abs=1e-3)


def test_block_scaler_gives_each_layer_an_equal_say():
    rng = np.random.default_rng(0)
    X = np.concatenate([100 * rng.normal(size=(50, 8)) + 7, rng.normal(size=(50, 3))], axis=1)
    scaled = BlockScaler([(0, 8), (8, 11)]).fit_transform(X)
    np.testing.assert_allclose(np.linalg.norm(scaled[:, :8], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(scaled[:, 8:], axis=1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="cover 11 columns"):
        BlockScaler([(0, 8)]).fit(X)
