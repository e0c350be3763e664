"""``Lab``: the verbs that try methods on a collection (``Collection.lab``)."""

from __future__ import annotations

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
