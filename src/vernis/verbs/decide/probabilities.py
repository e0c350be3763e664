"""``collection.probabilities``: what the other images say of each image, as probabilities.

No image is predicted by its own label or by those of its duplicates, so its given label can be
held against what comes out; images without a label are predicted too. By default they are those
that ``issues`` judges by, of the kernel (docs/decisions/label-issues.md): the same frame given to
``issues(taxonomy, probabilities=...)`` gives the same ranking. ``out-of-bag`` are those of the
model that ``learn`` saved last.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.verbs.decide.block_choice import space_of
from vernis.verbs.decide.label_judgement import head_predictions, require_labels
from vernis.verbs.decide.told_apart import LeaveOut
from vernis.verbs.declare import BaseSettings, Option, Verb, in_python

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whose probabilities, and of which model."""

    taxonomy: Annotated[str, Option("the taxonomy")]
    _: KW_ONLY
    predictions: Annotated[
        Literal["kernel", "out-of-bag", "ensemble"],
        Option(
            "leave-out predictions of a kernel, or those of the head: by the estimators that did "
            "not train on the image, or by all (in-sample)"
        ),
    ] = "kernel"
    seed: Annotated[int, Option("of everything random")] = 0


def work(session: Session, settings: Settings) -> pd.DataFrame:
    """Return the probabilities of every image that has a vector.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        Fewer than 10 images have labels and vectors, or all the same one.
    UsageError
        The head's are asked for and it is not learned, or of an older state.
    """
    return frame(session, settings)


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return image × class, float32 from 0 to 1; the rows of a single taxonomy sum to 1."""
    import pandas as pd

    space, _ = space_of(session, settings.taxonomy, settings.seed)
    data = session.training_data(settings.taxonomy, space)
    require_labels(data)
    if settings.predictions == "kernel":
        probs = LeaveOut(data, settings.seed).of_all_classes
    else:
        probs = head_predictions(session, data, settings.predictions)
    uris = session.uris()
    index = pd.Index([uris[image] for image in data.image_ids.tolist()], name="image")
    columns = pd.Index(data.taxonomy.classes, name=data.taxonomy.name)
    return pd.DataFrame(probs, index=index, columns=columns)


VERB = Verb(Settings, work, in_python, frame=frame)
