"""The services by name, opened with the key that the environment holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from vernis.adapters.services import google_vision, openai_compatible
from vernis.adapters.services.requests import Caller, Pace, Patience, is_local, require_address
from vernis.domain.annotations import Annotator, ServiceVersion
from vernis.domain.errors import UsageError
from vernis.domain.readings import Reading

ServiceName = Literal["google-vision", "openai-compatible"]
_SLOW = 300.0  # seconds that a language model on a laptop may think over a picture


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a service is reached.

    Attributes
    ----------
    endpoint : str
        Empty: the service's own.
    model : str
    per_minute : int or None
        Pictures; None: what the service allows.
    patience : Patience
    """

    endpoint: str = ""
    model: str = ""
    per_minute: int | None = None
    patience: Patience | None = None


def read_logos(
    version: ServiceVersion, content: Any, width: int, height: int
) -> tuple[Reading, ...]:
    """Return the logos of a kept answer; no service is needed for it."""
    if version.settings.get("service") == openai_compatible.SERVICE:
        return openai_compatible.read_lines(content, width, height)
    return google_vision.read_logos(content, width, height)


def open_service(
    name: ServiceName, settings: ServiceSettings, environment: Mapping[str, str] = os.environ
) -> Annotator:
    """Return a service; nothing is sent.

    Raises
    ------
    UsageError
        An endpoint or a model is missing or cannot be used.
    """
    keys = google_vision.KEYS if name == "google-vision" else openai_compatible.KEYS
    key = next((found for one in keys if (found := environment.get(one, "").strip())), "")
    if not key.isascii() or any(sign.isspace() for sign in key):
        raise UsageError(f"{' or '.join(keys)}: holds signs that no key has")
    pace = Pace(settings.per_minute or (google_vision.PER_MINUTE if name == "google-vision" else 0))
    patience = settings.patience or Patience()
    if name == "google-vision":
        base = require_address(settings.endpoint or google_vision.ENDPOINT, key)
        headers = {"X-Goog-Api-Key": key} if key else {}
        return google_vision.GoogleVision(
            Caller(base + google_vision.PATH, headers, key, patience, pace), settings.model
        )
    if not settings.endpoint:
        raise UsageError("where does the model answer? --endpoint http://localhost:11434/v1")
    if not settings.model:
        raise UsageError("which model is asked? --model NAME, as the server calls it")
    base = require_address(settings.endpoint, key)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if settings.patience is None and is_local(base):
        patience = replace(patience, timeout=_SLOW)
    return openai_compatible.OpenAICompatible(
        Caller(base + openai_compatible.PATH, headers, key, patience, pace), settings.model
    )
