"""Read classes and splits from the folders that images lie in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vernis.core.words.class_names import clean_name
from vernis.core.words.folder_names import FolderKind, is_order, kinds_of_folders

_SPLIT = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing|eval|holdout)"
    r"([-_ ]?(set|data|images|\d{4}))?",
    re.IGNORECASE,
)
_GENERIC = re.compile(
    r"(images?|imgs?|photos?|pictures?|pics?|jpe?gs?|jpegimages|pngs?|data|files?|raw|all)",
    re.IGNORECASE,
)
_SHARE = 0.9
"""Share of the images that must agree with a layout; strays are tolerated."""
_MIN_IMAGES_PER_CLASS = 2.0
_NAMED_SHARE = 0.5
"""Share of the images that must lie in folders named like classes; the rest stays unlabelled."""


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
    order : mapping of FolderKind to tuple of str
        Kind → names of folders that only keep order: dates, batches, folders of cameras, copies
        and catch-alls; the commonest first.
    numbered : frozenset of str
        Taxonomies whose classes are mostly plain numbers: names say nothing for or against them.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    taxonomies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    order: Mapping[FolderKind, tuple[str, ...]] = field(default_factory=dict)
    numbered: frozenset[str] = frozenset()


def folder_of(uri: str, places: Sequence[str] = ()) -> str:
    """Return the folder of an image, ``""`` for the root; of an address that below its place.

    >>> folder_of("cat/a.jpg"), folder_of("s3://shop/more/cat/a.jpg", ["s3://shop/more"])
    ('cat', 'cat')
    """
    folder = uri.rpartition("/")[0]
    _, found, below = folder.partition("://")
    if not found:
        return folder
    for place in places:
        top = place.rstrip("/")
        if folder == top or folder.startswith(f"{top}/"):
            return folder[len(top) + 1 :]
    return below.partition("/")[2]


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
    return FolderClasses(by_uri(found.splits), taxonomies, found.order, found.numbered)


def judge_folders(counts: Mapping[str, int]) -> FolderClasses:
    """Find out whether folders are classes, as in ``train/cat``.

    A level of folders that are all named like splits gives the split, wherever it stands; levels
    that are the same for all images or are named ``images`` and the like say nothing. What is
    left must hold at least 90 % of the images in folders, with two classes or more and two images
    a class on average. Nested folders (``Fruit/Apple/Golden``) give one taxonomy a level; an image
    in a shorter branch keeps its last folder for the levels below. Classes of the same name in
    different branches are told apart by the whole branch.

    Folders that only keep order (``2019``, ``batch 3``, ``backup``; see ``folder_names``) are
    looked through: ``backup/cat`` is ``cat``, and images that lie in no other folder stay without
    a class. At least half of all images must have one. What lies below a date or a batch is a
    class only if it lies below several of them: ``2019/cat`` and ``2020/cat``, but not
    ``2019/Rome``, which is an event.

    Parameters
    ----------
    counts : mapping of str to int
        Folder (below the root, with ``/``, the root itself ``""``) → images that lie in it.

    Returns
    -------
    FolderClasses
        By folder.
    """
    folders = _parts(counts)
    splits, folders = _take_splits(folders, counts)
    folders = _drop_silent_levels(folders, counts)
    named, order = _look_through(folders, counts)
    if order:
        named = _drop_silent_levels(named, counts)
    classed = _total([path for path, parts in named.items() if parts], counts)
    if classed < _NAMED_SHARE * _total(named, counts):
        return FolderClasses(splits, order=order)
    emptied = {path for path, parts in named.items() if folders[path] and not parts}
    inside = _leaves({path: parts for path, parts in named.items() if path not in emptied}, counts)
    taxonomies = _levels(inside, counts) if inside else {}
    return FolderClasses(splits, taxonomies, order, _numbered(taxonomies))


def take_folders(counts: Mapping[str, int], level: int | None = None) -> FolderClasses:
    """Take folders for classes whatever they are named, because a person says so.

    Parameters
    ----------
    counts : mapping of str to int
        As in ``judge_folders``.
    level : int, optional
        The one level of folders that is the class, 1 = the folders below the root. Default: every
        level without splits, as in ``judge_folders``; images on several levels take the folder
        that they lie in.

    Returns
    -------
    FolderClasses
        By folder; no taxonomy where there are not two classes.
    """
    folders = _parts(counts)
    splits, below = _take_splits(folders, counts)
    if level is not None:
        classes = {path: parts[level - 1] for path, parts in folders.items() if len(parts) >= level}
        return FolderClasses(splits, {"class": classes} if len(set(classes.values())) > 1 else {})
    below = _drop_silent_levels(below, counts)
    leaves = _leaves(below, counts)
    if leaves:
        return FolderClasses(splits, _levels(leaves, counts, fewest=0))
    inside = {path: parts for path, parts in below.items() if parts}
    classes = _name(inside)
    return FolderClasses(splits, {"class": classes} if len(set(classes.values())) > 1 else {})


def _name_of(part: str) -> str:
    """Return the class that a folder names; where nobody sees its name, the codes of it."""
    return clean_name(part) or " ".join(f"U+{ord(char):04X}" for char in part)


Folders = dict[str, tuple[str, ...]]
"""The path of a folder → those of its parts that may still say something."""


def _parts(counts: Mapping[str, int]) -> Folders:
    return {path: tuple(map(_name_of, path.split("/"))) if path else () for path in counts}


def _leaves(folders: Folders, counts: Mapping[str, int]) -> Folders:
    """Return the folders that hold nearly all images on the last level of each branch, or none."""
    inside = {path: parts for path, parts in folders.items() if parts}
    if not inside or _total(inside, counts) < _SHARE * _total(folders, counts):
        return {}
    holders = set(inside.values())
    branches = {parts[:depth] for parts in holders for depth in range(1, len(parts))}
    leaves = {path: parts for path, parts in inside.items() if parts not in branches}
    if _total(leaves, counts) < _SHARE * _total(inside, counts):
        return {}  # images on every level: folders for order, not classes
    return leaves


def _look_through(
    folders: Folders, counts: Mapping[str, int]
) -> tuple[Folders, dict[FolderKind, tuple[str, ...]]]:
    """Take out the parts that only keep order; returns what is left, and the names taken out."""
    levels: dict[int, set[str]] = defaultdict(set)
    for parts in folders.values():
        for depth, name in enumerate(parts):
            levels[depth].add(name)
    kinds = {depth: kinds_of_folders(sorted(names)) for depth, names in levels.items()}
    order: dict[FolderKind, Counter[str]] = defaultdict(Counter)
    left: Folders = {}
    times: dict[str, tuple[str, ...]] = {}
    for path, parts in folders.items():
        kept: list[str] = []
        when: list[str] = []
        for depth, name in enumerate(parts):
            kind = kinds[depth][name]
            if kind == "number" and when:
                kind = "date"  # the month or the day below a year
            if not is_order(kind):
                kept.append(name)
                continue
            order[kind][name] += counts[path]
            if kind in ("date", "batch"):
                when.append(name)
        left[path], times[path] = tuple(kept), tuple(when)
    found = {kind: tuple(name for name, _ in names.most_common()) for kind, names in order.items()}
    return _without_events(left, times), found


def _without_events(folders: Folders, times: Mapping[str, tuple[str, ...]]) -> Folders:
    """Empty what lies below one date or batch alone: its name is that of an event."""
    seen: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for path, parts in folders.items():
        if parts:
            seen[parts[-1]].add(times[path])
    return {
        path: () if parts and times[path] and len(seen[parts[-1]]) < 2 else parts
        for path, parts in folders.items()
    }


def _numbered(taxonomies: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """Return the taxonomies whose classes are mostly numbers."""
    found = set()
    for name, classes in taxonomies.items():
        kinds = kinds_of_folders(label.rpartition("/")[2] for label in set(classes.values()))
        if 2 * sum(kind == "number" for kind in kinds.values()) > len(kinds):
            found.add(name)
    return frozenset(found)


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


def _levels(
    leaves: Folders, counts: Mapping[str, int], fewest: float = _MIN_IMAGES_PER_CLASS
) -> dict[str, dict[str, str]]:
    depth = max(map(len, leaves.values()))
    found: list[dict[str, str]] = []
    for level in range(1, depth + 1):
        paths = {path: parts[:level] for path, parts in leaves.items()}
        classes_here = set(paths.values())
        if len(classes_here) < 2 or _total(paths, counts) < fewest * len(classes_here):
            continue
        classes = _name(paths)
        if not any(_say_the_same(classes, above) for above in found):
            found.append(classes)
    names = [f"class_level_{number}" for number in range(1, len(found))] + ["class"]
    return dict(zip(names, found, strict=False)) if found else {}


def _say_the_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    pairs = {(one[path], other[path]) for path in one}
    return len(pairs) == len(set(one.values())) == len(set(other.values()))


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
