"""The files that pages are made of, as they are served."""

from __future__ import annotations

import mimetypes
import re
from importlib.resources import files
from pathlib import PurePosixPath

from vernis.report.scripts import bundle_with_screens

_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".css": "text/css"}
_MAIN = "app/main.mjs"
_SCREENS = "app/screens/"
_LIST = f"{_SCREENS}index.mjs"
_ALONE = ("app/login.mjs", "app/map-gl.mjs")
"""Modules that import nothing: a page of its own, and a worker."""
_IMPORTED = re.compile(r'^@import url\("/web/([\w./-]+)"\);\n', re.MULTILINE)


def read_pages() -> dict[str, tuple[bytes, str]]:
    """Return address → content and type of every file that pages are made of.

    What is not among them is not there: no address is ever a path on the disk. The modules are put
    together to one text and one more for each screen, and a style sheet holds what it imports: a
    browser asks six times at once at most, and waits for each that an earlier answer names.
    """
    found = _read_files()
    texts = {name: body.decode("utf-8") for name, body in found.items() if name.endswith(".mjs")}
    screens = [name for name in texts if name.startswith(_SCREENS) and name != _LIST]
    put = bundle_with_screens(_MAIN, screens, texts.__getitem__, "/web/")
    pages = {}
    for name, body in found.items():
        if name in put:
            body = put[name].encode()
        elif name in texts and name not in _ALONE:
            continue
        elif name.endswith(".css"):
            body = _IMPORTED.sub(lambda m: found[m[1]].decode(), body.decode()).encode()
        pages[f"/web/{name}"] = (body, _type_of(name))
    pages["/"] = pages["/web/app/index.html"]
    return pages


def _read_files() -> dict[str, bytes]:
    found = {}
    folders = [("", files("vernis.web"))]
    while folders:
        place, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.is_dir():
                folders.append((f"{place}{entry.name}/", entry))
            elif _type_of(entry.name) and not entry.name.endswith((".py", ".pyc")):
                found[f"{place}{entry.name}"] = entry.read_bytes()
    return found


def _type_of(name: str) -> str:
    return _TYPES.get(PurePosixPath(name).suffix) or mimetypes.guess_type(name)[0] or ""
