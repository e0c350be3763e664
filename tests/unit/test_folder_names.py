"""Names of folders: classes, numbers, and what only keeps order."""

from __future__ import annotations

import pytest

from vernis.core.words.folder_names import is_order, kinds_of_folders

KINDS = {
    "date": (
        *("2019", "2019-05", "20190512 Rome", "Rome 2019", "12.5.2019", "05 May", "Sommer 2018"),
        *("backup 2019", "2019_05_12"),
    ),
    "batch": ("batch 3", "batch3", "DSC_001", "scan 12", "IMG_2019", "Charge 7", "part 2"),
    "camera": ("100CANON", "101MSDCF", "102_PANA", "100D5300", "DCIM", "Camera Roll"),
    "storage": (
        *("New Folder (2)", "new folder", "Neuer Ordner", "New folder - Copy", "Copy of cat"),
        *("cat - Copy", "cat backup", "backup", "Backup_2", "old", "misc", "untitled", "temp"),
        *("Stock", "old photos", "to sort", "unsorted"),
    ),
    "number": ("0", "007", "1.0", "-1", "1e3", "747", "1,5"),
    "class": (
        *("cat", "n01440764", "Old Fashioned", "Stock Pot", "class 3", "type_2", "7UP", "New York"),
        *("Golden Delicious", "A4", "photos", "copper", "new", "3M tape", "\u5bff\u53f8"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_name_alone(kind):
    told = {name: kinds_of_folders([name])[name] for name in KINDS[kind]}
    assert told == dict.fromkeys(KINDS[kind], kind)


def test_only_classes_and_numbers_may_be_classes():
    assert [kind for kind in KINDS if not is_order(kind)] == ["number", "class"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("mars", "twix"), {"mars": "class", "twix": "class"}),
        (("mars", "avril", "mai"), dict.fromkeys(("mars", "avril", "mai"), "date")),
        (("2012", "2013", "7"), {"2012": "date", "2013": "date", "7": "number"}),
        (("2012", "3001", "7"), dict.fromkeys(("2012", "3001", "7"), "number")),
    ],
)
def test_neighbours_decide_what_can_be_read_in_two_ways(names, expected):
    assert kinds_of_folders(names) == expected
