"""Regions: places in a picture that a label can stand on. Frozen; they refuse bad data.

All numbers are float64 pixels of the upright picture, the one that is seen after the EXIF
orientation was applied. The origin is the upper left corner of the upper left pixel, x goes right,
y goes down; a box that covers the whole picture is ``Box(0, 0, width, height)``. A box keeps its
corner and its size, as COCO writes it, so that numbers read from a COCO file come back as the same
decimals; fractions and opposite corners are derived.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vernis.domain.errors import InvalidValue

ForeignId = int | str | None
"""The id that another program gave to a thing; kept with its type, None where it gave none."""

Shape = Literal["box", "polygon", "mask", "point"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

ORIENTATIONS = range(1, 9)
"""Values of the EXIF orientation; 5 to 8 swap width and height."""


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


def require_object(text: str) -> None:
    """Raise InvalidValue where a text is neither empty nor a JSON object."""
    if text:
        try:
            good = isinstance(json.loads(text), dict)
        except ValueError:
            good = False
        _require(good, "a JSON object, or nothing", text[:80])


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with sides along the axes, in pixels of the upright picture.

    Attributes
    ----------
    x, y : float
        Its upper left corner.
    width, height : float
        0 or more. The box may reach outside the picture; see ``clipped``.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        for name in ("x", "y", "width", "height"):
            if type(getattr(self, name)) is not float:
                object.__setattr__(self, name, float(getattr(self, name)))
        finite = all(map(math.isfinite, (self.x, self.y, self.width, self.height)))
        _require(finite, "finite numbers", (self.x, self.y, self.width, self.height))
        _require(self.width >= 0 and self.height >= 0, "sides of 0 or more", self.sides)

    @classmethod
    def from_corners(cls, xmin: float, ymin: float, xmax: float, ymax: float) -> Box:
        """Return the box between two corners, which may be named in any order."""
        left, right = sorted((float(xmin), float(xmax)))
        top, bottom = sorted((float(ymin), float(ymax)))
        return cls(left, top, right - left, bottom - top)

    @classmethod
    def from_center(
        cls, x: float, y: float, width: float, height: float, picture: tuple[int, int]
    ) -> Box:
        """Return the box of a centre and sides in fractions of a picture, as YOLO and MWG write.

        Parameters
        ----------
        x, y, width, height : float
            In 0..1.
        picture : (int, int)
            Width and height in pixels.
        """
        w, h = width * picture[0], height * picture[1]
        return cls(x * picture[0] - w / 2, y * picture[1] - h / 2, w, h)

    @property
    def sides(self) -> tuple[float, float]:
        """Width and height."""
        return self.width, self.height

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Upper left and lower right corner: xmin, ymin, xmax, ymax."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    def center(self, picture: tuple[int, int]) -> tuple[float, float, float, float]:
        """Return the centre and the sides as fractions of a picture; inverts ``from_center``."""
        width, height = picture
        _require(width > 0 and height > 0, "the size of the picture", picture)
        return (
            (self.x + self.width / 2) / width,
            (self.y + self.height / 2) / height,
            self.width / width,
            self.height / height,
        )

    def inside(self, picture: tuple[int, int], tolerance: float = 0.5) -> bool:
        """Tell whether the box lies in the picture, give or take a tolerance in pixels."""
        xmin, ymin, xmax, ymax = self.corners
        return (
            xmin >= -tolerance
            and ymin >= -tolerance
            and xmax <= picture[0] + tolerance
            and ymax <= picture[1] + tolerance
        )

    def clipped(self, picture: tuple[int, int]) -> Box:
        """Return the part of the box that lies in the picture; with a side of 0 where none does."""
        xmin, ymin, xmax, ymax = self.corners
        width, height = picture
        return Box.from_corners(
            min(max(xmin, 0.0), width),
            min(max(ymin, 0.0), height),
            min(max(xmax, 0.0), width),
            min(max(ymax, 0.0), height),
        )

    def turned(self, orientation: int, stored: tuple[int, int]) -> Box:
        """Return the box in the upright picture for a box in the stored one.

        Parameters
        ----------
        orientation : int
            The EXIF orientation, 1 to 8.
        stored : (int, int)
            Width and height of the picture as it is stored.
        """
        xmin, ymin, xmax, ymax = self.corners
        return Box.from_corners(
            *turn_point(xmin, ymin, orientation, stored),
            *turn_point(xmax, ymax, orientation, stored),
        )


def turn_point(
    x: float, y: float, orientation: int, stored: tuple[int, int]
) -> tuple[float, float]:
    """Return where a point of the stored picture lies in the upright one.

    Parameters
    ----------
    x, y : float
    orientation : int
        The EXIF orientation, 1 to 8 (Exif 2.32, tag 0x0112).
    stored : (int, int)
        Width and height of the picture as it is stored.
    """
    _require(orientation in ORIENTATIONS, "an EXIF orientation of 1 to 8", orientation)
    width, height = stored
    if orientation in (2, 3, 7, 8):
        x = width - x
    if orientation in (3, 4, 6, 7):
        y = height - y
    return (y, x) if orientation >= 5 else (x, y)


def turned_size(orientation: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the upright picture for that of the stored one, and the other way."""
    _require(orientation in ORIENTATIONS, "an EXIF orientation of 1 to 8", orientation)
    return (size[1], size[0]) if orientation >= 5 else size


def inverse_orientation(orientation: int) -> int:
    """Return the orientation that leads from the upright picture back to the stored one."""
    _require(orientation in ORIENTATIONS, "an EXIF orientation of 1 to 8", orientation)
    return {6: 8, 8: 6}.get(orientation, orientation)


@dataclass(frozen=True, slots=True)
class Region:
    """A place in an image. What it shows is said by statements about region × class.

    Attributes
    ----------
    box : Box
        The smallest box around the shape.
    picture : (int, int)
        Width and height of the upright picture that the numbers are about. It is kept with the
        region, so that the region still fits when the file is replaced by another size.
    shape : str
        ``box``, ``polygon``, ``mask`` or ``point``.
    outline : str
        JSON text of the outline where the shape is more than its box, as COCO writes a
        ``segmentation``: a list of polygons ``[x1, y1, x2, y2, …]`` in pixels, or a run-length
        encoding. Text, so that its decimals stay as they are.
    foreign_id : int, str or None
        As the file that it came from calls it.
    attributes : str
        JSON object in text of what else that file said of it; empty for nothing.
    """

    box: Box
    picture: tuple[int, int]
    shape: Shape = "box"
    outline: str = ""
    foreign_id: ForeignId = None
    attributes: str = ""

    def __post_init__(self) -> None:
        width, height = self.picture
        _require(width > 0 and height > 0, "the size of the picture", self.picture)
        _require(self.shape in SHAPES, f"a shape of {SHAPES}", self.shape)
        _require(self.shape != "polygon" or bool(self.outline), "an outline", self.outline)

    def attribute_values(self) -> dict[str, Any]:
        """Return the attributes as a dictionary."""
        return json.loads(self.attributes) if self.attributes else {}

    def polygons(self) -> list[list[float]]:
        """Return the outline as polygons ``[x1, y1, x2, y2, …]``; empty for masks and boxes."""
        found = json.loads(self.outline) if self.outline else []
        return found if isinstance(found, list) else []

    def scaled(self, picture: tuple[int, int]) -> Region:
        """Return the region on the same picture of another size.

        A mask cannot be scaled without decoding it and falls back to its box.
        """
        if picture == self.picture:
            return self
        across, down = picture[0] / self.picture[0], picture[1] / self.picture[1]
        box = self.box
        scaled = [
            [number * (down if at % 2 else across) for at, number in enumerate(polygon)]
            for polygon in self.polygons()
        ]
        return Region(
            box=Box(box.x * across, box.y * down, box.width * across, box.height * down),
            picture=picture,
            shape=self.shape if scaled or self.shape == "point" else "box",
            outline=json.dumps(scaled) if scaled else "",
            foreign_id=self.foreign_id,
            attributes=self.attributes,
        )

    def turned(self, orientation: int) -> Region:
        """Return the region in the upright picture; its own numbers are of the stored one.

        A mask cannot be turned without decoding it and falls back to its box.
        """
        if orientation == 1:
            return self
        turned = [
            [
                number
                for at in range(0, len(polygon) - 1, 2)
                for number in turn_point(polygon[at], polygon[at + 1], orientation, self.picture)
            ]
            for polygon in self.polygons()
        ]
        return Region(
            box=self.box.turned(orientation, self.picture),
            picture=turned_size(orientation, self.picture),
            shape=self.shape if turned or self.shape == "point" else "box",
            outline=json.dumps(turned) if turned else "",
            foreign_id=self.foreign_id,
            attributes=self.attributes,
        )


def attributes_text(values: Mapping[str, Any]) -> str:
    """Return attributes as the compact JSON text that regions, images and classes keep."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) if values else ""
