"""The colours and the types of the pictures of a collection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance.colors import COLORS
from vernis.core.appearance.measure import color_shares, middle_shares, type_features
from vernis.core.appearance.picture_type import TYPES

if TYPE_CHECKING:
    from vernis.session.session import Session

Floats = NDArray[np.float32]

COLOR, TYPE = "color", "type"
"""The fields of filters that ask for them, and their facets."""
COMMON = ("black", "white", "grey", "brown")
"""Colours that most photos are full of."""
_LEAST_SHARE = {name: 0.3 if name in COMMON else 0.1 for name in COLORS}
"""Share of a picture from which on it has the colour; see ``docs/decisions/words.md``."""


class Appearances:
    """How the present pictures look, of those that were measured; false where none was.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._types = session.measures.type_model()
        table, space = session.table(), session.measures.appearance_space()
        rows = np.flatnonzero(session.catalog.vectors.holds(space, table.hashes))
        self.image_ids: NDArray[np.int64] = table.ids[rows]
        self.vectors = np.asarray(session.catalog.vectors.read(space, table.hashes[rows]))

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def colors(self) -> Floats:
        """Share of each colour, the middle of the picture counting twice, (n, len(COLORS))."""
        return np.asarray(
            (color_shares(self.vectors) + middle_shares(self.vectors)) / 2, np.float32
        )

    @cached_property
    def types(self) -> Floats:
        """Probability of each type, shape (n, len(TYPES))."""
        return self._types.probabilities(type_features(self.vectors))

    def facets(self, image_ids: NDArray[np.int64]) -> dict[str, dict[str, NDArray[np.bool_]]]:
        """Return which images have each colour and are of each type, by field and name.

        A picture has each colour that takes a tenth of it (black, white, grey and brown: three),
        and is of its likeliest type. Nothing is known of pictures that were not measured; without
        any measured one there is no name at all.

        Parameters
        ----------
        image_ids : ndarray of int64, shape (n_images,)
            Ascending.
        """
        if not len(self):
            return {COLOR: {}, TYPE: {}}
        rows = np.searchsorted(image_ids, self.image_ids)
        here = rows < len(image_ids)
        here[here] = image_ids[rows[here]] == self.image_ids[here]
        likeliest = self.types.argmax(axis=1)

        def spread(holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
            mask = np.zeros(len(image_ids), np.bool_)
            mask[rows[here & holds]] = True
            return mask

        return {
            COLOR: {name: spread(self.color(name) >= _LEAST_SHARE[name]) for name in COLORS},
            TYPE: {name: spread(likeliest == number) for number, name in enumerate(TYPES)},
        }

    def color(self, name: str) -> Floats:
        """Return the share of a colour in each picture."""
        return self.colors[:, COLORS.index(name)]

    def type(self, name: str) -> Floats:
        """Return the probability of a type of each picture."""
        return self.types[:, TYPES.index(name)]
