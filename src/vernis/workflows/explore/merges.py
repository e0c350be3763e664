"""Find labels that mean the same, and merge them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vernis.core.words.merge_evidence import LabelLooks, measure_looks, measure_use
from vernis.core.words.merges import Merge, propose_merges
from vernis.core.words.spelling import LANGUAGES, Language
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import LabelMatrix, Space, Statement
from vernis.workflows.explore.vocabulary import labels_of, without_models
from vernis.workflows.training_data import search_columns


def find_merges(
    catalog: Catalog,
    taxonomy: str,
    space: Space | None,
    *,
    languages: Sequence[Language] = ("en",),
    min_score: float = 0.5,
) -> list[Merge]:
    """Return the labels of a taxonomy that probably mean the same, surest first.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    space : Space or None
        In which pictures are compared; None leaves them out.
    languages : sequence of {"en", "de"}
        Whose plural rules hold.
    min_score : float
        In 0..1.
    """
    matrix = catalog.labels.matrix(taxonomy)
    labels_of(matrix)
    return propose_merges(
        matrix.taxonomy.classes,
        measure_use(matrix.values),
        _looks(catalog, matrix, space),
        languages=languages,
        dismissed=dismissed_merges(catalog, taxonomy),
        min_score=min_score,
        exclusive=matrix.taxonomy.kind == "single",
    )


def _looks(catalog: Catalog, matrix: LabelMatrix, space: Space | None) -> LabelLooks | None:
    if space is None:
        return None
    hash_of = {image.id: image.content_hash for image in catalog.images.all()}
    hashes = [hash_of[int(image)] for image in matrix.image_ids]
    missing = set(catalog.vectors.missing(space, hashes))
    labelled = (matrix.values == 1).any(axis=1)
    rows = np.flatnonzero(labelled & np.asarray([h not in missing for h in hashes], bool))
    if not len(rows):
        return None
    vectors = catalog.vectors.read(space, [hashes[row] for row in rows])
    X = np.asarray(vectors[:, search_columns(space)], np.float32)
    sound = np.isfinite(X).all(axis=1)
    return measure_looks(X[sound], matrix.values[rows[sound]])


def merge_document(
    catalog: Catalog,
    taxonomy: str,
    space: Space | None,
    *,
    languages: Sequence[str] = ("en",),
    min_score: float = 0.5,
) -> dict[str, Any]:
    """Return ``find_merges`` as JSON-able: ``taxonomy``, ``space`` (a name or None), ``merges``.

    Raises
    ------
    UsageError
        A language is not known, or the taxonomy carries no label.
    """
    known: list[Language] = [language for language in LANGUAGES if language in languages]
    if set(languages) - set(known):
        raise UsageError(f"expected languages of {', '.join(LANGUAGES)}, got {list(languages)}")
    found = find_merges(catalog, taxonomy, space, languages=known, min_score=min_score)
    return {
        "taxonomy": taxonomy,
        "space": None if space is None else space.name,
        "merges": [asdict(merge) for merge in found],
    }


def accept_merges(
    catalog: Catalog, taxonomy: str, merges: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Move labels into others, as one batch.

    Every source's statement about a label becomes its statement about the other: what was given
    stays given, what a person said stays a person's. A ``no`` moves only to images of whose new
    label nobody says anything. What models predicted stays as it is.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    merges : sequence of (label, into)

    Returns
    -------
    dict
        ``merges``, ``images`` (whose labels changed), ``batch`` (0 when nothing changed),
        ``accepted`` (the pairs, chains resolved).

    Raises
    ------
    NotFound
        A label is not in the taxonomy.
    UsageError
        A label is merged into itself, or into two others.
    """
    target = _resolve_chains(merges)
    with catalog.lock("vocabulary"):
        stored = catalog.labels.taxonomy(taxonomy)
        _require_labels(taxonomy, stored.classes, [*target, *target.values()])
        said = without_models(catalog.labels.statements_about(taxonomy, list(target)))
        there = without_models(
            catalog.labels.statements_about(taxonomy, sorted(set(target.values())))
        )
        taken = {(s.image_id, s.label) for found in there.values() for s in found}
        own = {
            (source, s.image_id, s.label): s.state for source, found in there.items() for s in found
        }
        batch, images = 0, set[int]()
        note = ", ".join(f"{label} > {into}" for label, into in target.items())
        with catalog.transaction():
            for source, found in said.items():
                moved = _moved(source, found, target, taken, own)
                images |= {s.image_id for s in moved}
                batch = max(
                    batch,
                    catalog.labels.record(
                        taxonomy, moved, source=source, verb="merge", note=note[:200]
                    ),
                )
    accepted = [[label, into] for label, into in target.items()]
    return {"merges": len(target), "images": len(images), "batch": batch, "accepted": accepted}


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


def dismissed_merges(catalog: Catalog, taxonomy: str) -> list[frozenset[str]]:
    """Return the pairs that a person judged to be different things."""
    summary = catalog.runs.summary(_dismissals(taxonomy)) or {}
    return [frozenset(pair) for pair in summary.get("pairs", [])]


def dismiss_merges(
    catalog: Catalog,
    taxonomy: str,
    pairs: Sequence[tuple[str, str]],
    *,
    reopen: Sequence[tuple[str, str]] = (),
) -> int:
    """Note that pairs of labels are different things, for good; returns how many are noted now.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    pairs : sequence of (label, label)
    reopen : sequence of (label, label)
        Pairs of which this judgement is taken back.
    """
    with catalog.lock("vocabulary"):
        classes = catalog.labels.taxonomy(taxonomy).classes
        _require_labels(taxonomy, classes, [name for pair in (*pairs, *reopen) for name in pair])
        kept = set(dismissed_merges(catalog, taxonomy)) | {frozenset(pair) for pair in pairs}
        kept -= {frozenset(pair) for pair in reopen}
        stored = sorted(sorted(pair) for pair in kept)
        with catalog.transaction():
            catalog.runs.finish(_dismissals(taxonomy), repr(stored), {"pairs": stored})
    return len(kept)


def _dismissals(taxonomy: str) -> str:
    return f"merges-dismissed:{taxonomy}"
