"""Models held against one another: trained on one split, decided by one rule, measured alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import MissingExtra, UsageError
from vernis.report.lab.run_folder import Row
from vernis.verbs.lab.data import LabData, one_label_each

if TYPE_CHECKING:
    from vernis.core.learn.models.interface import LabelModel

Floats = NDArray[np.float32]

SCORES = tuple(
    f"{mean}_{name}" for mean in ("micro", "macro") for name in ("f1", "f2", "average_precision")
)


@dataclass(slots=True, eq=False)
class Outcome:
    """What one model did on a split; times are seconds of processor time."""

    probabilities: Floats
    train_s: float
    predict_s: float
    fitted: LabelModel | None
    held_out: Floats | None = None


@dataclass(slots=True, eq=False)
class Split:
    """Training and test images in the space that all models get.

    Attributes
    ----------
    kind : {'single', 'multi'}
    X, Y, groups
        Of the training images.
    X_test : ndarray of float32, shape (n_test, n_features)
    members : tuple of str
        The models that are stacked.
    seed : int
    parameters : mapping
        What is set of those models that have it.
    """

    kind: Any
    X: Floats
    Y: Floats
    groups: NDArray[np.int64]
    X_test: Floats
    members: tuple[str, ...] = ()
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def outcome(self, name: str) -> Outcome:
        """Return what a model predicts for the test images; trained on the first call."""
        from vernis.core.learn.models.registry import STACKING

        if name not in self.outcomes:
            self.outcomes[name] = self._stack() if name == STACKING else self._train(name)
        return self.outcomes[name]

    def held_out(self, name: str) -> Floats:
        """Return what a model predicts for training images that it did not see."""
        from vernis.core.learn.models.registry import held_out_predictions, parameters_of

        found = self.outcome(name)
        if found.held_out is None:
            found.held_out = held_out_predictions(
                name,
                self.kind,
                self.X,
                self.Y,
                self.groups,
                fitted=found.fitted,
                seed=self.seed,
                parameters=parameters_of(name, self.parameters),
            )
        return found.held_out

    def decide(self, name: str) -> NDArray[np.bool_]:
        """Return the labels given to the test images, by the rule that heads are tuned by.

        One class an image: the most probable. Else thresholds tuned for F1 on the training
        images' held-out predictions.
        """
        from vernis.core.learn.thresholds import decide_single, tune_thresholds

        probabilities = self.outcome(name).probabilities
        if self.kind == "single":
            return decide_single(probabilities)
        return tune_thresholds(self.Y, self.held_out(name)).decide(probabilities)

    def measure(self, name: str, Y_test: Floats) -> dict[str, float]:
        """Return `SCORES` of a model, ``train_s`` and ``predict_s``."""
        from vernis.core.learn.evaluation import MEASURES, evaluate

        outcome = self.outcome(name)
        found = evaluate(Y_test, outcome.probabilities, self.decide(name), n_draws=0)
        values = {
            f"{mean}_{measure}": float(intervals.value[MEASURES.index(measure)])
            for mean, intervals in (("micro", found.micro), ("macro", found.macro))
            for measure in ("f1", "f2", "average_precision")
        }
        return {**values, "train_s": outcome.train_s, "predict_s": outcome.predict_s}

    def _train(self, name: str) -> Outcome:
        from vernis.core.learn.models.registry import make_model, parameters_of

        model = make_model(name, self.kind, self.seed, parameters_of(name, self.parameters))
        start = time.process_time()
        model.fit(self.X, self.Y, self.groups)
        middle = time.process_time()
        probabilities = model.predict_proba(self.X_test)
        end = time.process_time()
        return Outcome(probabilities, middle - start, end - middle, model)

    def _stack(self) -> Outcome:
        """Pool the members; its times are theirs together with the fit of the weights."""
        from vernis.core.learn.models.stacking import fit_pool

        held = [self.held_out(name) for name in self.members]
        start = time.process_time()
        pool = fit_pool(held, self.Y, self.kind)
        fit_s = time.process_time() - start
        parts = [self.outcome(name) for name in self.members]
        return Outcome(
            pool.combine([part.probabilities for part in parts]),
            fit_s + sum(part.train_s for part in parts),
            sum(part.predict_s for part in parts),
            None,
            pool.combine(held),
        )


def make_split(
    data: LabData,
    train: NDArray[np.bool_],
    n_components: int | None,
    *,
    members: tuple[str, ...] = (),
    seed: int = 0,
    parameters: Mapping[str, Any] | None = None,
    features: str = "embedding",
    one_label: bool = False,
) -> Split:
    """Return the split in the common space; everything is fitted on the training images alone.

    Parameters
    ----------
    data : LabData
    train : ndarray of bool, shape (n_images,)
    n_components : int or None
        Principal components; None for all columns.
    members, seed, parameters
        See `Split`.
    features : {'embedding', 'tfidf', 'both'}
        What the models see: the vectors, the words known of each image, or both.
    one_label : bool
        Train on one label an image.
    """
    from vernis.core.learn.preprocessing import TextPreprocessor, VectorPreprocessor

    seen, unseen = data.rows(train), data.rows(~train)
    blocks: list[tuple[Floats, Floats]] = []
    if features != "tfidf":
        prepared = VectorPreprocessor(data.slices, n_components, seed).fit(seen.X)
        blocks.append((prepared.apply(seen.X), prepared.apply(unseen.X)))
    if features != "embedding":
        text = TextPreprocessor(n_components or 300, seed).fit(seen.texts)
        pair = (text.apply(seen.texts), text.apply(unseen.texts))
        scale = 1 / max(float(np.sqrt(pair[0].var(axis=0).mean())), 1e-6)
        blocks.append((pair[0] * np.float32(scale), pair[1] * np.float32(scale)))
    return Split(
        kind=data.kind,
        X=np.concatenate([block[0] for block in blocks], axis=1),
        Y=one_label_each(seen.Y, seed) if one_label else seen.Y,
        groups=seen.groups,
        X_test=np.concatenate([block[1] for block in blocks], axis=1),
        members=members,
        seed=seed,
        parameters=parameters or {},
    )


def measure_cell(split: Callable[[], Split], name: str, Y_test: Floats) -> list[Row]:
    """Return a cell of the measures of a model; the split is made where it is missing."""
    return [split().measure(name, Y_test)]


def choose_models(
    wanted: Sequence[str] | None, parameters: Mapping[str, Any] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the models to run, and notes on those that cannot.

    Parameters
    ----------
    wanted : sequence of str or None
        None: all of them; then one that needs a missing package is left out with a note.
    parameters : mapping, optional
        Of the networks among them, see ``registry.PARAMETERS``.

    Raises
    ------
    NotFound
        There is no model of a wanted name.
    MissingExtra
        A wanted model needs a package that is not installed.
    UsageError
        Stacking alone was asked for, or a parameter that no model has.
    """
    from vernis.core.learn.models.registry import MODELS, STACKING, check_parameters, make_model

    if wanted:
        names = tuple(dict.fromkeys(wanted))
        for name in names:
            if name != STACKING:
                make_model(name, "single")
        if names == (STACKING,):
            raise UsageError("stacking needs other models to stack; name them too")
        check_parameters(names, parameters or {})
        return names, ()
    check_parameters(MODELS, parameters or {})
    names, notes = (), []
    for name in MODELS:
        try:
            make_model(name, "single")
            names += (name,)
        except MissingExtra as error:
            notes.append(f"{name} is left out: {error}")
    return (*names, STACKING), tuple(notes)


def members_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the models among the names that stacking combines."""
    from vernis.core.learn.models.registry import STACKING

    return tuple(name for name in names if name != STACKING)


def over_folds(rows: Sequence[Mapping[str, Any]], n_train: float, n_test: float) -> dict[str, Any]:
    """Return the mean of each measure over the folds, its deviation and 95 % interval.

    The interval is the corrected resampled t interval of Nadeau and Bengio, *Inference for the
    generalization error* (2003): folds share training images, so the variance of the mean is
    ``(1/k + n_test/n_train) s²`` instead of ``s²/k``.
    """
    from scipy.stats import t

    summary: dict[str, Any] = {}
    for name in SCORES:
        values = np.asarray([row[name] for row in rows if row[name] is not None], float)
        values = values[np.isfinite(values)]
        if not len(values):
            summary |= {name: None, f"{name}_sd": None, f"{name}_low": None, f"{name}_high": None}
            continue
        mean, count = float(values.mean()), len(values)
        sd = float(values.std(ddof=1)) if count > 1 else math.nan
        factor = math.sqrt(1 / count + n_test / n_train)
        half = float(t.ppf(0.975, count - 1)) * sd * factor if count > 1 else math.nan
        summary |= {
            name: mean,
            f"{name}_sd": sd,
            f"{name}_low": max(mean - half, 0.0),
            f"{name}_high": min(mean + half, 1.0),
        }
    for name in ("train_s", "predict_s"):
        summary[name] = float(np.mean([row[name] for row in rows]))
    return summary
