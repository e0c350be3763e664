"""Which spaces a taxonomy is learned and judged by: those that make its given labels likeliest."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.domain.types import Space
from vernis.session.networks import CLOSER
from vernis.session.vectors import TrainingData, join_spaces, space_document
from vernis.verbs.decide.told_apart import features_of, known_states

if TYPE_CHECKING:
    from vernis.session.session import Session

_MOST = 3000
"""Images that choose, drawn at random where there are more."""
_FEWEST = 40
"""Labelled images below which the current space is taken."""


@dataclass(frozen=True, slots=True)
class BlockChoice:
    """What a taxonomy is learned and judged by."""

    VERSION: ClassVar[int] = 1

    taxonomy: str
    space: Annotated[str, "the space that is taken; several that are joined stand with +"]
    losses: Annotated[
        Mapping[str, float], "space → how unlikely the given labels are by it, in nats a label"
    ]

    def sentence(self) -> str:
        """Return what is taken and how much likelier the labels are by it."""
        first = next(iter(self.losses))
        if self.space == first:
            return (
                f"'{self.taxonomy}' is judged by whole pictures ({self.space}); parts of them tell "
                "its classes no better"
            )
        likelier = f"{self.losses[self.space]:.3f} instead of {self.losses[first]:.3f} nats a label"
        return (
            f"'{self.taxonomy}' is judged by {self.space}, which make its labels likelier than "
            f"whole pictures alone ({likelier})"
        )


def space_of(session: Session, taxonomy: str, seed: int = 0) -> tuple[Space, BlockChoice | None]:
    """Return the space that a taxonomy is learned and judged by, and how it was chosen.

    Where no parts of pictures were looked at (``vernis embed --thorough``), or another space of
    them is the current one, that is the current space and nothing is chosen (None). The choice is
    kept until labels or vectors change.

    Raises
    ------
    UsageError
        Nothing was embedded yet.
    NotFound
        There is no such taxonomy.
    """
    current = session.space()
    closer = [one for one in session.spaces() if _is_closer(one)]
    if not closer or _is_closer(current):
        return current, None
    data = session.training_data(taxonomy, current)
    if data.n_labelled < _FEWEST:
        return current, None
    candidates = {space.name: space for space in _candidates(current, closer)}
    documents = [space_document(space) for space in candidates.values()]
    mark = fingerprint(documents, data.taxonomy, data.hashes, data.Y, data.groups, seed)
    kept = session.results.find(f"blocks:{taxonomy}", BlockChoice, mark)
    if kept is None:
        kept = _choose(session, data, list(candidates.values()), seed)
        session.results.keep(f"blocks:{taxonomy}", kept, mark)
    return candidates[kept.space], kept


def _is_closer(space: Space) -> bool:
    return space.settings.get("pooling") in CLOSER


def _candidates(current: Space, closer: Sequence[Space]) -> list[Space]:
    """Return the current space first, then it with any others, then these alone."""
    counts = range(1, len(closer) + 1)
    sets = [chosen for count in counts for chosen in itertools.combinations(closer, count)]
    joined = [join_spaces([current, *chosen]) for chosen in sets]
    return [current, *joined, *map(join_spaces, sets)]


def _choose(
    session: Session, whole: TrainingData, candidates: Sequence[Space], seed: int
) -> BlockChoice:
    from vernis.core.labels.block_choice import choose_blocks

    rows = np.flatnonzero((whole.Y == 1).any(axis=1))
    if len(rows) > _MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST, replace=False))
    name = whole.taxonomy.name

    def features(space: Space) -> NDArray[np.float32]:
        data = session.training_data(name, space)
        return features_of(replace(data, vectors=data.vectors[rows]), seed)[:]

    def ready(space: Space) -> Callable[[], NDArray[np.float32]]:
        return lambda: features(space)

    # Vectors that lack images would speak of others than the rest do.
    complete = [
        space for space in candidates if len(session.vectors(space).ids) == len(whole.image_ids)
    ]
    taken, losses = choose_blocks(
        {space.name: ready(space) for space in complete},
        known_states(whole)[rows],
        kind=whole.taxonomy.kind,
        groups=whole.groups[rows],
        seed=seed,
    )
    return BlockChoice(name, taken, losses)
