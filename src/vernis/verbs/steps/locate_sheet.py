"""The sheet of ``vernis locate``: maps over pictures, right and wrong ones side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.core.locate.boxes import ScoredBoxes
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import UnreadableImage, UsageError
from vernis.report.wording import counted
from vernis.verbs.steps.drawn_boxes import Boxes
from vernis.verbs.steps.locating import LocatePlan, LocateSummary

if TYPE_CHECKING:
    from vernis.report.explore.contact_sheet import Tile
    from vernis.session.session import Session

_ROWS = 10
_RIGHT = 0.5
"""A map is right where one of its boxes overlaps a drawn one by this much."""

Pair = tuple[int, int]


def write_locate_sheet(
    session: Session,
    plan: LocatePlan,
    found: LocateSummary,
    boxes: Mapping[Pair, ScoredBoxes],
    drawn: Boxes,
    path: Path,
) -> Path:
    """Draw pictures with their boxes and maps: where boxes were drawn right ones beside wrong ones.

    Elsewhere the surest stand beside the least sure. Suggested boxes are coloured, drawn ones
    white.

    Raises
    ------
    UsageError
        Nothing was located.
    StorageError
        The file cannot be written.
    """
    from vernis.report.explore.contact_sheet import draw_sheet, save_sheet

    if not found.maps:
        raise UsageError("nothing was located, so there is no sheet to draw")

    def sure(pair: Pair) -> float:
        return found.maps[pair].confidence

    def truth(pair: Pair) -> tuple[int, str]:
        return plan.images[pair[0]].id, plan.classes[pair[1]]

    framed = [pair for pair in sorted(found.maps) if truth(pair) in drawn]
    if framed:
        fits = {p: overlaps(boxes[p].boxes, drawn[truth(p)]).max(initial=0) for p in framed}
        right = sorted((p for p in framed if fits[p] >= _RIGHT), key=sure, reverse=True)
        wrong = sorted((p for p in framed if fits[p] < _RIGHT), key=sure, reverse=True)
        names = (
            f"right: {len(right):,} of {len(framed):,}",
            f"wrong: {len(wrong):,}, surest first",
        )
    else:
        order = sorted(found.maps, key=sure, reverse=True)
        half = len(order) // 2
        right, wrong, names = order[: len(order) - half], order[::-1][:half], ("surest", "least")
    draw = _drawer(session, plan, found, boxes, drawn)
    rows = [
        [*_beside(draw, right, number), *_beside(draw, wrong, number)]
        for number in range(min(_ROWS, max(len(right), len(wrong))))
    ]
    title = f"Where {plan.taxonomy} is: {counted(len(found.maps), 'map')}"
    return save_sheet(draw_sheet(rows, title=title, headings=(names[0], "", names[1], "")), path)


def _beside(
    draw: Callable[[Pair], list[Tile | None]], pairs: list[Pair], number: int
) -> list[Tile | None]:
    return draw(pairs[number]) if number < len(pairs) else [None, None]


def _drawer(
    session: Session,
    plan: LocatePlan,
    found: LocateSummary,
    boxes: Mapping[Pair, ScoredBoxes],
    drawn: Boxes,
) -> Callable[[Pair], list[Tile | None]]:
    from vernis.report.explore.contact_sheet import Tile
    from vernis.report.explore.heat_overlay import lay_over

    read = session.files.pictures()

    def draw(pair: Pair) -> list[Tile | None]:
        image, name = plan.images[pair[0]], plan.classes[pair[1]]
        caption = (name, f"confidence {found.maps[pair].confidence:.2f}")
        try:
            pixels = read(image)
        except (UnreadableImage, OSError):
            return [Tile(None, (name, "cannot be read")), None]
        corners = boxes[pair].boxes
        places = tuple((x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in corners.tolist())
        truth = drawn.get((image.id, name))
        whole = Tile(lay_over(pixels, None, truth), caption, boxes=places)
        heat = Tile(lay_over(pixels, found.maps[pair].heat), (Path(image.uri).name,))
        return [whole, heat]

    return draw
