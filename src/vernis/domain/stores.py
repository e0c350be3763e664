"""``ObjectStore``: a place that several machines reach, such as a shared folder or a bucket."""

from __future__ import annotations

from typing import Protocol


class ObjectStore(Protocol):
    """Keeps bytes under names; a name is never seen before all of its bytes are there.

    Names are parts joined by ``/``. Every method raises StorageError where the store cannot be
    reached or refuses.
    """

    @property
    def url(self) -> str:
        """What people call it."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Keep data under a name, in place of what was there."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Keep data under a name unless something is there; returns whether it was kept."""
        ...

    def read(self, name: str) -> bytes:
        """Return what is kept under a name; raises NotFound."""
        ...

    def names(self, folder: str) -> set[str]:
        """Return the names of what is kept directly in a folder, without the folder's."""
        ...

    def remove(self, name: str) -> None:
        """Remove what is kept under a name, if there is anything."""
        ...
