"""Read and write the text, JSON and XML files of label formats in bounded memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from vernis.domain.errors import InvalidLabels

_CHUNK = 1 << 20
_LONGEST_ITEM = 1 << 28
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_JUDGED = 1 << 26  # bytes
_SPACE = " \t\r\n"


def read_text(path: Path) -> str:
    """Return the text of a file; raises InvalidLabels where it is unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidLabels(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidLabels(
            f"{path}: is not UTF-8 (byte {error.start:,}); save it as UTF-8"
        ) from error


def refuse_damaged(path: Path) -> None:
    """Raise InvalidLabels where a file is no JSON or XML although its name says so.

    Very large files are not judged.
    """
    if not path.is_file() or path.suffix.lower() not in (".json", ".xml"):
        return
    if path.stat().st_size > _MOST_JUDGED:
        return
    if path.suffix.lower() == ".json":
        text = read_text(path)
        try:
            json.loads(text)
        except ValueError as error:
            raise InvalidLabels(f"{path}: is no JSON ({error})") from error
        except RecursionError as error:
            raise InvalidLabels(f"{path}: is nested too deeply") from error
        return
    parser = expat.ParserCreate()
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise InvalidLabels(f"{path}: is no XML ({error})") from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that hold something, without their ends.

    Only line feeds end a line: file names may hold what else Python takes for a line's end.
    """
    return [line for _, line in read_numbered_lines(path)]


def read_numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of ``read_lines``, each with its number as an editor shows it."""
    lines = (line.removesuffix("\r") for line in read_text(path).split("\n"))
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def files_of(path: Path, suffix: str) -> list[Path]:
    """Return a file itself, or those of a folder and its ``annotations``, by their suffix."""
    if path.is_file():
        return [path] if path.suffix.lower() == suffix else []
    places = [path / "annotations", path] if path.is_dir() else []
    for place in places:
        if place.is_dir():
            found = sorted(p for p in place.iterdir() if p.suffix.lower() == suffix)
            if found:
                return found
    return []


def head_of(path: Path, length: int = 4096) -> str:
    """Return the beginning of a file as text, for a look inside; empty where it is unreadable."""
    try:
        with open(path, "rb") as stream:
            return stream.read(length).decode("utf-8-sig", "replace")
    except OSError:
        return ""


# --------------------------------------------------------------------------- JSON


class JsonReader:
    """Reads a JSON file piece by piece, so that a list of millions is never whole in memory.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.buffer = ""
        self.at = 0
        self.before = 0
        self.ended = False
        self.decoder = json.JSONDecoder()

    def items(self) -> Iterator[Any]:
        """Yield the items of a file that holds one list."""
        with self._open():
            self._expect("[")
            yield from self._list()

    def members(self, streamed: frozenset[str]) -> Iterator[tuple[str, Any]]:
        """Yield key and value of the object that a file holds.

        Parameters
        ----------
        streamed : frozenset of str
            Keys whose value is a list that is yielded item by item, each with its key.
        """
        with self._open():
            self._expect("{")
            if self._next() == "}":
                return
            while True:
                key = self._value()
                if not isinstance(key, str):
                    raise self._damaged("a key is no text")
                self._expect(":")
                if key in streamed and self._next() == "[":
                    self.at += 1
                    for item in self._list():
                        yield key, item
                else:
                    yield key, self._value()
                if self._next() == "}":
                    return
                self._expect(",")

    def _open(self) -> Any:
        try:
            self.stream = open(self.path, encoding="utf-8-sig")  # noqa: SIM115
        except OSError as error:
            raise InvalidLabels(f"{self.path}: cannot be read ({error.strerror})") from error
        self.buffer, self.at, self.before, self.ended = "", 0, 0, False
        return self.stream

    def _list(self) -> Iterator[Any]:
        if self._next() == "]":
            self.at += 1
            return
        while True:
            yield self._value()
            if self._next() == "]":
                self.at += 1
                return
            self._expect(",")

    def _value(self) -> Any:
        self._next()
        wanted = _CHUNK
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                if self.ended:
                    raise self._damaged(error.msg) from error
            except RecursionError as error:
                raise self._damaged("nested too deeply") from error
            else:
                # A number at the end of the buffer may go on behind it.
                if end < len(self.buffer) or self.ended:
                    self.at = end
                    return value
            if len(self.buffer) - self.at > _LONGEST_ITEM:
                raise self._damaged("one item is larger than 256 MiB")
            self._more(wanted)
            wanted *= 2

    def _next(self) -> str:
        """Skip white space and return the next character without taking it."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if self.ended:
                raise self._damaged("the file ends too early")
            self._more(_CHUNK)

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise self._damaged(f"expected '{character}', found '{self.buffer[self.at]}'")
        self.at += 1

    def _more(self, count: int) -> None:
        try:
            read = self.stream.read(count)
        except UnicodeDecodeError as error:
            raise InvalidLabels(f"{self.path}: is not UTF-8; save it as UTF-8") from error
        except OSError as error:
            raise InvalidLabels(f"{self.path}: cannot be read ({error.strerror})") from error
        self.ended = len(read) < count
        self.before += self.at
        self.buffer = self.buffer[self.at :] + read
        self.at = 0

    def _damaged(self, reason: str) -> InvalidLabels:
        return InvalidLabels(
            f"{self.path}: is no JSON as expected near character {self.before + self.at:,}"
            f" ({reason})"
        )


# --------------------------------------------------------------------------- XML


def xml_elements(path: Path, names: frozenset[str]) -> Iterator[Element]:
    """Yield each element of certain names once it is complete, in bounded memory.

    The root is yielded last where it is named. An element inside a named one belongs to that one.

    Raises
    ------
    InvalidLabels
        The file is no XML, or declares a DTD or entities (which can be made to expand without end).
    """
    found: list[Element] = []
    builder: TreeBuilder | None = None
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal builder, depth
        name = name.rpartition(":")[2]  # some programs write a prefix before every name
        if builder is None and name in names:
            builder, depth = TreeBuilder(), 0
        if builder is not None:
            builder.start(name, attributes)
            depth += 1

    def end(name: str) -> None:
        nonlocal builder, depth
        if builder is not None:
            builder.end(name.rpartition(":")[2])
            depth -= 1
            if depth == 0:
                found.append(builder.close())
                builder = None

    def text(data: str) -> None:
        if builder is not None:
            builder.data(data)

    def refuse(*_: object) -> None:
        raise InvalidLabels(f"{path}: declares a DTD or entities; remove them")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        with open(path, "rb") as stream:
            while True:
                data = stream.read(_CHUNK)
                parser.Parse(data, not data)
                yield from found
                found.clear()
                if not data:
                    return
    except OSError as error:
        raise InvalidLabels(f"{path}: cannot be read ({error.strerror})") from error
    except expat.ExpatError as error:
        raise InvalidLabels(f"{path}: is damaged XML ({error})") from error


def xml_text(text: str) -> str:
    """Return a text as XML can hold it: control characters become the replacement character."""
    return _NOT_XML.sub("\ufffd", text)


def child_text(element: Element, name: str) -> str:
    """Return the text of a child, without white space at its ends; empty where it is missing."""
    return (element.findtext(name) or "").strip()


def number(text: str, where: str, what: str) -> float:
    """Return a finite number of a text; raises InvalidLabels naming the place."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidLabels(f"{where}: {what} is '{text}', expected a number")
    return value
