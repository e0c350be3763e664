"""Label new pictures by a saved head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import (
    InvalidValue,
    MissingExtra,
    ModelError,
    StorageError,
    UnreadableImage,
)
from vernis.domain.ports import PictureReader, Pixels
from vernis.domain.types import Space, TaxonomyKind

if TYPE_CHECKING:
    from vernis.session.session import Session

ReadFile = Callable[[Path], Pixels]
"""Decodes the picture of a name; raises UnreadableImage or OSError."""

_BLOCK = 1024
"""Pictures whose vectors are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class SavedHead:
    """A head as it was saved, ready to predict.

    Attributes
    ----------
    classes : tuple of str
    kind : {'single', 'multi'}
    space : Space
        What its inputs must be vectors of.
    thresholds : ndarray of float64, shape (n_classes,)
        Infinite where a class is never given.
    model, scaler
        The fitted parts of ``vernis.core.learn``.
    """

    classes: tuple[str, ...]
    kind: TaxonomyKind
    space: Space
    thresholds: NDArray[np.float64]
    model: Any
    scaler: Any

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> SavedHead:
        """Build it from what ``ModelStore.load`` gives; raises ModelError."""
        from vernis.core.learn.heads import restore_head
        from vernis.core.learn.scaling import BlockScaler

        if settings.get("kind") == "detector":
            raise ModelError("the model finds boxes and gives no labels: vernis predict --boxes")
        try:
            head, kind = settings["head"], settings["kind"]
            scaler = None
            if "block_mean" in arrays:
                scaler = BlockScaler([tuple(pair) for pair in head["slices"]])
                scaler.mean_, scaler.scale_ = arrays["block_mean"], arrays["block_scale"]
                scaler.n_features_in_ = len(scaler.mean_)
            never = 0.0 if kind == "single" and settings["objective"] != "precision" else np.inf
            values = [settings["thresholds"][name] for name in settings["classes"]]
            return cls(
                classes=tuple(settings["classes"]),
                kind=kind,
                space=Space(**settings["space"]),
                thresholds=np.asarray([never if v is None else v for v in values], np.float64),
                model=restore_head(arrays, head),
                scaler=scaler,
            )
        except (KeyError, TypeError, InvalidValue) as error:
            raise ModelError(f"the saved model is damaged: {error}; train it again") from error

    def open_reader(self, session: Session) -> PictureReader:
        """Return what reads the head's inputs from pictures; raises ModelError.

        A head that has a network of its own brings it along; the others read vectors of a backbone.
        """
        from vernis.core.learn.network_scores import NetworkScores

        if not isinstance(self.model, NetworkScores):
            return session.networks.open_space(self.space)
        taxonomy = self.space.name.partition(":")[2]
        graph = self.model.graph.tobytes()
        return session.networks.open_scores(graph, taxonomy, len(self.classes))

    def predict_proba(self, vectors: NDArray[Any]) -> NDArray[np.float32]:
        """Return probabilities, shape (n_images, n_classes), of vectors (n_images, space.dim)."""
        vectors = np.asarray(vectors, np.float32)
        if not len(vectors):
            return np.empty((0, len(self.classes)), np.float32)
        scaled = vectors if self.scaler is None else self.scaler.transform(vectors)
        return np.asarray(self.model.predict_proba(scaled), np.float32)

    def decide(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return the labels given, shape (n_images, n_classes); at most one in a single kind."""
        decided = probabilities >= self.thresholds
        if self.kind == "single":
            best = np.zeros(decided.shape, bool)
            best[np.arange(len(best)), probabilities.argmax(axis=1)] = True
            decided &= best
        return decided

    def labels(self, probabilities: NDArray[np.float32]) -> list[tuple[tuple[str, float], ...]]:
        """Return the given labels of each row with their probabilities, most probable first."""
        rows = []
        for row, decided in zip(probabilities, self.decide(probabilities), strict=True):
            order = np.argsort(-row, kind="stable")
            rows.append(tuple((self.classes[c], float(row[c])) for c in order if decided[c]))
        return rows


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A box that a detector gives: x, y, width and height in pixels of the upright picture."""

    label: str
    probability: float
    box: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The labels of one picture, most probable first; ``reason`` says why there are none."""

    image: str
    labels: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    boxes: tuple[FoundBox, ...] = ()


@dataclass(frozen=True, slots=True)
class _FileStage:
    """Decodes a file and reads its vector."""

    read_file: ReadFile
    reader: PictureReader

    def open(self) -> Callable[[tuple[int, str]], NDArray[Any]]:
        """Open the reader for one worker."""
        measure = self.reader.open()
        return lambda item: measure(self.read_file(Path(item[1])))


def predict_pictures(
    session: Session,
    head: SavedHead,
    images: Sequence[str],
    reader: PictureReader,
    workers: int | None = None,
) -> list[Prediction]:
    """Predict the labels of pictures.

    Parameters
    ----------
    session : Session
    head : SavedHead
    images : sequence of str
        Paths of picture files.
    reader : PictureReader
        Of the head's space.
    workers : int, optional
        Default: one a core.

    Returns
    -------
    list of Prediction
        In the order of ``images``; a picture that cannot be read has a reason and no label.

    Raises
    ------
    ModelError
        If the reader makes other vectors than the head was trained on.
    """
    if reader.space != head.space:
        raise ModelError(
            f"the model reads vectors of '{head.space.name}' {dict(head.space.settings)}, the "
            f"backbone gives '{reader.space.name}' {dict(reader.space.settings)}; learn again"
        )
    engine, progress, decode = session.engine(workers), session.progress, session.files.decoder()
    results: list[Prediction] = [Prediction(name) for name in images]
    progress("predict", 0, len(images))
    done = 0
    for start in range(0, len(images), _BLOCK):
        places: list[int] = []
        vectors: list[NDArray[Any]] = []
        items = list(enumerate(images[start : start + _BLOCK], start))
        for outcome in engine.run(_FileStage(decode, reader), items):
            place, name = outcome.item
            if outcome.error is not None:
                results[place] = Prediction(name, reason=say_reason(outcome.error))
            else:
                assert outcome.value is not None
                places.append(place)
                vectors.append(outcome.value)
            done += 1
            progress("predict", done, len(images))
        if places:
            probabilities = head.predict_proba(np.stack(vectors))
            for place, labels in zip(places, head.labels(probabilities), strict=True):
                results[place] = Prediction(images[place], labels)
    return results


def say_reason(error: Exception) -> str:
    """Return why a picture has no labels; raises what is no fault of the picture."""
    if isinstance(error, UnreadableImage):
        return error.reason
    if isinstance(error, ModelError | MissingExtra | StorageError):
        raise error
    return str(error) or type(error).__name__
