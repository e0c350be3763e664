"""The lists of the report as JSON for its script, short enough for thousands of rows.

The keys are one letter each; ``templates/cards.js`` reads them. Images are sent once and named by
id from then on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from vernis.report.model import LabelIssue, Model, Neighbor, ReportData
from vernis.report.sections import QUALITY_NAMES
from vernis.report.wording import size


def lists(data: ReportData) -> dict[str, Any]:
    """Return the name of each list with its rows; a list without rows is left out."""
    found: dict[str, Any] = {
        "images": [
            [ref.id, ref.uri, ref.width, ref.height, size(ref.size) if ref.size else "", ref.thumb]
            for _, ref in sorted(data.images.items())
        ],
        "issues": [
            {"t": issues.taxonomy, "r": rank, **_issue(issue)}
            for issues in data.label_issues
            for rank, issue in enumerate(issues.items, 1)
        ],
        "duplicates": _groups(data),
        "quality": [
            {
                "k": QUALITY_NAMES.get(kind.kind, (kind.kind.replace("_", " "), ""))[0],
                "y": QUALITY_NAMES.get(kind.kind, ("", ""))[1],
                "i": item.image,
                "s": _number(item.score),
                "n": item.note,
            }
            for kind in data.quality
            for item in kind.items
        ],
        "fill": [
            {
                "t": fill.taxonomy,
                "i": item.image,
                "l": item.label,
                "p": _number(item.probability),
                "n": _neighbors(item.neighbors),
            }
            for fill in data.fills
            for item in fill.items
        ],
        "curves": [_curves(model) for model in data.models],
    }
    return {name: rows for name, rows in found.items() if rows}


def as_script(name: str, rows: Any) -> str:
    """Return a script that hands the rows to the page.

    All but ASCII is written as ``\\uXXXX`` and ``<`` as well, so that no text of a file name can
    end the script or be read in another encoding.
    """
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return f'vernis.receive("{name}",{text.replace("<", chr(92) + "u003c")});\n'


def _number(value: float, digits: int = 3) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _neighbors(neighbors: Iterable[Neighbor]) -> list[list[Any]]:
    return [[n.image, n.label, _number(n.similarity)] for n in neighbors]


def _issue(issue: LabelIssue) -> dict[str, Any]:
    return {
        "i": issue.image,
        "s": _number(issue.score),
        "c": issue.change,
        "g": list(issue.given),
        "u": list(issue.suggested),
        "p": _number(issue.probability),
        "n": _neighbors(issue.neighbors),
        "v": issue.verdict,
        "a": _number(issue.agreement),
        "d": _neighbors(issue.twins),
    }


def _groups(data: ReportData) -> list[dict[str, Any]]:
    return [
        {
            "k": group.kind,
            "b": group.keeper,
            "w": group.reason,
            "m": [
                [m.image, _number(m.similarity), m.transform, list(m.labels)] for m in group.members
            ],
            "l": {taxonomy: list(labels) for taxonomy, labels in group.merged.items()},
            "x": list(group.conflicts),
        }
        for group in data.duplicates
    ]


def _curves(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "l": curve.label,
            "t": [_number(v) for v in curve.thresholds],
            "precision": [_number(v) for v in curve.precision],
            "recall": [_number(v) for v in curve.recall],
            "F1": [_number(v) for v in curve.f1],
            "c": _number(curve.chosen),
        }
        for curve in model.curves
    ]
