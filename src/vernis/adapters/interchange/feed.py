"""Feeds: JSON Lines that grow, a picture a line with its address, author, date and text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from vernis.adapters.catalog.storage import translated_os
from vernis.domain.addresses import climbs, holds_secret, is_address
from vernis.domain.posts import FeedPart, Post

_AT_ONCE = 10_000  # posts
_MOST_BYTES = 1 << 22  # of a line
_HEAD = 256  # bytes by which a feed is known to be the one that was read before
_SAID = 2_000  # characters of a text that are kept

_NAMES = {
    "address": ("address", "url", "image_url", "media_url", "image", "path", "file", "uri"),
    "author": ("author", "user", "username", "account", "screen_name", "by"),
    "posted": ("date", "posted", "created_at", "timestamp", "time", "published"),
    "text": ("text", "caption", "message", "title", "description"),
}
_MILLISECONDS = 1e11  # a number above that is no count of seconds


def is_feed(path: Path) -> bool:
    """Tell a feed from an image by its name."""
    return path.suffix.lower() in (".jsonl", ".ndjson")


def head_of(path: Path, size: int = _HEAD) -> str:
    """Return what tells whether a feed goes on or was written anew: of its first bytes.

    Raises
    ------
    StorageError
        It cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read(size)).hexdigest()[:16]
    except OSError as error:
        raise translated_os(error, path) from error


def read_feed(path: Path, start: int = 0) -> Iterator[FeedPart]:
    """Yield the posts of a feed from a byte on, ten thousand at a time.

    A last line that is not whole yet is left for the next time. Keys may be named as the networks
    name them (``url``, ``user``, ``created_at``, …), dates be ISO 8601, RFC 2822 or seconds since
    1970.

    Raises
    ------
    StorageError
        It cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            stream.seek(start)
            yield from _parts(path, stream, start)
    except OSError as error:
        raise translated_os(error, path) from error


def _parts(path: Path, stream: Any, start: int) -> Iterator[FeedPart]:
    posts: list[Post] = []
    left_out: list[str] = []
    end = start
    while line := stream.readline(_MOST_BYTES):
        whole = line.endswith(b"\n")
        if not whole and len(line) < _MOST_BYTES and _read_line(line) is None:
            break  # somebody is writing it
        place = f"{path.name} at byte {end:,}"
        end += len(line)
        if not line.strip():
            continue
        post = _read_line(line)
        if post is None:
            left_out.append(f"{place}: is no line of JSON that names a picture (address)")
        elif holds_secret(post.address):
            left_out.append(f"{place}: the address holds a password or signature")
        elif is_address(post.address) and climbs(post.address):
            left_out.append(f"{place}: the address leads upwards (..)")
        else:
            posts.append(post)
        if len(posts) + len(left_out) >= _AT_ONCE:
            yield FeedPart(tuple(posts), end, tuple(left_out))
            posts, left_out = [], []
    if end > start:
        yield FeedPart(tuple(posts), end, tuple(left_out))


def _read_line(line: bytes) -> Post | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, Mapping):
        return None
    named = {str(key).lower(): value for key, value in said.items()}

    def find(what: str) -> Any:
        return next((named[key] for key in _NAMES[what] if named.get(key) is not None), "")

    address = find("address")
    if not isinstance(address, str) or not address.strip() or "\0" in address:
        return None
    author = find("author")
    if isinstance(author, Mapping):  # the networks' own records
        author = next((author[key] for key in _NAMES["author"] + ("name",) if key in author), "")
    return Post(address.strip(), _plain(author), _as_date(find("posted")), _plain(find("text")))


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:_SAID]


def _as_date(value: Any) -> str:
    """Return a date as ``2024-05-01T12:00:00Z``, empty where it is none."""
    try:
        if isinstance(value, bool):
            return ""
        if isinstance(value, str) and value.strip().isdigit() and len(value.strip()) > 8:
            value = int(value)
        if isinstance(value, int | float):
            seconds = value / 1000 if abs(value) > _MILLISECONDS else value
            found = datetime.fromtimestamp(seconds, UTC) if math.isfinite(seconds) else None
        else:
            found = _parsed(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return ""
    if found is None:
        return ""
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parsed(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        # As Twitter wrote it: Wed Oct 10 20:19:24 +0000 2018.
        return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")
