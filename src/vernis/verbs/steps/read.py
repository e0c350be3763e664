"""``vernis read``: read the text in the pictures.

What is read is searched by ``search`` and by filters (``text:"absolut vodka"``, ``text~RE16``), and
``brands`` finds the brands of a list in it. Readings are kept by the content of the pictures: a
second run reads only new ones.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.readings import ReaderVersion
from vernis.report.wording import counted
from vernis.verbs.declare import WHERE, NetworkOptions, Option, Screen, Verb
from vernis.verbs.networks.embedding import undecoded
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.steps.reading import read_texts

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(NetworkOptions):
    """Which pictures are read, and by what."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""
    reader: Annotated[
        Path | str | None,
        Option(
            "a folder with *det*.onnx, *rec*.onnx and an alphabet, as PaddleOCR and RapidOCR have "
            "them (default: the shipped PP-OCRv6)"
        ),
    ] = None
    again: Annotated[bool, Option("also pictures that this reader has read")] = False
    no_gate: Annotated[
        bool,
        Option("read every picture whole, also where a quick look sees no text; far slower"),
    ] = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was read, in this run and before."""

    reader: Annotated[str, "name of the reader"]
    version: Annotated[str, "first digits of the checksum of its weights"]
    images: Annotated[int, "images that were asked for"]
    read: Annotated[int, "of these, images that are read now"]
    with_text: Annotated[int, "of these, images with text"]
    share: Annotated[float | None, "images with text, of those that are read"]
    lines: Annotated[int, "lines of text on them"]
    computed: Annotated[int, "distinct pictures that were read in this run"]
    unreadable: Annotated[int, "images that could not be decoded, now marked so"]
    seconds: float
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Read the text in pictures that were not read yet.

    Raises
    ------
    FilterError
        A wrong filter.
    UsageError, ModelError
        There is no such reader, or it cannot be used.
    """
    model = session.models.text_model(settings.reader, gate=not settings.no_gate)
    reader = ReaderVersion.of(model)
    with session.lock("read"):
        images = chosen_images(session, settings.where)
        done = read_texts(session, model, images, again=settings.again, workers=settings.workers)
    counts = session.catalog.readings.counts(reader)
    lines = [counts[image.content_hash] for image in images if image.content_hash in counts]
    with_text = sum(number > 0 for number in lines)
    return Result(
        reader=reader.name,
        version=reader.version,
        images=len(images),
        read=len(lines),
        with_text=with_text,
        share=with_text / len(lines) if lines else None,
        lines=sum(lines),
        computed=done.computed,
        unreadable=len(done.failed),
        seconds=round(done.seconds, 1),
        notes=undecoded(done.failed),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts as a table, and how to go on."""
    row = {
        "method": f"text ({result.reader})",
        "images read": result.read,
        "with text": result.with_text,
        "share": "" if result.share is None else f"{result.share:.1%}",
        "lines": result.lines,
    }
    screen.table([row], list(row), title="Text in pictures")
    rate = f", {result.computed / result.seconds:,.1f} a second" if result.seconds else ""
    screen.line(f"{counted(result.computed, 'picture')} read in this run{rate}.")
    if result.with_text:
        screen.line("Next: vernis search WORDS, or vernis brands LIST.csv")


VERB = Verb(Settings, work, show)
