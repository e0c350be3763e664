"""The documented shapes of what the catalog holds: plain rows that scripts may rely on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import IMAGE_STATES, DuplicateGroup, Event, Issue, Suggestion

if TYPE_CHECKING:
    from vernis.workflows.fill import FillSummary
    from vernis.workflows.index import IndexSummary
    from vernis.workflows.learn import LearnSummary

ISSUE_ORDERS = ("score", "several")

# As the documents name a measure → as the evaluation does.
_MEASURES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "f2": "f2",
    "ap": "average_precision",
}


def uris_by_id(catalog: Catalog) -> dict[int, str]:
    """Return the path of every image that the catalog lists, whatever its state."""
    return {image.id: image.uri for image in catalog.images.all(IMAGE_STATES)}


def label_issue_rows(
    issues: Iterable[Issue], uris: Mapping[int, str], sort: str = "score"
) -> list[dict[str, Any]]:
    """Return ``{image, score, kind, given, suggested, probability, verdict, …}``, worst first.

    Parameters
    ----------
    issues : iterable of Issue
    uris : mapping of int to str
        Path of each image; issues of others are left out.
    sort : {"score", "several"}
        What makes an image the worst: its lowest score, or its largest chance of two wrong labels
        or more (then the score).

    Raises
    ------
    UsageError
        There is no such order.
    """
    if sort not in ISSUE_ORDERS:
        raise UsageError(f"expected an order of {' or '.join(ISSUE_ORDERS)}, got {sort!r}")
    rows = [
        {
            "image": uris[issue.image_id],
            "score": issue.score,
            "kind": issue.evidence.get("change", "replaced"),
            "given": list(issue.evidence.get("given", [])),
            "suggested": list(issue.evidence.get("suggested", [])),
            "probability": issue.evidence.get("probability"),
            "several": issue.evidence.get("several"),
            "verdict": issue.verdict,
            "flagged": issue.flagged,
            "neighbors": [
                {**neighbor, "image": uris.get(int(neighbor.get("image_id", 0)), "")}
                for neighbor in issue.evidence.get("neighbors", [])
            ],
        }
        for issue in issues
        if issue.image_id in uris
    ]
    rows.sort(key=lambda row: (row["score"], row["image"]))
    if sort == "several":
        rows.sort(key=lambda row: -(row["several"] or 0.0))
    return rows


def quality_rows(issues: Iterable[Issue], uris: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return ``{image, kind, score, flagged, verdict}``, worst first."""
    rows = [
        {
            "image": uris[issue.image_id],
            "kind": issue.kind,
            "score": issue.score,
            "flagged": issue.flagged,
            "verdict": issue.verdict,
        }
        for issue in issues
        if issue.image_id in uris
    ]
    return sorted(rows, key=lambda row: (not row["flagged"], row["score"], row["image"]))


def duplicate_document(groups: Sequence[DuplicateGroup], uris: Mapping[int, str]) -> dict[str, Any]:
    """Return ``{groups: [{kind, keeper, reason, images, pairs, merged_labels, conflicts}]}``."""
    return {
        "groups": [
            {
                "kind": group.kind,
                "keeper": uris[group.keeper],
                "reason": group.reason,
                "images": [uris[i] for i in group.images],
                "pairs": [
                    {
                        "a": uris[pair.a],
                        "b": uris[pair.b],
                        "similarity": pair.similarity,
                        "transform": pair.transform,
                        "kind": pair.kind,
                    }
                    for pair in group.pairs
                ],
                "merged_labels": {name: list(v) for name, v in group.merged_labels.items()},
                "conflicts": list(group.conflicts),
            }
            for group in groups
        ]
    }


def suggestion_rows(
    suggestions: Iterable[Suggestion], uris: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Return ``{image, label, probability}``, most certain first."""
    rows = [
        {"image": uris[s.image_id], "label": s.label, "probability": s.probability}
        for s in suggestions
        if s.image_id in uris
    ]
    return sorted(rows, key=lambda row: (-row["probability"], row["image"], row["label"]))


def status_document(catalog: Catalog) -> dict[str, Any]:
    """Return the counts of ``vernis status``: images, failures, labels, taxonomies, spaces…"""
    images = catalog.images.all(IMAGE_STATES)
    states = [image.state for image in images]
    taxonomies = []
    for taxonomy in catalog.labels.taxonomies():
        matrix = catalog.labels.matrix(taxonomy.name)
        labelled = int(matrix.labelled.sum())
        taxonomies.append(
            {
                "name": taxonomy.name,
                "kind": taxonomy.kind,
                "closed": taxonomy.closed,
                "origin": taxonomy.origin,
                "classes": len(taxonomy.classes),
                "labelled": labelled,
                "filling_rate": labelled / len(matrix.image_ids) if len(matrix.image_ids) else 0.0,
            }
        )
    issues: dict[str, int] = {}
    for issue in catalog.issues.select(verdicts=("open",)):
        key = f"{issue.kind}:{issue.taxonomy}" if issue.taxonomy else issue.kind
        issues[key] = issues.get(key, 0) + 1
    root = catalog.images.root()
    return {
        "collection": str(catalog.folder),
        "root": str(root) if root else None,
        "images": {
            "present": states.count("present"),
            "unreadable": states.count("unreadable"),
            "vanished": states.count("vanished"),
            "trashed": states.count("trashed"),
        },
        "failures": [
            {"image": image.uri, "reason": image.reason}
            for image in images
            if image.state == "unreadable"
        ],
        "other_files": catalog.images.other_files(),
        "labels": catalog.labels.counts_by_source(),
        "taxonomies": taxonomies,
        "issues": issues,
        "duplicate_groups": len(catalog.issues.groups()),
        "spaces": [
            {"name": space.name, "dim": space.dim, "dtype": space.dtype, "vectors": count}
            for space, count in catalog.vectors.spaces()
        ],
        "models": [
            {"name": m.name, "version": m.version, "taxonomy": m.taxonomy, "space": m.space}
            for m in catalog.models.records()
        ],
    }


def event_rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return one row an event, in the order given."""
    return [
        {
            "time": event.time,
            "batch": event.batch_id,
            "verb": event.verb,
            "source": event.source,
            "taxonomy": event.taxonomy,
            "label": event.label,
            "before": event.before,
            "after": event.after,
            "note": event.note,
        }
        for event in events
    ]


def learn_document(summary: LearnSummary) -> dict[str, Any]:
    """Return ``{model, facts, classes, notes}`` of a trained head."""
    metrics = summary.model.metrics
    micro, macro = metrics["micro"], metrics["macro"]
    facts = {
        "model": f"{summary.model.name}@{summary.model.version}",
        "images": summary.n_images,
        "labelled": summary.n_labelled,
        "head": metrics.get("head", ""),
        "measured": metrics["basis"],
    }
    for name, measures in (("micro", micro), ("macro", macro)):
        for shown, measure in _MEASURES.items():
            value = measures[measure]
            facts[f"{name} {shown}"] = (
                f"{value['value']:.3f} ({value['low']:.3f}-{value['high']:.3f})"
                if value["value"] is not None and value["low"] is not None
                else "not measurable"
            )
    classes = [
        {
            "class": name,
            "n": row["n_yes"],
            "threshold": summary.thresholds.get(name),
            **{shown: row[measure]["value"] for shown, measure in _MEASURES.items()},
        }
        for name, row in metrics["classes"].items()
    ]
    return {
        "model": facts["model"],
        "trained": summary.trained,
        "facts": facts,
        "classes": classes,
        "notes": list(summary.notes),
    }


def index_document(summary: IndexSummary) -> dict[str, Any]:
    """Return the counts of one indexing."""
    changes = summary.changes
    return {
        "images": summary.images,
        "new": changes.new,
        "changed": changes.changed,
        "moved": changes.moved,
        "vanished": changes.vanished,
        "unchanged": changes.unchanged,
        "unreadable": changes.unreadable,
        "other_files": sum(summary.other_files.values()),
    }


def fill_document(summary: FillSummary, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``{summary, suggestions}``."""
    facts = asdict(summary)
    before, after = facts.pop("before"), facts.pop("after")
    return {
        "summary": {**facts, "filling_rate_before": before, "filling_rate_after": after},
        "suggestions": rows,
    }


def model_rows(catalog: Catalog, taxonomy: str | None = None) -> list[dict[str, Any]]:
    """Return one row a saved model, newest first."""
    return [
        {
            "name": model.name,
            "version": model.version,
            "taxonomy": model.taxonomy,
            "head": model.metrics.get("head", ""),
            "micro_f1": model.metrics.get("micro", {}).get("f1", {}).get("value"),
            "space": model.space,
            "created": model.created,
            "folder": str(catalog.folder / model.folder),
        }
        for model in catalog.models.records(taxonomy)
    ]
