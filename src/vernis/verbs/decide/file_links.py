"""Images that are symbolic links to other images: the same file under a second name, no copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
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
    files: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for record in session.catalog.images.get(sorted(several)) if several else ():
        if not is_own_file(record.uri):
            continue
        path = session.files.path_of_uri(record.uri, root)
        is_link = path.is_symlink()
        try:
            place = path.resolve(strict=True) if is_link else path.parent.resolve() / path.name
        except OSError:
            continue
        files[str(place)].append((is_link, record.id))
    links: dict[int, int] = {}
    for names in files.values():
        (_, first), *others = sorted(names)
        links |= {image: first for is_link, image in others if is_link}
    return links
