"""Parts of pictures beside whole ones: what is stored, which a taxonomy takes, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.adapters.backbones.tiles import pool_tiles
from vernis.core.labels.block_choice import choose_blocks, label_loss
from vernis.domain.types import Space, Statement, Taxonomy
from vernis.session.vectors import join_spaces, layer_slices, parts_of, search_columns
from vernis.verbs.decide import issues
from vernis.verbs.decide.block_choice import space_of
from vernis.verbs.decide.label_judgement import judge_labels

SIDE, THING = 480, 44
N = 44


def draw(path: Path, kind: str, seed: int) -> None:
    """Draw one small thing somewhere on a large, lively ground: a ringed disc or a chequer."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (12, 12, 3), np.uint8)
    image = Image.fromarray(ground).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    x, y = (int(place) for place in rng.integers(0, SIDE - THING, 2))
    pen = ImageDraw.Draw(image)
    if kind == "disc":
        for ring in range(0, THING // 2, 4):
            color = "#d01010" if ring % 8 else "#ffffff"
            pen.ellipse((x + ring, y + ring, x + THING - ring, y + THING - ring), fill=color)
    else:
        for column in range(4):
            for row in range(4):
                place = (x + 11 * column, y + 11 * row, x + 11 * column + 10, y + 11 * row + 10)
                pen.rectangle(place, fill="#101060" if (column + row) % 2 else "#f0e020")
    image.save(path)


def kind_of(name: str) -> str:
    return name.rstrip("0123456789.png")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("things")
    for number in range(N):
        kind = ("disc", "chequer")[number % 2]
        draw(folder / f"{kind}{number}.png", kind, number)
    return folder


@pytest.fixture(scope="module")
def collection(
    pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[vernis.Collection]:
    with vernis.Collection.create(tmp_path_factory.mktemp("c") / "x.vernis") as made:
        made.index(pictures)
        labels = made.catalog.labels
        labels.define(Taxonomy("thing", "single", ("chequer", "disc")))
        said = [Statement(i.id, kind_of(i.uri), "yes") for i in made.session.images()]
        labels.record("thing", said, source="given", verb="test")
        made.embed()
        yield made


class TestPooling:
    def test_the_middle_comes_first_then_the_largest_mean_of_a_tile(self) -> None:
        values = np.zeros((3, 8, 8), np.float32)
        values[0, :4, :4] = 1.0  # a quarter of the picture, one tile
        values[1] = 3.0
        values[2, 2:6, 2:6] = 1.0  # the middle half: a quarter of the whole, 16 of 36 cells
        middle, tiles = np.split(pool_tiles(values), 2)
        assert middle == pytest.approx([0.25, 3.0, (0.25 + 16 / 36 + 1) / 3])
        assert tiles.tolist() == [1.0, 3.0, 1.0]

    @pytest.mark.parametrize("side", [1, 2, 3, 7, 14])
    def test_tiles_reach_to_the_edge_of_any_map(self, side: int) -> None:
        values = np.arange(side * side, dtype=np.float32).reshape(1, side, side)
        middle, largest = pool_tiles(values)
        assert middle == pytest.approx(values.mean(), abs=side)
        half = max(1, round(side / 2))
        assert largest == values[0, side - half :, side - half :].mean()


class TestChoice:
    rng = np.random.default_rng(0)
    labels = np.eye(2, dtype=np.float32)[np.arange(120) % 2]
    noise = rng.standard_normal((120, 8)).astype(np.float32) / 3
    telling = (noise + 0.7 * (labels[:, :1] - 0.5)).astype(np.float32)

    @pytest.mark.parametrize("kind", ["single", "multi"])
    def test_the_vectors_that_tell_the_labels_are_taken(self, kind: str) -> None:
        candidates = {"noise": lambda: self.noise, "telling": lambda: self.telling}
        taken, losses = choose_blocks(candidates, self.labels, kind=kind)  # type: ignore[arg-type]
        assert taken == "telling"
        assert losses["telling"] < 0.9 * losses["noise"]

    def test_the_first_stays_where_another_is_hardly_better(self) -> None:
        candidates = {"first": lambda: self.telling, "same": lambda: self.telling.copy()}
        assert choose_blocks(candidates, self.labels, kind="single")[0] == "first"

    def test_an_unlabelled_image_has_no_say(self) -> None:
        labels = self.labels.copy()
        labels[:10] = np.nan
        before = label_loss(self.telling, labels, kind="single")
        assert np.isfinite(before)


class TestJoinedSpaces:
    whole = Space("w", 5, settings={"layers": [["stage6", 2], ["pooled", 3]]})
    bare = Space("b", 4)

    def test_layers_stand_side_by_side(self) -> None:
        joined = join_spaces([self.whole, self.bare])
        assert (joined.name, joined.dim) == ("w + b", 9)
        assert layer_slices(joined) == [(0, 2), (2, 5), (5, 9)]
        assert search_columns(joined) == slice(2, 5)
        assert parts_of(joined) == [self.whole, self.bare]

    def test_one_space_stays_what_it_is(self) -> None:
        assert join_spaces([self.whole]) is self.whole
        assert parts_of(self.whole) == [self.whole]


def test_nothing_is_chosen_where_only_whole_pictures_were_looked_at(collection) -> None:
    assert space_of(collection.session, "thing") == (collection.session.space(), None)


@pytest.fixture(scope="module")
def thorough(collection) -> vernis.Collection:
    collection.embed(thorough=True)
    return collection


class TestThorough:
    def test_every_picture_is_looked_at_once(self, thorough) -> None:
        current = thorough.session.current_space().name
        assert {s.name: n for s, n in thorough.catalog.vectors.spaces() if ":" in s.name} == {
            f"{current}:tiles": N,
            "nanodet:stages": N,
        }
        assert thorough.embed(thorough=True).computed == 0

    def test_one_choice_serves_learning_judging_and_probabilities(self, thorough) -> None:
        learned = thorough.learn("thing")
        space, choice = space_of(thorough.session, "thing")
        assert choice is not None
        assert "tiles" in space.name or "stages" in space.name  # a small thing, a large ground
        assert choice.losses[choice.space] == min(choice.losses.values())
        assert choice.sentence() in learned.notes
        assert thorough.catalog.models.latest("thing").space == space.name
        judged = judge_labels(thorough.session, "thing")
        assert judged.space == space.name
        assert choice.sentence() in judged.notes
        said = issues.VERB.work(thorough.session, issues.VERB.settings("thing")).notes
        assert not [note for note in said if "of the current space" in note]
        assert len(thorough.probabilities("thing")) == N

    def test_a_saved_head_looks_as_closely_at_files(self, thorough, pictures: Path) -> None:
        thorough.learn("thing")
        stored = thorough.catalog.models.predictions(thorough.catalog.models.latest("thing"))
        files = sorted(pictures.glob("*.png"))[:3]
        found = thorough.predict("thing", files)
        for chance, file in zip(found["probability"], files, strict=True):
            image = thorough.catalog.images.find(file.name).id
            place = stored["image_ids"].tolist().index(image)
            assert chance == pytest.approx(float(stored["ensemble"][place].max()), abs=0.02)

    def test_new_pictures_are_looked_at_so_too(self, thorough, pictures: Path) -> None:
        draw(pictures / "disc900.png", "disc", 900)
        thorough.index(pictures)
        thorough.embed()
        counts = {s.name: n for s, n in thorough.catalog.vectors.spaces() if ":" in s.name}
        assert set(counts.values()) == {N + 1}
