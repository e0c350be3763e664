"""``Explorer``: the verbs that show what is in a collection (``Collection.explore``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.ports import Catalog, Progress, silent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vernis.adapters.contact_sheet import Theme
    from vernis.core.explore.search import Rule
    from vernis.workflows.explore.search import Searcher


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

    # ------------------------------------------------------------------ search

    def select(self, where: str) -> NDArray[np.int64]:
        """Return the ids of the images that a filter holds for; see docs/guide/search.md."""
        from vernis.workflows.explore.filters import select_images

        return select_images(self.catalog, where)

    def searcher(self, space: str | None = None) -> Searcher:
        """Load the vectors of a space once, to ask often; see ``workflows.explore.search``."""
        from vernis.assembly import embedding_space
        from vernis.workflows.explore.search import Searcher

        return Searcher(self.catalog, embedding_space(self.catalog, space))

    def search(
        self,
        words: str = "",
        *,
        images: Sequence[Path | str] = (),
        not_images: Sequence[Path | str] = (),
        regions: Sequence[str] = (),
        where: str = "",
        rule: Rule = "all",
        each: bool = False,
        text_model: Path | str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Search by pictures, regions, words and a filter; see ``retrieval`` for all options.

        Returns
        -------
        dict
            As docs/json.md describes it for ``vernis search``.
        """
        from vernis.core.explore.regions import Region
        from vernis.retrieval import Question, search

        question = Question(
            words,
            tuple(map(str, images)),
            tuple(map(str, not_images)),
            tuple(map(Region.parse, regions)),
            rule,
            each,
            where,
        )
        if text_model is not None:
            from vernis.adapters.text_tower import open_text_encoder

            options["text_encoder"] = open_text_encoder(text_model)
        return search(self.catalog, question, progress=self.progress, **options)

    def search_sheet(
        self, document: Mapping[str, Any], path: Path | str, *, theme: Theme = "light"
    ) -> Path:
        """Draw the answer of ``search`` as a contact sheet."""
        from vernis.search_sheet import write_sheet

        return write_sheet(self.catalog, document, path, theme=theme)
