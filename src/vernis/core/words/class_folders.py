"""Read classes and splits from the folders that images lie in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vernis.core.words.class_names import clean_name

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
        uri (or folder) → ``train``, ``test``, … as the folder is named; only split folders.
    taxonomies : mapping of str to mapping
        Name of the taxonomy → uri (or folder) → class. Empty without class folders.
        The deepest level is named ``class``, those above it ``class_level_1``, ``class_level_2``…
        from the top.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    taxonomies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def folder_of(uri: str) -> str:
    """Return the folder of an image, ``""`` for the root."""
    return uri.rpartition("/")[0]


def read_class_folders(uris: Iterable[str]) -> FolderClasses:
    """Find out whether images lie in class folders; see ``judge_folders``.

    Parameters
    ----------
    uris : iterable of str
        Paths below the root, with ``/``.

    Returns
    -------
    FolderClasses
        By uri.
    """
    folders = {uri: folder_of(uri) for uri in uris}
    found = judge_folders(Counter(folders.values()))

    def by_uri(named: Mapping[str, str]) -> dict[str, str]:
        return {uri: named[folder] for uri, folder in folders.items() if folder in named}

    taxonomies = {name: by_uri(classes) for name, classes in found.taxonomies.items()}
    return FolderClasses(by_uri(found.splits), taxonomies)


def judge_folders(counts: Mapping[str, int]) -> FolderClasses:
    """Find out whether folders are classes, as in ``train/cat``.

    A level of folders that are all named like splits gives the split, wherever it stands; levels
    that are the same for all images or are named ``images`` and the like say nothing. What is
    left must hold at least 90 % of the images in folders, with two classes or more and two images
    a class on average, and the names must not be dates or the counters of cameras. Nested folders
    (``Fruit/Apple/Golden``) give one taxonomy a level; an image in a shorter branch keeps its last
    folder for the levels below. Classes of the same name in different branches are told apart by
    the whole branch.

    Parameters
    ----------
    counts : mapping of str to int
        Folder (below the root, with ``/``, the root itself ``""``) → images that lie in it.

    Returns
    -------
    FolderClasses
        By folder.
    """
    folders = {path: tuple(map(_name_of, path.split("/"))) if path else () for path in counts}
    splits, folders = _take_splits(folders, counts)
    folders = _drop_silent_levels(folders, counts)
    inside = {path: parts for path, parts in folders.items() if parts}
    if not inside or _total(inside, counts) < _SHARE * _total(folders, counts):
        return FolderClasses(splits)
    holders = set(inside.values())
    branches = {parts[:depth] for parts in holders for depth in range(1, len(parts))}
    leaves = {path: parts for path, parts in inside.items() if parts not in branches}
    if _total(leaves, counts) < _SHARE * _total(inside, counts):
        return FolderClasses(splits)  # images on every level: folders for order, not classes
    return FolderClasses(splits, _levels(leaves, counts))


def _name_of(part: str) -> str:
    """Return the class that a folder names; where nobody sees its name, the codes of it."""
    return clean_name(part) or " ".join(f"U+{ord(char):04X}" for char in part)


Folders = dict[str, tuple[str, ...]]
"""The path of a folder → those of its parts that may still say something."""


def _total(folders: Iterable[str], counts: Mapping[str, int]) -> int:
    return sum(counts[path] for path in folders)


def _take_splits(folders: Folders, counts: Mapping[str, int]) -> tuple[dict[str, str], Folders]:
    total = _total(folders, counts)
    for level in range(max(map(len, folders.values()), default=0)):
        here = {path: parts[level] for path, parts in folders.items() if len(parts) > level}
        if _total(here, counts) < _SHARE * total:
            break
        splits = {path: name for path, name in here.items() if _SPLIT.fullmatch(name)}
        if _total(splits, counts) >= _SHARE * total:
            rest = {
                path: parts[:level] + parts[level + 1 :] if path in splits else parts
                for path, parts in folders.items()
            }
            return splits, rest
    return {}, folders


def _drop_silent_levels(folders: Folders, counts: Mapping[str, int]) -> Folders:
    level = 0
    while True:
        here: Counter[str] = Counter()
        for path, parts in folders.items():
            if len(parts) > level:
                here[parts[level]] += counts[path]
        total = sum(here.values())
        if total < _SHARE * _total(folders, counts) or not total:
            return folders
        generic = sum(count for name, count in here.items() if _GENERIC.fullmatch(name))
        if len(here) == 1 or generic >= _SHARE * total:
            folders = {path: parts[:level] + parts[level + 1 :] for path, parts in folders.items()}
        else:
            level += 1


def _levels(leaves: Folders, counts: Mapping[str, int]) -> dict[str, dict[str, str]]:
    depth = max(map(len, leaves.values()))
    found: list[dict[str, str]] = []
    for level in range(1, depth + 1):
        paths = {path: parts[:level] for path, parts in leaves.items()}
        if not _are_classes(paths, counts):
            continue
        classes = _name(paths)
        if not any(_say_the_same(classes, above) for above in found):
            found.append(classes)
    names = [f"class_level_{number}" for number in range(1, len(found))] + ["class"]
    return dict(zip(names, found, strict=False)) if found else {}


def _say_the_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    pairs = {(one[path], other[path]) for path in one}
    return len(pairs) == len(set(one.values())) == len(set(other.values()))


def _are_classes(paths: Folders, counts: Mapping[str, int]) -> bool:
    classes = set(paths.values())
    names = {parts[-1] for parts in classes}
    return (
        len(classes) >= 2
        and _total(paths, counts) >= _MIN_IMAGES_PER_CLASS * len(classes)
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
        path: parts[-1] if parts[-1] in plain else "/".join(parts) for path, parts in paths.items()
    }


def _are_shortenings(branches: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether all branches are the longest one with levels left out."""
    longest = max(branches, key=len)
    for branch in branches:
        rest = iter(longest)
        if not all(part in rest for part in branch):
            return False
    return True
