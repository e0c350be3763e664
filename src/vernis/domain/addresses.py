"""Addresses: uris of images that do not lie below the collection's folder."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from vernis.domain.parts import is_part

FILE = "file://"
_WEB = ("http", "https")
_SIGNED = ("x-amz-signature", "x-amz-security-token", "awsaccesskeyid", "x-goog-signature", "sig")


def is_address(text: str) -> bool:
    """Tell an address (``s3://BUCKET/KEY``, ``file:///…``) from a name or a path.

    >>> is_address("s3://shop/a.jpg"), is_address("shop/a.jpg"), is_address("C:/a.jpg")
    (True, False, False)
    """
    kind, found, rest = text.partition("://")
    return bool(found and rest) and kind.isascii() and kind.replace("+", "").isalnum()


def is_own_file(uri: str) -> bool:
    """Tell whether an image is a file that may be moved and written, not an object of a store.

    Neither is a part of a file, such as a frame of a video: what it lies in stays as it is.

    >>> is_own_file("cat/a.jpg"), is_own_file("file:///more/a.jpg"), is_own_file("s3://shop/a.jpg")
    (True, True, False)
    >>> is_own_file("clip.mp4#t=1.000")
    False
    """
    return not is_part(uri) and (not is_address(uri) or uri.startswith(FILE))


def kind_of(address: str) -> str:
    """Return what stands before the ``://``, in lower case."""
    return address.partition("://")[0].lower()


def name_of(address: str) -> str:
    """Return the last part of an address, readable; what a web address asks for is no part of it.

    >>> name_of("https://example.org/shop/red%20wine.jpg?size=large")
    'red wine.jpg'
    >>> name_of("s3://shop/who?.jpg")
    'who?.jpg'
    """
    if kind_of(address) in _WEB:
        return unquote(urlsplit(address).path.rpartition("/")[2])
    return address.rpartition("/")[2]


def holds_secret(address: str) -> bool:
    """Tell whether an address holds a password, or a signature that stands for one.

    >>> holds_secret("https://anna:pass@example.org/a.jpg"), holds_secret("s3://shop/a@b.jpg")
    (True, False)
    """
    if not is_address(address):
        return False
    host = address.partition("://")[2].partition("/")[0]
    asked = address.partition("?")[2].lower() if kind_of(address) in _WEB else ""
    return "@" in host or any(part.partition("=")[0] in _SIGNED for part in asked.split("&"))


def climbs(address: str) -> bool:
    """Tell whether a part of an address leads upwards, out of any folder that it is written to.

    >>> climbs("s3://shop/../a.jpg"), climbs("s3://shop/..a.jpg")
    (True, False)
    """
    return ".." in address.replace("\\", "/").split("/")


def shown(address: str) -> str:
    """Return an address without what ``holds_secret`` means, for messages."""
    kind, found, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{kind}{found}{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
