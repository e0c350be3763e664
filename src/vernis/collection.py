"""``Collection``: the façade over one ``NAME.vernis`` folder.

The only place that joins workflows and adapters. Everything heavy is imported inside the methods,
so that ``import vernis`` stays light.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection as Names
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vernis.assembly import job
from vernis.assembly.job import find_collection
from vernis.domain.ports import Progress, silent
from vernis.domain.types import IMAGE_STATES, QUALITY_KINDS
from vernis.workflows import listing

if TYPE_CHECKING:
    import pandas as pd

    from vernis.adapters.catalog.catalog import SqliteCatalog
    from vernis.explorer import Explorer
    from vernis.lab import Lab

__all__ = ["Collection", "find_collection"]


class Collection:
    """One set of images and everything known about it.

    Use ``Collection.open`` or ``Collection.create``, in a ``with`` block or with ``close``.

    Parameters
    ----------
    catalog : SqliteCatalog
    progress : Progress
        Receives the progress of long work.
    """

    def __init__(self, catalog: SqliteCatalog, *, progress: Progress = silent) -> None:
        self.catalog = catalog
        self.progress = progress

    @classmethod
    def create(cls, folder: Path | str) -> Self:
        """Make an empty collection; raises CatalogError when the folder holds something."""
        from vernis.adapters.catalog.catalog import SqliteCatalog

        return cls(SqliteCatalog.create(Path(folder)))

    @classmethod
    def open(cls, folder: Path | str | None = None, *, read_only: bool = False) -> Self:
        """Open a collection (default: the only one beside or above the working folder).

        Raises
        ------
        CatalogError
            The folder holds no collection, or a damaged one, or one of a newer version.
        """
        from vernis.adapters.catalog.catalog import SqliteCatalog

        place = Path(folder) if folder is not None else find_collection()
        return cls(SqliteCatalog.open(place, read_only))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the catalog."""
        self.close()

    def close(self) -> None:
        """Close the catalog; what was recorded is safe already."""
        self.catalog.close()

    # ------------------------------------------------------------------ the whole job

    def run(self, path: Path | str, **options: Any) -> dict[str, Any]:
        """Do the whole job on a folder of images and write the report.

        See ``vernis.pipeline.RunOptions`` for the options. A second run does only what changed.

        Returns
        -------
        dict
            ``facts`` (what was found), ``notes``, ``report`` (path of the page), ``next``.
        """
        from vernis.pipeline import RunOptions, run

        return run(self, Path(path), RunOptions(**options))

    # ------------------------------------------------------------------ the steps

    def index(
        self,
        root: Path | str | None = None,
        *,
        files: Sequence[Path | str] | None = None,
        workers: int | None = None,
    ) -> dict[str, Any]:
        """List the images below ``root`` (default: the folder indexed before), or ``files``."""
        source = job.file_source(self.catalog, root, files)
        return job.index(self.catalog, source, workers, self.progress)

    def label_by_folders(self) -> dict[str, int]:
        """Take the classes from the folders' names, unless labels were imported from a file.

        Returns
        -------
        dict of str to int
            Taxonomy → labelled images; empty when the images do not lie in class folders.
        """
        from vernis.workflows.index import FOLDERS, label_by_folders

        if any(t.origin not in ("", FOLDERS) for t in self.catalog.labels.taxonomies()):
            return {}
        with self.catalog.lock("index"):
            return label_by_folders(self.catalog)

    def import_labels(
        self,
        csv: Path | str,
        *,
        taxonomies: Sequence[str] | None = None,
        closed: Names[str] = (),
    ) -> dict[str, Any]:
        """Record the labels of a CSV file as given ones; see ``workflows.import_labels``."""
        from vernis.adapters.interchange.csv_labels import read_label_table
        from vernis.workflows.import_labels import import_labels

        table = read_label_table(Path(csv))
        with self.catalog.lock("labels"):
            summary = import_labels(self.catalog, table, taxonomies=taxonomies, closed=closed)
        return {
            "rows": summary.rows,
            "images": summary.matched,
            **{f"labelled in {name}": count for name, count in summary.taxonomies.items()},
            "notes": list(summary.notes),
        }

    def embed(
        self, *, workers: int | None = None, keep_current: bool = False, **choice: Any
    ) -> dict[str, Any]:
        """Compute the vectors that are missing: embeddings, fingerprints, quality measures.

        ``choice`` are fields of ``adapters.backbones.choice.SpaceChoice``: backbone, layer,
        pooling, name… The space becomes the current one unless ``keep_current``.
        """
        from vernis.adapters.backbones.choice import SpaceChoice

        wanted = SpaceChoice(**choice)
        return job.embed(self.catalog, wanted, workers, self.progress, keep_current)

    def learn(self, taxonomy: str, **settings: Any) -> dict[str, Any]:
        """Train a head on a taxonomy; see ``workflows.learn.LearnSettings`` for the settings.

        Raises
        ------
        NothingToLearn
            The taxonomy holds too few labels.
        """
        from vernis.workflows.learn import LearnSettings, learn_taxonomy

        summary = learn_taxonomy(
            self.catalog,
            taxonomy,
            job.embedding_space(self.catalog),
            LearnSettings(**settings),
            progress=self.progress,
        )
        return listing.learn_document(summary)

    def predict(self, model: str, images: Sequence[Path | str]) -> list[dict[str, Any]]:
        """Label pictures by a model of this collection: ``TAXONOMY`` or ``NAME@VERSION``."""
        from vernis.assembly.prediction import find_model, predict_files

        arrays, settings = self.catalog.models.load(find_model(self.catalog, model))
        return predict_files(arrays, settings, images, progress=self.progress)

    def models(self, taxonomy: str | None = None) -> list[dict[str, Any]]:
        """Return the saved models, newest first."""
        return listing.model_rows(self.catalog, taxonomy)

    def audit(self, taxonomy: str | None = None) -> list[dict[str, Any]]:
        """Return the state of one taxonomy or of all; see ``workflows.audit``."""
        from vernis.workflows.audit import audit_taxonomies

        return audit_taxonomies(self.catalog, taxonomy)

    def report(self, out: Path | str = "report", *, workers: int | None = None) -> Path:
        """Write the static HTML report; returns the path of its page."""
        return job.report(self.catalog, Path(out), workers, self.progress)

    # ------------------------------------------------------------------ quality

    def find_quality_issues(self) -> int:
        """Judge every picture that was measured; returns the number of flagged images."""
        return job.find_quality_issues(self.catalog, self.progress)

    def quality_rows(self, *, everything: bool = False) -> list[dict[str, Any]]:
        """Return the quality issues, worst first; with ``everything`` all scores of all images."""
        scored = job.quality_issues(self.catalog, self.progress)
        found = [issue for issue in scored if everything or issue.flagged]
        return listing.quality_rows(found, listing.uris_by_id(self.catalog))

    def quality(self) -> pd.DataFrame:
        """Return one row an image: ``is_<kind>_issue`` and ``<kind>_score`` of every kind."""
        from vernis.adapters.frames import quality_frame

        scored = job.quality_issues(self.catalog, self.progress)
        return quality_frame(scored, self.catalog.images.all(), QUALITY_KINDS)

    # ------------------------------------------------------------------ duplicates

    def find_duplicates(self) -> int:
        """Find the duplicates; returns the number of groups."""
        return job.find_duplicates(self.catalog, self.progress)

    def duplicate_groups(self) -> dict[str, Any]:
        """Return ``{groups: [...]}``; see docs/json.md. Searches first if that was not done yet."""
        if self.catalog.runs.summary("duplicate-search") is None:
            self.find_duplicates()
        groups = self.catalog.issues.groups()
        return listing.duplicate_document(groups, listing.uris_by_id(self.catalog))

    def duplicates(self) -> pd.DataFrame:
        """Return one row an image: is_duplicate_issue, duplicate_score, group, keeper."""
        from vernis.adapters.frames import duplicate_frame

        images = self.catalog.images.all()
        return duplicate_frame(self.duplicate_groups()["groups"], images)

    def trash_duplicates(self, *, kind: str = "pixels", dry_run: bool = False) -> dict[str, Any]:
        """Move the duplicates, not the keepers, to the collection's trash folder.

        Parameters
        ----------
        kind : {"bytes", "pixels", "near"}
            The weakest kind of duplicate that is moved.
        dry_run : bool
            Only say what would be moved.
        """
        return job.trash_duplicates(self.catalog, kind, dry_run, self.progress)

    def restore(self, images: Sequence[str] = ()) -> dict[str, Any]:
        """Move trashed images back (default: all); returns those restored and those skipped."""
        return job.restore(self.catalog, images, self.progress)

    # ------------------------------------------------------------------ label issues

    def find_label_issues(self, taxonomy: str, **settings: Any) -> int:
        """Judge the labels of a taxonomy; returns how many are suspected.

        See ``workflows.label_issues.LabelIssueSettings`` for the settings.
        """
        from vernis.workflows.label_issues import LabelIssueSettings, judge_labels

        return judge_labels(
            self.catalog,
            taxonomy,
            job.embedding_space(self.catalog),
            LabelIssueSettings(**settings),
            progress=self.progress,
        ).flagged

    def label_issue_rows(
        self, taxonomy: str, *, everything: bool = False, sort: str = "score", **settings: Any
    ) -> list[dict[str, Any]]:
        """Return the label issues of a taxonomy, worst first; see docs/json.md.

        With ``sort="several"`` those come first that most likely have two wrong labels or more.
        Judges the labels first when that was not done yet or ``settings`` are given.
        """
        self.catalog.labels.taxonomy(taxonomy)
        if settings or self.catalog.runs.summary(f"label_issues:{taxonomy}") is None:
            self.find_label_issues(taxonomy, **settings)
        found = self.catalog.issues.select(("label",), taxonomy, flagged_only=not everything)
        return listing.label_issue_rows(found, listing.uris_by_id(self.catalog), sort)

    def label_issue_summary(self, taxonomy: str) -> dict[str, Any]:
        """Return the estimate of how many labels are wrong and how deep reading is worth it."""
        return self.catalog.runs.summary(f"label_issues:{taxonomy}") or {}

    def issues(self, taxonomy: str) -> pd.DataFrame:
        """Return one row a labelled image: is_label_issue, label_score, kind, given, suggested…"""
        from vernis.adapters.frames import label_issue_frame

        return label_issue_frame(self.label_issue_rows(taxonomy, everything=True))

    def accept(self, what: str, images: Sequence[str] = (), **options: Any) -> dict[str, Any]:
        """Agree with issues: a label is changed as its issue suggests, in one batch."""
        return self.decide(what, images, verdict="accepted", **options)

    def dismiss(self, what: str, images: Sequence[str] = (), **options: Any) -> dict[str, Any]:
        """Disagree with issues; they are not brought up again."""
        return self.decide(what, images, verdict="dismissed", **options)

    def decide(
        self,
        what: str,
        images: Sequence[str] = (),
        *,
        verdict: str,
        worst: int | None = None,
        who: str = "",
    ) -> dict[str, Any]:
        """Accept or dismiss the issues of ``what`` (a taxonomy or a kind) about ``images``.

        Parameters
        ----------
        what : str
        images : sequence of str
            Paths or ids; for ``duplicate`` both images of a pair.
        verdict : {"accepted", "dismissed"}
        worst : int or None
            The worst open issues instead of named images.
        who : str
            The person; default the login name.
        """
        who = who or getpass.getuser()
        return job.decide(self.catalog, what, images, verdict, worst, who)

    # ------------------------------------------------------------------ missing labels

    def fill(
        self, taxonomy: str, *, precision: float = 0.95, apply: bool = False, seed: int = 0
    ) -> dict[str, Any]:
        """Suggest labels for unlabelled images at a precision; write them only with ``apply``."""
        from vernis.workflows.fill import apply_fill, fill_taxonomy

        summary = fill_taxonomy(
            self.catalog, taxonomy, precision=precision, seed=seed, progress=self.progress
        )
        suggestions = self.catalog.issues.suggestions(taxonomy)
        rows = listing.suggestion_rows(suggestions, listing.uris_by_id(self.catalog))
        document = listing.fill_document(summary, rows)
        document["summary"]["batch"] = apply_fill(self.catalog, taxonomy) if apply else None
        return document

    # ------------------------------------------------------------------ further verbs

    @property
    def explore(self) -> Explorer:
        """The verbs that show what is in the collection: map, search, clusters, profiles…"""
        from vernis.explorer import Explorer

        return Explorer(self.catalog, self.progress)

    @property
    def lab(self) -> Lab:
        """The verbs that try methods on the collection: models, components, noise, errors…"""
        from vernis.lab import Lab

        return Lab(self.catalog, self.progress)

    # ------------------------------------------------------------------ the record

    def status(self) -> dict[str, Any]:
        """Return what the collection holds; see docs/json.md."""
        return listing.status_document(self.catalog)

    def images(self) -> pd.DataFrame:
        """Return one row an image, whatever its state."""
        from vernis.adapters.frames import image_frame

        return image_frame(self.catalog.images.all(IMAGE_STATES))

    def history_rows(self, image: str) -> list[dict[str, Any]]:
        """Return every change of an image's labels and verdicts, oldest first."""
        record = self.catalog.images.find(image)
        return listing.event_rows(self.catalog.labels.history(record.id))

    def history(self, image: str) -> pd.DataFrame:
        """Return ``history_rows`` as a frame."""
        from vernis.adapters.frames import rows_frame

        return rows_frame(self.history_rows(image))

    def batches(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return the latest batches of changes, newest first."""
        return self.catalog.labels.batches(limit)

    def undo(self, batch: int | None = None) -> dict[str, Any]:
        """Take a batch back (default: the latest that is not undone)."""
        inverse = self.catalog.labels.undo(batch)
        rows = self.catalog.labels.batches(100)
        return next((row for row in rows if row["id"] == inverse), {"id": inverse})
