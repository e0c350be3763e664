"""``Lab``: the verbs that try methods on a collection (``Collection.lab``).

Every study writes one folder (``vernis.report.lab.run_folder``) and can be run again from it.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog, Progress, silent

STUDIES: tuple[str, ...] = ("models",)
"""Methods of ``Lab`` that write a run folder."""

WITHOUT_COLLECTION = ("toy",)
"""Studies that draw their own data."""


class Lab:
    """Compares models, settings, noise and scorers on the user's own labels.

    A method named as a study takes that study's settings as keywords, and ``out`` (the folder of
    the run); it returns ``folder``, ``rows`` and ``notes``. ``rerun`` relies on it.

    Parameters
    ----------
    catalog : Catalog
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: Catalog, progress: Progress = silent) -> None:
        self.catalog = catalog
        self.progress = progress

    # ------------------------------------------------------------------ models and settings

    def models(
        self,
        taxonomy: str,
        *,
        models: Sequence[str] | None = None,
        folds: int = 5,
        sample: int = 2000,
        components: int = 100,
        features: str = "embedding",
        one_label: bool = False,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Hold the models against one another on the same vectors, folds and threshold rule.

        Parameters
        ----------
        taxonomy : str
        models : sequence of str, optional
            Names; default all that are installed, and their stacking.
        folds : int
        sample : int
            Labelled images at most, 0 for all.
        components : int
            Principal components, 0 for all columns.
        features : {'embedding', 'tfidf', 'both'}
            What the models see: the vectors, the words known of each image, or both.
        one_label : bool
            Train a multi-label taxonomy on one label an image; test on all.
        seed : int
        out : path, optional
            The run's folder.
        expected_data : str
            The data's fingerprint, when they must be those of an earlier run.

        Returns
        -------
        dict
            ``folder``, ``rows``, ``notes``, ``winner``.
        """
        from vernis.assembly import embedding_space
        from vernis.workflows.lab.models import compare_models

        return compare_models(
            self.catalog,
            taxonomy,
            embedding_space(self.catalog),
            {
                "models": list(models) if models else None,
                "folds": folds,
                "sample": sample,
                "components": components,
                "features": features,
                "one_label": one_label,
                "seed": seed,
            },
            out=out,
            expected_data=expected_data,
            progress=self.progress,
        )

    # ------------------------------------------------------------------ runs

    def rerun(
        self, folder: Path | str, *, out: Path | str | None = None, other_data: bool = False
    ) -> dict[str, Any]:
        """Run the study of a folder again, with its settings, into another folder.

        Parameters
        ----------
        folder : Path or str
            Of a run. One that was stopped is finished in place.
        out : Path or str, optional
            Default: ``FOLDER-again``.
        other_data : bool
            Run even though the collection's data are not those of the run.

        Raises
        ------
        UsageError
            The folder holds no run, or its data differ from the collection's.
        """
        from vernis.report.lab.run_folder import read_run

        run = read_run(folder)
        if run["study"] not in STUDIES:
            raise UsageError(f"{folder}: this version of Vernis has no study '{run['study']}'")
        study = getattr(self, run["study"])
        expected = "" if other_data else str(run["data"].get("fingerprint", ""))
        return dict(study(**run["arguments"], out=_place(folder, run, out), expected_data=expected))

    # ------------------------------------------------------------------ a judged sample

    def sample(
        self, taxonomy: str, *, size: int = 300, out: Path | str | None = None, seed: int = 0
    ) -> dict[str, Any]:
        """Draw a random sample for a person to judge; see ``workflows.lab.sample``.

        Returns
        -------
        dict
            ``images`` (how many), ``page`` and ``sheet`` (paths), ``folder``.
        """
        from vernis.assembly import draw_sample_folder

        folder = Path(out) if out is not None else Path(f"sample-{taxonomy}")
        return draw_sample_folder(self.catalog, taxonomy, size, folder, seed, self.progress)

    def truth(
        self, folder: Path | str, *, file: Path | str | None = None, who: str = ""
    ) -> dict[str, Any]:
        """Record what a person found in a sample, and compare the labels with it.

        Parameters
        ----------
        folder : path
            Of the sample.
        file : path, optional
            The judgements; default ``truth.csv`` in the folder, else its ``sample.csv``.
        who : str
            The person; default the login name.

        Returns
        -------
        dict
            As ``workflows.lab.sample.record_truth``; it is also written into the folder.
        """
        from vernis.adapters.interchange import truth_folder
        from vernis.workflows.lab.sample import NOTHING, record_truth, sample_from

        place = Path(folder)
        sample = sample_from(truth_folder.read_sample(place))
        judged = truth_folder.read_judgement(place, Path(file) if file else None, NOTHING)
        result = record_truth(self.catalog, sample, judged, who=who or getpass.getuser())
        truth_folder.write_json(place / truth_folder.RESULT, result)
        return result


def _place(folder: Path | str, run: dict[str, Any], out: Path | str | None) -> Path:
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
    from vernis.report.lab.run_folder import read_run

    raise UsageError(f"{folder}: this version of Vernis has no study '{read_run(folder)['study']}'")


def compare_runs(first: Path | str, second: Path | str) -> dict[str, Any]:
    """Return the differences between two runs; see ``workflows.lab.compare``."""
    from vernis.workflows.lab import compare

    return compare.compare_runs(first, second)
