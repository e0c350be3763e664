"""Judge the given labels of a taxonomy and write what is suspected as issues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.text.voice import hear_voice
from vernis.domain.documents import to_document
from vernis.domain.errors import NothingToLearn, UsageError
from vernis.domain.ports import Rows
from vernis.domain.types import ChangeKind, Estimate, Issue, LabelScorer, Space, TaxonomyKind
from vernis.report.wording import counted
from vernis.session.results import from_document
from vernis.session.vectors import TrainingData, space_document
from vernis.verbs.decide.block_choice import space_of
from vernis.verbs.decide.brand_reading import BrandEvidence
from vernis.verbs.decide.given_probabilities import read_probabilities
from vernis.verbs.decide.judged_count import JudgingAdvice, advise_judging
from vernis.verbs.decide.text_voice import TextVoice, hear_text, voice_mark
from vernis.verbs.decide.told_apart import (
    LeaveOut,
    Slip,
    ToldApart,
    as_given,
    known_states,
    slips_of,
    tell_apart,
    vary,
    view_of,
)
from vernis.verbs.decide.training_set import FilterEffect, read_training_data
from vernis.verbs.declare import SEED, WHERE, BaseSettings, Option, count, share

if TYPE_CHECKING:
    from vernis.core.labels.class_faults import ClassView
    from vernis.core.labels.issues import LabelIssues, SupportingNeighbors
    from vernis.session.session import Session

_NEWER = ("where", "pictures_only")
"""Settings that count in a fingerprint only where they are given, as earlier versions had none."""
_FEWEST = 10
"""Labelled images below which nothing is judged."""


@dataclass(frozen=True)
class JudgementSettings(BaseSettings):
    """How labels are judged."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    scorer: Annotated[
        LabelScorer | None,
        Option("rank by another scorer (mse is the thesis's); default: the best of each kind"),
    ] = None
    predictions: Annotated[
        Literal["kernel", "out-of-bag", "ensemble"] | None,
        Option(
            "hold the labels against leave-out predictions of a kernel (default), or those of the "
            "head: by the estimators that did not train on the image, or by all"
        ),
    ] = None
    min_yield: Annotated[
        float, share("reading pays while this share of the images is wrong", "SHARE")
    ] = 0.25
    pictures_only: Annotated[
        bool, Option("by the pictures alone, even where `vernis brands` has found brands in them")
    ] = False
    neighbors: Annotated[int, count("similar images kept as evidence", at_least=0)] = 5
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class LabelJudgement:
    """What was found in a taxonomy."""

    VERSION: ClassVar[int] = 10  # raise it when the judgement changes: all is judged anew

    taxonomy: str
    scorer: Annotated[str, "what the images are ranked by"]
    space: Annotated[str, "the embedding space whose vectors judged"]
    n_labelled: Annotated[int, "images with a label"]
    n_judged: Annotated[int, "images with a label that no person confirmed and others speak of"]
    flagged: Annotated[int, "issues worth reading"]
    wrong: Annotated[
        Estimate | None,
        "estimated images with a wrong label; null: the pictures do not tell the classes apart",
    ]
    n_worth_reading: Annotated[int, "images from the top of the ranking that are worth reading"]
    n_expected: Annotated[float, "wrong ones expected among those"]
    n_in_duplicates: Annotated[int, "images whose label disagrees with a duplicate's"]
    told_apart: Annotated[
        ToldApart | None,
        "whether the pictures tell the classes apart; null: probabilities were given from outside",
    ] = None
    notes: tuple[str, ...] = ()
    effect: Annotated[FilterEffect | None, "with --where: what the filter does"] = None
    to_judge: Annotated[
        JudgingAdvice | None,
        "labels to judge, where the pictures alone do not tell closely how many are wrong",
    ] = None
    with_text: Annotated[bool, "whether the brands that are read in the pictures spoke too"] = False

    @property
    def where(self) -> str:
        """The filter that the judged images fulfil; "" for all images."""
        return "" if self.effect is None else self.effect.where

    @property
    def findings(self) -> list[str]:
        """What a person should know before any label is called wrong."""
        return [] if self.told_apart is None else self.told_apart.sentences()


@dataclass(frozen=True, slots=True)
class SupportingNeighbor:
    """A similar image that speaks for a suggestion."""

    image_id: int
    label: str
    similarity: Annotated[float, "cosine, 0 to 1"]


Voice = Literal["pictures", "text"]
"""What speaks against a label: images that look alike, or another brand that is surely read."""


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """What is kept beside the score of a label issue; no ``change`` where none is suggested.

    ``expected`` is how many of the labels of a judged image are wrong by the chances of all, with
    its ``variance`` (also of those that are not flagged). ``against`` and ``read`` are there where
    brands were found in the text of the pictures.
    """

    change: ChangeKind = "replaced"
    given: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()
    probability: float | None = None
    probability_of_multiple: float | None = None
    expected: float | None = None
    variance: float | None = None
    neighbors: tuple[SupportingNeighbor, ...] = ()
    agreement: float | None = None
    against: tuple[Voice, ...] = ()
    read: tuple[BrandEvidence, ...] = ()
    duplicates: tuple[int, ...] = ()


def evidence_of(issue: Issue) -> LabelEvidence:
    """Return the evidence of a label issue."""
    return from_document(LabelEvidence, issue.evidence)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """``labels`` and ``issues`` speak of the classes of ``view``, ``suggested`` of all.

    ``by_pictures`` are the labels that are likeliest by the pictures alone, of the kept classes.
    """

    data: TrainingData
    view: ClassView
    suggested: NDArray[np.bool_]
    labels: NDArray[Any]
    judged: NDArray[np.bool_]
    conflicts: list[NDArray[np.int64]]
    features: Rows
    issues: LabelIssues
    voice: TextVoice | None
    by_pictures: NDArray[np.bool_]


def judge_labels(
    session: Session,
    taxonomy: str,
    settings: JudgementSettings | None = None,
    given: Any = None,
) -> LabelJudgement:
    """Score every given label, and flag those that are probably wrong.

    Where the pictures do not tell the classes apart, nothing is scored or flagged; a class that
    they do not tell from the others is left out, and one that is another one counts as that.

    Each image is predicted from all others (never from its duplicates). Labels that a person
    confirmed teach but are not judged; neither are the ``no`` that an open taxonomy only assumes.
    When nothing changed since the last time, the issues of that time stay. The layers of the
    embedding space weigh the same each; `space_of` says which space that is. Where brands were
    found in the pictures' text, what is read speaks too (`hear_voice`). ``given`` holds
    probabilities of the caller's own, which the labels are held against instead; see
    ``read_probabilities``.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    NothingToLearn
        If fewer than 10 images have labels and vectors, or all the same one.
    UsageError
        If the head's predictions are asked for and it is not learned, or of an older state.
    """
    settings = settings or JudgementSettings()
    name, task = f"label_issues:{taxonomy}", f"label issues of {taxonomy}"
    with session.lock(f"issues {taxonomy}"):
        space, choice = session.space(), None
        if given is None:
            space, choice = space_of(session, taxonomy, settings.seed)
        data, effect = read_training_data(session, taxonomy, space, settings.where, settings.seed)
        require_labels(data)
        # Somebody else's predictions may tell more than the vectors do.
        alone = np.zeros(data.Y.shape, bool) if given is not None else _without_witnesses(data)
        judged = _judged_entries(data) & ~alone
        conflicts = _conflicts(session, data)
        probs = None
        if given is not None:
            probs = read_probabilities(session, given, data)
        elif settings.predictions in ("out-of-bag", "ensemble"):
            probs = head_predictions(session, data, settings.predictions)
        said = LeaveOut(data, settings.seed)
        told = None if given is not None else tell_apart(session, data, settings.seed, said)
        heard = "" if given is not None or settings.pictures_only else voice_mark(session, taxonomy)
        mark = _fingerprint(data, judged, conflicts, space, settings, probs, told)
        if heard:
            mark = fingerprint(mark, heard)
        kept = session.results.find(name, LabelJudgement, mark)
        if kept is not None:
            return kept
        session.progress(task, 0, 3)
        rows: Iterable[Issue] = ()
        notes = _notes(data, conflicts, int(alone.any(axis=1).sum()), given is not None)
        if choice is not None:
            notes += (choice.sentence(),)
        found = None
        if told is None or told.is_judged:
            voice = hear_text(session, data) if heard else None
            found = _judge(said, judged, conflicts, settings, probs, told, voice)
        if found is not None:
            judgement = _summarize(found, space, told, notes)
            rows = chain(_rows(found, settings), _unjudged_rows(found))
        else:
            judgement = _not_judged(data, conflicts, space, told, notes)
        judgement = replace(judgement, with_text=bool(heard))
        if effect is not None:
            notes = (effect.sentence(), *judgement.notes)
            judgement = replace(judgement, effect=effect, notes=notes)
        session.progress(task, 2, 3)
        with session.catalog.transaction():
            session.catalog.issues.replace(("label",), rows, taxonomy)
            session.results.keep(name, judgement, mark)
        session.progress(task, 3, 3)
    return judgement


def head_predictions(session: Session, data: TrainingData, which: str) -> NDArray[np.float32]:
    """Return what the latest head predicts for the images, shape (n_images, n_classes)."""
    name = data.taxonomy.name
    record = session.catalog.models.latest(name)
    if record is None:
        raise UsageError(f"'{name}' has not been learned yet; run 'vernis learn {name}' first")
    stored = session.catalog.models.predictions(record)
    probs = stored["oob" if which == "out-of-bag" else "ensemble"]
    if not np.array_equal(stored["image_ids"], data.image_ids) or probs.shape != data.Y.shape:
        learned = str(session.catalog.models.load(record)[1].get("where", ""))
        if learned != data.where:
            of = f"images where {learned}" if learned else "all images"
            raise UsageError(
                f"the latest model of '{name}' was learned from {of}; give --where alike"
            )
        raise UsageError(f"images or classes came since; run 'vernis learn {name}' again")
    return np.asarray(probs, np.float32)


def require_labels(data: TrainingData) -> None:
    """Raise NothingToLearn where too few images have a label, or all the same one."""
    labelled = (data.Y == 1).any(axis=1)
    if int(labelled.sum()) < _FEWEST:
        raise NothingToLearn(
            f"{data.subject} has {int(labelled.sum())} labelled images with vectors, judging "
            f"labels needs {_FEWEST} or more; label some images first"
        )
    if not vary(data.Y):
        raise NothingToLearn(
            f"all labelled images of {data.subject} have the same labels; there is nothing to "
            "compare"
        )


def _judged_entries(data: TrainingData) -> NDArray[np.bool_]:
    """Return which entries somebody stated, and no person confirmed."""
    labelled = (data.Y == 1).any(axis=1)
    return np.asarray(data.stated & ~data.confirmed & labelled[:, None])


def _without_witnesses(data: TrainingData) -> NDArray[np.bool_]:
    """Return the labels of which no other image speaks, so that they are not judged."""
    from vernis.core.labels.witnesses import without_witnesses

    return without_witnesses(data.Y, data.groups)


def _conflicts(session: Session, data: TrainingData) -> list[NDArray[np.int64]]:
    """Return the rows of each group of duplicates whose labels disagree."""
    found = []
    for group in session.groups():
        if data.taxonomy.name not in group.conflicts:
            continue
        members = np.sort(np.asarray(group.images, np.int64))
        rows = np.searchsorted(data.image_ids, members)
        rows = rows[rows < len(data.image_ids)]
        rows = rows[np.isin(data.image_ids[rows], members)]
        rows = rows[(data.Y[rows] == 1).any(axis=1)]
        if len(np.unique(data.Y[rows], axis=0)) > 1:
            found.append(rows)
    return found


def _fingerprint(
    data: TrainingData,
    judged: NDArray[np.bool_],
    conflicts: list[NDArray[np.int64]],
    space: Space,
    settings: JudgementSettings,
    probs: NDArray[np.float32] | None,
    told: ToldApart | None,
) -> str:
    used = [
        getattr(settings, field.name)
        for field in fields(JudgementSettings)
        if field.name not in _NEWER or getattr(settings, field.name)
    ]
    about = [used, space_document(space), data.taxonomy, conflicts, data.hashes]
    return fingerprint(*about, told, data.image_ids, data.Y, data.groups, judged, probs)


def _judge(
    said: LeaveOut,
    judged: NDArray[np.bool_],
    conflicts: list[NDArray[np.int64]],
    settings: JudgementSettings,
    probs: NDArray[np.float32] | None,
    told: ToldApart | None,
    voice: TextVoice | None,
) -> _Judged | None:
    """Judge the labels; None where the leave-out predictions speak of none of them."""
    from vernis.core.labels.issues import find_label_issues
    from vernis.core.labels.witnesses import speak_beyond_chance

    data, features = said.data, said.features
    view, kind = view_of(told, data.taxonomy.classes), data.taxonomy.kind
    targets = view.reduce(known_states(data))
    labels = as_given(kind, targets)
    # An image may have lost all of its labels to the classes that are left out.
    conflicts = _with_labels(conflicts, targets)
    if probs is None:
        probs = said.seen_by(view)
        tested = told is not None and told.tested
        if tested and not speak_beyond_chance(targets, probs, data.groups, seed=settings.seed):
            return None
    else:
        probs = view.reduce_probabilities(probs, kind)
    slips = slips_of(told, data.taxonomy.classes, view)
    probs = _speak_for_what_is_meant(probs, view.kept, slips, targets, kind)
    by_pictures = _likeliest(probs, kind)
    if voice is not None:
        probs = hear_voice(probs, view.reduce(voice.log_odds), targets, kind)
    issues = find_label_issues(
        labels,
        probs,
        scorer=settings.scorer,
        judged=view.reduce_mask(judged),
        groups=conflicts,
        min_yield=settings.min_yield,
    )
    suggested = view.restore(issues.suggested, data.Y == 1)
    issues = _without_slips(issues, suggested, data.Y == 1, slips)
    return _Judged(
        data, view, suggested, labels, judged, conflicts, features, issues, voice, by_pictures
    )


def _speak_for_what_is_meant(
    probs: NDArray[np.float32],
    kept: NDArray[np.int64],
    slips: list[Slip],
    targets: NDArray[np.float32],
    kind: TaxonomyKind,
) -> NDArray[np.float32]:
    """Return predictions in which no misspelt class speaks but where it is given.

    What is predicted of it speaks for the class that is meant.
    """
    if not slips:
        return probs
    said = probs.copy()
    join = np.add if kind == "single" else np.maximum
    for label, into in np.searchsorted(kept, slips).tolist():
        rows = targets[:, label] != 1
        said[rows, into] = join(said[rows, into], said[rows, label])
        said[rows, label] = 0
    return said


def _without_slips(
    issues: LabelIssues,
    suggested: NDArray[np.bool_],
    given: NDArray[np.bool_],
    slips: list[Slip],
) -> LabelIssues:
    """Put the class that is meant into the suggestions, in place of a misspelt one.

    Where that changes nothing, as the given class is the one that is meant, nothing is flagged.
    """
    changed = np.zeros(len(given), bool)
    for label, into in slips:
        comes = suggested[:, label] & ~given[:, label]
        suggested[comes, label], suggested[comes, into] = False, True
        changed |= comes
    same = changed & (suggested == given).all(axis=1)
    if not same.any():
        return issues
    suggested[same] = False
    change, flagged = issues.change.copy(), issues.flagged & ~same
    change[same] = ""
    return replace(issues, change=change, flagged=flagged)


def _likeliest(probs: NDArray[np.float32], kind: TaxonomyKind) -> NDArray[np.bool_]:
    """Return the labels that predictions give by themselves, shape (n_images, n_classes)."""
    if kind == "multi":
        return np.asarray(probs >= 0.5)
    return np.asarray(probs == probs.max(axis=1, keepdims=True))


def _with_labels(
    conflicts: list[NDArray[np.int64]], targets: NDArray[np.float32]
) -> list[NDArray[np.int64]]:
    """Return the groups as far as their images are judged, those that still disagree."""
    labelled = (targets == 1).any(axis=1)
    kept = [rows[labelled[rows]] for rows in conflicts]
    return [rows for rows in kept if len(np.unique(targets[rows], axis=0)) > 1]


def _rows(found: _Judged, settings: JudgementSettings) -> Iterator[Issue]:
    """Yield one issue for every labelled image, with evidence for the flagged ones."""
    from vernis.core.labels.issues import find_supporting_neighbors

    issues, data = found.issues, found.data
    queries = issues.order[issues.flagged[issues.order]]
    supporting = find_supporting_neighbors(
        found.features,
        found.labels,
        issues,
        queries,
        n_neighbors=settings.neighbors,
        groups=data.groups,
    )
    place = {int(row): k for k, row in enumerate(queries)}
    in_conflict = {int(row): rows for rows in found.conflicts for row in rows}
    classes = np.asarray(data.taxonomy.classes)
    return (
        Issue(
            kind="label",
            image_id=int(data.image_ids[row]),
            score=float(issues.score[row]),
            flagged=bool(issues.flagged[row]),
            taxonomy=data.taxonomy.name,
            evidence={
                "change": str(issues.change[row]),
                "given": classes[data.Y[row] == 1].tolist(),
                "suggested": classes[found.suggested[row]].tolist(),
                "probability": round(float(issues.probability[row]), 4),
                "probability_of_multiple": round(float(issues.probability_of_multiple[row]), 4),
                "expected": round(float(issues.expected[row]), 4),
                "variance": round(float(issues.variance[row]), 4),
                **_supporting_neighbors(found, supporting, place.get(int(row))),
                **_disagreeing_duplicates(found, in_conflict.get(int(row)), int(row)),
                **_voices(found, int(row)),
            },
        )
        for row in issues.order.tolist()
    )


def _voices(found: _Judged, row: int) -> dict[str, Any]:
    """Return what speaks against the labels of an image, where text was read."""
    if found.voice is None:
        return {}
    given = found.view.reduce(found.data.Y[[row]])[0] == 1
    against = [
        *(["pictures"] if (found.by_pictures[row] & ~given).any() else []),
        *(["text"] if found.voice.contradicts(row) else []),
    ]
    flagged = bool(found.issues.flagged[row])
    return {
        "against": against,
        **({"read": to_document(found.voice.evidence[row])} if flagged else {}),
    }


def _unjudged_rows(found: _Judged) -> Iterator[Issue]:
    """Yield an issue of the best score, without a suggestion, for what is not judged.

    A person vouches for it, or no other image speaks of it.
    """
    data = found.data
    yes = data.Y == 1
    unjudged = yes.any(axis=1) & ~(found.judged & yes).any(axis=1)
    unjudged[found.issues.order] = False
    vouched = (data.confirmed & yes).any(axis=1)
    classes = np.asarray(data.taxonomy.classes)
    return (
        Issue(
            kind="label",
            image_id=int(data.image_ids[row]),
            score=1.0,
            flagged=False,
            taxonomy=data.taxonomy.name,
            evidence={
                "change": "",
                "given": classes[data.Y[row] == 1].tolist(),
                "suggested": [],
                **({"probability": 0.0} if vouched[row] else {}),
            },
        )
        for row in np.flatnonzero(unjudged).tolist()
    )


def _supporting_neighbors(
    found: _Judged, supporting: SupportingNeighbors, position: int | None
) -> dict[str, Any]:
    """Return the neighbours that speak for the change, and how many of the nearest do."""
    if position is None:
        return {}
    data = found.data
    classes = data.taxonomy.classes
    neighbors = [
        {
            "image_id": int(data.image_ids[row]),
            "label": ", ".join(classes[k] for k in np.flatnonzero(data.Y[row] == 1)),
            "similarity": round(float(np.clip(similarity, 0.0, 1.0)), 4),
        }
        for row, similarity in zip(
            supporting.indices[position], supporting.similarities[position], strict=True
        )
        if row >= 0
    ]
    agreement = round(float(supporting.agreement[position]), 2)
    return {"neighbors": neighbors, "agreement": agreement}


def _disagreeing_duplicates(
    found: _Judged, members: NDArray[np.int64] | None, row: int
) -> dict[str, list[int]]:
    if members is None:
        return {}
    own = found.data.Y[row]
    others = [m for m in members.tolist() if not np.array_equal(found.data.Y[m], own, True)]
    return {"duplicates": [int(found.data.image_ids[m]) for m in others]}


def _summarize(
    found: _Judged, space: Space, told: ToldApart | None, notes: tuple[str, ...]
) -> LabelJudgement:
    wrong = found.issues.wrong
    # Of a class that is wrong as a whole, all of its images are, or none: a person must say.
    whole = 0 if told is None else sum(merge.images for merge in told.merges)
    estimate = Estimate(wrong.count + whole, wrong.low, wrong.high + whole)
    variance = found.issues.variance[found.issues.order]
    return LabelJudgement(
        taxonomy=found.data.taxonomy.name,
        scorer=found.issues.scorer,
        space=space.name,
        n_labelled=found.data.n_labelled,
        n_judged=wrong.n_labelled,
        flagged=int(found.issues.flagged.sum()),
        wrong=estimate,
        n_worth_reading=wrong.n_worth_reading,
        n_expected=wrong.found,
        n_in_duplicates=sum(len(rows) for rows in found.conflicts),
        told_apart=told,
        notes=notes,
        to_judge=advise_judging(estimate, variance, wrong.n_labelled),
    )


def _not_judged(
    data: TrainingData,
    conflicts: list[NDArray[np.int64]],
    space: Space,
    told: ToldApart | None,
    notes: tuple[str, ...],
) -> LabelJudgement:
    if told is None or told.is_judged:
        notes += (
            "No label is judged: without its copies an image has too few like it that are "
            "labelled, so nothing can be said of its label.",
        )
    return LabelJudgement(
        taxonomy=data.taxonomy.name,
        scorer="",
        space=space.name,
        n_labelled=data.n_labelled,
        n_judged=0,
        flagged=0,
        wrong=None,
        n_worth_reading=0,
        n_expected=0.0,
        n_in_duplicates=sum(len(rows) for rows in conflicts),
        told_apart=told,
        notes=notes,
    )


def _notes(
    data: TrainingData, conflicts: list[NDArray[np.int64]], alone: int, of_the_caller: bool
) -> tuple[str, ...]:
    notes: list[str] = []
    if of_the_caller:
        notes.append("The labels were held against probabilities that were given from outside.")
    if data.n_assumed:
        notes.append(
            "The taxonomy is open: a class that an image does not carry is unknown, so missing "
            "labels are not counted as wrong."
        )
    if alone:
        notes.append(
            f"The labels of {counted(alone, 'image')} are not judged: nearly all images of their "
            "class are copies of one another, so no other image speaks for or against them."
        )
    n_in_duplicates = sum(len(rows) for rows in conflicts)
    if n_in_duplicates:
        notes.append(f"{n_in_duplicates:,} images are duplicates of images with other labels.")
    return tuple(notes)
