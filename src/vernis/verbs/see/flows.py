"""Flows from one taxonomy to another: what brands transmit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.core.explore.flow_order import order_layers
from vernis.core.explore.profile import OTHER, Flows, count_together, gather_flows
from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.report.charts import save_figure
from vernis.report.flows.page import render_flows
from vernis.report.flows.sankey import SankeyView, sankey
from vernis.report.tables import write_bytes, write_csv, write_json
from vernis.report.wording import counted
from vernis.verbs.see.profiles import require_two
from vernis.verbs.see.vocabulary_study import labels_of

if TYPE_CHECKING:
    from vernis.session.session import Session

_COLUMNS = ("from", "to", "images", "share", "lift")


@dataclass(frozen=True, slots=True)
class FlowRow:
    """Images that carry a pair of labels."""

    from_: str
    to: str
    images: int
    share: Annotated[float, "of the images of the left label"]
    lift: Annotated[float | None, "share by that of all images; null of gathered flows"]
    left: Annotated[int, "place on the left side"]
    right: Annotated[int, "place on the right side"]


@dataclass(frozen=True, slots=True)
class TracedFlows:
    """The flows between two taxonomies, small ones gathered."""

    from_: Annotated[str, "taxonomy of the left side"]
    to: Annotated[str, "taxonomy of the right side"]
    images: Annotated[int, "with labels of both"]
    pairs: Annotated[int, "of image and labels"]
    min_flow: int
    left: Annotated[tuple[str, ...], "labels in the order of drawing"]
    right: Annotated[tuple[str, ...], "labels in the order of drawing"]
    note: Annotated[str, "what counts, and what was gathered"]
    flows: Annotated[tuple[FlowRow, ...], "the largest first"]
    files: Annotated[tuple[str, ...], "diagram and tables that were written"] = ()


def trace_flows(
    session: Session,
    taxonomy: str,
    to: str,
    *,
    min_flow: int = 5,
    max_nodes: int = 30,
    out: Path | None = None,
) -> TracedFlows:
    """Return how many images carry each pair of labels of two taxonomies, small ones gathered.

    Only images that carry labels of both count. In a multi-label taxonomy an image counts once for
    each of its labels.

    Parameters
    ----------
    session : Session
    taxonomy, to : str
    min_flow : int
        Flows of fewer images are added up as ``other``.
    max_nodes : int
        Labels of a side, without ``other``; the largest are shown.
    out : Path, optional
        Where the diagram (``sankey.png``, ``sankey.html``) and the table (``flows.csv``,
        ``flows.json``) are written.

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
    one, two = (session.matrix(name) for name in (taxonomy, to))
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
    traced = TracedFlows(
        from_=taxonomy,
        to=to,
        images=int(both.sum()),
        pairs=int(together.sum()),
        min_flow=min_flow,
        left=tuple(view.left),
        right=tuple(view.right),
        note=view.note,
        flows=tuple(sorted(rows, key=lambda row: (-row.images, row.from_, row.to))),
    )
    return traced if out is None else replace(traced, files=_write(traced, view, rows, out))


def _write(
    traced: TracedFlows, view: SankeyView, rows: Sequence[FlowRow], out: Path
) -> tuple[str, ...]:
    files = [
        save_figure(sankey(view), out / "sankey.png"),
        write_bytes(out / "sankey.html", render_flows(view, to_document(rows))),
        write_csv(out / "flows.csv", to_document(traced.flows), _COLUMNS),
        write_json(out / "flows.json", to_document(traced)),
    ]
    return tuple(str(path) for path in files)


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
) -> list[FlowRow]:
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
            FlowRow(
                from_=one,
                to=two,
                images=count,
                share=share,
                lift=None if gathered else share * images / right_counts[two],
                left=i,
                right=j,
            )
        )
    return rows
