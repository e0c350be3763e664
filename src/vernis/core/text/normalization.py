"""The plain form of what is read: what two prints of the same name have in common."""

from __future__ import annotations

import re
import unicodedata

from vernis.domain.readings import BLANK, GAP

_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
)
_APOSTROPHES = re.compile("['’‘`´ʼ]")
_SIGNS = re.compile(r"[\W_]+")


def plain_text(text: str) -> str:
    """Return a text in lower case, without accents, apostrophes and signs, words parted by a blank.

    Printed names are often without their accents, so ``ä`` becomes ``a`` here and not ``ae``.
    """
    text = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return _SIGNS.sub(" ", _APOSTROPHES.sub("", text)).strip()


def plain_letter(symbol: str) -> str:
    """Return one symbol for a printed one: its plain letter, a gap for a sign.

    Apostrophes part no words, so they are nothing (``BLANK``). Of letters that are written as two
    (``ß``) the first is taken.
    """
    if _APOSTROPHES.fullmatch(symbol):
        return BLANK
    return plain_text(symbol)[:1] or GAP
