"""Probabilities of a model of the caller's own, read from a frame or an array and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import InvalidValue
from vernis.report.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session
    from vernis.session.vectors import TrainingData

_SUM = 0.01
"""How far the probabilities of an image may be from a sum of 1 (floats of half precision)."""


def read_probabilities(session: Session, given: Any, data: TrainingData) -> NDArray[np.float32]:
    """Return given probabilities with the rows and columns of ``data``.

    Parameters
    ----------
    session : Session
    given : DataFrame or array-like
        A frame: images as index, classes as columns, in any order; rows of images without a label
        may lack. An array: the rows and classes of ``Collection.labels(taxonomy)``, every image
        of the collection, labelled or not.
    data : TrainingData

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        Classes that the frame lacks are 0, images that it lacks have the mean of the others.

    Raises
    ------
    InvalidValue
        The shape does not fit; a labelled image or a class that is in use lacks; a row or a column
        is unknown or comes twice; a value is no number from 0 to 1; those of an image do not sum
        to 1 in a single taxonomy.
    """
    import pandas as pd

    uris = session.uris()
    if not isinstance(given, pd.DataFrame):
        given = _label_axes(given, [uris[i] for i in session.table().ids.tolist()], data)
    images = [uris[image] for image in data.image_ids.tolist()]
    classes = _align_classes(given, data)
    rows = _align_images(given, images, (data.Y == 1).any(axis=1), set(uris.values()))
    values = _numbers(given.iloc[rows[rows >= 0], classes[classes >= 0]])
    _check(values, given.index[rows[rows >= 0]], is_single=data.taxonomy.kind == "single")
    probs = np.zeros((len(images), len(classes)), np.float32)
    probs[:, classes >= 0] = values.mean(axis=0)
    probs[np.ix_(rows >= 0, classes >= 0)] = values
    return probs


def _label_axes(given: Any, images: Sequence[str], data: TrainingData) -> pd.DataFrame:
    """Return an array as a frame with the rows and classes of the labels."""
    import pandas as pd

    array, classes = np.asarray(given), data.taxonomy.classes
    if array.shape != (len(images), len(classes)):
        raise InvalidValue(
            f"expected probabilities of shape ({len(images)}, {len(classes)}), a row an image and "
            f"a column a class as labels({data.taxonomy.name!r}) has them, got {array.shape}; of "
            "fewer images or other classes give a frame: pd.DataFrame(P, index=images, "
            "columns=classes)"
        )
    return pd.DataFrame(array, index=list(images), columns=list(classes))


def _align_classes(given: pd.DataFrame, data: TrainingData) -> NDArray[np.intp]:
    """Return the frame's column of each class, -1 where it has none."""
    names = list(map(str, given.columns))
    _refuse_repeated(names, "class")
    known = data.taxonomy.classes
    for name in names:
        if name not in known:
            raise InvalidValue(
                f"probabilities: '{data.taxonomy.name}' has no class {name!r}"
                f"{did_you_mean(name, known)}"
            )
    place = {name: at for at, name in enumerate(names)}
    columns = np.asarray([place.get(name, -1) for name in known], np.intp)
    used = (data.Y == 1).any(axis=0)
    lacking = [known[c] for c in np.flatnonzero(used & (columns < 0)).tolist()]
    if lacking:
        raise InvalidValue(
            f"probabilities: no column of {_shown(lacking)}, which images carry; give a column to "
            "every class that is in use"
        )
    return columns


def _align_images(
    given: pd.DataFrame, images: Sequence[str], labelled: NDArray[np.bool_], known: set[str]
) -> NDArray[np.intp]:
    """Return the frame's row of each image, -1 where it has none."""
    names = list(map(str, given.index))
    _refuse_repeated(names, "image")
    strange = [name for name in names if name not in known]
    if strange:
        raise InvalidValue(
            f"probabilities: {counted(len(strange), 'row')} of {len(names):,} about no image of "
            f"the collection: {_shown(strange)}; the index is the path that labels() has, such as "
            f"{next(iter(images), '')!r}"
        )
    place = {name: at for at, name in enumerate(names)}
    rows = np.asarray([place.get(name, -1) for name in images], np.intp)
    lacking = [images[row] for row in np.flatnonzero(labelled & (rows < 0)).tolist()]
    if lacking:
        raise InvalidValue(
            f"probabilities: no row of {counted(len(lacking), 'labelled image')}: "
            f"{_shown(lacking)}; give a row to every image with a label"
        )
    return rows


def _refuse_repeated(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    twice = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if twice:
        raise InvalidValue(f"probabilities: the {what} {twice[0]!r} comes twice")


def _numbers(frame: pd.DataFrame) -> NDArray[np.float64]:
    try:
        return frame.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"probabilities: expected numbers from 0 to 1: {error}") from error


def _check(values: NDArray[np.float64], images: pd.Index, *, is_single: bool) -> None:
    fits = np.isfinite(values) & (values >= -1e-6) & (values <= 1 + 1e-6)
    if not fits.all():
        row, column = np.argwhere(~fits)[0]
        raise InvalidValue(
            f"probabilities: expected numbers from 0 to 1, got {values[row, column]:g} for "
            f"{images[row]!r}"
        )
    wrong = np.flatnonzero(np.abs(values.sum(axis=1) - 1) > _SUM)
    if is_single and len(wrong):
        raise InvalidValue(
            f"probabilities: in a single taxonomy those of an image sum to 1, got "
            f"{values[wrong[0]].sum():.3g} for {images[wrong[0]]!r}; divide each row by its sum"
        )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
