"""Train a head on a taxonomy, tune its thresholds, measure it out of bag, save it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, ModelError, NothingToLearn
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import ModelRecord, Space
from vernis.report.wording import counted
from vernis.workflows.training_data import (
    TrainingData,
    layer_slices,
    read_training_data,
    space_document,
)

_METHOD = 2
"""Part of a model's fingerprint: raise it when training changes, and all models are made anew."""

_FEWEST = 4
"""Labelled images below which nothing is trained."""

DEFAULT_MODEL = "kernel"
"""As good as any other or better on every set measured, with and without wrong labels, at the
least cost: docs/decisions/learning.md."""

COMPONENTS = {"kernel": 400}
"""Principal components that a model gets when nothing is said; the others get the thesis's 100."""

_FEWER_COMPONENTS = 100


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """How a taxonomy is learned.

    Attributes
    ----------
    n_components : int or None
        Principal components, 0 for all columns; None takes the model's own number
        (`COMPONENTS`).
    seed : int
    objective : {'f1', 'f2', 'precision'}
        What the thresholds are tuned for.
    floor : float
        The precision that the objective ``precision`` keeps, in (0, 1].
    min_yes : int
        A class with fewer known ``yes`` gets the pooled threshold and a note.
    n_draws : int
        Bootstrap samples of the metrics' intervals.
    head : mapping
        Parameters of ``BaggedMLP``: ``n_estimators``, ``epochs``, ``hidden``…
    model : str or None
        One of ``core.learn.models.registry.MODELS``, or ``stacking``; None takes
        `DEFAULT_MODEL`, or ``bagged_mlp`` where parameters of it are given.
    """

    n_components: int | None = None
    objective: Literal["f1", "f2", "precision"] = "f1"
    floor: float = 0.9
    min_yes: int = 10
    n_draws: int = 200
    seed: int = 0
    head: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None

    def __post_init__(self) -> None:
        counts = {"min_yes": self.min_yes, **self.head}
        for name in {"n_estimators", "epochs", "min_yes"} & set(counts):
            if counts[name] < 1:
                raise InvalidValue(f"expected {name} of 1 or more, got {counts[name]!r}")
        if (self.n_components or 0) < 0 or self.n_draws < 0:
            got = (self.n_components, self.n_draws)
            raise InvalidValue(f"expected n_components and n_draws of 0 or more, got {got}")
        if self.objective not in ("f1", "f2", "precision"):
            raise InvalidValue(f"expected objective f1, f2 or precision, got {self.objective!r}")
        if not 0 < self.floor <= 1:
            raise InvalidValue(f"expected a floor in (0, 1], got {self.floor!r}")

    def complete(self) -> LearnSettings:
        """Return the settings with the model and its number of components said."""
        model = self.model or ("bagged_mlp" if self.head else DEFAULT_MODEL)
        n_components = self.n_components
        if n_components is None:
            n_components = COMPONENTS.get(model, _FEWER_COMPONENTS)
        return replace(self, model=model, n_components=n_components)


@dataclass(frozen=True, slots=True, eq=False)
class LearnSummary:
    """What learning a taxonomy did.

    Attributes
    ----------
    model : ModelRecord
        Its ``metrics`` hold the evaluation out of bag.
    trained : bool
        False when the model of an earlier run was made from the same data and settings.
    n_images, n_labelled, n_without_vector : int
    thresholds : dict of str to float or None
        By class; None where no threshold keeps the floor, or the most probable class is taken.
    notes : tuple of str
        What the user should know, such as rare classes.
    """

    model: ModelRecord
    trained: bool
    n_images: int
    n_labelled: int
    n_without_vector: int
    thresholds: Mapping[str, float | None]
    notes: tuple[str, ...]


def fingerprint_of(data: TrainingData, space: Space, settings: LearnSettings) -> str:
    """Return a hash of everything that a model depends on."""
    about = {
        "method": _METHOD,
        "settings": {**asdict(settings), "head": dict(settings.head)},
        "space": space_document(space),
        "taxonomy": [data.taxonomy.name, data.taxonomy.kind, list(data.taxonomy.classes)],
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=list).encode())
    digest.update("\n".join(data.hashes).encode())
    for array in (data.image_ids, data.Y, data.groups):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def learn_taxonomy(
    catalog: Catalog,
    taxonomy: str,
    space: Space,
    settings: LearnSettings | None = None,
    *,
    progress: Progress = silent,
) -> LearnSummary:
    """Train, tune, measure and save the head of a taxonomy.

    When the latest model was made from the same labels, vectors, duplicates and settings, it is
    kept and nothing is trained.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str
    space : Space
        The embedding space whose vectors are the inputs.
    settings : LearnSettings, optional
    progress : Progress

    Returns
    -------
    LearnSummary

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    NothingToLearn
        If there are too few labelled images, or fewer than two classes among them.
    """
    settings = (settings or LearnSettings()).complete()
    with catalog.lock(f"learn {taxonomy}"):
        data = read_training_data(catalog, taxonomy, space)
        _require_labels(data)
        fingerprint = fingerprint_of(data, space, settings)
        latest = catalog.models.latest(taxonomy)
        if latest is not None and latest.fingerprint == fingerprint:
            with suppress(ModelError):  # a damaged model is made anew
                _, saved = catalog.models.load(latest)
                return _summarize(latest, data, saved["thresholds"], saved["notes"], trained=False)
        fitted = _fit(data, space, settings, progress)
        record = catalog.models.save(
            taxonomy, space.name, fingerprint=fingerprint, **fitted.to_save(data, space, settings)
        )
    return _summarize(record, data, fitted.thresholds, fitted.notes, trained=True)


def _summarize(
    record: ModelRecord,
    data: TrainingData,
    thresholds: Mapping[str, float | None],
    notes: Any,
    *,
    trained: bool,
) -> LearnSummary:
    return LearnSummary(
        model=record,
        trained=trained,
        n_images=len(data.image_ids),
        n_labelled=data.n_labelled,
        n_without_vector=data.n_without_vector,
        thresholds=dict(thresholds),
        notes=tuple(notes),
    )


def _require_labels(data: TrainingData) -> None:
    name = data.taxonomy.name
    if data.n_labelled < _FEWEST:
        hint = "run 'vernis embed' first" if data.n_without_vector else "label some images first"
        raise NothingToLearn(
            f"'{name}' has {counted(data.n_labelled, 'labelled image')} with vectors, a head needs "
            f"{_FEWEST} or more; {hint}"
        )
    n_used = int((data.Y == 1).any(axis=0).sum())
    has_no = bool((data.Y == 0).any())
    if n_used < 2 and (data.taxonomy.kind == "single" or not has_no):
        raise NothingToLearn(
            f"'{name}' has labels of one class only; there is nothing to tell apart"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A head with its thresholds and measures."""

    arrays: Mapping[str, NDArray[Any]]
    head: Mapping[str, Any]
    thresholds: Mapping[str, float | None]
    metrics: Mapping[str, Any]
    ensemble: NDArray[np.float32]
    oob: NDArray[np.float32]
    notes: tuple[str, ...]

    def to_save(self, data: TrainingData, space: Space, settings: LearnSettings) -> dict[str, Any]:
        """Return the arguments of ``ModelStore.save`` that hold the head."""
        return {
            "arrays": self.arrays,
            "settings": {
                "classes": list(data.taxonomy.classes),
                "kind": data.taxonomy.kind,
                "space": space_document(space),
                "head": self.head,
                "thresholds": self.thresholds,
                "objective": settings.objective,
                "floor": settings.floor,
                "n_labelled": data.n_labelled,
                "n_assumed_no": data.n_assumed,
                "notes": list(self.notes),
            },
            "metrics": self.metrics,
            "predictions": {
                "image_ids": data.image_ids,
                "ensemble": self.ensemble,
                "oob": self.oob,
                "groups": data.groups,
            },
        }


def _fit(data: TrainingData, space: Space, settings: LearnSettings, progress: Progress) -> _Fitted:
    # scikit-learn takes a second to import: only the verbs that learn pay for it
    from vernis.core.learn.evaluation import evaluate
    from vernis.core.learn.heads import make_head, notes_of, save_head
    from vernis.core.learn.scaling import BlockScaler
    from vernis.core.learn.thresholds import decide_single, tune_thresholds

    slices = layer_slices(space)
    scaler = BlockScaler(slices).fit(data.X) if len(slices) > 1 else None
    assert settings.model is not None  # complete
    model = make_head(
        settings.model,
        data.taxonomy.kind,
        n_components=settings.n_components or None,
        seed=settings.seed,
        parameters=settings.head,
    )
    task = f"learn {data.taxonomy.name}"
    model.fit(
        data.X if scaler is None else scaler.transform(data.X),
        data.Y,
        groups=data.groups,
        on_update=lambda done, total: progress(task, done, total),
    )
    arrays, head = save_head(model)
    if scaler is not None:
        arrays |= {"block_mean": scaler.mean_, "block_scale": scaler.scale_}
        head["slices"] = [list(s) for s in slices]
    oob, classes = model.oob_proba_, data.taxonomy.classes
    is_single = data.taxonomy.kind == "single"
    candidates = np.where(decide_single(oob), oob, np.nan) if is_single else oob
    tuned = tune_thresholds(
        data.Y,
        candidates,
        objective=settings.objective,
        precision=settings.floor,
        min_yes=settings.min_yes,
    )
    free = is_single and settings.objective != "precision"
    values = np.zeros(len(classes)) if free else tuned.values
    decided = candidates >= values
    evaluation = evaluate(
        data.Y, oob, decided, groups=data.groups, n_draws=settings.n_draws, seed=settings.seed
    )
    return _Fitted(
        arrays=arrays,
        head=head,
        thresholds={
            c: float(v) if np.isfinite(v) and not free else None
            for c, v in zip(classes, values, strict=True)
        },
        metrics={
            "basis": "out-of-bag",
            "head": settings.model,
            **evaluation.to_dict(list(classes)),
        },
        ensemble=model.ensemble_proba_,
        oob=oob,
        notes=(*notes_of(model), *_notes(data, () if free else tuned.warnings)),
    )


def _notes(data: TrainingData, rare: Any) -> tuple[str, ...]:
    notes = []
    if rare:
        names = [data.taxonomy.classes[w.column] for w in rare]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        notes.append(
            f"the pooled threshold serves {counted(len(names), 'class', 'classes')} of fewer than "
            f"{rare[0].needed} images: {shown}"
        )
    if data.n_assumed:
        one, many = "blank of a labelled image was", "blanks of labelled images were"
        notes.append(
            f"{counted(data.n_assumed, one, many)} taken for 'no'; the precision is a lower bound "
            "where labels are missing"
        )
    if data.n_without_vector:
        one, many = "image has no vector and was", "images have no vector and were"
        notes.append(f"{counted(data.n_without_vector, one, many)} left out")
    return tuple(notes)
