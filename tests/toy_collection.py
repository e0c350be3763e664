"""A small collection on the disk that is drawn and judged by code: what the app's tests serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vernis.domain.maps import MapPoints, MapRecord
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    Issue,
    Space,
    Statement,
    Suggestion,
    Taxonomy,
)
from vernis.session.session import Session
from vernis.verbs.steps import index

SPACE = Space("toy", 8, "float32", {"layers": [["a", 8]]})
CLASSES = ("bird", "fish", "tree")
N = 30


def draw_toy_collection(folder: Path) -> Path:
    """Draw 30 pictures and judge them by hand; returns the collection's folder."""
    rng = np.random.default_rng(0)
    pictures = folder / "pictures"
    for number in range(N):
        place = pictures / CLASSES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        ground = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        # The first is larger than a window.
        size = (96 + number, 72) if number else (2400, 1800)
        picture = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
        picture.save(place / f"{number:02}.jpg")
    home = folder / "toy.vernis"
    with Session.create(home) as session:
        index.work(session, index.Settings(paths=(pictures,), classes_from="none"))
        judge_by_hand(session)
    return home


def judge_by_hand(session: Session) -> None:
    """Label the pictures of a toy collection, five of them wrongly, and say so."""
    catalog = session.catalog
    images = catalog.images.all()
    ids = {image.uri[-6:-4]: image.id for image in images}
    vectors = np.eye(3, 8, dtype="f4")[[int(image.uri[-6:-4]) % 3 for image in images]]
    vectors += 0.05 * np.random.default_rng(1).normal(size=vectors.shape).astype("f4")
    catalog.vectors.append(SPACE, [image.content_hash for image in images], vectors)
    session.use_space(SPACE)
    wrong = {f"{number:02}" for number in (0, 4, 8, 12, 16)}
    truth = {name: CLASSES[int(name) % 3] for name in ids}
    given = {name: CLASSES[(int(name) + (name in wrong)) % 3] for name in ids}
    catalog.labels.define(Taxonomy("kind", "single", CLASSES))
    catalog.labels.define(Taxonomy("tags", "multi", (*CLASSES, "<img src=x onerror=alert(1)>")))
    said = [Statement(ids[name], label, "yes") for name, label in given.items()]
    for taxonomy in ("kind", "tags"):
        catalog.labels.record(taxonomy, said, source="given", verb="import")
    issues = [
        Issue(
            "label",
            ids[name],
            0.1 + int(name) / 100,
            taxonomy="kind",
            evidence={
                "change": "replaced",
                "given": [given[name]],
                "suggested": [truth[name]],
                "probability": 0.9,
                "neighbors": [
                    {"image_id": ids[other], "label": truth[name], "similarity": 0.8}
                    for other in ids
                    if truth[other] == truth[name] and other != name
                ][:3],
            },
        )
        for name in sorted(wrong)
    ]
    catalog.issues.replace(["label"], issues, "kind")
    catalog.issues.replace(
        ["blurry"], [Issue("blurry", ids["01"], 0.2), Issue("blurry", ids["02"], 0.2)]
    )
    one, two = sorted((ids["03"], ids["06"]))
    pair = DuplicatePair(one, two, "near", 0.99, "scaled")
    catalog.issues.replace_groups([DuplicateGroup("near", (one, two), one, "larger", (pair,))])


def leave_some_to_fill(home: Path) -> list[int]:
    """Take the labels of six pictures away and learn from the others; returns the six."""
    from vernis.verbs.steps import learn

    with Session.open(home) as session:
        matrix = session.matrix("kind")
        classes = matrix.taxonomy.classes
        bare = {image: row for row, image in enumerate(matrix.image_ids.tolist()) if row % 5 == 1}
        said = [
            Statement(image, classes[int(matrix.values[row].argmax())], "unknown")
            for image, row in bare.items()
        ]
        session.catalog.labels.record("kind", said, source="given", verb="import")
        learn.work(session, learn.Settings("kind"))
    return list(bare)


def misspell_some(session: Session) -> None:
    """Call three of the pictures with a bird ``Birds`` in the taxonomy ``tags``."""
    labels = session.catalog.labels
    labels.define(Taxonomy("tags", "multi", ("Birds",)))
    matrix = session.matrix("tags")
    column = matrix.taxonomy.classes.index("bird")
    ids = matrix.image_ids[matrix.values[:, column] == 1].tolist()[:3]
    said = [Statement(image, "bird", "unknown") for image in ids]
    said += [Statement(image, "Birds", "yes") for image in ids]
    labels.record("tags", said, source="given", verb="import")


def read_brands(session: Session) -> tuple[int, int]:
    """Say that a fish is read in two pictures: in one of a bird, and in one without a label."""
    from vernis.core.text.brands import parse_brands
    from vernis.verbs.decide.brand_reading import BrandList

    ids = {image.uri[-6:-4]: image.id for image in session.images()}
    catalog, contradicted, bare = session.catalog, ids["00"], ids["01"]
    catalog.labels.record(
        "kind", [Statement(bare, "fish", "unknown")], source="given", verb="import"
    )
    read = [
        {
            "brand": "fish",
            "reading": "fish",
            "distance": 0,
            "confidence": 0.9,
            "certainty": "exact",
            "evidence": None,
            "box": [40, 30, 30, 10],
            "found_in": "text",
        }
    ]
    evidence = {
        "change": "replaced",
        "given": ["fish"],
        "suggested": ["bird"],
        "probability": 0.9,
        "pictures": "agree",
        "read": read,
    }
    catalog.issues.replace(
        ["text_differs"],
        [Issue("text_differs", contradicted, 0.1, taxonomy="kind", evidence=evidence)],
        "kind",
    )
    said = Suggestion(bare, "kind", "fish", 0.95, promised=False, evidence={"read": read})
    catalog.issues.replace_suggestions("kind", [said], source="reader")
    brands, _ = parse_brands([{"brand": "fish"}, {"brand": "bird"}], [1, 2])
    session.results.keep("brands:kind", BrandList("kind", "default", 0.25, tuple(brands)))
    return contradicted, bare


def locate_by_hand(session: Session, name: str, label: str = "bird") -> int:
    """Keep a heat map of a class of a picture: its upper left quarter; returns the picture."""
    from vernis.core.locate.stored_maps import pack
    from vernis.verbs.steps.locating import _key, _map_space

    image = next(image for image in session.images() if image.uri.endswith(name))
    heat = np.zeros((40, 40))
    heat[:20, :20] = 1
    row = pack(heat, 0.8, "00" * 8)
    session.catalog.vectors.append(_map_space("kind"), [_key(image.content_hash, label)], row[None])
    return image.id


def place_on_circle(home: Path) -> int:
    """Give a toy collection a map on which its images stand in a circle; returns how many."""
    with Session.open(home) as session:
        hashes = sorted({image.content_hash for image in session.images()})
        turn = np.linspace(0, 2 * np.pi, len(hashes), endpoint=False)
        places = np.column_stack([np.cos(turn), np.sin(turn)])
        quality = {"trustworthiness": 1.0, "preservation": 1.0, "n_neighbors": 1, "judged": 1}
        made = {"method": "pca", "components": 2, "seed": 0}
        points = MapPoints(tuple(hashes), places, np.zeros(len(hashes), bool))
        session.catalog.maps.replace(MapRecord("m", {"name": "toy"}, made, quality), points)
        return len(session.images())
