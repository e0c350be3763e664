"""Is text read, are brands found in it, and what does it cost, beside two other readers?

    python benchmarks/read.py beer | grocery | posters | cost [--data ../shared/data]
    python benchmarks/read.py posters --fonts DIR --seeds 0 1 --sheets DIR
    python benchmarks/read.py beer --peers tesseract rapidocr --rule thesis

``posters`` are drawn here (``tests/unit/posters.py``) in 22 fonts of Debian where ``--fonts`` (or
the system's folder) holds them, else in Pillow's own. Precision counts every brand that is named
and is not the picture's, recall the pictures whose brand is named. Of the grocery sample one half
served to choose the settings (``--half tuned``), the other (``held``) was looked at once; its kinds
say whether a person can read the brand (y, p for partly, n). The second line says what ``vernis
brands`` would suggest for blank labels, what ``vernis fill`` would promise by the text alone, and
which labels would be found where every tenth is given a wrong brand, all in 20 draws. Peers are
``tesseract`` (Debian ``tesseract-ocr``) and ``rapidocr`` (PyPI); their texts go through the same
rules, by distance.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "unit"))
import posters

from vernis.adapters.pixels import decode
from vernis.adapters.readers.models import shipped_model
from vernis.core.fill.heard import plan_heard
from vernis.core.text.brands import Brand, BrandMatch, BrandMatcher, BrandRule
from vernis.core.text.conclusions import contradiction, strength
from vernis.domain.readings import Reading

FONTS = (
    "DejaVuSans-Bold", "DejaVuSerif", "LiberationSans-Regular", "LiberationSerif-Bold",
    "Lato-Black", "Lato-Light", "OpenSans-CondBold", "Roboto-Regular", "RobotoCondensed-Bold",
    "EBGaramond12-Regular", "Comfortaa-Bold", "Cantarell-Bold", "lobster", "BebasNeue-Regular",
    "Quicksand-Medium", "YanoneKaffeesatz-Bold", "Vollkorn-Italic", "GoudyBookletter1911",
    "C059-Italic", "URWBookman-Demi", "Dosis-SemiBold", "DancingScript-Bold",
)  # fmt: skip
Read = Callable[[np.ndarray], tuple[Reading, ...]]


@dataclass(frozen=True)
class Picture:
    pixels: np.ndarray
    brand: str
    kind: str


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def beer(data: Path) -> Iterator[Picture]:
    folder = data / "beer_labels_a"
    for row in read_rows(folder / "images.csv"):
        yield Picture(decode(folder / row["image"], min_side=None), row["brand"], row["role"])


def grocery(data: Path, half: str) -> Iterator[Picture]:
    """The kind is whether a person can read the brand: y, p (partly), n."""
    folder = data / "grocery"
    rows = read_rows(folder / "brand_readability_sample.csv")
    tuned = set(np.random.default_rng(20150).permutation(len(rows))[:78].tolist())
    for number, row in enumerate(rows):
        if half == "all" or (number in tuned) == (half == "tuned"):
            pixels = decode(folder / row["image"], min_side=None)
            yield Picture(pixels, row["brand"], row["brand_readable"])


def draw(seeds: list[int], fonts: list[Path | None], every: int = 1) -> Iterator[Picture]:
    """Yield the posters of some seeds, or one in so many of them, others with each seed."""
    for seed in seeds:
        for number, poster in enumerate(posters.draw_posters(seed, fonts)):
            if number % every == seed % every:
                yield Picture(poster.pixels, poster.brand, poster.kind)


def find_fonts(folder: Path) -> list[Path | None]:
    found = {path.stem: path for path in sorted(folder.rglob("*.?tf")) if path.exists()}
    fonts: list[Path | None] = [found[name] for name in FONTS if name in found]
    print(f"fonts: {len(fonts)} of {len(FONTS)} in {folder}" if fonts else "font: Pillow's own")
    return fonts or [None]


def brands_of(name: str, data: Path) -> list[Brand]:
    if name == "posters":
        return [Brand(brand) for brand in posters.BRANDS]
    path = "beer_labels_a/brand_list.csv" if name == "beer" else "grocery/brands.csv"
    return [Brand(row["brand"]) for row in read_rows(data / path)]


@dataclass(frozen=True)
class Outcome:
    """What was read in a picture, what it is, and how long reading took."""

    brand: str
    kind: str
    read: list[BrandMatch]
    seconds: float


def read_all(pictures: Iterator[Picture], read: Read, matcher: BrandMatcher) -> list[Outcome]:
    outcomes = []
    for picture in pictures:
        start = time.process_time()
        readings = read(picture.pixels)
        seconds = time.process_time() - start
        outcomes.append(Outcome(picture.brand, picture.kind, matcher.match(readings), seconds))
    return outcomes


def score(outcomes: list[Outcome]) -> str:
    """Return a line with precision, recall, recall by kind and wrong brands by kind."""
    kinds: dict[str, list[int]] = {}
    for one in outcomes:
        named = {match.brand for match in one.read}
        row = kinds.setdefault(one.kind, [0, 0, 0, 0, 0])
        row[0] += 1
        row[1] += bool(one.brand)
        row[2] += one.brand in named
        row[3] += len(named - {one.brand})
        row[4] += bool(named - {one.brand})
    pictures, branded, right, wrong, _ = np.sum(list(kinds.values()), axis=0)
    by_kind = ", ".join(
        f"{kind} {f'{row[2] / row[1]:.3f}' if row[1] else '-'}"
        + (f" ({row[4]} with a wrong one of {row[0]})" if row[3] or not row[1] else "")
        for kind, row in kinds.items()
    )
    return (
        f"P {right / max(right + wrong, 1):.3f} R {right / max(branded, 1):.3f} | {by_kind} | "
        f"{1000 * sum(one.seconds for one in outcomes) / pictures:.0f} ms of processor a picture"
    )


def conclude(outcomes: list[Outcome], brands: list[str]) -> str:
    """Return a line with what follows for blank labels, and where every tenth is wrong."""
    branded = [one for one in outcomes if one.brand]
    alone = [one.read[0].brand == one.brand for one in branded if len(one.read) == 1]
    scores = [_swap_and_find(branded, brands, seed) for seed in range(20)]
    precision, recall = np.mean(scores, axis=0)
    fills = [_blank_and_fill(branded, seed) for seed in range(20)]
    n_filled, n_right, n_blank = np.sum(fills, axis=0)
    share, right = n_filled / n_blank, n_right / max(n_filled, 1)
    return (
        f"one brand in {len(alone) / len(branded):.3f} of the {len(branded)} with one, "
        f"right in {np.mean(alone):.3f}; half of the labels blank, filled at a promised 95 %: "
        f"{share:.3f}, right in {right:.3f}; swapped labels P {precision:.3f} R {recall:.3f}"
    )


def _blank_and_fill(outcomes: list[Outcome], seed: int) -> tuple[int, int, int]:
    """Return how many blank labels are filled, how many rightly, and how many are blank."""
    blank = np.random.default_rng(seed).permutation(len(outcomes)) < len(outcomes) // 2
    alone = np.array([len(one.read) == 1 for one in outcomes])
    asked, held = np.flatnonzero(blank & alone), np.flatnonzero(~blank & alone)
    sure = np.array([strength(one.read[0]) if len(one.read) == 1 else 0.0 for one in outcomes])
    agrees = np.array([any(m.brand == one.brand for m in one.read) for one in outcomes])
    plan = plan_heard(
        sure[held, None],
        agrees[held],
        sure[asked, None],
        groups=held,
        backed=np.zeros(len(held), bool),
        kind="single",
        precision=0.95,
    )
    return len(plan.chosen), int(agrees[asked[plan.chosen]].sum()), int(blank.sum())


def _swap_and_find(outcomes: list[Outcome], names: list[str], seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(outcomes), max(1, round(0.1 * len(outcomes))), replace=False)
    given = [one.brand for one in outcomes]
    for row in chosen:
        given[row] = str(rng.choice([name for name in names if name != given[row]]))
    found = {
        row
        for row, (one, brand) in enumerate(zip(outcomes, given, strict=True))
        if contradiction(one.read, {brand}) is not None
    }
    right = len(found & set(chosen.tolist()))
    return right / max(len(found), 1), right / len(chosen)


def by_tesseract(pixels: np.ndarray) -> tuple[Reading, ...]:
    """Sparse text at 736 pixels, a reading a word (its time runs in a child process)."""
    image = Image.fromarray(pixels)
    scale = 736 / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        image.save(file.name)
        command = ["tesseract", file.name, "-", "--psm", "11", "tsv"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    readings = []
    for row in csv.DictReader(told.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if float(row["conf"]) >= 0 and row["text"].strip():
            x, y, w, h = (float(row[key]) for key in ("left", "top", "width", "height"))
            readings.append(_box(row["text"], float(row["conf"]) / 100, x, y, x + w, y + h, image))
    return tuple(readings)


def _box(
    text: str, sure: float, x: float, y: float, right: float, low: float, image: Image.Image
) -> Reading:
    corners = np.array([[x, y], [right, y], [right, low], [x, low]], np.float32)
    return Reading(text, min(sure, 1.0), corners, max(low - y, 1) / min(image.size))


def open_rapidocr() -> Read:
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1})

    def read(pixels: np.ndarray) -> tuple[Reading, ...]:
        found = engine(np.ascontiguousarray(pixels[..., ::-1]))
        if found.txts is None:
            return ()
        return tuple(
            Reading(text, float(sure), np.asarray(box, np.float32), _tall(box, pixels))
            for text, sure, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if text.strip()
        )

    return read


def _tall(box: np.ndarray, pixels: np.ndarray) -> float:
    return max(float(np.linalg.norm(box[3] - box[0])), 1.0) / min(pixels.shape[:2])


def measure_cost(data: Path, fonts: list[Path | None]) -> None:
    """Print the processor time of reading over that of an embedding, by set."""
    from vernis.adapters.backbones.zoo import open_backbone

    embed, reader = open_backbone().reader().open(), shipped_model().open()
    drawn = list(draw([100], fonts))
    sets = {
        "beer": list(beer(data)),
        "grocery": list(grocery(data, "tuned")),
        "posters with text": [p for p in drawn if p.brand][::6],
        "posters without": [p for p in drawn if p.kind == "empty"],
    }
    rows = [r for r in read_rows(data / "grocery" / "images.csv") if r["kind"] == "Fruit"][::60]
    fruit = [data / "grocery" / row["image"] for row in rows]
    sets["fruit, mostly without"] = [Picture(decode(path, min_side=None), "", "") for path in fruit]
    embed(sets["beer"][0].pixels)
    reader.read(sets["beer"][0].pixels)
    for name, pictures in sets.items():
        embedding = np.array([spend(embed, picture)[0] for picture in pictures])
        spent = [spend(reader.read, picture) for picture in pictures]
        reading, holds = np.array([s for s, _ in spent]), np.array([bool(r) for _, r in spent])
        opened = np.mean([reader.look(p.pixels) is not None for p in pictures])
        told = [
            f"{reading[own].mean() / embedding.mean():.1f} times in {own.sum()} with{what} text"
            for own, what in ((holds, ""), (~holds, "out"))
            if own.any()
        ]
        print(
            f"{name}: embedding {1000 * embedding.mean():.1f} ms, reading "
            f"{1000 * reading.mean():.1f} ms, {reading.mean() / embedding.mean():.1f} times "
            f"({', '.join(told)}); the gate opens for {opened:.2f}",
            flush=True,
        )


def spend(work: Callable[[np.ndarray], Any], picture: Picture) -> tuple[float, Any]:
    """Return the processor seconds of some work on a picture, and what came of it."""
    start = time.process_time()
    result = work(picture.pixels)
    return time.process_time() - start, result


def write_sheets(folder: Path, fonts: list[Path | None]) -> None:
    """Write a sheet of each kind of poster, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, list[Picture]] = {}
    for picture in draw([0], fonts):
        kinds.setdefault(picture.kind, []).append(picture)
    for kind, pictures in kinds.items():
        sheet = Image.new("RGB", (6 * 324, 3 * 264), "white")
        for place, picture in enumerate(pictures[:18]):
            image = Image.fromarray(picture.pixels)
            image.thumbnail((320, 260))
            sheet.paste(image, (place % 6 * 324, place // 6 * 264))
        sheet.save(folder / f"{kind.replace(' ', '_')}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("beer", "grocery", "posters", "cost"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--every", type=int, default=1, help="read one in so many posters")
    parser.add_argument("--half", choices=("tuned", "held", "all"), default="all")
    parser.add_argument("--rule", choices=("default", "thesis"), default="default")
    parser.add_argument("--peers", nargs="*", choices=("tesseract", "rapidocr"), default=[])
    parser.add_argument("--sheets", type=Path, help="folder for a sheet of each kind of poster")
    options = parser.parse_args()
    fonts = find_fonts(options.fonts) if options.what in ("posters", "cost") else [None]
    if options.sheets:
        write_sheets(options.sheets, fonts)
    if options.what == "cost":
        return measure_cost(options.data, fonts)
    brands = brands_of(options.what, options.data)
    matcher = BrandMatcher(brands, BrandRule(options.rule))
    readers: dict[str, Read] = {"vernis": shipped_model().open().read}
    if "tesseract" in options.peers:
        readers["tesseract"] = by_tesseract
    if "rapidocr" in options.peers:
        readers["rapidocr"] = open_rapidocr()
    for name, read in readers.items():
        pictures = {
            "beer": lambda: beer(options.data),
            "grocery": lambda: grocery(options.data, options.half),
            "posters": lambda: draw(options.seeds, fonts, options.every),
        }[options.what]()
        outcomes = read_all(pictures, read, matcher)
        print(f"{name}, {options.what}, {options.rule} rule: {score(outcomes)}")
        print(f"{name}, {options.what}: {conclude(outcomes, [one.name for one in brands])}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MB")
    return None


if __name__ == "__main__":
    main()
