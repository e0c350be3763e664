"""Duplicate groups and label suggestions, in the ledger."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger
from vernis.adapters.catalog.storage import to_json
from vernis.adapters.catalog.subjects import PREFERRED
from vernis.core.copies.groups import put_first
from vernis.domain.errors import CatalogError, NotFound
from vernis.domain.types import Categories, DuplicateGroup, DuplicatePair, Issue, Suggestion


def replace_groups(ledger: Ledger, groups: Sequence[DuplicateGroup]) -> None:
    """Replace the duplicate groups."""
    with ledger.transaction():
        ledger.run("DELETE FROM duplicate_group")
        for group in groups:
            number = ledger.insert(
                "INSERT INTO duplicate_group (kind, keeper, reason, merged_labels, conflicts) "
                "VALUES (?, ?, ?, ?, ?)",
                (
                    group.kind,
                    int(group.keeper),
                    group.reason,
                    to_json(dict(group.merged_labels)),
                    to_json(list(group.conflicts)),
                ),
            )
            ledger.run_many(
                "INSERT INTO duplicate_member VALUES (?, ?, ?)",
                ((number, place, int(image)) for place, image in enumerate(group.images)),
            )
            ledger.run_many(
                "INSERT INTO duplicate_pair VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (number, int(p.a), int(p.b), p.kind, float(p.similarity), p.transform)
                    for p in group.pairs
                ),
            )


def pair_issues(groups: Sequence[DuplicateGroup]) -> list[Issue]:
    """Return one ``duplicate`` issue for each pair of the groups."""
    return [
        Issue(
            "duplicate",
            int(pair.a),
            1.0 - float(pair.similarity),
            other_id=int(pair.b),
            evidence={
                "kind": pair.kind,
                "transform": pair.transform,
                "similarity": float(pair.similarity),
                "keeper": int(group.keeper),
            },
        )
        for group in groups
        for pair in group.pairs
    ]


def groups(ledger: Ledger, dismissed: set[tuple[int, int]]) -> list[DuplicateGroup]:
    """Return the groups as they stand: present images, without those told from the keeper.

    What a person chose to keep, and the preferred folders, come before the stored order.
    """
    members: dict[int, list[int]] = defaultdict(list)
    uris: dict[int, str] = {}
    for group, image, uri in ledger.rows(
        "SELECT m.group_id, m.image_id, image.uri FROM duplicate_member AS m "
        "JOIN image ON image.id = m.image_id AND image.state = 'present' "
        "ORDER BY m.group_id, m.position"
    ):
        members[group].append(image)
        uris[image] = uri
    pairs: dict[int, list[DuplicatePair]] = defaultdict(list)
    for group, a, b, kind, similarity, transform in ledger.rows(
        "SELECT group_id, a, b, kind, similarity, transform FROM duplicate_pair "
        "ORDER BY group_id, a, b"
    ):
        pairs[group].append(DuplicatePair(a, b, kind, similarity, transform))
    chosen, preferred = kept(ledger), preferred_folders(ledger)
    found = []
    for number, kind, keeper, reason, merged, conflicts in ledger.rows(
        "SELECT id, kind, keeper, reason, merged_labels, conflicts FROM duplicate_group ORDER BY id"
    ):
        images = members[number]
        if len(images) < 2:
            continue
        if keeper not in images:
            keeper, reason = images[0], "the former keeper is gone"
        here = set(images)
        stored = DuplicateGroup(
            kind,
            tuple(images),
            keeper,
            reason,
            tuple(pair for pair in pairs[number] if pair.a in here and pair.b in here),
            {name: tuple(labels) for name, labels in json.loads(merged).items()},
            tuple(json.loads(conflicts)),
        )
        group_now = put_first(stored, uris, chosen, preferred)
        told = _without_dismissed(group_now, dismissed)
        if told is not None:
            found.append(told)
    return found


def _without_dismissed(
    group: DuplicateGroup, dismissed: set[tuple[int, int]]
) -> DuplicateGroup | None:
    """Return the group without the images that are no duplicates of its keeper."""
    keeper = group.keeper
    images = [i for i in group.images if (min(i, keeper), max(i, keeper)) not in dismissed]
    if len(images) < 2:
        return None
    here = set(images)
    pairs = tuple(
        pair
        for pair in group.pairs
        if pair.a in here and pair.b in here and (pair.a, pair.b) not in dismissed
    )
    chosen = tuple(image for image in group.chosen if image in here)
    return replace(group, images=tuple(images), pairs=pairs, chosen=chosen)


def kept(ledger: Ledger) -> dict[int, str]:
    """Return the images that a person chose to keep, with who chose, the latest choice first."""
    rows = ledger.rows(
        "SELECT kept.image_id, source.name FROM kept JOIN batch ON batch.id = kept.batch_id "
        "JOIN source ON source.id = batch.source_id ORDER BY kept.batch_id DESC, kept.image_id"
    )
    return {int(image): str(who).removeprefix("human:") for image, who in rows}


def preferred_folders(ledger: Ledger) -> tuple[str, ...]:
    """Return the folders whose images are kept rather than others, the first before the next."""
    row = ledger.row("SELECT value FROM meta WHERE key = ?", (PREFERRED,))
    return () if row is None else tuple(json.loads(row[0]))


def replace_suggestions(
    ledger: Ledger, taxonomy: str, proposed: Iterable[Suggestion], source: str
) -> None:
    """Replace what a source suggests for a taxonomy; the last one on an image × class counts."""
    with ledger.transaction():
        taxonomy_id = _taxonomy_id(ledger, taxonomy)
        classes: dict[str, int] = dict(
            ledger.rows("SELECT name, id FROM class WHERE taxonomy_id = ?", (taxonomy_id,))
        )
        stored = list(proposed)
        for one in stored:
            if one.taxonomy != taxonomy or one.label not in classes:
                raise NotFound(
                    f"taxonomy '{taxonomy}' has no class {one.label!r} of '{one.taxonomy}'"
                )
        ledger.run(
            "DELETE FROM suggestion WHERE taxonomy_id = ? AND source = ?", (taxonomy_id, source)
        )
        try:
            ledger.run_many(
                "INSERT OR REPLACE INTO suggestion VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        taxonomy_id,
                        source,
                        int(one.image_id),
                        classes[one.label],
                        float(one.probability),
                        int(one.promised),
                        to_json(dict(one.evidence)),
                    )
                    for one in stored
                ),
            )
        except CatalogError as error:
            if "FOREIGN KEY" in str(error):
                raise NotFound("a suggestion names an image that is not there") from error
            raise


def suggesting(ledger: Ledger, taxonomy: str) -> list[str]:
    """Return who suggests labels of a taxonomy."""
    rows = ledger.rows(
        "SELECT DISTINCT source FROM suggestion WHERE taxonomy_id = ? ORDER BY source",
        (_taxonomy_id(ledger, taxonomy),),
    )
    return [row[0] for row in rows]


def suggestions(
    ledger: Ledger, taxonomy: str, source: str, images: Sequence[int] | None = None
) -> list[Suggestion]:
    """Return what a source suggests for present images, the most probable first."""
    among = "" if images is None else "AND s.image_id IN (SELECT value FROM temp.listed) "
    with ledger.listed(sorted({int(i) for i in images or ()})):
        rows = ledger.rows(
            "SELECT s.image_id, class.name, s.probability, s.promised, s.evidence "
            "FROM suggestion AS s JOIN class ON class.id = s.class_id "
            "JOIN image ON image.id = s.image_id AND image.state = 'present' "
            f"WHERE s.taxonomy_id = ? AND s.source = ? {among}"
            "ORDER BY s.probability DESC, s.image_id, class.name",
            (_taxonomy_id(ledger, taxonomy), source),
        )
    return [
        Suggestion(image, taxonomy, label, probability, bool(promised), json.loads(evidence))
        for image, label, probability, promised, evidence in rows
    ]


def suggested(ledger: Ledger) -> dict[str, NDArray[np.int64]]:
    """Return the present images that each label is suggested for, by whomever."""
    names, ids = ledger.columns(
        "SELECT class.name, s.image_id FROM suggestion AS s "
        "JOIN taxonomy ON taxonomy.id = s.taxonomy_id AND taxonomy.removed = 0 "
        "JOIN class ON class.id = s.class_id "
        "JOIN image ON image.id = s.image_id AND image.state = 'present'",
        kinds=(Categories, np.int64),
    )
    return {name: np.unique(ids[names.codes == code]) for code, name in enumerate(names.names)}


def _taxonomy_id(ledger: Ledger, name: str) -> int:
    row = ledger.row("SELECT id FROM taxonomy WHERE name = ? AND removed = 0", (name,))
    if row is None:
        raise NotFound(f"there is no taxonomy '{name}'")
    return int(row[0])
