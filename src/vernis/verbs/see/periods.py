"""What the classes of a taxonomy show over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.periods import Course, Unit, count_by_period, period_of, periods_between
from vernis.core.explore.profile import measure_lift
from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.report.explore.periods import draw_course
from vernis.report.tables import write_csv, write_json
from vernis.verbs.see.profiles import LabelTable, chosen_class, compared, label_table
from vernis.verbs.steps.feeds import POSTED

if TYPE_CHECKING:
    from vernis.session.session import Session

_COLUMNS = ("class", "period", "images", "of", "share", "low", "high", "labels", "rising")
_MOST = 3  # labels that are named
_MOST_PERIODS = 5_000
_EARLIEST = 1_000_000_000  # nanoseconds since 1970: earlier file dates are none


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """What a class shows in one period."""

    class_: str
    period: str
    images: int
    of: Annotated[int, "images of the period that carry any class"]
    share: Annotated[float | None, "images by of; null where there is none"]
    low: Annotated[float, "95 %"]
    high: Annotated[float, "95 %"]
    labels: Annotated[tuple[str, ...], "labels of other taxonomies that most of them carry"]
    rising: Annotated[
        tuple[str, ...], "labels that are surely more frequent than in the class at all times"
    ]


@dataclass(frozen=True, slots=True)
class OverTime:
    """What the classes of a taxonomy show over time."""

    taxonomy: str
    over: str
    images: int
    dated: Annotated[Mapping[str, int], "where the dates are from → images: feed, picture, file"]
    undated: int
    by: Annotated[tuple[str, ...], "taxonomies whose labels are named"]
    periods: tuple[str, ...]
    rows: Annotated[tuple[PeriodRow, ...], "by class, the most frequent first, then by period"]
    files: Annotated[tuple[str, ...], "figures and tables that were written"] = ()


def profile_over(
    session: Session,
    taxonomy: str,
    unit: Unit,
    *,
    by: Sequence[str] = (),
    only: str = "",
    out: Path | None = None,
) -> OverTime:
    """Return how often each class is met in each period, and what it shows there.

    An image's date is when it was posted (from a feed), else when it was taken, else that of its
    file.

    Parameters
    ----------
    session : Session
    taxonomy : str
    unit : {'day', 'week', 'month', 'quarter', 'year'}
    by : sequence of str
        Taxonomies whose labels are named; default all others that carry labels.
    only : str
        One class instead of all.
    out : Path, optional
        Where figure and tables are written.

    Raises
    ------
    NotFound
        There is no such taxonomy or class.
    UsageError
        The taxonomy carries no label, or no image has a date.
    """
    table = label_table(session.matrix(taxonomy))
    others = [one for one in compared(session, table, by) if one.name != taxonomy]
    times, sources = image_dates(session)
    carry = table.labelled
    known = sorted(time for time, has in zip(times, carry, strict=True) if time and has)
    if not known:
        raise UsageError(f"no image with a label of '{taxonomy}' has a date")
    periods = periods_between(known[0], known[-1], unit)
    if len(periods) > _MOST_PERIODS:
        span = f"from {known[0][:10]} to {known[-1][:10]}"
        raise UsageError(f"{span} are {len(periods):,} {unit}s, too many; take --over year")
    number = {name: place for place, name in enumerate(periods)}
    place = np.array([number.get(period_of(time, unit), -1) for time in times], np.int64)
    course = count_by_period(table.yes, place, len(periods))
    wanted = table.labels if not only else (chosen_class(table, only),)
    rows = [
        row
        for name in wanted
        for row in _rows_of(table, others, place, periods, course, table.labels.index(name))
    ]
    found = OverTime(
        taxonomy=taxonomy,
        over=unit,
        images=len(times),
        dated=dict(Counter(source for source in sources if source)),
        undated=sum(not source for source in sources),
        by=tuple(one.name for one in others),
        periods=periods,
        rows=tuple(rows),
    )
    return found if out is None else _written(found, wanted, out)


def image_dates(session: Session) -> tuple[list[str], list[str]]:
    """Return of each present image when it was made, and whence that is known.

    Returns
    -------
    times : list of str
        ISO 8601, empty where unknown, in the order of the images' ids.
    sources : list of str
        ``feed``, ``picture``, ``file`` or empty.
    """
    table, told = session.table(), session.catalog.images.metadata()
    times: list[str] = []
    sources: list[str] = []
    for image, mtime in zip(table.ids.tolist(), table.mtimes.tolist(), strict=True):
        said = told.get(image, {})
        time, source = "", ""
        for name, where in ((POSTED, "feed"), ("taken", "picture")):
            text = str(said.get(name) or "").replace(":", "-", 2)
            if not time and period_of(text, "day"):
                time, source = text, where
        if not time and mtime >= _EARLIEST:
            time = datetime.fromtimestamp(mtime // 1_000_000_000, UTC).isoformat()
            source = "file"
        times.append(time)
        sources.append(source)
    return times, sources


def _rows_of(
    table: LabelTable,
    others: Sequence[LabelTable],
    place: NDArray[np.int64],
    periods: Sequence[str],
    course: Course,
    column: int,
) -> list[PeriodRow]:
    mine = np.flatnonzero(table.yes[:, column])
    beside = [one for one in ((other, other.yes[mine]) for other in others) if one[1].any()]
    now = place[mine]
    rows = []
    for number, period in enumerate(periods):
        images, of = int(course.counts[number, column]), int(course.totals[number])
        labels, rising = _shown(beside, now == number) if images else ((), ())
        rows.append(
            PeriodRow(
                class_=table.labels[column],
                period=period,
                images=images,
                of=of,
                share=images / of if of else None,
                low=float(course.low[number, column]),
                high=float(course.high[number, column]),
                labels=labels,
                rising=rising,
            )
        )
    return rows


def _shown(
    beside: Sequence[tuple[LabelTable, NDArray[np.bool_]]], now: NDArray[np.bool_]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the most frequent labels of a class in a period, and those that are special to it.

    Parameters
    ----------
    beside : sequence of (LabelTable, ndarray of bool)
        Other taxonomies, with the labels of the class's images.
    now : ndarray of bool
        Which of these images are of the period.
    """
    frequent: list[tuple[int, str]] = []
    rising: list[tuple[float, str]] = []
    for other, yes in beside:
        carry = yes.any(axis=1)
        if not (carry & now).any():
            continue
        found = measure_lift(yes[carry], now[carry])
        for label in np.flatnonzero(found.counts).tolist():
            frequent.append((int(found.counts[label]), other.labels[label]))
            if found.low[label] > 1:
                rising.append((float(found.low[label]), other.labels[label]))
    best = sorted(frequent, key=lambda pair: (-pair[0], pair[1]))[:_MOST]
    risen = sorted(rising, key=lambda pair: (-pair[0], pair[1]))[:_MOST]
    return tuple(name for _, name in best), tuple(name for _, name in risen)


def _written(found: OverTime, classes: Sequence[str], out: Path) -> OverTime:
    rows = to_document(found.rows)
    files = [
        draw_course(
            out / f"over-{found.over}.png",
            taxonomy=found.taxonomy,
            unit=found.over,
            periods=found.periods,
            counts={
                name: [row.images for row in found.rows if row.class_ == name] for name in classes
            },
        ),
        write_csv(
            out / f"over-{found.over}.csv",
            [
                {**row, **{name: "|".join(row[name]) for name in ("labels", "rising")}}
                for row in rows
            ],
            _COLUMNS,
        ),
    ]
    document = {**to_document(found), "files": [path.name for path in files]}
    files.append(write_json(out / f"over-{found.over}.json", document))
    return replace(found, files=tuple(str(path) for path in files))
