"""``vernis vocabulary``: study, prune and merge the labels of a taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.core.words.merges import Merge
from vernis.core.words.spelling import Language
from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, count, rows_shown
from vernis.verbs.see.label_merges import (
    Dismissals,
    MergedLabels,
    accept_merges,
    dismiss_merges,
    find_merges,
)
from vernis.verbs.see.vocabulary_study import (
    PrunedVocabulary,
    VocabularyStudy,
    choice_of,
    prune_vocabulary,
    round_thresholds,
    study_vocabulary,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

_ACCEPTED_FROM = 0.9
_LISTED_FROM = 0.5


def parse_pair(text: str) -> tuple[str, str]:
    """Read ``A>B`` into ``("A", "B")``; raises ValueError."""
    label, arrow, into = (part.strip() for part in text.partition(">"))
    if not (label and arrow and into):
        raise ValueError(f'expected "A>B", got {text!r}')
    return label, into


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which labels stay, and which are merged."""

    taxonomy: Annotated[str, Option("the taxonomy")]
    _: KW_ONLY
    min_count: Annotated[int | None, count("labels on N images or more stay")] = None
    keep: Annotated[int | None, count("the N most frequent labels stay")] = None
    only: Annotated[
        Path | str | None, Option("the labels listed in this file stay, one a line")
    ] = None
    drop: Annotated[Sequence[str], Option("these labels go: A,B (repeatable)")] = ()
    apply: Annotated[bool, Option("write the labels that stay as a new taxonomy, as one batch")] = (
        False
    )
    into: Annotated[str, Option("the new taxonomy (default: TAXONOMY@pruned)")] = ""
    plot: Annotated[
        Path | str | None, Option("the figure, .png or .svg (vernis: vocabulary-TAXONOMY.png)")
    ] = None
    merges: Annotated[bool, Option("propose labels that mean the same to be merged")] = False
    min_score: Annotated[
        float | None,
        Option(
            f"of a merge (default: listed from {_LISTED_FROM}, accepted from {_ACCEPTED_FROM})",
            at_least=0,
            at_most=1,
        ),
    ] = None
    language: Annotated[Sequence[Language], Option("whose plural rules hold (repeatable)")] = (
        "en",
    )
    accept_merge: Annotated[
        Sequence[tuple[str, str]],
        Option('"A>B": move the images of label A to label B (repeatable)', parse=parse_pair),
    ] = ()
    dismiss_merge: Annotated[
        Sequence[tuple[str, str]],
        Option(
            '"A>B": A and B are different things: do not propose it again (repeatable)',
            parse=parse_pair,
        ),
    ] = ()
    reopen_merge: Annotated[
        Sequence[tuple[str, str]],
        Option('"A>B": take a dismissal back (repeatable)', parse=parse_pair),
    ] = ()
    accept_all: Annotated[bool, Option("accept every merge proposed")] = False
    limit: Annotated[int | None, rows_shown(40)] = None


@dataclass(frozen=True, slots=True)
class ProposedMerges:
    """Labels that probably mean the same, surest first."""

    taxonomy: str
    space: Annotated[str | None, "in which pictures were compared"]
    merges: tuple[Merge, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked for; the others are null."""

    study: VocabularyStudy | None = None
    pruned: PrunedVocabulary | None = None
    proposed: ProposedMerges | None = None
    merged: MergedLabels | None = None
    dismissals: Dismissals | None = None
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Study the long tail of a taxonomy; prune it, or propose, accept and dismiss merges."""
    taxonomy = settings.taxonomy
    if settings.accept_merge or settings.accept_all:
        return Result(merged=_merge(session, settings))
    if settings.dismiss_merge or settings.reopen_merge:
        noted = dismiss_merges(
            session, taxonomy, settings.dismiss_merge, reopen=settings.reopen_merge
        )
        return Result(dismissals=noted)
    if settings.merges:
        from_score = _LISTED_FROM if settings.min_score is None else settings.min_score
        found = _propose(session, settings, from_score)
        notes: tuple[str, ...] = ()
        if found.space is None and found.merges:
            notes = ("not embedded yet, so pictures say nothing; vernis embed",)
        return Result(proposed=found, notes=notes)
    choice = choice_of(
        session,
        taxonomy,
        min_count=settings.min_count,
        keep=settings.keep,
        only=None if settings.only is None else read_labels(settings.only),
        drop=settings.drop,
    )
    if settings.apply:
        pruned = prune_vocabulary(session, taxonomy, choice, into=settings.into)
        notes = ()
        if pruned.without_labels:
            one, many = "class of an earlier pruning is", "classes of an earlier pruning are"
            notes = (f"{counted(pruned.without_labels, one, many)} empty now",)
        return Result(pruned=pruned, notes=notes)
    return Result(study=_study(session, settings, choice))


def _study(session: Session, settings: Settings, choice: Any) -> VocabularyStudy:
    study, described = study_vocabulary(session, settings.taxonomy, choice)
    by_frequency = choice.min_count is not None or choice.keep is not None
    mark = choice.min_count or (described.kept.min_count if by_frequency else None)
    table = round_thresholds(study, () if mark is None else (mark,))
    drawn = None
    if settings.plot is not None:
        from vernis.report.explore.vocabulary import draw_vocabulary

        drawn = draw_vocabulary(
            settings.plot,
            taxonomy=settings.taxonomy,
            counts=study.counts,
            thresholds=study.thresholds,
            labels=study.labels,
            images=study.images,
            chosen=mark,
        )
    return replace(described, table=table, plot=None if drawn is None else str(drawn))


def _propose(session: Session, settings: Settings, min_score: float) -> ProposedMerges:
    space = session.current_space()
    found = find_merges(
        session,
        settings.taxonomy,
        space,
        languages=tuple(settings.language),
        min_score=min_score,
    )
    name = None if space is None else space.name
    return ProposedMerges(settings.taxonomy, name, tuple(found))


def _merge(session: Session, settings: Settings) -> MergedLabels:
    pairs = list(settings.accept_merge)
    if settings.accept_all:
        from_score = _ACCEPTED_FROM if settings.min_score is None else settings.min_score
        named = {label for label, _ in pairs}
        found = _propose(session, settings, from_score).merges
        pairs += [(merge.label, merge.into) for merge in found if merge.label not in named]
    return accept_merges(session, settings.taxonomy, pairs)


def read_labels(path: Path | str) -> tuple[str, ...]:
    """Return the labels of a file, one a line; blank lines and those after # are left out."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a list of labels ({error})") from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def prepare(settings: Settings) -> Settings:
    """Return the settings with the figure that the command line draws."""
    if settings.plot is not None:
        return settings
    plain = "".join(c if c.isalnum() or c in "-_@." else "-" for c in settings.taxonomy)
    return replace(settings, plot=f"vocabulary-{plain}.png")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what was asked for."""
    if result.study is not None:
        _show_study(result.study, settings, screen)
    elif result.pruned is not None:
        pruned = result.pruned
        screen.line(
            f"the taxonomy '{pruned.taxonomy}' holds {counted(pruned.labels, 'label')} on "
            f"{counted(pruned.images, 'image')}; '{settings.taxonomy}' is left as it is"
        )
        _show_batch(pruned.batch, screen)
    elif result.proposed is not None:
        _show_merges(result.proposed, settings, screen)
    elif result.merged is not None:
        for label, into in result.merged.accepted:
            screen.line(f"  {label} > {into}")
        merged, images = counted(result.merged.merges, "label"), result.merged.images
        screen.line(f"{merged} merged on {counted(images, 'image')}")
        _show_batch(result.merged.batch, screen)
    elif result.dismissals is not None:
        screen.facts({"dismissed merges": result.dismissals.dismissed})


def _show_study(study: VocabularyStudy, settings: Settings, screen: Screen) -> None:
    rows = [
        {
            "min_count": row.min_count,
            "labels": row.labels,
            "images": row.images,
            "of_images": f"{row.image_share:.1%}",
            "label_assignments": row.assignments,
            "of_assignments": f"{row.assignment_share:.1%}",
        }
        for row in study.table
    ]
    screen.table(rows, list(rows[0]), title=f"Vocabulary of {settings.taxonomy}")
    kept = study.kept
    if settings.min_count or settings.keep or settings.only or settings.drop:
        dropped = counted(study.labels - kept.labels, "goes", "go")
        screen.line(
            f"{counted(kept.labels, 'label')} would stay (the rarest on "
            f"{counted(kept.min_count, 'image')}), {dropped}; {kept.lost_images:,} of "
            f"{counted(study.images, 'labelled image')} would carry none of them."
        )
        screen.line("Next: the same with --apply writes them as a taxonomy of their own.")
    if study.plot is not None:
        screen.line(f"Figure: {study.plot}")


def _show_batch(batch: int, screen: Screen) -> None:
    if batch:
        screen.line(f"(batch {batch}; vernis undo {batch} takes it back)")
    else:
        screen.line("(nothing changed)")


def _show_merges(found: ProposedMerges, settings: Settings, screen: Screen) -> None:
    if not found.merges:
        screen.line(f"no labels of {settings.taxonomy} look alike enough to be merged")
        return
    rows = [
        {
            "merge": f"{row['label']} > {row['into']}",
            "kind": row["kind"],
            "score": row["score"],
            "images": f"{row['count']:,} > {row['into_count']:,}",
            "slips": row["slips"],
            "together": row["together"],
            "context": row["context"],
            "visual": row["visual"],
            "nearest": row["nearest"],
            "mixing": row["mixing"],
        }
        for row in map(asdict, found.merges)
    ]
    title = f"{counted(len(rows), 'merge')} for {found.taxonomy}"
    screen.table(rows, list(rows[0]), title=title, limit=settings.limit)
    first = found.merges[0]
    screen.line(
        f'Next: --accept-merge "{first.label}>{first.into}", --accept-all '
        f"[--min-score {_ACCEPTED_FROM}], or --dismiss-merge for those that are two things"
    )


VERB = Verb(
    Settings,
    work,
    show,
    document=OneOf("study", "pruned", "proposed", "merged", "dismissals"),
    for_people=prepare,
)
