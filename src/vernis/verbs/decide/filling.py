"""Suggest labels for unlabelled images at a precision that the user names; apply them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.types import ModelRecord, Space, Statement, Suggestion
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData
from vernis.verbs.decide.fill_basis import Basis, Rows, choose_basis, sort_rows
from vernis.verbs.decide.fill_summary import (
    FillSummary,
    add_text,
    add_what_waits,
    say_filter,
    summarize,
)
from vernis.verbs.decide.text_filling import fill_by_text
from vernis.verbs.decide.text_voice import voice_mark
from vernis.verbs.decide.told_apart import ToldApart, tell_apart
from vernis.verbs.decide.training_set import FilterEffect, read_training_data
from vernis.verbs.steps.learn import CONVOLUTIONAL, NETWORK

if TYPE_CHECKING:
    from vernis.core.fill.head import FillEvidence
    from vernis.core.fill.plan import FillPlan
    from vernis.core.learn.heads import Head
    from vernis.session.session import Session

_SUPPORTING_NEIGHBORS = 3

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
    rows : Rows
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
    rows: Rows
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
        rows = sort_rows(session, data)
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
        summary = summarize(session, data, self.record, plan, basis, precision, self.confidence)
        if with_waiting and evidence is not None and plan is not None:
            summary = add_what_waits(session, data, rows.usable, evidence, plan, summary, seed)
        notes = [*say_filter(data, self.effect, self.saved), *told.sentences()]
        if told.is_judged and (plan is not None or text is None):
            notes += summary.notes
        summary = replace(summary, notes=tuple(notes), effect=self.effect)
        suggestions = _suggestions(data, rows.usable, evidence, plan)
        if text is not None:
            summary = add_text(summary, text)
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
    rows: Rows,
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
        basis, own = choose_basis(found, rows)
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
