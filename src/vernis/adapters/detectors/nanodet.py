"""The detector that is shipped: NanoDet-g, which knows the 80 classes of COCO.

A picture is shown with a longer side of 416 pixels, both sides rounded to multiples of 32: the
network takes any such size, so that nothing is spent on empty margins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.detectors.looking import open_looking
from vernis.core.detect.cells import Cells, Detections, find_objects
from vernis.core.detect.vectors import to_vector, vector_length
from vernis.domain.errors import ModelError
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

if TYPE_CHECKING:
    from vernis.adapters.backbones.onnx_backbone import OpenSession

SHIPPED = "nanodet"
_WEIGHTS = Path(__file__).with_name("weights") / "nanodet_g.int8.onnx"
_STRIDES = (8, 16, 32)
_AT_MOST = 100
"""Objects that are kept of a picture."""

COCO = tuple(
    """person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant
    |stop sign|parking meter|bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe
    |backpack|umbrella|handbag|tie|suitcase|frisbee|skis|snowboard|sports ball|kite|baseball bat
    |baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass|cup|fork|knife|spoon|bowl
    |banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch
    |potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave
    |oven|toaster|sink|refrigerator|book|clock|vase|scissors|teddy bear|hair drier
    |toothbrush""".replace("\n    ", "").split("|")
)
"""The classes of COCO, in the order of the network."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How pictures are looked at.

    Attributes
    ----------
    side : int
        Longer side of what the network sees, in pixels.
    least : float
        Less sure objects are not kept.
    most_overlap : float
        Of two boxes of a class with a higher IoU the surer one stays.
    """

    side: int = 416
    least: float = 0.05
    most_overlap: float = 0.6


@dataclass(frozen=True)
class ObjectModel:
    """A detector's graph, from which each worker opens its own; a PictureReader of its objects.

    Attributes
    ----------
    name : str
    graph : bytes
    classes : tuple of str
    looking : DetectorSettings
    start : callable, optional
        Opens the session on another device than the processor.
    """

    name: str
    graph: bytes = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)
    looking: DetectorSettings = field(default_factory=DetectorSettings)
    start: OpenSession | None = field(default=None, repr=False, compare=False)

    @cached_property
    def version(self) -> str:
        """The first digits of the checksum of its graph."""
        return hashlib.sha256(self.graph).hexdigest()[:8]

    @property
    def source(self) -> str:
        """Who says what it finds."""
        return f"model:{self.name}@{self.version}"

    @property
    def long_side(self) -> int:
        """Pixels that the longer side of a decoded picture should have, where the file has them."""
        return self.looking.side

    @property
    def space(self) -> Space:
        """Where the objects of each picture are stored."""
        how = self.looking
        settings = {
            "detector": self.name,
            "version": self.version,
            "side": how.side,
            "least": how.least,
            "most_overlap": how.most_overlap,
        }
        return Space("objects", vector_length(_AT_MOST), "float32", settings)

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return what finds the objects of a picture, as a vector, for one worker."""
        find = self.open_detector()

        def measure(pixels: Pixels) -> NDArray[Any]:
            height, width = pixels.shape[:2]
            return to_vector(find(pixels), (width, height), _AT_MOST)

        return measure

    def open_detector(self) -> Callable[[Pixels], Detections]:
        """Return what finds the objects of a picture, in its pixels.

        Raises
        ------
        ModelError
            The graph cannot be used.
        """

        def find(maps: Sequence[NDArray[np.float32]]) -> Detections:
            return find_objects(
                Cells.of_maps(maps, _STRIDES, len(self.classes)),
                least=self.looking.least,
                most_overlap=self.looking.most_overlap,
                at_most=_AT_MOST,
            )

        names = [f"cells{stride}" for stride in _STRIDES]
        return open_looking(self.graph, self.name, names, self.looking.side, find, start=self.start)


def shipped_model() -> ObjectModel:
    """Return the detector that comes with Vernis (NanoDet-g, Apache License 2.0)."""
    try:
        graph = _WEIGHTS.read_bytes()
    except OSError as error:
        raise ModelError(f"{_WEIGHTS}: missing, install Vernis anew") from error
    return ObjectModel(SHIPPED, graph, COCO)
