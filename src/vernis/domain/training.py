"""What networks are trained on, and what trains them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Pixels

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
