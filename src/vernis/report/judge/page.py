"""The page on which a person judges a random sample: one file, no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from vernis.report.markup import join, tag


@dataclass(frozen=True, slots=True)
class JudgedImage:
    """One image of the page.

    ``candidates`` are the classes offered first, in an order that does not tell which of them the
    image carries. ``thumb`` is a ``data:`` address or empty.
    """

    image: str
    candidates: tuple[str, ...]
    thumb: str


def render_judge_page(
    *,
    taxonomy: str,
    kind: str,
    classes: Sequence[str],
    images: Sequence[JudgedImage],
    key: str,
    nothing: str,
) -> bytes:
    """Return the page.

    Parameters
    ----------
    taxonomy, kind : str
    classes : sequence of str
    images : sequence of JudgedImage
    key : str
        Tells this sample from others; the browser keeps unfinished judgements under it.
    nothing : str
        What the saved file says of an image that carries no class.
    """
    payload = {
        "taxonomy": taxonomy,
        "kind": kind,
        "classes": list(classes),
        "key": key,
        "nothing": nothing,
        "images": [
            {"image": row.image, "candidates": list(row.candidates), "thumb": row.thumb}
            for row in images
        ],
    }
    # "</script>" in a name must not end the script.
    text = json.dumps(payload, ensure_ascii=True).replace("<", "\\u003c")
    page = Template(_template("judge/judge.html")).substitute(
        title=tag("title", f"{taxonomy}: judge a sample · Vernis"),
        heading=join(f"Judge a sample of {taxonomy}"),
        introduction=join(
            f"{len(images):,} images drawn at random, in random order: you may stop at any of "
            "them. What the collection says of an image is not shown as such, so that it does not "
            "sway you. Save the file into this page's folder, then run vernis lab truth."
        ),
        style=_template("judge/judge.css"),
        payload=text,
        script=_template("judge/judge.mjs"),
    )
    return page.encode("utf-8", "replace")


def _template(name: str) -> str:
    return (files("vernis.report") / name).read_text(encoding="utf-8")
