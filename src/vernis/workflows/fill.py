"""Suggest labels for unlabelled images at a precision that the user names; apply them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space, Statement, Suggestion
from vernis.workflows.fill_summary import FillSummary, summarize_fill
from vernis.workflows.training_data import TrainingData, read_training_data

if TYPE_CHECKING:
    from vernis.core.enrich.fill import FillPlan
    from vernis.core.enrich.fill_head import FillEvidence

__all__ = ["FillSummary", "apply_fill", "fill_taxonomy"]

_METHOD = 1
"""Part of the fingerprint: raise it when the method changes, and suggestions are made anew."""

_OTHER_SOURCES = ("human", "given", "reader", "api", "proposal")
_CONFIRMED_IMAGES, _CONFIRMED_SHARE = 200, 0.5
"""From so many confirmed images, and such a share of the labelled ones, on the promise rests on
them alone. Fewer are mostly those that a person looked at because they were suspicious."""

_WITNESSES = 3


def fill_taxonomy(
    catalog: Catalog,
    taxonomy: str,
    *,
    precision: float = 0.95,
    confidence: float = 0.95,
    seed: int = 0,
    progress: Progress = silent,
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
    seed : int
    progress : Progress

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
    for name, value in (("precision", precision), ("confidence", confidence)):
        if not 0 < value < 1:
            raise InvalidValue(f"expected a {name} between 0 and 1, got {value!r}")
    with catalog.lock(f"fill {taxonomy}"):
        catalog.labels.taxonomy(taxonomy)
        record = catalog.models.latest(taxonomy)
        if record is None:
            raise UsageError(
                f"'{taxonomy}' has not been learned yet; run 'vernis learn {taxonomy}' first"
            )
        _, saved = catalog.models.load(record)
        data = read_training_data(catalog, taxonomy, Space(**saved["space"]))
        usable, confirmed = _evidence_rows(catalog, data)
        mark = _fingerprint(data, usable, saved["head"], precision, confidence, seed)
        kept = _kept_summary(catalog, taxonomy, mark)
        if kept is not None:
            return kept
        evidence = _gather(data, usable, saved["head"], seed, progress)
        plan = None
        if evidence is not None:
            basis = _confirmed_basis(evidence, confirmed[usable])
            plan = evidence.plan(precision, confidence=confidence, seed=seed, confirmed=basis)
        summary = summarize_fill(catalog, data, record, plan, precision, confidence)
        with catalog.transaction():
            catalog.issues.replace_suggestions(taxonomy, _suggestions(data, usable, evidence, plan))
            catalog.runs.finish(f"fill:{taxonomy}", mark, asdict(summary))
    return summary


def apply_fill(catalog: Catalog, taxonomy: str) -> int:
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
    with catalog.lock(f"fill {taxonomy}"), catalog.transaction():
        catalog.labels.taxonomy(taxonomy)
        chosen = [s for s in catalog.issues.suggestions(taxonomy) if s.promised]
        if not chosen:
            return 0
        summary = catalog.runs.summary(f"fill:{taxonomy}") or {}
        batch = catalog.labels.record(
            taxonomy,
            [Statement(s.image_id, s.label, "yes", s.probability) for s in chosen],
            source=f"accepted:fill@{summary.get('model', 'unknown')}",
            verb="fill",
            note=f"{len(chosen)} labels at precision {summary.get('precision', '?')}",
        )
        catalog.issues.replace_suggestions(taxonomy, [])
    return batch


def _evidence_rows(
    catalog: Catalog, data: TrainingData
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which images may be evidence or be filled, and which a person confirmed.

    Labels that an earlier fill wrote are neither: a head's own answers prove nothing.
    """
    labels, name = catalog.labels, data.taxonomy.name
    filled = labels.images_said_by(name, "accepted:fill")
    by_others: set[int] = set().union(
        *(labels.images_said_by(name, word) for word in _OTHER_SOURCES)
    )
    own = np.asarray(sorted(filled - by_others), np.int64)
    sure = np.asarray(sorted(labels.images_said_by(name, "human") - filled), np.int64)
    return ~np.isin(data.image_ids, own), np.isin(data.image_ids, sure)


def _fingerprint(
    data: TrainingData,
    usable: NDArray[np.bool_],
    head: Mapping[str, Any],
    precision: float,
    confidence: float,
    seed: int,
) -> str:
    about = [_METHOD, data.taxonomy.name, data.taxonomy.kind, data.taxonomy.classes]
    about += [head.get("parameters"), head.get("slices"), precision, confidence, seed]
    digest = hashlib.sha256(json.dumps(about, default=list, sort_keys=True).encode())
    digest.update("\n".join(data.hashes).encode())
    for array in (data.image_ids, data.Y, data.groups, usable):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _kept_summary(catalog: Catalog, taxonomy: str, mark: str) -> FillSummary | None:
    workflow = f"fill:{taxonomy}"
    found = catalog.runs.summary(workflow)
    if not catalog.runs.is_done(workflow, mark) or found is None:
        return None
    if len(catalog.issues.suggestions(taxonomy)) != found["suggested"]:
        return None  # applied and taken back since
    return FillSummary(**{**found, "notes": tuple(found["notes"])})


def _gather(
    data: TrainingData,
    usable: NDArray[np.bool_],
    head: Mapping[str, Any],
    seed: int,
    progress: Progress,
) -> FillEvidence | None:
    """Return the evidence; None when nothing is to be filled."""
    from vernis.core.enrich.fill_head import gather_evidence
    from vernis.core.learn.scaling import BlockScaler

    labelled = (data.Y[usable] == 1).any(axis=1)
    if labelled.all():
        return None
    if len(np.unique(data.groups[usable][labelled])) < 2:
        raise NothingToLearn(
            f"'{data.taxonomy.name}' has fewer than two labelled images to fill from; label more"
        )
    slices = [(int(a), int(b)) for a, b in head.get("slices") or []]
    X = BlockScaler(slices).fit(data.X).transform(data.X) if slices else data.X
    task = f"fill {data.taxonomy.name}"
    parameters = {k: v for k, v in head["parameters"].items() if k not in ("n_estimators", "seed")}
    return gather_evidence(
        X[usable],
        data.Y[usable],
        kind=data.taxonomy.kind,
        groups=data.groups[usable],
        head=parameters,
        seed=seed,
        on_update=lambda done, total: progress(task, done, total),
    )


def _confirmed_basis(
    evidence: FillEvidence, confirmed: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Return the confirmed labelled images when they are enough for a promise of their own."""
    own = confirmed[evidence.labelled]
    enough = own.sum() >= _CONFIRMED_IMAGES and own.mean() >= _CONFIRMED_SHARE
    return own if enough else None


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
        rows, similarity = near.rows[row], near.similarity[row]
        agree = np.flatnonzero(evidence.Y[rows, column] == 1)[:_WITNESSES]
        witnesses = [
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
                evidence={"neighbors": witnesses},
            )
        )
    return found
