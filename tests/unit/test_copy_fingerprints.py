"""Fingerprints as bytes, and the descriptors made of them, against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.copies.fingerprints import (
    CHROMA_SIDE,
    CHROMA_SIZE,
    FINGERPRINT_SIZE,
    LUMA_SIDE,
    LUMA_SIZE,
    ORIENTATIONS,
    is_plain,
    pack_fingerprint,
    standardize,
    turn,
    unpack_fingerprints,
)
from vernis.domain.errors import InvalidValue


def test_a_fingerprint_is_taken_apart_as_it_was_put_together():
    rng = np.random.default_rng(0)
    luma = rng.integers(0, 256, (3, LUMA_SIDE, LUMA_SIDE), np.uint8)
    chroma = rng.integers(0, 256, (3, 2, CHROMA_SIDE, CHROMA_SIDE), np.uint8)
    sizes = [(640, 480), (1, 100_000_000), (100_000_000, 1)]
    rows = np.stack(
        [pack_fingerprint(a, b, *size) for a, b, size in zip(luma, chroma, sizes, strict=True)]
    )
    assert rows.shape == (3, FINGERPRINT_SIZE) == (3, 64 * 64 + 2 * 16 * 16 + 2)
    assert (LUMA_SIZE, CHROMA_SIZE) == (4096, 512)
    found = unpack_fingerprints(rows)
    assert len(found) == 3
    np.testing.assert_array_equal(found.luma, luma)
    np.testing.assert_array_equal(found.chroma, chroma)
    assert found.aspect[0] == pytest.approx(4 / 3, rel=2e-4)
    assert found.aspect[1] == pytest.approx(2.0**-16, rel=1e-3)
    assert found.aspect[2] == pytest.approx(2.0**16, rel=1e-3)
    for width in (1, 2, 3, 1000):
        row = pack_fingerprint(luma[0], chroma[0], width, 1)
        assert unpack_fingerprints(row[None]).aspect[0] == pytest.approx(width, rel=2e-4)


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros(FINGERPRINT_SIZE, np.uint8),
        np.zeros((1, FINGERPRINT_SIZE - 1), np.uint8),
        np.zeros((1, FINGERPRINT_SIZE), np.int16),
    ],
)
def test_other_rows_are_refused(rows):
    with pytest.raises(InvalidValue, match="expected fingerprints"):
        unpack_fingerprints(rows)


def test_turns_are_what_their_names_say():
    picture = np.arange(12).reshape(1, 3, 4)
    by_name = {name: turn(picture, k)[0] for k, name in enumerate(ORIENTATIONS)}
    plain = picture[0]
    expected = {
        "identity": plain,
        "hflip": np.fliplr(plain),
        "vflip": np.flipud(plain),
        "rot180": np.rot90(plain, 2),
        "transpose": plain.T,
        "rot270": np.rot90(plain, 3),
        "rot90": np.rot90(plain),
        "transverse": np.rot90(plain, 2).T,
    }
    for name, wanted in expected.items():
        np.testing.assert_array_equal(by_name[name], wanted, err_msg=name)


def test_rows_are_centred_and_scaled_with_one_level_of_noise():
    rows = np.random.default_rng(0).normal(100, 30, (4, 5, 16)).astype(np.float32)
    away = rows - rows.mean(axis=-1, keepdims=True)
    length = np.sqrt((away**2).sum(axis=-1, keepdims=True) + 16)
    np.testing.assert_allclose(standardize(rows), away / length, atol=1e-5)
    flat = np.tile([5.0, 6.0], 8).astype(np.float32)
    assert np.linalg.norm(standardize(flat)) == pytest.approx(np.sqrt(4 / 20), abs=1e-5)


def roughness(picture: np.ndarray) -> float:
    """Return the root mean square of the second differences at 16 × 16 points."""
    small = picture.reshape(16, 4, 16, 4).mean(axis=(1, 3))
    across = [(r[i] - 2 * r[i + 1] + r[i + 2]) ** 2 for r in small for i in range(14)]
    down = [(r[i] - 2 * r[i + 1] + r[i + 2]) ** 2 for r in small.T for i in range(14)]
    return float(np.sqrt((np.mean(across) + np.mean(down)) / 2))


def test_pictures_are_plain_below_one_and_a_half_levels_of_detail():
    rng = np.random.default_rng(0)
    pictures, levels = [], []
    for strength in np.linspace(0.1, 1.0, 40):
        for wave in (0, 1):
            x = np.arange(64) // 4
            lines = 128 + strength * (x % 2 * 2 - 1)[:, None] * np.ones(64)
            noisy = lines + rng.normal(0, 1, (64, 64))
            picture = (noisy.T if wave else noisy).round().astype(np.uint8)
            pictures.append(picture)
            levels.append(roughness(picture.astype(float)))
    expected = np.array(levels) < 1.5
    assert 10 < expected.sum() < 70
    np.testing.assert_array_equal(is_plain(np.stack(pictures)), expected)
    ramp = np.add.outer(np.arange(64) * 2, np.arange(64)).astype(np.uint8)
    assert is_plain(ramp[None])[0]
