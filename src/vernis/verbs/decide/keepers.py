"""Which image of a group of duplicates stays: a person's choice, and preferred folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.core.words.nearest_names import nearest_names
from vernis.domain.errors import NotFound
from vernis.verbs.decide.decisions import by
from vernis.verbs.declare import Option

if TYPE_CHECKING:
    from vernis.session.session import Session

NO_FOLDER = "none"
PREFER = Option(
    "keep the images of this folder rather than their duplicates elsewhere; repeat it, the first "
    "counts most; it holds for later commands until --prefer none",
    "FOLDER",
)
"""The option of folders whose images are kept."""


def prefer_folders(session: Session, folders: Sequence[Path | str]) -> int:
    """Prefer folders from now on; nothing named changes nothing.

    Parameters
    ----------
    session : Session
    folders : sequence of Path or str
        Relative to the indexed folder or to the working folder; ``none`` alone: no folder.

    Returns
    -------
    int
        The batch that undo takes back, 0 when nothing changed.

    Raises
    ------
    NotFound
        No image lies in such a folder.
    """
    if not folders:
        return 0
    return session.catalog.issues.prefer_folders(read_folders(session, folders), source=by())


def read_folders(session: Session, folders: Sequence[Path | str]) -> tuple[str, ...]:
    """Return folders as the paths of images begin; raises NotFound."""
    if [str(folder) for folder in folders] == [NO_FOLDER]:
        return ()
    uris = session.uris().values()
    known = {"."} | {
        "/".join(parts[:depth])
        for parts in (uri.split("/") for uri in uris)
        for depth in range(1, len(parts))
    }
    return tuple(dict.fromkeys(_folder(session, str(folder), known) for folder in folders))


def _folder(session: Session, text: str, known: set[str]) -> str:
    plain = Path(text).as_posix().removeprefix("./")
    if plain in known:
        return plain
    path, root = Path(text).absolute(), session.root()
    if path.is_relative_to(root) and (below := path.relative_to(root).as_posix()) in known:
        return below
    near = nearest_names(plain, sorted(known), limit=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise NotFound(f"no image lies in a folder {text!r} of {root}{hint}")
