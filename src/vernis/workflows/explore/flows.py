"""Flows from one taxonomy to another: what brands transmit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vernis.core.explore.flow_order import order_layers
from vernis.core.explore.profile import OTHER, Flows, count_together, gather_flows
from vernis.domain.errors import UsageError
from vernis.domain.ports import Catalog
from vernis.report.charts import SankeyView, sankey, save_figure
from vernis.report.flows.page import render_flows
from vernis.report.tables import write_bytes, write_csv, write_json
from vernis.report.wording import counted
from vernis.workflows.explore.profile import require_two
from vernis.workflows.explore.vocabulary import labels_of

_COLUMNS = ("from", "to", "images", "share", "lift")


def trace_flows(
    catalog: Catalog,
    taxonomy: str,
    to: str,
    *,
    min_flow: int = 5,
    max_nodes: int = 30,
    out: Path | None = None,
) -> dict[str, Any]:
    """Return how many images carry each pair of labels of two taxonomies, small ones gathered.

    Only images that carry labels of both count. In a multi-label taxonomy an image counts once for
    each of its labels.

    Parameters
    ----------
    catalog : Catalog
    taxonomy, to : str
    min_flow : int
        Flows of fewer images are added up as ``other``.
    max_nodes : int
        Labels of a side, without ``other``; the largest are shown.
    out : Path, optional
        Where the diagram (``sankey.png``, ``sankey.html``) and the table (``flows.csv``,
        ``flows.json``) are written.

    Returns
    -------
    dict
        ``from``, ``to``, ``images`` (with labels of both), ``pairs``, ``min_flow``, ``left`` and
        ``right`` (labels in the order of drawing), ``flows`` (see docs/json.md), ``files``.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    UsageError
        No image carries labels of both, or no flow is large enough.
    """
    require_two(taxonomy, to)
    if min_flow < 1 or max_nodes < 1:
        raise UsageError(
            f"expected --min-flow and --max-nodes of 1 or more, got {min_flow} and {max_nodes}"
        )
    one, two = (catalog.labels.matrix(name) for name in (taxonomy, to))
    a, b = labels_of(one), labels_of(two)
    both = a.any(axis=1) & b.any(axis=1)
    if not both.any():
        raise UsageError(f"no image carries labels of '{taxonomy}' and of '{to}' both")
    together = count_together(a[both], b[both])
    flows = gather_flows(
        one.taxonomy.classes, two.taxonomy.classes, together, min_flow=min_flow, max_nodes=max_nodes
    )
    if set(flows.left) == {OTHER}:
        raise UsageError(
            f"no flow of {counted(min_flow, 'image')}; the largest has {int(together.max()):,}: "
            "lower --min-flow"
        )
    view = _view(taxonomy, to, flows, int(both.sum()), min_flow)
    counts = (
        dict(zip(one.taxonomy.classes, a[both].sum(axis=0).tolist(), strict=True)),
        dict(zip(two.taxonomy.classes, b[both].sum(axis=0).tolist(), strict=True)),
    )
    rows = _rows(view, *counts, int(both.sum()))
    document: dict[str, Any] = {
        "from": taxonomy,
        "to": to,
        "images": int(both.sum()),
        "pairs": int(together.sum()),
        "min_flow": min_flow,
        "left": list(view.left),
        "right": list(view.right),
        "note": view.note,
        "flows": sorted(rows, key=lambda row: (-row["images"], row["from"], row["to"])),
        "files": [],
    }
    if out is not None:
        files = [
            save_figure(sankey(view), out / "sankey.png"),
            write_bytes(out / "sankey.html", render_flows(view, rows)),
            write_csv(out / "flows.csv", document["flows"], _COLUMNS),
            write_json(out / "flows.json", document),
        ]
        document["files"] = [str(path) for path in files]
    return document


def _view(taxonomy: str, to: str, flows: Flows, images: int, min_flow: int) -> SankeyView:
    left_other, right_other = flows.left[-1] == OTHER, flows.right[-1] == OTHER
    inner = flows.values[: len(flows.left) - left_other, : len(flows.right) - right_other]
    rows, columns = order_layers(inner)
    # What is gathered stands last, whatever crosses.
    left = [*rows.tolist(), *([len(rows)] if left_other else [])]
    right = [*columns.tolist(), *([len(columns)] if right_other else [])]
    pairs = int(flows.values.sum())
    note = f"{counted(images, 'image carries', 'images carry')} labels of {taxonomy} and of {to}."
    if pairs > images:
        note += " Counted are pairs of image and label: an image with several counts several times."
    if left_other or right_other:
        hidden = [
            f"{count:,} of {name}"
            for name, count in ((taxonomy, flows.hidden_left), (to, flows.hidden_right))
            if count
        ]
        whole = f", and labels too small or too many to be shown ({', '.join(hidden)})"
        note += f" Other: flows below {counted(min_flow, 'image')}{whole if hidden else ''}."
    return SankeyView(
        left_title=taxonomy,
        right_title=to,
        left=tuple(flows.left[i] for i in left),
        right=tuple(flows.right[j] for j in right),
        values=flows.values[np.ix_(left, right)],
        left_other=left_other,
        right_other=right_other,
        unit="images" if pairs == images else "pairs",
        note=note,
    )


def _rows(
    view: SankeyView, left_counts: dict[str, int], right_counts: dict[str, int], images: int
) -> list[dict[str, Any]]:
    """Return the flows; what is gathered has a share of the pairs, and no lift."""
    rows = []
    for i, j in np.argwhere(view.values > 0).tolist():
        one, two, count = view.left[i], view.right[j], int(view.values[i, j])
        gathered = (view.left_other and i == len(view.left) - 1) or (
            view.right_other and j == len(view.right) - 1
        )
        whole = view.values[i].sum() if gathered else left_counts[one]
        share = float(count / whole)
        rows.append(
            {
                "from": one,
                "to": two,
                "images": count,
                "share": share,
                "lift": None if gathered else share * images / right_counts[two],
                "left": i,
                "right": j,
            }
        )
    return rows
