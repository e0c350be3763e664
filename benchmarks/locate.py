"""Where labels are, learned from labels alone: choices, figures and cost of ``vernis locate``.

Run: ``python benchmarks/locate.py choose`` compares what the maps are joined of, on the training
parts of ``aquarium`` and ``chess_a`` alone; ``table`` scores what was chosen on the parts that were
set aside (and on ``coco128_a``); ``sizes`` compares one size with three; ``cost`` what a picture
takes beside its embedding, in the same run. Without a word: all of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vernis.adapters.backbones.patch_maps import open_patch_maps
from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.pixels import decode
from vernis.core.locate.boxes import components
from vernis.core.locate.heat_maps import geometric_mean
from vernis.core.locate.localizers import FIT, PatchLocalizer
from vernis.core.locate.measures import Placement, measure_placement
from vernis.core.locate.stored_maps import StoredMap, pack, unpack

SIDES = ["xmin", "ymin", "xmax", "ymax"]
SIZE, SIZES = 512, (384, 512, 640)
SHARES = ((0, 0), (0.3, 0), (0.45, 0), (0, 0.3), (0.3, 0.2), (0.3, 0.3))
"""Exponents of unusualness and of the last map; the rest is the patches'."""
Row = tuple[str, str]


@dataclass(frozen=True)
class Pictures:
    """Labels and boxes of a set; classes on fewer than ``fewest`` pictures are left out."""

    folder: Path
    fewest: int = 2

    def __post_init__(self) -> None:
        table = pd.read_csv(self.folder / "images.csv").fillna({"labels": ""})
        named = table.labels.str.split("|")
        counts = named.explode().value_counts().drop("", errors="ignore")
        classes = sorted(counts[counts >= self.fewest].index)
        size = dict(zip(table.image, zip(table.width, table.height, strict=True), strict=True))
        boxes = pd.read_csv(self.folder / "boxes.csv")
        framed: dict[Row, np.ndarray] = {}
        for (image, label), own in boxes.groupby(["image", "label"]):
            corners = own[SIDES].to_numpy(float) / np.tile(size[image], 2)
            framed[image, label] = corners.clip(0, 1)
        labels = {
            image: np.array([name in own for name in classes], float)
            for image, own in zip(table.image, named, strict=True)
        }
        for name, value in {
            "table": table,
            "classes": classes,
            "size": size,
            "boxes": framed,
            "labels": labels,
        }.items():
            object.__setattr__(self, name, value)

    def drawn(self, split: str, seed: int) -> list[str]:
        """Return the pictures of a split in the order of a seed."""
        part = self.table[self.table.split == split]
        return part.sample(frac=1, random_state=seed).image.tolist()

    def without(self, split: str) -> list[str]:
        return self.table[self.table.split != split].image.tolist()


Reader = Callable[[str], list[np.ndarray]]


def reader(pictures: Pictures, side: int, *, last: bool = False) -> Reader:
    """Return what reads the maps of a picture; those that were read are kept."""
    read, kept = open_patch_maps(open_backbone(), (), side, last=last).open(), {}

    def maps(name: str) -> list[np.ndarray]:
        if name not in kept:
            kept[name] = read(decode(pictures.folder / name, min_side=side))
        return kept[name]

    return maps


def learn(pictures: Pictures, names: Sequence[str], read: Reader, method: str) -> tuple[Any, list]:
    """Return the localizer and the classes that it knows."""
    Y = np.stack([pictures.labels[name] for name in names])
    usable = (Y == 1).any(axis=0) & (Y == 0).any(axis=0)
    classes = [name for name, good in zip(pictures.classes, usable, strict=True) if good]
    return FIT[method]([read(name) for name in names], Y[:, usable]), classes


def heats(pictures: Pictures, rows: Sequence[Row], maps: Sequence[np.ndarray]) -> Placement:
    """Measure maps as they are kept: of 40 × 40 bytes."""
    shown = []
    for row, heat in zip(rows, maps, strict=True):
        stored, _ = unpack(pack(heat, 1.0, "0" * 16))
        shown.append(stored.in_size(*pictures.size[row[0]]))
    return measure_placement(shown, [pictures.boxes[row] for row in rows])


def rows_of(pictures: Pictures, names: Sequence[str], classes: Sequence[str]) -> list[Row]:
    chosen = set(names)
    return [r for r in sorted(pictures.boxes) if r[0] in chosen and r[1] in classes]


def say(*words: object, placed: Placement) -> None:
    at = " / ".join(f"{value:.3f}" for value in placed.at)
    print(
        f"| {' | '.join(map(str, words))} | {placed.rows} | {placed.max_box_acc:.3f} | {at} | "
        f"{placed.corloc:.3f} | {placed.pointing:.3f} | {placed.rule_of_80:.3f} |",
        flush=True,
    )


def choose(data: Path, options: argparse.Namespace) -> None:
    """Learn from 100 pictures of the training part and score others of it."""
    for name in ("aquarium", "chess_a"):
        pictures = Pictures(data / name)
        read = reader(pictures, SIZE)
        for seed in (0, 1):
            order = pictures.drawn("train", seed)
            known, scored = order[:100], order[100 : 100 + options.score]
            made, classes = learn(pictures, known, read, "patches")
            rows = rows_of(pictures, scored, classes)
            for unusual, late in SHARES:
                one = replace(made, unusual_share=unusual, late_share=late)
                placed = heats(pictures, rows, draw(one, read, classes, rows))
                say(name, f"seed {seed}", f"unusual {unusual}, last map {late}", placed=placed)


def draw(made: Any, read: Reader, classes: list[str], rows: Sequence[Row]) -> list[np.ndarray]:
    return [made.heat(read(image), [classes.index(name)])[0] for image, name in rows]


def parts(pictures: Pictures) -> tuple[list[str], list[str]]:
    """Return what is learned from and what is scored."""
    if pictures.folder.name == "coco128_a":
        every = pictures.table.image.tolist()
        return every, every
    known = pictures.drawn("train", 0)
    return known[:100] if pictures.folder.name == "aquarium" else known, pictures.without("train")


def table(data: Path, options: argparse.Namespace) -> None:
    """Score what was chosen on the parts that were set aside."""
    for name in options.sets:
        pictures = Pictures(data / name, 5 if name == "coco128_a" else 2)
        known, scored = parts(pictures)
        for method in options.methods:
            read = reader(pictures, SIZE, last=method != "patches")
            started = time.process_time()
            for one in known:
                read(one)
            seen = time.process_time()
            made, classes = learn(pictures, known, read, method)
            spent = f"{time.process_time() - seen:.1f} s (maps {seen - started:.1f} s)"
            rows = rows_of(pictures, scored, classes)
            placed = heats(pictures, rows, draw(made, read, classes, rows))
            say(name, method, spent, placed=placed)
            if isinstance(made, PatchLocalizer):
                bare = replace(made, unusual_share=0, late_share=0)
                placed = heats(pictures, rows, draw(bare, read, classes, rows))
                say(name, "patches alone", "", placed=placed)
        placed = heats(pictures, rows, [blob()] * len(rows))
        say(name, "a blob in the middle", "", placed=placed)


def blob() -> np.ndarray:
    place = (np.arange(40) + 0.5) / 40 - 0.5
    return np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 0.25**2))


def sizes(data: Path, options: argparse.Namespace) -> None:
    """Compare maps of one size with the geometric mean of three, as the thesis joins them."""
    for name in options.sets:
        pictures = Pictures(data / name, 5 if name == "coco128_a" else 2)
        known, scored = parts(pictures)
        for method in ("patches", "cam"):
            found: list[list[np.ndarray]] = []
            for side in SIZES:
                read = reader(pictures, side, last=method != "patches")
                made, classes = learn(pictures, known, read, method)
                rows = rows_of(pictures, scored, classes)
                found.append(draw(made, read, classes, rows))
                say(name, method, side, placed=heats(pictures, rows, found[-1]))
            joined = [geometric_mean(one, (40, 40)) for one in zip(*found, strict=True)]
            say(name, method, "all three", placed=heats(pictures, rows, joined))


def cost(data: Path, options: argparse.Namespace) -> None:
    """Print processor milliseconds a picture, the embedding's in the same run."""
    pictures = Pictures(data / "aquarium")
    names = pictures.without("train")[:60]
    made, classes = learn(pictures, names, reader(pictures, SIZE), "patches")
    embed = open_backbone().reader().open()
    read = open_patch_maps(open_backbone(), (), SIZE).open()

    def locate(name: str) -> list[np.ndarray]:
        maps = read(decode(pictures.folder / name, min_side=SIZE))
        columns = [classes.index(c) for (i, c) in pictures.boxes if i == name and c in classes]
        return [pack(heat, 1.0, "0" * 16) for heat in made.heat(maps, columns)]

    kept = {name: locate(name) for name in names}

    def frame(name: str) -> list[Any]:
        stored: list[StoredMap] = [unpack(one)[0] for one in kept[name]]
        return [components(one.in_size(*pictures.size[name]), 0.4) for one in stored]

    def milliseconds(work: Callable[[str], Any]) -> float:
        best = np.inf
        for _ in range(2):
            started = time.process_time()
            for name in names:
                work(name)
            best = min(best, time.process_time() - started)
        return 1000 * best / len(names)

    base = milliseconds(lambda name: embed(decode(pictures.folder / name)))
    for what, work in (("maps of a picture", locate), ("boxes of stored maps", frame)):
        spent = milliseconds(work)
        print(f"{what}: {spent:.2f} ms, {spent / base:.2f} of an embedding ({base:.2f} ms)")


def main() -> None:
    does = {"choose": choose, "table": table, "sizes": sizes, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", nargs="*", choices=(*does, []), help="default: all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="+", default=["aquarium", "coco128_a", "chess_a"])
    parser.add_argument("--methods", nargs="+", default=["patches", "cam"])
    parser.add_argument("--score", type=int, default=100, help="pictures that choose scores")
    options = parser.parse_args()
    for name in options.what or does:
        print(f"\n## {name}", flush=True)
        does[name](options.data, options)


if __name__ == "__main__":
    main()
