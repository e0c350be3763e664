"""What networks are trained on, and what trains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Pixels
from vernis.domain.types import TaxonomyKind

if TYPE_CHECKING:
    from vernis.core.detect.cells import Detections


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPixels:
    """A picture with all boxes of the classes that are learned.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    boxes : ndarray of float64, shape (n_boxes, 4)
        Corners ``(xmin, ymin, xmax, ymax)`` in pixels.
    classes : ndarray of int, shape (n_boxes,)
    """

    pixels: Pixels
    boxes: NDArray[np.float64]
    classes: NDArray[np.intp]

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.classes), 4):
            raise InvalidValue(
                f"expected boxes of shape ({len(self.classes)}, 4), got {self.boxes.shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedClassifier:
    """A network that was trained on labels of pictures.

    Attributes
    ----------
    graph : bytes
        ONNX: from pictures to the scores of the classes (softmax or sigmoid makes probabilities).
    scores : callable
        From the maps of pictures to their scores, shape (n_pictures, n_classes).
    loss : float
        Mean of the last epoch.
    """

    graph: bytes
    scores: Callable[[Sequence[NDArray[np.float16]]], NDArray[np.float32]]
    loss: float


class ClassifierTrainer(Protocol):
    """Trains the last stages of a network on labels of pictures.

    Attributes
    ----------
    settings : mapping
        How it trains; JSON-able.
    """

    @property
    def settings(self) -> Mapping[str, Any]:
        """How it trains; JSON-able."""
        ...

    def open_maps(self, seed: int) -> Callable[[Pixels], NDArray[np.float16]]:
        """Return the function from a picture to maps of its views, the plain one first.

        They have the shape (n_views, channels, height, width).
        """
        ...

    def train(
        self,
        maps: Sequence[NDArray[np.float16]],
        Y: NDArray[np.float32],
        kind: TaxonomyKind,
        *,
        seed: int,
        on_step: Callable[[int, int], None] | None = None,
    ) -> TrainedClassifier:
        """Train a network.

        Parameters
        ----------
        maps : sequence of ndarray
            What ``open_maps`` gives of each picture.
        Y : ndarray of float32, shape (n_pictures, n_classes)
            1, 0, or NaN where it is not known; of a single taxonomy one 1 in each row.
        kind : {'single', 'multi'}
        seed : int
        on_step : callable, optional
            Takes the steps that are done, and their number.
        """
        ...


class DetectorTrainer(Protocol):
    """Trains a network that finds objects.

    Attributes
    ----------
    settings : mapping
        What is saved beside its graph, to open it again.
    """

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is saved beside its graph, to open it again; JSON-able."""
        ...

    def train(
        self,
        pictures: Sequence[BoxedPixels],
        n_classes: int,
        *,
        steps: int,
        stops: Sequence[int],
        seed: int,
        on_step: Callable[[int], None] | None = None,
    ) -> Iterator[bytes]:
        """Yield the network as an ONNX file after each of the stops.

        Parameters
        ----------
        pictures : sequence of BoxedPixels
        n_classes : int
        steps : int
            Of the whole schedule.
        stops : sequence of int
            Ascending, at most ``steps``.
        seed : int
        on_step : callable, optional
            Takes the steps that are done.
        """
        ...

    def open(self, graph: bytes, n_classes: int, least: float) -> Callable[[Pixels], Detections]:
        """Return what finds objects by a trained network, from a score of ``least`` on."""
        ...
