"""``vernis labels``: show the labels of a taxonomy."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, rows_shown

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whose labels are shown."""

    taxonomy: Annotated[str, Option("the taxonomy")]
    _: KW_ONLY
    all: Annotated[
        bool | None, Option("images without a label too (default: in a frame yes, else no)")
    ] = None
    limit: Annotated[int | None, rows_shown()] = None


@dataclass(frozen=True, slots=True)
class LabelRow:
    """The labels of one image."""

    image: Annotated[str, "path relative to the indexed folder"]
    yes: Annotated[tuple[str, ...], "classes that it carries"]
    no: Annotated[tuple[str, ...], "classes that it surely does not carry; the rest is unknown"]


@dataclass(frozen=True, slots=True)
class Result:
    """The labels of a taxonomy."""

    rows: tuple[LabelRow, ...]
    total: Annotated[int, "images in all, listed or not"]


def work(session: Session, settings: Settings) -> Result:
    """Return the effective labels of every labelled image, by path."""
    matrix, uris = session.matrix(settings.taxonomy), session.uris()
    classes = matrix.taxonomy.classes
    is_single = matrix.taxonomy.kind == "single"
    chosen = range(len(matrix.image_ids)) if settings.all else np.flatnonzero(matrix.labelled)
    order = sorted((uris[int(matrix.image_ids[row])], int(row)) for row in chosen)
    rows = []
    for uri, row in order[: settings.limit]:
        values = matrix.values[row]
        yes = tuple(classes[c] for c in np.flatnonzero(values == 1))
        # The yes of a single taxonomy says no to all others.
        no = () if is_single and yes else tuple(classes[c] for c in np.flatnonzero(values == 0))
        rows.append(LabelRow(uri, yes, no))
    return Result(tuple(rows), len(order))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the labels as a table."""
    columns = ["image", "yes", "no"] if any(row.no for row in result.rows) else ["image", "yes"]
    title = f"Labels of {settings.taxonomy}" if result.rows else "No labels to show."
    screen.table(result.rows, columns, title=title, total=result.total)


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row an image; ``set_labels`` takes what was edited in it.

    Of a single taxonomy one column of texts, named after the taxonomy, missing where no class is
    known. Of a multi taxonomy a column a class of pandas' type ``boolean``: True is yes, False is
    no, missing is unknown; the columns' axis has the taxonomy's name.
    """
    import pandas as pd

    matrix, uris = session.matrix(settings.taxonomy), session.uris()
    some = slice(None) if settings.all is None or settings.all else np.flatnonzero(matrix.labelled)
    ids, values = matrix.image_ids[some][: settings.limit], matrix.values[some][: settings.limit]
    index = pd.Index([uris[image] for image in ids.tolist()], name="image")
    classes, name = list(matrix.taxonomy.classes), matrix.taxonomy.name
    if matrix.taxonomy.kind == "single":
        carried = [np.flatnonzero(row == 1) for row in values]
        names = [classes[found[0]] if len(found) else None for found in carried]
        return pd.DataFrame({name: names}, index=index)
    columns = {
        label: pd.array(values[:, c] == 1, dtype="boolean") for c, label in enumerate(classes)
    }
    for c, label in enumerate(classes):
        columns[label][np.isnan(values[:, c])] = pd.NA
    return pd.DataFrame(columns, index=index).rename_axis(columns=name)


VERB = Verb(Settings, work, show, document=OneOf("rows"), frame=frame, access="read")
