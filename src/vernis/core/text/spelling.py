"""What else a line may spell: the recognizer's probabilities, kept small.

A recognizer says for each step along a line how likely every symbol is. The likeliest ones are the
text; the others tell whether ``Lilles`` is a poor ``Lillet`` or surely another word, which no edit
distance can. Letters are kept in plain form (:func:`plain_text`), since that is what is compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.core.text.normalization import plain_letter
from vernis.domain.readings import BLANK, GAP, NATS_A_UNIT, Spelling

LEAST_PROBABILITY = 3e-4
"""Less likely symbols are left out."""
_NEGLIGIBLE = 5e-5
FLOOR = -11.0
"""Log-probability of a symbol that was left out."""
_STILL = 0.995
"""Steps that follow one that is as surely blank say nothing new."""


class SymbolFold:
    """Maps a recognizer's columns to plain symbols.

    Parameters
    ----------
    alphabet : sequence of str
        The symbol of each column after the blank.
    """

    def __init__(self, alphabet: Sequence[str]) -> None:
        plain = [BLANK, *(plain_letter(symbol) for symbol in alphabet)]
        self.symbols = sorted(set(plain))
        place = {symbol: number for number, symbol in enumerate(self.symbols)}
        self._column = np.array([place[symbol] for symbol in plain])
        self._blank = place[BLANK]

    def fold(self, probabilities: NDArray[np.floating]) -> Spelling:
        """Return the spelling of a line.

        Parameters
        ----------
        probabilities : ndarray, shape (n_steps, 1 + n_symbols)
            Column 0 is the blank.
        """
        # Nearly all are 0: what is added up is less than a hundredth of the table.
        rows, columns = np.nonzero(probabilities >= _NEGLIGIBLE)
        cells, place = np.unique(
            rows * len(self.symbols) + self._column[columns], return_inverse=True
        )
        plain = np.bincount(place, probabilities[rows, columns], len(cells))
        steps, kinds = np.divmod(cells, len(self.symbols))
        blank = np.zeros(len(probabilities))
        own = kinds == self._blank
        blank[steps[own]] = plain[own]
        still = np.zeros(len(blank), bool)
        still[1:] = (blank[1:] > _STILL) & (blank[:-1] > _STILL)
        kept = (plain >= LEAST_PROBABILITY) & ~still[steps]
        steps = (np.cumsum(~still) - 1)[steps[kept]]
        cost = -np.log(np.minimum(plain[kept], 1.0)) / NATS_A_UNIT
        symbols = "".join(self.symbols[kind] for kind in kinds[kept])
        return Spelling(symbols, steps.astype(np.uint16), np.rint(cost).astype(np.uint8))


class SpelledLine:
    """The log-probabilities of a line, by step and symbol.

    Attributes
    ----------
    words : list of str
        What the likeliest symbols spell, parted at gaps.
    spans : list of tuple of int
        First and last but one step of each word.
    """

    def __init__(self, spelling: Spelling) -> None:
        self.symbols = sorted({*spelling.symbols, BLANK, GAP})
        place = {symbol: number for number, symbol in enumerate(self.symbols)}
        count = int(spelling.steps[-1]) + 1 if len(spelling.steps) else 0
        self.log = np.full((count, len(self.symbols)), FLOOR, np.float32)
        columns = [place[symbol] for symbol in spelling.symbols]
        self.log[spelling.steps, columns] = -spelling.costs.astype(np.float32) * NATS_A_UNIT
        self._place = place
        self.words: list[str] = []
        self.spans: list[tuple[int, int]] = []
        self._part()

    def _part(self) -> None:
        best = self.log.argmax(axis=1)
        gap, blank = self._place[GAP], self._place[BLANK]
        edges = [-1, *np.flatnonzero(best == gap).tolist(), len(best)]
        for before, after in itertools.pairwise(edges):
            own = best[before + 1 : after]
            change = np.ones(len(own), bool)
            change[1:] = own[1:] != own[:-1]
            word = "".join(self.symbols[number] for number in own[change] if number != blank)
            if word:
                self.words.append(word)
                self.spans.append((before + 1, after))

    def columns(self, place: int, symbols: str) -> NDArray[np.float32]:
        """Return the log-probabilities of these symbols in a word, shape (n_steps, n_symbols)."""
        start, stop = self.spans[place]
        own = self.log[start:stop]
        values = np.full((len(own), len(symbols)), FLOOR, np.float32)
        for number, symbol in enumerate(symbols):
            if symbol in self._place:
                values[:, number] = own[:, self._place[symbol]]
        return values

    def silence(self, place: int) -> NDArray[np.float32]:
        """Return the log-probability that a step of a word says nothing, shape (n_steps,)."""
        start, stop = self.spans[place]
        quiet = [self._place[BLANK], self._place[GAP]]
        return np.asarray(self.log[start:stop, quiet].max(axis=1))

    def best(self, place: int) -> float:
        """Return the log-probability of what a word is read as."""
        start, stop = self.spans[place]
        return float(self.log[start:stop].max(axis=1).sum())


def spell_probability(
    letters: Sequence[NDArray[np.float32]],
    silences: Sequence[NDArray[np.float32]],
    names: Sequence[str],
) -> NDArray[np.float64]:
    """Return the log-probability of the best way to spell each name.

    The Viterbi score of a connectionist temporal classification (Graves et al. 2006): a letter may
    last several steps, silent steps may part letters, and must part equal ones.

    Parameters
    ----------
    letters : sequence of ndarray, shape (n_steps, len(name))
        For each name the log-probability of each of its letters at each step.
    silences : sequence of ndarray, shape (n_steps,)
    names : sequence of str

    Returns
    -------
    ndarray, shape (n_names,)
        Minus infinity where a name has more letters than there are steps.
    """
    n = len(names)
    longest, most = max(map(len, names)), max(len(silence) for silence in silences)
    states = 2 * longest + 1
    emit = np.full((most, n, states), -np.inf)
    skip = np.full((n, states), -np.inf)
    ends = np.zeros((n, 2), int)
    length = np.array([len(silence) for silence in silences])
    for number, (name, own, silence) in enumerate(zip(names, letters, silences, strict=True)):
        emit[: len(silence), number, : 2 * len(name) + 1 : 2] = silence[:, None]
        emit[: len(silence), number, 1 : 2 * len(name) : 2] = own
        different = [a != b for a, b in zip(name[1:], name[:-1], strict=True)]
        skip[number, 3 : 2 * len(name) : 2] = np.where(different, 0.0, -np.inf)
        ends[number] = 2 * len(name) - 1, 2 * len(name)
    score = np.full((n, states), -np.inf)
    score[:, :2] = emit[0, :, :2]
    final = np.full(n, -np.inf)
    rows = np.arange(n)
    for step in range(most):
        if step:
            moved = score.copy()
            moved[:, 1:] = np.maximum(moved[:, 1:], score[:, :-1])
            moved[:, 2:] = np.maximum(moved[:, 2:], score[:, :-2] + skip[:, 2:])
            score = moved + emit[step]
        over = length == step + 1
        if over.any():
            reached = np.maximum(score[rows, ends[:, 0]], score[rows, ends[:, 1]])
            final[over] = reached[over]
    return final
