"""``vernis run``: do the whole job on a folder, and write the report."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.core.explore.file_kinds import say_file_kinds
from vernis.domain.addresses import is_address
from vernis.domain.errors import MissingExtra, NotFound, NothingToLearn, UsageError
from vernis.domain.types import Estimate
from vernis.report.wording import counted, estimated, is_hardly_any, may_be_none
from vernis.verbs.decide.deduplication import find_duplicates
from vernis.verbs.decide.filling import fill_taxonomy
from vernis.verbs.decide.judged_count import JudgedCount, judged_count
from vernis.verbs.decide.keepers import PREFER, prefer_folders
from vernis.verbs.decide.label_judgement import JudgementSettings, judge_labels
from vernis.verbs.declare import (
    SEED,
    BaseSettings,
    Home,
    NetworkOptions,
    Option,
    Screen,
    Verb,
    share,
)
from vernis.verbs.networks import embed
from vernis.verbs.networks.backbone_options import ARITHMETIC, BACKBONE, DEFAULT, Arithmetic
from vernis.verbs.networks.embedding import THOROUGH
from vernis.verbs.start import report
from vernis.verbs.steps import detect, import_, index, learn, read
from vernis.verbs.steps.describing import FileWords
from vernis.verbs.steps.file_words import FILES
from vernis.verbs.steps.folder_classes import ClassesFrom, label_by_folders
from vernis.verbs.steps.insides import EveryOption, InsideOption
from vernis.verbs.steps.label_import import finder_of
from vernis.verbs.steps.quality import count_open_quality, judge_quality
from vernis.verbs.steps.table_settings import TableSettings

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(TableSettings, NetworkOptions):
    """What the job is done on, and how."""

    path: Annotated[Path | str, Option("a folder of images, or an address such as s3://BUCKET")]
    _: KW_ONLY
    labels: Annotated[
        Path | str | None,
        Option(
            "a table (CSV, TSV, Excel, OpenDocument, Parquet): a column that names the images, one "
            "column a taxonomy (default: the names of folders, where they are classes)"
        ),
    ] = None
    backbone: Annotated[str, BACKBONE] = DEFAULT
    arithmetic: Annotated[Arithmetic | None, ARITHMETIC] = None
    fill_precision: Annotated[float, share("precision that suggested labels promise")] = 0.95
    seed: Annotated[int, SEED] = 0
    classes_from: ClassesFrom = None
    file_words: FileWords = None
    inside: InsideOption = ()
    every: EveryOption = None
    prefer: Annotated[Sequence[Path | str], PREFER] = ()
    read: Annotated[
        bool, Option("also read the text in the pictures, which takes far longer than the rest")
    ] = False
    detect: Annotated[
        bool, Option("also find objects in the pictures, which doubles the time or so")
    ] = False
    thorough: Annotated[bool, THOROUGH] = False
    report: Annotated[Path | str, Option("folder of the report")] = report.DEFAULT_FOLDER
    open: Annotated[
        bool, Option("on the command line: go on with vernis serve, which opens the browser")
    ] = False


@dataclass(frozen=True, slots=True)
class TaxonomyFindings:
    """What was found in the labels of a taxonomy."""

    wrong_labels: Annotated[int | None, "label issues worth reading; null: not judged"]
    estimate: Annotated[
        Estimate | None, "images with a wrong label; low below 0.5: probably there is none"
    ]
    labels_to_fill: Annotated[int | None, "missing labels suggested; null: not learned"]
    class_merges: Annotated[int, "classes that look like another one as a whole"] = 0
    judged: Annotated[
        JudgedCount | None, "wrong labels by a sample that a person judged; null: there is none"
    ] = None


@dataclass(frozen=True, slots=True)
class Result:
    """What the job found, and where the report lies."""

    images: Annotated[int, "images that could be read"]
    other_files: Annotated[int, "files that are no images"]
    unreadable: int
    quality_issues: int
    images_with_quality_issues: int
    duplicate_groups: int
    images_with_text: Annotated[int | None, "with --read; null: not read"]
    images_with_objects: Annotated[int | None, "with --detect; null: not looked for"]
    taxonomies: Mapping[str, TaxonomyFindings]
    report: Annotated[str, "path of the page"]
    collection: Annotated[str, "path of its folder"]
    next: Annotated[str, "the command to go on with"]
    notes: tuple[str, ...]


def home(settings: Settings) -> Home:
    """Say that a collection may be made; raises UsageError where there is nothing to work on.

    Raises
    ------
    UsageError
        The folder or the label file is not there, or columns are named of no file.
    MissingExtra
        The browser is to be opened, and what serves it is not installed.
    """
    path = Path(settings.path)
    far = is_address(str(settings.path))
    if settings.open and find_spec("fastapi") is None:
        raise MissingExtra("app", "vernis run --open")
    if not far and not path.is_dir():
        raise UsageError(f"{path}: no such folder; vernis run takes a folder of images")
    if settings.labels is None and settings.closed:
        raise UsageError("--closed is about the columns of --labels FILE")
    if settings.labels is not None and not Path(settings.labels).is_file():
        raise UsageError(
            f"{settings.labels}: no such file; --labels takes a table such as a CSV file"
        )
    return index.home(index.Settings((settings.path,))) if far else Home(folder=path)


def work(session: Session, settings: Settings) -> Result:
    """Do every step: index, embed, quality, duplicates, learn, label issues, fill, report.

    Every step skips what was done before on the same input. Where a taxonomy has too few labels
    for a step, the step is left out with a note.
    """
    home(settings)
    sheets = None
    if settings.labels is not None:
        sheets = session.interchange.read_sheets(Path(settings.labels))
    with session.lock("run"):
        listed = _list_images(session, settings)
        notes = list(listed.notes)
        if listed.other_files:
            others = say_file_kinds(session.catalog.images.other_files())
            notes.append(f"left out, since they are no pictures: {others}")
        labelled = False
        if sheets is not None:
            imported = import_.import_table(session, sheets, settings)
            labelled, notes = bool(imported.labelled), [*notes, *imported.notes]
        _require_taxonomies(session, settings)
        objects, text = _look_at_pictures(session, settings)
        judge_quality(session)
        notes += label_by_folders(
            session, classes_from=settings.classes_from, keep_case=settings.keep_case
        ).notes
        notes += _say_ignored(session, settings)
        if not labelled and all(one.origin == FILES for one in session.taxonomies()):
            notes.append(_say_no_labels(session, settings))
        found = find_duplicates(session)
        prefer_folders(session, settings.prefer)
        findings = {
            taxonomy.name: _work_on_labels(session, taxonomy.name, settings, notes)
            for taxonomy in session.worked_on(settings.taxonomy or ())
        }
        page = report.work(
            session,
            report.Settings(
                taxonomy=settings.taxonomy or (), out=settings.report, workers=settings.workers
            ),
        )
        notes += page.notes
    issues, images = count_open_quality(session)
    return Result(
        images=len(session.table()),
        other_files=listed.other_files,
        unreadable=len(session.images("unreadable")),
        quality_issues=issues,
        images_with_quality_issues=images,
        duplicate_groups=found.groups,
        images_with_text=text,
        images_with_objects=objects,
        taxonomies=findings,
        report=page.page,
        collection=str(session.catalog.folder),
        next=_next(findings, found.groups) + session.option(),
        notes=tuple(notes),
    )


def _list_images(session: Session, settings: Settings) -> index.Result:
    wanted = index.Settings(
        (settings.path,),
        workers=settings.workers,
        keep_case=settings.keep_case,
        file_words=settings.file_words,
        inside=settings.inside,
        every=settings.every,
    )
    return index.work(session, wanted, by_folders=False)


def _look_at_pictures(session: Session, settings: Settings) -> tuple[int | None, int | None]:
    """Embed, find objects and read; return how many images hold objects, and how many text."""
    workers = settings.workers
    embed.work(
        session,
        embed.Settings(
            backbone=settings.backbone,
            arithmetic=settings.arithmetic,
            workers=workers,
            thorough=settings.thorough,
        ),
        beside=[session.models.object_model()] if settings.detect else (),
    )
    objects = text = None
    if settings.detect:
        objects = detect.work(session, detect.Settings(workers=workers)).with_objects
    if settings.read:
        text = read.work(session, read.Settings(workers=workers)).with_text
    return objects, text


def _require_taxonomies(session: Session, settings: Settings) -> None:
    """Refuse a name that no taxonomy has, before hours of work; folders may still give ``class``.

    Raises
    ------
    NotFound
    """
    for name in settings.taxonomy or ():
        known = [taxonomy.name for taxonomy in session.taxonomies()]
        if name not in known and not name.startswith("class"):
            raise NotFound(
                f"there is no taxonomy '{name}'; there are: {', '.join(known) or 'none yet'}; "
                "a column of a table needs --labels FILE"
            )


def _say_ignored(session: Session, settings: Settings) -> list[str]:
    """Return which taxonomies are left out because a person said so."""
    if settings.taxonomy:
        return []
    names = [shlex.quote(taxonomy.name) for taxonomy in session.taxonomies() if taxonomy.ignored]
    if not names:
        return []
    return [
        f"ignored: {', '.join(names)}; to work on one again: vernis taxonomies --heed {names[0]}"
    ]


def _say_no_labels(session: Session, settings: Settings) -> str:
    """Return what is missing, and the command that mends it where a file of labels lies there."""
    path, labels = Path(settings.path), settings.labels
    if labels is not None:
        return (
            f"no labels were taken from {labels}, so none were judged; all the rest is done. "
            f"What each column is taken for: vernis import {shlex.quote(str(labels))} --dry-run"
        )
    tables: Sequence[Path] = ()
    if not is_address(str(settings.path)):
        finder = finder_of(session, str(path.absolute()))
        tables = session.interchange.find_label_tables(path, finder)
    if tables:
        return (
            f"no labels were read, but {tables[0].name} names images of this folder; to find "
            f"wrong and missing labels: vernis run {shlex.quote(str(path))} "
            f"--labels {shlex.quote(str(tables[0]))}"
        )
    return (
        "no labels to judge; to find wrong and missing ones, give a table of them "
        "(--labels FILE), or lay the images in class folders"
    )


def _work_on_labels(
    session: Session, name: str, settings: Settings, notes: list[str]
) -> TaxonomyFindings:
    """Learn a taxonomy, judge its labels, fill it; each as far as its labels reach."""
    try:
        notes += learn.work(session, learn.Settings(name, seed=settings.seed)).notes
    except NothingToLearn as error:
        notes.append(str(error))
        return TaxonomyFindings(None, None, None)
    wrong = estimate = to_fill = None
    merges, findings, too_few, by_sample = 0, list[str](), False, None
    try:
        judged = judge_labels(session, name, JudgementSettings(seed=settings.seed))
        findings = judged.findings
        notes += findings
        wrong, estimate = (None if judged.wrong is None else judged.flagged), judged.wrong
        merges = 0 if judged.told_apart is None else len(judged.told_apart.merges)
        by_sample = judged_count(session, name)
        if judged.to_judge is not None and by_sample is None:
            notes.append(f"{name}: {judged.to_judge.sentence(name)}")
    except NothingToLearn as error:
        notes.append(str(error))
        too_few = True
    try:
        filled = fill_taxonomy(session, name, precision=settings.fill_precision)
        to_fill = filled.suggested
        if filled.n_abstained and not to_fill and not too_few:
            why = [note for note in filled.notes if note not in findings]
            notes += [f"{name}: {note}" for note in why[:1]]
    except NothingToLearn as error:
        notes.append(str(error))
    return TaxonomyFindings(wrong, estimate, to_fill, merges, by_sample)


def _next(findings: Mapping[str, TaxonomyFindings], groups: int) -> str:
    suspicious = [
        name for name, found in findings.items() if found.wrong_labels or found.class_merges
    ]
    for name in sorted(suspicious, key=lambda name: _may_be_none(findings[name])):
        return f"vernis issues {shlex.quote(name)}"
    return "vernis duplicates" if groups else "vernis status"


def _may_be_none(found: TaxonomyFindings) -> bool:
    return found.estimate is not None and may_be_none(found.estimate)


def _say_wrong(found: TaxonomyFindings) -> str | int | None:
    if found.wrong_labels and found.estimate is not None and may_be_none(found.estimate):
        how_many = f"perhaps none, at most {round(found.estimate.high):,}"
        if is_hardly_any(found.estimate):
            how_many = "probably none"
        return f"{how_many}; look at the {found.wrong_labels:,} most suspicious"
    return found.wrong_labels


def show(result: Result, settings: BaseSettings, screen: Screen) -> None:
    """Show what was found and what to do next."""
    facts: dict[str, Any] = {
        "images": result.images,
        "other files": result.other_files,
        "unreadable": result.unreadable,
        "quality issues": result.quality_issues,
        "images with quality issues": result.images_with_quality_issues,
        "duplicate groups": result.duplicate_groups,
    }
    if result.images_with_text is not None:
        facts["images with text"] = result.images_with_text
    if result.images_with_objects is not None:
        facts["images with objects"] = result.images_with_objects
    for name, found in result.taxonomies.items():
        if found.wrong_labels is not None:
            facts[f"{name}: probably wrong labels"] = _say_wrong(found)
        if found.judged is not None:
            told = counted(found.judged.judged, "judged label")
            facts[f"{name}: wrong labels by {told}"] = estimated(found.judged.wrong)
        if found.class_merges:
            facts[f"{name}: classes that look like another"] = found.class_merges
        if found.labels_to_fill is not None:
            facts[f"{name}: labels to fill"] = found.labels_to_fill
    screen.line()
    screen.facts(facts, title="Found")
    screen.line(f"\nReport: {result.report}")
    screen.line(f"Next:   {result.next}")


def then(result: Result, settings: Settings) -> tuple[str, Mapping[str, Any]] | None:
    """Say that the collection is to be opened in the browser, where that is wanted."""
    return ("serve", {"folder": result.collection}) if settings.open else None


VERB = Verb(Settings, work, show, home=home, then=then)
