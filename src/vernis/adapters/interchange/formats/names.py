"""Paths and file names of other tools: checked on the way in, made safe on the way out."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from vernis.domain.errors import InvalidLabels

MAP_FILE = "vernis_names.csv"
"""Beside names that had to be changed: what each was before."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*%]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:/")
_LONGEST = 180


def safe_uri(text: str, where: str) -> str:
    """Return the path of an image as Vernis writes it: relative, with ``/``, without ``.``.

    Parameters
    ----------
    text : str
        As the file says it; ``\\`` counts as ``/`` where there is no ``/``.
    where : str
        File and place, for the message.

    Raises
    ------
    InvalidLabels
        The path is empty, absolute, or leads out of its folder.
    """
    path = text.replace("\\", "/") if "/" not in text else text
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or "\0" in path:
        raise InvalidLabels(f"{where}: '{text}' names no image")
    if path.startswith("/") or _DRIVE.match(path):
        raise InvalidLabels(
            f"{where}: '{text}' is an absolute path; write it relative to the folder of images"
        )
    if ".." in parts:
        raise InvalidLabels(f"{where}: '{text}' leads out of its folder; remove the ..")
    return "/".join(parts)


def uri_from_url(text: str, where: str) -> str:
    """Return the path of an image in a link as web tools write it.

    Of ``http`` links and of buckets (``s3://bucket/…``) the path counts, of Label Studio's local
    files what stands behind ``?d=``.
    """
    from urllib.parse import parse_qs, unquote, urlsplit

    parts = urlsplit(text)
    if parts.path.endswith("/local-files/") and "d" in parse_qs(parts.query):
        # An absolute path on the other machine: what is below its root is all that can be meant.
        return safe_uri(parse_qs(parts.query)["d"][0].lstrip("/"), where)
    if parts.scheme and len(parts.scheme) > 1:
        return safe_uri(unquote(parts.path).lstrip("/"), where)
    if text.startswith("/data/"):
        return safe_uri(unquote(text[len("/data/") :]).removeprefix("upload/"), where)
    return safe_uri(text, where)


def safe_name(text: str) -> str:
    """Return a file name for any text: characters that some system refuses become ``%XX``.

    Two texts have two names; ``a%20b`` and the like are told apart because ``%`` is escaped too.
    """
    name = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)
    if name.startswith((".", " ")):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith((".", " ")):
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if _RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return name or "%00"


class FlatNames:
    """Gives each uri a file name of its own, so that images of all subfolders fit into one folder.

    The name of the file where no other has it, else the folders before it, joined by ``__``. No
    two names differ only in case, in composed letters or in their suffix: labels lie in files of
    the same stem, and some disks take ``A.jpg`` and ``a.jpg`` for one.

    Parameters
    ----------
    uris : iterable of str
    """

    def __init__(self, uris: Iterable[str]) -> None:
        paths = {uri: PurePosixPath(uri) for uri in uris}
        stems = Counter(self.key(path.stem) for path in paths.values())
        taken: set[str] = set()
        self.names: dict[str, str] = {}
        for uri, path in paths.items():
            alone = stems[self.key(path.stem)] == 1
            parts = (path.stem,) if alone else (*path.parts[:-1], path.stem)
            stem = safe_name("__".join(parts))
            stem = stem.encode()[:_LONGEST].decode("utf-8", "ignore")
            name, number = stem, 1
            while self.key(name) in taken:
                number += 1
                name = f"{stem}~{number}"
            taken.add(self.key(name))
            self.names[uri] = name + safe_suffix(path)

    def name_of(self, uri: str) -> str:
        """Return the name of a uri."""
        return self.names[uri]

    @property
    def changed(self) -> bool:
        """Some name is not the uri itself."""
        return any(name != uri for uri, name in self.names.items())

    def write_map(self, folder: Path) -> None:
        """Write the map of names where one was changed."""
        if self.changed:
            write_map(folder, self.names.items())

    @staticmethod
    def key(name: str) -> str:
        """Return what a name is compared by."""
        return unicodedata.normalize("NFC", name).casefold()


def safe_suffix(path: PurePosixPath) -> str:
    """Return the suffix of a path, without characters that a name may not hold."""
    return "" if path.suffix == "" else "." + safe_name(path.suffix[1:])


def write_map(folder: Path, names: Iterable[tuple[str, str]]) -> None:
    """Write what each name was before: rows of name and original."""
    with open(folder / MAP_FILE, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", "original"])
        writer.writerows((name, original) for original, name in names)


def read_map(folder: Path) -> dict[str, str]:
    """Return name → original of a folder that Vernis wrote; empty where there is no map."""
    try:
        with open(folder / MAP_FILE, encoding="utf-8", newline="") as stream:
            return {row[0]: row[1] for row in csv.reader(stream) if len(row) == 2}
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
