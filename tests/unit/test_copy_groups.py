"""Groups of copies, the copy to keep, and what is known of each pair: small cases by hand."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from vernis.core.copies import duplicates
from vernis.core.copies.copy_names import copy_marks
from vernis.core.copies.duplicates import FoundPair, group_images, index_pairs, pairs_with
from vernis.core.copies.groups import (
    Copy,
    explain_keeper,
    find_label_conflicts,
    group_complete_link,
    order_by_worth,
    put_first,
)
from vernis.domain.errors import InvalidValue
from vernis.domain.types import DuplicateGroup, DuplicatePair


def link_by_hand(n: int, pairs: list[tuple[int, int]], similarity: list[float]):
    """Join groups along the pairs, most similar first, where all members are paired."""
    linked = {frozenset(pair) for pair in pairs}
    groups = [{item} for item in range(n)]
    for _, pair in sorted(zip(similarity, pairs, strict=True), key=lambda e: (-e[0], e[1])):
        first, second = (next(g for g in groups if item in g) for item in pair)
        if first is second or not all(frozenset((a, b)) in linked for a in first for b in second):
            continue
        groups.remove(second)
        first |= second
    return sorted(sorted(group) for group in groups if len(group) > 1)


@pytest.mark.parametrize("seed", range(25))
def test_groups_are_complete_link(seed):
    rng = np.random.default_rng(seed)
    every = list(combinations(range(9), 2))
    chosen = [every[i] for i in rng.permutation(36)[: rng.integers(5, 34)]]
    pairs = [pair if rng.random() < 0.5 else pair[::-1] for pair in chosen]
    similarity = rng.choice([0.7, 0.8, 0.9, 0.95], len(pairs)).tolist()
    found = group_complete_link(9, np.array(pairs), np.array(similarity))
    assert found == link_by_hand(9, pairs, similarity)


def test_pairs_must_name_the_items():
    for bad in ([[0, 3]], [[-1, 0]]):
        with pytest.raises(InvalidValue, match=r"items 0\.\.2"):
            group_complete_link(3, np.array(bad), np.ones(1))
    assert group_complete_link(3, np.array([[0, 2]]), np.ones(1)) == [[0, 2]]
    assert group_complete_link(3, np.zeros((0, 2), int), np.zeros(0)) == []


def copy(name: str = "a.jpg", width=1000, height=800, size=400_000, **more) -> Copy:
    return Copy(more.pop("id", 1), name, width, height, size, **more)


DAY = 86_400 * 10**9
WORTH = [
    ("much larger picture", copy("Copy of a.jpg", id=1), copy(id=2, width=600, labels=9)),
    ("not cropped, covered or grey", copy("a (1).jpg", id=1), copy(id=2, altered=True)),
    ("its name is no copy's", copy("z.jpg", id=1, width=960), copy("Copy of z.jpg", id=2)),
    ("its name is no copy's", copy("2019/a.jpg", id=1, mtime_ns=DAY), copy("old/a.jpg", id=2)),
    ("its name is no copy's", copy("b (1).jpg", id=1), copy("Copy of b (1).jpg", id=2)),
    ("its name is no copy's", copy("b.jpg", id=1), copy("b 2.jpg", id=2, labels=3)),
    ("largest picture", copy(id=1), copy(id=2, width=960, size=9_000_000)),
    ("least compressed", copy(id=1, size=500_000, mtime_ns=DAY), copy(id=2, labels=5)),
    ("oldest file", copy("bb.jpg", id=1, mtime_ns=1), copy(id=2, mtime_ns=DAY, labels=5)),
    ("most labels", copy("longer.jpg", id=1, labels=2), copy(id=2, labels=1, metadata=9)),
    ("most metadata", copy("longer.jpg", id=1, metadata=2), copy(id=2, metadata=1)),
    ("shortest path", copy("b.jpg", id=1, mtime_ns=9), copy("aa.jpg", id=2, mtime_ns=1)),
    ("first by name", copy("a.jpg", id=2), copy("b.jpg", id=1)),
    ("much larger picture", copy(id=1, width=2, height=1, size=1), copy(id=2, width=0, height=0)),
]


@pytest.mark.parametrize(("reason", "first", "second"), WORTH)
def test_the_copy_to_keep_and_why(reason, first, second):
    assert order_by_worth([second, first]) == [first, second]
    assert order_by_worth([first, second]) == [first, second]
    assert explain_keeper([first, second]).startswith(reason)


def test_the_reason_quotes_what_the_other_name_says():
    pair = order_by_worth([copy("a/beach (1).jpg", id=1), copy("z/beach.jpg", id=2)])
    assert explain_keeper(pair) == 'its name is no copy\'s; the other says "(1)"'


@pytest.mark.parametrize("seed", range(40))
def test_the_keeper_is_the_one_that_a_person_would_keep(seed):
    """Groups as they arise: an original, and what people and programs make of it."""
    rng = np.random.default_rng(seed)
    folder = str(rng.choice(["", "2019/", "Holiday in Malta/", "cat/", "old town/"]))
    name = str(rng.choice(["IMG_0042", "beach", "DSC01234", "portrait of Ann", "copyright"]))
    original = copy(f"{folder}{name}.jpg", id=1, mtime_ns=DAY)
    made = [
        f"{folder}Copy of {name}.jpg", f"{folder}{name} - Copy.jpg", f"{folder}{name} (1).jpg",
        f"{folder}{name}_copy2.jpg", f"{folder}{name} copy.jpg", f"{folder}{name} 2.jpg",
        f"{folder}{name} - Kopie (2).jpg", f"{folder}Kopie von {name}.jpg",
        f"{folder}{name}_backup.jpg", f"{folder}{name}-edited.jpg", f"backup/{folder}{name}.jpg",
        f"{folder}old/{name}.jpg", f"tmp/{name}.jpg", f"Backup 2021/{folder}{name}.jpg",
        f"{folder}{name}.bak.jpg", f"photos_old/{folder}{name}.jpg", f"copies/{name}.jpg",
    ]  # fmt: skip
    chosen = rng.choice(made, int(rng.integers(1, 6)), replace=False)
    # A copy may be newer or, where the original was touched, older; a little larger as a file.
    copies = [
        copy(
            str(uri),
            id=number + 2,
            size=int(rng.integers(350_000, 480_000)),
            mtime_ns=int(rng.integers(0, 3)) * DAY,
            labels=int(rng.integers(0, 3)),
            metadata=int(rng.integers(0, 5)),
        )
        for number, uri in enumerate(chosen)
    ]
    group = [original, *copies]
    ordered = order_by_worth([group[place] for place in rng.permutation(len(group))])
    assert ordered[0] == original
    assert explain_keeper(ordered).startswith("its name is no copy's")


@pytest.mark.parametrize(
    "uri",
    [
        *("Copenhagen.jpg", "2019/backyard.jpg", "old town/x.jpg", "Malta/cobalt.jpg"),
        *("photocopier/1.jpg", "copy machine/1.jpg", "Paris (2019).jpg", "templates/x.jpg"),
        *("oldtimer/1.jpg", "golden.jpg", "copyright.jpg", "(1).jpg", "temple.jpg", "IMG_1.jpg"),
    ],
)
def test_names_that_only_sound_like_copies(uri):
    assert copy_marks(uri) == ()


@pytest.mark.parametrize(
    ("uri", "marks"),
    [
        ("Copy of Copy of x (1).jpg", ("(1)", "Copy of", "Copy of")),
        ("old/x - Copy (2).jpg", ("old", "(2)", "Copy")),
        ("Strand \u2013 Kopie.jpg", ("Kopie",)),
        ("my_backup/x.jpg", ("my_backup",)),
        ("disc/copy.jpg", ("copy",)),
        ("Kopie.jpg", ("Kopie",)),
        ("x \u526f\u672c.jpg", ("\u526f\u672c",)),
        ("trip copy/x~.jpg", ("trip copy", "~")),
    ],
)
def test_names_of_copies(uri, marks):
    assert copy_marks(uri) == marks


def group_of(*uris: str, pairs=None) -> tuple[DuplicateGroup, dict[int, str]]:
    ids = range(1, len(uris) + 1)
    every = pairs or [DuplicatePair(a, b, "bytes", 1.0) for a, b in combinations(ids, 2)]
    group = DuplicateGroup("bytes", tuple(ids), 1, "oldest file", tuple(every))
    return group, dict(zip(ids, uris, strict=True))


def test_a_choice_and_preferred_folders_come_first():
    group, uris = group_of("a/x.jpg", "b/x.jpg", "b/c/x.jpg", "d/x.jpg")
    assert put_first(group, uris, {}, ()) == group
    moved = put_first(group, uris, {}, ["d", "b"])
    assert moved.images == (4, 2, 3, 1)
    assert (moved.keeper, moved.reason) == (4, "lies in d, a preferred folder")
    assert put_first(group, uris, {}, ["b/c"]).keeper == 3
    chosen = put_first(group, uris, {2: "ann", 3: "bob", 9: "eve"}, ["d"])
    assert chosen.images == (2, 3, 4, 1)
    assert (chosen.reason, chosen.chosen) == ("chosen by ann", (2, 3))
    # A folder in which all lie tells nothing.
    assert put_first(group, uris, {}, ["."]).reason == "oldest file"


def test_a_great_group_is_seen_from_its_new_keeper():
    listed = [
        DuplicatePair(1, 2, "bytes", 1.0),
        DuplicatePair(1, 3, "near", 0.8, "scale"),
        DuplicatePair(1, 4, "pixels", 1.0),
    ]
    group, uris = group_of("a", "b", "c", "d", pairs=listed)
    pairs = put_first(group, uris, {4: "ann"}, ()).pairs
    assert {(p.a, p.b): (p.kind, p.similarity) for p in pairs} == {
        (1, 4): ("pixels", 1.0),
        (2, 4): ("pixels", 1.0),
        (3, 4): ("near", 0.8),
    }


def test_small_differences_of_size_do_not_decide():
    assert explain_keeper([copy(), copy(width=1002, size=401_000)]) == "first by name"
    assert explain_keeper([copy(width=1025), copy()]) == "largest picture"
    assert explain_keeper([copy(mtime_ns=59 * 10**9), copy()]) == "first by name"
    assert explain_keeper([copy(), copy(size=404_000)]) == "first by name"
    assert explain_keeper([copy(size=445_000), copy()]) == "least compressed"
    assert order_by_worth([copy("x.jpg", id=4), copy("x.jpg", id=3)])[0].id == 3


def test_resolution_goes_in_steps_of_two_percent_and_density_of_ten():
    sizes = [round(1000 * 1.003**step) for step in range(60)]
    keys = [order_by_worth([copy(width=w), copy("b.jpg", width=1000)])[0].width for w in sizes]
    first = next(w for w, kept in zip(sizes, keys, strict=True) if kept != 1000 and w != 1000)
    assert 1.0 < first / 1000 <= 1.0201
    many = [copy(f"{s}.jpg", size=s) for s in range(400_000, 500_000, 2_000)]
    levels = {explain_keeper([a, b]) == "least compressed" for a, b in pairwise(many)}
    assert levels == {True, False}
    ordered = order_by_worth(many)
    changes = sum(explain_keeper([a, b]) == "least compressed" for a, b in pairwise(ordered))
    assert changes == round(np.log(1.25) / np.log(1.1))


def test_labels_of_a_group_are_merged_and_conflicts_named():
    labels = {
        "kind": {1: frozenset("a"), 2: frozenset("b"), 9: frozenset("z")},
        "tags": {1: frozenset("xy"), 3: frozenset("xy")},
        "none": {9: frozenset("z")},
        "some": {1: frozenset("q"), 2: frozenset()},
    }
    merged, conflicts = find_label_conflicts([1, 2, 3], labels)
    assert merged == {"kind": ("a", "b"), "tags": ("x", "y"), "some": ("q",)}
    assert conflicts == ("kind",)


def near(a: str, b: str, similarity=0.9, kind="near", transform="identity") -> FoundPair:
    return FoundPair(a, b, kind, similarity, transform)


def test_groups_hold_same_contents_and_what_was_found():
    images = [(5, "A"), (2, "A"), (3, "B"), (4, "C"), (9, "D"), (8, "D")]
    found = [near("B", "A", 0.9, transform="rot90+gray"), near("B", "C")]
    first, second = group_images(images, found)
    assert first.images == (2, 3, 5)
    known = {(a, b): (pair.kind, pair.transform) for a, b, pair in first.pairs}
    assert known == {
        (2, 3): ("near", "rot270+gray"),  # from A to B it turns the other way
        (2, 5): ("bytes", "identity"),
        (3, 5): ("near", "rot90+gray"),
    }
    assert {pair.similarity for _, _, pair in first.pairs} == {0.9, 1.0}
    assert second.images == (8, 9)
    assert second.pairs[0][2] == FoundPair("D", "D", "bytes", 1.0, "identity")


def test_the_same_pixels_bind_more_than_the_nearest_pictures():
    images = [(1, "A"), (2, "B"), (3, "C")]
    found = [near("A", "B", 0.99), near("B", "C", 0.5, "pixels")]
    assert [group.images for group in group_images(images, found)] == [(2, 3)]
    found = [near("A", "B", 0.99), near("B", "C", 0.98)]
    assert [group.images for group in group_images(images, found)] == [(1, 2)]


def test_contents_that_were_told_apart_make_units_of_their_own():
    images = [(1, "A"), (2, "A"), (3, "A"), (4, "B"), (5, "B")]
    apart = {(1, 2), (1, 4)}
    groups = [group.images for group in group_images(images, [near("A", "B")], apart)]
    assert groups == [(1, 3), (2, 4, 5)]
    assert [g.images for g in group_images(images[:3], [], {(1, 2), (1, 3), (2, 3)})] == []
    assert [g.images for g in group_images(images[:3], [], {(2, 3)})] == [(1, 2)]


def test_great_groups_list_the_pairs_with_the_first_image_alone(monkeypatch):
    monkeypatch.setattr(duplicates, "ALL_PAIRS_LIMIT", 4)
    images = [(i, "A" if i < 3 else "B") for i in range(1, 6)]
    (small,) = group_images(images[:4], [near("A", "B")])
    assert len(small.pairs) == 6
    (great,) = group_images(images, [near("A", "B")])
    assert [(a, b) for a, b, _ in great.pairs] == [(1, 2), (1, 3), (1, 4), (1, 5)]
    assert [pair.kind for _, _, pair in great.pairs] == ["bytes", "near", "near", "near"]


def test_pairs_are_seen_from_the_smaller_id():
    content = {1: "A", 2: "B", 3: "A"}
    known = index_pairs([near("A", "B", transform="rot90+crop")])
    found = pairs_with(2, [1, 2, 3], content, known)
    assert [(a, b, pair.transform) for a, b, pair in found] == [
        (1, 2, "rot90+crop"), (2, 3, "rot270+crop"),
    ]  # fmt: skip
    assert known["B", "A"].a == "B"
