"""A fitted head as plain arrays and settings, for storage without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.mlp import Network
from vernis.core.learn.scaling import Projection
from vernis.domain.errors import InvalidValue, ModelError

FORMAT = 1
"""Version of the layout; a newer one is refused."""

_RENAMED = {"sample_fraction": "sample_share"}
"""Parameters by the names that heads were saved with before."""


def to_arrays(model: BaggedMLP) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Take a fitted head apart.

    Parameters
    ----------
    model : BaggedMLP
        Fitted.

    Returns
    -------
    arrays : dict of str to ndarray
        ``weight_L`` and ``bias_L`` of each layer, ``projection_mean``, ``projection_matrix`` and,
        for a head fitted on a vector of labels, ``classes``. No object arrays.
    settings : dict
        JSON-able. The predictions for the training images are not part of it.

    Raises
    ------
    InvalidValue
        If the classes are neither numbers, booleans nor text.
    """
    network, projection = model.network_, model.projection_
    arrays: dict[str, NDArray[Any]] = {
        "projection_mean": projection.mean,
        "projection_matrix": projection.matrix,
    }
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays[f"weight_{layer}"] = weight
        arrays[f"bias_{layer}"] = bias
    if not model.from_matrix_:
        classes = np.asarray(model.classes_)
        if classes.dtype.kind == "O":
            classes = np.asarray(classes.tolist())
        if classes.dtype.kind not in "biufU":
            raise InvalidValue(f"expected classes of numbers or text, got {model.classes_.dtype}")
        arrays["classes"] = classes
    settings = {
        "format": FORMAT,
        "head": "bagged_mlp",
        "parameters": {name: _plain(value) for name, value in model.get_params().items()},
        "loss": network.loss,
        "scaling": projection.scaling,
        "from_matrix": bool(model.from_matrix_),
        "target_dtype": "object" if model.target_dtype_.kind == "O" else model.target_dtype_.str,
        "n_features": int(model.n_features_in_),
    }
    return arrays, settings


def _plain(value: Any) -> Any:
    """Return a constructor's parameter as JSON-able."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        # JSON has no keys but text, so a mapping travels as a list of pairs
        return {"pairs": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def current_parameters(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return a saved head's parameters under the names that they have now."""
    return {_RENAMED.get(name, name): _restored(value) for name, value in saved.items()}


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {"pairs"}:
        return dict(value["pairs"])
    return tuple(value) if isinstance(value, list) else value


def from_arrays(arrays: Mapping[str, ArrayLike], settings: Mapping[str, Any]) -> BaggedMLP:
    """Put a fitted head together again.

    Parameters
    ----------
    arrays, settings
        As `to_arrays` gave them.

    Returns
    -------
    BaggedMLP
        Predicts as the saved one does, bit for bit.

    Raises
    ------
    ModelError
        If a part is missing or does not fit, or the format is newer.
    """
    version = settings.get("format")
    if version != FORMAT:
        raise ModelError(f"the model has format {version!r}, this version reads {FORMAT}")
    try:
        model = BaggedMLP(**current_parameters(settings["parameters"]))
        layers = sum(name.startswith("weight_") for name in arrays)
        model.network_ = Network(
            tuple(np.asarray(arrays[f"weight_{i}"], np.float32) for i in range(layers)),
            tuple(np.asarray(arrays[f"bias_{i}"], np.float32) for i in range(layers)),
            settings["loss"],
        )
        model.projection_ = Projection(
            np.asarray(arrays["projection_mean"], np.float32),
            np.asarray(arrays["projection_matrix"], np.float32),
            settings["scaling"],
        )
        model.loss_ = settings["loss"]
        model.from_matrix_ = settings["from_matrix"]
        model.n_features_in_ = settings["n_features"]
        model.target_dtype_ = np.dtype(settings["target_dtype"])
        classes = np.arange(model.network_.n_outputs)
        if not model.from_matrix_:
            classes = np.asarray(arrays["classes"])
        model.classes_ = classes.astype(object) if model.target_dtype_.kind == "O" else classes
    except (KeyError, TypeError, InvalidValue) as error:
        raise ModelError(f"the saved model is damaged: {error}") from error
    widths = (model.projection_.matrix.shape, model.network_.n_inputs, len(model.classes_))
    if widths != ((model.n_features_in_, widths[1]), widths[0][1], model.network_.n_outputs):
        raise ModelError(f"the saved model is damaged: its parts do not fit together, {widths}")
    return model
