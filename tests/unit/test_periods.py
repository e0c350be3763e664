"""What classes show over time: periods, shares, whence the dates are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vernis import Collection
from vernis.core.explore.periods import count_by_period, period_of, periods_between
from vernis.domain.errors import InvalidValue, UsageError


@pytest.mark.parametrize(
    ("time", "unit", "period"),
    [
        ("2024-05-01T12:00:00Z", "day", "2024-05-01"),
        ("2024-12-30", "week", "2025-W01"),
        ("2024-05-31", "month", "2024-05"),
        ("2024-10-01", "quarter", "2024-Q4"),
        ("2024-03-31", "quarter", "2024-Q1"),
        ("2024-05-01", "year", "2024"),
        ("not a date", "year", ""),
        ("", "day", ""),
    ],
)
def test_period_of_a_time(time, unit, period):
    assert period_of(time, unit) == period


@pytest.mark.parametrize("unit", ["day", "week", "month", "quarter", "year"])
def test_no_period_between_two_times_is_missing(unit):
    days = pd.date_range("2019-12-25", "2024-03-02")
    plain = list(dict.fromkeys(period_of(day.strftime("%Y-%m-%d"), unit) for day in days))
    assert list(periods_between("2019-12-25", "2024-03-02", unit)) == plain


def test_counts_are_those_of_a_plain_loop():
    rng = np.random.default_rng(3)
    Y, period = rng.random((60, 3)) < 0.3, rng.integers(-1, 4, 60)
    course = count_by_period(Y, period, 5)
    for p in range(5):
        rows = [i for i in range(60) if period[i] == p and Y[i].any()]
        assert course.totals[p] == len(rows)
        assert course.counts[p].tolist() == [sum(bool(Y[i, c]) for i in rows) for c in range(3)]
    share = course.counts / np.maximum(course.totals, 1)[:, None]
    assert (course.low <= share).all()
    assert (share <= course.high).all()
    assert (course.low[4].max(), course.high[4].min()) == (0, 1)  # nothing is known of it
    with pytest.raises(InvalidValue, match="shape"):
        count_by_period(Y, period[:5], 5)


@pytest.fixture
def collection(tmp_path: Path):
    """Return a collection of posts: brand a shows dogs in May and cats in July, b one in June."""
    rng = np.random.default_rng(0)
    rows, posts = [], []
    for number in range(24):
        name = f"{number:02d}.png"
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).save(tmp_path / name)
        os.utime(tmp_path / name, (1_717_200_000, 1_717_200_000))  # June 2024
        early = number < 10
        rows.append((name, "a" if number < 20 else "b", "dog" if early else "cat"))
        if number < 20:
            posts.append({"address": name, "date": "2024-05-03" if early else "2024-07-09"})
    pd.DataFrame(rows, columns=["image", "brand", "shows"]).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "feed.jsonl").write_text("".join(f"{json.dumps(post)}\n" for post in posts))
    with Collection.create(tmp_path / "c.vernis") as opened:
        opened.index([tmp_path, tmp_path / "feed.jsonl"])
        opened.import_(tmp_path / "t.csv")
        yield opened


def test_profile_over_months(collection, tmp_path):
    found = collection.explore.profile("brand", over="month", out=tmp_path / "out").course
    assert found.periods == ("2024-05", "2024-06", "2024-07")
    assert dict(found.dated) == {"feed": 20, "file": 4}
    rows = {(row.class_, row.period): row for row in found.rows}
    may, july = rows["a", "2024-05"], rows["a", "2024-07"]
    assert (may.images, may.of, may.share, may.labels) == (10, 10, 1.0, ("dog",))
    assert may.rising == ("dog",)
    assert july.rising == ("cat",)
    assert rows["a", "2024-06"].share == 0
    assert rows["b", "2024-06"].images == 4
    written = pd.read_csv(tmp_path / "out" / "over-month.csv")
    assert written["images"].sum() == 24
    assert (tmp_path / "out" / "over-month.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="one of the two"):
        collection.explore.profile("brand", over="month", to="shows")
