"""Class folders are told from folders that only keep order."""

from __future__ import annotations

import pytest

from vernis.core.words.class_folders import read_class_folders, take_folders


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
        images("DCIM/100APPLE", "DCIM/101APPLE"),
        images("batch 1", "batch 2", "scan 12", "DSC_001", "IMG_2019"),
        images("January", "February", "March"),
        images("2019/05", "2019/06", "2020/05"),
        images("2019/Rome", "2019/Anna", "2020/Birthday", "2020/Office"),
        images("2019-05-12 Rome", "2019-06-01 Paris"),
        images("2019", "2020", "New Folder (2)", "backup", "Stock"),
        images("train/2019", "train/2020", "test/2019"),
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


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("cat", "dog", "misc"), {"cat", "dog"}),
        (("cat", "dog", "backup/cat"), {"cat", "dog"}),
        (("2019/cat", "2019/dog", "2020/cat", "2020/dog"), {"cat", "dog"}),
        (("mars", "twix", "bounty"), {"mars", "twix", "bounty"}),
        (("1950", "2010", "7", "08", "1e3"), {"1950", "2010", "7", "08", "1e3"}),
    ],
)
def test_folders_that_keep_order_are_looked_through(folders, expected):
    assert classes(images(*folders)) == {"class": expected}


def test_images_in_folders_that_keep_order_have_no_class():
    found = read_class_folders(images("cat", "dog", "misc"))
    assert not any(uri.startswith("misc") for uri in found.taxonomies["class"])
    assert found.order == {"storage": ("misc",)}


def test_classes_need_half_of_the_images():
    order = images("2019", "2020", "backup", count=9)
    assert classes(order + images("cat", "dog", count=13)) == {}
    assert classes(order + images("cat", "dog", count=14)) == {"class": {"cat", "dog"}}


def test_an_archive_tells_what_its_folders_are():
    found = read_class_folders(images("2019", "2019", "2020/Rome", "scan 3", "old", "100CANON"))
    assert set(found.order) == {"date", "batch", "storage", "camera"}
    assert found.order["date"] == ("2019", "2020")
    assert found.taxonomies == {}


def test_numbers_are_marked():
    assert read_class_folders(images("7", "08", "19")).numbered == {"class"}
    assert read_class_folders(images("7up", "cola", "19")).numbered == frozenset()


def test_a_person_takes_folders_whatever_they_are_named():
    counts = {"2019": 4, "2020/Rome": 4, "": 1, "2020/Anna": 1}
    assert take_folders(counts).taxonomies == {
        "class_level_1": {"2019": "2019", "2020/Rome": "2020", "2020/Anna": "2020"},
        "class": {"2019": "2019", "2020/Rome": "Rome", "2020/Anna": "Anna"},
    }
    assert take_folders(counts, 2).taxonomies == {
        "class": {"2020/Rome": "Rome", "2020/Anna": "Anna"}
    }
    assert take_folders(counts, 3).taxonomies == {}
    every_level = take_folders({"a": 3, "a/b": 3, "c": 3})
    assert every_level.taxonomies == {"class": {"a": "a", "a/b": "b", "c": "c"}}
