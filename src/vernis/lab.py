"""``Lab``: the verbs that try methods on a collection (``Collection.lab``)."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from vernis.domain.ports import Catalog, Progress, silent


class Lab:
    """Compares models, settings, noise and scorers on the user's own labels.

    Parameters
    ----------
    catalog : Catalog
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: Catalog, progress: Progress = silent) -> None:
        self.catalog = catalog
        self.progress = progress

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
