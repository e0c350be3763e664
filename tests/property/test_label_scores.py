"""What holds for every label, probability and scorer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vernis.core.labels.estimate import count_wrong, model_noise
from vernis.core.labels.scores import LABEL_SCORERS, as_matrix, label_quality

SHAPES = st.tuples(st.integers(2, 12), st.integers(2, 5))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(SHAPES)
    probs = draw(hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    if draw(st.booleans()):
        labels = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(-1, shape[1] - 1)))
    else:
        labels = draw(
            hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 1.0, float("nan")]))
        )
    return labels, probs


@settings(deadline=None, max_examples=60)
@given(worlds(), st.sampled_from(LABEL_SCORERS))
def test_scores_lie_in_the_unit_interval_exactly_where_labels_are_known(world, scorer):
    labels, probs = world
    known = np.isfinite(as_matrix(labels, probs.shape[1])).any(axis=1)
    score = label_quality(labels, probs, scorer=scorer)
    assert (np.isfinite(score) == known).all()
    assert ((score[known] >= 0) & (score[known] <= 1)).all()


@settings(deadline=None, max_examples=60)
@given(worlds(), st.sampled_from(LABEL_SCORERS), st.integers(0, 99))
def test_the_order_of_the_images_does_not_matter(world, scorer, seed):
    labels, probs = world
    order = np.random.default_rng(seed).permutation(len(probs))
    moved = label_quality(labels[order], probs[order], scorer=scorer)
    assert np.allclose(moved, label_quality(labels, probs, scorer=scorer)[order], equal_nan=True)


@settings(deadline=None, max_examples=25)
@given(worlds())
def test_chances_and_counts_stay_within_bounds(world):
    labels, probs = world
    known = np.isfinite(as_matrix(labels, probs.shape[1]))
    if not known.any():
        return
    probs = np.maximum(probs, 1e-3)
    model = model_noise(labels, probs)
    assert (np.isfinite(model.wrong) == known).all()
    assert ((model.wrong[known] >= 0) & (model.wrong[known] <= 1)).all()
    count = count_wrong(model.image_wrong, model.image_wrong * 0, spread=model.spread)
    assert 0 <= count.low <= count.count <= count.high
    assert count.count <= known.any(axis=1).sum() + 1e-3
