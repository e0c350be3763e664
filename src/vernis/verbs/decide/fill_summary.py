"""What a fill suggests for a taxonomy, counted, and told to people."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.domain.types import ModelRecord
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData
from vernis.verbs.decide.fill_basis import BASES, Basis
from vernis.verbs.decide.text_filling import TextFill, TextFilling
from vernis.verbs.decide.training_set import FilterEffect, images_where

if TYPE_CHECKING:
    from vernis.core.fill.head import FillEvidence
    from vernis.core.fill.plan import FillPlan
    from vernis.session.session import Session

_NEXT_LABELS = 50
"""So many images are named that a person should label next."""


@dataclass(frozen=True, slots=True)
class ClassFill:
    """What fill suggests for a class."""

    suggested: Annotated[int, "labels suggested"]
    threshold: Annotated[float | None, "from this probability on it is suggested"]
    bound: Annotated[float | None, "lower bound of its precision"]
    waiting: Annotated[int, "unlabelled images that look most like it and get no label"] = 0
    precision: Annotated[float | None, "of all its held-out answers, sure or not"] = None


@dataclass(frozen=True, slots=True)
class FillSummary:
    """What fill suggests for a taxonomy."""

    VERSION: ClassVar[int] = 6  # raise it when the method changes: suggestions are made anew

    taxonomy: str
    model: Annotated[str, "NAME@VERSION of the head"]
    precision: Annotated[float, "promised share of right labels among all suggestions"]
    confidence: Annotated[float, "how surely it is promised"]
    n_images: Annotated[int, "present images"]
    n_labelled: Annotated[int, "present images with a label"]
    suggested: Annotated[int, "labels suggested"]
    filled: Annotated[int, "unlabelled images that would get a label"]
    n_abstained: Annotated[int, "unlabelled images that stay unknown"]
    n_out_of_distribution: Annotated[int, "of these, unlike everything that was ever labelled"]
    filling_rate_before: Annotated[float, "share of the present images with a label"]
    filling_rate_after: float
    measured: Annotated[float | None, "precision of the accepted held-out answers"]
    bound: Annotated[float | None, "its lower bound"]
    label_noise: Annotated[float, "share of wrong given labels, taken out of both already"]
    held_out: Annotated[int, "held-out answers"]
    groups: Annotated[int, "groups of similar images that were held out together"]
    basis: Annotated[str, "what the promise rests on"]
    bias: Annotated[str, "in which direction that may err"]
    classes: Mapping[str, ClassFill]
    by_text: Annotated[
        TextFill | None, "labels by what is read, among `suggested`; null: no brands were found"
    ] = None
    label_next: Annotated[
        tuple[str, ...], "images that, labelled by a person, help most to fill the others"
    ] = ()
    notes: tuple[str, ...] = ()
    effect: Annotated[FilterEffect | None, "with --where: what the filter does"] = None


def summarize(
    session: Session,
    data: TrainingData,
    record: ModelRecord,
    plan: FillPlan | None,
    basis: Basis,
    precision: float,
    confidence: float,
) -> FillSummary:
    """Return the summary of a plan; None where there was nothing to fill."""
    matrix = session.matrix(data.taxonomy.name)
    if data.where:
        matrix = matrix.among(images_where(session, data.where))
    n_images, n_labelled = len(matrix.image_ids), int(matrix.labelled.sum())
    filled = len(np.unique(plan.image)) if plan is not None else 0
    on, bias = BASES[basis] if plan is not None else ("nothing to fill", "")
    return FillSummary(
        taxonomy=data.taxonomy.name,
        model=f"{record.name}@{record.version}",
        precision=precision,
        confidence=confidence,
        n_images=n_images,
        n_labelled=n_labelled,
        suggested=0 if plan is None else len(plan.image),
        filled=filled,
        n_abstained=n_images - n_labelled - filled,
        n_out_of_distribution=0 if plan is None else plan.n_out_of_distribution,
        filling_rate_before=n_labelled / n_images if n_images else 0.0,
        filling_rate_after=(n_labelled + filled) / n_images if n_images else 0.0,
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


def add_what_waits(
    session: Session,
    data: TrainingData,
    usable: NDArray[np.bool_],
    evidence: FillEvidence,
    plan: FillPlan,
    summary: FillSummary,
    seed: int,
) -> FillSummary:
    """Say which classes the images look like that get no label, and which of them to label."""
    from vernis.core.fill.next_labels import choose_next_labels

    waiting = np.setdiff1d(np.arange(len(evidence.unlabelled)), plan.image)
    if not len(waiting):
        return summary
    looks = Counter(evidence.unknown[waiting].argmax(axis=1).tolist())
    classes = {
        name: replace(
            summary.classes[name],
            waiting=looks[column],
            precision=_finite(plan.class_precision[column]),
        )
        for column, name in enumerate(data.taxonomy.classes)
    }
    at = np.flatnonzero(usable)[evidence.unlabelled]
    nearest = evidence.holdout.unknown.nearest[waiting]
    chosen = choose_next_labels(data.vectors, at[waiting], _NEXT_LABELS, nearest=nearest, seed=seed)
    uris = session.uris()
    label_next = tuple(uris[int(number)] for number in data.image_ids[chosen])
    most = [
        f"{name} ({found.waiting:,}"
        + (f", {found.precision:.0%} of such answers are right)" if found.precision else ")")
        for name, found in sorted(classes.items(), key=lambda item: -item[1].waiting)[:3]
        if found.waiting
    ]
    note = (
        f"{counted(len(waiting), 'image')} cannot be filled at this precision; most look like "
        f"{', '.join(most)}; to label by hand first: {', '.join(label_next[:3])}"
        + (", … (label_next in --json)" if len(label_next) > 3 else "")
    )
    return replace(summary, classes=classes, label_next=label_next, notes=(*summary.notes, note))


def say_filter(
    data: TrainingData, effect: FilterEffect | None, saved: Mapping[str, Any]
) -> list[str]:
    """Say what the filter does, and that the head was learned from other images, if it was."""
    said = [] if effect is None else [effect.sentence()]
    learned = str(saved.get("where", ""))
    if learned and learned != data.where:
        said.append(
            f"the model of '{data.taxonomy.name}' was learned where {learned}; to fill such images "
            f"alone: --where {shlex.quote(learned)}"
        )
    return said


def add_text(summary: FillSummary, text: TextFilling) -> FillSummary:
    """Count what the text fills among the suggestions; no image is filled by both."""
    n, found = summary.n_images, text.summary
    filled = summary.filled + found.suggested
    return replace(
        summary,
        suggested=summary.suggested + found.suggested,
        filled=filled,
        n_abstained=summary.n_abstained - found.suggested,
        filling_rate_after=(summary.n_labelled + filled) / n if n else 0.0,
        by_text=found,
        notes=(text.sentence(summary.precision), *summary.notes),
    )


def _finite(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _by_class(data: TrainingData, plan: FillPlan) -> dict[str, ClassFill]:
    suggested = Counter(plan.label.tolist())
    return {
        name: ClassFill(
            suggested=suggested[column],
            threshold=_finite(plan.thresholds[column]),
            bound=_finite(plan.class_bounds[column]),
        )
        for column, name in enumerate(data.taxonomy.classes)
    }


def _notes(data: TrainingData, plan: FillPlan | None, precision: float) -> tuple[str, ...]:
    notes = []
    if plan is None:
        return ("every image with a vector has a label",)
    if not len(plan.image) and math.isfinite(plan.bound):
        strange = counted(
            plan.n_out_of_distribution, "unlabelled image is", "unlabelled images are"
        )
        notes.append(
            f"a precision of {precision:.0%} could be promised, but no unlabelled image is sure "
            f"enough: {strange} unlike every labelled one; label some of them"
        )
    elif not len(plan.image):
        alike = (
            "; images that look alike, such as copies and photos of one scene, say the same and "
            f"count as one, which leaves {plan.n_groups:,}"
        )
        notes.append(
            f"a precision of {precision:.0%} cannot be promised from {plan.n_held_out:,} held-out "
            "answers (labels that the model did not see when it gave its own)"
            f"{alike if plan.n_groups < plan.n_held_out else ''}; confirm more labels or name a "
            "lower precision"
        )
    if plan.noise:
        notes.append(
            f"about {plan.noise:.0%} of the given labels are contradicted by the surest answers "
            "and by the nearest pictures; they were taken for wrong, and as many elsewhere"
        )
    if not plan.is_matched:
        notes.append(
            "the unlabelled images are less like the labelled ones than those that were put aside "
            "can be: the promise may not hold for them; label some of them"
        )
    if data.n_without_vector:
        one, many = "image was not embedded and is", "images were not embedded and are"
        notes.append(f"{counted(data.n_without_vector, one, many)} left out")
    return tuple(notes)
