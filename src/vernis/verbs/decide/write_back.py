"""``vernis write-back``: write the labels into the image files, or sidecars, as keywords.

A dry run unless ``--apply`` is given. Every word of others stays; only words that Vernis wrote are
ever taken out. ``vernis undo`` brings every file back byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, get_args

from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import UsageError
from vernis.domain.metadata import Wanted
from vernis.report.wording import counted
from vernis.verbs.decide.wanted_regions import wanted_regions
from vernis.verbs.decide.wanted_words import Said, WantedWords, wanted_words
from vernis.verbs.decide.writing_back import Manner, WriteSummary, ever_written, write_words
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb
from vernis.verbs.see.filters import chosen_ids

if TYPE_CHECKING:
    from vernis.session.session import Session

_SHOWN = 20


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is written, and where."""

    _: KW_ONLY
    apply: Annotated[bool, Option("write; otherwise only say what would be written")] = False
    dry_run: Annotated[bool, Option("only say what would be written (the default)")] = False
    embed: Annotated[
        bool, Option("into the files alone; those of formats that are not written are refused")
    ] = False
    sidecar: Annotated[bool, Option("into sidecars (NAME.EXT.xmp) alone, beside all files")] = False
    include: Annotated[
        Sequence[str],
        Option(
            "labels by who said them: human, accepted, fill, given (imports), proposal, reader, "
            "api",
            "WHO,…",
            joined=True,
        ),
    ] = ("human", "accepted")
    taxonomy: Annotated[
        Sequence[str],
        Option(
            "write this taxonomy (repeatable; default: all that are not ignored); what was written "
            "of others stays"
        ),
    ] = ()
    where: Annotated[str, Option("only images that this filter holds for", "FILTER")] = ""
    regions: Annotated[
        bool, Option("also boxes, with their classes, as regions (Metadata Working Group)")
    ] = False
    stem: Annotated[
        bool, Option("call new sidecars NAME.xmp, as Lightroom reads them beside raw pictures")
    ] = False
    exiftool: Annotated[
        bool,
        Option("write TIFF, HEIC, AVIF, GIF and JPEG 2000 by exiftool, which must be installed"),
    ] = False


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that is not written, and the way out."""

    image: Annotated[str, "its path"]
    kind: Annotated[str, "changed, read-only, hard link, format, damaged, …"]
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Result:
    """What was written, or would be."""

    applied: Annotated[bool, "files were written; otherwise it was a dry run"]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing was written"]
    files: Annotated[Mapping[str, int], "jpeg, png, webp, sidecar or exiftool → files"]
    unchanged: Annotated[int, "files that say it all already"]
    added: Annotated[Mapping[str, int], "word → files that it goes into"]
    removed: Annotated[Mapping[str, int], "word of an earlier write → files that it goes out of"]
    left_out: Annotated[Mapping[str, int], "who said the labels that are not included → labels"]
    refused: Annotated[tuple[RefusedFile, ...], "files that cannot be written safely"]
    notes: Annotated[tuple[str, ...], "what was not written, and why"]
    regions: Annotated[int, "regions that go into files"] = 0

    @property
    def exit_code(self) -> int:
        """1 where a file was refused."""
        return int(bool(self.refused))


def work(session: Session, settings: Settings) -> Result:
    """Write the effective labels of images into their files, as one batch.

    JPEG, PNG and WebP hold the words themselves; beside other formats lies a sidecar. Each file is
    proved before it is set in place: every byte outside the XMP packet is the old one.

    Raises
    ------
    UsageError
        The settings contradict each other, or exiftool is asked for and missing.
    """
    manner = _manner(settings)
    said = [name.strip() for name in settings.include]
    known = get_args(Said)
    for name in said:
        if name not in known:
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise UsageError(f"nobody is called '{name}' in --include{hint}")
    names = [taxonomy.name for taxonomy in session.worked_on(settings.taxonomy)]
    wanted = wanted_words(session, names, said)
    boxes = wanted_regions(session, names, said) if settings.regions else {}
    images = {*wanted.words, *boxes, *ever_written(session)}
    chosen = chosen_ids(session, settings.where)
    if chosen is not None:
        images &= chosen
    spoken = frozenset(names) if settings.taxonomy else None
    done = write_words(
        session,
        {
            image: Wanted(
                wanted.words.get(image, ()),
                boxes.get(image, ()) if settings.regions else None,
                spoken,
            )
            for image in images
        },
        manner,
        apply=settings.apply,
    )
    return _result(done, wanted, settings)


def _manner(settings: Settings) -> Manner:
    if settings.apply and settings.dry_run:
        raise UsageError("--apply writes and --dry-run does not; give one of them")
    if settings.embed and settings.sidecar:
        raise UsageError(
            "--embed and --sidecar exclude each other; without both JPEG, PNG and WebP are embedded"
        )
    if settings.regions and settings.taxonomy:
        raise UsageError("--regions writes those of all taxonomies; leave --taxonomy out")
    if settings.sidecar and settings.exiftool:
        raise UsageError("--exiftool writes into files and --sidecar beside them; give one of them")
    where = "embed" if settings.embed else "sidecar" if settings.sidecar else "auto"
    return Manner(where, "stem" if settings.stem else "full", settings.exiftool)  # type: ignore[arg-type]


def _result(done: WriteSummary, wanted: WantedWords, settings: Settings) -> Result:
    notes = [f"{text}: {counted(count, 'file')}" for text, count in done.notes.most_common()]
    notes += [
        f"{counted(count, 'label')} said by '{who}' not written; to add: --include "
        f"{','.join((*settings.include, who))}"
        for who, count in wanted.left_out.items()
        if who in get_args(Said)
    ]
    if wanted.unfit:
        notes.append(f"names that no file can hold: {', '.join(wanted.unfit[:5])}")
    if done.swept:
        notes.append(f"removed {counted(done.swept, 'temporary file')} of a run that was cut off")
    return Result(
        applied=settings.apply,
        batch=done.batch,
        files=dict(done.files.most_common()),
        unchanged=done.unchanged,
        added=dict(done.added.most_common()),
        removed=dict(done.removed.most_common()),
        left_out=wanted.left_out,
        refused=tuple(RefusedFile(uri, r.kind, r.reason, r.remedy) for uri, r in done.refused),
        notes=tuple(notes),
        regions=done.regions,
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show how many files of which kind, the words, and what was refused."""
    total = sum(result.files.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in result.files.items())
    verb = "written" if result.applied else "would be written"
    screen.line(f"{counted(total, 'file')} {verb}{f' ({kinds})' if kinds else ''}")
    if result.unchanged:
        screen.line(f"{counted(result.unchanged, 'file')} say it all already")
    words = [{"word": w, "files": n, "": "added"} for w, n in result.added.items()]
    words += [{"word": w, "files": n, "": "taken out"} for w, n in result.removed.items()]
    if words:
        screen.table(words, ["word", "files", ""], limit=_SHOWN, title="Words")
    if result.regions:
        screen.line(f"{counted(result.regions, 'region')} added")
    if result.refused:
        columns = ["image", "reason", "remedy"]
        screen.table(result.refused, columns, limit=_SHOWN, title="Not written")
    if result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} takes it back)")
    elif total and not result.applied:
        screen.line("Nothing was written; vernis write-back --apply writes it.")


VERB = Verb(Settings, work, show)
