"""What the studies of the lab share: settings, a run into a folder, the result.

A study plans (checks its settings, reads its data, writes nothing) and measures (cell by cell, each
kept in the run's folder); `Study.run` does the rest: folder, table, notes, figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from vernis.domain.documents import to_document
from vernis.domain.ports import Progress
from vernis.report.lab.run_folder import Row, RunFolder, StudyRun, write_whole
from vernis.verbs.declare import SEED, WHERE, BaseSettings, Option, Screen, count, declared
from vernis.verbs.steps.learn import NetworkSettings

if TYPE_CHECKING:
    from vernis.session.session import Session

SAMPLE = count("labelled images at most; 0 = all", at_least=0)
FOLDS = count("parts of the cross-validation", "K", at_least=2)
COMPONENTS = count("principal components of the vectors; 0 = all columns", at_least=0)
SEEDS = count("repetitions, counted from --seed")
KINDS = Option("kinds of noise (default: all that fit)", "KIND,…", joined=True)

QUICK_MODELS = ("bagged_mlp", "logistic", "kernel", "svm")
"""What the sweeps compare unless told otherwise: the heads, and the strongest peers that are quick.
"""

S = TypeVar("S", bound="StudySettings")
R = TypeVar("R", bound="StudyResult")


def model_names(default: str = "all that are installed, and their stacking") -> Option:
    """Return the option of which models take part."""
    return Option(f"models by name (default: {default})", "A,B,…", joined=True)


@dataclass(frozen=True)
class StudySettings(BaseSettings):
    """What every study takes."""

    _: KW_ONLY
    seed: Annotated[int, SEED] = 0
    out: Annotated[
        Path | str | None,
        Option("folder of the run (default: lab/STUDY-TAXONOMY-…, the same for the same)", "DIR"),
    ] = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The settings that make the same run again, JSON-able; of the networks what was said."""
        kind: Any = type(self)
        networks = {field.name for field in fields(NetworkSettings)}
        named = {field.name: getattr(self, field.name) for field in declared(kind)}
        named.pop("out")
        if not named.get("where"):
            named.pop("where", None)  # runs of all images are named as before there were filters
        kept = {name: v for name, v in named.items() if v is not None or name not in networks}
        document: dict[str, Any] = to_document(kept)
        return document


@dataclass(frozen=True)
class TaxonomyStudySettings(StudySettings):
    """What every study of a taxonomy takes."""

    _: KW_ONLY
    where: Annotated[str, WHERE] = ""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The table of a study, and where the whole run lies."""

    study: str
    folder: Annotated[str, "of the run"]
    rows: Annotated[tuple[Mapping[str, Any], ...], "of the table that are worth showing"]
    notes: tuple[str, ...]


class Cells:
    """The cells of a run: those kept from before are read, the others computed and kept.

    Parameters
    ----------
    folder : RunFolder
    total : int
        How many there will be.
    progress : Progress
    """

    def __init__(self, folder: RunFolder, total: int, progress: Progress) -> None:
        self._folder, self._total, self._progress = folder, total, progress
        about = folder.run.arguments.get("taxonomy")
        self._task = " ".join(str(word) for word in ("lab", folder.run.study, about) if word)
        self._done = 0

    def __call__(self, key: Mapping[str, Any], compute: Callable[[], Sequence[Row]]) -> list[Row]:
        """Return the rows of a cell; see `RunFolder.cell`."""
        rows = self._folder.cell(key, compute)
        self._done += 1
        self._progress(self._task, self._done, self._total)
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Findings(Generic[R]):
    """What a study measured.

    Attributes
    ----------
    rows : sequence of mapping
        The whole table.
    draw : callable
        Draws the rows into a file.
    result : callable
        Makes the result of ``study``, ``folder``, ``rows`` and ``notes``.
    notes : tuple of str
        After those of the plan.
    shown : callable or None
        Which rows of the table are worth showing; None: all.
    files : mapping of str to str
        Further files of the run's folder: name → text.
    """

    rows: Sequence[Mapping[str, Any]]
    draw: Callable[[list[Row], Path], object]
    result: Callable[..., R]
    notes: tuple[str, ...] = ()
    shown: Callable[[list[Row]], list[Row]] | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Plan(Generic[R]):
    """A study that is ready to run.

    Attributes
    ----------
    data : mapping
        ``fingerprint`` of the data and what a reader wants to know of them, JSON-able.
    notes : tuple of str
    n_cells : int
    measure : callable
        Gets the cells, returns the findings.
    """

    data: Mapping[str, Any]
    notes: tuple[str, ...]
    n_cells: int
    measure: Callable[[Cells], Findings[R]]


@dataclass(frozen=True, slots=True, eq=False)
class Study(Generic[S, R]):
    """One study of the lab.

    Attributes
    ----------
    name : str
        Of the verb ``vernis lab NAME``, the run and its figure.
    settings : type
    keys : tuple of str
        The columns of the table that name a row.
    plan : callable
        ``plan(session, settings) -> Plan``; writes nothing.
    columns : tuple of str
        Those of the table that a terminal shows; () for all.
    """

    name: str
    settings: type[S]
    keys: tuple[str, ...]
    plan: Callable[[Session, S], Plan[R]]
    columns: tuple[str, ...] = ()

    def run(self, session: Session, settings: S, expected_data: str = "") -> R:
        """Run the study into its folder, or take up the same run where it stopped.

        Parameters
        ----------
        session : Session
        settings : StudySettings
        expected_data : str
            The fingerprint that the data must have, "" for any.

        Raises
        ------
        UsageError
            The folder holds something else, or the data are not those expected.
        """
        plan = self.plan(session, settings)
        run = StudyRun(self.name, settings.arguments, plan.data, self.keys)
        folder = RunFolder.start(run, settings.out, expected_data)
        found = plan.measure(Cells(folder, plan.n_cells, session.progress))
        for name, text in found.files.items():
            write_whole(folder.folder / name, text)
        notes = (*plan.notes, *found.notes)
        table = folder.finish(found.rows, notes, draw=found.draw)
        rows = table if found.shown is None else found.shown(table)
        return found.result(
            study=self.name, folder=str(folder.folder), rows=tuple(rows), notes=notes
        )

    def show(self, result: StudyResult, settings: object, screen: Screen) -> None:
        """Show the table and where the run lies."""
        names = dict.fromkeys(name for row in result.rows for name in row)
        screen.table(result.rows, self.columns or list(names))
        screen.line(f"Run: {result.folder}")
