"""What the report shows of one taxonomy: its audit and its fill suggestions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.types import LabelMatrix, Learnability, Suggestion, Taxonomy
from vernis.report.model import (
    ClassPair,
    Fill,
    FillClass,
    FillItem,
    Frame,
    Interval,
    Neighbor,
    TaxonomyAudit,
)
from vernis.report.wording import count, counted, decimal, percent
from vernis.session.results import from_document
from vernis.verbs.decide.fill_summary import FillSummary
from vernis.verbs.decide.label_judgement import SupportingNeighbor
from vernis.verbs.decide.label_places import LabelPlace, find_places, place_of_suggestion
from vernis.verbs.steps import taxonomy_audit as steps_audit
from vernis.verbs.steps.taxonomy_audit import say_meaning

if TYPE_CHECKING:
    from vernis.session.session import Session

_TOGETHER = 14  # classes of the table of classes that occur together


def audit_taxonomy(
    matrix: LabelMatrix,
    words: steps_audit.ImageWords,
    meaning: Learnability | None = None,
) -> TaxonomyAudit:
    """Return the state of a taxonomy, as ``vernis taxonomies`` has it, with classes together."""
    taxonomy = matrix.taxonomy
    said = steps_audit.describe_taxonomy(matrix, words, meaning)
    counts = {row.class_: row.count for row in said.class_counts}
    column = {label: c for c, label in enumerate(taxonomy.classes)}
    is_multi = taxonomy.kind == "multi"
    frequent = [label for label, n in counts.items() if n][:_TOGETHER] if is_multi else []
    chosen = (matrix.values[:, [column[label] for label in frequent]] == 1).astype(np.int64)
    return TaxonomyAudit(
        name=taxonomy.name,
        kind=taxonomy.kind,
        n_images=said.images,
        n_labelled=said.labelled,
        counts=counts,
        labels_per_image=tuple(row.images for row in said.labels_an_image),
        together_classes=tuple(frequent),
        together=tuple(tuple(int(v) for v in row) for row in chosen.T @ chosen),
        pairs=tuple(
            ClassPair(row.first, row.second, row.images, row.lift)
            for row in (said.together if is_multi else ())
        ),
        closed=taxonomy.closed,
        facts=tuple((name, value) for name, value in _audit_facts(taxonomy, said) if value),
    )


def _audit_facts(taxonomy: Taxonomy, said: steps_audit.TaxonomyAudit) -> list[tuple[str, str]]:
    used = [row for row in said.class_counts if row.count]
    rarest = f"{used[-1].class_} ({count(used[-1].count)})" if used else ""
    unused = said.classes - said.classes_used
    entropy = said.entropy
    facts = [
        ("Description", taxonomy.description),
        ("Origin", taxonomy.origin),
        ("Told by the pictures", say_meaning(said)),
        ("Labels equal to all others in the folder", _share(said.like_their_folder)),
        ("Closed", "yes: no other label than those given" if taxonomy.closed else ""),
        ("Rarest class", rarest),
        ("Classes without an image", count(unused) if unused else ""),
        ("Evenness of the classes", f"{decimal(entropy)} of 1" if entropy is not None else ""),
        ("Confirmed by a person", counted(said.confirmed, "image") if said.confirmed else ""),
    ]
    if said.free_keywords:
        facts += [
            ("Keywords on less than 0.1% of the images", percent(said.rare_share)),
            ("Keywords on one image alone", count(said.unique_classes)),
        ]
    if taxonomy.kind == "multi":
        facts += [
            ("Labels that repeat the file name", _share(said.in_file_name)),
            ("Labels that repeat the title", _share(said.in_title)),
        ]
    return facts


def _share(value: float | None) -> str:
    return "" if value is None else percent(value)


# --------------------------------------------------------------------------- fill


def collect_fill(
    session: Session, audit: TaxonomyAudit, known: Container[int], max_items: int
) -> Fill | None:
    """Return the fill suggestions of a taxonomy, None when fill has not run or has nothing to do.

    The filling rates are those of today, so a report after ``fill --apply`` tells the truth.
    """
    summary = session.results.find(f"fill:{audit.name}", FillSummary)
    stored = [s for s in session.catalog.issues.suggestions(audit.name) if s.image_id in known]
    if summary is None:
        return None
    promised = [suggestion for suggestion in stored if suggestion.promised]
    added = _newly_filled(session, audit, {s.image_id for s in promised})
    n_filled = min(audit.n_labelled + added, audit.n_images)
    if not promised and n_filled == audit.n_images:
        return None
    # The least sure first: where a look is worth most.
    ordered = sorted(promised, key=lambda s: (s.probability, s.image_id, s.label))[:max_items]
    wanted = [(one.image_id, one.label) for one in ordered]
    places = find_places(session, audit.name, wanted)
    return Fill(
        taxonomy=audit.name,
        precision=summary.precision,
        before=audit.filling_rate,
        after=n_filled / audit.n_images if audit.n_images else 0.0,
        n_suggested=len(promised),
        n_withheld=audit.n_images - n_filled,
        items=tuple(
            FillItem(
                s.image_id,
                s.label,
                s.probability,
                _neighbors(s, known),
                frame_of(place_of_suggestion(s, places)),
            )
            for s in ordered
        ),
        classes=_fill_classes(summary, audit, Counter(s.label for s in promised)),
        notes=_fill_notes(summary, len(promised), max_items),
        measured=_measured(summary),
    )


def frame_of(place: LabelPlace | None) -> Frame | None:
    """Return a place as the report draws it."""
    return None if place is None else Frame(place.label, place.box, place.source)


def _neighbors(suggestion: Suggestion, known: Container[int]) -> tuple[Neighbor, ...]:
    found = from_document(
        tuple[SupportingNeighbor, ...],
        suggestion.evidence.get("neighbors", ()),
    )
    return tuple(Neighbor(n.image_id, n.label, n.similarity) for n in found if n.image_id in known)


def _measured(summary: FillSummary) -> Interval | None:
    if summary.measured is None:
        return None
    return Interval(summary.measured, math.nan if summary.bound is None else summary.bound)


def _fill_notes(summary: FillSummary, n_promised: int, max_items: int) -> tuple[str, ...]:
    notes = []
    if summary.bias and n_promised:
        notes.append(f"The promise rests on {summary.basis}. Its bias: {summary.bias}.")
    notes += summary.notes
    if n_promised > max_items:
        notes.append(f"The {count(max_items)} least sure of {count(n_promised)} are shown.")
    return tuple(notes)


def _newly_filled(session: Session, audit: TaxonomyAudit, suggested: set[int]) -> int:
    """Count the images without any label that the suggestions would give one."""
    matrix = session.matrix(audit.name)
    return len(suggested - {int(i) for i in matrix.image_ids[matrix.labelled]})


def _fill_classes(
    summary: FillSummary, audit: TaxonomyAudit, by_class: Mapping[str, int]
) -> tuple[FillClass, ...]:
    rows = []
    for label, before in audit.counts.items():
        facts = summary.classes.get(label)
        if facts is None and not by_class.get(label):
            continue
        rows.append(
            FillClass(
                label=label,
                n_suggested=by_class.get(label, 0),
                threshold=_or_nan(None if facts is None else facts.threshold),
                precision=_or_nan(None if facts is None else facts.bound),
                n_before=before,
            )
        )
    return tuple(rows)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
