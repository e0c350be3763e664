"""What the two shipped networks know of each cell of the detector, for heads that learn from boxes.

Of the detector: its head, its neck, its class logits and three stages, its level and distances; of
EfficientNet-Lite0: four stages. Both see the same picture, each map is read at the cell's centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from vernis.adapters.backbones import zoo
from vernis.adapters.backbones.onnx_backbone import open_session
from vernis.adapters.backbones.onnx_graph import cut_graph
from vernis.adapters.detectors.nanodet import ObjectModel, fit_picture
from vernis.core.detect.cell_head import SeenCells, sample_map
from vernis.core.detect.cells import Cells
from vernis.domain.ports import Pixels

_STRIDES = (8, 16, 32)
_OWN = tuple(f"{kind}{stride}" for kind in ("cells", "head", "neck") for stride in _STRIDES)
_STAGES = ("stage1", "stage2", "stage3")
_BACKBONE = ("stage3", "stage4", "stage5", "stage6")


def open_known_cells(model: ObjectModel, *, side: int) -> Callable[[Pixels], SeenCells]:
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

    def look(pixels: Pixels) -> SeenCells:
        seen = fit_picture(pixels, side)
        known = dict(zip(names, detect(seen), strict=True))
        cells = Cells.of_maps([known[name] for name in _OWN[:3]], _STRIDES, len(model.classes))
        height, width = seen.shape[:2]
        places = np.asarray(cells.centers / np.array([width, height]), np.float32)
        boxes = cells.boxes()
        distances = np.hstack([cells.centers - boxes[:, :2], boxes[:, 2:] - cells.centers])
        parts = [
            *(_joined(known[name] for name in _OWN[at : at + 3]) for at in (3, 6)),
            cells.logits,
            *(sample_map(known[name], places) for name in _STAGES),
            *(sample_map(values, places) for values in embed(seen)),
            np.log2(cells.strides)[:, None],
            distances / cells.strides[:, None],
        ]
        scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2, np.float32)
        objectness = 1 / (1 + np.exp(-cells.logits.max(axis=1)))
        return SeenCells(np.hstack(parts).astype(np.float16), boxes * scale, objectness)

    return look


def _joined(maps: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the cells of several maps in one list, each map row by row."""
    return np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1).T


def _open(
    model: onnx.ModelProto, names: Sequence[str], source: str
) -> Callable[[Pixels], list[NDArray[np.float32]]]:
    graph, outputs = cut_graph(model, names, "none", [4] * len(names))
    session = open_session(graph, source)

    def run(pixels: Pixels) -> list[NDArray[np.float32]]:
        return [one[0] for one in session.run(outputs, {"images": pixels[None]})]

    return run
