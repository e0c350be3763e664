"""The shipped detector, trained on with boxes of other classes (extra ``torch``).

Its first stages stay as they are. A class of the new ones begins as the mean of COCO's, so that
an object counts from the first step on; the distances begin as they were learned from COCO.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vernis.adapters.detectors.nanodet import COCO, DetectorSettings, ObjectModel, shipped_model
from vernis.adapters.training.float_graph import FloatGraph, read_float_graph
from vernis.adapters.training.network import (
    TrainableNetwork,
    fast_arithmetic,
    import_torch,
    training_device,
)
from vernis.adapters.training.schedule import Rates, train_steps
from vernis.adapters.training.views import View, ViewSettings, draw_views
from vernis.core.detect.cells import Detections
from vernis.domain.ports import Pixels
from vernis.domain.training import BoxedPixels

_STRIDES = (8, 16, 32)
_BINS = 11
_CELLS = "cells"
_RARE = -4.0
"""Logit of a class at first: most cells show none."""


@dataclass(frozen=True, slots=True)
class NanodetTraining:
    """How the shipped detector is trained on; a `domain.training.DetectorTrainer`.

    Attributes
    ----------
    views : ViewSettings
    batch : int
        Views of a step.
    cell_rate, head_rate, stage_rate : float
        Of the last layer, whose classes are new and learn ten times as fast; of the head and the
        neck; of the stages.
    frozen : tuple of str
        Stages that stay as they are.
    cells_a_box : int
        Cells that learn a box: those that find it best already (Feng et al. 2021, "TOOD").
    fit_power : float
        How much the overlap counts in this, against the root of the class's score.
    most_overlap : float
        Of two found boxes of a class with a higher IoU the surer one stays.
    """

    views: ViewSettings = field(default_factory=ViewSettings)
    batch: int = 8
    cell_rate: float = 1e-2
    head_rate: float = 1e-3
    stage_rate: float = 3e-4
    frozen: tuple[str, ...] = ("images", "stem", "pool", "stage0", "stage1")
    cells_a_box: int = 9
    fit_power: float = 4.0
    most_overlap: float = 0.55

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is saved beside the graph."""
        return {
            "engine": "torch",
            "network": "nanodet",
            "side": self.views.side,
            "most_overlap": self.most_overlap,
            "training": asdict(self),
        }

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
        """Yield the detector as an ONNX file after each of the stops."""
        torch = import_torch("training on the shipped detector")
        device = training_device(torch)
        rng = np.random.default_rng(seed)
        start = for_classes(read_float_graph(shipped_model().graph), n_classes, rng)
        network = TrainableNetwork(torch, start, self.frozen, device)
        losses = CellLosses(torch, device, n_classes, self.cells_a_box, self.fit_power)

        def loss() -> Any:
            pixels, views = draw_views(pictures, self.batch, self.views, rng)
            images = torch.from_numpy(pixels).to(device)
            with fast_arithmetic(torch, device):
                maps = network(images)
            return losses(maps, views)

        parts = [((_CELLS,), self.cell_rate), (("head", "lateral"), self.head_rate)]
        rates = Rates(parts, self.stage_rate)
        for graph in train_steps(torch, network, loss, rates, steps, stops, on_step):
            yield graph.to_onnx()

    def open(self, graph: bytes, n_classes: int, least: float) -> Callable[[Pixels], Detections]:
        """Return what finds objects by a trained detector, from a score of ``least`` on."""
        how = DetectorSettings(self.views.side, least, self.most_overlap)
        names = tuple(str(number) for number in range(n_classes))
        return ObjectModel("trained", graph, names, how).open_detector()


def for_classes(graph: FloatGraph, n_classes: int, rng: np.random.Generator) -> FloatGraph:
    """Return the shipped detector with other classes, which begin as the mean of COCO's."""
    changed = {}
    for stride in _STRIDES:
        weight = graph.weights[f"{_CELLS}{stride}.weight"]
        bias = graph.weights[f"{_CELLS}{stride}.bias"]
        mean = 0.5 * weight[: len(COCO)].mean(axis=0, keepdims=True)
        drawn = rng.normal(0, 0.005, (n_classes, *weight.shape[1:]))
        changed[f"{_CELLS}{stride}.weight"] = np.concatenate(
            [mean + drawn, weight[len(COCO) :]]
        ).astype(np.float32)
        changed[f"{_CELLS}{stride}.bias"] = np.concatenate(
            [np.full(n_classes, _RARE), bias[len(COCO) :]]
        ).astype(np.float32)
    return graph.with_weights(changed)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The cells of all maps of a batch: logits (n, cells, classes), bins (n, cells, 4, bins)."""

    logits: Any
    bins: Any
    centers: Any
    strides: Any


class CellLosses:
    """The loss of a batch of views: of classes (quality focal), of boxes (GIoU), of distances.

    Generalized focal loss (Li et al. 2020, eq. 6 and 8) on cells that are chosen for each box by
    how well they find it already (Feng et al. 2021, eq. 1).

    Parameters
    ----------
    torch : module
    device : torch.device
    n_classes : int
    cells_a_box : int
    fit_power : float
    """

    def __init__(
        self, torch: Any, device: Any, n_classes: int, cells_a_box: int, fit_power: float
    ) -> None:
        self._torch, self._device, self._n = torch, device, n_classes
        self._cells_a_box, self._power = cells_a_box, fit_power
        self._steps = torch.arange(_BINS, dtype=torch.float32, device=device)

    def __call__(self, maps: Sequence[Any], views: Sequence[View]) -> Any:
        """Return the loss, a number that torch can follow back."""
        torch, cells = self._torch, self._cells(maps)
        total, weight = torch.zeros((), device=self._device), 0.0
        for row, view in enumerate(views):
            boxes = torch.from_numpy(view.boxes).float().to(self._device)
            classes = torch.from_numpy(view.classes.astype(np.int64)).to(self._device)
            doubtful = torch.from_numpy(view.doubtful).float().to(self._device)
            logits, bins = cells.logits[row], cells.bins[row]
            chosen, owner, quality = self._chosen(cells, logits, bins, boxes, classes)
            counted = ~self._inside(cells.centers, doubtful).any(1)
            counted[chosen] = True
            target = torch.zeros_like(logits)
            if len(chosen):
                target[chosen, classes[owner]] = quality
                total = total + self._box_loss(cells, bins, chosen, boxes[owner], quality)
                weight += float(quality.sum())
            total = total + self._class_loss(logits, target, counted)
        return total / max(weight, 1.0)

    def _cells(self, maps: Sequence[Any]) -> _Cells:
        torch, centers, strides = self._torch, [], []
        for one, stride in zip(maps, _STRIDES, strict=True):
            height, width = one.shape[2:]
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centers.append((torch.stack([x.reshape(-1), y.reshape(-1)], 1) + 0.5) * stride)
            strides.append(torch.full((height * width,), float(stride)))
        flat = torch.cat([one.flatten(2) for one in maps], 2).permute(0, 2, 1)
        return _Cells(
            flat[..., : self._n],
            flat[..., self._n :].reshape(*flat.shape[:2], 4, _BINS),
            torch.cat(centers).float().to(self._device),
            torch.cat(strides).to(self._device),
        )

    def _boxes(self, cells: _Cells, bins: Any, rows: Any) -> Any:
        torch = self._torch
        distances = (bins[rows].softmax(2) @ self._steps) * cells.strides[rows, None]
        center = cells.centers[rows]
        return torch.cat([center - distances[:, :2], center + distances[:, 2:]], 1)

    def _inside(self, centers: Any, boxes: Any) -> Any:
        """Return which centres lie in which boxes, shape (cells, boxes)."""
        after = centers[:, None] > boxes[None, :, :2]
        return (after & (centers[:, None] < boxes[None, :, 2:])).all(2)

    def _chosen(
        self, cells: _Cells, logits: Any, bins: Any, boxes: Any, classes: Any
    ) -> tuple[Any, Any, Any]:
        """Return the cells that learn a box, which one, and the score that each should give."""
        torch = self._torch
        if not len(boxes):
            none = torch.zeros(0, dtype=torch.long, device=self._device)
            return none, none, none.float()
        with torch.no_grad():
            found = self._boxes(cells, bins, slice(None))
            fit = _overlaps(torch, found, boxes)
            middle = (boxes[:, :2] + boxes[:, 2:]) / 2
            half = (boxes[:, 2:] - boxes[:, :2]) / 2
            least = torch.tensor(6.0, device=self._device)  # small boxes hold no cell's centre
            away = (cells.centers[:, None] - middle[None]).abs()
            near = (away < torch.maximum(half[None], least)).all(2)
            score = logits.sigmoid()[:, classes].clamp(min=1e-4) ** 0.5
            match = score * fit.clamp(min=1e-4) ** self._power * near
            best, rows = match.topk(min(self._cells_a_box, len(match)), 0)
            taken = torch.zeros_like(match, dtype=torch.bool)
            taken.scatter_(0, rows, best > 0)
            owner = torch.where(taken, fit, -torch.ones_like(fit)).argmax(1)
            chosen = taken.any(1).nonzero()[:, 0]
            own = owner[chosen]
            most = torch.where(taken, match, torch.zeros_like(match)).max(0).values
            best_fit = torch.where(taken, fit, torch.zeros_like(fit)).max(0).values
            share = match[chosen, own] / (most[own] + 1e-12)
            quality = (share * best_fit[own].clamp(min=0.05)).clamp(0, 1)
        return chosen, own, quality

    def _class_loss(self, logits: Any, target: Any, counted: Any) -> Any:
        functional = self._torch.nn.functional
        entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        away = (logits.sigmoid() - target).abs().detach() ** 2
        return (entropy * away * counted[:, None]).sum()

    def _box_loss(self, cells: _Cells, bins: Any, chosen: Any, boxes: Any, quality: Any) -> Any:
        torch = self._torch
        missed = 1 - _generalized_overlaps(torch, self._boxes(cells, bins, chosen), boxes)
        center, stride = cells.centers[chosen], cells.strides[chosen, None]
        distances = torch.cat([center - boxes[:, :2], boxes[:, 2:] - center], 1) / stride
        distances = distances.clamp(0, _BINS - 1.01)
        lower = distances.floor().long()
        part = distances - lower
        likely = bins[chosen].log_softmax(2)
        below = likely.gather(2, lower[..., None])[..., 0] * (1 - part)
        above = likely.gather(2, lower[..., None] + 1)[..., 0] * part
        spread = -(below + above).mean(1)
        return ((2 * missed + 0.25 * spread) * quality).sum()


def _overlaps(torch: Any, a: Any, b: Any) -> Any:
    """Return the IoU of each pair, shape (n_a, n_b)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    area = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1)[:, None]
    return shared / (area + (b[:, 2:] - b[:, :2]).prod(1)[None] - shared + 1e-9)


def _generalized_overlaps(torch: Any, a: Any, b: Any) -> Any:
    """Return the GIoU of each row (Rezatofighi et al. 2019, algorithm 1)."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1)
    union = area + (b[:, 2:] - b[:, :2]).prod(1) - shared
    outer = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull = outer.prod(1)
    return shared / (union + 1e-7) - (hull - union) / (hull + 1e-7)
