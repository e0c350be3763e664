"""A million images: time, memory and quality of each step, and how they grow.

    python benchmarks/million.py FOLDER --dim 256 --growth   # 100,000, then 1,000,000: all of it
    python benchmarks/million.py FOLDER --images 100000
    python benchmarks/million.py FOLDER --images 1000000 --steps learn issues
    python benchmarks/million.py FOLDER --images 1000000 --table   # what was measured, no run

Draws a collection into ``FOLDER/IMAGES.vernis`` (kept, and used again), then runs each step as a
process of its own and prints its seconds and peak memory beside what it found of what was planted.
A step that was measured is not run again unless it is named. Nothing is decoded: the files are
links to a few tiny pictures, and vectors and fingerprints are drawn and written by the catalog.

Vectors have `--dim` columns and lie in 100 classes of a long tail, each of several kinds of
object, with a spectrum of 1/k between and within them; one image in a hundred is a copy of another
one, slightly changed; a tenth of the images has no label, and of those that have one 5 % are wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.fingerprints import FINGERPRINT_SPACE
from vernis.core.copies.fingerprints import CHROMA_SIDE, LUMA_SIDE, LUMA_SIZE
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.vectors import space_document

BLOCK = 4096
"""Images that are drawn at once, each block from a generator of its own."""
N_CLASSES = 100
N_KINDS = 8
"""Kinds of object in a class."""
LABELLED, WRONG, COPIED = 0.9, 0.05, 0.01
TAXONOMY = "kind"
CLASSES = tuple(f"class {number:03}" for number in range(N_CLASSES))
_IN_FOLDER = 10_000
_STEPS = ("index", "status", "learn", "issues", "fill", "duplicates", "map", "search", "report")


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the same numbers draw the same images."""

    images: int
    dim: int = 1280
    seed: int = 0

    @property
    def blocks(self) -> range:
        """The numbers of the blocks."""
        return range(-(-self.images // BLOCK))

    def rows(self, block: int) -> NDArray[np.int64]:
        """Return the numbers of the images of a block."""
        return np.arange(block * BLOCK, min((block + 1) * BLOCK, self.images))

    def hashes(self, block: int) -> list[str]:
        """Return the content hash of each image of a block."""
        return [
            hashlib.sha256(f"{self.seed} {row}".encode()).hexdigest()
            for row in self.rows(block).tolist()
        ]

    def sources(self, block: int) -> NDArray[np.int64]:
        """Return the image that each image of a block is a copy of, itself for the others."""
        rows = self.rows(block)
        source, copies = rows.copy(), max(1, round(COPIED * len(rows)))
        if len(rows) > 2 * copies:
            drawn = self._rng(block, 1).choice(len(rows) - copies, copies, replace=False)
            source[-copies:] = rows[drawn]
        return source

    def classes(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the true class of each image of a block, and its given one; -1 without label."""
        rng, rows = self._rng(block, 2), self.rows(block)
        share = 1.0 / np.arange(1, N_CLASSES + 1) ** 0.8
        true = rng.choice(N_CLASSES, len(rows), p=share / share.sum())
        true = true[self.sources(block) - rows[0]]
        given = np.where(rng.random(len(rows)) < WRONG, self._mistaken(true, rng), true)
        given[rng.random(len(rows)) >= LABELLED] = -1
        return true, given

    def vectors(self, block: int) -> NDArray[np.float16]:
        """Return the vectors of a block, shape (n, dim)."""
        rng, rows = self._rng(block, 3), self.rows(block)
        true, _ = self.classes(block)
        kinds = rng.integers(0, N_KINDS, len(rows))
        drawn = rng.standard_normal((len(rows), self.dim), dtype=np.float32)
        drawn *= self._spread(1.0)
        drawn += self._centers()[true * N_KINDS + kinds]
        source = self.sources(block)
        copied = np.flatnonzero(source != rows)
        noise = rng.standard_normal((len(copied), self.dim), dtype=np.float32)
        drawn[copied] = drawn[source[copied] - rows[0]] + 0.05 * self._spread(1.0) * noise
        return self._turn(drawn).astype(np.float16)

    def _turn(self, drawn: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mix columns of large and small variance, as a network does: some 64 at a time."""
        groups = max(1, self.dim // 64)
        turned = np.empty_like(drawn)
        for group, axes in enumerate(_rotations(self.dim, groups, self.seed)):
            turned[:, group::groups] = drawn[:, group::groups] @ axes
        return turned[:, np.random.default_rng([self.seed, 7]).permutation(self.dim)]

    def fingerprints(self, block: int) -> NDArray[np.uint8]:
        """Return the fingerprints of a block: three clouds each, and the one of their class."""
        rng, rows = self._rng(block, 4), self.rows(block)
        side, n = LUMA_SIDE, len(rows)
        clouds = _clouds(self.seed)
        luma = 0.5 * clouds[self.classes(block)[0]]
        for _ in range(3):  # moved, so that blocks have clouds of their own
            moved = np.roll(clouds[N_CLASSES:], tuple(rng.integers(0, side, 2)), (1, 2))
            luma += 0.5 * moved[rng.integers(0, len(moved), n)]
        colors = 12 * rng.standard_normal((n, 2, 1, 1), dtype=np.float32)
        coarse = side // CHROMA_SIDE
        chroma = 8 * luma.reshape(n, CHROMA_SIDE, coarse, CHROMA_SIDE, coarse).mean(axis=(2, 4))
        source = self.sources(block)
        copied = np.flatnonzero(source != rows)
        brighter = rng.uniform(-0.2, 0.2, (len(copied), 1, 1)).astype(np.float32)
        luma[copied] = luma[source[copied] - rows[0]] + brighter
        luma[copied] += 0.05 * rng.standard_normal(luma[copied].shape, dtype=np.float32)
        chroma[copied] = chroma[source[copied] - rows[0]]
        colors[copied] = colors[source[copied] - rows[0]]
        made = np.empty((n, FINGERPRINT_SPACE.dim), np.uint8)
        made[:, :LUMA_SIZE] = np.clip(128 + 45 * luma, 0, 255).reshape(n, -1)
        planes = 128 + chroma[:, None] + colors
        made[:, LUMA_SIZE:-2] = np.clip(planes, 0, 255).reshape(n, -1)
        made[:, -2:] = np.array([32_768], "<u2").view(np.uint8)  # square
        return made

    def _rng(self, block: int, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, block, what])

    def _spread(self, scale: float) -> NDArray[np.float32]:
        """Return the standard deviation of each column: variances fall as 1/k."""
        variances = 1.0 / np.arange(1, self.dim + 1)
        return np.asarray(scale * np.sqrt(variances / variances.sum()), np.float32)

    @property
    def space(self) -> Space:
        """Two layers side by side; neighbours are searched by the second one."""
        first = 2 * self.dim // 5
        layers = [["middle", first], ["pooled", self.dim - first]]
        return Space("drawn", self.dim, "float16", {"layers": layers})

    def _centers(self) -> NDArray[np.float32]:
        """Return the centre of each kind of object of each class."""
        rng = np.random.default_rng([self.seed, 6])
        spread = self._spread(1.0)
        classes = 0.32 * spread * rng.standard_normal((N_CLASSES, 1, self.dim))
        kinds = 0.32 * spread * rng.standard_normal((N_CLASSES, N_KINDS, self.dim))
        everywhere = spread * rng.standard_normal(self.dim)
        return np.asarray((everywhere + classes + kinds).reshape(-1, self.dim), np.float32)

    def _mistaken(self, true: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return another class for each: half of them the next one, half any."""
        any_other = (true + rng.integers(1, N_CLASSES, len(true))) % N_CLASSES
        return np.where(rng.random(len(true)) < 0.5, true ^ 1, any_other)


@cache
def _rotations(dim: int, groups: int, seed: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng([seed, 8])
    widths = [len(range(group, dim, groups)) for group in range(groups)]
    drawn = [np.linalg.qr(rng.standard_normal((width, width)))[0] for width in widths]
    return [np.asarray(axes, np.float32) for axes in drawn]


@cache
def _clouds(seed: int) -> NDArray[np.float32]:
    """Return random pictures with the spectrum of photos, of mean 0 and variance 1."""
    from scipy import fft

    rng, side, n = np.random.default_rng([seed, 5]), LUMA_SIDE, N_CLASSES + 2000
    across, down = np.fft.rfftfreq(side) * side, np.fft.fftfreq(side) * side
    radius = np.hypot(across[None], down[:, None])
    amplitude = np.where(radius > 0, 1 / np.maximum(radius, 1) ** 1.2, 0).astype(np.float32)
    drawn = fft.rfft2(rng.standard_normal((n, side, side), dtype=np.float32))
    clouds = fft.irfft2(drawn * amplitude, s=(side, side)).astype(np.float32)
    return np.asarray(clouds / clouds.std(axis=(1, 2), keepdims=True), np.float32)


# ---------------------------------------------------------------------------- the collection


def build(folder: Path, drawing: Drawing) -> Path:
    """Draw the collection where it is not there yet; what was begun is gone on with.

    Fingerprints are drawn before duplicates are looked for: see `find_copies`.
    """
    place = folder / f"{drawing.images}.vernis"
    mark = place / "drawn.json"
    if mark.exists():
        if json.loads(mark.read_text()) != asdict(drawing):
            raise SystemExit(f"{place} was drawn otherwise; remove it, or name another folder")
        return place
    folder.mkdir(parents=True, exist_ok=True)
    files = _link_files(folder / f"{drawing.images} files", drawing)
    catalog = SqliteCatalog.open(place) if place.exists() else SqliteCatalog.create(place)
    with catalog:
        if not catalog.images.count_by_state().get("present"):
            catalog.images.set_root(files)
            catalog.images.apply_index(_found(files, drawing), complete=True)
        if not catalog.labels.taxonomies():
            catalog.labels.define(Taxonomy(TAXONOMY, "single", CLASSES))
            catalog.labels.record(
                TAXONOMY,
                _statements(catalog.images.table().ids, drawing),
                source="given",
                verb="import",
            )
        space = drawing.space
        for block in drawing.blocks:
            hashes = drawing.hashes(block)
            if catalog.vectors.missing(space, hashes[:1]):
                catalog.vectors.append(space, hashes, drawing.vectors(block))
        catalog.runs.finish("embed", space.name, {"space": space_document(space)})
    mark.write_text(json.dumps(asdict(drawing)))
    return place


def _names(drawing: Drawing) -> Iterator[str]:
    return (f"{row // _IN_FOLDER:04}/{row:08}.png" for row in range(drawing.images))


def _link_files(folder: Path, drawing: Drawing) -> Path:
    """Make a file an image: links to one tiny picture a folder."""
    from PIL import Image

    firsts = folder.with_name(f"{folder.name}, the first of each")
    done = firsts / "done"
    if done.exists():
        return folder
    firsts.mkdir(exist_ok=True)
    for row, name in enumerate(_names(drawing)):
        path = folder / name
        first = firsts / f"{path.parent.name}.png"
        if row % _IN_FOLDER == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not first.exists():
                Image.new("RGB", (8, 8), (row // _IN_FOLDER % 256, 90, 160)).save(first, "PNG")
        if not path.exists():
            os.link(first, path)
    done.touch()
    return folder


def _found(files: Path, drawing: Drawing) -> Iterator[FoundFile]:
    names = _names(drawing)
    for block in drawing.blocks:
        for content in drawing.hashes(block):
            name = next(names)
            stat = (files / name).stat()
            yield FoundFile(name, content, stat.st_size, stat.st_mtime_ns, 8, 8, "PNG")


def _statements(ids: NDArray[np.int64], drawing: Drawing) -> Iterator[Statement]:
    for block in drawing.blocks:
        _, given = drawing.classes(block)
        for image, column in zip(ids[drawing.rows(block)].tolist(), given.tolist(), strict=True):
            if column >= 0:
                yield Statement(image, CLASSES[column], "yes")


# ---------------------------------------------------------------------------- the steps


@dataclass(frozen=True)
class Measured:
    """What a step took, and what it found."""

    seconds: float
    processor: float
    peak_mb: float
    found: str


def run_step(step: str, place: Path, drawing: Drawing) -> Measured:
    """Run a step as a process of its own, and hold what it found against what was drawn."""
    out = place.parent / f"{drawing.images} out"
    verbs: dict[str, list[str]] = {
        "index": ["index"],
        "status": ["status"],
        "learn": ["learn", TAXONOMY],
        "issues": ["issues", TAXONOMY, "--limit", "20", "--min-yield", "0.26"],
        "fill": ["fill", TAXONOMY],
        "map": ["map", "--out", str(out / "map")],
        "report": ["report", "--out", str(out / "report")],
    }
    if step in ("duplicates", "search"):
        command = _again(place.parent, drawing, step)
    else:
        command = [sys.executable, "-m", "vernis", *verbs[step], "--quiet", "--collection"]
        command.append(str(place))
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, state, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(state)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"{step} ended with {process.returncode}: {said[-2000:]}")
    found = said.strip() if step == "search" else ""
    if step in _JUDGES:
        judging = _again(place.parent, drawing, "judge", step)
        found = subprocess.run(judging, check=True, capture_output=True, text=True).stdout.strip()
    if step == "report":
        found = f"{_megabytes(out / 'report'):.1f} MB"
    processor = usage.ru_utime + usage.ru_stime
    return Measured(seconds, processor, usage.ru_maxrss / 1024, found)


def _again(folder: Path, drawing: Drawing, *what: str) -> list[str]:
    """Return the command that does one thing in a process of its own.

    What starts a step stays small: the peak memory of a process counts that of its parent.
    """
    sizes = ["--images", str(drawing.images), "--dim", str(drawing.dim)]
    seed = ["--seed", str(drawing.seed)]
    return [sys.executable, __file__, str(folder), *sizes, *seed, "--only", *what]


def _megabytes(folder: Path) -> float:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def _truth(drawing: Drawing) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the true and the given class of every image."""
    true, given = zip(*map(drawing.classes, drawing.blocks), strict=True)
    return np.concatenate(true), np.concatenate(given)


def _ask(place: Path, question: str) -> list[tuple[Any, ...]]:
    import sqlite3

    with sqlite3.connect(f"file:{place / 'catalog.sqlite'}?mode=ro", uri=True) as ledger:
        return ledger.execute(question).fetchall()


def _judge_status(place: Path, drawing: Drawing) -> str:
    size = sum(f.stat().st_size for f in place.glob("catalog.sqlite*")) / 1e6
    return f"catalog {size:,.0f} MB beside {_megabytes(place / 'vectors'):,.0f} MB of vectors"


def _judge_learn(place: Path, drawing: Drawing) -> str:
    with SqliteCatalog.open(place, read_only=True) as catalog:
        record = catalog.models.latest(TAXONOMY)
        assert record is not None
        stored = catalog.models.predictions(record)
        said = np.asarray(stored["oob"]).argmax(axis=1)
    true, _ = _truth(drawing)
    micro, macro = _f1(true, said)
    return f"against the true classes: micro F1 {micro:.3f}, macro F1 {macro:.3f}"


def _f1(true: NDArray[np.int64], said: NDArray[np.int64]) -> tuple[float, float]:
    hits = np.bincount(true[true == said], minlength=N_CLASSES)
    both = np.bincount(true, minlength=N_CLASSES) + np.bincount(said, minlength=N_CLASSES)
    return float((true == said).mean()), float((2 * hits / np.maximum(both, 1)).mean())


def _judge_issues(place: Path, drawing: Drawing) -> str:
    from sklearn.metrics import average_precision_score

    rows = np.array(_ask(place, "SELECT image_id, score, flagged FROM issue WHERE kind = 'label'"))
    rows = rows[np.argsort(rows[:, 0])]
    ids = np.array(_ask(place, "SELECT id FROM image ORDER BY id"))[:, 0]
    true, given = (part[np.searchsorted(ids, rows[:, 0])] for part in _truth(drawing))
    wrong, flagged = true != given, rows[:, 2] == 1
    right = int((wrong & flagged).sum())
    precision, recall = right / max(1, int(flagged.sum())), right / int(wrong.sum())
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    ranked = average_precision_score(wrong, -rows[:, 1])
    return (
        f"{int(wrong.sum()):,} wrong labels, {int(flagged.sum()):,} flagged: precision "
        f"{precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}; AP {ranked:.3f}"
    )


def _judge_fill(place: Path, drawing: Drawing) -> str:
    rows = _ask(
        place,
        "SELECT s.image_id, c.name FROM suggestion s JOIN class c ON c.id = s.class_id "
        "AND c.taxonomy_id = s.taxonomy_id WHERE s.promised = 1",
    )
    ids = np.array(_ask(place, "SELECT id FROM image ORDER BY id"))[:, 0]
    true, given = _truth(drawing)
    at = np.searchsorted(ids, [row[0] for row in rows])
    right = np.array([CLASSES.index(row[1]) for row in rows], np.int64) == true[at]
    open_ones = int((given < 0).sum())
    return (
        f"{len(rows):,} of {open_ones:,} blanks filled ({len(rows) / open_ones:.1%}), "
        f"{right.mean() if len(right) else 0:.3f} of them rightly (0.95 promised)"
    )


def _judge_duplicates(place: Path, drawing: Drawing) -> str:
    ids = np.array(_ask(place, "SELECT id FROM image ORDER BY id"))[:, 0]
    source = np.concatenate([drawing.sources(block) for block in drawing.blocks])
    planted = np.flatnonzero(source != np.arange(len(source)))
    pairs = {(int(ids[source[row]]), int(ids[row])) for row in planted}
    found = {(a, b) for a, b in _ask(place, "SELECT a, b FROM duplicate_pair")}
    hits = len(pairs & found)
    # Two copies of one picture are copies of one another.
    family = dict(zip(ids.tolist(), ids[source].tolist(), strict=True))
    right = sum(1 for a, b in found if family[a] == family[b])
    return (
        f"{hits:,} of {len(pairs):,} planted copies (recall {hits / len(pairs):.4f}), "
        f"precision {right / max(1, len(found)):.4f} of {len(found):,} pairs"
    )


def _judge_map(place: Path, drawing: Drawing) -> str:
    rows = _ask(place, "SELECT name, quality FROM map ORDER BY rowid DESC LIMIT 1")
    return json.dumps(json.loads(rows[0][1])) if rows else ""


_JUDGES: dict[str, Callable[[Path, Drawing], str]] = {
    "status": _judge_status,
    "learn": _judge_learn,
    "issues": _judge_issues,
    "fill": _judge_fill,
    "duplicates": _judge_duplicates,
    "map": _judge_map,
}


def draw_fingerprints(place: Path, drawing: Drawing) -> None:
    """Draw the fingerprints that are not there yet."""
    with SqliteCatalog.open(place) as catalog:
        for block in drawing.blocks:
            hashes = drawing.hashes(block)
            if catalog.vectors.missing(FINGERPRINT_SPACE, hashes[:1]):
                catalog.vectors.append(FINGERPRINT_SPACE, hashes, drawing.fingerprints(block))


def find_copies(place: Path) -> None:
    """Find duplicates as ``vernis duplicates`` does once the pictures are measured."""
    from vernis.session.session import Session
    from vernis.verbs.decide.deduplication import find_duplicates

    with Session.open(place) as session:
        find_duplicates(session)


def search_only(place: Path, queries: int = 40) -> str:
    """Ask the approximate index for what is like some images; compare with all."""
    from vernis.core.explore.search import scan
    from vernis.session.session import Session
    from vernis.verbs.see.vector_search import Searcher

    with Session.open(place) as session:
        searcher = Searcher(session, session.space())
        begun = time.perf_counter()
        index = session.approximate_index(searcher.space, searcher.fingerprint(), searcher.vectors)
        opened, times, hits = time.perf_counter() - begun, [], 0
        rows = np.linspace(0, len(searcher) - 1, queries).astype(int)
        for row in rows.tolist():
            example = searcher.vectors[row : row + 1]
            begun = time.perf_counter()
            found = searcher.find(example, count=10, index=index)
            times.append(time.perf_counter() - begun)
            truth = scan(np.asarray(example, np.float32), searcher.vectors, 10).rows
            hits += len(np.intersect1d(found.image_ids, searcher.image_ids[truth]))
    return (
        f"index made or opened in {opened:.1f} s; a query {1e3 * np.median(times):.1f} ms in the "
        f"median, {1e3 * max(times):.1f} ms at most; recall@10 {hits / (10 * queries):.3f}"
    )


# ---------------------------------------------------------------------------- the table


def table(folder: Path, images: int) -> str:
    """Return what was measured as a table, beside a tenth as many images where they were."""
    now, tenth = (_read(folder / f"{count}.json") for count in (images, images // 10))
    lines = [
        f"| step | seconds | processor s | peak MB | × of {images // 10:,} | found |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for step in _STEPS:
        if step not in now:
            continue
        one = now[step]
        grown = f"{one['processor'] / tenth[step]['processor']:.1f}" if step in tenth else ""
        lines.append(
            f"| {step} | {one['seconds']:,.1f} | {one['processor']:,.1f} | {one['peak_mb']:,.0f} "
            f"| {grown} | {one['found']} |"
        )
    return "\n".join(lines)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=1280, help="columns of a vector")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", nargs="+", choices=(*_STEPS, "none"), help="default: all")
    parser.add_argument(
        "--growth", action="store_true", help="run a tenth of the images first, for the ratios"
    )
    parser.add_argument("--table", action="store_true", help="print what was measured")
    parser.add_argument("--only", nargs="+", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    drawing = Drawing(options.images, options.dim, options.seed)
    if options.only:
        do_one(options.folder, drawing, *options.only)
        return
    if options.growth:
        tenth = Drawing(options.images // 10, options.dim, options.seed)
        run_steps(options.folder, tenth, options.steps)
    if not options.table:
        run_steps(options.folder, drawing, options.steps)
    print(table(options.folder, drawing.images))


def do_one(folder: Path, drawing: Drawing, what: str, step: str = "") -> None:
    """Do one thing in this process, as `_again` asks for it."""
    place = folder / f"{drawing.images}.vernis"
    if what == "build":
        build(folder, drawing)
    elif what == "fingerprints":
        draw_fingerprints(place, drawing)
    elif what == "duplicates":
        find_copies(place)
    else:
        print(search_only(place) if what == "search" else _JUDGES[step](place, drawing))


def run_steps(folder: Path, drawing: Drawing, steps: Sequence[str] | None) -> None:
    """Run the steps that are named, else those that were not measured yet."""
    notes, place = folder / f"{drawing.images}.json", folder / f"{drawing.images}.vernis"
    subprocess.run(_again(folder, drawing, "build"), check=True)
    measured = _read(notes)
    for step in steps or [step for step in _STEPS if step not in measured]:
        if step == "none":
            return
        if step == "duplicates":
            subprocess.run(_again(folder, drawing, "fingerprints"), check=True)
        measured[step] = asdict(run_step(step, place, drawing))
        notes.write_text(json.dumps(measured, indent=1))
        print(step, measured[step], flush=True)


if __name__ == "__main__":
    main()
