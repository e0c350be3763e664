"""Pictures with several labels, drawn from the photos of `grocery`: collages and small products.

Half of the pictures are collages, two to six photos in a grid that fills the page; half are one to
five small photos, 10 to 30 % of the width each, scattered on a large ground. The labels are the
coarse classes of the photos. Sources and layout come from the seed, so that a split that was set
aside is drawn from other photos (``split``) with another seed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 640, 480
GRIDS = ((2, 1), (2, 2), (3, 1), (3, 2))
Pixels = NDArray[np.uint8]


def draw_collages(
    data: Path, n: int, seed: int, split: str = "train"
) -> tuple[Iterator[Pixels], NDArray[np.float32], list[str]]:
    """Return the pictures, one after another, their labels (n, K) of 0 and 1, and the classes."""
    with (data / "grocery" / "images.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    classes = sorted({row["coarse"] for row in rows})
    of_class = [[row["image"] for row in rows if row["coarse"] == name] for name in classes]
    rng = np.random.default_rng(seed)
    plans, truth = [], np.zeros((n, len(classes)), np.float32)
    for i in range(n):
        grid = GRIDS[rng.integers(len(GRIDS))] if i % 2 else None
        count = grid[0] * grid[1] if grid else int(rng.integers(1, 6))
        # Two photos of one class are as likely as on a shelf.
        chosen = rng.integers(0, len(classes), count)
        truth[i, chosen] = 1
        names = [of_class[k][rng.integers(len(of_class[k]))] for k in chosen]
        plans.append((grid, names, int(rng.integers(2**32))))
    return (_draw(data, *plan) for plan in plans), truth, classes


def _draw(data: Path, grid: tuple[int, int] | None, names: list[str], seed: int) -> Pixels:
    rng = np.random.default_rng(seed)
    page = _ground(rng)
    photos = [Image.open(data / "grocery" / name).convert("RGB") for name in names]
    if grid:
        width, height = WIDTH // grid[0], HEIGHT // grid[1]
        for k, photo in enumerate(photos):
            cell = photo.resize((width - 4, height - 4), Image.Resampling.BICUBIC)
            page.paste(cell, (k % grid[0] * width + 2, k // grid[0] * height + 2))
        return np.asarray(page)
    taken: list[tuple[int, int, int, int]] = []
    for photo in photos:
        width = int(WIDTH * rng.uniform(0.1, 0.3))
        height = min(HEIGHT // 2, width * photo.height // photo.width)
        for _ in range(50):
            x, y = int(rng.integers(WIDTH - width)), int(rng.integers(HEIGHT - height))
            box = (x, y, x + width, y + height)
            if not any(
                box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken
            ):
                break
        taken.append(box)
        page.paste(photo.resize((width, height), Image.Resampling.BICUBIC), (x, y))
    return np.asarray(page)


def _ground(rng: np.random.Generator) -> Image.Image:
    """Return a large ground: clouds of two colours, finer or coarser."""
    side = int(rng.integers(2, 24))
    share = rng.random((side, side, 1))
    colors = rng.integers(0, 256, (2, 3))
    small = (colors[0] * share + colors[1] * (1 - share)).astype(np.uint8)
    return Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
