"""An SSD as torchvision has it, on the shipped EfficientNet-Lite0 (extra ``torch``).

Its default boxes, its matching and its loss are those of ``torchvision.models.detection.ssd``;
what it reads are five maps whose channels were brought to mean 0 and deviation 1, without which
its loss grows without bounds. The last stages of the backbone learn with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.zoo import float_weights
from vernis.adapters.detectors.default_box_detector import open_default_box_detector
from vernis.adapters.training.float_graph import FloatGraph, Node, read_float_graph
from vernis.adapters.training.network import (
    TrainableNetwork,
    fast_arithmetic,
    import_torch,
    import_torchvision,
    training_device,
)
from vernis.adapters.training.schedule import Rates, train_steps
from vernis.adapters.training.views import View, ViewSettings, draw_views
from vernis.core.detect.cells import Detections
from vernis.core.detect.default_boxes import DefaultBoxes
from vernis.domain.ports import Pixels
from vernis.domain.training import BoxedPixels

_SOURCES = (("stage2", 40), ("stage4", 112), ("stage6", 320))
"""Maps of strides 8, 16 and 32 and their channels; two more are made behind the last."""
_EXTRA = (("extra64", 128, 256), ("extra128", 128, 256))
_STRIDES = (8, 16, 32, 64, 128)
_SIZES = (0.04, 0.1, 0.2, 0.37, 0.62, 0.9)
"""Of the default boxes, as shares of the side of a view."""
_RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,))
_FIRST_SHARE, _NOTHING = 0.1, 4.0
"""Of the drawn weights that tell classes, and the logit of nothing, when training begins: only the
hardest places without an object are learned from, so the others must be right at once."""
_FOR_NORMALIZATION = 16
"""Views by which the channels are normalized."""


@dataclass(frozen=True, slots=True)
class SsdTraining:
    """How an SSD is trained; a `domain.training.DetectorTrainer`.

    Attributes
    ----------
    views : ViewSettings
    batch : int
        Views of a step.
    rate, old_rate : float
        Of the heads and the maps that are made; of the backbone.
    frozen : tuple of str
        Parts of the backbone that stay as they are.
    most_overlap : float
        Of two found boxes of a class with a higher IoU the surer one stays.
    """

    views: ViewSettings = field(default_factory=lambda: ViewSettings(side=512, crop=384))
    batch: int = 8
    rate: float = 1e-3
    old_rate: float = 3e-4
    frozen: tuple[str, ...] = ("images", "stem", *(f"stage{number}" for number in range(5)))
    most_overlap: float = 0.45

    @property
    def default(self) -> DefaultBoxes:
        """The default boxes."""
        sizes = tuple(share * self.views.crop for share in _SIZES)
        return DefaultBoxes(_STRIDES, sizes, _RATIOS)

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is saved beside the graph."""
        return {
            "engine": "torch",
            "network": "ssd",
            "side": self.views.side,
            "most_overlap": self.most_overlap,
            "default_boxes": self.default.to_document(),
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
        """Yield the SSD as an ONNX file after each of the stops."""
        torch = import_torch("training an SSD")
        device = training_device(torch)
        rng = np.random.default_rng(seed)

        def draw(n: int) -> tuple[Any, list[View]]:
            pixels, views = draw_views(pictures, n, self.views, rng)
            return torch.from_numpy(pixels).to(device), views

        base = read_float_graph(float_weights()).cut([name for name, _ in _SOURCES])
        with torch.no_grad():
            maps = TrainableNetwork(torch, base, ("",), device)(draw(_FOR_NORMALIZATION)[0])
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = torchvision_ssd(self.default, self.views.crop, n_classes)
        start = ssd_graph(base, [_spread(one) for one in maps], model, seed)
        network = TrainableNetwork(torch, start, (*self.frozen, "norm"), device)
        losses = _SsdLosses(torch, model, self.default, n_classes, device)

        def loss() -> Any:
            images, views = draw(self.batch)
            with fast_arithmetic(torch, device):
                maps = network(images)
            return losses(images, maps, views)

        parts = [(("classes", "boxes", "extra"), self.rate)]
        rates = Rates(parts, self.old_rate, decay=5e-4)
        for graph in train_steps(torch, network, loss, rates, steps, stops, on_step):
            yield graph.to_onnx()

    def open(self, graph: bytes, n_classes: int, least: float) -> Callable[[Pixels], Detections]:
        """Return what finds objects by a trained SSD, from a score of ``least`` on."""
        return open_default_box_detector(
            graph,
            "trained",
            self.default,
            n_classes,
            side=self.views.side,
            least=least,
            most_overlap=self.most_overlap,
        )


def torchvision_ssd(default: DefaultBoxes, side: int, n_classes: int) -> Any:
    """Return torchvision's SSD with these default boxes, for maps that are handed to it."""
    import_torchvision("training an SSD")
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
    from torchvision.models.detection.ssd import SSD, SSDHead

    generator = DefaultBoxGenerator(
        [[int(one) for one in level] for level in default.ratios],
        scales=[size / side for size in default.sizes],
        steps=list(default.strides),
        clip=False,
    )
    channels = [n for _, n in _SOURCES] + [n for _, _, n in _EXTRA]
    head = SSDHead(channels, generator.num_anchors_per_location(), n_classes + 1)
    return SSD(None, generator, (side, side), n_classes + 1, head=head)


def _spread(one: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of the channels of maps."""
    mean, deviation = one.mean((0, 2, 3)), one.std((0, 2, 3))
    return mean.cpu().numpy(), deviation.cpu().numpy() + 1e-3


def ssd_graph(
    base: FloatGraph,
    spreads: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    model: Any,
    seed: int,
) -> FloatGraph:
    """Return the backbone with normalized maps, two more maps and the heads behind it.

    Parameters
    ----------
    base : FloatGraph
        Gives the maps of strides 8, 16 and 32.
    spreads : sequence of (mean, deviation)
        Of the channels of each.
    model : SSD
        Its heads are taken as they begin.
    seed : int
        Draws the weights of the maps that are made.
    """
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    weights: dict[str, NDArray[Any]] = {}
    sources = []
    for (name, _), (mean, deviation) in zip(_SOURCES, spreads, strict=True):
        weights[f"norm.{name}.mean"] = mean[None, :, None, None]
        weights[f"norm.{name}.scale"] = 1 / deviation[None, :, None, None]
        nodes.append(Node("Sub", (name, f"norm.{name}.mean"), f"norm.{name}.shifted", {}))
        nodes.append(
            Node("Mul", (f"norm.{name}.shifted", f"norm.{name}.scale"), f"norm.{name}", {})
        )
        sources.append(f"norm.{name}")
    inputs = _SOURCES[-1][1]
    for name, narrow, wide in _EXTRA:
        for part, (taken, given), length, stride in (
            (f"{name}.in", (inputs, narrow), 1, 1),
            (name, (narrow, wide), 3, 2),
        ):
            weights[f"{part}.weight"] = _drawn(rng, given, taken, length)
            weights[f"{part}.bias"] = np.zeros(given, np.float32)
            before = f"{name}.in" if part == name else sources[-1]
            nodes += _convolution(part, before, length, stride, relu=True)
        sources.append(name)
        inputs = wide
    outputs = []
    for kind, head in (
        ("classes", model.head.classification_head),
        ("boxes", model.head.regression_head),
    ):
        for source, layer, stride in zip(sources, head.module_list, _STRIDES, strict=True):
            name = f"{kind}{stride}"
            weights[f"{name}.weight"] = layer.weight.detach().numpy().copy()
            weights[f"{name}.bias"] = layer.bias.detach().numpy().copy()
            if kind == "classes":  # few default boxes hold an object: begin with nothing in any
                weights[f"{name}.weight"] *= _FIRST_SHARE
                weights[f"{name}.bias"].reshape(-1, model.head.classification_head.num_columns)[
                    :, 0
                ] = _NOTHING
            nodes += _convolution(name, source, 3, 1, relu=False)
            outputs.append(name)
    return base.extended(nodes, weights, outputs)


def _drawn(rng: np.random.Generator, outputs: int, inputs: int, side: int) -> NDArray[np.float32]:
    deviation = (2 / (inputs * side * side)) ** 0.5  # He et al. 2015
    return rng.normal(0, deviation, (outputs, inputs, side, side)).astype(np.float32)


def _convolution(name: str, source: str, side: int, stride: int, *, relu: bool) -> list[Node]:
    how = {
        "kernel_shape": [side, side],
        "pads": [side // 2] * 4,
        "strides": [stride, stride],
        "group": 1,
    }
    inputs = (source, f"{name}.weight", f"{name}.bias")
    if not relu:
        return [Node("Conv", inputs, name, how)]
    return [Node("Conv", inputs, f"{name}.conv", how), Node("Relu", (f"{name}.conv",), name, {})]


class _SsdLosses:
    """torchvision's loss of an SSD on maps of our network."""

    def __init__(
        self, torch: Any, model: Any, default: DefaultBoxes, n_classes: int, device: Any
    ) -> None:
        self._torch, self._model, self._n, self._device = torch, model, n_classes, device
        self._levels = len(default.strides)

    def __call__(self, images: Any, maps: Sequence[Any], views: Sequence[View]) -> Any:
        from torchvision.models.detection.image_list import ImageList
        from torchvision.ops.boxes import box_iou

        torch, model = self._torch, self._model
        classes, boxes = maps[: self._levels], maps[self._levels :]
        outputs = {
            "cls_logits": torch.cat([_by_box(one, self._n + 1) for one in classes], 1),
            "bbox_regression": torch.cat([_by_box(one, 4) for one in boxes], 1),
        }
        side = images.shape[1]
        shown = ImageList(images.permute(0, 3, 1, 2), [(side, side)] * len(views))
        anchors = model.anchor_generator(shown, list(classes))
        targets, matched = [], []
        for view, own in zip(views, anchors, strict=True):
            given = torch.from_numpy(view.boxes).float().to(self._device)
            labels = torch.from_numpy(view.classes.astype(np.int64) + 1).to(self._device)
            targets.append({"boxes": given, "labels": labels})
            if len(given):
                matched.append(model.proposal_matcher(box_iou(given, own)))
            else:
                matched.append(torch.full((len(own),), -1, device=self._device))
        return sum(model.compute_loss(targets, outputs, anchors, matched).values())


def _by_box(one: Any, numbers: int) -> Any:
    """Return (n, height * width * boxes, numbers) of (n, boxes * numbers, height, width)."""
    n, _, height, width = one.shape
    split = one.view(n, -1, numbers, height, width).permute(0, 3, 4, 1, 2)
    return split.reshape(n, -1, numbers)
