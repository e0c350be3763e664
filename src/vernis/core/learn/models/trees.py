"""Random forest and gradient-boosted trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    class_codes,
    labelled_rows,
    to_distribution,
    without_unknown,
)
from vernis.domain.errors import MissingExtra


class Forest:
    """A random forest; in the multi-label case its trees split for all classes together.

    Parameters
    ----------
    kind : {'single', 'multi'}
    n_trees : int
    seed : int

    Notes
    -----
    The trees are kept as arrays of nodes, so that a forest is stored without pickle: ``feature``,
    ``threshold``, ``left``, ``right`` (numbers of nodes; a leaf has -1) and ``value``
    (n_nodes, n_classes), all trees one after another from ``roots``.
    """

    def __init__(self, kind: Kind, n_trees: int = 200, seed: int = 0) -> None:
        self.kind = kind
        self.n_trees = n_trees
        self.seed = seed

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Grow the trees; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        forest = RandomForestClassifier(self.n_trees, random_state=self.seed, n_jobs=1)
        target = class_codes(Y[rows]) if self.kind == "single" else without_unknown(Y[rows])
        forest.fit(X[rows], target)
        self._take(forest, Y.shape[1])
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return the mean over the trees; see `LabelModel`."""
        X = np.asarray(X, np.float32)
        total = np.zeros((len(X), self.nodes_["value"].shape[1]))
        feature, threshold = self.nodes_["feature"], self.nodes_["threshold"]
        left, right = self.nodes_["left"], self.nodes_["right"]
        images = np.arange(len(X))
        for root in self.nodes_["roots"]:
            node = np.full(len(X), root)
            while True:
                inner = left[node] >= 0
                if not inner.any():
                    break
                at = node[inner]
                goes_left = X[images[inner], feature[at]] <= threshold[at]
                node[inner] = np.where(goes_left, left[at], right[at])
            total += self.nodes_["value"][node]
        return to_distribution(total / len(self.nodes_["roots"]), self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        return dict(self.nodes_)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        names = ("roots", "feature", "threshold", "left", "right", "value")
        self.nodes_ = {name: arrays[name] for name in names}
        return self

    def _take(self, forest: RandomForestClassifier, n_classes: int) -> None:
        """Copy the trees' nodes out of scikit-learn's forest."""
        parts: dict[str, list[Any]] = {n: [] for n in ("feature", "threshold", "left", "right")}
        values, roots, start = [], [], 0
        for estimator in forest.estimators_:
            tree = estimator.tree_
            roots.append(start)
            parts["feature"].append(tree.feature)
            parts["threshold"].append(tree.threshold)
            for side, children in (("left", tree.children_left), ("right", tree.children_right)):
                parts[side].append(np.where(children >= 0, children + start, -1))
            values.append(self._leaf_values(tree.value, forest, n_classes))
            start += tree.node_count
        kinds = {"threshold": np.float64}
        self.nodes_ = {
            name: np.concatenate(arrays).astype(kinds.get(name, np.int32))
            for name, arrays in parts.items()
        }
        self.nodes_["value"] = np.concatenate(values)
        self.nodes_["roots"] = np.asarray(roots, np.int32)

    def _leaf_values(
        self, value: NDArray[Any], forest: RandomForestClassifier, n_classes: int
    ) -> Floats:
        """Return the probability of each class in each node, shape (n_nodes, n_classes)."""
        found = np.zeros((len(value), n_classes), np.float32)
        if self.kind == "single":
            shares = value[:, 0] / value[:, 0].sum(axis=1, keepdims=True)
            found[:, forest.classes_] = shares
            return found
        known = forest.classes_ if n_classes > 1 else [forest.classes_]
        for column, classes in enumerate(known):
            counts = value[:, column, : len(classes)]
            yes = np.asarray(classes) > 0.5
            found[:, column] = counts[:, yes].sum(axis=1) / counts.sum(axis=1)
        return found


class BoostedTrees:
    """Gradient-boosted trees by XGBoost (Chen and Guestrin 2016).

    Parameters
    ----------
    kind : {'single', 'multi'}
    n_rounds : int
    seed : int

    Raises
    ------
    MissingExtra
        XGBoost is not installed.
    """

    def __init__(self, kind: Kind, n_rounds: int = 60, seed: int = 0) -> None:
        import_xgboost()
        self.kind = kind
        self.n_rounds = n_rounds
        self.seed = seed

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Grow the trees; see `LabelModel`."""
        xgboost = import_xgboost()
        rows = labelled_rows(Y, self.kind)
        self.n_classes_ = Y.shape[1]
        settings: dict[str, Any] = {
            "max_depth": 4,
            "eta": 0.2,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "tree_method": "hist",
            "max_bin": 64,
            "seed": self.seed,
            "nthread": 1,  # with more, the last bits would depend on their number
            "verbosity": 0,
        }
        if self.kind == "single":
            self.present_, codes = np.unique(class_codes(Y[rows]), return_inverse=True)
            data = xgboost.DMatrix(X[rows], label=codes, nthread=1)
            settings |= {"objective": "multi:softprob", "num_class": max(len(self.present_), 2)}
            self.boosters_ = [xgboost.train(settings, data, self.n_rounds)]
            return self
        self.present_ = np.arange(self.n_classes_)
        settings |= {"objective": "binary:logistic"}
        self.boosters_ = []
        for column in self.present_:
            known = rows[~np.isnan(Y[rows, column])]
            rate = (float((Y[known, column] == 1).sum()) + 0.5) / (len(known) + 1.0)
            data = xgboost.DMatrix(X[known], label=Y[known, column], nthread=1)
            own = {**settings, "base_score": rate}
            self.boosters_.append(xgboost.train(own, data, self.n_rounds))
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        data = import_xgboost().DMatrix(np.asarray(X, np.float32), nthread=1)
        found = np.zeros((len(X), self.n_classes_))
        if self.kind == "single":
            found[:, self.present_] = self.boosters_[0].predict(data)[:, : len(self.present_)]
        else:
            for column, booster in enumerate(self.boosters_):
                found[:, column] = booster.predict(data)
        return to_distribution(found, self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts; the trees as XGBoost's own JSON, in bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "present": np.asarray(self.present_),
            "n_classes": np.asarray(self.n_classes_),
        }
        for number, booster in enumerate(self.boosters_):
            arrays[f"booster_{number}"] = np.frombuffer(booster.save_raw("json"), np.uint8)
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        xgboost = import_xgboost()
        self.present_, self.n_classes_ = arrays["present"], int(arrays["n_classes"])
        self.boosters_ = []
        for number in range(sum(name.startswith("booster_") for name in arrays)):
            booster = xgboost.Booster()
            booster.load_model(bytearray(arrays[f"booster_{number}"].tobytes()))
            self.boosters_.append(booster)
        return self


def import_xgboost() -> Any:
    """Return the module; raises MissingExtra."""
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtra("lab", "the model 'xgboost'") from error
    return xgboost
