"""``vernis taxonomies``: list what is labelled, and say which taxonomies count, as what.

The table has a row a taxonomy: what it is about, its classes, how far it is filled, whether the
pictures tell its classes apart, and where its labels came from. With a name its classes follow.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.report.wording import percent
from vernis.verbs.decide.judged_count import judged_count
from vernis.verbs.declare import WHERE, BaseSettings, OneOf, Option, Screen, Verb
from vernis.verbs.steps.taxonomy_audit import TaxonomyAudit, audit_taxonomies, say_meaning
from vernis.verbs.steps.taxonomy_changes import TaxonomyChanges, change_taxonomies

if TYPE_CHECKING:
    from vernis.session.session import Session

_BY_FOLDER = 0.5
"""From such a share of images labelled like all others in their folder on it is said."""
_SHOWN = ("taxonomy", "classes", "filled", "visual meaning", "kind", "origin", "description")


def parse_setting(text: str) -> tuple[str, str]:
    """Read ``T=VALUE`` into ``("T", "VALUE")``; raises ValueError."""
    name, sign, value = (part.strip() for part in text.partition("="))
    if not (name and sign):
        raise ValueError(f'expected "TAXONOMY=VALUE", got {text!r}')
    return name, value


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which taxonomies are described, or what is changed of them."""

    taxonomy: Annotated[str | None, Option("only this one, with its classes")] = None
    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    ignore: Annotated[
        Sequence[str],
        Option("leave this one out of run, report and duplicates unless it is named (repeatable)"),
    ] = ()
    heed: Annotated[Sequence[str], Option("ignore this one no longer (repeatable)")] = ()
    remove: Annotated[
        Sequence[str], Option("remove this one; undo brings it and its labels back (repeatable)")
    ] = ()
    rename: Annotated[
        Sequence[tuple[str, str]],
        Option("give this one another name (repeatable)", "T=NEW", parse=parse_setting),
    ] = ()
    kind: Annotated[
        Sequence[tuple[str, str]],
        Option(
            "single: one label an image, multi: several (repeatable)",
            "T=KIND",
            parse=parse_setting,
        ),
    ] = ()
    close: Annotated[
        Sequence[str],
        Option("an image with a label of this one has no other: blanks mean no (repeatable)"),
    ] = ()
    open: Annotated[
        Sequence[str], Option("blanks of this one mean unknown, the default (repeatable)")
    ] = ()
    describe: Annotated[
        Sequence[tuple[str, str]],
        Option("say what this one is about (repeatable)", "T=TEXT", parse=parse_setting),
    ] = ()
    who: Annotated[str, Option("your name (default: the login name)")] = ""

    def changes(self) -> TaxonomyChanges:
        """Return what is asked for."""
        return TaxonomyChanges(
            ignored={**dict.fromkeys(self.ignore, True), **dict.fromkeys(self.heed, False)},
            closed={**dict.fromkeys(self.close, True), **dict.fromkeys(self.open, False)},
            kinds=dict(self.kind),
            descriptions=dict(self.describe),
            names=dict(self.rename),
            removed=tuple(dict.fromkeys(self.remove)),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The state of the taxonomies."""

    taxonomies: tuple[TaxonomyAudit, ...]
    batch: Annotated[int, "of the changes; 0: nothing was changed"] = 0
    changed: Annotated[tuple[str, ...], "what was changed, one sentence each"] = ()
    notes: Annotated[tuple[str, ...], "findings"] = ()


def work(session: Session, settings: Settings) -> Result:
    """Describe one taxonomy or all; with a change, make it first, as one batch.

    Raises
    ------
    NotFound
        There is no taxonomy of a name.
    UsageError
        A name is taken, or images carry more labels than the new kind allows.
    FilterError
        A wrong filter.
    """
    wanted, name = settings.changes(), settings.taxonomy
    if name is not None:
        session.catalog.labels.taxonomy(name)
    if settings.where.strip() and wanted != TaxonomyChanges():
        raise UsageError("--where describes a part of the images; a change is made of all of them")
    batch, changed = change_taxonomies(session, wanted, who=settings.who)
    if name is not None:
        name = wanted.names.get(name, name)
        names = [] if name in wanted.removed else [name]
    else:
        names = [taxonomy.name for taxonomy in session.taxonomies()]
    audits = audit_taxonomies(session, names, settings.where)
    effects = tuple(filter(None, (audit.effect for audit in audits)))
    counts = [] if settings.where.strip() else _judged(session, audits)
    notes = (*(effect.sentence() for effect in effects), *_findings(audits), *counts)
    return Result(audits, batch, changed, notes)


def _findings(audits: Sequence[TaxonomyAudit]) -> list[str]:
    said = []
    for audit in audits:
        share, name = audit.like_their_folder, shlex.quote(audit.taxonomy)
        if share is not None and share >= _BY_FOLDER:
            said.append(
                f"{audit.taxonomy}: {percent(share)} of the labelled images carry the labels of "
                "all others in their folder: they were given by folder, not by picture"
            )
        if audit.visual_meaning == "no" and not audit.ignored:
            said.append(
                f"{audit.taxonomy}: the pictures do not tell its classes apart; to leave it out: "
                f"vernis taxonomies --ignore {name}"
            )
    return said


def _judged(session: Session, audits: Sequence[TaxonomyAudit]) -> list[str]:
    """Say how many labels are wrong, where a person judged a sample of them."""
    found = [(audit.taxonomy, judged_count(session, audit.taxonomy)) for audit in audits]
    return [f"{name}: {one.sentence()}" for name, one in found if one is not None]


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the table of the taxonomies; of a single one its facts and classes."""
    for said in result.changed:
        screen.line(said)
    if result.batch:
        screen.line(f"batch {result.batch}; vernis undo {result.batch} takes it back\n")
    if not result.taxonomies:
        screen.line("There is no taxonomy yet: vernis import FILE")
    elif settings.taxonomy is None:
        rows = [_row(audit) for audit in result.taxonomies]
        screen.table(rows, [name for name in _SHOWN if any(row[name] for row in rows)])
    else:
        (audit,) = result.taxonomies
        facts = to_document(audit)
        plain = {
            name.replace("_", " "): value
            for name, value in facts.items()
            if name != "taxonomy" and value not in (None, "") and not isinstance(value, list | dict)
        }
        screen.facts(plain, title=audit.taxonomy)
        screen.table(audit.class_counts, ["class", "count", "share"])


def _row(audit: TaxonomyAudit) -> dict[str, Any]:
    kind = "one label" if audit.kind == "single" else "several labels"
    marks = [kind, *(["closed"] if audit.closed else []), *(["ignored"] if audit.ignored else [])]
    return {
        "taxonomy": audit.taxonomy,
        "classes": audit.classes,
        "filled": percent(audit.filling_rate),
        "visual meaning": say_meaning(audit) or "not measured",
        "kind": ", ".join(marks),
        "origin": audit.origin,
        "description": audit.description,
    }


VERB = Verb(Settings, work, show, document=OneOf("taxonomies"))
