"""Collect from the catalog what the report shows. Whatever is missing is left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vernis.core.explore.file_kinds import count_file_kinds
from vernis.domain.types import (
    QUALITY_KINDS,
    VERDICTS,
    DuplicateGroup,
    DuplicatePair,
    ImageRecord,
    ImageTable,
    Issue,
    LabelMatrix,
)
from vernis.report.model import (
    BrokenFile,
    ClassMerge,
    Duplicates,
    ImageRef,
    Interval,
    LabelIssue,
    LabelIssues,
    Member,
    Neighbor,
    QualityIssues,
    QualityItem,
    ReportData,
    VariantImages,
    mentioned_images,
)
from vernis.report.wording import count, counted, size
from vernis.verbs.decide.deduplication import find_variants
from vernis.verbs.decide.judged_count import judged_count
from vernis.verbs.decide.label_judgement import LabelEvidence, LabelJudgement, evidence_of
from vernis.verbs.decide.label_places import LabelPlace, places_of_issues
from vernis.verbs.see.appearances import COLOR, TYPE, Appearances
from vernis.verbs.start.report_actions import suggest_actions
from vernis.verbs.start.report_labels import audit_taxonomy, collect_fill, frame_of
from vernis.verbs.start.report_models import collect_model
from vernis.verbs.start.report_places import collect_places
from vernis.verbs.steps.quality import count_open_quality
from vernis.verbs.steps.taxonomy_audit import ImageWords, measure_meaning

if TYPE_CHECKING:
    from vernis.session.session import Session

_LABELS_SHOWN = 6


class PresentImages(Mapping[int, ImageRecord]):
    """The present images by id, each read when it is asked for: a report names few of them.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._table, self._read = session.table(), session.catalog.images.get
        self._known: dict[int, ImageRecord] = {}

    def __contains__(self, image: object) -> bool:
        return isinstance(image, int) and bool(self._table.holds([image])[0])

    def __getitem__(self, image: int) -> ImageRecord:
        if image not in self._known:
            if image not in self:
                raise KeyError(image)
            self.read([image])
        return self._known[image]

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[int]:
        return iter(self._table.ids.tolist())

    def read(self, images: Sequence[int]) -> None:
        """Read some images at once."""
        self._known.update({image.id: image for image in self._read(images)})


@dataclass(frozen=True, slots=True)
class _Known:
    """What several sections look up."""

    images: PresentImages
    matrices: Sequence[LabelMatrix]
    max_items: int

    def labels(self, image: int) -> dict[str, tuple[str, ...]]:
        """Return taxonomy → classes of an image; taxonomies in which it has none are left out."""
        found = {}
        for matrix in self.matrices:
            row = int(np.searchsorted(matrix.image_ids, image))
            if row < len(matrix.image_ids) and matrix.image_ids[row] == image:
                held = np.flatnonzero(matrix.values[row] == 1).tolist()
                if held:
                    found[matrix.taxonomy.name] = tuple(matrix.taxonomy.classes[k] for k in held)
        return found


def collect_report(
    session: Session,
    *,
    taxonomies: Sequence[str] = (),
    max_items: int,
    max_suggestions: int,
    created: str,
    version: str,
) -> tuple[ReportData, list[ImageRecord]]:
    """Read everything that the report shows.

    Parameters
    ----------
    session : Session
        Its catalog is only read.
    taxonomies : sequence of str
        Those that are shown; none: all that are not ignored.
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
    table = session.table()
    unreadable = session.images("unreadable")
    matrices = [session.matrix(taxonomy.name) for taxonomy in session.worked_on(taxonomies)]
    known, words = _Known(PresentImages(session), matrices, max_items), ImageWords(session)
    audits = tuple(
        audit_taxonomy(matrix, words, measure_meaning(session, matrix.taxonomy.name))
        for matrix in matrices
    )
    issues = _some(_label_issues(session, matrix, known) for matrix in matrices)
    groups = [g for g in session.groups() if table.holds(g.images).all()]
    duplicates = tuple(_duplicates(g, known) for g in _most_useful_first(groups)[:max_items])
    variants = find_variants(session)
    quality = _some(_quality(session, kind, known) for kind in QUALITY_KINDS)
    fills = _some(collect_fill(session, audit, known.images, max_suggestions) for audit in audits)
    images = sorted(mentioned_images(issues, duplicates, quality, fills))
    known.images.read(images)
    data = ReportData(
        title=session.catalog.folder.name.removesuffix(".vernis") or "Collection",
        created=created,
        version=version,
        n_images=len(table),
        images={i: _reference(known.images[i]) for i in images},
        facts=_facts(session, table),
        collection=session.catalog.folder.absolute(),
        actions=suggest_actions(groups, issues, fills, len(unreadable)),
        audits=audits,
        label_issues=issues,
        duplicates=duplicates,
        variants=tuple(
            VariantImages(tuple(known.images[i].uri for i in group.images), group.reason)
            for group in variants[:max_items]
        ),
        n_variants=len(variants),
        n_groups=len(groups),
        n_extra_copies=sum(len(group.images) - 1 for group in groups),
        quality=quality,
        n_poor=count_open_quality(session)[1],
        broken=tuple(BrokenFile(i.uri, i.reason or "unreadable", i.size) for i in unreadable),
        fills=fills,
        models=_some(collect_model(session, matrix) for matrix in matrices),
        places=_some(collect_places(session, matrix, known.images) for matrix in matrices),
        accounts={
            m.taxonomy.name: session.catalog.labels.account(m.taxonomy.name) for m in matrices
        },
        left_out=tuple((many.capitalize(), n, why) for (_, many), n, why in _left_out(session)),
    )
    return data, [known.images[i] for i in images]


def _some(found: Any) -> tuple[Any, ...]:
    return tuple(item for item in found if item is not None)


def _reference(image: ImageRecord) -> ImageRef:
    return ImageRef(image.id, image.uri, image.width, image.height, image.size)


def _facts(session: Session, present: ImageTable) -> tuple[tuple[str, str], ...]:
    catalog = session.catalog
    root = catalog.images.root()
    formats: Counter[str] = Counter()
    for code, number in zip(*np.unique(present.formats.codes, return_counts=True), strict=True):
        formats[present.formats.names[code] or "unknown"] += int(number)
    spaces = session.spaces()
    facts = [
        ("Folder", ", ".join([*([str(root)] if root else []), *catalog.images.places()])),
        ("Formats", _listed(formats)),
        ("Size of the images", size(int(present.sizes.sum())) if len(present) else ""),
        *_looks(session, present),
        ("Left out", ", ".join(counted(n, *names) for names, n, _ in _left_out(session))),
        (
            "Pictures compared by",
            "; ".join(f"{s.name}, {counted(s.dim, 'number')} a picture" for s in spaces),
        ),
    ]
    return tuple((name, value) for name, value in facts if value)


def _looks(session: Session, present: ImageTable) -> Iterator[tuple[str, str]]:
    """Yield how many pictures are of each type and have each colour, where they were measured."""
    measured = Appearances(session).facets(present.ids)
    for title, name in (("Types of pictures", TYPE), ("Colours", COLOR)):
        counts = {value: int(mask.sum()) for value, mask in measured[name].items()}
        yield title, _listed({value: n for value, n in counts.items() if n})


def _left_out(session: Session) -> list[tuple[tuple[str, str], int, str]]:
    """Return one and many of each kind of files that are no pictures, how many, and the remedy."""
    others = session.catalog.images.other_files()
    return [((k.one, k.many), n, k.remedy) for k, n in count_file_kinds(others).items()]


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count(value)} {name}" for name, value in ordered[:5]]
    if len(ordered) > 5:
        shown.append(f"{counted(len(ordered) - 5, 'further kind')}")
    return ", ".join(shown)


def _label_issues(session: Session, matrix: LabelMatrix, known: _Known) -> LabelIssues | None:
    name, issues = matrix.taxonomy.name, session.catalog.issues
    judgement = session.results.find(f"label_issues:{name}", LabelJudgement)
    if judgement is None:
        return None
    verdicts = {v: issues.counts(verdicts=(v,)).get(("label", name), 0) for v in VERDICTS}
    shown = issues.select(("label",), name, verdicts=["open"], limit=known.max_items)
    notes = [*judgement.findings, *judgement.notes]
    decided = verdicts["accepted"] + verdicts["dismissed"]
    if decided:
        notes.append(
            f"Not shown: {count(verdicts['accepted'])} accepted and "
            f"{count(verdicts['dismissed'])} dismissed before."
        )
    wrong, judged = judgement.wrong, judged_count(session, name)
    if judged is not None:
        wrong = judged.wrong
        notes.insert(0, judged.sentence())
    elif judgement.to_judge is not None:
        notes.append(judgement.to_judge.sentence(name))
    places = places_of_issues(session, name, shown)
    return LabelIssues(
        taxonomy=name,
        items=tuple(_label_issue(issue, known, places) for issue in shown),
        n_flagged=verdicts["open"],
        n_labelled=int(matrix.labelled.sum()),
        wrong=None if wrong is None else Interval(wrong.value, wrong.low, wrong.high),
        merges=tuple(
            ClassMerge(merge.label, merge.into, merge.images, merge.command)
            for merge in (judgement.told_apart.merges if judgement.told_apart else ())
        ),
        depth=judgement.n_worth_reading,
        scorer=judgement.scorer,
        notes=tuple(notes),
        gain=_gain(session, name),
    )


def _gain(session: Session, taxonomy: str) -> tuple[tuple[int, float], ...]:
    """Return the expected number of wrong labels among the k worst, at most 120 points."""
    chances = session.catalog.issues.numbers("label", taxonomy, "probability")
    if len(chances) < 2 or np.isnan(chances).any():
        return ()
    met = np.concatenate([[0.0], np.cumsum(chances)])
    steps = np.unique(np.linspace(0, len(chances), 120).round().astype(int))
    return tuple((int(k), round(float(met[k]), 2)) for k in steps)


def _label_issue(
    issue: Issue, known: _Known, places: Mapping[int, Sequence[LabelPlace]]
) -> LabelIssue:
    evidence = evidence_of(issue)
    return LabelIssue(
        image=issue.image_id,
        score=issue.score,
        change=evidence.change,
        given=evidence.given,
        suggested=evidence.suggested,
        probability=_share(evidence.probability),
        neighbors=tuple(
            Neighbor(n.image_id, n.label, n.similarity)
            for n in evidence.neighbors
            if n.image_id in known.images
        ),
        verdict=issue.verdict,
        agreement=_share(evidence.agreement),
        twins=_duplicates_of(issue, evidence, known),
        frame=next((frame_of(place) for place in places.get(issue.id, ())), None),
    )


def _duplicates_of(issue: Issue, evidence: LabelEvidence, known: _Known) -> tuple[Neighbor, ...]:
    found = [image for image in evidence.duplicates if image in known.images]
    labels = [known.labels(image).get(issue.taxonomy, ()) for image in found]
    return tuple(
        Neighbor(image, ", ".join(names), math.nan)
        for image, names in zip(found, labels, strict=True)
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
        labels = known.labels(image)
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


def _quality(session: Session, kind: str, known: _Known) -> QualityIssues | None:
    found = session.catalog.issues.select((kind,), verdicts=("open",))
    flagged = [issue for issue in found if issue.image_id in known.images]
    if not flagged:
        return None
    items = [
        QualityItem(issue.image_id, issue.score, str(issue.evidence.get("note", "")))
        for issue in flagged[: known.max_items]
    ]
    return QualityIssues(kind, tuple(items), len(flagged))
