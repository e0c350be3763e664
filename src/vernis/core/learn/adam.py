"""The Adam optimizer on one flat vector of parameters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BLOCK = 32_768
"""Parameters updated at a time: what five arrays of them need fits a core's cache."""


class Adam:
    """Adam on a flat vector. The moments are kept unscaled, which saves two passes a step."""

    def __init__(self, size: int, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self._first = np.zeros(size, np.float32)
        self._second = np.zeros(size, np.float32)
        self._scratch = np.empty(min(size, _BLOCK), np.float32)
        self._betas = (beta1, beta2)
        self._step = 0

    def update(self, flat: Floats, gradient: Floats, learning_rate: float) -> None:
        """Take one step, in place."""
        beta1, beta2 = self._betas
        self._step += 1
        correction = math.sqrt(1 - beta2**self._step) / (1 - beta1**self._step)
        rate = np.float32(learning_rate * correction * (1 - beta1) / math.sqrt(1 - beta2))
        epsilon = np.float32(1e-8 / math.sqrt(1 - beta2))
        b1, b2 = np.float32(beta1), np.float32(beta2)
        for start in range(0, len(flat), _BLOCK):
            block = slice(start, start + _BLOCK)
            g, m, v, p = gradient[block], self._first[block], self._second[block], flat[block]
            t = self._scratch[: len(g)]
            m *= b1
            m += g
            np.multiply(g, g, out=t)
            v *= b2
            v += t
            np.sqrt(v, out=t)
            t += epsilon
            np.divide(m, t, out=t)
            t *= rate
            p -= t
