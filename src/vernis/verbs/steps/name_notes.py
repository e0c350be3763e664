"""What an import says of the names of classes: blanks, folded spellings, names that look alike."""

from __future__ import annotations

from collections.abc import Sequence

from vernis.core.words.blank_words import BlankCount
from vernis.core.words.column_classes import ColumnClasses, Spellings
from vernis.report.wording import counted

_WORDS_SHOWN = 8
_GROUPS_SHOWN = 5


def describe_names(taxonomy: str, found: ColumnClasses) -> list[str]:
    """Return the notes about a column that was taken as a taxonomy."""
    return [
        *_blanks(taxonomy, found.blanks),
        *_joined(taxonomy, found.joined),
        *describe_spellings(taxonomy, found.spellings),
    ]


def describe_spellings(taxonomy: str, found: Spellings) -> list[str]:
    """Return the notes about spellings that were folded, and classes that look alike."""
    return [*_folded(taxonomy, found), *_alike(taxonomy, found)]


def _blanks(taxonomy: str, blanks: BlankCount) -> list[str]:
    if not blanks.words:
        return []
    words = [f"'{word}' ({count:,})" for word, count in blanks.words.items()]
    said = _some(words, _WORDS_SHOWN, "spelling")
    if not blanks.look_like_classes:
        return [f"{taxonomy}: read as blank: {said}; --blank '' takes them as classes"]
    return [
        f"{taxonomy}: read as blank: {said}; they look like classes, as they stand beside other "
        "ways to say nothing as often as classes do: --blank '' takes them as classes, "
        "--blank WORD names the words that are blank"
    ]


def _joined(taxonomy: str, joined: Sequence[str]) -> list[str]:
    if not joined:
        return []
    classes = counted(len(joined), "class is", "classes are")
    return [
        f"{taxonomy}: {classes} written in several ways that look the same (accents, odd or "
        f"invisible spaces), each taken as one: {_some(joined, _WORDS_SHOWN)}"
    ]


def _folded(taxonomy: str, found: Spellings) -> list[str]:
    if not found.folded:
        return []
    pairs = [f"{name} > {into}" for name, into in sorted(found.folded.items())]
    return [
        f"{taxonomy}: rarer spellings taken as the common one on "
        f"{counted(found.changed, 'image')}: {_some(pairs, _GROUPS_SHOWN)}; --keep-case keeps them "
        "apart"
    ]


def _alike(taxonomy: str, found: Spellings) -> list[str]:
    if not found.alike:
        return []
    groups = [
        f"{' / '.join(f'{name} ({found.counts[name]:,})' for name in group.names)} ({group.by})"
        for group in found.alike
    ]
    named = f"'{taxonomy}'" if not taxonomy.isidentifier() else taxonomy
    return [
        f"{taxonomy}: classes that look alike: {_some(groups, _GROUPS_SHOWN)}; to make them one: "
        f"vernis vocabulary {named} --merges"
    ]


def _some(said: Sequence[str], most: int, what: str = "") -> str:
    rest = len(said) - most
    more = f" and {counted(rest, what) + ' ' if what else f'{rest:,} '}more" if rest > 0 else ""
    return ", ".join(said[:most]) + more
