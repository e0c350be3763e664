"""The models by name: their parameters, made, and predicted out of sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.mlp import layer_widths
from vernis.core.learn.models.interface import Floats, Groups, Kind, LabelModel
from vernis.core.learn.models.kernel import KernelRidge
from vernis.core.learn.models.linear import LinearModel
from vernis.core.learn.models.mlknn import MLKNN
from vernis.core.learn.models.networks import BaggedNetworks, PlainNetwork
from vernis.core.learn.models.svm import BaggedSVM, GaussianSVM
from vernis.core.learn.models.trees import BoostedTrees, Forest
from vernis.core.numeric.folds import stratified_folds
from vernis.domain.errors import InvalidValue, NotFound, UsageError

Make = Callable[..., LabelModel]
"""From the kind, the seed and the model's own parameters as keywords."""

STACKING = "stacking"
"""Made of the others' predictions, so not in `MODELS`; as one model: ``stacked.Stacked``."""

MODELS: Mapping[str, Make] = {
    "bagged_mlp": lambda kind, seed, **own: BaggedNetworks(kind, seed, **own),
    "mlp": lambda kind, seed, **own: PlainNetwork(kind, seed=seed, **own),
    "logistic": lambda kind, seed: LinearModel(kind, "logistic", seed),
    "kernel": lambda kind, seed: KernelRidge(kind, seed=seed),
    "svm": lambda kind, seed: GaussianSVM(kind, seed),
    "svm_linear": lambda kind, seed: LinearModel(kind, "svm", seed),
    "bagged_svm": lambda kind, seed, **own: BaggedSVM(kind, seed=seed, **own),
    "mlknn": lambda kind, seed: MLKNN(kind),
    "forest": lambda kind, seed: Forest(kind, seed=seed),
    "xgboost": lambda kind, seed: BoostedTrees(kind, seed=seed),
}


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "bagged_mlp": tuple(name for name in BaggedMLP().get_params() if name != "seed"),
    "mlp": ("hidden", "epochs", "batch_size"),
    "bagged_svm": ("n_estimators", "sample_share"),
}
"""What can be set of a model; of the others nothing can."""


def parameters_of(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parameters that a model has; a stack has its members'."""
    if name == STACKING:
        return dict(parameters)
    return {key: value for key, value in parameters.items() if key in PARAMETERS.get(name, ())}


def check_parameters(names: Iterable[str], parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that none of the models has, and values out of range.

    Raises
    ------
    UsageError
        No model of ``names`` has one of them.
    InvalidValue
        A value is out of range.
    """
    names = tuple(names)
    for key, value in parameters.items():
        takers = [name for name, own in PARAMETERS.items() if key in own]
        if not set(takers) & {*names, *(MODELS if STACKING in names else ())}:
            have = f"; {', '.join(takers)} {'do' if takers[1:] else 'does'}" if takers else ""
            if names[1:]:
                raise UsageError(f"none of {', '.join(names)} takes {key!r}{have}")
            raise UsageError(f"the model {names[0]!r} does not take {key!r}{have}")
        if key == "hidden":
            layer_widths(value)
        elif key == "sample_share" and not 0 < value < 1:
            raise InvalidValue(f"expected a sample_share between 0 and 1, got {value!r}")
        elif key in ("batch_size", "epochs", "n_estimators") and value < 1:
            raise InvalidValue(f"expected {key} of 1 or more, got {value!r}")


def make_model(
    name: str, kind: Kind, seed: int = 0, parameters: Mapping[str, Any] | None = None
) -> LabelModel:
    """Return an unfitted model.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    kind : {'single', 'multi'}
    seed : int
    parameters : mapping, optional
        Of the model's own, see `PARAMETERS`: ``hidden``, ``sample_share``, ``batch_size``...

    Raises
    ------
    NotFound
        There is no model of that name.
    UsageError
        The model has not one of the parameters.
    InvalidValue
        A parameter is out of range.
    MissingExtra
        It needs a package that is not installed.
    """
    if name not in MODELS:
        raise NotFound(f"no model {name!r}; there are: {', '.join((*MODELS, STACKING))}")
    check_parameters((name,), parameters or {})
    return MODELS[name](kind, seed, **(parameters or {}))


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
    parameters: Mapping[str, Any] | None = None,
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
            model = make_model(name, kind, seed, parameters)
            found[held] = model.fit(X[~held], Y[~held], part).predict_proba(X[held])
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
    parameters: Mapping[str, Any] | None = None,
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
        name, kind, X[known], Y[known], part, n_folds=n_folds, seed=seed, parameters=parameters
    )
    return found


def _own_held_out(fitted: LabelModel | None) -> Floats | None:
    """Return a bagged model's out-of-bag predictions, or a kernel's leave-out ones."""
    own = getattr(fitted, "oob_proba_", None)
    return None if own is None else np.asarray(own, np.float32)
