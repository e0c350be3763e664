"""How a page is made: one file of template, styles, scripts and data, under a strict policy.

A page holds all that it needs and loads nothing but pictures, so that it opens from a folder or a
mail. Texts are escaped by the template engine; no style or script runs but those whose digest the
page's policy names. A page gets its script and all that it imports as one text.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib.resources import files
from typing import Any

from vernis.report import wording
from vernis.report.glossary import GLOSSARY
from vernis.report.scripts import bundle


def render_page(
    template: str, *, styles: Sequence[str], script: str, data: Any, digits: int = 3, **values: Any
) -> bytes:
    """Return a page as UTF-8.

    Parameters
    ----------
    template : str
        Path below ``vernis/report``, as are styles and script; extends ``shared/page.html``.
    styles : sequence of str
    script : str
        The module that starts the page.
    data
        Handed to the script as JSON; dataclasses become objects with their fields.
    digits : int
        To which the fractions in the data are rounded.
    **values
        What the template shows.
    """
    style = "\n".join(read_source(name) for name in styles)
    theme, main = read_source("../web/shared/first_theme.js"), bundle(script, read_source)
    policy = (
        "default-src 'none'; img-src 'self' file: data:; "
        f"style-src {_digest(style)}; script-src {_digest(theme)} {_digest(main)}; "
        "base-uri 'none'; form-action 'none'"
    )
    shown = {"policy": policy, "style": style, "theme": theme, "script": main, **values}
    made = _environment().get_template(template).render(data=as_json(data, digits), **shown)
    page: str = made
    return page.encode("utf-8", "replace")


def as_json(value: Any, digits: int) -> Any:
    """Return what JSON can hold of a value: fields of dataclasses, no number that is not finite."""
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name), digits) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: as_json(one, digits) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(one, digits) for one in value]
    return value


SHARED_STYLES = ("../web/shared/base.css", "shared/layout.css")
"""Of every page: what the app has too, and the frame of a page."""

_WEB = "../web/"


def read_source(name: str) -> str:
    """Return a file below ``vernis/report``, or one that the app uses too (``../web/…``)."""
    folder = files("vernis.report")
    if name.startswith(_WEB):
        folder, name = files("vernis.web"), name.removeprefix(_WEB)
    return (folder / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the mark by which the policy lets this very style or script pass."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _environment() -> Any:
    """Return the template engine: every text escaped, a name that is not known an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        if value is None:
            return ""
        is_plain = isinstance(value, str) and not isinstance(value, Markup)
        return wording.clean(value) if is_plain else value

    engine = Environment(
        loader=FunctionLoader(read_source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = ("count", "counted", "percent", "decimal", "size", "sentence", "wrong_labels")
    engine.filters |= {name: getattr(wording, name) for name in named}
    engine.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    engine.globals |= {"isnan": math.isnan, "glossary": GLOSSARY}
    return engine
