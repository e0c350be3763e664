"""A small collection that stands in golden files of each format, ours and those of others."""

from __future__ import annotations

from dataclasses import replace

from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region

PICTURES = {"reef.jpg": (640, 480), "sky.jpg": (512, 512), "empty.jpg": (30, 20)}

CLASSES = (
    ExchangeClass("fish", 10, '{"supercategory":"animal"}'),
    ExchangeClass("sea bird", 30, '{"supercategory":"animal"}'),
    ExchangeClass("unused", 40, '{"supercategory":"none"}'),
)


def region(uri: str, label: str, number: int, *box: float) -> ExchangeRegion:
    found = Region(Box(*box), PICTURES[uri], foreign_id=number)
    return ExchangeRegion(found, (ExchangeLabel("object", label),))


COLLECTION = ExchangeSet(
    (
        ExchangeImage(
            "reef.jpg",
            PICTURES["reef.jpg"],
            foreign_id=700,
            regions=(
                region("reef.jpg", "fish", 5001, 10.5, 20.25, 100.5, 50.75),
                region("reef.jpg", "fish", 5003, 300, 200, 340, 280),
            ),
        ),
        ExchangeImage(
            "sky.jpg",
            PICTURES["sky.jpg"],
            foreign_id=707,
            regions=(region("sky.jpg", "sea bird", 5005, 0, 0, 512, 512),),
        ),
        ExchangeImage("empty.jpg", PICTURES["empty.jpg"], foreign_id=714),
    ),
    (ExchangeTaxonomy("object", "multi", CLASSES),),
)

LABELLED = replace(
    COLLECTION,
    images=tuple(
        replace(
            image,
            regions=(),
            split="train" if at else "test",
            labels=tuple(dict.fromkeys(label for r in image.regions for label in r.labels)),
        )
        for at, image in enumerate(COLLECTION.images)
    ),
)
