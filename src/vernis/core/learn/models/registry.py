"""The models by name: made, and predicted out of sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vernis.core.learn.models.interface import Floats, Groups, Kind, LabelModel
from vernis.core.learn.models.kernel import KernelRidge
from vernis.core.learn.models.linear import LinearModel
from vernis.core.learn.models.mlknn import MLKNN
from vernis.core.learn.models.networks import BaggedNetworks, PlainNetwork
from vernis.core.learn.models.svm import BaggedSVM, GaussianSVM
from vernis.core.learn.models.trees import BoostedTrees, Forest
from vernis.core.numeric.folds import stratified_folds
from vernis.domain.errors import NotFound

Make = Callable[[Kind, int], LabelModel]

STACKING = "stacking"
"""Made of the others' predictions, so not in `MODELS`; as one model: ``stacked.Stacked``."""

MODELS: Mapping[str, Make] = {
    "bagged_mlp": lambda kind, seed: BaggedNetworks(kind, seed),
    "mlp": lambda kind, seed: PlainNetwork(kind, seed=seed),
    "logistic": lambda kind, seed: LinearModel(kind, "logistic", seed),
    "kernel": lambda kind, seed: KernelRidge(kind, seed=seed),
    "svm": lambda kind, seed: GaussianSVM(kind, seed),
    "svm_linear": lambda kind, seed: LinearModel(kind, "svm", seed),
    "bagged_svm": lambda kind, seed: BaggedSVM(kind, seed=seed),
    "mlknn": lambda kind, seed: MLKNN(kind),
    "forest": lambda kind, seed: Forest(kind, seed=seed),
    "xgboost": lambda kind, seed: BoostedTrees(kind, seed=seed),
}


def make_model(name: str, kind: Kind, seed: int = 0) -> LabelModel:
    """Return an unfitted model.

    Raises
    ------
    NotFound
        There is no model of that name.
    MissingExtra
        It needs a package that is not installed.
    """
    if name not in MODELS:
        raise NotFound(f"no model {name!r}; there are: {', '.join((*MODELS, STACKING))}")
    return MODELS[name](kind, seed)


def held_out_predictions(
    name: str,
    kind: Kind,
    X: Floats,
    Y: Floats,
    groups: Groups | None,
    *,
    fitted: LabelModel | None = None,
    n_folds: int = 3,
    seed: int = 0,
) -> Floats:
    """Return each image's probabilities by a model that saw neither it nor its duplicates.

    A bagged model's out-of-bag predictions, or a kernel's leave-out ones, are taken from the model
    that was ``fitted`` on the same images; other models are trained again on stratified folds.
    """
    own = _own_held_out(fitted)
    if own is not None:
        return own
    fold = stratified_folds(Y, n_folds, groups=groups, seed=seed)
    found = np.empty(Y.shape, np.float32)
    for number in range(n_folds):
        held = fold == number
        if held.any():
            part = None if groups is None else groups[~held]
            found[held] = (
                make_model(name, kind, seed).fit(X[~held], Y[~held], part).predict_proba(X[held])
            )
    return found


def predict_out_of_sample(
    name: str,
    fitted: LabelModel,
    kind: Kind,
    X: Floats,
    Y: Floats,
    groups: Groups | None,
    *,
    n_folds: int,
    seed: int,
) -> Floats:
    """Return what a model says of the images it was fitted on, as far as it did not see them.

    Images with a label by `held_out_predictions`, those without by the model itself.
    """
    own = _own_held_out(fitted)
    if own is not None:
        return own
    found = np.empty(Y.shape, np.float32)
    known = ~np.isnan(Y).all(axis=1)
    if not known.all():
        found[~known] = fitted.predict_proba(X[~known])
    part = None if groups is None else groups[known]
    found[known] = held_out_predictions(
        name, kind, X[known], Y[known], part, n_folds=n_folds, seed=seed
    )
    return found


def _own_held_out(fitted: LabelModel | None) -> Floats | None:
    """Return a bagged model's out-of-bag predictions, or a kernel's leave-out ones."""
    own = getattr(fitted, "oob_proba_", None)
    return None if own is None else np.asarray(own, np.float32)
