"""Train the last stages of the shipped network on a taxonomy (extra ``torch``).

Folds of the labelled pictures train without their pictures and score them, so that thresholds and
measures come from networks that have not seen what they judge; the network that is kept sees all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.folds import stratified_folds
from vernis.domain.errors import NothingToLearn
from vernis.report.wording import counted
from vernis.session.vectors import TrainingData
from vernis.verbs.steps.training_pictures import read_training_pictures

if TYPE_CHECKING:
    from vernis.session.session import Session

_SIDE = 288
"""Longer side of the pictures that views are cut from."""
_FOLDS = 3
_FEWEST = 20
"""Labelled pictures below which nothing is trained."""
_MOST = 5000
"""Labelled pictures that are trained on at most: their maps are held in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class FineTuned:
    """A network that was trained on a taxonomy.

    Attributes
    ----------
    graph : bytes
        ONNX: from pictures to the scores of the classes.
    image_ids : ndarray of int64, shape (n_trained,)
        What it was trained on.
    scores : ndarray of float32, shape (n_trained, n_classes)
        By the networks that have not seen the picture.
    settings : dict
        How it was trained.
    notes : tuple of str
    """

    graph: bytes
    image_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    settings: dict[str, Any]
    notes: tuple[str, ...]


def fine_tune(
    session: Session, data: TrainingData, *, epochs: int | None, seed: int, task: str
) -> FineTuned:
    """Train on the labelled pictures of a taxonomy.

    Parameters
    ----------
    session : Session
    data : TrainingData
        Its vectors are not read.
    epochs : int or None
    seed : int
    task : str
        What the progress is called.

    Raises
    ------
    MissingExtra
        torch is not installed.
    NothingToLearn
        Too few labelled pictures can be read.
    """
    trainer = session.models.classifier_trainer(epochs)
    labelled = np.flatnonzero((data.Y == 1).any(axis=1))
    _require(data, len(labelled), "labelled images")
    chosen = labelled
    if len(chosen) > _MOST:
        drawn = np.random.default_rng(seed).choice(chosen, _MOST, replace=False)
        chosen = np.sort(drawn)
    look, failed = trainer.open_maps(seed), dict[str, str]()
    wanted = set(data.image_ids[chosen].tolist())
    images = [one for one in session.images() if one.id in wanted]
    read = read_training_pictures(session, images, _SIDE, failed, f"{task}: pictures")
    maps = {images[row].id: look(pixels) for row, pixels in read}
    rows = np.array([row for row in chosen if int(data.image_ids[row]) in maps], np.intp)
    _require(data, len(rows), "labelled images that can be read")
    seen = [maps[int(image)] for image in data.image_ids[rows]]
    Y, kind = data.Y[rows], data.taxonomy.kind
    fold = stratified_folds(Y, _FOLDS, groups=data.groups[rows], seed=seed)

    def train(kept: NDArray[np.intp], number: int) -> Any:
        def tell(done: int, total: int) -> None:
            session.progress(task, number * total + done, (_FOLDS + 1) * total)

        return trainer.train([seen[row] for row in kept], Y[kept], kind, seed=seed, on_step=tell)

    scores = np.zeros(Y.shape, np.float32)
    for number in range(_FOLDS):
        held = np.flatnonzero(fold == number)
        part = train(np.flatnonzero(fold != number), number)
        scores[held] = part.scores([seen[row] for row in held])
    whole = train(np.arange(len(rows)), _FOLDS)
    notes = [f"trained on {counted(len(rows), 'picture')}; the loss fell to {whole.loss:.3f}"]
    if len(labelled) > len(chosen):
        notes.append(f"drawn from {len(labelled):,} labelled pictures")
    if failed:
        uri, reason = next(iter(sorted(failed.items())))
        notes.append(f"{counted(len(failed), 'picture')} could not be read; {uri}: {reason}")
    return FineTuned(
        whole.graph, data.image_ids[rows], scores, dict(trainer.settings), tuple(notes)
    )


def _require(data: TrainingData, n: int, what: str) -> None:
    if n < _FEWEST:
        raise NothingToLearn(
            f"{data.subject} has {n:,} {what}; --fine-tune needs {_FEWEST} or more, the head on "
            "vectors (without it) fewer"
        )
