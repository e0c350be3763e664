"""Read and write the file in which decisions are handed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from vernis.adapters.interchange.formats.files import JsonReader
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.handover import (
    HandedImage,
    HandedKeeper,
    HandedLabel,
    HandedRegion,
    HandedVerdict,
    Handover,
    SaidOfRegion,
)
from vernis.domain.regions import Box, Region

_FORMAT = "vernis decisions"
_VERSIONS = (1, 2)
"""The second one holds regions; a file without any is written as the first, which all read."""
_LISTS = frozenset(("labels", "verdicts", "keepers", "regions"))

T = TypeVar("T")


def write_decisions(path: Path, handed: Handover) -> None:
    """Write the file whole; what stands there is replaced only once all is written."""
    document: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSIONS[1 if handed.regions else 0],
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
    if handed.regions:
        document["regions"] = [_of_region(one) for one in handed.regions]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _of(image: HandedImage | None, before: str = "") -> dict[str, str]:
    return {} if image is None else {f"{before}image": image.path, f"{before}sha256": image.content}


def _of_region(one: HandedRegion) -> dict[str, Any]:
    region, box = one.region, one.region.box
    more = {
        "shape": "" if region.shape == "box" else region.shape,
        "outline": region.outline,
        "foreign_id": region.foreign_id,
        "attributes": region.attributes,
        "removed_by": one.removed_by,
    }
    return {
        **_of(one.image),
        "box": [box.x, box.y, box.width, box.height],
        "picture": list(region.picture),
        **{name: value for name, value in more.items() if value not in ("", None)},
        "drawn_by": one.drawn_by,
        "labels": [asdict(said) for said in one.said],
    }


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
    regions: list[HandedRegion] = []
    for key, value in JsonReader(path).members(_LISTS):
        if key == "labels":
            labels.append(_entry(path, "label", len(labels), value, _label))
        elif key == "verdicts":
            verdicts.append(_entry(path, "verdict", len(verdicts), value, _verdict))
        elif key == "keepers":
            keepers.append(_entry(path, "keeper", len(keepers), value, _keeper))
        elif key == "regions":
            regions.append(_entry(path, "region", len(regions), value, _region))
        else:
            heads[key] = value
    if heads.get("format") != _FORMAT:
        raise InvalidLabels(
            f"{path}: holds no decisions; write them with: vernis export decisions FILE"
        )
    if heads.get("version") not in _VERSIONS:
        raise InvalidLabels(
            f"{path}: is of version {heads.get('version')}, this Vernis reads {_VERSIONS[-1]}; "
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
        tuple(regions),
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


def _region(value: Mapping[str, Any]) -> HandedRegion:
    foreign = value.get("foreign_id")
    if not isinstance(foreign, int | str | None):
        raise InvalidValue(f"'foreign_id' must be a number or a text, got {foreign!r}")
    labels = value.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(said, dict) for said in labels):
        raise InvalidValue(f"'labels' must be a list of objects, got {labels!r}")
    region = Region(
        Box(*_numbers(value, "box", 4)),
        (int(_numbers(value, "picture", 2)[0]), int(_numbers(value, "picture", 2)[1])),
        _text(value, "shape") or "box",  # type: ignore[arg-type]  # judged by Region
        _text(value, "outline"),
        foreign,
        _text(value, "attributes"),
    )
    return HandedRegion(
        _image(value),
        region,
        _text(value, "drawn_by"),
        tuple(
            SaidOfRegion(
                _text(said, "taxonomy"),
                _text(said, "label"),
                _text(said, "state"),  # type: ignore[arg-type]  # judged by SaidOfRegion
                _text(said, "source"),
            )
            for said in labels
        ),
        _text(value, "removed_by"),
    )


def _numbers(value: Mapping[str, Any], name: str, count: int) -> list[float]:
    found = value.get(name)
    sound = isinstance(found, list) and len(found) == count
    if not sound or not all(isinstance(n, int | float) for n in found):  # type: ignore[union-attr]
        raise InvalidValue(f"'{name}' must be a list of {count} numbers, got {found!r}")
    return [float(n) for n in found]  # type: ignore[union-attr]


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
