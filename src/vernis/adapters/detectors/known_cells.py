"""What the two shipped networks know of each cell of the detector, for heads that learn from boxes.

Of the detector: its head, its neck, its class logits and three stages, its level and distances; of
EfficientNet-Lite0: four stages. Both see the same picture, each map is read at the cell's centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from vernis.adapters.backbones import zoo
from vernis.adapters.backbones.onnx_backbone import open_session
from vernis.adapters.backbones.onnx_graph import cut_graph
from vernis.adapters.detectors.looking import fit_picture
from vernis.adapters.detectors.nanodet import ObjectModel
from vernis.core.detect.cell_head import SeenCells, sample_map
from vernis.core.detect.cells import Cells
from vernis.domain.ports import Pixels

_STRIDES = (8, 16, 32)
_OWN = tuple(f"{kind}{stride}" for kind in ("cells", "head", "neck") for stride in _STRIDES)
_STAGES = ("stage1", "stage2", "stage3")
_BACKBONE = ("stage3", "stage4", "stage5", "stage6")


@dataclass(frozen=True, slots=True, eq=False)
class KnownCells:
    """The cells of a picture, and the maps that their features are read from.

    Attributes
    ----------
    boxes : ndarray of float32, shape (n_cells, 4)
        Corners in pixels of the picture.
    objectness : ndarray of float32, shape (n_cells,)
    cells : Cells
    corners : ndarray of float32, shape (n_cells, 4)
        The boxes in pixels of what the networks saw.
    places : ndarray of float32, shape (n_cells, 2)
        The centres as shares of the picture.
    listed : tuple of ndarray, each of shape (n_cells, channels)
        Maps with a value a cell.
    sampled : tuple of ndarray, each of shape (channels, height, width)
        Maps that are read between their own cells.
    """

    boxes: NDArray[np.float32]
    objectness: NDArray[np.float32]
    cells: Cells
    corners: NDArray[np.float32]
    places: NDArray[np.float32]
    listed: tuple[NDArray[np.float32], ...]
    sampled: tuple[NDArray[np.float32], ...]

    def take(self, rows: NDArray[np.intp]) -> SeenCells:
        """Return some of the cells with their features."""
        centers, corners = self.cells.centers[rows], self.corners[rows]
        strides = self.cells.strides[rows, None]
        distances = np.hstack([centers - corners[:, :2], corners[:, 2:] - centers])
        parts = [
            *(values[rows] for values in self.listed),
            self.cells.logits[rows],
            *(sample_map(values, self.places[rows]) for values in self.sampled),
            np.log2(strides),
            distances / strides,
        ]
        features = np.hstack(parts).astype(np.float16)
        return SeenCells(features, self.boxes[rows], self.objectness[rows])


def open_known_cells(model: ObjectModel, *, side: int) -> Callable[[Pixels], KnownCells]:
    """Return what tells the cells of a picture, for one worker.

    Parameters
    ----------
    model : ObjectModel
    side : int
        Longer side of what both networks see, in pixels, a multiple of 32.
    """
    names = [*_OWN, *_STAGES]
    detect = _open(onnx.load_from_string(model.graph), names, model.name)
    weights = Path(zoo.__file__).with_name("weights") / "efficientnet_lite0.int8.onnx"
    embed = _open(onnx.load(str(weights)), list(_BACKBONE), weights.name)

    def look(pixels: Pixels) -> KnownCells:
        seen = fit_picture(pixels, side)
        known = dict(zip(names, detect(seen), strict=True))
        cells = Cells.of_maps([known[name] for name in _OWN[:3]], _STRIDES, len(model.classes))
        height, width = seen.shape[:2]
        corners = cells.boxes()
        scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2, np.float32)
        return KnownCells(
            boxes=corners * scale,
            objectness=1 / (1 + np.exp(-cells.logits.max(axis=1))),
            cells=cells,
            corners=corners,
            places=np.asarray(cells.centers / np.array([width, height]), np.float32),
            listed=tuple(_joined(known[name] for name in _OWN[at : at + 3]) for at in (3, 6)),
            sampled=(*(known[name] for name in _STAGES), *embed(seen)),
        )

    return look


def _joined(maps: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the cells of several maps in one list, each map row by row."""
    return np.concatenate([one.reshape(len(one), -1).T for one in maps])


def _open(
    model: onnx.ModelProto, names: Sequence[str], source: str
) -> Callable[[Pixels], list[NDArray[np.float32]]]:
    graph, outputs = cut_graph(model, names, "none", [4] * len(names))
    session = open_session(graph, source)

    def run(pixels: Pixels) -> list[NDArray[np.float32]]:
        return [one[0] for one in session.run(outputs, {"images": pixels[None]})]

    return run
