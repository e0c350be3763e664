"""Tell folder names that may be classes from those that only keep order.

Years, dates, running batches, the folders of cameras, copies and catch-alls name no class. Plain
numbers may: they are article codes as often as running numbers, and the pictures decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

FolderKind = Literal["class", "number", "date", "batch", "camera", "storage"]
"""``class`` and ``number`` may be classes; ``storage``: copies, backups and catch-alls."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MONTHS = _words(
    """
    january february march april may june july august september october november december jan
    feb mar apr jun jul aug sep sept oct nov dec januar jänner februar märz mai juni juli
    oktober dezember mrz okt dez janvier février mars avril juin juillet août septembre
    octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre
    octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre
    dicembre
    """
)
_SEASONS = _words(
    """
    spring summer autumn fall winter frühling sommer herbst easter xmas
    """
)
_BATCHES = _words(
    """
    batch batches charge lot scan scans img imgs image images pic pics pict picture pictures
    photo photos foto fotos bild bilder dsc dscn dscf dscs imag mvi vid pxl gopr frame frames
    folder ordner dir directory part parts teil roll film reel disc disk cd dvd card karte usb
    upload uploads download downloads import imports export exports delivery lieferung shoot
    shooting session day tag week woche kw month monat quarter q semester album serie series
    set page seite chunk shard file files run job order auftrag version rev take tape volume
    vol event tour trip
    """
)
_STORAGE = _words(
    """
    backup backups bak sicherung old alt misc miscellaneous various diverse diverses divers
    sonstiges verschiedenes untitled unnamed unbenannt unsorted unsortiert sort todo temp tmp
    temporary stock archive archives archiv inbox incoming outbox original originals originale
    edited bearbeitet export exports import imports upload uploads download downloads desktop
    documents dump final finals thumbs thumbnails trash recycled papierkorb junk dropbox
    whatsapp dcim
    """
)
_FILLERS = _words(
    """
    of the my from and to new neu neuer folder ordner dir stuff things files file images image
    photos photo pictures pics bilder fotos roll camera media all backup v copy kopie
    """
)
_COPY = re.compile(
    r"(copy|kopie|backup|sicherung|copie|copia) (of|von|de|di) .+"
    r"|.+ (copy|kopie|copie|copia|backup|bak)( \d+)?"
    r"|(copy|kopie|copie|copia)( \d+)?"
)
_NEW_FOLDER = re.compile(
    r"(new folder|untitled folder|neuer ordner|nouveau dossier|nueva carpeta|nuova cartella"
    r"|nieuwe map|nova pasta)( \d+)*( (copy|kopie))?( \d+)?"
)
# 100CANON, 102_PANA, 100D5300: three digits and five characters of the maker (the DCF standard).
_CAMERA = re.compile(r"\d{3}(?=\d*[A-Z_])[A-Z_\d]{5}|(?i:DCIM|camera ?roll|camera ?uploads?)")
_FULL_DATE = re.compile(
    r"(?<!\d)("
    r"(19|20)\d\d[-_. ]?(0[1-9]|1[0-2])[-_. ]?(0[1-9]|[12]\d|3[01])"  # 2019-05-12, 20190512
    r"|(19|20)\d\d[-_. ](0?[1-9]|1[0-2])"  # 2019-05
    r"|(0?[1-9]|[12]\d|3[01])[-_. ](0?[1-9]|1[0-2])[-_. ](19|20)\d\d"  # 12.5.2019
    r"|(0?[1-9]|1[0-2])[-_. ](19|20)\d\d"  # 05-2019
    r")(?!\d)"
)
_YEAR = re.compile(r"(19|20)\d\d")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?(e\d+)?", re.IGNORECASE)


def kinds_of_folders(names: Iterable[str]) -> dict[str, FolderKind]:
    """Return what the names of one level of folders are.

    A name that can be read in two ways is read as most of its neighbours are: ``mars`` is a month
    beside ``avril`` and none beside ``twix``; ``2012`` is a year beside ``2013`` and a code among
    other codes.

    Parameters
    ----------
    names : iterable of str
        Of folders that lie on one level.

    Returns
    -------
    dict of str to FolderKind
        By name.
    """
    told = {name: _kind(name) for name in names}
    years = {name for name in told if _YEAR.fullmatch(name.strip())}
    numbers = {name for name, kind in told.items() if kind == "number"}
    if len(years) > len(numbers - years):
        told |= dict.fromkeys(years, "date")
    months = {name for name in told if name.strip().casefold() in _MONTHS}
    dates = {name for name, kind in told.items() if kind == "date"}
    if _are_most(months | dates, told):
        told |= dict.fromkeys(months, "date")
    return told


def is_order(kind: FolderKind) -> bool:
    """Tell whether folders of a kind only keep order."""
    return kind not in ("class", "number")


def _are_most(some: Collection[str], told: Collection[str]) -> bool:
    return 2 * len(some) > len(told)


def _kind(name: str) -> FolderKind:
    """Return what a name is by itself; months and years alone are left open."""
    text = name.strip()
    if _NUMBER.fullmatch(text) and not _is_compact_date(text):
        return "number"
    if _CAMERA.fullmatch(text):
        return "camera"
    if _FULL_DATE.search(text):
        return "date"
    words = re.findall(r"\d+|[^\W\d_]+", text.casefold())
    plain = " ".join(words)
    if _COPY.fullmatch(plain) or _NEW_FOLDER.fullmatch(plain):
        return "storage"
    letters = [word for word in words if not word.isdigit()]
    digits = [word for word in words if word.isdigit()]
    if not letters:
        return "number" if digits else "class"
    if digits and len(letters) <= 2 and all(word in _BATCHES for word in letters):
        return "batch"
    if _says_when(letters, digits):
        return "date"
    known = _STORAGE | _FILLERS | _MONTHS if digits else _STORAGE | _FILLERS
    if any(word in _STORAGE for word in letters) and all(word in known for word in letters):
        return "storage"
    return "class"


def _is_compact_date(text: str) -> bool:
    return len(text) == 8 and _FULL_DATE.fullmatch(text) is not None


def _says_when(letters: list[str], digits: list[str]) -> bool:
    """Tell a year with words (``Rome 2019``), a month or season with numbers (``05 May``)."""
    if any(_YEAR.fullmatch(word) for word in digits):
        return True
    return bool(digits) and all(word in _MONTHS | _SEASONS for word in letters)
