"""The class head that learns from few boxes, on drawn cells."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.detect.cell_head import (
    HeadSettings,
    SeenCells,
    choose_examples,
    fit_cell_head,
    project_examples,
    sample_map,
)
from vernis.core.numeric.boxes import overlaps

SETTINGS = HeadSettings(hard=40, random=40, regularization=1.0, least=0.1)


def scene(rng, n_classes=2):
    """Return a picture's cells, each with a box of 40 pixels, and two true boxes per class."""
    centers = rng.uniform(0, 400, (600, 2)).astype(np.float32)
    boxes = np.hstack([centers - 20, centers + 20])
    true, labels = (
        boxes[rng.choice(600, 2 * n_classes, replace=False)],
        np.arange(2 * n_classes) % 2,
    )
    fit = overlaps(boxes, true)
    features = rng.normal(0, 1, (600, 12)).astype(np.float32)
    for column, label in enumerate(labels):
        features[:, label] += 6 * fit[:, column]
    objectness = fit.max(axis=1).astype(np.float32)
    return SeenCells(features.astype(np.float16), boxes, objectness), true.astype(float), labels


def test_classes_are_learned_from_a_few_pictures():
    rng = np.random.default_rng(1)
    scenes = [scene(rng) for _ in range(6)]
    examples = [choose_examples(*one, 2, SETTINGS, rng) for one in scenes]
    head = fit_cell_head(*project_examples(examples, SETTINGS), 2, SETTINGS)
    seen, true, labels = scene(rng)
    found = head.find(seen)
    fit = overlaps(found.boxes, true)
    best = fit[:4].argmax(axis=1)
    assert (fit[:4].max(axis=1) > 0.5).all()
    assert (found.classes[:4] == labels[best]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert head.probabilities(seen.features).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_examples_are_the_best_cells_of_each_box_and_nothing_near_it():
    rng = np.random.default_rng(2)
    seen, true, labels = scene(rng)
    chosen = choose_examples(seen, true, labels, 2, SETTINGS, rng)
    fit = overlaps(chosen.seen.boxes, true)
    shows = chosen.classes < 2
    assert 4 <= shows.sum() <= 4 * SETTINGS.cells_a_box
    assert (fit[shows].max(axis=1) >= SETTINGS.least_fit).all()
    assert (chosen.classes[shows] == labels[fit[shows].argmax(axis=1)]).all()
    assert (fit[~shows].max(axis=1) < SETTINGS.least_fit).all()
    assert chosen.first[shows].all()


def test_a_picture_without_boxes_gives_examples_of_nothing():
    rng = np.random.default_rng(3)
    seen, _, _ = scene(rng)
    chosen = choose_examples(seen, np.zeros((0, 4)), np.zeros(0, int), 2, SETTINGS, rng)
    assert (chosen.classes == 2).all()
    assert chosen.first.sum() == SETTINGS.hard + SETTINGS.random


def test_one_class_alone_can_be_learned():
    rng = np.random.default_rng(4)
    examples = []
    for _ in range(5):
        seen, true, labels = scene(rng)
        own = labels == 0
        examples.append(choose_examples(seen, true[own], labels[own], 1, SETTINGS, rng))
    head = fit_cell_head(*project_examples(examples, SETTINGS), 1, SETTINGS)
    seen, true, labels = scene(rng)
    fit = overlaps(head.find(seen).boxes[:2], true[labels == 0])
    assert (fit.max(axis=1) > 0.3).all()


def test_maps_are_read_between_their_cells():
    values = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    points = np.array([[1 / 6, 1 / 4], [0.5, 0.5], [1, 1], [0, 0]], np.float32)
    np.testing.assert_allclose(sample_map(values, points)[:, 0], [0, 2.5, 5, 0], atol=1e-6)
