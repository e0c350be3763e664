"""Suggest labels for unlabelled images at a precision that the user names; apply them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space, Statement, Suggestion
from vernis.report.wording import counted
from vernis.workflows.fill_summary import Basis, FillSummary, summarize_fill
from vernis.workflows.training_data import TrainingData, read_training_data

if TYPE_CHECKING:
    from vernis.core.fill.head import FillEvidence
    from vernis.core.fill.plan import FillPlan
    from vernis.core.learn.heads import Head

__all__ = ["FillSummary", "apply_fill", "describe_sampled_basis", "fill_taxonomy"]

_METHOD = 3
"""Part of the fingerprint: raise it when the method changes, and suggestions are made anew."""

_OTHER_SOURCES = ("human", "given", "reader", "api", "proposal")
_CONFIRMED_IMAGES, _CONFIRMED_SHARE = 200, 0.5
"""From so many confirmed images, and such a share of the labelled ones, on the promise rests on
them alone. Fewer are mostly those that a person looked at because they were suspicious."""

_WITNESSES = 3

_N_ESTIMATORS, _COMPONENTS = 8, 100
"""Of the networks: each image is held out from two of them."""


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
        rows = _sort_rows(catalog, data)
        mark = _fingerprint(data, rows, saved["head"], precision, confidence, seed)
        kept = _kept_summary(catalog, taxonomy, mark)
        if kept is not None:
            return kept
        evidence = _gather(data, rows.usable, saved["head"], seed, progress)
        plan: FillPlan | None = None
        basis: Basis = "given"
        if evidence is not None:
            basis, own = _choose_basis(evidence, rows)
            plan = evidence.plan(precision, confidence=confidence, seed=seed, confirmed=own)
        summary = summarize_fill(catalog, data, record, plan, basis, precision, confidence)
        suggestions = _suggestions(data, rows.usable, evidence, plan)
        with catalog.transaction():
            catalog.issues.replace_suggestions(taxonomy, suggestions)
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
            note=f"{counted(len(chosen), 'label')} at precision {summary.get('precision', '?')}",
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


def _sort_rows(catalog: Catalog, data: TrainingData) -> _Rows:
    labels, name = catalog.labels, data.taxonomy.name
    filled = labels.images_said_by(name, "accepted:fill")
    by_others: set[int] = set().union(
        *(labels.images_said_by(name, word) for word in _OTHER_SOURCES)
    )
    confirmed = labels.images_said_by(name, "human") - filled

    def among(images: Iterable[int]) -> NDArray[np.bool_]:
        return np.isin(data.image_ids, np.asarray(sorted(images), np.int64))

    return _Rows(
        ~among(filled - by_others), among(confirmed), among(confirmed & _judged(catalog, name))
    )


def _judged(catalog: Catalog, taxonomy: str) -> set[int]:
    """Return the images that a person judged because they were drawn at random."""
    return set((catalog.runs.summary(f"truth:{taxonomy}") or {}).get("image_ids", []))


def describe_sampled_basis(catalog: Catalog, taxonomy: str) -> str:
    """Say whether the promise of a fill rests on the judged random sample."""
    carry = catalog.labels.images_said_by(taxonomy, "human") & _judged(catalog, taxonomy)
    if len(carry) >= _CONFIRMED_IMAGES:
        return f"vernis fill {taxonomy} promises its precision from {len(carry):,} judged images"
    return (
        f"vernis fill {taxonomy} promises its precision from judged images once "
        f"{_CONFIRMED_IMAGES} of them carry a label; {len(carry):,} so far"
    )


def _fingerprint(
    data: TrainingData,
    rows: _Rows,
    head: Mapping[str, Any],
    precision: float,
    confidence: float,
    seed: int,
) -> str:
    about = [_METHOD, data.taxonomy.name, data.taxonomy.kind, data.taxonomy.classes]
    about += [
        head.get("head"),
        head.get("parameters"),
        head.get("slices"),
        precision,
        confidence,
        seed,
    ]
    digest = hashlib.sha256(json.dumps(about, default=list, sort_keys=True).encode())
    digest.update("\n".join(data.hashes).encode())
    used = (rows.usable, rows.confirmed, rows.sampled)
    for array in (data.image_ids, data.Y, data.groups, *used):
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
    from vernis.core.fill.head import gather_evidence
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
    return gather_evidence(
        X[usable],
        data.Y[usable],
        kind=data.taxonomy.kind,
        groups=data.groups[usable],
        head=_make_networks(head, data.taxonomy.kind, seed),
        seed=seed,
        on_update=lambda done, total: progress(task, done, total),
    )


def _make_networks(saved: Mapping[str, Any], kind: Literal["single", "multi"], seed: int) -> Head:
    """Return bagged networks, whichever head was learned: those of that head where it is one.

    On images unlike the labelled ones their probabilities are less sure of themselves than a
    kernel's, so more can be promised: docs/decisions/fill.md.
    """
    from vernis.core.learn.heads import make_head

    own = dict(saved["parameters"]) if saved["head"] == "bagged_mlp" else {}
    own = {"n_components": _COMPONENTS, **own, "n_estimators": _N_ESTIMATORS}
    n_components = own.pop("n_components")
    own.pop("seed", None)
    return make_head("bagged_mlp", kind, n_components=n_components, seed=seed, parameters=own)


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
