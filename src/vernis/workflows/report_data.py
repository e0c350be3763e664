"""Collect from the catalog what the report shows. Whatever is missing is left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vernis.domain.ports import Catalog
from vernis.domain.types import (
    QUALITY_KINDS,
    DuplicateGroup,
    DuplicatePair,
    ImageRecord,
    Issue,
    LabelMatrix,
)
from vernis.report.model import (
    BrokenFile,
    Duplicates,
    ImageRef,
    LabelIssue,
    LabelIssues,
    Member,
    Neighbor,
    QualityIssues,
    QualityItem,
    ReportData,
    mentioned_images,
)
from vernis.report.wording import count, counted, size
from vernis.workflows.quality import count_open_quality
from vernis.workflows.report_actions import suggest_actions
from vernis.workflows.report_labels import audit_taxonomy, collect_fill
from vernis.workflows.report_models import collect_model
from vernis.workflows.report_summaries import (
    read_interval,
    read_neighbors,
    read_notes,
    read_number,
    run_summary,
)

_LABELS_SHOWN = 6
_NO_EMBEDDING = ("fingerprint", "quality")  # spaces of measures, of no interest to the reader


@dataclass(frozen=True, slots=True)
class _Known:
    """What several sections look up; ``labels`` is image id → taxonomy → classes."""

    images: Mapping[int, ImageRecord]
    labels: Mapping[int, Mapping[str, tuple[str, ...]]]
    max_items: int


def collect_report(
    catalog: Catalog, *, max_items: int, max_suggestions: int, created: str, version: str
) -> tuple[ReportData, list[ImageRecord]]:
    """Read everything that the report shows.

    Parameters
    ----------
    catalog : Catalog
        Only read.
    max_items, max_suggestions : int
        Most rows of each list; of the fill suggestions of a taxonomy.
    created, version : str
        Shown as they are.

    Returns
    -------
    data : ReportData
        Without thumbnails.
    shown : list of ImageRecord
        The images that it names, ordered by id.
    """
    present = catalog.images.all()
    unreadable = catalog.images.all(("unreadable",))
    matrices = [catalog.labels.matrix(t.name) for t in catalog.labels.taxonomies()]
    known = _Known({image.id: image for image in present}, _labels_of(matrices), max_items)
    audits = tuple(audit_taxonomy(matrix, known.images) for matrix in matrices)
    issues = _some(_label_issues(catalog, matrix, known) for matrix in matrices)
    groups = [g for g in catalog.issues.groups() if all(i in known.images for i in g.images)]
    duplicates = tuple(_duplicates(g, known) for g in _most_useful_first(groups)[:max_items])
    quality = _some(_quality(catalog, kind, known) for kind in QUALITY_KINDS)
    fills = _some(collect_fill(catalog, audit, known.images, max_suggestions) for audit in audits)
    images = sorted(mentioned_images(issues, duplicates, quality, fills))
    data = ReportData(
        title=catalog.folder.name.removesuffix(".vernis") or "Collection",
        created=created,
        version=version,
        n_images=len(present),
        images={i: _reference(known.images[i]) for i in images},
        facts=_facts(catalog, present),
        actions=suggest_actions(groups, issues, fills, len(unreadable)),
        audits=audits,
        label_issues=issues,
        duplicates=duplicates,
        n_groups=len(groups),
        n_extra_copies=sum(len(group.images) - 1 for group in groups),
        quality=quality,
        n_poor=count_open_quality(catalog)[1],
        broken=tuple(BrokenFile(i.uri, i.reason or "unreadable", i.size) for i in unreadable),
        fills=fills,
        models=_some(collect_model(catalog, matrix) for matrix in matrices),
    )
    return data, [known.images[i] for i in images]


def _some(found: Any) -> tuple[Any, ...]:
    return tuple(item for item in found if item is not None)


def _reference(image: ImageRecord) -> ImageRef:
    return ImageRef(image.id, image.uri, image.width, image.height, image.size)


def _labels_of(matrices: Sequence[LabelMatrix]) -> dict[int, dict[str, tuple[str, ...]]]:
    labels: dict[int, dict[str, tuple[str, ...]]] = {}
    for matrix in matrices:
        classes = matrix.taxonomy.classes
        rows: dict[int, list[str]] = {}
        for row, column in np.argwhere(matrix.values == 1):
            rows.setdefault(int(matrix.image_ids[row]), []).append(classes[column])
        for image, names in rows.items():
            labels.setdefault(image, {})[matrix.taxonomy.name] = tuple(names)
    return labels


def _facts(catalog: Catalog, present: Sequence[ImageRecord]) -> tuple[tuple[str, str], ...]:
    root = catalog.images.root()
    formats = Counter(image.format or "unknown" for image in present)
    others = catalog.images.other_files()
    sources = catalog.labels.counts_by_source()
    spaces = [s for s, _ in catalog.vectors.spaces() if s.name not in _NO_EMBEDDING]
    facts = [
        ("Folder", str(root) if root else ""),
        ("Formats", _listed(formats)),
        ("Size of the images", size(sum(image.size for image in present)) if present else ""),
        ("Other files, not read", _listed(others)),
        ("Labels by source", _listed(sources)),
        ("Embedding", ", ".join(f"{s.name} × {s.dim}" for s in spaces)),
    ]
    return tuple((name, value) for name, value in facts if value)


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count(value)} {name}" for name, value in ordered[:5]]
    if len(ordered) > 5:
        shown.append(f"{counted(len(ordered) - 5, 'further kind')}")
    return ", ".join(shown)


def _label_issues(catalog: Catalog, matrix: LabelMatrix, known: _Known) -> LabelIssues | None:
    name = matrix.taxonomy.name
    flagged = [i for i in catalog.issues.select(("label",), name) if i.image_id in known.images]
    summary = run_summary(catalog, "label_issues", name)
    if not flagged and summary is None:
        return None
    summary = summary or {}
    verdicts = Counter(issue.verdict for issue in flagged)
    waiting = [issue for issue in flagged if issue.verdict == "open"]
    notes = list(read_notes(summary))
    decided = verdicts["accepted"] + verdicts["dismissed"]
    if decided:
        notes.append(
            f"Not shown: {count(verdicts['accepted'])} accepted and "
            f"{count(verdicts['dismissed'])} dismissed before."
        )
    estimate = summary.get("wrong")
    depth = read_number(summary, "depth")
    if depth is None and isinstance(estimate, Mapping):
        depth = read_number(estimate, "depth")
    return LabelIssues(
        taxonomy=name,
        items=tuple(_label_issue(issue, known) for issue in waiting[: known.max_items]),
        n_flagged=len(waiting),
        n_labelled=int(matrix.labelled.sum()),
        wrong=read_interval(summary, "wrong"),
        depth=None if depth is None else int(depth),
        scorer=str(summary.get("scorer", "")),
        notes=tuple(notes),
        gain=_gain(catalog, name),
    )


def _gain(catalog: Catalog, taxonomy: str) -> tuple[tuple[int, float], ...]:
    """Return the expected number of wrong labels among the k worst, at most 120 points."""
    ranked = sorted(
        catalog.issues.select(("label",), taxonomy, flagged_only=False), key=lambda i: i.score
    )
    chances = [read_number(issue.evidence, "probability") for issue in ranked]
    if len(chances) < 2 or any(chance is None for chance in chances):
        return ()
    met = np.cumsum([0.0, *(chance or 0.0 for chance in chances)])
    steps = np.unique(np.linspace(0, len(chances), 120).round().astype(int))
    return tuple((int(k), round(float(met[k]), 2)) for k in steps)


def _label_issue(issue: Issue, known: _Known) -> LabelIssue:
    evidence = issue.evidence
    change = str(evidence.get("change", "replaced"))
    return LabelIssue(
        image=issue.image_id,
        score=issue.score,
        change="extra" if change == "extra" else "missing" if change == "missing" else "replaced",
        given=tuple(map(str, evidence.get("given", ()))),
        suggested=tuple(map(str, evidence.get("suggested", ()))),
        probability=_share(read_number(evidence, "probability")),
        neighbors=read_neighbors(evidence, known.images),
        verdict=issue.verdict,
        agreement=_share(read_number(evidence, "agreement")),
        twins=_twins(issue, known),
    )


def _twins(issue: Issue, known: _Known) -> tuple[Neighbor, ...]:
    twins = [int(i) for i in issue.evidence.get("duplicates", ()) if i in known.images]
    labels = [known.labels.get(twin, {}).get(issue.taxonomy, ()) for twin in twins]
    return tuple(
        Neighbor(twin, ", ".join(names), math.nan)
        for twin, names in zip(twins, labels, strict=True)
    )


def _share(value: float | None) -> float:
    return math.nan if value is None else min(max(value, 0.0), 1.0)


_WEAKNESS = {"bytes": 0, "pixels": 1, "near": 2}


def _most_useful_first(groups: Sequence[DuplicateGroup]) -> list[DuplicateGroup]:
    """Return the groups whose labels disagree first, then the surest and the largest."""
    return sorted(
        groups,
        key=lambda g: (not g.conflicts, _WEAKNESS[g.kind], -len(g.images), g.images),
    )


def _duplicates(group: DuplicateGroup, known: _Known) -> Duplicates:
    to_keeper = {
        pair.b if pair.a == group.keeper else pair.a: pair
        for pair in group.pairs
        if group.keeper in (pair.a, pair.b)
    }
    members = []
    for image in group.images:
        labels = known.labels.get(image, {})
        first = [label for name in group.conflicts for label in labels.get(name, ())]
        rest = [
            label
            for name, found in labels.items()
            if name not in group.conflicts
            for label in found
        ]
        pair = to_keeper.get(image)
        members.append(
            Member(
                image,
                float("nan") if pair is None else pair.similarity,
                "" if pair is None else _seen_from(group.keeper, pair),
                tuple((first + rest)[:_LABELS_SHOWN]),
            )
        )
    return Duplicates(
        kind=group.kind,
        keeper=group.keeper,
        reason=group.reason,
        members=tuple(members),
        merged={name: tuple(labels) for name, labels in group.merged_labels.items() if labels},
        conflicts=group.conflicts,
    )


_INVERSE = {"rot90": "rot270", "rot270": "rot90"}


def _seen_from(keeper: int, pair: DuplicatePair) -> str:
    """Return how the keeper became the other; a pair says how ``a`` became ``b``."""
    if pair.a == keeper:
        return pair.transform
    return "+".join(_INVERSE.get(part, part) for part in pair.transform.split("+"))


def _quality(catalog: Catalog, kind: str, known: _Known) -> QualityIssues | None:
    found = catalog.issues.select((kind,), verdicts=("open",))
    flagged = [issue for issue in found if issue.image_id in known.images]
    if not flagged:
        return None
    items = [QualityItem(i.image_id, i.score, _measured(i)) for i in flagged[: known.max_items]]
    return QualityIssues(kind, tuple(items), len(flagged))


def _measured(issue: Issue) -> str:
    """Return what the evidence says in words, or its first numbers."""
    for key in ("note", "reason", "why"):
        if isinstance(issue.evidence.get(key), str):
            return str(issue.evidence[key])
    numbers = [
        f"{name.replace('_', ' ')} {value:.3g}"
        for name, value in issue.evidence.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return ", ".join(numbers[:2])
