"""How names of classes and files are written, and when two of them are the same to a reader.

The one home of it: names from cells, folders, options, decisions and filters all pass here.
``clean_name`` is how a name is kept, ``match_key`` how it is compared.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb]"
)
"""Soft hyphen, zero-width space, marks of direction, byte order mark…: nobody sees them."""

_LOOKS_BLANK = re.compile("[\u2800\u3164\uffa0]")
"""Characters that no property calls a space, drawn as one (Braille blank, Hangul fillers)."""

_JOINERS = "\u200c\u200d"
_UNSEEN_WHERE_COMPARED = re.compile(f"[{_JOINERS}\ufe00-\ufe0f]")
"""Joiners and the choice of a variant change how a letter is drawn, not which one it is."""

LEVELS = "|"
"""Stands between the levels of a hierarchical name, as keywords of image files are."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_JOINED_KINDS = frozenset(("Lo", "Mn", "Mc", "So", "Sk"))
_VIRAMA = 9  # canonical combining class of the sign that joins Indic letters


def clean_name(text: str) -> str:
    """Return a name as it is kept: what a reader sees of it, and nothing else.

    Composed (NFC); every kind of space, line break and tabulator is one space, none at the ends;
    without control characters and without characters that nobody sees (zero-width spaces, soft
    hyphens, marks of direction, byte order marks). Joiners stay where Arabic, Indic letters and
    emoji need them. Case, accents and punctuation are left as they are. A second time changes
    nothing, and a name that has a visible character keeps it.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Empty where there is nothing to see.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = _SURROGATE.sub("\ufffd", text)
    text = _LOOKS_BLANK.sub(" ", _INVISIBLE.sub("", text))
    text = "".join(c for c in text if c.isspace() or unicodedata.category(c) != "Cc")
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    # A joiner or a mark that went may leave letters that compose, or a space at the end.
    return unicodedata.normalize("NFC", " ".join(_without_idle_joiners(text).split()))


def _without_idle_joiners(text: str) -> str:
    if not any(joiner in text for joiner in _JOINERS):
        return text
    kept = []
    for place, char in enumerate(text):
        if char in _JOINERS:
            before = text[place - 1] if place else " "
            after = text[place + 1] if place + 1 < len(text) else " "
            between = {unicodedata.category(before), unicodedata.category(after)} <= _JOINED_KINDS
            if not between and unicodedata.combining(before) != _VIRAMA:
                continue
        kept.append(char)
    return "".join(kept)


def match_key(text: str) -> str:
    """Return what is compared of a name: equal for names that differ in case or unseen signs alone.

    Unicode's canonical caseless matching of the clean name, full-width letters as plain ones.
    ``Café`` composed and decomposed, ``CAFÉ`` and ``café`` with a zero-width space have one key;
    ``Cafe`` has another.
    """
    text = clean_name(text)
    if not text.isascii():  # most file names are, and there may be a million of them
        text = "".join(map(_narrow, _UNSEEN_WHERE_COMPARED.sub("", text)))
        text = unicodedata.normalize("NFD", text).casefold()
        text = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return text.casefold()


def _narrow(char: str) -> str:
    """Return the plain letter of a full-width or half-width one."""
    if not "\uff00" <= char <= "\uffef":
        return char
    kind = unicodedata.decomposition(char)
    return unicodedata.normalize("NFKC", char) if kind.startswith(("<wide>", "<narrow>")) else char


def same_names(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that a reader takes for ``text``, the one that is spelt so alone.

    Parameters
    ----------
    text : str
        As a person wrote it.
    names : iterable of str
        Those that exist.

    Returns
    -------
    list of str
        The name itself where it exists; else all names of the same ``match_key``, in their order.
    """
    known = list(names)
    if text in known:
        return [text]
    clean = clean_name(text)
    exact = [name for name in known if clean_name(name) == clean]
    if exact:
        return exact
    key = match_key(text)
    return [name for name in known if match_key(name) == key]


def known_name(text: str, names: Iterable[str]) -> str:
    """Return the one of ``names`` that ``text`` means; itself, clean, where none or several do."""
    found = same_names(text, names)
    return found[0] if len(found) == 1 else clean_name(text)


def kept_names(texts: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return how each text is kept as a name: as one of ``names`` that is seen as it, else clean.

    Case tells names apart here. A text with nothing to see is kept as the empty name.
    """
    known = list(names)
    seen = {clean_name(name): name for name in reversed(known)} | {name: name for name in known}
    clean = {text: clean_name(text) for text in texts}
    return {text: seen.get(text) or seen.get(name) or name for text, name in clean.items()}


def file_key(name: str) -> str:
    """Return what is compared of a path or file name: composed, with ``/``, without ``./``.

    Letters keep their case and spaces their number, as files are told apart by them.
    """
    text = name.strip()
    if text.isascii() and "\\" not in text and "//" not in text and not text.startswith("./"):
        return text
    text = unicodedata.normalize("NFC", text.replace("\\", "/"))
    return re.sub(r"^(\./)+", "", re.sub("/{2,}", "/", text))
