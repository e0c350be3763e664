"""Which verbs there are: found by their modules, listed without importing them.

A module in a group's folder is a verb when the first line of its docstring is its name and what it
does, such as ``vernis issues``: label issues, worst first. So ``vernis --help`` reads one line of
each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from vernis.verbs.declare import Verb

GROUPS: Mapping[str, str] = {
    "start": "Start",
    "steps": "Step by step",
    "decide": "Decide",
    "boxes": "Boxes in pictures",
    "see": "See what is there",
    "networks": "Networks and embedding spaces",
    "machines": "Spread the work over machines",
    "lab": "Try methods",
}
"""Folder of each group → its title, in the order of the help."""

_ABOVE = ("app/serve.py", "app/users.py")
"""Verbs that stand above the others and call them; they belong to the group ``start``."""

_FIRST_LINE = re.compile(r'"""``vernis (?P<name>[a-z -]+)``: (?P<summary>.+?)\.?(?:""")?$')


@dataclass(frozen=True, slots=True)
class Entry:
    """A verb as the help lists it: its name (``lab noise``), group, summary and module."""

    name: str
    group: str
    summary: str
    module: str

    def load(self) -> Verb[Any, Any]:
        """Import the module and return the verb."""
        verb: Verb[Any, Any] = import_module(self.module).VERB
        return verb


@cache
def entries() -> tuple[Entry, ...]:
    """Return every verb, by group, in the order in which its group's ``__init__`` names them."""
    found = []
    for group in GROUPS:
        folder = Path(__file__).parent / group
        paths = sorted(folder.glob("*.py"))
        if group == "start":
            paths += [folder.parents[1] / name for name in _ABOVE]
        named = [entry for path in paths if (entry := _read(path, group)) is not None]
        order = _order(folder / "__init__.py")
        found += sorted(named, key=lambda e: (order.get(e.module.rpartition(".")[2], 99), e.name))
    return tuple(found)


def find_entry(name: str) -> Entry | None:
    """Return the verb of a name such as ``lab noise``."""
    return next((entry for entry in entries() if entry.name == name), None)


def _read(path: Path, group: str) -> Entry | None:
    with path.open(encoding="utf-8") as file:
        match = _FIRST_LINE.match(file.readline().rstrip("\n"))
    if match is None:
        return None
    here = path.relative_to(Path(__file__).parents[1]).with_suffix("")
    module = ".".join(("vernis", *here.parts))
    return Entry(match["name"], group, match["summary"], module)


def _order(path: Path) -> Mapping[str, int]:
    """Return the place of each module that the ``Order:`` line of a group's docstring names."""
    match = re.search(r"^Order: (?P<names>[^.]+)\.", path.read_text(encoding="utf-8"), re.MULTILINE)
    names = re.split(r"[,\s]+", match["names"]) if match else []
    return {name: place for place, name in enumerate(filter(None, names))}
