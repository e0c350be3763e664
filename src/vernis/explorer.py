"""``Explorer``: the verbs that show what is in a collection (``Collection.explore``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.ports import Catalog, Progress, silent
from vernis.domain.types import Verdict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from vernis.adapters.contact_sheet import Theme
    from vernis.core.explore.search import Rule
    from vernis.vocabularies import Vocabularies
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
        from vernis.assembly.job import MEASURES, embedding_space
        from vernis.workflows.explore.spaces import space_rows

        if self.catalog.runs.summary("embed") is None:
            return []
        return space_rows(self.catalog, embedding_space(self.catalog).name, MEASURES)

    def use_space(self, name: str) -> None:
        """Make a space the one that heads, searches and maps read unless told otherwise."""
        from vernis.assembly.job import use_space

        use_space(self.catalog, name)

    def compare_spaces(self, names: Sequence[str], taxonomy: str, **options: Any) -> dict[str, Any]:
        """Compare spaces on the labels of a taxonomy; see ``vision.compare_spaces``."""
        from vernis.assembly.vision import compare_spaces

        return compare_spaces(self.catalog, names, taxonomy, progress=self.progress, **options)

    def feature_maps(self, image: str, layer: str = "all", **options: Any) -> dict[str, Any]:
        """Show what the channels of a network see in a picture; see ``vision.feature_maps``."""
        from vernis.assembly.vision import feature_maps

        return feature_maps(self.catalog, image, layer=layer, progress=self.progress, **options)

    # ------------------------------------------------------------------ search

    def select(self, where: str) -> NDArray[np.int64]:
        """Return the ids of the images that a filter holds for; see docs/guide/search.md."""
        from vernis.workflows.explore.filters import select_images

        return select_images(self.catalog, where)

    def searcher(self, space: str | None = None) -> Searcher:
        """Load the vectors of a space once, to ask often; see ``workflows.explore.search``."""
        from vernis.assembly.job import embedding_space
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
        """Search by pictures, regions, words and a filter; see ``assembly.search`` for all options.

        Returns
        -------
        dict
            As docs/json.md describes it for ``vernis search``.
        """
        from vernis.assembly.search import Question, search
        from vernis.core.explore.regions import Region

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
        from vernis.assembly.search_sheet import write_sheet

        return write_sheet(self.catalog, document, path, theme=theme)

    # ------------------------------------------------------------------ clusters

    def clusters(
        self,
        *,
        space: str | None = None,
        taxonomies: Sequence[str] = (),
        fresh: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        """Find clusters, or read those of the same images and settings; see docs/json.md.

        Parameters
        ----------
        space : str, optional
            The embedding space; default the current one.
        taxonomies : sequence of str
            Whose labels name the clusters; default all.
        fresh : bool
            Start anew, and forget the numbers and names that are stored.
        **settings
            Of ``workflows.explore.clusters.ClusterSettings``.
        """
        from vernis.assembly.job import embedding_space
        from vernis.workflows.explore.cluster_store import clustering_document
        from vernis.workflows.explore.clusters import ClusterSettings, find_clusters
        from vernis.workflows.listing import uris_by_id

        found = find_clusters(
            self.catalog,
            embedding_space(self.catalog, space),
            ClusterSettings(**settings),
            taxonomies=taxonomies,
            fresh=fresh,
            progress=self.progress,
        )
        return clustering_document(found, uris_by_id(self.catalog))

    def draw_clusters(
        self, *, sheet: Path | str | None = None, figure: Path | str | None = None
    ) -> list[Path]:
        """Draw the stored clusters as a contact sheet, and the silhouette over k as a figure."""
        from vernis.assembly.cluster_sheet import write_cluster_sheet, write_silhouette_figure
        from vernis.workflows.explore.cluster_decisions import stored_clusters

        stored = stored_clusters(self.catalog)
        written = []
        if sheet is not None:
            written.append(write_cluster_sheet(self.catalog, stored, sheet, progress=self.progress))
        if figure is not None:
            written.append(write_silhouette_figure(stored, figure))
        return written

    def name_clusters(self, names: Mapping[int, str]) -> dict[str, Any]:
        """Give stored clusters names, which they keep; returns them as ``clusters`` does."""
        from vernis.workflows.explore.cluster_decisions import name_clusters
        from vernis.workflows.explore.cluster_store import clustering_document
        from vernis.workflows.listing import uris_by_id

        return clustering_document(name_clusters(self.catalog, names), uris_by_id(self.catalog))

    def accept_clusters(
        self, classes: Mapping[str, Sequence[int]], *, into: str = "clusters"
    ) -> dict[str, Any]:
        """Make classes of stored clusters, as one batch that ``undo`` takes back."""
        from dataclasses import asdict

        from vernis.workflows.explore.cluster_decisions import accept_clusters

        return asdict(accept_clusters(self.catalog, classes, into=into))

    # ------------------------------------------------------------------ maps

    def map(
        self,
        *,
        name: str = "",
        space: str | None = None,
        color: str | None = None,
        out: Path | str = "map",
        fresh: bool = False,
        workers: int | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Make a map, or place new pictures into the one that is there, and draw it.

        See ``workflows.explore.map.MapSettings`` for the settings, docs/json.md for what returns.
        """
        from vernis.assembly import maps

        record, document = maps.make_map(self.catalog, space, name, fresh, settings, self.progress)
        drawn = maps.draw_map(self.catalog, record, Path(out), color, workers, self.progress)
        return {**document, **drawn}

    def map_grid(
        self,
        grid: Sequence[str],
        *,
        space: str | None = None,
        color: str | None = None,
        out: Path | str = "map",
        fresh: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        """Make a map for each combination of parameters, and draw them side by side.

        Parameters
        ----------
        grid : sequence of str
            ``perplexity=10,30``, ``iterations=200,500``; of UMAP ``neighbors`` and ``min_dist``.
        """
        from vernis.assembly import maps

        records, axes = maps.make_grid(self.catalog, space, grid, fresh, settings, self.progress)
        drawn = maps.draw_grid(self.catalog, records, axes, Path(out), color)
        rows = [maps.map_row(record) for record in records]
        return {"parameters": list(axes), "maps": rows, **drawn}

    def maps(self) -> list[dict[str, Any]]:
        """Return the maps of the collection, the newest first."""
        from vernis.assembly import maps

        return [maps.map_row(record) for record in self.catalog.maps.records()]

    def map_points(self, name: str) -> pd.DataFrame:
        """Return one row an image: ``x``, ``y`` and whether it was ``placed`` later."""
        from vernis.adapters.frames import rows_frame

        points = self.catalog.maps.points(name)
        row_of = {content: row for row, content in enumerate(points.hashes)}
        rows = []
        for image in self.catalog.images.all():
            row = row_of.get(image.content_hash)
            if row is not None:
                x, y = points.places[row].tolist()
                placed = bool(points.placed[row])
                rows.append({"image": image.uri, "x": x, "y": y, "placed": placed})
        return rows_frame(rows)

    def remove_map(self, name: str) -> None:
        """Remove a map; raises NotFound."""
        with self.catalog.lock("maps"):
            self.catalog.maps.remove(name)

    # ------------------------------------------------------------------ vocabularies

    @property
    def vocabularies(self) -> Vocabularies:
        """Long-tailed taxonomies: what to keep of them, what to merge, what they tell."""
        from vernis.vocabularies import Vocabularies

        return Vocabularies(self.catalog, self.progress)

    # ------------------------------------------------------------------ outliers and leakage

    def outliers(
        self, taxonomy: str = "", *, space: str | None = None, everything: bool = False
    ) -> dict[str, Any]:
        """Find images far from everything, or with a taxonomy far from their class.

        Parameters
        ----------
        taxonomy : str
        space : str, optional
            The embedding space; default the current one.
        everything : bool
            All scores; else the flagged images that nobody dismissed.

        Returns
        -------
        dict
            See docs/json.md.
        """
        from dataclasses import asdict

        from vernis.assembly.job import embedding_space
        from vernis.workflows.explore.outliers import KIND, find_outliers
        from vernis.workflows.listing import uris_by_id

        space_ = embedding_space(self.catalog, space)
        summary = find_outliers(self.catalog, space_, taxonomy, progress=self.progress)
        verdicts: tuple[Verdict, ...] | None = None if everything else ("open", "accepted")
        found = self.catalog.issues.select(
            (KIND,), taxonomy, flagged_only=not everything, verdicts=verdicts
        )
        uris = uris_by_id(self.catalog)
        rows = [
            {
                "image": uris[issue.image_id],
                "score": issue.score,
                "label": issue.label,
                "distance": issue.evidence.get("distance"),
                "verdict": issue.verdict,
                "flagged": issue.flagged,
            }
            for issue in found
        ]
        return {"summary": asdict(summary), "outliers": rows}

    def draw_outliers(self, document: Mapping[str, Any], path: Path | str) -> Path:
        """Draw the worst rows of ``outliers`` as a contact sheet."""
        from vernis.assembly.cluster_sheet import write_outlier_sheet

        return write_outlier_sheet(self.catalog, document["outliers"], path)

    def leakage(
        self, *, similarity: float | None = None, space: str | None = None
    ) -> dict[str, Any]:
        """List what is repeated across splits; see docs/json.md.

        Parameters
        ----------
        similarity : float, optional
            Also pairs of at least this cosine, which need not be duplicates.
        space : str, optional
            In which it is measured; default the current one.
        """
        from vernis.assembly.job import embedding_space, find_duplicates
        from vernis.workflows.explore.leakage import find_leakage, leakage_document

        if self.catalog.runs.summary("duplicate-search") is None:
            find_duplicates(self.catalog, self.progress)
        space_ = embedding_space(self.catalog, space) if similarity is not None else None
        return leakage_document(find_leakage(self.catalog, space=space_, similarity=similarity))

    def draw_leakage(self, document: Mapping[str, Any], path: Path | str) -> Path:
        """Draw the pairs of ``leakage`` as a contact sheet, side by side."""
        from vernis.assembly.cluster_sheet import write_pair_sheet

        return write_pair_sheet(self.catalog, document["pairs"], path)

    # ------------------------------------------------------------------ topics

    def topics(self, taxonomy: str, *, fresh: bool = False, **settings: Any) -> dict[str, Any]:
        """Find topics in the label lists of a taxonomy; see docs/json.md.

        Parameters
        ----------
        taxonomy : str
        fresh : bool
            Forget the stored numbers and names.
        **settings
            Of ``workflows.explore.topics.TopicSettings``.
        """
        from vernis.workflows.explore.topics import TopicSettings, find_topics, topics_document
        from vernis.workflows.listing import uris_by_id

        asked = TopicSettings(**settings)
        document = find_topics(self.catalog, taxonomy, asked, fresh=fresh, progress=self.progress)
        return topics_document(document, uris_by_id(self.catalog))

    def name_topics(self, taxonomy: str, names: Mapping[int, str]) -> dict[str, Any]:
        """Give stored topics names, which they keep; returns them as ``topics`` does."""
        from vernis.workflows.explore.topics import name_topics, topics_document
        from vernis.workflows.listing import uris_by_id

        named = name_topics(self.catalog, taxonomy, names)
        return topics_document(named, uris_by_id(self.catalog))

    def accept_topics(
        self, taxonomy: str, numbers: Sequence[int] = (), *, into: str = ""
    ) -> dict[str, Any]:
        """Make classes of stored topics (default: all), as one batch that ``undo`` takes back."""
        from dataclasses import asdict

        from vernis.workflows.explore.topics import accept_topics

        return asdict(accept_topics(self.catalog, taxonomy, numbers, into=into))
