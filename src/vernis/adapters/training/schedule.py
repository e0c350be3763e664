"""The steps of training: warm-up, a rate that falls as a cosine, and a running mean of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vernis.adapters.training.float_graph import FloatGraph
from vernis.adapters.training.network import TrainableNetwork
from vernis.domain.errors import InvalidValue

_CLIP = 5.0
"""Norm of the gradient, at most."""
_LAST = 0.02
"""Share of the rate that the last step has."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast weights learn.

    Attributes
    ----------
    parts : sequence of (tuple of str, float)
        Beginnings of names, and the rate of AdamW of the weights that begin so; the first that
        fits counts.
    others : float
        Of all other weights.
    decay : float
    warm_up : int
        Steps over which the rates rise.
    """

    parts: Sequence[tuple[tuple[str, ...], float]]
    others: float
    decay: float = 0.02
    warm_up: int = 30

    def of(self, name: str) -> float:
        """Return the rate of a weight."""
        return next((rate for begin, rate in self.parts if name.startswith(begin)), self.others)


def train_steps(
    torch: Any,
    network: TrainableNetwork,
    loss_of_step: Callable[[], Any],
    rates: Rates,
    steps: int,
    stops: Sequence[int],
    on_step: Callable[[int], None] | None = None,
) -> Iterator[FloatGraph]:
    """Train a network, and yield it after each of the stops, with the running mean of its weights.

    Parameters
    ----------
    torch : module
    network : TrainableNetwork
    loss_of_step : callable
        Returns the loss of another batch.
    rates : Rates
    steps : int
        Of the whole schedule.
    stops : sequence of int
    on_step : callable, optional
        Takes the steps that are done.
    """
    named = network.parameters
    optimizer = torch.optim.AdamW(
        [{"params": [value], "base": rates.of(name)} for name, value in named.items()],
        lr=rates.others,
        weight_decay=rates.decay,
    )
    mean = {name: value.detach().clone() for name, value in named.items()}
    for step in range(1, max(stops) + 1):
        falling = _LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * min(1.0, step / rates.warm_up) * falling
        loss = loss_of_step()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(named.values()), _CLIP)
        optimizer.step()
        with torch.no_grad():
            for name, value in named.items():
                mean[name].lerp_(value, 1 - min(0.99, step / (step + 9)))
        if on_step is not None:
            on_step(step)
        if step in stops:
            _require_finite(torch, mean)
            yield network.trained(mean)


def _require_finite(torch: Any, weights: dict[str, Any]) -> None:
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise InvalidValue("training came to no finite numbers; the network is not kept")
