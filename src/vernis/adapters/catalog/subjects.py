"""What a change can be about, and how an earlier state of it is put back.

A subject is one class here and one entry in ``SUBJECTS``; its changes are written with
``History.record`` and undone with the batch that they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import to_json
from vernis.domain.errors import UsageError
from vernis.domain.history import Change

ATTRIBUTES = ("name", "kind", "closed", "ignored", "removed", "description")
"""What can be changed of a taxonomy."""
MADE = "made"
"""Key of the change that made a taxonomy; undone only while no source says anything in it."""

NAMES = "taxonomy:names"
"""Mark of the ledger: a taxonomy was renamed or removed, which its issues follow."""

FOREIGN = "foreign"
"""Subject of changes that kept what another tool says; a key is the batch that did."""

ATTRIBUTE = "attribute"
"""Subject of changes of what is kept beside images."""

REGION = "region"
"""Subject of changes that added or removed regions."""

PREFERRED = "preferred_folders"
"""Key of ``meta``, and of the change of subject ``preference``."""

_PLACE = ("uri", "content_hash", "state")
IMAGE_COLUMNS = (
    *("uri", "content_hash", "size", "mtime_ns", "width", "height", "format"),
    *("state", "reason", "split", "metadata"),
)
"""What a change of an indexed image holds."""


class Subject(Protocol):
    """One kind of thing that changes."""

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the keys whose state is not the expected one (any more)."""
        ...

    def put(self, states: Mapping[str, Any]) -> None:
        """Make these the states; raises UsageError where that cannot be."""
        ...


@runtime_checkable
class RangeSubject(Subject, Protocol):
    """A kind of thing of which one change stands for many."""

    def undoable(self, change: Change) -> list[Change]:
        """Return the parts of a change that can be taken back: what was not changed since."""
        ...


class TaxonomyAttributes:
    """Attributes of taxonomies; a key is ``ID.ATTRIBUTE``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the attributes that have another value."""
        return {key for key, value in expected.items() if self._now(key) != value}

    def _now(self, key: str) -> Any:
        number, _, name = key.partition(".")
        if name == MADE:
            row = self._ledger.row(
                "SELECT removed, EXISTS (SELECT 1 FROM statement WHERE taxonomy_id = ?1) "
                "OR EXISTS (SELECT 1 FROM class JOIN region_statement AS s "
                "ON s.class_id = class.id WHERE class.taxonomy_id = ?1) "
                "FROM taxonomy WHERE id = ?1",
                (int(number),),
            )
            assert row is not None
            return "used" if row[1] and not row[0] else not row[0]
        row = self._ledger.row(f"SELECT {_column(name)} FROM taxonomy WHERE id = ?", (int(number),))
        assert row is not None
        return bool(row[0]) if isinstance(row[0], int) else row[0]

    def put(self, states: Mapping[str, Any]) -> None:
        """Set attributes; a name that another taxonomy has is refused."""
        for key, value in states.items():
            number, _, name = key.partition(".")
            if name == MADE:
                name, value = "removed", not value
            self._set(int(number), _column(name), value)

    def _set(self, number: int, column: str, value: Any) -> None:
        row = self._ledger.row("SELECT name, removed FROM taxonomy WHERE id = ?", (number,))
        assert row is not None
        old, removed = row
        new = value if column == "name" else old
        here = not (value if column == "removed" else removed)
        if here and column in ("name", "removed") and (new != old or removed):
            self._refuse_taken(number, new)
        self._ledger.run(f"UPDATE taxonomy SET {column} = ? WHERE id = ?", (value, number))
        self._ledger.touch(NAMES)
        if new != old and not removed:
            self._rename_in_words(old, new)

    def _refuse_taken(self, number: int, name: str) -> None:
        taken = self._ledger.row(
            "SELECT 1 FROM taxonomy WHERE name = ? AND removed = 0 AND id <> ?", (name, number)
        )
        if taken is not None:
            raise UsageError(f"another taxonomy is named '{name}' now; rename that one first")

    def _rename_in_words(self, old: str, new: str) -> None:
        """Write the new name into what knows a taxonomy by its name."""
        for table in ("issue", "verdict"):
            rows = self._ledger.rows(f"SELECT id, key FROM {table} WHERE taxonomy = ?", (old,))
            renamed = []
            for number, key in rows:
                parts = json.loads(key)
                parts[1] = new
                renamed.append((to_json(parts), new, number))
            self._ledger.run_many(
                f"UPDATE OR IGNORE {table} SET key = ?, taxonomy = ? WHERE id = ?", renamed
            )
        self._ledger.run("UPDATE model SET taxonomy = ? WHERE taxonomy = ?", (new, old))
        # Kept results are called VERB:TAXONOMY.
        self._ledger.run(
            "UPDATE run SET workflow = substr(workflow, 1, instr(workflow, ':')) || ?1 "
            "WHERE substr(workflow, instr(workflow, ':') + 1) = ?2 AND workflow <> ?2",
            (new, old),
        )


class ChosenKeepers:
    """Images that a person chose to keep.

    A key is an image's id, a state the batch that chose it, None where none did.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the images that another batch chose."""
        rows = self._ledger.rows("SELECT image_id, batch_id FROM kept")
        now = {str(image): batch for image, batch in rows}
        return {key for key, batch in expected.items() if now.get(key) != batch}

    def put(self, states: Mapping[str, Any]) -> None:
        """Keep images, or not."""
        for key, batch in states.items():
            if batch is None:
                self._ledger.run("DELETE FROM kept WHERE image_id = ?", (int(key),))
            else:
                self._ledger.run("INSERT OR REPLACE INTO kept VALUES (?, ?)", (int(key), batch))


class PreferredFolders:
    """The folders whose images are kept rather than their duplicates elsewhere: one list."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the key where there is another list."""
        row = self._ledger.row("SELECT value FROM meta WHERE key = ?", (PREFERRED,))
        now = [] if row is None else json.loads(row[0])
        return {key for key, folders in expected.items() if folders != now}

    def put(self, states: Mapping[str, Any]) -> None:
        """Write the list."""
        for folders in states.values():
            self._ledger.run(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
                (PREFERRED, to_json(list(folders))),
            )


class IndexedImages:
    """Images that an indexing found changed, moved or gone.

    A key is an image's id, a state those of ``IMAGE_COLUMNS`` that the indexing changed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the images that have another place, content or state."""
        now = self._now(expected)
        return {
            key
            for key, state in expected.items()
            if any(now[key][name] != state[name] for name in _PLACE if name in state)
        }

    def _now(self, keys: Iterable[str]) -> dict[str, dict[str, str]]:
        with self._ledger.listed(int(key) for key in keys):
            rows = self._ledger.rows(
                f"SELECT id, {', '.join(_PLACE)} FROM temp.listed CROSS JOIN image "
                "ON image.id = listed.value"
            )
        return {str(number): dict(zip(_PLACE, place, strict=True)) for number, *place in rows}

    def put(self, states: Mapping[str, Any]) -> None:
        """Give images their former places and contents; raises UsageError for a taken place."""
        now = self._now(states)
        # Names are freed before they are given anew: two images may have swapped theirs.
        self._ledger.run_many(
            "UPDATE image SET state = 'vanished' WHERE id = ?", ((int(key),) for key in states)
        )
        for key, state in states.items():
            wanted = {"uri": now[key]["uri"], "state": now[key]["state"], **state}
            if wanted["state"] in ("present", "unreadable"):
                self._refuse_taken(int(key), wanted["uri"])
            columns = [name for name in IMAGE_COLUMNS if name in wanted]
            self._ledger.run(
                f"UPDATE image SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?",
                (*(wanted[name] for name in columns), int(key)),
            )

    def _refuse_taken(self, number: int, uri: str) -> None:
        taken = self._ledger.row(
            "SELECT 1 FROM image WHERE uri = ? AND id <> ? AND state IN ('present', 'unreadable')",
            (uri, number),
        )
        if taken is not None:
            raise UsageError(
                f"{uri}: another image lies there now; undo first what brought it there"
            )


class ImageAttributes:
    """What is kept beside images: titles, captions, ratings, columns of tables.

    A key is an image's id, a state the values by name; None where there is none.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def now(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return all that is kept beside some images."""
        with self._ledger.listed(int(key) for key in keys):
            rows = self._ledger.rows(
                "SELECT id, metadata FROM temp.listed CROSS JOIN image ON image.id = listed.value"
            )
        return {str(number): json.loads(text) for number, text in rows}

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the images of which something else is kept."""
        now = self.now(expected)
        return {
            key
            for key, state in expected.items()
            if any(now[key].get(name) != value for name, value in state.items())
        }

    def put(self, states: Mapping[str, Any]) -> None:
        """Keep values beside images; None takes one away."""
        now = self.now(states)
        kept = (
            {name: value for name, value in (now[key] | state).items() if value is not None}
            for key, state in states.items()
        )
        self._ledger.run_many(
            "UPDATE image SET metadata = ? WHERE id = ?",
            ((to_json(values), int(key)) for key, values in zip(states, kept, strict=True)),
        )


class ArrivedImages:
    """Ranges of images that an indexing met for the first time.

    A key is the id of the first one; a state is None (not there) or ``{"through": last id}``.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return nothing: of a range those images are taken that are as they should be."""
        return set()

    def put(self, states: Mapping[str, Any]) -> None:
        """Let images vanish, or bring them back where their place is free."""
        for key, state in states.items():
            if state is None:
                row = self._ledger.row(
                    "SELECT json_extract(after, '$.through') FROM change "
                    "WHERE subject = 'arrival' AND key = ? AND after <> 'null'",
                    (key,),
                )
                assert row is not None
                self._ledger.run(
                    "UPDATE image SET state = 'vanished' "
                    "WHERE id BETWEEN ? AND ? AND state IN ('present', 'unreadable')",
                    (int(key), row[0]),
                )
            else:
                self._ledger.run(
                    "UPDATE image SET state = iif(reason = '', 'present', 'unreadable') "
                    "WHERE id BETWEEN ? AND ? AND state = 'vanished' AND NOT EXISTS ("
                    "SELECT 1 FROM image AS other WHERE other.uri = image.uri "
                    "AND other.id <> image.id AND other.state IN ('present', 'unreadable'))",
                    (int(key), state["through"]),
                )


def region_key(first: int, last: int) -> str:
    """Return the key of a change of the regions with these ids and all between."""
    return f"{first}-{last}"


def region_range(key: str) -> range:
    """Return the ids of a change of regions."""
    first, last = _ends(key)
    return range(first, last + 1)


class Regions:
    """Ranges of regions that were added or removed.

    A state tells whether they are there; None: they were not added yet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return nothing: ``undoable`` leaves those out that are not as they should be."""
        return set()

    def undoable(self, change: Change) -> list[Change]:
        """Return the ranges that are still as the change left them.

        A region that was added goes only while nobody says anything of it any more.
        """
        rows = self._ledger.rows(
            "SELECT id FROM region WHERE id BETWEEN ? AND ? AND removed = ? AND NOT (? AND EXISTS "
            "(SELECT 1 FROM region_statement AS s WHERE s.region_id = region.id)) ORDER BY id",
            (*_ends(change.key), int(not change.after), change.before is None),
        )
        found = []
        for _, run in groupby(enumerate(row[0] for row in rows), lambda pair: pair[1] - pair[0]):
            ids = [number for _, number in run]
            found.append(replace(change, key=region_key(ids[0], ids[-1]), size=len(ids)))
        return found

    def put(self, states: Mapping[str, Any]) -> None:
        """Remove regions, or bring them back."""
        self._ledger.run_many(
            "UPDATE region SET removed = ? WHERE id BETWEEN ? AND ?",
            ((int(not there), *_ends(key)) for key, there in states.items()),
        )


def _ends(key: str) -> tuple[int, int]:
    first, _, last = key.partition("-")
    return int(first), int(last)


class ForeignFactsOfBatches:
    """What other tools say of images and classes; a state tells whether it is held."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return nothing: later facts stand beside earlier ones."""
        return set()

    def put(self, states: Mapping[str, Any]) -> None:
        """Hold what the batches kept, or not."""
        self._ledger.run_many(
            "UPDATE foreign_fact SET held = ? WHERE batch_id = ?",
            ((int(held), int(key)) for key, held in states.items()),
        )


class KeptResults:
    """What a person changed of a kept result, such as the name of a cluster.

    A key is a JSON array: the result's name, then the way to a part of it; a number stands for the
    member of a list that has this ``number``. A state is that part, or some fields of it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def differing(self, expected: Mapping[str, Any]) -> set[str]:
        """Return the parts that are gone or say something else."""
        return {key for key, state in expected.items() if not self._says(key, state)}

    def _says(self, key: str, state: Any) -> bool:
        name, *way = json.loads(key)
        part = _part(self._read(name)[0], ["value", *way])
        if isinstance(state, dict):
            return isinstance(part, dict) and state.items() <= part.items()
        return bool(part == state)

    def put(self, states: Mapping[str, Any]) -> None:
        """Write the parts into the latest results."""
        for key, state in states.items():
            name, *way = json.loads(key)
            document, mark = self._read(name)
            if isinstance(state, dict):
                _part(document, ["value", *way]).update(state)
            else:
                _part(document, ["value", *way[:-1]])[way[-1]] = state
            self._ledger.run(
                "INSERT INTO run (workflow, fingerprint, summary, time) VALUES (?, ?, ?, ?)",
                (name, mark, to_json(document), now()),
            )

    def _read(self, name: str) -> tuple[Any, str]:
        row = self._ledger.row(
            "SELECT summary, fingerprint FROM run WHERE workflow = ? ORDER BY id DESC LIMIT 1",
            (name,),
        )
        return (None, "") if row is None else (json.loads(row[0]), row[1])


def _part(document: Any, way: Sequence[str | int]) -> Any:
    """Return the part of a document to which a way leads, None where there is none."""
    for step in way:
        if isinstance(step, int):
            document = next((one for one in document or () if one.get("number") == step), None)
        else:
            document = (document or {}).get(step)
    return document


SUBJECTS: Mapping[str, Callable[[Ledger], Subject]] = {
    "taxonomy": TaxonomyAttributes,
    "keeper": ChosenKeepers,
    "preference": PreferredFolders,
    "index": IndexedImages,
    "arrival": ArrivedImages,
    ATTRIBUTE: ImageAttributes,
    REGION: Regions,
    FOREIGN: ForeignFactsOfBatches,
    "result": KeptResults,
}


def _column(name: str) -> str:
    """Return the column of an attribute (never text from outside)."""
    return ATTRIBUTES[ATTRIBUTES.index(name)]
