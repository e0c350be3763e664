"""What a COCO file says goes through the catalog and out again unchanged."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.interchange.formats.coco import Coco
from vernis.adapters.interchange.formats.interface import Pictures, ReadSettings
from vernis.collection import Collection
from vernis.core.exchange.losses import reduce_to
from vernis.domain.exchange import ExchangeImage, ExchangeSet
from vernis.domain.types import FoundFile
from vernis.session.session import Session

sys.path.insert(0, str(Path(__file__).parent))
from exchange_sets import SIZE, exchange_sets, same


def said_once(image: ExchangeImage) -> ExchangeImage:
    """Leave out the labels of an image that a region of it says, too."""
    boxed = {(s.taxonomy, s.label) for found in image.regions for s in found.labels}
    labels = (s for s in image.labels if (s.taxonomy, s.label) not in boxed)
    return replace(image, labels=tuple(labels))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(exchange=exchange_sets())
def test_coco_through_the_catalog(exchange: ExchangeSet) -> None:
    named = (replace(i, uri=f"{n % 2}/image {n}.jpg") for n, i in enumerate(exchange.images))
    exchange = reduce_to(replace(exchange, images=tuple(named)), Coco.carries).exchange
    assume(any(image.labels or image.regions or image.split for image in exchange.images))
    files = [
        FoundFile(image.uri, f"hash {n}", 10, 1, width=SIZE[0], height=SIZE[1])
        for n, image in enumerate(exchange.images)
    ]
    with tempfile.TemporaryDirectory() as folder, SqliteCatalog.in_memory() as catalog:
        catalog.images.apply_index(files, complete=True)
        collection = Collection(Session(catalog))
        file = Path(folder) / "in.json"
        Coco().write(exchange, file, Pictures())
        read = collection.import_(file)
        assert (read.losses, read.left_out) == ((), ())
        batches = len(catalog.history.batches(100))
        collection.import_(file)
        assert len(catalog.history.batches(100)) == batches
        written = collection.export("coco", Path(folder) / "out.json")
        assert written.losses == ()
        again = Coco().read(Path(folder) / "out.json", ReadSettings())
        expected = Coco().read(file, ReadSettings())
        same(replace(expected, images=tuple(map(said_once, expected.images))), again)
        collection.undo(including="imports", yes=True)
        assert len(catalog.regions.table()) == 0
        assert catalog.labels.taxonomies() == []
        assert catalog.integrity() == []
