"""Train a network on boxes (extra ``torch``), and stop where pictures it has not seen say so.

Each fold trains the whole schedule without its pictures and looks at them at every stop; the stop
with the best mAP over all folds is that of the network that is kept, which sees all pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.detect.evaluation import evaluate_boxes
from vernis.domain.errors import NothingToLearn
from vernis.domain.ports import Pixels
from vernis.domain.training import BoxedPixels, DetectorTrainer
from vernis.report.wording import counted
from vernis.verbs.steps.boxed_pictures import BoxedPictures, placed
from vernis.verbs.steps.training_pictures import read_training_pictures

if TYPE_CHECKING:
    from vernis.session.session import Session

Network = Literal["nanodet", "ssd"]
NETWORKS: tuple[Network, ...] = ("nanodet", "ssd")

GRAPH = "graph"
"""The array that holds the bytes of the network's ONNX file."""
_SIDE = 768
"""Longer side of the pictures that are held in memory: what views are cut from."""
_BATCH = 8
_STEPS: Mapping[Network, int] = {"nanodet": 1100, "ssd": 400}
"""Steps of a training unless epochs are named; more where a picture would be seen too seldom."""
_VIEWS_A_PICTURE = 20
_STOPS = (0.5, 0.75, 1.0)
"""Shares of the schedule after which training may stop."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRun:
    """A trained network, and what its folds found in pictures that they had not seen.

    Attributes
    ----------
    graph : bytes
        ONNX.
    settings : dict
        What opens it again, and how it was trained.
    found : dict of int to Detections
        By row, in pixels of the image, down to hardly sure ones.
    failed : dict of str to str
        Path and reason of pictures that could not be read.
    note : str
        After how many steps training stopped, and why.
    """

    graph: bytes
    settings: dict[str, Any]
    found: dict[int, Detections]
    failed: dict[str, str]
    note: str

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is saved of it, without pickle."""
        return {GRAPH: np.frombuffer(self.graph, np.uint8)}


def steps_of(network: Network, pictures: int, epochs: int | None) -> int:
    """Return the steps of a training; an epoch shows as many views as there are pictures."""
    if epochs is not None:
        return max(1, math.ceil(epochs * pictures / _BATCH))
    return max(_STEPS[network], math.ceil(_VIEWS_A_PICTURE * pictures / _BATCH))


def train_network(
    session: Session,
    boxed: BoxedPictures,
    network: Network,
    folds: NDArray[np.int64],
    *,
    epochs: int | None,
    least: float,
    seed: int,
    task: str,
) -> NetworkRun:
    """Train a network on boxed pictures.

    Parameters
    ----------
    session : Session
    boxed : BoxedPictures
    network : {'nanodet', 'ssd'}
    folds : ndarray of int, shape (n_pictures,)
    epochs : int or None
    least : float
        From which score on what the folds find is kept.
    seed : int
    task : str
        What the progress is called.

    Raises
    ------
    MissingExtra
        torch is not installed.
    NothingToLearn
        Too few pictures can be read.
    """
    trainer = session.models.detector_trainer(network)
    failed: dict[str, str] = {}
    pictures: dict[int, BoxedPixels] = {}
    for row, pixels in read_training_pictures(session, boxed.images, _SIDE, failed, task):
        height, width = pixels.shape[:2]
        corners = boxed.corners[row] * np.array([width, height] * 2)
        pictures[row] = BoxedPixels(pixels, corners, boxed.codes[row])
    rows = sorted(pictures)
    n_folds = int(folds.max()) + 1
    if any(not [row for row in rows if folds[row] != fold] for fold in range(n_folds)):
        raise NothingToLearn(
            f"{boxed.taxonomy}: only {counted(len(rows), 'picture')} with boxes can be read"
        )
    training = _Training(
        session, boxed, network, trainer, pictures, folds, epochs, least, seed, task
    )
    found = training.out_of_fold(n_folds)
    scores = [training.mean_ap(one, rows) for one in found]
    best = int(np.flatnonzero(np.array(scores) >= max(scores) - 1e-9)[-1])
    share = _STOPS[best]
    graph = training.final(share, n_folds)
    steps = steps_of(network, len(rows), epochs)
    stop = max(1, round(share * steps))
    told = ", ".join(f"{value:.2f}" for value in scores)
    note = (
        f"trained for {stop:,} of {steps:,} steps: the out-of-fold mAP was {told} after "
        f"{', '.join(f'{part:.0%}' for part in _STOPS)} of them"
    )
    settings = {**trainer.settings, "steps": stop, "schedule": steps}
    return NetworkRun(graph, settings, found[best], failed, note)


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """One training after another, and what they find."""

    session: Session
    boxed: BoxedPictures
    network: Network
    trainer: DetectorTrainer
    pictures: dict[int, BoxedPixels]
    folds: NDArray[np.int64]
    epochs: int | None
    least: float
    seed: int
    task: str

    def out_of_fold(self, n_folds: int) -> list[dict[int, Detections]]:
        """Return for each stop what the folds find in the pictures that they have not seen."""
        found: list[dict[int, Detections]] = [{} for _ in _STOPS]
        for fold in range(n_folds):
            held = [row for row in self.pictures if self.folds[row] == fold]
            others = [row for row in self.pictures if self.folds[row] != fold]
            for at, graph in enumerate(self._graphs(others, _STOPS, fold, n_folds)):
                find = self.trainer.open(graph, len(self.boxed.classes), self.least)
                for row in held:
                    found[at][row] = self._find(find, row)
        return found

    def final(self, share: float, n_folds: int) -> bytes:
        """Return the network of all pictures, stopped after a share of the schedule."""
        *_, graph = self._graphs(list(self.pictures), (share,), n_folds, n_folds)
        return graph

    def mean_ap(self, found: dict[int, Detections], rows: Sequence[int]) -> float:
        """Return the mAP (of ten overlaps) of what was found; 0 where it cannot be told."""
        result = evaluate_boxes(
            self.boxed.truth(rows), placed(found, rows), len(self.boxed.classes)
        ).mean_ap()
        return 0.0 if np.isnan(result) else result

    def _graphs(
        self, rows: Sequence[int], shares: Sequence[float], number: int, n_folds: int
    ) -> Iterator[bytes]:
        steps = steps_of(self.network, len(rows), self.epochs)
        whole = steps * (n_folds + 1)

        def tell(step: int) -> None:
            self.session.progress(self.task, number * steps + step, whole)

        yield from self.trainer.train(
            [self.pictures[row] for row in rows],
            len(self.boxed.classes),
            steps=steps,
            stops=[max(1, round(share * steps)) for share in shares],
            seed=self.seed,
            on_step=tell,
        )

    def _find(self, find: Callable[[Pixels], Detections], row: int) -> Detections:
        pixels, image = self.pictures[row].pixels, self.boxed.images[row]
        found = find(pixels)
        scale = np.array(
            [image.width / pixels.shape[1], image.height / pixels.shape[0]] * 2, np.float32
        )
        return Detections(found.boxes * scale, found.scores, found.classes)
