"""``vernis demo``: draw a collection with planted faults, do the job on it, score the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vernis.collection import Collection
from vernis.domain.ports import Progress, silent
from vernis.pipeline import RunOptions, run


def run_demo(
    folder: Path, *, seed: int = 0, workers: int | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Draw a small collection with planted faults, do the job on it and score the result.

    Parameters
    ----------
    folder : Path
        Where to draw; made when it is not there, an earlier demo in it is drawn anew.
    seed : int
    workers : int or None
    progress : Progress

    Returns
    -------
    dict
        As ``run``, and ``score`` (rows of planted against found), ``score_notes``.
    """
    from vernis.adapters.demo import generate_demo
    from vernis.workflows.demo import score_demo

    truth = generate_demo(folder, seed=seed, progress=progress)
    place = folder / "demo.vernis"
    opened = Collection.open(place) if place.exists() else Collection.create(place)
    with opened as collection:
        collection.progress = progress
        options = RunOptions(
            labels=truth.labels_csv,
            # So few labels, some of them wrong, cannot carry a higher promise.
            fill_precision=0.9,
            workers=workers,
            seed=seed,
            report=folder / "report",
        )
        summary = run(collection, Path(truth.pictures), options)
        score = score_demo(collection.catalog, truth)
    return summary | {"score": score.rows, "score_notes": list(score.notes)}
