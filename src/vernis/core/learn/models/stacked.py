"""All models of the registry and the weights of their pool, as one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.models.interface import Floats, Groups, Kind, LabelModel
from vernis.core.learn.models.registry import (
    MODELS,
    STACKING,
    check_parameters,
    make_model,
    parameters_of,
    predict_out_of_sample,
)
from vernis.core.learn.models.stacking import Pool, fit_pool
from vernis.domain.errors import MissingExtra

_LEAST_WEIGHT = 1e-6
"""Members of less are left out of the pool: they would cost their time and change no label."""


class Stacked:
    """The stacking of the lab, behind the interface of a model.

    Parameters
    ----------
    kind : {'single', 'multi'}
    seed : int
    members : sequence of str, optional
        Default: every model of the registry whose package is installed.
    parameters : mapping, optional
        Set of each member what it has of them.

    Attributes
    ----------
    models_ : dict of str to LabelModel
        Those of the members that have a weight.
    pool_ : Pool
        Its weights in the order of ``models_``.
    notes_ : tuple of str
        What is left out for want of a package, and the weights.
    oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        The pool of the members' predictions out of sample. The weights, one a member, have seen
        the image's label.
    """

    def __init__(
        self,
        kind: Kind,
        seed: int = 0,
        members: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.seed = seed
        self.members = members
        self.parameters = dict(parameters or {})
        check_parameters(members or (STACKING,), self.parameters)

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train every member, then the weights on their predictions out of sample."""
        models: dict[str, LabelModel] = {}
        held: dict[str, Floats] = {}
        made, left_out = self._make_members()
        for name, model in made.items():
            models[name] = model.fit(X, Y, groups)
            held[name] = predict_out_of_sample(
                name,
                model,
                self.kind,
                X,
                Y,
                groups,
                n_folds=3,
                seed=self.seed,
                parameters=parameters_of(name, self.parameters),
            )
        pool = fit_pool(list(held.values()), Y, self.kind)
        self.oob_proba_ = pool.combine(list(held.values()))
        kept = pool.weights > _LEAST_WEIGHT
        self.models_ = {name: models[name] for name, keep in zip(models, kept, strict=True) if keep}
        self.pool_ = Pool(pool.weights[kept], pool.shift, self.kind)
        shares = zip(self.models_, self.pool_.weights, strict=True)
        ranked = sorted(shares, key=lambda share: -share[1])
        weights = ", ".join(f"{name} {weight:.2f}" for name, weight in ranked)
        self.notes_ = (*left_out, f"weights: {weights}")
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        return self.pool_.combine([model.predict_proba(X) for model in self.models_.values()])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts, those of a member under ``NAME:``."""
        arrays: dict[str, NDArray[Any]] = {
            "members": np.asarray(list(self.models_), np.str_),
            "weights": self.pool_.weights,
            "shift": np.asarray(self.pool_.shift),
        }
        for name, model in self.models_.items():
            arrays |= {f"{name}:{part}": value for part, value in model.to_arrays().items()}
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        self.pool_ = Pool(arrays["weights"], float(arrays["shift"]), self.kind)
        self.models_ = {}
        for name in map(str, arrays["members"]):
            mark = f"{name}:"
            own = {key[len(mark) :]: part for key, part in arrays.items() if key.startswith(mark)}
            self.models_[name] = make_model(name, self.kind).restore(own)
        return self

    def _make_members(self) -> tuple[dict[str, LabelModel], list[str]]:
        """Return the members, and a note on each that needs a missing package."""
        made: dict[str, LabelModel] = {}
        left_out: list[str] = []
        for name in self.members or MODELS:
            try:
                own = parameters_of(name, self.parameters)
                made[name] = make_model(name, self.kind, self.seed, own)
            except MissingExtra as error:
                if self.members:
                    raise
                left_out.append(f"{name} is left out: {error}")
        return made, left_out
