"""A folder of images finds its collection by what is in it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import UsageError
from vernis.session.recognition import find_home

SUFFIX = ".vernis"


def draw(folder: Path, seeds: range) -> None:
    """Write a small picture for each seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 9 + seed % 5, 3))
        Image.fromarray(pixels.astype("uint8")).save(folder / f"p{seed:03}.png")


def collect(here: Path, images: Path, name: str) -> Path:
    """Make a collection of a folder."""
    with Collection.create(here / name) as collection:
        collection.index([images])
    return Path(name)


@pytest.fixture
def here(tmp_path):
    """Return a working folder with thirty pictures and their collection."""
    draw(tmp_path / "photos", range(30))
    collect(tmp_path, tmp_path / "photos", "photos.vernis")
    return tmp_path


def home(here: Path, name: str):
    return find_home(here / name, here, SUFFIX)


def test_a_folder_that_was_never_indexed_gets_a_collection_of_its_own(tmp_path):
    draw(tmp_path / "a", range(3))
    found = home(tmp_path, "a")
    assert found.folder == Path("a.vernis")
    assert not found.note


def test_the_folder_itself_needs_no_look_at_its_contents(here):
    shutil.rmtree(here / "photos")
    draw(here / "photos", range(100, 130))  # all pictures exchanged: still the same folder
    assert home(here, "photos").folder == Path("photos.vernis")


def test_a_renamed_folder_goes_on_with_its_collection(here):
    (here / "photos").rename(here / "pictures")
    found = home(here, "pictures")
    assert found.folder == Path("photos.vernis")
    assert "photos.vernis" in found.note
    assert "\n" not in found.note
    with Collection.open(here / found.folder) as collection:
        assert collection.index([here / "pictures"]).unchanged == 30
    again = home(here, "pictures")
    assert again.folder == found.folder
    assert not again.note


@pytest.mark.parametrize("name", ["elsewhere/photos", "elsewhere/renamed"])
def test_a_folder_mounted_elsewhere_is_known(here, name):
    (here / "elsewhere").mkdir()
    (here / "photos").rename(here / name)
    assert home(here, name).folder == Path("photos.vernis")


def test_names_within_the_folder_and_a_few_files_may_change(here):
    (here / "photos").rename(here / "pictures")
    (here / "pictures" / "sub").mkdir()
    for seed in range(10):
        path = here / "pictures" / f"p{seed:03}.png"
        path.rename(here / "pictures" / "sub" / f"other{seed}.png")
    (here / "pictures" / "p020.png").unlink()
    draw(here / "pictures", range(40, 60))
    assert home(here, "pictures").folder == Path("photos.vernis")


def test_half_a_folder_is_another_collection_and_it_is_said(here):
    for seed in range(15):
        (here / "half").mkdir(exist_ok=True)
        shutil.copy(here / "photos" / f"p{seed:03}.png", here / "half")
    found = home(here, "half")
    assert found.folder == Path("half.vernis")
    assert "photos.vernis" in found.note
    assert "--collection photos.vernis" in found.note


def test_a_copy_beside_the_original_asks(here):
    shutil.copytree(here / "photos", here / "copy")
    with pytest.raises(UsageError, match=r"photos\.vernis.*--collection photos\.vernis"):
        home(here, "copy")


def test_two_collections_that_may_be_meant_are_both_named(here):
    shutil.copytree(here / "photos", here / "other")
    collect(here, here / "other", "other.vernis")
    shutil.rmtree(here / "other")
    (here / "photos").rename(here / "pictures")
    with pytest.raises(UsageError, match=r"other\.vernis and photos\.vernis.*--collection"):
        home(here, "pictures")


def test_a_folder_of_the_same_name_with_other_images_is_another_collection(here):
    draw(here / "x" / "photos", range(200, 230))
    found = home(here, "x/photos")
    assert found.folder == Path("photos-2.vernis")
    assert "photos.vernis is about other images" in found.note


def test_strangers_are_not_mentioned(here):
    draw(here / "new", range(300, 320))
    found = home(here, "new")
    assert found.folder == Path("new.vernis")
    assert not found.note


def test_what_cannot_be_opened_is_left_to_the_opening(here):
    (here / "broken.vernis").mkdir()
    draw(here / "broken", range(3))
    assert home(here, "broken").folder == Path("broken.vernis")


def test_a_copy_of_folder_and_collection_together_is_at_home_there(here):
    (here / "backup").mkdir()
    for name in ("photos", "photos.vernis"):
        shutil.copytree(here / name, here / "backup" / name)
    found = find_home(here / "backup" / "photos", here / "backup", SUFFIX)
    assert found.folder == Path("photos.vernis")
    assert not found.note


def test_a_collection_copied_with_its_folder_reads_the_copy(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    draw(first / "photos", range(4))
    collect(first, first / "photos", "photos.vernis")
    shutil.copytree(first, second)
    with Collection.open(second / "photos.vernis") as copied:
        assert copied.session.root() == second / "photos"
    (second / "photos").rename(second / "others")
    draw(second / "photos", range(20, 24))
    with Collection.open(second / "photos.vernis") as copied:
        assert copied.session.root() == first / "photos"
