"""The page of the flows between two taxonomies: the Sankey diagram and the table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vernis.report.charts import as_svg
from vernis.report.flows.sankey import SankeyView, sankey
from vernis.report.pages import SHARED_STYLES, render_page


def render_flows(view: SankeyView, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the page: diagram and table in one file that needs no network.

    Parameters
    ----------
    view : SankeyView
    rows : sequence of mapping
        The table behind it: ``from``, ``to``, ``images``, ``share`` (of the left label's images
        in the diagram), ``lift``, and ``left`` and ``right``, the numbers of the nodes.
    """
    return render_page(
        "flows/flows.html",
        styles=(*SHARED_STYLES, "flows/flows.css"),
        script="flows/main.mjs",
        data={"flows": list(rows)},
        digits=6,
        title=view.title,
        generator="Vernis profile",
        view=view,
        diagram=as_svg(sankey(view, in_page=True), view.title, role="group", id="diagram"),
    )
