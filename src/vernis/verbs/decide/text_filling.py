"""Fill missing labels by the brands that were read, at the precision that ``fill`` promises.

An image in which exactly one brand is read gets its class, where labelled images in which one is
read as surely bear it out: how surely it is read, and what the pictures say of it, are turned into
the probability of being right by the labelled ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.text.conclusions import strength
from vernis.domain.documents import to_document
from vernis.domain.types import Suggestion
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData
from vernis.verbs.decide.text_voice import TextVoice, hear_text
from vernis.verbs.decide.told_apart import (
    LeaveOut,
    ToldApart,
)

if TYPE_CHECKING:
    from vernis.core.fill.heard import HeardPlan
    from vernis.session.session import Session

_STRONGEST = 6.0
"""In nats; a reading that is likelier still is no surer."""
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class TextFill:
    """What is filled by the text in the pictures."""

    suggested: Annotated[int, "labels suggested, one an image"]
    asked: Annotated[int, "unlabelled images in which exactly one brand is read"]
    held_out: Annotated[int, "labelled images in which exactly one brand is read"]
    agreeing: Annotated[int, "of these, images whose label it is"]
    measured: Annotated[float | None, "precision of those that are as surely read"]
    bound: Annotated[float | None, "lower bound of the precision of what is suggested"]
    label_noise: Annotated[
        float, "share of wrong given labels (text and pictures contradict them), taken out of both"
    ]
    undecided: Annotated[
        int, "labels that the text contradicts and nobody has decided: each weighs on the promise"
    ] = 0


@dataclass(frozen=True, slots=True, eq=False)
class TextFilling:
    """The same with the suggestions, and which rows of the data they fill."""

    summary: TextFill
    suggestions: list[Suggestion]
    filled: NDArray[np.bool_]

    def sentence(self, precision: float) -> str:
        """Return what the text fills, and what that rests on."""
        found = self.summary
        one, many = "labelled image in which one brand is read", None
        many = "labelled images in which one brand is read"
        basis = f"in {found.agreeing:,} of {counted(found.held_out, one, many)} it is the label"
        if found.suggested:
            return f"{counted(found.suggested, 'label')} by what is read: {basis}"
        if not found.asked:
            return "in no unlabelled image exactly one brand is read"
        held = f"by what is read alone {precision:.0%} cannot be promised: {basis}"
        if not found.undecided:
            return held
        one, many = "label that the text contradicts", "labels that the text contradicts"
        return f"{held}; decide the {counted(found.undecided, one, many)} first (vernis issues)"


def fill_by_text(
    session: Session,
    data: TrainingData,
    usable: NDArray[np.bool_],
    told: ToldApart,
    precision: float,
    confidence: float,
    seed: int,
) -> TextFilling:
    """Suggest the brands that are read for images without a label.

    Parameters
    ----------
    session : Session
    data : TrainingData
    usable : ndarray of bool, shape (n_images,)
        Images that may be evidence or be filled.
    told : ToldApart
        Where the pictures tell the classes apart they have a say in how sure an answer is.
    precision, confidence : float
    seed : int
    """
    from vernis.core.fill.heard import plan_heard

    voice = hear_text(session, data)
    rows, columns, strengths = _answers(voice, data, usable)
    by_pictures = np.zeros(len(rows))
    backed = np.zeros(len(rows), bool)
    if told.is_judged and len(rows):
        probs = LeaveOut(data, seed).of_all_classes
        own = np.clip(probs[rows, columns].astype(np.float64), _LEAST, 1 - _LEAST)
        by_pictures = np.log(own / (1 - own))
        backed = probs[rows].argmax(axis=1) == columns
    features = np.column_stack([strengths, by_pictures])
    labelled = (data.Y[rows] == 1).any(axis=1)
    correct = data.Y[rows, columns] == 1
    asked = ~labelled & (data.Y[rows, columns] != 0)  # a person may have denied it
    plan = plan_heard(
        features[labelled],
        correct[labelled],
        features[asked],
        groups=data.groups[rows[labelled]],
        backed=backed[labelled],
        kind=data.taxonomy.kind,
        precision=precision,
        confidence=confidence,
        seed=seed,
    )
    chosen = np.flatnonzero(asked)[plan.chosen]
    filled = np.zeros(len(data.image_ids), bool)
    filled[rows[chosen]] = True
    return TextFilling(
        summary=_summarize(
            plan,
            int(asked.sum()),
            int(correct[labelled].sum()),
            session.catalog.issues.counts().get(("text_differs", data.taxonomy.name), 0),
        ),
        suggestions=[] if voice is None else _suggestions(data, voice, rows, columns, chosen, plan),
        filled=filled,
    )


def _answers(
    voice: TextVoice | None, data: TrainingData, usable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return row, column and strength for the images in which exactly one brand is read."""
    found: list[tuple[int, int, float]] = []
    for row, read in enumerate(() if voice is None else voice.matches):
        column = voice.column_of.get(read[0].brand) if voice and len(read) == 1 else None
        if column is not None and usable[row]:
            found.append((row, column, min(strength(read[0]), _STRONGEST)))
    rows, columns, strengths = zip(*found, strict=True) if found else ((), (), ())
    return np.array(rows, np.int64), np.array(columns, np.int64), np.array(strengths, np.float64)


def _suggestions(
    data: TrainingData,
    voice: TextVoice,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    chosen: NDArray[np.int64],
    plan: HeardPlan,
) -> list[Suggestion]:
    return [
        Suggestion(
            image_id=int(data.image_ids[rows[at]]),
            taxonomy=data.taxonomy.name,
            label=data.taxonomy.classes[columns[at]],
            probability=float(probability),
            evidence={
                "source": voice.source,
                "read": to_document(voice.evidence[rows[at]]),
                "neighbors": [],
            },
        )
        for at, probability in zip(chosen.tolist(), plan.probability, strict=True)
    ]


def _summarize(plan: HeardPlan, asked: int, agreeing: int, undecided: int) -> TextFill:
    def finite(value: float) -> float | None:
        return round(float(value), 4) if math.isfinite(value) else None

    return TextFill(
        suggested=len(plan.chosen),
        asked=asked,
        held_out=plan.n_held_out,
        agreeing=agreeing,
        measured=finite(plan.precision),
        bound=finite(plan.bound),
        label_noise=round(plan.noise, 4),
        undecided=undecided,
    )
