"""Change the statistics at one place at a time and count the changes that the tests notice.

``python tools/mutate.py --seed 1 --count 100`` draws mutations at random places of the rooms that
``mutate.toml`` names, runs the room's tests on a copy of the tree for each, and prints the
survivors and the share that was caught. A mutation that makes the tests run out of time is caught.
What changes no result (sizes of blocks, seeds, texts of errors) is not drawn: ``mutate.toml`` lists
it with the reason.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_suffix(".toml")
Outcome = Literal["passed", "failed", "timeout"]
COPIED = ("src", "tests", "pyproject.toml")
PRELOADED = (
    "pytest", "hypothesis", "hypothesis.extra.numpy", "scipy.stats", "scipy.optimize",
    "scipy.cluster.hierarchy", "scipy.sparse", "scipy.ndimage", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.decomposition", "sklearn.metrics", "sklearn.datasets",
    "PIL.Image",
)  # fmt: skip
"""Imported once, before a process is forked for each mutation: they take longer than most tests."""

_SKIPPED_NODES = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
_SKIPPED_FIELDS = {"annotation", "returns", "decorator_list", "ctx", "op", "ops"}
_SKIPPED_KEYWORDS = {
    "dtype", "keepdims", "strict", "copy", "kind", "seed", "checks", "return_inverse",
    "return_index", "jac", "method", "options", "indexing",
}  # fmt: skip

_MOST_WAITING = 60
"""Seconds on the clock for one of processor time, before tests that wait for nothing are ended."""

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_TWINS = {"min": "max", "minimum": "maximum", "argmin": "argmax", "any": "all"}
_TWINS |= {b: a for a, b in _TWINS.items()}
_DROPPED = {
    "sqrt", "log", "log1p", "log2", "exp", "exp2", "expm1", "abs", "square", "clip", "maximum",
    "minimum", "cumsum", "sort", "round", "rint", "nan_to_num", "expit", "logit",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A node of a module that can be exchanged, what for, and the statement around it."""

    path: Path
    tree: ast.Module
    parent: ast.AST
    field: str
    index: int | None
    old: ast.AST
    news: tuple[ast.AST, ...]
    statement: ast.stmt

    def exchange(self, new: ast.AST) -> tuple[str, str]:
        """Return the text of the module, and of the statement, with another node."""
        self._put(new)
        statement = new if self.old is self.statement else self.statement
        texts = ast.unparse(ast.fix_missing_locations(self.tree)), read_header(statement)
        self._put(self.old)
        return texts

    def header(self) -> str:
        """Return the text of the statement around it."""
        return read_header(self.statement)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def read_header(statement: ast.AST) -> str:
    """Return the text of a statement without the body of a compound one."""
    lines = ast.unparse(ast.fix_missing_locations(statement)).split("\n")
    return next(line for line in lines if not line.startswith("@"))


def find_places(path: Path, tree: ast.Module) -> list[Place]:
    """Return every place of a module that can be mutated."""
    found: list[Place] = []

    def visit(node: ast.AST, statement: ast.stmt | None, function: ast.FunctionDef | None) -> None:
        for field, value in ast.iter_fields(node):
            if field in _SKIPPED_FIELDS:
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or _is_skipped(child, node, field, index):
                    continue
                inside = child if isinstance(child, ast.stmt) else statement
                news = (*mutate_node(child), *_mutate_statement(child, function))
                if news and inside is not None:
                    at = index if isinstance(value, list) else None
                    found.append(Place(path, tree, node, field, at, child, news, inside))
                if not (isinstance(child, ast.keyword) and child.arg == "axis"):
                    visit(child, inside, child if isinstance(child, ast.FunctionDef) else function)

    visit(tree, None, None)
    return found


def _is_skipped(child: ast.AST, parent: ast.AST, field: str, index: int) -> bool:
    if isinstance(child, ast.keyword):
        return child.arg in _SKIPPED_KEYWORDS
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True  # a docstring
    if (
        field == "args"
        and isinstance(parent, ast.Call)
        and ast.unparse(parent.func).endswith("reshape")
    ):
        return True  # another shape fails or is the same
    if isinstance(parent, ast.arguments) and field in ("defaults", "kw_defaults"):
        named = parent.kwonlyargs if field == "kw_defaults" else parent.args
        offset = 0 if field == "kw_defaults" else len(parent.args) - len(parent.defaults)
        return named[offset + index].arg == "seed"
    return isinstance(child, _SKIPPED_NODES)


def mutate_node(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may become, whatever is around it."""
    match node:
        case ast.Compare(ops=[first, *rest]):
            for other in _COMPARISONS[type(first)]:
                yield ast.Compare(node.left, [other(), *rest], node.comparators)
        case ast.BinOp() if type(node.op) in _OPERATORS and "'" not in ast.unparse(node):
            yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
        case ast.AugAssign() if type(node.op) in _OPERATORS:
            yield ast.AugAssign(node.target, _OPERATORS[type(node.op)](), node.value)
            yield ast.Pass()
        case ast.BoolOp():
            yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=inner):
            yield inner
        case ast.Constant(value=value):
            yield from (ast.Constant(other) for other in _other_constants(value))
        case ast.keyword(arg="axis", value=ast.Constant(value=0 | 1 as axis)):
            yield ast.keyword("axis", ast.Constant(1 - axis))
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.If(test=ast.Name() | ast.Attribute() | ast.Call()):
            yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Call():
            yield from _other_calls(node)
        case ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript()]):
            yield ast.Pass()


def _other_constants(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        # One more or less than a great number changes nothing that counts.
        return (value + 1, value - 1) if abs(value) <= 10 else (2 * value, value // 2)
    # Less than a hundred-thousandth is a guard against division by zero.
    return (2 * value, value / 2) if isinstance(value, float) and abs(value) > 1e-5 else ()


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    changed = copy.deepcopy(node)
    if isinstance(changed.func, ast.Attribute):
        name, module = changed.func.attr, ast.unparse(changed.func.value)
        inner = node.args[:1] if module == "np" else [changed.func.value]
    else:
        name, inner = ast.unparse(node.func), node.args[:1]
    if name in _DROPPED:
        yield from inner
    if name == "sorted":
        yield ast.Call(
            node.func, node.args, [*node.keywords, ast.keyword("reverse", ast.Name("True"))]
        )
    if name == "argsort" and node.args:
        yield ast.Call(node.func, [ast.UnaryOp(ast.USub(), node.args[0])], node.keywords)
    if name in _TWINS:
        if isinstance(changed.func, ast.Attribute):
            changed.func.attr = _TWINS[name]
        elif isinstance(changed.func, ast.Name):
            changed.func.id = _TWINS[name]
        yield changed


def _mutate_statement(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[ast.AST]:
    """Yield what a statement may become for what is around it.

    A second assignment to a name is left out; of the first one every test would notice it. Where
    an argument is of the type of the result, it is returned instead.
    """
    if function is None:
        return
    arguments = [*function.args.args, *function.args.kwonlyargs]
    match node:
        case ast.Assign(targets=[target]):
            own = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
            before = {argument.arg for argument in arguments} | {
                name.id
                for name in ast.walk(function)
                if isinstance(name, ast.Name)
                and isinstance(name.ctx, ast.Store)
                and name.lineno < node.lineno
            }
            if own <= before and not isinstance(target, ast.Subscript):
                yield ast.Pass()
        case ast.Return(value=ast.AST()) if function.returns is not None:
            result = ast.unparse(function.returns)
            for argument in arguments:
                if argument.annotation is not None and ast.unparse(argument.annotation) == result:
                    yield ast.Return(ast.Name(argument.arg, ast.Load()))


@dataclass(frozen=True)
class Room:
    """Files, and the tests that must notice when one of them changes."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


def read_table() -> tuple[list[Room], list[dict[str, str]]]:
    """Return the rooms and what is equivalent, from `mutate.toml`."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    rooms = [Room(n, tuple(r["files"]), tuple(r["tests"])) for n, r in table["rooms"].items()]
    return rooms, table["equivalent"]


def read_places(room: Room, equivalent: list[dict[str, str]]) -> list[Place]:
    """Return the places of a room, without what is listed as equivalent."""
    paths = sorted({path for pattern in room.files for path in REPOSITORY.glob(pattern)})
    places = [
        place
        for path in paths
        for place in find_places(path, ast.parse(path.read_text(encoding="utf-8")))
    ]
    return [kept for place in places if (kept := _without(place, equivalent)) is not None]


def _without(place: Place, equivalent: list[dict[str, str]]) -> Place | None:
    """Return the place without its equivalent mutations, None where none is left."""
    header, name = place.header(), place.path.as_posix()
    listed = [e for e in equivalent if name.endswith(e["file"]) and e["before"] in header]
    if any("after" not in entry for entry in listed):
        return None
    after = [entry["after"] for entry in listed]
    news = [n for n in place.news if not after or not _matches(place.exchange(n)[1], after)]
    return replace(place, news=tuple(news)) if news else None


def _matches(text: str, patterns: list[str]) -> bool:
    return any(re.search(pattern, text) for pattern in patterns)


class Copy:
    """A copy of the tree in which one file at a time is changed and tests are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        # One thread: no pool is lost in a fork, and a busy machine does not look like a mutation.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        # Two mutations of one second and size would share their bytecode.
        sys.dont_write_bytecode = True
        for module in PRELOADED:
            importlib.import_module(module)

    def run(self, tests: tuple[str, ...], seconds: int | None = None) -> Outcome:
        """Run tests until the first failure, at most so many seconds of processor time."""
        process = multiprocessing.get_context("fork").Process(
            target=self._run, args=(tests, seconds)
        )
        process.start()
        process.join(None if seconds is None else _MOST_WAITING * seconds)
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL):
            return "timeout"
        return "passed" if process.exitcode == 0 else "failed"

    def _run(self, tests: tuple[str, ...], seconds: int | None) -> None:
        """Run tests; in a process of its own."""
        import pytest
        from hypothesis import Phase, settings

        if seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.chdir(self.folder)
        sys.path.insert(0, str(self.folder / "src"))
        # No search for the smallest counter-example, as any one catches a mutation; no clock.
        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutation", phases=phases, database=None, deadline=None)
        settings.load_profile("mutation")
        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-seed=0"]
        options += ["-o", "timeout=0"]
        os._exit(pytest.main([*options, *tests]))

    def try_out(self, path: Path, source: str, tests: tuple[str, ...], seconds: int) -> Outcome:
        """Run tests with another text of one file."""
        changed = self.folder / path.relative_to(REPOSITORY)
        original = changed.read_text(encoding="utf-8")
        changed.write_text(source, encoding="utf-8")
        outcome = self.run(tests, seconds)
        changed.write_text(original, encoding="utf-8")
        return outcome


def run_mutations(rooms: list[Room], count: int, seed: int) -> dict[str, Counter[Outcome]]:
    """Draw mutations and return, by room, how the tests of each ended."""
    equivalent = read_table()[1]
    every = [(room, place) for room in rooms for place in read_places(room, equivalent)]
    draw = random.Random(seed)
    drawn = draw.sample(every, min(count, len(every)))
    print(f"seed {seed}: {len(drawn)} of {len(every)} places", flush=True)
    found: dict[str, Counter[Outcome]] = {room.name: Counter() for room in rooms}
    with tempfile.TemporaryDirectory() as name:
        tree = Copy(Path(name))
        limits = {room.name: _time_clean(tree, room) for room in rooms}
        for number, (room, place) in enumerate(drawn, 1):
            source, after = place.exchange(draw.choice(place.news))
            tests = _nearest_first(room.tests, place.path)
            outcome = tree.try_out(place.path, source, tests, limits[room.name])
            found[room.name][outcome] += 1
            if outcome == "passed":
                where = f"{place.path.relative_to(REPOSITORY)}:{place.statement.lineno}"
                print("\n  ".join([where, *_shorten(place.header(), after)]), flush=True)
            print(f"\r{number}/{len(drawn)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return found


def _nearest_first(tests: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """Return the tests that name a module before the others: they catch most of its mutations."""
    name = ".".join(path.with_suffix("").parts[-2:])
    return tuple(sorted(tests, key=lambda test: name not in (REPOSITORY / test).read_text("utf-8")))


def _shorten(before: str, after: str, around: int = 60) -> tuple[str, str]:
    """Return what differs between two texts, with a little of what is around it."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    first = max(start - around, 0)
    return before[first : len(before) - end + around], after[first : len(after) - end + around]


def _common(first: str, second: str) -> int:
    """Return how many characters two texts begin with in common."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))


def _time_clean(tree: Copy, room: Room) -> int:
    """Return how many seconds of processor time the tests of a mutation may take.

    Some times what they take without one. The clock on the wall would take a busy machine for an
    endless loop.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    if tree.run(room.tests) != "passed":
        raise SystemExit(f"the tests of {room.name} fail without any mutation")
    return 10 + round(4 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before))


def main() -> int:
    """Draw, run, report."""
    rooms, _ = read_table()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--room", nargs="*", choices=[room.name for room in rooms])
    parser.add_argument("--files", nargs="*", help="instead of the rooms of mutate.toml")
    parser.add_argument("--tests", nargs="*", help="the tests of --files")
    parser.add_argument("--least", type=float, default=0.0, help="fail below this share caught")
    options = parser.parse_args()
    if bool(options.files) != bool(options.tests):
        parser.error("--files and --tests go together")
    if options.files:
        rooms = [Room("files", tuple(options.files), tuple(options.tests))]
    elif options.room:
        rooms = [room for room in rooms if room.name in options.room]
    found = run_mutations(rooms, options.count, options.seed)
    if len(found) > 1:
        found["all"] = sum(found.values(), Counter())
    for name, outcomes in found.items():
        drawn = outcomes.total()
        caught = drawn - outcomes["passed"]
        share = f"{caught} of {drawn} caught ({caught / max(drawn, 1):.0%})"
        print(f"{name}: {share}, {outcomes['timeout']} of them out of time")
    return int(caught < options.least * drawn)


if __name__ == "__main__":
    sys.exit(main())
