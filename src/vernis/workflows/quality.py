"""Judge the technical quality of the images and write the issues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.quality import MEASURES, QualityScores, measure, score_quality
from vernis.domain.ports import Catalog, Pixels, Progress, silent
from vernis.domain.types import QUALITY_KINDS, ImageRecord, Issue, Space

QUALITY_SPACE = Space(
    "quality", len(MEASURES), "float32", {"version": 1, "measures": list(MEASURES)}
)
"""Where the measures of pictures are stored; see ``vernis.core.quality.MEASURES``."""

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


@dataclass(frozen=True, slots=True)
class QualityReader:
    """The PictureReader of quality measures, in the space ``quality``."""

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return QUALITY_SPACE

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return ``measure``."""
        return measure


@dataclass(frozen=True, slots=True)
class QualitySummary:
    """What a judgement found.

    Attributes
    ----------
    images : int
        Images judged.
    flagged : int
        Images with at least one issue.
    by_kind : dict of str to int
        Images flagged, by kind; kinds without any are left out.
    """

    images: int
    flagged: int
    by_kind: Mapping[str, int] = field(default_factory=dict)


def judge_quality(catalog: Catalog, *, progress: Progress = silent) -> QualitySummary:
    """Score every present image that was measured, and replace the quality issues.

    Only suspect images become issues of the catalog; ``list_quality`` gives every score.

    Parameters
    ----------
    catalog : Catalog
        Its pictures were read with a ``QualityReader`` before; images without measures are left
        out.
    progress : Progress

    Returns
    -------
    QualitySummary
    """
    images, scores = _score_images(catalog)
    progress("quality", 0, len(images))
    counts = scores.flagged.sum(axis=0).tolist()
    summary = QualitySummary(
        images=len(images),
        flagged=int(scores.flagged.any(axis=1).sum()),
        by_kind={kind: n for kind, n in zip(scores.kinds, counts, strict=True) if n},
    )
    with catalog.transaction():
        catalog.issues.replace(QUALITY_KINDS, _issues(images, scores, scores.flagged))
        catalog.runs.finish("quality", "", asdict(summary))
    progress("quality", len(images), len(images))
    return summary


def list_quality(catalog: Catalog) -> list[Issue]:
    """Return an issue for every image and kind, flagged or not, worst first.

    Those that the catalog holds come with their id and verdict; the others have id 0.

    Parameters
    ----------
    catalog : Catalog

    Returns
    -------
    list of Issue
    """
    images, scores = _score_images(catalog)
    stored = {
        (issue.kind, issue.image_id): issue
        for issue in catalog.issues.select(QUALITY_KINDS, flagged_only=False)
    }
    issues = _issues(images, scores, np.ones_like(scores.flagged))
    issues = [stored.get((issue.kind, issue.image_id), issue) for issue in issues]
    return sorted(issues, key=lambda issue: (issue.score, issue.kind, issue.image_id))


def count_open_quality(catalog: Catalog) -> tuple[int, int]:
    """Return how many quality issues are open, and how many images they are about."""
    found = catalog.issues.select(QUALITY_KINDS, verdicts=("open",))
    return len(found), len({issue.image_id for issue in found})


def _score_images(catalog: Catalog) -> tuple[list[ImageRecord], QualityScores]:
    images = catalog.images.all()
    missing = set(catalog.vectors.missing(QUALITY_SPACE, [i.content_hash for i in images]))
    images = [image for image in images if image.content_hash not in missing]
    measures = np.empty((0, len(MEASURES)), dtype=np.float32)
    if images:
        measures = catalog.vectors.read(QUALITY_SPACE, [image.content_hash for image in images])
    sizes = np.array([(i.width, i.height) for i in images], dtype=np.int64).reshape(-1, 2)
    return images, score_quality(measures, sizes)


def _issues(
    images: list[ImageRecord], scores: QualityScores, wanted: NDArray[np.bool_]
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
            evidence["note"] = _WORDS[kind].format(value=value, percent=100 * value, **size)
        score = float(scores.scores[row, column])
        issues.append(Issue(kind, image.id, score, flagged, evidence=evidence))
    return issues
