"""How pictures look: where it is stored, and the shipped weights by which their type is told."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from vernis.core.appearance.measure import SIZE
from vernis.core.appearance.picture_type import TYPE_FEATURES, TYPES, TypeModel
from vernis.domain.errors import InvalidValue, ModelError
from vernis.domain.types import Space

APPEARANCE_SPACE = Space("appearance", SIZE, "float32", {"version": 1})
"""See ``vernis.core.appearance.measure``."""
TYPE_WEIGHTS = Path(__file__).with_name("appearance_types.json")
"""Written by ``tools/calibrate_appearance.py``."""


@cache
def open_type_model() -> TypeModel:
    """Return what tells the type of pictures; raises ModelError where its file is damaged."""
    return read_type_model(TYPE_WEIGHTS)


def read_type_model(path: Path) -> TypeModel:
    """Read a file of weights.

    Raises
    ------
    ModelError
        It is missing or no such file, or fits other measures or types than this version's.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(said["features"]), tuple(said["types"])
        tables = [np.array(said[part], np.float64) for part in ("means", "spreads", "weights")]
        if names != (TYPE_FEATURES, TYPES):
            raise InvalidValue("it is of other measures or types of pictures")
        return TypeModel(*tables)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: {error}; install Vernis anew") from error
