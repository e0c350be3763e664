"""Numbers as people read them."""

from __future__ import annotations

import math
import re

from vernis.domain.types import Estimate
from vernis.report.model import Interval


def count(value: float) -> str:
    """Return a count with thousands apart: 5,421."""
    return "–" if math.isnan(value) else f"{round(value):,}"


def counted(value: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 picture", "3 pictures"."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share as percent; never "0%" or "100%" for what is only near it."""
    if math.isnan(share):
        return "–"
    text = f"{100 * share:.{digits}f}"
    if float(text) == 0 and share > 0:
        return "<1%" if digits == 0 else f"<{10**-digits:.{digits}f}%"
    if float(text) == 100 and share < 1:
        return ">99%" if digits == 0 else f">{100 - 10**-digits:.{digits}f}%"
    return f"{text}%"


def decimal(value: float, digits: int = 2) -> str:
    """Return a number in 0..1 with fixed digits."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def between(interval: Interval | Estimate) -> str:
    """Return the bounds of an interval of counts: "180 to 240"."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return ""
    return f"{count(interval.low)} to {count(interval.high)}"


def may_be_none(wrong: Interval | Estimate) -> bool:
    """Tell whether an estimated count of wrong labels may be 0: then it is no finding."""
    return math.isfinite(wrong.low) and round(wrong.low) < 1


def is_hardly_any(wrong: Interval | Estimate) -> bool:
    """Tell whether fewer than one wrong label is expected, not only possible."""
    return may_be_none(wrong) and round(wrong.value) < 1


def wrong_labels(wrong: Interval | Estimate) -> str:
    """Return how many images carry a wrong label as a sentence without its stop."""
    bounds = between(wrong)
    if math.isfinite(wrong.high) and round(wrong.high) < 1:
        return "No image is expected to carry a wrong label"
    if may_be_none(wrong):
        return f"Up to {counted(round(wrong.high), 'image')} may carry a wrong label, perhaps none"
    about = counted(round(wrong.value), "image carries", "images carry")
    return f"About {about} a wrong label" + (f" ({bounds} with 95% confidence)" if bounds else "")


def estimated(wrong: Interval | Estimate, noun: str = "") -> str:
    """Return a count with its interval: "about 131 wrong (90 to 170 with 95% confidence)"."""
    noun = noun and f" {noun}"
    if may_be_none(wrong):
        return f"up to {count(wrong.high)}{noun}, perhaps none"
    bounds, sure = between(wrong), wrong.low == wrong.high
    about = f"{'' if sure else 'about '}{count(wrong.value)}{noun}"
    return about if sure or not bounds else f"{about} ({bounds} with 95% confidence)"


def size(n_bytes: int) -> str:
    """Return a size in bytes, decimal units."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def clean(text: str) -> str:
    """Return the text; what UTF-8 cannot hold or a page may not show becomes U+FFFD."""
    return _UNSHOWN.sub("\ufffd", text)


_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def shorten(text: str, length: int) -> str:
    """Return the text on one line, its middle left out when it is longer than ``length``."""
    text = " ".join(clean(text).split())
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


SOURCES = {
    "given": "label file, folders or image files",
    "human": "a person",
    "accepted": "filled in",
    "proposal": "proposed groups",
    "reader": "read in pictures",
    "api": "a service",
}
"""Who says a label, in a reader's words."""


def sentence(text: str) -> str:
    """Return the text with a capital at its start and a stop at its end."""
    stopped = text if text.endswith((".", "!", "?", ":")) else f"{text}."
    return stopped[:1].upper() + stopped[1:]
