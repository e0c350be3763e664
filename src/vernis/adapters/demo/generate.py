"""Generate the demo: a miniature digital asset library, drawn by code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

import numpy as np

from vernis.adapters.demo import damage
from vernis.adapters.demo.compositions import Picture, draw_picture
from vernis.adapters.demo.labelling import spoil_labels, true_labels, write_labels
from vernis.adapters.demo.truth import DemoTruth, PlantedCopy
from vernis.domain.errors import UsageError
from vernis.domain.ports import Progress, silent

DRAWING = 2
"""Raise it when the pictures or labels change."""

AMOUNTS = {
    "bottle": 50,
    "can": 44,
    "crate": 24,
    "glass": 40,
    "landscape": 44,
    "logo": 40,
    "people": 44,
    "poster": 42,
}
SPOILT = {"blurry": 6, "dark": 5, "overexposed": 4, "low_information": 2}
TWINS = ("png", "png", "bmp", "tiff", "webp", "webp", "metadata", "metadata")
EXACT, NEAR_EACH, TURNED = 8, 4, 6
SUFFIXES = ("jpg",) * 15 + ("png", "png", "webp", "webp", "gif", "tiff", "bmp")
FOLDERS = (
    "archive/2017",
    "archive/2018",
    "campaigns/spring",
    "campaigns/summer",
    "press",
    "shoots/day 1",
)


@dataclass(slots=True)
class _Draft:
    """What has been written so far."""

    pictures: dict[str, Picture] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    copies: list[PlantedCopy] = field(default_factory=list)
    quality: dict[str, list[str]] = field(default_factory=dict)


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
    draft = _Draft()
    _draw_originals(draft, rng, scale, progress)
    _add_copies(draft, rng, scale)
    samples = [draft.files[name] for name in sorted(draft.files)]
    jpeg = next(data for data in samples if data[:2] == b"\xff\xd8")
    broken = damage.broken_files(jpeg, damage.twin(jpeg, "png"))
    others = {f"press/{name}": data for name, data in damage.other_files().items()}
    for name, data in {**draft.files, **others}.items():
        _write(target / name, data)
    for name, (data, _) in broken.items():
        _write(target / "archive" / name, data)
    labels = true_labels(draft.pictures)
    given, wrong = spoil_labels(labels, rng)
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
        broken={f"archive/{name}": reason for name, (_, reason) in broken.items()},
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


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _draw_originals(
    draft: _Draft, rng: np.random.Generator, scale: float, progress: Progress
) -> None:
    """Draw every picture once, spoil some, and encode them in mixed formats."""
    kinds = [kind for kind, amount in AMOUNTS.items() for _ in range(max(2, round(amount * scale)))]
    kinds = [kinds[i] for i in rng.permutation(len(kinds))]
    spoilt = [kind for kind, n in SPOILT.items() for _ in range(max(1, round(n * scale)))]
    turned = max(1, round(TURNED * scale))
    drawing = np.random.default_rng(rng.integers(2**63))
    for i, kind in enumerate(kinds):
        picture = draw_picture(kind, drawing, i)
        name = _new_name(picture, draft, rng)
        suffix = SUFFIXES[int(rng.integers(len(SUFFIXES)))]
        if i < len(spoilt):
            name = f"{name}.{suffix}"
            image = damage.spoil(picture.image, spoilt[i], rng)
            draft.files[name] = damage.encode(image, suffix)
            draft.quality.setdefault(spoilt[i], []).append(name)
            if spoilt[i] == "low_information":
                picture = Picture(image, "", "", frozenset())
        elif i < len(spoilt) + turned:
            name = f"{name}.jpg"
            orientation = (3, 6, 8)[int(rng.integers(3))]
            draft.files[name] = damage.encode_turned(picture.image, orientation)
        else:
            name = f"{name}.{suffix}"
            quality = int(rng.integers(80, 96))
            draft.files[name] = damage.encode(picture.image, suffix, quality)
        draft.pictures[name] = picture
        progress("draw", i + 1, len(kinds), kind)


def _new_name(picture: Picture, draft: _Draft, rng: np.random.Generator) -> str:
    """Return a file name without suffix as cameras and agencies give them."""
    folder = FOLDERS[int(rng.integers(len(FOLDERS)))]
    taken = {name.rpartition(".")[0] for name in draft.files}
    while True:
        number = int(rng.integers(100, 9999))
        style = rng.random()
        if style < 0.45:
            stem = f"IMG_{number:04d}"
        elif style < 0.6:
            stem = f"DSC{number:05d}"
        elif style < 0.85:
            stem = f"{picture.brand or 'mood'}_{picture.asset_type}_{number:04d}".lower()
        else:
            stem = f"Entwurf für {picture.brand or 'Website'} {number}"
        name = f"{folder}/{stem}"
        if name not in taken:
            return name


def _add_copies(draft: _Draft, rng: np.random.Generator, scale: float) -> None:
    """Copy some untouched pictures: byte for byte, as another format, and nearly."""
    spoilt = {name for names in draft.quality.values() for name in names}
    clean = [name for name in draft.files if name not in spoilt]
    order = cycle([clean[i] for i in rng.permutation(len(clean))])
    for _ in range(max(1, round(EXACT * scale))):
        original = next(order)
        stem, _, suffix = original.rpartition(".")
        _add_copy(
            draft, f"{stem} copy.{suffix}", original, draft.files[original], "bytes", "same bytes"
        )
    for i in range(max(2, round(len(TWINS) * scale))):
        form = TWINS[i % len(TWINS)]
        original = next(name for name in order if name.endswith(".jpg"))
        stem = original.rpartition(".")[0]
        if form == "metadata":
            data = damage.tag(draft.files[original], "approved by marketing")
            _add_copy(draft, f"{stem}_approved.jpg", original, data, "pixels", "metadata")
        else:
            data = damage.twin(draft.files[original], form)
            _add_copy(draft, f"{stem}.{form}", original, data, "pixels", f"as {form}")
    for transform, change in damage.NEAR_COPIES.items():
        for _ in range(max(1, round(NEAR_EACH * scale))):
            original = next(order)
            data = change(damage.decode(draft.files[original]), rng)
            stem = original.rpartition(".")[0]
            name = f"{stem}_{int(rng.integers(10, 99))}.jpg"
            _add_copy(draft, name, original, data, "near", transform)


def _add_copy(
    draft: _Draft, name: str, original: str, data: bytes, kind: str, transform: str
) -> None:
    draft.files[name] = data
    draft.pictures[name] = draft.pictures[original]
    if kind == "bytes":
        draft.copies.append(PlantedCopy(name, original, "bytes", transform))
    elif kind == "pixels":
        draft.copies.append(PlantedCopy(name, original, "pixels", transform))
    else:
        draft.copies.append(PlantedCopy(name, original, "near", transform))
