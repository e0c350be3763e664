"""What fill tells about a taxonomy: figures, basis, notes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from vernis.domain.ports import Catalog
from vernis.domain.types import ModelRecord
from vernis.report.wording import counted
from vernis.workflows.training_data import TrainingData

if TYPE_CHECKING:
    from vernis.core.fill.plan import FillPlan

Basis = Literal["given", "confirmed", "sampled"]
"""Which labels the promised precision is checked against."""

_BASES: dict[Basis, tuple[str, str]] = {
    "given": (
        "out-of-bag predictions against the given labels, similar images held out together",
        "wrong given labels make the precision look too low; labels that are wrong always in the "
        "same way, and unlabelled images that belong to no class, make it look too high",
    ),
    "confirmed": (
        "out-of-bag predictions against labels that a person confirmed",
        "confirmed images may be harder or easier than the unlabelled ones",
    ),
    "sampled": (
        "out-of-bag predictions against a random sample that a person judged",
        "none but chance where every image belongs to a class; images that belong to none, and "
        "those that were added since the sample was drawn, make it look too high",
    ),
}


@dataclass(frozen=True, slots=True)
class FillSummary:
    """What fill suggests for a taxonomy.

    Attributes
    ----------
    taxonomy, model : str
    precision, confidence : float
        What is promised of all suggestions together, and how surely.
    n_images, n_labelled : int
        Present images, and those with a label.
    suggested : int
        Labels suggested.
    filled, withheld : int
        Unlabelled images that would get a label, and those that stay unknown.
    unlike : int
        Withheld images that are unlike everything that was ever labelled.
    before, after : float
        Filling rates: share of the present images with a label.
    measured, bound : float or None
        Precision of the accepted held-out answers and its lower bound; None when there are none.
    label_noise : float
        Estimated share of wrong given labels, already taken out of both.
    held_out, groups : int
        Held-out answers, and groups of similar images that were held out together.
    basis, bias : str
        What the promise rests on.
    classes : mapping
        Class → ``suggested``, ``threshold``, ``bound`` (None where unknown).
    notes : tuple of str
    """

    taxonomy: str
    model: str
    precision: float
    confidence: float
    n_images: int
    n_labelled: int
    suggested: int
    filled: int
    withheld: int
    unlike: int
    before: float
    after: float
    measured: float | None
    bound: float | None
    label_noise: float
    held_out: int
    groups: int
    basis: str
    bias: str
    classes: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def summarize_fill(
    catalog: Catalog,
    data: TrainingData,
    record: ModelRecord,
    plan: FillPlan | None,
    basis: Basis,
    precision: float,
    confidence: float,
) -> FillSummary:
    """Return the summary of a plan; None where there was nothing to fill."""
    matrix = catalog.labels.matrix(data.taxonomy.name)
    n_images, n_labelled = len(matrix.image_ids), int(matrix.labelled.sum())
    filled = len(np.unique(plan.image)) if plan is not None else 0
    on, bias = _BASES[basis] if plan is not None else ("nothing to fill", "")
    return FillSummary(
        taxonomy=data.taxonomy.name,
        model=f"{record.name}@{record.version}",
        precision=precision,
        confidence=confidence,
        n_images=n_images,
        n_labelled=n_labelled,
        suggested=0 if plan is None else len(plan.image),
        filled=filled,
        withheld=n_images - n_labelled - filled,
        unlike=0 if plan is None else plan.n_out_of_distribution,
        before=n_labelled / n_images if n_images else 0.0,
        after=(n_labelled + filled) / n_images if n_images else 0.0,
        measured=None if plan is None else _finite(plan.precision),
        bound=None if plan is None else _finite(plan.bound),
        label_noise=0.0 if plan is None else round(plan.noise, 4),
        held_out=0 if plan is None else plan.n_held_out,
        groups=0 if plan is None else plan.n_groups,
        basis=on,
        bias=bias,
        classes={} if plan is None else _by_class(data, plan),
        notes=_notes(data, plan, precision),
    )


def _finite(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _by_class(data: TrainingData, plan: FillPlan) -> dict[str, dict[str, float | None]]:
    suggested = Counter(plan.label.tolist())
    return {
        name: {
            "suggested": suggested[column],
            "threshold": _finite(plan.thresholds[column]),
            "bound": _finite(plan.class_bounds[column]),
        }
        for column, name in enumerate(data.taxonomy.classes)
    }


def _notes(data: TrainingData, plan: FillPlan | None, precision: float) -> tuple[str, ...]:
    notes = []
    if plan is None:
        return ("every image with a vector has a label",)
    if not len(plan.image) and math.isfinite(plan.bound):
        unlike = counted(plan.n_out_of_distribution, "unlabelled image is", "unlabelled images are")
        notes.append(
            f"a precision of {precision:.0%} could be promised, but no unlabelled image is sure "
            f"enough: {unlike} unlike every labelled one; label some of them"
        )
    elif not len(plan.image):
        notes.append(
            f"a precision of {precision:.0%} cannot be promised from {plan.n_held_out:,} held-out "
            f"answers in {plan.n_groups:,} groups; confirm more labels or name a lower precision"
        )
    if plan.noise:
        notes.append(
            f"about {plan.noise:.0%} of the given labels contradict the surest answers and their "
            "neighbours and were taken for wrong labels, as often elsewhere"
        )
    if not plan.is_matched:
        notes.append(
            "the unlabelled images are less like the labelled ones than any hold-out can imitate: "
            "the promise may not hold for them; label some of them"
        )
    if data.n_without_vector:
        one, many = "image has no vector and was", "images have no vector and were"
        notes.append(f"{counted(data.n_without_vector, one, many)} left out")
    return tuple(notes)
