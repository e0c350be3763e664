"""The page on which a person judges a random sample: one file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vernis.report.pages import SHARED_STYLES, render_page


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
    return render_page(
        "judge/judge.html",
        styles=(*SHARED_STYLES, "judge/judge.css"),
        script="judge/main.mjs",
        data={
            "taxonomy": taxonomy,
            "kind": kind,
            "classes": classes,
            "key": key,
            "nothing": nothing,
            "images": images,
        },
        title=f"{taxonomy}: judge a sample",
        generator="Vernis sample",
        taxonomy=taxonomy,
        n_images=len(images),
    )
