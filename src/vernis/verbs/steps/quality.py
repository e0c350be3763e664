"""``vernis quality``: find pictures of poor quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.quality import MEASURES, QualityScores, score_quality
from vernis.domain.damage import DAMAGE_KINDS, DAMAGE_SPACE, DamageKind
from vernis.domain.types import QUALITY_KINDS, ImageRecord, Issue
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, rows_shown
from vernis.verbs.networks.embedding import measure_pictures

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session

_WORDS = {
    "blurry": "edges {value:.1f} px wide at 256 px",
    "dark": "brightness {percent:.0f} %",
    "overexposed": "{percent:.0f} % burnt out",
    "low_information": "structure in {percent:.0f} % of the picture",
    "odd_aspect_ratio": "{width} x {height} px",
    "odd_size": "{width} x {height} px",
    "greyscale": "no colour in a colour collection",
    "uniform_border": "bars around the picture",
}
_DAMAGES: dict[DamageKind, str] = {
    "cut_off": "the end of the file is missing ({percent:.0f} % of the picture)",
    "garbled": "the file's data are spoilt: parts are shifted, miscoloured or missing",
    "blank_end": "the picture breaks off in one colour ({percent:.0f} % of it)",
    "checksum": "a checksum in the file is wrong: some of its data are spoilt",
}


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which scores are listed."""

    _: KW_ONLY
    all: Annotated[bool, Option("every image with its scores, flagged or not")] = False
    limit: Annotated[int | None, rows_shown(50)] = None


@dataclass(frozen=True, slots=True)
class QualityRow:
    """The score of one image for one kind of fault."""

    image: Annotated[str, "path relative to the indexed folder"]
    kind: Annotated[str, "kind of fault"]
    score: Annotated[float, "0 to 1, low = bad"]
    flagged: Annotated[bool, "whether it is suspected"]
    verdict: Annotated[str, "open, accepted or dismissed"]


@dataclass(frozen=True, slots=True)
class Result:
    """The quality issues."""

    rows: tuple[QualityRow, ...]
    total: Annotated[int, "issues in all, listed or not"]


@dataclass(frozen=True, slots=True)
class QualityJudgement:
    """What judging the quality found."""

    VERSION: ClassVar[int] = 1

    images: Annotated[int, "images judged"]
    flagged: Annotated[int, "images with at least one issue"]
    by_kind: Annotated[Mapping[str, int], "images flagged, by kind; kinds without any left out"]


def work(session: Session, settings: Settings) -> Result:
    """Return the quality issues, worst first; judges first where that was not done yet."""
    measure_pictures(session)
    issues = list_quality(session)
    uris = session.uris()
    rows = [
        QualityRow(uris[issue.image_id], issue.kind, issue.score, issue.flagged, issue.verdict)
        for issue in issues
        if (settings.all or issue.flagged) and issue.image_id in uris
    ]
    rows.sort(key=lambda row: (not row.flagged, row.score, row.image))
    return Result(tuple(rows[: settings.limit]), len(rows))


def judge_quality(session: Session) -> QualityJudgement:
    """Score every present image that was measured, and replace the quality issues.

    Only suspect images become issues of the catalog; ``list_quality`` gives every score. Images
    without measures (``vernis embed`` makes them) are left out.
    """
    with session.lock("quality"):
        images, scores, damage = _score_images(session)
        session.progress("quality", 0, len(images))
        counts = scores.flagged.sum(axis=0).tolist()
        judgement = QualityJudgement(
            images=len(images),
            flagged=int(scores.flagged.any(axis=1).sum()),
            by_kind={kind: n for kind, n in zip(scores.kinds, counts, strict=True) if n},
        )
        with session.catalog.transaction():
            found = _issues(images, scores, damage, scores.flagged)
            session.catalog.issues.replace(QUALITY_KINDS, found)
            session.results.keep("quality", judgement)
        session.progress("quality", len(images), len(images))
    return judgement


def list_quality(session: Session, only: Sequence[ImageRecord] | None = None) -> list[Issue]:
    """Return an issue for every image (or only some) and kind, flagged or not, worst first.

    Those that the catalog holds come with their id and verdict; the others have id 0.
    """
    if session.results.find("quality", QualityJudgement) is None:
        judge_quality(session)
    images, scores, damage = _score_images(session, only)
    ids = None if only is None else [image.id for image in only]
    found = session.catalog.issues.select(QUALITY_KINDS, flagged_only=False, images=ids)
    stored = {(issue.kind, issue.image_id): issue for issue in found}
    issues = _issues(images, scores, damage, np.ones_like(scores.flagged))
    issues = [stored.get((issue.kind, issue.image_id), issue) for issue in issues]
    return sorted(issues, key=lambda issue: (issue.score, issue.kind, issue.image_id))


def count_open_quality(session: Session) -> tuple[int, int]:
    """Return how many quality issues are open, and how many images they are about."""
    found = session.catalog.issues.select(QUALITY_KINDS, verdicts=("open",))
    return len(found), len({issue.image_id for issue in found})


def _score_images(
    session: Session, only: Sequence[ImageRecord] | None = None
) -> tuple[Sequence[ImageRecord], QualityScores, NDArray[np.float32]]:
    """Return the measured images, their scores, and their damage (zeros where it is not known)."""
    space, vectors = session.measures.quality_space(), session.catalog.vectors
    images = session.images() if only is None else only
    missing = set(vectors.missing(space, [i.content_hash for i in images]))
    images = [image for image in images if image.content_hash not in missing]
    measures = np.empty((0, len(MEASURES)), dtype=np.float32)
    if images:
        measures = vectors.read(space, [image.content_hash for image in images])
    sizes = np.array([(i.width, i.height) for i in images], dtype=np.int64).reshape(-1, 2)
    damage = np.zeros((len(images), DAMAGE_SPACE.dim), dtype=np.float32)
    hashes = [image.content_hash for image in images]
    known = np.flatnonzero(vectors.holds(DAMAGE_SPACE, hashes)).tolist() if hashes else []
    if known:
        damage[known] = vectors.read(DAMAGE_SPACE, [hashes[row] for row in known])
    return images, score_quality(measures, sizes, damage), damage


def _issues(
    images: Sequence[ImageRecord],
    scores: QualityScores,
    damage: NDArray[np.float32],
    wanted: NDArray[np.bool_],
) -> list[Issue]:
    issues = []
    for row, column in np.argwhere(wanted).tolist():
        image, kind = images[row], scores.kinds[column]
        value = float(scores.values[row, column])
        flagged = bool(scores.flagged[row, column])
        evidence: dict[str, Any] = {
            "value": round(value, 4),
            "threshold": round(float(scores.thresholds[column]), 4),
        }
        if flagged:
            size = {"width": image.width, "height": image.height}
            if kind == "damaged":
                damage_kind = DAMAGE_KINDS[int(damage[row, 0])]
                evidence["note"] = _DAMAGES[damage_kind].format(percent=100 * damage[row, 1])
            else:
                evidence["note"] = _WORDS[kind].format(value=value, percent=100 * value, **size)
        score = float(scores.scores[row, column])
        issues.append(Issue(kind, image.id, score, flagged, evidence=evidence))
    return issues


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the issues as a table."""
    columns = ["image", "kind", "score", "flagged", "verdict"]
    if not settings.all:
        columns.remove("flagged")
    title = "Quality" if result.rows else "No picture of poor quality."
    screen.table(result.rows, columns, title=title, total=result.total)


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row an image: ``is_<kind>_issue`` and ``<kind>_score`` of every kind.

    An image that was not scored for a kind (an unreadable one) has NaN there and False.
    """
    import pandas as pd

    rows = work(session, replace(settings, all=True, limit=None)).rows
    images = [image.uri for image in session.images()]
    found = pd.DataFrame(index=pd.Index(images, name="image"))
    for kind in QUALITY_KINDS:
        scores = {row.image: row.score for row in rows if row.kind == kind}
        flagged = {row.image: row.flagged for row in rows if row.kind == kind}
        found[f"is_{kind}_issue"] = [flagged.get(uri, False) for uri in images]
        found[f"{kind}_score"] = pd.Series(scores, index=found.index, dtype=float)
    return found


VERB = Verb(Settings, work, show, document=OneOf("rows"), frame=frame)
