"""Groups of duplicates (complete link) and the copy of each that is worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Copy:
    """What decides which copy of a picture to keep.

    Attributes
    ----------
    id : int
    uri : str
    width, height : int
        Pixels; 0 when unknown.
    size : int
        Bytes of the file.
    altered : bool
        The picture was cropped, covered or lost its colour, compared with another of its group.
    labels : int
        Labels that it carries.
    mtime_ns : int
        Time of the last change of the file, nanoseconds.
    """

    id: int
    uri: str
    width: int
    height: int
    size: int
    altered: bool = False
    labels: int = 0
    mtime_ns: int = 0


def group_complete_link(
    n_items: int, pairs: NDArray[np.int64], similarity: NDArray[np.floating[Any]]
) -> list[list[int]]:
    """Group items so that in a group all are paired with all.

    Pairs are taken from the most similar on; two groups join only when each member of the one is
    paired with each of the other. Hence no chain of look-alikes joins two different pictures.

    Parameters
    ----------
    n_items : int
    pairs : ndarray of int64, shape (n_pairs, 2)
        Distinct, without order inside.
    similarity : ndarray of float, shape (n_pairs,)

    Returns
    -------
    list of list of int
        Groups of two items and more, each ascending, in the order of their first items.

    Raises
    ------
    InvalidValue
        When a pair names an item beyond ``n_items``.
    """
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n_items):
        raise InvalidValue(
            f"expected pairs of items 0..{n_items - 1}, got {int(pairs.min())}..{int(pairs.max())}"
        )
    linked: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        linked.setdefault(a, set()).add(b)
        linked.setdefault(b, set()).add(a)
    group_of: dict[int, int] = {item: item for item in linked}
    members: dict[int, list[int]] = {item: [item] for item in linked}
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -np.asarray(similarity)))
    for a, b in pairs[order].tolist():
        first, second = group_of[a], group_of[b]
        if first == second:
            continue
        if len(members[first]) < len(members[second]):
            first, second = second, first
        large = members[first]
        if all(linked[item].issuperset(large) for item in members[second]):
            for item in members[second]:
                group_of[item] = first
            large += members.pop(second)
    groups = [sorted(items) for items in members.values() if len(items) > 1]
    return sorted(groups)


def order_by_worth(copies: Sequence[Copy]) -> list[Copy]:
    """Return the copies of one picture, the one to keep first.

    Most pixels first (differences below 2 % do not count), then unaltered before cropped or
    covered, then most bytes a pixel (least compressed), most labels, shortest name, oldest file,
    alphabet.

    Parameters
    ----------
    copies : sequence of Copy
    """
    return sorted(copies, key=lambda copy: (_worth(copy), copy.uri, copy.id))


def explain_keeper(ordered: Sequence[Copy]) -> str:
    """Say in a few words why the first of ``order_by_worth`` comes before the rest.

    Parameters
    ----------
    ordered : sequence of Copy
        Two or more.
    """
    keeper, second = ordered[0], ordered[1]
    for place, reason in enumerate(_REASONS):
        if _worth(keeper)[place] != _worth(second)[place]:
            return reason
    return "first by name"


def find_label_conflicts(
    members: Sequence[int], labels: Mapping[str, Mapping[int, frozenset[str]]]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Merge the labels of a group's members and find where they disagree.

    Parameters
    ----------
    members : sequence of int
        Image ids.
    labels : mapping
        Taxonomy → image id → its classes; images without a label are absent.

    Returns
    -------
    merged : dict of str to tuple of str
        Taxonomy → all classes of the members, sorted.
    conflicts : tuple of str
        Taxonomies in which two labelled members carry different classes.
    """
    merged: dict[str, tuple[str, ...]] = {}
    conflicts = []
    for taxonomy, by_image in labels.items():
        said = [by_image[i] for i in members if by_image.get(i)]
        if said:
            merged[taxonomy] = tuple(sorted(frozenset().union(*said)))
        if len(set(said)) > 1:
            conflicts.append(taxonomy)
    return merged, tuple(conflicts)


_REASONS = (
    "largest picture",
    "not cropped or covered",
    "least compressed",
    "most labels",
    "shortest name",
    "oldest file",
)


def _worth(copy: Copy) -> tuple[float, ...]:
    pixels = copy.width * copy.height
    # Steps of 2 % and of 10 %: smaller differences come from rounding, not from quality.
    resolution = round(np.log(pixels) / np.log(1.02)) if pixels else 0
    density = round(np.log(copy.size / max(1, pixels) + 1e-9) / np.log(1.1))
    return (
        -resolution,
        float(copy.altered),
        -density,
        -copy.labels,
        len(copy.uri),
        copy.mtime_ns,
    )
