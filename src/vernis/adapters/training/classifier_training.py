"""The last stages of the shipped EfficientNet-Lite0, trained on for a taxonomy (extra ``torch``).

What comes before them stays as it is, so its maps are calculated once for a few views of each
picture (cut out, mirrored, in other colours); all trainings read these maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.inputs import fit_picture
from vernis.adapters.backbones.zoo import DEFAULT_FIT, DEFAULT_SIDE, float_weights
from vernis.adapters.training.float_graph import FloatGraph, Node, read_float_graph
from vernis.adapters.training.network import (
    TrainableNetwork,
    fast_arithmetic,
    import_torch,
    training_device,
)
from vernis.adapters.training.schedule import Rates, train_steps
from vernis.adapters.training.views import change_colors
from vernis.domain.ports import Pixels
from vernis.domain.training import TrainedClassifier
from vernis.domain.types import TaxonomyKind

_ENTRANCE, _SCORES = "stage4", "logits"
"""The last map that stays as it is (112 channels, 14 x 14), and the output."""
_BLOCK = 64
"""Pictures that are predicted at once."""


@dataclass(frozen=True, slots=True)
class ClassifierTraining:
    """How the last stages are trained; a `domain.training.ClassifierTrainer`.

    Attributes
    ----------
    views : int
        Drawn views of a picture, beside the plain one.
    epochs : int
    batch : int
        Pictures of a step.
    rate, old_rate : float
        Of the new last layer; of the stages before it.
    smoothing : float
        Share of a single label that is spread over all classes.
    least_area : float
        Share of a picture that a view shows at least.
    """

    views: int = 5
    epochs: int = 12
    batch: int = 32
    rate: float = 2e-3
    old_rate: float = 3e-4
    smoothing: float = 0.1
    least_area: float = 0.4

    def with_epochs(self, epochs: int) -> ClassifierTraining:
        """Return the same training for another number of epochs."""
        return replace(self, epochs=epochs)

    @property
    def settings(self) -> dict[str, Any]:
        """What is saved beside the network."""
        return {"engine": "torch", "network": "efficientnet_lite0", **asdict(self)}

    def open_maps(self, seed: int) -> Callable[[Pixels], NDArray[np.float16]]:
        """Return the function from a picture to the maps of its views, the plain one first."""
        torch = import_torch("learn --fine-tune")
        device = training_device(torch)
        base = _whole().cut([_ENTRANCE])
        network = TrainableNetwork(torch, base, ("",), device)
        rng = np.random.default_rng(seed)

        def look(pixels: Pixels) -> NDArray[np.float16]:
            shown = [pixels, *(self._draw(pixels, rng) for _ in range(self.views))]
            squares = np.stack([fit_picture(one, DEFAULT_SIDE, DEFAULT_FIT) for one in shown])
            with torch.no_grad(), fast_arithmetic(torch, device):
                (maps,) = network(torch.from_numpy(squares).to(device))
            return np.asarray(maps.cpu().numpy(), np.float16)

        return look

    def train(
        self,
        maps: Sequence[NDArray[np.float16]],
        Y: NDArray[np.float32],
        kind: TaxonomyKind,
        *,
        seed: int,
        on_step: Callable[[int, int], None] | None = None,
    ) -> TrainedClassifier:
        """Train on maps of pictures; see `domain.training.ClassifierTrainer`."""
        torch = import_torch("learn --fine-tune")
        device = training_device(torch)
        rng = np.random.default_rng(seed)
        steps = self.epochs * math.ceil(len(maps) / self.batch)
        start = _tail(Y.shape[1], rng)
        network = TrainableNetwork(torch, start, (), device, entrance=_ENTRANCE)
        rows = _in_turn(len(maps), self.batch, rng)
        targets = torch.from_numpy(np.array(Y, np.float32)).to(device)
        losses: list[float] = []

        def loss() -> Any:
            chosen = next(rows)
            seen = np.stack([maps[row][rng.integers(len(maps[row]))] for row in chosen])
            with fast_arithmetic(torch, device):
                (scores,) = network(torch.from_numpy(seen).to(device).float())
            value = self._loss(torch, scores, targets[torch.from_numpy(chosen).to(device)], kind)
            losses.append(float(value.detach()))
            return value

        rates = Rates([((_SCORES,), self.rate)], self.old_rate, warm_up=max(1, steps // 20))
        tell = None if on_step is None else lambda step: on_step(step, steps)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            (tail,) = train_steps(torch, network, loss, rates, steps, (steps,), tell)
        last = losses[-math.ceil(len(maps) / self.batch) :]
        return TrainedClassifier(
            _whole().with_weights(tail.weights).cut([_SCORES]).to_onnx(),
            lambda held: _scores(torch, tail, held, device),
            float(np.mean(last)),
        )

    def _draw(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = pixels.shape[:2]
        area, stretch = rng.uniform(self.least_area, 1), math.exp(rng.uniform(-0.2, 0.2))
        wide = min(width, max(1, round(width * math.sqrt(area) * stretch)))
        high = min(height, max(1, round(height * math.sqrt(area) / stretch)))
        x, y = rng.integers(width - wide + 1), rng.integers(height - high + 1)
        part = pixels[y : y + high, x : x + wide]
        if rng.random() < 0.5:
            part = part[:, ::-1]
        return change_colors(np.ascontiguousarray(part), rng)

    def _loss(self, torch: Any, scores: Any, targets: Any, kind: TaxonomyKind) -> Any:
        known = torch.isfinite(targets)
        if kind == "multi":
            wanted = torch.where(known, targets, torch.zeros_like(targets))
            each = torch.nn.functional.binary_cross_entropy_with_logits(
                scores, wanted, reduction="none"
            )
            return (each * known).sum() / known.sum().clamp(min=1)
        wanted = torch.nan_to_num(targets).argmax(1)
        return torch.nn.functional.cross_entropy(scores, wanted, label_smoothing=self.smoothing)


def _whole() -> FloatGraph:
    return read_float_graph(float_weights())


def _tail(n_classes: int, rng: np.random.Generator) -> FloatGraph:
    """Return the stages that learn, with a new last layer."""
    whole = _whole().cut([_SCORES])
    before = {node.output for node in whole.cut([_ENTRANCE]).nodes}
    nodes: tuple[Node, ...] = tuple(node for node in whole.nodes if node.output not in before)
    inputs = whole.weights[f"{_SCORES}.weight"].shape[1]
    last = {
        f"{_SCORES}.weight": rng.normal(0, 0.01, (n_classes, inputs)).astype(np.float32),
        f"{_SCORES}.bias": np.zeros(n_classes, np.float32),
    }
    return FloatGraph(nodes, {**whole.weights, **last}, (_SCORES,)).cut([_SCORES])


def _in_turn(n: int, batch: int, rng: np.random.Generator) -> Any:
    """Yield rows of one batch after another; each epoch shows every row once."""
    while True:
        order = rng.permutation(n)
        for start in range(0, n, batch):
            yield order[start : start + batch]


def _scores(
    torch: Any, tail: FloatGraph, maps: Sequence[NDArray[np.float16]], device: Any
) -> NDArray[np.float32]:
    """Return the scores of the plain views, shape (n_pictures, n_classes)."""
    network = TrainableNetwork(torch, tail, ("",), device, entrance=_ENTRANCE)
    found = []
    for start in range(0, len(maps), _BLOCK):
        seen = np.stack([one[0] for one in maps[start : start + _BLOCK]])
        with torch.no_grad():
            (scores,) = network(torch.from_numpy(seen).to(device).float())
        found.append(scores.cpu().numpy())
    return np.concatenate(found).astype(np.float32)
