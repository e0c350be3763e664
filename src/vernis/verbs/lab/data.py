"""The data of a lab study: labels, vectors, texts and duplicates of a sample of the images."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NothingToLearn
from vernis.domain.types import Space
from vernis.session.vectors import TrainingData, layer_slices, space_document
from vernis.verbs.decide.training_set import read_training_data

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class LabData:
    """What a study is done on.

    Attributes
    ----------
    taxonomy, kind : str
    classes : tuple of str
    X : ndarray of float32, shape (n_images, dim)
    Y : ndarray of float32, shape (n_images, n_classes)
    groups : ndarray of int64, shape (n_images,)
    image_ids : ndarray of int64, shape (n_images,)
    slices : list of (start, stop)
        The columns of each layer.
    texts : tuple of str
        Of each image; empty when no study reads them.
    fingerprint : str
        Of all labelled images of the taxonomy, not of the sample.
    n_labelled : int
        Before sampling.
    notes : tuple of str
    """

    taxonomy: str
    kind: Any
    classes: tuple[str, ...]
    X: NDArray[np.float32]
    Y: NDArray[np.float32]
    groups: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    slices: list[tuple[int, int]]
    texts: tuple[str, ...]
    fingerprint: str
    n_labelled: int
    notes: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """Return what a run's folder says of its data."""
        return {
            "fingerprint": self.fingerprint,
            "labelled_images": self.n_labelled,
            "images": len(self.Y),
            "classes": len(self.classes),
            "kind": self.kind,
        }

    def rows(self, chosen: NDArray[Any]) -> LabData:
        """Return the chosen images only."""
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return replace(
            self,
            X=self.X[index],
            Y=self.Y[index],
            groups=self.groups[index],
            image_ids=self.image_ids[index],
            texts=tuple(self.texts[i] for i in index) if self.texts else (),
        )


def read_lab_data(
    session: Session,
    taxonomy: str,
    *,
    where: str = "",
    sample: int,
    seed: int,
    space: Space | None = None,
    texts: bool = False,
) -> LabData:
    """Read the labelled images of a taxonomy, at most about ``sample`` of them (0: all).

    With ``where`` only those that this filter holds for, and the notes say what that changes.
    A larger set is cut by iterative stratification, whole groups of duplicates at a time, and the
    notes say so. Classes that fewer than two labelled groups carry cannot be learned and tested;
    they are left out. The vectors are those of ``space``, by default the current one; ``texts``
    says whether the words known of the images are read too.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        There are too few labels to train and test.
    FilterError, UsageError
        The filter is wrong or holds for no image.
    """
    space = space or session.space()
    data, effect = read_training_data(session, taxonomy, space, where, seed)
    words = image_texts(session, data) if texts else ()
    kind = data.taxonomy.kind
    labelled = (data.Y == 1).any(axis=1) if kind == "single" else ~np.isnan(data.Y).all(axis=1)
    whole = LabData(
        taxonomy=taxonomy,
        kind=kind,
        classes=data.taxonomy.classes,
        X=data.X,
        Y=data.Y,
        groups=data.groups,
        image_ids=data.image_ids,
        slices=layer_slices(space),
        texts=words,
        fingerprint=fingerprint_of(data, space, words),
        n_labelled=int(labelled.sum()),
        notes=() if effect is None else (effect.sentence(),),
    ).rows(np.asarray(labelled))
    return cut_down(_without_lone_classes(whole), sample, seed)


def _without_lone_classes(data: LabData) -> LabData:
    carriers = [len(np.unique(data.groups[column == 1])) for column in data.Y.T]
    kept = np.asarray(carriers) >= 2
    if data.kind == "single":
        data = data.rows(np.asarray((data.Y[:, kept] == 1).any(axis=1)))
    if kept.sum() < (2 if data.kind == "single" else 1) or len(np.unique(data.groups)) < 10:
        raise NothingToLearn(
            f"'{data.taxonomy}' has {len(data.Y)} usable labelled images; the lab needs 10 that "
            "are no duplicates, and classes that two of them carry"
        )
    notes = data.notes
    if not kept.all():
        notes += (f"{int((~kept).sum())} classes of fewer than two images were left out",)
    names = tuple(name for name, keep in zip(data.classes, kept, strict=True) if keep)
    return replace(data, Y=data.Y[:, kept], classes=names, notes=notes)


def cut_down(data: LabData, sample: int, seed: int) -> LabData:
    """Return about ``sample`` of the images (0: all), drawn as `read_lab_data` does."""
    from vernis.core.numeric.folds import stratified_parts

    n_images = len(data.Y)
    if not sample or n_images <= sample:
        return data
    share = sample / n_images
    part = stratified_parts(data.Y, [share, 1 - share], groups=data.groups, seed=seed)
    drawn = data.rows(part == 0)
    note = (
        f"{len(drawn.Y):,} of {n_images:,} labelled images, drawn by stratification with seed "
        f"{seed}; figures on all of them: --sample 0"
    )
    return _without_lone_classes(replace(drawn, notes=(*data.notes, note)))


def fingerprint_of(data: TrainingData, space: Space, texts: Sequence[str] = ()) -> str:
    """Return a hash of labels, pictures, duplicates, texts and the embedding's identity.

    It stands in the folders of runs, so it must not change with the version of Vernis.
    """
    about = {
        "taxonomy": [data.taxonomy.name, data.taxonomy.kind, list(data.taxonomy.classes)],
        "space": space_document(space),
        "hashes": list(data.hashes),
        "texts": list(texts),
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=list).encode())
    for array in (data.Y, data.groups):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def image_texts(session: Session, data: TrainingData) -> tuple[str, ...]:
    """Return the words known of each image: title and other metadata, file name, keywords.

    Keywords are the labels of the other taxonomies. The name of the folder is left out, and so are
    the words of the image's file name that name one of the taxonomy's own classes: they would give
    the answer away.
    """
    own = {word for name in data.taxonomy.classes for word in _words(name)}
    records = {image.id: image for image in session.images()}
    place = {int(image): row for row, image in enumerate(data.image_ids)}
    texts: list[list[str]] = []
    for image in data.image_ids:
        record = records[int(image)]
        stem = [w for w in _words(PurePosixPath(record.uri).stem) if w not in own]
        texts.append([*stem, *_metadata_words(record.metadata)])
    for other in session.taxonomies():
        if other.name == data.taxonomy.name:
            continue
        matrix = session.matrix(other.name)
        for row, column in np.argwhere(matrix.values == 1):
            image = int(matrix.image_ids[row])
            if image in place:
                texts[place[image]] += _words(other.classes[column])
    return tuple(" ".join(words) for words in texts)


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[^\W\d_]{2,}", text)]


def _metadata_words(value: Any) -> list[str]:
    if isinstance(value, str):
        return _words(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [word for item in value for word in _metadata_words(item)]
    return []


def one_label_each(Y: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Keep one ``yes`` of each image, drawn by seed, and turn the others into ``no``."""
    generator = np.random.default_rng([seed, 0x1AB])
    kept = np.where(Y == 1, generator.random(Y.shape), -1.0)
    single = Y.copy()
    single[Y == 1] = 0
    rows = np.flatnonzero((Y == 1).any(axis=1))
    single[rows, kept[rows].argmax(axis=1)] = 1
    return single
