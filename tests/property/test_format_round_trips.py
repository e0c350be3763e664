"""What a format says it carries comes back, whatever the collection; the rest is counted."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vernis.adapters.interchange.formats.box_tables import BoxTable
from vernis.adapters.interchange.formats.class_folders import ClassFolders
from vernis.adapters.interchange.formats.coco import Coco
from vernis.adapters.interchange.formats.cvat import Cvat
from vernis.adapters.interchange.formats.hugging_face import HuggingFace
from vernis.adapters.interchange.formats.interface import Format, Pictures, ReadSettings
from vernis.adapters.interchange.formats.label_studio import LabelStudio
from vernis.adapters.interchange.formats.tables import Table
from vernis.adapters.interchange.formats.voc import Voc
from vernis.adapters.interchange.formats.yolo import Yolo
from vernis.core.exchange.losses import reduce_to
from vernis.domain.exchange import ExchangeSet

sys.path.insert(0, str(Path(__file__).parent))
from exchange_sets import SIZE, exchange_sets, same


class Folders(ClassFolders):
    """Writes the folders without the pictures."""

    write = ClassFolders.write_folders


FORMATS: dict[str, tuple[Format, float]] = {
    "coco": (Coco(), 0.0),
    "voc": (Voc(), 0.0),
    "folders": (Folders(), 0.0),
    "label-studio": (LabelStudio(), 1e-9),
    "cvat": (Cvat(), 1e-9),
    "hugging-face": (HuggingFace(), 0.0),
    "hugging-face-csv": (HuggingFace("csv"), 0.0),
    "csv": (Table("csv"), 0.0),
    "csv-boxes": (BoxTable(), 1e-9),
    "tsv": (Table("tsv"), 0.0),
    "xlsx": (Table("xlsx"), 0.0),
    "csv-long": (Table("csv", "long"), 1e-9),
    "tsv-long": (Table("tsv", "long"), 1e-9),
    "xlsx-long": (Table("xlsx", "long"), 1e-9),
    "yolo": (Yolo(), 1e-4),
}


class Sizes(dict):
    """Says one size for every image."""

    def get(self, key, default=None):
        return SIZE


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(exchange=exchange_sets())
def test_a_format_gives_back_what_it_carries(name: str, exchange: ExchangeSet) -> None:
    format, tolerance = FORMATS[name]
    reduced = reduce_to(exchange, format.carries)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"out{format.suffix}"
        written = format.write(exchange, out, Pictures())
        assert written.losses == reduced.losses
        assert written.images == len(reduced.exchange.images)
        if not reduced.exchange.images:
            return
        assert format.recognises(out)
        again = format.read(out, ReadSettings(sizes=Sizes()))
        same(reduced.exchange, again, tolerance)
        # What came back is carried whole: a second trip loses nothing.
        assert format.write(again, Path(folder) / f"again{format.suffix}", Pictures()).losses == ()


@settings(deadline=None, max_examples=60)
@given(exchange=exchange_sets(), kind=st.sampled_from(sorted(FORMATS)))
def test_losses_are_told_exactly_where_something_is_left_out(
    exchange: ExchangeSet, kind: str
) -> None:
    carries = FORMATS[kind][0].carries
    reduced = reduce_to(exchange, carries)
    assert all(loss.count > 0 and loss.text for loss in reduced.losses)
    assert len({loss.kind for loss in reduced.losses}) == len(reduced.losses)
    assert reduce_to(reduced.exchange, carries).losses == ()
