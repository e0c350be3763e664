"""The long tail of a taxonomy: what remains at each frequency, and pruning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_names import known_name
from vernis.core.words.vocabulary import (
    FrequencyStudy,
    VocabularyChoice,
    choose_labels,
    split_names,
    study_frequencies,
)
from vernis.domain.errors import UsageError
from vernis.domain.types import LabelMatrix, Statement, Taxonomy

if TYPE_CHECKING:
    from vernis.session.session import Session

_MODELS = "model:"
_TABLE = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """What remains when only labels on so many images stay."""

    min_count: int
    labels: int
    images: Annotated[int, "images that keep a label"]
    image_share: float
    assignments: Annotated[int, "labels on images"]
    assignment_share: float


@dataclass(frozen=True, slots=True)
class RankedLabel:
    """A label by its frequency."""

    rank: int
    class_: str
    count: Annotated[int, "images"]
    kept: Annotated[bool, "whether the choice keeps it"]


@dataclass(frozen=True, slots=True)
class KeptLabels:
    """What the choice keeps."""

    labels: int
    images: int
    lost_images: Annotated[int, "labelled images that would carry none of them"]
    assignments: int
    min_count: Annotated[int, "images of the rarest"]


@dataclass(frozen=True, slots=True)
class VocabularyStudy:
    """The long tail of a taxonomy."""

    taxonomy: str
    images: Annotated[int, "labelled images"]
    labels: int
    assignments: Annotated[int, "labels on images"]
    frequencies: Annotated[tuple[FrequencyRow, ...], "at each minimum frequency"]
    classes: Annotated[tuple[RankedLabel, ...], "most frequent first"]
    kept: KeptLabels
    table: Annotated[tuple[FrequencyRow, ...], "at round minimum frequencies"] = ()
    plot: Annotated[str | None, "path of the figure"] = None


@dataclass(frozen=True, slots=True)
class PrunedVocabulary:
    """The taxonomy that a pruning wrote."""

    taxonomy: str
    labels: int
    images: int
    lost_images: int
    without_labels: Annotated[int, "classes of an earlier pruning that are empty now"]
    batch: Annotated[int, "0 when nothing changed"]


def choice_of(
    session: Session,
    taxonomy: str,
    *,
    min_count: int | None = None,
    keep: int | None = None,
    only: Sequence[str] | None = None,
    drop: Sequence[str] = (),
) -> VocabularyChoice:
    """Return the choice; in ``drop`` several labels may be joined by commas."""
    classes = session.catalog.labels.taxonomy(taxonomy).classes
    kept = None if only is None else tuple(known_name(name, classes) for name in only)
    return VocabularyChoice(min_count, keep, kept, split_names(drop, classes))


def study_vocabulary(
    session: Session, taxonomy: str, choice: VocabularyChoice
) -> tuple[FrequencyStudy, VocabularyStudy]:
    """Return what remains of a taxonomy at each minimum frequency, and what a choice keeps.

    Raises
    ------
    NotFound
        There is no such taxonomy, or a label that the choice names is not in it.
    UsageError
        It carries no label, or none would stay.
    """
    matrix = session.matrix(taxonomy)
    classes, yes = matrix.taxonomy.classes, labels_of(matrix)
    study = study_frequencies(yes)
    stays = choose_labels(classes, study.counts, choice)
    order = sorted(
        np.flatnonzero(study.counts > 0).tolist(), key=lambda c: (-study.counts[c], classes[c])
    )
    images, held = int(study.images[0]), yes[:, stays]
    remaining = int(held.any(axis=1).sum())
    return study, VocabularyStudy(
        taxonomy=taxonomy,
        images=images,
        labels=int(study.labels[0]),
        assignments=int(study.assignments[0]),
        frequencies=tuple(
            _row(study, row, int(study.thresholds[row])) for row in range(len(study.thresholds))
        ),
        classes=tuple(
            RankedLabel(rank, classes[c], int(study.counts[c]), bool(stays[c]))
            for rank, c in enumerate(order, 1)
        ),
        kept=KeptLabels(
            labels=int(stays.sum()),
            images=remaining,
            lost_images=images - remaining,
            assignments=int(held.sum()),
            min_count=int(study.counts[stays].min()),
        ),
    )


def _row(study: FrequencyStudy, row: int, min_count: int) -> FrequencyRow:
    return FrequencyRow(
        min_count=min_count,
        labels=int(study.labels[row]),
        images=int(study.images[row]),
        image_share=float(study.images[row] / study.images[0]),
        assignments=int(study.assignments[row]),
        assignment_share=float(study.assignments[row] / study.assignments[0]),
    )


def round_thresholds(study: FrequencyStudy, chosen: Iterable[int] = ()) -> tuple[FrequencyRow, ...]:
    """Return the rows of the study at round minimum frequencies and at the chosen ones."""
    top = int(study.counts.max())
    thresholds = sorted({t for t in (*_TABLE, *chosen) if t <= top})
    return tuple(_row(study, study.at(threshold), threshold) for threshold in thresholds)


def labels_of(matrix: LabelMatrix) -> NDArray[np.bool_]:
    """Return which image carries which label; raises UsageError when none does."""
    yes = matrix.values == 1
    if not yes.any():
        raise UsageError(f"taxonomy '{matrix.taxonomy.name}' carries no label yet")
    return np.asarray(yes)


def prune_vocabulary(
    session: Session, taxonomy: str, choice: VocabularyChoice, *, into: str = ""
) -> PrunedVocabulary:
    """Write the labels that a choice keeps as a taxonomy of their own, as one batch.

    The taxonomy itself is left as it is, so that no given label is lost. What each source says of
    the labels that stay is copied with its source; predictions of models are not.

    Parameters
    ----------
    session : Session
    taxonomy : str
    choice : VocabularyChoice
        Not empty.
    into : str
        The new taxonomy; default ``TAXONOMY@pruned``. One that an earlier pruning of the same
        taxonomy wrote is written anew.
    """
    if choice.is_empty:
        raise UsageError("say which labels stay: --min-count N, --keep N, --only FILE or --drop A")
    name = into or f"{taxonomy}@pruned"
    catalog = session.catalog
    with session.lock("vocabulary"):
        _, study = study_vocabulary(session, taxonomy, choice)
        kept = tuple(sorted(row.class_ for row in study.classes if row.kept))
        source = catalog.labels.taxonomy(taxonomy)
        origin = f"vocabulary of {taxonomy}"
        _require_own(session, name, origin)
        said = without_models(catalog.labels.statements_about(taxonomy, kept))
        batch = 0
        with catalog.transaction():
            catalog.labels.define(
                Taxonomy(name, source.kind, kept, closed=source.closed, origin=origin)
            )
            former = catalog.labels.taxonomy(name).classes
            earlier = catalog.labels.statements_about(name, former)
            note = f"{len(kept)} of {study.labels} labels of {taxonomy}"
            for who in dict.fromkeys([*said, *without_models(earlier)]):
                batch = max(
                    batch,
                    catalog.labels.replace_source(
                        name, said.get(who, ()), source=who, verb="vocabulary", note=note
                    ),
                )
    empty = len(former) - len(kept)
    return PrunedVocabulary(
        taxonomy=name,
        labels=len(kept),
        images=study.kept.images,
        lost_images=study.kept.lost_images,
        without_labels=empty,
        batch=batch,
    )


def _require_own(session: Session, name: str, origin: str) -> None:
    for taxonomy in session.taxonomies():
        if taxonomy.name == name and taxonomy.origin != origin:
            raise UsageError(f"there is a taxonomy '{name}' already; choose another: --into NAME")


def without_models(said: dict[str, list[Statement]]) -> dict[str, list[Statement]]:
    """Return what people, files and readers said; a model's word is no label."""
    return {source: found for source, found in said.items() if not source.startswith(_MODELS)}
