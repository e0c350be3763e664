"""How a route is added: its role, its answer as JSON with an ETag, errors as answers."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from vernis.app.desk import Desk
from vernis.app.keys import Person, Role
from vernis.domain.documents import to_document
from vernis.domain.errors import (
    CatalogBusy,
    InvalidCall,
    InvalidValue,
    MissingExtra,
    NotFound,
    StorageError,
    UsageError,
    VernisError,
)

JSON_TYPE = "application/json; charset=utf-8"
FOREVER = "private, max-age=31536000, immutable"
"""Of what has the hash of its content in its address."""

_WORTH = 1400  # bytes from which an answer is compressed; what fits into one packet is not


def desk_of(request: Request) -> Desk:
    """Return what the routes share."""
    desk: Desk = request.app.state.desk
    return desk


def person_of(request: Request) -> Person:
    """Return who asks; the guard has found out."""
    person: Person | None = request.scope["person"]
    if person is None:
        raise HTTPException(401, "say who you are")
    return person


class NeedsRole:
    """The dependency that every route has: who asks must have a role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, request: Request) -> None:
        """Raise 403 where the role of whoever asks does not hold this one."""
        person = person_of(request)
        if not person.may(self.role):
            raise HTTPException(403, f"{person.name} is a {person.role}; this needs: {self.role}")


class Routes:
    """Routes of the API, each with the role that it needs.

    Parameters
    ----------
    described : bool
        Also what each answers, and each verb apart: what the description is made of. To serve
        that takes a second longer to start.
    """

    def __init__(self, *, described: bool) -> None:
        self.router = APIRouter()
        self.described = described

    def add(
        self,
        method: str,
        path: str,
        answer: Callable[..., Any],
        *,
        role: Role | None,
        tag: str,
        gives: Any = None,
        **more: Any,
    ) -> None:
        """Add a route.

        Parameters
        ----------
        method, path : str
        answer : callable
            Its documentation becomes that of the route.
        role : {'viewer', 'reviewer', 'admin'} or None
            None: the route asks who it is.
        tag : str
            Under which heading it is documented.
        gives : type, optional
            What the JSON of its answer holds.
        """
        self.router.add_api_route(
            path,
            answer,
            methods=[method],
            dependencies=[] if role is None else [Depends(NeedsRole(role))],
            response_model=gives if self.described else None,
            tags=[tag],
            openapi_extra={"x-role": role or "nobody"},
            **more,
        )


def as_json(value: Any) -> bytes:
    """Return a value as a JSON document."""
    text = json.dumps(to_document(value, 6), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def answered(
    value: Any, request: Request | None = None, *, status: int = 200, **headers: str
) -> Response:
    """Return the answer with a value; 304 without it where the asker has the same already.

    ``headers`` are written with ``_`` for ``-``.
    """
    body = as_json(value)
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    if request is None:
        return Response(body, status, headers, JSON_TYPE)
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers |= {"etag": tag, "cache-control": "private, no-cache"}
    headers["vary"] = "accept-encoding"
    if matches(request, tag):
        return Response(status_code=304, headers=headers)
    if len(body) >= _WORTH and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = gzip.compress(body, 1, mtime=0), "gzip"
    return Response(body, status, headers, JSON_TYPE)


def matches(request: Request, tag: str) -> bool:
    """Tell whether the asker has what bears a tag."""
    known = request.headers.get("if-none-match", "")
    return tag in [part.strip().removeprefix("W/") for part in known.split(",")]


def kept_forever(body: bytes, media_type: str, tag: str, request: Request) -> Response:
    """Return an answer whose address names its content."""
    headers = {"etag": f'"{tag}"', "cache-control": FOREVER}
    if matches(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def status_of(error: VernisError) -> int:
    """Return the status of an error."""
    kinds: tuple[tuple[type[VernisError], int], ...] = (
        (NotFound, 404),
        (InvalidValue, 422),
        (InvalidCall, 422),
        (UsageError, 400),
        (CatalogBusy, 503),
        (StorageError, 507),
        (MissingExtra, 501),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 422)


def tell_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an error that was raised on purpose: one line, and what kind it is."""
    assert isinstance(error, VernisError)
    status = status_of(error)
    headers = {"retry-after": "2"} if status == 503 else None
    document = {"error": str(error), "kind": type(error).__name__}
    return JSONResponse(document, status, headers)
