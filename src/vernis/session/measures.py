"""``Measures``: what is measured of every picture beside its embedding, and where it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.domain.ports import DecodingReader, PictureReader
from vernis.domain.types import Space

if TYPE_CHECKING:
    from vernis.core.appearance.picture_type import TypeModel
    from vernis.session.session import Session

KEYPOINT_LIMIT = 20_000
"""Images up to which keypoints are measured unasked; see docs/decisions/duplicates.md."""


class Measures:
    """Quality, fingerprints, keypoints, colours and types of pictures.

    Parameters
    ----------
    session : Session
        Whose images are counted.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def quality_space(self) -> Space:
        """Return where the quality measures of pictures are stored."""
        from vernis.adapters.quality_reader import QUALITY_SPACE

        return QUALITY_SPACE

    def fingerprint_space(self) -> Space:
        """Return where the fingerprints of pictures are stored."""
        from vernis.adapters.fingerprints import FINGERPRINT_SPACE

        return FINGERPRINT_SPACE

    def keypoint_space(self) -> Space:
        """Return where the keypoints of pictures are stored."""
        from vernis.adapters.keypoints import KEYPOINT_SPACE

        return KEYPOINT_SPACE

    def appearance_space(self) -> Space:
        """Return where the colours and the types of pictures are stored."""
        from vernis.adapters.appearance import APPEARANCE_SPACE

        return APPEARANCE_SPACE

    def type_model(self) -> TypeModel:
        """Return what tells the type of pictures; raises ModelError where its file is damaged."""
        from vernis.adapters.appearance import open_type_model

        return open_type_model()

    def measuring_readers(self, *, thorough: bool = False) -> list[PictureReader | DecodingReader]:
        """Return what is measured of every picture beside its embedding.

        Keypoints only among up to ``KEYPOINT_LIMIT`` images, or where it shall be ``thorough``.
        """
        from vernis.adapters.appearance import APPEARANCE_SPACE
        from vernis.adapters.fingerprints import FINGERPRINT_SPACE, compute_fingerprint
        from vernis.adapters.keypoints import KeypointReader
        from vernis.adapters.pixel_measure import PixelMeasure
        from vernis.adapters.quality_reader import QUALITY_SPACE, DamageReader
        from vernis.core.appearance.measure import measure_appearance
        from vernis.core.quality import measure

        readers: list[PictureReader | DecodingReader] = [
            PixelMeasure(FINGERPRINT_SPACE, compute_fingerprint),
            PixelMeasure(QUALITY_SPACE, measure),
            DamageReader(),
            PixelMeasure(APPEARANCE_SPACE, measure_appearance),
        ]
        if thorough or len(self._session.table()) <= KEYPOINT_LIMIT:
            readers.append(KeypointReader())
        return readers
