"""A batched ensemble of multi-layer perceptrons in NumPy.

All estimators of an ensemble advance together: one ``matmul`` on ``(n_estimators, batch, d)``
arrays replaces a loop over estimators. Unknown labels (NaN) take no part in the loss.

Notes
-----
Weights and biases start uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16);
the optimizer is Adam (Kingma and Ba 2015, algorithm 1 with the reordering of section 2).
Estimator ``e`` draws from a generator of its own, so that the first five estimators of an ensemble
of twenty are an ensemble of five.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.adam import Adam
from vernis.core.learn.losses import Loss, Targets, activate, loss_gradient, prepare_targets
from vernis.core.numeric.threads import count_threads, in_threads, single_threaded_products
from vernis.domain.errors import InvalidValue

Schedule = Literal["constant", "cosine"]
Floats = NDArray[np.float32]

PREDICTION_ROWS = 256
"""Rows of one prediction block. The last block is padded, so that every row passes through the same
matrix kernel and a prediction does not depend on the rows beside it."""


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


@dataclass(frozen=True, slots=True)
class Training:
    """How an ensemble is trained.

    Attributes
    ----------
    epochs : int
        Passes over each estimator's sample.
    batch_size : int
        Images per update and estimator.
    learning_rate : float
        Adam's step size, in the first update when the schedule is ``cosine``.
    schedule : {'constant', 'cosine'}
        ``cosine`` lowers the step size to 0 along half a cosine.
    alpha : float
        L2 penalty on the weights, ``alpha / (2 * batch) * ||W||²`` as in scikit-learn.
    min_updates : int
        Raises the number of epochs until there are that many updates: a few hundred images would
        otherwise leave the network next to its initial weights.
    label_smoothing : float
        Share of each target replaced by the uniform one, in [0, 1).
    """

    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"
    alpha: float = 1e-4
    min_updates: int = 0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "1 epoch or more", self.epochs)
        _require(self.batch_size >= 1, "a batch_size of 1 or more", self.batch_size)
        _require(self.learning_rate > 0, "a positive learning_rate", self.learning_rate)
        _require(self.schedule in ("constant", "cosine"), "constant or cosine", self.schedule)
        _require(self.alpha >= 0, "an alpha of 0 or more", self.alpha)
        _require(self.min_updates >= 0, "min_updates of 0 or more", self.min_updates)
        _require(0 <= self.label_smoothing < 1, "label_smoothing in [0, 1)", self.label_smoothing)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The parameters of an ensemble.

    Attributes
    ----------
    weights : tuple of ndarray of float32, each of shape (n_estimators, fan_in, fan_out)
    biases : tuple of ndarray of float32, each of shape (n_estimators, fan_out)
    loss : {'sigmoid', 'softmax'}
        Also the activation of the last layer.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    loss: Loss

    def __post_init__(self) -> None:
        _require(self.loss in ("sigmoid", "softmax"), "loss sigmoid or softmax", self.loss)
        _require(len(self.weights) == len(self.biases) > 0, "as many weights as biases", None)
        width = self.weights[0].shape[1] if self.weights[0].ndim == 3 else -1
        for weight, bias in zip(self.weights, self.biases, strict=True):
            fits = weight.ndim == 3 and weight.shape[1] == width
            _require(fits, f"a weight (n_estimators, {width}, fan_out)", weight.shape)
            expected = (weight.shape[0], weight.shape[2])
            _require(bias.shape == expected, f"a bias of shape {expected}", bias.shape)
            width = weight.shape[2]

    @property
    def n_estimators(self) -> int:
        """Return the number of estimators."""
        return int(self.weights[0].shape[0])

    @property
    def n_inputs(self) -> int:
        """Return the number of input columns."""
        return int(self.weights[0].shape[1])

    @property
    def n_outputs(self) -> int:
        """Return the number of classes."""
        return int(self.weights[-1].shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class _Parameters:
    """Weights and biases as views on one flat vector, which Adam updates in blocks."""

    flat: Floats
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]


def _allocate(sizes: Sequence[int], n_estimators: int) -> _Parameters:
    shapes = [(n_estimators, a, b) for a, b in itertools.pairwise(sizes)]
    total = sum(math.prod(s) + s[0] * s[2] for s in shapes)
    flat = np.zeros(total, np.float32)
    weights, biases, start = [], [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        weights.append(flat[start:end].reshape(shape))
        biases.append(flat[end : end + shape[0] * shape[2]].reshape(shape[0], shape[2]))
        start = end + shape[0] * shape[2]
    return _Parameters(flat, tuple(weights), tuple(biases))


def _initialize(parameters: _Parameters, generators: Sequence[np.random.Generator]) -> None:
    for e, generator in enumerate(generators):
        for weight, bias in zip(parameters.weights, parameters.biases, strict=True):
            bound = math.sqrt(6.0 / (weight.shape[1] + weight.shape[2]))
            weight[e] = generator.uniform(-bound, bound, weight.shape[1:])
            bias[e] = generator.uniform(-bound, bound, bias.shape[1:])


def _forward(network: _Parameters | Network, rows: Floats) -> list[Floats]:
    """Return the activations of every layer, the inputs first, the logits last."""
    activations = [rows]
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = np.matmul(activations[-1], weight)
        values += bias[:, None, :]
        if layer < last:
            np.maximum(values, 0, out=values)
        activations.append(values)
    return activations


def _backward(
    parameters: _Parameters, gradients: _Parameters, activations: list[Floats], delta: Floats
) -> None:
    """Fill ``gradients`` from the gradient by the logits."""
    for layer in range(len(parameters.weights) - 1, -1, -1):
        inputs = activations[layer]
        np.matmul(inputs.swapaxes(1, 2), delta, out=gradients.weights[layer])
        np.sum(delta, axis=1, out=gradients.biases[layer])
        if layer:
            delta = np.matmul(delta, parameters.weights[layer].swapaxes(1, 2))
            delta *= inputs > 0


def _epoch_batches(
    samples: Sequence[NDArray[np.intp]],
    steps: int,
    width: int,
    generators: Sequence[np.random.Generator],
) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """Yield the rows of each update and their share in the mean, both (n_estimators, width).

    Every estimator's shuffled sample is cut into ``steps`` parts of nearly one size; shorter parts
    are padded with rows of share 0.
    """
    rows = np.zeros((len(samples), steps, width), np.intp)
    share = np.zeros((len(samples), steps, width), np.float32)
    for e, (sample, generator) in enumerate(zip(samples, generators, strict=True)):
        bounds = np.arange(steps + 1) * len(sample) // steps
        places = bounds[:-1, None] + np.arange(width)
        valid = places < bounds[1:, None]
        shuffled = generator.permutation(sample)
        rows[e] = shuffled[np.minimum(places, len(sample) - 1)]
        share[e] = valid / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    for step in range(steps):
        yield rows[:, step], share[:, step]


def layer_widths(hidden: int | Sequence[int]) -> tuple[int, ...]:
    """Return the widths of the hidden layers; one number is one layer.

    Raises
    ------
    InvalidValue
        If a layer has not a whole number of neurons, 1 or more.
    """
    layers = hidden if isinstance(hidden, Sequence) else (hidden,)
    for width in layers:
        _require(
            isinstance(width, int | np.integer) and width >= 1,
            "hidden layers of 1 neuron or more",
            hidden,
        )
    return tuple(int(width) for width in layers)


def train_network(
    X: ArrayLike,
    Y: ArrayLike,
    counts: ArrayLike,
    *,
    hidden: int | Sequence[int] = (512, 512),
    loss: Loss = "sigmoid",
    training: Training | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ArrayLike | None = None,
    seed: int = 0,
    on_update: Callable[[int, int], None] | None = None,
) -> Network:
    """Train an ensemble.

    Parameters
    ----------
    X : array_like, shape (n_images, n_inputs)
    Y : array_like, shape (n_images, n_classes)
        Targets in 0..1 (soft targets allowed), NaN where unknown. With ``loss='softmax'`` a row
        that is wholly known sums to 1.
    counts : array_like of bool or int, shape (n_estimators, n_images)
        How often each estimator sees an image in an epoch: 0/1 for sub-samples, multiplicities for
        bootstrap samples.
    hidden : int or sequence of int
        Widths of the hidden layers; empty for a linear model.
    loss : {'sigmoid', 'softmax'}
    training : Training, optional
    sample_weight : array_like, shape (n_images,) or, for sigmoid, (n_images, n_classes)
        Factors of the loss, ≥ 0.
    class_weight : array_like, shape (n_classes,)
        Factor of the loss of a ``yes`` (sigmoid) or of the images of a class (softmax).
    seed : int
        Any whole number ≥ 0.
    on_update : callable, optional
        Called with the updates done and their total after each.

    Returns
    -------
    Network

    Raises
    ------
    InvalidValue
        If shapes disagree or an estimator has no image.
    """
    training = training or Training()
    X = np.ascontiguousarray(X, np.float32)
    Y = np.ascontiguousarray(Y, np.float32)
    counts = np.asarray(counts)
    _require(X.ndim == 2 and Y.ndim == 2 and len(X) == len(Y), "X and Y of one length", Y.shape)
    _require(counts.ndim == 2 and counts.shape[1] == len(X), f"{len(X)} columns", counts.shape)
    samples = [np.repeat(np.arange(len(X)), row.astype(np.intp)) for row in counts]
    _require(all(len(s) for s in samples), "an image for every estimator", None)
    targets = prepare_targets(
        Y,
        loss,
        sample_weight=None if sample_weight is None else np.asarray(sample_weight, np.float32),
        class_weight=None if class_weight is None else np.asarray(class_weight, np.float32),
        smoothing=training.label_smoothing,
    )
    steps = -(-max(len(s) for s in samples) // training.batch_size)
    schedule = _Schedule(
        steps=steps,
        width=max(-(-len(s) // steps) for s in samples),
        epochs=max(training.epochs, -(-training.min_updates // steps)),
        stop=Event(),
    )
    sizes = (X.shape[1], *layer_widths(hidden), Y.shape[1])
    shares = np.array_split(np.arange(len(samples)), count_threads(len(samples)))

    def train(share: NDArray[np.intp], report: Callable[[int, int], None] | None) -> _Parameters:
        generators = [np.random.default_rng([seed, int(e)]) for e in share]
        own = [samples[e] for e in share]
        return _train_share(X, targets, own, generators, sizes, loss, training, schedule, report)

    with single_threaded_products(), ThreadPoolExecutor(max(1, len(shares) - 1)) as pool:
        others = [pool.submit(train, share, None) for share in shares[1:]]
        try:
            parts = [train(shares[0], on_update)]
        except BaseException:
            schedule.stop.set()
            raise
        parts += [other.result() for other in others]
    return Network(
        tuple(np.concatenate(layer) for layer in zip(*(p.weights for p in parts), strict=True)),
        tuple(np.concatenate(layer) for layer in zip(*(p.biases for p in parts), strict=True)),
        loss,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Schedule:
    """What all threads of a training share: updates an epoch, rows an update, epochs, a stop."""

    steps: int
    width: int
    epochs: int
    stop: Event


def _train_share(
    X: Floats,
    targets: Targets,
    samples: Sequence[NDArray[np.intp]],
    generators: Sequence[np.random.Generator],
    sizes: Sequence[int],
    loss: Loss,
    training: Training,
    schedule: _Schedule,
    report: Callable[[int, int], None] | None,
) -> _Parameters:
    """Train the estimators of one thread."""
    parameters, gradients = _allocate(sizes, len(samples)), _allocate(sizes, len(samples))
    _initialize(parameters, generators)
    adam = Adam(parameters.flat.size)
    total, done = schedule.epochs * schedule.steps, 0
    for _ in range(schedule.epochs):
        for rows, share in _epoch_batches(samples, schedule.steps, schedule.width, generators):
            if schedule.stop.is_set():
                return parameters
            activations = _forward(parameters, X[rows])
            delta = loss_gradient(activate(activations[-1], loss), targets, rows, loss)
            delta *= share[:, :, None]
            _backward(parameters, gradients, activations, delta)
            if training.alpha:
                penalty = np.float32(training.alpha / schedule.width)
                for gradient, weight in zip(gradients.weights, parameters.weights, strict=True):
                    gradient += penalty * weight
            rate = training.learning_rate
            if training.schedule == "cosine":
                rate *= 0.5 * (1 + math.cos(math.pi * done / total))
            adam.update(parameters.flat, gradients.flat, rate)
            done += 1
            if report is not None:
                report(done, total)
    return parameters


def predict_members(network: Network, X: ArrayLike) -> Iterator[tuple[slice, Floats]]:
    """Yield the probabilities of every estimator, block by block of images.

    Parameters
    ----------
    network : Network
    X : array_like, shape (n_images, n_inputs)

    Yields
    ------
    images : slice
    probabilities : ndarray of float32, shape (n_estimators, len(images), n_classes)
        In 0..1; rows of a softmax network sum to 1.

    Raises
    ------
    InvalidValue
        If X has another number of columns than the network.
    """
    X = np.asarray(X, np.float32)
    expected = f"shape (n_images, {network.n_inputs})"
    _require(X.ndim == 2 and X.shape[1] == network.n_inputs, expected, X.shape)

    def predict(start: int) -> tuple[slice, Floats]:
        rows = X[start : start + PREDICTION_ROWS]
        block = np.zeros((PREDICTION_ROWS, X.shape[1]), np.float32)
        block[: len(rows)] = rows
        probabilities = activate(_forward(network, block)[-1], network.loss)
        return slice(start, start + len(rows)), probabilities[:, : len(rows)]

    yield from in_threads(predict, range(0, len(X), PREDICTION_ROWS), ahead=4)
