"""What is concluded from the brands that are read, as a person judges it: given against read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.types import Verdict
from vernis.session.results import from_document
from vernis.verbs.decide.brand_reading import BrandEvidence, BrandList
from vernis.verbs.decide.brands import KIND, SOURCE
from vernis.verbs.decide.review_queue import PictureFacts, picture_facts

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class BrandToJudge:
    """A brand that is read in a picture without a label, or with another one."""

    issue: Annotated[int | None, "null: the image has no label, and one is suggested"]
    verdict: Verdict
    image: PictureFacts
    given: tuple[str, ...]
    suggested: tuple[str, ...]
    probability: Annotated[float, "that the suggested label is right"]
    pictures: Annotated[str, "agree or differ; empty: unknown"]
    read: Annotated[tuple[BrandEvidence, ...], "every brand that is read, the tallest first"]


@dataclass(frozen=True, slots=True)
class BrandsToJudge:
    """Labels that a brand in the picture contradicts, then labels for images without one."""

    taxonomy: str
    found: Annotated[bool, "whether brands of a list were ever looked for"]
    rows: tuple[BrandToJudge, ...]


def brands_to_judge(session: Session, taxonomy: str) -> BrandsToJudge:
    """Return what nobody has decided of the brands that are read, the surest first.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    catalog = session.catalog
    catalog.labels.taxonomy(taxonomy)
    found = session.results.find(f"brands:{taxonomy}", BrandList) is not None
    issues = catalog.issues.select((KIND,), taxonomy, verdicts=("open",))
    matrix = session.matrix(taxonomy)
    labelled = set(matrix.image_ids[matrix.labelled].tolist())
    denied = _denied(session, taxonomy)
    suggestions = [
        one
        for one in catalog.issues.suggestions(taxonomy, source=SOURCE)
        if one.image_id not in labelled and (one.image_id, one.label) not in denied
    ]
    ids = {issue.image_id for issue in issues} | {one.image_id for one in suggestions}
    facts = picture_facts(session, ids)
    rows = [
        BrandToJudge(
            issue=issue.id,
            verdict=issue.verdict,
            image=facts[issue.image_id],
            given=tuple(issue.evidence.get("given", ())),
            suggested=tuple(issue.evidence.get("suggested", ())),
            probability=float(issue.evidence.get("probability", 1 - issue.score)),
            pictures=str(issue.evidence.get("pictures", "")),
            read=_read(issue.evidence.get("read", ())),
        )
        for issue in issues
    ]
    rows += [
        BrandToJudge(
            issue=None,
            verdict="open",
            image=facts[one.image_id],
            given=(),
            suggested=(one.label,),
            probability=one.probability,
            pictures="",
            read=_read(one.evidence.get("read", ())),
        )
        for one in suggestions
        if one.image_id in facts
    ]
    return BrandsToJudge(taxonomy, found, tuple(rows))


def _denied(session: Session, taxonomy: str) -> set[tuple[int, str]]:
    matrix = session.matrix(taxonomy)
    rows, columns = (matrix.values == 0).nonzero()
    classes = matrix.taxonomy.classes
    return {
        (int(matrix.image_ids[row]), classes[column])
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }


def _read(evidence: Sequence[Any]) -> tuple[BrandEvidence, ...]:
    return tuple(from_document(BrandEvidence, one) for one in evidence)
