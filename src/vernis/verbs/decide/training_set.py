"""A training set by another taxonomy: the images that a filter holds for, and what that changes.

A label can be learned only from pictures that show it: a brand from bottles and packs rather than
from scenes (the thesis's remedy). What the filter does is measured by the leave-out predictions of
the kernel, on the same images twice: learned from them alone, and learned from all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import UsageError
from vernis.domain.types import Estimate, Space
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData, space_document
from vernis.verbs.decide.told_apart import LeaveOut, known_states
from vernis.verbs.see.filters import select_images

if TYPE_CHECKING:
    from vernis.session.session import Session

_FEWEST = 10
"""Labelled images below which no F1 is measured."""
_NOTHING = Estimate(math.nan)


@dataclass(frozen=True, slots=True)
class FilterEffect:
    """What a filter makes of a taxonomy; F1 is NaN where too few labels are left to measure it."""

    VERSION: ClassVar[int] = 1

    where: Annotated[str, "the filter"]
    images: Annotated[int, "present images that it holds for"]
    labelled: Annotated[int, "of these, images with a label and a vector"]
    images_in_all: Annotated[int, "present images"]
    labelled_in_all: Annotated[int, "of these, images with a label and a vector"]
    f1: Annotated[Estimate, "micro F1 on the filter's images, learned from them alone"]
    f1_of_all: Annotated[Estimate, "on the same images, learned from all"]
    macro_f1: Annotated[Estimate, "macro F1, learned from them alone"]
    macro_f1_of_all: Annotated[Estimate, "on the same images, learned from all"]

    def sentence(self) -> str:
        """Return images and F1 with and without the filter."""
        said = (
            f"where {self.where}: {self.images:,} of {counted(self.images_in_all, 'image')}, "
            f"{self.labelled:,} of {self.labelled_in_all:,} labelled"
        )
        if math.isnan(self.f1.value):
            return f"{said}; too few to measure F1"
        return (
            f"{said}; F1 on these is {_say(self.f1)} learned from them alone, "
            f"{_say(self.f1_of_all)} learned from all"
        )


def _say(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


def read_training_data(
    session: Session, taxonomy: str, space: Space, where: str = "", seed: int = 0
) -> tuple[TrainingData, FilterEffect | None]:
    """Return what is learned from, and what the filter does; None without a filter.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    FilterError
        The filter cannot be read, or names what the collection does not have.
    UsageError
        It holds for no image.
    """
    whole = session.training_data(taxonomy, space)
    if not where.strip():
        return whole, None
    chosen = images_where(session, where)
    part = whole.among(chosen, where.strip())
    return part, _effect(session, whole, part, len(chosen), seed)


def images_where(session: Session, where: str) -> NDArray[np.int64]:
    """Return the ids of the images that a filter holds for; raises UsageError without any."""
    chosen = select_images(session, where)
    if not len(chosen):
        raise UsageError(f"no image: {where.strip()} holds for none of {len(session.images()):,}")
    return chosen


def _effect(
    session: Session, whole: TrainingData, part: TrainingData, images: int, seed: int
) -> FilterEffect:
    """Return the effect, from the last time where nothing changed."""
    name = f"filter_effect:{part.taxonomy.name}"
    about = (space_document(whole.space), whole.taxonomy, whole.hashes, part.where, images, seed)
    mark = fingerprint(*about, whole.image_ids, whole.Y, whole.groups, part.image_ids)
    kept = session.results.find(name, FilterEffect, mark)
    if kept is None:
        f1 = _f1_with_and_without(whole, part, seed)
        kept = FilterEffect(
            where=part.where,
            images=images,
            labelled=part.n_labelled,
            images_in_all=len(session.images()),
            labelled_in_all=whole.n_labelled,
            **f1,
        )
        session.results.keep(name, kept, mark)
    return kept


def _f1_with_and_without(whole: TrainingData, part: TrainingData, seed: int) -> dict[str, Estimate]:
    from vernis.core.learn.evaluation import MEASURES, Intervals, evaluate

    labelled = (part.Y == 1).any(axis=1)
    classes = int((part.Y[labelled] == 1).any(axis=0).sum())
    if labelled.sum() < _FEWEST or classes < 2:
        names = ("f1", "f1_of_all", "macro_f1", "macro_f1_of_all")
        return dict.fromkeys(names, _NOTHING)

    def measured(intervals: Intervals) -> Estimate:
        value, low, high = (float(v) for v in intervals.measure(MEASURES[2]))
        return Estimate(value, low, high)

    rows = np.isin(whole.image_ids, part.image_ids)
    found: dict[str, Estimate] = {}
    for data, kept, suffix in ((part, slice(None), ""), (whole, rows, "_of_all")):
        probs, decided = (values[kept][labelled] for values in _decide(data, seed))
        Y, groups = part.Y[labelled], part.groups[labelled]
        evaluation = evaluate(Y, probs, decided, groups=groups, seed=seed)
        found[f"f1{suffix}"] = measured(evaluation.micro)
        found[f"macro_f1{suffix}"] = measured(evaluation.macro)
    return found


def _decide(data: TrainingData, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what the kernel says of each image without it, and the labels that follow."""
    from vernis.core.learn.thresholds import decide_single, tune_thresholds

    probs = LeaveOut(data, seed).of_all_classes
    if data.taxonomy.kind == "single":
        return probs, decide_single(probs)
    return probs, tune_thresholds(known_states(data), probs).decide(probs)
