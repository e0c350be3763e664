"""Days, weeks, months, quarters and years: which one a time falls into, and which lie between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue

Unit = Literal["day", "week", "month", "quarter", "year"]


def period_of(time: str, unit: Unit) -> str:
    """Return the period that a time falls into, empty where it is no date.

    Parameters
    ----------
    time : str
        ISO 8601, such as ``2024-05-01T12:00:00Z``; its first ten characters are read.
    unit : {'day', 'week', 'month', 'quarter', 'year'}
        Weeks are those of ISO 8601, which begin on Monday.

    Examples
    --------
    >>> period_of("2024-12-30T08:00:00Z", "week"), period_of("2024-05-01", "quarter")
    ('2025-W01', '2024-Q2')
    """
    try:
        day = date.fromisoformat(time[:10])
    except ValueError:
        return ""
    return _named(day, unit)


def _named(day: date, unit: Unit) -> str:
    if unit == "day":
        return day.isoformat()
    if unit == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    if unit == "month":
        return f"{day.year:04d}-{day.month:02d}"
    if unit == "quarter":
        return f"{day.year:04d}-Q{(day.month + 2) // 3}"
    return f"{day.year:04d}"


_STEPS = {"day": 1, "week": 7, "month": 28, "quarter": 28, "year": 28}


def periods_between(first: str, last: str, unit: Unit) -> tuple[str, ...]:
    """Return the periods from one time to another, those without any image included.

    >>> periods_between("2023-11-30", "2024-02-01", "month")
    ('2023-11', '2023-12', '2024-01', '2024-02')
    """
    day, end = date.fromisoformat(first[:10]), date.fromisoformat(last[:10])
    step = timedelta(days=_STEPS[unit])
    found: dict[str, None] = {}
    while day < end:
        found[_named(day, unit)] = None
        day += step
    found[_named(end, unit)] = None
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How often each class is met in each period.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_periods, n_classes)
    totals : ndarray of int64, shape (n_periods,)
        Images of the period that carry any class.
    low, high : ndarray of float64, shape (n_periods, n_classes)
        Interval of the share (Clopper & Pearson 1934), 95 %; 0 and 1 where there is no image.
    """

    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def count_by_period(Y: ArrayLike, period: ArrayLike, n_periods: int) -> Course:
    """Count the labels of each period.

    Parameters
    ----------
    Y : array_like of bool, shape (n_images, n_classes)
        Whether an image carries a class.
    period : array_like of int, shape (n_images,)
        Number of its period; -1 for images without a date, which are left out.
    n_periods : int

    Raises
    ------
    InvalidValue
        If shapes disagree.
    """
    from scipy.stats import beta

    yes, place = np.asarray(Y, bool), np.asarray(period, np.int64)
    if yes.ndim != 2 or place.shape != (len(yes),):
        raise InvalidValue(f"expected periods of shape ({len(yes)},), got {place.shape}")
    used = (place >= 0) & yes.any(axis=1)
    totals = np.bincount(place[used], minlength=n_periods).astype(np.int64)
    counts = np.zeros((n_periods, yes.shape[1]), np.int64)
    np.add.at(counts, place[used], yes[used])
    rest = totals[:, None] - counts
    low = np.nan_to_num(beta.ppf(0.025, counts, rest + 1), nan=0.0)
    high = np.nan_to_num(beta.ppf(0.975, counts + 1, rest), nan=1.0)
    return Course(counts, totals, low, high)
