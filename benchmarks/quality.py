"""Quality issues: how many spoiled pictures are found, and how many sound ones are accused.

Into a sample of each set one picture in ten is spoiled in a known way (blurred, shaken, enlarged,
dark, overexposed, greyscale, with bars, blank). A kind counts as found when the picture is flagged
for it; sound pictures flagged for a kind count as false alarms of that kind (real photos are not
all sound, so a few of those are right). cleanvision runs on the same files where it is installed.

Run: ``python benchmarks/quality.py [--data ../shared/data] [--seeds 3] [--sample 400]``
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from vernis.adapters.pixels import decode
from vernis.core.quality import measure, score_quality

SETS = {
    "clothing_a": "clothing_a/images",
    "grocery": "grocery/images",
    "aquarium": "aquarium/images",
    "coco128_a": "coco128_a/images",
}
PEER_KINDS = {
    "blurry": "blurry",
    "dark": "dark",
    "overexposed": "light",
    "low_information": "low_information",
    "greyscale": "grayscale",
}


def _scaled(factor: float):
    return lambda image, _: image.point(lambda value: min(255, int(value * factor)))


def _blurred(share: float):
    return lambda image, _: image.filter(ImageFilter.GaussianBlur(share * min(image.size)))


def _shaken(image: Image.Image, _: random.Random) -> Image.Image:
    pixels = np.asarray(image).astype(np.float32)
    count = max(3, round(0.025 * min(image.size)))
    return Image.fromarray(
        np.mean([np.roll(pixels, i, axis=1) for i in range(count)], axis=0).astype(np.uint8)
    )


def _enlarged(image: Image.Image, _: random.Random) -> Image.Image:
    small = image.resize((max(8, image.width // 5), max(8, image.height // 5)))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _with_bars(image: Image.Image, chance: random.Random) -> Image.Image:
    color = chance.choice(["black", "white", "#404040"])
    share = chance.uniform(0.05, 0.15)
    if chance.random() < 0.5:
        size = (image.width, round(image.height * (1 + 2 * share)))
    else:
        size = (round(image.width * (1 + 2 * share)), image.height)
    framed = Image.new("RGB", size, color)
    framed.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return framed


def _blank(image: Image.Image, chance: random.Random) -> Image.Image:
    color = tuple(chance.randint(0, 255) for _ in range(3))
    pixels = np.full((image.height, image.width, 3), color, dtype=np.float32)
    pixels += np.random.default_rng(chance.randint(0, 9**9)).normal(0, 1.5, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


SPOILS = {
    "blur 1 %": ("blurry", _blurred(0.01)),
    "blur 2 %": ("blurry", _blurred(0.02)),
    "shaken": ("blurry", _shaken),
    "enlarged x5": ("blurry", _enlarged),
    "dark x0.35": ("dark", _scaled(0.35)),
    "dark x0.2": ("dark", _scaled(0.2)),
    "bright x2": ("overexposed", _scaled(2.0)),
    "bright x3": ("overexposed", _scaled(3.0)),
    "blank": ("low_information", _blank),
    "greyscale": ("greyscale", lambda image, _: image.convert("L").convert("RGB")),
    "bars": ("uniform_border", _with_bars),
}


def spoil(files: list[Path], folder: Path, seed: int) -> dict[Path, str]:
    """Write the sample with one picture in ten spoiled; return how each one was."""
    chance = random.Random(seed)
    truth: dict[Path, str] = {}
    names = list(SPOILS)
    for number, path in enumerate(files):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        target = folder / f"{number:05}.jpg"
        truth[target] = ""
        if number % 10 == 0:
            truth[target] = names[(number // 10) % len(names)]
            image = SPOILS[truth[target]][1](image, chance)
        image.save(target, quality=90)
    return truth


Flags = dict[str, set[Path]]


def run_vernis(files: list[Path]) -> tuple[Flags, float]:
    """Flag by Vernis; return the seconds of processor time that measuring takes an image."""
    pictures = [decode(path) for path in files]
    started = time.process_time()
    rows = np.stack([measure(picture) for picture in pictures])
    seconds = (time.process_time() - started) / len(files)
    sizes = []
    for path in files:
        with Image.open(path) as image:
            sizes.append(image.size)
    result = score_quality(rows, np.array(sizes))
    flags = {
        kind: {files[i] for i in np.flatnonzero(result.flagged[:, column])}
        for column, kind in enumerate(result.kinds)
    }
    return flags, seconds


def run_cleanvision(folder: Path) -> Flags | None:
    """Flag by cleanvision with its default settings; None where it is not installed."""
    try:
        from cleanvision import Imagelab
    except ImportError:
        return None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(data_path=str(folder))
        lab.find_issues({peer: {} for peer in PEER_KINDS.values()}, n_jobs=1)
    return {
        kind: {Path(name) for name in lab.issues.index[lab.issues[f"is_{peer}_issue"]]}
        for kind, peer in PEER_KINDS.items()
    }


Counts = dict[tuple[str, str], list[float]]


def count(truth: dict[Path, str], flags: Flags, who: str, recalls: Counts, alarms: Counts) -> None:
    """Add the recall of each way of spoiling, and the share of sound pictures accused."""
    for name, (kind, _) in SPOILS.items():
        spoiled = {path for path, how in truth.items() if how == name}
        if kind in flags and spoiled:
            recalls[name, who].append(len(spoiled & flags[kind]) / len(spoiled))
    sound = {path for path, how in truth.items() if not how}
    for kind, flagged in flags.items():
        alarms[kind, who].append(len(flagged & sound) / len(sound))


def show(title: str, found: Counts, who: list[str]) -> None:
    """Print a table of means and spreads."""
    print(f"\n{title:<28}" + "".join(f"{name:>22}" for name in who))
    for name in dict.fromkeys(key[0] for key in found):
        cells = []
        for peer in who:
            values = found.get((name, peer))
            text = f"{np.mean(values):.3f} ± {np.std(values):.3f}" if values else "-"
            cells.append(f"{text:>22}")
        print(f"{name:<28}" + "".join(cells))


def main() -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=400, help="pictures of each set")
    options = parser.parse_args()
    recalls: Counts = defaultdict(list)
    alarms: Counts = defaultdict(list)
    seconds = []
    peers = ["Vernis"]
    for name, place in SETS.items():
        pool = sorted((options.data / place).rglob("*.jpg"))
        for seed in range(options.seeds):
            files = random.Random(seed).sample(pool, min(options.sample, len(pool)))
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary).resolve()
                truth = spoil(files, folder, seed)
                flags, each = run_vernis(list(truth))
                seconds.append(each)
                count(truth, flags, "Vernis", recalls, alarms)
                peer = run_cleanvision(folder)
                if peer is not None:
                    peers = ["Vernis", "cleanvision"]
                    count(truth, peer, "cleanvision", recalls, alarms)
        print(f"{name}: {len(files)} pictures, {options.seeds} seeds", flush=True)
    show("found (recall)", recalls, peers)
    show("sound pictures flagged", alarms, peers)
    print(
        f"\nmeasuring: {1000 * np.mean(seconds):.2f} ms of processor time an image, after decoding"
    )


if __name__ == "__main__":
    main()
