"""The tool that changes the statistics: what it draws, and what it leaves alone."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "mutate.py"


@pytest.fixture(scope="module")
def mutate():
    spec = importlib.util.spec_from_file_location("mutate", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutate"]


def texts(mutate, source: str) -> set[str]:
    """Return the statements that a module may come to have."""
    places = mutate.find_places(Path("x.py"), ast.parse(source))
    return {place.exchange(new)[1] for place in places for new in place.news}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b < c", {"a = b <= c", "a = b >= c"}),
        ("a = b - c", {"a = b + c"}),
        ("a = b and (not c)", {"a = b or not c", "a = b and c"}),
        ("a = ~b | c", {"a = b | c", "a = ~b & c"}),
        ("a = b[1]", {"a = b[2]", "a = b[0]"}),
        ("a = b * 0.5", {"a = b / 0.5", "a = b * 1.0", "a = b * 0.25"}),
        ("a = np.sqrt(b)", {"a = b"}),
        ("a = b.clip(c)", {"a = b"}),
        ("a = np.minimum(b, c)", {"a = np.maximum(b, c)", "a = b"}),
        ("a = sum(b, axis=0)", {"a = sum(b, axis=1)"}),
        ("a = sorted(b)", {"a = sorted(b, reverse=True)"}),
        ("a = np.argsort(b, kind='stable')", {"a = np.argsort(-b, kind='stable')"}),
        ("a = b if c else d", {"a = d if c else b"}),
        ("a += b", {"a -= b", "pass"}),
    ],
)
def test_operators_constants_calls_and_statements_are_changed(mutate, source, expected):
    assert texts(mutate, source) == expected


def test_arguments_are_returned_and_second_assignments_dropped(mutate):
    source = "def f(x: A, y: B) -> A:\n    z = g(x)\n    x = h(z)\n    return z"
    assert texts(mutate, source) == {"pass", "return x"}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    '''It takes 5 of 7.'''",
        "raise InvalidValue(f'expected {1 + 2}')",
        "a = f(dtype=3, seed=4)",
        "def f(*, seed: int = 0): pass",
        "a: NDArray[1] = b",
        "a = max_of(b, 1e-12)",
        "a = b.reshape(-1, 2)",
        "assert a < b",
    ],
)
def test_what_changes_no_result_is_not_drawn(mutate, source):
    assert texts(mutate, source) == set()


def test_every_room_has_its_files_and_tests_and_no_exception_is_out_of_date(mutate):
    rooms, equivalent = mutate.read_table()
    root = TOOL.parents[1]
    statements: dict[str, set[str]] = {}
    for room in rooms:
        assert all((root / test).is_file() for test in room.tests)
        for path in sorted(path for pattern in room.files for path in root.glob(pattern)):
            places = mutate.find_places(path, ast.parse(path.read_text(encoding="utf-8")))
            statements[path.as_posix()] = {place.header() for place in places}
    for entry in equivalent:
        assert entry["reason"]
        found = [
            text
            for name, headers in statements.items()
            if name.endswith(entry["file"])
            for text in headers
            if entry["before"] in text
        ]
        assert found, entry
