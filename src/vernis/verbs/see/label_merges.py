"""Find labels that mean the same, and merge them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from vernis.core.numeric.row_blocks import drawn_evenly
from vernis.core.words.class_names import known_name
from vernis.core.words.merge_evidence import LabelLooks, measure_looks, measure_use
from vernis.core.words.merges import Merge, propose_merges
from vernis.core.words.spelling import Language
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.history import Change
from vernis.domain.region_store import RegionStatement
from vernis.domain.types import IMAGE_STATES, LabelMatrix, LabelState, Space, Statement
from vernis.session.vectors import search_columns
from vernis.verbs.decide.decisions import by
from vernis.verbs.see.vocabulary_study import labels_of, without_models

if TYPE_CHECKING:
    from vernis.domain.ports import Catalog
    from vernis.session.session import Session


_LOOKED_AT = 50_000
"""Labelled images whose pictures are compared at most, as many of each label."""


@dataclass(frozen=True, slots=True)
class MergedLabels:
    """What a merge did."""

    merges: Annotated[int, "labels merged"]
    images: Annotated[int, "images whose labels changed"]
    batch: Annotated[int, "0 when nothing changed"]
    accepted: Annotated[tuple[tuple[str, str], ...], "label, into; chains resolved"]


@dataclass(frozen=True, slots=True)
class Dismissals:
    """How many merges are dismissed now."""

    dismissed: int
    batch: Annotated[int, "0 when nothing changed"]


@dataclass(frozen=True, slots=True)
class DismissedMerges:
    """Pairs of labels that a person judged to be different things."""

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    pairs: tuple[tuple[str, str], ...] = ()


def find_merges(
    session: Session,
    taxonomy: str,
    space: Space | None,
    *,
    languages: Sequence[Language] = ("en",),
    min_score: float = 0.5,
) -> list[Merge]:
    """Return the labels of a taxonomy that probably mean the same, surest first.

    Parameters
    ----------
    session : Session
    taxonomy : str
    space : Space or None
        In which pictures are compared; None leaves them out.
    languages : sequence of {"en", "de"}
        Whose plural rules hold.
    min_score : float
        In 0..1.
    """
    matrix = session.matrix(taxonomy)
    labels_of(matrix)
    return propose_merges(
        matrix.taxonomy.classes,
        measure_use(matrix.values),
        _looks(session, matrix, space),
        languages=languages,
        dismissed=dismissed_merges(session, taxonomy),
        min_score=min_score,
        exclusive=matrix.taxonomy.kind == "single",
    )


def _looks(session: Session, matrix: LabelMatrix, space: Space | None) -> LabelLooks | None:
    if space is None:
        return None
    vectors = session.vectors(space)
    values = matrix.values[np.searchsorted(matrix.image_ids, vectors.ids)]
    labelled = (values == 1).any(axis=1)
    if not labelled.any():
        return None
    rows = np.flatnonzero(labelled)
    if len(rows) > _LOOKED_AT:
        own = (np.flatnonzero(column) for column in (values == 1).T)
        most = _LOOKED_AT // values.shape[1]
        rows = np.unique(np.concatenate([drawn_evenly(carriers, most) for carriers in own]))
    return measure_looks(vectors.vectors[rows][:, search_columns(space)], values[rows])


def accept_merges(
    session: Session, taxonomy: str, merges: Sequence[tuple[str, str]]
) -> MergedLabels:
    """Move labels into others, as one batch; the writer's lock is not needed.

    Every source's statement about a label becomes its statement about the other: what was given
    stays given, what a person said stays a person's. A ``no`` moves only to images of whose new
    label nobody says anything. What models predicted of images stays as it is; what is said of
    regions moves likewise, proposals of models too.

    Parameters
    ----------
    session : Session
    taxonomy : str
    merges : sequence of (label, into)

    Raises
    ------
    NotFound
        A label is not in the taxonomy.
    UsageError
        A label is merged into itself, or into two others.
    """
    catalog = session.catalog
    batch, images = 0, set[int]()
    with catalog.transaction():
        stored = catalog.labels.taxonomy(taxonomy)
        target = _resolve_chains(_as_spelt(merges, stored.classes))
        _require_labels(taxonomy, stored.classes, [*target, *target.values()])
        said = without_models(catalog.labels.statements_about(taxonomy, list(target)))
        there = without_models(
            catalog.labels.statements_about(taxonomy, sorted(set(target.values())))
        )
        taken = {(s.image_id, s.label) for found in there.values() for s in found}
        own = {
            (source, s.image_id, s.label): s.state for source, found in there.items() for s in found
        }
        note = ", ".join(f"{label} > {into}" for label, into in target.items())
        for source, found in said.items():
            moved = _moved(source, found, target, taken, own)
            images |= {s.image_id for s in moved}
            batch = max(
                batch,
                catalog.labels.record(
                    taxonomy, moved, source=source, verb="merge", note=note[:200]
                ),
            )
        regions, recorded = _merge_on_regions(catalog, taxonomy, target, note[:200])
        images |= regions
        batch = max(batch, recorded)
    return MergedLabels(len(target), len(images), batch, tuple(target.items()))


def _merge_on_regions(
    catalog: Catalog, taxonomy: str, target: Mapping[str, str], note: str
) -> tuple[set[int], int]:
    """Move what is said of regions, as on images; returns the images, and the batch or 0."""
    columns = catalog.regions.labels(taxonomy, states=IMAGE_STATES)
    said: dict[str, list[Statement]] = {}
    taken: set[tuple[int, str]] = set()
    own: dict[tuple[str, int, str], str] = {}
    for row in range(len(columns)):
        region, label = int(columns.region_ids[row]), columns.labels[row]
        source = columns.sources[row]
        state: LabelState = "yes" if columns.yes[row] else "no"
        if label in target:
            probability = float(columns.probabilities[row])
            statement = Statement(region, label, state, probability)
            said.setdefault(source, []).append(statement)
        elif label in target.values():
            taken.add((region, label))
            own[source, region, label] = state
    ids = {s.image_id for found in said.values() for s in found}
    if not ids:
        return set(), 0
    table = catalog.regions.table(states=IMAGE_STATES)
    images = set(table.image_ids[np.isin(table.ids, list(ids))].tolist())
    batch = 0
    for source, found in said.items():
        moved = (
            RegionStatement(s.image_id, s.label, s.state, s.probability)
            for s in _moved(source, found, target, taken, own)
        )
        recorded = catalog.regions.record(taxonomy, moved, source=source, verb="merge", note=note)
        batch = max(batch, recorded)
    return images, batch


def _moved(
    source: str,
    found: Sequence[Statement],
    target: Mapping[str, str],
    taken: Collection[tuple[int, str]],
    own: Mapping[tuple[str, int, str], str],
) -> list[Statement]:
    withdrawn = [Statement(s.image_id, s.label, "unknown") for s in found]
    wanted: dict[tuple[int, str], Statement] = {}
    for s in found:
        cell = (s.image_id, target[s.label])
        if s.state == "no" and (cell in taken or cell in wanted):
            continue
        if s.state == "yes" and own.get((source, *cell)) == "yes":
            continue
        former = wanted.get(cell)
        if former is None or former.state == "no":
            wanted[cell] = Statement(*cell, s.state, s.probability)
    return withdrawn + list(wanted.values())


def _as_spelt(pairs: Iterable[tuple[str, str]], classes: Sequence[str]) -> list[tuple[str, str]]:
    """Return the pairs as the taxonomy spells them."""
    return [(known_name(label, classes), known_name(into, classes)) for label, into in pairs]


def _resolve_chains(merges: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return label → last name of its chain; raises UsageError for loops and contradictions."""
    target: dict[str, str] = {}
    for label, into in merges:
        if label == into:
            raise UsageError(f"'{label}' cannot be merged into itself")
        if target.setdefault(label, into) != into:
            raise UsageError(f"'{label}' cannot be merged into '{target[label]}' and '{into}' both")
    for label in target:
        seen = {label}
        while (into := target[label]) in target:
            if into in seen:
                raise UsageError(f"the merges of '{label}' and '{into}' form a ring")
            seen.add(into)
            target[label] = target[into]
    return target


def _require_labels(taxonomy: str, classes: Sequence[str], wanted: Iterable[str]) -> None:
    missing = [name for name in wanted if name not in set(classes)]
    if missing:
        raise NotFound(f"taxonomy '{taxonomy}' has no label '{missing[0]}'")


# --------------------------------------------------------------------------- dismissals


def dismissed_merges(session: Session, taxonomy: str) -> list[frozenset[str]]:
    """Return the pairs that a person judged to be different things."""
    kept = session.results.find(_dismissals(taxonomy), DismissedMerges) or DismissedMerges()
    return [frozenset(pair) for pair in kept.pairs]


def dismiss_merges(
    session: Session,
    taxonomy: str,
    pairs: Sequence[tuple[str, str]],
    *,
    reopen: Sequence[tuple[str, str]] = (),
    who: str = "",
) -> Dismissals:
    """Note that pairs of labels are different things, for good; the writer's lock is not needed.

    Parameters
    ----------
    session : Session
    taxonomy : str
    pairs : sequence of (label, label)
    reopen : sequence of (label, label)
        Pairs of which this judgement is taken back.
    who : str
        The person (default: the login name).
    """
    batch = 0
    with session.catalog.transaction():
        classes = session.catalog.labels.taxonomy(taxonomy).classes
        pairs, reopen = _as_spelt(pairs, classes), _as_spelt(reopen, classes)
        _require_labels(taxonomy, classes, [name for pair in (*pairs, *reopen) for name in pair])
        before = set(dismissed_merges(session, taxonomy))
        kept = (before | {frozenset(pair) for pair in pairs}) - {frozenset(p) for p in reopen}
        pairs_before, pairs_now = _as_pairs(before), _as_pairs(kept)
        if pairs_now != pairs_before:
            name = _dismissals(taxonomy)
            key = json.dumps([name, "pairs"])
            note = ", ".join(f"{one} and {two}" for one, two in pairs) or "reopened"
            session.results.keep(name, DismissedMerges(pairs_now))
            batch = session.catalog.history.record(
                [Change("result", key, pairs_before, pairs_now)],
                source=by(who),
                verb="vocabulary",
                note=f"no merge: {note}"[:200],
            )
    return Dismissals(len(kept), batch)


def _as_pairs(dismissed: Iterable[frozenset[str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((min(pair), max(pair)) for pair in dismissed))


def _dismissals(taxonomy: str) -> str:
    return f"merges-dismissed:{taxonomy}"
