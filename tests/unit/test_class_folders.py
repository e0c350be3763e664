"""Class folders are told from folders that only keep order."""

from __future__ import annotations

import pytest

from vernis.core.words.class_folders import read_class_folders


def images(*folders: str, count: int = 4) -> list[str]:
    return [f"{folder}/{number}.jpg".lstrip("/") for folder in folders for number in range(count)]


def classes(uris: list[str]) -> dict[str, set[str]]:
    return {
        name: set(found.values()) for name, found in read_class_folders(uris).taxonomies.items()
    }


@pytest.mark.parametrize("prefix", ["", "images/", "data/images/", "my photos/"])
def test_class_folders(prefix):
    uris = images(f"{prefix}cat", f"{prefix}dog")
    assert classes(uris) == {"class": {"cat", "dog"}}
    assert read_class_folders(uris).taxonomies["class"][uris[0]] == "cat"


@pytest.mark.parametrize("pattern", ["{s}/{c}", "images/{s}/{c}", "{c}/{s}", "{s}/{c}/images"])
def test_split_level_is_taken_out(pattern):
    folders = [pattern.format(s=s, c=c) for s in ("train", "val", "test2017") for c in ("a", "b")]
    uris = images(*folders)
    found = read_class_folders(uris)
    assert classes(uris) == {"class": {"a", "b"}}
    assert set(found.splits.values()) == {"train", "val", "test2017"}
    assert len(found.splits) == len(uris)


def test_splits_without_classes():
    uris = images("images/train", "images/valid", "images/test")
    found = read_class_folders(uris)
    assert found.taxonomies == {}
    assert found.splits[uris[0]] == "train"


def test_nested_folders_give_a_taxonomy_each_level():
    uris = images(
        *("train/Fruit/Apple/Golden", "train/Fruit/Apple/Pink", "train/Fruit/Pear/Anjou"),
        *("train/Vegetables/Asparagus", "train/Vegetables/Carrots"),
    )
    assert classes(uris) == {
        "class_level_1": {"Fruit", "Vegetables"},
        "class_level_2": {"Apple", "Pear", "Asparagus", "Carrots"},
        "class": {"Golden", "Pink", "Anjou", "Asparagus", "Carrots"},
    }


def test_same_name_in_two_branches_is_told_apart():
    uris = images("cars/red", "cars/blue", "shirts/red")
    assert classes(uris)["class"] == {"cars/red", "blue", "shirts/red"}


def test_crossing_levels_are_two_taxonomies():
    uris = images(*(f"{thing}/{side}" for thing in ("can", "cup", "jar") for side in "ab"))
    assert classes(uris) == {"class_level_1": {"can", "cup", "jar"}, "class": {"a", "b"}}


def test_a_level_left_out_in_one_split_makes_no_second_class():
    uris = images("train/Veg/Onion/Leek", "train/Veg/Onion/Red", "test/Veg/Leek", "test/Fruit/Fig")
    assert classes(uris)["class"] == {"Leek", "Red", "Fig"}


@pytest.mark.parametrize(
    "uris",
    [
        [],
        images("", count=20),
        images("images"),
        images("only"),
        images("2019", "2020", "2021-05-03"),
        images("100CANON", "101CANON"),
        images(*(f"shoot {i}" for i in range(20)), count=1),
        images("a", "a/b", "c", "c/d"),
        images("a", "b") + images("", count=20),
    ],
)
def test_folders_that_are_no_classes(uris):
    assert read_class_folders(uris).taxonomies == {}


def test_strays_are_tolerated_and_unlabelled():
    uris = [*images("cat", "dog", count=20), "stray.jpg"]
    found = read_class_folders(uris).taxonomies["class"]
    assert len(found) == 40
    assert "stray.jpg" not in found


def test_digits_are_classes():
    assert classes(images(*(str(i) for i in range(10)))) == {"class": {str(i) for i in range(10)}}


def test_photos_may_be_a_class():
    assert classes(images("photos", "logos", "posters")) == {
        "class": {"photos", "logos", "posters"}
    }


def test_folders_are_named_as_people_read_them():
    names = ("Caf\xe9", "Cafe\u0301", "tea", "tea\u200b", "007", "7", "1.0", "1", "\u200b")
    found = read_class_folders(f"{name}/{k}.jpg" for name in names for k in range(3))
    classes = set(found.taxonomies["class"].values())
    assert classes == {"Caf\xe9", "tea", "007", "7", "1.0", "1", "U+200B"}
