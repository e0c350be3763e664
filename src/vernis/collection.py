"""``Collection``: the verbs as methods of an open collection, its ``explore`` and ``lab``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from vernis.domain.closing import Closing
from vernis.domain.ports import Catalog, Progress, silent
from vernis.session.session import Session, find_collection
from vernis.verbs.boxes import accept as boxes_accept
from vernis.verbs.boxes import next as boxes_next
from vernis.verbs.boxes import wrong as boxes_wrong
from vernis.verbs.decide import (
    accept,
    apply,
    batches,
    brands,
    dismiss,
    duplicates,
    fill,
    history,
    issues,
    keep,
    predict,
    probabilities,
    redo,
    restore,
    set_labels,
    trash,
    undo,
    write_back,
)
from vernis.verbs.lab import components, diff, errors, noise, rerun, sample, thresholds, toy, truth
from vernis.verbs.lab import crops as lab_crops
from vernis.verbs.lab import detect as lab_detect
from vernis.verbs.lab import detector as lab_detector
from vernis.verbs.lab import locate as lab_locate
from vernis.verbs.lab import models as lab_models
from vernis.verbs.lab import spaces as lab_spaces
from vernis.verbs.machines import collect, plan
from vernis.verbs.methods import frame_method, method
from vernis.verbs.networks import (
    backbones,
    compare_spaces,
    embed,
    embeddings,
    feature_maps,
    layers,
    spaces,
)
from vernis.verbs.see import (
    clusters,
    leakage,
    map,
    maps,
    outliers,
    profile,
    search,
    show,
    topics,
    vocabulary,
)
from vernis.verbs.see.filters import select_images
from vernis.verbs.see.maps import points_frame
from vernis.verbs.see.vector_search import Searcher
from vernis.verbs.start import report, run, status
from vernis.verbs.steps import (
    annotate,
    crop,
    detect,
    export,
    import_,
    index,
    labels,
    learn,
    locate,
    models,
    quality,
    read,
    tag,
    taxonomies,
    watch,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Collection", "find_collection"]


class Collection(Closing):
    """One set of images and everything known about it.

    Use ``Collection.open`` or ``Collection.create``, in a ``with`` block or with ``close``. Every
    verb of the command line is a method of the same name and settings, here or of ``explore`` and
    ``lab``. ``issues``, ``duplicates``, ``quality``, ``labels``, ``probabilities``,
    ``embeddings``, ``predict``, ``history`` and ``images`` return pandas frames, whose index is
    the path of the image; the others return typed results.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    @classmethod
    def create(cls, folder: Path | str, *, progress: Progress = silent) -> Self:
        """Make an empty collection; raises CatalogError when the folder holds something."""
        return cls(Session.create(folder, progress=progress))

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        read_only: bool = False,
        progress: Progress = silent,
    ) -> Self:
        """Open a collection (default: the only one beside or above the working folder).

        Raises
        ------
        CatalogError
            The folder holds no collection, or a damaged one, or one of a newer version.
        """
        return cls(Session.open(folder, read_only=read_only, progress=progress))

    def close(self) -> None:
        """Close the catalog; what was recorded is safe already."""
        self.session.close()

    @property
    def lab(self) -> Lab:
        """The verbs that try methods on the collection."""
        return Lab(self.session)

    @property
    def catalog(self) -> Catalog:
        """The stores of the collection."""
        return self.session.catalog

    def images(self) -> pd.DataFrame:
        """Return one row an image, whatever its state: id, state, reason, format, size, split…"""
        return self.session.image_frame()

    @property
    def explore(self) -> Explore:
        """The verbs that show what is in the collection: map, search, clusters, profiles…"""
        return Explore(self.session)

    # The whole job, and its steps.
    run = method(run.VERB)
    status = method(status.VERB)
    report = method(report.VERB)
    index = method(index.VERB)
    watch = method(watch.VERB)
    import_ = method(import_.VERB)
    labels = frame_method(labels.VERB)
    set_labels = method(set_labels.VERB)
    export = method(export.VERB)
    taxonomies = method(taxonomies.VERB)
    embed = method(embed.VERB)
    embeddings = frame_method(embeddings.VERB)
    plan = method(plan.VERB)
    collect = method(collect.VERB)
    quality = frame_method(quality.VERB)
    read = method(read.VERB)
    detect = method(detect.VERB)
    tag = method(tag.VERB)
    annotate = method(annotate.VERB)
    learn = method(learn.VERB)
    locate = method(locate.VERB)
    crop = method(crop.VERB)
    models = method(models.VERB)

    # What a person decides.
    issues = frame_method(issues.VERB)
    probabilities = frame_method(probabilities.VERB)
    accept = method(accept.VERB)
    apply = method(apply.VERB)
    dismiss = method(dismiss.VERB)
    fill = method(fill.VERB)
    brands = method(brands.VERB)
    duplicates = frame_method(duplicates.VERB)
    keep = method(keep.VERB)
    trash = method(trash.VERB)
    restore = method(restore.VERB)
    boxes_next = method(boxes_next.VERB)
    boxes_accept = method(boxes_accept.VERB)
    boxes_wrong = method(boxes_wrong.VERB)
    write_back = method(write_back.VERB)
    predict = frame_method(predict.VERB)
    history = frame_method(history.VERB)
    undo = method(undo.VERB)
    redo = method(redo.VERB)
    batches = method(batches.VERB)


class Explore:
    """What is in a collection: search, maps, clusters, topics, vocabularies, profiles, spaces.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    search = method(search.VERB)
    show = method(show.VERB)
    map = method(map.VERB)
    maps = method(maps.VERB)
    clusters = method(clusters.VERB)
    topics = method(topics.VERB)
    vocabulary = method(vocabulary.VERB)
    profile = method(profile.VERB)
    outliers = method(outliers.VERB)
    leakage = method(leakage.VERB)

    spaces = method(spaces.VERB)
    backbones = method(backbones.VERB)
    layers = method(layers.VERB)
    compare_spaces = method(compare_spaces.VERB)
    feature_maps = method(feature_maps.VERB)

    def select(self, where: str) -> NDArray[np.int64]:
        """Return the ids of the images that a filter holds for; see docs/guide/search.md."""
        return select_images(self.session, where)

    def searcher(self, space: str | None = None) -> Searcher:
        """Load the vectors of a space once, to ask often."""
        return Searcher(self.session, self.session.space(space))

    def map_points(self, name: str) -> pd.DataFrame:
        """Return one row an image of a map: ``x``, ``y`` and whether it was ``placed`` later."""
        return points_frame(self.session, name)


class Lab:
    """The verbs that try methods on a collection: ``Collection.lab``.

    Every study writes one folder that can be run again. ``Lab()`` has no collection: enough for
    ``toy`` and ``diff``.

    Parameters
    ----------
    session : Session, optional
    """

    def __init__(self, session: Session | None = None) -> None:
        self.session = Session(None) if session is None else session

    models = method(lab_models.VERB)
    components = method(components.VERB)
    thresholds = method(thresholds.VERB)
    spaces = method(lab_spaces.VERB)
    noise = method(noise.VERB)
    errors = method(errors.VERB)
    detect = method(lab_detect.VERB)
    detector = method(lab_detector.VERB)
    locate = method(lab_locate.VERB)
    crops = method(lab_crops.VERB)
    toy = method(toy.VERB)
    sample = method(sample.VERB)
    truth = method(truth.VERB)
    rerun = method(rerun.VERB)
    diff = method(diff.VERB)
