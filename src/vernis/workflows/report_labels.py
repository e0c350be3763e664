"""What the report shows of one taxonomy: its audit and its fill suggestions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from vernis.domain.ports import Catalog
from vernis.domain.types import LabelMatrix
from vernis.report.model import (
    Fill,
    FillClass,
    FillItem,
    Interval,
    TaxonomyAudit,
)
from vernis.report.wording import count, percent
from vernis.workflows.report_summaries import (
    or_nan,
    read_neighbors,
    read_notes,
    read_number,
    run_summary,
)

_TOGETHER = 14  # classes of the table of classes that occur together
_FREE_KEYWORDS = 30  # classes from which a multi-label taxonomy is looked at as free keywords


def audit_taxonomy(matrix: LabelMatrix) -> TaxonomyAudit:
    """Return the state of a taxonomy: counts, labels an image, classes together."""
    taxonomy = matrix.taxonomy
    yes = matrix.values == 1
    counts = yes.sum(axis=0)
    order = sorted(range(len(counts)), key=lambda c: (-int(counts[c]), taxonomy.classes[c]))
    frequent = [c for c in order if counts[c]][:_TOGETHER] if taxonomy.kind == "multi" else []
    chosen = yes[:, frequent].astype(np.int64)
    together = chosen.T @ chosen
    confirmed = int((matrix.confirmed & yes).any(axis=1).sum())
    facts = [("Origin", taxonomy.origin), ("Closed", "yes" if taxonomy.closed else "")]
    if len(counts) and counts.sum():
        rarest = order[-1]
        facts.append(("Rarest class", f"{taxonomy.classes[rarest]} ({count(int(counts[rarest]))})"))
    facts.append(("Confirmed by a person", f"{count(confirmed)} images" if confirmed else ""))
    facts += _keyword_facts(taxonomy.kind, counts, matrix)
    return TaxonomyAudit(
        name=taxonomy.name,
        kind=taxonomy.kind,
        n_images=len(matrix.image_ids),
        n_labelled=int(matrix.labelled.sum()),
        counts={taxonomy.classes[c]: int(counts[c]) for c in order},
        labels_per_image=tuple(int(n) for n in np.bincount(yes.sum(axis=1))) if len(yes) else (),
        together_classes=tuple(taxonomy.classes[c] for c in frequent),
        together=tuple(tuple(int(v) for v in row) for row in together),
        closed=taxonomy.closed,
        facts=tuple((name, value) for name, value in facts if value),
    )


def _keyword_facts(kind: str, counts: Any, matrix: LabelMatrix) -> list[tuple[str, str]]:
    """Return what tells free keywords from a designed taxonomy."""
    if kind != "multi" or len(counts) < _FREE_KEYWORDS or not len(matrix.image_ids):
        return []
    rare = float(np.mean(counts < 0.001 * len(matrix.image_ids)))
    return [
        ("Classes on less than 0.1% of the images", percent(rare)),
        ("Classes that occur once", count(int((counts == 1).sum()))),
    ]


# --------------------------------------------------------------------------- fill


def collect_fill(
    catalog: Catalog, audit: TaxonomyAudit, known: Container[int], max_items: int
) -> Fill | None:
    """Return the fill suggestions of a taxonomy, None when fill has not run or has nothing to do.

    The filling rates are those of today, so a report after ``fill --apply`` tells the truth.
    """
    summary = run_summary(catalog, "fill", audit.name)
    stored = [s for s in catalog.issues.suggestions(audit.name) if s.image_id in known]
    if summary is None and not stored:
        return None
    summary = summary or {}
    promised = [suggestion for suggestion in stored if suggestion.promised]
    added = _newly_filled(catalog, audit, {s.image_id for s in promised})
    n_filled = min(audit.n_labelled + added, audit.n_images)
    if not promised and n_filled == audit.n_images:
        return None
    ordered = sorted(promised, key=lambda s: (s.probability, s.image_id, s.label))
    return Fill(
        taxonomy=audit.name,
        precision=_unit(read_number(summary, "precision")),
        before=audit.filling_rate,
        after=n_filled / audit.n_images if audit.n_images else 0.0,
        n_suggested=len(promised),
        n_withheld=audit.n_images - n_filled,
        items=tuple(
            FillItem(s.image_id, s.label, s.probability, read_neighbors(s.evidence, known))
            for s in ordered[:max_items]
        ),
        classes=_fill_classes(summary, audit, Counter(s.label for s in promised)),
        notes=_fill_notes(summary, len(promised), max_items),
        measured=_measured(summary),
    )


def _measured(summary: Mapping[str, Any]) -> Interval | None:
    value = read_number(summary, "measured")
    return None if value is None else Interval(value, or_nan(read_number(summary, "bound")))


def _fill_notes(summary: Mapping[str, Any], n_promised: int, max_items: int) -> tuple[str, ...]:
    notes = []
    basis, bias = str(summary.get("basis", "")), str(summary.get("bias", ""))
    if basis and bias and n_promised:
        notes.append(f"The promise rests on {basis}. Its bias: {bias}.")
    notes += read_notes(summary)
    if n_promised > max_items:
        notes.append(f"The {count(max_items)} least sure of {count(n_promised)} are shown.")
    return tuple(notes)


def _newly_filled(catalog: Catalog, audit: TaxonomyAudit, suggested: set[int]) -> int:
    """Count the images without any label that the suggestions would give one."""
    matrix = catalog.labels.matrix(audit.name)
    return len(suggested - {int(i) for i in matrix.image_ids[matrix.labelled]})


def _fill_classes(
    summary: Mapping[str, Any], audit: TaxonomyAudit, by_class: Mapping[str, int]
) -> tuple[FillClass, ...]:
    said = summary.get("classes", {})
    if isinstance(said, Sequence):
        said = {str(row.get("label", row.get("class", ""))): row for row in said}
    rows = []
    for label, before in audit.counts.items():
        facts = said.get(label, {})
        if not by_class.get(label) and not facts:
            continue
        rows.append(
            FillClass(
                label=label,
                n_suggested=by_class.get(label, 0),
                threshold=or_nan(read_number(facts, "threshold")),
                precision=or_nan(
                    read_number(facts, "bound", "lower", "precision_low", "precision")
                ),
                n_before=before,
            )
        )
    return tuple(rows)


def _unit(value: float | None) -> float:
    return math.nan if value is None else min(max(value, 0.0), 1.0)
