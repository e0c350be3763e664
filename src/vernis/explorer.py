"""``Explorer``: the verbs that show what is in a collection (``Collection.explore``)."""

from __future__ import annotations

from vernis.domain.ports import Catalog, Progress, silent


class Explorer:
    """Maps, search, clusters, topics, vocabularies, profiles, outliers.

    Parameters
    ----------
    catalog : Catalog
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: Catalog, progress: Progress = silent) -> None:
        self.catalog = catalog
        self.progress = progress
