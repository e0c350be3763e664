"""Correct boxes as issues about them suggest: another class, away, to another place, one more."""

from __future__ import annotations

from collections.abc import Sequence

from vernis.domain.errors import NotFound
from vernis.domain.ports import Catalog
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import Issue


def correct_boxes(catalog: Catalog, issues: Sequence[Issue], *, source: str) -> tuple[int, int]:
    """Correct the boxes of issues, inside the transaction of the decision.

    A swapped box gets the suggested class, a spurious one is removed, a misplaced one is drawn
    anew where its object is seen, a missing one is added; all by the person who decides. A box that
    is gone since is left as it is.

    Returns
    -------
    (int, int)
        Boxes that were changed, and the batch, 0 where nothing was.
    """
    changed = batch = 0
    for issue in issues:
        done = _correct(catalog, issue, source)
        changed += bool(done)
        batch = done or batch
    return changed, batch


def _correct(catalog: Catalog, issue: Issue, source: str) -> int:
    said, store = issue.evidence, catalog.regions
    note = issue.kind.replace("_", " ")
    if issue.kind == "missing_box":
        return _draw(catalog, issue, said["box"], said["suggested"], source)
    region = int(said["region"])
    try:
        if issue.kind == "spurious_box":
            return store.remove([region], source=source, verb="accept", note=note)
        if issue.kind == "misplaced_box":
            removed = store.remove([region], source=source, verb="accept", note=note)
            return removed and _draw(catalog, issue, said["found"], said["given"], source)
        answers = [RegionStatement(region, str(said["suggested"]), "yes")]
        if catalog.labels.taxonomy(issue.taxonomy).kind == "multi":
            answers.append(RegionStatement(region, str(said["given"]), "no"))
        return store.record(issue.taxonomy, answers, source=source, verb="accept", note=note)
    except NotFound:  # removed since
        return 0


def _draw(catalog: Catalog, issue: Issue, sides: Sequence[float], label: str, source: str) -> int:
    (image,) = catalog.images.get([issue.image_id])
    region = Region(Box(*(float(value) for value in sides)), (image.width, image.height))
    new = NewRegion(image.id, region, (RegionLabel(issue.taxonomy, str(label)),))
    added = catalog.regions.add(
        [new], source=source, verb="accept", note=issue.kind.replace("_", " ")
    )
    (known,) = catalog.regions.get(added)
    return known.batch
