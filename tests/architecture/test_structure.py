"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "vernis"
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = {
    "sklearn",
    "scipy",
    "pandas",
    "PIL",
    "onnxruntime",
    "onnx",
    "torch",
    "rich",
    "matplotlib",
    "openTSNE",
    "rapidfuzz",
    "jinja2",
}


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = ast.get_docstring(node, clean=False)
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    return lines - (len(docstring.splitlines()) if docstring else 0)


def test_sources_are_found():
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {node.name: body_lines(node) for node in functions if body_lines(node) > 60}
    assert long == {}


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p.name == "__init__.py"],
    ids=lambda p: str(p.parent.relative_to(SOURCE)),
)
def test_a_package_says_what_it_is_for_and_what_never_goes_in(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert "Never: " in said


def test_no_module_has_a_name_that_says_nothing():
    assert not {p.stem for p in MODULES} & {"utils", "helpers", "misc", "common"}


@pytest.mark.parametrize(
    "code",
    [
        "import vernis; vernis.Collection",
        "from vernis.cli.commands import build_app; build_app(lambda *_: 0)",
    ],
)
def test_importing_and_parsing_load_nothing_heavy(code):
    program = f"import sys; {code}; print(' '.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & HEAVY == set()


@pytest.mark.parametrize("path", sorted((SOURCE / "cli").glob("*.py")), ids=lambda p: p.stem)
def test_a_count_agrees_with_its_noun(path):
    """``counted`` says "1 image"; a count beside a written noun says "1 images"."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r":,\} (?!of |in |more|x )[a-z]+", text) == []
    assert re.findall(r"\{len\([^{}]*\)\} [a-z]+", text) == []


def test_library_code_never_prints():
    offenders = [
        str(path.relative_to(SOURCE))
        for path in MODULES
        if "cli" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert offenders == []
