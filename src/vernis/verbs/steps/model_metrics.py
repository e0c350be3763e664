"""The measures that are saved with a model, as one type for every reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from vernis.domain.types import Estimate, ModelRecord
from vernis.session.results import from_document


@dataclass(frozen=True, slots=True)
class Measures:
    """How good predictions are; NaN where nothing could be measured."""

    precision: Annotated[Estimate, "share of the given labels that are right"]
    recall: Annotated[Estimate, "share of the right labels that are given"]
    f1: Estimate
    f2: Estimate
    average_precision: Estimate


@dataclass(frozen=True, slots=True)
class ClassMeasures(Measures):
    """The measures of one class."""

    n_yes: Annotated[int, "images that carry it"]
    n_known: Annotated[int, "images of which it is known"]


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """The evaluation of a head."""

    basis: Annotated[
        str, "which predictions were measured: out-of-bag, or out-of-fold (--fine-tune, boxes)"
    ]
    head: Annotated[str, "kind of model"]
    confidence: Annotated[float, "of the intervals"]
    micro: Annotated[Measures, "over all labels together"]
    macro: Annotated[Measures, "mean over the classes"]
    classes: Mapping[str, ClassMeasures]


def read_metrics(record: ModelRecord) -> ModelMetrics:
    """Return the measures of a saved model."""
    return from_document(ModelMetrics, {"basis": "out-of-bag", "head": "", **record.metrics})
