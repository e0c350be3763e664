"""``vernis estimate``: what a job on a folder would cost, measured on a sample of its pictures.

Nothing is kept: the sample is worked through in a temporary collection, the pictures are read where
they lie.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.core.numeric.threads import count_cores
from vernis.domain.errors import UsageError
from vernis.domain.ports import silent
from vernis.session.measures import KEYPOINT_LIMIT
from vernis.verbs.declare import SEED, BaseSettings, Home, Option, Screen, Verb, count
from vernis.verbs.networks.backbone_options import DEFAULT, BackboneOptions, choose
from vernis.verbs.networks.embedding import embed_images
from vernis.verbs.steps import detect, index, read

if TYPE_CHECKING:
    from vernis.session.session import Session

_WARM = 12
"""Pictures on which a step is tried first, so that opening a network is not taken for its rate."""
_USUAL_EMBED = 0.017
"""Seconds of one core that an embedding takes on the machine of docs/decisions, whose other rates
are scaled by how this machine embeds."""


@dataclass(frozen=True, slots=True)
class _Assumed:
    """A step whose cost is taken from docs/decisions: seconds and bytes of a picture."""

    name: str
    seconds: float
    memory: int
    disk: int


_ASSUMED = (
    _Assumed("duplicates", 0.0024, 6_700, 200),
    _Assumed("learning, label issues and fill, a taxonomy", 0.00053, 22_000, 400),
    _Assumed("report", 0.0004, 500, 60),
)


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which folder, and on which machines."""

    path: Annotated[Path | str, Option("a folder of images")]
    _: KW_ONLY
    sample: Annotated[int, count("pictures that are measured", at_least=2 * _WARM)] = 500
    images: Annotated[
        int | None, count("images of the whole job (default: those of the folder)")
    ] = None
    cores: Annotated[int | None, count("cores of all workers (default: of this machine)")] = None
    price: Annotated[float, Option("of a core for an hour, in your currency", "P", at_least=0)] = (
        0.04
    )
    read: Annotated[bool, Option("also the text in the pictures")] = False
    detect: Annotated[bool, Option("also the objects in the pictures")] = False
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class Step:
    """The cost of one step for the whole job."""

    step: str
    measured: Annotated[bool, "on the sample; else taken from docs/decisions, scaled by speed"]
    milliseconds: Annotated[float, "of one core, a picture"]
    core_hours: float
    hours_here: Annotated[float, "on the cores of this machine"]
    hours: Annotated[float, "on the cores of all workers, or of one where it cannot be spread"]
    memory_gb: Annotated[float, "peak, on the machine that does it"]
    disk_gb: float
    price: float


@dataclass(frozen=True, slots=True)
class Result:
    """What the job would cost."""

    images: int
    sample: Annotated[int, "pictures that were measured"]
    unreadable: Annotated[int, "of these"]
    gigabytes: Annotated[float, "of all files, by those of the folder"]
    cores_here: int
    cores: Annotated[int, "of all workers"]
    steps: tuple[Step, ...]
    total: Annotated[Step, "the sum; memory is that of the greediest step"]
    notes: Annotated[tuple[str, ...], "what the estimate assumes"]


@dataclass(frozen=True, slots=True)
class _Measured:
    """A step on the sample: seconds of all cores and bytes on the disk, of a picture."""

    name: str
    seconds: float
    disk: float


def home(settings: Settings) -> Home:
    """Say that no collection is needed."""
    if not Path(settings.path).is_dir():
        raise UsageError(f"{settings.path}: no such folder")
    return Home(needed=False)


def work(session: Session, settings: Settings) -> Result:
    """Measure the steps on a sample and extrapolate them.

    Raises
    ------
    UsageError
        The folder is not there or holds no images.
    """
    root = Path(settings.path).resolve()
    started = time.process_time()
    listed, _ = session.places.file_source(root).list_files()
    listing = time.process_time() - started
    if not len(listed):
        raise UsageError(f"{root}: holds no images")
    chosen = np.random.default_rng(settings.seed).permutation(len(listed))[: settings.sample]
    files = [session.files.path_of_uri(listed.uris[row], root) for row in sorted(chosen.tolist())]
    here = count_cores()
    cores, images = settings.cores or here, settings.images or len(listed)
    with tempfile.TemporaryDirectory(prefix="vernis-estimate-") as folder:
        measured, unreadable = _measure(session, root, files, Path(folder), images, settings)
    speed = next(one.seconds for one in measured if one.name == "embed") / _USUAL_EMBED
    spread = len(measured) + 1
    costs = [_Measured("list files", listing / len(listed), 0.0), *measured]
    costs += [_Measured(one.name, one.seconds * speed, one.disk) for one in _ASSUMED]
    memory = [300e6 + 600 * images] * spread + [300e6 + one.memory * images for one in _ASSUMED]
    steps = []
    for place, cost in enumerate(costs):
        hours = cost.seconds * images / 3600
        # Listing and what looks at all images at once is done by one machine.
        shared = cores if 0 < place < spread else min(cores, here)
        steps.append(
            Step(
                step=cost.name,
                measured=place < spread,
                milliseconds=round(cost.seconds * 1000, 3),
                core_hours=_rounded(hours),
                hours_here=_rounded(hours / here),
                hours=_rounded(hours / shared),
                memory_gb=_rounded(memory[place] / 1e9),
                disk_gb=_rounded(cost.disk * images / 1e9),
                price=_rounded(hours * settings.price),
            )
        )
    return Result(
        images=images,
        sample=len(files),
        unreadable=unreadable,
        gigabytes=_rounded(float(listed.sizes.sum()) / len(listed) * images / 1e9),
        cores_here=here,
        cores=cores,
        steps=tuple(steps),
        total=_sum(steps),
        notes=_assumptions(settings, len(listed), images, speed),
    )


def _measure(
    session: Session,
    root: Path,
    files: list[Path],
    folder: Path,
    images: int,
    settings: Settings,
) -> tuple[list[_Measured], int]:
    """Work through the sample in a collection of its own; returns the steps and the unreadable."""
    home = folder / "sample.vernis"
    measured: list[_Measured] = []

    def step(name: str, do: Callable[[], object], pictures: int) -> None:
        session.progress(f"estimate: {name}", 0, None)
        before, size = time.process_time(), _size(home)
        do()
        seconds = (time.process_time() - before) / max(1, pictures)
        measured.append(_Measured(name, seconds, (_size(home) - size) / max(1, pictures)))

    with session.beside(home) as own:
        own.progress = silent
        own.catalog.images.set_root(root)

        def listed(some: list[Path]) -> Callable[[], object]:
            chosen = index.Settings(paths=tuple(some), classes_from="none")
            return lambda: index.work(own, chosen, by_folders=False)

        readers = [
            choose(own, BackboneOptions(), DEFAULT).open_reader(),
            *own.measures.measuring_readers(),
        ]
        if images > KEYPOINT_LIMIT:
            readers = [one for one in readers if one.space != own.measures.keypoint_space()]
        rest = len(files) - _WARM
        listed(files[:_WARM])()
        embed_images(own, readers)
        if settings.read:
            read.work(own, read.Settings())
        if settings.detect:
            detect.work(own, detect.Settings())
        step("index", listed(files), rest)
        step("embed", lambda: embed_images(own, readers), rest)
        if settings.detect:
            step("detect", lambda: detect.work(own, detect.Settings()), rest)
        if settings.read:
            step("read", lambda: read.work(own, read.Settings()), rest)
        unreadable = own.catalog.images.count_by_state()["unreadable"]
    return measured, unreadable


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _sum(steps: list[Step]) -> Step:
    total = {
        name: _rounded(sum(getattr(step, name) for step in steps))
        for name in ("milliseconds", "core_hours", "hours_here", "hours", "disk_gb", "price")
    }
    memory = max(step.memory_gb for step in steps)
    return Step("all", all(step.measured for step in steps), memory_gb=memory, **total)


def _rounded(value: float) -> float:
    """Return a number with three digits that count."""
    if not value:
        return 0.0
    return round(value, 2 - math.floor(math.log10(abs(value))))


def _assumptions(settings: Settings, listed: int, images: int, speed: float) -> tuple[str, ...]:
    notes = [
        "every core is as fast as this machine's, and the files are read as fast as here; of a "
        "network folder or a bucket the reading may take longer than the work",
        "duplicates, learning and report are taken from docs/decisions and scaled by how fast this "
        f"machine embeds ({1 / speed:.2g} times as fast as the one there); one machine does them",
    ]
    if images != listed:
        notes.append(f"the other {images - listed:,} images are like the {listed:,} of the folder")
    if settings.price:
        notes.append(f"a core costs {settings.price:g} an hour; storage and transfer are not in it")
    return tuple(notes)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the steps as a table."""
    screen.facts(
        {
            "images": result.images,
            "gigabytes": result.gigabytes,
            "measured on": result.sample,
            "unreadable of these": result.unreadable,
            "cores": f"{result.cores_here} here, {result.cores} in all",
        }
    )
    columns = ("step", "measured", "milliseconds", "core_hours", "hours_here", "hours")
    screen.table([*result.steps, result.total], (*columns, "memory_gb", "disk_gb", "price"))


VERB = Verb(Settings, work, show, home=home, access="work")
