"""Images that are far from everything, or from their class, as issues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.outliers import FEWEST, OutlierScores, score_class_outliers, score_outliers
from vernis.domain.errors import UsageError
from vernis.domain.types import Issue, Space
from vernis.report.wording import counted

if TYPE_CHECKING:
    from vernis.session.session import Session

KIND = "outlier"


@dataclass(frozen=True, slots=True)
class OutlierSummary:
    """What a judgement found."""

    images: Annotated[int, "images judged"]
    flagged: Annotated[int, "of them, images past the threshold"]
    n_neighbors: Annotated[int, "others that each was held against"]
    unjudged: Annotated[tuple[str, ...], "classes with too few images to have a spread"] = ()


def find_outliers(session: Session, space: Space, taxonomy: str = "") -> OutlierSummary:
    """Score every image and replace the outlier issues.

    Without a taxonomy images are held against all others; with one, each against the images that
    carry the same class. The two kinds of issues stand beside each other.

    Parameters
    ----------
    session : Session
    space : Space
        Whose search columns are compared.
    taxonomy : str
        Empty: against everything.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        There are too few images with a vector.
    """
    found = session.vectors(space)
    images, vectors = found.ids.tolist(), found.search_vectors()
    if len(images) < FEWEST:
        raise UsageError(
            f"{counted(len(images), 'image has', 'images have')} a vector in the space "
            f"'{space.name}': too few to tell which is far from the rest"
        )
    session.progress("Outliers", 0, len(images))
    if taxonomy:
        summary, issues = _against_classes(session, images, vectors, taxonomy)
    else:
        summary, issues = _against_all(images, vectors)
    with session.lock("outliers"), session.catalog.transaction():
        session.catalog.issues.replace((KIND,), issues, taxonomy)
    session.progress("Outliers", len(images), len(images))
    return summary


def _against_all(
    images: Sequence[int], vectors: NDArray[np.float32]
) -> tuple[OutlierSummary, list[Issue]]:
    scored = score_outliers(vectors)
    issues = [_issue(image, scored, row) for row, image in enumerate(images)]
    return OutlierSummary(len(images), int(scored.flagged.sum()), scored.n_neighbors), issues


def _against_classes(
    session: Session, images: Sequence[int], vectors: NDArray[np.float32], taxonomy: str
) -> tuple[OutlierSummary, list[Issue]]:
    matrix = session.matrix(taxonomy)
    place = {int(image): row for row, image in enumerate(matrix.image_ids)}
    carried = matrix.values[[place[image] for image in images]] == 1
    issues: list[Issue] = []
    unjudged = []
    widest = 0
    for column, label in enumerate(matrix.taxonomy.classes):
        members = np.asarray(carried[:, column])
        if members.sum() < FEWEST:
            unjudged += [label] if members.any() else []
            continue
        scored = score_class_outliers(vectors, members)
        widest = max(widest, scored.n_neighbors)
        issues += [
            _issue(images[row], scored, row, taxonomy, label)
            for row in np.flatnonzero(members).tolist()
        ]
    judged = {issue.image_id for issue in issues}
    flagged = {issue.image_id for issue in issues if issue.flagged}
    return OutlierSummary(len(judged), len(flagged), widest, tuple(unjudged)), issues


def _issue(
    image: int, scored: OutlierScores, row: int, taxonomy: str = "", label: str = ""
) -> Issue:
    evidence: dict[str, Any] = {
        "distance": round(float(scored.distances[row]), 4),
        "neighbors": scored.n_neighbors,
    }
    return Issue(
        KIND,
        image,
        float(scored.scores[row]),
        flagged=bool(scored.flagged[row]),
        taxonomy=taxonomy,
        label=label,
        evidence=evidence,
    )
