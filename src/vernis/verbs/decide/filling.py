"""Suggest labels for unlabelled images at a precision that the user names; apply them."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.types import ModelRecord, Space, Statement, Suggestion
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData
from vernis.verbs.decide.text_filling import TextFill, TextFilling, fill_by_text
from vernis.verbs.decide.text_voice import voice_mark
from vernis.verbs.decide.told_apart import ToldApart, tell_apart
from vernis.verbs.decide.training_set import FilterEffect, images_where, read_training_data
from vernis.verbs.steps.learn import CONVOLUTIONAL, NETWORK

if TYPE_CHECKING:
    from vernis.core.fill.head import FillEvidence
    from vernis.core.fill.plan import FillPlan
    from vernis.core.learn.heads import Head
    from vernis.session.session import Session

_OTHER_SOURCES = ("human", "given", "reader", "api", "proposal")
_CONFIRMED_IMAGES, _CONFIRMED_SHARE = 200, 0.5
"""From so many confirmed images, and such a share of the labelled ones, on the promise rests on
them alone. Fewer are mostly those that a person looked at because they were suspicious."""

_SUPPORTING_NEIGHBORS = 3
_NEXT_LABELS = 50
"""So many images are named that a person should label next."""

FillHead = Literal["kernel", "networks", "best"]
"""What predicts the missing labels; ``best`` trains both and takes the one that fills more."""
_TRAINED: dict[FillHead, tuple[str, ...]] = {
    "kernel": ("kernel",),
    "networks": ("bagged_mlp",),
    "best": ("kernel", "bagged_mlp"),
}
_N_ESTIMATORS = 8
"""Of the networks: each image is held out from two of them."""
_COMPONENTS = {"kernel": 400, "bagged_mlp": 100}


Basis = Literal["given", "confirmed", "sampled"]
"""Which labels the promised precision is checked against."""

_BASES: dict[Basis, tuple[str, str]] = {
    "given": (
        "what the model says of labelled images whose label it did not see (like images were put "
        "aside together), against the given labels",
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


def fill_taxonomy(
    session: Session,
    taxonomy: str,
    *,
    precision: float = 0.95,
    confidence: float = 0.95,
    head: FillHead = "kernel",
    seed: int = 0,
    where: str = "",
) -> FillSummary:
    """Suggest labels for the images without any, and apply nothing.

    The suggestions replace the earlier ones of the taxonomy. When labels, vectors, model and
    settings are those of the latest run, its suggestions are kept.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    precision : float
        Share of right labels among the suggestions that is promised, in (0, 1).
    confidence : float
        One-sided, in (0, 1).
    head : {'kernel', 'networks', 'best'}
    seed : int
    where : str
        A filter: images that it does not hold for are neither evidence nor filled.

    Returns
    -------
    FillSummary
        The suggestions are in ``catalog.issues.suggestions(taxonomy)``.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    UsageError
        If the taxonomy was not learned yet, or ``precision`` is out of range.
    """
    require_share(precision=precision, confidence=confidence)
    with session.lock(f"fill {taxonomy}"):
        filling = Filling.read(session, taxonomy, confidence, head, seed, where)
        mark = filling.mark(precision)
        kept = _kept_summary(session, taxonomy, mark)
        if kept is not None:
            return kept
        summary, suggestions = filling.at(precision)
        with session.catalog.transaction():
            session.catalog.issues.replace_suggestions(taxonomy, suggestions)
            session.results.keep(f"fill:{taxonomy}", summary, mark)
    return summary


def require_share(**values: float) -> None:
    """Raise InvalidValue for a value that does not lie between 0 and 1."""
    for name, value in values.items():
        if not 0 < value < 1:
            raise InvalidValue(f"expected a {name} between 0 and 1, got {value!r}")


@dataclass
class Filling:
    """What is known of a taxonomy, from which it follows what any precision would fill.

    Attributes
    ----------
    session : Session
    taxonomy : str
    record : ModelRecord
        The head that was learned, and ``saved`` its settings.
    data : TrainingData
    effect : FilterEffect or None
    rows : _Rows
    told : ToldApart
    heard : str
        What the text says is made of; "": it says nothing.
    confidence : float
    head : FillHead
    seed : int
    """

    session: Session
    taxonomy: str
    record: ModelRecord
    saved: Mapping[str, Any]
    data: TrainingData
    effect: FilterEffect | None
    rows: _Rows
    told: ToldApart
    heard: str
    confidence: float
    head: FillHead
    seed: int
    _gathered: dict[bytes, list[FillEvidence | None]] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        session: Session,
        taxonomy: str,
        confidence: float = 0.95,
        head: FillHead = "kernel",
        seed: int = 0,
        where: str = "",
    ) -> Filling:
        """Read what is known; raises NotFound, and UsageError where nothing was learned yet."""
        catalog = session.catalog
        catalog.labels.taxonomy(taxonomy)
        record = catalog.models.latest(taxonomy)
        if record is None:
            raise UsageError(
                f"'{taxonomy}' has not been learned yet; run 'vernis learn {taxonomy}' first"
            )
        _, saved = catalog.models.load(record)
        space = _pooled_space(session, saved)
        data, effect = read_training_data(session, taxonomy, space, where, seed)
        rows = _sort_rows(session, data)
        told = tell_apart(session, data, seed)
        heard = voice_mark(session, taxonomy)
        return cls(
            session=session,
            taxonomy=taxonomy,
            record=record,
            saved=saved,
            data=data,
            effect=effect,
            rows=rows,
            told=told,
            heard=heard,
            confidence=confidence,
            head=head,
            seed=seed,
        )

    def mark(self, *about: object) -> str:
        """Return what differs whenever the suggestions at a precision may."""
        made = [self.saved["head"].get(name) for name in ("head", "parameters", "slices")]
        data, rows = self.data, self.rows
        named = [FillSummary.VERSION, data.taxonomy, made, *about, self.confidence, self.seed]
        named += [data.hashes, self.told, self.head, *filter(None, [data.where])]
        used = (rows.usable, rows.confirmed, rows.sampled)
        mark = fingerprint(*named, data.image_ids, data.Y, data.groups, *used)
        return fingerprint(mark, self.heard) if self.heard else mark

    def at(
        self, precision: float, *, with_waiting: bool = True
    ) -> tuple[FillSummary, list[Suggestion]]:
        """Return what a precision fills, and the suggestions.

        ``with_waiting``: say too which images stay without, and which of them to label next.
        """
        session, data, told, seed = self.session, self.data, self.told, self.seed
        rows = self.rows
        # Where text and pictures fill, both promises must hold, so each must hold more surely.
        surely = 1 - (1 - self.confidence) / 2 if self.heard else self.confidence
        text = None
        if self.heard:
            text = fill_by_text(session, data, rows.usable, told, precision, surely, seed)
            rows = replace(rows, usable=rows.usable & ~text.filled)
        gathered = self._evidence(rows.usable)
        basis, evidence, plan = _plan_by_pictures(
            gathered, data, rows, told, (precision, surely), seed
        )
        summary = _summarize(session, data, self.record, plan, basis, precision, self.confidence)
        if with_waiting and evidence is not None and plan is not None:
            summary = _add_what_waits(session, data, rows.usable, evidence, plan, summary, seed)
        notes = [*_about_filter(data, self.effect, self.saved), *told.sentences()]
        if told.is_judged and (plan is not None or text is None):
            notes += summary.notes
        summary = replace(summary, notes=tuple(notes), effect=self.effect)
        suggestions = _suggestions(data, rows.usable, evidence, plan)
        if text is not None:
            summary = _add_text(summary, text)
            suggestions += text.suggestions
        return summary, suggestions

    def _evidence(self, usable: NDArray[np.bool_]) -> list[FillEvidence | None]:
        """Return the evidence of each head; the same rows are learned from once."""
        key = usable.tobytes()
        if key not in self._gathered:
            names = _TRAINED[self.head] if self.told.is_judged else ()
            self._gathered = {
                key: [
                    _gather(self.session, self.data, usable, self.saved["head"], name, self.seed)
                    for name in names
                ]
            }
        return self._gathered[key]


def _plan_by_pictures(
    gathered: Sequence[FillEvidence | None],
    data: TrainingData,
    rows: _Rows,
    told: ToldApart,
    promise: tuple[float, float],
    seed: int,
) -> tuple[Basis, FillEvidence | None, FillPlan | None]:
    """Return the plan that fills most, by the evidence of each head.

    ``promise`` is the precision and how surely it must hold.
    """
    evidence: FillEvidence | None = None
    plan: FillPlan | None = None
    basis: Basis = "given"
    precision, confidence = promise
    for found in gathered:
        if found is None:
            break
        basis, own = _choose_basis(found, rows)
        made = found.plan(precision, confidence=confidence, seed=seed, confirmed=own)
        made = _without(made, told.untold, data.taxonomy.classes)
        if plan is None or len(made.image) > len(plan.image):
            evidence, plan = found, made
    return basis, evidence, plan


def apply_fill(session: Session, taxonomy: str) -> int:
    """Accept the suggestions of the latest fill as one batch, which one undo takes back.

    The labels get the source ``accepted:fill@MODEL``. They are never evidence for a later fill.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str

    Returns
    -------
    int
        The batch; 0 when there was nothing to apply.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    """
    catalog = session.catalog
    with session.lock(f"fill {taxonomy}"), catalog.transaction():
        catalog.labels.taxonomy(taxonomy)
        chosen = [s for s in catalog.issues.suggestions(taxonomy) if s.promised]
        if not chosen:
            return 0
        summary = session.results.find(f"fill:{taxonomy}", FillSummary)
        model, promise = ("unknown", "?")
        if summary is not None:
            model, promise = summary.model, f"{summary.precision}"
        batch = catalog.labels.record(
            taxonomy,
            [Statement(s.image_id, s.label, "yes", s.probability) for s in chosen],
            source=f"accepted:fill@{model}",
            verb="fill",
            note=f"{counted(len(chosen), 'label')} at precision {promise}",
        )
        catalog.issues.replace_suggestions(taxonomy, [])
    return batch


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What each image may be used for, ndarrays of bool of shape (n_images,).

    ``usable``: as evidence, or to be filled; labels that an earlier fill wrote are neither, as a
    head's own answers prove nothing. ``confirmed``: a person looked at it. ``sampled``: a person
    looked at it because it was drawn at random (``vernis lab truth``).
    """

    usable: NDArray[np.bool_]
    confirmed: NDArray[np.bool_]
    sampled: NDArray[np.bool_]


def _sort_rows(session: Session, data: TrainingData) -> _Rows:
    labels, name = session.catalog.labels, data.taxonomy.name
    filled = labels.images_said_by(name, "accepted:fill")
    by_others: set[int] = set().union(
        *(labels.images_said_by(name, word) for word in _OTHER_SOURCES)
    )
    confirmed = labels.images_said_by(name, "human") - filled

    def among(images: Iterable[int]) -> NDArray[np.bool_]:
        return np.isin(data.image_ids, np.asarray(sorted(images), np.int64))

    sampled = confirmed & judged_images(session, name)
    return _Rows(~among(filled - by_others), among(confirmed), among(sampled))


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


def _kept_summary(session: Session, taxonomy: str, mark: str) -> FillSummary | None:
    found = session.results.find(f"fill:{taxonomy}", FillSummary, mark)
    if found is None or len(session.catalog.issues.suggestions(taxonomy)) != found.suggested:
        return None  # never made so, or applied and taken back since
    return found


def _gather(
    session: Session,
    data: TrainingData,
    usable: NDArray[np.bool_],
    saved: Mapping[str, Any],
    model: str,
    seed: int,
) -> FillEvidence | None:
    """Return the evidence; None when nothing is to be filled."""
    from vernis.core.fill.head import gather_evidence
    from vernis.core.learn.scaling import BlockScaler
    from vernis.core.numeric.row_blocks import ChosenRows

    labelled = (data.Y == 1).any(axis=1)[usable]
    if labelled.all():
        return None
    if len(np.unique(data.groups[usable][labelled])) < 2:
        raise NothingToLearn(
            f"'{data.taxonomy.name}' has fewer than two labelled images to fill from; label more"
        )
    slices = [(int(a), int(b)) for a, b in saved.get("slices") or []]
    X = data.vectors
    if slices:
        X = BlockScaler(slices).fit_rows(X).over(X)
    task = f"fill {data.taxonomy.name}"
    return gather_evidence(
        X if usable.all() else ChosenRows(X, usable),
        data.Y if usable.all() else data.Y[usable],
        kind=data.taxonomy.kind,
        groups=data.groups[usable],
        head=_make_head(model, saved, data.taxonomy.kind, seed),
        seed=seed,
        on_update=lambda done, total: session.progress(task, done, total),
    )


def _pooled_space(session: Session, saved: Mapping[str, Any]) -> Space:
    """Return the space of the learned head, or the current one where it reads no vectors."""
    if saved["head"]["head"] in (CONVOLUTIONAL, NETWORK):
        return session.space()
    return Space(**saved["space"])


def _make_head(
    model: str, saved: Mapping[str, Any], kind: Literal["single", "multi"], seed: int
) -> Head:
    """Return the model, with the parameters that were learned with where it is the learned one."""
    from vernis.core.learn.heads import make_head

    own = dict(saved["parameters"]) if saved["head"] == model else {}
    n_components = own.pop("n_components", _COMPONENTS[model])
    own.pop("seed", None)
    if model == "bagged_mlp":
        own["n_estimators"] = _N_ESTIMATORS
    return make_head(model, kind, n_components=n_components, seed=seed, parameters=own)


def _choose_basis(evidence: FillEvidence, rows: _Rows) -> tuple[Basis, NDArray[np.bool_] | None]:
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


def _without(plan: FillPlan, untold: Sequence[str], classes: Sequence[str]) -> FillPlan:
    """Take out the suggestions of classes that the pictures do not tell from the others."""
    kept = ~np.isin(plan.label, [classes.index(name) for name in untold])
    return replace(
        plan,
        image=plan.image[kept],
        label=plan.label[kept],
        probability=plan.probability[kept],
    )


def _suggestions(
    data: TrainingData,
    usable: NDArray[np.bool_],
    evidence: FillEvidence | None,
    plan: FillPlan | None,
) -> list[Suggestion]:
    if evidence is None or plan is None:
        return []
    ids = data.image_ids[usable]
    near, classes = evidence.holdout.unknown, data.taxonomy.classes
    found = []
    for row, column, probability in zip(plan.image, plan.label, plan.probability, strict=True):
        rows, similarity = near.indices[row], near.similarities[row]
        agree = np.flatnonzero(evidence.Y[rows, column] == 1)[:_SUPPORTING_NEIGHBORS]
        neighbors = [
            {
                "image_id": int(ids[evidence.labelled[rows[i]]]),
                "label": classes[column],
                "similarity": round(float(np.clip(similarity[i], 0, 1)), 4),
            }
            for i in agree
        ]
        found.append(
            Suggestion(
                image_id=int(ids[evidence.unlabelled[row]]),
                taxonomy=data.taxonomy.name,
                label=classes[column],
                probability=float(probability),
                evidence={"neighbors": neighbors},
            )
        )
    return found


def _summarize(
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


def _add_what_waits(
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


def _about_filter(
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


def _add_text(summary: FillSummary, text: TextFilling) -> FillSummary:
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
        notes.append(
            f"a precision of {precision:.0%} cannot be promised from {plan.n_held_out:,} held-out "
            f"answers (labelled images that were put aside for it, in {plan.n_groups:,} groups of "
            "like images); confirm more labels or name a lower precision"
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
