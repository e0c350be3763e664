"""Read classes and splits from the folders that images lie in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SPLIT = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing|eval|holdout)"
    r"([-_ ]?(set|data|images|\d{4}))?",
    re.IGNORECASE,
)
_GENERIC = re.compile(
    r"(images?|imgs?|photos?|pictures?|pics?|jpe?gs?|jpegimages|pngs?|data|files?|raw|all)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(19|20)\d\d([-_. ]?\d\d){0,2}")
_CAMERA = re.compile(r"\d{3}[A-Z_]{2,5}\d*")

_SHARE = 0.9
"""Share of the images that must agree with a layout; strays are tolerated."""
_MIN_IMAGES_PER_CLASS = 2.0


@dataclass(frozen=True, slots=True)
class FolderClasses:
    """What folders say about images.

    Attributes
    ----------
    splits : mapping of str to str
        uri → ``train``, ``test``, … as the folder is named; only images in split folders.
    taxonomies : mapping of str to mapping
        Name of the taxonomy → uri → class. Empty when the images do not lie in class folders.
        The deepest level is named ``class``, those above it ``class_level_1``, ``class_level_2``…
        from the top.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    taxonomies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_class_folders(uris: Sequence[str]) -> FolderClasses:
    """Find out whether images lie in class folders, as in ``train/cat/tom.jpg``.

    A level of folders that are all named like splits gives the split, wherever it stands; levels
    that are the same for all images or are named ``images`` and the like say nothing. What is
    left must hold at least 90 % of the images in folders, with two classes or more and two images
    a class on average, and the names must not be dates or the counters of cameras. Nested folders
    (``Fruit/Apple/Golden``) give one taxonomy a level; an image in a shorter branch keeps its last
    folder for the levels below. Classes of the same name in different branches are told apart by
    the whole branch.

    Parameters
    ----------
    uris : sequence of str
        Paths below the root, with ``/``.

    Returns
    -------
    FolderClasses
    """
    folders = {uri: tuple(uri.split("/")[:-1]) for uri in uris}
    splits, folders = _take_splits(folders)
    folders = _drop_silent_levels(folders)
    inside = {uri: parts for uri, parts in folders.items() if parts}
    if not inside or len(inside) < _SHARE * len(folders):
        return FolderClasses(splits)
    holders = set(inside.values())
    branches = {parts[:depth] for parts in holders for depth in range(1, len(parts))}
    leaves = {uri: parts for uri, parts in inside.items() if parts not in branches}
    if len(leaves) < _SHARE * len(inside):
        return FolderClasses(splits)  # images on every level: folders for order, not classes
    return FolderClasses(splits, _levels(leaves))


Folders = dict[str, tuple[str, ...]]


def _take_splits(folders: Folders) -> tuple[dict[str, str], Folders]:
    for level in range(max(map(len, folders.values()), default=0)):
        here = {uri: parts[level] for uri, parts in folders.items() if len(parts) > level}
        if len(here) < _SHARE * len(folders):
            break
        splits = {uri: name for uri, name in here.items() if _SPLIT.fullmatch(name)}
        if len(splits) >= _SHARE * len(folders):
            rest = {
                uri: parts[:level] + parts[level + 1 :] if uri in splits else parts
                for uri, parts in folders.items()
            }
            return splits, rest
    return {}, folders


def _drop_silent_levels(folders: Folders) -> Folders:
    level = 0
    while True:
        here = Counter(parts[level] for parts in folders.values() if len(parts) > level)
        total = sum(here.values())
        if total < _SHARE * len(folders) or not total:
            return folders
        generic = sum(count for name, count in here.items() if _GENERIC.fullmatch(name))
        if len(here) == 1 or generic >= _SHARE * total:
            folders = {uri: parts[:level] + parts[level + 1 :] for uri, parts in folders.items()}
        else:
            level += 1


def _levels(leaves: Folders) -> dict[str, dict[str, str]]:
    depth = max(map(len, leaves.values()))
    found: list[dict[str, str]] = []
    for level in range(1, depth + 1):
        paths = {uri: parts[:level] for uri, parts in leaves.items()}
        if not _are_classes(paths):
            continue
        classes = _name(paths)
        if not any(_say_the_same(classes, above) for above in found):
            found.append(classes)
    names = [f"class_level_{number}" for number in range(1, len(found))] + ["class"]
    return dict(zip(names, found, strict=False)) if found else {}


def _say_the_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    pairs = {(one[uri], other[uri]) for uri in one}
    return len(pairs) == len(set(one.values())) == len(set(other.values()))


def _are_classes(paths: Folders) -> bool:
    classes = set(paths.values())
    names = {parts[-1] for parts in classes}
    return (
        len(classes) >= 2
        and len(paths) >= _MIN_IMAGES_PER_CLASS * len(classes)
        and not all(_DATE.fullmatch(name) or _CAMERA.fullmatch(name) for name in names)
    )


def _name(paths: Folders) -> dict[str, str]:
    """Name each class by its last folder, and by the whole branch where that says too little.

    ``cars/red`` and ``shirts/red`` are two classes. They are one when every name stands in
    several branches (``bottle/front``, ``bottle/back``, ``can/front``…: the folders cross), or
    when one branch is the other with a level left out (``Vegetables/Leek`` in one split,
    ``Vegetables/Onions/Leek`` in another).
    """
    branches: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for parts in paths.values():
        branches[parts[-1]].add(parts)
    crossed = all(len(found) > 1 for found in branches.values())
    plain = {name for name, found in branches.items() if crossed or _are_shortenings(sorted(found))}
    return {
        uri: parts[-1] if parts[-1] in plain else "/".join(parts) for uri, parts in paths.items()
    }


def _are_shortenings(branches: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether all branches are the longest one with levels left out."""
    longest = max(branches, key=len)
    for branch in branches:
        rest = iter(longest)
        if not all(part in rest for part in branch):
            return False
    return True
