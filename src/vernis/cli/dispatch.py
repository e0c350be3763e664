"""From the words of a command line to a verb, its collection, and what is printed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.cli.commands import COMMON, build_app
from vernis.domain.errors import UsageError, VernisError
from vernis.verbs.catalogue import Entry, find_entry
from vernis.verbs.declare import Home, Verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vernis.cli.output import Terminal
    from vernis.session.session import Session

_SHELLS = ("bash", "zsh", "fish")
_KINDS = {"int": "a whole number", "float": "a number", "bool": "yes or no"}


def dispatch(words: Sequence[str]) -> int:
    """Run the verb that the words name; returns the exit code."""
    words = _in_order(list(words))
    if words[:1] == ["completion"]:
        return _print_completion(words[1:])
    from cyclopts import CycloptsError

    app = build_app(run_verb, _named(words))
    try:
        command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise UsageError(_one_line(error, words)) from error
    return int(command(*bound.args, **bound.kwargs) or 0)


def _in_order(words: list[str]) -> list[str]:
    """Return the words with the verb first: ``--quiet run x`` as ``run x --quiet``."""
    if not words:
        return ["--help"]
    if words[0] == "help":
        return [*words[1:], "--help"]
    if words[0] == "labels" and len(words) > 1 and Path(words[1]).is_file():
        # Its name until version 0.1; a taxonomy is hardly called like a file.
        words[0] = "import"
    before: list[str] = []
    while words and words[0].partition("=")[0] in {f"--{name}" for name in COMMON}:
        before.append(words.pop(0))
        if before[-1] == "--collection" and words:
            before.append(words.pop(0))
    if not words:
        raise UsageError(f"{before[0]} needs a verb; see: vernis --help")
    if words[0] == "audit":
        words[0] = "taxonomies"  # its name until version 0.1
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *before, *words[end:]]


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Return the verb that the words begin with; of ``lab`` alone none."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if find_entry(name) is not None:
            return (name,)
    return ()


def _one_line(error: Exception, words: Sequence[str]) -> str:
    """Return an error of the parser as one line that names the nearest word."""
    from cyclopts.exceptions import UnusedCliTokensError

    text = " ".join(str(error).split())
    text = text.split(" Available commands:")[0]
    if isinstance(error, UnusedCliTokensError):
        text = f"too many arguments: {shlex.join(error.unused_tokens or ())}"
    for kind, meant in _KINDS.items():
        text = text.replace(f"into {kind}.", f"into {meant}.")
    named = _named(words)
    hint = f"vernis {named[0]} --help" if named else "vernis --help"
    return f"{text} (see: {hint})"


def _print_completion(words: Sequence[str]) -> int:
    """Print the completion script of a shell."""
    if len(words) != 1 or words[0] not in _SHELLS:
        raise UsageError(f"expected one of {', '.join(_SHELLS)}: vernis completion bash")
    app = build_app(run_verb, None)
    print(app.generate_completion(shell=words[0]))  # type: ignore[arg-type]
    return 0


def run_verb(entry: Entry, verb: Verb[Any, Any], settings: Any, common: dict[str, Any]) -> int:
    """Do the work of a verb and print its result; returns the exit code."""
    from vernis.cli.output import Terminal, print_json
    from vernis.cli.progress import choose_progress

    as_json = bool(common.get("json"))
    if not as_json:
        settings = verb.for_people(_for_a_table(verb, settings))
    home, screen = verb.home(settings), Terminal()
    with _opened(home, common.get("collection"), screen) as session:
        if not as_json:
            # Before the progress begins, which would draw over the question.
            settings = verb.ask(session, settings, screen)
        with choose_progress(bool(common.get("quiet"))) as progress:
            session.progress = progress
            result = verb.do(session, settings)
    if as_json:
        print_json(verb.document(result))
    else:
        verb.show(result, settings, screen)
    for note in getattr(result, "notes", ()):
        screen.note(note)
    following = None if as_json else verb.then(result, settings)
    if following is not None:
        after = find_entry(following[0])
        assert after is not None
        next_verb = after.load()
        return run_verb(after, next_verb, next_verb.settings(**following[1]), {})
    return int(getattr(result, "exit_code", 0))


def _for_a_table(verb: Verb[Any, Any], settings: Any) -> Any:
    """Return the settings with what a table takes where nothing was said."""
    defaults = {
        field.name: field.option.table_default
        for field in verb.options()
        if field.option.table_default is not None and getattr(settings, field.name) is None
    }
    return replace(settings, **defaults) if defaults else settings


@contextmanager
def _opened(home: Home, named: str | None, screen: Terminal) -> Iterator[Session]:
    """Open the collection that the verb works on; make one where the verb may."""
    from vernis.session.recognition import find_home, find_named_home
    from vernis.session.session import SUFFIX, Session

    if not home.needed:
        yield Session(None)
        return
    if home.name and not named:
        named = str(find_named_home(home.name, Path(), SUFFIX))
    if home.folder is None and not (home.may_be_new and named):
        with Session.open(named or home.collection) as session:
            yield session
        return
    if named or home.folder is None:
        folder = Path(named or "")
    else:
        found = find_home(home.folder, Path(), SUFFIX)
        folder = found.folder
        if found.note:
            screen.note(found.note)
    if folder.exists():
        with Session.open(folder) as session:
            yield session
        return
    with Session.create(folder) as session:
        try:
            yield session
        except VernisError:
            # Nothing came of it, so it leaves nothing behind.
            session.discard_if_empty()
            raise
