"""Label images without a label by a saved head, as they come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.ports import PictureReader
from vernis.domain.types import Statement, Taxonomy
from vernis.verbs.decide.predict import find_model
from vernis.verbs.decide.prediction import SavedHead
from vernis.verbs.networks.embedding import embed_images

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(slots=True)
class NamedHead:
    """A saved head with what its labels are called.

    Attributes
    ----------
    taxonomy, name : str
        ``name`` is NAME@VERSION.
    head : SavedHead
    reader : PictureReader
        Of the head's space.
    asked : set of int
        Images that it was asked about.
    """

    taxonomy: str
    name: str
    head: SavedHead
    reader: PictureReader
    asked: set[int] = field(default_factory=set)


def open_head(session: Session, text: str) -> NamedHead:
    """Return the saved head that a taxonomy, NAME@VERSION or the folder of a model means.

    Raises
    ------
    NotFound
        There is no such model.
    ModelError
        It is damaged, finds boxes, or its backbone is not here.
    """
    if Path(text).is_dir():
        told = session.models.read_model_document(Path(text))
        arrays, saved = session.models.read_model_folder(Path(text))
        taxonomy, name, version = told["taxonomy"], told["name"], told["version"]
    else:
        record = find_model(session, text)
        arrays, saved = session.catalog.models.load(record)
        taxonomy, name, version = record.taxonomy, record.name, record.version
    head = SavedHead.restore(arrays, saved)
    return NamedHead(taxonomy, f"{name}@{version}", head, head.open_reader(session))


def label_new(session: Session, named: NamedHead, workers: int | None = None) -> int:
    """Give images that carry no label of a taxonomy those of a head; returns how many got any.

    Vectors that are missing are made. An image is asked about once.
    """
    head = named.head
    with session.lock("watch"):
        embed_images(
            session, [named.reader, *session.measures.measuring_readers()], workers=workers
        )
        if session.current_space() is None:
            session.use_space(head.space)
        labels = session.catalog.labels
        labels.define(Taxonomy(named.taxonomy, head.kind, tuple(sorted(head.classes))))
        matrix, vectors = session.matrix(named.taxonomy), session.vectors(head.space)
        bare = set(matrix.image_ids[~matrix.labelled].tolist()) - named.asked
        rows = np.flatnonzero(np.isin(vectors.ids, sorted(bare)))
        if not len(rows):
            return 0
        ids = vectors.ids[rows].tolist()
        found = head.labels(head.predict_proba(vectors.X[rows]))
        named.asked.update(ids)
        statements = [
            Statement(image, label, "yes", probability)
            for image, given in zip(ids, found, strict=True)
            for label, probability in given
        ]
        labels.record(
            named.taxonomy,
            statements,
            source=f"accepted:fill@{named.name}",
            verb="watch",
            note=f"labels of {named.name} for what is new",
        )
        return sum(bool(given) for given in found)
