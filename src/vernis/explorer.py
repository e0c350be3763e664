"""``Explorer``: the verbs that show what is in a collection (``Collection.explore``)."""

from __future__ import annotations

from typing import Any

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

    # ------------------------------------------------------------------ embedding spaces

    def spaces(self) -> list[dict[str, Any]]:
        """Return the embedding spaces that live side by side; see docs/json.md."""
        from vernis.assembly import MEASURES, embedding_space
        from vernis.workflows.explore.spaces import space_rows

        if self.catalog.runs.summary("embed") is None:
            return []
        return space_rows(self.catalog, embedding_space(self.catalog).name, MEASURES)

    def use_space(self, name: str) -> None:
        """Make a space the one that heads, searches and maps read unless told otherwise."""
        from vernis.assembly import use_space

        use_space(self.catalog, name)
