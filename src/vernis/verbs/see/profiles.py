"""Profiles: what the classes of a taxonomy have in common, and what is special to each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.flow_order import order_layers
from vernis.core.explore.profile import (
    count_together,
    jaccard_index,
    measure_lift,
    order_by_likeness,
)
from vernis.core.words.class_names import known_name
from vernis.domain.documents import to_document
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import LabelMatrix
from vernis.report.explore.profile import draw_histogram, draw_matrix, draw_special, matrix_limit
from vernis.report.tables import write_csv, write_json
from vernis.verbs.see.vocabulary_study import labels_of
from vernis.verbs.steps.taxonomy_audit import ClassCount

if TYPE_CHECKING:
    from vernis.session.session import Session

_SPECIAL_COLUMNS = (
    "class",
    "taxonomy",
    "label",
    "images",
    "of",
    "share",
    "whole_share",
    "lift",
    "low",
    "high",
)
_DRAWN = 20
"""Labels of the figure of one class."""


@dataclass(frozen=True, slots=True)
class SpecialRow:
    """A label that is surely more, or less, frequent in a class."""

    class_: str
    taxonomy: Annotated[str, "of the label"]
    label: str
    images: Annotated[int, "of the class, that carry it"]
    of: Annotated[int, "images of the class that carry any label of the taxonomy"]
    share: float
    whole_share: Annotated[float, "of all labelled images"]
    lift: Annotated[float, "share by whole_share"]
    low: Annotated[float, "95 %"]
    high: Annotated[float, "95 %"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the classes of a taxonomy have in common, and what is special to each."""

    taxonomy: str
    images: int
    labelled: int
    classes: tuple[ClassCount, ...]
    by: Annotated[tuple[str, ...], "taxonomies whose labels were compared"]
    special: Annotated[tuple[SpecialRow, ...], "by class, the surest first"]
    files: Annotated[tuple[str, ...], "figures and tables that were written"] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """The used labels of a taxonomy, most frequent first: ``yes`` is (n_images, n_labels)."""

    name: str
    kind: str
    labels: tuple[str, ...]
    yes: NDArray[np.bool_]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images of each label, shape (n_labels,)."""
        return np.asarray(self.yes.sum(axis=0), np.int64)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether an image carries any label, shape (n_images,)."""
        return np.asarray(self.yes.any(axis=1))


def label_table(matrix: LabelMatrix) -> LabelTable:
    """Return the used labels of a taxonomy; raises UsageError where it carries none."""
    yes = labels_of(matrix)
    counts = yes.sum(axis=0)
    names = matrix.taxonomy.classes
    order = sorted(np.flatnonzero(counts), key=lambda c: (-counts[c], names[c]))
    labels = tuple(names[c] for c in order)
    return LabelTable(matrix.taxonomy.name, matrix.taxonomy.kind, labels, yes[:, order])


def profile_taxonomy(
    session: Session,
    taxonomy: str,
    *,
    by: Sequence[str] = (),
    only: str = "",
    out: Path | None = None,
) -> Profile:
    """Return how often each class is met, and what other labels are special to it.

    A label is special to a class when the interval of its lift (``measure_lift``) leaves out 1.
    The whole are the images that carry any label of the label's taxonomy: of the others nobody
    knows.

    Parameters
    ----------
    session : Session
    taxonomy : str
    by : sequence of str
        The taxonomies whose labels are compared; default all that carry labels, the taxonomy itself
        when it is multi-label.
    only : str
        One class instead of all.
    out : Path, optional
        Where figures and tables are written.

    Raises
    ------
    NotFound
        There is no such taxonomy or class.
    UsageError
        The taxonomy carries no label.
    """
    table = label_table(session.matrix(taxonomy))
    others = compared(session, table, by)
    only = chosen_class(table, only) if only else ""
    wanted = (only,) if only else table.labels
    special = [row for other in others for row in _special(table, other, wanted)]
    place = {name: number for number, name in enumerate(table.labels)}
    special.sort(key=lambda row: (place[row.class_], *_surest_first(row)))
    labelled = int(table.labelled.sum())
    profile = Profile(
        taxonomy=taxonomy,
        images=len(table.yes),
        labelled=labelled,
        classes=tuple(
            ClassCount(name, int(n), float(n / labelled))
            for name, n in zip(table.labels, table.counts, strict=True)
        ),
        by=tuple(other.name for other in others),
        special=tuple(special),
    )
    if out is None:
        return profile
    written = _write(profile, table, others, only, out)
    return replace(profile, files=tuple(str(path) for path in written))


def chosen_class(table: LabelTable, name: str) -> str:
    """Return the class that a name means; raises NotFound with the nearest one."""
    known = known_name(name, table.labels)
    if known not in table.labels:
        raise NotFound(_no_class(table, known))
    return known


def _no_class(table: LabelTable, name: str) -> str:
    from rapidfuzz.process import extractOne

    near = extractOne(name, table.labels, score_cutoff=60)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"no image carries the class '{name}' of taxonomy '{table.name}'{hint}"


def compared(session: Session, table: LabelTable, by: Sequence[str]) -> list[LabelTable]:
    """Return the taxonomies whose labels are compared with those of a table."""
    if by:
        return [label_table(session.matrix(name)) for name in dict.fromkeys(by)]
    found = []
    for other in session.taxonomies():
        if other.name == table.name:
            found += [table] if table.kind == "multi" else []
        elif "@" not in other.name:
            matrix = session.matrix(other.name)
            found += [label_table(matrix)] if matrix.labelled.any() else []
    return found


def _special(table: LabelTable, other: LabelTable, wanted: Sequence[str]) -> list[SpecialRow]:
    """Return the labels of ``other`` whose lift in a class is surely not 1."""
    whole = other.labelled
    yes = other.yes[whole]
    rows = []
    for name in wanted:
        part = table.yes[whole, table.labels.index(name)]
        if not part.any():
            continue
        found = measure_lift(yes, part)
        for column in np.flatnonzero((found.low > 1) | (found.high < 1)).tolist():
            if other.name == table.name and other.labels[column] == name:
                continue
            rows.append(
                SpecialRow(
                    class_=name,
                    taxonomy=other.name,
                    label=other.labels[column],
                    images=int(found.counts[column]),
                    of=found.n_part,
                    share=float(found.counts[column] / found.n_part),
                    whole_share=float(found.wholes[column] / found.n_whole),
                    lift=float(found.lift[column]),
                    low=float(found.low[column]),
                    high=float(found.high[column]),
                )
            )
    return rows


def _surest_first(row: SpecialRow) -> tuple[bool, float, str]:
    """Order by the end of the interval that is nearer to 1: over-represented labels first."""
    over = row.low > 1
    return (not over, -row.low if over else row.high, row.label)


# --------------------------------------------------------------------------- figures


def _write(
    profile: Profile, table: LabelTable, others: Sequence[LabelTable], only: str, out: Path
) -> list[Path]:
    files = [
        draw_histogram(
            out / "histogram.png",
            taxonomy=table.name,
            classes=table.labels,
            counts=table.counts,
            labelled=profile.labelled,
        ),
        write_csv(out / "classes.csv", to_document(profile.classes), ("class", "count", "share")),
        write_csv(out / "special.csv", to_document(profile.special), _SPECIAL_COLUMNS),
    ]
    for other in others:
        if other.name == table.name:
            if len(table.labels) > 1:
                files.append(_draw_together(table, out / "together.png"))
        elif len(other.labels) > 1 and (table.labelled & other.labelled).any():
            files.append(_draw_cross(table, other, out / f"by-{file_name(other.name)}.png"))
    if only:
        rows = _most_special(to_document(profile.special))
        if rows:
            path = out / f"special-{file_name(only)}.png"
            title = f"What is special to {table.name} {only}"
            files.append(draw_special(path, title=title, rows=rows, whole="all labelled images"))
    written = {**to_document(profile), "files": [path.name for path in files]}
    files.append(write_json(out / "profile.json", written))
    return files


def _most_special(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    over = [row for row in rows if row["low"] > 1][: _DRAWN * 2 // 3]
    under = [row for row in rows if row["high"] < 1][: _DRAWN - len(over)]
    return over + under[::-1]


def file_name(name: str) -> str:
    """Return a name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_@." else "-" for c in name)


def _draw_together(table: LabelTable, path: Path) -> Path:
    shown = min(len(table.labels), matrix_limit())
    yes, counts = table.yes[:, :shown], table.counts[:shown]
    together = count_together(yes, yes)
    share = jaccard_index(together, counts, counts)
    order = order_by_likeness(share)
    share[np.diag_indices(shown)] = math.nan
    names = [table.labels[c] for c in order]
    cut = (
        f" (the {shown} most frequent of {len(table.labels):,})"
        if shown < len(table.labels)
        else ""
    )
    return draw_matrix(
        path,
        title=f"{table.name}: labels on the same images{cut}",
        row_title=table.name,
        column_title=table.name,
        rows=names,
        columns=names,
        values=share[np.ix_(order, order)],
        counts=together[np.ix_(order, order)],
        unit="images with both / images with either (Jaccard)",
    )


def _draw_cross(table: LabelTable, other: LabelTable, path: Path) -> Path:
    rows = min(len(table.labels), matrix_limit())
    together = count_together(table.yes[:, :rows], other.yes)
    # Of the labels that are met at all, the most frequent; those of no row would be empty columns.
    met = np.flatnonzero(together.any(axis=0))[: matrix_limit()]
    together = together[:, met]
    known = (table.yes[:, :rows] & other.labelled[:, None]).sum(axis=0)
    share = together / np.maximum(known, 1)[:, None]
    share[known == 0] = math.nan
    left, right = order_layers(np.nan_to_num(share))
    return draw_matrix(
        path,
        title=f"{other.name} by {table.name}",
        row_title=table.name,
        column_title=other.name,
        rows=[table.labels[c] for c in left],
        columns=[other.labels[met[c]] for c in right],
        values=share[np.ix_(left, right)],
        counts=together[np.ix_(left, right)],
        unit=f"share of the images of the {table.name}",
    )


def require_two(taxonomy: str, other: str) -> None:
    """Refuse a flow from a taxonomy to itself."""
    if taxonomy == other:
        raise UsageError(f"choose another taxonomy than '{taxonomy}' for --to")
