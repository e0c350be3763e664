"""Study a long-tailed vocabulary, and prune it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.vocabulary import (
    FrequencyStudy,
    VocabularyChoice,
    choose_labels,
    split_names,
    study_frequencies,
)
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import LabelMatrix, Statement, Taxonomy

_MODELS = "model:"
_TABLE = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


def choice_of(
    catalog: Catalog,
    taxonomy: str,
    *,
    min_count: int | None = None,
    keep: int | None = None,
    only: Sequence[str] | None = None,
    drop: Sequence[str] = (),
) -> VocabularyChoice:
    """Return the choice; in ``drop`` several labels may be joined by commas."""
    dropped = split_names(drop, catalog.labels.taxonomy(taxonomy).classes)
    return VocabularyChoice(min_count, keep, None if only is None else tuple(only), dropped)


def describe_vocabulary(
    catalog: Catalog, taxonomy: str, *, plot: Path | str | None = None, **choice: Any
) -> dict[str, Any]:
    """Return the document of ``study_vocabulary``, and draw it where ``plot`` says.

    ``table`` joins it (the study at round minimum frequencies), and ``plot`` (path or None).
    """
    chosen = choice_of(catalog, taxonomy, **choice)
    study, document = study_vocabulary(catalog, taxonomy, chosen)
    rarest = document["kept"]["min_count"]
    by_frequency = chosen.min_count is not None or chosen.keep is not None
    mark = chosen.min_count or (rarest if by_frequency else None)
    table = round_thresholds(study, () if mark is None else (mark,))
    drawn = None
    if plot is not None:
        from vernis.report.explore.vocabulary import draw_vocabulary

        drawn = draw_vocabulary(
            plot,
            taxonomy=taxonomy,
            counts=study.counts,
            thresholds=study.thresholds,
            labels=study.labels,
            images=study.images,
            chosen=mark,
        )
    return document | {"table": table, "plot": None if drawn is None else str(drawn)}


def study_vocabulary(
    catalog: Catalog, taxonomy: str, choice: VocabularyChoice
) -> tuple[FrequencyStudy, dict[str, Any]]:
    """Return what remains of a taxonomy at each minimum frequency, and what a choice keeps.

    Returns
    -------
    study : FrequencyStudy
    document : dict
        ``taxonomy``, ``images``, ``labels``, ``frequencies`` (rows of ``min_count``, ``labels``,
        ``images``, ``image_share``, ``assignments``, ``assignment_share``), ``classes`` (rows of
        ``rank``, ``class``, ``count``, ``kept``), ``kept`` (labels, images and assignments that
        the choice keeps, ``min_count`` of the rarest, ``lost_images``).

    Raises
    ------
    NotFound
        There is no such taxonomy, or a label that the choice names is not in it.
    UsageError
        It carries no label, or none would stay.
    """
    matrix = catalog.labels.matrix(taxonomy)
    yes = labels_of(matrix)
    study = study_frequencies(yes)
    stays = choose_labels(matrix.taxonomy.classes, study.counts, choice)
    order = sorted(
        np.flatnonzero(study.counts > 0).tolist(),
        key=lambda c: (-study.counts[c], matrix.taxonomy.classes[c]),
    )
    images, held = int(study.images[0]), yes[:, stays]
    remaining = int(held.any(axis=1).sum())
    return study, {
        "taxonomy": taxonomy,
        "images": images,
        "labels": int(study.labels[0]),
        "assignments": int(study.assignments[0]),
        "frequencies": [
            {
                "min_count": int(study.thresholds[row]),
                "labels": int(study.labels[row]),
                "images": int(study.images[row]),
                "image_share": float(study.images[row] / images),
                "assignments": int(study.assignments[row]),
                "assignment_share": float(study.assignments[row] / study.assignments[0]),
            }
            for row in range(len(study.thresholds))
        ],
        "classes": [
            {
                "rank": rank,
                "class": matrix.taxonomy.classes[c],
                "count": int(study.counts[c]),
                "kept": bool(stays[c]),
            }
            for rank, c in enumerate(order, 1)
        ],
        "kept": {
            "labels": int(stays.sum()),
            "images": remaining,
            "lost_images": images - remaining,
            "assignments": int(held.sum()),
            "min_count": int(study.counts[stays].min()),
        },
    }


def round_thresholds(study: FrequencyStudy, chosen: Iterable[int] = ()) -> list[dict[str, Any]]:
    """Return the rows of the study at round minimum frequencies and at the chosen ones."""
    top = int(study.counts.max())
    rows = []
    for threshold in sorted({t for t in (*_TABLE, *chosen) if t <= top}):
        row = study.at(threshold)
        rows.append(
            {
                "min_count": threshold,
                "labels": int(study.labels[row]),
                "images": int(study.images[row]),
                "image_share": float(study.images[row] / study.images[0]),
                "assignments": int(study.assignments[row]),
                "assignment_share": float(study.assignments[row] / study.assignments[0]),
            }
        )
    return rows


def labels_of(matrix: LabelMatrix) -> NDArray[np.bool_]:
    """Return which image carries which label; raises UsageError when none does."""
    yes = matrix.values == 1
    if not yes.any():
        raise UsageError(f"taxonomy '{matrix.taxonomy.name}' carries no label yet")
    return np.asarray(yes)


def prune_vocabulary(
    catalog: Catalog, taxonomy: str, choice: VocabularyChoice, *, into: str = ""
) -> dict[str, Any]:
    """Write the labels that a choice keeps as a taxonomy of their own, as one batch.

    The taxonomy itself is left as it is, so that no given label is lost. What each source says of
    the labels that stay is copied with its source; predictions of models are not.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    choice : VocabularyChoice
        Not empty.
    into : str
        The new taxonomy; default ``TAXONOMY@pruned``. One that an earlier pruning of the same
        taxonomy wrote is written anew.

    Returns
    -------
    dict
        ``taxonomy`` (the new one), ``labels``, ``images``, ``batch`` (0 when nothing changed).
    """
    if choice.is_empty:
        raise UsageError("say which labels stay: --min-count N, --keep N, --only FILE or --drop A")
    name = into or f"{taxonomy}@pruned"
    with catalog.lock("vocabulary"):
        _, document = study_vocabulary(catalog, taxonomy, choice)
        kept = tuple(sorted(row["class"] for row in document["classes"] if row["kept"]))
        source = catalog.labels.taxonomy(taxonomy)
        origin = f"vocabulary of {taxonomy}"
        _require_own(catalog, name, origin)
        said = without_models(catalog.labels.statements_about(taxonomy, kept))
        batch = 0
        with catalog.transaction():
            catalog.labels.define(
                Taxonomy(name, source.kind, kept, closed=source.closed, origin=origin)
            )
            former = catalog.labels.taxonomy(name).classes
            earlier = catalog.labels.statements_about(name, former)
            note = f"{len(kept)} of {document['labels']} labels of {taxonomy}"
            for who in dict.fromkeys([*said, *without_models(earlier)]):
                batch = max(
                    batch,
                    catalog.labels.replace_source(
                        name, said.get(who, ()), source=who, verb="vocabulary", note=note
                    ),
                )
    empty = len(former) - len(kept)
    return {
        "taxonomy": name,
        "labels": len(kept),
        "images": document["kept"]["images"],
        "lost_images": document["kept"]["lost_images"],
        "without_labels": empty,
        "batch": batch,
    }


def _require_own(catalog: Catalog, name: str, origin: str) -> None:
    for taxonomy in catalog.labels.taxonomies():
        if taxonomy.name == name and taxonomy.origin != origin:
            raise UsageError(f"there is a taxonomy '{name}' already; choose another: --into NAME")


def without_models(said: dict[str, list[Statement]]) -> dict[str, list[Statement]]:
    """Return what people, files and readers said; a model's word is no label."""
    return {source: found for source, found in said.items() if not source.startswith(_MODELS)}
