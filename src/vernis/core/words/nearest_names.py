"""The nearest known names to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable

_CLOSE = 0.7  # similarity from which a name is offered


def nearest_names(
    text: str, names: Iterable[str], *, limit: int = 3, least: float = _CLOSE
) -> list[str]:
    """Return the names that resemble ``text``, most similar first, whatever their case.

    Parameters
    ----------
    text : str
    names : iterable of str
    limit : int
        At most so many.
    least : float
        Similarity from which a name is near, 0..1.

    Returns
    -------
    list of str
        Names whose normalized Indel similarity (twice the longest common subsequence by the sum
        of the lengths) is ``least`` or more; of equal ones the alphabetically first.
    """
    from rapidfuzz import fuzz, process

    # Names that differ only by case are told apart again by their own spelling.
    found = process.extract(
        text,
        sorted(set(names)),
        scorer=fuzz.ratio,
        processor=str.casefold,
        limit=limit,
        score_cutoff=100 * least,
    )
    return [str(name) for name, _, _ in found]


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean a, b?"``, empty when nothing is near."""
    near = nearest_names(text, names)
    return f"; did you mean {', '.join(near)}?" if near else ""
