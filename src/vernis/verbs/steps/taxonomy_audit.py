"""The state of a taxonomy: how far it is filled, its classes, whether pictures carry it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.audit import (
    LabelAudit,
    audit_labels,
    find_strong_pairs,
    redundancy,
    share_like_folder,
)
from vernis.core.words.class_folders import folder_of
from vernis.domain.types import LabelMatrix, Learnability
from vernis.verbs.decide.told_apart import tell_apart
from vernis.verbs.decide.training_set import FilterEffect, images_where, read_training_data
from vernis.verbs.steps.folder_classes import FOLDERS

if TYPE_CHECKING:
    from vernis.session.session import Session

_FREE_KEYWORDS = 50
"""From so many classes on a multi-label taxonomy is taken for free keywords."""

_TITLES = ("title", "headline", "name")


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often a class is used."""

    class_: str
    count: Annotated[int, "images that carry it"]
    share: Annotated[float, "of the labelled images"]


@dataclass(frozen=True, slots=True)
class LabelsPerImage:
    """How many images carry so many labels."""

    labels: int
    images: int


@dataclass(frozen=True, slots=True)
class ClassPair:
    """Two classes that stand together more often than by chance."""

    first: str
    second: str
    images: Annotated[int, "that carry both"]
    jaccard: Annotated[float, "images with both by images with either"]
    lift: Annotated[float, "images with both by those expected of independent classes"]


@dataclass(frozen=True, slots=True)
class TaxonomyAudit:
    """The state of one taxonomy; figures that cannot be had are null."""

    taxonomy: str
    description: Annotated[str, "what it is about, in the owner's words"]
    origin: Annotated[str, "where its labels came from: a file, folders, clusters"]
    kind: Annotated[str, "single or multi"]
    closed: Annotated[bool, "blank classes of a labelled image mean no"]
    ignored: Annotated[bool, "no step works on it unless it is named"]
    visual_meaning: Annotated[
        str | None, "whether the pictures tell its classes apart: yes, no or unclear; null: unknown"
    ]
    separation: Annotated[
        float | None,
        "how often an image with a class is told from one without it; 0.5 is chance, 1 always",
    ]
    separation_low: Annotated[float | None, "lower bound of its 95 % interval"]
    separation_high: Annotated[float | None, "upper bound"]
    free_keywords: Annotated[bool, "so many classes that they are free keywords"]
    images: int
    labelled: Annotated[int, "images with a label"]
    filling_rate: Annotated[float, "labelled by images"]
    confirmed: Annotated[int, "images with a label that a person confirmed"]
    classes: int
    classes_used: int
    imbalance: Annotated[float | None, "largest count by smallest"]
    entropy: Annotated[float | None, "of the counts, 1 = even"]
    labels: Annotated[int, "labels in all"]
    labels_per_image: Annotated[float | None, "mean over the labelled images"]
    rare_classes: Annotated[int, "on less than 0.1 % of the images"]
    rare_share: float
    unique_classes: Annotated[int, "on one image alone"]
    in_file_name: Annotated[float | None, "share of the labels that the file name repeats"]
    in_title: Annotated[float | None, "share of the labels that the title repeats"]
    like_their_folder: Annotated[
        float | None, "share of the images whose labels equal those of all others in their folder"
    ]
    class_counts: tuple[ClassCount, ...]
    labels_an_image: tuple[LabelsPerImage, ...]
    together: tuple[ClassPair, ...]
    effect: Annotated[FilterEffect | None, "with --where: what the filter does"] = None


def audit_taxonomies(
    session: Session, names: Sequence[str], where: str = ""
) -> tuple[TaxonomyAudit, ...]:
    """Return the state of taxonomies, on the images that a filter holds for.

    Raises
    ------
    NotFound
        There is no taxonomy of a name.
    FilterError, UsageError
        The filter is wrong or holds for no image.
    """
    said = ImageWords(session)
    chosen = images_where(session, where) if where.strip() else None
    audits = []
    for name in names:
        matrix = session.matrix(name)
        meaning, effect = _measure(session, matrix, where)
        if chosen is not None:
            matrix = matrix.among(chosen)
        audits.append(replace(describe_taxonomy(matrix, said, meaning), effect=effect))
    return tuple(audits)


class ImageWords:
    """The paths and the titles of the present images.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def _titles(self) -> Mapping[int, str]:
        told = self._session.catalog.images.metadata()
        return {image: title for image, said in told.items() if (title := _title(said))}

    def uris(self, image_ids: NDArray[np.int64]) -> list[str]:
        """Return the path of each image."""
        return self._session.table().uri_of(image_ids)

    def titles(self, image_ids: NDArray[np.int64]) -> list[str]:
        """Return what each image is called by its metadata, "" where it is not."""
        return [self._titles.get(image, "") for image in image_ids.tolist()]


def measure_meaning(session: Session, taxonomy: str) -> Learnability | None:
    """Return whether the pictures tell the classes of a taxonomy apart.

    None where nothing is embedded, no image is labelled, or all have the same labels.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    return _measure(session, session.matrix(taxonomy), "")[0]


def _measure(
    session: Session, matrix: LabelMatrix, where: str
) -> tuple[Learnability | None, FilterEffect | None]:
    space = session.current_space()
    if space is None or not matrix.labelled.any():
        return None, None
    data, effect = read_training_data(session, matrix.taxonomy.name, space, where)
    if not data.n_labelled:
        return None, effect
    told = tell_apart(session, data)
    return (told.whole if told.tested else None), effect


def describe_taxonomy(
    matrix: LabelMatrix,
    said: ImageWords,
    meaning: Learnability | None = None,
) -> TaxonomyAudit:
    """Return the state of one taxonomy; ``meaning`` is None where it was not measured."""
    uris = said.uris(matrix.image_ids)
    taxonomy = matrix.taxonomy
    audit = audit_labels(matrix.values)
    confirmed = (matrix.confirmed & (matrix.values == 1)).any(axis=1)
    names = [PurePosixPath(uri).stem for uri in uris]
    titles = said.titles(matrix.image_ids)
    return TaxonomyAudit(
        taxonomy=taxonomy.name,
        description=taxonomy.description,
        origin=taxonomy.origin,
        kind=taxonomy.kind,
        closed=taxonomy.closed,
        ignored=taxonomy.ignored,
        visual_meaning=None if meaning is None else meaning.verdict,
        separation=None if meaning is None else _number(meaning.separation),
        separation_low=None if meaning is None else _number(meaning.low),
        separation_high=None if meaning is None else _number(meaning.high),
        free_keywords=taxonomy.kind == "multi" and audit.n_used >= _FREE_KEYWORDS,
        images=audit.n_images,
        labelled=audit.n_labelled,
        filling_rate=audit.filling_rate,
        confirmed=int(confirmed.sum()),
        classes=audit.n_classes,
        classes_used=audit.n_used,
        imbalance=_number(audit.imbalance),
        entropy=_number(audit.entropy),
        labels=int(audit.counts.sum()),
        labels_per_image=_number(audit.mean_labels),
        rare_classes=audit.n_rare,
        rare_share=audit.rare_share,
        unique_classes=audit.n_unique,
        in_file_name=_repeated(matrix, names),
        in_title=_repeated(matrix, titles),
        like_their_folder=_like_folder(matrix, uris),
        class_counts=_class_counts(matrix, audit),
        labels_an_image=tuple(
            LabelsPerImage(k, int(n)) for k, n in enumerate(audit.labels_per_image)
        ),
        together=_together(matrix, audit),
    )


def _title(metadata: Mapping[str, Any]) -> str:
    said = {str(key).lower(): value for key, value in metadata.items()}
    return " ".join(str(said[name]) for name in _TITLES if said.get(name))


def _repeated(matrix: LabelMatrix, texts: Sequence[str]) -> float | None:
    repeated, labels = redundancy(matrix.values, matrix.taxonomy.classes, texts)
    return repeated / labels if labels else None


def _like_folder(matrix: LabelMatrix, uris: Sequence[str]) -> float | None:
    if matrix.taxonomy.origin == FOLDERS:
        return None  # by construction
    return _number(share_like_folder(matrix.values, [folder_of(uri) for uri in uris]))


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _class_counts(matrix: LabelMatrix, audit: LabelAudit) -> tuple[ClassCount, ...]:
    """Return the classes, most frequent first; the share is of the labelled images."""
    order = np.argsort(-audit.counts, kind="stable")
    return tuple(
        ClassCount(
            class_=matrix.taxonomy.classes[c],
            count=int(audit.counts[c]),
            share=float(audit.counts[c] / audit.n_labelled) if audit.n_labelled else 0.0,
        )
        for c in order
    )


def _together(matrix: LabelMatrix, audit: LabelAudit) -> tuple[ClassPair, ...]:
    return tuple(
        ClassPair(
            first=matrix.taxonomy.classes[pair.first],
            second=matrix.taxonomy.classes[pair.second],
            images=pair.together,
            jaccard=round(pair.jaccard, 4),
            lift=round(pair.lift, 3),
        )
        for pair in find_strong_pairs(audit)
    )


def say_meaning(audit: TaxonomyAudit) -> str:
    """Return whether the pictures tell the classes apart, with the interval; "" if unknown."""
    if audit.visual_meaning is None:
        return ""
    if audit.separation is None:
        return audit.visual_meaning
    low, high = audit.separation_low or 0.0, audit.separation_high or 1.0
    return f"{audit.visual_meaning}, {audit.separation:.2f} ({low:.2f}-{high:.2f})"
