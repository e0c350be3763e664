"""Label picture files by a saved head, within a collection or from a model's folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vernis.domain.errors import ModelError, NotFound, UsageError
from vernis.domain.ports import Catalog, PictureReader, Progress, silent
from vernis.domain.types import ModelRecord, Space


def find_model(catalog: Catalog, text: str) -> ModelRecord:
    """Return the newest model that ``TAXONOMY``, ``NAME`` or ``NAME@VERSION`` means."""
    name, _, version = text.partition("@")
    records = catalog.models.records()
    for record in records:
        if name in (record.name, record.taxonomy) and version in ("", str(record.version)):
            return record
    known = ", ".join(f"{r.name}@{r.version}" for r in records) or "none yet"
    raise NotFound(f"no model {text!r}; the collection has: {known}")


def open_space(space: Space) -> PictureReader:
    """Return the reader that makes the vectors of an embedding space.

    Raises
    ------
    ModelError
        Its backbone is not on this machine, or another version of it.
    """
    from vernis.adapters.backbones.zoo import open_by_settings

    try:
        backbone = open_by_settings(space.settings)
        layers = "+".join(str(name) for name, _ in space.settings["layers"])
        reader = backbone.reader(layers, str(space.settings["pooling"]))
    except (NotFound, ModelError, UsageError, KeyError) as error:
        raise ModelError(f"the vectors of {space.name!r} cannot be made here: {error}") from error
    reader = replace(reader, space=replace(reader.space, name=space.name))
    if reader.space == space:
        return reader
    raise ModelError(
        f"the vectors of {space.name!r} were made by another version of the backbone; run "
        "vernis embed and learn again"
    )


def predict_files(
    arrays: Mapping[str, Any],
    settings: Mapping[str, Any],
    images: Sequence[Path | str],
    *,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Return ``{image, labels: [{label, probability}]}`` for each file, in the order given.

    A file that cannot be read has no labels and a ``reason``.
    """
    from vernis.adapters.engine import ThreadEngine
    from vernis.adapters.isolation import PictureDecoder
    from vernis.workflows.predict import SavedHead, predict_pictures

    head = SavedHead.restore(arrays, settings)
    decode = PictureDecoder()
    predictions = predict_pictures(
        head,
        [str(image) for image in images],
        open_space(head.space),
        read_file=lambda name: decode(Path(name)),
        engine=ThreadEngine(),
        progress=progress,
    )
    rows = []
    for prediction in predictions:
        labels = [{"label": label, "probability": p} for label, p in prediction.labels]
        row: dict[str, Any] = {"image": prediction.image, "labels": labels}
        if prediction.reason:
            row["reason"] = prediction.reason
        rows.append(row)
    return rows


def predict_with_folder(
    folder: Path, images: Sequence[Path | str], *, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Label pictures by the folder of a saved model, without its collection."""
    from vernis.adapters.catalog.models import read_model_folder

    arrays, document = read_model_folder(folder)
    return predict_files(arrays, document["settings"], images, progress=progress)
