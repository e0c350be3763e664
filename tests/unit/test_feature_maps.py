"""What a channel sees: which stand out, where they look, how wide."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.adapters.backbones.receptive_fields import main_maps, patch_shares
from vernis.adapters.backbones.zoo import open_backbone
from vernis.core.explore.feature_maps import (
    Window,
    crop_around,
    peak_place,
    receptive_fields,
    standing_out,
    strongest_images,
)


def test_a_channel_stands_out_against_its_own_habit() -> None:
    usual = np.random.default_rng(0).normal([10, 1, 0], [2, 2, 0], (500, 3))
    found = standing_out(np.array([11.0, 9.0, 0.1]), usual)
    assert found.argmax() == 1
    assert found[1] == pytest.approx((9 - usual[:, 1].mean()) / usual[:, 1].std())
    assert found[2] < 1  # a dead channel that twitches


def test_the_strongest_images_hold_one_copy_of_each() -> None:
    values = np.array([5, 9, 9, 1, 7])
    groups = np.array([0, 1, 1, 2, 3])
    assert strongest_images(values, groups, 3) == [1, 4, 0]
    assert strongest_images(values, groups, 9) == [1, 4, 0, 3]


def test_the_patch_lies_around_the_peak_and_within_the_picture() -> None:
    heat = np.zeros((4, 8))
    heat[3, 1] = 2
    assert peak_place(heat) == (1.5 / 8, 3.5 / 4)
    picture = np.arange(100 * 200 * 3, dtype=np.uint32).reshape(100, 200, 3).astype(np.uint8)
    inside = crop_around(picture, (0.5, 0.5), 20)
    np.testing.assert_array_equal(inside, picture[40:60, 90:110])
    corner = crop_around(picture, (1.0, 0.0), 20)
    np.testing.assert_array_equal(corner, picture[:20, 180:])
    assert crop_around(picture, (0.5, 0.5), 500).shape == (100, 100, 3)


def test_receptive_fields_are_those_counted_by_hand() -> None:
    nodes = [
        (["image"], ["a"], Window(3, 2)),  # sees 3, cells 2 apart
        (["a"], ["b"], Window(3, 1)),  # 3 + 2·2
        (["b"], ["c"], Window(3, 2, 2)),  # 7 + 2·2·2
        (["a", "c"], ["d"], Window()),
        (["weights"], ["e"], Window(3)),
    ]
    found = receptive_fields(nodes, "image")
    assert found == {"image": 1, "a": 3, "b": 7, "c": 15, "d": 15}


def test_the_stages_of_the_shipped_network_are_its_main_maps() -> None:
    backbone = open_backbone(arithmetic="fp32")
    layers = main_maps(backbone)
    assert layers == [*(f"stage{i}" for i in range(7)), "features"]
    shares = list(patch_shares(backbone, layers).values())
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.1, 0.5)
