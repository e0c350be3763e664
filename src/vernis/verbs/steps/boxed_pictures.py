"""The pictures in which a person or a file has boxed the classes of a taxonomy, and their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.detect.evaluation import PlacedBoxes
from vernis.domain.errors import NothingToLearn
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted
from vernis.verbs.decide.training_set import images_where
from vernis.verbs.networks.embedding import close_early, say_failure
from vernis.verbs.steps.drawn_boxes import DrawnBox, drawn_regions

if TYPE_CHECKING:
    from vernis.core.detect.cell_head import CellHead, Examples, HeadSettings, PictureCells
    from vernis.domain.ports import Pixels
    from vernis.session.session import Session

FEWEST_BOXES, FEWEST_PICTURES = 10, 4
"""Below either of these nothing is learned."""
CELL_SIDE = 512
"""Longer side of what the networks see when a detector is learned from their cells."""
_NEGATIVES = 15_000
"""Cells that show nothing, of each of two kinds, of all pictures together."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPictures:
    """Images with boxes that hold.

    Attributes
    ----------
    taxonomy : str
    classes : tuple of str
        Those of which there is a box.
    images : tuple of ImageRecord
        Ascending by id.
    corners : tuple of ndarray of float64, each of shape (n_boxes, 4)
        Shares of width and height.
    codes : tuple of ndarray of int, each of shape (n_boxes,)
        Of ``classes``.
    regions : tuple of ndarray of int, each of shape (n_boxes,)
        Their ids.
    groups : ndarray of int, shape (n_images,)
        Equal for duplicates.
    notes : tuple of str
    """

    taxonomy: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    corners: tuple[NDArray[np.float64], ...]
    codes: tuple[NDArray[np.intp], ...]
    regions: tuple[NDArray[np.int64], ...]
    groups: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_boxes(self) -> NDArray[np.intp]:
        """The boxes of each class, shape (n_classes,)."""
        return np.bincount(
            np.concatenate([*self.codes, []]).astype(np.intp), minlength=len(self.classes)
        )

    def presence(self) -> NDArray[np.float32]:
        """Return 1 where an image has a box of a class, else 0, shape (n_images, n_classes)."""
        found = np.zeros((len(self), len(self.classes)), np.float32)
        for row, codes in enumerate(self.codes):
            found[row, codes] = 1
        return found

    def take(self, rows: Sequence[int]) -> BoxedPictures:
        """Return some of the images, with all classes."""
        return replace(
            self,
            images=tuple(self.images[row] for row in rows),
            corners=tuple(self.corners[row] for row in rows),
            codes=tuple(self.codes[row] for row in rows),
            regions=tuple(self.regions[row] for row in rows),
            groups=self.groups[list(rows)],
        )

    def truth(self, rows: Sequence[int] | None = None) -> PlacedBoxes:
        """Return the boxes of some rows (default: all) in pixels; pictures are their positions."""
        rows = range(len(self)) if rows is None else rows
        where = [np.full(len(self.codes[row]), at) for at, row in enumerate(rows)]
        boxes = [self.corners[row] * _size(self.images[row]) for row in rows]
        return PlacedBoxes.of(
            np.concatenate([*where, []]),
            np.concatenate([*(self.codes[row] for row in rows), []]),
            np.concatenate([*boxes, np.empty((0, 4))]),
        )


def _size(image: ImageRecord) -> NDArray[np.float64]:
    return np.array([image.width, image.height] * 2, np.float64)


def read_boxed_pictures(session: Session, taxonomy: str, where: str = "") -> BoxedPictures:
    """Return the images with boxes of a taxonomy that hold.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    FilterError, UsageError
        The filter cannot be read, or holds for no image.
    """
    drawn = list(drawn_regions(session, taxonomy))
    n_used = len(drawn)
    if where.strip():
        wanted = set(images_where(session, where).tolist())
        drawn = [one for one in drawn if one.image in wanted]
    names = sorted({one.label for one in drawn})
    place = {name: at for at, name in enumerate(names)}
    of_image: dict[int, list[DrawnBox]] = {}
    for one in drawn:
        of_image.setdefault(one.image, []).append(one)
    images = tuple(image for image in session.images() if image.id in of_image)
    said = session.catalog.regions.labels(taxonomy)
    n_holding = int((said.holds & said.yes).sum())
    notes: tuple[str, ...] = ()
    if n_holding > n_used:
        single = "box is a point or lies outside its picture and is"
        many = "boxes are points or lie outside their pictures and are"
        notes = (f"{counted(n_holding - n_used, single, many)} left out",)
    return BoxedPictures(
        taxonomy=taxonomy,
        classes=tuple(names),
        images=images,
        corners=tuple(np.stack([one.corners for one in of_image[i.id]]) for i in images),
        codes=tuple(np.array([place[one.label] for one in of_image[i.id]]) for i in images),
        regions=tuple(np.array([one.region for one in of_image[i.id]]) for i in images),
        groups=session.duplicate_codes(np.array([image.id for image in images], np.int64)),
        notes=notes,
    )


def require_enough(boxed: BoxedPictures) -> None:
    """Raise NothingToLearn where a detector cannot be learned."""
    n_boxes, n_groups = int(boxed.n_boxes.sum()), len(np.unique(boxed.groups))
    if n_boxes >= FEWEST_BOXES and n_groups >= FEWEST_PICTURES:
        return
    said = f"{counted(n_boxes, 'box', 'boxes')} in {counted(len(boxed), 'picture')}"
    raise NothingToLearn(
        f"{boxed.taxonomy} has {said}; a detector needs {FEWEST_BOXES} boxes or more in "
        f"{FEWEST_PICTURES} distinct pictures: draw some, import some (vernis import), or accept "
        "some that vernis detect or vernis locate proposes"
    )


@dataclass(frozen=True, slots=True)
class _CellStage:
    """Decodes a picture, looks at its cells and makes of them what is wanted."""

    picture: Callable[[ImageRecord], Pixels]
    opening: Callable[[], Callable[[Pixels], PictureCells]]
    make: Callable[[int, Pixels, Callable[[Pixels], PictureCells]], Any]
    images: Sequence[ImageRecord]

    def open(self) -> Callable[[int], Any]:
        """Open the networks for one worker."""
        look = self.opening()
        return lambda row: self.make(row, self.picture(self.images[row]), look)


@dataclass(slots=True, eq=False)
class CellLooks:
    """Looks at the cells of boxed pictures; what cannot be read is noted once.

    Attributes
    ----------
    session : Session
    boxed : BoxedPictures
    task : str
        What the progress is called.
    failed : dict of str to str
        Path and reason of the images that could not be read.
    """

    session: Session
    boxed: BoxedPictures
    task: str
    failed: dict[str, str] = field(default_factory=dict)

    def examples(
        self, rows: Sequence[int], settings: HeadSettings, seed: int
    ) -> dict[int, list[Examples]]:
        """Return the examples of some rows, two views each: as it is, and turned left to right."""
        from vernis.core.detect.cell_head import choose_examples

        boxed, n_classes = self.boxed, len(self.boxed.classes)
        number = int(np.clip(_NEGATIVES // max(1, 2 * len(rows)), 30, settings.hard))
        how = replace(settings, hard=number, random=number)

        def make(
            row: int, pixels: Pixels, look: Callable[[Pixels], PictureCells]
        ) -> list[Examples]:
            generator = np.random.default_rng([seed, boxed.images[row].id])
            height, width = pixels.shape[:2]
            corners = boxed.corners[row] * np.array([width, height] * 2)
            turned = corners.copy()
            turned[:, [0, 2]] = width - corners[:, [2, 0]]
            views = (pixels, corners), (np.ascontiguousarray(pixels[:, ::-1]), turned)
            return [
                choose_examples(look(view), own, boxed.codes[row], n_classes, how, generator)
                for view, own in views
            ]

        return dict(sorted(self._run(rows, make)))

    def find(
        self, rows: Sequence[int], heads: Callable[[int], Sequence[CellHead]]
    ) -> Iterator[tuple[int, list[Detections]]]:
        """Yield some rows, in any order, with what each head of a row finds, in pixels."""

        def make(
            row: int, pixels: Pixels, look: Callable[[Pixels], PictureCells]
        ) -> list[Detections]:
            seen, image = look(pixels), self.boxed.images[row]
            scale = np.array(
                [image.width / pixels.shape[1], image.height / pixels.shape[0]] * 2, np.float32
            )
            limits = _size(image).astype(np.float32)
            return [
                Detections((found.boxes * scale).clip(0, limits), found.scores, found.classes)
                for found in (head.find(seen) for head in heads(row))
            ]

        yield from self._run(rows, make)

    def _run(
        self,
        rows: Sequence[int],
        make: Callable[[int, Pixels, Callable[[Pixels], PictureCells]], Any],
    ) -> Iterator[tuple[int, Any]]:
        images = self.boxed.images
        rows = [row for row in rows if images[row].uri not in self.failed]
        stage = _CellStage(
            self.session.files.pictures(least_side=CELL_SIDE),
            self.session.models.cell_reader(CELL_SIDE),
            make,
            images,
        )
        outcomes = self.session.engine().run(stage, rows)
        self.session.progress(self.task, 0, len(rows))
        try:
            for done, outcome in enumerate(outcomes, 1):
                if outcome.error is not None:
                    self.failed[images[outcome.item].uri] = say_failure(outcome.error)
                else:
                    yield outcome.item, outcome.value
                self.session.progress(self.task, done, len(rows))
        finally:
            close_early(outcomes)


def placed(found: Mapping[int, Detections], rows: Sequence[int]) -> PlacedBoxes:
    """Return what was found on some rows in one table; pictures are their positions."""
    parts = [(at, found[row]) for at, row in enumerate(rows) if row in found]
    return PlacedBoxes.of(
        np.concatenate([*(np.full(len(one), at) for at, one in parts), []]),
        np.concatenate([*(one.classes for _, one in parts), []]),
        np.concatenate([*(one.boxes for _, one in parts), np.empty((0, 4))]),
        np.concatenate([*(one.scores for _, one in parts), []]),
    )
