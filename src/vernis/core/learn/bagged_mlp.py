"""The default head: a bagged ensemble of multi-layer perceptrons as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from vernis.core.learn.bagging import subsample_plan
from vernis.core.learn.losses import Loss
from vernis.core.learn.mlp import Schedule, Training, predict_members, train_network
from vernis.core.learn.scaling import Scaling, fit_projection
from vernis.core.numeric.groups import group_codes
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

_HEAVIEST_CLASS = 10.0
"""Cap of the factors of ``class_weight='balanced'``."""


class BaggedMLP(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Bagged multi-layer perceptrons over embeddings.

    Every estimator trains on a sub-sample; the ensemble's probability is the estimators' mean, the
    out-of-bag probability of a training image the mean over those that did not see it (nor an image
    of its group).

    Parameters
    ----------
    hidden : int or sequence of int, default (512, 512)
        Widths of the hidden layers (ReLU); one number is one layer.
    n_estimators : int, default 5
    sample_share : float, default 0.75
        Share of the groups that each estimator trains on, drawn without replacement, in (0, 1].
    epochs : int, default 5
    batch_size : int, default 64
        Images an update and estimator.
    learning_rate : float, default 1e-3
    min_updates : int, default 300
        Floor of the number of updates; raises the epochs for small collections.
    schedule : {'constant', 'cosine'}, default 'constant'
    alpha : float, default 1e-4
        L2 penalty, as in scikit-learn's MLP.
    n_components : int or None, default 100
        Principal components kept; None for none.
    scaling : {'rows', 'columns', 'none'}, default 'rows'
        What precedes the components: rows of norm 1, columns of variance 1, or nothing.
    loss : {'auto', 'sigmoid', 'softmax'}, default 'auto'
        ``auto`` is softmax for a vector of labels and sigmoid for a label matrix.
    class_weight : None, 'balanced', mapping or array_like, default None
        Factor of the loss of a class (of its ``yes`` only, with sigmoid). ``balanced`` takes the
        ratio of the others to the class, at most 10.
    label_smoothing : float, default 0
    seed : int, default 0

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, or the columns of the label matrix.
    in_bag_ : ndarray of bool, shape (n_estimators, n_images)
    ensemble_proba_ : ndarray of float32, shape (n_images, n_classes)
    oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        NaN where every estimator saw the image.
    network_, projection_ : the fitted parts
    n_features_in_ : int
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (512, 512),
        n_estimators: int = 5,
        sample_share: float = 0.75,
        epochs: int = 5,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        min_updates: int = 300,
        schedule: Schedule = "constant",
        alpha: float = 1e-4,
        n_components: int | None = 100,
        scaling: Scaling = "rows",
        loss: Literal["auto", "sigmoid", "softmax"] = "auto",
        class_weight: Literal["balanced"] | Mapping[Any, float] | ArrayLike | None = None,
        label_smoothing: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.hidden = hidden
        self.n_estimators = n_estimators
        self.sample_share = sample_share
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.min_updates = min_updates
        self.schedule = schedule
        self.alpha = alpha
        self.n_components = n_components
        self.scaling = scaling
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.seed = seed

    @classmethod
    def recommended(cls, **changes: Any) -> BaggedMLP:
        """Return a head with 256 principal components instead of the thesis's 100.

        Better or no worse on every set measured, for 1.1 to 1.3 times the processor time; see
        ``docs/decisions/learning.md``. ``changes`` are further parameters.
        """
        return cls(**{"n_components": 256, **changes})

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        in_bag: ArrayLike | None = None,
        on_update: Callable[[int, int], None] | None = None,
    ) -> BaggedMLP:
        """Train the ensemble.

        Parameters
        ----------
        X : array_like, shape (n_images, n_features)
        y : array_like, shape (n_images,) or (n_images, n_classes)
            Labels, or a label matrix with values in 0..1 (soft targets allowed), NaN = unknown.
            Images without a known label get predictions but are not trained on.
        sample_weight : array_like, shape (n_images,) or, for sigmoid, (n_images, n_classes)
            Factors of the loss, ≥ 0; images of weight 0 are not trained on.
        groups : array_like, shape (n_images,), optional
            Images with equal values (duplicates) are never on both sides of a hold-out.
        in_bag : array_like of bool or int, shape (n_estimators, n_images), optional
            A hold-out plan of your own; replaces ``n_estimators`` and ``sample_share``.
        on_update : callable, optional
            Called with the updates done and their total after each.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a shape does not fit, or fewer than two images have a label.
        """
        if y is None:
            validate_data(self, X, y=None)
        rows: Floats = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        check_consistent_length(rows, y, groups, sample_weight)
        Y = self._encode(y)
        weight = None if sample_weight is None else self._checked_weights(sample_weight, Y.shape)
        known = np.asarray(~np.isnan(Y).all(axis=1))
        if weight is not None:
            known &= weight.reshape(len(Y), -1).any(axis=1)
            if not known.any():
                raise InvalidValue("expected a labelled image of positive weight, all are zero")
        if known.sum() < 2:
            raise InvalidValue(f"expected 2 labelled images or more, got {known.sum()}")
        self.projection_ = fit_projection(rows, self.n_components, self.scaling, self.seed)
        projected = self.projection_.apply(rows)
        plan = self._plan(Y, known, groups, in_bag)
        self.in_bag_ = plan > 0
        self.network_ = train_network(
            projected,
            Y,
            plan * known,
            hidden=self.hidden,
            loss=self.loss_,
            training=self._training(),
            sample_weight=weight,
            class_weight=self._class_factors(Y),
            seed=self.seed,
            on_update=on_update,
        )
        self._predict_training_images(projected)
        return self

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the ensemble's probabilities, shape (n_images, n_classes)."""
        projected = self._project(X)
        result = np.empty((len(projected), self.network_.n_outputs), np.float32)
        for images, probabilities in predict_members(self.network_, projected):
            result[images] = probabilities.mean(axis=0)
        return self._as_distribution(result)

    def predict_members(self, X: ArrayLike) -> Iterator[tuple[slice, Floats]]:
        """Yield ``(images, probabilities of every estimator)`` block by block.

        The probabilities have shape (n_estimators, len(images), n_classes).
        """
        return predict_members(self.network_, self._project(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class, or for a label matrix the yes (1) and no (0) at 0.5."""
        probabilities = self.predict_proba(X)
        if not self.from_matrix_:
            return np.asarray(self.classes_[probabilities.argmax(axis=1)])
        if self.loss_ == "softmax":
            rows = np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
            return np.asarray(rows, self.target_dtype_)
        return np.asarray(probabilities >= 0.5, self.target_dtype_)

    def _training(self) -> Training:
        return Training(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            alpha=self.alpha,
            min_updates=self.min_updates,
            label_smoothing=self.label_smoothing,
        )

    def _encode(self, y: ArrayLike) -> Floats:
        """Return the label matrix and set what is learned about the labels."""
        if self.loss not in ("auto", "sigmoid", "softmax"):
            raise InvalidValue(f"expected loss auto, sigmoid or softmax, got {self.loss!r}")
        y = np.asarray(y)
        is_column = y.ndim == 2 and y.shape[1] == 1 and self.loss != "sigmoid"
        self.from_matrix_ = y.ndim == 2 and not is_column
        if self.from_matrix_:
            Y = y.astype(np.float32)
            if ((Y < 0) | (Y > 1)).any():
                raise InvalidValue("expected a label matrix of values in 0..1 or NaN, got others")
            self.classes_ = np.arange(Y.shape[1])
            self.target_dtype_ = y.dtype
            self.loss_: Loss = "sigmoid" if self.loss == "auto" else self.loss
            return Y
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self.target_dtype_ = labels.dtype
        self.loss_ = "softmax" if self.loss == "auto" else self.loss
        return np.eye(len(self.classes_), dtype=np.float32)[codes]

    def _plan(
        self,
        Y: Floats,
        known: NDArray[np.bool_],
        groups: ArrayLike | None,
        in_bag: ArrayLike | None,
    ) -> NDArray[Any]:
        """Return how often each estimator sees an image; an unknown image follows its group."""
        if in_bag is not None:
            plan = np.asarray(in_bag)
            if plan.ndim != 2 or plan.shape[1] != len(Y):
                raise InvalidValue(f"expected in_bag (n_estimators, {len(Y)}), got {plan.shape}")
            return plan.astype(np.int64)
        codes = group_codes(groups, len(Y))
        drawn = subsample_plan(
            int(known.sum()),
            n_estimators=self.n_estimators,
            fraction=self.sample_share,
            groups=codes[known],
            Y=Y[known],
            seed=self.seed,
        )
        by_group = np.zeros((self.n_estimators, int(codes.max()) + 1), np.int64)
        by_group[:, codes[known]] = drawn
        return np.asarray(by_group[:, codes])

    def _class_factors(self, Y: Floats) -> Floats | None:
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, Mapping):
            by_class = [self.class_weight.get(c, 1.0) for c in self.classes_.tolist()]
            return np.asarray(by_class, np.float32)
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise InvalidValue(f"expected class_weight 'balanced', got {self.class_weight!r}")
            yes = np.nansum(Y, axis=0, dtype=np.float64)
            known = (~np.isnan(Y)).sum(axis=0)
            ratio = (known - yes) / np.maximum(yes, 1)
            if self.loss_ == "softmax":
                ratio = yes.max() / np.maximum(yes, 1)
            return np.asarray(np.clip(ratio, 1, _HEAVIEST_CLASS), np.float32)
        factors = np.asarray(self.class_weight, np.float32)
        if factors.shape != (Y.shape[1],):
            raise InvalidValue(f"expected {Y.shape[1]} class weights, got {factors.shape}")
        return factors

    def _predict_training_images(self, projected: Floats) -> None:
        n_classes = self.network_.n_outputs
        ensemble = np.empty((len(projected), n_classes), np.float32)
        oob = np.empty((len(projected), n_classes), np.float32)
        out = ~self.in_bag_
        for images, probabilities in predict_members(self.network_, projected):
            ensemble[images] = probabilities.mean(axis=0)
            share = out[:, images].astype(np.float32)
            times = share.sum(axis=0)
            total = np.einsum("en,enc->nc", share, probabilities)
            oob[images] = total / np.where(times > 0, times, np.nan)[:, None]
        self.ensemble_proba_ = self._as_distribution(ensemble)
        self.oob_proba_ = self._as_distribution(oob)

    def _as_distribution(self, probabilities: Floats) -> Floats:
        """Make rows sum to 1 where a sigmoid head was asked for one class of several."""
        if self.from_matrix_ or self.loss_ == "softmax":
            return probabilities
        total = probabilities.sum(axis=1, keepdims=True)
        return np.asarray(probabilities / np.maximum(total, 1e-12), np.float32)

    def _project(self, X: ArrayLike) -> Floats:
        check_is_fitted(self)
        return self.projection_.apply(validate_data(self, X, dtype=np.float32, reset=False))

    def _checked_weights(self, sample_weight: ArrayLike, shape: tuple[int, ...]) -> Floats:
        weight = np.asarray(sample_weight, np.float32)
        per_label = self.from_matrix_ and self.loss_ == "sigmoid"
        if weight.shape != shape[:1] and not (per_label and weight.shape == shape):
            raise InvalidValue(f"expected sample_weight of shape {shape[:1]}, got {weight.shape}")
        if not np.isfinite(weight).all() or (weight < 0).any():
            raise InvalidValue("expected sample weights of 0 or more, got others")
        return weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags
