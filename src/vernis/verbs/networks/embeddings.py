"""``collection.embeddings``: the vectors of the images in an embedding space.

What was embedded before; nothing is computed. ``.to_numpy()`` is the array. Images that have no
vector (they came after the last ``embed``) have no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import BaseSettings, Option, Verb, in_python

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which space."""

    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None


def work(session: Session, settings: Settings) -> pd.DataFrame:
    """Return the vectors; raises UsageError before any embedding, NotFound for another space."""
    return frame(session, settings)


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row an image with a vector, float32; the columns are numbered from 0.

    ``attrs["space"]`` names the space.
    """
    import pandas as pd

    vectors = session.vectors(session.space(settings.space))
    uris = session.uris()
    index = pd.Index([uris[image] for image in vectors.ids.tolist()], name="image")
    # A copy: the session keeps the vectors, and a frame may be written to.
    found = pd.DataFrame(vectors.X.copy(), index=index)
    found.attrs["space"] = vectors.space.name
    return found


VERB = Verb(Settings, work, in_python, frame=frame)
