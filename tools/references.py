"""Write the references from the verbs' declarations, or check them (``--check``).

docs/cli.md and docs/json.md; with the extra ``app`` also docs/openapi.json and docs/rest.md.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from vernis.verbs.catalogue import GROUPS, Entry, entries
from vernis.verbs.declare import FLAT, Declared, OneOf, Verb
from vernis.verbs.methods import name_of, say

DOCS = Path(__file__).resolve().parents[1] / "docs"

CLI_INTRODUCTION = """# Command line

Made by `python tools/references.py` from the verbs' declarations; do not edit.

JSON goes to standard output, progress and messages go to standard error. Exit codes: 0 done,
1 failed, 2 wrong usage, 130 stopped by Ctrl-C (finished work is kept; the same command goes on).
Every verb takes `--collection DIR` (the `NAME.vernis` folder; default: the only one beside or above
the working folder), `--quiet` (no progress), `--json` (JSON on standard output) and `--help`; the
first three may also stand before the verb. Options that can be repeated are marked with …
`vernis completion bash|zsh|fish` prints what completes verbs and options in that shell.
The shapes of `--json` are in [json.md](json.md). In Python the verbs are methods of the same names
and settings, `-` written as `_`: of `Collection`, those under "See" and "Networks" of
`collection.explore`, those of `lab` of `collection.lab`.
"""

JSON_INTRODUCTION = """# The shapes of `--json`

Made by `python tools/references.py` from the verbs' results; do not edit.

Floats are rounded to six decimals; what is not known is `null`. In Python the verbs return these
results as frozen dataclasses with the same names (a name that Python keeps for itself has a `_` at
its end), but for those that return pandas frames. Keys may be added in any version; one that is
renamed or removed is listed in [CHANGELOG.md](../CHANGELOG.md).
"""


def main() -> int:
    """Write the pages, or tell which is not current."""
    pages = {"cli.md": cli_page(), "json.md": json_page()}
    if find_spec("fastapi") is not None:
        pages["openapi.json"], pages["rest.md"] = rest_pages()
    if "--check" not in sys.argv[1:]:
        for name, text in pages.items():
            (DOCS / name).write_text(text, encoding="utf-8")
        return 0
    stale = [n for n, text in pages.items() if (DOCS / n).read_text(encoding="utf-8") != text]
    for name in stale:
        print(f"docs/{name} is not current: python tools/references.py")
    return 1 if stale else 0


def rest_pages() -> tuple[str, str]:
    """Return docs/openapi.json and docs/rest.md: the routes of ``vernis serve``."""
    import json

    import rest_reference
    from vernis.app.server import describe

    told = describe()
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n", rest_reference.page(told)


# --------------------------------------------------------------------------- command line


def cli_page() -> str:
    """Return docs/cli.md."""
    parts = [CLI_INTRODUCTION]
    for group, title in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [verb_section(entry) for entry in entries() if entry.group == group]
    return "\n".join(parts)


def verb_section(entry: Entry) -> str:
    """Return what the page says of one verb."""
    verb = entry.load()
    declared = verb.options()
    usage = " ".join(filter(None, ["vernis", entry.name, *map(usage_of, declared)]))
    lines = [f"### vernis {entry.name}\n", f"{sentence(entry.summary)}\n", f"    {usage}\n"]
    lines += [further(verb)] if further(verb) else []
    if declared:
        lines += ["| setting | kind | default | meaning |", "|---|---|---|---|"]
        lines += [row(field) for field in declared]
        lines.append("")
    return "\n".join(lines)


def sentence(text: str) -> str:
    """Return a summary as a sentence."""
    return text[:1].upper() + text[1:] + "."


def further(verb: Verb[Any, Any]) -> str:
    """Return what the module's docstring says after its first line."""
    text = inspect.getdoc(inspect.getmodule(verb.work)) or ""
    rest = text.partition("\n\n")[2]
    return rest + "\n" if rest else ""


def usage_of(field: Declared) -> str:
    """Return a field in the line of use; only what stands without a name."""
    if not field.positional:
        return ""
    name = field.name.rstrip("_").upper() + ("…" if field.is_sequence else "")
    return name if field.default is inspect.Parameter.empty else f"[{name}]"


def row(field: Declared) -> str:
    """Return a field as a row of the table."""
    name = field.name.rstrip("_").upper()
    if not field.positional:
        name = "--" + field.name.rstrip("_").replace("_", "-")
        is_repeated = field.is_sequence and not (field.option.joined or field.option.whole)
        name += " …" if is_repeated else ""
    blank = field.default is inspect.Parameter.empty or field.default in (None, (), "")
    default = "" if blank or field.default is False else field.default
    cells = (f"`{name}`", name_of(field), str(default), say(field))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


# --------------------------------------------------------------------------- results


def json_page() -> str:
    """Return docs/json.md."""
    parts = [JSON_INTRODUCTION]
    parts += [result_section(entry, entry.load()) for entry in entries()]
    return "\n".join(parts)


def result_section(entry: Entry, verb: Verb[Any, Any]) -> str:
    """Return the shape of a verb's result: a table of its keys, or one for each that it may be."""
    result, shape = verb.result, verb.shape
    lines = [f"## vernis {entry.name} --json\n"]
    if isinstance(verb.document, FunctionType) and verb.document.__name__ == "document":
        told = inspect.getdoc(verb.document) or ""
        lines.append(f"{told.splitlines()[0]}\n")
    if not isinstance(shape, OneOf):
        names = None if shape is None else shape.names
        return "\n".join([*lines, *table_of(result, names), ""])
    if len(shape.names) > 1:
        lines.append(f"One of {len(shape.names)}, by what was asked for.\n")
    for name in shape.names:
        kind = printed(field_type(result, name))
        what = "A list" if get_origin(kind) in (tuple, list, Sequence) else "An object"
        lines += [f"{what}: `{name}` of the result.\n", *table_of(kind), ""]
    return "\n".join(lines)


def printed(hint: Any) -> Any:
    """Return the type of a field without its annotation and without None."""
    kind, _ = bare(hint)
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return kind


def table_of(kind: Any, names: Sequence[str] | None = None) -> list[str]:
    """Return the table of the keys of a type (default: of all its fields)."""
    keys = [
        f"| `{key}` | {shown} | {meaning} |"
        for key, shown, meaning in keys_of(kind)
        if names is None or re.match(r"\w+", key)[0] in names  # type: ignore[index]
    ]
    return ["| key | kind | meaning |", "|---|---|---|", *keys]


def field_type(kind: Any, name: str) -> Any:
    """Return the type of a field."""
    return get_type_hints(kind, include_extras=True)[name]


def keys_of(kind: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield path, kind and meaning of every key of a type."""
    kind, _ = bare(kind)
    if is_dataclass(kind):
        for field, hint in fields_of(kind):
            name = f"{path}.{field}" if path else field
            inner, meaning = bare(hint)
            if FLAT in get_args(hint):
                yield from keys_of(inner, path, depth)
                continue
            yield name, kind_of(hint), meaning.replace("|", "\\|")
            if depth < 4:
                yield from keys_of(inner, name, depth + 1)
        return
    for part in nested(kind):
        mark = "[]" if get_origin(kind) in (tuple, list, Sequence) else ".*"
        mark = "" if get_origin(kind) in (Union, UnionType) else mark
        yield from keys_of(part, path + mark, depth)


def fields_of(kind: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a dataclass and their types."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        yield field.name.rstrip("_"), hints[field.name]


def bare(hint: Any) -> tuple[Any, str]:
    """Return a type without its annotation, and what the annotation says."""
    if get_origin(hint) is Annotated:
        kind, *said = get_args(hint)
        return kind, "; ".join(text for text in said if isinstance(text, str))
    return hint, ""


def nested(kind: Any) -> list[Any]:
    """Return the types inside a container that have keys of their own."""
    found = [bare(part)[0] for part in get_args(kind) if part not in (NoneType, Ellipsis)]
    if get_origin(kind) is Mapping:
        found = found[1:]
    return [part for part in found if is_dataclass(part) or get_args(part)]


def kind_of(hint: Any) -> str:
    """Return how a type looks in JSON."""
    kind, _ = bare(hint)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(kind_of(part) for part in parts)
    if origin is Mapping:
        return f"object of {kind_of(parts[1])}"
    if origin in (tuple, list, Sequence):
        inner = [part for part in parts if part is not Ellipsis]
        return f"list of {kind_of(inner[0])}" if len(set(inner)) == 1 else "list"
    names = {str: "text", int: "integer", float: "number", bool: "true or false", NoneType: "null"}
    return names.get(kind, "object" if is_dataclass(kind) else "value")


if __name__ == "__main__":
    sys.exit(main())
