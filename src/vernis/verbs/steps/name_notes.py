"""What an import says of the names of classes: blanks, folded spellings, names that look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vernis.core.words.column_classes import ColumnClasses
from vernis.core.words.look_alikes import LookAlike
from vernis.report.wording import counted

_WORDS_SHOWN = 8
_GROUPS_SHOWN = 5


def describe_names(taxonomy: str, found: ColumnClasses) -> list[str]:
    """Return the notes about a column that was taken as a taxonomy."""
    return [
        *_blanks(taxonomy, found),
        *describe_folded(taxonomy, found.folded, found.folded_cells),
        *describe_alike(taxonomy, found.alike, found.counts),
    ]


def _blanks(taxonomy: str, found: ColumnClasses) -> list[str]:
    blanks = found.blanks
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


def describe_folded(taxonomy: str, folded: Mapping[str, str], cells: int) -> list[str]:
    """Return the note about spellings that were taken for a commoner one."""
    if not folded:
        return []
    said = _some([f"{name} > {into}" for name, into in sorted(folded.items())], _GROUPS_SHOWN)
    return [
        f"{taxonomy}: rarer spellings taken as the common one in {counted(cells, 'label')}: {said};"
        " --keep-case keeps them apart"
    ]


def describe_alike(
    taxonomy: str, alike: Sequence[LookAlike], counts: Mapping[str, int]
) -> list[str]:
    """Return the note about classes that look alike and stay apart."""
    if not alike:
        return []
    groups = [
        f"{' / '.join(f'{name} ({counts[name]:,})' for name in group.names)} ({group.by})"
        for group in alike
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
