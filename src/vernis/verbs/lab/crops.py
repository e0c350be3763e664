"""``vernis lab crops``: whole pictures against parts of them, on the same folds.

The part is what the heat map shows (learned from the training images alone), what the thesis's rule
frames, or a blind crop of the middle, which no map is needed for: without it as a control the heat
crop would earn credit that is not its own. A training image is cut where its own labels are, an
image that is tested where the labels are that the whole picture is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.crops import centre_crop, cut, with_margin
from vernis.domain.errors import NothingToLearn
from vernis.domain.types import ImageRecord
from vernis.report.lab.run_folder import Row
from vernis.verbs.declare import Option, Verb, count
from vernis.verbs.lab.comparison import SCORES, Split, measure_cell, over_folds
from vernis.verbs.lab.data import LabData, read_lab_data
from vernis.verbs.lab.study import (
    FOLDS,
    SAMPLE,
    Cells,
    Findings,
    Plan,
    Study,
    StudyResult,
    TaxonomyStudySettings,
)
from vernis.verbs.lab.sweep import describe_sweep, folds_of
from vernis.verbs.steps.cropping import Rule, box_of_heat
from vernis.verbs.steps.learn import COMPONENTS, DEFAULT_MODEL, NetworkSettings

if TYPE_CHECKING:
    from vernis.adapters.backbones.patch_maps import PatchMapReader
    from vernis.session.session import Session

Vectors = NDArray[np.float32]

VIEWS: Mapping[str, tuple[str, ...]] = {
    "whole": ("whole",),
    "heat crop": ("heat",),
    "rule of 80": ("outer",),
    "blind centre": ("centre",),
    "whole + heat crop": ("whole", "heat"),
    "whole + blind centre": ("whole", "centre"),
    "whole + heat + centre": ("whole", "heat", "centre"),
}
"""What a model reads: the vectors of these parts, joined."""
_MARGIN = 0.05
_DIFFERENCE = "micro_f1_against_whole"


@dataclass(frozen=True)
class Settings(TaxonomyStudySettings, NetworkSettings):
    """Which taxonomy is learned from which parts."""

    taxonomy: Annotated[str, Option("the taxonomy that is learned")]
    _: KW_ONLY
    model: Annotated[str, Option("model by name, as in `lab models`", "NAME")] = DEFAULT_MODEL
    size: Annotated[
        int, count("size at which pictures are shown for the maps, pixels, in steps of 32")
    ] = 320
    folds: Annotated[int, FOLDS] = 3
    sample: Annotated[int, SAMPLE] = 600


def work(session: Session, settings: Settings) -> StudyResult:
    """Measure a model on whole pictures, heat crops, blind crops and their combinations.

    Raises
    ------
    NothingToLearn
        There are too few labels, or a picture cannot be read.
    """
    return STUDY.run(session, settings)


def _plan(session: Session, settings: Settings) -> Plan[StudyResult]:
    data = read_lab_data(
        session,
        settings.taxonomy,
        where=settings.where,
        sample=settings.sample,
        seed=settings.seed,
    )
    measure = partial(_measure, session, settings, data)
    return Plan(data.document, data.notes, settings.folds * len(VIEWS), measure)


def _measure(
    session: Session, settings: Settings, data: LabData, cells: Cells
) -> Findings[StudyResult]:
    from vernis.report.lab.figures import draw_crops

    fold = folds_of(data, settings.folds, settings.seed)
    pictures = _Pictures(session, data, settings.size)
    found: dict[str, list[Row]] = {name: [] for name in VIEWS}
    for number in range(settings.folds):
        parts = _Parts(pictures, fold != number, settings)
        for name, wanted in VIEWS.items():
            compute = partial(_cell, parts, wanted, settings)
            found[name] += cells({"view": name, "fold": number}, compute)
    rows = [{"view": name, **_summary(own, found["whole"])} for name, own in found.items()]
    notes = (
        "against_whole: the difference of micro F1 to the whole picture on the same folds, with "
        "the 95 % interval of Nadeau and Bengio; a heat crop counts only above the blind centre",
    )
    about = describe_sweep(data, settings.folds)
    return Findings(rows, draw=partial(draw_crops, about=about), result=StudyResult, notes=notes)


def _summary(own: Sequence[Row], whole: Sequence[Row]) -> dict[str, Any]:
    """Return the mean of each measure and of the difference to the whole picture."""
    n_train, n_test = (float(np.mean([row[name] for row in own])) for name in ("n", "n_test"))
    found = over_folds(own, n_train, n_test)
    gains = [a["micro_f1"] - b["micro_f1"] for a, b in zip(own, whole, strict=True)]
    # shifted into 0..1, where the intervals of measures are held
    shifted = [dict.fromkeys(SCORES, (gain + 1) / 2) for gain in gains]
    times = {"train_s": 0.0, "predict_s": 0.0}
    apart = over_folds([{**row, **times} for row in shifted], n_train, n_test)
    for part in ("", "_low", "_high"):
        value = apart[f"micro_f1{part}"]
        found[f"{_DIFFERENCE}{part}"] = None if value is None else 2 * value - 1
    return {**found, "area": float(np.mean([row["area"] for row in own]))}


def _cell(parts: _Parts, wanted: Sequence[str], settings: Settings) -> list[Row]:
    train, data = parts.train, parts.pictures.data
    split = _split(parts, wanted, settings)
    (row,) = measure_cell(lambda: split, settings.model, data.Y[~train])
    areas = [parts.area(name) for name in wanted]
    return [{**row, "n": int(train.sum()), "n_test": int((~train).sum()), "area": max(areas)}]


def _split(parts: _Parts, wanted: Sequence[str], settings: Settings) -> Split:
    from vernis.core.learn.preprocessing import VectorPreprocessor

    data, train = parts.pictures.data, parts.train
    X = np.concatenate([parts.vectors(name) for name in wanted], axis=1)
    slices = [
        (start + place * data.X.shape[1], stop + place * data.X.shape[1])
        for place in range(len(wanted))
        for start, stop in data.slices
    ]
    components = COMPONENTS.get(settings.model, 100)
    prepared = VectorPreprocessor(slices, components, settings.seed).fit(X[train])
    return Split(
        data.kind,
        prepared.apply(X[train]),
        data.Y[train],
        data.groups[train],
        prepared.apply(X[~train]),
        seed=settings.seed,
        parameters=settings.network_parameters(),
    )


class _Pictures:
    """Reads maps of the pictures of a study, once, and vectors of their parts."""

    def __init__(self, session: Session, data: LabData, size: int) -> None:
        self._session, self.data, self._size = session, data, size
        records = {image.id: image for image in session.images()}
        self.images = [records[number] for number in data.image_ids.tolist()]
        networks = session.networks
        self._embed = networks.open_space(session.space())
        self._maps = networks.open_patch_maps(networks.read_choice("efficientnet_lite0"), size)

    @cached_property
    def maps(self) -> list[list[NDArray[Any]]]:
        """The maps of each picture."""
        rows = list(range(len(self.images)))
        return self._run(self._maps, rows, "look at pictures", lambda row, pixels: pixels)

    def vectors(self, corners: Sequence[NDArray[np.floating]]) -> Vectors:
        """Return the vector of a part of each picture, shape (n_images, dim)."""
        rows = list(range(len(self.images)))
        found = self._run(self._embed, rows, "embed parts", lambda row, p: cut(p, corners[row]))
        return np.asarray(np.stack(found), np.float32)

    def _run(
        self,
        reader: Any,
        rows: Sequence[int],
        task: str,
        part: Callable[[int, Any], Any],
    ) -> list[Any]:
        picture = self._session.files.pictures(least_side=self._size)
        stage = _PartStage(self.images, picture, reader, part)
        found: list[Any] = [None] * len(rows)
        for done, outcome in enumerate(self._session.engine().run(stage, rows), 1):
            if outcome.error is not None:
                name = self.images[outcome.item].uri
                raise NothingToLearn(
                    f"{name}: cannot be read ({outcome.error}); leave it out with --where"
                ) from outcome.error
            found[outcome.item] = outcome.value
            self._session.progress(task, done, len(rows))
        return found


@dataclass(frozen=True, slots=True)
class _PartStage:
    """Decodes a picture and reads a part of it."""

    images: Sequence[ImageRecord]
    picture: Callable[[ImageRecord], Any]
    reader: PatchMapReader
    part: Callable[[int, Any], Any]

    def open(self) -> Callable[[int], Any]:
        """Open the reader for one worker."""
        read = self.reader.open()
        return lambda row: read(self.part(row, self.picture(self.images[row])))


class _Parts:
    """The parts of the pictures in one fold; each kind is looked at when it is first asked for."""

    def __init__(self, pictures: _Pictures, train: NDArray[np.bool_], settings: Settings) -> None:
        self.pictures, self.train, self._settings = pictures, train, settings
        self._vectors: dict[str, Vectors] = {"whole": pictures.data.X}
        self._corners: dict[str, list[NDArray[np.floating]]] = {}

    def vectors(self, kind: str) -> Vectors:
        """Return the vectors of a kind of part."""
        if kind not in self._vectors:
            self._vectors[kind] = self.pictures.vectors(self.corners(kind))
        return self._vectors[kind]

    def area(self, kind: str) -> float:
        """Return the mean share of the picture that a kind of part is."""
        if kind == "whole":
            return 1.0
        return float(np.mean([np.prod(c[2:] - c[:2]) for c in self.corners(kind)]))

    def corners(self, kind: str) -> list[NDArray[np.floating]]:
        """Return the corners of each picture's part, as shares of its sides."""
        if kind not in self._corners:
            if kind == "centre":
                self._corners[kind] = [centre_crop()] * len(self.train)
            else:
                rule: Rule = "all" if kind == "outer" else "largest"
                self._corners[kind] = [
                    with_margin(box_of_heat(heat, rule, None), _MARGIN) for heat in self._heats
                ]
        return self._corners[kind]

    @cached_property
    def _heats(self) -> list[NDArray[np.float64]]:
        """The map of each picture: of its labels, or of those that the whole picture is given."""
        from vernis.core.locate.localizers import FIT

        data, maps = self.pictures.data, self.pictures.maps
        given = np.asarray(data.Y == 1)
        split = _split(self, ("whole",), self._settings)
        given[~self.train] = split.decide(self._settings.model)
        lone = ~given.any(axis=1) & ~self.train
        if lone.any():  # something is looked for in each picture
            best = split.outcome(self._settings.model).probabilities.argmax(axis=1)
            given[np.flatnonzero(lone), best[lone[~self.train]]] = True
        rows = np.flatnonzero(self.train)
        Y = np.where(np.isnan(data.Y[rows]), np.nan, data.Y[rows])
        if data.kind == "single":
            Y = np.nan_to_num(Y)
        usable = (Y == 1).any(axis=0) & (Y == 0).any(axis=0)
        made = FIT["patches"]([maps[row] for row in rows], Y[:, usable], seed=self._settings.seed)
        column = np.cumsum(usable) - 1
        heats = []
        for row, own in enumerate(given):
            columns = column[own & usable].tolist()
            shape = maps[row][0].shape[:2]
            heats.append(made.heat(maps[row], columns).max(axis=0) if columns else np.ones(shape))
        return heats


STUDY = Study(
    "crops",
    Settings,
    ("view",),
    _plan,
    columns=(
        *("view", "area", "micro_f1", "micro_f1_sd", "macro_f1"),
        *(_DIFFERENCE, f"{_DIFFERENCE}_low", f"{_DIFFERENCE}_high"),
    ),
)
VERB = Verb(Settings, work, STUDY.show)
