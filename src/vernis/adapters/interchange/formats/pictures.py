"""Image files beside the labels of another tool: find them, and read their size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image

from vernis.domain.regions import turned_size

SUFFIXES = frozenset(
    [
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".gif", ".tif"),
        *(".tiff", ".avif", ".heic", ".heif", ".mpo", ".ppm", ".pgm", ".jp2"),
    ]
)


def find_pictures(folder: Path) -> Iterator[Path]:
    """Yield the image files below a folder in the order of their paths, without hidden ones."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(here) / name


def uri_below(folder: Path, path: Path) -> str:
    """Return the path of a file below a folder with ``/``."""
    return path.relative_to(folder).as_posix()


def upright_size(path: Path) -> tuple[int, int]:
    """Return width and height of the upright picture by its header; (0, 0) where unreadable."""
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(0x0112, 1)
            size = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0
    return turned_size(orientation, size) if orientation in range(1, 9) else size


def size_of(uri: str, path: Path | None, sizes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the size of a picture: what is known of its uri, else what its header says."""
    known = sizes.get(uri, (0, 0))
    if all(known) or path is None:
        return known
    return upright_size(path)
