"""Modules of pages put together as one text: what is imported first, each in a scope of its own.

There is no build step: the modules stand as they are written, tests import them one by one, and a
page, or the server when it starts, puts together what it needs. An import is one statement
``import { a, b as c } from "./other.mjs";``; what is exported is declared where it is exported.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping

Source = Callable[[str], str]
"""Returns the text of a module by its path, ``/`` between the parts."""

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[\w./-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LATER = re.compile(r'\bimport\("(\.{1,2}/[\w./-]+)"\)')
_COMMENT = re.compile(r"^ *(?://.*|/\*(?:[^*]|\*(?!/))*\*/ *)\n", re.MULTILINE)


def bundle(script: str, source: Source) -> str:
    """Return a module with all that it imports as one text, without an import or export."""
    known: dict[str, str] = {}
    return _scopes(script, source, known)


def bundle_with_screens(
    main: str, screens: Iterable[str], source: Source, address: str
) -> dict[str, str]:
    """Return module → text, for the main module and those that it loads later.

    The main one holds also what several of the others import, and hands it out as ``modules``, so
    that each module is there once, and whatever it keeps too.

    Parameters
    ----------
    main : str
    screens : iterable of str
    source : callable
    address : str
        Of the folder that the paths are below, ending with ``/``.
    """
    screens = tuple(screens)
    used: dict[str, int] = {}
    for screen in screens:
        for path in _needed(screen, source) - {screen}:
            used[path] = used.get(path, 0) + 1
    known: dict[str, str] = {}
    shared = [_scopes(path, source, known) for path, count in sorted(used.items()) if count > 1]
    body = "\n".join([*shared, _scopes(main, source, known)])
    listed = ", ".join(f'"{path}": {name}' for path, name in known.items() if path != main)
    # Before the main module runs: the first screen is loaded by it.
    cut = body.rindex(f"const {known[main]} = ")
    made = f"{body[:cut]}export const modules = {{ {listed} }};\n{body[cut:]}"
    texts = {main: _LATER.sub(lambda m: f'import("{address}{_later(m[1], screens)}")', made)}
    for screen in screens:
        own = dict(known)
        inner = "\n".join(
            _scopes(path, source, own) for path in _imports(screen, source) if path not in own
        )
        text = _IMPORT.sub("", _COMMENT.sub("", source(screen)))
        head = f'import {{ modules }} from "{address}{main}";\n'
        outer = {path: f'modules["{path}"]' for path in known}
        taken = _taken(screen, source, {**own, **outer})
        for path, name in known.items():
            inner = re.sub(rf"= {name};$", f'= modules["{path}"];', inner, flags=re.MULTILINE)
        texts[screen] = f"{head}{inner}\n{taken}{text}"
    return texts


def _scopes(path: str, source: Source, known: dict[str, str]) -> str:
    """Return a module and what it imports, those that are not known yet, each in its scope."""
    if path in known:
        return ""
    known[path] = f"module{len(known)}_"
    before = [_scopes(other, source, known) for other in _imports(path, source)]
    text = _COMMENT.sub("", source(path))
    exported = ", ".join(_EXPORT.findall(text))
    inner = _EXPORT.sub("", _IMPORT.sub("", text))
    if strange := re.search(r"^(?:import|export)\b.*", inner, re.MULTILINE):
        raise ValueError(f"{path}: expected import {{ … }} or a declaration, got {strange[0]}")
    made = (
        f"const {known[path]} = (() => {{\n"
        f"{_taken(path, source, known)}{inner}return {{ {exported} }};\n}})();\n"
    )
    return "".join([*before, made])


def _taken(path: str, source: Source, known: Mapping[str, str]) -> str:
    """Return what stands for the imports of a module."""
    lines = []
    for names, target in _IMPORT.findall(source(path)):
        listed = ", ".join(part.strip().replace(" as ", ": ") for part in names.split(","))
        lines.append(f"const {{ {listed} }} = {known[_joined(path, target)]};\n")
    return "".join(lines)


def _imports(path: str, source: Source) -> list[str]:
    return [_joined(path, target) for _, target in _IMPORT.findall(source(path))]


def _needed(path: str, source: Source) -> set[str]:
    """Return a module and all that it imports."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _imports(one, source)
    return found


def _joined(path: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _later(target: str, screens: Iterable[str]) -> str:
    """Return the path of a module that is loaded later, by its name."""
    name = posixpath.basename(target)
    return next(path for path in screens if posixpath.basename(path) == name)
