"""What the promise of a fill rests on: the labels that its precision is checked against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.session.vectors import TrainingData

if TYPE_CHECKING:
    from vernis.core.fill.head import FillEvidence
    from vernis.session.session import Session

_OTHER_SOURCES = ("human", "given", "reader", "api", "proposal")
_CONFIRMED_IMAGES, _CONFIRMED_SHARE = 200, 0.5
"""From so many confirmed images, and such a share of the labelled ones, on the promise rests on
them alone. Fewer are mostly those that a person looked at because they were suspicious."""

Basis = Literal["given", "confirmed", "sampled"]
"""Which labels the promised precision is checked against."""
BASES: dict[Basis, tuple[str, str]] = {
    "given": (
        "what the model says of labelled images whose label it did not see (images that look "
        "alike, such as copies, were put aside together), against the given labels",
        "wrong given labels make the precision look too low; labels that are wrong always in the "
        "same way, and unlabelled images that belong to no class, make it look too high",
    ),
    "confirmed": (
        "what the model says of images whose label it did not see, against labels that a person "
        "confirmed",
        "confirmed images may be harder or easier than the unlabelled ones",
    ),
    "sampled": (
        "what the model says of images whose label it did not see, against a random sample that a "
        "person judged",
        "none but chance where every image belongs to a class; images that belong to none, and "
        "those that were added since the sample was drawn, make it look too high",
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What each image may be used for, ndarrays of bool of shape (n_images,).

    ``usable``: as evidence, or to be filled; labels that an earlier fill wrote are neither, as a
    head's own answers prove nothing. ``confirmed``: a person looked at it. ``sampled``: a person
    looked at it because it was drawn at random (``vernis lab truth``).
    """

    usable: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]
    sampled: NDArray[np.bool_]


def sort_rows(session: Session, data: TrainingData) -> Rows:
    """Say of each image what it may be used for, by who said its labels."""
    labels, name = session.catalog.labels, data.taxonomy.name
    filled = labels.images_said_by(name, "accepted:fill")
    by_others: set[int] = set().union(
        *(labels.images_said_by(name, word) for word in _OTHER_SOURCES)
    )
    confirmed = labels.images_said_by(name, "human") - filled

    def among(images: Iterable[int]) -> NDArray[np.bool_]:
        return np.isin(data.image_ids, np.asarray(sorted(images), np.int64))

    sampled = confirmed & judged_images(session, name)
    return Rows(~among(filled - by_others), among(confirmed), among(sampled))


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """The images that a person judged because they were drawn at random."""

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    image_ids: tuple[int, ...]


def judged_images(session: Session, taxonomy: str) -> set[int]:
    """Return the images that a person judged because they were drawn at random."""
    name = f"truth:{taxonomy}"
    sample = session.results.find(name, JudgedSample)
    if sample is None:
        # As version 0.1 kept it: a person's judgements cannot be made anew.
        kept = session.catalog.runs.summary(name) or {}
        return set(kept.get("image_ids", ()))
    return set(sample.image_ids)


def describe_sampled_basis(session: Session, taxonomy: str) -> str:
    """Say whether the promise of a fill rests on the judged random sample."""
    carry = session.catalog.labels.images_said_by(taxonomy, "human")
    carry &= judged_images(session, taxonomy)
    if len(carry) >= _CONFIRMED_IMAGES:
        return f"vernis fill {taxonomy} promises its precision from {len(carry):,} judged images"
    return (
        f"vernis fill {taxonomy} promises its precision from judged images once "
        f"{_CONFIRMED_IMAGES} of them carry a label; {len(carry):,} so far"
    )


def choose_basis(evidence: FillEvidence, rows: Rows) -> tuple[Basis, NDArray[np.bool_] | None]:
    """Return what the promise rests on, and the mask of those labelled images (None: all).

    A judged random sample speaks for all, however small its share is; other confirmed images only
    when they are many.
    """
    labelled = np.flatnonzero(rows.usable)[evidence.labelled]
    sampled, confirmed = rows.sampled[labelled], rows.confirmed[labelled]
    if sampled.sum() >= _CONFIRMED_IMAGES:
        return "sampled", sampled
    if confirmed.sum() >= _CONFIRMED_IMAGES and confirmed.mean() >= _CONFIRMED_SHARE:
        return "confirmed", confirmed
    return "given", None
