"""Index the pictures of a feed, and keep what it says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vernis.core.words.class_names import clean_name
from vernis.domain.addresses import is_address
from vernis.domain.errors import UsageError
from vernis.domain.ports import FileSource
from vernis.domain.posts import FeedPart, Post
from vernis.domain.types import IndexChanges, Statement, Taxonomy
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by

if TYPE_CHECKING:
    from vernis.session.session import Session

SOURCE = "given:feed"
FEED = "feed"
"""Origin of the taxonomy that a feed gives."""
AUTHORS = "author"
"""The taxonomy of who posted a picture."""
POSTED = "posted"
"""The attribute that holds when a picture was posted, in UTC."""
_HEAD = 256  # bytes
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FeedMark:
    """How far a feed was read."""

    VERSION: ClassVar[int] = 1

    end: int
    """Bytes."""
    head_size: int
    head: str
    """Digest of so many first bytes: a feed that was written anew is read from its beginning."""


@dataclass(slots=True)
class FeedFindings:
    """What one reading of a feed found."""

    posts: int = 0
    changes: IndexChanges = field(default_factory=lambda: IndexChanges(0, 0, 0, 0, 0, 0))
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


IndexSource = Callable[[FileSource], IndexChanges]


def index_feed(session: Session, feed: Path, index: IndexSource) -> FeedFindings:
    """Index what was added to a feed since it was last read, some thousand posts at a time.

    Pictures that are known are not fetched again; what the latest post says of one holds. Whoever
    posted it is its label in the taxonomy ``author``, on which no step works unless it is named.

    Parameters
    ----------
    session : Session
    feed : Path
    index : callable
        Lists the images of a source in the catalog.

    Raises
    ------
    StorageError
        The feed cannot be read.
    """
    name = f"feed:{session.places.address_of(feed)}"
    mark = session.results.find(name, FeedMark)
    start = 0
    if mark is not None and feed.stat().st_size >= mark.end:
        start = mark.end if session.places.feed_head(feed, mark.head_size) == mark.head else 0
    found = FeedFindings()
    for part in session.places.read_feed(feed, start):
        _index_part(session, feed, part, index, found)
        size = min(_HEAD, part.end)
        session.results.keep(name, FeedMark(part.end, size, session.places.feed_head(feed, size)))
    found.notes += _say_left_out(found.left_out)
    return found


def _index_part(
    session: Session, feed: Path, part: FeedPart, index: IndexSource, found: FeedFindings
) -> None:
    found.posts += len(part.posts)
    found.left_out += part.left_out
    if not part.posts:
        return
    root = session.catalog.images.root()
    if root is None and any(not is_address(post.address) for post in part.posts):
        root = feed.absolute().parent
    by_uri: dict[str, Post] = {}
    authors: dict[str, set[str]] = {}
    for post in part.posts:
        uri = _uri_of(session, feed, root, post.address)
        by_uri[uri] = post
        authors.setdefault(uri, set()).add(clean_name(post.author))
    known = set(session.table().uris)
    new = [uri for uri in by_uri if is_address(uri) and uri not in known]
    files = [uri for uri in by_uri if not is_address(uri)]
    if new:
        found.changes = _sum(found.changes, index(session.places.address_source(new, str(feed))))
    if files:
        paths = [session.files.path_of_uri(uri, root) for uri in files]
        found.changes = _sum(
            found.changes, index(session.places.file_source(None, paths, root=root))
        )
    _keep(session, feed, by_uri, authors)


def _uri_of(session: Session, feed: Path, root: Path | None, address: str) -> str:
    if is_address(address):
        return address
    path = feed.absolute().parent / address
    try:
        return session.files.uri_of(path.parent.resolve() / path.name, root)
    except UsageError:
        return session.places.address_of(path)


def _keep(
    session: Session, feed: Path, posts: Mapping[str, Post], authors: Mapping[str, set[str]]
) -> None:
    """Keep what posts say of their images, as a batch of its own."""
    table = session.table("present", "unreadable")
    ids = dict(zip(table.uris, table.ids.tolist(), strict=True))
    values: dict[int, dict[str, str | None]] = {}
    said: list[Statement] = []
    for uri, post in posts.items():
        image = ids.get(uri)
        if image is None:
            continue
        told = {"author": post.author, POSTED: post.posted, "post": post.text}
        values[image] = {name: value for name, value in told.items() if value}
        said += [Statement(image, name, "yes") for name in sorted(authors[uri]) if name]
    history = session.catalog.history
    batch = history.begin("import", source=by(), note=f"{feed.name}: what the posts say")
    with history.joined(batch):
        session.catalog.images.set_attributes(values, source=SOURCE, verb="import")
        if said:
            _record_authors(session, said)
    history.close(batch)


def _record_authors(session: Session, said: Sequence[Statement]) -> None:
    labels = session.catalog.labels
    names = tuple(sorted({one.label for one in said}))
    known = next((one for one in session.taxonomies() if one.name == AUTHORS), None)
    kind = "multi" if known is None else known.kind
    labels.define(Taxonomy(AUTHORS, kind, names, origin=FEED, ignored=True))
    labels.record(AUTHORS, said, source=SOURCE, verb="import")


def _sum(one: IndexChanges, other: IndexChanges) -> IndexChanges:
    names = ("new", "changed", "moved", "vanished", "unchanged", "unreadable")
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})


def sum_changes(changes: Sequence[IndexChanges]) -> IndexChanges:
    """Return what several indexings found together."""
    total = IndexChanges(0, 0, 0, 0, 0, 0)
    for one in changes:
        total = _sum(total, one)
    return total


def _say_left_out(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    reasons = Counter(text.partition(": ")[2] for text in left_out)
    first = "; ".join(left_out[:_SHOWN])
    more = f" and {len(left_out) - _SHOWN:,} more" if len(left_out) > _SHOWN else ""
    kinds = f" ({len(reasons)} kinds)" if len(reasons) > 1 else ""
    return [f"{counted(len(left_out), 'line')} of the feed left out{kinds}: {first}{more}"]
