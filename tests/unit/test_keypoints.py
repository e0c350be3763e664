"""Each step of finding keypoints beside the plain formula that it is a faster form of."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.copies import keypoints
from vernis.core.copies.keypoints import COUNT, LEVEL_STEP

_SIZES = ((60, 84), (42, 59), (30, 42))


def _levels(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in _SIZES]


def _smoothed(level: np.ndarray) -> np.ndarray:
    rows = level.astype(np.float64)
    middle = rows.copy()
    middle[1:-1] = (rows[:-2] + 2 * rows[1:-1] + rows[2:]) / 4
    out = middle.copy()
    out[:, 1:-1] = (middle[:, :-2] + 2 * middle[:, 1:-1] + middle[:, 2:]) / 4
    return out


def _plane(sheet: keypoints._Sheet, level: int) -> np.ndarray:
    (y, x), (height, width) = sheet.corners[level], sheet.shapes[level]
    return sheet.grey.reshape(-1, sheet.width)[y : y + height, x : x + width] / 16


def _peaks(plane: np.ndarray, margin: int = 6) -> dict[tuple[int, int], float]:
    def response(y: int, x: int) -> np.float32:
        at = plane.astype(np.float32)
        across = at[y, x + 2] - 2 * at[y, x] + at[y, x - 2]
        down = at[y + 2, x] - 2 * at[y, x] + at[y - 2, x]
        mixed = at[y + 2, x + 2] + at[y - 2, x - 2] - at[y - 2, x + 2] - at[y + 2, x - 2]
        return np.abs(across * down - np.square(np.float32(0.25) * mixed))

    height, width = plane.shape
    found = {}
    for y in range(margin, height - margin):
        for x in range(margin, width - margin):
            value = response(y, x)
            near = [response(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
            if value > 4 and value >= max(near):
                found[y, x] = float(value)
    return found


def test_levels_are_smoothed_but_at_their_rims():
    levels = _levels(1)
    sheet = keypoints._Sheet.build(levels, keypoints.Workspace())
    for number, level in enumerate(levels):
        np.testing.assert_array_equal(_plane(sheet, number), _smoothed(level))


def test_every_local_maximum_within_the_margin_is_found():
    levels = [level[:24, :31] for level in _levels(2)]
    sheet = keypoints._Sheet.build(levels, keypoints.Workspace())
    found = keypoints._detect(sheet, *keypoints._respond(sheet), 4.0)
    for number, level in enumerate(levels):
        rows = found[found[:, 0] == number]
        places = {(int(y), int(x)): float(value) for _, x, y, value in rows}
        assert places == _peaks(_smoothed(level))
        assert places


@pytest.mark.parametrize("width", [84, 130, 300])
def test_levels_lie_apart_on_their_sheet(width):
    sizes = [(h, w) for w, h in keypoints.level_sizes(width, 100)]
    height, across, corners = keypoints._lay_out(sizes)
    taken = np.zeros((height, across), int)
    for (y, x), (tall, wide) in zip(corners, sizes, strict=True):
        part = taken[y : y + tall, x : x + wide]
        assert part.shape == (tall, wide)
        part += 1
    assert taken.max() == 1


def test_a_picture_leaves_nothing_behind_for_the_next():
    workspace = keypoints.Workspace()
    for seed, scale in ((5, 2), (6, 1), (7, 2)):
        levels = [level[:: 3 - scale, :: 3 - scale] for level in _levels(seed)]
        np.testing.assert_array_equal(
            keypoints.find_keypoints(levels, workspace), keypoints.find_keypoints(levels)
        )


@pytest.mark.parametrize("guess", [4.0, 60.0, 1e4, 1e9])
@pytest.mark.parametrize("seed", range(3))
def test_choosing_from_the_strongest_alone_changes_nothing(seed, guess, monkeypatch):
    rng = np.random.default_rng(seed)
    levels = [rng.integers(0, 256, size, dtype=np.uint8) for size in ((190, 160), (134, 113))]
    levels[0][:, :90] //= np.uint8(1 + 8 * seed)  # strong ones in a part alone
    sheet = keypoints._Sheet.build(levels, keypoints.Workspace())
    found = keypoints._detect(sheet, *keypoints._respond(sheet), 4.0)
    assert len(found) > 10 * COUNT
    expected, _ = keypoints._spread(found, sheet.shapes[0])
    monkeypatch.setattr(keypoints, "_guess_least", lambda *_: guess)
    np.testing.assert_array_equal(keypoints._choose(sheet), expected)


@pytest.mark.parametrize("levels_of_strength", [3, 1000])
def test_of_many_the_strongest_of_each_part_are_kept(levels_of_strength):
    rng = np.random.default_rng(3)
    n = 900
    found = np.column_stack(
        [
            rng.integers(0, 3, n),
            rng.integers(6, 20, n),
            rng.integers(6, 15, n),
            rng.integers(5, 5 + levels_of_strength, n),
        ]
    ).astype(np.float32)
    ranks: dict[tuple[int, int], int] = {}
    price = np.empty(n)
    for row in sorted(range(n), key=lambda r: (-found[r, 3], r)):
        factor = np.float32(LEVEL_STEP ** np.float32(found[row, 0]))
        part = tuple(
            min(int(found[row, k] * factor / size * 6), 5) for k, size in ((1, 84), (2, 60))
        )
        ranks[part] = ranks.get(part, -1) + 1
        price[row] = 0.35 * ranks[part] - np.log(found[row, 3])
    expected = sorted(range(n), key=lambda r: (price[r], r))[:COUNT]
    np.testing.assert_array_equal(keypoints._spread(found, (60, 84))[0], found[expected])


def test_reading_between_pixels_stays_within_the_level():
    sheet = keypoints._Sheet.build(_levels(4), keypoints.Workspace())
    found = np.array([[1, 7, 9, 0], [2, 25, 20, 0]], np.float32)
    places = sheet.at(found)
    right, down = np.array([-20, 0, 0.25, 90], np.float32), np.array([0, -30, 0.5, 70], np.float32)
    read = places.read(places.x + right[:, None], places.y + down[:, None])
    for row, (level, x, y, _) in enumerate(found):
        height, width = _SIZES[int(level)]
        plane = _plane(sheet, int(level))
        for column, (i, j) in enumerate(zip(right, down, strict=True)):
            u, v = np.clip(x + i, 0, width - 1.001), np.clip(y + j, 0, height - 1.001)
            left, top = int(u), int(v)
            four = plane[top : top + 2, left : left + 2].astype(np.float64)
            lines = four[:, 0] + (four[:, 1] - four[:, 0]) * (u - left)
            expected = lines[0] + (lines[1] - lines[0]) * (v - top)
            assert read[column, row] == pytest.approx(expected, abs=1e-4)
