"""Whether the pictures tell the classes of a taxonomy apart, kept as long as nothing changes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.errors import CatalogBusy
from vernis.session.vectors import layer_slices, space_document

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class VisualMeaning:
    """What ``core.labels.learnability`` says of a taxonomy."""

    VERSION: ClassVar[int] = 1

    verdict: Literal["yes", "no", "unclear"]
    separation: float
    low: float
    high: float


def measure_meaning(session: Session, taxonomy: str) -> VisualMeaning | None:
    """Return whether the pictures carry a taxonomy, None where nothing is embedded or labelled.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    """
    space = session.current_space()
    if space is None:
        return None
    data = session.training_data(taxonomy, space)
    labelled = (data.Y == 1).any(axis=1)
    if not labelled.any():
        return None
    Y = np.where(labelled[:, None], data.Y, np.nan).astype(np.float32)
    name = f"visual_meaning:{taxonomy}"
    mark = fingerprint(space_document(space), data.taxonomy.kind, data.hashes, Y, data.groups)
    kept = session.results.find(name, VisualMeaning, mark)
    if kept is not None:
        return kept

    from vernis.core.labels.learnability import measure_learnability
    from vernis.core.numeric.components import combine_blocks

    features = combine_blocks([data.X[:, start:stop] for start, stop in layer_slices(space)])
    told = measure_learnability(features, Y, groups=data.groups).whole
    found = VisualMeaning(told.verdict, told.separation, told.low, told.high)
    with suppress(CatalogBusy), session.lock("taxonomies"):
        session.results.keep(name, found, mark)
    return found
