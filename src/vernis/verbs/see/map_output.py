"""Write a map as a picture and as a page, and a grid of maps as a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vernis.domain.errors import StorageError, UsageError
from vernis.report.map.model import Facet, MapView, SheetLevel
from vernis.report.map.page import GENERATOR
from vernis.verbs.see.map_view import MapContent

PAGE, PICTURE, STAMP = "index.html", "map.png", "map.json"
MOST_TILES = 12_000
"""Pictures that the PNG shows; of more, every second, third… along the map."""

_METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}


class MapFolder:
    """The folder that holds a map's picture and page.

    Raises
    ------
    UsageError
        It holds other files and no map.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: is a file; name a folder for the map: --out DIR")
        if path.is_dir() and any(path.iterdir()) and not self._is_map():
            raise UsageError(f"{path}: holds other files and no map; name a new folder: --out DIR")

    def is_current(self, fingerprint: str, picture: Path | None) -> bool:
        """Tell whether the folder shows just this already, with that picture where one is due."""
        try:
            stamp = json.loads((self.path / STAMP).read_text(encoding="utf-8"))
            files = [self.path / name for name in stamp["files"]]
            files += [picture] if picture is not None else []
            return stamp["fingerprint"] == fingerprint and all(file.exists() for file in files)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def remove(self, name: str) -> None:
        """Remove a file that an older map left."""
        with suppress(OSError):
            (self.path / name).unlink()

    def claim(self) -> None:
        """Mark the folder, so that no index takes its pictures for images of the collection."""
        if not (self.path / PAGE).exists():
            mark = (
                f'<!doctype html><meta charset="utf-8"><meta name="generator" '
                f'content="{GENERATOR}"><title>Map</title><p>This map was not finished. '
                "Run vernis map again.</p>\n"
            )
            self.write(PAGE, mark.encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a file, all of it or nothing."""
        place = self.path / name
        partial = place.with_name(f".{place.name}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(place)
        except OSError as error:
            raise StorageError(
                f"{place}: cannot be written ({error.strerror}); check disk and rights"
            ) from error

    def commit(self, pages: Mapping[str, bytes], fingerprint: str) -> Path:
        """Write the page's files, the page last, then drop sheets of an older one."""
        for name, content in pages.items():
            if name == PAGE or not (self.path / name).exists():
                self.write(name, content)
        for old in (self.path / "sheets").glob("*.jpg"):
            if f"sheets/{old.name}" not in pages:
                old.unlink(missing_ok=True)
        stamp = {"generator": GENERATOR, "fingerprint": fingerprint, "files": sorted(pages)}
        self.write(STAMP, json.dumps(stamp, indent=1).encode())
        with suppress(OSError):  # it holds something
            (self.path / "sheets").rmdir()
        return self.path / PAGE

    def _is_map(self) -> bool:
        try:
            with open(self.path / PAGE, "rb") as stream:
                return f'content="{GENERATOR}'.encode() in stream.read(4096)
        except OSError:
            return False


def method_text(settings: Mapping[str, Any]) -> str:
    """Return a map's method and parameters as people read them."""
    wording = {
        "perplexity": "perplexity {:g}",
        "iterations": "{:g} iterations",
        "neighbors": "{:g} neighbours",
        "min_dist": "smallest distance {:g}",
    }
    parts = [text.format(settings[key]) for key, text in wording.items() if key in settings]
    return ", ".join([_METHODS[settings["method"]], *parts])


def figures_text(quality: Mapping[str, Any]) -> str:
    """Return trustworthiness and preservation as people read them."""
    k = quality["n_neighbors"]
    return (
        f"trustworthiness {quality['trustworthiness']:.3f}, "
        f"{k} neighbours kept {quality['preservation']:.1%}"
    )


def shown_of(content: MapContent) -> str:
    """Return how many pictures are shown, and of how many where these are not all."""
    shown = f"{len(content.images):,}"
    if not content.not_shown:
        return shown
    return f"{shown} of {len(content.images) + content.not_shown:,}"


def make_view(
    content: MapContent, title: str, color: str, levels: Sequence[SheetLevel], version: str
) -> MapView:
    """Return the content as the page shows it."""
    record, quality = content.record, content.record.quality
    facts = {
        "pictures": shown_of(content),
        "method": method_text(record.settings),
        "embedding": str(record.space["name"]),
        "trustworthiness": f"{quality['trustworthiness']:.3f}",
        f"{quality['n_neighbors']} neighbours kept": f"{quality['preservation']:.1%}",
    }
    if quality["judged"] < record.points:
        facts["judged on"] = f"{quality['judged']:,} pictures"
    if record.placed:
        facts["placed later"] = f"{record.placed:,}"
    return MapView(
        title=title,
        facts=facts,
        uris=[image.uri for image in content.images],
        places=content.places,
        cells=content.tiling.cells,
        columns=content.tiling.columns,
        rows=content.tiling.rows,
        facets=content.facets,
        color=color,
        levels=levels,
        version=version,
    )


def shown_facet(content: MapContent, color: str) -> Facet | None:
    """Return the facet that colours the picture."""
    return next((facet for facet in content.facets if facet.name == color), None)
