"""Images that are symbolic links to other images: the same file under a second name, no copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vernis.domain.addresses import is_own_file

if TYPE_CHECKING:
    from vernis.session.session import Session


def find_links(session: Session, images: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Return the images that are links to another one of the same content → that one.

    Of several links to a file that is no image of the collection, the first stands for it.

    Parameters
    ----------
    session : Session
    images : iterable of (int, str)
        Id and content hash.
    """
    root = session.catalog.images.root()
    if root is None:
        return {}
    of_content: dict[str, list[int]] = defaultdict(list)
    for image, content in images:
        of_content[content].append(image)
    several = [image for members in of_content.values() if len(members) > 1 for image in members]
    paths = {
        record.id: session.files.path_of_uri(record.uri, root)
        for record in (session.catalog.images.get(sorted(several)) if several else ())
        if is_own_file(record.uri)
    }
    are_links = {image for image, path in paths.items() if path.is_symlink()}
    files: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for members in of_content.values() if are_links else ():
        if are_links.isdisjoint(members):
            continue
        for image in members:
            if image in paths:
                with suppress(OSError):
                    place = _real_place(paths[image], is_link=image in are_links)
                    files[place].append((image in are_links, image))
    links: dict[int, int] = {}
    for names in files.values():
        (_, first), *others = sorted(names)
        links |= {image: first for is_link, image in others if is_link}
    return links


def _real_place(path: Path, *, is_link: bool) -> str:
    return str(path.resolve(strict=True) if is_link else path.parent.resolve() / path.name)
