"""The measures of embedding spaces on the labels of a taxonomy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.spaces import (
    components_for,
    explained_variance,
    mean_and_error,
    neighbour_precision,
    recommend_space,
)
from vernis.domain.errors import MissingExtra, ModelError, UsageError
from vernis.domain.ports import PictureReader
from vernis.domain.types import ImageRecord, Space
from vernis.session.vectors import assume_no, search_columns
from vernis.verbs.networks.embedding import PictureStage, PictureTask

if TYPE_CHECKING:
    from vernis.session.session import Session

KS = (1, 5, 10)
DECIDES = 5
"""The k of the precision that the recommendation goes by."""
_SHARES = (0.9, 0.95, 0.99)
_TIMED = 24


@dataclass(frozen=True, slots=True)
class Candidate:
    """A space to compare.

    ``stored`` spaces are read from the collection; the others are embedded for the comparison.
    ``reader`` is None when the backbone of a stored space is not on this machine.
    """

    name: str
    space: Space
    stored: bool
    reader: PictureReader | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The space to take."""

    space: str
    reason: str
    equally_good: Annotated[tuple[str, ...], "spaces that cannot be told from the best"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    images, left_out_as_copies : int
    rows : list of mapping
        One a space, of the same keys.
    recommendation : Recommendation
    curves : mapping
        Space → explained variance, shape (n_components,).
    """

    images: int
    left_out_as_copies: int
    rows: Sequence[Mapping[str, Any]]
    recommendation: Recommendation
    curves: Mapping[str, NDArray[np.float64]]


def compare_spaces(
    session: Session,
    taxonomy: str,
    candidates: Sequence[Candidate],
    *,
    sample: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Measure every space on the same labelled images, of duplicates one alone.

    Parameters
    ----------
    session : Session
    taxonomy : str
    candidates : sequence of Candidate
    sample : int
        Most images to compare on; drawn at random.
    seed : int

    Raises
    ------
    UsageError
        Fewer than two spaces, two of the same name, or too few labelled images.
    """
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < 2 or len(set(names)) != len(names):
        raise UsageError("name two different spaces or more to compare")
    images, Y, n_left_out = _choose_images(session, taxonomy, candidates, sample, seed)
    vectors, kept = _gather_vectors(session, candidates, images)
    images = [images[row] for row in kept]
    Y = Y[kept]
    ks = [k for k in KS if k < len(images)]
    costs = _measure_costs(session, candidates, images[:_TIMED])
    rows: list[dict[str, Any]] = []
    curves: dict[str, NDArray[np.float64]] = {}
    decisive: list[NDArray[np.float64]] = []
    for done, (candidate, X, cost) in enumerate(zip(candidates, vectors, costs, strict=True)):
        session.progress("compare", done, len(candidates), candidate.name)
        precision = neighbour_precision(X, Y, ks)
        curves[candidate.name] = explained_variance(X)
        decisive.append(precision[:, ks.index(DECIDES) if DECIDES in ks else -1])
        rows.append(_row(candidate, precision, ks, curves[candidate.name], cost))
    session.progress("compare", len(candidates), len(candidates))
    advice = _recommendation(candidates, decisive, costs, rows, ks)
    return Comparison(len(images), n_left_out, rows, advice, curves)


def _choose_images(
    session: Session, taxonomy: str, candidates: Sequence[Candidate], sample: int, seed: int
) -> tuple[list[ImageRecord], NDArray[np.float32], int]:
    matrix = session.matrix(taxonomy)
    Y, _ = assume_no(matrix)
    groups = session.duplicate_codes(matrix.image_ids)
    by_id = {image.id: image for image in session.images()}
    hashes = [by_id[int(image)].content_hash for image in matrix.image_ids]
    usable = matrix.labelled.copy()
    for candidate in candidates:
        if candidate.stored:
            missing = set(session.catalog.vectors.missing(candidate.space, hashes))
            usable &= np.array([h not in missing for h in hashes], bool)
    rows = np.flatnonzero(usable)
    _, firsts = np.unique(groups[rows], return_index=True)
    distinct = rows[np.sort(firsts)]
    if len(distinct) < 20:
        raise UsageError(
            f"taxonomy {taxonomy!r} has {len(distinct)} labelled images that differ and lie in "
            "every stored space; 20 or more are needed to compare"
        )
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(distinct, min(sample, len(distinct)), replace=False))
    images = [by_id[int(matrix.image_ids[row])] for row in chosen]
    return images, Y[chosen], len(rows) - len(distinct)


def _gather_vectors(
    session: Session, candidates: Sequence[Candidate], images: Sequence[ImageRecord]
) -> tuple[list[NDArray[np.float32]], list[int]]:
    """Return the vectors of each space, and the places of the images that have one in all."""
    fresh = [candidate for candidate in candidates if not candidate.stored]
    readers = tuple(c.reader for c in fresh if c.reader is not None)
    made: dict[int, list[NDArray[Any]]] = {}
    if readers:
        place = {image.id: row for row, image in enumerate(images)}
        tasks = [PictureTask(image, tuple(range(len(readers)))) for image in images]
        stage = PictureStage(session.files.examined_pictures(), readers)
        outcomes = session.engine().run(stage, tasks)
        for done, outcome in enumerate(outcomes, 1):
            if isinstance(outcome.error, (ModelError, MissingExtra)):
                raise outcome.error  # no fault of the picture
            if outcome.value is not None:
                made[place[outcome.item.image.id]] = outcome.value
            session.progress("embed the sample", done, len(tasks))
    kept = sorted(made) if readers else list(range(len(images)))
    if len(kept) < 20:
        raise UsageError("fewer than 20 of the pictures could be read; see: vernis status")
    hashes = [images[row].content_hash for row in kept]
    vectors = []
    for candidate in candidates:
        if candidate.stored:
            rows = session.catalog.vectors.read(candidate.space, hashes)
        else:
            rows = np.stack([made[row][fresh.index(candidate)] for row in kept])
        vectors.append(np.nan_to_num(np.asarray(rows, np.float32)))
    return vectors, kept


def _measure_costs(
    session: Session, candidates: Sequence[Candidate], images: Sequence[ImageRecord]
) -> list[float]:
    """Return the processor time of each space for one picture, without decoding, milliseconds.

    The spaces take turns on every picture, so that load from elsewhere strikes all alike; the
    median is taken.
    """
    embed: list[Callable[[Any], Any] | None] = [
        c.reader.open() if c.reader is not None else None for c in candidates
    ]
    spent: list[list[float]] = [[] for _ in candidates]
    read_picture, progress = session.files.pictures(), session.progress
    for done, image in enumerate(images):
        progress("measure the cost", done, len(images))
        pixels = read_picture(image)
        for work, times in zip(embed, spent, strict=True):
            if work is None:
                continue
            started = time.process_time()
            work(pixels)
            times.append(time.process_time() - started)
    progress("measure the cost", len(images), len(images))
    return [1000 * float(np.median(times)) if times else math.nan for times in spent]


def _row(
    candidate: Candidate,
    precision: NDArray[np.float64],
    ks: Sequence[int],
    curve: NDArray[np.float64],
    cost: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "space": candidate.name,
        "stored": candidate.stored,
        "dim": candidate.space.dim,
    }
    for place, k in enumerate(ks):
        row[f"precision@{k}"], row[f"error@{k}"] = mean_and_error(precision[:, place])
    for share in _SHARES:
        row[f"components_{share:.0%}".rstrip("%")] = components_for(curve, share)
    row["ms_per_image"] = round(cost, 2) if math.isfinite(cost) else None
    columns = search_columns(candidate.space)
    width = len(range(*columns.indices(candidate.space.dim)))
    if width < candidate.space.dim:
        row["note"] = f"all {candidate.space.dim} columns; search reads {width} (pooled)"
    return row


def _recommendation(
    candidates: Sequence[Candidate],
    precision: Sequence[NDArray[np.float64]],
    costs: Sequence[float],
    rows: Sequence[Mapping[str, Any]],
    ks: Sequence[int],
) -> Recommendation:
    k = DECIDES if DECIDES in ks else ks[-1]
    advice = recommend_space(precision, costs, [c.space.dim for c in candidates])
    chosen, best = rows[advice.chosen], rows[advice.best]
    score = f"precision@{k}"
    if advice.chosen == advice.best:
        others = [rows[i]["space"] for i in advice.equals if i != advice.best]
        reason = f"highest {score}, {best[score]:.3f} ± {best[f'error@{k}']:.3f}"
        if others:
            reason += f"; {', '.join(others)} cannot be told from it, at no less cost"
    else:
        reason = (
            f"{score} {chosen[score]:.3f} cannot be told from the highest, {best[score]:.3f} of "
            f"{best['space']}, and it costs less ({_cost(chosen)} against {_cost(best)})"
        )
    equals = [rows[i]["space"] for i in advice.equals]
    return Recommendation(chosen["space"], reason, tuple(equals))


def _cost(row: Mapping[str, Any]) -> str:
    ms = row["ms_per_image"]
    return f"{row['dim']} dimensions" + (f", {ms:.1f} ms" if ms is not None else "")
