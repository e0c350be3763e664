"""Readings in the catalog: by content and reader, also that there is no text."""

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue
from vernis.domain.readings import ReaderVersion, Reading, Spelling

TINY = ReaderVersion("tiny", {"sha256": "0123456789", "side": 544})
LARGE = ReaderVersion("large", {"sha256": "abc"})


def line(text="Absolut", confidence=0.9, spelling=None):
    corners = np.array([[1.5, 2], [31, 2.25], [31, 12], [1.5, 12]], np.float32)
    return Reading(text, confidence, corners, 0.1, spelling)


def test_readings_come_back_as_they_were_written(catalog):
    spelling = Spelling("ab\0", np.array([0, 0, 3], np.uint16), np.array([4, 0, 255], np.uint8))
    catalog.readings.add(TINY, {"h1": [line(spelling=spelling), line("Vodka", 0.4)], "h2": []})
    one, two = catalog.readings.texts(["h1", "h2", "h3"])
    assert (one.content_hash, two.content_hash, two.readings) == ("h1", "h2", ())
    assert (one.reader.name, one.reader.version, one.reader.source) == (
        "tiny",
        "01234567",
        "reader:tiny",
    )
    first, second = one.readings
    assert (first.text, first.confidence, first.height) == ("Absolut", 0.9, 0.1)
    np.testing.assert_array_equal(first.corners, line().corners)
    assert first.spelling.symbols == spelling.symbols
    np.testing.assert_array_equal(first.spelling.steps, spelling.steps)
    np.testing.assert_array_equal(first.spelling.costs, spelling.costs)
    assert (second.text, second.spelling) == ("Vodka", None)


def test_that_there_is_no_text_is_known_too(catalog):
    catalog.readings.add(TINY, {"h1": [line()], "h2": []})
    assert catalog.readings.holds(TINY, ["h0", "h1", "h2"]).tolist() == [False, True, True]
    assert not catalog.readings.holds(LARGE, ["h1"]).any()
    assert catalog.readings.counts(TINY) == {"h1": 1, "h2": 0}
    assert catalog.readings.counts(LARGE) == {}


def test_other_settings_are_another_reader(catalog):
    catalog.readings.add(TINY, {"h1": []})
    assert not catalog.readings.holds(ReaderVersion("tiny", {"side": 800}), ["h1"]).any()


def test_reading_again_replaces(catalog):
    catalog.readings.add(TINY, {"h1": [line(), line()]})
    catalog.readings.add(TINY, {"h1": [line("Vodka")]})
    (found,) = catalog.readings.texts(["h1"])
    assert [one.text for one in found.readings] == ["Vodka"]


def test_the_reader_that_was_used_last_counts(catalog):
    catalog.readings.use(TINY)
    catalog.readings.add(TINY, {"h1": [line("a")], "h2": [line("b")]})
    catalog.readings.use(LARGE)
    catalog.readings.add(LARGE, {"h1": [line("A")]})
    assert catalog.readings.lines(0) == {"h1": ("A",), "h2": ("b",)}
    catalog.readings.use(TINY)
    before = catalog.readings.mark()
    assert catalog.readings.lines(0) == {"h1": ("a",), "h2": ("b",)}
    catalog.readings.use(TINY)
    assert catalog.readings.mark() == before
    catalog.readings.use(LARGE)
    assert catalog.readings.mark() != before


def test_unsure_lines_are_left_out_and_their_pictures_stay(catalog):
    catalog.readings.add(TINY, {"h1": [line("a", 0.3), line("b", 0.5)], "h2": [line("c", 0.4)]})
    assert catalog.readings.lines(0.5) == {"h1": ("b",), "h2": ()}


def test_a_change_of_readings_is_seen(catalog):
    before = catalog.revision("readings")
    catalog.readings.add(TINY, {"h1": []})
    assert catalog.revision("readings") != before


def test_a_reader_needs_a_name():
    with pytest.raises(InvalidValue, match="reader"):
        ReaderVersion(" ")
