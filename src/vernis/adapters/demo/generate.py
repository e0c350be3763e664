"""Generate the demo: a miniature digital asset library, drawn by code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

import numpy as np

from vernis.adapters.demo import damage
from vernis.adapters.demo.canvas import pick
from vernis.adapters.demo.labelling import plant_wrong_labels, true_labels, write_labels
from vernis.adapters.demo.pictures import Picture, draw_picture
from vernis.adapters.demo.truth import CopyKind, DemoTruth, PlantedCopy
from vernis.domain.errors import UsageError
from vernis.domain.ports import Progress, silent

DRAWING = 4
"""Raise it when the pictures or labels change."""

AMOUNTS = {
    "bottle": 50, "can": 44, "crate": 24, "glass": 40, "landscape": 44, "logo": 40, "people": 44,
    "poster": 42,
}  # fmt: skip
DEGRADED = {"blurry": 6, "dark": 5, "overexposed": 4, "low_information": 2}
TWINS = ("png", "png", "bmp", "tiff", "webp", "webp", "metadata", "metadata")
EXACT, NEAR_EACH, TURNED = 8, 4, 6
SUFFIXES = ("jpg",) * 15 + ("png", "png", "webp", "webp", "tiff", "bmp")
LOGO_SUFFIXES = ("jpg", "jpg", "png", "png", "png", "webp", "gif", "gif")
FOLDERS = (
    "archive/2017", "archive/2018", "campaigns/spring", "campaigns/summer", "press", "shoots/day 1",
)  # fmt: skip


@dataclass(slots=True)
class _Draft:
    """What has been drawn so far, at which scale."""

    rng: np.random.Generator
    scale: float
    pictures: dict[str, Picture] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    copies: list[PlantedCopy] = field(default_factory=list)
    quality: dict[str, list[str]] = field(default_factory=dict)

    def amount(self, full: int, least: int = 1) -> int:
        """Return how many are drawn of what there are ``full`` of at scale 1."""
        return max(least, round(full * self.scale))

    def copy(self, name: str, original: str, data: bytes, kind: CopyKind, transform: str) -> None:
        """Add a copy of an earlier picture."""
        self.files[name], self.pictures[name] = data, self.pictures[original]
        self.copies.append(PlantedCopy(name, original, kind, transform))


def generate_demo(
    folder: Path | str, seed: int = 0, *, scale: float = 1.0, progress: Progress = silent
) -> DemoTruth:
    """Draw a small digital asset library with planted faults.

    Writes ``folder/pictures`` (to be indexed), ``folder/labels.csv`` (to be imported) and
    ``folder/truth.json`` (the answer sheet, which only ``score_demo`` may read).

    Parameters
    ----------
    folder : Path or str
        Where to write; made if missing. The same demo is kept as it is, another one is replaced.
    seed : int
        The same seed gives the same bytes with the same version of Pillow.
    scale : float
        Share of the pictures to draw; 1.0 gives about 390 files.
    progress : Progress

    Returns
    -------
    DemoTruth

    Raises
    ------
    UsageError
        If ``folder/pictures`` holds files that are not of a demo, or ``scale`` is out of 0.04..10.
    """
    if not 0.04 <= scale <= 10:
        raise UsageError(f"expected a scale between 0.04 and 10, got {scale}")
    folder = Path(folder)
    target = folder / "pictures"
    earlier = _earlier_demo(folder, seed, scale)
    if earlier is not None:
        return earlier
    rng = np.random.default_rng(seed)
    draft = _Draft(rng, scale)
    _draw_originals(draft, progress)
    _add_copies(draft)
    jpeg = next(data for _, data in sorted(draft.files.items()) if data[:2] == b"\xff\xd8")
    broken = {f"archive/{name}": found for name, found in damage.broken_files(jpeg).items()}
    others = {f"press/{name}": data for name, data in damage.OTHER_FILES.items()}
    _write_files(target, draft.files | others | {name: data for name, (data, _) in broken.items()})
    labels = true_labels(draft.pictures)
    given, wrong = plant_wrong_labels(labels, rng)
    write_labels(folder / "labels.csv", draft.pictures, given, rng)
    truth = DemoTruth(
        pictures=str(target),
        labels_csv=str(folder / "labels.csv"),
        seed=seed,
        scale=scale,
        drawing=DRAWING,
        labels=labels,
        given=given,
        wrong=tuple(wrong),
        copies=tuple(draft.copies),
        quality=draft.quality,
        broken={name: reason for name, (_, reason) in broken.items()},
        others=tuple(sorted(others)),
    )
    truth.save(folder / "truth.json")
    return truth


def _earlier_demo(folder: Path, seed: int, scale: float) -> DemoTruth | None:
    """Return the same demo when it was drawn here before; clear away another one of ours.

    Only files that an earlier demo drew are taken away.
    """
    target, sheet = folder / "pictures", folder / "truth.json"
    held = {p for p in target.rglob("*") if p.is_file()} if target.exists() else set()
    if not held:
        return None
    try:
        truth = DemoTruth.load(sheet)
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{target} is not empty: name another folder for the demo") from None
    drawn = {target / name for name in truth.files()}
    same = (truth.seed, truth.scale, truth.drawing) == (seed, scale, DRAWING)
    if same and drawn <= held and (folder / "labels.csv").is_file():
        return replace(truth, pictures=str(target), labels_csv=str(folder / "labels.csv"))
    if held - drawn:
        stray = min(held - drawn)
        raise UsageError(f"{stray} is not part of the demo: name another folder for it")
    for path in drawn & held:
        path.unlink()
    return None


def _write_files(target: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _draw_originals(draft: _Draft, progress: Progress) -> None:
    """Draw every picture once, degrade some, and encode them in mixed formats."""
    rng = draft.rng
    kinds = [kind for kind, n in AMOUNTS.items() for _ in range(draft.amount(n, 2))]
    kinds = [kinds[i] for i in rng.permutation(len(kinds))]
    degraded = [kind for kind, n in DEGRADED.items() for _ in range(draft.amount(n))]
    turned = len(degraded) + draft.amount(TURNED)
    drawing = np.random.default_rng(rng.integers(2**63))
    for i, kind in enumerate(kinds):
        picture = draw_picture(kind, drawing, kinds[:i].count(kind))
        suffix = pick(rng, LOGO_SUFFIXES if kind == "logo" else SUFFIXES)
        if len(degraded) <= i < turned:
            suffix = "jpg"
        name = _new_name(picture, draft, suffix)
        if i < len(degraded):
            image = damage.degrade(picture.image, degraded[i], rng)
            data = damage.encode(image, suffix)
            draft.quality.setdefault(degraded[i], []).append(name)
            if degraded[i] == "low_information":
                picture = Picture(image, "", "", frozenset())
        elif i < turned:
            data = damage.encode_turned(picture.image, pick(rng, tuple(damage.TURNS)))
        else:
            data = damage.encode(picture.image, suffix, int(rng.integers(80, 96)))
        draft.files[name], draft.pictures[name] = data, picture
        progress("draw", i + 1, len(kinds), kind)


def _new_name(picture: Picture, draft: _Draft, suffix: str) -> str:
    """Return a file name as cameras and agencies give them; no two differ in the suffix alone."""
    rng, taken = draft.rng, {name.rpartition(".")[0] for name in draft.files}
    weights = {"IMG_{0:04d}": 9, "DSC{0:05d}": 3, "{1}_{2}_{0:04d}": 5, "Entwurf für {3} {0}": 3}
    styles = [style for style, weight in weights.items() for _ in range(weight)]
    while True:
        brand = picture.brand
        words = ((brand or "mood").lower(), picture.asset_type, brand or "Website")
        stem = pick(rng, styles).format(int(rng.integers(100, 9999)), *words)
        name = f"{pick(rng, FOLDERS)}/{stem}"
        if name not in taken:
            return f"{name}.{suffix}"


def _add_copies(draft: _Draft) -> None:
    """Copy some untouched pictures: byte for byte, as another format, and nearly."""
    rng = draft.rng
    degraded = {name for names in draft.quality.values() for name in names}
    clean = [name for name in draft.files if name not in degraded]
    order = cycle([clean[i] for i in rng.permutation(len(clean))])
    for _ in range(draft.amount(EXACT)):
        name = next(order)
        stem, _, suffix = name.rpartition(".")
        draft.copy(f"{stem} copy.{suffix}", name, draft.files[name], "bytes", "same bytes")
    for i in range(draft.amount(len(TWINS), 2)):
        form = TWINS[i % len(TWINS)]
        name = next(name for name in order if name.endswith(".jpg"))
        if form == "metadata":
            data = damage.tag(draft.files[name], "approved by marketing")
            draft.copy(f"{name[:-4]}_approved.jpg", name, data, "pixels", form)
        else:
            data = damage.twin(draft.files[name], form)
            draft.copy(f"{name[:-4]}.{form}", name, data, "pixels", f"as {form}")
    for transform in damage.NEAR_COPIES:
        for _ in range(draft.amount(NEAR_EACH)):
            name = next(order)
            data = damage.near_copy(damage.decode(draft.files[name]), transform, rng)
            copy = f"{name.rpartition('.')[0]}_{int(rng.integers(10, 99))}.jpg"
            draft.copy(copy, name, data, "near", transform)
