"""HTML and SVG built from parts, escaped by default.

Every text that is not a ``Markup`` is escaped, so a hostile file name or class cannot become a
tag. There is no way to mark a text as safe but to wrap it on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "line", "rect", "path", "circle"})


@dataclass(frozen=True, slots=True)
class Markup:
    """A text that is HTML already."""

    text: str

    def __str__(self) -> str:
        return self.text


Content: TypeAlias = "Markup | str | int | float | Iterable[Content] | None"


def join(*contents: Content) -> Markup:
    """Return the contents one after the other; None is left out, texts are escaped."""
    return Markup("".join(_pieces(contents)))


def tag(name: str, /, *contents: Content, **attributes: str | int | float | bool | None) -> Markup:
    """Return one element.

    In attribute names a trailing ``_`` is dropped (``class_``) and ``_`` becomes ``-``. None and
    False leave the attribute out, True writes it without a value.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        parts.append(f" {attribute}" if value is True else f' {attribute}="{_clean(value)}"')
    if name in _VOID and not contents:
        return Markup("".join([*parts, "/>"]))
    return Markup("".join([*parts, ">", *_pieces(contents), f"</{name}>"]))


def _pieces(contents: Iterable[Content]) -> Iterable[str]:
    for content in contents:
        if content is None:
            continue
        if isinstance(content, Markup):
            yield content.text
        elif isinstance(content, str | int | float):
            yield _clean(content)
        else:
            yield from _pieces(content)


def _clean(value: str | int | float) -> str:
    """Escape a text; what UTF-8 cannot hold or a page may not show becomes U+FFFD."""
    text = format(value, ".6g") if isinstance(value, float) else str(value)
    text = "".join(c if _is_allowed(c) else "\ufffd" for c in text)
    return escape(text, quote=True)


def _is_allowed(character: str) -> bool:
    code = ord(character)
    if code < 0x20:
        return character in "\t\n\r"
    return not (0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF))
