"""Vision-language models behind the interface ``chat/completions``: Ollama, vLLM, llama.cpp, …

The classes of the taxonomy are the only labels that a model may answer: they stand in the schema of
its answer, and what it says besides is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vernis.adapters.services.requests import Caller, is_local
from vernis.domain.annotations import (
    NamedLabel,
    Question,
    Replies,
    Reply,
    SentPicture,
    ServiceVersion,
)
from vernis.domain.errors import ServiceError, UsageError
from vernis.domain.readings import Reading

SERVICE = "openai-compatible"
KEYS = ("OPENAI_API_KEY",)
"""Variables of the environment that may hold the key."""
PATH = "/chat/completions"
NONE = "none of these"
"""What a picture of no class of a single taxonomy is answered with."""

_WORDING = 1
"""Raised when the wording of the question changes: answers to another one are others."""
_UNTOLD = 0.9
"""Confidence of what is read: the model tells none."""
_HEIGHT = 0.05
"""Height of what is read, as a share of the picture's shorter side: the model tells none."""


@dataclass(eq=False)
class OpenAICompatible:
    """``Annotator`` over ``chat/completions``.

    Parameters
    ----------
    caller : Caller
    model : str
        As the server names it.
    """

    caller: Caller
    model: str

    most_pictures = 1
    most_bytes = 20 * 2**20
    is_paid_by_feature = False

    @property
    def version(self) -> ServiceVersion:
        """What answers are kept under."""
        return ServiceVersion(self.model, {"service": SERVICE, "wording": _WORDING})

    @property
    def address(self) -> str:
        """Where pictures go."""
        return self.caller.url

    @property
    def is_local(self) -> bool:
        """Whether that is this machine."""
        return is_local(self.caller.url)

    def require_key(self) -> None:
        """Raise UsageError where OpenAI's own service is asked without a key."""
        if not self.caller.key and self.caller.host.endswith("openai.com"):
            raise UsageError(f"{self.caller.host} needs a key: export {KEYS[0]}=…")

    def ask(self, pictures: Sequence[SentPicture], question: Question) -> Replies:
        """Send one picture and return what is answered."""
        (picture,) = pictures
        image = f"data:image/jpeg;base64,{base64.b64encode(picture.jpeg).decode()}"
        schema = {"name": "picture", "strict": True, "schema": _schema(question)}
        body = {
            "model": self.model,
            "temperature": 0,
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": _wording(question)},
                        {"type": "image_url", "image_url": {"url": image}},
                    ],
                }
            ],
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
        received = self.caller.post(body, 1)
        document = received.document
        usage = document.get("usage") if isinstance(document, dict) else None
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else 0
        reply = self._reply(document, question, received.lost)
        return Replies((reply,), received.lost, tokens if isinstance(tokens, int) else 0)

    def _reply(self, document: Any, question: Question, lost: int) -> Reply:
        try:
            choice = document["choices"][0]
            message = choice["message"]
            said = message.get("content")
        except (TypeError, LookupError, AttributeError) as error:
            shown = self.caller.clean(str(document))
            raise ServiceError(
                f"{self.caller.host}: expected choices, got {shown}", lost + 1
            ) from (error)
        if message.get("refusal"):
            return Reply(error=self.caller.clean(str(message["refusal"])))
        if choice.get("finish_reason") == "length":
            return Reply(error="the answer is cut off; the model's limit of tokens is too low")
        try:
            answer = json.loads(_without_fence(str(said or "")))
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            return Reply(
                error=f"expected JSON, got {self.caller.clean(str(said))!r}", lasting=False
            )
        return Reply({feature: answer.get(feature) for feature in question.features})

    def stop(self) -> None:
        """End the waiting for another try."""
        self.caller.stop()

    def labels(self, content: Any, question: Question) -> tuple[NamedLabel, ...]:
        """Return the labels of an answer that are classes, once each."""
        said = content if isinstance(content, list) else [content]
        names = dict.fromkeys(one for one in said if isinstance(one, str))
        found = [NamedLabel(name) for name in names if name in question.classes]
        return tuple(found[:1] if question.kind == "single" else found)

    def text(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the lines that a model reads; it does not tell where they stand."""
        return read_lines(content, width, height)

    def logos(self, content: Any, width: int, height: int) -> tuple[Reading, ...]:
        """Return the brands whose logo a model sees."""
        return read_lines(content, width, height)


def read_lines(content: Any, width: int, height: int) -> tuple[Reading, ...]:
    """Return the texts of an answer as readings that stand for the whole picture."""
    said = content if isinstance(content, list) else []
    lines = [" ".join(one.split()) for one in said if isinstance(one, str)]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return tuple(Reading(line, _UNTOLD, frame, _HEIGHT) for line in lines if line)


def _schema(question: Question) -> dict[str, Any]:
    """Return the schema of an answer: a field a feature, labels as an enumeration."""
    texts = {"type": "array", "items": {"type": "string"}}
    fields: dict[str, Any] = {}
    for feature in question.features:
        if feature != "labels":
            fields[feature] = texts
        elif question.kind == "single":
            fields[feature] = {"type": "string", "enum": [*question.classes, NONE]}
        else:
            one = {"type": "string", "enum": list(question.classes)}
            fields[feature] = {"type": "array", "items": one}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _wording(question: Question) -> str:
    """Return the question in words; the classes stand there too, as not every server enforces."""
    asked = ["Look at the picture and answer in JSON."]
    listed = json.dumps(list(question.classes), ensure_ascii=False)
    if "labels" in question.features and question.kind == "single":
        asked.append(
            f'labels: the one class of "{question.taxonomy}" that the picture shows, spelled as '
            f'in this list, or "{NONE}" where you are not sure: {listed}.'
        )
    elif "labels" in question.features:
        asked.append(
            f'labels: every class of "{question.taxonomy}" that can be seen in the picture, '
            f"spelled as in this list, none that you are not sure of: {listed}."
        )
    if "logos" in question.features:
        asked.append(
            "logos: the names of the brands whose logo can be seen; an empty list if none."
        )
    if "text" in question.features:
        asked.append("text: each line of text as it is printed; an empty list if there is none.")
    return "\n".join(asked)


def _without_fence(text: str) -> str:
    """Return the document in a block of Markdown, which some servers put around it."""
    text = text.strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    return text
