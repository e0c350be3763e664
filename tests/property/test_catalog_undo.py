"""Whatever is edited, undo restores it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.catalog.effective import effective_labels, rank_of
from vernis.domain.errors import UsageError
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import FoundFile, Issue, Statement, Taxonomy

N_IMAGES = 3
CLASSES = ("a", "b", "c")
SOURCES = ("given", "human:ann", "human:bob", "accepted:fill", "reader:ocr", "model:m@1")

statements = st.builds(
    Statement,
    st.integers(1, N_IMAGES),
    st.sampled_from(CLASSES),
    st.sampled_from(["yes", "no", "unknown"]),
    st.sampled_from([float("nan"), 0.25, 1.0]),
)
record = st.tuples(
    st.sampled_from(["record", "replace_source"]),
    st.sampled_from(["single", "multi"]),
    st.sampled_from(SOURCES),
    st.lists(statements, max_size=5),
)
verdict = st.tuples(
    st.just("verdict"),
    st.sampled_from(["open", "accepted", "dismissed"]),
    st.sampled_from(["ann", "bob"]),
    st.sets(st.integers(1, N_IMAGES), min_size=1),
)
drawn = st.tuples(
    st.just("draw"),
    st.sampled_from(["single", "multi"]),
    st.sampled_from(SOURCES),
    st.lists(
        st.tuples(st.integers(1, N_IMAGES), st.lists(st.sampled_from(CLASSES), max_size=2)),
        max_size=4,
    ),
)
said_of_regions = st.tuples(
    st.just("regions"),
    st.sampled_from(["single", "multi"]),
    st.sampled_from(SOURCES),
    st.lists(statements, max_size=5),
)
removed = st.tuples(
    st.just("remove"), st.just(""), st.sampled_from(SOURCES), st.sets(st.integers(1, 8))
)
edits = st.one_of(record, verdict, drawn, said_of_regions, removed)
# Each inner list is one transaction, hence one batch.
sessions = st.lists(st.lists(edits, min_size=1, max_size=3), min_size=1, max_size=5)


@contextmanager
def fresh() -> Iterator[SqliteCatalog]:
    with (
        tempfile.TemporaryDirectory() as folder,
        SqliteCatalog.create(Path(folder) / "c") as catalog,
    ):
        catalog._ledger.run("PRAGMA synchronous = OFF")
        files = [FoundFile(f"{i}.jpg", f"h{i}", 1, 1) for i in range(N_IMAGES)]
        catalog.images.apply_index(files, complete=True)
        catalog.labels.define(Taxonomy("single", "single", CLASSES))
        catalog.labels.define(Taxonomy("multi", "multi", CLASSES))
        catalog.issues.replace(["dark"], [Issue("dark", i + 1, 0.5) for i in range(N_IMAGES)])
        yield catalog


def apply(catalog: SqliteCatalog, edit: tuple) -> None:  # type: ignore[type-arg]
    verb, what, who, said = edit
    if verb == "verdict":
        chosen = [i.id for i in catalog.issues.select() if i.image_id in said]
        catalog.issues.set_verdict(chosen, what, who=who)
    elif verb == "draw":
        new = [
            NewRegion(
                image,
                Region(Box(n, 0, 1, 1), (9, 9)),
                tuple(RegionLabel(what, label, "yes", 0.5) for label in labels),
            )
            for n, (image, labels) in enumerate(said)
        ]
        catalog.regions.add(new, source=who, verb="test")
    elif verb == "regions":
        # The number of an image is taken for that of a region, where there is one.
        there = set(catalog.regions.table().ids.tolist())
        about = [
            RegionStatement(s.image_id, s.label, s.state, s.probability)
            for s in said
            if s.image_id in there
        ]
        catalog.regions.record(what, about, source=who, verb="test")
    elif verb == "remove":
        there = set(catalog.regions.table().ids.tolist())
        catalog.regions.remove(sorted(said & there), source=who, verb="test")
    else:
        getattr(catalog.labels, verb)(what, said, source=who, verb="test")


def session(catalog: SqliteCatalog, transaction: list) -> int:  # type: ignore[type-arg]
    """Apply the edits in one transaction; return its batch, 0 when nothing changed."""
    before = {batch["id"] for batch in catalog.history.batches(1000)}
    with catalog.transaction():
        for edit in transaction:
            apply(catalog, edit)
    new = [b["id"] for b in catalog.history.batches(1000) if b["id"] not in before]
    assert len(new) <= 1
    return new[0] if new else 0


def state(catalog: SqliteCatalog) -> object:
    """Return all that the catalog says, to the last digit and in the order of belief."""
    labels = catalog.labels
    said = [
        [(source, repr(s)) for source, s in labels.statements(name, image)]
        for name in ("single", "multi")
        for image in range(1, N_IMAGES + 1)
    ]
    matrices = [labels.matrix(name) for name in ("single", "multi")]
    seen = [(m.values.tobytes(), m.confirmed.tobytes()) for m in matrices]
    filled = {m.taxonomy.name: int(m.labelled.sum()) for m in matrices}
    assert {name: count.n_labelled for name, count in labels.fill_counts().items()} == filled
    regions = [catalog.regions.labels(name) for name in ("single", "multi")]
    boxes = [
        (
            *(r.region_ids.tolist(), [r.labels[n] for n in range(len(r))], r.yes.tolist()),
            *([r.sources[n] for n in range(len(r))], repr(r.probabilities), r.holds.tolist()),
        )
        for r in regions
    ]
    there = catalog.regions.table().ids.tolist()
    return said, seen, there, boxes, [(i.id, i.verdict) for i in catalog.issues.select()]


@settings(deadline=None, max_examples=25)
@given(sessions)
def test_undoing_everything_in_reverse_restores_every_state(work: list) -> None:  # type: ignore[type-arg]
    with fresh() as catalog:
        states, batches = [state(catalog)], []
        for transaction in work:
            batch = session(catalog, transaction)
            if batch:
                batches.append(batch)
                states.append(state(catalog))
            else:
                assert state(catalog) == states[-1]
        undoing = []
        for batch, before in zip(batches[::-1], states[-2::-1], strict=True):
            undoing.append(catalog.history.undo(batch))
            assert state(catalog) == before
        for batch, after in zip(undoing[::-1], states[1:], strict=True):
            catalog.history.undo(batch)
            assert state(catalog) == after
        assert catalog.integrity() == []


@settings(deadline=None, max_examples=25)
@given(sessions, st.lists(st.integers(0, 10), max_size=6))
def test_undo_in_any_order_keeps_the_rules(work: list, order: list[int]) -> None:  # type: ignore[type-arg]
    with fresh() as catalog:
        for transaction in work:
            session(catalog, transaction)
        for number in order:
            waiting = [b for b in catalog.history.batches(1000) if not b["undone"]]
            if not waiting:
                return
            chosen = waiting[number % len(waiting)]
            before = state(catalog)
            try:
                undoing = catalog.history.undo(chosen["id"])
            except UsageError:
                assert state(catalog) == before
                continue
            after = state(catalog)
            for image in range(1, N_IMAGES + 1):
                said = catalog.labels.statements("single", image)
                yes = [source for source, s in said if s.state == "yes"]
                assert len(yes) == len(set(yes)), "a source says two classes of one image"
            regions = catalog.regions.labels("single")
            yes_of = [
                (int(regions.region_ids[n]), regions.sources[n])
                for n in np.flatnonzero(regions.yes)
            ]
            assert len(yes_of) == len(set(yes_of)), "a source says two classes of one region"
            latest = catalog.history.batches(1)[0]
            assert (latest["id"], latest["undoes"]) == (undoing, chosen["id"])
            # The undo is itself a batch that can be taken back, exactly.
            redoing = catalog.history.undo(undoing)
            assert state(catalog) == before
            catalog.history.undo(redoing)
            assert state(catalog) == after
        assert catalog.integrity() == []


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(SOURCES), st.booleans()),
        max_size=12,
        unique_by=lambda row: row[:3],
    ),
    st.sampled_from(["single", "multi"]),
    st.booleans(),
)
def test_effective_labels_agree_with_the_rules_read_aloud(
    said: list[tuple[int, int, str, bool]],
    kind: str,
    closed: bool,
) -> None:
    rows = np.array(
        [[i, c, rank_of(s), n, yes] for n, (i, c, s, yes) in enumerate(said)], np.int64
    ).reshape(-1, 5)
    values, confirmed = effective_labels(rows, (3, 3), kind=kind, closed=closed)  # type: ignore[arg-type]
    for image in range(3):
        expected = [float("nan")] * 3
        by_person = [False] * 3
        believed: dict[int, tuple[int, int, bool]] = {}
        for n, (i, c, source, yes) in enumerate(said):
            rank = rank_of(source)
            if i == image and rank > 0 and (rank, n) > believed.get(c, (0, 0, False))[:2]:
                believed[c] = (rank, n, yes)
        winners = [c for c, (_, _, yes) in believed.items() if yes]
        if kind == "single" and winners:
            winners = [max(winners, key=lambda c: believed[c][:2])]
            by_person = [believed[winners[0]][0] >= 5] * 3
        if winners and (kind == "single" or closed):
            expected = [0.0] * 3
        for c, (rank, _, yes) in believed.items():
            if not yes:
                expected[c] = 0.0
            if not yes or c in winners:
                by_person[c] = by_person[c] or rank >= 5
        for c in winners:
            expected[c] = 1.0
        np.testing.assert_array_equal(values[image], expected)
        assert confirmed[image].tolist() == by_person


@settings(deadline=None, max_examples=15)
@given(
    st.sampled_from(["single", "multi"]),
    st.lists(statements, max_size=6),
    st.lists(statements, max_size=6, unique_by=lambda s: (s.image_id, s.label)),
)
def test_statements_mean_the_same_together_and_one_by_one(
    name: str, before: list[Statement], said: list[Statement]
) -> None:
    seen = []
    for parts in ([said], [[one] for one in said]):
        with fresh() as catalog:
            catalog.labels.record(name, before, source="given", verb="test")
            for part in parts:
                catalog.labels.record(name, part, source="given", verb="test")
            images = range(1, N_IMAGES + 1)
            seen.append(
                [sorted(repr(s) for _, s in catalog.labels.statements(name, i)) for i in images]
            )
    assert seen[0] == seen[1]


def test_in_one_batch_the_last_word_counts() -> None:
    words = [Statement(1, "a", "yes"), Statement(1, "a", "no"), Statement(1, "b", "yes")]
    with fresh() as catalog:
        catalog.labels.record("single", words, source="given", verb="test")
        said = {s.label: s.state for _, s in catalog.labels.statements("single", 1)}
    assert said == {"a": "no", "b": "yes"}
