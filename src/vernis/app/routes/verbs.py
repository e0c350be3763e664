"""Every verb as a route, made from its declaration, and the jobs that long ones become."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from functools import partial
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import Field, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from starlette.exceptions import HTTPException

from vernis.app.asking import (
    askable_verbs,
    asked,
    is_simple,
    name_of,
    plain_type,
    printed_type,
    read_query,
    read_settings,
)
from vernis.app.jobs import ENDED, JobDetail, JobRow
from vernis.app.keys import Role
from vernis.app.routing import NeedsRole, Routes, answered, desk_of, person_of
from vernis.domain.errors import InvalidCall, NotFound
from vernis.verbs.catalogue import Entry
from vernis.verbs.declare import Access, Declared, Verb
from vernis.verbs.methods import say

_ROLES: dict[Access, Role] = {"read": "viewer", "decide": "reviewer", "work": "admin"}
_LONGEST_WAIT = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting of a verb, enough for a form."""

    name: str
    help: str
    kind: Literal["text", "whole number", "number", "flag", "choice", "pairs"]
    many: Annotated[bool, "any number of values"]
    required: bool
    default: Any
    choices: tuple[Any, ...]
    at_least: float | None
    at_most: float | None
    above: float | None
    below: float | None


@dataclass(frozen=True, slots=True)
class VerbRow:
    """A verb that can be asked for."""

    name: Annotated[str, "as in its address"]
    command: str
    group: str
    summary: str
    access: Access
    settings: tuple[SettingRow, ...]


# --------------------------------------------------------------------------- jobs


def list_verbs(request: Request) -> Response:
    """List the verbs with their settings: what a form of each is made of."""
    found = [_verb_row(name, *pair) for name, pair in askable_verbs().items()]
    return answered(found, request)


def list_jobs(request: Request) -> Response:
    """List the jobs, newest first."""
    return answered(desk_of(request).jobs.rows())


def read_job(request: Request, job: int) -> Response:
    """Return a job with its log, and its result when it is done."""
    return answered(desk_of(request).jobs.detail(job))


def stop_job(request: Request, job: int) -> Response:
    """Stop a job; finished work is kept, and the same job goes on from there."""
    return answered(desk_of(request).jobs.stop(job))


# --------------------------------------------------------------------------- verbs


def _verb_row(name: str, entry: Entry, verb: Verb[Any, Any]) -> VerbRow:
    settings = tuple(map(_setting_row, asked(verb)))
    return VerbRow(name, f"vernis {entry.name}", entry.group, entry.summary, verb.access, settings)


def _setting_row(setting: Declared) -> SettingRow:
    option = setting.option
    required = setting.default is inspect.Parameter.empty
    kinds: dict[Any, Literal["text", "whole number", "number", "flag"]] = {
        int: "whole number",
        float: "number",
        bool: "flag",
    }
    inner = plain_type(setting.type)
    kind: Any = kinds.get(getattr(inner, "__args__", (inner,))[0], "text")
    if setting.choices:
        kind = "choice"
    elif not is_simple(setting):
        kind = "pairs"
    return SettingRow(
        name=name_of(setting),
        help=option.help,
        kind=kind,
        many=setting.is_sequence,
        required=required,
        default=None if required else setting.default,
        choices=setting.choices,
        at_least=option.at_least,
        at_most=option.at_most,
        above=option.above,
        below=option.below,
    )


def _annotated(setting: Declared, of: Callable[..., Any], **more: Any) -> Any:
    """Return a setting's type with its help and range, for an address or a body."""
    option = setting.option
    bounds = {"ge": option.at_least, "le": option.at_most, "gt": option.above, "lt": option.below}
    told = {name: bound for name, bound in bounds.items() if bound is not None}
    if setting.is_sequence:
        told = {}  # the range is that of each value; the verb checks it
    kind = plain_type(setting.type)
    if setting.optional:
        kind = kind | None
    return Annotated[kind, of(description=say(setting), **told, **more)]


def _as_query(setting: Declared) -> inspect.Parameter:
    name, default = name_of(setting), setting.default
    if setting.is_sequence and default == ():
        default = []
    return inspect.Parameter(
        f"{name}_",  # a setting may be called like one of Python's own words
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=_annotated(setting, Query, alias=name),
    )


def _as_body(name: str, verb: Verb[Any, Any]) -> type:
    """Return the type of a request's body: the verb's settings."""
    required: list[Any] = []
    others: list[Any] = []
    for setting in asked(verb):
        kind = _annotated(setting, Field, alias=name_of(setting))
        default = setting.default
        if default is inspect.Parameter.empty:
            required.append((setting.name, kind))
        elif setting.is_sequence and default is not None:
            others.append((setting.name, kind, field(default_factory=partial(list, default))))
        else:
            others.append((setting.name, kind, field(default=default)))
    title = "".join(part.capitalize() for part in re.split(r"\W", name)) + "Settings"
    made = make_dataclass(title, [*required, *others], kw_only=True)
    made.__doc__ = f"Settings of {name}."
    return made


# --------------------------------------------------------------------------- answering


def _find(request: Request, name: str, method: str) -> tuple[Entry, Verb[Any, Any]]:
    """Return a verb that may be asked for so, by this person; raises NotFound and 403, 405."""
    found = askable_verbs().get(name)
    if found is None:
        raise NotFound(f"there is no verb {name!r} to ask for; see: /api/verbs")
    wanted = "GET" if found[1].access == "read" else "POST"
    if method != wanted:
        raise HTTPException(405, f"{name} is asked for by {wanted}")
    NeedsRole(_ROLES[found[1].access])(request)
    return found


def read_by_verb(request: Request, verb: str) -> Response:
    """Answer a verb that writes nothing, with what the command line prints by `--json`."""
    desk = desk_of(request)
    _, found = _find(request, verb, "GET")
    given = read_query(found, request.query_params.multi_items())
    settings = read_settings(found, given, person_of(request).name)
    with desk.reading:
        result = found.do(desk.session, settings)
    return answered(found.document(result), request)


async def do_verb(request: Request, verb: str) -> Response:
    """Do a verb: a decision at once, longer work as a job.

    With `Prefer: wait=SECONDS` a job's result is waited for.
    """
    desk, who = desk_of(request), person_of(request).name
    entry, found = await to_thread.run_sync(_find, request, verb, "POST")
    given = _read_body(await request.body())
    settings = read_settings(found, given, who)  # what cannot be is refused at once, not by the job
    if found.access == "decide":
        result = await to_thread.run_sync(found.work, desk.session, settings)
        batch = getattr(result, "batch", None)
        desk.events.publish("changed", {"by": who, "verb": entry.name, "batch": batch})
        return answered(found.document(result))
    job = desk.jobs.add(entry.name, given, by=who)
    wait = _seconds(request.headers.get("prefer", ""))
    place = f"/api/jobs/{job.id}"
    if not wait:
        return answered(job, status=202, location=place)
    detail = await to_thread.run_sync(desk.jobs.wait, job.id, wait)
    if detail.job.state not in ENDED:
        return answered(detail.job, status=202, location=place)
    status = 200 if detail.job.state == "done" else 422
    return answered(detail, status=status, location=place)


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise InvalidCall(f"the body is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise InvalidCall("expected the settings as a JSON object")
    return given


def _seconds(prefer: str) -> float:
    """Return how long the asker waits for the result (``Prefer: wait=20``, RFC 7240)."""
    found = re.search(r"\bwait=(\d{1,6})\b", prefer)
    return min(float(found[1]), _LONGEST_WAIT) if found else 0.0


# --------------------------------------------------------------------------- describing


def _shape_of(verb: Verb[Any, Any]) -> Any:
    """Return the type of a verb's answer, None where it cannot be told as a schema."""
    try:
        kind = printed_type(verb)
        TypeAdapter(kind).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError, KeyError):
        return None
    return kind


def add_to(routes: Routes) -> None:
    """Add the routes of this module."""
    add = routes.add
    add("GET", "/api/verbs", list_verbs, role="viewer", tag="verbs", gives=tuple[VerbRow, ...])
    add("GET", "/api/jobs", list_jobs, role="viewer", tag="jobs", gives=tuple[JobRow, ...])
    add("GET", "/api/jobs/{job}", read_job, role="viewer", tag="jobs", gives=JobDetail)
    add("DELETE", "/api/jobs/{job}", stop_job, role="admin", tag="jobs", gives=JobRow)
    if routes.described:
        _describe(routes)
        return
    # The verbs are found when they are asked for: the server need not import them all to start.
    add("GET", "/api/verbs/{verb}", read_by_verb, role="viewer", tag="verbs")
    add("POST", "/api/verbs/{verb}", do_verb, role="reviewer", tag="verbs")


def _describe(routes: Routes) -> None:
    """Add a route for each verb, with its settings and its result: what the description tells."""
    for name, (entry, verb) in askable_verbs().items():
        path, role = f"/api/verbs/{name}", _ROLES[verb.access]
        more: dict[str, Any] = {}
        if verb.access == "read":
            answer, method = _described(entry, _queries(verb)), "GET"
        else:
            kinds = inspect.Parameter
            body = kinds("settings", kinds.KEYWORD_ONLY, annotation=_as_body(name, verb))
            answer, method = _described(entry, [body]), "POST"
        gives: Any = _shape_of(verb)
        if verb.access == "work":
            gives, more = JobRow, {"status_code": 202}
        routes.add(method, path, answer, role=role, tag="verbs", gives=gives, **more)


def _queries(verb: Verb[Any, Any]) -> list[inspect.Parameter]:
    return [_as_query(setting) for setting in asked(verb) if is_simple(setting)]


def _described(entry: Entry, parameters: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    def answer(**given: Any) -> None:
        """Stand for the answer; see ``read_by_verb`` and ``do_verb``."""

    answer.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    answer.__name__ = re.sub(r"\W", "_", entry.name)
    answer.__doc__ = f"{entry.summary[:1].upper()}{entry.summary[1:]}."
    return answer
