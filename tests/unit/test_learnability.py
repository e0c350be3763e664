"""Do the pictures tell the classes apart? On vectors whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vernis.core.labels.learnability import measure_learnability, measure_separations
from vernis.core.numeric.components import combine_blocks
from vernis.domain.errors import InvalidValue
from vernis.domain.types import Learnability


def clouds(n: int, n_classes: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return features of clouds that overlap, and the class of each image."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, n_classes, n)
    centres = rng.normal(0, 1, (n_classes, 80))
    return combine_blocks([centres[classes] + rng.normal(0, 2, (n, 80))]), classes


def verdicts(classes: tuple[Learnability, ...]) -> list[str]:
    return [one.verdict for one in classes]


def test_classes_that_the_pictures_tell_are_learnable_despite_noise() -> None:
    features, classes = clouds(120, 4, seed=0)
    rng = np.random.default_rng(1)
    noisy = np.where(rng.random(120) < 0.4, rng.integers(0, 4, 120), classes)
    clean = measure_learnability(features, classes)
    assert clean.whole.verdict == "yes"
    assert verdicts(clean.classes) == ["yes"] * 4
    assert clean.whole.low > 0.8
    assert measure_learnability(features, noisy).whole.verdict == "yes"


def test_random_columns_are_hardly_ever_learnable() -> None:
    features, _ = clouds(150, 5, seed=2)
    rng = np.random.default_rng(3)
    columns = [rng.integers(0, 3, 150) for _ in range(100)]
    found = [measure_learnability(features, column).whole for column in columns]
    assert sum(one.verdict == "yes" for one in found) <= 5
    assert sum(one.verdict == "no" for one in found) >= 80
    assert sum(one.low <= 0.5 <= one.high for one in found) >= 85


def test_a_column_dealt_out_by_duplicate_group_is_as_random_as_one_by_image() -> None:
    features, _ = clouds(60, 5, seed=4)
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(60), 3)
    copies = features[groups] + rng.normal(0, 0.001, (180, features.shape[1])).astype(np.float32)
    columns = [rng.integers(0, 2, 60)[groups] for _ in range(60)]
    held = [measure_learnability(copies, c, groups=groups).whole.verdict for c in columns]
    assert held.count("yes") <= 4
    assert measure_learnability(copies, columns[0]).whole.verdict == "yes"


def test_a_class_that_is_dealt_out_at_random_is_denied_alone() -> None:
    features, classes = clouds(400, 3, seed=6)
    rng = np.random.default_rng(7)
    labels = np.where(rng.random(400) < 0.2, 3, classes)
    found = measure_learnability(features, labels)
    assert found.whole.verdict == "yes"
    assert verdicts(found.classes) == ["yes", "yes", "yes", "no"]
    assert found.denied == (3,)


def test_several_labels_an_image_with_unknown_entries() -> None:
    features, classes = clouds(300, 3, seed=8)
    rng = np.random.default_rng(9)
    said = np.stack([classes == 0, classes == 1, rng.random(300) < 0.3], axis=1)
    labels = np.where(rng.random((300, 3)) < 0.3, np.nan, said.astype(np.float32))
    found = measure_learnability(features, labels)
    assert found.whole.verdict == "yes"
    assert verdicts(found.classes) == ["yes", "yes", "no"]
    assert found.classes[2].n_images == int((labels[:, 2] == 1).sum())


def test_one_class_and_too_few_images_are_unclear() -> None:
    features, classes = clouds(40, 2, seed=10)
    alone = measure_learnability(features, np.zeros(40, np.int64))
    assert alone.whole.verdict == "unclear"
    assert np.isnan(alone.whole.separation)
    labels = np.full(40, -1)
    labels[:4] = [0, 0, 1, 1]
    few = measure_learnability(features, labels)
    assert few.whole.verdict == "unclear"
    assert verdicts(few.classes) == ["unclear", "unclear"]
    assert few.whole.n_images == 4
    assert classes.max() == 1


def test_rare_classes_stay_whole_where_images_are_drawn() -> None:
    features, classes = clouds(7000, 3, seed=11)
    labels = classes.copy()
    labels[np.flatnonzero(classes == 0)[:12]] = 3
    found = measure_learnability(features, labels, n_permutations=49)
    assert found.whole.n_images == 6000
    assert found.classes[3].n_images == 12


def test_the_same_seed_says_the_same() -> None:
    features, classes = clouds(80, 3, seed=12)
    assert measure_learnability(features, classes) == measure_learnability(features, classes)


def test_bad_input_is_refused() -> None:
    features, classes = clouds(20, 2, seed=13)
    with pytest.raises(InvalidValue, match="labels of 20 images, got 19"):
        measure_learnability(features, classes[:-1])
    with pytest.raises(InvalidValue, match="49 permutations"):
        measure_learnability(features, classes, n_permutations=10)


def test_separations_without_the_test_are_the_same() -> None:
    features, classes = clouds(200, 4, seed=11)
    labels = classes.copy()
    labels[:20] = -1
    labels[classes == 3] = np.where(np.arange((classes == 3).sum()) < 2, 3, 0)  # too few of one
    groups = np.arange(200) // 2
    found = measure_learnability(features, labels, groups=groups, seed=3)
    separations = measure_separations(features, labels, groups=groups, seed=3)
    np.testing.assert_array_equal(separations, [one.separation for one in found.classes])
    assert np.isnan(separations).tolist() == [False, False, False, True]
