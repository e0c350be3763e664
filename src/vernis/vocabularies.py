"""``Vocabularies``: pruning, merging and profiling taxonomies (``Explorer.vocabularies``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vernis.domain.ports import Catalog, Progress, silent


class Vocabularies:
    """What to keep of a long-tailed taxonomy, what to merge, and what it tells of the images.

    Parameters
    ----------
    catalog : Catalog
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: Catalog, progress: Progress = silent) -> None:
        self.catalog = catalog
        self.progress = progress

    def study(
        self, taxonomy: str, *, plot: Path | str | None = None, **choice: Any
    ) -> dict[str, Any]:
        """Study the long tail of a taxonomy; see docs/json.md.

        Parameters
        ----------
        taxonomy : str
        plot : path, optional
            Where to draw it.
        **choice
            Of ``core.words.vocabulary.VocabularyChoice``: min_count, keep, only, drop.
        """
        from vernis.workflows.explore.vocabulary import describe_vocabulary

        return describe_vocabulary(self.catalog, taxonomy, plot=plot, **choice)

    def prune(self, taxonomy: str, *, into: str = "", **choice: Any) -> dict[str, Any]:
        """Write the labels that a choice keeps as a new taxonomy, as one batch."""
        from vernis.workflows.explore.vocabulary import choice_of, prune_vocabulary

        chosen = choice_of(self.catalog, taxonomy, **choice)
        return prune_vocabulary(self.catalog, taxonomy, chosen, into=into)

    def merges(
        self, taxonomy: str, *, min_score: float = 0.5, languages: Sequence[str] = ("en",)
    ) -> dict[str, Any]:
        """Propose labels that mean the same to be merged; see docs/json.md."""
        from vernis.assembly.job import embedding_space
        from vernis.workflows.explore.merges import merge_document

        space = embedding_space(self.catalog) if self.catalog.runs.summary("embed") else None
        return merge_document(
            self.catalog, taxonomy, space, languages=languages, min_score=min_score
        )

    def merge(
        self,
        taxonomy: str,
        merges: Sequence[tuple[str, str]] = (),
        *,
        everything_from: float | None = None,
        languages: Sequence[str] = ("en",),
    ) -> dict[str, Any]:
        """Merge labels, as one batch: those named, and all proposed from a score on."""
        from vernis.workflows.explore.merges import accept_merges

        pairs = list(merges)
        if everything_from is not None:
            found = self.merges(taxonomy, min_score=everything_from, languages=languages)
            named = {label for label, _ in pairs}
            pairs += [
                (row["label"], row["into"]) for row in found["merges"] if row["label"] not in named
            ]
        return accept_merges(self.catalog, taxonomy, pairs)

    def dismiss(
        self,
        taxonomy: str,
        pairs: Sequence[tuple[str, str]] = (),
        *,
        reopen: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Note that labels are different things (or not, after all); returns how many pairs."""
        from vernis.workflows.explore.merges import dismiss_merges

        return dismiss_merges(self.catalog, taxonomy, pairs, reopen=reopen)

    # ------------------------------------------------------------------ profiles

    def profile(
        self,
        taxonomy: str,
        *,
        by: Sequence[str] = (),
        only: str = "",
        out: Path | str | None = None,
    ) -> dict[str, Any]:
        """Return what is special to each class; see ``workflows.explore.profile``."""
        from vernis.workflows.explore.profile import profile_taxonomy

        folder = None if out is None else Path(out)
        return profile_taxonomy(self.catalog, taxonomy, by=by, only=only, out=folder)

    def flows(
        self,
        taxonomy: str,
        to: str,
        *,
        min_flow: int = 5,
        max_nodes: int = 30,
        out: Path | str | None = None,
    ) -> dict[str, Any]:
        """Return the flows between two taxonomies; see ``workflows.explore.flows``."""
        from vernis.workflows.explore.flows import trace_flows

        folder = None if out is None else Path(out)
        return trace_flows(
            self.catalog, taxonomy, to, min_flow=min_flow, max_nodes=max_nodes, out=folder
        )
