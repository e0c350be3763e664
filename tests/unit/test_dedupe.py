"""The dedupe and trash workflows on a real catalog: stages, keeper, labels, verdicts, trash."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.fingerprints import FINGERPRINT_SPACE, compute_fingerprint
from vernis.adapters.pixels import decode
from vernis.adapters.trash import FolderTrash
from vernis.domain.errors import NotFound
from vernis.domain.types import FoundFile, ImageRecord, Statement, Taxonomy
from vernis.session.files import Files
from vernis.session.session import Session
from vernis.verbs.decide.deduplication import Deduplication, find_duplicates, links_among
from vernis.verbs.decide.trashing import plan_trash, restore_images, trash_images


def draw(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    noise = rng.normal(128, 60, (12, 16, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, r = (int(v) for v in rng.integers((0, 0, 10), (320, 240, 50)))
        pen.ellipse(
            (x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in rng.integers(0, 255, 3))
        )
    return picture


class CountingFiles(Files):
    """Notes which pictures are compared in all they hold."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.decoded: list[str] = []

    def digested_pictures(self):
        digest = super().digested_pictures()

        def counted(image: ImageRecord) -> str:
            self.decoded.append(image.uri)
            return digest(image)

        return counted


class Workplace:
    """A folder of pictures and its catalog."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "pictures"
        self.root.mkdir()
        self.catalog = SqliteCatalog.create(folder / "c.vernis")
        self.catalog.images.set_root(self.root)
        self.session = Session(self.catalog)
        self.session.files = files = CountingFiles(self.session)
        self.decoded = files.decoded
        self.trash = FolderTrash(folder / "c.vernis" / "trash", lambda uri: self.root / uri)

    def index(self) -> None:
        found, hashes, rows = [], [], []
        for path in sorted(self.root.iterdir()):
            data = path.read_bytes()
            with Image.open(path) as image:
                width, height = image.size
            content = hashlib.sha256(data).hexdigest()
            stat = path.stat()
            found.append(
                FoundFile(path.name, content, stat.st_size, stat.st_mtime_ns, width, height)
            )
            if content not in hashes:
                hashes.append(content)
                rows.append(compute_fingerprint(decode(path)))
        self.catalog.images.apply_index(found, complete=True)
        missing = self.catalog.vectors.missing(FINGERPRINT_SPACE, hashes)
        if missing:
            chosen = [rows[hashes.index(content)] for content in missing]
            self.catalog.vectors.append(FINGERPRINT_SPACE, missing, np.stack(chosen))

    def dedupe(self) -> Deduplication:
        return find_duplicates(self.session)

    def id(self, name: str) -> int:
        return self.catalog.images.find(name).id

    def pairs(self) -> dict[frozenset[str], tuple[str, str]]:
        names = {image.id: image.uri for image in self.catalog.images.all()}
        return {
            frozenset((names[pair.a], names[pair.b])): (pair.kind, pair.transform)
            for group in self.catalog.issues.groups()
            for pair in group.pairs
        }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    work = Workplace(tmp_path)
    for seed in range(12):
        draw(seed).save(work.root / f"p{seed:02}.jpg", quality=92)
    first = work.root / "p00.jpg"
    shutil.copy(first, work.root / "same_bytes.jpg")
    Image.open(first).save(work.root / "twin.png")
    draw(1).resize((160, 120)).save(work.root / "small.jpg", quality=70)
    draw(2).transpose(Image.Transpose.ROTATE_90).save(work.root / "turned.jpg")
    draw(3).convert("L").save(work.root / "grey.jpg")
    work.index()
    yield work
    work.catalog.close()


def test_three_stages_find_their_kinds_and_nothing_else(place):
    summary = place.dedupe()
    assert place.pairs() == {
        frozenset(("p00.jpg", "same_bytes.jpg")): ("bytes", "identity"),
        frozenset(("p00.jpg", "twin.png")): ("pixels", "identity"),
        frozenset(("same_bytes.jpg", "twin.png")): ("pixels", "identity"),
        frozenset(("p01.jpg", "small.jpg")): ("near", "scale"),
        frozenset(("p02.jpg", "turned.jpg")): ("near", "rot90"),
        frozenset(("p03.jpg", "grey.jpg")): ("near", "gray"),
    }
    assert summary.groups == 4
    assert dict(summary.pairs) == {"bytes": 1, "pixels": 2, "near": 3}
    assert set(place.decoded) == {"p00.jpg", "twin.png"}


def test_a_link_is_no_copy_of_its_file_which_stays_for_it(place):
    (place.root / "link.jpg").symlink_to("p05.jpg")
    (place.root / "other_link.jpg").symlink_to(place.root / "same_bytes.jpg")
    place.index()
    place.dedupe()
    assert not any("link" in name for pair in place.pairs() for name in pair)
    assert frozenset(("p00.jpg", "same_bytes.jpg")) in place.pairs()
    assert links_among(place.session) == {
        place.id("link.jpg"): place.id("p05.jpg"),
        place.id("other_link.jpg"): place.id("same_bytes.jpg"),
    }
    plan = {file.uri for file in plan_trash(place.session, "pixels", prefer=["same_bytes.jpg"])}
    assert plan == {"p00.jpg"}
    plan = {file.uri for file in plan_trash(place.session, "pixels")}
    assert plan == {"p00.jpg"}  # not the file to which a link leads
    found = place.session.duplicate_codes(np.arange(1, 1 + len(place.catalog.images.all())))
    assert found[place.id("link.jpg") - 1] == found[place.id("p05.jpg") - 1]


def test_the_largest_picture_is_kept_and_the_reason_told(place):
    place.dedupe()
    kept = {group.keeper: group.reason for group in place.catalog.issues.groups()}
    assert kept[place.id("p01.jpg")] == "much larger picture"
    assert kept[place.id("twin.png")] == "least compressed"


def test_labels_are_merged_and_disagreement_is_told(place):
    labels = place.catalog.labels
    labels.define(Taxonomy("kind", "single", ("cat", "dog")))
    said = [("p01.jpg", "cat"), ("small.jpg", "dog"), ("p02.jpg", "cat")]
    labels.record(
        "kind",
        [Statement(place.id(name), label, "yes") for name, label in said],
        source="given",
        verb="import",
    )
    summary = place.dedupe()
    groups = {group.keeper: group for group in place.catalog.issues.groups()}
    torn = groups[place.id("p01.jpg")]
    assert torn.conflicts == ("kind",)
    assert torn.merged_labels == {"kind": ("cat", "dog")}
    agreed = next(g for g in groups.values() if place.id("p02.jpg") in g.images)
    assert agreed.conflicts == ()
    assert agreed.merged_labels == {"kind": ("cat",)}
    assert summary.conflicts == 1


def test_a_second_run_searches_nothing_and_gives_the_same(place):
    place.dedupe()
    before, place.decoded = place.pairs(), []
    place.dedupe()
    assert place.pairs() == before
    assert place.decoded == []


def test_not_a_duplicate_sticks(place):
    place.dedupe()
    a, b = sorted((place.id("p00.jpg"), place.id("same_bytes.jpg")))
    issue = next(
        issue
        for issue in place.catalog.issues.select(["duplicate"])
        if (issue.image_id, issue.other_id) == (a, b)
    )
    place.catalog.issues.set_verdict([issue.id], "dismissed", who="ada")
    (place.root / "p11.jpg").unlink()
    place.index()
    place.dedupe()
    assert frozenset(("p00.jpg", "same_bytes.jpg")) not in place.pairs()


def test_images_without_a_fingerprint_are_compared_by_bytes(place):
    draw(20).save(place.root / "new.png")
    shutil.copy(place.root / "new.png", place.root / "new_copy.png")
    data = (place.root / "new.png").read_bytes()
    stat = (place.root / "new.png").stat()
    found = [
        FoundFile(name, hashlib.sha256(data).hexdigest(), len(data), stat.st_mtime_ns, 320, 240)
        for name in ("new.png", "new_copy.png")
    ]
    place.catalog.images.apply_index(found, complete=False)
    summary = place.dedupe()
    assert summary.skipped == 2
    assert place.pairs()[frozenset(("new.png", "new_copy.png"))] == ("bytes", "identity")


def test_planning_changes_nothing(place):
    place.dedupe()
    before = sorted(path.name for path in place.root.iterdir())
    plan = plan_trash(Session(place.catalog))
    assert {file.uri for file in plan} == {"p00.jpg", "same_bytes.jpg"}
    assert {file.keeper for file in plan} == {"twin.png"}
    assert sorted(path.name for path in place.root.iterdir()) == before
    assert not place.trash.folder.exists()


def test_of_a_group_of_many_copies_all_but_the_keeper_can_go(place):
    for number in range(70):
        shutil.copy(place.root / "p05.jpg", place.root / f"a{number:02}_with_a_longer_name.jpg")
    place.index()
    place.dedupe()
    plan = [
        file for file in plan_trash(Session(place.catalog), "bytes") if file.keeper == "p05.jpg"
    ]
    assert len(plan) == 70


def test_pictures_without_content_are_no_near_duplicates(place):
    rng = np.random.default_rng(0)
    for number in range(3):
        black = rng.integers(0, 6, (240, 320, 3)).astype(np.uint8)
        Image.fromarray(black).save(place.root / f"black{number}.png")
    place.index()
    place.dedupe()
    assert not any("black0.png" in pair for pair in place.pairs())


def test_near_duplicates_go_only_when_asked_for(place):
    place.dedupe()
    assert len(plan_trash(Session(place.catalog), "bytes")) == 1
    assert {"small.jpg", "grey.jpg"} <= {f.uri for f in plan_trash(Session(place.catalog), "near")}


def test_trash_and_restore_bring_every_byte_back(place):
    place.dedupe()
    before = {path.name: path.read_bytes() for path in place.root.iterdir()}
    result = trash_images(Session(place.catalog), place.trash, plan_trash(Session(place.catalog)))
    assert len(result.moved) == 2
    assert result.skipped == {}
    assert len(list(place.root.iterdir())) == len(before) - 2
    assert {i.uri for i in place.catalog.images.all(("trashed",))} == {"p00.jpg", "same_bytes.jpg"}
    restore_images(Session(place.catalog), place.trash, ["p00.jpg"])
    assert (place.root / "p00.jpg").read_bytes() == before["p00.jpg"]
    restore_images(Session(place.catalog), place.trash)
    assert {path.name: path.read_bytes() for path in place.root.iterdir()} == before
    assert place.catalog.images.all(("trashed",)) == []


def test_a_changed_file_is_not_trashed(place):
    place.dedupe()
    plan = plan_trash(Session(place.catalog))
    (place.root / "p00.jpg").write_bytes(b"something else")
    result = trash_images(Session(place.catalog), place.trash, plan)
    assert list(result.skipped) == ["p00.jpg"]
    assert (place.root / "p00.jpg").read_bytes() == b"something else"


def test_restoring_never_overwrites(place):
    place.dedupe()
    trash_images(Session(place.catalog), place.trash, plan_trash(Session(place.catalog)))
    (place.root / "p00.jpg").write_bytes(b"a newcomer")
    result = restore_images(Session(place.catalog), place.trash)
    assert list(result.skipped) == ["p00.jpg"]
    assert (place.root / "p00.jpg").read_bytes() == b"a newcomer"
    assert any(file.uri == "p00.jpg" for file in place.trash.contents())


def test_a_kill_between_move_and_ledger_is_mended(place):
    place.dedupe()
    file = plan_trash(Session(place.catalog))[0]
    place.trash.put(file)
    trash_images(Session(place.catalog), place.trash, [])
    assert [image.uri for image in place.catalog.images.all(("trashed",))] == [file.uri]
    place.trash.restore(file)
    restore_images(Session(place.catalog), place.trash)
    assert place.catalog.images.all(("trashed",)) == []


def test_restoring_what_is_not_there_is_refused(place):
    with pytest.raises(NotFound, match="not in the trash"):
        restore_images(Session(place.catalog), place.trash, ["p05.jpg"])
