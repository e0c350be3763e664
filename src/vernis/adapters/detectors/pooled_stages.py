"""What the detector sees of a whole picture: its stages pooled, for heads and judges of labels.

Trained to find many small things in one picture, it keeps of them what a network trained on one
object a picture loses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vernis.adapters.backbones.onnx_backbone import open_session, plain_reason
from vernis.adapters.backbones.onnx_graph import cut_graph
from vernis.adapters.detectors.looking import fit_picture
from vernis.adapters.detectors.nanodet import ObjectModel
from vernis.domain.errors import ModelError
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

POOLING = "avg+max"
_STAGES = (("stage1", 128), ("stage2", 256), ("stage3", 512))


@dataclass(frozen=True)
class StageReader:
    """The PictureReader of a detector's stages: of each the mean, then the maximum.

    Attributes
    ----------
    model : ObjectModel
    """

    model: ObjectModel

    @property
    def long_side(self) -> int:
        """Pixels that the longer side of a decoded picture should have, where the file has them."""
        return self.model.long_side

    @property
    def space(self) -> Space:
        """Where the vectors are stored."""
        settings = {
            "layers": [[name, 2 * width] for name, width in _STAGES],
            "pooling": POOLING,
            "side": self.model.looking.side,
            "detector": self.model.name,
            "version": self.model.version,
        }
        dim = 2 * sum(width for _, width in _STAGES)
        return Space(f"{self.model.name}:stages", dim, "float16", settings)

    def open(self) -> Callable[[Pixels], NDArray[Any]]:
        """Return the function from a picture to its vector.

        Raises
        ------
        ModelError
            The graph cannot be used.
        """
        names = [name for name, _ in _STAGES]
        graph, outputs = cut_graph(
            onnx.load_from_string(self.model.graph), names, "none", [4] * len(names)
        )
        session = open_session(graph, self.model.name)

        def work(pixels: Pixels) -> NDArray[Any]:
            seen = fit_picture(pixels, self.model.looking.side)
            try:
                maps = session.run(outputs, {"images": seen[None]})
            except Exception as error:
                # ONNX Runtime's exceptions have no common base but Exception.
                raise ModelError(
                    f"{self.model.name}: the network fails ({plain_reason(error)})"
                ) from error
            pooled = [part for one in maps for part in (one[0].mean((1, 2)), one[0].max((1, 2)))]
            return np.concatenate(pooled).astype(np.float16)

        return work
