"""Training of small convolutional networks on maps that stay as they are (extra ``torch``).

The one module of the core that uses torch: labels and maps go in as arrays, and plain arrays come
out, so that predicting needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.components import Components, fit_components
from vernis.core.numeric.convolutions import Convolution, ConvolutionalClassifier
from vernis.core.numeric.losses import log_loss
from vernis.domain.errors import InvalidValue, MissingExtra

Floats = NDArray[np.float32]

_CELLS = 20_000
"""Cells from which the components of the channels are estimated."""


@dataclass(frozen=True, slots=True)
class TrainingSchedule:
    """How a fully convolutional classifier is trained; as the thesis trained its own.

    Attributes
    ----------
    epochs : int
    rate : float
        Of Adam at first; divided by ten after each third of the epochs.
    filters : int
        Channels of each hidden convolution.
    hidden : int
        Hidden convolutions.
    channels : int or None
        Principal components of the cells' channels that are read; None: the channels as they are.
    batch : int
        Pictures of a step; all of a step have maps of one size.
    flips : bool
        Half of the maps are turned left to right in each step: a picture that is turned has nearly
        the same maps, turned.
    dropout : float
        Share of the channels that the last convolution misses in a step.
    """

    epochs: int = 30
    rate: float = 0.01
    filters: int = 128
    hidden: int = 3
    channels: int | None = 128
    batch: int = 32
    flips: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        counts = (self.epochs, self.filters, self.hidden + 1, self.batch, self.channels or 1)
        if min(counts) < 1 or self.rate <= 0 or not 0 <= self.dropout < 1:
            raise InvalidValue(
                f"expected counts of 1 or more, a rate above 0 and a dropout below 1, got {self}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class TrainedClassifier:
    """A classifier and how far its training came.

    Attributes
    ----------
    classifier : ConvolutionalClassifier
    loss : float
        Mean negative log-likelihood of the known labels it was trained on, by the saved arrays.
    constant_loss : float
        The same of constant answers at the shares of the classes: what has not learned gives it.
    """

    classifier: ConvolutionalClassifier
    loss: float
    constant_loss: float

    @property
    def has_learned(self) -> bool:
        """Whether the loss is at most half of that of constant answers."""
        return self.loss <= 0.5 * self.constant_loss


def train_convolutional_classifier(
    maps: Sequence[NDArray[Any]],
    Y: NDArray[np.floating],
    kind: Literal["single", "multi"],
    schedule: TrainingSchedule | None = None,
    *,
    seed: int = 0,
    on_update: Callable[[int, int], None] | None = None,
) -> TrainedClassifier:
    """Train a fully convolutional classifier on the maps of a network that stays as it is.

    Each layer normalizes its channels and convolves 3 × 3 cells; the mean of the last map over the
    picture is the score of a class (Lin et al., *Network in Network*, 2014). A graphics processor
    is used where there is one.

    Parameters
    ----------
    maps : sequence of ndarray, shape (height, width, n_channels) each
        Their heights and widths may differ.
    Y : ndarray of float, shape (n_pictures, n_classes)
        1, 0 or NaN for unknown.
    kind : {'single', 'multi'}
        One class a picture (softmax), or several (a logistic function each).
    schedule : TrainingSchedule, optional
    seed : int
        Draws the first weights and the order of the pictures.
    on_update : callable, optional
        Takes the epochs that are done and their number.

    Raises
    ------
    InvalidValue
        There is no picture, labels do not fit, or training came to no finite numbers.
    MissingExtra
        torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "a fully convolutional classifier") from error
    Y = np.asarray(Y, np.float32)
    if not maps or Y.shape[:1] != (len(maps),):
        raise InvalidValue(f"expected labels of {len(maps)} pictures, got shape {Y.shape}")
    how = schedule or TrainingSchedule()
    rng = np.random.default_rng(seed)
    components = _components(maps, how.channels, rng)
    read = [_read(one, components) for one in maps]
    layers = _trained_layers(torch, read, Y, kind, how, rng, seed, on_update)
    classifier = ConvolutionalClassifier(components, layers)
    scores = np.concatenate([classifier.scores(one[None]) for one in maps])
    if not np.isfinite(scores).all():
        raise InvalidValue("training came to no finite numbers; a lower rate may help")
    constant = np.broadcast_to(_constant_scores(Y, kind), Y.shape)
    return TrainedClassifier(classifier, log_loss(scores, Y, kind), log_loss(constant, Y, kind))


def _components(
    maps: Sequence[NDArray[Any]], channels: int | None, rng: np.random.Generator
) -> Components:
    """Return what the channels of a cell are brought to, fitted on cells drawn by chance."""
    width = maps[0].shape[2]
    if channels is None or channels >= width:
        return Components(np.zeros(width, np.float32), np.eye(width, dtype=np.float32))
    each = -(-_CELLS // len(maps))
    drawn = []
    for one in maps:
        cells = one.reshape(-1, width)
        drawn.append(cells[rng.permutation(len(cells))[:each]])
    rows = np.concatenate(drawn).astype(np.float32)
    solver = "covariance_eigh" if len(rows) > width else "full"
    return fit_components(rows, min(channels, len(rows)), solver)[0]


def _read(one: NDArray[Any], components: Components) -> Floats:
    """Return the components of a map, channels first, as torch takes them."""
    height, width, channels = one.shape
    projected = components.project(one.reshape(-1, channels))
    return np.ascontiguousarray(projected.reshape(height, width, -1).transpose(2, 0, 1))


def _trained_layers(
    torch: Any,
    maps: Sequence[Floats],
    Y: Floats,
    kind: str,
    how: TrainingSchedule,
    rng: np.random.Generator,
    seed: int,
    on_update: Callable[[int, int], None] | None,
) -> tuple[Convolution, ...]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng():  # draws the first weights, and what dropout leaves out
        torch.manual_seed(seed)
        network = _network(torch, len(maps[0]), Y.shape[1], how)
        _set_output(torch, network, Y, kind)
        network = network.to(device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=how.rate)
        rate = torch.optim.lr_scheduler.StepLR(optimizer, max(1, -(-how.epochs // 3)), 0.1)
        for epoch in range(how.epochs):
            for rows in _batches(maps, how.batch, rng):
                inputs = torch.from_numpy(_shown(maps, rows, how, rng)).to(device)
                scores = network(inputs).mean(dim=(2, 3))
                loss = _loss(torch, scores, torch.from_numpy(Y[rows]).to(device), kind)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            rate.step()
            if on_update is not None:
                on_update(epoch + 1, how.epochs)
    return _layers_of(network)


def _shown(
    maps: Sequence[Floats],
    rows: NDArray[np.int64],
    how: TrainingSchedule,
    rng: np.random.Generator,
) -> Floats:
    """Return the maps of a step, of which half are turned where the schedule says so."""
    seen = np.stack([maps[row] for row in rows])
    if how.flips:
        turned = rng.random(len(rows)) < 0.5
        seen[turned] = seen[turned, :, :, ::-1]
    return seen


def _constant_scores(Y: Floats, kind: str) -> Floats:
    """Return the scores that say the share of each class, shape (n_classes,)."""
    known = np.maximum(np.isfinite(Y).sum(axis=0), 1)
    share = np.clip(np.nansum(Y, axis=0) / known, 1e-3, 1 - 1e-3)
    values = np.log(share) if kind == "single" else np.log(share / (1 - share))
    return np.asarray(values, np.float32)


def _network(torch: Any, channels: int, classes: int, how: TrainingSchedule) -> Any:
    nn = torch.nn
    parts, width = [], channels
    for _ in range(how.hidden):
        convolution = nn.Conv2d(width, how.filters, 3, padding=1)
        parts += [nn.BatchNorm2d(width), convolution, nn.ReLU()]
        width = how.filters
    if how.dropout:
        parts.append(nn.Dropout2d(how.dropout))
    return nn.Sequential(*parts, nn.BatchNorm2d(width), nn.Conv2d(width, classes, 3, padding=1))


def _set_output(torch: Any, network: Any, Y: Floats, kind: str) -> None:
    """Let the network begin with the constant answers: it cannot end below them unnoticed."""
    with torch.no_grad():
        network[-1].bias.copy_(torch.from_numpy(_constant_scores(Y, kind)))


def _batches(
    maps: Sequence[NDArray[Any]], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return rows of pictures whose maps have one size, in a random order.

    A lone picture joins no step of its own where there are others of its size: the statistics of
    one tell nothing.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for row, one in enumerate(maps):
        by_size.setdefault(one.shape[1:], []).append(row)
    found: list[NDArray[np.int64]] = []
    for rows in by_size.values():
        mixed = rng.permutation(np.asarray(rows, np.int64))
        found += np.array_split(mixed, max(1, round(len(mixed) / size)))
    return [found[number] for number in rng.permutation(len(found))]


def _loss(torch: Any, scores: Any, truth: Any, kind: str) -> Any:
    """Return the mean loss of the known labels of a step."""
    if kind == "single":
        rows = (truth == 1).any(dim=1)
        chosen = torch.nan_to_num(truth[rows]).argmax(dim=1)
        return torch.nn.functional.cross_entropy(scores[rows], chosen)
    known = torch.isfinite(truth)
    return torch.nn.functional.binary_cross_entropy_with_logits(scores[known], truth[known])


def _layers_of(network: Any) -> tuple[Convolution, ...]:
    """Take a trained network apart: normalizations by their running statistics."""

    def plain(tensor: Any) -> Floats:
        return np.asarray(tensor.detach().cpu().numpy(), np.float32)

    layers, normal = [], None
    for part in network.eval():
        if hasattr(part, "running_mean"):
            normal = part
        elif hasattr(part, "kernel_size"):
            assert normal is not None
            scale = plain(normal.weight) / np.sqrt(plain(normal.running_var) + normal.eps)
            shift = plain(normal.bias) - plain(normal.running_mean) * scale
            layers.append(Convolution(scale, shift, plain(part.weight), plain(part.bias)))
    return tuple(layers)
