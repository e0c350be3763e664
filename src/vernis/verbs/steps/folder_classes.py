"""Take the classes of images from the folders that they lie in, where these are classes."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.fingerprints import fingerprint
from vernis.core.words.class_folders import FolderClasses, judge_folders, take_folders
from vernis.core.words.column_classes import settle_spellings
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.ports import Rows
from vernis.domain.types import Statement, Taxonomy, hash_texts
from vernis.report.wording import counted
from vernis.session.vectors import layer_slices, space_document
from vernis.verbs.declare import Option
from vernis.verbs.steps.feeds import FEED
from vernis.verbs.steps.file_words import FILES
from vernis.verbs.steps.name_notes import describe_spellings

if TYPE_CHECKING:
    from vernis.domain.types import Learnability
    from vernis.session.session import Session

FOLDERS = "folders"
"""Origin of the taxonomies that folder names give."""

_SAMPLE = 6000
"""Images that tell whether the pictures carry the classes."""
_ALIKE = 0.8
"""Pictures more similar than that are of one burst; one of them is enough evidence."""
_TOO_FEW = 50
"""Distinct pictures below which an unclear answer does not speak against class names."""
_NAMES_SHOWN = 3
_KINDS = {
    "date": ("date", "dates"),
    "batch": ("running batch", "running batches"),
    "camera": ("folder of a camera", "folders of a camera"),
    "storage": ("copy, backup or catch-all", "copies, backups and catch-alls"),
}


def read_choice(given: str | int) -> str:
    """Return ``folders``, ``none`` or the number of a level; raises InvalidValue."""
    text = str(given).strip().lower()
    if text in (FOLDERS, "none") or (text.isdigit() and int(text) >= 1):
        return text
    raise InvalidValue(
        f"expected classes from folders, none, or the number of a level (1 = the folders directly "
        f"below the indexed one), got {given!r}"
    )


ClassesFrom = Annotated[
    str | int | None,
    Option(
        "folders: take the folders' names as classes, whatever they look like; none: take none; "
        "a number: those of one level, 1 = directly below the indexed folder (default: names and "
        "pictures decide)",
        "folders|none|LEVEL",
        parse=read_choice,
    ),
]
"""The setting of the verbs that may take classes from folders."""


@dataclass(frozen=True, slots=True)
class FolderChoice:
    """What a person said of the folders: ``folders``, ``none``, a level, or nothing yet.

    ``names``: taxonomy of folders (``class``) → the names that it was given since, so that it goes
    on to follow its folders.
    """

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    choice: str = ""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def named(self, found: FolderClasses, own: Collection[str]) -> FolderClasses:
        """Return what folders say, under the names that their taxonomies have now."""
        now = {
            name: next((n for n in (name, *self.names.get(name, ())) if n in own), name)
            for name in found.taxonomies
        }
        taxonomies = {now[name]: classes for name, classes in found.taxonomies.items()}
        numbered = frozenset(now[name] for name in found.numbered)
        return replace(found, taxonomies=taxonomies, numbered=numbered)


@dataclass(frozen=True, slots=True)
class FolderVerdict:
    """Whether the pictures tell apart what folders name; kept, as it takes seconds."""

    VERSION: ClassVar[int] = 1

    verdict: str
    separation: float
    low: float
    high: float
    n_images: int


@dataclass(frozen=True, slots=True)
class FolderLabels:
    """What was taken from class folders.

    Attributes
    ----------
    images : mapping of str to int
        Name of each taxonomy → number of labelled images; empty without class folders, and where
        labels were imported from a file.
    notes : tuple of str
        What was seen, what was done, and how to overrule it.
    """

    images: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def label_by_folders(
    session: Session, *, classes_from: str | int | None = None, keep_case: bool = False
) -> FolderLabels:
    """Take the classes of images from the folders that they lie in, if these are classes.

    Names decide first (see ``core.words.class_folders``), then the pictures: what they do not tell
    apart beyond chance is no taxonomy. Without vectors nothing new is taken, but a note names the
    candidates. A taxonomy that was taken before follows its folders: labels that they gave and do
    not give now are withdrawn.

    Parameters
    ----------
    session : Session
    classes_from : str or int, optional
        ``folders``, ``none`` or a level overrule both; the choice holds from then on.
    keep_case : bool
        Spellings that differ in case alone stay apart, however rare one is.

    Returns
    -------
    FolderLabels

    Raises
    ------
    UsageError
        ``classes_from`` asks for folders that are not there, or a taxonomy of the same name was
        imported.
    """
    asked = None if classes_from is None else read_choice(classes_from)
    with session.lock("index"):
        kept = _kept_choice(session)
        choice = kept.choice if asked is None else asked
        folders = Counter(session.folders_of(session.table("present", "unreadable").uris))
        known = {t.name: t for t in session.taxonomies()}
        own = [name for name, taxonomy in known.items() if taxonomy.origin == FOLDERS]
        if asked is None and any(
            t.origin not in ("", FOLDERS, FILES, FEED) for t in known.values()
        ):
            return FolderLabels()
        if choice == "none" and (asked or not own):
            notes = retire_folder_classes(session, verb="index") if asked else ()
            _remember(session, asked)
            return FolderLabels(notes=notes)
        if choice in ("", "none"):
            found = kept.named(judge_folders(folders), own)
            wanted, notes = _judge(session, found, folders, own if choice else None)
        else:
            found, notes = kept.named(_take(choice, folders), own), ()
            wanted = list(found.taxonomies)
        for name in wanted:
            if name in known and known[name].origin not in ("", FOLDERS):
                raise UsageError(
                    f"a taxonomy '{name}' was imported from {known[name].origin}; rename it first: "
                    f"vernis taxonomies --rename {name}=NEW"
                )
        with session.catalog.transaction():
            labels = _record(session, found, wanted, folders, keep_case=keep_case)
            if asked:
                notes += retire_folder_classes(session, verb="index", but=wanted)
        _remember(session, asked)
    return FolderLabels(labels.images, (*notes, *labels.notes))


def retire_folder_classes(
    session: Session, *, verb: str, note: str = "", but: Collection[str] = ()
) -> tuple[str, ...]:
    """Remove the taxonomies that folders gave, except those in which a person decided something.

    Parameters
    ----------
    session : Session
    verb, note : str
        Of the batch; inside a transaction the removal belongs to its batch.
    but : collection of str
        Taxonomies that stay.

    Returns
    -------
    tuple of str
        What was removed and what was not.
    """
    labels = session.catalog.labels
    notes = []
    for taxonomy in session.taxonomies():
        name = taxonomy.name
        if taxonomy.origin != FOLDERS or name in but:
            continue
        by_people = _decided_by_people(session, name)
        if by_people:
            carry = counted(by_people, "image carries", "images carry")
            notes.append(
                f"{name}: kept although its classes are the names of folders, as {carry} labels "
                f"that a person decided; vernis taxonomies --remove {name} removes it"
            )
            continue
        labels.change_taxonomy(name, {"removed": True}, source="given", verb=verb, note=note)
        notes.append(
            f"{name}: the names of folders are no classes any more; undoing this {verb} brings "
            f"them back"
        )
    return tuple(notes)


def staying_taxonomies(session: Session) -> list[Taxonomy]:
    """Return the taxonomies that `retire_folder_classes` leaves."""
    return [
        taxonomy
        for taxonomy in session.taxonomies()
        if taxonomy.origin != FOLDERS or _decided_by_people(session, taxonomy.name)
    ]


def _decided_by_people(session: Session, name: str) -> int:
    """Return how many images carry a label of the taxonomy that a person decided."""
    labels = session.catalog.labels
    return len(labels.images_said_by(name, "human:") | labels.images_said_by(name, "accept"))


def forget_folder_classes(session: Session) -> None:
    """Remember that a person wants no classes from folders, until one asks for them."""
    _remember(session, "none")


def follow_new_name(session: Session, old: str, new: str) -> None:
    """Remember that a taxonomy of folders has another name, so that it follows them as before."""
    kept = _kept_choice(session)
    first = next((name for name, later in kept.names.items() if old in later), old)
    names = {**kept.names, first: (*kept.names.get(first, ()), new)}
    session.results.keep("classes-from", replace(kept, names=names))


def _kept_choice(session: Session) -> FolderChoice:
    return session.results.find("classes-from", FolderChoice) or FolderChoice()


def _remember(session: Session, choice: str | None) -> None:
    if choice is not None:
        session.results.keep("classes-from", replace(_kept_choice(session), choice=choice))


def _take(choice: str, folders: Mapping[str, int]) -> FolderClasses:
    level = None if choice == FOLDERS else int(choice)
    found = take_folders(folders, level)
    if not found.taxonomies:
        where = f"on level {level}" if level else "below the indexed folder"
        raise UsageError(f"no classes to take: there are not two folders with images {where}")
    return found


# --------------------------------------------------------------------------- the judgement


def _judge(
    session: Session,
    found: FolderClasses,
    folders: Mapping[str, int],
    only: Collection[str] | None,
) -> tuple[list[str], tuple[str, ...]]:
    """Return the taxonomies that hold, of ``only`` if given, and what has to be said."""
    known = {taxonomy.name for taxonomy in session.taxonomies()}
    wanted, waiting = [], []
    notes: list[str] = []
    for name, classes in found.taxonomies.items():
        if name in known:
            wanted.append(name)
            continue
        if only is not None:
            continue
        told = _ask_pictures(session, name, classes)
        if told is None:
            waiting.append(name)
        elif told.verdict == "yes" or (
            told.verdict == "unclear" and name not in found.numbered and told.n_images < _TOO_FEW
        ):
            wanted.append(name)
        else:
            notes.append(_say_untold(session, name, classes, told))
    if waiting:
        notes.append(_say_waiting(session, waiting, found))
    if not found.taxonomies and found.order and only is None:
        notes.append(_say_order(session, found))
    elif wanted and found.order:
        notes += _say_left_out(found, folders, wanted[-1])
    return wanted, tuple(notes)


def _ask_pictures(session: Session, name: str, classes: Mapping[str, str]) -> FolderVerdict | None:
    """Return whether the pictures tell the classes apart, None while most have no vector."""
    space = session.current_space()
    if space is None:
        return None
    table, rows = session.table(), session.rows_with_vectors(space)
    folders = session.folders_of(table.uris)
    named = [classes.get(folders[row]) for row in rows.tolist()]
    lying = sum(folder in classes for folder in folders)
    order = {label: code for code, label in enumerate(sorted(set(classes.values())))}
    labels = np.array([-1 if label is None else order[label] for label in named], np.int64)
    if 2 * int((labels >= 0).sum()) < lying:
        return None
    # Of images and contents: no vector is read where they are as they were.
    ids, hashes = table.ids[rows], hash_texts(table.hashes[rows])
    mark = fingerprint(space_document(space), list(order), labels, ids, hashes)
    kept = session.results.find(f"folder_classes:{name}", FolderVerdict, mark)
    if kept is not None:
        return kept
    vectors = session.vectors(space)
    labels = labels[np.searchsorted(ids, vectors.ids)]
    told = _measure(
        vectors.vectors, labels, session.duplicate_codes(vectors.ids), layer_slices(space)
    )
    verdict = FolderVerdict(told.verdict, told.separation, told.low, told.high, told.n_images)
    session.results.keep(f"folder_classes:{name}", verdict, mark)
    return verdict


def _measure(
    X: Rows,
    labels: NDArray[np.int64],
    copies: NDArray[np.int64],
    slices: Sequence[tuple[int, int]],
) -> Learnability:
    from vernis.core.labels.learnability import measure_learnability
    from vernis.core.numeric.components import combine_blocks

    rows = np.flatnonzero(labels >= 0)
    if len(rows) > _SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(rows, _SAMPLE, replace=False))
    some = X[rows]
    blocks = [some[:, start:stop] for start, stop in slices]
    features = combine_blocks(blocks)
    bursts = group_bursts(features, copies[rows])
    return measure_learnability(features, labels[rows], groups=bursts).whole


def group_bursts(X: NDArray[np.float32], copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each image, equal for copies and for pictures nearly like one another.

    A picture joins the first group whose first picture it resembles, so that no chain joins what
    is unlike: the pictures of a class are not one group because each resembles the next.

    Parameters
    ----------
    X : ndarray of float32, shape (n_images, dim)
    copies : ndarray of int64, shape (n_images,)
        Equal for duplicates.

    Returns
    -------
    ndarray of int64, shape (n_images,)
    """
    from vernis.core.numeric.rows import normalize_rows

    unit = normalize_rows(X)
    groups = np.full(len(unit), -1, np.int64)
    _, first = np.unique(copies, return_index=True)
    left = np.sort(first)
    while len(left):
        near = unit[left] @ unit[left[0]] >= _ALIKE
        near[0] = True
        groups[left[near]] = left[0]
        left = left[~near]
    number = dict(zip(copies[first].tolist(), groups[first].tolist(), strict=True))
    return np.array([number[copy] for copy in copies.tolist()], np.int64)


# --------------------------------------------------------------------------- what is said


def _overrule(session: Session) -> str:
    root, here = session.root(), Path.cwd()
    shown = root.relative_to(here) if root.is_relative_to(here) else root
    return f"vernis run {shlex.quote(str(shown))} --classes-from folders{session.option()}"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def _say_order(session: Session, found: FolderClasses) -> str:
    seen = [
        f"{counted(len(names), *_KINDS[kind])} ({_some(names)})"
        for kind, names in found.order.items()
    ]
    return (
        f"the folders keep order and name no classes: {', '.join(seen)}; to take them as classes "
        f"all the same: {_overrule(session)}"
    )


def _say_untold(
    session: Session, name: str, classes: Mapping[str, str], told: FolderVerdict
) -> str:
    names = sorted(set(classes.values()))
    measured = (
        ""
        if np.isnan(told.separation)
        else (
            f" (of two pictures the right one is chosen in {told.separation:.0%}, "
            f"{told.low:.0%} to {told.high:.0%}; half is chance)"
        )
    )
    return (
        f"the folders were not taken as {name} ({_some(names)}), as the pictures do not tell them "
        f"apart{measured}; to take them all the same: {_overrule(session)}"
    )


def _say_waiting(session: Session, names: Sequence[str], found: FolderClasses) -> str:
    classes = sorted(set(found.taxonomies[names[-1]].values()))
    return (
        f"the folders may be classes ({_some(classes)}): the pictures decide, once they are "
        f"embedded, at the next vernis index or vernis run; to take them now: "
        f"{_overrule(session)}"
    )


def _say_left_out(found: FolderClasses, folders: Mapping[str, int], name: str) -> list[str]:
    left = sum(n for folder, n in folders.items() if folder not in found.taxonomies[name])
    if not left:
        return []
    names = [one for kind in found.order.values() for one in kind]
    return [
        f"{name}: {counted(left, 'image has', 'images have')} no class, as folders such as "
        f"{_some(names)} only keep order"
    ]


# --------------------------------------------------------------------------- the labels


def _record(
    session: Session,
    found: FolderClasses,
    wanted: Sequence[str],
    folders: Mapping[str, int],
    *,
    keep_case: bool,
) -> FolderLabels:
    catalog = session.catalog
    images = session.table("present", "unreadable")
    labelled: dict[str, int] = {}
    notes: list[str] = []
    for name in wanted:
        named = found.taxonomies[name]
        counts: Counter[str] = Counter()
        for folder, written in named.items():
            counts[written] += folders[folder]
        spellings = settle_spellings(counts, keep_case=keep_case)
        classes = {folder: spellings.of(written) for folder, written in named.items()}
        notes += describe_spellings(name, spellings)
        catalog.labels.define(
            Taxonomy(name, "single", tuple(sorted(set(classes.values()))), origin=FOLDERS)
        )
        statements = (
            Statement(image, classes[folder], "yes")
            for image, folder in zip(
                images.ids.tolist(), session.folders_of(images.uris), strict=True
            )
            if folder in classes
        )
        catalog.labels.replace_source(name, statements, source="given", verb="index")
        labelled[name] = sum(folders[folder] for folder in classes)
    return FolderLabels(labelled, tuple(notes))
