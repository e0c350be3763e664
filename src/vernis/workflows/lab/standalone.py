"""Studies that draw their own data and so need no collection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Progress, silent
from vernis.report.lab.run_folder import read_run
from vernis.workflows.lab.compare import note_repeat

WITHOUT_COLLECTION = ("toy",)
"""Their names."""


def place_of_rerun(folder: Path | str, run: dict[str, Any], out: Path | str | None) -> Path:
    """Return where a run is repeated: a stopped one in place, a finished one beside itself."""
    if out is not None:
        return Path(out)
    folder = Path(folder)
    return folder.with_name(f"{folder.name}-again") if run["finished"] else folder


def rerun_without_collection(
    folder: Path | str,
    *,
    out: Path | str | None = None,
    other_data: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run a study that draws its own data again from its folder; see ``Lab.rerun``."""
    run = read_run(folder)
    check_arguments(folder, run, toy)
    outcome = toy(**run["arguments"], out=place_of_rerun(folder, run, out), progress=progress)
    return {
        **outcome,
        "notes": [*outcome["notes"], *filter(None, [note_repeat(folder, run, outcome)])],
    }


def check_arguments(folder: Path | str, run: dict[str, Any], study: Callable[..., Any]) -> None:
    """Raise UsageError when a study does not take the arguments of a run."""
    signature = inspect.signature(study)
    try:
        signature.bind(**run["arguments"])
    except TypeError as error:
        raise UsageError(f"{folder}: this version of Vernis cannot repeat it ({error})") from error
    for name, value in run["arguments"].items():
        default = signature.parameters[name].default
        expected = (int, float) if isinstance(default, float) else type(default)
        if isinstance(default, int | float | str) and not isinstance(value, expected):
            raise UsageError(
                f"{folder}/run.json: damaged ({name} is {value!r}, expected one like {default!r}); "
                "run the study again"
            )


def toy(
    *,
    models: Sequence[str] | None = None,
    seeds: int = 5,
    points: int = 300,
    permuted: float = 0.3,
    seed: int = 0,
    out: Path | str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train every model on three shapes in the plane with permuted labels; needs no collection.

    Parameters
    ----------
    models : sequence of str, optional
        Default all.
    seeds : int
        How many, counted from ``seed``; the figure shows the first.
    points : int
        Of each training set.
    permuted : float
        Share of the training labels that are permuted, in 0..1.
    seed : int
    out : path, optional
    progress : Progress
    """
    # scikit-learn takes a second to import: only the study pays for it
    from vernis.workflows.lab.toy import study_toys

    arguments = {
        "models": list(models) if models else None,
        "seeds": seeds,
        "points": points,
        "permuted": permuted,
        "seed": seed,
    }
    return study_toys(arguments, out=out, progress=progress)
