"""Every verb as a route, made from its declaration, and the jobs that long ones become."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from functools import partial
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from vernis.app.asking import (
    askable_verbs,
    asked,
    is_simple,
    name_of,
    plain_type,
    printed_type,
    read_settings,
)
from vernis.app.jobs import ENDED, JobDetail, JobRow
from vernis.app.keys import Role
from vernis.app.routing import Routes, answered, desk_of, person_of
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
    name = name_of(setting)
    python = f"{name}_" if name in ("class", "for", "from", "not", "is", "in") else name
    default = setting.default
    if setting.is_sequence and default == ():
        default = []
    return inspect.Parameter(
        python,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=_annotated(setting, Query, alias=name),
    )


def _as_body(name: str, verb: Verb[Any, Any]) -> type:
    """Return the type of a request's body: the verb's settings."""
    required: list[Any] = []
    others: list[Any] = []
    for setting in asked(verb):
        told = name_of(setting)
        kind = _annotated(setting, Field, alias=told)
        if setting.default is inspect.Parameter.empty:
            required.append((setting.name, kind))
            continue
        default = setting.default
        if setting.is_sequence and default is not None:
            others.append((setting.name, kind, field(default_factory=partial(list, default))))
        else:
            others.append((setting.name, kind, field(default=default)))
    title = "".join(part.capitalize() for part in re.split(r"\W", name)) + "Settings"
    made = make_dataclass(title, [*required, *others], kw_only=True)
    made.__pydantic_config__ = ConfigDict(extra="forbid", populate_by_name=True)  # type: ignore[attr-defined]
    made.__doc__ = f"Settings of {name}."
    return made


def _reading(entry: Entry, verb: Verb[Any, Any]) -> Callable[..., Any]:
    """Return the route of a verb that writes nothing."""

    def answer(request: Request, **given: Any) -> Response:
        desk = desk_of(request)
        values = {name.rstrip("_"): value for name, value in given.items()}
        settings = read_settings(verb, values, person_of(request).name)
        with desk.reading:
            result = verb.work(desk.session, settings)
        return answered(verb.document(result), request)

    here = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    queries = [_as_query(setting) for setting in asked(verb) if is_simple(setting)]
    answer.__signature__ = inspect.Signature([here, *queries])  # type: ignore[attr-defined]
    return _named(answer, entry)


def _deciding(name: str, entry: Entry, verb: Verb[Any, Any]) -> Callable[..., Any]:
    """Return the route of a verb that is done while one waits."""

    def answer(request: Request, settings: Any) -> Response:
        desk, who = desk_of(request), person_of(request).name
        wanted = read_settings(verb, _given(settings), who)
        result = verb.work(desk.session, wanted)
        batch = getattr(result, "batch", None)
        desk.events.publish("changed", {"by": who, "verb": entry.name, "batch": batch})
        return answered(verb.document(result))

    return _named(_with_body(answer, name, verb), entry)


def _working(name: str, entry: Entry, verb: Verb[Any, Any]) -> Callable[..., Any]:
    """Return the route of a verb that becomes a job."""

    async def answer(request: Request, settings: Any) -> Response:
        desk, who = desk_of(request), person_of(request).name
        given = _given(settings)
        read_settings(verb, given)  # refused at once, not by the job
        job = desk.jobs.add(entry.name, given, by=who)
        wait = _seconds(request.headers.get("prefer", ""))
        place = f"/api/jobs/{job.id}"
        if not wait:
            return answered(job, status=202, location=place)
        found = await anyio.to_thread.run_sync(desk.jobs.wait, job.id, wait)
        if found.job.state not in ENDED:
            return answered(found.job, status=202, location=place)
        status = 200 if found.job.state == "done" else 422
        return answered(found, status=status, location=place)

    return _named(_with_body(answer, name, verb), entry)


def _with_body(answer: Callable[..., Any], name: str, verb: Verb[Any, Any]) -> Callable[..., Any]:
    here = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
    kinds = inspect.Parameter
    body = kinds("settings", kinds.POSITIONAL_OR_KEYWORD, annotation=_as_body(name, verb))
    answer.__signature__ = inspect.Signature([here, body])  # type: ignore[attr-defined]
    return answer


def _given(settings: Any) -> dict[str, Any]:
    """Return what a body gives, by the names of the request, as plain JSON."""
    return {name.rstrip("_"): value for name, value in vars(settings).items() if name[0] != "_"}


def _named(answer: Callable[..., Any], entry: Entry) -> Callable[..., Any]:
    answer.__name__ = re.sub(r"\W", "_", entry.name)
    answer.__doc__ = f"{entry.summary[:1].upper()}{entry.summary[1:]}."
    return answer


def _seconds(prefer: str) -> float:
    """Return how long the asker waits for the result (``Prefer: wait=20``, RFC 7240)."""
    found = re.search(r"\bwait=(\d{1,6})\b", prefer)
    return min(float(found[1]), _LONGEST_WAIT) if found else 0.0


def _shape_of(verb: Verb[Any, Any]) -> Any:
    """Return the type of a verb's answer, None where it cannot be told as a schema."""
    try:
        kind = printed_type(verb)
        TypeAdapter(kind).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError, KeyError):
        return None
    return kind


def add_to(routes: Routes) -> None:
    """Add the routes of this module: one for each verb."""
    for name, (entry, verb) in askable_verbs().items():
        path, role, tag = f"/api/verbs/{name}", _ROLES[verb.access], "verbs"
        if verb.access == "read":
            routes.add(
                "GET", path, _reading(entry, verb), role=role, tag=tag, gives=_shape_of(verb)
            )
        elif verb.access == "decide":
            answer = _deciding(name, entry, verb)
            routes.add("POST", path, answer, role=role, tag=tag, gives=_shape_of(verb))
        else:
            answer = _working(name, entry, verb)
            routes.add("POST", path, answer, role=role, tag=tag, gives=JobRow, status_code=202)
    add = routes.add
    add("GET", "/api/verbs", list_verbs, role="viewer", tag="verbs", gives=tuple[VerbRow, ...])
    add("GET", "/api/jobs", list_jobs, role="viewer", tag="jobs", gives=tuple[JobRow, ...])
    add("GET", "/api/jobs/{job}", read_job, role="viewer", tag="jobs", gives=JobDetail)
    add("DELETE", "/api/jobs/{job}", stop_job, role="admin", tag="jobs", gives=JobRow)
