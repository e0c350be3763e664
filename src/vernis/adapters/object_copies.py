"""Files on this machine for addresses: fetched when they are asked for."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from vernis.adapters.buckets import open_system, patiently
from vernis.adapters.local_copies import local_copy
from vernis.domain.addresses import name_of
from vernis.domain.errors import AccessRefused, NotFound, UnreadableImage

_MOST_BYTES = 1 << 30


def fetched(address: str, *, anew: bool = False) -> Path:
    """Return a file that holds a copy of an object.

    Parameters
    ----------
    address : str
    anew : bool
        Fetch it although there is a copy.

    Raises
    ------
    UnreadableImage
        It is not there, is refused, or is larger than a gigabyte.
    MissingExtra, StorageError
        Its store cannot be asked.
    """
    suffix = PurePosixPath(name_of(address)).suffix.lower()
    if not suffix[1:].isalnum() or len(suffix) > 8:
        suffix = ""

    def make(path: Path) -> None:
        system, key = open_system(address)
        patiently(address, lambda: system.get_file(key, str(path), callback=_limited(address)))

    try:
        return local_copy(address, suffix, make, anew=anew)
    except NotFound as error:
        raise UnreadableImage(address, "the object is not there") from error
    except AccessRefused as error:
        raise UnreadableImage(address, "the store refuses to give the object") from error


def _limited(address: str) -> Any:
    """Return what ends a fetch that is larger than any picture."""
    from fsspec.callbacks import Callback

    class Limit(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if self.value > _MOST_BYTES:
                raise UnreadableImage(address, "the object is larger than a gigabyte")

    return Limit()
