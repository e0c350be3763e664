"""Saved models for other programs: pictures in, labels out; also by the Open Inference Protocol."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from vernis.app.routing import Routes, answered
from vernis.app.serving import MOST_PICTURES, Judged, Models, WarmModel
from vernis.domain.errors import InvalidValue
from vernis.verbs.decide.predict import LabelHit, PredictionRow, row_of_boxes
from vernis.version import VERSION

_MOST_BYTES = 32 * 1024 * 1024  # of one picture
_PLATFORM = "vernis_onnxruntime"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model that can be asked."""

    name: str
    version: int
    taxonomy: str
    space: Annotated[str, "the embedding space that it reads"]
    created: Annotated[str, "UTC"]


@dataclass(frozen=True)
class InferenceInput:
    """Pictures as the Open Inference Protocol carries them: base64 texts of encoded files."""

    name: str
    shape: list[int]
    datatype: str
    data: list[str]
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True)
class InferenceRequest:
    """A request of the Open Inference Protocol, version 2."""

    inputs: list[InferenceInput]
    id: str | None = None
    outputs: list[dict[str, Any]] | None = None
    parameters: dict[str, Any] | None = field(default=None)


def models_of(request: Request) -> Models:
    """Return the models of the server."""
    models: Models = request.app.state.models
    return models


def list_models(request: Request) -> Response:
    """List the saved models, newest first."""
    found = models_of(request).records()
    return answered(
        [ModelFacts(m.name, m.version, m.taxonomy, m.space, m.created) for m in found], request
    )


async def predict(request: Request, model: str) -> Response:
    """Label pictures by a saved model: a taxonomy, a name, or `NAME@VERSION`.

    The body is one picture (`image/jpeg`, `image/png`, …) or a multipart form of at most 64. The
    answer is that of `vernis predict --json`: a row a picture, its labels the most probable first,
    or the reason why it has none. A detector (`TAXONOMY-detector`) gives the boxes, too.
    """
    names, pictures = await read_pictures(request)
    models = models_of(request)
    judged = await to_thread.run_sync(lambda: models.open(model).judge(pictures))
    return answered([_row(name, one) for name, one in zip(names, judged, strict=True)])


def _row(name: str, judged: Judged) -> PredictionRow:
    if judged.boxes:
        return row_of_boxes(name, judged.boxes, judged.reason)
    hits = tuple(LabelHit(label, chance) for label, chance in judged.labels)
    return PredictionRow(name, hits, judged.reason)


async def read_pictures(request: Request) -> tuple[list[str], list[bytes]]:
    """Return the names and contents of the pictures of a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [""], [_checked(await request.body())]
    if kind != "multipart/form-data":
        raise HTTPException(415, "expected a picture (image/…) or a multipart form of pictures")
    names, pictures = [], []
    async with request.form(max_files=MOST_PICTURES, max_fields=1) as form:
        for _, part in form.multi_items():
            if isinstance(part, UploadFile):
                names.append(part.filename or "")
                pictures.append(_checked(await part.read()))
    if not pictures:
        raise InvalidValue("the form holds no picture")
    return names, pictures


def _checked(picture: bytes) -> bytes:
    if not picture:
        raise InvalidValue("the picture is empty")
    if len(picture) > _MOST_BYTES:
        raise HTTPException(413, f"a picture has at most {_MOST_BYTES // 2**20} MB")
    return picture


# --------------------------------------------------------------------------- version 2


def tell_server(request: Request) -> Response:
    """Tell what the server is (Open Inference Protocol)."""
    return answered({"name": "vernis", "version": VERSION, "extensions": []}, request)


def tell_health(request: Request) -> Response:
    """Tell that the server lives and is ready (Open Inference Protocol)."""
    return answered({"live": True, "ready": True})


def tell_model(request: Request, model: str, version: int | None = None) -> Response:
    """Tell what a model takes and gives, with the names of its classes."""
    warm = models_of(request).open_head(model, version)
    document = {
        "name": warm.name,
        "versions": [str(warm.version)],
        "platform": _PLATFORM,
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [-1, len(warm.head.classes)],
                "parameters": {"labels": list(warm.head.classes)},
            }
        ],
        "parameters": {"kind": warm.head.kind},
    }
    return answered(document, request)


def tell_model_ready(request: Request, model: str, version: int | None = None) -> Response:
    """Tell that a model is open; opens it."""
    warm = models_of(request).open(model, version)
    return answered({"name": warm.name, "ready": True})


def infer(
    request: Request, model: str, wanted: InferenceRequest, version: int | None = None
) -> Response:
    """Return the probabilities of every class for pictures, base64 in a BYTES tensor.

    A picture that cannot be read has null in its row, and its reason in the parameters.
    """
    pictures = _decoded_inputs(wanted)
    warm = models_of(request).open_head(model, version)
    judged = warm.judge(pictures)
    document: dict[str, Any] = {
        "model_name": warm.name,
        "model_version": str(warm.version),
        "outputs": [_as_tensor(warm, judged)],
    }
    if wanted.id is not None:
        document["id"] = wanted.id
    reasons = {str(at): one.reason for at, one in enumerate(judged) if one.reason}
    if reasons:
        document["parameters"] = {"unreadable": reasons}
    return answered(document)


def _decoded_inputs(wanted: InferenceRequest) -> list[bytes]:
    found = [one for one in wanted.inputs if one.datatype == "BYTES"]
    if len(found) != 1 or len(wanted.inputs) != 1:
        raise InvalidValue("expected one input of the datatype BYTES: encoded pictures in base64")
    data = found[0].data
    if found[0].shape not in ([len(data)], [len(data), 1]) or not data:
        raise InvalidValue(f"expected a shape of [{len(data)}], got {found[0].shape}")
    if len(data) > MOST_PICTURES:
        raise InvalidValue(f"expected at most {MOST_PICTURES} pictures, got {len(data)}")
    try:
        return [_checked(base64.b64decode(text, validate=True)) for text in data]
    except ValueError as error:  # binascii.Error among them
        raise InvalidValue(f"a picture is no base64 text: {error}") from error


def _as_tensor(warm: WarmModel, judged: list[Judged]) -> dict[str, Any]:
    n = len(warm.head.classes)
    nothing = np.full(n, np.nan, np.float32)
    rows = [nothing if one.probabilities is None else one.probabilities for one in judged]
    return {
        "name": "probabilities",
        "datatype": "FP32",
        "shape": [len(rows), n],
        "data": np.concatenate(rows).tolist(),
        "parameters": {"labels": list(warm.head.classes)},
    }


def add_to(routes: Routes) -> None:
    """Add the routes of this module. Asking a model changes nothing: a viewer may."""

    def add(method: str, path: str, answer: Any, gives: Any = None) -> None:
        routes.add(method, path, answer, role="viewer", tag="models", gives=gives)

    add("GET", "/api/models", list_models, tuple[ModelFacts, ...])
    add("POST", "/api/models/{model}/predict", predict, tuple[PredictionRow, ...])
    add("GET", "/v2", tell_server)
    add("GET", "/v2/health/live", tell_health)
    add("GET", "/v2/health/ready", tell_health)
    for place in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        add("GET", place, tell_model)
        add("GET", f"{place}/ready", tell_model_ready)
        add("POST", f"{place}/infer", infer)
