"""Find the image that a cell of a table means: by path, address or bare name."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, unquote, urlsplit

from vernis.core.words.class_names import file_key

IMAGE_NAMES = (
    *("image", "filename", "file", "path", "filepath", "imagepath", "imagename", "imagefile"),
    *("img", "uri", "imageid", "imageuri", "imageurl", "asset", "assetpath", "assetname", "photo"),
    *("picture", "originalfilename", "sourcefile", "imgpath", "imgname", "url", "id", "name"),
)
"""Names of the column that says which image a row is about, the best first; see ``header_key``."""

_SURE_NAMES = frozenset(IMAGE_NAMES) - {"id", "name", "url"}
_ESCAPED = re.compile("%(?=(?:25)*[89A-F][0-9A-F])")
"""What a uri writes as ``%25``: it would be taken for a byte of a name that is not UTF-8."""

_LABEL_STUDIO = re.compile(r"[0-9a-f]{8}-(?=.)")
_AROUND = (
    " \t\n\r\v\f\u00a0\u2009\u202f\u3000\u200b\ufeff"
    "\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c\u300d\uff02\uff07"
)
"""Blanks and quotation marks of all kinds, which are no part of a name at its ends."""

_MOST_SHOWN = 3


def header_key(name: str) -> str:
    """Return what is compared of a column's name: letters and digits, in lower case."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_image_header(name: str) -> bool:
    """Tell whether a column's name alone says that it names images."""
    return header_key(name) in _SURE_NAMES


@dataclass(frozen=True, slots=True)
class Found:
    """The image that a name means.

    Attributes
    ----------
    uri : str
        Empty where there is none, or more than one.
    way : str
        ``path``, ``case`` (other case), ``address`` (of a URL, or ``%20`` read), ``suffix``
        (without the file's suffix) or ``number`` (of other leading zeros).
    loose : int
        0 the whole path, 1 the end of it, 2 only their ends are equal.
    several : tuple of str
        Images that the name could mean.
    nearer : str
        Another name of the table that means the image more exactly.
    in_trash : bool
        It names an image that was moved to the trash.
    """

    uri: str = ""
    way: str = ""
    loose: int = 0
    several: tuple[str, ...] = ()
    nearer: str = ""
    in_trash: bool = False

    @property
    def is_whole(self) -> bool:
        """The name is the whole path of the image."""
        return bool(self.uri) and self.way == "path" and self.loose == 0

    @property
    def reason(self) -> str:
        """Why there is none, in words."""
        if self.several:
            more = ", …" if len(self.several) > _MOST_SHOWN else ""
            return f"names several images: {', '.join(self.several[:_MOST_SHOWN])}{more}"
        if self.nearer:
            return f"names no image; '{self.nearer}' names the one that is nearest"
        return IN_TRASH if self.in_trash else "names no image of the collection"


IN_TRASH = "its image is in the trash"
NOT_FOUND = Found()


class ImageFinder:
    """Finds images by what tables call them.

    Tried in turn: the path itself; with the folder of the table before it; the end of a path, from
    the file name on to as many folders as the name has; then the same in other case; then what an
    address means (``%20``, ``https://…?size=2``, ``file://``, Label Studio's ``?d=`` and its
    prefixes); then the name without its suffix; then a number of other leading zeros. A name that
    fits several images is not matched. Unicode forms, backslashes, quotation marks and blanks
    around a name do not matter.

    Parameters
    ----------
    uris : iterable of str
        The images of the collection.
    root : str
        Absolute path of the indexed folder, with ``/``; names below it are read as relative.
    prefix : str
        Where the table's folder lies below the root (``"sub/"``), or, when the root lies below it,
        the part to take away (``"-images/"``).
    trashed : iterable of str
        Images in the trash. A name means one of them where it is its very path, or where it means
        no other image.
    """

    def __init__(
        self,
        uris: Iterable[str],
        root: str = "",
        prefix: str = "",
        trashed: Iterable[str] = (),
    ) -> None:
        gone = tuple(trashed)
        self._trash = ImageFinder(gone, root, prefix) if gone else None
        self.uris = tuple(uris)
        self._exact = frozenset(self.uris)
        self._root = root.rstrip("/") + "/" if root else ""
        self._prefix = prefix
        self._known: dict[str, Found] = {}

    def find(self, name: str) -> Found:
        """Return the image that a name means."""
        found = self._known.get(name)
        if found is None:
            found = self._look(name)
            if self._trash is not None and not found.is_whole:
                gone = self._trash.find(name)
                if gone.is_whole or (gone.uri and not found.uri and not found.several):
                    found = Found(in_trash=True)
            self._known[name] = found
        return found

    def find_all(self, names: Sequence[str]) -> list[Found]:
        """Return the images that the names of a table mean.

        Of two names that mean one image, the one that only ends like it means another file.
        """
        found = [self.find(name) for name in names]
        nearest: dict[str, tuple[int, str]] = {}
        for name, this in zip(names, found, strict=True):
            if this.uri:
                rank = (this.loose, name)
                nearest[this.uri] = min(nearest.get(this.uri, rank), rank)
        return [
            Found(nearer=nearest[this.uri][1])
            if this.uri and this.loose == 2 and nearest[this.uri][0] < 2
            else this
            for this in found
        ]

    def _look(self, name: str) -> Found:
        if name in self._exact:
            return Found(name, "path")
        if not name.strip():
            return NOT_FOUND
        tries = list(self._readings(name))
        for layer, way in ((self._paths, "path"), (self._cased, "case")):
            found = layer.find(tries[0], way)
            if found.uri or found.several:
                return found
        for text in tries[1:]:
            for layer in (self._paths, self._cased):
                found = layer.find(text, "address")
                if found.uri or found.several:
                    return found
        for text in tries:
            for layer in (self._stems, self._cased_stems):
                found = layer.find(text, "suffix")
                if found.uri or found.several:
                    return found
        return self._by_number(min(tries[0], key=len))

    def _readings(self, name: str) -> Iterator[tuple[str, ...]]:
        """Yield what a name may mean: as it is, moved by the table's folder; then as an address."""
        bare = name.strip(_AROUND)
        plain = file_key(bare)
        yield self._places(plain)
        seen = {plain}
        for text in (name.strip(), *_addresses(bare)):
            key = file_key(text)
            if key and key not in seen:
                seen.add(key)
                yield self._places(key)

    def _places(self, key: str) -> tuple[str, ...]:
        moved = (
            key.removeprefix(self._prefix[1:])
            if self._prefix.startswith("-")
            else self._prefix + key
        )
        if self._root and key.startswith(self._root):
            return (key[len(self._root) :],)
        return (moved, key) if moved != key and self._prefix.startswith("-") else (key, moved)

    def _by_number(self, key: str) -> Found:
        if not key.isascii() or not key.isdigit():
            return NOT_FOUND
        uris = self._numbers.get(int(key), [])
        if len(uris) == 1:
            return Found(uris[0], "number", 1)
        return Found(several=tuple(uris))

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(map(file_key, self.uris))

    @cached_property
    def _paths(self) -> _Layer:
        return _Layer(self._keys, self.uris)

    @cached_property
    def _cased(self) -> _Layer:
        return _Layer(self._keys, self.uris, fold=True)

    @cached_property
    def _stems(self) -> _Layer:
        return _Layer(self._keys, self.uris, stems=True)

    @cached_property
    def _cased_stems(self) -> _Layer:
        return _Layer(self._keys, self.uris, fold=True, stems=True)

    @cached_property
    def _numbers(self) -> dict[int, list[str]]:
        numbers: dict[int, list[str]] = defaultdict(list)
        for key, uri in zip(self._keys, self.uris, strict=True):
            stem = _without_suffix(key).rpartition("/")[2]
            if stem.isascii() and stem.isdigit() and len(stem) < 19:
                numbers[int(stem)].append(uri)
        return numbers


class _Layer:
    """All images under one way of comparing their paths."""

    def __init__(
        self,
        keys: Sequence[str],
        uris: Sequence[str],
        *,
        fold: bool = False,
        stems: bool = False,
    ) -> None:
        self.fold = fold
        self.whole: dict[str, list[str]] = defaultdict(list)
        self.tails: dict[str, list[str]] = defaultdict(list)
        for key, uri in zip(keys, uris, strict=True):
            key = self.key(_without_suffix(key) if stems else key)
            if key not in self.whole:
                self.tails[key.rsplit("/", 1)[-1]].append(key)
            self.whole[key].append(uri)

    def key(self, text: str) -> str:
        return text.casefold() if self.fold else text

    def find(self, places: Sequence[str], way: str) -> Found:
        keys = [self.key(place) for place in places]
        for key in keys:
            if key in self.whole:
                return self._one(self.whole[key], way, 0)
        # The last place is the name itself where it was moved, else the only one.
        key = min(keys, key=len)
        ends = self._ends(key)
        if not ends:
            return NOT_FOUND
        uris = [uri for end in ends for uri in self.whole[end]]
        whole = key.endswith(f"/{ends[0]}") or ends[0].endswith(f"/{key}")
        return self._one(uris, way, 1 if whole else 2)

    def _one(self, uris: Sequence[str], way: str, loose: int) -> Found:
        if len(uris) == 1:
            return Found(uris[0], way, loose)
        return Found(several=tuple(uris))

    def _ends(self, key: str) -> list[str]:
        """Return the paths whose end is that of the name, of as many folders as tell them apart."""
        parts = key.split("/")
        candidates = self.tails.get(parts[-1], [])
        for depth in range(2, len(parts) + 1):
            if len(candidates) <= 1:
                break
            end = "/" + "/".join(parts[-depth:])
            fitting = [path for path in candidates if f"/{path}".endswith(end)]
            # A whole path at the root is met by any longer one that ends with it.
            fitting = fitting or [path for path in candidates if key.endswith(f"/{path}")]
            candidates = fitting
        return candidates


def _without_suffix(key: str) -> str:
    folder, slash, last = key.rpartition("/")
    return folder + slash + (last.rsplit(".", 1)[0] if "." in last[1:] else last)


def _addresses(text: str) -> Iterator[str]:
    """Yield the paths that an address, an escaped name or an upload of another tool may mean."""
    plain = html.unescape(text) if "&" in text and ";" in text else text
    yield plain
    yield _ESCAPED.sub("%25", plain)
    try:
        parts = urlsplit(plain)
    except ValueError:
        return
    # A drive letter is no scheme.
    path = parts.path if len(parts.scheme) > 1 else re.split("[?#]", plain, maxsplit=1)[0]
    paths = [path, unquote(path), unquote(plain)]
    if "?" in plain:
        paths += [value for _, value in parse_qsl(plain.partition("?")[2])]
    for found in paths:
        yield found
        folder, slash, last = found.rpartition("/")
        upload = _LABEL_STUDIO.match(last)
        if upload:
            yield folder + slash + last[upload.end() :]
