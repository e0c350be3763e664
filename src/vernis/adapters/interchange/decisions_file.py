"""Read and write the file in which decisions are handed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vernis.adapters.interchange.formats.files import JsonReader
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.handover import (
    HandedImage,
    HandedKeeper,
    HandedLabel,
    HandedVerdict,
    Handover,
)

_FORMAT, _VERSION = "vernis decisions", 1
_LISTS = frozenset(("labels", "verdicts", "keepers"))

T = TypeVar("T")


def write_decisions(path: Path, handed: Handover) -> None:
    """Write the file whole; what stands there is replaced only once all is written."""
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "collection": handed.collection,
        "taxonomies": dict(handed.kinds),
        "labels": [
            {
                **_of(one.image),
                "taxonomy": one.taxonomy,
                "label": one.label,
                "state": one.state,
                "source": one.source,
            }
            for one in handed.labels
        ],
        "verdicts": [
            {
                **_of(one.image),
                **_of(one.other, "other_"),
                "kind": one.kind,
                "taxonomy": one.taxonomy,
                "label": one.label,
                "verdict": one.verdict,
                "given": list(one.given),
                "suggested": list(one.suggested),
            }
            for one in handed.verdicts
        ],
        "keepers": [{**_of(one.image), "source": one.source} for one in handed.keepers],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _of(image: HandedImage | None, before: str = "") -> dict[str, str]:
    return {} if image is None else {f"{before}image": image.path, f"{before}sha256": image.content}


def read_decisions(path: Path) -> Handover:
    """Return what a file hands over.

    Raises
    ------
    InvalidLabels
        It is no such file, or an entry is not as it must be; the message names it.
    """
    heads: dict[str, Any] = {}
    labels: list[HandedLabel] = []
    verdicts: list[HandedVerdict] = []
    keepers: list[HandedKeeper] = []
    for key, value in JsonReader(path).members(_LISTS):
        if key == "labels":
            labels.append(_entry(path, "label", len(labels), value, _label))
        elif key == "verdicts":
            verdicts.append(_entry(path, "verdict", len(verdicts), value, _verdict))
        elif key == "keepers":
            keepers.append(_entry(path, "keeper", len(keepers), value, _keeper))
        else:
            heads[key] = value
    if heads.get("format") != _FORMAT:
        raise InvalidLabels(
            f"{path}: holds no decisions; write them with: vernis export decisions FILE"
        )
    if heads.get("version") != _VERSION:
        raise InvalidLabels(
            f"{path}: is of version {heads.get('version')}, this Vernis reads {_VERSION}; "
            "use the newer Vernis on both sides"
        )
    kinds = heads.get("taxonomies") or {}
    if not isinstance(kinds, dict) or not set(kinds.values()) <= {"single", "multi"}:
        raise InvalidLabels(f"{path}: 'taxonomies' must name single or multi for each")
    return Handover(
        str(heads.get("collection", "")),
        tuple(kinds.items()),
        tuple(labels),
        tuple(verdicts),
        tuple(keepers),
    )


def _entry(
    path: Path, what: str, before: int, value: Any, read: Callable[[Mapping[str, Any]], T]
) -> T:
    try:
        if not isinstance(value, dict):
            raise InvalidValue("expected an object")
        return read(value)
    except InvalidValue as error:
        raise InvalidLabels(f"{path}: {what} {before + 1:,}: {error}") from error


def _label(value: Mapping[str, Any]) -> HandedLabel:
    return HandedLabel(
        _image(value),
        _text(value, "taxonomy"),
        _text(value, "label"),
        _text(value, "state"),  # type: ignore[arg-type]  # judged by HandedLabel
        _text(value, "source"),
    )


def _verdict(value: Mapping[str, Any]) -> HandedVerdict:
    return HandedVerdict(
        _image(value),
        _text(value, "kind"),
        _text(value, "verdict"),  # type: ignore[arg-type]  # judged by HandedVerdict
        _text(value, "taxonomy"),
        _text(value, "label"),
        _image(value, "other_") if value.get("other_image") else None,
        _texts(value, "given"),
        _texts(value, "suggested"),
    )


def _keeper(value: Mapping[str, Any]) -> HandedKeeper:
    return HandedKeeper(_image(value), _text(value, "source"))


def _image(value: Mapping[str, Any], before: str = "") -> HandedImage:
    return HandedImage(_text(value, f"{before}image"), _text(value, f"{before}sha256"))


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name, "")
    if not isinstance(found, str):
        raise InvalidValue(f"'{name}' must be a text, got {found!r}")
    return found


def _texts(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = value.get(name, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise InvalidValue(f"'{name}' must be a list of texts, got {found!r}")
    return tuple(found)
