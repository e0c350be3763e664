"""``Services``: outside services that look at pictures, what they cost and what they said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.domain.annotations import Annotator, Price
from vernis.domain.readings import PictureText
from vernis.domain.types import ImageRecord

if TYPE_CHECKING:
    from vernis.adapters.services.registry import ServiceName
    from vernis.session.session import Session


class Services:
    """Opens a service, reads what was answered before; nothing here sends anything.

    Parameters
    ----------
    session : Session
        Whose catalog holds the answers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def annotator(
        self,
        name: ServiceName,
        *,
        endpoint: str = "",
        model: str = "",
        per_minute: int | None = None,
        timeout: float | None = None,
    ) -> Annotator:
        """Return an outside service, with the key that the environment holds; nothing is sent.

        Raises
        ------
        UsageError
            An endpoint or a model is missing or cannot be used.
        """
        from vernis.adapters.services.registry import ServiceSettings, open_service
        from vernis.adapters.services.requests import Patience

        patience = None if timeout is None else Patience(timeout=timeout)
        return open_service(name, ServiceSettings(endpoint, model, per_minute, patience))

    def logos(self, images: Sequence[ImageRecord]) -> dict[str, PictureText]:
        """Return the logos that a service has found, by content hash, as readings of their names.

        Of several services the one that was asked last counts. Pictures that none was asked about
        are left out.
        """
        from vernis.adapters.services.registry import read_logos

        sizes = {image.content_hash: (image.width, image.height) for image in images}
        found: dict[str, PictureText] = {}
        for service in self._session.catalog.answers.services():
            for one in self._session.catalog.answers.answers(service, "logos", "", list(sizes)):
                if one.refused or one.content_hash in found:
                    continue
                width, height = sizes[one.content_hash]
                across = width / one.width if width else 1.0
                down = height / one.height if width else 1.0
                logos = read_logos(service, one.content, one.width, one.height)
                found[one.content_hash] = PictureText(
                    one.content_hash,
                    service.reader,
                    tuple(logo.scaled(across, down) for logo in logos),
                )
        return found

    def prices(self, path: Path | None = None) -> Sequence[Price]:
        """Return what services cost: as shipped, or as an owner's table says; UsageError."""
        from vernis.adapters.services.prices import read_prices, shipped_prices

        return shipped_prices() if path is None else read_prices(path)
