"""``Files``: where the files of images lie, and what decodes the pictures in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.domain.annotations import SentPicture
from vernis.domain.errors import UsageError
from vernis.domain.ports import Decoded, Pixels, TrashFolder
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.adapters.thumbnails import ThumbnailCache
    from vernis.session.session import Session

ReadPicture = Callable[[ImageRecord], Pixels]
"""Decodes the picture of an image; raises UnreadableImage or OSError."""
ExaminePicture = Callable[[ImageRecord], Decoded]
"""Decodes the picture of an image and says what is damaged; raises as ``ReadPicture``."""


class Files:
    """Paths of images, their pictures at the size that a use needs, small copies, and the trash.

    Parameters
    ----------
    session : Session
        Whose root and folder are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def path_of(self, image: ImageRecord) -> Path:
        """Return where the file of an image lies."""
        from vernis.adapters.files import path_of

        return path_of(self._session.root(), image.uri)

    def place_of(self, image: ImageRecord) -> str:
        """Return the address of an image's file, with the time or page of a part (``#t=12.480``).

        Browsers and players open videos and PDFs there.
        """
        from vernis.adapters.files import path_of
        from vernis.domain.addresses import is_address
        from vernis.domain.parts import page_of, split_part

        file, place = split_part(image.uri) or (image.uri, "")
        if place and "time" not in image.metadata and page_of(place) is None:
            place = ""  # a picture of slides: no program opens it by name
        if is_address(file):
            address = file
        else:
            address = path_of(self._session.root().absolute(), file).as_uri()
        return f"{address}#{place}" if place else address

    def own_file(self, image: ImageRecord) -> Path:
        """Return the file of an image that may be moved or written.

        Raises
        ------
        UsageError
            The image is none of its own, such as an object in a bucket.
        """
        from vernis.adapters.files import own_file

        return own_file(self._session.root(), image.uri)

    def path_of_uri(self, uri: str, root: Path | None = None) -> Path:
        """Return where the file of a path relative to a folder (default: the indexed one) lies."""
        from vernis.adapters.files import path_of

        return path_of(root or self._session.root(), uri)

    def uri_of(self, path: Path, root: Path | None) -> str:
        """Return the uri of a file below a folder; raises UsageError where it lies elsewhere."""
        from vernis.adapters.files import uri_of

        if root is None:
            raise UsageError(f"{path} does not lie in an indexed folder")
        return uri_of(root, path)

    def thumbnails(self, edge: int) -> ThumbnailCache:
        """Return the collection's small pictures whose longer side is ``edge`` pixels."""
        from vernis.adapters.thumbnails import ThumbnailCache

        return ThumbnailCache(self._session.catalog.folder, edge)

    def pictures(
        self,
        *,
        full_size: bool = False,
        least_side: int | None = None,
        root: Path | None = None,
    ) -> ReadPicture:
        """Return what decodes the picture of an image.

        Unless ``full_size``, the shorter side may be reduced while decoding, to ``least_side``
        pixels (default: 256). ``root``: where the images lie, without a collection.
        """
        from vernis.adapters.files import PictureFiles
        from vernis.adapters.isolation import PictureDecoder

        place = root or self._session.root()
        if full_size or least_side is not None:
            return PictureFiles(place, PictureDecoder(min_side=least_side)).read
        return PictureFiles(place).read

    def pictures_for_reading(self) -> ReadPicture:
        """Return what decodes the picture of an image as large as the reading of text needs."""
        from vernis.adapters.readers.models import LEAST_SIDE

        return self.pictures(least_side=LEAST_SIDE)

    def pictures_to_train(self, side: int) -> ReadPicture:
        """Return what decodes the picture of an image, its longer side at most ``side`` pixels."""
        from vernis.adapters.training.views import SmallPictures

        return SmallPictures(self.pictures(least_side=side), side).read

    def pictures_to_send(self, edge: int) -> Callable[[ImageRecord], SentPicture]:
        """Return what encodes the picture of an image for a service, without metadata.

        Its longer side has at most ``edge`` pixels.
        """
        from vernis.adapters.services.sending import picture_sender

        return picture_sender(self._session.root(), edge)

    def views(self) -> ReadPicture:
        """Return what decodes the picture of an image as it is compared at a closer look."""
        from vernis.adapters.keypoints import ViewReader

        return ViewReader(self.pictures())

    def digested_pictures(self) -> Callable[[ImageRecord], str]:
        """Return what digests all that a picture holds: alpha, every frame, every bit."""
        from vernis.adapters.files import PictureFiles

        return PictureFiles(self._session.root()).digest

    def examined_pictures(self, root: Path | None = None) -> ExaminePicture:
        """Return what decodes the picture of an image and says what is damaged of its file.

        ``root``: where the images lie, without a collection.
        """
        from vernis.adapters.files import PictureFiles

        return PictureFiles(root or self._session.root()).examine

    def decode(self, path: Path, *, full_size: bool = False) -> Pixels:
        """Decode any picture file; raises UnreadableImage."""
        return self.decoder(full_size=full_size)(path)

    def decoder(self, *, full_size: bool = False) -> Callable[[Path], Pixels]:
        """Return what decodes picture files one after another."""
        from vernis.adapters.isolation import PictureDecoder

        return PictureDecoder(min_side=None) if full_size else PictureDecoder()

    def draw_thumbnail(self, pixels: Pixels, edge: int, quality: int = 80) -> bytes:
        """Return a small JPEG of a picture whose longer side is ``edge`` pixels."""
        from vernis.adapters.pixels import thumbnail_jpeg

        return thumbnail_jpeg(pixels, edge, quality)

    def trash(self) -> TrashFolder:
        """Return the collection's trash."""
        from vernis.adapters.files import own_file
        from vernis.adapters.trash import FolderTrash

        root = self._session.root()
        return FolderTrash(self._session.catalog.folder / "trash", lambda uri: own_file(root, uri))
