"""Search on real pictures: like finds like, and counter-examples help."""

from __future__ import annotations

import numpy as np
import pytest

import vernis

pytestmark = pytest.mark.real

K = 8


@pytest.fixture(scope="module")
def clothing(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clothing") / "x.vernis"
    with vernis.Collection.create(folder) as collection:
        collection.index(real_data / "clothing_a" / "images")
        collection.embed()
        collection.import_(real_data / "clothing_a" / "images.csv", taxonomy=["label"])
        yield collection


def test_like_finds_like_and_counter_examples_help(clothing):
    searcher = clothing.explore.searcher()
    matrix = clothing.catalog.labels.matrix("label")
    label = dict(zip(matrix.image_ids.tolist(), matrix.values.argmax(axis=1).tolist(), strict=True))
    rng = np.random.default_rng(0)
    plain, told, blind = [], [], []
    for row in rng.choice(len(searcher), 150, replace=False):
        own = int(searcher.image_ids[row])
        example = searcher.vectors[[row]]
        found = searcher.find(example, count=K, without=[own]).image_ids
        right = np.array([label[int(i)] == label[own] for i in found])
        plain.append(right.mean())
        same = [i for i, lab in label.items() if lab == label[own] and i != own]
        two = rng.choice(same, 2, replace=False)
        examples = searcher.vectors[np.searchsorted(searcher.image_ids, [own, *two])]
        wrong = found[~right][:3]
        if not len(wrong):
            continue
        against = searcher.vectors[np.searchsorted(searcher.image_ids, wrong)]
        without = [own, *two, *wrong]
        for shares, counter in ((blind, None), (told, against)):
            found = searcher.find(examples, counter, count=K, without=without).image_ids
            shares.append(np.mean([label[int(i)] == label[own] for i in found]))
    assert np.mean(plain) >= 0.45
    assert np.mean(blind) > np.mean(plain)
    assert np.mean(told) > np.mean(blind)


def test_the_index_answers_as_a_scan_does_on_real_vectors(clothing):
    searcher = clothing.explore.searcher()
    for row in range(0, len(searcher), 20):
        example = searcher.vectors[[row]]
        plain = searcher.find(example, count=10)
        fast = searcher.find(example, count=10, index=searcher.exact)
        np.testing.assert_allclose(fast.similarities, plain.similarities, atol=1e-6)
