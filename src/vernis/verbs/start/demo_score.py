"""Score what the pipeline found in the demo against what was planted there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vernis.domain.ports import Catalog
from vernis.domain.types import Issue

if TYPE_CHECKING:
    from vernis.adapters.demo.truth import DemoTruth

Pair = frozenset[str]

_COPY_NAMES = {"bytes": "exact copies", "pixels": "same pixels, other file", "near": "near copies"}
_QUALITY_NAMES = {
    "blurry": "blurred pictures",
    "dark": "dark pictures",
    "overexposed": "over-exposed pictures",
    "low_information": "empty pictures",
    "greyscale": "grey pictures",
}


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One kind of fault: how many were planted, found and missed, and false alarms."""

    planted: str
    count: int
    found: int
    missed: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class DemoScore:
    """Planted against found.

    Attributes
    ----------
    table : tuple of ScoreRow
    notes : tuple of str
        What the table cannot show.
    """

    table: tuple[ScoreRow, ...]
    notes: tuple[str, ...]


def score_demo(catalog: Catalog, truth: DemoTruth) -> DemoScore:
    """Compare a catalog with the demo's answer sheet. Nothing else may read that sheet.

    Found is what the pipeline flagged or suggested, whatever a person decided on it since. Every
    flag beyond the planted faults counts as a false alarm, though some are fair: a night scene is
    dark, and a copy made for the demo may be blurred by its compression.

    Parameters
    ----------
    catalog : Catalog
        After ``vernis run`` on the demo.
    truth : DemoTruth

    Returns
    -------
    DemoScore
    """
    uris = {image.id: image.uri for image in catalog.images.all(("present", "unreadable"))}
    known = {taxonomy.name for taxonomy in catalog.labels.taxonomies()}
    table: list[ScoreRow] = []
    notes: list[str] = []
    for taxonomy in truth.labels:
        if taxonomy in known:
            table.append(_score_wrong_labels(catalog, truth, taxonomy, uris, notes))
    for taxonomy in truth.labels:
        if taxonomy in known:
            table.append(_score_fill(catalog, truth, taxonomy, uris, notes))
    table += _score_copies(catalog, truth, uris, notes)
    table += _score_quality(catalog, truth, uris)
    unreadable = {image.uri for image in catalog.images.all(("unreadable",))}
    table.append(_count("broken files", set(truth.broken), unreadable))
    table.append(_score_other_files(catalog, truth))
    return DemoScore(tuple(table), tuple(notes))


def _count(name: str, planted: set[Any], flagged: set[Any]) -> ScoreRow:
    return ScoreRow(
        planted=name,
        count=len(planted),
        found=len(planted & flagged),
        missed=len(planted - flagged),
        false_alarms=len(flagged - planted),
    )


def _labels(issue: Issue, name: str) -> set[str]:
    return set(issue.evidence.get(name) or ())


def _score_wrong_labels(
    catalog: Catalog, truth: DemoTruth, taxonomy: str, uris: Mapping[int, str], notes: list[str]
) -> ScoreRow:
    planted = {row.image for row in truth.wrong if row.taxonomy == taxonomy}
    issues = {uris[i.image_id]: i for i in catalog.issues.select(["label"], taxonomy)}
    row = _count(f"images with a wrong {taxonomy} label", planted, set(issues))
    true = truth.labels[taxonomy]
    mended = sum(
        _labels(issues[name], "suggested") == set(true[name]) for name in planted & set(issues)
    )
    if row.found:
        notes.append(f"{taxonomy}: for {mended} of the {row.found} found the suggestion is right")
    return row


def _score_fill(
    catalog: Catalog, truth: DemoTruth, taxonomy: str, uris: Mapping[int, str], notes: list[str]
) -> ScoreRow:
    true = truth.labels[taxonomy]
    planted = {(name, label) for name in truth.blank(taxonomy) for label in true[name]}
    suggested = {(uris[s.image_id], s.label) for s in catalog.issues.suggestions(taxonomy)}
    row = _count(f"blank {taxonomy} labels", planted, suggested)
    promised = (catalog.runs.summary(f"fill:{taxonomy}") or {}).get("precision")
    if suggested and promised is not None:
        notes.append(
            f"{taxonomy}: {row.found / len(suggested):.1%} of the {len(suggested)} labels to fill "
            f"are right, promised were {promised:.0%}"
        )
    elif promised is not None:
        notes.append(
            f"{taxonomy}: a precision of {promised:.0%} could not be promised; none filled"
        )
    return row


def _score_copies(
    catalog: Catalog, truth: DemoTruth, uris: Mapping[int, str], notes: list[str]
) -> list[ScoreRow]:
    family = {copy.image: copy.original for copy in truth.copies}
    flagged: dict[Pair, str] = {}
    for group in catalog.issues.groups():
        names = [uris[image] for image in group.images if image in uris]
        kinds = {frozenset((uris.get(p.a, ""), uris.get(p.b, ""))): p.kind for p in group.pairs}
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                pair = frozenset((first, second))
                flagged[pair] = kinds.get(pair, group.kind)
    rows = []
    for kind, name in _COPY_NAMES.items():
        planted = {frozenset((c.image, c.original)) for c in truth.copies if c.kind == kind}
        alarms = {
            pair
            for pair, as_kind in flagged.items()
            if as_kind == kind and not _related(pair, family)
        }
        rows.append(_count(name, planted, {pair for pair in planted if pair in flagged} | alarms))
    near = [copy for copy in truth.copies if copy.kind == "near"]
    total = Counter(copy.transform for copy in near)
    hits = Counter(c.transform for c in near if frozenset((c.image, c.original)) in flagged)
    by_transform = ", ".join(f"{name} {hits[name]}/{total[name]}" for name in total)
    if total:
        notes.append(f"near copies found: {by_transform}")
    return rows


def _related(pair: Iterable[str], family: Mapping[str, str]) -> bool:
    return len({family.get(name, name) for name in pair}) == 1


def _score_quality(catalog: Catalog, truth: DemoTruth, uris: Mapping[int, str]) -> list[ScoreRow]:
    planted = {kind: set(names) for kind, names in truth.quality.items()}
    planted["greyscale"] = {c.image for c in truth.copies if c.transform == "greyscale"}
    rows = []
    for kind, name in _QUALITY_NAMES.items():
        flagged = {uris[issue.image_id] for issue in catalog.issues.select([kind])}
        rows.append(_count(name, planted.get(kind, set()), flagged))
    return rows


def _score_other_files(catalog: Catalog, truth: DemoTruth) -> ScoreRow:
    counted = catalog.images.other_files()
    found = sum(min(n, counted.get(suffix, 0)) for suffix, n in truth.other_files.items())
    total = sum(truth.other_files.values())
    return ScoreRow(
        planted="files that are no pictures",
        count=total,
        found=found,
        missed=total - found,
        false_alarms=max(0, sum(counted.values()) - found),
    )
