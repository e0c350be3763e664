"""The development sets of the duplicate benchmarks, and one way of counting for all methods.

Nothing of Vernis is imported, so that the peers can run in an environment of their own.
"""

from __future__ import annotations

import csv
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

Pair = tuple[str, str]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def paths_of(data: Path, name: str, folder: Path) -> dict[str, Path]:
    """Return name → path of a set's pictures; zips are unpacked below ``folder``."""
    table = {"copies_a": "truth.csv", "cifar10n_a": "labels.csv"}.get(name, "images.csv")
    root = data / name
    if (root / "images.zip").exists():
        root = folder / name
        with zipfile.ZipFile(data / name / "images.zip") as archive:
            archive.extractall(root)
    return {row["image"]: root / row["image"] for row in read_rows(data / name / table)}


def copies_and_clothing(data: Path, folder: Path) -> dict[str, Path]:
    """Return the pictures of copies_a and, as hard negatives, those of clothing_a."""
    negatives = paths_of(data, "clothing_a", folder)
    return paths_of(data, "copies_a", folder) | {
        f"clothing/{name}": path for name, path in negatives.items()
    }


def ordered(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def copies_truth(data: Path) -> dict[Pair, tuple[str, str]]:
    """Return the true pairs of copies_a with the transforms of their two images."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in read_rows(data / "copies_a" / "truth.csv"):
        groups[row["group"]].append((row["image"], row["transform"] or "original"))
    return {
        ordered(a, b): (s, t)
        for members in groups.values()
        for (a, s), (b, t) in combinations(members, 2)
    }


def close_pairs(pairs: Iterable[Pair]) -> set[Pair]:
    """Return all pairs within the connected components of pairs."""
    member_of: dict[str, set[str]] = {}
    for a, b in pairs:
        joined = member_of.get(a, {a}) | member_of.get(b, {b})
        for image in joined:
            member_of[image] = joined
    components = {id(members): members for members in member_of.values()}
    return {ordered(a, b) for members in components.values() for a, b in combinations(members, 2)}


def score_copies(
    truth: dict[Pair, tuple[str, str]], found: Iterable[Pair], title: str, *, detail: bool = True
) -> None:
    """Print how well the reported pairs are the true ones.

    Of all pairs: recall over the 36 pairs of each group of nine, and precision. Of the originals:
    recall over the eight pairs of each group's original with a copy. With ``detail`` also the
    recall of the original with each copy, and of all pairs that hold such a copy.
    """
    reported = set(found)
    right = reported & truth.keys()
    first = {pair for pair, transforms in truth.items() if "original" in transforms}
    print(
        f"{title:44} all pairs: recall {len(right) / len(truth):.4f} "
        f"precision {len(right) / max(1, len(reported)):.4f} ({len(reported)} pairs); "
        f"original-copy: recall {len(right & first) / len(first):.4f}"
    )
    if not detail:
        return
    print(f"    {'transform':12} original with it   all pairs with it")
    for name in sorted({t for pair in truth.values() for t in pair} - {"original"}):
        having = {pair for pair, transforms in truth.items() if name in transforms}
        near = having & first
        print(
            f"    {name:12} {len(right & near) / len(near):16.4f} "
            f"{len(right & having) / len(having):19.4f}"
        )
