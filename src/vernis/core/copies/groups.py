"""Groups of duplicates (complete link) and the copy of each that is worth keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.copy_names import marks_of
from vernis.domain.errors import InvalidValue
from vernis.domain.types import DuplicateGroup, DuplicateKind, DuplicatePair


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
    metadata : int
        What the file says of itself: entries such as the time when the picture was taken.
    """

    id: int
    uri: str
    width: int
    height: int
    size: int
    altered: bool = False
    labels: int = 0
    mtime_ns: int = 0
    metadata: int = 0


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
    """Return the copies of one picture, the one that a person would keep first.

    A copy that is much smaller than the largest (less than two thirds of its pixels), cropped,
    covered or without colour comes last, whatever its name. Then a name that is nobody's copy
    ("Copy of", "(1)", "backup", …, in the name or in a folder above), most pixels (differences
    below 2 % do not count), most bytes a pixel (least compressed, in steps of 10 %), the oldest
    file (by more than a minute), most labels, most metadata, shortest path, alphabet.

    Parameters
    ----------
    copies : sequence of Copy
    """
    worth = _Worth(copies)
    return sorted(copies, key=lambda copy: (worth.of(copy), copy.uri, copy.id))


def explain_keeper(ordered: Sequence[Copy]) -> str:
    """Say in a few words why the first of ``order_by_worth`` comes before the rest.

    Parameters
    ----------
    ordered : sequence of Copy
        Two or more.
    """
    keeper, second = ordered[0], ordered[1]
    worth = _Worth(ordered)
    for reason, mine, other in zip(_REASONS, worth.of(keeper), worth.of(second), strict=True):
        if mine != other:
            if reason == _ORIGINAL_NAME:
                return f'{reason}; the other says "{worth.marks[second.id][0]}"'
            return reason
    return "first by name"


def put_first(
    group: DuplicateGroup,
    uris: Mapping[int, str],
    chosen: Mapping[int, str],
    preferred: Sequence[str],
) -> DuplicateGroup:
    """Let a person's choice come before the order that the pictures and names gave.

    Parameters
    ----------
    group : DuplicateGroup
        Its images in the order of ``order_by_worth``.
    uris : mapping of int to str
        Image id → path, of its members.
    chosen : mapping of int to str
        Images that a person chose to keep → who, the latest choice first.
    preferred : sequence of str
        Folders whose images are kept rather than others, the first before the second.

    Returns
    -------
    DuplicateGroup
        The latest chosen image is the keeper, else the first one of the first preferred folder
        that holds one; the reason says so.
    """
    members = set(group.images)
    kept = [image for image in chosen if image in members]
    ranks = {image: _folder_rank(uris[image], preferred) for image in group.images}
    if not kept and len(set(ranks.values())) == 1:
        return group
    best = min(ranks.values())
    first = kept[0] if kept else next(i for i in group.images if ranks[i] == best)
    rest = [image for image in group.images if image != first]
    return replace(
        group,
        images=(first, *sorted(rest, key=lambda image: (image not in kept, ranks[image]))),
        keeper=first,
        reason=f"chosen by {chosen[first]}"
        if kept
        else f"lies in {preferred[best]}, a preferred folder",
        pairs=_seen_from(group, first),
        chosen=tuple(kept),
    )


def _folder_rank(uri: str, preferred: Sequence[str]) -> int:
    for rank, folder in enumerate(preferred):
        if folder == "." or uri.startswith(f"{folder}/"):
            return rank
    return len(preferred)


def _seen_from(group: DuplicateGroup, keeper: int) -> tuple[DuplicatePair, ...]:
    """Return the pairs; a great group that lists those with one image alone gets the keeper's.

    All images of a group are duplicates of all. Of two that are listed with a third the weaker
    tells what is known of them.
    """
    known = {(pair.a, pair.b): pair for pair in group.pairs}
    hub = (
        next(
            (
                image
                for image in group.images
                if sum(image in place for place in known) == len(group.images) - 1
            ),
            None,
        )
        if len(known) < len(group.images)
        else None
    )
    if hub is None or hub == keeper:
        return group.pairs
    to_keeper = known[min(hub, keeper), max(hub, keeper)]
    found = [to_keeper]
    for image in group.images:
        if image not in (hub, keeper):
            weaker = min(
                known[min(hub, image), max(hub, image)],
                to_keeper,
                key=lambda pair: (_STRENGTH[pair.kind], pair.similarity),
            )
            a, b = min(keeper, image), max(keeper, image)
            found.append(replace(weaker, a=a, b=b))
    return tuple(found)


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


_STRENGTH: Mapping[DuplicateKind, int] = {"near": 0, "pixels": 1, "bytes": 2}
_ORIGINAL_NAME = "its name is no copy's"
_REASONS = (
    "much larger picture",
    "not cropped, covered or grey",
    _ORIGINAL_NAME,
    "largest picture",
    "least compressed",
    "oldest file",
    "most labels",
    "most metadata",
    "shortest path",
)
_MUCH = 1.5  # times the pixels: no name makes up for that
_MINUTE = 60_000_000_000  # nanoseconds; files that were copied together differ by less


class _Worth:
    """What decides between the copies of one picture; less is better."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        self._largest = max(copy.width * copy.height for copy in copies)
        self._oldest = min(copy.mtime_ns for copy in copies)
        marks = marks_of([copy.uri for copy in copies])
        self.marks = {copy.id: found for copy, found in zip(copies, marks, strict=True)}

    def of(self, copy: Copy) -> tuple[float, ...]:
        """Return one value a reason."""
        pixels = copy.width * copy.height
        # Steps of 2 % and of 10 %: smaller differences come from rounding, not from quality.
        resolution = round(np.log(pixels) / np.log(1.02)) if pixels else 0
        density = round(np.log(copy.size / max(1, pixels) + 1e-9) / np.log(1.1))
        age = copy.mtime_ns - self._oldest
        return (
            float(pixels * _MUCH < self._largest),
            float(copy.altered),
            float(len(self.marks[copy.id])),
            -resolution,
            -density,
            float(age if age > _MINUTE else 0),
            -copy.labels,
            -copy.metadata,
            len(copy.uri),
        )
