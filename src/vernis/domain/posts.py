"""Posts: pictures as a stream of a social network or of a news agency tells of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Post:
    """A line of a feed.

    Attributes
    ----------
    address : str
        Of the picture: an address, or a path.
    author : str
    posted : str
        When, as ``2024-05-01T12:00:00Z``; empty where unknown.
    text : str
    """

    address: str
    author: str = ""
    posted: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class FeedPart:
    """Some lines of a feed.

    Attributes
    ----------
    posts : tuple of Post
    end : int
        Bytes from the feed's beginning up to which it was read.
    left_out : tuple of str
        Lines that were not taken, each with its place and why.
    """

    posts: tuple[Post, ...]
    end: int
    left_out: tuple[str, ...] = ()
