"""Decode the pictures that a network is trained on, so small that they fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord
from vernis.verbs.networks.embedding import close_early, say_failure

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class _ReadStage:
    picture: Callable[[ImageRecord], Pixels]
    images: Sequence[ImageRecord]

    def open(self) -> Callable[[int], Pixels]:
        return lambda row: self.picture(self.images[row])


def read_training_pictures(
    session: Session, images: Sequence[ImageRecord], side: int, failed: dict[str, str], task: str
) -> Iterator[tuple[int, Pixels]]:
    """Yield the row and the pixels of each image that can be read.

    Parameters
    ----------
    session : Session
    images : sequence of ImageRecord
    side : int
        Their longer side has at most so many pixels.
    failed : dict of str to str
        Takes path and reason of those that cannot be read.
    task : str
        What the progress is called.
    """
    stage = _ReadStage(session.files.pictures_to_train(side), images)
    outcomes = session.engine().run(stage, list(range(len(images))))
    try:
        for done, outcome in enumerate(outcomes, 1):
            if outcome.error is not None:
                failed[images[outcome.item].uri] = say_failure(outcome.error)
            else:
                assert outcome.value is not None
                yield outcome.item, outcome.value
            session.progress(task, done, len(images))
    finally:
        close_early(outcomes)
