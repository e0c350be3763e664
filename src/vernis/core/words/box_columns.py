"""Which columns of a table hold boxes: a row a box, as detectors and data sets publish them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vernis.core.words.image_names import IMAGE_NAMES, header_key

_LABELS = (
    *("label", "class", "category", "classname", "labelname", "categoryname", "name"),
    *("object", "classid", "categoryid"),
)
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
)
_SIDES = (
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("bboxx", "bboxy", "bboxw", "bboxh"),
    ("x", "y", "w", "h"),
)
_PROBABILITIES = ("probability", "confidence", "score", "conf")
_WIDTHS, _HEIGHTS = ("width", "imagewidth", "imgwidth"), ("height", "imageheight", "imgheight")
_SPLITS = ("split", "subset", "set")


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Positions of the columns; -1 for those that a table has not.

    Attributes
    ----------
    image, label : int
    box : (int, int, int, int)
    given : {'corners', 'sides'}
        Whether the four are xmin, ymin, xmax, ymax or x, y, width, height.
    width, height : int
        Of the picture.
    probability, split : int
    others : mapping of str to int
        Name → position of all else.
    """

    image: int
    label: int
    box: tuple[int, int, int, int]
    given: Literal["corners", "sides"]
    width: int
    height: int
    probability: int
    split: int
    others: Mapping[str, int]


def find_box_columns(header: Sequence[str]) -> BoxColumns | None:
    """Return the columns of a table of boxes; None where the table is none."""
    keys = [header_key(name) for name in header]

    def first(names: Sequence[str]) -> int:
        return next((keys.index(name) for name in names if name in keys), -1)

    ways: tuple[tuple[Literal["corners", "sides"], tuple[tuple[str, ...], ...]], ...]
    ways = (("corners", _CORNERS), ("sides", _SIDES))
    for given, sets in ways:
        for names in sets:
            if set(names) <= set(keys):
                box = tuple(keys.index(name) for name in names)
                label = first(_LABELS)
                image = next(
                    (keys.index(n) for n in IMAGE_NAMES if n in keys and keys.index(n) != label), -1
                )
                if label < 0 or image < 0:
                    return None
                width, height, probability, split = map(
                    first, (_WIDTHS, _HEIGHTS, _PROBABILITIES, _SPLITS)
                )
                taken = {image, label, *box, width, height, probability, split}
                others = {
                    name: at for at, name in enumerate(header) if at not in taken and name.strip()
                }
                return BoxColumns(
                    image=image,
                    label=label,
                    box=(box[0], box[1], box[2], box[3]),
                    given=given,
                    width=width,
                    height=height,
                    probability=probability,
                    split=split,
                    others=others,
                )
    return None
