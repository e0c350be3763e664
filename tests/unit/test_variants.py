"""Variants are no duplicates, mirrored pictures of other classes neither; any edit is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vernis.core.copies.duplicates import VariantPair, group_variants, is_turned
from vernis.core.copies.local_shift import find_local_shift
from vernis.session.session import Session
from vernis.verbs.decide import duplicates
from vernis.verbs.decide.deduplication import DuplicateSearch, find_duplicates
from vernis.verbs.networks.embedding import measure_pictures
from vernis.verbs.steps import import_, index


def scene(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(40, 215, (6, 8, 3)).astype(np.uint8))
    picture = ground.resize((360, 280), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(50):
        x, y, side = (int(v) for v in rng.integers((0, 0, 8), (360, 280, 46)))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + side, y + side), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return picture


def bottle(name: str) -> Image.Image:
    picture = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((177, 40, 223, 133), fill=(30, 70, 40))
    draw.rounded_rectangle((140, 120, 260, 380), 30, fill=(30, 70, 40))
    draw.rectangle((145, 200, 255, 300), fill=(235, 225, 200))
    font = ImageFont.load_default(24)
    draw.text((200, 235), name, fill=(90, 20, 20), font=font, anchor="mm")
    draw.text((200, 275), name[::-1], fill=(90, 20, 20), font=font, anchor="mm")
    return picture


def dots(pitch: int, tones: tuple[int, int]) -> Image.Image:
    y, x = np.mgrid[0:400, 0:400]
    inside = (x % pitch - pitch / 2) ** 2 + (y % pitch - pitch / 2) ** 2 < (pitch * 0.3) ** 2
    noise = np.random.default_rng(pitch).normal(0, 4, (400, 400))
    grey = np.clip(np.where(inside, *tones) + noise, 0, 255)
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def opened(folder: Path) -> Session:
    session = Session.create(folder.parent / "c.vernis")
    index.VERB.work(session, index.VERB.settings(folder))
    measure_pictures(session)
    return session


def groups_of(session: Session) -> list[set[str]]:
    uris = session.uris()
    return [{uris[i] for i in group.images} for group in session.groups()]


def test_labels_on_one_bottle_are_variants_and_an_edit_is_a_copy(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("ALMA", "CEDRO", "FARO"):
        bottle(name).save(folder / f"{name}.png")
    for seed in range(4):
        scene(seed).save(folder / f"scene{seed}.png")
    turned = scene(0).rotate(21, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    turned.save(folder / "turned.jpg", quality=80)
    with opened(folder) as session:
        shown = duplicates.VERB.work(session, duplicates.VERB.settings())
        assert [set(group.images) for group in shown.groups] == [{"scene0.png", "turned.jpg"}]
        assert [set(row.images) for row in shown.variants] == [
            {"ALMA.png", "CEDRO.png", "FARO.png"}
        ]
        assert shown.variants[0].reason == "content"
        document = duplicates.VERB.document(shown)
        assert set(document) == {"groups", "variants", "links"}


def test_a_smaller_copy_of_a_cloth_is_found_and_other_cloths_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "cloth"
    folder.mkdir()
    for k in range(5):
        dots(20 + 6 * k, (120, 150)).save(folder / f"dot{k}.jpg", quality=92)
    dots(32, (120, 150)).resize((280, 280)).save(folder / "copy.jpg", quality=70)
    with opened(folder) as session:
        find_duplicates(session)
        assert groups_of(session) == [{"dot2.jpg", "copy.jpg"}]


def test_mirrored_pictures_of_classes_that_are_mirror_images_are_no_duplicates(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "signs"
    folder.mkdir()
    for seed in range(5):
        scene(seed).save(folder / f"left{seed}.png")
        ImageOps.mirror(scene(seed)).save(folder / f"right{seed}.png")
    table = tmp_path / "labels.csv"
    rows = ["image,way"]
    for seed, (one, other) in enumerate([("left", "right"), ("right", "left"), ("left", "left")]):
        rows += [f"left{seed}.png,{one}", f"right{seed}.png,{other}"]
    rows += ["left3.png,stop", "right3.png,left"]  # once: a copy whose label is wrong
    table.write_text("\n".join(rows) + "\n")
    with opened(folder) as session:
        import_.VERB.work(session, import_.VERB.settings(table))
        summary = find_duplicates(session)
        # Of the same class, or without one, a mirrored picture is a copy.
        copies = [{f"left{seed}.png", f"right{seed}.png"} for seed in (2, 3, 4)]
        assert sorted(groups_of(session), key=min) == copies
        assert summary.conflicts == 1


def test_many_images_are_searched_by_keypoints_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vernis.session.measures.KEYPOINT_LIMIT", 3)
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("ALMA", "CEDRO"):
        bottle(name).save(folder / f"{name}.png")
    scene(0).save(folder / "scene.png")
    turned = scene(0).rotate(21, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    turned.save(folder / "turned.jpg", quality=80)
    with opened(folder) as session:
        quick = duplicates.VERB.work(session, duplicates.VERB.settings())
        assert quick.groups == ()
        # Variants are told from copies all the same.
        assert [set(row.images) for row in quick.variants] == [{"ALMA.png", "CEDRO.png"}]
        thorough = duplicates.VERB.work(session, duplicates.VERB.settings(thorough=True))
        assert [set(group.images) for group in thorough.groups] == [{"scene.png", "turned.jpg"}]
        assert thorough.variants == quick.variants
        assert duplicates.VERB.work(session, duplicates.VERB.settings()) == thorough


def test_pictures_that_are_gone_are_searched_without_a_closer_look(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        scene(seed).save(folder / f"{seed}.png")
    scene(0).save(folder / "again.jpg", quality=70)
    with opened(folder) as session:
        for path in folder.iterdir():
            path.unlink()
        find_duplicates(session)
        search = session.results.find("duplicate-search", DuplicateSearch)
        assert search is not None
        assert search.variants == ()


def test_variants_are_grouped_where_all_are_variants_of_all() -> None:
    pairs = [
        VariantPair("a", "b", 0.9, "content"),
        VariantPair("a", "c", 0.9, "color"),
        VariantPair("b", "c", 0.8, "content"),
        VariantPair("c", "d", 0.7, "color"),
    ]
    groups = [(group.contents, group.reason) for group in group_variants(pairs)]
    assert groups == [(("a", "b", "c"), "color and content")]


def test_what_turns_a_picture() -> None:
    assert all(map(is_turned, ("hflip", "rot90+gray", "rotation+crop")))
    assert not any(map(is_turned, ("identity", "scale", "crop+banner", "gray")))


def test_parts_that_moved_apart_are_told_from_a_map_of_the_whole() -> None:
    grey = np.asarray(scene(5).convert("L").resize((224, 174)), dtype=np.float32)
    inside = np.ones(grey.shape, bool)
    assert find_local_shift(grey, 0.8 * grey + 20, inside) < 0.05
    parallax = np.roll(grey, 1, axis=1)
    parallax[:, 112:] = np.roll(grey, -1, axis=1)[:, 112:]
    assert 0.6 < find_local_shift(grey, parallax, inside) < 1.6
    assert find_local_shift(grey, grey, np.zeros_like(inside)) == 0.0
