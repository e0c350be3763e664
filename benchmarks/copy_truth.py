"""Pictures edited at random and variants of templates, and how many a search tells apart."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

import numpy as np
from PIL import Image

from copy_edits import FAMILIES, VARIANTS, edit

SETS = ("clothing_a", "grocery", "copies_a")
_LARGEST = 700
_VARIANTS = 6
_HUE_SHARE, _HUES = 0.03, 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, what it was made of (its source, and in a collage the other one), and how."""

    sources: tuple[str, ...]
    family: str
    how: str
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Outcome:
    """A pair of drawn pictures and what the search said of it."""

    kinds: tuple[str, str]
    expected: str
    said: str
    how: str


def draw_edits(data: Path, seed: int, count: int, *, held_out: bool) -> list[Drawn]:
    """Draw originals, their edits and variants; one more original is of three hues at least.

    Few photos are (one of a hundred), and only of those is a turn of the hues an edit.
    """
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(_paths(data, name, held_out=held_out)) for name in SETS]
    per_set = count // len(SETS)
    originals = [_open(path) for order in orders for path in order[:per_set]]
    rest = [
        path
        for paths in zip(*(order[per_set:] for order in orders[:2]), strict=False)
        for path in paths
    ]
    originals += islice(filter(_has_three_hues, map(_open, rest)), 1)
    drawn = []
    for number, picture in enumerate(originals):
        drawn.append(Drawn((str(number),), "original", "original", picture))
        for family in FAMILIES:
            other = int(rng.integers(0, len(originals) - 1))
            other += other >= number
            made, how = edit(family, picture, rng, originals[other])
            sources = (str(number), str(other)) if family == "collage" else (str(number),)
            drawn.append(Drawn(sources, family, how, made))
    for name, make in VARIANTS.items():
        drawn += [
            Drawn((f"{name} {k}",), f"variant {name}", name, picture)
            for k, picture in enumerate(make(rng, _VARIANTS))
        ]
    return drawn


def _paths(data: Path, name: str, *, held_out: bool) -> list[Path]:
    if name == "copies_a":
        with open(data / name / "truth.csv", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["role"] == "original"]
        names = [row["image"] for row in rows]
    else:
        with open(data / name / "images.csv", encoding="utf-8") as stream:
            names = [row["image"] for row in csv.DictReader(stream)]
    odd = [int(hashlib.md5(f"{name}/{n}".encode()).hexdigest(), 16) % 2 == 1 for n in names]
    return [data / name / n for n, is_odd in zip(names, odd, strict=True) if is_odd == held_out]


def _open(path: Path) -> Image.Image:
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((_LARGEST, _LARGEST))
    return picture


def search_edits(drawn: Sequence[Drawn]) -> list[Outcome]:
    """Search at a closer look, and say of every pair what was expected and what was said."""
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.adapters.fingerprints import compute_fingerprint
    from vernis.adapters.keypoints import compute_keypoints, shrink_to_view
    from vernis.core.copies.close_look import CloseLook
    from vernis.core.copies.fingerprints import unpack_fingerprints
    from vernis.core.copies.pairs import find_near_pairs
    from vernis.session.vectors import search_columns

    arrays = [np.asarray(each.picture) for each in drawn]
    reader = open_backbone().reader()
    embed, columns = reader.open(), search_columns(reader.space)
    prints = unpack_fingerprints(np.stack([compute_fingerprint(a) for a in arrays]))
    vectors = np.stack([embed(a)[columns] for a in arrays])
    records = np.stack([compute_keypoints(a) for a in arrays])
    views = [shrink_to_view(array) for array in arrays]
    found = find_near_pairs(prints, vectors, closer=CloseLook(records, prints, views.__getitem__))
    said = {
        (a, b): "variant" if variant else "copy"
        for (a, b), variant in zip(found.pairs.tolist(), found.variants.tolist(), strict=True)
    }
    hues = {
        each.sources[0]: _has_three_hues(each.picture)
        for each in drawn
        if each.family == "original"
    }
    outcomes = []
    for i, j in combinations(range(len(drawn)), 2):
        expected = _expect(drawn[i], drawn[j], hues)
        if expected:
            kinds = drawn[i].family, drawn[j].family
            how = f"{drawn[i].how} / {drawn[j].how}"
            outcomes.append(Outcome(kinds, expected, said.get((i, j), ""), how))
    return outcomes


def _expect(one: Drawn, other: Drawn, hues: dict[str, bool]) -> str:
    """Return copy or none; empty where a pair counts for neither."""
    if one.sources[0] == other.sources[0]:
        turned = any("hue" in each.how for each in (one, other))
        # Of fewer than three hues a turn of the hues counts as another article.
        return "" if turned and not hues[one.sources[0]] else "copy"
    if set(one.sources) & set(other.sources):
        return ""  # a collage shows a part of it
    both = {one.family, other.family}
    if "variant" in one.family and len(both) > 1:
        return ""
    return "none"


def _has_three_hues(picture: Image.Image) -> bool:
    small = np.asarray(picture.convert("RGB").resize((64, 64)).convert("HSV"), np.int64)
    hue, saturation, value = small[..., 0], small[..., 1], small[..., 2]
    colored = (saturation > 60) & (value > 50)
    share = np.bincount(hue[colored] * 12 // 256, minlength=12) / hue.size
    chosen: list[int] = []
    for k in np.argsort(-share).tolist():
        if share[k] > _HUE_SHARE and all(min((k - c) % 12, (c - k) % 12) >= 2 for c in chosen):
            chosen.append(k)
    return len(chosen) >= _HUES


def report_edits(outcomes: Sequence[Outcome]) -> None:
    """Print recall by family and over all pairs, precision, and what was said of variants."""
    wanted = [each for each in outcomes if each.expected == "copy"]
    wrong = [each for each in outcomes if each.expected == "none" and each.said == "copy"]
    right = [each for each in wanted if each.said == "copy"]
    by_family: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for each in wanted:
        for family in set(each.kinds):
            by_family[family].append((each.said == "copy", "original" in each.kinds))
    print(f"{'family':16} with its original   with all other edits")
    for family, marks in by_family.items():
        direct = [hit for hit, with_original in marks if with_original]
        print(f"{family:16} {np.mean(direct):18.3f} {np.mean([hit for hit, _ in marks]):22.3f}")
    direct = [each.said == "copy" for each in wanted if "original" in each.kinds]
    print(
        f"original-copy recall {np.mean(direct):.4f} of {len(direct):,}; all pairs "
        f"{len(right) / len(wanted):.4f} of {len(wanted):,}; precision "
        f"{len(right) / max(1, len(right) + len(wrong)):.4f}, {len(wrong)} wrong "
        f"{dict(Counter(' / '.join(sorted(set(each.kinds))) for each in wrong))}"
    )
    for name in VARIANTS:
        said = Counter(
            each.said or "none" for each in outcomes if set(each.kinds) == {f"variant {name}"}
        )
        print(f"variants {name:10} {dict(said)}")
    missed = [each for each in wanted if each.said != "copy" and "original" in each.kinds]
    for each in missed[:20]:
        print(f"    missed: {each.how} ({each.said or 'not found'})")
