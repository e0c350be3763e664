"""Read the summaries that other workflows left, without trusting that all keys are there."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import Any

from vernis.domain.ports import Catalog
from vernis.report.model import Interval, Neighbor


def run_summary(catalog: Catalog, workflow: str, taxonomy: str) -> dict[str, Any] | None:
    """Return the summary of the latest run of a workflow on a taxonomy, None when there is none."""
    for name in (f"{workflow}:{taxonomy}", f"{workflow}/{taxonomy}"):
        found = catalog.runs.summary(name)
        if found is not None:
            return found
    found = catalog.runs.summary(workflow)
    if found is not None and found.get("taxonomy") == taxonomy:
        return found
    return None


def read_number(summary: Mapping[str, Any], *keys: str) -> float | None:
    """Return the first finite number under one of the keys."""
    for key in keys:
        value = summary.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None


def read_interval(summary: Mapping[str, Any], *keys: str) -> Interval | None:
    """Return the first estimate under one of the keys: a number, or a mapping with bounds."""
    for key in keys:
        value = summary.get(key)
        if isinstance(value, Mapping):
            centre = read_number(value, "value", "estimate", "count", "mean")
            if centre is not None:
                low, high = read_number(value, "low", "lower"), read_number(value, "high", "upper")
                return Interval(centre, or_nan(low), or_nan(high))
        plain = read_number(summary, key)
        if plain is not None:
            low, high = read_number(summary, f"{key}_low"), read_number(summary, f"{key}_high")
            return Interval(plain, or_nan(low), or_nan(high))
    return None


def read_neighbors(evidence: Mapping[str, Any], known: Container[int]) -> tuple[Neighbor, ...]:
    """Return the similar images that an evidence names, as far as they are known."""
    return tuple(
        Neighbor(int(n["image_id"]), str(n.get("label", "")), or_nan(read_number(n, "similarity")))
        for n in evidence.get("neighbors", ())
        if n.get("image_id") in known
    )


def or_nan(value: float | None) -> float:
    """Return the number, NaN for None."""
    return math.nan if value is None else float(value)


def read_notes(summary: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Return the sentences under ``notes`` or ``warnings``, or the keys named."""
    found: list[str] = []
    for key in keys or ("notes", "warnings"):
        value = summary.get(key, ())
        found += [value] if isinstance(value, str) else [str(line) for line in value or ()]
    return tuple(found)
