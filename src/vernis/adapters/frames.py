"""Domain objects as pandas frames, in the field's convention.

Columns are ``is_<kind>_issue`` (bool) and ``<kind>_score`` (0..1, low = bad); the index is the
image's path relative to the indexed root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from vernis.domain.types import ImageRecord, Issue


def image_frame(images: Iterable[ImageRecord]) -> pd.DataFrame:
    """Return one row an image: id, state, reason, format, width, height, size, split."""
    rows = [
        {
            "image": image.uri,
            "id": image.id,
            "state": image.state,
            "reason": image.reason,
            "format": image.format,
            "width": image.width,
            "height": image.height,
            "size": image.size,
            "split": image.split,
        }
        for image in images
    ]
    columns = ["image", "id", "state", "reason", "format", "width", "height", "size", "split"]
    return pd.DataFrame(rows, columns=columns).set_index("image")


def quality_frame(
    issues: Iterable[Issue], images: Sequence[ImageRecord], kinds: Sequence[str]
) -> pd.DataFrame:
    """Return one row an image with ``is_<kind>_issue`` and ``<kind>_score``.

    An image that was not scored for a kind (an unreadable one) has NaN there and False.
    """
    uris = {image.id: image.uri for image in images}
    frame = pd.DataFrame(index=pd.Index(list(uris.values()), name="image"))
    scores: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    flags: dict[str, dict[str, bool]] = {kind: {} for kind in kinds}
    for issue in issues:
        if issue.kind in scores and issue.image_id in uris:
            scores[issue.kind][uris[issue.image_id]] = issue.score
            flags[issue.kind][uris[issue.image_id]] = issue.flagged
    for kind in kinds:
        flagged = flags[kind]
        frame[f"is_{kind}_issue"] = [flagged.get(uri, False) for uri in frame.index]
        frame[f"{kind}_score"] = pd.Series(scores[kind], index=frame.index, dtype=float)
    return frame


def label_issue_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row an image: is_label_issue, label_score, kind, given, suggested, …"""
    columns = [
        "image",
        "is_label_issue",
        "label_score",
        "kind",
        "given",
        "suggested",
        "probability",
        "verdict",
    ]
    table = [{**row, "is_label_issue": row["flagged"], "label_score": row["score"]} for row in rows]
    return pd.DataFrame(table, columns=columns).set_index("image")


def rows_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as they are, one column a key."""
    return pd.DataFrame(list(rows))


def duplicate_frame(
    groups: Sequence[Mapping[str, Any]], images: Sequence[ImageRecord]
) -> pd.DataFrame:
    """Return one row an image: is_duplicate_issue, duplicate_score, group, keeper.

    The score is 1 minus the similarity to the nearest duplicate, 1 without any. ``group`` is -1
    without one; the keeper of a group is not an issue.
    """
    frame = pd.DataFrame(index=pd.Index([image.uri for image in images], name="image"))
    score = dict.fromkeys(frame.index, 1.0)
    place = dict.fromkeys(frame.index, -1)
    keeper = dict.fromkeys(frame.index, "")
    for number, group in enumerate(groups):
        for uri in group["images"]:
            place[uri], keeper[uri] = number, group["keeper"]
        for pair in group["pairs"]:
            for uri in (pair["a"], pair["b"]):
                score[uri] = min(score[uri], 1.0 - pair["similarity"])
    frame["is_duplicate_issue"] = [place[u] >= 0 and keeper[u] != u for u in frame.index]
    frame["duplicate_score"] = pd.Series(score, index=frame.index, dtype=float)
    frame["group"] = [place[uri] for uri in frame.index]
    frame["keeper"] = [keeper[uri] for uri in frame.index]
    return frame
