"""The one declaration of a verb, and what is made of it: command line, methods, results."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest

from vernis.cli import dispatch
from vernis.cli.commands import build_app
from vernis.cli.main import main
from vernis.cli.progress import ProgressLines
from vernis.collection import Collection
from vernis.domain.documents import to_document
from vernis.domain.errors import InvalidCall, InvalidValue, UsageError
from vernis.session.results import Results, from_document
from vernis.session.session import Session
from vernis.verbs.catalogue import GROUPS, entries, find_entry
from vernis.verbs.declare import BaseSettings, Option, Verb, count, declared, share, without
from vernis.verbs.methods import method


@dataclass(frozen=True)
class Shared(BaseSettings):
    _: KW_ONLY
    seed: Annotated[int, Option("of everything random")] = 0


@dataclass(frozen=True)
class Settings(Shared):
    taxonomy: Annotated[str, Option("the taxonomy")]
    images: Annotated[Sequence[str], Option("paths")] = ()
    _: KW_ONLY
    limit: Annotated[int | None, count("rows")] = None
    kept: Annotated[float, share("a share")] = 0.5
    order: Annotated[Literal["score", "name"], Option("what comes first")] = "score"
    sizes: Annotated[Sequence[int] | None, Option("numbers", joined=True)] = None
    pairs: Annotated[
        Sequence[tuple[str, str]],
        Option("pairs", parse=lambda text: tuple(text.split(">"))),  # type: ignore[arg-type]
    ] = ()
    all: Annotated[bool, Option("everything")] = False


def do_nothing(session: Session, settings: Settings) -> Settings:
    return settings


VERB = Verb(Settings, do_nothing, lambda result, settings, screen: None, home=without)


class Owner:
    session = Session(None)
    verb = method(VERB)


def test_own_fields_are_told_before_shared_ones_and_arguments_first():
    names = [field.name for field in declared(Settings)]
    assert names == [
        "taxonomy",
        "images",
        "limit",
        "kept",
        "order",
        "sizes",
        "pairs",
        "all",
        "seed",
    ]
    assert [field.positional for field in declared(Settings)] == [True, True] + [False] * 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limit": 0}, "expected limit of 1 or more, got 0"),
        ({"kept": 1.0}, "expected kept between 0 and 1, got 1.0"),
        ({"order": "size"}, "expected order of score, name, got 'size'"),
        ({"kept": None}, "expected a value of kept, got None"),
    ],
)
def test_settings_refuse_what_lies_outside_the_declaration(given, message):
    with pytest.raises(InvalidValue, match=message):
        Settings("brand", **given)


def test_one_name_is_one_value_and_sequences_become_tuples():
    assert Settings("brand", "a.jpg").images == ("a.jpg",)
    assert Settings("brand", ["a.jpg", "b.jpg"]).images == ("a.jpg", "b.jpg")


@pytest.mark.parametrize("given", [[("a", "b")], [["a", "b"]], {"a": "b"}, "a>b", ["a>b"]])
def test_pairs_are_given_as_such_as_a_mapping_or_as_the_command_line_has_them(given):
    assert Settings("brand", pairs=given).pairs == (("a", "b"),)


@pytest.mark.parametrize("given", [5, [("a",)], [("a", 5)], [5], ["a>b>c"]])
def test_what_is_no_pair_is_refused_by_its_name(given):
    with pytest.raises(InvalidCall, match=r"expected pairs of tuples of \(text, text\), got"):
        Settings("brand", pairs=given)


def test_a_method_has_the_signature_and_the_help_of_the_declaration():
    signature = inspect.signature(Owner.verb)
    assert list(signature.parameters)[:3] == ["self", "taxonomy", "images"]
    assert signature.parameters["limit"].default is None
    assert signature.parameters["limit"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "rows; of 1 or more" in inspect.getdoc(Owner.verb)
    assert Owner().verb("brand", limit=3) == Settings("brand", limit=3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limt": 3}, "no parameter 'limt'; did you mean 'limit'?"),
        ({"top_k": 3}, "no parameter 'top_k'; did you mean 'limit'?"),
        ({"colour": 3}, "no parameter 'colour'; there are: taxonomy, images, limit, kept, "),
        ({"limit": "3"}, "expected limit of a whole number, got '3' (str)"),
        ({"limit": 2.5}, "expected limit of a whole number, got 2.5 (float)"),
        ({"limit": True}, "expected limit of a whole number, got True (bool)"),
        ({"kept": "half"}, "expected kept of a number, got 'half' (str)"),
        ({"all": 1}, "expected all of True or False, got 1 (int)"),
        ({"images": 5}, "expected images of text, one or several, got 5 (int)"),
        ({"images": ["a.jpg", 5]}, "expected images of text, got 5 (int)"),
        (
            {"images": pd.DataFrame({"x": [1]})},
            "expected images of text, one or several, got a DataFr",
        ),
    ],
)
def test_a_wrong_call_names_the_parameter_what_was_expected_and_what_came(given, message):
    with pytest.raises(InvalidCall, match=re.escape(message)) as raised:
        Owner().verb("brand", **given)
    assert isinstance(raised.value, UsageError)
    assert isinstance(raised.value, TypeError)
    assert str(raised.value).startswith("test_verbs: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "missing a required argument: 'taxonomy'; in order: taxonomy, images"),
        (("brand", (), 3), "too many positional arguments; in order: taxonomy, images"),
    ],
)
def test_a_call_that_does_not_fit_says_what_is_given_in_order(arguments, message):
    with pytest.raises(InvalidCall, match=message):
        Owner().verb(*arguments)


def test_numbers_of_numpy_become_pythons_and_arrays_sequences():
    made = Owner().verb("brand", pd.Index(["a", "b"]), limit=np.int64(3), sizes=np.array([8, 9]))
    assert type(made.limit) is int
    assert made.images == ("a", "b")
    assert [type(size) for size in made.sizes] == [int, int]
    assert Owner().verb("brand", sizes=8).sizes == (8,)


def test_what_only_python_can_give_is_no_option_of_the_command_line():
    verb = find_entry("issues").load()
    assert "probabilities" in [field.name for field in verb.declared()]
    assert "probabilities" not in [field.name for field in verb.options()]


def parse(*words, verb=VERB, monkeypatch):
    """Return the settings that the command line makes of words."""
    from vernis.cli import commands
    from vernis.verbs.catalogue import Entry

    entry = Entry("toy", "steps", "a toy", __name__)
    monkeypatch.setattr(Entry, "load", lambda self: verb)
    monkeypatch.setattr(commands, "entries", lambda: (entry,))
    seen = []
    app = build_app(
        lambda entry, verb, settings, common: seen.append((settings, common)) or 0, None
    )
    command, bound, _ = app.parse_args(["toy", *words], exit_on_error=False, print_error=False)
    command(*bound.args, **bound.kwargs)
    return seen[0]


def test_the_command_line_makes_the_same_settings(monkeypatch):
    words = ["brand", "a.jpg", "b.jpg", "--limit", "3", "--order", "name", "--sizes", "512,256"]
    words += ["--pairs", "a>b", "--pairs", "c>d", "--all", "--json", "--collection", "x.vernis"]
    settings, common = parse(*words, monkeypatch=monkeypatch)
    assert settings == Settings(
        "brand",
        ("a.jpg", "b.jpg"),
        limit=3,
        order="name",
        sizes=(512, 256),
        pairs=(("a", "b"), ("c", "d")),
        all=True,
    )
    assert (common["collection"], common["json"], common["quiet"]) == ("x.vernis", True, None)


def test_numbers_between_commas_that_are_none_are_said(monkeypatch):
    with pytest.raises(InvalidValue, match="--sizes: expected numbers between commas, got 5,x"):
        parse("brand", "--sizes", "5,x", monkeypatch=monkeypatch)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ([], ["--help"]),
        (["help", "issues"], ["issues", "--help"]),
        (["--quiet", "issues", "t"], ["issues", "t", "--quiet"]),
        (["--collection", "a.vernis", "status"], ["status", "--collection", "a.vernis"]),
        (["--quiet", "history", "--", "-a.jpg"], ["history", "--quiet", "--", "-a.jpg"]),
        (["--collection=a.vernis", "status"], ["status", "--collection=a.vernis"]),
    ],
)
def test_common_options_may_stand_before_the_verb(words, first):
    assert dispatch._in_order(words) == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["isues", "t"], 'Did you mean "issues"?'),
        (["issues", "t", "--limt", "3"], "Did you mean --limit?"),
        (
            ["issues", "t", "--limit", "few"],
            'convert "few" into a whole number.',
        ),
        (["labels", "t", "u", "v w"], "too many arguments: u 'v w'"),
        (["learn", "t", "--seed", "-1"], "expected seed from 0 to 4294967295, got -1"),
        (["run", ".", "--workers", "99999999999"], "expected workers from 1 to 1024"),
        (["run", ""], "expected path to be a path, got an empty text"),
        (["completion", "tcsh"], "bash, zsh, fish"),
        (["--quiet"], "--quiet needs a verb"),
    ],
)
def test_a_slip_is_one_line_with_the_nearest_word(words, message, capsys):
    assert main(words) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


def test_too_little_memory_is_one_line(monkeypatch, capsys):
    def exhausted(words):
        raise MemoryError("Unable to allocate 20.2 TiB")

    monkeypatch.setattr(dispatch, "dispatch", exhausted)
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("vernis: out of memory (Unable to allocate 20.2 TiB).")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_verbs_and_options(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "vernis" in script
    assert "compare-spaces" in script
    assert "min-yield" in script


def test_the_help_lists_every_verb_by_group_and_nothing_alone_prints_it(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == text
    for title in GROUPS.values():
        assert title in text
    for entry in entries():
        # Of a group of verbs the group is named.
        assert f" {entry.name.split()[0]} " in text


def test_every_verb_is_a_method_of_the_same_name():
    homes = {"see": Collection.explore, "networks": Collection.explore, "lab": Collection.lab}
    for entry in entries():
        if entry.name in ("demo", "estimate", "worker"):
            continue  # they bring their own collection or need none
        if entry.module.startswith("vernis.app."):
            continue  # it stands above the collection
        name = entry.name.removeprefix("lab ").replace("-", "_").replace(" ", "_")
        name = "import_" if name == "import" else name
        owners = [Collection]
        if entry.group in homes:
            owners.append(inspect.signature(homes[entry.group].fget).return_annotation)
        found = [o for o in owners if hasattr(o if isinstance(o, type) else _class(o), name)]
        assert found, entry.name


def _class(name):
    import vernis.collection

    return getattr(vernis.collection, name)


# --------------------------------------------------------------------------- results


@dataclass(frozen=True)
class Inner:
    class_: str
    score: float
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    VERSION: ClassVar[int] = 2

    rows: tuple[Inner, ...]
    by_name: Mapping[str, Inner]
    kind: Literal["a", "b"] | None = None


@dataclass(frozen=True)
class Decided:
    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    pairs: tuple[tuple[str, str], ...] = ()


class FakeRuns:
    def __init__(self):
        self.kept = {}

    def finish(self, name, fingerprint, summary):
        self.kept[name] = (fingerprint, summary)

    def is_done(self, name, fingerprint):
        return name in self.kept and self.kept[name][0] == fingerprint

    def summary(self, name):
        return self.kept[name][1] if name in self.kept else None


def test_results_come_back_as_the_same_type():
    found = Found((Inner("cat", math.nan, (1, 2)),), {"x": Inner("dog", 0.25)}, "a")
    document = to_document(found)
    assert document["rows"][0] == {"class": "cat", "score": None, "numbers": [1, 2]}
    again = from_document(Found, document)
    assert math.isnan(again.rows[0].score)
    assert again.by_name == found.by_name
    assert again.rows[0].numbers == (1, 2)
    assert to_document({"a": np.float32(0.5), "b": np.arange(2)}) == {"a": 0.5, "b": [0, 1]}


def test_results_of_another_kind_version_or_input_are_none():
    results = Results(FakeRuns())
    assert results.find("x", Found) is None
    found = Found((), {})
    results.keep("x", found, "mark")
    assert results.find("x", Found) == found
    assert results.find("x", Found, "mark") == found
    assert results.find("x", Found, "other") is None
    assert results.find("x", Decided) is None
    results._runs.kept["x"][1]["version"] = 1
    assert results.find("x", Found) is None


def test_decisions_that_were_kept_before_there_were_versions_are_read():
    results = Results(FakeRuns())
    results._runs.finish("d", "", {"pairs": [["a", "b"]]})
    assert results.find("d", Decided) == Decided((("a", "b"),))
    results._runs.finish("f", "", {"rows": [], "by_name": {}})
    assert results.find("f", Found) is None


# --------------------------------------------------------------------------- progress


def test_a_long_step_says_a_line_a_minute_in_a_log(capsys):
    now = [0.0]
    progress = ProgressLines(lambda: now[0])
    for done in range(0, 201, 10):
        now[0] = float(done)
        progress("embed", done, 200)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["60", "120", "180", "200.0"]
    assert "60 of 200, about 2 min left" in lines[0]
