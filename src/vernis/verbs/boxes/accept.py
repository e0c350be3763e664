"""``vernis boxes accept``: agree with boxes that a detector, or locate, proposes; or reject them.

Accepted boxes are labels of their regions and of their images. Named images, or ``--sure P`` for
all that a model gives this score, choose which. ``--into TAXONOMY`` takes the objects of ``vernis
detect`` as boxes of the class of the same name in a taxonomy of your own. ``vernis undo`` takes all
of it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.class_names import match_key
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.region_store import RegionLabels, RegionStatement
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.declare import WHERE, BaseSettings, Option, Screen, Verb
from vernis.verbs.see.filters import select_images

if TYPE_CHECKING:
    from vernis.session.session import Session

BULK = "accepted:boxes"
"""Who says what is accepted by a score, and not picture by picture."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which proposals are answered, and how."""

    taxonomy: Annotated[str, Option("the taxonomy of the boxes; of vernis detect: detected")]
    images: Annotated[Sequence[str], Option("paths or ids: all that is proposed on them")] = ()
    _: KW_ONLY
    sure: Annotated[
        float | None,
        Option("those with this score, on all images", "P", at_least=0, at_most=1),
    ] = None
    where: Annotated[str, WHERE] = ""
    source: Annotated[str, Option("only of this model, such as model:nanodet", "SOURCE")] = ""
    classes: Annotated[Sequence[str], Option("only these classes", "CLASS,…", joined=True)] = ()
    into: Annotated[str, Option("label them in this taxonomy, by the same names", "TAXONOMY")] = ""
    reject: Annotated[bool, Option("say that they are wrong, and do not propose them again")] = (
        False
    )
    who: Annotated[str, Option("your name (default: the login name)")] = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What was decided."""

    boxes: Annotated[int, "proposals that were answered"]
    images: Annotated[int, "on so many images"]
    rejected: Annotated[bool, "true: they are wrong"]
    left: Annotated[int, "proposals of the taxonomy that nobody has answered yet"]
    batch: Annotated[int, "its number, 0 when it changed nothing"]


def work(session: Session, settings: Settings) -> Result:
    """Answer proposals, as one batch.

    Raises
    ------
    NotFound
        There is no such taxonomy, image or class.
    UsageError
        Nothing says which proposals are meant.
    """
    if bool(settings.images) == (settings.sure is not None or bool(settings.where.strip())):
        raise UsageError("name the images, or give --sure P, --where FILTER or both")
    catalog = session.catalog
    said = catalog.regions.labels(settings.taxonomy)
    table = catalog.regions.table(taxonomy=settings.taxonomy)
    images = table.image_ids[np.searchsorted(table.ids, said.region_ids)]
    waiting = said.proposed & said.yes
    rows = np.flatnonzero(waiting & _chosen(session, settings, said, images))
    names = _names(session, settings, said, rows)
    rows = np.array([row for row in rows.tolist() if row in names], np.intp)
    statements = [
        RegionStatement(int(said.region_ids[row]), names[row], "no" if settings.reject else "yes")
        for row in rows.tolist()
    ]
    source = by(settings.who) if settings.images else BULK
    note = counted(len(rows), "box", "boxes")
    batch = 0
    if statements:
        batch = catalog.regions.record(
            settings.into or settings.taxonomy,
            statements,
            source=source,
            verb="accept",
            note=note,
        )
    return Result(
        boxes=len(rows),
        images=len(np.unique(images[rows])),
        rejected=settings.reject,
        left=int(waiting.sum()) - (0 if settings.into else len(rows)),
        batch=batch,
    )


def _chosen(
    session: Session, settings: Settings, said: RegionLabels, images: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which statements the settings mean, answered ones included."""
    chosen = np.ones(len(said), bool)
    if settings.images:
        named = [session.catalog.images.find(name).id for name in settings.images]
        chosen &= np.isin(images, named)
    if settings.where.strip():
        chosen &= np.isin(images, select_images(session, settings.where))
    if settings.sure is not None:
        chosen &= np.nan_to_num(said.probabilities, nan=0.0) >= settings.sure
    if settings.source:
        begins = np.array([name.startswith(settings.source) for name in said.sources.names], bool)
        chosen &= begins[said.sources.codes] if len(begins) else False
    if settings.classes:
        known = {match_key(name): at for at, name in enumerate(said.labels.names)}
        unknown = [name for name in settings.classes if match_key(name) not in known]
        if unknown:
            proposed = ", ".join(said.labels.names) or "none"
            raise NotFound(f"no box of {unknown[0]!r} is proposed; there are: {proposed}")
        chosen &= np.isin(said.labels.codes, [known[match_key(name)] for name in settings.classes])
    return chosen


def _names(
    session: Session, settings: Settings, said: RegionLabels, rows: NDArray[np.intp]
) -> dict[int, str]:
    """Return statement → the class that it is answered with; without those that no class fits."""
    if not settings.into:
        return {row: said.labels[row] for row in rows.tolist()}
    taxonomy = session.catalog.labels.taxonomy(settings.into)
    classes = {match_key(name): name for name in taxonomy.classes}
    named = {row: classes.get(match_key(said.labels[row])) for row in rows.tolist()}
    found = {row: name for row, name in named.items() if name is not None}
    if len(rows) and not found:
        raise NotFound(
            f"none of the proposed classes is one of {settings.into} "
            f"({', '.join(taxonomy.classes[:5])})"
        )
    return found


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what was answered and how it is taken back."""
    verb = "rejected" if result.rejected else "accepted"
    boxes = counted(result.boxes, "box", "boxes")
    line = f"{boxes} in {counted(result.images, 'image')} {verb}, {result.left:,} left"
    if result.batch:
        line += f" (batch {result.batch}; vernis undo {result.batch} takes it back)"
    screen.line(line)


VERB = Verb(Settings, work, show, access="decide")
