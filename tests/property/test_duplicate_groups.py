"""Complete-link groups hold their promises on any graph."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.core.copies.duplicates import FoundPair, group_images
from vernis.core.copies.groups import Copy, group_complete_link, order_by_worth

edges = st.sets(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1]), max_size=30
)


@given(edges, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_in_a_group_all_are_paired_with_all(pairs, random):
    rows = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    similarity = np.array([random.random() for _ in rows])
    groups = group_complete_link(10, rows, similarity)
    members = [item for group in groups for item in group]
    assert len(members) == len(set(members))
    for group in groups:
        assert len(group) >= 2
        assert all((a, b) in pairs for i, a in enumerate(group) for b in group[i + 1 :])


@given(edges)
@settings(max_examples=60, deadline=None)
def test_the_most_similar_pair_is_never_torn(pairs):
    rows = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    similarity = np.linspace(0.9, 0.5, len(rows))
    groups = group_complete_link(10, rows, similarity)
    if len(rows):
        assert any({int(rows[0, 0]), int(rows[0, 1])} <= set(group) for group in groups)


@given(
    st.lists(st.sampled_from("ABCD"), min_size=2, max_size=9),
    st.sets(st.sampled_from(["AB", "AC", "BC", "CD"])),
    st.sets(st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda p: p[0] < p[1])),
)
@settings(max_examples=80, deadline=None)
def test_images_that_a_person_told_apart_are_never_together(contents, found, dismissed):
    images = [(number, content) for number, content in enumerate(contents, 1)]
    pairs = [FoundPair(pair[0], pair[1], "near", 0.9, "identity") for pair in sorted(found)]
    groups = group_images(images, pairs, dismissed)
    content = dict(images)
    for group in groups:
        for a, b, pair in group.pairs:
            assert a < b
            assert (a, b) not in dismissed
            same = content[a] == content[b]
            assert (pair.kind == "bytes") == same
            assert same or "".join(sorted(content[a] + content[b])) in found
        assert len(group.pairs) == len(group.images) * (len(group.images) - 1) // 2


@given(
    st.lists(
        st.tuples(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 10**7)),
        min_size=2,
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_the_keeper_does_not_depend_on_the_order(sizes, random):
    copies = [Copy(i, f"{i}.jpg", w, h, size) for i, (w, h, size) in enumerate(sizes)]
    shuffled = random.sample(copies, len(copies))
    best = order_by_worth(copies)[0]
    assert best == order_by_worth(shuffled)[0]
    assert best.width * best.height >= 0.95 * max(c.width * c.height for c in copies)
