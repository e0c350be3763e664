"""docs/rest.md: every route with an example for the shell and one for Python, from its declaration.

A test runs the examples; what a route takes that its declaration does not tell an example of stands
in ``VALUES`` and ``BODIES``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

INTRODUCTION = """# The REST API

Made by `python tools/references.py` from the routes' declarations; do not edit. The same as a
schema: [openapi.json](openapi.json), which `vernis serve` gives at `/api/openapi.json`.

`vernis serve COLLECTION` prints the address; the key stands in `COLLECTION/app/key`. Reading is
GET; what decides is POST and done at once; long work is POST and answers 202 with a job, whose
result `Prefer: wait=SECONDS` waits for. Answers are JSON with an ETag, errors are
`{"error": "one line", "kind": "…"}`. A role holds those before it: viewer, reviewer, admin.

The examples for the shell stand on

```sh
VERNIS=http://127.0.0.1:8377
KEY=$(cat COLLECTION.vernis/app/key)
```

and those for Python on

```python
import json
import os
import urllib.request
from pathlib import Path

server = os.environ.get("VERNIS", "http://127.0.0.1:8377")
key = os.environ.get("KEY") or Path("COLLECTION.vernis/app/key").read_text().strip()


def ask(method, path, body=None, kind="application/json", **headers):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers |= {"Authorization": f"Bearer {key}"} | ({"Content-Type": kind} if data else {})
    request = urllib.request.Request(server + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        told = answer.read()
        return json.loads(told) if answer.headers.get_content_type() == "application/json" else told
```
"""

TITLES = {
    "collection": "The collection",
    "review": "Review",
    "images": "Images",
    "boxes": "Boxes",
    "duplicates": "Duplicates",
    "fill": "Fill",
    "proposals": "Merges, clusters and brands",
    "samples": "Judged samples",
    "labels": "Labels",
    "history": "History",
    "maps": "Maps",
    "models": "Saved models",
    "session": "Sessions of people",
    "jobs": "Jobs",
    "verbs": "Verbs",
}
VALUES: Mapping[str, Any] = {
    **dict.fromkeys(("issue", "image", "batch", "job", "version"), 1),
    "number": 0,
    "taxonomy": "brand",
    "model": "brand",
    "ids": "1,2,3",
    "like": "1",
    "by": "year",
    "precision": 0.95,
    "x": 0,
    "y": 0,
    "width": 64,
    "height": 64,
}
"""Parameters of addresses, by name."""

PICTURE = "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer"
_TENSOR = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["iVBORw0K"]}]}
BODIES: Mapping[str, Any] = {
    "/api/decisions": {"answers": [{"issue": 1, "answer": "dismiss", "key": "any-1"}]},
    "/api/labels": {"taxonomy": "brand", "where": "is:unlabelled", "add": ["absolut"]},
    "/api/duplicates/decisions": {"groups": [{"images": [1, 2], "keep": 1}]},
    "/api/session": {"name": "ann", "password": "correct horse battery staple"},
    "/api/undo": {"batch": 1, "yes": True},
    "/api/clusters": {"name": "sea", "numbers": [1], "into": "themes"},
    "/api/merges/{taxonomy}": {"merges": [], "different": []},
    "/api/images/{image}/boxes": {},
    "/api/samples/{taxonomy}": {"size": 10},
    "/api/samples/{taxonomy}/judgements": {"judgements": []},
    PICTURE[0]: _TENSOR,
    PICTURE[1]: _TENSOR,
}
"""Bodies that the required fields alone do not make."""

UPLOADS = ("/api/models/{model}/predict", "/api/examples")
"""Routes whose body is a picture."""

STREAMS = ("/api/events",)
"""Routes that go on answering."""


def page(schema: Mapping[str, Any]) -> str:
    """Return docs/rest.md."""
    parts = [INTRODUCTION]
    found = list(_routes(schema))
    tags = dict.fromkeys([*TITLES, *(told["tags"][0] for _, _, told in found)])
    for tag in tags:
        parts.append(f"## {TITLES.get(tag, tag.capitalize())}\n")
        for method, path, told in found:
            if told["tags"][0] == tag:
                parts.append(_section(method, path, told, schema))
    return "\n".join(parts)


def _routes(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            yield method.upper(), path, told


def _section(method: str, path: str, told: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    said = " ".join(told.get("description", told["summary"]).split("\n\n")[0].split())
    lines = [f"### {method} {path}\n", f"{said} Role: {told['x-role']}.\n"]
    rows = [
        f"| `{one['name']}` | {_kind(one['schema'])} | {_default(one)} | {_meaning(one)} |"
        for one in told.get("parameters", ())
        if one["in"] == "query"
    ]
    if rows:
        lines += ["| parameter | kind | default | meaning |", "|---|---|---|---|", *rows, ""]
    address = _address(path, told)
    body = _body(path, told, schema) if method == "POST" else None
    lines += ["```sh", _curl(method, path, address, body), "```", ""]
    lines += ["```python", _python(method, path, address, body), "```", ""]
    return "\n".join(lines)


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"] if part.get("type") != "null")
    if schema.get("type") == "array":
        return f"{_kind(schema['items'])}, repeatable"
    return str(schema.get("type", "text")).replace("string", "text")


def _default(parameter: Mapping[str, Any]) -> str:
    if parameter.get("required"):
        return "needed"
    default = parameter["schema"].get("default")
    return "" if default in (None, "", []) else f"`{json.dumps(default)}`"


def _meaning(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("description", "")).replace("|", "\\|")


def _address(path: str, told: Mapping[str, Any]) -> str:
    query = {}
    for one in told.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", str(VALUES[one["name"]]))
        elif one.get("required"):
            query[one["name"]] = VALUES.get(one["name"], "1")
    return f"{path}?{urlencode(query, safe=',')}" if query else path


def _body(path: str, told: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if path in BODIES:
        return BODIES[path]
    content = told.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    kind = _resolved(content["schema"], schema)
    return {
        name: _value(name, _resolved(kind["properties"][name], schema))
        for name in kind.get("required", ())
    }


def _resolved(kind: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = kind.get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = schema["components"]["schemas"][name] if name else kind
    return found


def _value(name: str, kind: Mapping[str, Any]) -> Any:
    if name in VALUES:
        return str(VALUES[name]) if kind.get("type") == "string" else VALUES[name]
    if kind.get("type") == "array":
        return [_value(name, kind.get("items", {}))]
    if kind.get("type") in ("integer", "number"):
        return 1
    return {"what": "brand", "images": "a.jpg"}.get(name, "brand")


def _curl(method: str, path: str, address: str, body: Any) -> str:
    words = ['curl -H "Authorization: Bearer $KEY"']
    if path in UPLOADS:
        words += ["-H 'Content-Type: image/jpeg' --data-binary @picture.jpg"]
    elif body is not None:
        told = json.dumps(body).replace("'", "'\\''")
        words += [f"-H 'Content-Type: application/json' -d '{told}'"]
    elif method != "GET":
        words += [f"-X {method}"]
    if path in STREAMS:
        words += ["-N"]
    return " ".join([*words, f'"$VERNIS{address}"'])


def _python(method: str, path: str, address: str, body: Any) -> str:
    if path in STREAMS:
        return (
            f'request = urllib.request.Request(server + "{address}", '
            'headers={"Authorization": f"Bearer {key}"})\n'
            "stream = urllib.request.urlopen(request)\nprint(stream.readline())"
        )
    given = [json.dumps(method), json.dumps(address)]
    if path in UPLOADS:
        given += ['Path("picture.jpg").read_bytes()', 'kind="image/jpeg"']
    elif body is not None:
        given.append(repr(body).replace("'", '"'))
    line = f"ask({', '.join(given)})"
    if len(line) <= 100:
        return line
    return "\n".join(["ask(", *(f"    {part}," for part in given), ")"])
