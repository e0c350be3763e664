"""What the report shows of where labels are: kept heat maps over pictures, right beside wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.boxes import components
from vernis.core.locate.stored_maps import StoredMap
from vernis.core.locate.thresholds import MANY_OBJECTS, ONE_OBJECT
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import UnreadableImage
from vernis.domain.types import ImageRecord, LabelMatrix
from vernis.report.model import Place, Places
from vernis.verbs.steps.drawn_boxes import Boxes, drawn_boxes
from vernis.verbs.steps.locate import sized_map
from vernis.verbs.steps.locating import maps_of_labels

if TYPE_CHECKING:
    from vernis.session.session import Session

_SHOWN = 6
"""Maps of each side."""
_RIGHT = 0.5
"""A map is right where one of its boxes overlaps a drawn one by this much."""

Key = tuple[int, str]


def collect_places(
    session: Session, matrix: LabelMatrix, images: Mapping[int, ImageRecord]
) -> Places | None:
    """Return some kept maps of a taxonomy, None where it was not located.

    Where boxes were drawn, the surest right ones and the surest wrong ones; elsewhere the surest
    and the least sure.
    """
    maps = {k: one for k, one in maps_of_labels(session, matrix).items() if k[0] in images}
    if not maps:
        return None
    drawn = drawn_boxes(session, matrix.taxonomy.name)
    single = matrix.taxonomy.kind == "single"
    threshold = ONE_OBJECT if single else MANY_OBJECTS
    order = sorted(maps, key=lambda key: (-maps[key].confidence, key))
    framed = [key for key in order if key in drawn]
    if framed:
        right = [k for k in framed if _fit(images[k[0]], maps[k], drawn[k], threshold) >= _RIGHT]
        wrong = [key for key in framed if key not in set(right)]
        names = f"Right: {len(right):,} of {len(framed):,}", f"Wrong: {len(wrong):,}, surest first"
    else:
        half = len(order) // 2
        right, wrong = order[: len(order) - half], order[::-1][:half]
        names = "Surest", "Least sure"
    return Places(
        taxonomy=matrix.taxonomy.name,
        n_maps=len(maps),
        headings=names,
        first=_draw(session, images, maps, drawn, right),
        second=_draw(session, images, maps, drawn, wrong),
    )


def _fit(
    image: ImageRecord, stored: StoredMap, truth: NDArray[np.float64], threshold: float
) -> float:
    found = components(sized_map(image, stored), threshold)
    return float(overlaps(found.boxes, truth).max(initial=0))


def _draw(
    session: Session,
    images: Mapping[int, ImageRecord],
    maps: Mapping[Key, StoredMap],
    drawn: Boxes,
    keys: Sequence[Key],
) -> tuple[Place, ...]:
    from PIL import Image

    from vernis.report.explore.heat_overlay import lay_over

    read, found = session.files.pictures(), list[Place]()
    for key in keys:
        if len(found) == _SHOWN:
            break
        image = images[key[0]]
        try:
            pixels = read(image)
        except (UnreadableImage, OSError):
            continue  # the report is made where the pictures are not, too
        file = io.BytesIO()
        shown = lay_over(pixels, maps[key].heat, drawn.get(key))
        Image.fromarray(shown).save(file, "JPEG", quality=75)
        data = base64.b64encode(file.getvalue()).decode()
        height, width = shown.shape[:2]
        found.append(
            Place(
                image.uri,
                key[1],
                maps[key].confidence,
                f"data:image/jpeg;base64,{data}",
                width,
                height,
            )
        )
    return tuple(found)
