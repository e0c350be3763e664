"""Who says the labels of another tool's files: the file itself, or a model that it names."""

from __future__ import annotations

from dataclasses import replace

from vernis.core.exchange.losses import TEXTS
from vernis.domain.exchange import ExchangeLabel, ExchangeRegion, ExchangeSet, Loss

MODEL = "model:"
"""How the source of what a model says begins."""


def attribute_labels(
    exchange: ExchangeSet, source: str = ""
) -> tuple[ExchangeSet, tuple[Loss, ...]]:
    """Return a set in which each label is said by a model, or by nobody that is named: the file.

    A file is no witness for what a person said elsewhere; that somebody is named is counted.

    Parameters
    ----------
    exchange : ExchangeSet
    source : str
        Said to be the source of all labels: ``model:NAME``. Empty for what the file says.
    """
    named = 0

    def attributed(labels: tuple[ExchangeLabel, ...]) -> tuple[ExchangeLabel, ...]:
        nonlocal named
        if all(not (source or said.source) for said in labels):
            return labels  # the objects of many regions are not made anew
        found = []
        for label in labels:
            said_by = source or label.source
            if said_by and not said_by.startswith(MODEL):
                named += said_by != "given"
                said_by = ""
            found.append(label if label.source == said_by else replace(label, source=said_by))
        return tuple(found)

    def attributed_region(found: ExchangeRegion) -> ExchangeRegion:
        labels = attributed(found.labels)
        return found if labels is found.labels else ExchangeRegion(found.region, labels)

    images = tuple(
        replace(
            image,
            labels=attributed(image.labels),
            regions=tuple(map(attributed_region, image.regions)),
        )
        for image in exchange.images
    )
    losses = (Loss("sources", named, TEXTS["sources"]),) if named else ()
    return replace(exchange, images=images), losses
