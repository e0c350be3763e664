"""``Collection``: the façade over one ``NAME.vernis`` folder.

The only place that joins workflows and adapters. Everything heavy is imported inside the methods,
so that ``import vernis`` stays light.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vernis.domain.errors import NotFound, UsageError
from vernis.domain.ports import Progress, silent
from vernis.domain.types import IMAGE_STATES, Space
from vernis.workflows import listing

if TYPE_CHECKING:
    import pandas as pd

    from vernis.adapters.catalog.catalog import SqliteCatalog
    from vernis.domain.ports import PictureReader
    from vernis.domain.types import ModelRecord

SUFFIX = ".vernis"


def find_collection(start: Path | str = ".") -> Path:
    """Return the only ``*.vernis`` folder in ``start`` or the nearest folder above that has one.

    Raises
    ------
    UsageError
        There is none, or more than one beside each other.
    """
    here = Path(start).resolve()
    for folder in (here, *here.parents):
        if folder.suffix == SUFFIX:
            return folder
        try:
            found = sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_dir())
        except OSError:
            continue
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(path.name for path in found)
            raise UsageError(
                f"{folder} holds several collections ({names}); name one: --collection"
            )
    raise UsageError(f"no collection in {here} or above; make one: vernis run PATH")


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
        from vernis.adapters.engine import ThreadEngine
        from vernis.adapters.files import FileListSource, FolderSource
        from vernis.workflows.index import FileSource, index_files, label_by_folders

        known = self.catalog.images.root()
        source: FileSource
        if files is not None:
            paths = [Path(file) for file in files]
            source = FileListSource.of(paths, root=known)
        else:
            folder = Path(root).resolve() if root is not None else known
            if folder is None:
                raise UsageError("nothing indexed yet; name a folder: vernis index PATH")
            source = FolderSource(folder)
        with self.catalog.lock("index"):
            self.catalog.vectors.collect_garbage()
            summary = index_files(
                self.catalog, source, engine=ThreadEngine(workers), progress=self.progress
            )
            by_folder = {} if self._has_imported_labels() else label_by_folders(self.catalog)
        changes = summary.changes
        return {
            "images": summary.images,
            "new": changes.new,
            "changed": changes.changed,
            "moved": changes.moved,
            "vanished": changes.vanished,
            "unchanged": changes.unchanged,
            "unreadable": changes.unreadable,
            "other_files": sum(summary.other_files.values()),
            "labelled_by_folders": by_folder,
        }

    def _has_imported_labels(self) -> bool:
        return any(t.origin not in ("", "folders") for t in self.catalog.labels.taxonomies())

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
        self,
        *,
        precision: str | None = None,
        layer: str | None = None,
        workers: int | None = None,
    ) -> dict[str, Any]:
        """Compute the vectors that are missing: embeddings, fingerprints, quality measures."""
        from vernis.adapters.engine import ThreadEngine
        from vernis.adapters.files import picture_reader
        from vernis.workflows.embed import embed_images
        from vernis.workflows.training_data import space_document

        root = self._root()
        readers = self._readers(precision, layer)
        with self.catalog.lock("embed"):
            summary = embed_images(
                self.catalog,
                readers,
                read_picture=picture_reader(root),
                engine=ThreadEngine(workers),
                progress=self.progress,
            )
            # Later steps read the space that was chosen last.
            space = space_document(readers[0].space)
            self.catalog.runs.finish("embed", readers[0].space.name, {"space": space})
        return {
            "pictures": summary.images,
            "computed": summary.computed,
            "unreadable": len(summary.failed),
            "seconds": round(summary.seconds, 1),
        }

    def _root(self) -> Path:
        root = self.catalog.images.root()
        if root is None:
            raise UsageError("nothing indexed yet; name a folder: vernis index PATH")
        return root

    def _readers(self, precision: str | None, layer: str | None) -> list[PictureReader]:
        from vernis.adapters.fingerprints import FingerprintReader
        from vernis.workflows.quality import QualityReader

        return [self._embedding(precision, layer), FingerprintReader(), QualityReader()]

    def _embedding(self, precision: str | None = None, layer: str | None = None) -> PictureReader:
        from vernis.adapters.backbones.zoo import open_backbone

        return open_backbone(precision=precision).reader(layer)  # type: ignore[arg-type]

    def _space(self) -> Space:
        """Return the embedding space that heads and searches read."""
        summary = self.catalog.runs.summary("embed")
        if summary is None:
            raise UsageError("no embeddings yet; make them: vernis embed")
        return Space(**summary["space"])

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
            self._space(),
            LearnSettings(**settings),
            progress=self.progress,
        )
        return listing.learn_document(summary)

    def predict(self, model: str, images: Sequence[Path | str]) -> list[dict[str, Any]]:
        """Label pictures by a model of this collection: ``TAXONOMY`` or ``NAME@VERSION``."""
        from vernis.prediction import predict_files

        arrays, settings = self.catalog.models.load(self._model(model))
        return predict_files(arrays, settings, images, progress=self.progress)

    def _model(self, text: str) -> ModelRecord:
        name, _, version = text.partition("@")
        records = self.catalog.models.records()
        for record in records:
            if name in (record.name, record.taxonomy) and version in ("", str(record.version)):
                return record
        known = ", ".join(f"{r.name}@{r.version}" for r in records) or "none yet"
        raise NotFound(f"no model {text!r}; the collection has: {known}")

    def models(self, taxonomy: str | None = None) -> list[dict[str, Any]]:
        """Return the saved models, newest first."""
        return [
            {
                "name": m.name,
                "version": m.version,
                "taxonomy": m.taxonomy,
                "space": m.space,
                "created": m.created,
                "folder": str(self.catalog.folder / m.folder),
            }
            for m in self.catalog.models.records(taxonomy)
        ]

    def report(self, out: Path | str = "report", *, workers: int | None = None) -> Path:
        """Write the static HTML report; returns the path of its page."""
        import vernis
        from vernis.adapters.engine import ThreadEngine
        from vernis.adapters.files import picture_reader
        from vernis.adapters.pixels import thumbnail_jpeg
        from vernis.workflows.report import write_report

        summary = write_report(
            self.catalog,
            Path(out),
            engine=ThreadEngine(workers),
            read_picture=picture_reader(self._root()),
            thumbnail=thumbnail_jpeg,
            version=vernis.__version__,
            progress=self.progress,
        )
        return summary.page

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

    def batches(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return the latest batches of changes, newest first."""
        return self.catalog.labels.batches(limit)

    def undo(self, batch: int | None = None) -> dict[str, Any]:
        """Take a batch back (default: the latest that is not undone)."""
        inverse = self.catalog.labels.undo(batch)
        rows = self.catalog.labels.batches(100)
        return next((row for row in rows if row["id"] == inverse), {"id": inverse})
