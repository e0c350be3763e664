"""Tell from a path that a file is somebody's copy: "Copy of", "(1)", "backup", "old", "tmp"…"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_COPY = (
    r"cop(?:y|ies)|kopien?|copie[sn]?|copias?|cópias?|kopi[aeior]?|kopier|copi[ea]"
    r"|duplicat(?:e[sd]?|a)|dupes?|duplikate?|копия|копии|副本|コピー|사본"
)
_SPARE = (
    r"back-?ups?|bkp|bak|sicherung(?:en|skopien?)?|sauvegardes?|respaldos?"
    r"|te?mp|temporary|temporär|autosave|recovered|wiederhergestellt"
)
_ASIDE = r"old|alte?s?|ancien|viejo|vecchi[oa]|edited|bearbeitet|modifié|trash|papierkorb|recycled?"
_OF = r"(?:of|von|de|di|van|av|af|из)"
_END = r"[\s_.\-–—]*(?:\d{1,3}|\(\d{1,3}\))?$"
_GAP = r"(?:^|[\s_.\-–—(\[])"

# Each is taken from a name as often as it is found: "Copy of Copy of x (1)" is marked three times.
_MARKS = (
    # photo (1), photo（2）, photo[1]; a year in brackets is none
    re.compile(r"\s*[(（\[][1-9]\d?[)）\]]$"),
    # Copy of photo, Kopie von photo, copie de photo, Copy (2) of photo
    re.compile(rf"^(?:{_COPY})\s*(?:\(\d+\)\s*)?[\s_]{_OF}[\s_]+(?=\S)"),
    # photo - Copy, photo_copy2, photo copy 3, photo.bak, photo - Kopie (2)
    re.compile(rf"{_GAP}+(?:{_COPY}|{_SPARE}|{_ASIDE})[)\]]?{_END}"),
    # backup_photo, tmp-photo
    re.compile(rf"^(?:{_SPARE})[\s_.\-–—]+(?=\S)"),
    # photo~, ~photo
    re.compile(r"^~+|~+$"),
)
# copy.jpg, Kopie (2).jpg, backup.jpg
_WHOLE = re.compile(rf"^(?:{_COPY}|{_SPARE}){_END}")
_FOLDER = re.compile(
    rf"^(?:{_COPY}|{_SPARE}|{_ASIDE}|thumb(?:nail)?s?|\.?thumbnails|\.?cache|\.?trash(?:es)?"
    rf"|\$recycle\.bin|lost\+found|doubles?|doppelte?){_END}"
)
_FOLDER_BEGINS = re.compile(rf"^(?:{_SPARE})[\s_.\-–—]+(?=\S)")
_NUMBERED = re.compile(r"^(.*\S)[\s_\-–—](\d{1,2})$")


def copy_marks(uri: str) -> tuple[str, ...]:
    """Return what in a path says that its file is a copy; empty for an original's name.

    Parameters
    ----------
    uri : str
        Path with ``/`` between its parts.

    Returns
    -------
    tuple of str
        The words as they stand in the path, those of folders first.

    Examples
    --------
    >>> copy_marks("old/Copy of beach (1).jpg")
    ('old', '(1)', 'Copy of')
    >>> copy_marks("2019/Copenhagen/backyard.jpg")
    ()
    """
    *folders, name = unicodedata.normalize("NFC", uri).split("/")
    found = [mark for folder in folders for mark in _folder_marks(folder)]
    return (*found, *_name_marks(_stem(name))[1])


def marks_of(uris: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the marks of the paths of one picture.

    As ``copy_marks``, and a number after a name is a mark where another of the pictures bears
    that name without it: ``photo 2.jpg`` beside ``photo.jpg``.
    """
    marks = [copy_marks(uri) for uri in uris]
    plain = {_name_marks(_stem(uri.rsplit("/", 1)[-1]))[0] for uri in uris}
    for place, uri in enumerate(uris):
        numbered = _NUMBERED.match(_name_marks(_stem(uri.rsplit("/", 1)[-1]))[0])
        if numbered is not None and numbered[1] in plain:
            marks[place] = (*marks[place], numbered[2])
    return marks


def _stem(name: str) -> str:
    """Return a file's name without its suffix; ``photo.jpg.bak`` keeps what marks it."""
    stem, dot, _ = unicodedata.normalize("NFC", name).rpartition(".")
    return stem if dot and stem else name


def _folder_marks(folder: str) -> list[str]:
    plain, lower = folder.strip(), folder.strip().casefold()
    if _FOLDER.search(lower) or _FOLDER_BEGINS.search(lower):
        return [plain]
    for mark in _MARKS[1:3]:
        if mark.search(lower):
            return [plain]
    return []


def _name_marks(stem: str) -> tuple[str, list[str]]:
    """Return a name without its marks, in small letters, and the marks."""
    text, marks = stem.strip(), list[str]()
    if _WHOLE.search(text.lower()):
        return text.lower(), [text]
    found = True
    while found and text:
        found = False
        for mark in _MARKS:
            match = mark.search(text.lower())
            rest = None if match is None else text[: match.start()] + text[match.end() :]
            if match is not None and rest is not None and rest.strip(" _-–—."):
                marks.append(text[match.start() : match.end()].strip(" _-–—."))
                text, found = rest.strip(), True
    return text.lower(), marks
