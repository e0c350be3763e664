"""The interactive page of a map: one file, or a folder where the thumbnails are many."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np

from vernis.report.map.model import COLORS, NONE, OTHER, MapView
from vernis.report.pages import SHARED_STYLES, render_page

GENERATOR = "Vernis map"
"""Content of the page's ``generator`` mark; an index passes over a folder that holds it."""

EMBED_LIMIT = 18_500_000
"""Bytes of sheets up to which they are put into the page itself (a third more as text)."""

_STEPS = 20_000  # exact places are whole numbers up to this


def render_map(view: MapView) -> dict[str, bytes]:
    """Return the files of the page: path relative to its folder → content, the page last.

    One file alone when the sheets are small enough to lie in it.
    """
    from markupsafe import Markup

    files: dict[str, bytes] = {}
    embedded: dict[str, Markup] = {}
    sources: list[list[str]] = []
    whole = sum(len(page) for level in view.levels for page in level.pages) <= EMBED_LIMIT
    for number, level in enumerate(view.levels):
        sources.append([])
        for index, page in enumerate(level.pages):
            name = f"sheet-{number}-{index}"
            if whole:
                embedded[name] = Markup(base64.b64encode(page).decode())
                sources[-1].append(f"#{name}")
            else:
                digest = hashlib.sha256(page).hexdigest()[:12]
                path = f"sheets/{number}-{index:04}.{digest}.jpg"
                sources[-1].append(path)
                files[path] = page
    files["index.html"] = render_page(
        "map/map.html",
        styles=(*SHARED_STYLES, "map/map.css"),
        script="map/main.mjs",
        data=_data(view, sources),
        title=f"{view.title} · map",
        generator=f"{GENERATOR} {view.version}",
        view=view,
        sheets=embedded,
    )
    return files


def _data(view: MapView, sources: list[list[str]]) -> dict[str, Any]:
    low = view.places.min(axis=0) if len(view.places) else np.zeros(2)
    extent = np.ptp(view.places, axis=0) if len(view.places) else np.ones(2)
    scaled = (view.places - low) / np.where(extent > 0, extent, 1.0)
    scaled[:, 1] = 1 - scaled[:, 1]
    return {
        "uris": view.uris,
        "places": np.rint(scaled * _STEPS).astype(int).ravel().tolist(),
        "steps": _STEPS,
        "cells": view.cells.ravel().tolist(),
        "columns": view.columns,
        "rows": view.rows,
        "colors": COLORS,
        "other": OTHER,
        "none": NONE,
        "color": view.color,
        "facets": [
            {
                "name": facet.name,
                "classes": facet.classes,
                # A single class without its list: most pictures have one.
                "values": [row[0] if len(row) == 1 else row for row in facet.values],
            }
            for facet in view.facets
        ],
        "levels": [
            {
                "edge": level.edge,
                "columns": level.columns,
                "sizes": [side for size in level.sizes for side in size],
                "sheets": names,
            }
            for level, names in zip(view.levels, sources, strict=True)
        ],
    }
