"""``vernis lab rerun``: run a study again from its folder.

With the settings of the folder, into another one; a run that was stopped is finished in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from vernis.domain.errors import InvalidValue, UsageError
from vernis.report.lab.run_folder import StoredRun, read_run
from vernis.report.wording import counted
from vernis.verbs.catalogue import find_entry
from vernis.verbs.declare import BaseSettings, Home, Option, Screen, Verb, declared
from vernis.verbs.lab.diff import compare_runs
from vernis.verbs.lab.study import Study, StudyResult, StudySettings
from vernis.verbs.methods import name_of

if TYPE_CHECKING:
    from vernis.session.session import Session

S = TypeVar("S", bound=StudySettings)

TIME = "_s"
"""A column ``x_s`` holds seconds."""


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which run is repeated, and where."""

    folder: Annotated[Path | str, Option("of a lab run", "FOLDER")]
    _: KW_ONLY
    other_data: Annotated[bool, Option("even though the collection's data differ")] = False
    out: Annotated[
        Path | str | None,
        Option(
            "folder of the run (default: FOLDER-again; in place when the run was stopped)", "DIR"
        ),
    ] = None


def home(settings: Settings) -> Home:
    """Say that a study that draws its own data needs no collection."""
    run = read_run(settings.folder)
    module = _module_of(settings.folder, run)
    needed: Home = module.VERB.home(settings_of(settings.folder, run, module.STUDY.settings))
    return needed


def work(session: Session, settings: Settings) -> StudyResult:
    """Run the study of a folder again, with its settings, into another folder.

    Raises
    ------
    UsageError
        The folder holds no run, its data differ from the collection's, or this version of Vernis
        does not take its settings.
    """
    folder, run = Path(settings.folder), read_run(settings.folder)
    study = _study_of(folder, run)
    own = settings_of(folder, run, study.settings)
    own = replace(own, out=_place(folder, run, settings.out))
    expected = "" if settings.other_data else str(run.data.get("fingerprint", ""))
    result = study.run(session, own, expected)
    repeated = describe_repetition(folder, run, result.folder)
    return replace(result, notes=(*result.notes, *filter(None, [repeated])))


def show(result: StudyResult, settings: Settings, screen: Screen) -> None:
    """Show what the study shows."""
    study = _study_of(result.folder, read_run(result.folder))
    study.show(result, settings, screen)


def _study_of(folder: Path | str, run: StoredRun) -> Study[Any, StudyResult]:
    study: Study[Any, StudyResult] = _module_of(folder, run).STUDY
    return study


def _module_of(folder: Path | str, run: StoredRun) -> Any:
    """Return the module of the study of a run."""
    entry = find_entry(f"lab {run.study}")
    module = None if entry is None else import_module(entry.module)
    if not hasattr(module, "STUDY"):
        raise UsageError(f"{folder}: this version of Vernis has no study '{run.study}'")
    return module


def _place(folder: Path, run: StoredRun, out: Path | str | None) -> Path:
    """Return where a run is repeated: a stopped one in place, a finished one beside itself."""
    if out is not None:
        return Path(out)
    return folder.with_name(f"{folder.name}-again") if run.finished else folder


def settings_of(folder: Path | str, run: StoredRun, kind: type[S]) -> S:
    """Return the settings that a run was made with.

    Raises
    ------
    UsageError
        The study has no setting of a name, or a value is none that it takes.
    """
    settings: Any = kind
    known = {field.name: field for field in declared(settings)}
    unknown = sorted({*run.arguments} - {*known})
    lacking = [
        name
        for name, field in known.items()
        if field.default is inspect.Parameter.empty and name not in run.arguments
    ]
    if unknown or lacking:
        why = f"it has no setting '{unknown[0]}'" if unknown else f"'{lacking[0]}' is missing"
        raise UsageError(f"{folder}: this version of Vernis cannot repeat it ({why})")
    for name, value in run.arguments.items():
        field = known[name]
        if not (field.optional and value is None) and not _is_of(value, field.type):
            raise _damaged(folder, f"{name} is {value!r}, expected {name_of(field)}")
    try:
        return kind(**run.arguments)
    except InvalidValue as error:
        raise _damaged(folder, str(error)) from error


def _damaged(folder: Path | str, why: str) -> UsageError:
    return UsageError(f"{folder}/run.json: damaged ({why}); run the study again")


def _is_of(value: Any, kind: Any) -> bool:
    """Tell whether a value of a JSON document is of the type of a setting."""
    origin = get_origin(kind)
    if origin is Literal:
        return isinstance(value, str)
    if origin in (Union, UnionType):
        return any(_is_of(value, member) for member in get_args(kind))
    if origin is Sequence:
        return isinstance(value, list) and all(_is_of(item, get_args(kind)[0]) for item in value)
    if kind in (int, float):
        number = int if kind is int else int | float
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, str if kind is Path else kind)


def describe_repetition(folder: Path | str, run: StoredRun, again: Path | str) -> str:
    """Say whether a run that was repeated gave the same table again; "" if it was just finished.

    Parameters
    ----------
    folder : Path or str
    run : StoredRun
        ``read_run(folder)`` before the repetition.
    again : Path or str
        Folder of the repetition.
    """
    if not run.finished or Path(again).resolve() == Path(folder).resolve():
        return ""
    found = compare_runs(folder, again)
    rows = [row for row in found.rows if not row["measure"].endswith(TIME)]
    other = sum(bool(row["difference"]) for row in rows)
    lone = len(found.only_a) + len(found.only_b)
    if not other and not lone:
        return f"the table is that of {folder}, but for the times"
    lone_rows = f", {counted(lone, 'row is', 'rows are')} in one run alone" if lone else ""
    return (
        f"not the table of {folder}: {other:,} of {counted(len(rows), 'value')} changed"
        f"{lone_rows}; see vernis lab diff {folder} {again}"
    )


VERB = Verb(Settings, work, show, home=home)
