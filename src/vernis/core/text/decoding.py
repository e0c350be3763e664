"""What the numbers of a text recognizer spell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def decode_steps(probabilities: NDArray[np.floating], alphabet: Sequence[str]) -> tuple[str, float]:
    """Return the text that a connectionist temporal classification (CTC) spells.

    The likeliest symbol of each step is taken, repetitions are joined and blanks left out (Graves
    et al. 2006, best path decoding).

    Parameters
    ----------
    probabilities : ndarray, shape (n_steps, 1 + n_symbols)
        Column 0 is the blank.
    alphabet : sequence of str
        The symbol of each further column.

    Returns
    -------
    text : str
    confidence : float
        Mean probability of the letters, 0 when there is none.
    """
    best = probabilities.argmax(axis=1)
    change = np.ones(len(best), bool)
    change[1:] = best[1:] != best[:-1]
    spoken = np.flatnonzero(change & (best > 0))
    if not len(spoken):
        return "", 0.0
    text = "".join(alphabet[symbol - 1] for symbol in best[spoken])
    return text, float(probabilities[spoken, best[spoken]].mean())
