"""The state of every taxonomy, as one document each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from vernis.core.explore.audit import LabelAudit, audit_labels, find_strong_pairs, redundancy
from vernis.domain.ports import Catalog
from vernis.domain.types import ImageRecord, LabelMatrix

_FREE_KEYWORDS = 50
"""From so many classes on a multi-label taxonomy is taken for free keywords."""

_TITLES = ("title", "headline", "name")


def audit_taxonomies(catalog: Catalog, taxonomy: str | None = None) -> list[dict[str, Any]]:
    """Describe the state of one taxonomy or of all.

    Parameters
    ----------
    catalog : Catalog
    taxonomy : str, optional

    Returns
    -------
    list of dict
        JSON-able: ``taxonomy``, ``kind``, ``closed``, ``images``, ``labelled``, ``filling_rate``,
        ``classes``, ``classes_used``, ``imbalance`` (largest count by smallest), ``entropy`` (1 =
        even), ``labels``, ``labels_per_image``, ``confirmed``, ``rare_classes`` (on less than 0.1 %
        of the images), ``rare_share``, ``unique_classes``, ``in_file_name`` and ``in_title``
        (shares of the labels that these repeat, None without titles), ``free_keywords``; lists
        ``class_counts`` (``class``, ``count``, ``share``), ``labels_an_image`` (``labels``,
        ``images``), ``together`` (``first``, ``second``, ``images``, ``jaccard``, ``lift``).
        Figures that cannot be had are None.

    Raises
    ------
    NotFound
        If there is no such taxonomy.
    """
    labels = catalog.labels
    names = [taxonomy] if taxonomy is not None else [t.name for t in labels.taxonomies()]
    matrices = [labels.matrix(name) for name in names]
    images = {image.id: image for image in catalog.images.all()} if matrices else {}
    return [describe_taxonomy(matrix, images_of(matrix, images)) for matrix in matrices]


def images_of(matrix: LabelMatrix, images: dict[int, ImageRecord]) -> list[ImageRecord]:
    """Return the images of a matrix in its order."""
    return [images[int(image)] for image in matrix.image_ids]


def describe_taxonomy(matrix: LabelMatrix, images: Sequence[ImageRecord]) -> dict[str, Any]:
    """Return the document of one taxonomy; see `audit_taxonomies`."""
    taxonomy = matrix.taxonomy
    audit = audit_labels(matrix.values)
    confirmed = (matrix.confirmed & (matrix.values == 1)).any(axis=1)
    names = [PurePosixPath(image.uri).stem for image in images]
    titles = [_title(image) for image in images]
    return {
        "taxonomy": taxonomy.name,
        "kind": taxonomy.kind,
        "closed": taxonomy.closed,
        "free_keywords": taxonomy.kind == "multi" and audit.n_used >= _FREE_KEYWORDS,
        "images": audit.n_images,
        "labelled": audit.n_labelled,
        "filling_rate": audit.filling_rate,
        "confirmed": int(confirmed.sum()),
        "classes": audit.n_classes,
        "classes_used": audit.n_used,
        "imbalance": _number(audit.imbalance),
        "entropy": _number(audit.entropy),
        "labels": int(audit.counts.sum()),
        "labels_per_image": _number(audit.mean_labels),
        "rare_classes": audit.n_rare,
        "rare_share": audit.rare_share,
        "unique_classes": audit.n_unique,
        "in_file_name": _repeated(matrix, names),
        "in_title": _repeated(matrix, titles),
        "class_counts": _class_counts(matrix, audit),
        "labels_an_image": [
            {"labels": k, "images": int(n)} for k, n in enumerate(audit.labels_per_image)
        ],
        "together": _together(matrix, audit),
    }


def _title(image: ImageRecord) -> str:
    said = {str(key).lower(): value for key, value in image.metadata.items()}
    return " ".join(str(said[name]) for name in _TITLES if said.get(name))


def _repeated(matrix: LabelMatrix, texts: Sequence[str]) -> float | None:
    repeated, labels = redundancy(matrix.values, matrix.taxonomy.classes, texts)
    return repeated / labels if labels else None


def _number(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def _class_counts(matrix: LabelMatrix, audit: LabelAudit) -> list[dict[str, Any]]:
    """Return the classes, most frequent first; the share is of the labelled images."""
    order = np.argsort(-audit.counts, kind="stable")
    return [
        {
            "class": matrix.taxonomy.classes[c],
            "count": int(audit.counts[c]),
            "share": audit.counts[c] / audit.n_labelled if audit.n_labelled else 0.0,
        }
        for c in order
    ]


def _together(matrix: LabelMatrix, audit: LabelAudit) -> list[dict[str, Any]]:
    return [
        {
            "first": matrix.taxonomy.classes[pair.first],
            "second": matrix.taxonomy.classes[pair.second],
            "images": pair.together,
            "jaccard": round(pair.jaccard, 4),
            "lift": round(pair.lift, 3),
        }
        for pair in find_strong_pairs(audit)
    ]
