"""Propose a name for a group of images from the words that set it apart."""

from __future__ import annotations

from collections.abc import Sequence

from vernis.core.words.tfidf import Term

_COVERS = 0.6  # a word on so many of the images names the group alone
_LEAST = 0.15  # a word on fewer does not name it
_MOST_WORDS = 3


def propose_names(kinds: Sequence[Sequence[Sequence[Term]]], n_groups: int) -> list[str]:
    """Propose a name for each group, all different.

    The first kind of words (labels before texts before file names) that holds a word on 15 % or
    more of the group's images names it: by one word where that covers 60 %, else by up to three,
    joined by `` / ``. Without any, by its number.

    Parameters
    ----------
    kinds : sequence of sequences of list of Term
        For each kind of words the telling terms of each group, as ``telling_terms`` gives them.
    n_groups : int

    Returns
    -------
    list of str
    """
    names: list[str] = []
    for group in range(n_groups):
        chosen = next((words for kind in kinds if (words := _naming(kind[group]))), [])
        name = " / ".join(_shortest(chosen, names)) or f"group {group + 1}"
        names.append(_make_distinct(name, names))
    return names


def _naming(terms: Sequence[Term]) -> list[Term]:
    return [term for term in terms if term.share >= _LEAST]


def _shortest(terms: Sequence[Term], taken: Sequence[str]) -> list[str]:
    """Return the fewest words that cover the group and are no other group's name."""
    words: list[str] = []
    for term in terms[:_MOST_WORDS]:
        words.append(term.word)
        if term.share >= _COVERS and " / ".join(words) not in taken:
            break
    return words


def _make_distinct(name: str, taken: Sequence[str]) -> str:
    number = 2
    distinct = name
    while distinct in taken:
        distinct = f"{name} ({number})"
        number += 1
    return distinct
