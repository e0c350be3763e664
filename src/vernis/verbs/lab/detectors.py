"""The methods that the label-error study holds against one another, on the same vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NotFound, UsageError

if TYPE_CHECKING:
    from vernis.core.learn.models.interface import LabelModel
    from vernis.domain.types import LabelScorer

Floats = NDArray[np.float32]

MODELS = (
    "kernel",
    "bagged_mlp",
    "ensemble",
    "logistic",
    "knn",
    "logistic+knn",
    "simifeat",
    "selfclean",
)
"""Run by default. Every model of the lab can be named besides, and several joined by ``+``."""

SINGLE_ONLY = ("simifeat", "selfclean")
_OWN = ("kernel", "ensemble", "knn", *SINGLE_ONLY)
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One ranking of the images.

    Attributes
    ----------
    scorer : str
    score : ndarray of float32, shape (n_images,)
        Low = bad; NaN where no label is known.
    estimated : float or None
        How many labels the method calls wrong, where it counts them.
    default : bool
        What ``vernis issues`` does when nothing is said.
    flagged : ndarray of bool, shape (n_images,), or None
        The images that the method calls wrong, where it says so.
    """

    scorer: str
    score: Floats
    estimated: float | None = None
    default: bool = False
    flagged: NDArray[np.bool_] | None = None


def require_models(names: Iterable[str], parameters: Mapping[str, Any] | None = None) -> None:
    """Check the names, and that some of them have the parameters.

    Raises
    ------
    NotFound
        There is no such model.
    MissingExtra
        It needs a package that is not installed.
    UsageError
        A method without probabilities is joined to another by ``+``, or no model has a parameter.
    """
    from vernis.core.learn.models.registry import MODELS as TRAINED
    from vernis.core.learn.models.registry import check_parameters, make_model

    every = (*_OWN, *(name for name in TRAINED if name not in _OWN))
    names = tuple(names)
    for joined in names:
        for name in SINGLE_ONLY:
            if "+" in joined and name in joined.split("+"):
                raise UsageError(f"{name} gives no probabilities and cannot be joined: {joined!r}")
    parts = [part for joined in names for part in joined.split("+")]
    for name in parts:
        if name not in every:
            raise NotFound(f"no model {name!r} here; there are: {', '.join(every)}")
        if name not in _OWN:
            make_model(name, "single")
    check_parameters([*parts, *(["bagged_mlp"] if "ensemble" in parts else [])], parameters or {})


class Detectors:
    """Judges one set of given labels by one method after another.

    Parameters
    ----------
    kind : {'single', 'multi'}
    features : ndarray of float32, shape (n_images, dim)
        Of ``combine_blocks``.
    given : ndarray of float32, shape (n_images, n_classes)
    groups : ndarray of int64, shape (n_images,)
        Duplicates never speak for one another, in no method.
    seed : int
    parameters : mapping, optional
        Of the networks among the methods.
    """

    def __init__(
        self,
        kind: Any,
        features: Floats,
        given: Floats,
        groups: NDArray[np.int64],
        seed: int,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        from vernis.core.learn.models.interface import class_codes

        self.kind, self.features, self.given = kind, features, given
        self.groups, self.seed, self.parameters = groups, seed, parameters or {}
        self.labels: NDArray[Any] = class_codes(given) if kind == "single" else given
        # a mean variance of 1 by column, which the networks expect; other models set their own
        self.vectors = features * np.float32(np.sqrt(features.shape[1]))
        self._networks: LabelModel | None = None
        self._known: dict[str, Floats] = {}

    def judge(self, model: str) -> list[Judged]:
        """Return every ranking of a model: one a scorer, or the method's own."""
        from vernis.core.labels.scores import LABEL_SCORERS

        own: Mapping[str, Callable[[], list[Judged]]] = {
            "simifeat": self._vote,
            "selfclean": self._ratio,
        }
        if model in own:
            return own[model]()
        parts = [self._probabilities(name) for name in model.split("+")]
        weights = self._accuracies(parts) if self.kind == "single" else np.ones(len(parts))
        probs = np.average(parts, axis=0, weights=weights).astype(np.float32)
        # as cleanlab joins models: the scores of one label an image, the chances of several
        judged = parts if self.kind == "single" else [probs]
        found = [
            Judged(name, self._mean_quality(judged, weights[: len(judged)], name))
            for name in LABEL_SCORERS
        ]
        return self._with_count(found, probs) if model == "kernel" else self._flag(found, probs)

    def _mean_quality(
        self, parts: list[Floats], weights: NDArray[np.float64], scorer: LabelScorer
    ) -> Floats:
        from vernis.core.labels.scores import label_quality

        found = [label_quality(self.labels, probs, scorer=scorer) for probs in parts]
        return np.asarray(np.average(found, axis=0, weights=weights), np.float32)

    def _accuracies(self, parts: list[Floats]) -> NDArray[np.float64]:
        """Return how often each model agrees with the given class."""
        known = self.labels >= 0
        agree = [float((p.argmax(axis=1) == self.labels)[known].mean()) for p in parts]
        return np.maximum(agree, 1e-6)

    def _probabilities(self, model: str) -> Floats:
        if model not in self._known:
            self._known[model] = self._sound(self._predict(model))
        return self._known[model]

    def _predict(self, model: str) -> Floats:
        from vernis.core.labels.neighbor_probabilities import neighbor_probabilities
        from vernis.core.labels.predictions import predict_labels
        from vernis.core.learn.models.registry import held_out_predictions, parameters_of

        if model == "kernel":
            how = {"kind": self.kind, "groups": self.groups, "seed": self.seed}
            return predict_labels(self.features, self.given, **how)
        if model == "knn":
            return neighbor_probabilities(self.features, self.given, self.groups)
        if model in ("bagged_mlp", "ensemble"):
            networks: Any = self._bagged()
            if model == "ensemble":
                return np.asarray(networks.predict_proba(self.vectors), np.float32)
            return np.asarray(networks.oob_proba_, np.float32)
        return held_out_predictions(
            model,
            self.kind,
            self.vectors,
            self.given,
            self.groups,
            n_folds=FOLDS,
            seed=self.seed,
            parameters=parameters_of(model, self.parameters),
        )

    def _bagged(self) -> LabelModel:
        from vernis.core.learn.models.registry import make_model, parameters_of

        if self._networks is None:
            own = parameters_of("bagged_mlp", self.parameters)
            networks = make_model("bagged_mlp", self.kind, self.seed, own)
            self._networks = networks.fit(self.vectors, self.given, self.groups)
        return self._networks

    def _sound(self, probs: Floats) -> Floats:
        """Put the class's share where a model could not predict (never left out, say)."""
        share = np.nanmean(self.given, axis=0)
        return np.asarray(np.where(np.isfinite(probs), probs, share), np.float32)

    def _with_count(self, found: list[Judged], probs: Floats) -> list[Judged]:
        """Replace the default scorer's ranking by all that ``vernis issues`` does."""
        from vernis.core.labels.issues import find_label_issues
        from vernis.core.labels.scores import default_scorer

        issues = find_label_issues(self.labels, probs)
        name = default_scorer(self.kind)
        whole = Judged(name, issues.score, issues.wrong.count, True, issues.flagged)
        return [whole if judged.scorer == name else judged for judged in found]

    def _flag(self, found: list[Judged], probs: Floats) -> list[Judged]:
        """Let confident learning say which images are wrong, by two rules beside two rankings.

        The confident joint stands beside self-confidence; pruning by noise rate, which removes the
        largest margins, beside the normalized margin.
        """
        from vernis.core.labels.confident_learning import confident_errors, pruned_errors

        rules = {"self_confidence": confident_errors, "normalized_margin": pruned_errors}
        said = {scorer: rule(self.labels, probs) for scorer, rule in rules.items()}
        single = self.kind == "single"
        return [
            replace(
                judged,
                estimated=float(said[judged.scorer].sum()) if single else None,
                flagged=said[judged.scorer],
            )
            if judged.scorer in said
            else judged
            for judged in found
        ]

    def _vote(self) -> list[Judged]:
        from vernis.core.labels.rankings import neighbor_votes

        votes = neighbor_votes(self.features, self.labels, self.groups)
        outvoted = float(votes.outvoted.sum())
        return [
            Judged("vote", votes.margin, outvoted, flagged=votes.outvoted),
            Judged("rank", votes.score),
        ]

    def _ratio(self) -> list[Judged]:
        from vernis.core.labels.rankings import distance_ratio

        return [Judged("distance_ratio", distance_ratio(self.features, self.labels, self.groups))]
