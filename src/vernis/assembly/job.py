"""Which adapters each workflow gets."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import NotFound, StorageError, UnreadableImage, UsageError
from vernis.domain.ports import Catalog, PictureReader, Pixels, Progress
from vernis.domain.types import ImageRecord, Issue, Space
from vernis.version import VERSION

if TYPE_CHECKING:
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.trash import FolderTrash
    from vernis.workflows.index import FileSource


SUFFIX = ".vernis"
# Vectors that are no embeddings.
MEASURES = ("fingerprint", "quality")


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


def image_root(catalog: Catalog) -> Path:
    """Return the indexed folder; raises UsageError before the first indexing."""
    root = catalog.images.root()
    if root is None:
        raise UsageError("nothing indexed yet; name a folder: vernis index PATH")
    return root


def file_source(
    catalog: Catalog, root: Path | str | None, files: Sequence[Path | str] | None
) -> FileSource:
    """Return the folder, or the list of files, that an indexing reads."""
    from vernis.adapters.files import FileListSource, FolderSource, common_folder

    known = catalog.images.root()
    if files is not None:
        paths = [Path(file).absolute() for file in files]
        if known is None:
            known = common_folder(paths)
        return FileListSource(known, paths)
    folder = Path(root).resolve() if root is not None else image_root(catalog)
    return FolderSource(folder)


def index(
    catalog: Catalog, source: FileSource, workers: int | None, progress: Progress
) -> dict[str, Any]:
    """List the images."""
    from vernis.adapters.engine import ThreadEngine
    from vernis.workflows.index import index_files
    from vernis.workflows.listing import index_document

    with catalog.lock("index"):
        catalog.vectors.collect_garbage()
        summary = index_files(catalog, source, engine=ThreadEngine(workers), progress=progress)
    return index_document(summary)


def picture_readers(choice: SpaceChoice | None = None) -> list[PictureReader]:
    """Return what is read from each picture, the embedding first."""
    from vernis.adapters.backbones.choice import SpaceChoice
    from vernis.adapters.fingerprints import FingerprintReader
    from vernis.workflows.quality import QualityReader

    return [(choice or SpaceChoice()).open_reader(), FingerprintReader(), QualityReader()]


def embed(
    catalog: Catalog,
    choice: SpaceChoice,
    workers: int | None,
    progress: Progress,
    keep_current: bool = False,
) -> dict[str, Any]:
    """Compute the vectors that are missing in a space, and make it the current one.

    With ``keep_current`` the space that was current stays so, if there was one.
    """
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.files import picture_reader
    from vernis.workflows.embed import embed_images
    from vernis.workflows.explore.spaces import refuse_taken_name

    readers = picture_readers(choice)
    space = readers[0].space
    refuse_taken_name(catalog, space, MEASURES)
    with catalog.lock("embed"):
        _require_room(catalog, space)
        summary = embed_images(
            catalog,
            readers,
            read_picture=picture_reader(image_root(catalog)),
            engine=ThreadEngine(workers),
            progress=progress,
        )
        if not keep_current or catalog.runs.summary("embed") is None:
            _make_current(catalog, space)
    return {
        "space": space.name,
        "dimensions": space.dim,
        "pictures": summary.images,
        "computed": summary.computed,
        "unreadable": len(summary.failed),
        "seconds": round(summary.seconds, 1),
        "current space": embedding_space(catalog).name,
    }


def _require_room(catalog: Catalog, space: Space) -> None:
    """Raise StorageError when the vectors that a space misses are more than the disk can hold."""
    import shutil

    import numpy as np

    hashes = {image.content_hash for image in catalog.images.all()}
    lacking = len(catalog.vectors.missing(space, sorted(hashes)))
    needed = lacking * space.dim * np.dtype(space.dtype).itemsize
    free = shutil.disk_usage(catalog.folder).free
    if needed > free:
        raise StorageError(
            f"{lacking:,} vectors of {space.dim:,} numbers take {needed / 1e9:,.1f} GB, and "
            f"{catalog.folder} has {free / 1e9:,.1f} GB left; pool the layer (--pool avg), or read "
            "a smaller one"
        )


def use_space(catalog: Catalog, name: str) -> None:
    """Make a space of the collection the one that later steps read."""
    with catalog.lock("spaces"):
        _make_current(catalog, embedding_space(catalog, name))


def _make_current(catalog: Catalog, space: Space) -> None:
    from vernis.workflows.training_data import space_document

    catalog.runs.finish("embed", space.name, {"space": space_document(space)})


def embedding_space(catalog: Catalog, name: str | None = None) -> Space:
    """Return an embedding space of the collection.

    Parameters
    ----------
    catalog : Catalog
    name : str, optional
        Of a space that was embedded. None: the current one, which heads and searches read unless
        told otherwise: the one that was embedded or chosen (``use_space``) last.

    Raises
    ------
    UsageError
        Nothing was embedded yet.
    NotFound
        There is no space of that name.
    """
    summary = catalog.runs.summary("embed")
    if summary is None:
        raise UsageError("no embeddings yet; make them: vernis embed")
    if name is None or name == summary["space"]["name"]:
        return Space(**summary["space"])
    known = embedding_spaces(catalog)
    for space in reversed(known):
        if space.name == name:
            return space
    raise NotFound(f"no space {name!r}; there are: {', '.join(space.name for space in known)}")


def embedding_spaces(catalog: Catalog) -> list[Space]:
    """Return the embedding spaces of the collection, the oldest first."""
    from vernis.workflows.explore.spaces import is_embedding

    return [space for space, _ in catalog.vectors.spaces() if is_embedding(space, MEASURES)]


def image_path(catalog: Catalog, image: ImageRecord) -> Path:
    """Return where the file of an image lies."""
    from vernis.adapters.files import path_of

    return path_of(image_root(catalog), image.uri)


def find_quality_issues(catalog: Catalog, progress: Progress) -> int:
    """Judge every picture that was measured; returns the number of flagged images."""
    from vernis.workflows.quality import judge_quality

    with catalog.lock("quality"):
        return judge_quality(catalog, progress=progress).flagged


def quality_issues(catalog: Catalog, progress: Progress) -> list[Issue]:
    """Return the scores of all images, flagged or not; judges first if that was not done yet."""
    from vernis.workflows.quality import list_quality

    if catalog.runs.summary("quality") is None:
        find_quality_issues(catalog, progress)
    return list_quality(catalog)


def find_duplicates(catalog: Catalog, progress: Progress) -> int:
    """Find the duplicates; returns the number of groups."""
    from vernis.adapters.files import picture_reader
    from vernis.adapters.fingerprints import FingerprintReader
    from vernis.adapters.isolation import PictureDecoder
    from vernis.workflows.dedupe import dedupe_images

    with catalog.lock("duplicates"):
        summary = dedupe_images(
            catalog,
            fingerprint_space=FingerprintReader().space,
            embedding_space=embedding_space(catalog),
            read_full=picture_reader(image_root(catalog), PictureDecoder(min_side=None)),
            progress=progress,
        )
    return summary.groups


def report(catalog: Catalog, out: Path, workers: int | None, progress: Progress) -> Path:
    """Write the static report; returns the path of its page."""
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.files import picture_reader
    from vernis.adapters.pixels import thumbnail_jpeg
    from vernis.workflows.report import write_report

    summary = write_report(
        catalog,
        out,
        engine=ThreadEngine(workers),
        read_picture=picture_reader(image_root(catalog)),
        thumbnail=thumbnail_jpeg,
        version=VERSION,
        progress=progress,
    )
    return summary.page


def trash_folder(catalog: Catalog) -> FolderTrash:
    """Return the collection's trash."""
    from vernis.adapters.files import path_of
    from vernis.adapters.trash import FolderTrash

    root = image_root(catalog)
    return FolderTrash(catalog.folder / "trash", lambda uri: path_of(root, uri))


def trash_duplicates(
    catalog: Catalog, kind: str, dry_run: bool, progress: Progress
) -> dict[str, Any]:
    """Move the duplicates to the trash, or only say which."""
    from vernis.workflows.trash import plan_trash, trash_images

    trash = trash_folder(catalog)
    plan = plan_trash(catalog, kind)  # type: ignore[arg-type]
    skipped: dict[str, str] = {}
    if not dry_run:
        with catalog.lock("trash"):
            summary = trash_images(catalog, trash, plan, progress=progress)
        plan, skipped = summary.moved, dict(summary.skipped)
    moved = [{"image": file.uri, "keeper": file.keeper, "kind": file.kind} for file in plan]
    return {"moved": moved, "skipped": skipped, "trash": str(trash.folder)}


def restore(catalog: Catalog, images: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Move trashed images back."""
    from vernis.workflows.trash import restore_images

    with catalog.lock("restore"):
        summary = restore_images(catalog, trash_folder(catalog), images, progress=progress)
    return {"restored": [file.uri for file in summary.moved], "skipped": dict(summary.skipped)}


def decide(
    catalog: Catalog, what: str, images: Sequence[str], verdict: str, worst: int | None, who: str
) -> dict[str, Any]:
    """Accept or dismiss issues."""
    from vernis.workflows.review import accept_issues, dismiss_issues, select_issues

    act = accept_issues if verdict == "accepted" else dismiss_issues
    summary = act(catalog, select_issues(catalog, what, images, worst=worst), who=who)
    return {"issues": summary.issues, "changes": summary.changes, "batch": summary.batch}


def draw_sample_folder(
    catalog: Catalog, taxonomy: str, size: int, folder: Path, seed: int, progress: Progress
) -> dict[str, Any]:
    """Draw a random sample and write the folder in which a person judges it."""
    from vernis.adapters.files import picture_reader
    from vernis.adapters.interchange import truth_folder
    from vernis.report.judge.page import JudgedImage, render_judge_page
    from vernis.workflows.lab import sample as sampling

    truth_folder.require_new(folder)  # before the work, and again when it is written
    sample = sampling.draw_truth_sample(catalog, taxonomy, size=size, seed=seed)
    read = picture_reader(image_root(catalog))
    rows = []
    for number, row in enumerate(sample.images, 1):
        thumb = _thumbnail_address(read, catalog.images.find(row.image))
        rows.append(JudgedImage(row.image, row.offered, thumb))
        progress("Sample", number, len(sample.images))
    document = sampling.sample_document(sample)
    page = render_judge_page(
        taxonomy=taxonomy,
        kind=sample.kind,
        classes=sample.classes,
        images=rows,
        key=sampling.sample_key(sample),
        nothing=sampling.NOTHING,
    )
    names = [row.image for row in sample.images]
    written = truth_folder.write_sample_folder(folder, document, names, page)
    return {
        "images": len(names),
        "folder": str(folder),
        "page": str(written),
        "sheet": str(folder / truth_folder.SHEET),
    }


def _thumbnail_address(read: Callable[[ImageRecord], Pixels], image: ImageRecord) -> str:
    """Return a picture as a ``data:`` address; empty when its file cannot be read."""
    from vernis.adapters.pixels import thumbnail_jpeg

    try:
        jpeg = thumbnail_jpeg(read(image), 480)
    except (UnreadableImage, OSError):
        return ""
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")
