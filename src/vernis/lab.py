"""``Lab``: the verbs that try methods on a collection (``Collection.lab``).

Every study writes one folder (``vernis.report.lab.run_folder``) and can be run again from it.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Space

STUDIES: tuple[str, ...] = ("models", "components", "thresholds", "spaces", "noise", "errors")
"""Methods of ``Lab`` that write a run folder."""


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
        from vernis.workflows.lab.models import compare_models

        settings = {
            "models": list(models) if models else None,
            "folds": folds,
            "sample": sample,
            "components": components,
            "features": features,
            "one_label": one_label,
            "seed": seed,
        }
        return self._study(compare_models, taxonomy, settings, out, expected_data)

    def components(
        self,
        taxonomy: str,
        *,
        components: Sequence[int] | None = None,
        models: Sequence[str] | None = None,
        folds: int = 3,
        sample: int = 1500,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Measure models on a growing number of principal components (0 = all columns)."""
        from vernis.workflows.lab import sweeps

        settings = {
            "components": list(components or sweeps.COMPONENTS),
            "models": list(models or sweeps.SWEEP_MODELS),
            "folds": folds,
            "sample": sample,
            "seed": seed,
        }
        return self._study(sweeps.sweep_components, taxonomy, settings, out, expected_data)

    def thresholds(
        self,
        taxonomy: str,
        *,
        model: str | None = None,
        components: int = 100,
        folds: int = 5,
        sample: int = 5000,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Measure F1, F2, precision and recall at every threshold, by class and overall.

        Of the head that `Collection.learn` trains, unless a model is named.
        """
        from vernis.workflows.lab.thresholds import sweep_thresholds
        from vernis.workflows.learn import DEFAULT_MODEL

        settings = {
            "model": model or DEFAULT_MODEL,
            "components": components,
            "folds": folds,
            "sample": sample,
            "seed": seed,
        }
        return self._study(sweep_thresholds, taxonomy, settings, out, expected_data)

    def spaces(
        self,
        taxonomy: str,
        *,
        spaces: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        components: int = 100,
        folds: int = 3,
        sample: int = 1500,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Measure models on embedding spaces (default: the current one) and on each layer."""
        from vernis.assembly.job import embedding_space
        from vernis.workflows.lab import sweeps

        named: Sequence[str | None] = spaces or [None]
        chosen = [embedding_space(self.catalog, name) for name in named]
        settings = {
            "spaces": [space.name for space in chosen],
            "models": list(models or sweeps.SWEEP_MODELS),
            "components": components,
            "folds": folds,
            "sample": sample,
            "seed": seed,
        }
        return self._study(sweeps.sweep_spaces, taxonomy, settings, out, expected_data, on=chosen)

    def noise(
        self,
        taxonomy: str,
        *,
        kinds: Sequence[str] | None = None,
        rates: Sequence[float] | None = None,
        models: Sequence[str] | None = None,
        seeds: int = 3,
        components: int = 100,
        sample: int = 2000,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Train models on labels made wrong, score them on labels left alone.

        Parameters
        ----------
        taxonomy : str
            Taken as clean.
        kinds : sequence of str, optional
            ``uniform``, ``pairs``, ``confusion``, ``features``, ``missing``; of a multi-label
            taxonomy ``uniform``, ``missing``, ``added``, ``unknown``. Default all.
        rates : sequence of float, optional
            Default 0 to 0.5 in steps of 0.1.
        models, components, sample, out, expected_data
            As in ``models``.
        seeds : int
            How many, counted from ``seed``.
        seed : int
        """
        from vernis.workflows.lab.noise import RATES, study_noise

        settings = {
            "kinds": list(kinds) if kinds else None,
            "rates": list(rates or RATES),
            "models": list(models) if models else None,
            "seeds": seeds,
            "components": components,
            "sample": sample,
            "seed": seed,
        }
        return self._study(study_noise, taxonomy, settings, out, expected_data)

    def errors(
        self,
        taxonomy: str,
        *,
        against: str | None = None,
        kinds: Sequence[str] | None = None,
        rates: Sequence[float] | None = None,
        models: Sequence[str] | None = None,
        seeds: int = 3,
        components: int = 300,
        sample: int = 2000,
        seed: int = 0,
        out: Path | str | None = None,
        expected_data: str = "",
    ) -> dict[str, Any]:
        """Measure how well every model × scorer finds wrong labels that are known.

        Parameters
        ----------
        taxonomy : str
            Taken as the truth.
        against : str, optional
            A taxonomy of the same images whose labels are judged; default labels of ``taxonomy``
            that noise made wrong.
        kinds : sequence of str, optional
            As in ``noise``, without those that only make labels unknown; default ``uniform``.
        rates : sequence of float, optional
            Default 0.1.
        models : sequence of str, optional
            ``kernel`` (as ``vernis issues``), ``bagged_mlp`` (out of bag), ``ensemble`` (the same,
            all estimators), ``knn``, ``simifeat``, ``selfclean``, and other models by name, which
            are trained on folds. Several joined by ``+`` are judged as one (cleanlab's ensemble).
            Default these, ``logistic`` and ``logistic+knn``.
        seeds, sample, seed, out, expected_data
            As in ``noise``.
        components : int
            Principal components that all methods get.

        Returns
        -------
        dict
            ``folder``, ``rows`` (the best scorer of each model, and Vernis's default), ``notes``.
        """
        from vernis.workflows.lab.errors import RATES, study_errors

        settings = {
            "against": against,
            "kinds": list(kinds) if kinds else None,
            "rates": list(rates or RATES),
            "models": list(models) if models else None,
            "seeds": seeds,
            "components": components,
            "sample": sample,
            "seed": seed,
        }
        return self._study(study_errors, taxonomy, settings, out, expected_data)

    # ------------------------------------------------------------------ runs

    def _study(
        self,
        study: Callable[..., dict[str, Any]],
        taxonomy: str,
        settings: dict[str, Any],
        out: Path | str | None,
        expected_data: str,
        *,
        on: Space | Sequence[Space] | None = None,
    ) -> dict[str, Any]:
        """Run a study on spaces (default: the current one) into its folder."""
        from vernis.assembly.job import embedding_space

        return study(
            self.catalog,
            taxonomy,
            embedding_space(self.catalog) if on is None else on,
            settings,
            out=out,
            expected_data=expected_data,
            progress=self.progress,
        )

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
        from vernis.workflows.lab.compare import note_repeat
        from vernis.workflows.lab.standalone import check_arguments, place_of_rerun

        run = read_run(folder)
        if run["study"] not in STUDIES:
            raise UsageError(f"{folder}: this version of Vernis has no study '{run['study']}'")
        study = getattr(self, run["study"])
        check_arguments(folder, run, study)
        expected = "" if other_data else str(run["data"].get("fingerprint", ""))
        place = place_of_rerun(folder, run, out)
        outcome = dict(study(**run["arguments"], out=place, expected_data=expected))
        repeated = note_repeat(folder, run, outcome)
        return {**outcome, "notes": [*outcome["notes"], *filter(None, [repeated])]}

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
        from vernis.assembly.job import draw_sample_folder

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
            The judgements; default ``truth.csv`` in the folder, else its ``sample.csv``. A row
            that does not fit is left out, and ``notes`` says so.
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
        document = truth_folder.read_sample(place)
        sample = sample_from(document)
        judged = truth_folder.read_judgement(place, Path(file) if file else None, document, NOTHING)
        result = record_truth(self.catalog, sample, judged.labels, who=who or getpass.getuser())
        result["notes"] = [*judged.notes, *result["notes"]]
        truth_folder.write_json(place / truth_folder.RESULT, result)
        return result
